/* Groups and nodes for processors with AVX2: each is two vectors. */
#include <immintrin.h>

#include "overlay/tables/names_locate.h"

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

/* How many of 32 words matched that are keys: two bits of a mask each. */
static inline uint32_t names_avx2_count(__m256i first, __m256i second)
{
    const uint64_t keys = ((UINT64_C(1) << 2 * BYPEER_NAME_GROUP_KEYS) - 1) << 2; /* behind the count */
    const uint64_t mask = (uint32_t)_mm256_movemask_epi8(first) | (uint64_t)(uint32_t)_mm256_movemask_epi8(second)
                                                                      << 32;
    return (uint32_t)__builtin_popcountll(mask & keys) / 2;
}

static inline struct bypeer_names_compared names_avx2_compare(const struct bypeer_name_group *group, uint16_t key)
{
    const __m256i high = _mm256_set1_epi16(INT16_MIN);
    const __m256i wanted = _mm256_xor_si256(_mm256_set1_epi16((short)key), high);
    const __m256i *words = (const __m256i *)(const void *)group;
    const __m256i first = _mm256_xor_si256(_mm256_load_si256(words), high);
    const __m256i second = _mm256_xor_si256(_mm256_load_si256(words + 1), high);
    return (struct bypeer_names_compared){
        .less = names_avx2_count(_mm256_cmpgt_epi16(wanted, first), _mm256_cmpgt_epi16(wanted, second)),
        .equal = names_avx2_count(_mm256_cmpeq_epi16(wanted, first), _mm256_cmpeq_epi16(wanted, second)),
    };
}

void bypeer_names_locate_avx2(const struct bypeer_tables *tables, const uint8_t *clouds, const uint8_t *const targets[],
                              unsigned count, enum bypeer_names_fetch fetch, struct bypeer_names_walk ret_walks[])
{
    bypeer_names_locate_with(tables, clouds, targets, count, fetch, ret_walks, bypeer_names_descend_avx2,
                             names_avx2_compare);
}
