/*
 * Finding a first member, and being found.
 *
 *   seeds (invitation, bypeer group connect) --> candidates --> one link at a time, until one is a neighbor
 *   PNRP: <group's authority>.participant ---->
 *
 * A search without a neighbor begins anew, later each time. The graph does the rest once it has one.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "control/groups/state.h"
#include "control/names/cloud.h"

#define JOINING_MAX_MS 8000 /* between searches as long as the group was never reached */
#define RESULTS        8

static void seek_reset(struct joined_seek *seek)
{
    if (seek->resolve)
        bypeer_names_cancel(seek->resolve);
    seek->resolve = NULL;
    seek->is_wanted = seek->has_link = seek->has_resolved = false;
    seek->count = seek->next = 0;
}

unsigned bypeer_joined_neighbors(const struct bypeer_joined *joined)
{
    struct bypeer_graph_counters counters;
    bypeer_graph_counters(joined->graph, &counters);
    return (unsigned)counters.neighbors;
}

/* --- candidates --- */

static void seek_add(struct joined_seek *seek, const uint8_t address[static 16], uint16_t port)
{
    struct bypeer_graph_address candidate = {.port = port};
    memcpy(candidate.address, address, sizeof(candidate.address));
    for (unsigned at = 0; at < seek->count; at++)
        if (seek->candidates[at].port == port && memcmp(seek->candidates[at].address, address, 16) == 0)
            return;
    if (seek->count < GROUPS_CANDIDATES && port != 0)
        seek->candidates[seek->count++] = candidate;
}

static void seek_on_found(void *context, const char *cloud, const struct bypeer_pnrp_found *found)
{
    struct bypeer_joined *joined = context;
    (void)cloud;
    for (unsigned at = 0; at < found->application_count; at++)
        if (found->applications[at].protocol == IPPROTO_TCP)
            seek_add(&joined->seek, found->applications[at].address, found->applications[at].port);
    joined->is_touched = true;
}

static void seek_on_finished(void *context, int status)
{
    struct bypeer_joined *joined = context;
    (void)status;
    joined->seek.resolve = NULL;
    joined->is_touched = true;
}

/* The name that all members publish; the group's key delegates it to them. */
static void seek_name(const struct bypeer_joined *joined, struct bypeer_peer_name *ret_name)
{
    char why[160];
    *ret_name = joined->name;
    bypeer_classifier_read(ret_name, "participant", why);
}

static void seek_resolve(struct bypeer_joined *joined)
{
    static const struct bypeer_names_callbacks callbacks = {.found = seek_on_found, .finished = seek_on_finished};
    struct bypeer_names *names = joined->groups->node->names;
    const char *clouds[BYPEER_STORE_SEEDS];
    struct bypeer_peer_name name;
    struct bypeer_names_query query = {.name = &name,
                                       .clouds = clouds,
                                       .criterion = BYPEER_PNRP_ANY,
                                       .results_max = RESULTS,
                                       .timeout_ms = GROUPS_RESOLVE_MS};
    joined->seek.has_resolved = true;
    if (!names)
        return;
    for (struct bypeer_cloud *cloud = bypeer_names_first_cloud(names); cloud && query.cloud_count < BYPEER_STORE_SEEDS;
         cloud = bypeer_names_next_cloud(cloud))
        if (bypeer_cloud_profile(&cloud->config) == joined->profile)
            clouds[query.cloud_count++] = cloud->config.name;
    seek_name(joined, &name);
    if (query.cloud_count > 0 &&
        bypeer_names_resolve(names, &query, &callbacks, joined, &joined->seek.resolve, NULL) < 0)
        joined->seek.resolve = NULL;
}

/* --- the search --- */

static void seek_pause(struct bypeer_joined *joined, struct bypeer_graph_time now)
{
    struct joined_seek *seek = &joined->seek;
    seek->has_ended = true;
    uint32_t most = joined->is_synchronised ? GROUPS_SEEK_MAX_MS : JOINING_MAX_MS;
    seek_reset(seek);
    seek->pause_ms = seek->pause_ms == 0 ? GROUPS_SEEK_MS : seek->pause_ms * 2;
    if (seek->pause_ms > most)
        seek->pause_ms = most;
    seek->again_ms = now.ms + seek->pause_ms;
}

