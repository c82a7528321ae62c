/*
 * All targets of a burst at once: each variant is one object that includes this and passes its own way to compare.
 *
 *   1   of each target   start to fetch its group in the half; find its place in the delta, which is near
 *   2   of each target   find its place in the half, and start to fetch the record that is wanted first
 *   3   few of them      what groups do not tell: names_settle.c
 *
 * Work and fetching take turns so that no more lines are under way than a processor can have (10 to 16). Nothing
 * branches on what a line says, but for step 3: a wrong guess would throw away the lines behind it.
 */
#pragma once

#include "overlay/tables/names_search.h"

/* Where the clouds of a burst lie in one array; looked up when one is met first. */
struct bypeer_names_places {
    const struct bypeer_names_view *view;
    uint32_t array;
    uint32_t known; /* bit of each number that was met: to clear all places costs a nanosecond a target */
    struct bypeer_names_place of[BYPEER_CLOUDS_MAX + 1]; /* [0]: of a number that is none */
};

static inline struct bypeer_names_place *bypeer_names_place_of(struct bypeer_names_places *places, uint8_t cloud)
{
    cloud = cloud <= BYPEER_CLOUDS_MAX ? cloud : 0;
    if ((places->known >> cloud & 1) == 0)
        bypeer_names_place(places->view, places->array, cloud, &places->of[cloud]);
    places->known |= UINT32_C(1) << cloud;
    return &places->of[cloud];
}

/* Where a target is in its group. */
struct bypeer_names_rank {
    uint32_t at, less;
    uint8_t equal; /* 0: at is its place; else as bypeer_names_open has it */
};

static inline __attribute__((always_inline)) struct bypeer_names_rank
bypeer_names_rank(const struct bypeer_names_place *place, const struct bypeer_name_group *group, uint64_t word,
                  bypeer_names_compare_function *compare)
{
    const uint64_t rest = bypeer_names_group_rest(word, place->group_bits);
    const struct bypeer_names_compared compared = compare(group, bypeer_names_group_key(rest));
    const uint32_t at = group->first + compared.less;
    const bool is_crowded = group->count > BYPEER_NAME_GROUP_KEYS;
    return (struct bypeer_names_rank){.at = at < place->count ? at : place->count,
                                      .less = compared.less,
                                      .equal = is_crowded ? BYPEER_NAMES_RANK_CROWDED : (uint8_t)compared.equal};
}

static inline uint64_t bypeer_names_leaf_word(const struct bypeer_names_place *place, uint32_t at)
{
    return place->leaves[at / BYPEER_NAME_NODE_KEYS].keys[at % BYPEER_NAME_NODE_KEYS];
}

static inline void bypeer_names_enter_delta(struct bypeer_names_walk *walk, const struct bypeer_names_place *place,
                                            uint32_t at)
{
    walk->delta.place = at;
    walk->delta_above = walk->delta_below = UINT64_MAX;
    if (place->count == 0)
        return;
    walk->delta_above = bypeer_names_leaf_word(place, at != place->count ? at : 0) - walk->word;
    walk->delta_below = walk->word - bypeer_names_leaf_word(place, (at != 0 ? at : place->count) - 1);
}

/* Enters the half's place, and fetches the record that is wanted first. Into the second level of cache: there are few
 * line buffers for the first. */
static inline void bypeer_names_enter_half(struct bypeer_names_walk *walk, const struct bypeer_names_place *place,
                                           uint32_t at, uint8_t nearer, enum bypeer_names_fetch fetch)
{
    const uint32_t above = at != place->count ? at : 0, below = (at != 0 ? at : place->count) - 1;
    walk->half.place = at;
    /* Whatever a wrong group says, both neighbours are there. */
    walk->nearer = nearer & (((at != 0) & (at != place->count)) ? place->nearer : 0);
    const bool is_below = (fetch == BYPEER_NAMES_FETCH_NEAREST) & (walk->nearer == BYPEER_NAMES_NEARER_BELOW);
    __builtin_prefetch(&place->records[is_below ? below : above], 0, 2);
}

/* The other neighbour, where it is not known which is nearer. */
static inline __attribute__((always_inline)) void bypeer_names_fetch_below(const struct bypeer_names_walk *walk)
{
    const struct bypeer_names_side *half = &walk->half;
    __builtin_prefetch(&walk->records[half->first + (half->place != 0 ? half->place : half->count) - 1], 0, 2);
}

/* Step 3, of what the others left open. */
static inline void bypeer_names_close(bypeer_names_descend_function *descend, struct bypeer_names_open opens[],
                                      unsigned count, enum bypeer_names_fetch fetch)
{
    bypeer_names_settle(descend, opens, count);
    for (unsigned i = 0; i < count; i++) {
        const struct bypeer_names_open *open = &opens[i];
        if (open->in_delta) {
            bypeer_names_enter_delta(open->walk, open->place, open->at);
            continue;
        }
        const uint64_t rest = bypeer_names_group_rest(open->walk->word, open->place->group_bits);
        const uint32_t less = open->at - bypeer_names_load(&open->group->first);
        bypeer_names_enter_half(open->walk, open->place, open->at, bypeer_names_nearer(open->group, less, rest), fetch);
        if (fetch == BYPEER_NAMES_FETCH_NEAREST && open->walk->nearer == 0)
            bypeer_names_fetch_below(open->walk);
    }
}

