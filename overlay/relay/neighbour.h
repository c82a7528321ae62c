/*
 * Neighbour discovery for a relay prefix that nobody routes to this node (RFC 4861, 4.3, 4.4, 7.2.4): a router on the
 * link asks who has a relay address, and is told that this port has. Nobody else answers: the kernel has none of these
 * addresses.
 *
 * Only single, existing addresses are answered for, which the caller judges; so a scan of the prefix from afar leaves
 * nothing in the router but what it would leave for any empty subnet.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "overlay/ip/ethernet.h"
#include "overlay/ip/ipv6.h"

#define BYPEER_ICMPV6_SOLICITATION  135
#define BYPEER_ICMPV6_ADVERTISEMENT 136

/* Of a solicitation's IPv6 packet: the address that is asked for. Its 16 bytes are there in a packet of this length. */
#define BYPEER_RELAY_SOLICITATION_TARGET (BYPEER_IPV6_BYTES + 8)
#define BYPEER_RELAY_SOLICITATION_BYTES  (BYPEER_RELAY_SOLICITATION_TARGET + 16)

/* The frame of an advertisement. */
#define BYPEER_RELAY_ADVERTISEMENT_BYTES (BYPEER_ETHERNET_BYTES + BYPEER_RELAY_SOLICITATION_BYTES + 8)

/* Whether the IPv6 packet of length bytes looks like a solicitation: the cheap part, for the classifier. */
static inline bool bypeer_relay_may_solicit(const uint8_t *ip, size_t length)
{
    return length >= BYPEER_RELAY_SOLICITATION_BYTES && ip[BYPEER_IPV6_NEXT_HEADER] == BYPEER_NEXT_ICMPV6 &&
           ip[BYPEER_IPV6_BYTES] == BYPEER_ICMPV6_SOLICITATION;
}

/* Whether it is one to be answered: valid as RFC 4861, 7.1.1 says, and of one who has an address. */
bool bypeer_relay_is_solicitation(const uint8_t *ip, size_t length);

/* Makes of the frame of such a solicitation, which has room for so many bytes, the advertisement that answers it: the
 * target is at this MAC address. */
void bypeer_relay_advertise(uint8_t frame[static BYPEER_RELAY_ADVERTISEMENT_BYTES], const uint8_t own_mac[static 6]);
