/*
 * Ethernet II (IEEE 802.3, 3.2.6), untagged.
 *
 *   0             6        12           14
 *   | destination | source | ethertype | payload, padded to 46
 */
#pragma once

#include "overlay/ip/wire.h"

#define BYPEER_ETHERNET_BYTES       14
#define BYPEER_ETHERNET_DESTINATION 0
#define BYPEER_ETHERNET_SOURCE      6
#define BYPEER_ETHERNET_TYPE        12

#define BYPEER_ETHERTYPE_IPV4 0x0800
#define BYPEER_ETHERTYPE_IPV6 0x86dd

/* Whether two MAC addresses are the same: in line, since it is asked of every frame. */
static inline int bypeer_ethernet_is_same(const uint8_t a[static 6], const uint8_t b[static 6])
{
    return ((bypeer_load32_raw(a) ^ bypeer_load32_raw(b)) | (bypeer_load16_raw(a + 4) ^ bypeer_load16_raw(b + 4))) == 0;
}
