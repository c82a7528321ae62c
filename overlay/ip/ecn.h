/*
 * Explicit congestion notification through a tunnel: RFC 6040, normal mode.
 *
 * The two lowest bits of the traffic class (RFC 3168, 5).
 */
#pragma once

#include <errno.h>
#include <stdint.h>

enum bypeer_ecn {
    BYPEER_ECN_NOT_ECT = 0,
    BYPEER_ECN_ECT1 = 1,
    BYPEER_ECN_ECT0 = 2,
    BYPEER_ECN_CE = 3,
};
#define BYPEER_ECN_MASK 3u

/* What the outer header gets from the inner one: RFC 6040, 4.1, normal mode copies. */
static inline uint8_t bypeer_ecn_encapsulate(uint8_t inner)
{
    return inner & BYPEER_ECN_MASK;
}

/*
 * What the inner header gets when the outer one is taken off, or -EBADMSG: drop. RFC 6040, figure 4:
 *
 *   inner \ outer   Not-ECT   ECT(0)    ECT(1)    CE
 *   Not-ECT         Not-ECT   Not-ECT   Not-ECT   drop
 *   ECT(0)          ECT(0)    ECT(0)    ECT(1)    CE
 *   ECT(1)          ECT(1)    ECT(1)    ECT(1)    CE
 *   CE              CE        CE        CE        CE
 */
static inline int bypeer_ecn_decapsulate(uint8_t outer, uint8_t inner)
{
    outer &= BYPEER_ECN_MASK;
    inner &= BYPEER_ECN_MASK;
    if (outer == BYPEER_ECN_CE)
        return inner == BYPEER_ECN_NOT_ECT ? -EBADMSG : BYPEER_ECN_CE;
    if (outer == BYPEER_ECN_ECT1 && inner == BYPEER_ECN_ECT0)
        return BYPEER_ECN_ECT1;
    return inner;
}
