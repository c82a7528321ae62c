/* Headers of IPv6, IPv4 and UDP, and ECN through a tunnel. */
#include <criterion/criterion.h>

#include "overlay/ip/ecn.h"
#include "overlay/ip/ipv4.h"
#include "overlay/ip/ipv6.h"

/* A neighbour solicitation's header as tcpdump shows it, with a class and a label put in. */
static const uint8_t ipv6_header[BYPEER_IPV6_BYTES] = {
    0x6a, 0xb1, 0x23, 0x45, 0x00, 0x20, 0x3a, 0xff,                                                 /* fixed */
    0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x42, 0xac, 0xff, 0xfe, 0x11, 0x00, 0x02, /* source */
    0xff, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0xff, 0x11, 0x00, 0x03, /* destination */
};

Test(ipv6, reads_what_the_wire_says)
{
    uint8_t packet[72] = {0};
    struct bypeer_ipv6 header;
    memcpy(packet, ipv6_header, sizeof(ipv6_header));
    cr_assert_eq(bypeer_ipv6_parse(&header, packet, sizeof(packet)), 0);
    cr_assert_eq(header.traffic_class, 0xab);
    cr_assert_eq(header.flow_label, 0x12345);
    cr_assert_eq(header.payload_bytes, 32);
    cr_assert_eq(header.next_header, 58);
    cr_assert_eq(header.hop_limit, 255);
    cr_assert_arr_eq(header.source, ipv6_header + 8, 16);
    cr_assert_arr_eq(header.destination, ipv6_header + 24, 16);
    cr_assert_eq(bypeer_ipv6_traffic_class(packet), 0xab);
}

Test(ipv6, writes_what_it_read)
{
    uint8_t packet[72] = {0}, again[BYPEER_IPV6_BYTES];
    struct bypeer_ipv6 header;
    memcpy(packet, ipv6_header, sizeof(ipv6_header));
    cr_assert_eq(bypeer_ipv6_parse(&header, packet, sizeof(packet)), 0);
    bypeer_ipv6_write(again, &header);
    cr_assert_arr_eq(again, ipv6_header, sizeof(again));
}

Test(ipv6, refuses_what_is_not_whole)
{
    uint8_t packet[73] = {0};
    struct bypeer_ipv6 header;
    memcpy(packet, ipv6_header, sizeof(ipv6_header));
    for (size_t length = 0; length < BYPEER_IPV6_BYTES; length++)
        cr_assert_eq(bypeer_ipv6_parse(&header, packet, length), -EBADMSG, "length %zu", length);
    cr_assert_eq(bypeer_ipv6_parse(&header, packet, 71), -EMSGSIZE);
    cr_assert_eq(bypeer_ipv6_parse(&header, packet, 73), 0, "padding is no error");
    packet[0] = 0x45;
    cr_assert_eq(bypeer_ipv6_parse(&header, packet, 72), -EBADMSG);
}

