/* Places in the arrays of the nearest-ID index, as its files share them. names.h has the essay. */
#pragma once

#include "overlay/tables/names_tree.h"

#define BYPEER_NAMES_HALVES 2
#define BYPEER_NAMES_DELTAS 4
#define BYPEER_NAMES_ARRAYS (BYPEER_NAMES_HALVES + BYPEER_NAMES_DELTAS)
#define BYPEER_NAMES_LEVELS 3  /* of runs: words 0, 0 to 1, 0 to 2 are equal */
#define BYPEER_NAMES_SHORT  32 /* records of a run that needs no tree */

/*
 *   63          32 31     16 15     0
 *   | serial      | delta   | half   |      numbers of arrays: 0 and 1 halves, 2 to 5 deltas
 */
struct bypeer_names_root {
    uint32_t serial;
    uint32_t delta, half;
};

static inline struct bypeer_names_root bypeer_names_root_read(const struct bypeer_tables_header *header)
{
    /* Pairs with the release in names_publish(): what the root names is all there. */
    uint64_t root = __atomic_load_n(&header->names_root, __ATOMIC_ACQUIRE);
    return (struct bypeer_names_root){(uint32_t)(root >> 32), (uint32_t)(root >> 16) & 0xffff, (uint32_t)root & 0xffff};
}

/* What one cloud has of one array, every number within its section. */
struct bypeer_names_place {
    uint32_t first, count;
    struct bypeer_names_tree tree;
};
void bypeer_names_place(const struct bypeer_names_view *view, uint32_t array, uint32_t cloud,
                        struct bypeer_names_place *ret_place);

/* The record of an ID in one array, dead or alive; NULL: none. For the writer. */
const struct bypeer_name_record *bypeer_names_search(const struct bypeer_names_view *view, uint32_t array,
                                                     uint32_t cloud, const uint8_t id[static 32]);

/* bypeer_names_locate() by one variant. */
void bypeer_names_locate_by(bypeer_names_descend_function *descend, const struct bypeer_tables *tables,
                            const uint8_t *clouds, const uint8_t *const targets[], unsigned count,
                            struct bypeer_names_walk ret_walks[]);
