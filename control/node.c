/*
 * The node's state, and the two occasions on which it makes another generation of tables: there is no room, or a data
 * plane needs another layout.
 */
#include "control/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/report.h"
#include "control/identity/identities.h"
#include "control/log.h"
#include "control/policy/policies.h"
#include "control/relay/relays.h"
#include "control/usage/usage.h"

/* How long the loop may wait for a grace period when all free slots are retired; then it makes a fresh generation, in
 * which nothing is retired. */
#define ROOM_WAIT_NS  UINT64_C(50000000)
#define ROOM_SLEEP_NS 100000

#define NUMBERS_PER_START 1000000

static uint64_t node_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool node_wants_huge_pages(const struct bypeer_config *config)
{
    return config->dataplane.memory != BYPEER_MEMORY_NORMAL;
}

/*
 * Numbers of generations are never given out twice, not even by a daemon that is killed: each start takes a million of
 * them, durably, before it makes the first. The fourth generation of the third start is 3000004.
 */
static int node_take_numbers(struct bypeer_node *node, struct bypeer_problem *problem)
{
    uint64_t start = 0;
    int result = bypeer_store_begin(node->store, problem);
    if (result == 0)
        result = bypeer_store_count_up(node->store, "start", &start, problem);
    result = bypeer_store_end(node->store, result, problem);
    if (result == 0)
        node->next_generation = start * NUMBERS_PER_START + 1;
    return result;
}

static int node_create_generation(struct bypeer_node *node, const struct bypeer_tables_size *size, uint32_t layout,
                                  struct bypeer_generation **ret_generation, struct bypeer_problem *problem)
{
    return bypeer_generation_create(ret_generation, node->next_generation++, layout, size,
                                    node_wants_huge_pages(node->config), problem);
}

int bypeer_node_renew(struct bypeer_node *node, const struct bypeer_tables_size *size, uint32_t layout,
                      struct bypeer_problem *problem)
{
    struct bypeer_generation *next, *present = node->generation;
    uint64_t began = node_now_ns();
    int result = node_create_generation(node, size, layout, &next, problem);
    if (result < 0)
        return result;
    result = bypeer_writer_copy(next->writer, present->writer);
    if (result < 0) {
        bypeer_generation_free(next);
        return bypeer_problem_set(problem, result, "memory", "tables\ncannot be copied: %s\nsee the log",
                                  strerror(-result));
    }
    if (node->hooks.renewing)
        node->hooks.renewing(node->hooks.context);
    bypeer_writer_publish(next->writer);
    bypeer_model_use_writer(node->model, next->writer);
    node->generation = next;
    if (node->hooks.renewed)
        node->hooks.renewed(node->hooks.context, next);
    bypeer_generation_free(present);
    bypeer_log(BYPEER_LOG_INFO, "tables: generation %llu with room for %u members, %llu MiB, made in %llu ms",
               (unsigned long long)next->number, next->size.destinations,
               (unsigned long long)(next->memory.bytes >> 20), (unsigned long long)((node_now_ns() - began) / 1000000));
    return 0;
}

int bypeer_node_need_sessions(struct bypeer_node *node, uint32_t sessions, struct bypeer_problem *problem)
{
    struct bypeer_tables_size size = node->generation->size;
    if (size.sessions >= sessions)
        return 0;
    if (sessions > BYPEER_SESSIONS_MAX)
        return bypeer_problem_set(problem, -ENOSPC, "capacity",
                                  "WireGuard\nthere are as many sessions as fit, %u\nspread the peers over more nodes",
                                  BYPEER_SESSIONS_MAX);
    size.sessions = sessions;
    return bypeer_node_renew(node, &size, node->generation->layout, problem);
}

bool bypeer_node_reclaim(struct bypeer_node *node)
{
    struct bypeer_writer *writer = node->generation->writer;
    if (node->hooks.reclaim)
        return node->hooks.reclaim(node->hooks.context);
    bypeer_writer_reclaim(writer, bypeer_writer_request(writer));
    return true;
}

