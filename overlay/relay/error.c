#include "overlay/relay/error.h"

#include <string.h>

#include "overlay/ip/checksum.h"
#include "overlay/ip/icmpv6.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/udp.h"
#include "overlay/relay/rewrite.h"

#define ERROR_QUOTED_AT        (BYPEER_IPV6_BYTES + BYPEER_ICMPV6_BYTES)
#define ERROR_FRAGMENT_BYTES   8
#define ERROR_UNREACHABLE_PORT 4 /* RFC 4443, 3.1 */
#define ERROR_PARAMETER        4 /* RFC 4443, 3.4: the last type of an error that is defined */
#define ERROR_TYPE_MIN         BYPEER_ICMPV6_UNREACHABLE
#define ERROR_BYTES_MIN        (ERROR_QUOTED_AT + BYPEER_IPV6_BYTES + BYPEER_UDP_BYTES)

/* Where the UDP header of the quoted packet is, which has at least that much; 0: a later fragment; -1: no UDP. */
static int error_find_udp(const uint8_t *ip, size_t length)
{
    const uint8_t *quoted = ip + ERROR_QUOTED_AT;
    size_t at = ERROR_QUOTED_AT + BYPEER_IPV6_BYTES;
    uint8_t next = quoted[BYPEER_IPV6_NEXT_HEADER];
    if (next == BYPEER_NEXT_FRAGMENT) {
        next = ip[at];
        if (next == BYPEER_NEXT_UDP && (bypeer_load16(ip + at + 2) & 0xfff8) != 0)
            return 0;
        at += ERROR_FRAGMENT_BYTES;
    }
    return next == BYPEER_NEXT_UDP && at + BYPEER_UDP_BYTES <= length ? (int)at : -1;
}

bool bypeer_relay_error_read(struct bypeer_relay_error *ret_error, const uint8_t *ip, size_t length)
{
    struct bypeer_ipv6 header;
    if (length < ERROR_BYTES_MIN || length > BYPEER_ICMPV6_ERROR_BYTES || bypeer_ipv6_parse(&header, ip, length) != 0 ||
        header.next_header != BYPEER_NEXT_ICMPV6 || BYPEER_IPV6_BYTES + (size_t)header.payload_bytes != length)
        return false;
    const uint8_t *icmp = ip + BYPEER_IPV6_BYTES, *quoted = ip + ERROR_QUOTED_AT;
    uint8_t type = icmp[0];
    if (type < ERROR_TYPE_MIN || type > ERROR_PARAMETER || quoted[0] >> 4 != 6 ||
        !bypeer_ipv6_is_same(quoted + BYPEER_IPV6_SOURCE, header.destination) ||
        (type == BYPEER_ICMPV6_TOO_BIG && bypeer_load32(icmp + 4) < BYPEER_IPV6_MINIMUM_MTU) ||
        bypeer_checksum_fold(bypeer_icmpv6_sum(ip, length)) != 0xffff)
        return false;
    int udp_at = error_find_udp(ip, length);
    if (udp_at < 0)
        return false;
    struct bypeer_relay_error error = {
        .address = {bypeer_load64_raw(quoted + BYPEER_IPV6_DESTINATION),
                    bypeer_load64_raw(quoted + BYPEER_IPV6_DESTINATION + 8)},
        .udp_at = (uint16_t)udp_at,
        .is_refusal = type == BYPEER_ICMPV6_UNREACHABLE && icmp[1] == ERROR_UNREACHABLE_PORT,
    };
    if (udp_at != 0) {
        error.port = bypeer_load16(ip + udp_at + BYPEER_UDP_DESTINATION);
        error.source_port = bypeer_load16(ip + udp_at + BYPEER_UDP_SOURCE);
    }
    *ret_error = error;
    return true;
}

void bypeer_relay_error_turn(uint8_t *ip, size_t length, const struct bypeer_relay_error *error,
                             const uint8_t source[static 16], uint16_t port, const struct bypeer_relay_place *place)
{
    uint8_t *quoted = ip + ERROR_QUOTED_AT, *icmp = ip + BYPEER_IPV6_BYTES;
    uint64_t before = 0;
    if (error->udp_at != 0)
        before = bypeer_checksum_plus32(bypeer_load32_raw(ip + error->udp_at), quoted + BYPEER_IPV6_SOURCE);
    ip[BYPEER_IPV6_HOP_LIMIT]--;
    memcpy(ip + BYPEER_IPV6_SOURCE, source, 16);
    memcpy(ip + BYPEER_IPV6_DESTINATION, place->address, 16);
    memcpy(quoted + BYPEER_IPV6_SOURCE, place->address, 16);
    memcpy(quoted + BYPEER_IPV6_DESTINATION, source, 16);
    if (error->udp_at != 0) {
        uint8_t *udp = ip + error->udp_at;
        bypeer_store32(udp, (uint32_t)bypeer_relay_port(place) << 16 | port);
        uint64_t after = bypeer_checksum_plus32(bypeer_load32_raw(udp), quoted + BYPEER_IPV6_SOURCE);
        bypeer_store16_raw(udp + BYPEER_UDP_CHECKSUM,
                           bypeer_relay_checksum(bypeer_load16_raw(udp + BYPEER_UDP_CHECKSUM), before, after));
    }
    bypeer_store16_raw(icmp + 2, 0);
    bypeer_store16_raw(icmp + 2, (uint16_t)~bypeer_checksum_fold(bypeer_icmpv6_sum(ip, length)));
}
