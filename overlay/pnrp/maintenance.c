#include "overlay/pnrp/maintenance.h"

#include "overlay/pnrp/levels.h"

#define OWNS_LOOKED_AT 64
#define GAPS_LOOKED_AT 8      /* of a full cache, whose gaps are too many to look at all */
#define GAP_TOO_WIDE   2.0    /* times what even entries would have between them */
#define GAP_IDS_MIN    8.0    /* IDs to be expected in a gap, of which a search must find one in its middle quarter */
#define ESTIMATE_MAX   0x1p32 /* reference 4.2: larger ones are ignored */

static bool is_own(const struct bypeer_route *route)
{
    return route->flags & BYPEER_ROUTE_OWN;
}

/* From the fifth other ID below an own one to the fifth above it: how wide that is, and how many IDs it has. */
static double own_density(const struct bypeer_cache *cache, const uint8_t *own)
{
    struct bypeer_cache_walk up, down;
    bypeer_cache_walk(cache, bypeer_id_load(own), &up);
    down = up;
    const struct bypeer_route *route = NULL;
    const uint8_t *last = own, *first = own;
    unsigned ids = 0, others = 0;
    while (others < BYPEER_LEAF_SET && (route = bypeer_cache_above(&up)) != NULL) {
        others += !is_own(route);
        ids++;
        last = route->id;
    }
    for (others = 0; others < BYPEER_LEAF_SET && (route = bypeer_cache_below(&down)) != NULL; ids++) {
        others += !is_own(route);
        first = route->id;
    }
    double arc = bypeer_id_fraction(bypeer_id_above(bypeer_id_load(last), bypeer_id_load(first)));
    /* Both ends are IDs because the arc was made to end there: without two of them the expected value is right. */
    return arc > 0 ? (ids - 2) / arc : 0;
}

uint64_t bypeer_maintenance_ids(const struct bypeer_cache *cache)
{
    uint32_t own_count = bypeer_cache_own_count(cache);
    uint64_t known = (uint64_t)bypeer_cache_count(cache) + own_count;
    if (own_count == 0 || bypeer_cache_count(cache) < 2 * BYPEER_LEAF_SET)
        return known;
    uint32_t step = own_count / OWNS_LOOKED_AT + 1, counted = 0;
    double sum = 0;
    for (uint32_t at = 0; at < own_count; at += step) {
        double ids = own_density(cache, bypeer_cache_own(cache, at));
        if (ids >= ESTIMATE_MAX)
            continue;
        sum += ids;
        counted++;
    }
    uint64_t ids = counted > 0 ? (uint64_t)(sum / counted + 0.5) : 0;
    return ids > known ? ids : known;
}

uint64_t bypeer_maintenance_nodes(const struct bypeer_cache *cache)
{
    uint32_t own_count = bypeer_cache_own_count(cache);
    uint64_t ids = bypeer_maintenance_ids(cache), nodes = own_count > 0 ? ids / own_count : ids;
    return nodes > 0 ? nodes : 1;
}

/* The widest stretch without a known ID that was met. */
struct widest {
    struct bypeer_id_number from, width;
};

static void widest_consider(struct widest *widest, struct bypeer_id_number from, struct bypeer_id_number to)
{
    struct bypeer_id_number width = bypeer_id_above(to, from);
    if (bypeer_id_compare(width, widest->width) > 0)
        *widest = (struct widest){.from = from, .width = width};
}

static struct bypeer_id_number half(struct bypeer_id_number number)
{
    for (unsigned i = 4; i-- > 0;)
        number.words[i] = number.words[i] >> 1 | (i > 0 ? number.words[i - 1] << 63 : 0);
    return number;
}

/* The middle, and how many leading bits an ID must share with it to lie in the gap for certain. */
static struct bypeer_gap gap_of(const struct widest *widest)
{
    unsigned leading = bypeer_id_common_bits(widest->width, (struct bypeer_id_number){{0}});
    return (struct bypeer_gap){.middle = bypeer_id_add(widest->from, half(widest->width)),
                               .precision = (uint16_t)(leading + 2 < 256 ? leading + 2 : 256)};
}

/* A fraction of the ring, below 1, as a number. */
static struct bypeer_id_number number_of_fraction(double fraction)
{
    struct bypeer_id_number number;
    for (unsigned i = 0; i < 4; i++) {
        fraction *= 0x1p64;
        number.words[i] = (uint64_t)fraction;
        fraction -= (double)number.words[i];
    }
    return number;
}

/* The widest gap between two places of the ring, seen upwards from the first. */
static struct widest widest_between(const struct bypeer_cache *cache, struct bypeer_id_number from,
                                    struct bypeer_id_number to)
{
    struct widest widest = {.from = from};
    struct bypeer_id_number all = bypeer_id_above(to, from), at = from;
    struct bypeer_cache_walk walk;
    const struct bypeer_route *route;
    bypeer_cache_walk(cache, from, &walk);
    while ((route = bypeer_cache_above(&walk)) != NULL) {
        struct bypeer_id_number id = bypeer_id_load(route->id);
        if (bypeer_id_compare(bypeer_id_above(id, from), all) >= 0)
            break;
        widest_consider(&widest, at, id);
        at = id;
    }
    widest_consider(&widest, at, to);
    return widest;
}