/* Waits for readers to pass a grace period, but not for long. */
static bool node_wait_for_grace(struct bypeer_node *node)
{
    uint64_t end = node_now_ns() + ROOM_WAIT_NS;
    while (!bypeer_node_reclaim(node)) {
        if (node_now_ns() >= end)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = ROOM_SLEEP_NS}, NULL);
    }
    return true;
}

int bypeer_node_make_room(struct bypeer_node *node, int error, const struct bypeer_tables_size *need,
                          struct bypeer_problem *problem)
{
    if (error == -EAGAIN && node_wait_for_grace(node))
        return 0;
    struct bypeer_tables_size size = node->generation->size;
    if (error == -ENOSPC) {
        uint32_t most = node->config->tables.members_max;
        int result = bypeer_generation_grow(&size, need, most, &size, problem);
        if (result < 0)
            return result;
    }
    return bypeer_node_renew(node, &size, node->generation->layout, problem);
}

static int node_make_room(void *context, int error, const struct bypeer_tables_size *need,
                          struct bypeer_problem *problem)
{
    return bypeer_node_make_room(context, error, need, problem);
}

static uint32_t node_rules(void *context, const char *group, const struct bypeer_policy_rule **ret_rules)
{
    const struct bypeer_node *node = context;
    const struct bypeer_store_policy *policy = bypeer_policies_find(node->policies, group);
    if (!policy)
        return 0;
    *ret_rules = policy->rules;
    return policy->rule_count;
}

static void node_on_group(void *context, const struct bypeer_model_group *group, bool gone)
{
    struct bypeer_node *node = context;
    bypeer_relays_group_changed(node->relays, group->name, gone);
    bypeer_policies_group_changed(node->policies, group, gone);
    if (node->hooks.group_changed)
        node->hooks.group_changed(node->hooks.context, group, gone);
}

static void node_on_link(void *context, const struct bypeer_model_link *link, bool gone)
{
    struct bypeer_node *node = context;
    bypeer_policies_link_changed(node->policies, link);
    if (link->wireguard)
        bypeer_relays_peer_changed(node->relays, link->name, gone);
    if (node->hooks.link_changed)
        node->hooks.link_changed(node->hooks.context, link, gone);
}

static void node_on_route(void *context, const struct bypeer_model_route *route, const struct bypeer_model_group *group,
                          bool gone)
{
    struct bypeer_node *node = context;
    if (node->hooks.route_changed)
        node->hooks.route_changed(node->hooks.context, route, group, gone);
}

static void node_on_dropped(void *context, const char *name, uint32_t link)
{
    struct bypeer_node *node = context;
    bypeer_usage_name_dropped(node->usage, name, link);
}

static void node_warn(void *context, const char *line)
{
    (void)context;
    bypeer_log(BYPEER_LOG_WARNING, "%s", line);
}

