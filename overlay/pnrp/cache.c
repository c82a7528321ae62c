#include "overlay/pnrp/cache.h"

#include <errno.h>
#include <stdlib.h>

#include "overlay/pnrp/cache_state.h"
#include "overlay/pnrp/levels.h"

#define SAMPLES 8 /* of a full cache's entries, of which the stalest may go */

int bypeer_cache_create(struct bypeer_cache **ret_cache, uint32_t capacity, uint64_t random, bypeer_cache_watch *watch,
                        void *context)
{
    struct bypeer_cache *cache = calloc(1, sizeof(*cache));
    if (!cache)
        return -ENOMEM;
    *cache = (struct bypeer_cache){.capacity = capacity, .random = random | 1, .watch = watch, .context = context};
    if (capacity > 0 && bypeer_shares_init(&cache->shares, capacity, random) < 0) {
        free(cache);
        return -ENOMEM;
    }
    *ret_cache = cache;
    return 0;
}

void bypeer_cache_free(struct bypeer_cache *cache)
{
    if (!cache)
        return;
    struct bypeer_ring_place place = {0, 0};
    for (uint32_t left = cache->ring.count; left > 0; left--) {
        struct bypeer_route *route = bypeer_ring_at(&cache->ring, place);
        free(route->more);
        route->more = NULL;
        bypeer_ring_up(&cache->ring, &place);
    }
    bypeer_ring_free(&cache->ring);
    bypeer_shares_free(&cache->shares);
    free(cache->owns);
    free(cache);
}

uint32_t bypeer_cache_count(const struct bypeer_cache *cache)
{
    return cache->ring.count - cache->own_count;
}

bool bypeer_cache_keeps_all(const struct bypeer_cache *cache)
{
    return cache->capacity > 0;
}

size_t bypeer_cache_bytes(const struct bypeer_cache *cache)
{
    return sizeof(*cache) + cache->ring.bytes + cache->more_bytes + cache->own_count * sizeof(*cache->owns) +
           bypeer_shares_bytes(&cache->shares);
}

uint32_t bypeer_cache_own_count(const struct bypeer_cache *cache)
{
    return cache->own_count;
}

const uint8_t *bypeer_cache_own(const struct bypeer_cache *cache, uint32_t number)
{
    return cache->owns[number];
}

static void cache_tell(const struct bypeer_cache *cache, enum bypeer_cache_change change,
                       const struct bypeer_route *route)
{
    if (cache->watch)
        cache->watch(cache->context, change, route);
}

const struct bypeer_route *bypeer_cache_find(const struct bypeer_cache *cache, const uint8_t id[static 32])
{
    return bypeer_cache_at_id(cache, id);
}

static void tell_leaves(const struct bypeer_cache *cache, const uint8_t *id, bool above)
{
    struct bypeer_side side = bypeer_side_begin(cache, id, above);
    const struct bypeer_route *route;
    for (unsigned between = 0; between < BYPEER_LEAF_SET && (route = side.step(&side.walk)) != NULL;
         between += !bypeer_route_is_own(route))
        if (bypeer_route_is_own(route))
            cache_tell(cache, BYPEER_CACHE_LEAVES, route);
}

/* IDs that are in no leaf set any more. */
struct fallen {
    uint8_t ids[2 * BYPEER_LEAF_SET][32];
    unsigned count;
};

/* Marks anew which entries around an ID are in leaf sets, after it has come or gone: no others can have changed. */
static void cache_mark_leaves(struct bypeer_cache *cache, const uint8_t *id, struct fallen *ret_fallen)
{
    ret_fallen->count = 0;
    for (int above = 0; above < 2; above++) {
        const struct bypeer_route *around[BYPEER_LEAF_SET];
        unsigned count = bypeer_cache_leaves(cache, id, above, around);
        for (unsigned at = 0; at < count; at++) {
            struct bypeer_route *route = bypeer_cache_at_id(cache, around[at]->id);
            bool was = route->flags & BYPEER_ROUTE_LEAF, is = bypeer_cache_is_leaf(cache, route->id, NULL);
            route->flags = (uint8_t)(is ? route->flags | BYPEER_ROUTE_LEAF : route->flags & ~BYPEER_ROUTE_LEAF);
            if (was && !is)
                memcpy(ret_fallen->ids[ret_fallen->count++], route->id, 32);
        }
    }
}

