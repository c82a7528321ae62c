/* What the vector variants have in common. */
#pragma once

#include "overlay/tables/exact_burst.h"

/* The slot of the lowest way in a mask of ways, or 0. The tags were a vector load, which is no atomic one: x86 does not
 * reorder loads, the slot's address depends on the tags anyway, and the fence holds the compiler to it. */
static inline uint32_t bypeer_vector_slot(const struct bypeer_bucket *bucket, uint32_t ways)
{
    __atomic_signal_fence(__ATOMIC_ACQUIRE);
    uint32_t slot =
        __atomic_load_n(&bucket->slots[__builtin_ctz(ways | 1u << (BYPEER_BUCKET_WAYS - 1))], __ATOMIC_ACQUIRE);
    return bypeer_exact_if(ways != 0, slot);
}

/* exact_avx2.c and exact_avx512.c, for exact.c to choose from. */
bypeer_exact_lookup_function bypeer_exact_lookup_avx2;
bypeer_exact_lookup_function bypeer_exact_lookup_avx512;
