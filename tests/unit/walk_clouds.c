#include "tests/unit/walk_clouds.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>

#include "overlay/ip/datagram.h"
#include "overlay/profile/profile.h"

const uint8_t walk_id_a[32] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa,
                               0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x20, 0x01, 0x0d, 0xb8, 0,    0,
                               0,    1,    0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8};
const uint8_t walk_id_b[32] = {0x77, 0x75, 0xc8, 0x27, 0x66, 0xbf, 0xb8, 0x4e, 0x1c, 0xa6, 0x27,
                               0x6f, 0xe0, 0x33, 0xd7, 0x97, 0x20, 0x01, 0x0d, 0xb8, 0,    0,
                               0,    2,    0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};
const uint8_t walk_id_modern[32] = {0x40, [31] = 0x11};
const uint8_t walk_address_a[16] = {0x20, 0x01, 0x0d, 0xb8, [7] = 1, [15] = 0x0a};

const uint8_t *walk_cloud_address(enum walk_cloud cloud)
{
    static const uint8_t addresses[CLOUDS][16] = {
        [CLOUD_B] = {0x20, 0x01, 0x0d, 0xb8, [7] = 2, [15] = 0x0b},
        [CLOUD_C] = {0x20, 0x01, 0x0d, 0xb8, [7] = 3, [15] = 0x0c},
        [CLOUD_MODERN] = {0x20, 0x01, 0x0d, 0xb8, [7] = 3, [15] = 0x0c},
        [CLOUD_SILENT] = {0x20, 0x01, 0x0d, 0xb8, [7] = 4, [15] = 0x0d},
    };
    return addresses[cloud];
}

uint16_t walk_cloud_port(enum walk_cloud cloud)
{
    return cloud == CLOUD_MODERN ? 3541 : 3540;
}

static void commit(void)
{
    cr_assert_eq(bypeer_writer_commit_names(walk.writer), 0);
    bypeer_writer_reclaim(walk.writer, bypeer_writer_request(walk.writer));
}

static void put_own(enum walk_cloud cloud, const uint8_t id[static 32])
{
    struct bypeer_name name = {.port = walk_cloud_port(cloud), .address_count = 1, .flags = BYPEER_NAME_OWN};
    struct bypeer_name_own own;
    memset(&own, 0, sizeof(own));
    memcpy(name.id, id, 32);
    memcpy(name.addresses[0], walk_cloud_address(cloud), 16);
    cr_assert_eq(bypeer_writer_put_name(walk.writer, cloud, &name), 1);
    memcpy(own.id, id, 32);
    memcpy(own.leaf_low, id, 32);
    memcpy(own.leaf_high, id, 32);
    cr_assert_eq(bypeer_writer_set_own(walk.writer, cloud, &own, 1), 0);
}

void walk_clouds_put(void)
{
    for (enum walk_cloud cloud = CLOUD_B; cloud < CLOUDS; cloud++) {
        struct bypeer_cloud_record record = {.number = cloud,
                                             .flags = cloud == CLOUD_SILENT ? 0 : BYPEER_CLOUD_ANSWERS,
                                             .port = walk_cloud_port(cloud),
                                             .version_major = cloud == CLOUD_MODERN ? 5 : 4,
                                             .address_count = cloud == CLOUD_C ? 2 : 1,
                                             .stranger_bytes_s = 16384,
                                             .verified_answers_s = 100,
                                             .answers_s = 5000,
                                             .learn_s = 200};
        memset(record.cookie_secret, 0x5a, sizeof(record.cookie_secret));
        memcpy(record.addresses[0], walk_cloud_address(cloud), 16);
        memcpy(record.addresses[1], walk_cloud_address(cloud), 16);
        record.addresses[1][15] = 0x1c;
        cr_assert_eq(bypeer_writer_put_cloud(walk.writer, &record), 1);
    }
    put_own(CLOUD_B, walk_id_b);
    put_own(CLOUD_MODERN, walk_id_modern);
    commit();
}

