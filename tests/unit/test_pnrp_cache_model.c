/*
 * The cache against a plain model: millions of random operations, each with its result judged by rules that are written
 * here a second time, in the slowest and plainest way.
 *
 * The model is a sorted array of all IDs that there are, with a flag for each that the cache has it. IDs share long
 * prefixes, lie at both ends of the ring, and differ in the last bit. What the cache lets go the model learns from the
 * cache's own notices; that it may let that go, and that it refuses nothing without a reason, is what is tested.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/pnrp/cache.h"
#include "tests/random.h"

/* More with BYPEER_MODEL_OPERATIONS=100000000 in the environment. */
#define OPERATIONS 40000
#define IDS        400
#define OWNS       12 /* at most, so that the plain rules are not too slow */

enum state { ABSENT, PRESENT, OWN };

static struct {
    struct bypeer_cache *cache;
    uint32_t capacity;
    uint8_t ids[IDS][32];
    enum state states[IDS];
    uint8_t addresses[IDS][20 * 16];
    uint8_t address_counts[IDS];
    uint16_t ports[IDS];
    uint32_t verified[IDS];
    unsigned owns[OWNS];
    unsigned own_count;
    bool leaves_told[IDS];
    unsigned removed_told;
    uint32_t now_s;
} m;

static uint64_t random_state = 7;

static uint32_t random_below(uint32_t limit)
{
    return random_next_below(&random_state, limit);
}

/* --- the rules, plainly --- */

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static struct bypeer_id_number number_of(unsigned at)
{
    return bypeer_id_load(m.ids[at]);
}

static unsigned count_of(enum state state)
{
    unsigned count = 0;
    for (unsigned at = 0; at < IDS; at++)
        count += m.states[at] == state;
    return count;
}

/* Whether there are fewer than five other nodes' IDs strictly between an own ID and this one, one way or the other. */
static bool is_leaf_of(unsigned own, unsigned at)
{
    for (int step = -1; step <= 1; step += 2) {
        unsigned between = 0;
        for (int i = (int)own + step;; i += step) {
            i = (i + IDS) % IDS;
            if ((unsigned)i == at)
                break;
            between += m.states[i] == PRESENT;
        }
        if (between < BYPEER_LEAF_SET)
            return true;
    }
    return false;
}

static bool is_leaf(unsigned at)
{
    for (unsigned i = 0; i < m.own_count; i++)
        if (m.owns[i] != at && is_leaf_of(m.owns[i], at))
            return true;
    return false;
}

/* Own ID, side and level as one number. */
static long level_of(unsigned at)
{
    int nearest = -1;
    bool is_above = false;
    struct bypeer_id_number least = {{0}};
    for (unsigned i = 0; i < m.own_count; i++) {
        struct bypeer_id_number up = bypeer_id_above(number_of(at), number_of(m.owns[i]));
        struct bypeer_id_number down = bypeer_id_above(number_of(m.owns[i]), number_of(at));
        bool above = bypeer_id_compare(up, down) <= 0;
        int compared = nearest < 0 ? -1 : bypeer_id_compare(above ? up : down, least);
        if (compared > 0 || (compared == 0 && !above)) /* halfway between two it belongs to the lower one */
            continue;
        nearest = (int)m.owns[i];
        is_above = above;
        least = above ? up : down;
    }
    if (nearest < 0)
        return -1;
    double distance = bypeer_id_fraction(least);
    long level = 0;
    for (double begin = 0.05; distance < begin && level < 40; begin /= 10)
        level++;
    return ((long)nearest * 2 + is_above) * 100 + level;
}

static unsigned level_count(unsigned of)
{
    unsigned count = 0;
    long level = level_of(of);
    for (unsigned at = 0; at < IDS; at++)
        count += at != of && m.states[at] == PRESENT && level_of(at) == level && !is_leaf(at);
    return count;
}

