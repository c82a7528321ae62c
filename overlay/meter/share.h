/*
 * A group's rate, shared fairly between the members that send: max-min fair, without queues, by workers that share two
 * lines a group and a word a member.
 *
 * Time goes in rounds of 10 ms, in which the group may send C bytes. Each member has a bucket that leaks by the
 * allowance a each round; a member that finds its bucket full is *greedy* in that round, and the packet is refused.
 * When a round ends, whoever notices it first sets the allowance anew from what passed (P) and how many were greedy
 * (K):
 *
 *      a' = a + (C - P - debt) / 2K        but at least C / N, at most C
 *
 * Were nobody else to change, a would be half as far from the fair one each round: all that the polite ones leave of C,
 * divided between the greedy. And since what passed too much or too little counts until it is made up for, be it as a
 * debt while a is at its least, the group's average is its rate.
 *
 * Why a polite member is safe: no bucket ever leaks by less than C / N, where N is how many members sent in this or the
 * last window of 64 rounds. Whoever sends less than that, in bursts of no more than the bucket holds beside, is never
 * refused, whatever the others do. When many begin at once, all with the allowance of a quiet group, what they may do
 * beyond that ends with the second C of the round; and a round that passed so much halves a.
 *
 *   member's word:   | round: 24 | greedy: 1 | bucket: 39, in 16ths of a byte |
 *
 * Sum: 128 bytes a group, 8 a member. A packet costs one compare-and-swap on the member's word, and reads a line of the
 * group; a burst adds to the other line once. Rates up to BYPEER_RATE_MAX: C is 1.25 GB then, 2^35 16ths of a byte.
 *
 * Threads: any number; relaxed. What one adds to a round that another has just settled counts in a later one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BYPEER_SHARE_ROUND_NS    UINT64_C(10000000)
#define BYPEER_SHARE_UNITS       16                 /* of buckets, to the byte */
#define BYPEER_SHARE_ROUND_MASK  UINT64_C(0xffffff) /* of a round in a member's word */
#define BYPEER_SHARE_AHEAD       UINT64_C(100)      /* rounds between the clocks of workers, at most */
#define BYPEER_SHARE_WINDOW_BITS 6                  /* rounds: 640 ms */
#define BYPEER_SHARE_BUCKET_MIN  (UINT64_C(32768) * BYPEER_SHARE_UNITS) /* some packets of any size */
#define BYPEER_SHARE_BUCKET_BITS 39
#define BYPEER_SHARE_GREEDY      (UINT64_C(1) << BYPEER_SHARE_BUCKET_BITS)
#define BYPEER_SHARE_ROUND_SHIFT (BYPEER_SHARE_BUCKET_BITS + 1)

/* Of one group; zero at first. */
struct bypeer_share {
    uint64_t round;     /* the present one */
    uint64_t allowance; /* units a round */
    uint64_t debt;      /* units that passed too much */
    uint64_t reserved0[5];
    struct {
        uint64_t greedy;
        uint64_t passed; /* units */
    } rounds[2];         /* even and odd ones */
    uint64_t members[2]; /* that sent in even and odd windows */
    uint64_t reserved1[2];
};
_Static_assert(sizeof(struct bypeer_share) == 128, "two lines");

/* The units of a round at so many bits a second. */
static inline uint64_t bypeer_share_capacity(uint64_t bits_s)
{
    return bits_s / 8 * BYPEER_SHARE_UNITS / (UINT64_C(1000000000) / BYPEER_SHARE_ROUND_NS);
}

/* How many members there are to share with: 1 at least. */
static inline uint64_t bypeer_share_members(const struct bypeer_share *share)
{
    uint64_t even = __atomic_load_n(&share->members[0], __ATOMIC_RELAXED);
    uint64_t odd = __atomic_load_n(&share->members[1], __ATOMIC_RELAXED);
    uint64_t members = even > odd ? even : odd;
    return members ? members : 1;
}

/* What lies in the memory may be anything: bounded, sums and products of it fit in 63 bits. */
static inline int64_t bypeer_share_bounded(uint64_t value, int64_t most)
{
    return value < (uint64_t)most ? (int64_t)value : most;
}

