/*
 * One session as control publishes it and as workers use it: keys, indexes, role, times. 128 bytes, two lines:
 *
 *   0              4              8        16     20    24           32         64
 *   | local index  | remote index | region | peer | use | created_ns | send key |
 *   64            96               108     112    120      124        128
 *   | receive key | last timestamp | flags | pair | serial | checksum |
 *
 * Sealing touches the first line (and .flags, when a session is two minutes old), opening the first 32 bytes and the
 * second line. A record never changes once it is
 * published; what changes per packet (counter, window, endpoint, times) lies elsewhere: nonces and window in the one
 * region of memory that the record names, so that no process which counts in another one, as one that hung while its
 * successor took over, can use a nonce for the second time. A restart copies records out of memory that a crash may
 * have left half written: each is whole by its own checksum, which is no secret's and keeps no attacker away. Integers
 * are in host byte order.
 *
 * The rules of time (whitepaper, 6.1, 6.2) are functions of the record, the counter and the present time, in
 * nanoseconds of a clock that goes on through restarts of processes. They hold in a worker whose control is away.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "overlay/wireguard/message.h"

#define BYPEER_WIREGUARD_S UINT64_C(1000000000)

/* Whitepaper, 6.1. */
#define BYPEER_WIREGUARD_REKEY_AFTER_MESSAGES  (UINT64_C(1) << 60)
#define BYPEER_WIREGUARD_REJECT_AFTER_MESSAGES (UINT64_MAX - (UINT64_C(1) << 13)) /* 2^64 - 2^13 - 1 */
#define BYPEER_WIREGUARD_REKEY_AFTER_NS        (120 * BYPEER_WIREGUARD_S)
#define BYPEER_WIREGUARD_REJECT_AFTER_NS       (180 * BYPEER_WIREGUARD_S)
#define BYPEER_WIREGUARD_REKEY_ATTEMPT_NS      (90 * BYPEER_WIREGUARD_S)
#define BYPEER_WIREGUARD_REKEY_TIMEOUT_NS      (5 * BYPEER_WIREGUARD_S)
#define BYPEER_WIREGUARD_KEEPALIVE_NS          (10 * BYPEER_WIREGUARD_S)

#define BYPEER_WIREGUARD_INITIATOR 1u /* .flags */

struct bypeer_wireguard_session {
    uint32_t local_index;  /* what the peer sends to; 0: no session */
    uint32_t remote_index; /* what the peer receives under */
    uint64_t region;       /* the owner's: where its nonces are counted; 0: nowhere, and nobody may use it */
    uint32_t peer;         /* the owner's number of it */
    uint32_t use;          /* which use of its slot this is: counter.h */
    uint64_t created_ns;
    uint8_t send_key[32];
    uint8_t receive_key[32];
    uint8_t timestamp[BYPEER_WIREGUARD_TIMESTAMP]; /* greatest of the peer's initiations when this was made */
    uint32_t flags;
    uint64_t pair;   /* the owner's: tells with which keys of both sides it was made */
    uint32_t serial; /* from the handshake: the same at both ends, and of two sessions of theirs hardly ever */
    uint32_t checksum;
};
_Static_assert(sizeof(struct bypeer_wireguard_session) == 128, "two lines");
_Static_assert(offsetof(struct bypeer_wireguard_session, created_ns) == 24, "as drawn");
_Static_assert(offsetof(struct bypeer_wireguard_session, send_key) == 32, "as drawn");
_Static_assert(offsetof(struct bypeer_wireguard_session, receive_key) == 64, "as drawn");
_Static_assert(offsetof(struct bypeer_wireguard_session, timestamp) == 96, "as drawn");
_Static_assert(offsetof(struct bypeer_wireguard_session, use) == 20, "as drawn");
_Static_assert(offsetof(struct bypeer_wireguard_session, pair) == 112, "as drawn");
_Static_assert(offsetof(struct bypeer_wireguard_session, serial) == 120, "as drawn");
_Static_assert(offsetof(struct bypeer_wireguard_session, checksum) == 124, "as drawn");

/* Sets .checksum: last, after every other field. */
void bypeer_wireguard_session_finish(struct bypeer_wireguard_session *session);
/* Whether there is a session, and the record is as it was finished. */
bool bypeer_wireguard_session_is_whole(const struct bypeer_wireguard_session *session);

/* Clocks of two cores may differ a little: a session is never younger than new. */
static inline uint64_t bypeer_wireguard_session_age(const struct bypeer_wireguard_session *session, uint64_t now_ns)
{
    return now_ns > session->created_ns ? now_ns - session->created_ns : 0;
}

/* Whether a packet with this counter may be sealed now, or was received in time. */
static inline bool bypeer_wireguard_session_is_usable(const struct bypeer_wireguard_session *session, uint64_t counter,
                                                      uint64_t now_ns)
{
    return counter < BYPEER_WIREGUARD_REJECT_AFTER_MESSAGES &&
           bypeer_wireguard_session_age(session, now_ns) < BYPEER_WIREGUARD_REJECT_AFTER_NS;
}

/* Whether having sent a packet with this counter calls for a handshake. Only the initiator's clock does: else both
 * sides would begin one. */
static inline bool bypeer_wireguard_session_is_stale_to_send(const struct bypeer_wireguard_session *session,
                                                             uint64_t counter, uint64_t now_ns)
{
    return counter >= BYPEER_WIREGUARD_REKEY_AFTER_MESSAGES ||
           (bypeer_wireguard_session_age(session, now_ns) >= BYPEER_WIREGUARD_REKEY_AFTER_NS &&
            (session->flags & BYPEER_WIREGUARD_INITIATOR));
}

/* Whether having received a packet does: for an initiator that sends nothing, in time before the session ends. */
static inline bool bypeer_wireguard_session_is_stale_to_receive(const struct bypeer_wireguard_session *session,
                                                                uint64_t now_ns)
{
    return (session->flags & BYPEER_WIREGUARD_INITIATOR) &&
           bypeer_wireguard_session_age(session, now_ns) >=
               BYPEER_WIREGUARD_REJECT_AFTER_NS - BYPEER_WIREGUARD_KEEPALIVE_NS - BYPEER_WIREGUARD_REKEY_TIMEOUT_NS;
}
