/*
 * Ethernet II (IEEE 802.3, 3.2.6), untagged.
 *
 *   0             6        12           14
 *   | destination | source | ethertype | payload, padded to 46
 */
#pragma once

#define BYPEER_ETHERNET_BYTES       14
#define BYPEER_ETHERNET_DESTINATION 0
#define BYPEER_ETHERNET_SOURCE      6
#define BYPEER_ETHERNET_TYPE        12

#define BYPEER_ETHERTYPE_IPV4 0x0800
#define BYPEER_ETHERTYPE_IPV6 0x86dd
