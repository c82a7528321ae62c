/*
 * The tree over one word of a run of records: where its layers are, and the way down. names.h has the essay.
 *
 *   guide          [ 0 ][ 1 ] ... entry g: how many words begin with bits that are less than g
 *   layer 0        [ root ]
 *   layer 1        [ 0 ][ 1 ] ... at most 9 nodes        key i of node k: the last word below child 9 k + i
 *   ...
 *   last layer     the records' words, eight a node      place = 8 k + how many keys of node k are less
 *
 * A guide's two neighbouring entries say between which leaves a word is: for IDs, which are hashes, in one or two, and
 * the layers above are not touched. Where somebody has crowded IDs together they lead down, whatever he does.
 *
 * Keys beyond the last one are all ones, which nothing is greater than, so that a search never leaves a true tree; in
 * one that a wrong writer made every step is bounded by the number of nodes of its layer.
 */
#pragma once

#include <endian.h>
#include <string.h>

#include "overlay/tables/names.h"

#define BYPEER_NAMES_CHILDREN (BYPEER_NAME_NODE_KEYS + 1)
#define BYPEER_NAMES_LAYERS   11 /* 8 * 9^10 > 2^32 */

struct bypeer_names_shape {
    uint32_t layers; /* 0: no records */
    uint32_t nodes;  /* in all layers */
    struct {
        uint32_t first, nodes;
    } layer[BYPEER_NAMES_LAYERS];
};

static inline void bypeer_names_shape(uint32_t records, struct bypeer_names_shape *ret_shape)
{
    uint32_t sizes[BYPEER_NAMES_LAYERS];
    uint32_t layers = 0;
    uint32_t nodes = records / BYPEER_NAME_NODE_KEYS + (records % BYPEER_NAME_NODE_KEYS != 0);
    while (nodes != 0 && layers < BYPEER_NAMES_LAYERS) {
        sizes[layers++] = nodes;
        nodes = nodes == 1 ? 0 : (nodes + BYPEER_NAMES_CHILDREN - 1) / BYPEER_NAMES_CHILDREN;
    }
    ret_shape->layers = layers;
    ret_shape->nodes = 0;
    for (uint32_t layer = 0; layer < layers; layer++) {
        ret_shape->layer[layer].first = ret_shape->nodes;
        ret_shape->layer[layer].nodes = sizes[layers - 1 - layer];
        ret_shape->nodes += sizes[layers - 1 - layer];
    }
}

/* A word of an ID, the most significant being word 0. */
static inline uint64_t bypeer_names_word(const uint8_t id[static 32], unsigned word)
{
    uint64_t bytes;
    memcpy(&bytes, id + (size_t)word * 8, sizeof(bytes));
    return be64toh(bytes);
}

/* How many bits of a word the guide over so many records is indexed by: 4 to 8 records to an entry, if they are spread
 * evenly. */
static inline unsigned bypeer_names_guide_bits(uint32_t records)
{
    return records < 8 ? 0 : 31u - (unsigned)__builtin_clz(records) - 2;
}

/* Entries of the guide; it lies in nodes, 16 entries each. */
#define BYPEER_NAMES_GUIDE_ENTRIES (sizeof(struct bypeer_name_node) / sizeof(uint32_t))
static inline uint32_t bypeer_names_guide_nodes(uint32_t records)
{
    uint32_t entries = (UINT32_C(1) << bypeer_names_guide_bits(records)) + 1;
    return (uint32_t)((entries + BYPEER_NAMES_GUIDE_ENTRIES - 1) / BYPEER_NAMES_GUIDE_ENTRIES);
}

/* Where a word's entry is in a guide of so many bits. */
static inline uint64_t bypeer_names_guide_at(uint64_t word, unsigned bits)
{
    return word >> 1 >> (63 - bits);
}

struct bypeer_names_tree {
    const struct bypeer_name_node *nodes;
    const struct bypeer_name_node *leaves;
    const uint32_t *guide; /* NULL: none */
    const struct bypeer_name_record *records;
    uint32_t count;
    unsigned guide_bits;
    struct bypeer_names_shape shape; /* of count records */
};

/* One search: which of a tree's words is the first that is not less than key. */
struct bypeer_names_descent {
    uint64_t key;
    const struct bypeer_names_tree *tree;
    uint32_t place; /* on the way the node; in the end 0 to the tree's count */
};

#define BYPEER_NAMES_DESCENTS (2 * BYPEER_NAMES_BURST) /* at most in one call: each target in half and delta */

/* How many keys of a node are less than key. */
typedef unsigned bypeer_names_less_function(const struct bypeer_name_node *node, uint64_t key);

/* Starts to fetch the neighbours of the place: a walk goes both ways. */
static inline void bypeer_names_fetch(const struct bypeer_names_tree *tree, uint32_t place)
{
    __builtin_prefetch(&tree->records[place - (place == tree->count)]);
    __builtin_prefetch(&tree->records[(place != 0 ? place : tree->count) - 1]);
}

