/*
 * The nearest-ID index: every PNRP ID that this node knows, for workers that answer LOOKUPs.
 *
 *   records   [ sorted by ID, 64 bytes each ......................... ]   one static array a cloud, never changed but
 *   nodes         [ 8 keys of 64 bits ]  a line a node, 9 children        for a record's .live
 *   runs      of records with equal first words: a tree of their own over the next word that differs
 *   delta     a few thousand newer records, sorted, replaced as a whole
 *   own       this node's IDs, with the bounds of their leaf sets
 *
 * A look-up of a burst descends one level for all targets, then the next: the lines of a level are fetched together.
 * The first 64 bits tell almost all IDs apart; the registrations of one name share 128 bits, those of one name in one
 * /64 share 192, and an attacker can make more: such a run has its own tree, so that no look-up walks it.
 *
 * Records, nodes and runs lie in two halves: control fills the spare one (on a thread of its own: bypeer_names_build())
 * and swaps by one store of the root; the old half is free after a grace period. What changes between two swaps is in
 * the delta, or has .live cleared.
 *
 * Threads and trust: as tables.h says of every reader.
 */
#pragma once

#include <stdbool.h>

#include "overlay/tables/tables.h"

#define BYPEER_CLOUDS_MAX  8  /* numbers 1 to 8 */
#define BYPEER_NAMES_BURST 64 /* targets at most in one look-up */
#define BYPEER_NAMES_MAX   16000000

/* Where a walk outwards from a target stands, in main array and delta. Of one worker, until its quiescent state. */
struct bypeer_names_walk {
    const struct bypeer_tables *tables;
    uint64_t reserved[7];
};

/* Finds the place of each target among the IDs of its cloud. clouds[i]: number; one that is not there gives a walk
 * without IDs. */
void bypeer_names_locate(const struct bypeer_tables *tables, const uint8_t *clouds, const uint8_t *const targets[],
                         unsigned count, struct bypeer_names_walk ret_walks[]);
/* The next record at or above the target (below it), by ascending distance that way, wrapping round the ring; live ones
 * only. NULL: none is left, or BYPEER_NAMES_WALK_STEPS were looked at. */
#define BYPEER_NAMES_WALK_STEPS 64
const struct bypeer_name_record *bypeer_names_above(struct bypeer_names_walk *walk);
const struct bypeer_name_record *bypeer_names_below(struct bypeer_names_walk *walk);
/* The record's further addresses, of which it has .address_count - 1 at most 3; bounded. */
const uint8_t (*bypeer_names_more(const struct bypeer_tables *tables, const struct bypeer_name_record *record))[16];

/* Whether the ID is registered on this node. */
bool bypeer_names_is_own(const struct bypeer_tables *tables, uint8_t cloud, const uint8_t id[static 32]);
/* Whether the target would be within the leaf set of an own ID. */
bool bypeer_names_is_leaf(const struct bypeer_tables *tables, uint8_t cloud, const uint8_t target[static 32]);
/* The cloud of a number; never NULL: one that is not there has .port 0. */
const struct bypeer_cloud_record *bypeer_names_cloud(const struct bypeer_tables *tables, uint8_t cloud);
