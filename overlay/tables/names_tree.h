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
#include <stdbool.h>
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

/* Starts to fetch the neighbours of the place, for a walk goes both ways: into the second level of cache, since there
 * are few line buffers for the first, and these are most of the lines. */
static inline void bypeer_names_fetch(const struct bypeer_names_tree *tree, uint32_t place)
{
    __builtin_prefetch(&tree->records[place - (place == tree->count)], 0, 2);
    __builtin_prefetch(&tree->records[(place != 0 ? place : tree->count) - 1], 0, 2);
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

/* Where among the records from low to high a key is likely to be: its bits behind those that the guide is indexed by
 * say how far. */
static inline uint32_t bypeer_names_likely(uint64_t key, unsigned bits, uint32_t low, uint32_t high)
{
    uint64_t behind = (key << bits) >> 32;
    return low + (uint32_t)((behind * (high - low)) >> 32);
}

/*
 * Descents through one tree, which has a guide: into the likely leaf, and into the one beside it if the place is not
 * there, which is so for about one in eight. Those that it does not settle, of crowded or of false IDs, join unguided;
 * returns how many those are then.
 *
 * Nothing branches on what a line says before the last loop: a wrong guess would throw away the lines behind it.
 */
static inline __attribute__((always_inline)) unsigned
bypeer_names_descend_guided(struct bypeer_names_descent descents[], unsigned count, bypeer_names_less_function *less,
                            struct bypeer_names_descent *unguided[], unsigned unguided_count)
{
    const struct bypeer_names_tree *tree = descents[0].tree;
    const struct bypeer_name_node *leaves = tree->leaves;
    const struct bypeer_name_record *records = tree->records;
    const uint32_t *guide = tree->guide;
    const uint32_t total = tree->count;
    const unsigned bits = tree->guide_bits;
    uint32_t lows[BYPEER_NAMES_DESCENTS], highs[BYPEER_NAMES_DESCENTS], at[BYPEER_NAMES_DESCENTS];
    uint8_t beside[BYPEER_NAMES_DESCENTS];
    unsigned beside_count = 0;

    for (unsigned i = 0; i < count; i++) {
        at[i] = (uint32_t)bypeer_names_guide_at(descents[i].key, bits);
        __builtin_prefetch(&guide[at[i]]);
    }
    for (unsigned i = 0; i < count; i++) {
        uint32_t low = __atomic_load_n(&guide[at[i]], __ATOMIC_RELAXED);
        uint32_t high = __atomic_load_n(&guide[at[i] + 1], __ATOMIC_RELAXED);
        uint32_t likely = bypeer_names_likely(descents[i].key, bits, low, high);
        at[i] = (likely < total ? likely : total - 1) / BYPEER_NAME_NODE_KEYS;
        lows[i] = low;
        highs[i] = high;
        __builtin_prefetch(&leaves[at[i]]);
    }
    for (unsigned i = 0; i < count; i++) {
        uint32_t first = at[i] * BYPEER_NAME_NODE_KEYS;
        uint32_t below = less(&leaves[at[i]], descents[i].key);
        uint32_t place = first + below < total ? first + below : total;
        bool is_before = (below == 0) & (first > lows[i]);
        bool is_behind = (below == BYPEER_NAME_NODE_KEYS) & (first + BYPEER_NAME_NODE_KEYS < highs[i]);
        bool is_false = (lows[i] > highs[i]) | (highs[i] > total);
        descents[i].place = place;
        beside[beside_count] = (uint8_t)i;
        beside_count += is_before | is_behind | is_false;
        __builtin_prefetch(&records[place - (place == total)], 0, 2);
        __builtin_prefetch(&records[(place != 0 ? place : total) - 1], 0, 2);
    }
    for (unsigned k = 0; k < beside_count; k++) {
        uint32_t *leaf = &at[beside[k]];
        *leaf = descents[beside[k]].place <= *leaf * BYPEER_NAME_NODE_KEYS ? *leaf - (*leaf != 0) : *leaf + 1;
        *leaf = *leaf < (total - 1) / BYPEER_NAME_NODE_KEYS ? *leaf : (total - 1) / BYPEER_NAME_NODE_KEYS;
        __builtin_prefetch(&leaves[*leaf]);
    }
    for (unsigned k = 0; k < beside_count; k++) {
        unsigned i = beside[k];
        uint32_t first = at[i] * BYPEER_NAME_NODE_KEYS;
        uint32_t below = less(&leaves[at[i]], descents[i].key);
        descents[i].place = first + below < total ? first + below : total;
        bool is_elsewhere = (below == 0 && first > lows[i]) ||
                            (below == BYPEER_NAME_NODE_KEYS && first + BYPEER_NAME_NODE_KEYS < highs[i]) ||
                            lows[i] > highs[i] || highs[i] > total;
        if (is_elsewhere)
            unguided[unguided_count++] = &descents[i];
        else
            bypeer_names_fetch(tree, descents[i].place);
    }
    return unguided_count;
}

static inline __attribute__((always_inline)) void
bypeer_names_descend_by(struct bypeer_names_descent descents[], unsigned count, bypeer_names_less_function *less)
{
    struct bypeer_names_descent *unguided[BYPEER_NAMES_DESCENTS];
    unsigned unguided_count = 0;
    for (unsigned from = 0, to; from < count; from = to) {
        const struct bypeer_names_tree *tree = descents[from].tree;
        to = from + 1;
        while (to < count && descents[to].tree == tree)
            to++;
        if (tree->guide) {
            unguided_count = bypeer_names_descend_guided(&descents[from], to - from, less, unguided, unguided_count);
            continue;
        }
        for (unsigned i = from; i < to; i++)
            unguided[unguided_count++] = &descents[i];
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
