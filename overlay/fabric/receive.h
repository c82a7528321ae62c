/*
 * From an Ethernet frame to the overlay packet in it: outer headers, VXLAN-GPE, inner header, in that order.
 *
 *   frame     | Ethernet | IPv6 or IPv4, no options | UDP | GPE | IPv6 packet | what UDP has beyond it | padding |
 *   read by    bypeer_fabric_outer_parse ------------------->|
 *                                         bypeer_gpe_parse ->|
 *                                                             bypeer_fabric_open -->|
 *
 * The steps are apart because the caller asks its tables between them: whether address and port are the overlay's
 * (after the first), which link peer and VNI are (after the second). Inline: they run for every packet.
 */
#pragma once

#include <stdbool.h>

#include "overlay/fabric/gpe.h"
#include "overlay/fabric/link.h"
#include "overlay/ip/checksum.h"
#include "overlay/ip/ecn.h"
#include "overlay/ip/ethernet.h"
#include "overlay/ip/ipv4.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/udp.h"

/* Why bypeer_fabric_open() does not take a datagram. */
enum bypeer_fabric_refusal {
    BYPEER_FABRIC_TAKEN = 0,
    BYPEER_FABRIC_OUTER_CHECKSUM, /* of the IPv4 header, or of UDP and not zero */
    BYPEER_FABRIC_INNER_HEADER,   /* no IPv6 packet, or longer than the datagram */
    BYPEER_FABRIC_ECN,            /* RFC 6040, 4.2: CE outside, not ECN-capable inside */
    BYPEER_FABRIC_REFUSALS,
};

/* The UDP datagram in a frame. Offsets are from the start of the frame; the IP header is always at the same. */
#define BYPEER_FABRIC_IP_AT BYPEER_ETHERNET_BYTES
struct bypeer_fabric_outer {
    uint8_t underlay;    /* 4 or 6 */
    uint16_t udp_at;     /* 14 + 20 or 14 + 40 */
    uint16_t udp_port;   /* destination */
    uint16_t udp_length; /* as the header says */
};

/* Reads the UDP header where the underlay has it; the bytes are there. */
static inline struct bypeer_fabric_outer bypeer_fabric_outer_read(const uint8_t *frame, uint8_t underlay)
{
    uint16_t udp_at = BYPEER_FABRIC_IP_AT + (underlay == 6 ? BYPEER_IPV6_BYTES : BYPEER_IPV4_BYTES);
    return (struct bypeer_fabric_outer){.underlay = underlay,
                                        .udp_at = udp_at,
                                        .udp_port = bypeer_load16(frame + udp_at + BYPEER_UDP_DESTINATION),
                                        .udp_length = bypeer_load16(frame + udp_at + BYPEER_UDP_LENGTH)};
}

/* 0 and the length of the IPv6 packet at ip, of which room bytes are there, if it is UDP; else as below. */
static inline int bypeer_fabric_ipv6_parse(size_t *ret_bytes, const uint8_t *ip, size_t room)
{
    if (room < BYPEER_IPV6_BYTES)
        return -EBADMSG;
    if (ip[0] >> 4 != 6)
        return -EPROTONOSUPPORT;
    *ret_bytes = BYPEER_IPV6_BYTES + (size_t)bypeer_load16(ip + BYPEER_IPV6_LENGTH);
    if (*ret_bytes > room)
        return -EMSGSIZE;
    return ip[BYPEER_IPV6_NEXT_HEADER] == BYPEER_NEXT_UDP ? 0 : -EPROTONOSUPPORT;
}

/* The same for IPv4. */
static inline int bypeer_fabric_ipv4_parse(size_t *ret_bytes, const uint8_t *ip, size_t room)
{
    struct bypeer_ipv4 header;
    if (room < BYPEER_IPV4_BYTES)
        return -EBADMSG;
    int status = bypeer_ipv4_parse(&header, ip, room);
    if (status != 0)
        return status == -EBADMSG ? -EPROTONOSUPPORT : status;
    bool is_plain = header.header_bytes == BYPEER_IPV4_BYTES && (header.fragment & ~BYPEER_IPV4_DONT_FRAGMENT) == 0;
    *ret_bytes = header.total_bytes;
    return is_plain && header.protocol == BYPEER_NEXT_UDP ? 0 : -EPROTONOSUPPORT;
}

/*
 * Finds the UDP header of a frame of length bytes, and the end of the IP packet. Returns 0: UDP over IPv6 or IPv4
 * without options or extension headers; -EPROTONOSUPPORT: anything else, which is the kernel's; -EBADMSG: too short for
 * its headers; -EMSGSIZE: the IP packet is longer than the frame.
 */
