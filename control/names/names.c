#include "control/names/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "control/identity/identities.h"
#include "control/names/addresses.h"
#include "control/names/state.h"

#define UPKEEP_MS      5000
#define REMEMBER_TURNS 12 /* of the upkeep: a minute between two times that nodes are written down */
#define REMEMBERED     10 /* Windows: the ten most recently used former cache nodes */

/* --- clouds --- */

struct bypeer_cloud *bypeer_names_first_cloud(const struct bypeer_names *names)
{
    struct bypeer_cloud *cloud = names->clouds;
    while (cloud && cloud->leaving)
        cloud = cloud->next;
    return cloud;
}

struct bypeer_cloud *bypeer_names_next_cloud(const struct bypeer_cloud *cloud)
{
    struct bypeer_cloud *next = cloud->next;
    while (next && next->leaving)
        next = next->next;
    return next;
}

struct bypeer_cloud *bypeer_names_find_cloud(const struct bypeer_names *names, const char *name)
{
    struct bypeer_cloud *cloud = bypeer_names_first_cloud(names);
    while (cloud && strcmp(cloud->config.name, name) != 0)
        cloud = bypeer_names_next_cloud(cloud);
    return cloud;
}

static void names_remember_nodes(struct bypeer_names *names, const struct bypeer_cloud *cloud)
{
    struct bypeer_pnrp_endpoint nodes[REMEMBERED] = {0}, before[REMEMBERED] = {0};
    struct bypeer_store *store = names->node->store;
    unsigned count = bypeer_pnrp_bootstrap(cloud->pnrp, nodes, REMEMBERED);
    if (count == 0)
        return; /* those of the last time are better than none */
    if (bypeer_store_nodes(store, cloud->config.name, before, REMEMBERED, NULL) == (int)count &&
        memcmp(before, nodes, count * sizeof(*nodes)) == 0)
        return;
    int result = bypeer_store_begin(store, NULL);
    if (result == 0)
        result = bypeer_store_put_nodes(store, cloud->config.name, nodes, count, NULL);
    bypeer_store_end(store, result, NULL);
}

static void names_end(struct bypeer_names *names)
{
    if (--names->handles > 0)
        return;
    names_free_publications(names);
    names_free_delegations(names);
    explicit_bzero(names->secret, sizeof(names->secret));
    free(names);
}

static void names_on_cloud_closed(struct bypeer_cloud *cloud)
{
    struct bypeer_names *names = cloud->owner;
    struct bypeer_cloud **link = &names->clouds;
    while (*link != cloud)
        link = &(*link)->next;
    *link = cloud->next;
    names_end(names);
}

/* Nothing is revoked: it closes to be opened anew, or with the daemon. */
static void names_close_cloud(struct bypeer_names *names, struct bypeer_cloud *cloud)
{
    if (cloud->closing)
        return;
    names_remember_nodes(names, cloud);
    names_abandon_cloud(names, cloud);
    names_forget_cloud(names, cloud);
    bypeer_feed_remove_cloud(names->feed, cloud->number);
    cloud->leaving = true;
    bypeer_cloud_close(cloud);
}

static void names_on_unregistered(struct bypeer_cloud *cloud, uint64_t registration)
{
    (void)registration;
    if (cloud->unregistering > 0)
        cloud->unregistering--;
}

static void names_on_known(struct bypeer_cloud *cloud, enum bypeer_cache_change change,
                           const struct bypeer_route *route)
{
    const struct bypeer_names *names = cloud->owner;
    if (names->feed)
        bypeer_feed_known(names->feed, cloud, change, route);
}

static void names_on_endpoints(struct bypeer_cloud *cloud)
{
    struct bypeer_names *names = cloud->owner;
    bypeer_feed_changed(names->feed, cloud);
    names_register_all(names, cloud);
}

static const struct bypeer_cloud_hooks cloud_hooks = {
    .found = names_on_found,
    .hop = names_on_hop,
    .finished = names_on_finished,
    .unregistered = names_on_unregistered,
    .known = names_on_known,
    .endpoints = names_on_endpoints,
    .closed = names_on_cloud_closed,
};