static void seek_begin(struct bypeer_joined *joined)
{
    for (unsigned at = 0; at < joined->seed_count; at++)
        seek_add(&joined->seek, joined->seeds[at].address, joined->seeds[at].port);
}

void joined_seek_turn(struct bypeer_joined *joined, struct bypeer_graph_time now)
{
    struct joined_seek *seek = &joined->seek;
    bool is_content = bypeer_joined_neighbors(joined) > 0 && (bypeer_joined_status(joined) & BYPEER_GRAPH_SYNCHRONIZED);
    if (!seek->is_wanted && (now.ms < seek->again_ms || is_content))
        return;
    if (!seek->is_wanted || (seek->count == 0 && !seek->has_resolved))
        seek_begin(joined);
    seek->is_wanted = true;
    while (!seek->has_link && seek->next < seek->count) {
        int result = bypeer_graph_connect(joined->graph, now, &seek->candidates[seek->next++], NULL,
                                          BYPEER_GRAPH_NEIGHBOR, &seek->link);
        seek->has_link = result == 0;
    }
    if (seek->has_link || seek->resolve)
        return;
    if (!seek->has_resolved)
        seek_resolve(joined);
    if (!seek->resolve && seek->next == seek->count)
        seek_pause(joined, now);
}

void joined_seek_linked(struct bypeer_joined *joined, const struct bypeer_graph_link_event *event)
{
    struct joined_seek *seek = &joined->seek;
    if (event->change == BYPEER_GRAPH_LINK_CONNECTED && event->kind == BYPEER_GRAPH_NEIGHBOR) {
        seek_reset(seek);
        seek->pause_ms = 0;
        seek->again_ms = 0;
    } else if (seek->has_link && event->link == seek->link) {
        seek->has_link = false;
    }
}

void joined_seek_end(struct bypeer_joined *joined)
{
    seek_reset(&joined->seek);
    if (joined->delegation && joined->groups->node->names)
        bypeer_names_withdraw(joined->groups->node->names, joined->delegation);
    joined->delegation = NULL;
}

/* --- being found --- */

void joined_register(struct bypeer_joined *joined)
{
    const struct bypeer_config *config = joined->groups->node->config;
    struct bypeer_names *names = joined->groups->node->names;
    struct bypeer_application own[BYPEER_CONFIG_GROUPING_ADDRESSES];
    struct bypeer_problem problem;
    struct bypeer_peer_name name;
    char text[BYPEER_PROBLEM_TEXT];
    if (!names || !joined->chain || !(bypeer_joined_status(joined) & BYPEER_GRAPH_LISTENING) ||
        (joined->delegation && !joined->is_renewed))
        return;
    if (joined->delegation)
        bypeer_names_withdraw(names, joined->delegation);
    joined->delegation = NULL;
    joined->is_renewed = false;
    seek_name(joined, &name);
    struct bypeer_names_delegated delegated = {
        .name = &name,
        .profile = joined->profile,
        .key = joined->key,
        .chain = joined->chain,
        .chain_bytes = joined->chain_bytes,
        .applications = own,
        .application_count = config->grouping.address_count,
        .port = config->grouping.port,
    };
    for (unsigned at = 0; at < delegated.application_count; at++) {
        own[at] = (struct bypeer_application){.port = config->grouping.port, .protocol = IPPROTO_TCP};
        memcpy(own[at].address, config->grouping.addresses[at], sizeof(own[at].address));
    }
    if (bypeer_names_delegate(names, &delegated, &joined->delegation, &problem) < 0) {
        joined->delegation = NULL;
        bypeer_log_limited(&joined->groups->seek_limit, BYPEER_LOG_WARNING, "group %s: %s", joined->friendly,
                           bypeer_problem_text(&problem, text));
    }
}
