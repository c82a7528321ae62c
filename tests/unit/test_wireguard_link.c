/* The outer headers of a WireGuard link: what a receiver expects once lengths are filled in. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "overlay/ip/checksum.h"
#include "overlay/ip/ipv4.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/udp.h"
#include "overlay/wireguard/link.h"

static const uint8_t peer6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 2};
static const uint8_t local6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 1};
static const uint8_t peer4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 2};
static const uint8_t local4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};

/* RFC 1071 by bytes, for checking ours from outside. */
static uint16_t reference_sum(uint32_t sum, const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static struct bypeer_link make_link(const uint8_t peer[static 16], const uint8_t local[static 16])
{
    struct bypeer_link link = {.kind = BYPEER_LINK_WIREGUARD, .udp_port = 51820};
    link.peer_port = 4242;
    link.wireguard.current = 7;
    memcpy(link.peer, peer, 16);
    memcpy(link.local, local, 16);
    return link;
}

/* The packet that a worker makes: the template, lengths, payload, checksums. */
static size_t make_packet(uint8_t *packet, const struct bypeer_link *link, size_t payload)
{
    memcpy(packet, link->wireguard.header, link->template_bytes);
    uint8_t *udp = packet + link->template_bytes - BYPEER_UDP_BYTES;
    uint16_t udp_bytes = (uint16_t)(BYPEER_UDP_BYTES + payload);
    if (link->underlay == 4) {
        uint16_t total = (uint16_t)(BYPEER_IPV4_BYTES + udp_bytes);
        bypeer_store16(packet + BYPEER_IPV4_LENGTH, total);
        uint64_t sum = bypeer_load16_raw(packet + BYPEER_IPV4_CHECKSUM) + bypeer_checksum_field(total);
        bypeer_store16_raw(packet + BYPEER_IPV4_CHECKSUM, (uint16_t)~bypeer_checksum_fold(sum));
    } else {
        bypeer_store16(packet + BYPEER_IPV6_LENGTH, udp_bytes);
    }
    for (size_t at = 0; at < payload; at++)
        udp[BYPEER_UDP_BYTES + at] = (uint8_t)(at * 7 + 1);
    bypeer_store16(udp + BYPEER_UDP_LENGTH, udp_bytes);
    uint64_t sum = bypeer_load16_raw(udp + BYPEER_UDP_CHECKSUM) + 2 * bypeer_checksum_field(udp_bytes) +
                   bypeer_checksum_sum(udp + BYPEER_UDP_BYTES, payload);
    bypeer_store16_raw(udp + BYPEER_UDP_CHECKSUM, (uint16_t)~bypeer_checksum_fold(sum));
    return link->template_bytes + payload;
}

Test(wireguard_link, ipv6_headers_are_whole_and_right)
{
    struct bypeer_link link = make_link(peer6, local6);
    uint8_t packet[256];
    struct bypeer_ipv6 header;
    cr_assert_eq(bypeer_wireguard_link_prepare(&link), 0);
    cr_assert_eq(link.underlay, 6);
    cr_assert_eq(link.template_bytes, 48);
    cr_assert_eq(link.wireguard.current, 7, "what is not headers stays");
    size_t bytes = make_packet(packet, &link, 148);
    cr_assert_eq(bypeer_ipv6_parse(&header, packet, bytes), 0);
    cr_assert_eq(header.payload_bytes, 156);
    cr_assert_eq(header.next_header, BYPEER_NEXT_UDP);
    cr_assert_eq(header.hop_limit, 64);
    cr_assert_arr_eq(header.source, local6, 16);
    cr_assert_arr_eq(header.destination, peer6, 16);
    cr_assert_eq(bypeer_load16(packet + 40), 51820);
    cr_assert_eq(bypeer_load16(packet + 42), 4242);
    uint32_t pseudo = reference_sum(17u + 156u, packet + 8, 32);
    cr_assert_eq(reference_sum(pseudo, packet + 40, 156), 0xffff);
}

Test(wireguard_link, ipv4_headers_are_whole_and_right)
{
    struct bypeer_link link = make_link(peer4, local4);
    uint8_t packet[256];
    cr_assert_eq(bypeer_wireguard_link_prepare(&link), 0);
    cr_assert_eq(link.underlay, 4);
    cr_assert_eq(link.template_bytes, 28);
    make_packet(packet, &link, 32);
    cr_assert_eq(packet[0], 0x45);
    cr_assert_eq(bypeer_load16(packet + 2), 60);
    cr_assert_eq(bypeer_load16(packet + 6), 0x4000, "never fragmented");
    cr_assert_arr_eq(packet + 12, local4 + 12, 4);
    cr_assert_arr_eq(packet + 16, peer4 + 12, 4);
    cr_assert_eq(reference_sum(0, packet, 20), 0xffff);
    cr_assert_eq(bypeer_load16(packet + 20), 51820);
    cr_assert_eq(bypeer_load16(packet + 22), 4242);
    uint32_t pseudo = reference_sum(17u + 40u, packet + 12, 8);
    cr_assert_eq(reference_sum(pseudo, packet + 20, 40), 0xffff);
}

Test(wireguard_link, refuses_what_is_no_way_to_one_node)
{
    static const uint8_t none6[16], multicast4[16] = {[10] = 0xff, 0xff, 224, 0, 0, 1};
    static const uint8_t multicast6[16] = {0xff, 0x02, [15] = 1}, none4[16] = {[10] = 0xff, 0xff};
    const struct {
        const uint8_t *peer, *local;
        uint16_t peer_port, port;
    } cases[] = {
        {peer6, local4, 4242, 51820}, {peer4, local6, 4242, 51820},      {none6, local6, 4242, 51820},
        {peer6, none6, 4242, 51820},  {multicast6, local6, 4242, 51820}, {multicast4, local4, 4242, 51820},
        {peer4, none4, 4242, 51820},  {peer6, local6, 0, 51820},         {peer6, local6, 4242, 0},
    };
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        struct bypeer_link link = make_link(cases[at].peer, cases[at].local), before;
        link.peer_port = cases[at].peer_port;
        link.udp_port = cases[at].port;
        before = link;
        cr_assert_eq(bypeer_wireguard_link_prepare(&link), -EINVAL, "case %zu", at);
        cr_assert_arr_eq((uint8_t *)&link, (uint8_t *)&before, sizeof(link), "case %zu", at);
    }
}
