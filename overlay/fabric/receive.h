/*
 * From an Ethernet frame to the overlay packet in it: outer headers, VXLAN-GPE, inner header, in that order.
 *
 *   frame     | Ethernet | IPv6 or IPv4, no options | UDP | GPE | IPv6 packet | what UDP has beyond it | padding |
 *   read by    bypeer_fabric_outer_parse ------------------->|
 *                                         bypeer_fabric_tunnel_parse ->|
 *                                                             bypeer_fabric_open -->|
 *
 * The three steps are apart because the caller asks its tables between them: whether address and port are the overlay's
 * (after the first), which link peer and VNI are (after the second). Each reads only within the length that the first
 * one was given. Inline: they run for every packet.
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

/* Where the headers of a frame lie. All offsets are from the start of the frame. */
struct bypeer_fabric_outer {
    uint16_t ip_at;      /* 14 */
    uint16_t udp_at;     /* 14 + 40 or 14 + 20 */
    uint16_t end;        /* of the IP packet */
    uint16_t udp_port;   /* destination */
    uint16_t udp_length; /* as the header says */
    uint8_t underlay;    /* 4 or 6 */
    uint8_t traffic_class;
};

/*
 * Finds the UDP header of a frame of length bytes. Returns 0: a whole UDP packet over IPv6 or IPv4 without options or
 * extension headers; -EPROTONOSUPPORT: anything else, which is the kernel's; -EBADMSG: too short for its headers;
 * -EMSGSIZE: the IP packet is longer than the frame.
 */
static inline int bypeer_fabric_outer_parse(struct bypeer_fabric_outer *ret_outer, const uint8_t *frame, size_t length)
{
    if (length < BYPEER_ETHERNET_BYTES)
        return -EBADMSG;
    const uint8_t *ip = frame + BYPEER_ETHERNET_BYTES;
    size_t room = length - BYPEER_ETHERNET_BYTES;
    struct bypeer_fabric_outer outer = {.ip_at = BYPEER_ETHERNET_BYTES};
    size_t bytes, header_bytes;
    uint16_t ethertype = bypeer_load16(frame + BYPEER_ETHERNET_TYPE);
    if (ethertype == BYPEER_ETHERTYPE_IPV6) {
        if (room < BYPEER_IPV6_BYTES)
            return -EBADMSG;
        if (ip[0] >> 4 != 6)
            return -EPROTONOSUPPORT;
        header_bytes = BYPEER_IPV6_BYTES;
        bytes = header_bytes + bypeer_load16(ip + BYPEER_IPV6_LENGTH);
        if (bytes > room)
            return -EMSGSIZE;
        if (ip[BYPEER_IPV6_NEXT_HEADER] != BYPEER_NEXT_UDP)
            return -EPROTONOSUPPORT;
        outer.underlay = 6;
        outer.traffic_class = bypeer_ipv6_traffic_class(ip);
    } else if (ethertype == BYPEER_ETHERTYPE_IPV4) {
        struct bypeer_ipv4 header;
        if (room < BYPEER_IPV4_BYTES)
            return -EBADMSG;
        int status = bypeer_ipv4_parse(&header, ip, room);
        if (status != 0)
            return status == -EBADMSG ? -EPROTONOSUPPORT : status;
        if (header.header_bytes != BYPEER_IPV4_BYTES || header.protocol != BYPEER_NEXT_UDP ||
            (header.fragment & ~BYPEER_IPV4_DONT_FRAGMENT) != 0)
            return -EPROTONOSUPPORT;
        header_bytes = BYPEER_IPV4_BYTES;
        bytes = header.total_bytes;
        outer.underlay = 4;
        outer.traffic_class = header.tos;
    } else {
        return -EPROTONOSUPPORT;
    }
    if (bytes < header_bytes + BYPEER_UDP_BYTES)
        return -EPROTONOSUPPORT;
    outer.udp_at = (uint16_t)(BYPEER_ETHERNET_BYTES + header_bytes);
    outer.end = (uint16_t)(BYPEER_ETHERNET_BYTES + bytes);
    outer.udp_port = bypeer_load16(frame + outer.udp_at + BYPEER_UDP_DESTINATION);
    outer.udp_length = bypeer_load16(frame + outer.udp_at + BYPEER_UDP_LENGTH);
    *ret_outer = outer;
    return 0;
}

