/*
 * The tree over one word of a run of records: where its layers are, and the way down. names.h has the essay.
 *
 *   layer 0        [ root ]
 *   layer 1        [ 0 ][ 1 ] ... at most 9 nodes        key i of node k: the last word below child 9 k + i
 *   ...
 *   last layer     the records' words, eight a node      place = 8 k + how many keys of node k are less
 *
 * Keys beyond the last one are all ones, which nothing is greater than, so that a search never leaves a true tree; in
 * one that a wrong writer made every step is bounded by the number of nodes of its layer.
 */
#pragma once

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

/* Nodes of the last layer. */
static inline uint32_t bypeer_names_leaf_count(uint32_t records)
{
    return records / BYPEER_NAME_NODE_KEYS + (records % BYPEER_NAME_NODE_KEYS != 0);
}

static inline void bypeer_names_shape(uint32_t records, struct bypeer_names_shape *ret_shape)
{
    uint32_t sizes[BYPEER_NAMES_LAYERS];
    uint32_t layers = 0;
    uint32_t nodes = bypeer_names_leaf_count(records);
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

struct bypeer_names_tree {
    const struct bypeer_name_node *nodes;
    const struct bypeer_name_record *records;
    uint32_t count;
    struct bypeer_names_shape shape; /* of count records */
};

/* One search: which of a tree's words is the first that is not less than key. */
struct bypeer_names_descent {
    uint64_t key;
    const struct bypeer_names_tree *tree;
    uint32_t place; /* on the way the node; in the end 0 to the tree's count */
};

/* How many keys of a node are less than key. */
typedef unsigned bypeer_names_less_function(const struct bypeer_name_node *node, uint64_t key);

/*
 * All descents by one step, then by the next, so that the lines of a step come together. Each variant is one object
 * that includes this and passes its own way to compare.
 */
static inline __attribute__((always_inline)) void
bypeer_names_descend_by(struct bypeer_names_descent descents[], unsigned count, bypeer_names_less_function *less)
{
    uint32_t layers = 0;
    for (unsigned i = 0; i < count; i++) {
        uint32_t own = descents[i].tree->shape.layers;
        descents[i].place = 0;
        layers = own > layers ? own : layers;
    }
    for (uint32_t layer = 0; layer < layers; layer++) {
        for (unsigned i = 0; i < count; i++) {
            struct bypeer_names_descent *descent = &descents[i];
            const struct bypeer_names_tree *tree = descent->tree;
            const struct bypeer_names_shape *shape = &tree->shape;
            if (layer >= shape->layers)
                continue;
            uint32_t node = descent->place;
            uint32_t below = less(&tree->nodes[shape->layer[layer].first + node], descent->key);
            if (layer + 1 == shape->layers) {
                uint32_t place = node * BYPEER_NAME_NODE_KEYS + below;
                descent->place = place < tree->count ? place : tree->count;
                __builtin_prefetch(&tree->records[descent->place - (descent->place == tree->count)]);
            } else {
                uint32_t next = node * BYPEER_NAMES_CHILDREN + below;
                uint32_t last = shape->layer[layer + 1].nodes - 1;
                descent->place = next < last ? next : last;
                __builtin_prefetch(&tree->nodes[shape->layer[layer + 1].first + descent->place]);
            }
        }
    }
}
