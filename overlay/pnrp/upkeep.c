/*
 * What is done without being asked ([MS-PNRP] 3.1.6.2, 3.2.6.2, reference 2.3 and 4.13): finding somebody to begin
 * with, keeping the cache true and even, noticing that the cloud has come apart.
 */
#include "overlay/pnrp/maintenance.h"
#include "overlay/pnrp/state.h"

#define UPKEEP_MS           15000 /* reference 4.2 */
#define UPKEEP_SOON_MS      10000 /* with 2 entries or fewer */
#define UPKEEP_FEW          10    /* fewer entries than that: more are asked for */
#define UPKEEP_ALONE_MS     2500  /* after so long without an answer nobody is there */
#define UPKEEP_LEAF_S       90    /* a neighbour is tested when nothing was heard of it for so long */
#define UPKEEP_STALE_S      600   /* any other entry */
#define UPKEEP_REMEMBER_MAX 1000  /* of a larger cache not all will be lost */
#define UPKEEP_LOOKED_MIN   32    /* entries looked at in one round */
#define UPKEEP_TESTS        10    /* of a small cache */
#define UPKEEP_TESTS_MAX    1024  /* of a full one; half of what can be under test at once (entry.c) */
#define UPKEEP_ASKING       4     /* own IDs whose neighbours are asked in one round */
#define UPKEEP_SPLIT_OTHERS 8     /* further own IDs tested when one turns out to be in the smaller part */

static uint64_t upkeep_jitter(struct bypeer_pnrp *pnrp, uint64_t ms)
{
    return pnrp->now.ms + ms * 4 / 5 + bypeer_cloud_random(pnrp) % (ms * 2 / 5);
}

static void upkeep_contact_remembered(struct bypeer_pnrp *pnrp)
{
    for (unsigned i = 0; i < pnrp->remembered_count; i++)
        bypeer_conversation_begin(pnrp, &pnrp->remembered[i]);
}

static void upkeep_contact_seed(struct bypeer_pnrp *pnrp)
{
    if (pnrp->seed_count == 0)
        return;
    if (pnrp->seed_at >= pnrp->seed_count) /* 4.14 item 17 of the reference */
        pnrp->seed_at = 0;
    bypeer_conversation_begin(pnrp, &pnrp->seeds[pnrp->seed_at++]);
}

static void upkeep_search_ssdp(struct bypeer_pnrp *pnrp)
{
    if (pnrp->sink->discover)
        pnrp->sink->discover(pnrp->sink_context, BYPEER_DISCOVER_SSDP);
}

enum upkeep_mode { UPKEEP_LOCAL, UPKEEP_SSDP, UPKEEP_SEED };

/* One step of the cycle; at the first time all of them, since somebody waits for it. A seed is worth a try each time.
 */
static void upkeep_discover(struct bypeer_pnrp *pnrp)
{
    bool is_first = !pnrp->has_discovered;
    pnrp->has_discovered = true;
    if (is_first || pnrp->mode == UPKEEP_LOCAL)
        upkeep_contact_remembered(pnrp);
    if (is_first || pnrp->mode == UPKEEP_SSDP || (pnrp->mode == UPKEEP_LOCAL && pnrp->remembered_count == 0))
        upkeep_search_ssdp(pnrp);
    upkeep_contact_seed(pnrp);
    if (!is_first)
        pnrp->mode = (uint8_t)((pnrp->mode + 1) % (UPKEEP_SEED + 1));
}

/* Whom to begin with again, should all be lost: while there are as many as can be remembered. */
static void upkeep_remember(struct bypeer_pnrp *pnrp)
{
    struct bypeer_pnrp_endpoint nodes[BYPEER_CLOUD_REMEMBERED];
    uint32_t known = bypeer_cache_count(pnrp->cache);
    if (known < pnrp->remembered_count || known > UPKEEP_REMEMBER_MAX)
        return;
    unsigned count = bypeer_pnrp_bootstrap(pnrp, nodes, BYPEER_CLOUD_REMEMBERED);
    if (count == 0 || count < pnrp->remembered_count)
        return;
    struct bypeer_pnrp_endpoint *remembered = realloc(pnrp->remembered, count * sizeof(*remembered));
    if (!remembered)
        return;
    memcpy(remembered, nodes, count * sizeof(*remembered));
    pnrp->remembered = remembered;
    pnrp->remembered_count = (uint8_t)count;
}

static enum bypeer_pnrp_state upkeep_assess(const struct bypeer_pnrp *pnrp)
{
    if (pnrp->endpoint_count == 0)
        return pnrp->has_been_active  ? BYPEER_PNRP_NO_NET
               : pnrp->has_discovered ? BYPEER_PNRP_DEAD
                                      : BYPEER_PNRP_VIRTUAL;
    if (bypeer_cache_count(pnrp->cache) > 0)
        return BYPEER_PNRP_ACTIVE;
    bool is_over = pnrp->has_discovered && pnrp->now.ms >= pnrp->alone_ms;
    return is_over ? BYPEER_PNRP_ALONE : BYPEER_PNRP_SYNCHRONIZING;
}

