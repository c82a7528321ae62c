/* ICMPv6 errors: what they look like, and when there must be none. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "overlay/ip/checksum.h"
#include "overlay/ip/icmpv6.h"

static const uint8_t node[16] = {0xfd, 0x12, [15] = 1}, sender[16] = {0xfd, 0x12, [15] = 2},
                     receiver[16] = {0xfd, 0x12, [15] = 3};

/* A packet of payload bytes with this next header and source and destination as above. */
static size_t make_packet(uint8_t *packet, uint8_t next_header, uint16_t payload)
{
    bypeer_ipv6_write(packet, &(struct bypeer_ipv6){.source = sender,
                                                    .destination = receiver,
                                                    .payload_bytes = payload,
                                                    .next_header = next_header,
                                                    .hop_limit = 9});
    for (size_t i = 0; i < payload; i++)
        packet[BYPEER_IPV6_BYTES + i] = (uint8_t)(i * 7);
    return BYPEER_IPV6_BYTES + (size_t)payload;
}

/* The checksum as its receiver verifies it: RFC 8200, 8.1. */
static bool is_checksum_right(const uint8_t *packet, size_t length)
{
    uint64_t sum = bypeer_checksum_sum(packet + 8, length - 8);
    sum = bypeer_checksum_plus(sum, bypeer_checksum_field((uint16_t)(length - 40)));
    sum = bypeer_checksum_plus(sum, bypeer_checksum_field(58));
    return bypeer_checksum_fold(sum) == 0xffff;
}

Test(icmpv6, packet_too_big_as_on_the_wire)
{
    uint8_t about[64], packet[BYPEER_ICMPV6_ERROR_BYTES];
    size_t about_length = make_packet(about, BYPEER_NEXT_UDP, 24);
    size_t length = bypeer_icmpv6_write(
        packet, &(struct bypeer_icmpv6_error){.type = BYPEER_ICMPV6_TOO_BIG, .value = 1434, .source = node}, about,
        about_length);
    const uint8_t start[] = {0x60, 0, 0, 0, 0, 72, 58, 64};
    const uint8_t icmp[] = {2, 0};
    const uint8_t mtu[] = {0, 0, 0x05, 0x9a};
    cr_assert_eq(length, 40 + 8 + 64);
    cr_assert_arr_eq(packet, start, sizeof(start));
    cr_assert_arr_eq(packet + 8, node, 16);
    cr_assert_arr_eq(packet + 24, sender, 16);
    cr_assert_arr_eq(packet + 40, icmp, sizeof(icmp));
    cr_assert_arr_eq(packet + 44, mtu, sizeof(mtu));
    cr_assert_arr_eq(packet + 48, about, about_length);
    cr_assert(is_checksum_right(packet, length));
}

Test(icmpv6, quotes_as_much_as_fits_1280)
{
    static uint8_t about[9000];
    uint8_t packet[BYPEER_ICMPV6_ERROR_BYTES + 8];
    for (uint16_t payload = 1180; payload < 1260; payload++) {
        size_t about_length = make_packet(about, BYPEER_NEXT_TCP, payload);
        memset(packet + BYPEER_ICMPV6_ERROR_BYTES, 0x5a, 8);
        size_t length = bypeer_icmpv6_write(
            packet, &(struct bypeer_icmpv6_error){.type = BYPEER_ICMPV6_TIME_EXCEEDED, .source = node}, about,
            about_length);
        cr_assert_eq(length, about_length + 48 < 1280 ? about_length + 48 : 1280, "payload %u", payload);
        cr_assert_arr_eq(packet + 48, about, length - 48);
        cr_assert_eq(bypeer_load16(packet + 4), length - 40);
        cr_assert(is_checksum_right(packet, length));
        for (size_t i = 0; i < 8; i++)
            cr_assert_eq(packet[BYPEER_ICMPV6_ERROR_BYTES + i], 0x5a);
    }
}

