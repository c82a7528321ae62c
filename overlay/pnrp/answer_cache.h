/*
 * The cache (cache.h) as answer.h walks it. The walk that is passed is a struct bypeer_cache_walk.
 */
#pragma once

#include "overlay/pnrp/answer.h"
#include "overlay/pnrp/cache.h"

/* A cached entry, which must outlive the result; NULL: no more. */
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

static inline struct bypeer_known bypeer_answer_cached_above(void *walk)
{
    return bypeer_answer_cached(bypeer_cache_above(walk));
}

static inline struct bypeer_known bypeer_answer_cached_below(void *walk)
{
    return bypeer_answer_cached(bypeer_cache_below(walk));
}
