/*
 * Levels of a cache: cache.h says what they are for.
 *
 *   own ID |leaf set| ... 10 entries ... | ........ 10 entries ........ | ...   and the same below it
 *          distance   1/200 of the ring    1/20                         1/2, or half the way to the next own ID
 *
 * Thread: as of the cache.
 */
#pragma once

#include "overlay/pnrp/cache.h"

#define BYPEER_LEVELS_MAX 40 /* what is nearer than 10^-40 of the ring is one level */

/* The level that an ID is in, or would be in. Leaf sets do not count. */
struct bypeer_level {
    unsigned room, count;                    /* how many entries it may have, and has */
    const struct bypeer_route *least_missed; /* NULL if it has none */
    double least_gap;                        /* between the neighbours of that one, as a fraction of the ring */
    double gap_of_id;                        /* between the neighbours of the ID */
};

void bypeer_level_look(const struct bypeer_cache *cache, const uint8_t id[static 32], struct bypeer_level *ret_level);

/* The distance, a fraction of the ring up to 1/2, at which a level begins, seen from its own ID. */
double bypeer_level_begin(unsigned level);
