/*
 * The nearest-ID index: every PNRP ID that this node knows, for workers that answer LOOKUPs.
 *
 *   root      [ serial | delta | half ]                one word in the header: what a look-up sees is what it names
 *   parts     [ cloud 1 ] ... [ cloud 8 ]              per array: where its records, tree and own IDs are
 *   records   [ 64 bytes each, ascending by ID ... ]   the array's, cloud after cloud
 *   nodes     [ 29 keys ] ...  [ 8 words ] ...         groups of the records, by their first bits; trees over their
 *                                                      first words, and over later words of runs
 *   runs      of more than 32 records with equal first words
 *   extras    further addresses of records
 *   owns      this node's IDs, with the ends of their leaf sets
 *
 * There are six arrays. Two *halves* hold nearly all IDs: one is in use, the other is built anew from it on a thread of
 * its own (names_build.h) and swapped in. Four *deltas* hold up to BYPEER_NAMES_DELTA IDs that came since: one is in
 * use, and a commit writes another and swaps it in, so a batch of changes is seen at once and as a whole. An ID that
 * the half in use has and that is gone, or is newer in the delta, is marked there with the serial of the commit that
 * did it: readers whose root is older still see it. An array left behind may be written again after a grace period.
 *
 * IDs are hashes, so the first bits of a target say in which group of 8 to 16 records its place is: one line, which
 * has their next 16 bits and so tells the place (names_group.h). Where somebody has crowded IDs together a tree leads
 * on: its leaves are in order, so that a place in it is the number of a record, and above them is one separator of nine
 * children in eight words: k's children are 9 k to 9 k + 8 of the layer below (names_tree.h); 8 layers for 10 million
 * IDs. Words that several records share are in it as often. All targets of a burst take one step, then the next: the
 * lines of a step are fetched together.
 *
 * The first 64 bits tell almost all IDs apart; the registrations of one name share 128 bits, those of one name in one
 * /64 share 192, and an attacker can make more. Where in a crowded group a target's first word is that of a record, the
 * record says how many follow with it (.run up to 32: a binary search among so many neighbours), or which struct
 * bypeer_name_run describes them (.run from 33 on: entry .run - 33). That has a tree over the next word for each number
 * of equal words at which the run falls apart, so that it is never walked: three descents at most.
 *
 * Sum, per ID of the table's size: 2 x 64 bytes of record, 2 x 33 of nodes, 2 x 6 of runs, 2 x 16 of extras (every
 * fourth ID may have further addresses; those that find no room keep the first only): 238 bytes; 3.3 MB beside.
 *
 * Threads and trust: as tables.h says of every reader.
 */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "overlay/tables/tables.h"

#define BYPEER_CLOUDS_MAX  8  /* numbers 1 to 8 */
#define BYPEER_NAMES_BURST 64 /* targets at most in one look-up */
#define BYPEER_NAMES_MAX   16000000
#define BYPEER_NAMES_DELTA 4096 /* IDs that may come between two rebuilds; where the index is for fewer, so many */
#define BYPEER_OWN_MAX     1024 /* IDs registered on this node, in all clouds together */

/* A word of an ID, the most significant being word 0. */
static inline uint64_t bypeer_names_word(const uint8_t id[static 32], unsigned word)
{
    uint64_t bytes;
    memcpy(&bytes, id + (size_t)word * 8, sizeof(bytes));
    return be64toh(bytes);
}

/* Where a walk outwards from a target stands. Of one worker, until its quiescent state; what it gives is one state of
 * the index, whatever is published meanwhile. */
struct bypeer_names_walk {
    const struct bypeer_name_record *records;
    uint64_t word; /* the target's first */
    /* How far the delta's neighbours are at least, by first words; 0 also where only the further words can tell. */
    uint64_t delta_above, delta_below;
    const struct bypeer_name_record *above, *below; /* taken by bypeer_names_nearest(), and not given yet */
    struct bypeer_names_side {
        uint32_t first, count; /* records of the cloud */
        uint32_t above, below; /* how many were given that way */
        uint32_t place;        /* of the first record that is not below the target, 0 to count */
    } half, delta;
    uint32_t serial;
    uint8_t steps_above, steps_below; /* given that way */
    uint8_t dead_above, dead_below;   /* passed over */
    uint8_t nearer;                   /* which of the half's neighbours is, if that is known: names_group.h */
    bool begun;
};
#define BYPEER_NAMES_NEARER_ABOVE 1 /* the record at the place; both are there */
#define BYPEER_NAMES_NEARER_BELOW 2 /* the record below the place */

/* Which record a walk will be asked for first: it is on its way when bypeer_names_locate() returns. */
enum bypeer_names_fetch { BYPEER_NAMES_FETCH_ABOVE, BYPEER_NAMES_FETCH_NEAREST };

/* Finds the place of each target (32 bytes, any alignment) among the IDs of its cloud. clouds[i]: number; one that is
 * not there gives a walk without IDs. */
