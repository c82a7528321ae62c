/*
 * The timers that data sets, of one peer (whitepaper, 6.2, 6.4, 6.5): the workers' side. A worker notes what it sends
 * and receives; whoever asks from time to time learns what is due. 40 bytes, no pointers, of zeros at first: it lies
 * beside what else changes per packet, and outlives the process.
 *
 *   received data, sent nothing for 10 s                    -> a keepalive, so that the peer knows we are here
 *   sent data, received nothing for 10 + 5 s                -> a handshake: the peer has lost its session, or is away
 *   neither sent nor received for the persistent interval   -> a keepalive, so that a NAT on the way remembers us
 *
 * Age and count of a session call for a handshake, too: session.h, asked with each burst.
 *
 * Times are in ns of the clock of sessions, a burst's being taken once; 0 means never, so the clock is not at 0. A line
 * is written only where something changes: of a stream of packets in one direction, once a burst.
 *
 * Threads: any number; everything is relaxed. Two workers may each be told of what is due; then two keepalives leave.
 */
#pragma once

#include "overlay/wireguard/session.h"

struct bypeer_activity {
    uint64_t sent_ns;       /* anything */
    uint64_t received_ns;   /* anything authentic */
    uint64_t unanswered_ns; /* first data that was sent since anything was received */
    uint64_t owed_ns;       /* first data that was received since anything was sent */
    uint64_t asked_ns;      /* when a handshake was last asked for because of this */
};

#define BYPEER_ACTIVITY_KEEPALIVE 1u
#define BYPEER_ACTIVITY_HANDSHAKE 2u

static inline void bypeer_activity_set(uint64_t *field, uint64_t value)
{
    if (__atomic_load_n(field, __ATOMIC_RELAXED) != value)
        __atomic_store_n(field, value, __ATOMIC_RELAXED);
}

/* The first of its kind since the field was last reset. */
static inline void bypeer_activity_begin(uint64_t *field, uint64_t now_ns)
{
    if (__atomic_load_n(field, __ATOMIC_RELAXED) == 0)
        __atomic_store_n(field, now_ns, __ATOMIC_RELAXED);
}

/* data: more than keepalives. */
static inline void bypeer_activity_sent(struct bypeer_activity *activity, bool data, uint64_t now_ns)
{
    bypeer_activity_set(&activity->sent_ns, now_ns);
    bypeer_activity_set(&activity->owed_ns, 0);
    if (data)
        bypeer_activity_begin(&activity->unanswered_ns, now_ns);
}

static inline void bypeer_activity_received(struct bypeer_activity *activity, bool data, uint64_t now_ns)
{
    bypeer_activity_set(&activity->received_ns, now_ns);
    bypeer_activity_set(&activity->unanswered_ns, 0);
    if (data)
        bypeer_activity_begin(&activity->owed_ns, now_ns);
}

/* What is due now: BYPEER_ACTIVITY_ bits. persistent_ns: 0 for none. A handshake is asked for once in 5 s at most; the
 * caller notes the keepalive that it sends, as any packet. */
unsigned bypeer_activity_due(struct bypeer_activity *activity, uint64_t persistent_ns, uint64_t now_ns);
/* When to ask again if nothing happens until then; UINT64_MAX: no need. */
uint64_t bypeer_activity_next(const struct bypeer_activity *activity, uint64_t persistent_ns);