static const uint8_t loopback[16] = {[15] = 1};

static bool is_shared_by_all(const uint8_t *address, size_t length)
{
    return memcmp(address, loopback, 16) == 0 ||
           (length == 8 && address[0] == 0xfe && (address[1] & 0xc0) == 0x80); /* fe80::/10 */
}

/* How many entries have the same first `length` bytes of address; 0 for those that do not count. */
static uint32_t cache_share(const struct bypeer_cache *cache, const uint8_t *address, size_t length)
{
    if (is_shared_by_all(address, length))
        return 0;
    if (cache->capacity > 0)
        return bypeer_shares_of(&cache->shares, address, length);
    uint32_t share = 0;
    struct bypeer_cache_walk walk;
    const struct bypeer_route *route;
    bypeer_cache_walk(cache, (struct bypeer_id_number){{0}}, &walk);
    while ((route = bypeer_cache_above(&walk)) != NULL)
        share += !bypeer_route_is_own(route) && memcmp(route->address, address, length) == 0;
    return share;
}

static void cache_drop_share(struct bypeer_cache *cache, const uint8_t *address)
{
    if (cache->capacity == 0)
        return;
    for (size_t length = 8; length <= 16; length += 8)
        if (!is_shared_by_all(address, length))
            bypeer_shares_drop(&cache->shares, address, length);
}

static int cache_add_share(struct bypeer_cache *cache, const uint8_t *address)
{
    if (cache->capacity == 0)
        return 0;
    if (!is_shared_by_all(address, 8) && !bypeer_shares_add(&cache->shares, address, 8))
        return -ENOSPC;
    if (is_shared_by_all(address, 16) || bypeer_shares_add(&cache->shares, address, 16))
        return 0;
    if (!is_shared_by_all(address, 8))
        bypeer_shares_drop(&cache->shares, address, 8);
    return -ENOSPC;
}

/* Takes a route out, and out of what is counted. */
static void cache_take_out(struct bypeer_cache *cache, const uint8_t *id, struct bypeer_route *ret_route)
{
    struct bypeer_ring_place place;
    bypeer_ring_locate(&cache->ring, id, &place);
    *ret_route = *bypeer_ring_at(&cache->ring, place);
    bypeer_ring_remove(&cache->ring, place);
    if (!bypeer_route_is_own(ret_route))
        cache_drop_share(cache, ret_route->address);
}

static void cache_let_go(struct bypeer_cache *cache, struct bypeer_route *route)
{
    cache_tell(cache, BYPEER_CACHE_REMOVED, route);
    if (route->more)
        cache->more_bytes -= (route->address_count - 1u) * sizeof(*route->more);
    free(route->more);
}

/* Lets an entry go that is in no leaf set. */
static void cache_evict(struct bypeer_cache *cache, const uint8_t *id)
{
    struct bypeer_route route;
    cache_take_out(cache, id, &route);
    cache_let_go(cache, &route);
}

/* Lets go what is too much in the level around an ID. */
static void cache_trim_level(struct bypeer_cache *cache, const uint8_t *id)
{
    struct bypeer_level level;
    uint8_t victim[32];
    for (bypeer_level_look(cache, id, &level); level.count > level.room; bypeer_level_look(cache, id, &level)) {
        memcpy(victim, level.least_missed->id, sizeof(victim));
        cache_evict(cache, victim);
    }
}

/* An entry that is in no leaf set any more has to find room in its level, and in its network's share. */
static void cache_trim(struct bypeer_cache *cache, const struct fallen *fallen)
{
    for (unsigned at = 0; at < fallen->count; at++) {
        const struct bypeer_route *route = bypeer_cache_at_id(cache, fallen->ids[at]);
        if (route && cache_share(cache, route->address, 8) > BYPEER_CACHE_PER_NET)
            cache_evict(cache, fallen->ids[at]);
        else if (route && cache->capacity == 0)
            cache_trim_level(cache, fallen->ids[at]);
    }
}