/* The outer addresses as the tables have them: IPv4 as ::ffff:a.b.c.d. */
static inline void bypeer_fabric_addresses(uint8_t ret_source[static 16], uint8_t ret_destination[static 16],
                                           const uint8_t *frame, const struct bypeer_fabric_outer *outer)
{
    const uint8_t *ip = frame + outer->ip_at;
    if (outer->underlay == 6) {
        memcpy(ret_source, ip + BYPEER_IPV6_SOURCE, 16);
        memcpy(ret_destination, ip + BYPEER_IPV6_DESTINATION, 16);
    } else {
        bypeer_ipv4_map(ret_source, ip + BYPEER_IPV4_SOURCE);
        bypeer_ipv4_map(ret_destination, ip + BYPEER_IPV4_DESTINATION);
    }
}

/* Why a datagram to our port is not taken. */
enum bypeer_fabric_refusal {
    BYPEER_FABRIC_TAKEN = 0,
    BYPEER_FABRIC_LENGTH,         /* UDP length beyond the IP packet, or too short for its headers */
    BYPEER_FABRIC_GPE_HEADER,     /* gpe.h */
    BYPEER_FABRIC_OUTER_CHECKSUM, /* of the IPv4 header, or of UDP and not zero */
    BYPEER_FABRIC_INNER_HEADER,   /* no IPv6 packet, or longer than the datagram */
    BYPEER_FABRIC_ECN,            /* RFC 6040, 4.2: CE outside, not ECN-capable inside */
    BYPEER_FABRIC_REFUSALS,
};

/* Whether UDP and GPE headers are there and the datagram ends within the IP packet. */
static inline bool bypeer_fabric_is_whole(const struct bypeer_fabric_outer *outer)
{
    return outer->udp_length >= BYPEER_UDP_BYTES + BYPEER_GPE_BYTES && outer->udp_at + outer->udp_length <= outer->end;
}

/* Reads the VNI. The frame is one that bypeer_fabric_outer_parse() took. */
static inline enum bypeer_fabric_refusal bypeer_fabric_tunnel_parse(uint32_t *ret_vni, const uint8_t *frame,
                                                                    const struct bypeer_fabric_outer *outer)
{
    if (!bypeer_fabric_is_whole(outer))
        return BYPEER_FABRIC_LENGTH;
    if (bypeer_gpe_parse(ret_vni, frame + outer->udp_at + BYPEER_UDP_BYTES) != 0)
        return BYPEER_FABRIC_GPE_HEADER;
    return BYPEER_FABRIC_TAKEN;
}

struct bypeer_fabric_inner {
    uint16_t at; /* of the inner packet, from the start of the frame */
    uint16_t bytes;
    uint16_t sum; /* ones' complement sum of the inner packet, raw, if sum_known */
    uint8_t sum_known;
};

/*
 * What of a datagram's UDP sum is the same for all datagrams of a link: addresses and next header of the pseudo-header
 * (RFC 8200, 8.1; RFC 768), destination port, GPE header. The link's template holds it too (link.h): addresses add up
 * the same in both directions.
 */
static inline uint64_t bypeer_fabric_constant_sum(const uint8_t *frame, const struct bypeer_fabric_outer *outer)
{
    const uint8_t *ip = frame + outer->ip_at;
    uint64_t sum = bypeer_load64_raw(frame + outer->udp_at + BYPEER_UDP_BYTES);
    sum = bypeer_checksum_plus(sum, bypeer_checksum_field(BYPEER_NEXT_UDP) + bypeer_checksum_field(outer->udp_port));
    if (outer->underlay == 4)
        return bypeer_checksum_plus(sum, bypeer_load64_raw(ip + BYPEER_IPV4_SOURCE));
    return bypeer_checksum_plus32(sum, ip + BYPEER_IPV6_SOURCE);
}

/*
 * Whether a datagram came by this link: outer addresses, port, and a GPE header that is all as we send it. Then the VNI
 * is the link's, and the template holds the constant sum. A peer that sets what is reserved in the header is not told
 * by this, but by its VNI. The datagram is whole.
 */
