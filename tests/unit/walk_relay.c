#include "tests/unit/walk_relay.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "dataplane/nodes/relay.h"
#include "overlay/ip/checksum.h"

#define HUB_LINK 20 /* of CAROL, and the next of DAVE */

static const uint8_t prefix[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 5};
static const uint8_t own_ipv4[4] = {192, 0, 2, 1};

enum walk_user walk_partner(enum walk_user user)
{
    return (enum walk_user)(user ^ 1u);
}

static bool is_ipv4(enum walk_user user)
{
    return user == USER_CAROL || user == USER_DAVE;
}

uint16_t walk_user_port(enum walk_user user)
{
    return user % 2;
}

struct bypeer_relay_place walk_place(enum walk_user user)
{
    const uint8_t ipv4[16] = {[10] = 0xff, 0xff, 198, 51, 100, (uint8_t)(user - 1)};
    uint8_t mac[6] = {0x02, 0, 0, 0, 0, (uint8_t)(0xa0 + user)}, ipv6[16] = {0x20, 0x01, 0x0d, 0xb8};
    struct bypeer_relay_place place = {.device = (uint8_t)walk_user_port(user)};
    ipv6[5] = user == USER_ERIN ? 0xa : (uint8_t)(8 + user);
    ipv6[15] = user == USER_ERIN ? 1 : (uint8_t)(user - 1);
    memcpy(place.address, is_ipv4(user) ? ipv4 : ipv6, 16);
    place.port_and_mac = bypeer_relay_port_and_mac((uint16_t)(40999 + user), mac);
    return place;
}

const uint8_t *walk_relay_key(enum walk_user user)
{
    static uint8_t keys[USERS][16];
    if (is_ipv4(user)) {
        bypeer_relay_port_key(keys[user], own_ipv4, (uint16_t)(52000 + user));
    } else {
        memcpy(keys[user], prefix, 8);
        memset(keys[user] + 8, 0x40 + (int)user, 8);
        bypeer_relay_address_set_end(0, user, keys[user]);
    }
    return keys[user];
}

uint64_t walk_relay_serial(enum walk_user user)
{
    return 499 + user / 2;
}

struct bypeer_relay_state *walk_relay_state(enum walk_user user)
{
    return &walk.worker.shared->relays[user];
}