/* How far a level of an own ID reaches at most: half the way to the next own ID. */
static double own_reach(const struct bypeer_cache *cache, uint32_t own, bool above)
{
    uint32_t own_count = bypeer_cache_own_count(cache), next = above ? own + 1 : own + own_count - 1;
    struct bypeer_id_number here = bypeer_id_load(bypeer_cache_own(cache, own));
    struct bypeer_id_number there = bypeer_id_load(bypeer_cache_own(cache, next % own_count));
    double apart = bypeer_id_fraction(above ? bypeer_id_above(there, here) : bypeer_id_above(here, there));
    return apart > 0 ? apart / 2 : 0.5;
}

/* The widest gap of one level on one side of an own ID, if it is too wide. */
static bool level_gap(const struct bypeer_cache *cache, uint32_t own, bool above, unsigned level, double ids,
                      struct widest *ret_widest)
{
    double begin = bypeer_level_begin(level), end = level > 0 ? bypeer_level_begin(level - 1) : 0.5;
    double reach = own_reach(cache, own, above), too_wide = GAP_TOO_WIDE * (end - begin) / BYPEER_CACHE_LEVEL;
    if (end > reach)
        end = reach;
    if (end - begin < too_wide)
        return false;
    struct bypeer_id_number here = bypeer_id_load(bypeer_cache_own(cache, own));
    struct bypeer_id_number near = number_of_fraction(begin), far = number_of_fraction(end);
    if (above)
        *ret_widest = widest_between(cache, bypeer_id_add(here, near), bypeer_id_add(here, far));
    else
        *ret_widest = widest_between(cache, bypeer_id_above(here, far), bypeer_id_above(here, near));
    double width = bypeer_id_fraction(ret_widest->width);
    return width > too_wide && width * ids >= GAP_IDS_MIN;
}

/* One of the gaps around an own ID. */
static bool own_gap(const struct bypeer_cache *cache, uint64_t random, double ids, struct widest *ret_widest)
{
    uint32_t own = (uint32_t)(random >> 32) % bypeer_cache_own_count(cache);
    unsigned found = 0;
    for (unsigned level = 0; level < BYPEER_LEVELS_MAX && bypeer_level_begin(level) * ids >= 1; level++)
        for (int above = 0; above < 2; above++) {
            struct widest widest;
            if (!level_gap(cache, own, above, level, ids, &widest))
                continue;
            found++;
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407); /* Knuth's MMIX */
            if ((random >> 32) % found == 0)
                *ret_widest = widest;
        }
    return found > 0;
}

/* The widest of the gaps around a few random places. */
static bool random_gap(const struct bypeer_cache *cache, uint64_t random, struct widest *ret_widest)
{
    for (unsigned i = 0; i < GAPS_LOOKED_AT; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        struct bypeer_cache_walk walk;
        bypeer_cache_walk(cache, (struct bypeer_id_number){{random, 0, 0, 0}}, &walk);
        const struct bypeer_route *above = bypeer_cache_above(&walk), *below = bypeer_cache_below(&walk);
        if (!above || !below)
            return false;
        widest_consider(ret_widest, bypeer_id_load(below->id), bypeer_id_load(above->id));
    }
    return true;
}

bool bypeer_maintenance_gap(const struct bypeer_cache *cache, uint64_t random, struct bypeer_gap *ret_gap)
{
    double ids = (double)bypeer_maintenance_ids(cache);
    struct widest widest = {0};
    if (bypeer_cache_own_count(cache) > 0 && !bypeer_cache_keeps_all(cache)) {
        if (!own_gap(cache, random, ids, &widest))
            return false;
    } else {
        /* Without own IDs how large the cloud is is not known; what is known is asked to be evenly spread. */
        double least = bypeer_cache_own_count(cache) > 0 ? GAP_IDS_MIN / ids : GAP_TOO_WIDE / BYPEER_CACHE_SPREAD;
        if (!random_gap(cache, random, &widest) || bypeer_id_fraction(widest.width) <= least)
            return false;
    }
    *ret_gap = gap_of(&widest);
    return true;
}

bool bypeer_maintenance_is_split_test(const struct bypeer_cache *cache, uint64_t random)
{
    uint64_t nodes = bypeer_maintenance_nodes(cache);
    return nodes <= BYPEER_SPLIT_TESTS || random % nodes < BYPEER_SPLIT_TESTS;
}

enum bypeer_split bypeer_maintenance_split(const struct bypeer_cache *cache, struct bypeer_id_number target,
                                           const uint8_t best[static 32])
{
    const struct bypeer_route *nearest = bypeer_cache_nearest(cache, target, false);
    bool is_known = bypeer_cache_find(cache, best) != NULL;
    bool is_beaten = nearest && bypeer_id_is_nearer(target, bypeer_id_load(nearest->id), bypeer_id_load(best));
    if (is_beaten)
        return BYPEER_SPLIT_LARGER;
    return is_known ? BYPEER_SPLIT_NONE : BYPEER_SPLIT_SMALLER;
}
