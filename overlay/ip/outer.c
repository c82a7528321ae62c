#include "overlay/ip/outer.h"

#include <errno.h>

#include "overlay/ip/checksum.h"
#include "overlay/ip/ipv4.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/udp.h"

/* Multicast, broadcast and "this network" are no single node: RFC 1112, 4; RFC 1122, 3.2.1.3. */
static bool outer_is_ipv4_node(const uint8_t mapped[static 16])
{
    uint8_t first = mapped[12];
    return first != 0 && first < 224;
}

static bool outer_is_ipv6_node(const uint8_t address[static 16])
{
    bool is_link_local = address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
    return is_link_local || bypeer_ipv6_is_routable(address);
}

void bypeer_outer_add(uint8_t *udp, const uint8_t *data, size_t length)
{
    uint64_t sum = bypeer_load16_raw(udp + BYPEER_UDP_CHECKSUM);
    sum = bypeer_checksum_plus(sum, bypeer_checksum_sum(data, length));
    bypeer_store16_raw(udp + BYPEER_UDP_CHECKSUM, bypeer_checksum_fold(sum));
}

/* The UDP header behind the IP header, whose addresses_bytes of both addresses lie at addresses. */
static void outer_write_udp(uint8_t *udp, const struct bypeer_outer *outer, const uint8_t *addresses,
                            size_t addresses_bytes)
{
    bypeer_store16(udp + BYPEER_UDP_SOURCE, outer->local_port);
    bypeer_store16(udp + BYPEER_UDP_DESTINATION, outer->peer_port);
    bypeer_store16(udp + BYPEER_UDP_LENGTH, 0);
    uint64_t sum = bypeer_checksum_plus(bypeer_checksum_field(BYPEER_NEXT_UDP), bypeer_checksum_sum(udp, 4));
    bypeer_store16_raw(udp + BYPEER_UDP_CHECKSUM, bypeer_checksum_fold(sum));
    bypeer_outer_add(udp, addresses, addresses_bytes);
}

static int outer_prepare_ipv6(uint8_t *ip, const struct bypeer_outer *outer)
{
    bypeer_ipv6_write(ip, &(struct bypeer_ipv6){
                              .source = outer->local,
                              .destination = outer->peer,
                              .next_header = BYPEER_NEXT_UDP,
                              .hop_limit = BYPEER_OUTER_HOP_LIMIT,
                          });
    outer_write_udp(ip + BYPEER_IPV6_BYTES, outer, ip + BYPEER_IPV6_SOURCE, 32);
    return BYPEER_OUTER_IPV6_BYTES;
}

static int outer_prepare_ipv4(uint8_t *ip, const struct bypeer_outer *outer)
{
    memset(ip, 0, BYPEER_IPV4_BYTES);
    ip[0] = 0x45;
    bypeer_store16(ip + BYPEER_IPV4_FRAGMENT, BYPEER_IPV4_DONT_FRAGMENT);
    ip[BYPEER_IPV4_TTL] = BYPEER_OUTER_HOP_LIMIT;
    ip[BYPEER_IPV4_PROTOCOL] = BYPEER_NEXT_UDP;
    memcpy(ip + BYPEER_IPV4_SOURCE, outer->local + 12, 4);
    memcpy(ip + BYPEER_IPV4_DESTINATION, outer->peer + 12, 4);
    bypeer_store16_raw(ip + BYPEER_IPV4_CHECKSUM, bypeer_checksum_fold(bypeer_checksum_sum(ip, BYPEER_IPV4_BYTES)));
    outer_write_udp(ip + BYPEER_IPV4_BYTES, outer, ip + BYPEER_IPV4_SOURCE, 8);
    return BYPEER_OUTER_IPV4_BYTES;
}

int bypeer_outer_prepare(uint8_t header[static BYPEER_OUTER_IPV6_BYTES], const struct bypeer_outer *outer)
{
    bool is_ipv4 = bypeer_ipv4_is_mapped(outer->peer);
    bool (*is_node)(const uint8_t *) = is_ipv4 ? outer_is_ipv4_node : outer_is_ipv6_node;
    if (is_ipv4 != bypeer_ipv4_is_mapped(outer->local) || !is_node(outer->peer) || !is_node(outer->local))
        return -EINVAL;
    return is_ipv4 ? outer_prepare_ipv4(header, outer) : outer_prepare_ipv6(header, outer);
}