void bypeer_upkeep_state(struct bypeer_pnrp *pnrp)
{
    enum bypeer_pnrp_state state = upkeep_assess(pnrp);
    if (state == pnrp->state)
        return;
    pnrp->state = (uint8_t)state;
    if (state == BYPEER_PNRP_ACTIVE)
        pnrp->has_been_active = true;
    if (pnrp->sink->state)
        pnrp->sink->state(pnrp->sink_context, state);
}

void bypeer_upkeep_hurry(struct bypeer_pnrp *pnrp)
{
    if (!pnrp->has_discovered)
        pnrp->discover_ms = pnrp->now.ms;
    bypeer_resolve_wake_starved(pnrp);
    bypeer_publish_hurry(pnrp);
    bypeer_upkeep_state(pnrp);
    bypeer_cloud_wake(pnrp, pnrp->now.ms);
}

static void upkeep_test_stale(struct bypeer_pnrp *pnrp)
{
    struct bypeer_cache_walk walk;
    const struct bypeer_route *stale[UPKEEP_TESTS_MAX];
    unsigned stale_count = 0;
    uint32_t now_s = (uint32_t)(pnrp->now.ms / 1000), count = bypeer_cache_count(pnrp->cache);
    /* All of them within UPKEEP_STALE_S. */
    uint32_t share = count / (1000 * UPKEEP_STALE_S / UPKEEP_MS), look = share + UPKEEP_LOOKED_MIN;
    uint32_t most = UPKEEP_TESTS + (bypeer_cache_keeps_all(pnrp->cache) ? share : 0);
    if (most > UPKEEP_TESTS_MAX)
        most = UPKEEP_TESTS_MAX;
    bypeer_cache_walk(pnrp->cache, bypeer_id_load(pnrp->cursor), &walk);
    for (; look > 0 && stale_count < most; look--) {
        const struct bypeer_route *route = bypeer_cache_above(&walk);
        if (!route)
            break;
        memcpy(pnrp->cursor, route->id, sizeof(pnrp->cursor));
        uint32_t limit = route->flags & BYPEER_ROUTE_LEAF ? UPKEEP_LEAF_S : UPKEEP_STALE_S;
        if (!(route->flags & BYPEER_ROUTE_OWN) && now_s - route->verified_s >= limit)
            stale[stale_count++] = route;
    }
    for (unsigned i = 0; i < stale_count; i++)
        bypeer_entry_retest(pnrp, stale[i], NULL);
}

static void upkeep_synchronize(struct bypeer_pnrp *pnrp)
{
    struct bypeer_id_number place;
    bypeer_cloud_random_bytes(pnrp, &place, sizeof(place));
    const struct bypeer_route *route = bypeer_cache_nearest(pnrp->cache, place, false);
    struct bypeer_pnrp_endpoint node = {.port = 0};
    if (!route)
        return;
    memcpy(node.address, route->address, 16);
    node.port = route->port;
    bypeer_conversation_begin(pnrp, &node);
}

/* Of some own IDs, each in its turn. */
static void upkeep_ask_neighbours(struct bypeer_pnrp *pnrp)
{
    uint32_t count = bypeer_cache_own_count(pnrp->cache);
    for (uint32_t i = 0; i < count && i < UPKEEP_ASKING; i++)
        bypeer_neighbour_ask(pnrp, bypeer_cache_own(pnrp->cache, pnrp->neighbour_at++ % count));
}

static void upkeep_fill_gap(struct bypeer_pnrp *pnrp)
{
    struct bypeer_gap gap;
    if (!bypeer_maintenance_gap(pnrp->cache, bypeer_cloud_random(pnrp), &gap))
        return;
    struct bypeer_search_settings settings = {.target = gap.middle,
                                              .criterion = BYPEER_PNRP_UPPER_BITS,
                                              .precision = gap.precision,
                                              .reason = BYPEER_PNRP_CACHE_MAINTENANCE};
    bypeer_seek_begin(pnrp, BYPEER_SEEK_GAP, 0, &settings);
}

/* A search for an own neighbour that begins at a seed ends at one that is known, if the seed is in the same cloud.
 * Whether it began. */