bool bypeer_cache_remove(struct bypeer_cache *cache, const uint8_t id[static 32])
{
    const struct bypeer_route *known = bypeer_cache_at_id(cache, id);
    if (!known || bypeer_route_is_own(known))
        return false;
    struct bypeer_route route;
    struct fallen fallen;
    cache_take_out(cache, id, &route);
    cache_mark_leaves(cache, route.id, &fallen);
    cache_let_go(cache, &route);
    if (route.flags & BYPEER_ROUTE_LEAF) {
        tell_leaves(cache, route.id, true);
        tell_leaves(cache, route.id, false);
    }
    return true;
}

static int route_set_addresses(struct bypeer_cache *cache, struct bypeer_route *route,
                               const struct bypeer_pnrp_entry *entry)
{
    uint8_t(*more)[16] = NULL;
    size_t bytes = (entry->address_count - 1u) * sizeof(*more);
    if (bytes > 0) {
        more = malloc(bytes);
        if (!more)
            return -ENOMEM;
        memcpy(more, entry->addresses + 16, bytes);
    }
    if (route->more)
        cache->more_bytes -= (route->address_count - 1u) * sizeof(*more);
    free(route->more);
    cache->more_bytes += bytes;
    route->more = more;
    memcpy(route->address, entry->addresses, 16);
    route->address_count = entry->address_count;
    route->port = entry->port;
    return 0;
}

static bool route_has_addresses(const struct bypeer_route *route, const struct bypeer_pnrp_entry *entry)
{
    return route->port == entry->port && route->address_count == entry->address_count &&
           memcmp(route->address, entry->addresses, 16) == 0 &&
           (!route->more || memcmp(route->more, entry->addresses + 16, (entry->address_count - 1u) * 16u) == 0);
}

static int cache_update(struct bypeer_cache *cache, struct bypeer_route *route, const struct bypeer_pnrp_entry *entry,
                        uint32_t now_s)
{
    if (bypeer_route_is_own(route))
        return -EEXIST;
    if (route_has_addresses(route, entry)) {
        route->verified_s = now_s;
        return 0;
    }
    bool is_moved = memcmp(route->address, entry->addresses, 16) != 0;
    if (is_moved && cache_share(cache, entry->addresses, 16) >= BYPEER_CACHE_PER_ADDRESS)
        return -ENOSPC;
    if (is_moved && memcmp(route->address, entry->addresses, 8) != 0 && !(route->flags & BYPEER_ROUTE_LEAF) &&
        cache_share(cache, entry->addresses, 8) >= BYPEER_CACHE_PER_NET)
        return -ENOSPC;
    if (cache_add_share(cache, entry->addresses) < 0)
        return -ENOSPC;
    uint8_t before[16];
    memcpy(before, route->address, sizeof(before));
    int result = route_set_addresses(cache, route, entry);
    cache_drop_share(cache, result == 0 ? before : entry->addresses);
    if (result < 0)
        return result;
    route->verified_s = now_s;
    cache_tell(cache, BYPEER_CACHE_UPDATED, route);
    return 0;
}

static uint64_t cache_random(struct bypeer_cache *cache) /* xorshift64*: which entries are sampled is no secret */
{
    cache->random ^= cache->random >> 12;
    cache->random ^= cache->random << 25;
    cache->random ^= cache->random >> 27;
    return cache->random * UINT64_C(0x2545f4914f6cdd1d) >> 32;
}

static bool is_stale(const struct bypeer_route *route, uint32_t now_s)
{
    return (int32_t)(now_s - route->verified_s) > BYPEER_CACHE_STALE_S;
}

/* Whether there is room for a new ID in a full cache, maybe by letting ret_victim go. */
static bool full_cache_room(struct bypeer_cache *cache, bool is_leaf, uint32_t now_s, uint8_t ret_victim[static 32],
                            bool *ret_has_victim)
{
    *ret_has_victim = false;
    if (bypeer_cache_count(cache) < cache->capacity)
        return true;
    const struct bypeer_route *stalest = NULL;
    for (unsigned sample = 0; sample < SAMPLES; sample++) {
        struct bypeer_ring_place place = {.chunk = (uint32_t)cache_random(cache) % cache->ring.chunk_count};
        place.at = (uint32_t)cache_random(cache) % cache->ring.chunks[place.chunk].count;
        const struct bypeer_route *route = bypeer_ring_at(&cache->ring, place);
        if (route->flags & (BYPEER_ROUTE_OWN | BYPEER_ROUTE_LEAF))
            continue;
        if (!stalest || (int32_t)(route->verified_s - stalest->verified_s) < 0)
            stalest = route;
    }
    if (!stalest || (!is_leaf && !is_stale(stalest, now_s)))
        return false;
    memcpy(ret_victim, stalest->id, 32);
    *ret_has_victim = true;
    return true;
}