static unsigned share_of(const uint8_t *address, size_t length)
{
    unsigned count = 0;
    for (unsigned at = 0; at < IDS; at++)
        count += m.states[at] == PRESENT && memcmp(m.addresses[at], address, length) == 0;
    return count;
}

/* The same without leaf sets. */
static unsigned share_of_others(const uint8_t *address, size_t length)
{
    unsigned count = 0;
    for (unsigned at = 0; at < IDS; at++)
        count += m.states[at] == PRESENT && memcmp(m.addresses[at], address, length) == 0 && !is_leaf(at);
    return count;
}

/* --- the cache and the model side by side --- */

static unsigned index_of(const uint8_t *id)
{
    const uint8_t(*found)[32] = bsearch(id, m.ids, IDS, 32, compare_ids);
    cr_assert(found);
    return (unsigned)(found - (const uint8_t(*)[32])m.ids);
}

static void check_route(const struct bypeer_route *route)
{
    unsigned at = index_of(route->id);
    uint8_t addresses[20 * 16];
    struct bypeer_pnrp_entry entry;
    bypeer_route_entry(route, addresses, &entry);
    cr_assert_eq(entry.address_count, m.address_counts[at]);
    cr_assert_eq(entry.port, m.ports[at]);
    cr_assert_eq(memcmp(entry.addresses, m.addresses[at], 16u * m.address_counts[at]), 0);
    cr_assert_eq(memcmp(entry.id, m.ids[at], 32), 0);
}

static void watch(void *context, enum bypeer_cache_change change, const struct bypeer_route *route)
{
    cr_assert_eq(context, &m);
    unsigned at = index_of(route->id);
    switch (change) {
    case BYPEER_CACHE_ADDED:
        cr_assert_eq(m.states[at], ABSENT);
        m.states[at] = route->flags & BYPEER_ROUTE_OWN ? OWN : PRESENT;
        if (m.states[at] == OWN)
            m.owns[m.own_count++] = at;
        check_route(route);
        break;
    case BYPEER_CACHE_UPDATED:
        cr_assert_neq(m.states[at], ABSENT);
        check_route(route);
        break;
    case BYPEER_CACHE_REMOVED:
        cr_assert_neq(m.states[at], ABSENT);
        check_route(route);
        for (unsigned i = 0; i < m.own_count; i++)
            if (m.owns[i] == at)
                m.owns[i] = m.owns[--m.own_count];
        m.states[at] = ABSENT;
        m.removed_told++;
        break;
    case BYPEER_CACHE_LEAVES:
        cr_assert_eq(m.states[at], OWN);
        m.leaves_told[at] = true;
        break;
    }
}

/* What a leaf set holds, as one number of the set's members. */
static uint64_t leaf_set_hash(unsigned own)
{
    uint64_t hash = 0;
    for (int step = -1; step <= 1; step += 2) {
        unsigned found = 0;
        for (int i = ((int)own + step + IDS) % IDS; (unsigned)i != own && found < BYPEER_LEAF_SET;
             i = (i + step + IDS) % IDS)
            if (m.states[i] == PRESENT) {
                hash = random_mix(hash + (uint64_t)i + 1);
                found++;
            }
    }
    return hash;
}

static void check_walk(unsigned around, bool exact)
{
    struct bypeer_id_number target = number_of(around);
    if (!exact) /* just below it, so that nothing is equal */
        target = bypeer_id_above(target, (struct bypeer_id_number){{0, 0, 0, 1}});
    uint8_t id[32];
    bypeer_id_store(id, target);
    unsigned first = 0; /* of the model at or above the target */
    while (first < IDS && memcmp(m.ids[first], id, 32) < 0)
        first++;
    unsigned total = IDS - count_of(ABSENT), given = 0;
    int up = (int)first - 1, down = (int)first;
    struct bypeer_cache_walk walk;
    const struct bypeer_route *route;
    bypeer_cache_walk(m.cache, target, &walk);
    while (given < total) {
        bool above = random_below(2);
        do {
            if (above)
                up++;
            else
                down--;
        } while (m.states[(above ? up : down + 2 * IDS) % IDS] == ABSENT);
        route = above ? bypeer_cache_above(&walk) : bypeer_cache_below(&walk);
        cr_assert(route);
        cr_assert_eq(index_of(route->id), (unsigned)(above ? up : down + 2 * IDS) % IDS);
        given++;
    }
    cr_assert_null(bypeer_cache_above(&walk));
    cr_assert_null(bypeer_cache_below(&walk));
}