static bool upkeep_test_split(struct bypeer_pnrp *pnrp, struct bypeer_registration *registration)
{
    static const uint8_t nobody[32];
    const struct bypeer_id_number one = {{0, 0, 0, 1}};
    struct bypeer_pnrp_endpoint start;
    if (registration->is_leaving || registration->split_test_ms > pnrp->now.ms || !bypeer_seek_start(pnrp, &start))
        return false;
    const struct bypeer_pnrp_entry first = {
        .id = nobody, .addresses = start.address, .address_count = 1, .port = start.port};
    struct bypeer_search_settings settings = {.target = bypeer_id_add(bypeer_id_load(registration->id), one),
                                              .criterion = BYPEER_PNRP_NONE,
                                              .reason = BYPEER_PNRP_SPLIT_DETECTION,
                                              .first_hop = &first};
    registration->split_test_ms = pnrp->now.ms + UPKEEP_SOON_MS;
    pnrp->counters.split_tests++;
    return bypeer_seek_begin(pnrp, BYPEER_SEEK_SPLIT, registration->handle, &settings) == 0;
}

static void upkeep_test_some_split(struct bypeer_pnrp *pnrp)
{
    /* Once soon after joining; from then on as often as all of the cloud together shall. */
    bool is_wanted = bypeer_maintenance_is_split_test(pnrp->cache, bypeer_cloud_random(pnrp));
    if (pnrp->registration_count == 0 || (pnrp->is_split_tested && !is_wanted))
        return;
    struct bypeer_registration *registration = pnrp->registrations;
    for (uint64_t skip = bypeer_cloud_random(pnrp) % pnrp->registration_count; skip > 0; skip--)
        registration = registration->next;
    if (upkeep_test_split(pnrp, registration))
        pnrp->is_split_tested = true;
}

static void upkeep_split_tested(struct bypeer_pnrp *pnrp, const struct bypeer_seek *seek)
{
    struct bypeer_registration *registration = bypeer_publish_by_handle(pnrp, seek->owner);
    if (!seek->has_best || !registration || registration->is_leaving)
        return;
    struct bypeer_id_number target = bypeer_search_settings(seek->search)->target;
    enum bypeer_split split = bypeer_maintenance_split(pnrp->cache, target, seek->best);
    if (split == BYPEER_SPLIT_NONE)
        return;
    pnrp->counters.splits++;
    /* The other part's seed leads nobody there to us, whichever part is larger: the own entry goes there, and leaf sets
     * do the rest, neighbour by neighbour. */
    bypeer_publish_cross(pnrp, registration);
    unsigned left = split == BYPEER_SPLIT_SMALLER ? UPKEEP_SPLIT_OTHERS : 0;
    for (struct bypeer_registration *other = pnrp->registrations; other && left > 0; other = other->next)
        left -= upkeep_test_split(pnrp, other);
}

void bypeer_upkeep_seek_ended(struct bypeer_pnrp *pnrp, const struct bypeer_seek *seek)
{
    if (seek->purpose == BYPEER_SEEK_SPLIT)
        upkeep_split_tested(pnrp, seek);
}

static void upkeep_maintain(struct bypeer_pnrp *pnrp)
{
    bypeer_conversation_expire(pnrp, false);
    if (bypeer_cache_count(pnrp->cache) == 0) {
        upkeep_discover(pnrp);
        return;
    }
    if (bypeer_cache_count(pnrp->cache) < UPKEEP_FEW)
        upkeep_synchronize(pnrp);
    upkeep_test_stale(pnrp);
    upkeep_remember(pnrp);
    upkeep_ask_neighbours(pnrp);
    /* One search at a time: it is most of what a node has in memory, and none of these is urgent. */
    if (!pnrp->seeks)
        upkeep_test_some_split(pnrp);
    if (!pnrp->seeks)
        upkeep_fill_gap(pnrp);
}

void bypeer_upkeep_tick(struct bypeer_pnrp *pnrp)
{
    bool is_due = pnrp->upkeep_ms <= pnrp->now.ms;
    bool is_wanted = pnrp->discover_ms <= pnrp->now.ms;
    if (is_wanted)
        pnrp->discover_ms = BYPEER_NEVER;
    if (is_due)
        pnrp->upkeep_ms = upkeep_jitter(pnrp, bypeer_cache_count(pnrp->cache) <= 2 ? UPKEEP_SOON_MS : UPKEEP_MS);
    if (pnrp->endpoint_count == 0)
        return;
    if (!pnrp->has_discovered) {
        pnrp->alone_ms = pnrp->now.ms + UPKEEP_ALONE_MS;
        upkeep_discover(pnrp);
    } else if (is_due)
        upkeep_maintain(pnrp);
    if (pnrp->now.ms < pnrp->alone_ms)
        bypeer_cloud_wake(pnrp, pnrp->alone_ms);
}

uint64_t bypeer_pnrp_estimate(const struct bypeer_pnrp *pnrp)
{
    return bypeer_cache_count(pnrp->cache) > 0 ? bypeer_maintenance_nodes(pnrp->cache) : 0;
}
