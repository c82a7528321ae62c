/*
 * A rate with a burst, as one word that any number of workers share: virtual time.
 *
 * The word is when the bucket would be empty of debts: each packet moves it on by what it costs at the rate. A packet
 * may pass while the word is no more than the burst ahead of now; a word that lies behind now is an idle bucket, full.
 *
 *          now          word           now + burst
 *   --------+============|==============|---------->  time
 *             in debt        may be used
 *
 * So there are no tokens to refill, nothing to do while nobody sends, and one compare-and-swap a packet, whichever
 * worker has it. A limit may change under the word, and a process die: what lies further ahead than the present limit
 * allows was a greater one's, or another's who had the word before, and is brought back to the most that this allows.
 * Not so within BYPEER_RATE_SKEW_NS: that may be a worker whose clock is ahead of this one's, and bringing back what it
 * was charged would let it send that once more, as often as the two take turns.
 *
 * Time is in 64ths of a ns: 9000 bytes at 1 Tb/s take 4608, and a signed difference spans 4 years. A byte costs
 * bypeer_rate_cost(), in 2^16ths of that: at 1 Tb/s 33554, an error of less than 0.01 %.
 *
 * Threads: any number; relaxed, since the word guards nothing but itself.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BYPEER_RATE_MIN       1000 /* bits a second */
#define BYPEER_RATE_MAX       UINT64_C(1000000000000)
#define BYPEER_RATE_BURST_MIN 16384 /* bytes: more than any packet has */
#define BYPEER_RATE_BURST_MAX (UINT32_C(1) << 30)

#define BYPEER_RATE_SKEW_NS UINT64_C(100000000) /* more than workers' clocks, read once a walk, differ by */

#define BYPEER_RATE_TIME_BITS 6
#define BYPEER_RATE_COST_BITS 16

/* bits_s: BYPEER_RATE_MIN to _MAX. */
static inline uint64_t bypeer_rate_cost(uint64_t bits_s)
{
    return (UINT64_C(8000000000) << (BYPEER_RATE_TIME_BITS + BYPEER_RATE_COST_BITS)) / bits_s;
}

/* How far ahead the word may be for bursts of so many bytes, at most BYPEER_RATE_BURST_MAX. */
static inline uint64_t bypeer_rate_ahead(uint64_t bits_s, uint64_t burst_bytes)
{
    return (burst_bytes * UINT64_C(8000000000) / bits_s) << BYPEER_RATE_TIME_BITS;
}

/* Whether a packet of so many bytes (at most 65535) may pass now; if so, it is charged. */
static inline bool bypeer_rate_take(uint64_t *word, uint64_t cost, uint64_t ahead, uint32_t bytes, uint64_t now_ns)
{
    const uint64_t now = now_ns << BYPEER_RATE_TIME_BITS, price = bytes * cost >> BYPEER_RATE_COST_BITS;
    uint64_t was = __atomic_load_n(word, __ATOMIC_RELAXED);
    uint64_t next;
    bool passes;
    do {
        uint64_t from = (int64_t)(was - now) > 0 ? was : now;
        bool is_anothers = from - now > ahead + (BYPEER_RATE_SKEW_NS << BYPEER_RATE_TIME_BITS);
        if (is_anothers)
            from = now + ahead;
        passes = from - now + price <= ahead;
        if (!passes && !is_anothers)
            return false;
        next = passes ? from + price : from;
    } while (!__atomic_compare_exchange_n(word, &was, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return passes;
}