static uint8_t names_free_number(const struct bypeer_names *names)
{
    for (uint8_t number = 1; number <= NAMES_CLOUDS_MAX; number++) {
        const struct bypeer_cloud *cloud = names->clouds;
        while (cloud && cloud->number != number)
            cloud = cloud->next;
        if (!cloud)
            return number;
    }
    return 0;
}

static int names_open_cloud(struct bypeer_names *names, const struct bypeer_config_cloud *config,
                            struct bypeer_problem *problem)
{
    struct bypeer_meter_settings meter = {
        .entries = config->answers || config->cache > 0 ? BYPEER_METER_ENTRIES : 0,
        .stranger_bytes_s = names->node->config->names.stranger_rate,
    };
    struct bypeer_pnrp_endpoint nodes[REMEMBERED];
    struct bypeer_cloud *cloud, **link = &names->clouds;
    uint8_t number = names_free_number(names);
    if (number == 0)
        return bypeer_problem_set(problem, -ENOSPC, "cloud",
                                  "cloud %s\ncannot be opened while so many others are being closed\nreload again",
                                  config->name);
    memcpy(meter.secret, names->secret, sizeof(meter.secret));
    int count = bypeer_store_nodes(names->node->store, config->name, nodes, REMEMBERED, NULL);
    int result = bypeer_cloud_open(&cloud, names->loop, config, number, &meter, nodes, count > 0 ? (unsigned)count : 0,
                                   &cloud_hooks, names, problem);
    if (result < 0)
        return result;
    names->handles++;
    while (*link && !(*link)->leaving)
        link = &(*link)->next;
    cloud->next = *link;
    *link = cloud;
    bypeer_cloud_follow_addresses(cloud, names->node->config);
    return 0;
}

/* --- the loop --- */

static void names_follow_addresses(struct bypeer_names *names)
{
    for (struct bypeer_cloud *cloud = names->clouds; cloud; cloud = cloud->next)
        if (!cloud->leaving)
            bypeer_cloud_follow_addresses(cloud, names->node->config);
}

static void names_on_addresses(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct bypeer_names *names = poll->data;
    bypeer_addresses_drain(names->watch);
    /* More changed than the socket had room for: libuv stops watching then, and the addresses are to be read anew. */
    if (status < 0)
        uv_poll_start(poll, UV_READABLE, names_on_addresses);
    names_follow_addresses(names);
}

/* What was refused when it was tried first is tried again now and then. */
static void names_on_upkeep(uv_timer_t *timer)
{
    struct bypeer_names *names = timer->data;
    names_follow_addresses(names);
    names->turns++;
    for (struct bypeer_cloud *cloud = names->clouds; cloud; cloud = cloud->next) {
        if (cloud->leaving)
            continue;
        names_register_all(names, cloud);
        if (names->turns % REMEMBER_TURNS == 1)
            names_remember_nodes(names, cloud);
    }
}

static void names_on_prepare(uv_prepare_t *prepare)
{
    struct bypeer_names *names = prepare->data;
    names_deliver(names);
    for (struct bypeer_cloud *cloud = names->clouds, *next; cloud; cloud = next) {
        next = cloud->next;
        if (cloud->leaving && cloud->unregistering == 0)
            names_close_cloud(names, cloud);
        bypeer_cloud_settle(cloud);
    }
    bypeer_feed_turn(names->feed);
}

/* --- start, change, end --- */

void bypeer_names_renewing(struct bypeer_names *names)
{
    if (names)
        bypeer_feed_before_renewal(names->feed);
}

void bypeer_names_renewed(struct bypeer_names *names)
{
    if (names)
        bypeer_feed_renewed(names->feed);
}

