/* The burst lookup for processors with AVX2: a vector load takes in all ten tags. */
#include <immintrin.h>

#include "overlay/tables/exact_vector.h"

static inline uint32_t exact_avx2_match(const struct bypeer_bucket *bucket, uint16_t tag)
{
    const __m256i tags = _mm256_load_si256((const __m256i *)(const void *)bucket);
    const __m256i equal = _mm256_cmpeq_epi16(tags, _mm256_set1_epi16((short)tag));
    /* Two bits a lane; flags, version and two slots lie behind the tags and are cut off. */
    uint32_t bits = (uint32_t)_mm256_movemask_epi8(equal) & ((1u << 2 * BYPEER_BUCKET_WAYS) - 1);
    return bypeer_vector_slot(bucket, _pext_u32(bits, 0x55555555));
}

void bypeer_exact_lookup_avx2(const struct bypeer_exact *exact, const uint8_t *const keys[], unsigned count,
                              const struct bypeer_destination *found[])
{
    bypeer_exact_burst(exact, keys, count, found, exact_avx2_match);
}
