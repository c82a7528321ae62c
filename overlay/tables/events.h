/*
 * Events: what workers ask control to look at, without a system call and without waiting for it.
 *
 *   worker:   events[head % 4096] = event;  head = head + 1 (release)        one producer a ring
 *   control:  loads head (acquire), reads from its own tail on
 *
 * An event only names what has changed; how it is now lies in the regions. So one that is read twice, or read late,
 * does no harm. When control falls 4096 behind, some are lost and it knows: then it looks at everything.
 *
 * The ring lies in memory that the producer's process may fill with anything: any head is taken, and at most
 * BYPEER_EVENTS are read at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "overlay/tables/layout.h"

enum bypeer_event {
    BYPEER_EVENT_NONE = 0,
    BYPEER_EVENT_WANT = 1,  /* value: link id. A handshake is wanted */
    BYPEER_EVENT_HEARD = 2, /* value: session slot. The first authentic packet came by it */
    BYPEER_EVENT_MOVED = 3, /* value: link id. Its endpoint is another one: bypeer_peer_state.seen */
};

#define BYPEER_EVENT_VALUE_BITS 56

/* Thread: the ring's one producer. */
static inline void bypeer_event_put(struct bypeer_event_ring *ring, enum bypeer_event type, uint64_t value)
{
    uint64_t head = ring->head;
    /* The number of the event before it; pairs with the fence in bypeer_event_take(): who finds this event in place of
     * an older one finds that number too. */
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&ring->events[head % BYPEER_EVENTS], (uint64_t)type << BYPEER_EVENT_VALUE_BITS | value,
                     __ATOMIC_RELAXED);
    /* The event before its number; pairs with the acquire in bypeer_event_take(). */
    __atomic_store_n(&ring->head, head + 1, __ATOMIC_RELEASE);
}

/*
 * The next event after *tail, which moves on (begin with the head that is found at attach, or 0). false: there is none
 * now. *ret_lost becomes true if some were overwritten before they were read, and is left alone otherwise.
 */
static inline bool bypeer_event_take(const struct bypeer_event_ring *ring, uint64_t *tail, enum bypeer_event *ret_type,
                                     uint64_t *ret_value, bool *ret_lost)
{
    uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
    if (head == *tail)
        return false;
    uint64_t event = __atomic_load_n(&ring->events[*tail % BYPEER_EVENTS], __ATOMIC_RELAXED);
    /* Was it overwritten, perhaps while this thread slept? In a full ring the producer may be about to. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
    if (head - *tail >= BYPEER_EVENTS) {
        *ret_lost = true;
        *tail = head;
        return false;
    }
    ++*tail;
    *ret_type = (enum bypeer_event)(event >> BYPEER_EVENT_VALUE_BITS);
    *ret_value = event & ((UINT64_C(1) << BYPEER_EVENT_VALUE_BITS) - 1);
    return true;
}
