/*
 * The IPv4 header: RFC 791, 3.1, without options, as it carries the overlay.
 *
 *   0     1     2       4    6                8     9          10         12       16            20
 *   | 4 5 | tos | bytes | id | flags, offset | ttl | protocol | checksum | source | destination |
 */
#pragma once

#include <errno.h>
#include <stddef.h>

#include "overlay/ip/wire.h"

#define BYPEER_IPV4_BYTES         20
#define BYPEER_IPV4_TOS           1
#define BYPEER_IPV4_LENGTH        2
#define BYPEER_IPV4_FRAGMENT      6
#define BYPEER_IPV4_TTL           8
#define BYPEER_IPV4_PROTOCOL      9
#define BYPEER_IPV4_CHECKSUM      10
#define BYPEER_IPV4_SOURCE        12
#define BYPEER_IPV4_DESTINATION   16
#define BYPEER_IPV4_DONT_FRAGMENT 0x4000

struct bypeer_ipv4 {
    const uint8_t *source, *destination; /* 4 bytes each, within the packet */
    uint16_t header_bytes;               /* 20 and options */
    uint16_t total_bytes;                /* with the header */
    uint16_t fragment;                   /* flags and offset as on the wire; but for DF, 0 in a whole packet */
    uint8_t tos;
    uint8_t ttl;
    uint8_t protocol;
};

/*
 * Reads the header at data, of which length bytes are there; its checksum is the caller's to verify. Returns 0;
 * -EBADMSG: shorter than a header, another version, or a header length below 20 or above the total; -EMSGSIZE: the
 * packet is longer than what is there.
 */
static inline int bypeer_ipv4_parse(struct bypeer_ipv4 *ret_header, const uint8_t *data, size_t length)
{
    if (length < BYPEER_IPV4_BYTES || data[0] >> 4 != 4)
        return -EBADMSG;
    uint16_t header_bytes = (uint16_t)((data[0] & 0xf) * 4);
    uint16_t total = bypeer_load16(data + BYPEER_IPV4_LENGTH);
    if (header_bytes < BYPEER_IPV4_BYTES || total < header_bytes)
        return -EBADMSG;
    if (total > length)
        return -EMSGSIZE;
    *ret_header = (struct bypeer_ipv4){
        .source = data + BYPEER_IPV4_SOURCE,
        .destination = data + BYPEER_IPV4_DESTINATION,
        .header_bytes = header_bytes,
        .total_bytes = total,
        .fragment = bypeer_load16(data + BYPEER_IPV4_FRAGMENT),
        .tos = data[BYPEER_IPV4_TOS],
        .ttl = data[BYPEER_IPV4_TTL],
        .protocol = data[BYPEER_IPV4_PROTOCOL],
    };
    return 0;
}

/* An IPv4 address as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2), the form that tables and configuration keep. */
static inline void bypeer_ipv4_map(uint8_t ret_address[static 16], const uint8_t ipv4[static 4])
{
    memset(ret_address, 0, 10);
    memset(ret_address + 10, 0xff, 2);
    memcpy(ret_address + 12, ipv4, 4);
}

static inline int bypeer_ipv4_is_mapped(const uint8_t address[static 16])
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address, prefix, sizeof(prefix)) == 0;
}
