#include "overlay/tables/prefixes.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "overlay/tables/tables.h"

#define FANOUT    5
#define KEYS      4
#define LEVELS    15 /* 5^0 + ... + 5^14 nodes: more than 2^31, which 2^33 boundaries fill */
#define ROOT_HALF (UINT64_C(1) << 63)

typedef unsigned __int128 address128;

static address128 address_load(const uint8_t bytes[static 16])
{
    uint64_t halves[2];
    memcpy(halves, bytes, sizeof(halves));
    return (address128)be64toh(halves[0]) << 64 | be64toh(halves[1]);
}

/* --- sizes ------------------------------------------------------------------------------------------------------- */

static uint64_t half_nodes(uint32_t prefixes)
{
    return ((uint64_t)prefixes * 2 + KEYS - 1) / KEYS;
}

uint64_t bypeer_prefixes_nodes(uint32_t prefixes)
{
    return half_nodes(prefixes) * 2;
}

uint64_t bypeer_prefixes_values(uint32_t prefixes)
{
    return (half_nodes(prefixes) * KEYS + 1) * 2;
}

/* --- boundaries -------------------------------------------------------------------------------------------------- */

/* In-order walk over the places of a tree of so many nodes: the next place is where the next greater boundary goes. */
struct tree_walk {
    uint64_t nodes;
    unsigned depth; /* entries of the stack in use */
    struct {
        uint64_t node;
        unsigned key; /* next of this node */
    } stack[LEVELS + 1];
};

static void walk_descend(struct tree_walk *walk, uint64_t node)
{
    while (node < walk->nodes) {
        walk->stack[walk->depth].node = node;
        walk->stack[walk->depth].key = 0;
        walk->depth++;
        node = node * FANOUT + 1;
    }
}

static bool walk_next(struct tree_walk *walk, uint64_t *ret_node, unsigned *ret_key)
{
    while (walk->depth && walk->stack[walk->depth - 1].key == KEYS)
        walk->depth--;
    if (walk->depth == 0)
        return false;
    uint64_t node = walk->stack[walk->depth - 1].node;
    unsigned key = walk->stack[walk->depth - 1].key++;
    walk_descend(walk, node * FANOUT + key + 2);
    *ret_node = node;
    *ret_key = key;
    return true;
}

/* Where boundaries go: counted only, or written into a tree. */
struct boundaries {
    struct bypeer_prefix_node *nodes; /* NULL: count */
    uint32_t *values;
    struct tree_walk walk;
    uint64_t count; /* so far, without the pending one */
    uint32_t value; /* of the interval before the pending boundary */
    bool pending;
    address128 pending_at;
    uint32_t pending_value;
};

static void boundaries_place(struct boundaries *boundaries, address128 at, uint32_t value)
{
    uint64_t node;
    unsigned key;
    if (!walk_next(&boundaries->walk, &node, &key))
        return;
    boundaries->nodes[node].high[key] = (uint64_t)(at >> 64);
    boundaries->nodes[node].low[key] = (uint64_t)at;
    boundaries->values[node * KEYS + key + 1] = value;
}

static void boundaries_flush(struct boundaries *boundaries)
{
    if (!boundaries->pending)
        return;
    boundaries->pending = false;
    if (boundaries->pending_value == boundaries->value)
        return;
    boundaries->value = boundaries->pending_value;
    /* A boundary at 0 has nothing before it: it is the value below all boundaries. */
    if (boundaries->pending_at == 0) {
        if (boundaries->nodes)
            boundaries->values[0] = boundaries->value;
        return;
    }
    boundaries->count++;
    if (boundaries->nodes)
        boundaries_place(boundaries, boundaries->pending_at, boundaries->value);
}

/* From at on the value is this, until the next call. Calls come in ascending order; of equal ones the last counts. */
static void boundaries_add(struct boundaries *boundaries, address128 at, uint32_t value)
{
    if (boundaries->pending && boundaries->pending_at != at)
        boundaries_flush(boundaries);
    boundaries->pending = true;
    boundaries->pending_at = at;
    boundaries->pending_value = value;
}

static address128 prefix_last(const struct bypeer_prefix *prefix)
{
    address128 rest = prefix->bits == 0 ? ~(address128)0 : prefix->bits >= 128 ? 0 : ~(address128)0 >> prefix->bits;
    return address_load(prefix->key) | rest;
}

/*
 * Sorted prefixes nest like brackets: a stack holds those that are open. Where one opens, its value begins; where one
 * closes, that of the one around it goes on.
 */
static void boundaries_of(struct boundaries *boundaries, const struct bypeer_prefix sorted[], uint32_t count)
{
    const struct bypeer_prefix *open[130];
    unsigned depth = 0;
    for (uint32_t i = 0; i <= count; i++) {
        while (depth && (i == count || prefix_last(open[depth - 1]) < address_load(sorted[i].key))) {
            address128 last = prefix_last(open[--depth]);
            if (last != ~(address128)0)
                boundaries_add(boundaries, last + 1, depth ? open[depth - 1]->slot : 0);
        }
        if (i < count) {
            boundaries_add(boundaries, address_load(sorted[i].key), sorted[i].slot);
            open[depth++] = &sorted[i];
        }
    }
    boundaries_flush(boundaries);
}

