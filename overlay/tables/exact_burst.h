/*
 * The burst lookup, given how one bucket is searched. Each variant is one object that includes this and passes its own
 * match function, which is inlined: gcc and clang then see one straight loop per step.
 *
 *   1  hash every key; prefetch its first bucket
 *   2  search the first bucket; prefetch the record, or the second bucket of a key that is not there (about one in ten)
 *   3  search the second bucket of those; prefetch their records
 *   4  compare keys
 *
 * Every step runs over the whole burst before the next begins, so that its lines arrive together. Nothing branches on
 * what is found until step 4, where a wrong answer is rare: a tag that matched a foreign key, or a miss in a bucket
 * whose keys overflowed into the stash, is looked up again alone by bypeer_exact_find().
 */
#pragma once

#include "overlay/tables/exact_bucket.h"
#include "overlay/tables/exact_hash.h"

/* The slot of one way of bucket that has this tag, or 0. Loads the tags before the slot. */
typedef uint32_t bypeer_exact_match_function(const struct bypeer_bucket *bucket, uint16_t tag);

/* value, or 0 if not condition. The empty statement keeps the compiler from making it a branch: whether a tag matches
 * is known when its line has come, and a wrong guess would then throw away all that was begun meanwhile. */
static inline __attribute__((always_inline)) uint32_t bypeer_exact_if(int condition, uint32_t value)
{
    uint32_t mask = -(uint32_t)(condition != 0);
    __asm__("" : "+r"(mask));
    return value & mask;
}

/* What is read next of a key: its record, or its second bucket if slot is 0. */
static inline __attribute__((always_inline)) const void *
bypeer_exact_next(const struct bypeer_destination *record, const struct bypeer_bucket *second, uint32_t slot)
{
    uintptr_t mask = -(uintptr_t)(slot == 0);
    __asm__("" : "+r"(mask));
    return (const void *)(((uintptr_t)record & ~mask) | ((uintptr_t)second & mask));
}

/*
 * Buckets are fetched into the first level of cache, records into the second: a core has few line buffers for the
 * first, and the records are most of the lines. At 10 million entries this takes 28 ns a key in place of 33.
 */
#define BYPEER_EXACT_INTO_FIRST  3
#define BYPEER_EXACT_INTO_SECOND 2

static inline __attribute__((always_inline)) void bypeer_exact_burst(const struct bypeer_exact *exact,
                                                                     const uint8_t *const keys[], unsigned count,
                                                                     const struct bypeer_destination *found[],
                                                                     bypeer_exact_match_function *match)
{
    uint32_t first[BYPEER_LOOKUP_BURST];
    uint32_t second[BYPEER_LOOKUP_BURST];
    uint32_t slots[BYPEER_LOOKUP_BURST];
    uint16_t tags[BYPEER_LOOKUP_BURST];
    uint8_t missed[BYPEER_LOOKUP_BURST];
    unsigned missed_count = 0;
    const struct bypeer_bucket *buckets = exact->buckets;
    const struct bypeer_destination *records = exact->records;
    const uint32_t record_count = exact->record_count;

    count = count < BYPEER_LOOKUP_BURST ? count : BYPEER_LOOKUP_BURST;
    for (unsigned i = 0; i < count; i++) {
        struct bypeer_exact_place place = bypeer_exact_place(keys[i], exact->seed, exact->bucket_count);
        first[i] = place.first;
        second[i] = place.second;
        tags[i] = place.tag;
        __builtin_prefetch(&buckets[place.first], 0, BYPEER_EXACT_INTO_FIRST);
    }
    for (unsigned i = 0; i < count; i++) {
        uint32_t slot = match(&buckets[first[i]], tags[i]);
        slot = bypeer_exact_if(slot < record_count, slot);
        slots[i] = slot;
        missed[missed_count] = (uint8_t)i;
        missed_count += slot == 0;
        __builtin_prefetch(bypeer_exact_next(&records[slot], &buckets[second[i]], slot), 0, BYPEER_EXACT_INTO_SECOND);
    }
    /* The second buckets are read after all first ones: an entry moves only from first to second (exact.h). Acquire
     * loads order this for the processor; for vector loads, which are none, the compiler must be told. */
    __atomic_signal_fence(__ATOMIC_ACQ_REL);
    for (unsigned m = 0; m < missed_count; m++) {
        unsigned i = missed[m];
        uint32_t slot = match(&buckets[second[i]], tags[i]);
        slot = bypeer_exact_if(slot < record_count, slot);
        slots[i] = slot;
        __builtin_prefetch(&records[slot], 0, BYPEER_EXACT_INTO_SECOND);
    }
    for (unsigned i = 0; i < count; i++) {
        const struct bypeer_destination *record = &records[slots[i]];
        if (slots[i] != 0 && bypeer_exact_same_key(record->key, keys[i]))
            found[i] = record;
        else if (slots[i] == 0 && !bypeer_bucket_is_stashed(&buckets[second[i]]))
            found[i] = NULL;
        else
            found[i] = bypeer_exact_find(exact, keys[i]);
    }
}
