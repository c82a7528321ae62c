/*
 * The cache (cache.h) as answer.h walks it.
 */
#pragma once

#include "overlay/pnrp/answer.h"
#include "overlay/pnrp/cache.h"

/* No change of the cache meanwhile; the target must stay. */
struct bypeer_answer_walk {
    struct bypeer_cache_walk cache;
    const uint8_t *target;
    const struct bypeer_route *above, *below; /* taken from the cache's walk and not given yet */
};

static inline void bypeer_answer_walk(const struct bypeer_cache *cache, const uint8_t target[static 32],
                                      struct bypeer_answer_walk *ret_walk)
{
    *ret_walk = (struct bypeer_answer_walk){.target = target};
    bypeer_cache_walk(cache, bypeer_id_load(target), &ret_walk->cache);
}

/* A cached entry; NULL: no more. */
static inline struct bypeer_known bypeer_answer_cached(const struct bypeer_route *route)
{
    if (!route)
        return (struct bypeer_known){.id = NULL};
    return (struct bypeer_known){.id = route->id,
                                 .address = route->address,
                                 .more = (const uint8_t(*)[16])route->more,
                                 .address_count = route->address_count,
                                 .own = (route->flags & BYPEER_ROUTE_OWN) != 0,
                                 .port = route->port};
}

/* A bypeer_known_step. */
static inline struct bypeer_known bypeer_answer_walk_nearest(void *of)
{
    struct bypeer_answer_walk *walk = of;
    if (!walk->above)
        walk->above = bypeer_cache_above(&walk->cache);
    if (!walk->below)
        walk->below = bypeer_cache_below(&walk->cache);
    const struct bypeer_route *above = walk->above, *below = walk->below;
    if (!below || (above && bypeer_id_compare_distances(walk->target, above->id, below->id) <= 0)) {
        walk->above = NULL;
        return bypeer_answer_cached(above);
    }
    walk->below = NULL;
    return bypeer_answer_cached(below);
}
