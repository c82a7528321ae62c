/*
 * What the relay changes of a packet: addresses, ports, hop limit, and the checksums that cover them, by the difference
 * (RFC 1624). Lengths, traffic class, flow label, fragment identification and all that the members wrote stay.
 *
 * A later fragment has no ports and no checksum; the first one's covers the whole datagram, and changes by the same
 * difference. Inline: they run for every packet.
 */
#pragma once

#include "overlay/ip/checksum.h"
#include "overlay/ip/ethernet.h"
#include "overlay/ip/ipv4.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/udp.h"
#include "overlay/relay/place.h"

/* MAC addresses of a frame to a place, from this node's own one. */
static inline void bypeer_relay_rewrite_ethernet(uint8_t *frame, const struct bypeer_relay_place *place,
                                                 const uint8_t own_mac[static 6])
{
    uint8_t word[8];
    bypeer_store64(word, place->port_and_mac);
    memcpy(frame + BYPEER_ETHERNET_DESTINATION, word + 2, 6);
    memcpy(frame + BYPEER_ETHERNET_SOURCE, own_mac, 6);
}

/* A checksum, raw, after what it covers went from one sum to another. Never 0, which would be none (RFC 768). */
static inline uint16_t bypeer_relay_checksum(uint16_t checksum, uint64_t before, uint64_t after)
{
    uint64_t sum = bypeer_checksum_plus(bypeer_checksum_plus((uint16_t)~checksum, after), ~before);
    uint16_t changed = (uint16_t)~bypeer_checksum_fold(sum);
    return changed == 0 ? 0xffff : changed;
}

/*
 * An IPv6 packet, with the UDP header at udp, or NULL: from source and port to place. Its hop limit is at least 2. The
 * UDP checksum is not 0.
 */
static inline void bypeer_relay_rewrite_ipv6(uint8_t *ip, uint8_t *udp, const uint8_t source[static 16], uint16_t port,
                                             const struct bypeer_relay_place *place)
{
    uint64_t before = 0;
    if (__builtin_expect(udp != NULL, 1))
        before = bypeer_checksum_plus32(bypeer_load32_raw(udp), ip + BYPEER_IPV6_SOURCE);
    uint64_t from[2] = {bypeer_load64_raw(source), bypeer_load64_raw(source + 8)};
    ip[BYPEER_IPV6_HOP_LIMIT]--;
    memcpy(ip + BYPEER_IPV6_SOURCE, from, 16);
    memcpy(ip + BYPEER_IPV6_DESTINATION, place->address, 16);
    if (__builtin_expect(udp == NULL, 0))
        return;
    uint32_t ports = htobe32((uint32_t)port << 16 | bypeer_relay_port(place));
    uint64_t after = bypeer_checksum_plus(bypeer_checksum_plus(bypeer_checksum_plus(ports, from[0]), from[1]),
                                          bypeer_checksum_plus(place->address[0], place->address[1]));
    memcpy(udp, &ports, sizeof(ports));
    bypeer_store16_raw(udp + BYPEER_UDP_CHECKSUM,
                       bypeer_relay_checksum(bypeer_load16_raw(udp + BYPEER_UDP_CHECKSUM), before, after));
}

/*
 * The same for an IPv4 packet without options, whole; source and place are ::ffff:a.b.c.d. Where the sender computed no
 * UDP checksum, there stays none.
 */
static inline void bypeer_relay_rewrite_ipv4(uint8_t *ip, const uint8_t source[static 16], uint16_t port,
                                             const struct bypeer_relay_place *place)
{
    uint8_t *udp = ip + BYPEER_IPV4_BYTES;
    uint64_t addresses = bypeer_load64_raw(ip + BYPEER_IPV4_SOURCE), ports = bypeer_load32_raw(udp);
    uint16_t hops = bypeer_load16_raw(ip + BYPEER_IPV4_TTL);
    ip[BYPEER_IPV4_TTL]--;
    memcpy(ip + BYPEER_IPV4_SOURCE, source + 12, 4);
    memcpy(ip + BYPEER_IPV4_DESTINATION, (const uint8_t *)place->address + 12, 4);
    uint64_t changed = bypeer_load64_raw(ip + BYPEER_IPV4_SOURCE);
    bypeer_store16_raw(ip + BYPEER_IPV4_CHECKSUM,
                       bypeer_relay_checksum(bypeer_load16_raw(ip + BYPEER_IPV4_CHECKSUM),
                                             bypeer_checksum_plus(addresses, hops),
                                             bypeer_checksum_plus(changed, bypeer_load16_raw(ip + BYPEER_IPV4_TTL))));
    bypeer_store32(udp, (uint32_t)port << 16 | bypeer_relay_port(place));
    uint16_t checksum = bypeer_load16_raw(udp + BYPEER_UDP_CHECKSUM);
    if (checksum != 0)
        bypeer_store16_raw(udp + BYPEER_UDP_CHECKSUM,
                           bypeer_relay_checksum(checksum, bypeer_checksum_plus(addresses, ports),
                                                 bypeer_checksum_plus(changed, bypeer_load32_raw(udp))));
}
