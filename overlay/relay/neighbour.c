#include "overlay/relay/neighbour.h"

#include <string.h>

#include "overlay/ip/checksum.h"
#include "overlay/ip/icmpv6.h"

#define NEIGHBOUR_HOP_LIMIT     255 /* RFC 4861, 7.1.1: it was never forwarded */
#define NEIGHBOUR_IS_SOLICITED  0x40000000u
#define NEIGHBOUR_OVERRIDES     0x20000000u
#define NEIGHBOUR_TARGET_LINK   2 /* RFC 4861, 4.6.1: target link-layer address */
#define NEIGHBOUR_PAYLOAD_BYTES (BYPEER_RELAY_ADVERTISEMENT_BYTES - BYPEER_ETHERNET_BYTES - BYPEER_IPV6_BYTES)

/* RFC 4861, 4.6: every option has a length, in units of 8 bytes, that is not 0. */
static bool neighbour_has_sound_options(const uint8_t *options, size_t length)
{
    while (length >= 2) {
        size_t bytes = (size_t)options[1] * 8;
        if (bytes == 0 || bytes > length)
            return false;
        options += bytes;
        length -= bytes;
    }
    return length == 0;
}

bool bypeer_relay_is_solicitation(const uint8_t *ip, size_t length)
{
    struct bypeer_ipv6 header;
    if (!bypeer_relay_may_solicit(ip, length) || bypeer_ipv6_parse(&header, ip, length) != 0 ||
        BYPEER_IPV6_BYTES + (size_t)header.payload_bytes != length || header.hop_limit != NEIGHBOUR_HOP_LIMIT)
        return false;
    /* One without an address asks for himself: whether his own is free. */
    static const uint8_t none[16];
    return ip[BYPEER_IPV6_BYTES + 1] == 0 && header.source[0] != 0xff && !bypeer_ipv6_is_same(header.source, none) &&
           ip[BYPEER_RELAY_SOLICITATION_TARGET] != 0xff &&
           neighbour_has_sound_options(ip + BYPEER_RELAY_SOLICITATION_BYTES,
                                       length - BYPEER_RELAY_SOLICITATION_BYTES) &&
           bypeer_checksum_fold(bypeer_icmpv6_sum(ip, length)) == 0xffff;
}

void bypeer_relay_advertise(uint8_t frame[static BYPEER_RELAY_ADVERTISEMENT_BYTES], const uint8_t own_mac[static 6])
{
    uint8_t *ip = frame + BYPEER_ETHERNET_BYTES, *icmp = ip + BYPEER_IPV6_BYTES;
    uint8_t *target = ip + BYPEER_RELAY_SOLICITATION_TARGET, *option = target + 16;
    uint8_t to[16], from[16];
    memcpy(to, ip + BYPEER_IPV6_SOURCE, 16);
    memcpy(from, target, 16);

    memcpy(frame + BYPEER_ETHERNET_DESTINATION, frame + BYPEER_ETHERNET_SOURCE, 6);
    memcpy(frame + BYPEER_ETHERNET_SOURCE, own_mac, 6);
    bypeer_ipv6_write(ip, &(struct bypeer_ipv6){
                              .source = from,
                              .destination = to,
                              .payload_bytes = NEIGHBOUR_PAYLOAD_BYTES,
                              .next_header = BYPEER_NEXT_ICMPV6,
                              .hop_limit = NEIGHBOUR_HOP_LIMIT,
                          });
    icmp[0] = BYPEER_ICMPV6_ADVERTISEMENT;
    icmp[1] = 0;
    bypeer_store16_raw(icmp + 2, 0);
    bypeer_store32(icmp + 4, NEIGHBOUR_IS_SOLICITED | NEIGHBOUR_OVERRIDES);
    option[0] = NEIGHBOUR_TARGET_LINK;
    option[1] = 1;
    memcpy(option + 2, own_mac, 6);
    uint64_t sum = bypeer_icmpv6_sum(ip, BYPEER_IPV6_BYTES + (size_t)NEIGHBOUR_PAYLOAD_BYTES);
    bypeer_store16_raw(icmp + 2, (uint16_t)~bypeer_checksum_fold(sum));
}
