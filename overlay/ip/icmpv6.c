#include "overlay/ip/icmpv6.h"

#include "overlay/ip/checksum.h"

#define ICMPV6_HOP_LIMIT 64 /* RFC 8200, 3 leaves it to the sender; RFC 1700's default, as Linux */

/* Extension headers to look behind before giving up: RFC 8200, 4.1 orders six, destination options twice. */
#define ICMPV6_EXTENSIONS_MAX 8

/* Walks the extension headers of the packet at data. Whether it is, or may be, an ICMPv6 error or a redirect. */
static bool icmpv6_may_be_error(const uint8_t *data, size_t length)
{
    uint8_t next = data[BYPEER_IPV6_NEXT_HEADER];
    size_t at = BYPEER_IPV6_BYTES;
    for (unsigned header = 0; header < ICMPV6_EXTENSIONS_MAX; header++) {
        switch (next) {
        case BYPEER_NEXT_ICMPV6:
            /* 2.1: types below 128 are errors. */
            return at >= length || data[at] < 128 || data[at] == BYPEER_ICMPV6_REDIRECT;
        case BYPEER_NEXT_HOP_BY_HOP:
        case BYPEER_NEXT_ROUTING:
        case BYPEER_NEXT_DESTINATION:
            if (length - at < 8)
                return true;
            next = data[at];
            at += ((size_t)data[at + 1] + 1) * 8;
            break;
        case BYPEER_NEXT_FRAGMENT:
            if (length - at < 8 || (bypeer_load16(data + at + 2) & 0xfff8) != 0)
                return true;
            next = data[at];
            at += 8;
            break;
        default:
            return false;
        }
        if (at > length)
            return true;
    }
    return true;
}

bool bypeer_icmpv6_is_allowed(const uint8_t *about, size_t length, uint8_t type)
{
    struct bypeer_ipv6 header;
    if (bypeer_ipv6_parse(&header, about, length) != 0)
        return false;
    if (!bypeer_ipv6_is_routable(header.source))
        return false;
    if (header.destination[0] == 0xff && type != BYPEER_ICMPV6_TOO_BIG)
        return false;
    return !icmpv6_may_be_error(about, BYPEER_IPV6_BYTES + (size_t)header.payload_bytes);
}

uint64_t bypeer_icmpv6_sum(const uint8_t *packet, size_t length)
{
    size_t payload = length - BYPEER_IPV6_BYTES;
    uint64_t sum = bypeer_checksum_plus32(bypeer_checksum_field(BYPEER_NEXT_ICMPV6), packet + BYPEER_IPV6_SOURCE);
    sum = bypeer_checksum_plus(sum, bypeer_checksum_field((uint16_t)payload));
    return bypeer_checksum_plus(sum, bypeer_checksum_sum(packet + BYPEER_IPV6_BYTES, payload));
}

size_t bypeer_icmpv6_write(uint8_t packet[static BYPEER_ICMPV6_ERROR_BYTES], const struct bypeer_icmpv6_error *error,
                           const uint8_t *about, size_t about_length)
{
    const size_t headers = BYPEER_IPV6_BYTES + BYPEER_ICMPV6_BYTES;
    size_t quoted = about_length;
    if (quoted > BYPEER_ICMPV6_ERROR_BYTES - headers)
        quoted = BYPEER_ICMPV6_ERROR_BYTES - headers;
    uint16_t payload = (uint16_t)(BYPEER_ICMPV6_BYTES + quoted);
    bypeer_ipv6_write(packet, &(struct bypeer_ipv6){
                                  .source = error->source,
                                  .destination = about + BYPEER_IPV6_SOURCE,
                                  .payload_bytes = payload,
                                  .next_header = BYPEER_NEXT_ICMPV6,
                                  .hop_limit = ICMPV6_HOP_LIMIT,
                              });
    uint8_t *icmp = packet + BYPEER_IPV6_BYTES;
    icmp[0] = error->type;
    icmp[1] = error->code;
    bypeer_store16_raw(icmp + 2, 0);
    bypeer_store32(icmp + 4, error->value);
    memcpy(icmp + BYPEER_ICMPV6_BYTES, about, quoted);

    size_t length = BYPEER_IPV6_BYTES + (size_t)payload;
    bypeer_store16_raw(icmp + 2, (uint16_t)~bypeer_checksum_fold(bypeer_icmpv6_sum(packet, length)));
    return length;
}
