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

/* A descent whose place the guide says to lie from low to high. */
struct bypeer_names_guided {
    struct bypeer_names_descent *descent;
    uint32_t low, high;
    uint32_t leaf;
};

/* Where among the records from low to high a key is likely to be: its bits behind those that the guide is indexed by
 * say how far. */
static inline uint32_t bypeer_names_likely(uint64_t key, unsigned bits, uint32_t low, uint32_t high)
{
    uint64_t behind = (key << bits) >> 32;
    return low + (uint32_t)((behind * (high - low)) >> 32);
}

/* Reads the guide; false: it leads nowhere, the tree has to tell. */
static inline __attribute__((always_inline)) bool bypeer_names_read_guide(struct bypeer_names_guided *guided)
{
    const struct bypeer_names_tree *tree = guided->descent->tree;
    uint32_t low = __atomic_load_n(&tree->guide[guided->descent->place], __ATOMIC_RELAXED);
    uint32_t high = __atomic_load_n(&tree->guide[guided->descent->place + 1], __ATOMIC_RELAXED);
    uint32_t likely = bypeer_names_likely(guided->descent->key, tree->guide_bits, low, high);
    guided->low = low;
    guided->high = high;
    guided->leaf = (likely < tree->count ? likely : tree->count - 1) / BYPEER_NAME_NODE_KEYS;
    return low <= high && high <= tree->count;
}

/* Looks into the leaf. Returns 0: the place is found; -1, 1: it is in the leaf before or behind. */
static inline __attribute__((always_inline)) int bypeer_names_read_leaf(const struct bypeer_names_guided *guided,
                                                                        bypeer_names_less_function *less)
{
    struct bypeer_names_descent *descent = guided->descent;
    uint32_t first = guided->leaf * BYPEER_NAME_NODE_KEYS;
    uint32_t below = less(&descent->tree->leaves[guided->leaf], descent->key);
    uint32_t place = first + below;
    descent->place = place < descent->tree->count ? place : descent->tree->count;
    if (below == 0 && first > guided->low)
        return -1;
    return below == BYPEER_NAME_NODE_KEYS && first + BYPEER_NAME_NODE_KEYS < guided->high;
}

static inline __attribute__((always_inline)) void
bypeer_names_descend_by(struct bypeer_names_descent descents[], unsigned count, bypeer_names_less_function *less)
{
    struct bypeer_names_descent *unguided[BYPEER_NAMES_DESCENTS];
    struct bypeer_names_guided guided[BYPEER_NAMES_DESCENTS + 1];
    unsigned unguided_count = 0, guided_count = 0, at_leaves = 0, beside = 0;
    for (unsigned i = 0; i < count; i++) {
        struct bypeer_names_descent *descent = &descents[i];
        const struct bypeer_names_tree *tree = descent->tree;
        if (!tree->guide) {
            unguided[unguided_count++] = descent;
            continue;
        }
        descent->place = (uint32_t)bypeer_names_guide_at(descent->key, tree->guide_bits);
        __builtin_prefetch(&tree->guide[descent->place]);
        guided[guided_count++].descent = descent;
    }
    for (unsigned i = 0; i < guided_count; i++) {
        struct bypeer_names_guided *at = &guided[at_leaves];
        at->descent = guided[i].descent;
        if (bypeer_names_read_guide(at)) {
            __builtin_prefetch(&at->descent->tree->leaves[at->leaf]);
            at_leaves++;
        } else {
            unguided[unguided_count++] = at->descent;
        }
    }
    /* About one in eight is in the leaf beside the likely one. */
    for (unsigned i = 0; i < at_leaves; i++) {
        int way = bypeer_names_read_leaf(&guided[i], less);
        if (way == 0) {
            bypeer_names_fetch(guided[i].descent->tree, guided[i].descent->place);
            continue;
        }
        guided[beside] = guided[i];
        guided[beside].leaf += (uint32_t)way;
        __builtin_prefetch(&guided[beside].descent->tree->leaves[guided[beside].leaf]);
        beside++;
    }
    for (unsigned i = 0; i < beside; i++) {
        if (bypeer_names_read_leaf(&guided[i], less) == 0)
            bypeer_names_fetch(guided[i].descent->tree, guided[i].descent->place);
        else
            unguided[unguided_count++] = guided[i].descent;
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