Test(icmpv6, answers_ordinary_packets)
{
    uint8_t about[100];
    size_t length = make_packet(about, BYPEER_NEXT_UDP, 20);
    cr_assert(bypeer_icmpv6_is_allowed(about, length, BYPEER_ICMPV6_TOO_BIG));
    length = make_packet(about, BYPEER_NEXT_TCP, 20);
    cr_assert(bypeer_icmpv6_is_allowed(about, length, BYPEER_ICMPV6_TIME_EXCEEDED));
    length = make_packet(about, BYPEER_NEXT_ICMPV6, 20);
    about[40] = 128; /* echo request */
    cr_assert(bypeer_icmpv6_is_allowed(about, length, BYPEER_ICMPV6_UNREACHABLE));
    length = make_packet(about, 59, 0); /* no next header */
    cr_assert(bypeer_icmpv6_is_allowed(about, length, BYPEER_ICMPV6_UNREACHABLE));
}

Test(icmpv6, answers_no_error_and_no_redirect)
{
    uint8_t about[100];
    size_t length = make_packet(about, BYPEER_NEXT_ICMPV6, 40);
    for (unsigned type = 0; type < 256; type++) {
        about[40] = (uint8_t)type;
        cr_assert_eq(bypeer_icmpv6_is_allowed(about, length, BYPEER_ICMPV6_TOO_BIG), type >= 128 && type != 137,
                     "type %u", type);
    }
}

Test(icmpv6, finds_an_error_behind_extension_headers)
{
    uint8_t about[200];
    /* Hop-by-hop (8 bytes), destination options (16), routing (8), first fragment (8), ICMPv6. */
    size_t length = make_packet(about, BYPEER_NEXT_HOP_BY_HOP, 60);
    memset(about + 40, 0, 60);
    about[40] = BYPEER_NEXT_DESTINATION;
    about[48] = BYPEER_NEXT_ROUTING;
    about[49] = 1;
    about[64] = BYPEER_NEXT_FRAGMENT;
    about[72] = BYPEER_NEXT_ICMPV6;
    about[80] = 1;
    cr_assert_not(bypeer_icmpv6_is_allowed(about, length, BYPEER_ICMPV6_TOO_BIG));
    about[80] = 129;
    cr_assert(bypeer_icmpv6_is_allowed(about, length, BYPEER_ICMPV6_TOO_BIG));
    about[75] = 8; /* fragment offset 1: what it is a part of cannot be seen */
    cr_assert_not(bypeer_icmpv6_is_allowed(about, length, BYPEER_ICMPV6_TOO_BIG));
}

Test(icmpv6, says_nothing_about_what_it_cannot_see)
{
    uint8_t about[200];
    /* Extension headers up to the end, in a chain longer than there is a reason for, or beyond the packet. */
    size_t length = make_packet(about, BYPEER_NEXT_DESTINATION, 128);
    memset(about + 40, 0, 128);
    for (size_t at = 40; at < 168; at += 8)
        about[at] = BYPEER_NEXT_DESTINATION;
    cr_assert_not(bypeer_icmpv6_is_allowed(about, length, BYPEER_ICMPV6_TOO_BIG));
    about[40] = BYPEER_NEXT_UDP;
    about[41] = 200;
    cr_assert_not(bypeer_icmpv6_is_allowed(about, length, BYPEER_ICMPV6_TOO_BIG));
    length = make_packet(about, BYPEER_NEXT_ICMPV6, 0);
    cr_assert_not(bypeer_icmpv6_is_allowed(about, length, BYPEER_ICMPV6_TOO_BIG));
    cr_assert_not(bypeer_icmpv6_is_allowed(about, 39, BYPEER_ICMPV6_TOO_BIG));
}

Test(icmpv6, says_nothing_to_many)
{
    uint8_t about[100];
    size_t length = make_packet(about, BYPEER_NEXT_UDP, 20);
    about[24] = 0xff;
    cr_assert_not(bypeer_icmpv6_is_allowed(about, length, BYPEER_ICMPV6_TIME_EXCEEDED));
    cr_assert(bypeer_icmpv6_is_allowed(about, length, BYPEER_ICMPV6_TOO_BIG), "RFC 4443, 2.4 (e.3)");
    length = make_packet(about, BYPEER_NEXT_UDP, 20);
    about[8] = 0xff;
    cr_assert_not(bypeer_icmpv6_is_allowed(about, length, BYPEER_ICMPV6_TOO_BIG));
    length = make_packet(about, BYPEER_NEXT_UDP, 20);
    memset(about + 8, 0, 16);
    cr_assert_not(bypeer_icmpv6_is_allowed(about, length, BYPEER_ICMPV6_TOO_BIG));
}
