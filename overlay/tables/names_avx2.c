/* The way down for processors with AVX2: a node is two vectors. */
#include <immintrin.h>

#include "overlay/tables/names_search.h"

/* There are signed comparisons only: with the highest bit turned over, they order unsigned numbers. */
static inline unsigned names_avx2_less(const struct bypeer_name_node *node, uint64_t key)
{
    const __m256i high = _mm256_set1_epi64x(INT64_MIN);
    const __m256i wanted = _mm256_xor_si256(_mm256_set1_epi64x((long long)key), high);
    const __m256i *keys = (const __m256i *)(const void *)node->keys;
    const __m256i first = _mm256_cmpgt_epi64(wanted, _mm256_xor_si256(_mm256_load_si256(keys), high));
    const __m256i second = _mm256_cmpgt_epi64(wanted, _mm256_xor_si256(_mm256_load_si256(keys + 1), high));
    const unsigned less = (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(first)) |
                          (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(second)) << 4;
    return (unsigned)__builtin_popcount(less);
}

void bypeer_names_descend_avx2(struct bypeer_names_descent descents[], unsigned count)
{
    bypeer_names_descend_by(descents, count, names_avx2_less);
}