static inline bool bypeer_fabric_is_from(const struct bypeer_link *link, const uint8_t *frame,
                                         const struct bypeer_fabric_outer *outer)
{
    const uint8_t *ip = frame + outer->ip_at;
    uint64_t gpe = bypeer_load64_raw(frame + outer->udp_at + BYPEER_UDP_BYTES);
    if (outer->underlay == 6)
        return link->underlay == 6 && outer->udp_port == link->udp_port &&
               gpe == bypeer_load64_raw(link->header + BYPEER_IPV6_BYTES + BYPEER_UDP_BYTES) &&
               bypeer_ipv6_is_same(ip + BYPEER_IPV6_SOURCE, link->peer) &&
               bypeer_ipv6_is_same(ip + BYPEER_IPV6_DESTINATION, link->local);
    return link->underlay == 4 && outer->udp_port == link->udp_port &&
           gpe == bypeer_load64_raw(link->header + BYPEER_IPV4_BYTES + BYPEER_UDP_BYTES) &&
           bypeer_load32_raw(ip + BYPEER_IPV4_SOURCE) == bypeer_load32_raw(link->peer + 12) &&
           bypeer_load32_raw(ip + BYPEER_IPV4_DESTINATION) == bypeer_load32_raw(link->local + 12);
}

/* The constant sum as the template of the datagram's link holds it. */
static inline uint64_t bypeer_fabric_template_sum(const struct bypeer_link *link)
{
    unsigned ip_bytes = link->underlay == 4 ? BYPEER_IPV4_BYTES : BYPEER_IPV6_BYTES;
    return bypeer_load16_raw(link->header + ip_bytes + BYPEER_UDP_CHECKSUM);
}

/*
 * Verifies checksums and the inner header, and carries a congestion mark inwards, which is all that it writes. The
 * frame is one that bypeer_fabric_tunnel_parse() took. What follows the inner packet in the datagram is left out of it.
 *
 * The one pass over the payload that verifies the UDP checksum yields the sum of the inner packet, so that sending it
 * on takes no second one. A zero checksum is taken as it is (RFC 6935 for tunnels) and yields no sum.
 */
static inline enum bypeer_fabric_refusal bypeer_fabric_open(struct bypeer_fabric_inner *ret_inner, uint8_t *frame,
                                                            const struct bypeer_fabric_outer *outer,
                                                            uint64_t constant_sum)
{
    const uint8_t *udp = frame + outer->udp_at;
    struct bypeer_fabric_inner result = {.at = (uint16_t)(outer->udp_at + BYPEER_UDP_BYTES + BYPEER_GPE_BYTES)};
    uint8_t *packet = frame + result.at;
    size_t room = (size_t)(outer->udp_length - BYPEER_UDP_BYTES - BYPEER_GPE_BYTES);

    if (outer->underlay == 4 &&
        bypeer_checksum_fold(bypeer_checksum_sum(frame + outer->ip_at, BYPEER_IPV4_BYTES)) != 0xffff)
        return BYPEER_FABRIC_OUTER_CHECKSUM;
    uint64_t sum = 0;
    if (bypeer_load16_raw(udp + BYPEER_UDP_CHECKSUM) != 0) {
        sum = bypeer_checksum_sum(packet, room);
        /* Source port, checksum, and the length twice: in the pseudo-header, and as a field. */
        uint64_t whole = bypeer_checksum_plus(sum, constant_sum);
        whole = bypeer_checksum_plus(whole, (uint64_t)bypeer_load16_raw(udp + BYPEER_UDP_SOURCE) +
                                                bypeer_load16_raw(udp + BYPEER_UDP_CHECKSUM) +
                                                2 * bypeer_checksum_field(outer->udp_length));
        if (bypeer_checksum_fold(whole) != 0xffff)
            return BYPEER_FABRIC_OUTER_CHECKSUM;
        result.sum_known = 1;
    }

    struct bypeer_ipv6 header;
    if (bypeer_ipv6_parse(&header, packet, room) != 0)
        return BYPEER_FABRIC_INNER_HEADER;
    result.bytes = (uint16_t)(BYPEER_IPV6_BYTES + header.payload_bytes);
    if (result.bytes != room)
        result.sum_known = 0;

    int ecn = bypeer_ecn_decapsulate(outer->traffic_class, header.traffic_class);
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