static inline int bypeer_fabric_outer_parse(struct bypeer_fabric_outer *ret_outer, size_t *ret_end,
                                            const uint8_t *frame, size_t length)
{
    if (length < BYPEER_ETHERNET_BYTES)
        return -EBADMSG;
    const uint8_t *ip = frame + BYPEER_FABRIC_IP_AT;
    size_t room = length - BYPEER_FABRIC_IP_AT, bytes = 0;
    uint16_t ethertype = bypeer_load16(frame + BYPEER_ETHERNET_TYPE);
    int status = -EPROTONOSUPPORT;
    if (ethertype == BYPEER_ETHERTYPE_IPV6)
        status = bypeer_fabric_ipv6_parse(&bytes, ip, room);
    else if (ethertype == BYPEER_ETHERTYPE_IPV4)
        status = bypeer_fabric_ipv4_parse(&bytes, ip, room);
    if (status != 0)
        return status;
    uint8_t underlay = ethertype == BYPEER_ETHERTYPE_IPV6 ? 6 : 4;
    if (bytes < (underlay == 6 ? BYPEER_IPV6_BYTES : BYPEER_IPV4_BYTES) + (size_t)BYPEER_UDP_BYTES)
        return -EPROTONOSUPPORT;
    *ret_outer = bypeer_fabric_outer_read(frame, underlay);
    *ret_end = BYPEER_FABRIC_IP_AT + bytes;
    return 0;
}

/* Whether the datagram has room for its headers and lies within the IP packet, which ends there. */
static inline bool bypeer_fabric_is_whole(const struct bypeer_fabric_outer *outer, size_t end)
{
    return outer->udp_length >= BYPEER_UDP_BYTES + BYPEER_GPE_BYTES && outer->udp_at + outer->udp_length <= end;
}

/* Of the functions below, frame and outer are such that bypeer_fabric_is_whole(). */

static inline const uint8_t *bypeer_fabric_gpe(const uint8_t *frame, const struct bypeer_fabric_outer *outer)
{
    return frame + outer->udp_at + BYPEER_UDP_BYTES;
}

/* The outer addresses as the tables have them: IPv4 as ::ffff:a.b.c.d. */
static inline void bypeer_fabric_addresses(uint8_t ret_source[static 16], uint8_t ret_destination[static 16],
                                           const uint8_t *frame, const struct bypeer_fabric_outer *outer)
{
    const uint8_t *ip = frame + BYPEER_FABRIC_IP_AT;
    if (outer->underlay == 6) {
        memcpy(ret_source, ip + BYPEER_IPV6_SOURCE, 16);
        memcpy(ret_destination, ip + BYPEER_IPV6_DESTINATION, 16);
    } else {
        bypeer_ipv4_map(ret_source, ip + BYPEER_IPV4_SOURCE);
        bypeer_ipv4_map(ret_destination, ip + BYPEER_IPV4_DESTINATION);
    }
}

/*
 * Whether a datagram came by this link: outer addresses, port, and a GPE header that is all as we send it. Then its VNI
 * is the link's, and its constant sum the template's. (A peer that sets what is reserved in the header is not told by
 * this, but by its VNI.)
 */
static inline bool bypeer_fabric_is_from(const struct bypeer_link *link, const uint8_t *frame,
                                         const struct bypeer_fabric_outer *outer)
{
    const uint8_t *ip = frame + BYPEER_FABRIC_IP_AT;
    unsigned ip_bytes = outer->underlay == 6 ? BYPEER_IPV6_BYTES : BYPEER_IPV4_BYTES;
    uint64_t gpe = bypeer_load64_raw(bypeer_fabric_gpe(frame, outer));
    if (link->underlay != outer->underlay || link->udp_port != outer->udp_port ||
        gpe != bypeer_load64_raw(link->header + ip_bytes + BYPEER_UDP_BYTES))
        return false;
    if (outer->underlay == 6)
        return bypeer_ipv6_is_same(ip + BYPEER_IPV6_SOURCE, link->peer) &&
               bypeer_ipv6_is_same(ip + BYPEER_IPV6_DESTINATION, link->local);
    return bypeer_load32_raw(ip + BYPEER_IPV4_SOURCE) == bypeer_load32_raw(link->peer + 12) &&
           bypeer_load32_raw(ip + BYPEER_IPV4_DESTINATION) == bypeer_load32_raw(link->local + 12);
}

/*
 * What of a datagram's UDP sum is the same for all datagrams of a link: addresses and next header of the pseudo-header
 * (RFC 8200, 8.1; RFC 768), destination port, GPE header. The link's template holds it too (link.h): addresses add up
 * the same in both directions.
 */
