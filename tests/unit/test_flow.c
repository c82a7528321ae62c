/* Packets of one flow go to one worker; flows spread. */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "dataplane/flow.h"

#define UDP 17
#define TCP 6

static uint8_t frame[200];

static void ethernet(uint16_t type)
{
    memset(frame, 0, sizeof(frame));
    frame[12] = (uint8_t)(type >> 8);
    frame[13] = (uint8_t)type;
}

static uint8_t *ipv6(uint8_t protocol, uint8_t host, uint16_t port)
{
    ethernet(0x86dd);
    uint8_t *ip = frame + 14;
    ip[0] = 0x60;
    ip[6] = protocol;
    ip[8] = ip[24] = 0xfd;
    ip[23] = host;
    ip[39] = 1;
    ip[40] = (uint8_t)(port >> 8);
    ip[41] = (uint8_t)port;
    return ip;
}

static uint8_t *ipv4(uint8_t protocol, uint8_t host, uint16_t port, uint16_t fragment)
{
    ethernet(0x0800);
    uint8_t *ip = frame + 14;
    ip[0] = 0x45;
    ip[6] = (uint8_t)(fragment >> 8);
    ip[7] = (uint8_t)fragment;
    ip[9] = protocol;
    ip[15] = host;
    ip[19] = 1;
    ip[20] = (uint8_t)(port >> 8);
    ip[21] = (uint8_t)port;
    return ip;
}

static uint32_t hash_of_frame(void)
{
    return bypeer_flow_hash(frame, 100, 1);
}

Test(flow, does_not_depend_on_what_changes_within_it)
{
    uint8_t *ip = ipv6(TCP, 7, 1000);
    uint32_t hash = hash_of_frame();
    ip[7] = 3;     /* hop limit */
    ip[5] = 9;     /* length */
    ip[44] = 0xaa; /* sequence number */
    memcpy(frame, "\2\3\4\5\6\7", 6);
    cr_assert_eq(hash_of_frame(), hash);
}

Test(flow, ports_and_addresses_spread_over_workers)
{
    for (unsigned workers = 2; workers <= 8; workers++) {
        unsigned by_port[8] = {0}, by_host[8] = {0};
        for (unsigned i = 0; i < 1024; i++) {
            ipv6(UDP, 1, (uint16_t)(40000 + i));
            by_port[hash_of_frame() % workers]++;
            ipv4(TCP, (uint8_t)i, (uint16_t)(i / 256), 0);
            by_host[hash_of_frame() % workers]++;
        }
        for (unsigned i = 0; i < workers; i++) {
            cr_assert_gt(by_port[i], 1024 / workers / 2);
            cr_assert_gt(by_host[i], 1024 / workers / 2);
        }
    }
}

Test(flow, fragments_of_a_packet_stay_together)
{
    ipv4(UDP, 1, 1111, 0x2000); /* the first one has ports */
    uint32_t first = hash_of_frame();
    ipv4(UDP, 1, 2222, 0x2000 | 185); /* a later one has payload there */
    cr_assert_eq(hash_of_frame(), first);
    ipv4(UDP, 1, 3333, 185);
    cr_assert_eq(hash_of_frame(), first);
    ipv6(44, 1, 1111); /* IPv6 fragment header */
    first = hash_of_frame();
    ipv6(44, 1, 2222);
    cr_assert_eq(hash_of_frame(), first);
}

Test(flow, a_bare_packet_is_the_same_flow_as_in_a_frame)
{
    uint8_t *ip = ipv6(UDP, 9, 53);
    cr_assert_eq(bypeer_flow_hash(ip, 86, 0), hash_of_frame());
}

Test(flow, reads_no_further_than_its_length)
{
    for (size_t length = 0; length <= 60; length++) {
        uint8_t *exact = malloc(length + 1); /* the sanitizer build watches its end */
        cr_assert_not_null(exact);
        ipv6(TCP, 1, 80);
        memcpy(exact, frame, length);
        bypeer_flow_hash(exact, length, 1);
        ipv4(TCP, 1, 80, 0);
        frame[14] = 0x4f; /* longest header */
        memcpy(exact, frame, length);
        bypeer_flow_hash(exact, length, 1);
        memcpy(exact, frame + 14, length);
        bypeer_flow_hash(exact, length, 0);
        free(exact);
    }
    ethernet(0x0806);
    cr_assert_eq(hash_of_frame(), 0, "ARP has no flow");
}
