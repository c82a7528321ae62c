/* The burst lookup for processors with AVX-512 BW and VL: ten tags compared by one instruction. */
#include <immintrin.h>

#include "overlay/tables/exact_vector.h"

static inline uint32_t exact_avx512_match(const struct bypeer_bucket *bucket, uint16_t tag)
{
    const __mmask16 all_ways = (1u << BYPEER_BUCKET_WAYS) - 1;
    __m256i tags = _mm256_load_si256((const __m256i *)(const void *)bucket);
    uint32_t ways = _mm256_mask_cmpeq_epi16_mask(all_ways, tags, _mm256_set1_epi16((short)tag));
    return bypeer_vector_slot(bucket, ways);
}

void bypeer_exact_lookup_avx512(const struct bypeer_exact *exact, const uint8_t *const keys[], unsigned count,
                                const struct bypeer_destination *found[])
{
    bypeer_exact_burst(exact, keys, count, found, exact_avx512_match);
}