/* Round `ended` is over, round `now` has begun: as many rounds' capacity, and what passed in the first of them. */
static inline void bypeer_share_settle(struct bypeer_share *share, uint64_t ended, uint64_t now, uint64_t capacity)
{
    const int64_t rounds = bypeer_share_bounded(now - ended, 100);
    const uint64_t windows = (now >> BYPEER_SHARE_WINDOW_BITS) - (ended >> BYPEER_SHARE_WINDOW_BITS);
    const int64_t most = bypeer_share_bounded(capacity, INT64_C(1) << 36);
    const int64_t least = (int64_t)((uint64_t)most / bypeer_share_members(share));
    const int64_t debt_max = 4 * most + 2 * (int64_t)BYPEER_SHARE_BUCKET_MIN;
    int64_t greedy = bypeer_share_bounded(__atomic_exchange_n(&share->rounds[ended & 1].greedy, 0, __ATOMIC_RELAXED),
                                          INT64_C(1) << 24);
    int64_t passed = bypeer_share_bounded(__atomic_exchange_n(&share->rounds[ended & 1].passed, 0, __ATOMIC_RELAXED),
                                          INT64_C(1) << 44);
    int64_t debt = bypeer_share_bounded(__atomic_load_n(&share->debt, __ATOMIC_RELAXED), debt_max);
    int64_t allowance = bypeer_share_bounded(__atomic_load_n(&share->allowance, __ATOMIC_RELAXED), most);
    greedy = greedy ? greedy : 1;
    if (passed > 2 * most)
        allowance /= 2;
    allowance += (rounds * most - debt - passed) / (2 * greedy);
    debt = allowance < least ? (least - allowance) * 2 * greedy : 0;
    allowance = allowance < least ? least : allowance > most ? most : allowance;
    __atomic_store_n(&share->allowance, (uint64_t)allowance, __ATOMIC_RELAXED);
    __atomic_store_n(&share->debt, (uint64_t)(debt < debt_max ? debt : debt_max), __ATOMIC_RELAXED);
    if (windows >= 1)
        __atomic_store_n(&share->members[now >> BYPEER_SHARE_WINDOW_BITS & 1], 0, __ATOMIC_RELAXED);
    if (windows >= 2)
        __atomic_store_n(&share->members[~(now >> BYPEER_SHARE_WINDOW_BITS) & 1], 0, __ATOMIC_RELAXED);
}

/* The present round; settles the one before if nobody has yet. Call it once a burst. */
static inline uint64_t bypeer_share_turn(struct bypeer_share *share, uint64_t capacity, uint64_t now_ns)
{
    uint64_t now = now_ns / BYPEER_SHARE_ROUND_NS;
    uint64_t round = __atomic_load_n(&share->round, __ATOMIC_RELAXED);
    if (round >= now)
        return round; /* a worker whose walk began earlier */
    if (__atomic_compare_exchange_n(&share->round, &round, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        bypeer_share_settle(share, round, now, capacity);
    return now;
}

/*
 * Whether a member may send so many bytes in this round. burst: units that all members together may have in their
 * buckets beside the allowance. What passes must be told to bypeer_share_passed().
 */
static inline bool bypeer_share_take(struct bypeer_share *share, uint64_t *member, uint64_t capacity, uint64_t burst,
                                     uint32_t bytes, uint64_t round)
{
    const uint64_t price = (uint64_t)bytes * BYPEER_SHARE_UNITS, members = bypeer_share_members(share);
    const uint64_t guaranteed = capacity / members;
    uint64_t allowance = __atomic_load_n(&share->allowance, __ATOMIC_RELAXED);
    if (allowance < guaranteed || __atomic_load_n(&share->rounds[round & 1].passed, __ATOMIC_RELAXED) > 2 * capacity)
        allowance = guaranteed;
    uint64_t room = burst / members;
    room = allowance + (room > BYPEER_SHARE_BUCKET_MIN ? room : BYPEER_SHARE_BUCKET_MIN);

    uint64_t was = __atomic_load_n(member, __ATOMIC_RELAXED), next;
    bool fits, begins, is_greedy, is_new;
    do {
        uint64_t last = was >> BYPEER_SHARE_ROUND_SHIFT;
        uint64_t rounds = (round - last) & BYPEER_SHARE_ROUND_MASK;
        uint64_t bucket = was & (BYPEER_SHARE_GREEDY - 1);
        /* Else another worker is a round ahead of this one; whoever was silent may be at any distance. */
        begins = rounds != 0 && rounds <= BYPEER_SHARE_ROUND_MASK - BYPEER_SHARE_AHEAD;
        is_new = begins && ((round & BYPEER_SHARE_ROUND_MASK) ^ last) >> BYPEER_SHARE_WINDOW_BITS != 0;
        is_greedy = !begins && (was & BYPEER_SHARE_GREEDY);
        if (begins) {
            /* Never deeper in debt than what a member may be in now, whatever it was allowed before. */
            bucket = bucket < room ? bucket : room;
            uint64_t leak = allowance * (rounds < 1000 ? rounds : 1000);
            bucket = bucket > leak ? bucket - leak : 0;
        }
        fits = bucket + price <= room;
        next = (begins ? round << BYPEER_SHARE_ROUND_SHIFT : was & ~(2 * BYPEER_SHARE_GREEDY - 1)) |
               (is_greedy || !fits ? BYPEER_SHARE_GREEDY : 0) | (fits ? bucket + price : bucket);
    } while (next != was && !__atomic_compare_exchange_n(member, &was, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    if (is_new)
        __atomic_fetch_add(&share->members[round >> BYPEER_SHARE_WINDOW_BITS & 1], 1, __ATOMIC_RELAXED);
    if (!fits && !is_greedy)
        __atomic_fetch_add(&share->rounds[round & 1].greedy, 1, __ATOMIC_RELAXED);
    return fits;
}

/* What members of the group have sent in this round: once a burst, in bytes. */
static inline void bypeer_share_passed(struct bypeer_share *share, uint64_t bytes, uint64_t round)
{
    __atomic_fetch_add(&share->rounds[round & 1].passed, bytes * BYPEER_SHARE_UNITS, __ATOMIC_RELAXED);
}