void walk_clouds_set_up(void)
{
    walk_set_up();
    walk_clouds_put();
}

void walk_know(enum walk_cloud cloud, const uint8_t id[static 32], uint16_t host, unsigned count)
{
    struct bypeer_name name = {.port = 4000, .address_count = (uint8_t)count};
    memcpy(name.id, id, 32);
    for (unsigned i = 0; i < count; i++) {
        memcpy(name.addresses[i], (const uint8_t[4]){0x20, 0x01, 0x0d, 0xb8}, 4);
        bypeer_store16(name.addresses[i] + 14, (uint16_t)(host + i));
    }
    cr_assert_eq(bypeer_writer_put_name(walk.writer, cloud, &name), 1);
    commit();
}

void walk_forget(enum walk_cloud cloud, const uint8_t id[static 32])
{
    cr_assert_eq(bypeer_writer_remove_name(walk.writer, cloud, id), 0);
    commit();
}

void walk_seal(uint8_t *frame, size_t length)
{
    uint8_t *udp = frame + BYPEER_DATAGRAM_UDP_AT;
    uint16_t udp_bytes = (uint16_t)(length - BYPEER_DATAGRAM_UDP_AT);
    bypeer_store16(frame + BYPEER_DATAGRAM_IP_AT + BYPEER_IPV6_LENGTH, udp_bytes);
    bypeer_store16(udp + BYPEER_UDP_LENGTH, udp_bytes);
    bypeer_store16(udp + BYPEER_UDP_CHECKSUM, 0);
    uint64_t sum = bypeer_checksum_plus(bypeer_datagram_sum(frame), bypeer_checksum_field(udp_bytes));
    sum = bypeer_checksum_plus(sum, bypeer_checksum_sum(udp, udp_bytes));
    bypeer_store16_raw(udp + BYPEER_UDP_CHECKSUM, (uint16_t)~bypeer_checksum_fold(sum));
}

size_t walk_datagram(uint8_t *frame, enum walk_cloud cloud, const uint8_t *payload, size_t length)
{
    static const uint8_t next_hop[6] = {0x02, 0, 0, 0, 0, 0x99};
    memcpy(frame, walk.worker.ports[0].mac, 6);
    memcpy(frame + 6, next_hop, 6);
    bypeer_store16(frame + BYPEER_ETHERNET_TYPE, BYPEER_ETHERTYPE_IPV6);
    bypeer_ipv6_write(frame + BYPEER_DATAGRAM_IP_AT, &(struct bypeer_ipv6){.source = walk_address_a,
                                                                           .destination = walk_cloud_address(cloud),
                                                                           .traffic_class = 1,
                                                                           .flow_label = 0x12345,
                                                                           .next_header = BYPEER_NEXT_UDP,
                                                                           .hop_limit = 3});
    bypeer_store16(frame + BYPEER_DATAGRAM_UDP_AT + BYPEER_UDP_SOURCE, 3540);
    bypeer_store16(frame + BYPEER_DATAGRAM_UDP_AT + BYPEER_UDP_DESTINATION, walk_cloud_port(cloud));
    memcpy(frame + BYPEER_DATAGRAM_PAYLOAD_AT, payload, length);
    walk_seal(frame, BYPEER_DATAGRAM_PAYLOAD_AT + length);
    return BYPEER_DATAGRAM_PAYLOAD_AT + length;
}

size_t walk_hex(uint8_t *bytes, const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++) {
        unsigned value;
        if (isspace((unsigned char)*text))
            continue;
        cr_assert_eq(sscanf(text++, "%2x", &value), 1);
        bytes[count++] = (uint8_t)value;
    }
    return count;
}

size_t walk_inquire(uint8_t *frame, uint8_t *message, uint16_t flags)
{
    size_t length = walk_hex(message, "0010000c51040007010203070040000600000000003900247775c82766bfb84e1ca6276fe033d797"
                                      "20010db8000000021122334455667788");
    bypeer_store16(message + 16, flags);
    return walk_datagram(frame, CLOUD_B, message, length);
}