static void check_nearest(unsigned around, bool own)
{
    int nearest = -1;
    for (unsigned at = 0; at < IDS; at++)
        if ((m.states[at] == PRESENT || (own && m.states[at] == OWN)) &&
            (nearest < 0 || bypeer_id_is_nearer(number_of(around), number_of(at), number_of((unsigned)nearest))))
            nearest = (int)at;
    const struct bypeer_route *route = bypeer_cache_nearest(m.cache, number_of(around), own);
    cr_assert_eq(route != NULL, nearest >= 0);
    if (!route)
        return;
    struct bypeer_id_number expected = bypeer_id_distance(number_of((unsigned)nearest), number_of(around));
    cr_assert_eq(bypeer_id_compare(bypeer_id_distance(bypeer_id_load(route->id), number_of(around)), expected), 0);
    cr_assert(own || !(route->flags & BYPEER_ROUTE_OWN));
}

static void check_leaf_set(unsigned own)
{
    for (int above = 0; above < 2; above++) {
        const struct bypeer_route *leaves[BYPEER_LEAF_SET];
        unsigned count = bypeer_cache_leaves(m.cache, m.ids[own], above, leaves), found = 0;
        int step = above ? 1 : -1;
        for (int i = ((int)own + step + IDS) % IDS; (unsigned)i != own && found < BYPEER_LEAF_SET;
             i = (i + step + IDS) % IDS)
            if (m.states[i] == PRESENT) {
                cr_assert(found < count);
                cr_assert_eq(index_of(leaves[found]->id), (unsigned)i);
                found++;
            }
        cr_assert_eq(count, found);
    }
}

static void check_all(void)
{
    unsigned own_count = count_of(OWN);
    cr_assert_eq(bypeer_cache_count(m.cache), count_of(PRESENT));
    cr_assert_eq(bypeer_cache_own_count(m.cache), own_count);
    for (unsigned at = 0, own = 0; at < IDS; at++) {
        const struct bypeer_route *route = bypeer_cache_find(m.cache, m.ids[at]);
        cr_assert_eq(route != NULL, m.states[at] != ABSENT);
        const uint8_t *of = NULL;
        bool leaf = is_leaf(at);
        cr_assert_eq(bypeer_cache_is_leaf(m.cache, m.ids[at], &of), leaf);
        cr_assert(!leaf || (m.states[index_of(of)] == OWN && is_leaf_of(index_of(of), at)));
        if (!route)
            continue;
        check_route(route);
        if (m.states[at] == OWN) {
            cr_assert_eq(route->flags, BYPEER_ROUTE_OWN);
            cr_assert_eq(memcmp(bypeer_cache_own(m.cache, own++), m.ids[at], 32), 0);
            check_leaf_set(at);
            continue;
        }
        cr_assert_eq(route->flags, leaf ? BYPEER_ROUTE_LEAF : 0);
        cr_assert_eq(route->verified_s, m.verified[at]);
        cr_assert(share_of(m.addresses[at], 16) <= BYPEER_CACHE_PER_ADDRESS);
        if (!leaf)
            cr_assert(share_of_others(m.addresses[at], 8) <= BYPEER_CACHE_PER_NET);
        if (!leaf && m.capacity == 0 && own_count > 0)
            cr_assert(level_count(at) < BYPEER_CACHE_LEVEL);
    }
    if (m.capacity == 0 && own_count == 0)
        cr_assert(count_of(PRESENT) <= BYPEER_CACHE_SPREAD);
    if (m.capacity > 0)
        cr_assert(count_of(PRESENT) <= m.capacity);
    unsigned around = random_below(IDS);
    check_walk(around, true);
    check_walk(around, false);
    check_nearest(around, true);
    check_nearest(around, false);
}