/* Where the guide leads to: the word is in at most two leaves, else the tree has to tell. */
static inline __attribute__((always_inline)) bool bypeer_names_guided(const struct bypeer_names_descent *descent,
                                                                      uint32_t *ret_first, uint32_t *ret_leaves)
{
    const struct bypeer_names_tree *tree = descent->tree;
    uint32_t low = __atomic_load_n(&tree->guide[descent->place], __ATOMIC_RELAXED);
    uint32_t high = __atomic_load_n(&tree->guide[descent->place + 1], __ATOMIC_RELAXED);
    if (low > high || high > tree->count)
        return false;
    *ret_first = low / BYPEER_NAME_NODE_KEYS;
    *ret_leaves = (high + BYPEER_NAME_NODE_KEYS - 1) / BYPEER_NAME_NODE_KEYS - *ret_first;
    return *ret_leaves <= 2;
}

/*
 * All descents by one step, then by the next, so that the lines of a step come together. Each variant is one object
 * that includes this and passes its own way to compare.
 */
static inline __attribute__((always_inline)) void
bypeer_names_descend_tree(struct bypeer_names_descent *descents[], unsigned count, bypeer_names_less_function *less)
{
    uint32_t layers = 0;
    for (unsigned i = 0; i < count; i++) {
        uint32_t own = descents[i]->tree->shape.layers;
        descents[i]->place = 0;
        layers = own > layers ? own : layers;
    }
    for (uint32_t layer = 0; layer < layers; layer++) {
        for (unsigned i = 0; i < count; i++) {
            struct bypeer_names_descent *descent = descents[i];
            const struct bypeer_names_tree *tree = descent->tree;
            const struct bypeer_names_shape *shape = &tree->shape;
            if (layer >= shape->layers)
                continue;
            uint32_t node = descent->place;
            uint32_t below = less(&tree->nodes[shape->layer[layer].first + node], descent->key);
            if (layer + 1 == shape->layers) {
                uint32_t place = node * BYPEER_NAME_NODE_KEYS + below;
                descent->place = place < tree->count ? place : tree->count;
                bypeer_names_fetch(tree, descent->place);
            } else {
                uint32_t next = node * BYPEER_NAMES_CHILDREN + below;
                uint32_t last = shape->layer[layer + 1].nodes - 1;
                descent->place = next < last ? next : last;
                __builtin_prefetch(&tree->nodes[shape->layer[layer + 1].first + descent->place]);
            }
        }
    }
}

static inline __attribute__((always_inline)) void
bypeer_names_descend_by(struct bypeer_names_descent descents[], unsigned count, bypeer_names_less_function *less)
{
    struct bypeer_names_descent *unguided[BYPEER_NAMES_DESCENTS], *guided[BYPEER_NAMES_DESCENTS];
    uint32_t leaves[BYPEER_NAMES_DESCENTS];
    unsigned unguided_count = 0, guided_count = 0, at_leaves = 0;
    for (unsigned i = 0; i < count; i++) {
        struct bypeer_names_descent *descent = &descents[i];
        const struct bypeer_names_tree *tree = descent->tree;
        if (!tree->guide) {
            unguided[unguided_count++] = descent;
            continue;
        }
        descent->place = (uint32_t)bypeer_names_guide_at(descent->key, tree->guide_bits);
        __builtin_prefetch(&tree->guide[descent->place]);
        guided[guided_count++] = descent;
    }
    for (unsigned i = 0; i < guided_count; i++) {
        struct bypeer_names_descent *descent = guided[i];
        uint32_t first, between;
        if (!bypeer_names_guided(descent, &first, &between)) {
            unguided[unguided_count++] = descent;
            continue;
        }
        __builtin_prefetch(&descent->tree->leaves[first]);
        __builtin_prefetch(&descent->tree->leaves[first + (between == 2)]);
        descent->place = first;
        leaves[at_leaves] = between;
        guided[at_leaves++] = descent;
    }
    for (unsigned i = 0; i < at_leaves; i++) {
        struct bypeer_names_descent *descent = guided[i];
        const struct bypeer_names_tree *tree = descent->tree;
        uint32_t first = descent->place, last = tree->shape.layer[tree->shape.layers - 1].nodes - 1;
        /* Both are looked at whether they count or not: which is known too late to branch on. */
        uint32_t in_first = less(&tree->leaves[first < last ? first : last], descent->key);
        uint32_t in_second = less(&tree->leaves[first < last ? first + (leaves[i] == 2) : last], descent->key);
        uint32_t place =
            first * BYPEER_NAME_NODE_KEYS + (leaves[i] != 0 ? in_first : 0) + (leaves[i] == 2 ? in_second : 0);
        descent->place = place < tree->count ? place : tree->count;
        bypeer_names_fetch(tree, descent->place);
    }
    bypeer_names_descend_tree(unguided, unguided_count, less);
}

/* The variants, for tests and benchmarks; NULL where the build or the processor lacks one. */
typedef void bypeer_names_descend_function(struct bypeer_names_descent descents[], unsigned count);
bypeer_names_descend_function bypeer_names_descend_generic, bypeer_names_descend_avx2, bypeer_names_descend_avx512;
struct bypeer_names_variant {
    const char *name; /* "generic", "avx2", "avx512" */
    bypeer_names_descend_function *descend;
};
#define BYPEER_NAMES_VARIANTS 3
void bypeer_names_variants(struct bypeer_names_variant ret_variants[static BYPEER_NAMES_VARIANTS]);
