/*
 * The IP and UDP headers of a tunnel, prepared once a link and copied before every packet.
 *
 *   IPv6   0           40         48        IPv4   0           20         28
 *          | IPv6      | UDP      |                | IPv4      | UDP      |
 *
 * Constant: addresses, next header, hop limit 64, UDP ports; over IPv4 also DF and an identification of 0, which RFC
 * 6864 allows with it. Zero, for who sends a packet to fill in: lengths, ECN.
 *
 * The checksum fields hold sums to go on from, raw, folded and not complemented (checksum.h):
 *   UDP    addresses and next header of the pseudo-header, both ports: all that is constant
 *   IPv4   the template's IPv4 header itself
 */
#pragma once

#include <stdbool.h>

#include "overlay/ip/checksum.h"
#include "overlay/ip/ipv4.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/udp.h"

#define BYPEER_OUTER_IPV6_BYTES 48
#define BYPEER_OUTER_IPV4_BYTES 28
#define BYPEER_OUTER_HOP_LIMIT  64

struct bypeer_outer {
    const uint8_t *local, *peer; /* 16 bytes each; IPv4 as ::ffff:a.b.c.d */
    uint16_t local_port, peer_port;
};

/*
 * Writes the headers (BYPEER_OUTER_IPV6_BYTES are there, the first ones are used). Returns how many bytes they have, or
 * -EINVAL with header untouched: addresses of different families, or one that is no single node's. A link-local one is,
 * since the next hop names the port.
 */
int bypeer_outer_prepare(uint8_t header[static BYPEER_OUTER_IPV6_BYTES], const struct bypeer_outer *outer);

/* Adds bytes of a header that is as constant to the UDP checksum's sum; length is even. */
void bypeer_outer_add(uint8_t *udp, const uint8_t *data, size_t length);

/* Of a copy of such headers, with payload_bytes behind them: what differs from packet to packet of the IP header. */
static inline void bypeer_outer_finish_ip(uint8_t *ip, bool is_ipv4, uint16_t payload_bytes, uint8_t ecn)
{
    uint16_t udp_length = (uint16_t)(BYPEER_UDP_BYTES + payload_bytes);
    if (!is_ipv4) {
        ip[1] = (uint8_t)(ip[1] | ecn << 4);
        bypeer_store16(ip + BYPEER_IPV6_LENGTH, udp_length);
        return;
    }
    uint16_t total = (uint16_t)(BYPEER_IPV4_BYTES + udp_length);
    ip[BYPEER_IPV4_TOS] = ecn;
    bypeer_store16(ip + BYPEER_IPV4_LENGTH, total);
    uint64_t sum =
        bypeer_load16_raw(ip + BYPEER_IPV4_CHECKSUM) + bypeer_checksum_field(ecn) + bypeer_checksum_field(total);
    bypeer_store16_raw(ip + BYPEER_IPV4_CHECKSUM, (uint16_t)~bypeer_checksum_fold(sum));
}

/* And of the UDP header. payload_sum: of all that the template's sum does not hold. */
static inline void bypeer_outer_finish_udp(uint8_t *udp, uint16_t payload_bytes, uint64_t payload_sum)
{
    uint16_t udp_length = (uint16_t)(BYPEER_UDP_BYTES + payload_bytes);
    bypeer_store16(udp + BYPEER_UDP_LENGTH, udp_length);
    /* The length counts twice: in the pseudo-header, and as a field. */
    uint64_t sum = bypeer_load16_raw(udp + BYPEER_UDP_CHECKSUM) + 2 * bypeer_checksum_field(udp_length);
    uint16_t checksum = (uint16_t)~bypeer_checksum_fold(bypeer_checksum_plus(sum, payload_sum));
    /* RFC 8200, 8.1: a computed zero is sent as its other form. */
    bypeer_store16_raw(udp + BYPEER_UDP_CHECKSUM, checksum == 0 ? 0xffff : checksum);
}