void bypeer_names_locate(const struct bypeer_tables *tables, const uint8_t *clouds, const uint8_t *const targets[],
                         unsigned count, enum bypeer_names_fetch fetch, struct bypeer_names_walk ret_walks[]);
/*
 * The next record from the target on upwards, an equal ID first (below the target, downwards), by ascending distance
 * that way, wrapping round the ring. NULL: each ID was given once, by either function, or BYPEER_NAMES_WALK_STEPS were
 * given this way. When the half has had BYPEER_NAMES_WALK_DEAD removed ones this way, what lies behind more of them is
 * not found; the writer tells that a rebuild is due when BYPEER_NAMES_CROWD of them are neighbours.
 */
#define BYPEER_NAMES_WALK_STEPS 64
#define BYPEER_NAMES_WALK_DEAD  64
#define BYPEER_NAMES_CROWD      16
static inline const struct bypeer_name_record *bypeer_names_above(struct bypeer_names_walk *walk);
const struct bypeer_name_record *bypeer_names_below(struct bypeer_names_walk *walk);
/* The next record either way, by ascending distance from the target, which is the walk's; of two that are equally far
 * the one above. Limits and NULL as before. Of one walk, either this is asked or the others. */
static inline const struct bypeer_name_record *bypeer_names_nearest(struct bypeer_names_walk *walk,
                                                                    const uint8_t target[static 32]);

/* The same, whatever comes next: what is not inlined. */
const struct bypeer_name_record *bypeer_names_go_above(struct bypeer_names_walk *walk);
const struct bypeer_name_record *bypeer_names_go_nearest(struct bypeer_names_walk *walk,
                                                         const uint8_t target[static 32]);

static inline const struct bypeer_name_record *bypeer_names_above(struct bypeer_names_walk *walk)
{
    /* First is the half's, as nearly always: it is there, and the delta's is farther. */
    if (!walk->begun && walk->half.place < walk->half.count) {
        const struct bypeer_name_record *record = &walk->records[walk->half.first + walk->half.place];
        if (bypeer_names_word(record->id, 0) - walk->word < walk->delta_above &&
            __atomic_load_n(&record->dead, __ATOMIC_RELAXED) == 0) {
            walk->begun = true;
            walk->steps_above = 1;
            walk->half.above = 1;
            return record;
        }
    }
    return bypeer_names_go_above(walk);
}

static inline const struct bypeer_name_record *bypeer_names_nearest(struct bypeer_names_walk *walk,
                                                                    const uint8_t target[static 32])
{
    if (!walk->begun && walk->nearer != 0) {
        const bool is_above = walk->nearer == BYPEER_NAMES_NEARER_ABOVE;
        const struct bypeer_name_record *record = &walk->records[walk->half.first + walk->half.place - !is_above];
        const uint64_t above = bypeer_names_word(record->id, 0) - walk->word, distance = is_above ? above : -above;
        /* By first words, each of which leaves less than 1 open. */
        if (distance + 1 < walk->delta_above && distance + 1 < walk->delta_below &&
            __atomic_load_n(&record->dead, __ATOMIC_RELAXED) == 0) {
            walk->begun = true;
            walk->half.above = walk->steps_above = is_above;
            walk->half.below = walk->steps_below = !is_above;
            return record;
        }
    }
    return bypeer_names_go_nearest(walk, target);
}

/* Starts to fetch what comes second, either way: for a walk that will surely go on. Of a function that does nothing but
 * fetch, compilers drop the calls that they do not inline at once. */
static inline __attribute__((always_inline)) void bypeer_names_fetch_second(const struct bypeer_names_walk *walk)
{
    const struct bypeer_names_side *half = &walk->half;
    const struct bypeer_name_record *place = walk->records + half->first + half->place;
    if (half->count < 4 || half->place < 2 || half->place + 2 > half->count)
        return; /* not worth a turn round the ring */
    /* What comes first is on its way: the record at the place, that below it, or both. */
    __builtin_prefetch(walk->nearer == BYPEER_NAMES_NEARER_ABOVE ? place - 1 : place - 2, 0, 2);
    __builtin_prefetch(walk->nearer == BYPEER_NAMES_NEARER_BELOW ? place : place + 1, 0, 2);
}

/* How many addresses the record has, 1 to 4; *ret_more is those after .address, NULL if there are none. */
unsigned bypeer_names_addresses(const struct bypeer_tables *tables, const struct bypeer_name_record *record,
                                const uint8_t (**ret_more)[16]);

/* Whether the ID is registered on this node: bypeer_writer_set_own(). A binary search. */
bool bypeer_names_is_own(const struct bypeer_tables *tables, uint8_t cloud, const uint8_t id[static 32]);
/* Whether the target would be within the leaf set of an own ID. */
bool bypeer_names_is_leaf(const struct bypeer_tables *tables, uint8_t cloud, const uint8_t target[static 32]);
/* The cloud of a number; never NULL: one that is not there has .port 0. */
const struct bypeer_cloud_record *bypeer_names_cloud(const struct bypeer_tables *tables, uint8_t cloud);
