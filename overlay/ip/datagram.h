/*
 * A UDP datagram over IPv6 in an Ethernet frame: verified, and turned round to be its own answer.
 *
 *   0          14     54    62
 *   | Ethernet | IPv6 | UDP | payload |
 *
 * Addresses add up the same in both directions, so their sum is taken once. The caller has checked that the frame has
 * these headers, no others between them, and payload_bytes behind them.
 */
#pragma once

#include <stdbool.h>

#include "overlay/ip/checksum.h"
#include "overlay/ip/ethernet.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/udp.h"

#define BYPEER_DATAGRAM_IP_AT      BYPEER_ETHERNET_BYTES
#define BYPEER_DATAGRAM_UDP_AT     (BYPEER_DATAGRAM_IP_AT + BYPEER_IPV6_BYTES)
#define BYPEER_DATAGRAM_PAYLOAD_AT (BYPEER_DATAGRAM_UDP_AT + BYPEER_UDP_BYTES)
#define BYPEER_DATAGRAM_HOP_LIMIT  64 /* of answers; RFC 1700's, and Linux' */

/* What the pseudo-header of RFC 8200, 8.1 adds whatever the length: both addresses and the next header. */
static inline uint64_t bypeer_datagram_sum(const uint8_t *frame)
{
    return bypeer_checksum_plus32(bypeer_checksum_field(BYPEER_NEXT_UDP),
                                  frame + BYPEER_DATAGRAM_IP_AT + BYPEER_IPV6_SOURCE);
}

/* Whether the UDP checksum is there, which IPv6 demands of all but tunnels, and right. */
static inline bool bypeer_datagram_is_sound(const uint8_t *frame, size_t payload_bytes, uint64_t constant_sum)
{
    const uint8_t *udp = frame + BYPEER_DATAGRAM_UDP_AT;
    uint16_t udp_bytes = (uint16_t)(BYPEER_UDP_BYTES + payload_bytes);
    uint64_t sum = bypeer_checksum_plus(constant_sum, bypeer_checksum_field(udp_bytes));
    sum = bypeer_checksum_plus(sum, bypeer_checksum_sum(udp, udp_bytes));
    return bypeer_load16_raw(udp + BYPEER_UDP_CHECKSUM) != 0 && bypeer_checksum_fold(sum) == 0xffff;
}

/* Whether an answer can go where the frame says that it came from: RFC 4291, 2.7; and nobody is answered by himself. */
static inline bool bypeer_datagram_has_source(const uint8_t *frame)
{
    static const uint8_t loopback[16] = {[15] = 1}, none[16];
    const uint8_t *ip = frame + BYPEER_DATAGRAM_IP_AT, *source = ip + BYPEER_IPV6_SOURCE;
    return (frame[BYPEER_ETHERNET_SOURCE] & 1) == 0 && source[0] != 0xff && !bypeer_ipv6_is_same(source, loopback) &&
           !bypeer_ipv6_is_same(source, none) && !bypeer_ipv6_is_same(source, ip + BYPEER_IPV6_DESTINATION);
}

/*
 * Makes of the frame, whose payload has been written anew, the answer to the one that it was: MAC addresses, addresses
 * and ports change places, all else is set. constant_sum is bypeer_datagram_sum(), of before or after.
 *
 * Fields are written a whole word at a time where the checksum, or the device, reads them as words: a load that spans
 * several stores has to wait for all of them.
 */
static inline void bypeer_datagram_turn(uint8_t *frame, size_t payload_bytes, uint64_t constant_sum)
{
    uint8_t *ip = frame + BYPEER_DATAGRAM_IP_AT, *udp = frame + BYPEER_DATAGRAM_UDP_AT;
    uint16_t udp_bytes = (uint16_t)(BYPEER_UDP_BYTES + payload_bytes);
    uint8_t mac[6], address[16];

    memcpy(mac, frame + BYPEER_ETHERNET_DESTINATION, 6);
    memcpy(frame + BYPEER_ETHERNET_DESTINATION, frame + BYPEER_ETHERNET_SOURCE, 6);
    memcpy(frame + BYPEER_ETHERNET_SOURCE, mac, 6);
    bypeer_store64(ip,
                   UINT64_C(6) << 60 | (uint64_t)udp_bytes << 16 | BYPEER_NEXT_UDP << 8 | BYPEER_DATAGRAM_HOP_LIMIT);
    memcpy(address, ip + BYPEER_IPV6_SOURCE, 16);
    memcpy(ip + BYPEER_IPV6_SOURCE, ip + BYPEER_IPV6_DESTINATION, 16);
    memcpy(ip + BYPEER_IPV6_DESTINATION, address, 16);

    /* The length counts twice: in the pseudo-header, and as a field. */
    uint32_t ports = bypeer_load32(udp);
    uint64_t sum = bypeer_checksum_plus(constant_sum, bypeer_load32_raw(udp) + 2 * bypeer_checksum_field(udp_bytes));
    sum = bypeer_checksum_plus(sum, bypeer_checksum_sum(udp + BYPEER_UDP_BYTES, payload_bytes));
    uint16_t checksum = (uint16_t)~be16toh(bypeer_checksum_fold(sum));
    if (checksum == 0) /* RFC 768: that would be none */
        checksum = 0xffff;
    bypeer_store64(udp, (uint64_t)(ports << 16 | ports >> 16) << 32 | (uint64_t)udp_bytes << 16 | checksum);
}
