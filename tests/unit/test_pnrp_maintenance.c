/*
 * Maintenance over clouds that are plain sorted arrays of IDs: what nodes conclude, and how well they are found after
 * they have followed the advice.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/pnrp/answer_cache.h"
#include "overlay/pnrp/cache.h"
#include "overlay/pnrp/maintenance.h"
#include "overlay/pnrp/search.h"
#include "tests/random.h"

static uint64_t random_state = 17;

struct node {
    uint8_t id[32];
    uint8_t address[16];
    struct bypeer_cache *cache;
};

struct plain_cloud {
    struct node *nodes; /* by ID */
    unsigned count;
};

static int compare_nodes(const void *a, const void *b)
{
    return memcmp(((const struct node *)a)->id, ((const struct node *)b)->id, 32);
}

static struct plain_cloud cloud_new(unsigned count)
{
    struct plain_cloud cloud = {.nodes = calloc(count, sizeof(*cloud.nodes)), .count = count};
    cr_assert(cloud.nodes);
    for (unsigned at = 0; at < count; at++)
        for (unsigned i = 0; i < 32; i++)
            cloud.nodes[at].id[i] = (uint8_t)random_next_below(&random_state, 256);
    qsort(cloud.nodes, count, sizeof(*cloud.nodes), compare_nodes);
    for (unsigned at = 0; at < count; at++) /* a /64 each */
        memcpy(cloud.nodes[at].address,
               (uint8_t[16]){0x20, 1, [5] = (uint8_t)(at >> 16), (uint8_t)(at >> 8), (uint8_t)at}, 16);
    return cloud;
}

static void cloud_free(struct plain_cloud *cloud)
{
    for (unsigned at = 0; at < cloud->count; at++)
        bypeer_cache_free(cloud->nodes[at].cache);
    free(cloud->nodes);
}

static struct bypeer_pnrp_entry entry_of(const struct node *node)
{
    return (struct bypeer_pnrp_entry){.id = node->id, .addresses = node->address, .address_count = 1, .port = 3541};
}

/* A node that has registered: it knows its neighbours. */
static struct bypeer_cache *node_join(struct plain_cloud *cloud, unsigned at, uint32_t capacity)
{
    struct node *node = &cloud->nodes[at];
    struct bypeer_pnrp_entry entry = entry_of(node);
    cr_assert_eq(bypeer_cache_create(&node->cache, capacity, at + 1, NULL, NULL), 0);
    cr_assert_eq(bypeer_cache_add_own(node->cache, &entry), 0);
    for (unsigned i = 1; i <= BYPEER_LEAF_SET && i < cloud->count; i++) {
        entry = entry_of(&cloud->nodes[(at + i) % cloud->count]);
        bypeer_cache_put(node->cache, &entry, 0);
        entry = entry_of(&cloud->nodes[(at + cloud->count - i) % cloud->count]);
        bypeer_cache_put(node->cache, &entry, 0);
    }
    return node->cache;
}

/* A search with criterion UPPER_BITS, as if it always ended well: some ID that shares the bits, or none. */
static const struct node *cloud_search(const struct plain_cloud *cloud, const struct bypeer_gap *gap)
{
    unsigned low = 0, high = cloud->count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        struct bypeer_id_number id = bypeer_id_load(cloud->nodes[middle].id);
        bool is_below =
            bypeer_id_compare(id, gap->middle) < 0 && bypeer_id_common_bits(id, gap->middle) < gap->precision;
        if (is_below)
            low = middle + 1;
        else
            high = middle;
    }
    unsigned count = 0;
    while (low + count < cloud->count &&
           bypeer_id_common_bits(bypeer_id_load(cloud->nodes[low + count].id), gap->middle) >= gap->precision)
        count++;
    return count > 0 ? &cloud->nodes[low + random_next_below(&random_state, count)] : NULL;
}

