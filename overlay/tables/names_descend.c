/* The way down in plain C, and the choice among the variants. */
#include "overlay/tables/names_search.h"

static inline unsigned names_less(const struct bypeer_name_node *node, uint64_t key)
{
    unsigned less = 0;
    for (unsigned i = 0; i < BYPEER_NAME_NODE_KEYS; i++)
        less += node->keys[i] < key;
    return less;
}

void bypeer_names_descend_generic(struct bypeer_names_descent descents[], unsigned count)
{
    bypeer_names_descend_by(descents, count, names_less);
}

void bypeer_names_variants(struct bypeer_names_variant ret_variants[static BYPEER_NAMES_VARIANTS])
{
    ret_variants[0] = (struct bypeer_names_variant){"generic", bypeer_names_descend_generic};
    ret_variants[1] = (struct bypeer_names_variant){"avx2", NULL};
    ret_variants[2] = (struct bypeer_names_variant){"avx512", NULL};
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2"))
        ret_variants[1].descend = bypeer_names_descend_avx2;
    if (__builtin_cpu_supports("avx512f"))
        ret_variants[2].descend = bypeer_names_descend_avx512;
#endif
}

/* Chosen once, before main(), and never changed. */
static bypeer_names_descend_function *names_descend = bypeer_names_descend_generic;

__attribute__((constructor)) static void names_choose(void)
{
    struct bypeer_names_variant variants[BYPEER_NAMES_VARIANTS];
    bypeer_names_variants(variants);
    for (unsigned i = 0; i < BYPEER_NAMES_VARIANTS; i++) {
        if (variants[i].descend)
            names_descend = variants[i].descend;
    }
}

void bypeer_names_locate(const struct bypeer_tables *tables, const uint8_t *clouds, const uint8_t *const targets[],
                         unsigned count, struct bypeer_names_walk ret_walks[])
{
    bypeer_names_locate_by(names_descend, tables, clouds, targets, count, ret_walks);
}