static inline __attribute__((always_inline)) void
bypeer_names_locate_all(const struct bypeer_tables *tables, const uint8_t *clouds, const uint8_t *const targets[],
                        unsigned count, enum bypeer_names_fetch fetch, struct bypeer_names_walk ret_walks[],
                        bypeer_names_descend_function *descend, bypeer_names_compare_function *compare)
{
    const struct bypeer_names_root root = bypeer_names_root_read(tables->header);
    struct bypeer_names_places halves, deltas;
    struct bypeer_names_place *half = NULL, *delta = NULL;
    struct bypeer_names_open opens[BYPEER_NAMES_SEARCHES];
    unsigned open_count = 0;
    const struct bypeer_name_group *groups[BYPEER_NAMES_BURST];
    uint8_t both[BYPEER_NAMES_BURST]; /* which may be asked for either neighbour */
    unsigned both_count = 0;

    halves.view = deltas.view = &tables->names;
    halves.array = root.half;
    deltas.array = root.delta;
    halves.known = deltas.known = 0;
    count = count < BYPEER_NAMES_BURST ? count : BYPEER_NAMES_BURST;

    for (unsigned i = 0; i < count; i++) {
        struct bypeer_names_walk *walk = &ret_walks[i];
        const uint64_t word = bypeer_names_word(targets[i], 0);
        if (i == 0 || clouds[i] != clouds[i - 1]) {
            half = bypeer_names_place_of(&halves, clouds[i]);
            delta = bypeer_names_place_of(&deltas, clouds[i]);
        }
        groups[i] = &half->groups[bypeer_names_group_of(word, half->group_bits)];
        __builtin_prefetch(groups[i], 0, 2); /* as records: bypeer_names_enter_half() */

        const struct bypeer_name_group *group = &delta->groups[bypeer_names_group_of(word, delta->group_bits)];
        const struct bypeer_names_rank rank = bypeer_names_rank(delta, group, word, compare);
        walk->records = tables->names.records;
        walk->word = word;
        walk->above = walk->below = NULL;
        walk->delta.first = delta->first;
        walk->delta.count = delta->count;
        walk->delta.above = walk->delta.below = 0;
        walk->serial = root.serial;
        bypeer_names_enter_delta(walk, delta, rank.at);
        if (__builtin_expect(rank.equal != 0, false))
            opens[open_count++] = (struct bypeer_names_open){.place = delta,
                                                             .target = targets[i],
                                                             .group = group,
                                                             .walk = walk,
                                                             .at = rank.at,
                                                             .equal = rank.equal,
                                                             .in_delta = true};
    }
    for (unsigned i = 0; i < count; i++) {
        struct bypeer_names_walk *walk = &ret_walks[i];
        if (i == 0 || clouds[i] != clouds[i - 1])
            half = bypeer_names_place_of(&halves, clouds[i]);
        const struct bypeer_names_rank rank = bypeer_names_rank(half, groups[i], walk->word, compare);
        walk->half.first = half->first;
        walk->half.count = half->count;
        walk->half.above = walk->half.below = 0;
        walk->steps_above = walk->steps_below = walk->dead_above = walk->dead_below = 0;
        walk->begun = false;
        bypeer_names_enter_half(
            walk, half, rank.at,
            bypeer_names_nearer(groups[i], rank.less, bypeer_names_group_rest(walk->word, half->group_bits)), fetch);
        both[both_count] = (uint8_t)i;
        both_count += (walk->nearer == 0) & (fetch == BYPEER_NAMES_FETCH_NEAREST);
        if (__builtin_expect(rank.equal != 0, false))
            opens[open_count++] = (struct bypeer_names_open){.place = half,
                                                             .target = targets[i],
                                                             .group = groups[i],
                                                             .walk = walk,
                                                             .at = rank.at,
                                                             .equal = rank.equal};
    }
    for (unsigned k = 0; k < both_count; k++)
        bypeer_names_fetch_below(&ret_walks[both[k]]);
    if (open_count != 0)
        bypeer_names_close(descend, opens, open_count, fetch);
}

/* Made for either fetch, whose loops then have no question of the other's in them. */
static inline __attribute__((always_inline)) void
bypeer_names_locate_with(const struct bypeer_tables *tables, const uint8_t *clouds, const uint8_t *const targets[],
                         unsigned count, enum bypeer_names_fetch fetch, struct bypeer_names_walk ret_walks[],
                         bypeer_names_descend_function *descend, bypeer_names_compare_function *compare)
{
    if (fetch == BYPEER_NAMES_FETCH_NEAREST)
        bypeer_names_locate_all(tables, clouds, targets, count, BYPEER_NAMES_FETCH_NEAREST, ret_walks, descend,
                                compare);
    else
        bypeer_names_locate_all(tables, clouds, targets, count, BYPEER_NAMES_FETCH_ABOVE, ret_walks, descend, compare);
}
