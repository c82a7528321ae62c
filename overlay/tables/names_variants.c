/* Groups and nodes in plain C, and the choice among the variants. */
#include "overlay/tables/names_locate.h"

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

static inline struct bypeer_names_compared names_compare(const struct bypeer_name_group *group, uint16_t key)
{
    struct bypeer_names_compared compared = {.less = 0};
    for (unsigned i = 0; i < BYPEER_NAME_GROUP_KEYS; i++) {
        compared.less += group->keys[i] < key;
        compared.equal += group->keys[i] == key;
    }
    return compared;
}

void bypeer_names_locate_generic(const struct bypeer_tables *tables, const uint8_t *clouds,
                                 const uint8_t *const targets[], unsigned count, enum bypeer_names_fetch fetch,
                                 struct bypeer_names_walk ret_walks[])
{
    bypeer_names_locate_with(tables, clouds, targets, count, fetch, ret_walks, bypeer_names_descend_generic,
                             names_compare);
}

void bypeer_names_variants(struct bypeer_names_variant ret_variants[static BYPEER_NAMES_VARIANTS])
{
    ret_variants[0] =
        (struct bypeer_names_variant){"generic", bypeer_names_descend_generic, bypeer_names_locate_generic};
    ret_variants[1] = (struct bypeer_names_variant){.name = "avx2"};
    ret_variants[2] = (struct bypeer_names_variant){.name = "avx512"};
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) {
        ret_variants[1].descend = bypeer_names_descend_avx2;
        ret_variants[1].locate = bypeer_names_locate_avx2;
    }
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2")) {
        ret_variants[2].descend = bypeer_names_descend_avx512;
        ret_variants[2].locate = bypeer_names_locate_avx512;
    }
#endif
}

/* Chosen once, before main(), and never changed. */
static bypeer_names_locate_function *names_locate = bypeer_names_locate_generic;

__attribute__((constructor)) static void names_choose(void)
{
    struct bypeer_names_variant variants[BYPEER_NAMES_VARIANTS];
    bypeer_names_variants(variants);
    for (unsigned i = 0; i < BYPEER_NAMES_VARIANTS; i++) {
        if (variants[i].locate)
            names_locate = variants[i].locate;
    }
}

void bypeer_names_locate(const struct bypeer_tables *tables, const uint8_t *clouds, const uint8_t *const targets[],
                         unsigned count, enum bypeer_names_fetch fetch, struct bypeer_names_walk ret_walks[])
{
    names_locate(tables, clouds, targets, count, fetch, ret_walks);
}