/* --- operations --- */

static void random_endpoints(unsigned at, struct bypeer_pnrp_entry *ret_entry, uint8_t addresses[static 20 * 16])
{
    uint8_t count = random_below(4) == 0 ? (uint8_t)(1 + random_below(20)) : 1;
    memset(addresses, 0, 20 * 16);
    for (unsigned i = 0; i < count; i++) {
        addresses[16 * i] = 0x20;
        addresses[16 * i + 7] = (uint8_t)random_below(5);
        addresses[16 * i + 15] = (uint8_t)random_below(20);
    }
    *ret_entry = (struct bypeer_pnrp_entry){
        .id = m.ids[at], .addresses = addresses, .address_count = count, .port = (uint16_t)(2000 + random_below(3))};
}

static void model_take(unsigned at, const struct bypeer_pnrp_entry *entry)
{
    memcpy(m.addresses[at], entry->addresses, 16u * entry->address_count);
    m.address_counts[at] = entry->address_count;
    m.ports[at] = entry->port;
}

static void put(unsigned at)
{
    uint8_t addresses[20 * 16], before[20 * 16];
    struct bypeer_pnrp_entry entry;
    random_endpoints(at, &entry, addresses);
    enum state state = m.states[at];
    bool same_address = state == PRESENT && memcmp(addresses, m.addresses[at], 16) == 0;
    bool same_net = state == PRESENT && memcmp(addresses, m.addresses[at], 8) == 0;
    bool leaf = is_leaf(at);
    bool crowded = (!same_address && share_of(addresses, 16) >= BYPEER_CACHE_PER_ADDRESS) ||
                   (!same_net && !leaf && share_of(addresses, 8) >= BYPEER_CACHE_PER_NET);
    unsigned in_level = m.capacity == 0 && state == ABSENT ? level_count(at) : 0;
    unsigned room = count_of(OWN) > 0 ? BYPEER_CACHE_LEVEL : BYPEER_CACHE_SPREAD;
    bool full = m.capacity == 0 ? in_level >= room : count_of(PRESENT) == m.capacity;

    struct bypeer_pnrp_entry old = {.addresses = before, .address_count = m.address_counts[at], .port = m.ports[at]};
    memcpy(before, m.addresses[at], sizeof(before));
    if (state != OWN)
        model_take(at, &entry);
    m.removed_told = 0;
    int result = bypeer_cache_put(m.cache, &entry, m.now_s);
    if (result < 0 && state != OWN)
        model_take(at, &old);
    if (state == OWN) {
        cr_assert_eq(result, -EEXIST);
    } else if (crowded) {
        cr_assert_eq(result, -ENOSPC);
        cr_assert_eq(m.removed_told, 0);
    } else if (state == PRESENT) {
        cr_assert_eq(result, 0);
        cr_assert_eq(m.removed_told, 0);
    } else if (!full || (leaf && m.capacity == 0)) {
        cr_assert_eq(result, 1);
        cr_assert(leaf || m.removed_told == 0);
    } else {
        cr_assert(result == 1 || result == -ENOSPC);
        cr_assert_eq(m.removed_told, result == 1);
    }
    if (result >= 0)
        m.verified[at] = m.now_s;
}

static void add_own(unsigned at)
{
    uint8_t addresses[20 * 16];
    struct bypeer_pnrp_entry entry;
    random_endpoints(at, &entry, addresses);
    if (m.states[at] == OWN) {
        bool move = random_below(2);
        if (move)
            model_take(at, &entry);
        cr_assert_eq(move ? bypeer_cache_move_own(m.cache, &entry) : bypeer_cache_add_own(m.cache, &entry),
                     move ? 0 : -EEXIST);
        return;
    }
    cr_assert_eq(bypeer_cache_move_own(m.cache, &entry), -ENOENT);
    if (m.states[at] == PRESENT)
        cr_assert(bypeer_cache_remove(m.cache, m.ids[at]));
    model_take(at, &entry);
    cr_assert_eq(bypeer_cache_add_own(m.cache, &entry), 0);
    cr_assert_eq(m.states[at], OWN);
}

