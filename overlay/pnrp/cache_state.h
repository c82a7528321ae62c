/*
 * What a cache is made of, for cache.c and cache_walk.c.
 *
 * Thread: as of the cache.
 */
#pragma once

#include "overlay/pnrp/cache.h"
#include "overlay/pnrp/ring.h"
#include "overlay/pnrp/shares.h"

struct bypeer_cache {
    struct bypeer_ring ring;
    uint8_t (*owns)[32]; /* ascending */
    uint32_t own_count;
    uint32_t capacity; /* 0: small */
    uint64_t random;
    struct bypeer_shares shares; /* of a full cache; a small one counts by looking at its hundred entries */
    size_t more_bytes;
    bypeer_cache_watch *watch;
    void *context;
};

static inline bool bypeer_route_is_own(const struct bypeer_route *route)
{
    return (route->flags & BYPEER_ROUTE_OWN) != 0;
}

/* The route of an ID, to be changed; NULL: it is not there. */
static inline struct bypeer_route *bypeer_cache_at_id(const struct bypeer_cache *cache, const uint8_t id[static 32])
{
    struct bypeer_ring_place place;
    return bypeer_ring_locate(&cache->ring, id, &place) ? bypeer_ring_at(&cache->ring, place) : NULL;
}

/* A walk in one direction around an ID, that itself left out. */
struct bypeer_side {
    struct bypeer_cache_walk walk;
    const struct bypeer_route *(*step)(struct bypeer_cache_walk *walk);
};
struct bypeer_side bypeer_side_begin(const struct bypeer_cache *cache, const uint8_t id[static 32], bool above);
