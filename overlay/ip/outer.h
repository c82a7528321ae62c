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

#include "overlay/ip/wire.h"

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
