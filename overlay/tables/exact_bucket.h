/*
 * Searching one bucket in plain C: ten tags compared at once, four to a 64-bit word. The vector variants have their own
 * way; the writer, the rare cases and processors without AVX2 use this one.
 *
 * A set of ways is a 64-bit mask: tag t of word w (tag 4w + t) is bit 16t + w.
 */
#pragma once

#include "overlay/tables/layout.h"

_Static_assert(BYPEER_BUCKET_WAYS == 10, "two words and a half of tags");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first tag is the lowest");

/* Bit 15 of each lane of 16 bits that is zero in x; exact, since no carry leaves a lane. */
static inline uint64_t bypeer_bucket_zero_lanes(uint64_t x)
{
    const uint64_t low_bits = UINT64_C(0x7fff7fff7fff7fff);
    return ~(((x & low_bits) + low_bits) | x | low_bits);
}

/* The ways whose tag is tag. Acquire: what was written before a tag is seen by who sees the tag (exact_writer.c). */
static inline uint64_t bypeer_bucket_match(const struct bypeer_bucket *bucket, uint16_t tag)
{
    const uint64_t every = tag * UINT64_C(0x0001000100010001);
    const uint64_t *words = (const uint64_t *)(const void *)bucket->tags;
    uint64_t a = __atomic_load_n(&words[0], __ATOMIC_ACQUIRE);
    uint64_t b = __atomic_load_n(&words[1], __ATOMIC_ACQUIRE);
    uint64_t c = __atomic_load_n((const uint32_t *)(const void *)&words[2], __ATOMIC_ACQUIRE);
    uint64_t two_lanes = bypeer_bucket_zero_lanes(c ^ every) & UINT64_C(0xffffffff);
    return bypeer_bucket_zero_lanes(a ^ every) >> 15 | bypeer_bucket_zero_lanes(b ^ every) >> 14 | two_lanes >> 13;
}

/* The way of the highest bit: adding it to a set changes which way is named only if the set is empty. */
#define BYPEER_BUCKET_LAST_WAY (UINT64_C(1) << 49)

/* One way of a set that is not empty, that of its lowest bit. */
static inline unsigned bypeer_bucket_way(uint64_t ways)
{
    unsigned bit = (unsigned)__builtin_ctzll(ways);
    return (bit & 15) * 4 + (bit >> 4);
}

static inline uint32_t bypeer_bucket_slot(const struct bypeer_bucket *bucket, unsigned way)
{
    return __atomic_load_n(&bucket->slots[way], __ATOMIC_ACQUIRE);
}

static inline int bypeer_bucket_is_stashed(const struct bypeer_bucket *bucket)
{
    return (__atomic_load_n(&bucket->flags, __ATOMIC_ACQUIRE) & BYPEER_BUCKET_STASHED) != 0;
}