/* Each nested prefix is longer than the one around it, so no more than 129 are ever open. */
static bool prefixes_sorted(const struct bypeer_prefix sorted[], uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        address128 key = address_load(sorted[i].key);
        if (sorted[i].bits > 128 || (sorted[i].bits < 128 && (key << sorted[i].bits) != 0))
            return false;
        if (i == 0)
            continue;
        address128 before = address_load(sorted[i - 1].key);
        if (before > key || (before == key && sorted[i - 1].bits >= sorted[i].bits))
            return false;
    }
    return true;
}

/* --- the two halves ---------------------------------------------------------------------------------------------- */

void bypeer_prefixes_init(struct bypeer_prefixes *ret_prefixes, uint64_t *root, struct bypeer_prefix_node *nodes,
                          uint64_t node_count, uint32_t *values, uint64_t value_count)
{
    *ret_prefixes = (struct bypeer_prefixes){
        .root = root,
        .nodes = nodes,
        .values = values,
        .half_nodes = (uint32_t)(node_count / 2),
        .half_values = (uint32_t)(value_count / 2),
    };
}

unsigned bypeer_prefixes_spare(const struct bypeer_prefixes *prefixes)
{
    return prefixes->current & ROOT_HALF ? 0 : 1;
}

int bypeer_prefixes_rebuild(struct bypeer_prefixes *prefixes, const struct bypeer_prefix sorted[], uint32_t count)
{
    if (!prefixes_sorted(sorted, count))
        return -EINVAL;
    struct boundaries counted = {.nodes = NULL};
    boundaries_of(&counted, sorted, count);
    uint64_t nodes = (counted.count + KEYS - 1) / KEYS;
    if (nodes > prefixes->half_nodes || nodes * KEYS + 1 > prefixes->half_values)
        return -ENOSPC;

    unsigned spare = bypeer_prefixes_spare(prefixes);
    struct boundaries built = {
        .nodes = prefixes->nodes + (uint64_t)spare * prefixes->half_nodes,
        .values = prefixes->values + (uint64_t)spare * prefixes->half_values,
        .walk = {.nodes = nodes},
    };
    walk_descend(&built.walk, 0);
    built.values[0] = 0;
    boundaries_of(&built, sorted, count);
    for (uint64_t i = built.count; i < nodes * KEYS; i++)
        boundaries_place(&built, ~(address128)0, built.value);

    uint64_t builds = (prefixes->current >> 32) + 1;
    prefixes->current = (spare ? ROOT_HALF : 0) | (builds << 33 >> 1) | nodes;
    /* Orders the tree before its root; pairs with the acquire in bypeer_prefixes_lookup(). */
    __atomic_store_n(prefixes->root, prefixes->current, __ATOMIC_RELEASE);
    return (int)(1 - spare);
}

/* --- look-up ----------------------------------------------------------------------------------------------------- */

/* How many of the four boundaries are not above the address, without a branch: a compare, a subtract with borrow and an
 * add for each. */
static inline unsigned node_count(const struct bypeer_prefix_node *node, address128 address)
{
    unsigned count = 0;
    for (unsigned i = 0; i < KEYS; i++)
        count += ((address128)node->high[i] << 64 | node->low[i]) <= address;
    return count;
}

const struct bypeer_destination *bypeer_prefixes_lookup(const struct bypeer_tables *tables,
                                                        const uint8_t address[static 16])
{
    const address128 wanted = address_load(address);

    /* Pairs with the release in bypeer_prefixes_rebuild(). Everything read from here on is bounded by private counts.
     */
    uint64_t root = __atomic_load_n(&tables->header->prefix_root, __ATOMIC_ACQUIRE);
    uint32_t half_node_count = tables->prefix_node_count / 2;
    uint32_t half_value_count = tables->prefix_value_count / 2;
    uint64_t half = root >> 63;
    uint64_t nodes = (uint32_t)root;
    if (nodes > half_node_count)
        nodes = half_node_count;
    const struct bypeer_prefix_node *tree = tables->prefix_nodes + half * half_node_count;

    uint64_t place = 0;
    for (uint64_t node = 0; node < nodes;) {
        unsigned count = node_count(&tree[node], wanted);
        place = count ? node * KEYS + count : place;
        node = node * FANOUT + count + 1;
    }
    if (place >= half_value_count)
        return NULL;
    uint32_t slot = __atomic_load_n(&tables->prefix_values[half * half_value_count + place], __ATOMIC_RELAXED);
    if (slot == 0 || slot >= tables->prefix_routes.record_count)
        return NULL;
    return &tables->prefix_routes.records[slot];
}
