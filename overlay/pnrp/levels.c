#include "overlay/pnrp/levels.h"

#define LEVEL_RATIO 10.0
#define HALF_RING   0.5

double bypeer_level_begin(unsigned level)
{
    double begin = HALF_RING / LEVEL_RATIO;
    while (level-- > 0)
        begin /= LEVEL_RATIO;
    return begin;
}

/* Level 0 is the outermost; distance is a fraction of the ring, up to 1/2. */
static unsigned level_of_distance(double distance)
{
    unsigned level = 0;
    for (double begin = HALF_RING / LEVEL_RATIO; distance < begin && level < BYPEER_LEVELS_MAX; begin /= LEVEL_RATIO)
        level++;
    return level;
}

/* Which level an ID belongs to. Without own IDs all of the ring is one. */
struct level_name {
    uint32_t own; /* the number of the nearest own ID */
    bool is_above;
    unsigned level;
};

static struct level_name level_name(const struct bypeer_cache *cache, const uint8_t *id)
{
    uint32_t own_count = bypeer_cache_own_count(cache), low = 0, high = own_count;
    if (own_count == 0)
        return (struct level_name){0};
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(bypeer_cache_own(cache, middle), id, 32) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    uint32_t next = low == own_count ? 0 : low, previous = low == 0 ? own_count - 1 : low - 1;
    struct bypeer_id_number number = bypeer_id_load(id);
    struct bypeer_id_number up = bypeer_id_above(number, bypeer_id_load(bypeer_cache_own(cache, previous)));
    struct bypeer_id_number down = bypeer_id_above(bypeer_id_load(bypeer_cache_own(cache, next)), number);
    bool is_above = bypeer_id_compare(up, down) <= 0;
    return (struct level_name){.own = is_above ? previous : next,
                               .is_above = is_above,
                               .level = level_of_distance(bypeer_id_fraction(is_above ? up : down))};
}

static bool is_same_level(struct level_name a, struct level_name b)
{
    return a.own == b.own && a.is_above == b.is_above && a.level == b.level;
}

/* From one route up to another; from one to itself it is all of the ring. */
static double gap_between(const struct bypeer_route *below, const struct bypeer_route *above)
{
    if (below == above)
        return 1;
    return bypeer_id_fraction(bypeer_id_above(bypeer_id_load(above->id), bypeer_id_load(below->id)));
}

static void level_consider(struct bypeer_level *level, const struct bypeer_route *route, double gap)
{
    if (route->flags & (BYPEER_ROUTE_OWN | BYPEER_ROUTE_LEAF))
        return;
    level->count++;
    if (level->least_missed && gap >= level->least_gap)
        return;
    level->least_missed = route;
    level->least_gap = gap;
}

/* Looks at the level's entries one way from the ID, the first of them beginning the walk. */
static void level_look_along(struct bypeer_level *level, const struct bypeer_cache *cache, struct level_name name,
                             struct bypeer_cache_walk *walk, const struct bypeer_route *behind, bool is_up)
{
    const struct bypeer_route *first = is_up ? bypeer_cache_above(walk) : bypeer_cache_below(walk);
    const struct bypeer_route *route = first, *next;
    for (; route && !(route->flags & BYPEER_ROUTE_OWN) && is_same_level(level_name(cache, route->id), name);
         behind = route, route = next) {
        next = is_up ? bypeer_cache_above(walk) : bypeer_cache_below(walk);
        const struct bypeer_route *ahead = next ? next : first;
        level_consider(level, route, is_up ? gap_between(behind, ahead) : gap_between(ahead, behind));
    }
}

void bypeer_level_look(const struct bypeer_cache *cache, const uint8_t id[static 32], struct bypeer_level *ret_level)
{
    struct level_name name = level_name(cache, id);
    struct bypeer_cache_walk up, down, walk;
    *ret_level = (struct bypeer_level){
        .room = bypeer_cache_own_count(cache) > 0 ? BYPEER_CACHE_LEVEL : BYPEER_CACHE_SPREAD, .gap_of_id = 1};
    bypeer_cache_walk(cache, bypeer_id_load(id), &up);
    down = walk = up;
    const struct bypeer_route *below = bypeer_cache_below(&walk), *above;
    if (!below)
        return;
    walk = up;
    above = bypeer_cache_above(&walk);
    level_look_along(ret_level, cache, name, &up, below, true);
    if (bypeer_cache_own_count(cache) > 0)
        level_look_along(ret_level, cache, name, &down, above, false);
    if (memcmp(above->id, id, 32) == 0)
        above = bypeer_cache_above(&walk);
    if (above)
        ret_level->gap_of_id = gap_between(below, above);
}