/* The same of a small cache. */
static bool small_cache_room(const struct bypeer_cache *cache, const uint8_t *id, bool is_leaf, uint32_t now_s,
                             uint8_t ret_victim[static 32], bool *ret_has_victim)
{
    struct bypeer_level level;
    *ret_has_victim = false;
    if (is_leaf)
        return true;
    bypeer_level_look(cache, id, &level);
    if (level.count < level.room)
        return true;
    if (!is_stale(level.least_missed, now_s) && level.gap_of_id <= 2 * level.least_gap)
        return false;
    memcpy(ret_victim, level.least_missed->id, 32);
    *ret_has_victim = true;
    return true;
}

int bypeer_cache_put(struct bypeer_cache *cache, const struct bypeer_pnrp_entry *entry, uint32_t now_s)
{
    struct bypeer_route *known = bypeer_cache_at_id(cache, entry->id);
    if (known)
        return cache_update(cache, known, entry, now_s);

    bool is_leaf = bypeer_cache_is_leaf(cache, entry->id, NULL), has_victim;
    uint8_t victim[32];
    if (cache_share(cache, entry->addresses, 16) >= BYPEER_CACHE_PER_ADDRESS)
        return -ENOSPC;
    if (!is_leaf && cache_share(cache, entry->addresses, 8) >= BYPEER_CACHE_PER_NET)
        return -ENOSPC;
    bool has_room = cache->capacity > 0 ? full_cache_room(cache, is_leaf, now_s, victim, &has_victim)
                                        : small_cache_room(cache, entry->id, is_leaf, now_s, victim, &has_victim);
    if (!has_room)
        return -ENOSPC;

    struct bypeer_route route = {.verified_s = now_s, .flags = is_leaf ? BYPEER_ROUTE_LEAF : 0};
    memcpy(route.id, entry->id, sizeof(route.id));
    int result = cache_add_share(cache, entry->addresses);
    if (result < 0)
        return result;
    result = route_set_addresses(cache, &route, entry);
    if (result == 0 && bypeer_ring_insert(&cache->ring, &route) < 0) {
        cache->more_bytes -= (route.address_count - 1u) * sizeof(*route.more);
        free(route.more);
        result = -ENOMEM;
    }
    if (result < 0) {
        cache_drop_share(cache, entry->addresses);
        return result;
    }
    if (has_victim)
        cache_evict(cache, victim);
    cache_tell(cache, BYPEER_CACHE_ADDED, bypeer_cache_at_id(cache, entry->id));
    if (is_leaf) {
        struct fallen fallen;
        cache_mark_leaves(cache, entry->id, &fallen);
        cache_trim(cache, &fallen);
        tell_leaves(cache, entry->id, true);
        tell_leaves(cache, entry->id, false);
    }
    return 1;
}

void bypeer_cache_touch(struct bypeer_cache *cache, const uint8_t id[static 32], uint32_t now_s)
{
    struct bypeer_route *route = bypeer_cache_at_id(cache, id);
    if (route)
        route->verified_s = now_s;
}

