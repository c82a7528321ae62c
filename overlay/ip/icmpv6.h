/*
 * ICMPv6 errors: RFC 4443.
 *
 *   0      1      2          4                              8
 *   | type | code | checksum | value: MTU of type 2, else 0 | as much of the packet as fits 1280 bytes
 *
 * How often errors may be sent (2.4 f) is the caller's to limit: dataplane/nodes/icmp_error.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "overlay/ip/ipv6.h"

#define BYPEER_ICMPV6_BYTES 8

#define BYPEER_ICMPV6_UNREACHABLE          1
#define BYPEER_ICMPV6_UNREACHABLE_NO_ROUTE 0 /* 3.1: no route to destination */
#define BYPEER_ICMPV6_UNREACHABLE_POLICY   1 /* 3.1: administratively prohibited */
#define BYPEER_ICMPV6_TOO_BIG              2
#define BYPEER_ICMPV6_TIME_EXCEEDED        3 /* code 0: hop limit exceeded in transit */
#define BYPEER_ICMPV6_REDIRECT             137

/* The longest error, with its IPv6 header: 2.4 (c). */
#define BYPEER_ICMPV6_ERROR_BYTES BYPEER_IPV6_MINIMUM_MTU

struct bypeer_icmpv6_error {
    uint8_t type, code;
    uint32_t value;
    const uint8_t *source; /* 16 bytes: this node's address */
};

/*
 * Whether an error may answer the IPv6 packet at about (length bytes, header included): RFC 4443, 2.4 (e). Not about an
 * error or a redirect (nor what cannot be told from one: a later fragment, headers cut off or too many), not to a
 * multicast destination (type 2 excepted), not to a source that is no single node.
 */
bool bypeer_icmpv6_is_allowed(const uint8_t *about, size_t length, uint8_t type);

/* The sum of an ICMPv6 packet of length bytes without extension headers, its pseudo-header (RFC 8200, 8.1) included. */
uint64_t bypeer_icmpv6_sum(const uint8_t *packet, size_t length);

/*
 * Writes the whole IPv6 packet that answers about (a valid IPv6 packet of about_length bytes) with this error into
 * packet, which does not overlap it and has room for BYPEER_ICMPV6_ERROR_BYTES. Returns its length.
 */
size_t bypeer_icmpv6_write(uint8_t packet[static BYPEER_ICMPV6_ERROR_BYTES], const struct bypeer_icmpv6_error *error,
                           const uint8_t *about, size_t about_length);
