/* Where a key belongs in an exact-match table: one definition for the readers and the writer. exact.h has the essay. */
#pragma once

#include "overlay/tables/exact.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct bypeer_exact_place {
    uint32_t first, second; /* buckets; they may be the same one */
    uint16_t tag;
};

/* Maps 32 random bits evenly onto 0 .. count - 1. */
static inline uint32_t bypeer_exact_scale(uint32_t bits, uint32_t count)
{
    return (uint32_t)(((uint64_t)bits * count) >> 32);
}

static inline uint32_t bypeer_exact_first(uint64_t hash, uint32_t bucket_count)
{
    return bypeer_exact_scale((uint32_t)(hash >> 32), bucket_count);
}

static inline uint32_t bypeer_exact_second(uint64_t hash, uint32_t bucket_count)
{
    /* 2^64 divided by the golden ratio: spreads all bits of the hash, the tag's too, over the upper half. */
    return bypeer_exact_scale((uint32_t)((hash * UINT64_C(0x9e3779b97f4a7c15)) >> 32), bucket_count);
}

static inline uint16_t bypeer_exact_tag(uint64_t hash)
{
    uint16_t tag = (uint16_t)hash;
    return tag == 0 ? 1 : tag;
}

static inline uint64_t bypeer_exact_hash(const uint8_t key[static 16], uint64_t seed)
{
    return XXH3_64bits_withSeed(key, 16, seed);
}

static inline struct bypeer_exact_place bypeer_exact_place(const uint8_t key[static 16], uint64_t seed,
                                                           uint32_t bucket_count)
{
    uint64_t hash = bypeer_exact_hash(key, seed);
    return (struct bypeer_exact_place){.first = bypeer_exact_first(hash, bucket_count),
                                       .second = bypeer_exact_second(hash, bucket_count),
                                       .tag = bypeer_exact_tag(hash)};
}

static inline int bypeer_exact_same_key(const uint8_t a[static 16], const uint8_t b[static 16])
{
    uint64_t a0, a1, b0, b1;
    memcpy(&a0, a, 8);
    memcpy(&a1, a + 8, 8);
    memcpy(&b0, b, 8);
    memcpy(&b1, b + 8, 8);
    return ((a0 ^ b0) | (a1 ^ b1)) == 0;
}