/* Does what maintenance says until it is content; returns how many searches it took. */
static unsigned node_maintain(const struct plain_cloud *cloud, struct bypeer_cache *cache, unsigned most)
{
    struct bypeer_gap gap;
    unsigned searches = 0;
    for (; searches < most && bypeer_maintenance_gap(cache, random_next(&random_state), &gap); searches++) {
        const struct bypeer_route *route = bypeer_cache_nearest(cache, gap.middle, true);
        cr_assert_lt(bypeer_id_common_bits(bypeer_id_load(route->id), gap.middle), gap.precision,
                     "what is looked for is known already");
        const struct node *found = cloud_search(cloud, &gap);
        if (!found)
            continue;
        struct bypeer_pnrp_entry entry = entry_of(found);
        cr_assert_eq(bypeer_cache_put(cache, &entry, 0), 1, "what was looked for is not wanted");
    }
    return searches;
}

/* --- size --- */

Test(pnrp_maintenance, a_node_alone_is_one)
{
    struct plain_cloud cloud = cloud_new(1);
    struct bypeer_cache *cache = node_join(&cloud, 0, 0);
    cr_assert_eq(bypeer_maintenance_nodes(cache), 1);
    bypeer_cache_free(cache);
    cr_assert_eq(bypeer_cache_create(&cloud.nodes[0].cache, 0, 1, NULL, NULL), 0);
    cr_assert_eq(bypeer_maintenance_nodes(cloud.nodes[0].cache), 1);
    cloud_free(&cloud);
}

Test(pnrp_maintenance, small_clouds_are_counted)
{
    for (unsigned count = 2; count <= 10; count++) {
        struct plain_cloud cloud = cloud_new(count);
        cr_assert_eq(bypeer_maintenance_nodes(node_join(&cloud, count / 2, 0)), count);
        cloud_free(&cloud);
    }
}

Test(pnrp_maintenance, large_clouds_are_estimated)
{
    for (unsigned count = 100; count <= 100000; count *= 10) {
        struct plain_cloud cloud = cloud_new(count);
        double sum = 0;
        for (unsigned i = 0; i < 100; i++) {
            unsigned at = i * (count / 100);
            double nodes = (double)bypeer_maintenance_nodes(node_join(&cloud, at, 0));
            cr_assert(nodes > count / 4.0 && nodes < count * 6.0, "%u are estimated as %g", count, nodes);
            sum += nodes;
        }
        cr_assert(fabs(sum / 100 / count - 1) < 0.2, "%u are estimated as %g", count, sum / 100);
        cloud_free(&cloud);
    }
}

Test(pnrp_maintenance, nodes_with_many_names_are_not_counted_as_many)
{
    struct plain_cloud cloud = cloud_new(20000);
    struct bypeer_cache *cache = node_join(&cloud, 0, 0);
    for (unsigned i = 1; i < 20; i++) {
        struct bypeer_pnrp_entry own = entry_of(&cloud.nodes[i * 1000]);
        cr_assert_eq(bypeer_cache_add_own(cache, &own), 0);
        for (unsigned far = 1; far <= BYPEER_LEAF_SET; far++) {
            struct bypeer_pnrp_entry above = entry_of(&cloud.nodes[i * 1000 + far]);
            struct bypeer_pnrp_entry below = entry_of(&cloud.nodes[i * 1000 - far]);
            bypeer_cache_put(cache, &above, 0);
            bypeer_cache_put(cache, &below, 0);
        }
    }
    double ids = (double)bypeer_maintenance_ids(cache);
    cr_assert(ids > 14000 && ids < 27000, "20000 are estimated as %g", ids);
    cr_assert_eq(bypeer_maintenance_nodes(cache), bypeer_maintenance_ids(cache) / 20);
    cloud_free(&cloud);
}

/* --- gaps --- */

Test(pnrp_maintenance, gaps_close)
{
    for (unsigned count = 12; count < 200000; count *= 4) {
        struct plain_cloud cloud = cloud_new(count);
        struct bypeer_cache *cache = node_join(&cloud, count / 3, 0);
        unsigned searches = node_maintain(&cloud, cache, 400);
        double levels = log10(count);
        cr_assert_lt(searches, 60 + 30 * levels, "%u searches of %u nodes", searches, count);
        cr_assert_lt(bypeer_cache_count(cache), 15 + 20 * levels);
        if (count > 1000)
            cr_assert_gt(bypeer_cache_count(cache), 10 * levels);
        cr_assert_lt(bypeer_cache_bytes(cache), 10000);
        cloud_free(&cloud);
    }
}

