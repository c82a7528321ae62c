/*
 * Exact match on 128-bit keys: two-choice buckets of one cache line; what moves, moves downhill.
 *
 * A key hashes to two buckets and a tag; it sits in one of the two, in any of ten ways. A way is a 16-bit tag and the
 * 32-bit slot of a record; the record is a cache line too, holds the whole key, and is the line that the packet needs
 * next anyway. A lookup therefore waits for two lines one after the other, a bucket and a record, and a burst of
 * lookups waits for them all at once:
 *
 *                  h = XXH3(key, seed)
 *      bits 63..32 -> first bucket        (h * odd) bits 63..32 -> second bucket        bits 15..0 -> tag, never 0
 *
 *                     0        20       22        24                              64
 *      bucket         | 10 tags | flags | version | 10 slots                       |
 *                                                      |
 *                     0        16                      v                          64
 *      record         | key     | link, group, flags, ...                          |
 *
 * The tag's bits take no part in the choice of the first bucket: among the keys of one bucket tags are evenly spread,
 * so a wrong tag matches once in some thousands of lookups. Bucket numbers come from a multiplication, not from a mask,
 * so a table may have any number of buckets, and its fill at capacity is chosen, not found.
 *
 * Why readers need no retry. An entry is written record first, then slot, then tag, each a store with release; a reader
 * loads tag, then slot, then record, each load ordered after the one before it (pairs with the releases). A replaced
 * record is a new record in a new slot, published by the one store of the slot under the same tag. A removed entry is a
 * tag set to 0. A way may be given to another key at once: a reader that saw the old tag finds the new record, compares
 * the key, and has missed a key that was indeed removed. Only the slot waits for a grace period (pool.h), because a
 * reader may still hold its record.
 *
 * Downhill. A key goes to its first bucket while that has room to spare, so nine in ten are found with one bucket line.
 * An entry may later move, once, from its first bucket to its second, to make room where both buckets of a new key are
 * full: the copy in the second is published before the first is cleared. Readers search the first before the second, so
 * whichever they meet the entry's first place in, before or after, they find it: a key that is present throughout a
 * lookup is found by it, without the retry that cuckoo tables need. One such step is enough: at 80 % full and
 * 20 million random replacements no key of a million was left over, while without it the random removals and insertions
 * of a long life leave 1 % of the keys without a place (0.3 % at 76 %).
 *
 * The stash takes the keys for which even that fails: a small array of slots, searched one by one, but only when a
 * key is missed in a second bucket that says so (BYPEER_BUCKET_STASHED).
 *
 * Sum, per entry at capacity: 64 / 7 = 9.1 bytes of bucket, 64 bytes of record.
 */
#pragma once

#include "overlay/tables/tables.h"

/* Entries per bucket at capacity, of the ten ways. */
#define BYPEER_EXACT_BUCKET_LOAD 7
#define BYPEER_EXACT_BUCKETS_MIN 8
/* Entries of the stash that the writer makes, and the most that a reader is ready to search. */
#define BYPEER_EXACT_STASH     64
#define BYPEER_EXACT_STASH_MAX 256

/* How many buckets a table for capacity entries has. */
uint32_t bypeer_exact_buckets_for(uint32_t capacity);

/*
 * Looks up count (at most BYPEER_LOOKUP_BURST) keys at once, by the fastest variant that this processor runs:
 * found[i] is the record whose key is keys[i], or NULL.
 */
void bypeer_exact_lookup(const struct bypeer_exact *exact, const uint8_t *const keys[], unsigned count,
                         const struct bypeer_destination *found[]);

/* One key, without prefetching: for what is rare. */
const struct bypeer_destination *bypeer_exact_find(const struct bypeer_exact *exact, const uint8_t key[static 16]);

/* The variants of the burst lookup, for tests and benchmarks; NULL where the build or the processor lacks one. */
typedef void bypeer_exact_lookup_function(const struct bypeer_exact *exact, const uint8_t *const keys[], unsigned count,
                                          const struct bypeer_destination *found[]);
struct bypeer_exact_variant {
    const char *name; /* "generic", "avx2", "avx512" */
    bypeer_exact_lookup_function *lookup;
};
#define BYPEER_EXACT_VARIANTS 3
void bypeer_exact_variants(struct bypeer_exact_variant ret_variants[static BYPEER_EXACT_VARIANTS]);