static void change_something(void)
{
    uint64_t before[IDS];
    bool was_own[IDS];
    for (unsigned at = 0; at < IDS; at++) {
        was_own[at] = m.states[at] == OWN;
        if (was_own[at])
            before[at] = leaf_set_hash(at);
    }
    memset(m.leaves_told, 0, sizeof(m.leaves_told));
    unsigned at = random_below(IDS), what = random_below(100);
    if (what < 70) {
        put(at);
    } else if (what < 96) {
        enum state state = m.states[at];
        cr_assert_eq(bypeer_cache_remove(m.cache, m.ids[at]), state == PRESENT);
        cr_assert_eq(m.states[at], state == PRESENT ? ABSENT : state);
    } else if (what < 98) {
        bypeer_cache_touch(m.cache, m.ids[at], m.now_s);
        if (m.states[at] == PRESENT)
            m.verified[at] = m.now_s;
    } else if (m.own_count < OWNS && random_below(8) == 0) {
        add_own(at);
    } else if (m.states[at] == OWN) {
        bypeer_cache_remove_own(m.cache, m.ids[at]);
        cr_assert_eq(m.states[at], ABSENT);
    }
    for (unsigned own = 0; own < IDS; own++)
        if (m.states[own] == OWN && was_own[own] && leaf_set_hash(own) != before[own])
            cr_assert(m.leaves_told[own], "nobody was told of a new leaf set");
    m.now_s += random_below(20);
}

static void make_ids(void)
{
    for (unsigned at = 0; at < IDS; at++) {
        for (unsigned i = 0; i < 32; i++)
            m.ids[at][i] = (uint8_t)random_below(256);
        switch (at % 8) {
        case 1: /* the registrations of one name; of one name in one /64; neighbours */
            memset(m.ids[at], 0x11, 16);
            break;
        case 2:
            memset(m.ids[at], 0x22, 24);
            break;
        case 3:
            memset(m.ids[at], 0x33, 31);
            break;
        case 4: /* the ends of the ring */
            memset(m.ids[at], 0xff, 31);
            break;
        case 5:
            memset(m.ids[at], 0, 31);
            break;
        default:
            break;
        }
    }
    qsort(m.ids, IDS, 32, compare_ids);
    for (unsigned at = 1; at < IDS; at++)
        if (memcmp(m.ids[at - 1], m.ids[at], 32) >= 0) /* make it another, just above */
            bypeer_id_store(m.ids[at],
                            bypeer_id_add(bypeer_id_load(m.ids[at - 1]), (struct bypeer_id_number){{0, 0, 0, 1}}));
}

static void run(uint32_t capacity)
{
    const char *wanted = getenv("BYPEER_MODEL_OPERATIONS");
    const uint64_t operations = (wanted ? strtoull(wanted, NULL, 10) : OPERATIONS);
    memset(&m, 0, sizeof(m));
    make_ids();
    m.capacity = capacity;
    m.now_s = UINT32_MAX - 5000; /* clocks of seconds may wrap */
    cr_assert_eq(bypeer_cache_create(&m.cache, capacity, random_next(&random_state), watch, &m), 0);
    for (uint64_t operation = 0; operation < operations; operation++) {
        change_something();
        if (operation % 256 == 0)
            check_all();
    }
    check_all();
    bypeer_cache_free(m.cache);
}

Test(pnrp_cache_model, a_small_cache_keeps_its_rules, .timeout = 600)
{
    run(0);
}

Test(pnrp_cache_model, a_full_cache_keeps_its_rules, .timeout = 600)
{
    run(150);
}

/* --- many IDs: chunks split and merge --- */

#define MANY            120000
#define MANY_OPERATIONS 3000000

