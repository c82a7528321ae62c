/* Groups and nodes for processors with AVX-512 BW: each is one vector. */
#include <immintrin.h>

#include "overlay/tables/names_locate.h"

static inline unsigned names_avx512_less(const struct bypeer_name_node *node, uint64_t key)
{
    const __m512i keys = _mm512_load_si512((const void *)node->keys);
    return (unsigned)__builtin_popcount(_mm512_cmplt_epu64_mask(keys, _mm512_set1_epi64((long long)key)));
}

void bypeer_names_descend_avx512(struct bypeer_names_descent descents[], unsigned count)
{
    bypeer_names_descend_by(descents, count, names_avx512_less);
}

static inline struct bypeer_names_compared names_avx512_compare(const struct bypeer_name_group *group, uint16_t key)
{
    const __mmask32 keys = ((UINT32_C(1) << BYPEER_NAME_GROUP_KEYS) - 1) << 1; /* behind the count */
    const __m512i words = _mm512_load_si512((const void *)group), wanted = _mm512_set1_epi16((short)key);
    return (struct bypeer_names_compared){
        .less = (uint32_t)__builtin_popcount(_mm512_mask_cmplt_epu16_mask(keys, words, wanted)),
        .equal = (uint32_t)__builtin_popcount(_mm512_mask_cmpeq_epi16_mask(keys, words, wanted)),
    };
}

void bypeer_names_locate_avx512(const struct bypeer_tables *tables, const uint8_t *clouds,
                                const uint8_t *const targets[], unsigned count, enum bypeer_names_fetch fetch,
                                struct bypeer_names_walk ret_walks[])
{
    bypeer_names_locate_with(tables, clouds, targets, count, fetch, ret_walks, bypeer_names_descend_avx512,
                             names_avx512_compare);
}
