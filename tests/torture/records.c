#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/torture/torture.h"

static const uint32_t counts[TORTURE_KINDS] = {
    [TORTURE_DESTINATION] = TORTURE_DESTINATIONS, [TORTURE_LINK] = TORTURE_LINKS,
    [TORTURE_ADJACENCY] = TORTURE_ADJACENCIES,    [TORTURE_GROUP] = TORTURE_GROUPS,
    [TORTURE_PREFIX] = TORTURE_PREFIXES,          [TORTURE_NAME] = TORTURE_NAMES,
};

uint32_t torture_count(enum torture_kind kind)
{
    return counts[kind];
}

struct torture_version *torture_version(struct torture_oracle *oracle, enum torture_kind kind, uint32_t number)
{
    for (unsigned before = 0; before < (unsigned)kind; before++)
        number += counts[before];
    return &oracle->entries[number];
}

bool torture_stays(enum torture_kind kind, uint32_t number)
{
    (void)kind;
    return number % 4 == 0 || number % 8 == 1;
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

/* Bytes that follow from (number, version) alone: a mixture of two versions or of two entries is not right. */
static void fill(void *to, size_t bytes, uint32_t number, uint64_t version)
{
    uint64_t word = mix(number + version * UINT64_C(0x9e3779b97f4a7c15));
    for (size_t i = 0; i < bytes; i++, word = mix(word))
        ((uint8_t *)to)[i] = (uint8_t)word;
}

void torture_destination_key(uint32_t number, uint8_t ret_key[static 16])
{
    fill(ret_key, 16, number, 0);
    ret_key[0] = 0xfd;
    memcpy(ret_key + 12, &number, sizeof(number));
}

static void destination_contents(struct bypeer_destination *record, uint32_t number, uint64_t version)
{
    fill(&record->link, sizeof(record->link), number, version);
    fill(&record->group, sizeof(record->group), number, version + 1);
    fill(&record->flags, sizeof(record->flags), number, version + 2);
    record->serial = version;
}

struct bypeer_destination torture_destination(uint32_t number, uint64_t version)
{
    struct bypeer_destination record = {.prefix_bits = 128};
    torture_destination_key(number, record.key);
    destination_contents(&record, number, version);
    return record;
}

/* Entry 0 is 2001::/16; then pairs of a /48 in it and a /64 in that. */
void torture_prefix_key(uint32_t number, uint8_t ret_key[static 16], uint32_t *ret_bits)
{
    memset(ret_key, 0, 16);
    ret_key[0] = 0x20;
    ret_key[1] = 0x01;
    *ret_bits = 16;
    if (number == 0)
        return;
    uint32_t pair = mix(number / 2) & 0xffff;
    ret_key[2] = (uint8_t)(pair >> 8);
    ret_key[3] = (uint8_t)pair;
    ret_key[4] = (uint8_t)(number / 2 >> 8);
    ret_key[5] = (uint8_t)(number / 2);
    *ret_bits = 48;
    if (number % 2 == 0)
        return;
    ret_key[7] = (uint8_t)number;
    *ret_bits = 64;
}

struct bypeer_destination torture_prefix(uint32_t number, uint64_t version)
{
    struct bypeer_destination record = {.serial = 0};
    torture_prefix_key(number, record.key, &record.prefix_bits);
    destination_contents(&record, number, version);
    return record;
}

void torture_link_peer(uint32_t number, uint64_t version, uint8_t ret_peer[static 16])
{
    memset(ret_peer, 0xfc, 4);
    memcpy(ret_peer + 4, &number, sizeof(number));
    memcpy(ret_peer + 8, &version, sizeof(version));
}

struct bypeer_link torture_link(uint32_t number, uint64_t version)
{
    struct bypeer_link link = {
        .id = number + 1,
        .kind = BYPEER_LINK_FABRIC,
        .vni = number,
        .udp_port = 4790,
        .serial = (uint32_t)version,
        .local = {0xfc, 1},
    };
    torture_link_peer(number, version, link.peer);
    fill(&link.group, sizeof(link.group), number, version);
    fill(link.header, sizeof(link.header), number, version);
    return link;
}

struct bypeer_adjacency torture_adjacency(uint32_t number, uint64_t version)
{
    struct bypeer_adjacency adjacency = {.id = number + 1, .valid = 1};
    memcpy(adjacency.reserved1, &version, sizeof(version));
    fill(adjacency.ether, sizeof(adjacency.ether), number, version);
    fill(&adjacency.mtu, sizeof(adjacency.mtu), number, version + 1);
    return adjacency;
}

struct bypeer_group torture_group(uint32_t number, uint64_t version)
{
    struct bypeer_group group = {.id = number + 1};
    memcpy(group.prefix, &version, sizeof(version));
    fill(group.address, sizeof(group.address), number, version);
    fill(&group.vni, sizeof(group.vni), number, version + 1);
    return group;
}

/* Runs of IDs whose first one, two and three words are equal, and some that stand alone. */
void torture_name_id(uint32_t number, uint8_t ret_id[static 32])
{
    fill(ret_id, 8 * (number % 4), number % 4, 0);
    fill(ret_id + 8 * (number % 4), 32 - 8 * (number % 4), number, 0);
}

struct bypeer_name torture_name(uint32_t number, uint64_t version)
{
    struct bypeer_name name = {.address_count = 1};
    torture_name_id(number, name.id);
    fill(name.addresses[0], 16, number, version);
    memcpy(name.addresses[0], &version, sizeof(version));
    fill(&name.port, sizeof(name.port), number, version);
    return name;
}

struct bypeer_wireguard_session torture_session(uint32_t slot, uint64_t serial)
{
    struct bypeer_wireguard_session session = {.region = serial,
                                               .local_index = (uint32_t)mix(serial) << BYPEER_SESSION_SLOT_BITS | slot};
    fill(session.send_key, sizeof(session.send_key), slot, serial);
    fill(session.receive_key, sizeof(session.receive_key), slot, serial + 1);
    bypeer_wireguard_session_finish(&session);
    return session;
}

void torture_fail(struct torture_shared *shared, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text) - 1, format, arguments);
    va_end(arguments);
    length = length < (int)sizeof(text) - 1 ? length : (int)sizeof(text) - 2;
    text[length] = '\n';
    /* One write a line, so that processes do not mix theirs; the first few tell enough. */
    if (__atomic_fetch_add(&shared->failures, 1, __ATOMIC_RELAXED) < 20)
        (void)!write(STDERR_FILENO, text, (size_t)length + 1);
}

uint64_t torture_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
