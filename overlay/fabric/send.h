/*
 * From an overlay packet to the datagram that carries it over a fabric link: the link's template (link.h) before it,
 * and what differs from packet to packet filled in. Inline: it runs for every packet.
 */
#pragma once

#include "overlay/fabric/gpe.h"
#include "overlay/fabric/link.h"
#include "overlay/ip/outer.h"

/* RFC 7348, 5: a source port from the dynamic range, by a hash of the inner flow, so that the underlay spreads flows
 * over paths and queues and keeps each in order. */
#define BYPEER_FABRIC_SOURCE_PORTS 0xc000u

/*
 * The UDP source port for the inner packet of bytes (at least 40) bytes. A flow is addresses, flow label, next header,
 * and the ports of TCP and UDP; fragments have another next header, so those of one packet stay together.
 */
static inline uint16_t bypeer_fabric_source_port(const uint8_t *inner, size_t bytes)
{
    const uint8_t *source = inner + BYPEER_IPV6_SOURCE, *destination = inner + BYPEER_IPV6_DESTINATION;
    uint8_t next = inner[BYPEER_IPV6_NEXT_HEADER];
    uint64_t flow = (uint64_t)(bypeer_load32(inner) & 0xfffff) << 8 | next;
    if ((next == BYPEER_NEXT_TCP || next == BYPEER_NEXT_UDP) && bytes >= BYPEER_IPV6_BYTES + 4)
        flow |= (uint64_t)bypeer_load32(inner + BYPEER_IPV6_BYTES) << 32;
    /* Multilinear hashing with odd digits of pi, then the last step of Vigna's splitmix64: a change of one field
     * spreads over nearly as many ports as chance would (3500 for 4096 values, tests/unit/test_fabric.c). */
    uint64_t hash = bypeer_load64_raw(source) * UINT64_C(0x243f6a8885a308d3) +
                    bypeer_load64_raw(source + 8) * UINT64_C(0x13198a2e03707345) +
                    bypeer_load64_raw(destination) * UINT64_C(0xa4093822299f31d1) +
                    bypeer_load64_raw(destination + 8) * UINT64_C(0x082efa98ec4e6c89) +
                    flow * UINT64_C(0x452821e638d01377);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint16_t)(BYPEER_FABRIC_SOURCE_PORTS | hash >> 50);
}

/* What differs from packet to packet on one link. */
struct bypeer_fabric_variable {
    uint16_t inner_bytes;
    uint16_t inner_sum; /* ones' complement sum of the inner packet, raw */
    uint16_t source_port;
    uint8_t ecn; /* enum bypeer_ecn, for the outer header */
};

/*
 * Writes the outer headers, template_bytes of the link's underlay, to outer; the inner packet follows there. Trusts the
 * link's header for what goes on the wire only: sizes come from underlay, and anything but 4 counts as 6.
 */
static inline void bypeer_fabric_encapsulate(uint8_t *outer, const struct bypeer_link *link,
                                             const struct bypeer_fabric_variable *variable)
{
    bool is_ipv4 = link->underlay == 4;
    uint16_t bytes = (uint16_t)(BYPEER_GPE_BYTES + variable->inner_bytes);
    uint8_t *udp = outer + (is_ipv4 ? BYPEER_IPV4_BYTES : BYPEER_IPV6_BYTES);
    if (is_ipv4)
        memcpy(outer, link->header, BYPEER_FABRIC_IPV4_TEMPLATE_BYTES);
    else
        memcpy(outer, link->header, BYPEER_FABRIC_IPV6_TEMPLATE_BYTES);
    bypeer_outer_finish_ip(outer, is_ipv4, bytes, variable->ecn);
    bypeer_store16(udp + BYPEER_UDP_SOURCE, variable->source_port);
    bypeer_outer_finish_udp(udp, bytes, bypeer_checksum_field(variable->source_port) + variable->inner_sum);
}