void bypeer_names_reconfigure(struct bypeer_names *names)
{
    const struct bypeer_config *config = names->node->config;
    struct bypeer_problem problem;
    char text[BYPEER_PROBLEM_TEXT];
    for (struct bypeer_cloud *cloud = bypeer_names_first_cloud(names), *next; cloud; cloud = next) {
        const struct bypeer_config_cloud *wanted = NULL;
        next = bypeer_names_next_cloud(cloud);
        for (uint32_t at = 0; at < config->cloud_count; at++)
            if (strcmp(config->clouds[at].name, cloud->config.name) == 0)
                wanted = &config->clouds[at];
        if (!wanted) {
            names_abandon_cloud(names, cloud);
            names_unregister_all(names, cloud);
            cloud->leaving = true;
        } else if (!bypeer_cloud_reconfigure(cloud, config, wanted)) {
            names_close_cloud(names, cloud);
        }
    }
    for (uint32_t at = 0; at < config->cloud_count; at++)
        if (!bypeer_names_find_cloud(names, config->clouds[at].name) &&
            names_open_cloud(names, &config->clouds[at], &problem) < 0)
            bypeer_log(BYPEER_LOG_ERROR, "%s", bypeer_problem_text(&problem, text));
    bypeer_feed_reconfigured(names->feed);
}

static void names_on_handle_closed(uv_handle_t *handle)
{
    names_end(handle->data);
}

static void names_on_watch_closed(uv_handle_t *handle)
{
    struct bypeer_names *names = handle->data;
    close(names->watch);
    names_end(names);
}

void bypeer_names_close(struct bypeer_names *names)
{
    if (!names || names->closing)
        return;
    names->closing = true;
    bypeer_identities_unguard(names->node->identities, names);
    names_free_resolves(names);
    for (struct bypeer_cloud *cloud = names->clouds, *next; cloud; cloud = next) {
        next = cloud->next;
        names_close_cloud(names, cloud);
    }
    bypeer_feed_close(names->feed);
    names->feed = NULL;
    uv_close((uv_handle_t *)&names->prepare, names_on_handle_closed);
    uv_close((uv_handle_t *)&names->upkeep, names_on_handle_closed);
    if (names->watch >= 0)
        uv_close((uv_handle_t *)&names->addresses, names_on_watch_closed);
}

static void names_watch_addresses(struct bypeer_names *names)
{
    names->watch = bypeer_addresses_watch();
    if (names->watch < 0) {
        bypeer_log(BYPEER_LOG_WARNING, "clouds: changes of addresses are seen only every %u s: %s", UPKEEP_MS / 1000,
                   strerror(-names->watch));
        return;
    }
    names->handles++;
    uv_poll_init(names->loop, &names->addresses, names->watch);
    names->addresses.data = names;
    uv_poll_start(&names->addresses, UV_READABLE, names_on_addresses);
}

int bypeer_names_open(struct bypeer_names **ret_names, uv_loop_t *loop, struct bypeer_node *node,
                      struct bypeer_problem *problem)
{
    struct bypeer_names *names = calloc(1, sizeof(*names));
    if (!names)
        return bypeer_problem_no_memory(problem);
    names->loop = loop;
    names->node = node;
    names->ready_end = &names->ready;
    int result = getrandom(names->secret, sizeof(names->secret), 0) == (ssize_t)sizeof(names->secret)
                     ? names_load(names, problem)
                     : bypeer_problem_set(problem, -EIO, "random", "random numbers\nare not to be had\n");
    if (result == 0 && bypeer_feed_open(&names->feed, names) < 0)
        result = bypeer_problem_no_memory(problem);
    if (result < 0) {
        names_free_publications(names);
        free(names);
        return result;
    }
    names_follow_identities(names);
    uv_prepare_init(loop, &names->prepare);
    uv_timer_init(loop, &names->upkeep);
    names->prepare.data = names->upkeep.data = names;
    names->handles = 2;
    uv_prepare_start(&names->prepare, names_on_prepare);
    uv_timer_start(&names->upkeep, names_on_upkeep, UPKEEP_MS, UPKEEP_MS);
    names_watch_addresses(names);
    bypeer_names_reconfigure(names);
    *ret_names = names;
    return 0;
}
