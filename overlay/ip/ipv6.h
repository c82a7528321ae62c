/*
 * The IPv6 header: RFC 8200, 3.
 *
 *   0                4              6           7         8      24          40
 *   | 6 class label | payload bytes | next head | hop lim | source | destination |
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "overlay/ip/wire.h"

#define BYPEER_IPV6_BYTES       40
#define BYPEER_IPV6_LENGTH      4
#define BYPEER_IPV6_NEXT_HEADER 6
#define BYPEER_IPV6_HOP_LIMIT   7
#define BYPEER_IPV6_SOURCE      8
#define BYPEER_IPV6_DESTINATION 24

#define BYPEER_IPV6_SCOPE_LINK 2 /* of a multicast address, the lower half of its second byte */

#define BYPEER_IPV6_MINIMUM_MTU 1280 /* RFC 8200, 5 */

/* Next headers (IANA protocol numbers). */
#define BYPEER_NEXT_HOP_BY_HOP  0
#define BYPEER_NEXT_TCP         6
#define BYPEER_NEXT_UDP         17
#define BYPEER_NEXT_ROUTING     43
#define BYPEER_NEXT_FRAGMENT    44
#define BYPEER_NEXT_ICMPV6      58
#define BYPEER_NEXT_DESTINATION 60

struct bypeer_ipv6 {
    const uint8_t *source, *destination; /* 16 bytes each, within the packet */
    uint32_t flow_label;
    uint16_t payload_bytes;
    uint8_t traffic_class;
    uint8_t next_header;
    uint8_t hop_limit;
};

/*
 * Reads the header at data, of which length bytes are there. Returns 0; -EBADMSG: shorter than a header, or another
 * version; -EMSGSIZE: the payload is longer than what is there. Bytes after the payload (padding) are no error.
 */
static inline int bypeer_ipv6_parse(struct bypeer_ipv6 *ret_header, const uint8_t *data, size_t length)
{
    if (length < BYPEER_IPV6_BYTES || data[0] >> 4 != 6)
        return -EBADMSG;
    uint16_t payload = bypeer_load16(data + BYPEER_IPV6_LENGTH);
    if (payload > length - BYPEER_IPV6_BYTES)
        return -EMSGSIZE;
    uint32_t first = bypeer_load32(data);
    *ret_header = (struct bypeer_ipv6){
        .source = data + BYPEER_IPV6_SOURCE,
        .destination = data + BYPEER_IPV6_DESTINATION,
        .flow_label = first & 0xfffff,
        .payload_bytes = payload,
        .traffic_class = (uint8_t)(first >> 20),
        .next_header = data[BYPEER_IPV6_NEXT_HEADER],
        .hop_limit = data[BYPEER_IPV6_HOP_LIMIT],
    };
    return 0;
}

/* Writes 40 bytes; source and destination may lie anywhere but in data. */
static inline void bypeer_ipv6_write(uint8_t data[static BYPEER_IPV6_BYTES], const struct bypeer_ipv6 *header)
{
    bypeer_store32(data, UINT32_C(6) << 28 | (uint32_t)header->traffic_class << 20 | (header->flow_label & 0xfffff));
    bypeer_store16(data + BYPEER_IPV6_LENGTH, header->payload_bytes);
    data[BYPEER_IPV6_NEXT_HEADER] = header->next_header;
    data[BYPEER_IPV6_HOP_LIMIT] = header->hop_limit;
    memcpy(data + BYPEER_IPV6_SOURCE, header->source, 16);
    memcpy(data + BYPEER_IPV6_DESTINATION, header->destination, 16);
}

static inline uint8_t bypeer_ipv6_traffic_class(const uint8_t data[static BYPEER_IPV6_BYTES])
{
    return (uint8_t)(bypeer_load16(data) >> 4);
}

/* Whether two addresses are one. */
static inline int bypeer_ipv6_is_same(const uint8_t a[static 16], const uint8_t b[static 16])
{
    return ((bypeer_load64_raw(a) ^ bypeer_load64_raw(b)) | (bypeer_load64_raw(a + 8) ^ bypeer_load64_raw(b + 8))) == 0;
}

/* bits: 0 to 128, of the prefix. */
static inline bool bypeer_ipv6_in_prefix(const uint8_t address[static 16], const uint8_t prefix[static 16],
                                         unsigned bits)
{
    const unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(address, prefix, whole) == 0 &&
           (rest == 0 || ((address[whole] ^ prefix[whole]) & (0xff00 >> rest) & 0xff) == 0);
}

/* fe80::/10 */
static inline int bypeer_ipv6_is_link_local(const uint8_t address[static 16])
{
    return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

/* Whether a multicast address is of a scope (RFC 7346) that leaves an interface: link-local, wider, but no reserved
 * one. */
static inline int bypeer_ipv6_is_forwarded_multicast(const uint8_t address[static 16])
{
    uint8_t scope = address[1] & 0x0f;
    return address[0] == 0xff && scope >= BYPEER_IPV6_SCOPE_LINK && scope < 0x0f;
}

/*
 * Whether an address may be the source or destination of an overlay packet: one interface beyond this wire. Not so are
 * multicast ff00::/8, link-local fe80::/10, unspecified :: and loopback ::1 (RFC 4291, 2.4), whoever announces them.
 */
static inline int bypeer_ipv6_is_routable(const uint8_t address[static 16])
{
    if (address[0] == 0xff || bypeer_ipv6_is_link_local(address))
        return 0;
    if (address[0] != 0)
        return 1;
    uint8_t head[16];
    memcpy(head, address, 16);
    head[15] &= 0xfe;
    return (bypeer_load64_raw(head) | bypeer_load64_raw(head + 8)) != 0;
}