struct bypeer_relay_claims *walk_relay_claims(enum walk_user user)
{
    return &walk.worker.shared->claims[user];
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

struct bypeer_relay_record walk_relay_record(enum walk_user user)
{
    struct bypeer_relay_record record = {.serial = walk_relay_serial(user)};
    for (unsigned side = 0; side < 2; side++) {
        enum walk_user one = (enum walk_user)(user / 2 * 2 + side);
        memcpy(record.keys[side], walk_relay_key(one), 16);
        record.links[side] = is_ipv4(one) ? HUB_LINK + one - USER_CAROL : 0;
    }
    return record;
}

static void put_hub_link(enum walk_user user)
{
    struct bypeer_link link = {.id = HUB_LINK + user - USER_CAROL,
                               .kind = BYPEER_LINK_WIREGUARD,
                               .underlay = 4,
                               .group = 1,
                               .session = HUB_LINK + user - USER_CAROL,
                               .serial = 900 + user,
                               .peer_port = 7};
    struct bypeer_relay_place place = walk_place(user);
    memcpy(link.peer, place.address, 16);
    cr_assert_geq(bypeer_writer_put_link(walk.writer, &link), 0);
}

void walk_relay_put(void)
{
    static const uint8_t spare[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x77};
    struct bypeer_relay_prefix relay = {
        .bits = 64, .port = WALK_RELAY_PORT, .port_low = 52000, .port_high = 52999, .flags = BYPEER_RELAY_ON_LINK};
    struct bypeer_link link = walk_link(LINK_A);
    memcpy(relay.prefix, prefix, 16);
    walk.tables.relay_prefix = relay;
    cr_assert_eq(bypeer_writer_put_endpoint(walk.writer, link.local, 0), 0);
    cr_assert_eq(bypeer_writer_put_endpoint(walk.writer, spare, 0), 0);
    put_hub_link(USER_CAROL);
    put_hub_link(USER_DAVE);
    for (enum walk_user user = USER_ALICE; user < USERS; user += 2) {
        struct bypeer_relay_record record = walk_relay_record(user);
        cr_assert_eq(bypeer_writer_put_relay(walk.writer, user / 2, &record), 1);
    }
    walk.worker.now_ms = 1000000;
}

void walk_relay_set_up(void)
{
    walk_set_up();
    walk_relay_put();
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

size_t walk_message(uint8_t *message, enum bypeer_wireguard_type type, uint32_t sender, uint32_t receiver,
                    uint64_t counter, size_t bytes)
{
    static const size_t fixed[] = {[BYPEER_WIREGUARD_INITIATION] = BYPEER_WIREGUARD_INITIATION_BYTES,
                                   [BYPEER_WIREGUARD_RESPONSE] = BYPEER_WIREGUARD_RESPONSE_BYTES,
                                   [BYPEER_WIREGUARD_COOKIE] = BYPEER_WIREGUARD_COOKIE_BYTES,
                                   [BYPEER_WIREGUARD_DATA] = 0};
    uint32_t first = type == BYPEER_WIREGUARD_COOKIE || type == BYPEER_WIREGUARD_DATA ? receiver : sender;
    if (fixed[type] != 0)
        bytes = fixed[type];
    for (size_t i = 0; i < bytes; i++)
        message[i] = (uint8_t)(7 * i);
    const uint32_t words[3] = {htole32(type), htole32(first), htole32(receiver)};
    memcpy(message, words, type == BYPEER_WIREGUARD_RESPONSE ? 12 : 8);
    counter = htole64(counter);
    if (type == BYPEER_WIREGUARD_DATA)
        memcpy(message + 8, &counter, sizeof(counter));
    return bytes;
}

size_t walk_relay_frame(uint8_t *frame, enum walk_user user, const struct bypeer_relay_place *from,
                        const uint8_t *message, size_t bytes)
{
    const uint8_t *key = walk_relay_key(user), *source = (const uint8_t *)from->address;
    const uint16_t udp_bytes = (uint16_t)(BYPEER_UDP_BYTES + bytes);
    uint8_t word[8], *ip = frame + BYPEER_ETHERNET_BYTES, *udp = ip + (is_ipv4(user) ? 20 : 40);
    bypeer_store64(word, from->port_and_mac);
    memcpy(frame, walk.worker.ports[from->device].mac, 6);
    memcpy(frame + 6, word + 2, 6);
    uint64_t sum = bypeer_checksum_field(BYPEER_NEXT_UDP) + bypeer_checksum_field(udp_bytes);
    if (is_ipv4(user)) {
        memset(ip, 0, 20);
        ip[0] = 0x45;
        bypeer_store16(frame + 12, BYPEER_ETHERTYPE_IPV4);
        bypeer_store16(ip + 2, (uint16_t)(20 + udp_bytes));
        ip[BYPEER_IPV4_TTL] = 64;
        ip[BYPEER_IPV4_PROTOCOL] = BYPEER_NEXT_UDP;
        memcpy(ip + BYPEER_IPV4_SOURCE, source + 12, 4);
        memcpy(ip + BYPEER_IPV4_DESTINATION, key + 12, 4);
        bypeer_store16_raw(ip + BYPEER_IPV4_CHECKSUM, (uint16_t)~bypeer_checksum_fold(bypeer_checksum_sum(ip, 20)));
        sum = bypeer_checksum_plus(sum, bypeer_checksum_sum(ip + 12, 8));
    } else {
        bypeer_store16(frame + 12, BYPEER_ETHERTYPE_IPV6);
        bypeer_ipv6_write(ip, &(struct bypeer_ipv6){.source = source,
                                                    .destination = key,
                                                    .traffic_class = 2,
                                                    .flow_label = 0x12345,
                                                    .payload_bytes = udp_bytes,
                                                    .next_header = BYPEER_NEXT_UDP,
                                                    .hop_limit = 64});
        sum = bypeer_checksum_plus(sum, bypeer_checksum_sum(ip + 8, 32));
    }
    bypeer_store16(udp, bypeer_relay_port(from));
    bypeer_store16(udp + 2, is_ipv4(user) ? bypeer_relay_key_port(key) : WALK_RELAY_PORT);
    bypeer_store16(udp + 4, udp_bytes);
    bypeer_store16(udp + 6, 0);
    memcpy(udp + 8, message, bytes);
    sum = bypeer_checksum_plus(sum, bypeer_checksum_sum(udp, udp_bytes));
    bypeer_store16_raw(udp + 6, (uint16_t)~bypeer_checksum_fold(sum));
    return (size_t)(udp - frame) + udp_bytes;
}

/* A message of a user goes through the node. */
static void pass(enum walk_user user, enum bypeer_wireguard_type type, uint32_t sender, uint32_t receiver)
{
    uint8_t message[200], frame[WALK_FRAME_MAX];
    struct bypeer_relay_place place = walk_place(user);
    size_t bytes = walk_message(message, type, sender, receiver, 0, 80);
    walk_arrive(place.device, frame, walk_relay_frame(frame, user, &place, message, bytes));
    walk_once();
    walk_sent(walk_user_port(walk_partner(user)), frame);
}

void walk_relay_meet(enum walk_user user)
{
    enum walk_user partner = walk_partner(user);
    pass(partner, BYPEER_WIREGUARD_INITIATION, 999, 0);
    pass(user, BYPEER_WIREGUARD_INITIATION, 1000 + user, 0);
    pass(partner, BYPEER_WIREGUARD_RESPONSE, 1000 + partner, 1000 + user);
    pass(user, BYPEER_WIREGUARD_DATA, 0, 1000 + partner);
    pass(partner, BYPEER_WIREGUARD_DATA, 0, 1000 + user);
    for (unsigned i = 0; i < 2; i++) {
        enum walk_user end = i == 0 ? user : partner;
        cr_assert(bypeer_relay_is_confirmed(walk_relay_state(end), walk_relay_serial(end),
                                            (uint32_t)(walk.worker.now_ms / 1000)));
    }
}
