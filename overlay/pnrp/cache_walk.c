/* What is around a place on the ring: walks, the nearest ID, leaf sets. Nothing here changes a cache. */
#include "overlay/pnrp/cache_state.h"

void bypeer_cache_walk(const struct bypeer_cache *cache, struct bypeer_id_number target,
                       struct bypeer_cache_walk *ret_walk)
{
    uint8_t id[32];
    struct bypeer_ring_place place;
    bypeer_id_store(id, target);
    *ret_walk = (struct bypeer_cache_walk){.cache = cache, .left = cache->ring.count};
    if (cache->ring.count == 0)
        return;
    bypeer_ring_locate(&cache->ring, id, &place);
    ret_walk->above_chunk = place.chunk;
    ret_walk->above_at = place.at;
    bypeer_ring_down(&cache->ring, &place);
    ret_walk->below_chunk = place.chunk;
    ret_walk->below_at = place.at;
}

const struct bypeer_route *bypeer_cache_above(struct bypeer_cache_walk *walk)
{
    if (walk->left == 0)
        return NULL;
    walk->left--;
    struct bypeer_ring_place place = {walk->above_chunk, walk->above_at};
    const struct bypeer_route *route = bypeer_ring_at(&walk->cache->ring, place);
    bypeer_ring_up(&walk->cache->ring, &place);
    walk->above_chunk = place.chunk;
    walk->above_at = place.at;
    return route;
}

const struct bypeer_route *bypeer_cache_below(struct bypeer_cache_walk *walk)
{
    if (walk->left == 0)
        return NULL;
    walk->left--;
    struct bypeer_ring_place place = {walk->below_chunk, walk->below_at};
    const struct bypeer_route *route = bypeer_ring_at(&walk->cache->ring, place);
    bypeer_ring_down(&walk->cache->ring, &place);
    walk->below_chunk = place.chunk;
    walk->below_at = place.at;
    return route;
}

const struct bypeer_route *bypeer_cache_nearest(const struct bypeer_cache *cache, struct bypeer_id_number target,
                                                bool own)
{
    struct bypeer_cache_walk up, down;
    const struct bypeer_route *above, *below;
    bypeer_cache_walk(cache, target, &up);
    down = up;
    while ((above = bypeer_cache_above(&up)) != NULL && bypeer_route_is_own(above) && !own)
        ;
    while ((below = bypeer_cache_below(&down)) != NULL && bypeer_route_is_own(below) && !own)
        ;
    if (!above || !below)
        return above ? above : below;
    bool is_below = bypeer_id_is_nearer(target, bypeer_id_load(below->id), bypeer_id_load(above->id));
    return is_below ? below : above;
}

struct bypeer_side bypeer_side_begin(const struct bypeer_cache *cache, const uint8_t id[static 32], bool above)
{
    struct bypeer_side side = {.step = above ? bypeer_cache_above : bypeer_cache_below};
    bypeer_cache_walk(cache, bypeer_id_load(id), &side.walk);
    struct bypeer_cache_walk next = side.walk;
    const struct bypeer_route *route = bypeer_cache_above(&next);
    if (!route || memcmp(route->id, id, sizeof(route->id)) != 0)
        return side;
    if (above)
        side.walk = next;
    else
        side.walk.left--;
    return side;
}

unsigned bypeer_cache_leaves(const struct bypeer_cache *cache, const uint8_t own[static 32], bool above,
                             const struct bypeer_route *ret_leaves[static BYPEER_LEAF_SET])
{
    struct bypeer_side side = bypeer_side_begin(cache, own, above);
    const struct bypeer_route *route;
    unsigned count = 0;
    while (count < BYPEER_LEAF_SET && (route = side.step(&side.walk)) != NULL)
        if (!bypeer_route_is_own(route))
            ret_leaves[count++] = route;
    return count;
}

/* The ID is in the leaf set of an own ID that has fewer than BYPEER_LEAF_SET entries between itself and it. */
bool bypeer_cache_is_leaf(const struct bypeer_cache *cache, const uint8_t id[static 32], const uint8_t **ret_own)
{
    for (int above = 0; above < 2 && cache->own_count > 0; above++) {
        struct bypeer_side side = bypeer_side_begin(cache, id, above);
        const struct bypeer_route *route;
        for (unsigned between = 0; between < BYPEER_LEAF_SET && (route = side.step(&side.walk)) != NULL;
             between += !bypeer_route_is_own(route))
            if (bypeer_route_is_own(route)) {
                if (ret_own)
                    *ret_own = route->id;
                return true;
            }
    }
    return false;
}