static struct {
    struct bypeer_cache *cache;
    uint8_t (*ids)[32];
    uint64_t present[(MANY + 63) / 64];
    uint32_t count;
} many;

static bool many_has(uint32_t at)
{
    return many.present[at / 64] >> (at % 64) & 1;
}

/* The next present ID from a number on, upwards or downwards, round the ring. */
static uint32_t many_next(uint32_t at, bool above)
{
    while (!many_has(at)) {
        if (many.present[at / 64] == 0 && at % 64 == (above ? 0 : 63)) /* a word without any is passed over */
            at += above ? 63 : (uint32_t)-63;
        at = above ? at + 1 : at - 1;
        if (at >= MANY)
            at = above ? 0 : MANY - 1;
    }
    return at;
}

static void many_change(uint32_t at, bool put)
{
    uint8_t address[16] = {0x20, [2] = (uint8_t)(at >> 16), (uint8_t)(at >> 8), (uint8_t)at};
    struct bypeer_pnrp_entry entry = {.id = many.ids[at], .addresses = address, .address_count = 1, .port = 2000};
    bool had = many_has(at);
    if (put) {
        cr_assert_eq(bypeer_cache_put(many.cache, &entry, 1), !had);
        many.count += !had;
        many.present[at / 64] |= UINT64_C(1) << (at % 64);
    } else {
        cr_assert_eq(bypeer_cache_remove(many.cache, many.ids[at]), had);
        many.count -= had;
        many.present[at / 64] &= ~(UINT64_C(1) << (at % 64));
    }
    cr_assert_eq(bypeer_cache_count(many.cache), many.count);
}

static void many_look(uint32_t around)
{
    struct bypeer_cache_walk walk;
    bypeer_cache_walk(many.cache, bypeer_id_load(many.ids[around]), &walk);
    uint32_t up = around, down = around == 0 ? MANY - 1 : around - 1;
    for (unsigned step = 0; step < 3 && many.count > 10; step++) {
        up = many_next(up, true);
        down = many_next(down, false);
        cr_assert_eq(memcmp(bypeer_cache_above(&walk)->id, many.ids[up], 32), 0);
        cr_assert_eq(memcmp(bypeer_cache_below(&walk)->id, many.ids[down], 32), 0);
        up = up + 1 == MANY ? 0 : up + 1;
        down = down == 0 ? MANY - 1 : down - 1;
    }
    cr_assert_eq(bypeer_cache_find(many.cache, many.ids[around]) != NULL, many_has(around));
}

Test(pnrp_cache_model, many_ids_are_in_order_and_take_little_memory, .timeout = 600)
{
    many.ids = calloc(MANY, 32);
    cr_assert(many.ids);
    for (uint32_t at = 0; at < MANY; at++) {
        for (unsigned i = 0; i < 32; i += 8) {
            uint64_t word = random_next(&random_state);
            memcpy(&many.ids[at][i], &word, 8);
        }
        if (at % 4 == 0) /* the registrations of one name, and those in one /64 */
            memset(many.ids[at], 0x42, at % 8 == 0 ? 16 : 24);
    }
    qsort(many.ids, MANY, 32, compare_ids);
    cr_assert_eq(bypeer_cache_create(&many.cache, MANY, 5, NULL, NULL), 0);
    const size_t empty = bypeer_cache_bytes(many.cache);
    for (uint32_t operation = 0; operation < MANY_OPERATIONS; operation++) {
        /* Filling and emptying in turn; now and then in ascending order, which splits chunks at their ends. */
        uint32_t phase = operation / (MANY_OPERATIONS / 6), at = random_below(MANY);
        if (phase == 2)
            at = operation % MANY;
        many_change(at, random_below(100) < (phase % 2 == 0 ? 90 : 8));
        many_look(random_below(MANY));
    }
    cr_assert_lt(bypeer_cache_bytes(many.cache) - empty, many.count * 64ul * 2 + 100000);
    bypeer_cache_free(many.cache);
    free(many.ids);
}