int bypeer_node_open(struct bypeer_node *node, struct bypeer_config *config, const char *database,
                     const struct bypeer_node_hooks *hooks, struct bypeer_problem *problem)
{
    *node = (struct bypeer_node){.config = config, .started_ns = node_now_ns()};
    if (hooks)
        node->hooks = *hooks;
    struct bypeer_model_hooks model_hooks = {
        .make_room = node_make_room,
        .rules = node_rules,
        .context = node,
        .group_changed = node_on_group,
        .link_changed = node_on_link,
        .route_changed = node_on_route,
        .name_dropped = node_on_dropped,
        .entries_context = node,
    };
    struct bypeer_tables_size size;
    int result = bypeer_store_open(&node->store, database, problem);
    if (result == 0)
        result = node_take_numbers(node, problem);
    if (result == 0)
        result = bypeer_model_first_size(node->store, config, &size, problem);
    if (result == 0)
        result = bypeer_relays_open(&node->relays, node, problem);
    if (result == 0)
        result = bypeer_policies_open(&node->policies, node, problem);
    size.names = config->cloud_count > 0 ? config->names.ids : 0;
    size.relays = result == 0 ? bypeer_relays_first_size(node->relays) : 0;
    if (result == 0)
        result = node_create_generation(node, &size, BYPEER_LAYOUT_NEWEST, &node->generation, problem);
    if (result == 0 && bypeer_model_create(&node->model, node->store, &model_hooks) < 0)
        result = bypeer_problem_no_memory(problem);
    if (result == 0) {
        bypeer_model_use_writer(node->model, node->generation->writer);
        result = bypeer_model_load(node->model, config, node_warn, NULL, problem);
    }
    if (result == 0)
        result = bypeer_relays_start(node->relays, problem);
    if (result == 0)
        result = bypeer_usage_open(&node->usage, node, problem);
    if (result == 0)
        result = bypeer_identities_open(&node->identities, config->node.state, getenv("CREDENTIALS_DIRECTORY"),
                                        (uint64_t)time(NULL), problem);
    if (result < 0) {
        node->config = NULL; /* stays the caller's */
        bypeer_node_close(node);
    }
    return result;
}

void bypeer_node_close(struct bypeer_node *node)
{
    bypeer_identities_close(node->identities);
    bypeer_usage_close(node->usage);
    bypeer_relays_close(node->relays);
    bypeer_model_free(node->model);
    bypeer_policies_close(node->policies);
    bypeer_generation_free(node->generation);
    bypeer_store_close(node->store);
    bypeer_config_free(node->config);
    *node = (struct bypeer_node){0};
}

/*
 * What only a restart applies stays in force until then: sockets and tables were made with it, and what is made or said
 * later has to agree with them. The next reload compares the file with it again.
 */
static void node_keep_until_restart(struct bypeer_config *next, const struct bypeer_config *before)
{
    next->grouping = before->grouping;
    next->wireguard.port = before->wireguard.port;
    memcpy(next->wireguard.private_key, before->wireguard.private_key, sizeof(next->wireguard.private_key));
    next->wireguard.address_count = before->wireguard.address_count;
    memcpy(next->wireguard.addresses, before->wireguard.addresses, sizeof(next->wireguard.addresses));
    next->relay = before->relay;
}

int bypeer_node_reload(struct bypeer_node *node, struct bypeer_node_reload *ret_reload,
                       struct bypeer_config_errors *ret_errors)
{
    struct bypeer_config *next;
    struct bypeer_node_reload reload = {0};
    int result = bypeer_config_load(&next, node->config->file, ret_errors);
    if (result < 0)
        return result;
    result = bypeer_config_diff(&reload.diff, node->config, next);
    if (result < 0) {
        struct bypeer_report report = {.file = node->config->file};
        bypeer_report_add(&report, 0, NULL, "no memory left to compare it; give the process more memory");
        bypeer_report_finish(&report, ret_errors);
        bypeer_config_free(next);
        return result;
    }
    struct bypeer_config *before = node->config;
    node_keep_until_restart(next, before);
    node->config = next; /* its limits count when room is made */
    result = bypeer_model_reload(node->model, next, &reload.diff, ret_errors);
    if (result < 0) {
        node->config = before;
        bypeer_diff_free(&reload.diff);
        bypeer_config_free(next);
        return result;
    }
    reload.before = before;
    reload.changed = (unsigned)reload.diff.entry_count;
    for (size_t at = 0; at < reload.diff.entry_count; at++)
        reload.changed -= reload.diff.entries[at].section == BYPEER_CONFIG_PORTS ? 1 : 0;
    bypeer_relays_follow_addresses(node->relays);
    if (node->hooks.reconfigured)
        node->hooks.reconfigured(node->hooks.context, before, next);
    *ret_reload = reload;
    return 0;
}

void bypeer_node_reload_free(struct bypeer_node_reload *reload)
{
    bypeer_diff_free(&reload->diff);
    bypeer_config_free(reload->before);
}