/* The number of own IDs below id. */
static uint32_t owns_below(const struct bypeer_cache *cache, const uint8_t *id)
{
    uint32_t low = 0, high = cache->own_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(cache->owns[middle], id, 32) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* An own ID has come or gone, and with it levels, between the own IDs below and above it: whatever is too much in the
 * present ones goes. */
static void cache_trim_levels(struct bypeer_cache *cache, const uint8_t *changed)
{
    if (cache->capacity > 0)
        return;
    uint32_t below = owns_below(cache, changed);
    uint8_t at[32], id[32];
    memcpy(at, changed, sizeof(at));
    if (cache->own_count > 0)
        memcpy(at, cache->owns[(below > 0 ? below : cache->own_count) - 1], sizeof(at));
    for (uint32_t left = cache->ring.count; left > 0; left--) {
        struct bypeer_ring_place place;
        bypeer_id_store(at, bypeer_id_add(bypeer_id_load(at), (struct bypeer_id_number){{0, 0, 0, 1}}));
        bypeer_ring_locate(&cache->ring, at, &place);
        const struct bypeer_route *route = bypeer_ring_at(&cache->ring, place);
        memcpy(at, route->id, sizeof(at));
        if (bypeer_route_is_own(route) && memcmp(route->id, changed, sizeof(at)) != 0)
            return;
        if (route->flags & (BYPEER_ROUTE_OWN | BYPEER_ROUTE_LEAF))
            continue;
        memcpy(id, route->id, sizeof(id));
        cache_trim_level(cache, id);
    }
}

int bypeer_cache_add_own(struct bypeer_cache *cache, const struct bypeer_pnrp_entry *entry)
{
    struct bypeer_route route = {.flags = BYPEER_ROUTE_OWN}, *known = bypeer_cache_at_id(cache, entry->id);
    if (known && bypeer_route_is_own(known))
        return -EEXIST;
    uint8_t(*owns)[32] = realloc(cache->owns, (cache->own_count + 1u) * sizeof(*owns));
    if (!owns)
        return -ENOMEM;
    cache->owns = owns;
    memcpy(route.id, entry->id, sizeof(route.id));
    if (route_set_addresses(cache, &route, entry) < 0)
        return -ENOMEM;
    bypeer_cache_remove(cache, entry->id);
    if (bypeer_ring_insert(&cache->ring, &route) < 0) {
        cache->more_bytes -= (route.address_count - 1u) * sizeof(*route.more);
        free(route.more);
        return -ENOMEM;
    }
    uint32_t at = owns_below(cache, entry->id);
    memmove(cache->owns[at + 1], cache->owns[at], (cache->own_count - at) * sizeof(*owns));
    memcpy(cache->owns[at], entry->id, sizeof(*owns));
    cache->own_count++;

    struct fallen fallen;
    cache_mark_leaves(cache, entry->id, &fallen);
    cache_tell(cache, BYPEER_CACHE_ADDED, &route);
    cache_tell(cache, BYPEER_CACHE_LEAVES, &route);
    cache_trim_levels(cache, route.id);
    return 0;
}

int bypeer_cache_move_own(struct bypeer_cache *cache, const struct bypeer_pnrp_entry *entry)
{
    struct bypeer_route *route = bypeer_cache_at_id(cache, entry->id);
    if (!route || !bypeer_route_is_own(route))
        return -ENOENT;
    if (route_has_addresses(route, entry))
        return 0;
    int result = route_set_addresses(cache, route, entry);
    if (result == 0)
        cache_tell(cache, BYPEER_CACHE_UPDATED, route);
    return result;
}

void bypeer_cache_remove_own(struct bypeer_cache *cache, const uint8_t id[static 32])
{
    const struct bypeer_route *known = bypeer_cache_at_id(cache, id);
    if (!known || !bypeer_route_is_own(known))
        return;
    struct bypeer_route route;
    cache_take_out(cache, id, &route);
    uint32_t at = owns_below(cache, route.id);
    cache->own_count--;
    memmove(cache->owns[at], cache->owns[at + 1], (cache->own_count - at) * sizeof(*cache->owns));

    struct fallen fallen;
    cache_mark_leaves(cache, route.id, &fallen);
    cache_let_go(cache, &route);
    cache_trim(cache, &fallen);
    cache_trim_levels(cache, route.id);
}

void bypeer_route_entry(const struct bypeer_route *route, uint8_t addresses[static 20 * 16],
                        struct bypeer_pnrp_entry *ret_entry)
{
    memcpy(addresses, route->address, 16);
    if (route->more)
        memcpy(addresses + 16, route->more, (route->address_count - 1u) * sizeof(*route->more));
    *ret_entry = (struct bypeer_pnrp_entry){
        .id = route->id, .addresses = addresses, .address_count = route->address_count, .port = route->port};
}