Test(ipv6, knows_what_no_router_forwards)
{
    const struct {
        uint8_t address[16];
        int routable;
    } cases[] = {
        {{0}, 0},
        {{[15] = 1}, 0},
        {{[15] = 2}, 1},
        {{0xff, 0x02, [15] = 1}, 0},
        {{0xff, 0x0e, [15] = 1}, 0},
        {{0xfe, 0x80, [15] = 1}, 0},
        {{0xfe, 0xbf, [15] = 1}, 0},
        {{0xfe, 0xc0, [15] = 1}, 1},
        {{0xfd, 0x12, [15] = 1}, 1},
        {{0x20, 0x01, [15] = 1}, 1},
        {{0x00, 0x64, 0xff, 0x9b, [15] = 1}, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_eq(bypeer_ipv6_is_routable(cases[i].address), cases[i].routable, "case %zu", i);
}

/* RFC 1071's successor in every textbook: header with checksum b861. */
static const uint8_t ipv4_header[BYPEER_IPV4_BYTES] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                                                       0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};

Test(ipv4, reads_what_the_wire_says)
{
    uint8_t packet[0x73] = {0};
    struct bypeer_ipv4 header;
    memcpy(packet, ipv4_header, sizeof(ipv4_header));
    cr_assert_eq(bypeer_ipv4_parse(&header, packet, sizeof(packet)), 0);
    cr_assert_eq(header.header_bytes, 20);
    cr_assert_eq(header.total_bytes, 0x73);
    cr_assert_eq(header.fragment, BYPEER_IPV4_DONT_FRAGMENT);
    cr_assert_eq(header.ttl, 64);
    cr_assert_eq(header.protocol, 17);
    cr_assert_eq(bypeer_load32(header.source), 0xc0a80001);
    cr_assert_eq(bypeer_load32(header.destination), 0xc0a800c7);
}

Test(ipv4, refuses_what_is_not_whole)
{
    uint8_t packet[0x74] = {0};
    struct bypeer_ipv4 header;
    memcpy(packet, ipv4_header, sizeof(ipv4_header));
    for (size_t length = 0; length < BYPEER_IPV4_BYTES; length++)
        cr_assert_eq(bypeer_ipv4_parse(&header, packet, length), -EBADMSG, "length %zu", length);
    cr_assert_eq(bypeer_ipv4_parse(&header, packet, 0x72), -EMSGSIZE);
    cr_assert_eq(bypeer_ipv4_parse(&header, packet, 0x74), 0);
    packet[0] = 0x44;
    cr_assert_eq(bypeer_ipv4_parse(&header, packet, 0x74), -EBADMSG, "header of 16 bytes");
    packet[0] = 0x65;
    cr_assert_eq(bypeer_ipv4_parse(&header, packet, 0x74), -EBADMSG, "version 6");
    packet[0] = 0x4f;
    packet[3] = 59;
    cr_assert_eq(bypeer_ipv4_parse(&header, packet, 0x74), -EBADMSG, "header longer than the packet");
}

Test(ipv4, maps_into_ipv6)
{
    const uint8_t ipv4[4] = {192, 0, 2, 1};
    const uint8_t expected[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
    uint8_t mapped[16];
    bypeer_ipv4_map(mapped, ipv4);
    cr_assert_arr_eq(mapped, expected, 16);
    cr_assert(bypeer_ipv4_is_mapped(mapped));
    mapped[0] = 1;
    cr_assert_not(bypeer_ipv4_is_mapped(mapped));
}

Test(ecn, tunnel_exit_is_figure_4_of_rfc_6040)
{
    const int none = BYPEER_ECN_NOT_ECT, one = BYPEER_ECN_ECT1, zero = BYPEER_ECN_ECT0, ce = BYPEER_ECN_CE;
    /* Rows: inner; columns: outer Not-ECT, ECT(1), ECT(0), CE, as the code points count. */
    const int expected[4][4] = {
        [BYPEER_ECN_NOT_ECT] = {none, none, none, -EBADMSG},
        [BYPEER_ECN_ECT1] = {one, one, one, ce},
        [BYPEER_ECN_ECT0] = {zero, one, zero, ce},
        [BYPEER_ECN_CE] = {ce, ce, ce, ce},
    };
    for (uint8_t inner = 0; inner < 4; inner++)
        for (uint8_t outer = 0; outer < 4; outer++) {
            cr_assert_eq(bypeer_ecn_decapsulate(outer, inner), expected[inner][outer], "%u in %u", inner, outer);
            /* The DSCP beside it is of no meaning. */
            cr_assert_eq(bypeer_ecn_decapsulate((uint8_t)(outer | 0xb8), (uint8_t)(inner | 0x28)),
                         expected[inner][outer]);
        }
}

Test(ecn, tunnel_entry_copies)
{
    for (uint8_t inner = 0; inner < 4; inner++)
        cr_assert_eq(bypeer_ecn_encapsulate((uint8_t)(inner | 0xb8)), inner);
}
