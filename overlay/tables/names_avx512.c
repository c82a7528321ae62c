/* The way down for processors with AVX-512: a node is one vector. */
#include <immintrin.h>

#include "overlay/tables/names_search.h"

static inline unsigned names_avx512_less(const struct bypeer_name_node *node, uint64_t key)
{
    const __m512i keys = _mm512_load_si512((const void *)node->keys);
    return (unsigned)__builtin_popcount(_mm512_cmplt_epu64_mask(keys, _mm512_set1_epi64((long long)key)));
}

void bypeer_names_descend_avx512(struct bypeer_names_descent descents[], unsigned count)
{
    bypeer_names_descend_by(descents, count, names_avx512_less);
}