Test(pnrp_maintenance, without_own_ids_what_is_known_is_spread)
{
    struct plain_cloud cloud = cloud_new(5000);
    struct bypeer_cache *cache;
    cr_assert_eq(bypeer_cache_create(&cache, 0, 1, NULL, NULL), 0);
    cloud.nodes[0].cache = cache;
    struct bypeer_gap gap;
    cr_assert_not(bypeer_maintenance_gap(cache, 5, &gap));
    for (unsigned i = 0; i < 30; i++) {
        struct bypeer_pnrp_entry entry = entry_of(&cloud.nodes[i]);
        cr_assert_eq(bypeer_cache_put(cache, &entry, 0), 1);
    }
    node_maintain(&cloud, cache, 100);
    for (unsigned at = 0; at < 10; at++) {
        struct bypeer_id_number place = {{at * (UINT64_MAX / 10), 0, 0, 0}};
        const struct bypeer_route *route = bypeer_cache_nearest(cache, place, false);
        double distance = bypeer_id_fraction(bypeer_id_distance(bypeer_id_load(route->id), place));
        cr_assert(distance < 0.05, "nobody is known within %g of the ring around %u/10", distance, at);
    }
    cloud_free(&cloud);
}

Test(pnrp_maintenance, a_full_cache_is_filled_everywhere)
{
    struct plain_cloud cloud = cloud_new(3000);
    struct bypeer_cache *cache = node_join(&cloud, 0, 100000);
    for (unsigned round = 0; round < 20; round++)
        node_maintain(&cloud, cache, 1000);
    cr_assert_gt(bypeer_cache_count(cache), 300);
    cloud_free(&cloud);
}

/* --- what it is for: hops --- */

static struct node *node_at(const struct plain_cloud *cloud, const uint8_t *address)
{
    return &cloud->nodes[(unsigned)address[5] << 16 | (unsigned)address[6] << 8 | address[7]];
}

static void node_answer(const struct plain_cloud *cloud, struct bypeer_search *search,
                        const struct bypeer_search_action *action)
{
    struct bypeer_pnrp_endpoint asked = {.port = action->hop.port};
    memcpy(asked.address, action->hop.addresses, 16);
    const struct node *node = node_at(cloud, asked.address);
    struct bypeer_id_number target = bypeer_search_settings(search)->target;
    uint8_t target_bytes[32];
    bypeer_id_store(target_bytes, target);
    struct bypeer_pnrp_lookup lookup = {
        .target = target_bytes, .validate = action->hop.id, .path = action->path, .any_distance = action->any_distance};
    struct bypeer_lookup_facts facts = {.validate_is_local = memcmp(node->id, action->hop.id, 32) == 0,
                                        .own_in_path = bypeer_pnrp_endpoints_have(&action->path, node->address),
                                        .random = (uint32_t)random_next(&random_state)};
    struct bypeer_known known = {.id = NULL};
    struct bypeer_answer_walk walk;
    bool remote;
    bypeer_answer_walk(node->cache, target_bytes, &walk);
    bypeer_answer_choose(&lookup, &facts, bypeer_answer_walk_nearest, &walk, &known, &remote);
    struct bypeer_pnrp_answer answer = {
        .entry = {
            .id = known.id, .addresses = known.address, .address_count = known.address_count, .port = known.port}};
    bypeer_search_answered(search, &asked, &answer, node->cache);
}

