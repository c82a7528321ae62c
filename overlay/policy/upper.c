#include "overlay/policy/upper.h"

#include "overlay/ip/ipv6.h"

#define UPPER_TCP_FLAGS       13
#define UPPER_TCP_SYN         0x02u
#define UPPER_TCP_ACK         0x10u
#define UPPER_FRAGMENT_BYTES  8
#define UPPER_FRAGMENT_OFFSET UINT16_C(0xfff8) /* of the 16 bits that hold it */

/* Whether a header is one that others may follow; its length, if it is there. */
static bool upper_extends(uint8_t header, const uint8_t *data, size_t length, size_t *ret_bytes)
{
    switch (header) {
    case BYPEER_NEXT_HOP_BY_HOP:
    case BYPEER_NEXT_ROUTING:
    case BYPEER_NEXT_DESTINATION:
    case BYPEER_NEXT_MOBILITY:
        *ret_bytes = length < 2 ? 8 : ((size_t)data[1] + 1) * 8;
        return true;
    case BYPEER_NEXT_FRAGMENT:
        *ret_bytes = UPPER_FRAGMENT_BYTES;
        return true;
    case BYPEER_NEXT_AH:
        *ret_bytes = length < 2 ? 8 : ((size_t)data[1] + 2) * 4;
        return true;
    default:
        return false;
    }
}

static bool upper_has_ports(uint8_t protocol)
{
    return protocol == BYPEER_NEXT_TCP || protocol == BYPEER_NEXT_UDP || protocol == BYPEER_NEXT_UDP_LITE ||
           protocol == BYPEER_NEXT_SCTP || protocol == BYPEER_NEXT_DCCP;
}

static void upper_read_header(struct bypeer_upper *upper, const uint8_t *data, size_t length)
{
    if (upper->protocol == BYPEER_NEXT_ICMPV6 && length >= 1) {
        upper->has_header = true;
        upper->icmp_type = data[0];
    }
    if (!upper_has_ports(upper->protocol) || length < 4)
        return;
    upper->has_header = upper->has_ports = true;
    upper->source_port = bypeer_load16(data);
    upper->destination_port = bypeer_load16(data + 2);
    if (upper->protocol == BYPEER_NEXT_TCP && length > UPPER_TCP_FLAGS)
        upper->opens = (data[UPPER_TCP_FLAGS] & (UPPER_TCP_SYN | UPPER_TCP_ACK)) == UPPER_TCP_SYN;
}

void bypeer_upper_read(struct bypeer_upper *ret_upper, const uint8_t *packet, size_t length)
{
    struct bypeer_upper upper = {.protocol = packet[BYPEER_IPV6_NEXT_HEADER]};
    const uint8_t *data = packet + BYPEER_IPV6_BYTES;
    size_t left = length - BYPEER_IPV6_BYTES, bytes;
    bool is_later = false;
    for (unsigned headers = 0; upper_extends(upper.protocol, data, left, &bytes); headers++) {
        if (bytes > left || headers == BYPEER_UPPER_HEADERS_MAX) {
            *ret_upper = upper;
            return;
        }
        if (upper.protocol == BYPEER_NEXT_FRAGMENT)
            is_later = (bypeer_load16(data + 2) & UPPER_FRAGMENT_OFFSET) != 0;
        upper.protocol = data[0];
        data += bytes;
        left -= bytes;
        /* The headers that follow in a later fragment are those of its data, or none. */
        if (is_later)
            break;
    }
    upper.opens = upper.protocol == BYPEER_NEXT_TCP;
    upper.is_known = !is_later || !upper_extends(upper.protocol, data, 0, &bytes);
    if (!is_later)
        upper_read_header(&upper, data, left);
    *ret_upper = upper;
}
