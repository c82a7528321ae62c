/*
 * The UDP header: RFC 768; over IPv6 a zero checksum is RFC 6935's exception, for tunnels.
 *
 *   0             2                  4        6          8
 *   | source port | destination port | length | checksum |
 */
#pragma once

#include <errno.h>
#include <stddef.h>

#include "overlay/ip/wire.h"

#define BYPEER_UDP_BYTES       8
#define BYPEER_UDP_SOURCE      0
#define BYPEER_UDP_DESTINATION 2
#define BYPEER_UDP_LENGTH      4
#define BYPEER_UDP_CHECKSUM    6

struct bypeer_udp {
    uint16_t source, destination;
    uint16_t length;   /* header and payload */
    uint16_t checksum; /* raw; 0: the sender computed none */
};

/* Returns 0; -EBADMSG: shorter than a header, or says so; -EMSGSIZE: longer than the length bytes that are there. */
static inline int bypeer_udp_parse(struct bypeer_udp *ret_header, const uint8_t *data, size_t length)
{
    if (length < BYPEER_UDP_BYTES)
        return -EBADMSG;
    uint16_t udp_length = bypeer_load16(data + BYPEER_UDP_LENGTH);
    if (udp_length < BYPEER_UDP_BYTES)
        return -EBADMSG;
    if (udp_length > length)
        return -EMSGSIZE;
    *ret_header = (struct bypeer_udp){
        .source = bypeer_load16(data + BYPEER_UDP_SOURCE),
        .destination = bypeer_load16(data + BYPEER_UDP_DESTINATION),
        .length = udp_length,
        .checksum = bypeer_load16_raw(data + BYPEER_UDP_CHECKSUM),
    };
    return 0;
}