/* Returns the hops of a search from one node for another's name, or -1. */
static int cloud_resolve(const struct plain_cloud *cloud, const struct node *from, const struct node *to)
{
    struct bypeer_search_settings settings = {.criterion = BYPEER_PNRP_ANY, .self = {.port = 3541}};
    settings.target = bypeer_id_load(to->id);
    settings.target.words[2] = 0; /* the resolver knows the name only */
    settings.target.words[3] = UINT64_C(0x8000000000000000);
    memcpy(settings.self.address, from->address, 16);
    struct bypeer_search *search;
    struct bypeer_search_action action;
    cr_assert_eq(bypeer_search_begin(&search, &settings, from->cache), 0);
    for (;;) {
        bypeer_search_next(search, from->cache, &action);
        if (action.step == BYPEER_SEARCH_LOOKUP)
            node_answer(cloud, search, &action);
        else if (action.step == BYPEER_SEARCH_INQUIRE)
            bypeer_search_validated(search, memcmp(action.hop.id, to->id, 32) == 0);
        else
            break;
    }
    int hops = action.step == BYPEER_SEARCH_FOUND ? (int)bypeer_search_hops(search) : -1;
    bypeer_search_free(search);
    return hops;
}

Test(pnrp_maintenance, everybody_is_found_in_few_hops, .timeout = 120)
{
    struct plain_cloud cloud = cloud_new(3000);
    for (unsigned at = 0; at < cloud.count; at++)
        node_maintain(&cloud, node_join(&cloud, at, 0), 200);
    unsigned hops = 0, failed = 0;
    const unsigned searches = 3000;
    for (unsigned i = 0; i < searches; i++) {
        unsigned from = random_next_below(&random_state, cloud.count);
        unsigned to = (from + 1 + random_next_below(&random_state, 2999)) % 3000;
        int result = cloud_resolve(&cloud, &cloud.nodes[from], &cloud.nodes[to]);
        failed += result < 0;
        hops += result < 0 ? 0 : (unsigned)result;
    }
    double mean = (double)hops / searches;
    cr_assert_eq(failed, 0, "%u", failed);
    cr_assert(mean < log10(cloud.count) + 0.5, "%g hops in a cloud of %u", mean, cloud.count);
    cloud_free(&cloud);
}

/* --- splits --- */

Test(pnrp_maintenance, a_split_is_seen_by_who_is_nearer)
{
    struct plain_cloud cloud = cloud_new(100);
    struct bypeer_cache *cache = node_join(&cloud, 50, 0);
    struct bypeer_id_number target =
        bypeer_id_add(bypeer_id_load(cloud.nodes[50].id), (struct bypeer_id_number){{0, 0, 0, 1}});
    const uint8_t *nearest = bypeer_cache_nearest(cache, target, false)->id;
    unsigned near = nearest == cloud.nodes[51].id || memcmp(nearest, cloud.nodes[51].id, 32) == 0 ? 51 : 49;
    unsigned other = near == 51 ? 53 : 47; /* farther, and known */
    cr_assert_eq(bypeer_maintenance_split(cache, target, nearest), BYPEER_SPLIT_NONE);
    cr_assert_eq(bypeer_maintenance_split(cache, target, cloud.nodes[other].id), BYPEER_SPLIT_LARGER);
    cr_assert_eq(bypeer_maintenance_split(cache, target, cloud.nodes[90].id), BYPEER_SPLIT_LARGER);
    uint8_t gone[32];
    memcpy(gone, nearest, sizeof(gone));
    cr_assert(bypeer_cache_remove(cache, gone));
    cr_assert_eq(bypeer_maintenance_split(cache, target, gone), BYPEER_SPLIT_SMALLER);
    cloud_free(&cloud);
}

Test(pnrp_maintenance, split_tests_are_as_rare_as_the_cloud_is_large)
{
    struct plain_cloud cloud = cloud_new(1000);
    unsigned tests = 0;
    for (unsigned at = 0; at < cloud.count; at += 10) {
        const struct bypeer_cache *cache = node_join(&cloud, at, 0);
        for (unsigned tick = 0; tick < 1000; tick++)
            tests += bypeer_maintenance_is_split_test(cache, random_next(&random_state));
    }
    double a_tick = tests / 1000.0 * 10; /* of all nodes */
    cr_assert(a_tick > BYPEER_SPLIT_TESTS / 2.0 && a_tick < BYPEER_SPLIT_TESTS * 2, "%g tests a tick", a_tick);
    cloud_free(&cloud);
    cloud = cloud_new(5);
    cr_assert(bypeer_maintenance_is_split_test(node_join(&cloud, 0, 0), 12345));
    cloud_free(&cloud);
}
