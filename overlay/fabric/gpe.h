/*
 * The VXLAN-GPE header (draft-ietf-nvo3-vxlan-gpe, 3) as it carries IPv6, and as the Linux kernel speaks it.
 *
 *   0       1          3               4     7          8
 *   | flags | reserved | next protocol | VNI | reserved | IPv6 packet
 *
 *   flags:  R R Ver Ver I P B O
 *
 * We send I and P and nothing else. Received, I and P must be there, the version 0, O (a management packet) not; what
 * is reserved, and B, are ignored, as the draft asks.
 */
#pragma once

#include <errno.h>

#include "overlay/ip/wire.h"

#define BYPEER_GPE_BYTES         8
#define BYPEER_GPE_NEXT_PROTOCOL 3
#define BYPEER_GPE_VNI           4
#define BYPEER_GPE_VNI_MAX       0xffffffu

#define BYPEER_GPE_FLAG_OAM       0x01
#define BYPEER_GPE_FLAG_PROTOCOL  0x04
#define BYPEER_GPE_FLAG_INSTANCE  0x08
#define BYPEER_GPE_FLAGS_VERSION  0x30
#define BYPEER_GPE_FLAGS          (BYPEER_GPE_FLAG_INSTANCE | BYPEER_GPE_FLAG_PROTOCOL)
#define BYPEER_GPE_FLAGS_COMPARED (BYPEER_GPE_FLAGS | BYPEER_GPE_FLAGS_VERSION | BYPEER_GPE_FLAG_OAM)
#define BYPEER_GPE_PROTOCOL_IPV6  2

#define BYPEER_GPE_UDP_PORT 4790 /* IANA */

/* Returns 0, or -EPROTONOSUPPORT: not a header of ours, *ret_vni untouched. */
static inline int bypeer_gpe_parse(uint32_t *ret_vni, const uint8_t data[static BYPEER_GPE_BYTES])
{
    if ((data[0] & BYPEER_GPE_FLAGS_COMPARED) != BYPEER_GPE_FLAGS ||
        data[BYPEER_GPE_NEXT_PROTOCOL] != BYPEER_GPE_PROTOCOL_IPV6)
        return -EPROTONOSUPPORT;
    *ret_vni = bypeer_load32(data + BYPEER_GPE_VNI) >> 8;
    return 0;
}

/* vni: at most BYPEER_GPE_VNI_MAX. */
static inline void bypeer_gpe_write(uint8_t data[static BYPEER_GPE_BYTES], uint32_t vni)
{
    bypeer_store32(data, (uint32_t)BYPEER_GPE_FLAGS << 24 | BYPEER_GPE_PROTOCOL_IPV6);
    bypeer_store32(data + BYPEER_GPE_VNI, vni << 8);
}
