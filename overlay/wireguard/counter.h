/*
 * Nonces that are given out once, though slots are used again, by workers that share them and may die at any moment.
 *
 * A session record has a slot, and the slot has one word in memory that outlives every process:
 *
 *   63       44 43                       0
 *   | use: 20  | counter: 44             |      of the next packet to be sealed
 *
 * A use is which of the slot's sessions it is, from 1 on. Whoever gives the slot to a session makes its use greater
 * than any that he gave out before, that the word says, or that the greatest number opened says
 * (bypeer_counter_next_use()); so one use belongs to one session, and its keys.
 *
 * Why no nonce is given out twice. The word only grows: it is added to, or swapped for a greater value. Each success
 * below hands out the interval of numbers that the word leaves in one atomic step, so no two successes overlap, in any
 * process, at any time; a process that dies after the step has wasted counters, not repeated them. And a number is a
 * use, which is a session, and a counter. So a slot that is used again needs no reset; and an old session's record,
 * which a worker may still hold, finds a greater use in the word and gets nothing.
 *
 * 2^44 counters are two weeks at 14 million packets a second; a session lives three minutes. One that gets there is at
 * its end: its additions carry into the next use, which therefore nobody will be given. A slot is not used again once
 * its use reaches BYPEER_COUNTER_USES.
 *
 * Received counters go to the window as the same numbers (bypeer_counter_of()): a packet of an earlier use is too old.
 *
 * Memory order: relaxed. A word is one location, and what it guards is in nobody's memory but the peer's.
 *
 * Threads: any number at once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "overlay/wireguard/window.h"

#define BYPEER_COUNTER_BITS  44
#define BYPEER_COUNTER_LIMIT (UINT64_C(1) << BYPEER_COUNTER_BITS) /* of one use */
#define BYPEER_COUNTER_USES  ((UINT32_C(1) << 20) - 1)            /* the last one is given to nobody */

static inline uint64_t bypeer_counter_of(uint32_t use, uint64_t counter)
{
    return (uint64_t)use << BYPEER_COUNTER_BITS | counter;
}

/*
 * Takes count counters (a burst's packets of one session) at once; *ret_first is the first of them. false: the session
 * must not seal any more, since its slot is another one's by now, or its counters are used up.
 */
static inline bool bypeer_counter_take(uint64_t *next_counter, uint32_t use, uint32_t count, uint64_t *ret_first)
{
    uint64_t word = __atomic_fetch_add(next_counter, count, __ATOMIC_RELAXED);
    if (__builtin_expect(word >> BYPEER_COUNTER_BITS < use, 0)) {
        /* The first of this use, unless another worker is quicker. What was added went to a session that is gone. */
        uint64_t found = word + count;
        while (found >> BYPEER_COUNTER_BITS < use) {
            if (!__atomic_compare_exchange_n(next_counter, &found, bypeer_counter_of(use, count), false,
                                             __ATOMIC_RELAXED, __ATOMIC_RELAXED))
                continue;
            *ret_first = 0;
            return true;
        }
        word = __atomic_fetch_add(next_counter, count, __ATOMIC_RELAXED);
    }
    uint64_t first = word - bypeer_counter_of(use, 0);
    if (word >> BYPEER_COUNTER_BITS != use || first > BYPEER_COUNTER_LIMIT - count)
        return false;
    *ret_first = first;
    return true;
}

/* The use for the next session of a slot, given the last one that the caller gave out (0: none) and what the sessions
 * region says; BYPEER_COUNTER_USES or more: the slot is used up. */
static inline uint32_t bypeer_counter_next_use(uint32_t last, const uint64_t *next_counter,
                                               const uint64_t *greatest_opened)
{
    uint64_t sent = __atomic_load_n(next_counter, __ATOMIC_RELAXED) >> BYPEER_COUNTER_BITS;
    uint64_t received = __atomic_load_n(greatest_opened, __ATOMIC_RELAXED) >> BYPEER_COUNTER_BITS;
    uint64_t greatest = sent > received ? sent : received;
    return 1 + (uint32_t)(greatest > last ? greatest : last);
}
