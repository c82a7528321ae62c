/*
 * What a node can tell from its cache, and what it should do to keep it good ([MS-PNRP] 3.1.6.2, 3.2.6.2; reference
 * 4.13). These are rules only: upkeep.c calls them at every maintenance tick and sends what they say.
 *
 * Thread: as of the cache.
 */
#pragma once

#include "overlay/pnrp/cache.h"

/* Split tests a tick in all of the cloud together, however large it is (reference, gap 13). */
#define BYPEER_SPLIT_TESTS 8

/*
 * How many IDs there are in the cloud, own ones too: by how near to each other they are around own IDs, where leaf sets
 * know all of them. A node that knows less than a leaf set, or has no own ID, counts what it knows.
 */
uint64_t bypeer_maintenance_ids(const struct bypeer_cache *cache);
/* How many nodes: others are taken to have as many IDs as this one. At least 1. */
uint64_t bypeer_maintenance_nodes(const struct bypeer_cache *cache);

/*
 * A stretch of the ring where the cache should know somebody and does not: more than twice as wide as its level's
 * entries would be apart if they were even. A search for .middle with criterion UPPER_BITS and .precision ends at an ID
 * within it, and that is for the cache. One of a random level of a random own ID, so that one that cannot be filled
 * keeps no other waiting. False: there is none, or the cloud has too few IDs to fill any.
 */
struct bypeer_gap {
    struct bypeer_id_number middle;
    uint16_t precision;
};
bool bypeer_maintenance_gap(const struct bypeer_cache *cache, uint64_t random, struct bypeer_gap *ret_gap);

/* Whether this node is to test for a split at this tick. */
bool bypeer_maintenance_is_split_test(const struct bypeer_cache *cache, uint64_t random);

/* What a split test shows: its search, begun at a seed, went for target (an own ID + 1) and ended at best. */
enum bypeer_split {
    BYPEER_SPLIT_NONE,
    BYPEER_SPLIT_LARGER,  /* there is one, and this node is in the larger part: the others will come */
    BYPEER_SPLIT_SMALLER, /* there is one, and this node is in the smaller part: test every other own ID */
};
enum bypeer_split bypeer_maintenance_split(const struct bypeer_cache *cache, struct bypeer_id_number target,
                                           const uint8_t best[static 32]);