static inline uint64_t bypeer_fabric_constant_sum(const uint8_t *frame, const struct bypeer_fabric_outer *outer)
{
    const uint8_t *ip = frame + BYPEER_FABRIC_IP_AT;
    uint64_t sum = bypeer_load64_raw(bypeer_fabric_gpe(frame, outer));
    sum = bypeer_checksum_plus(sum, bypeer_checksum_field(BYPEER_NEXT_UDP) + bypeer_checksum_field(outer->udp_port));
    if (outer->underlay == 6)
        return bypeer_checksum_plus32(sum, ip + BYPEER_IPV6_SOURCE);
    return bypeer_checksum_plus(sum, bypeer_load64_raw(ip + BYPEER_IPV4_SOURCE));
}

static inline uint64_t bypeer_fabric_template_sum(const struct bypeer_link *link)
{
    unsigned ip_bytes = link->underlay == 6 ? BYPEER_IPV6_BYTES : BYPEER_IPV4_BYTES;
    return bypeer_load16_raw(link->header + ip_bytes + BYPEER_UDP_CHECKSUM);
}

struct bypeer_fabric_inner {
    uint16_t at; /* of the inner packet, from the start of the frame */
    uint16_t bytes;
    uint16_t sum; /* ones' complement sum of the inner packet, raw, if sum_known */
    bool sum_known;
};

/*
 * Verifies checksums and the inner header, and carries a congestion mark inwards, which is all that it writes.
 * constant_sum is the link's or the frame's own. What follows the inner packet in the datagram is left out of it.
 *
 * The one pass over the payload that verifies the UDP checksum yields the sum of the inner packet, so that sending it
 * on takes no second one. A zero checksum is taken as it is (RFC 6935 for tunnels) and yields no sum.
 */
static inline enum bypeer_fabric_refusal bypeer_fabric_open(struct bypeer_fabric_inner *ret_inner, uint8_t *frame,
                                                            const struct bypeer_fabric_outer *outer,
                                                            uint64_t constant_sum)
{
    const uint8_t *ip = frame + BYPEER_FABRIC_IP_AT, *udp = frame + outer->udp_at;
    struct bypeer_fabric_inner result = {.at = (uint16_t)(outer->udp_at + BYPEER_UDP_BYTES + BYPEER_GPE_BYTES)};
    uint8_t *packet = frame + result.at;
    size_t room = (size_t)(outer->udp_length - BYPEER_UDP_BYTES - BYPEER_GPE_BYTES);

    if (outer->underlay == 4 && bypeer_checksum_fold(bypeer_checksum_sum(ip, BYPEER_IPV4_BYTES)) != 0xffff)
        return BYPEER_FABRIC_OUTER_CHECKSUM;
    uint64_t sum = 0;
    if (bypeer_load16_raw(udp + BYPEER_UDP_CHECKSUM) != 0) {
        sum = bypeer_checksum_sum(packet, room);
        /* The length counts twice: in the pseudo-header, and as a field. */
        uint64_t variable = (uint64_t)bypeer_load16_raw(udp + BYPEER_UDP_SOURCE) +
                            bypeer_load16_raw(udp + BYPEER_UDP_CHECKSUM) + 2 * bypeer_checksum_field(outer->udp_length);
        uint64_t whole = bypeer_checksum_plus(bypeer_checksum_plus(sum, constant_sum), variable);
        if (bypeer_checksum_fold(whole) != 0xffff)
            return BYPEER_FABRIC_OUTER_CHECKSUM;
        result.sum_known = true;
    }

    struct bypeer_ipv6 header;
    if (bypeer_ipv6_parse(&header, packet, room) != 0)
        return BYPEER_FABRIC_INNER_HEADER;
    result.bytes = (uint16_t)(BYPEER_IPV6_BYTES + header.payload_bytes);
    result.sum_known &= result.bytes == room;

    uint8_t outer_class = outer->underlay == 6 ? bypeer_ipv6_traffic_class(ip) : ip[BYPEER_IPV4_TOS];
    int ecn = bypeer_ecn_decapsulate(outer_class, header.traffic_class);
    if (ecn < 0)
        return BYPEER_FABRIC_ECN;
    uint8_t change = (uint8_t)ecn ^ (header.traffic_class & BYPEER_ECN_MASK);
    if (change != 0) {
        uint16_t before = bypeer_load16_raw(packet);
        packet[1] = (uint8_t)(packet[1] ^ (change << 4));
        sum = bypeer_checksum_plus(sum, (uint64_t)(uint16_t)~before + bypeer_load16_raw(packet));
    }
    result.sum = bypeer_checksum_fold(sum);
    *ret_inner = result;
    return BYPEER_FABRIC_TAKEN;
}
