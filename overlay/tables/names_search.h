/* Places in the arrays of the nearest-ID index, as its files share them. names.h has the essay. */
#pragma once

#include "overlay/tables/names_group.h"
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

static inline uint32_t bypeer_names_load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline bool bypeer_names_fit(uint32_t first, uint32_t count, uint32_t room)
{
    return first <= room && count <= room - first;
}

/* What one cloud has of one array, to be read with bypeer_names_load() and checked; NULL: there is no such thing. */
static inline const struct bypeer_name_part *bypeer_names_part(const struct bypeer_names_view *view, uint32_t array,
                                                               uint32_t cloud)
{
    const uint32_t number = array * BYPEER_CLOUDS_MAX + cloud - 1;
    if (cloud < 1 || cloud > BYPEER_CLOUDS_MAX || array >= BYPEER_NAMES_ARRAYS || number >= view->part_count)
        return NULL;
    return &view->parts[number];
}

/* The same, every number within its section but that of the tree, which is seldom needed. */
struct bypeer_names_place {
    const struct bypeer_names_view *view;
    const struct bypeer_name_record *records;
    const struct bypeer_name_group *groups;
    const struct bypeer_name_node *leaves; /* the records' first words */
    uint32_t first, count, nodes;
    unsigned group_bits;
    uint8_t nearer; /* which of BYPEER_NAMES_NEARER_* groups can say */
    bool has_tree;
    struct bypeer_names_tree tree; /* once it was needed */
};
void bypeer_names_place(const struct bypeer_names_view *view, uint32_t array, uint32_t cloud,
                        struct bypeer_names_place *ret_place);

/* The tree over count records; false: it does not fit in the section. */
bool bypeer_names_tree(const struct bypeer_names_view *view, uint32_t nodes, uint32_t count,
                       const struct bypeer_name_record *records, struct bypeer_names_tree *ret_tree);

/* A target whose place its group does not tell. */
struct bypeer_names_open {
    struct bypeer_names_place *place;
    const uint8_t *target;
    const struct bypeer_name_group *group; /* NULL: as if it were crowded and without a run */
    struct bypeer_names_walk *walk;
    uint32_t at;   /* its place, 0 to count: from here on there are .equal records that may be below it */
    uint8_t equal; /* or BYPEER_NAMES_RANK_CROWDED */
    bool in_delta;
};
#define BYPEER_NAMES_SEARCHES (2 * BYPEER_NAMES_BURST) /* at once: each target in half and delta */

/* Finds the places of at most BYPEER_NAMES_SEARCHES targets: .at. */
typedef void bypeer_names_descend_function(struct bypeer_names_descent descents[], unsigned count);
void bypeer_names_settle(bypeer_names_descend_function *descend, struct bypeer_names_open opens[], unsigned count);

/* The record of an ID in one array, dead or alive; NULL: none. For the writer. */
const struct bypeer_name_record *bypeer_names_search(const struct bypeer_names_view *view, uint32_t array,
                                                     uint32_t cloud, const uint8_t id[static 32]);

/* The variants, for tests and benchmarks; .descend and .locate NULL where the build or the processor lacks one. */
typedef void bypeer_names_locate_function(const struct bypeer_tables *tables, const uint8_t *clouds,
                                          const uint8_t *const targets[], unsigned count, enum bypeer_names_fetch fetch,
                                          struct bypeer_names_walk ret_walks[]);
bypeer_names_descend_function bypeer_names_descend_generic, bypeer_names_descend_avx2, bypeer_names_descend_avx512;
bypeer_names_locate_function bypeer_names_locate_generic, bypeer_names_locate_avx2, bypeer_names_locate_avx512;
struct bypeer_names_variant {
    const char *name; /* "generic", "avx2", "avx512" */
    bypeer_names_descend_function *descend;
    bypeer_names_locate_function *locate;
};
#define BYPEER_NAMES_VARIANTS 3
void bypeer_names_variants(struct bypeer_names_variant ret_variants[static BYPEER_NAMES_VARIANTS]);
