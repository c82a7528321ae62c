#include "control/groups/groups.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "control/groups/state.h"
#include "control/identity/identities.h"
#include "control/names/addresses.h"

/* --- time --- */

struct bypeer_graph_time bypeer_groups_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct bypeer_graph_time){
        .ms = uv_hrtime() / 1000000,
        .utc = BYPEER_PEER_TIME_1970 + (uint64_t)now.tv_sec * BYPEER_PEER_TIME_SECOND + (uint64_t)now.tv_nsec / 100,
    };
}

static uint64_t groups_deadline(const struct bypeer_joined *joined)
{
    uint64_t due = bypeer_graph_deadline(joined->graph), other = bypeer_group_deadline(joined->group);
    return due < other ? due : other;
}

static void groups_on_timer(uv_timer_t *timer)
{
    struct bypeer_groups *groups = timer->data;
    struct bypeer_graph_time now = bypeer_groups_now();
    groups->timer_due = 0;
    for (struct bypeer_joined *joined = groups->joined; joined; joined = joined->next) {
        if (groups_deadline(joined) > now.ms)
            continue;
        bypeer_graph_tick(joined->graph, now);
        joined->is_touched = true;
    }
}

static void groups_settle(struct bypeer_groups *groups)
{
    uint64_t due = UINT64_MAX;
    for (const struct bypeer_joined *joined = groups->joined; joined; joined = joined->next)
        if (groups_deadline(joined) < due)
            due = groups_deadline(joined);
    if (due == groups->timer_due)
        return;
    groups->timer_due = due;
    if (due == UINT64_MAX) {
        uv_timer_stop(&groups->timer);
        return;
    }
    uint64_t now = bypeer_groups_now().ms;
    uv_update_time(groups->loop);
    uv_timer_start(&groups->timer, groups_on_timer, due > now ? due - now : 0, 0);
}

static void groups_try_flush(struct bypeer_groups *groups)
{
    struct bypeer_problem problem;
    char text[BYPEER_PROBLEM_TEXT];
    if (groups_flush(groups, &problem) < 0)
        bypeer_log_limited(&groups->store_limit, BYPEER_LOG_ERROR, "groups: not durable yet: %s",
                           bypeer_problem_text(&problem, text));
}

static void groups_on_prepare(uv_prepare_t *prepare)
{
    struct bypeer_groups *groups = prepare->data;
    struct bypeer_graph_time now = bypeer_groups_now();
    for (struct bypeer_joined *joined = groups->joined; joined; joined = joined->next)
        if (joined->is_touched)
            joined_turn(joined, now);
    groups_try_flush(groups);
    for (struct bypeer_joined *joined = groups->joined, *next; joined; joined = next) {
        next = joined->next;
        bool is_changed = joined->is_changed;
        if (!is_changed && !joined->is_heard)
            continue;
        joined->is_changed = joined->is_heard = false;
        for (unsigned at = 0; is_changed && at < groups->watcher_count; at++)
            if (groups->watchers[at].changed)
                groups->watchers[at].changed(groups->watchers[at].context, joined);
        joined_tell(joined);
    }
    groups_settle(groups);
}

/* What was refused when it was tried first, and addresses that changed. */
static void groups_on_upkeep(uv_timer_t *timer)
{
    struct bypeer_groups *groups = timer->data;
    uint64_t now = bypeer_groups_now().ms;
    if (groups->unopened && now >= groups->unopened_ms)
        groups_open_rows(groups, NULL);
    groups_end_refusals(groups, now);
    for (struct bypeer_joined *joined = groups->joined; joined; joined = joined->next)
        joined->is_touched = true;
}

/* --- streams --- */

static int groups_on_begun(void *context, struct bypeer_stream *stream, const uint8_t *bytes, size_t length)
{
    struct bypeer_groups *groups = context;
    const struct bypeer_profile *profile;
    struct bypeer_graph_address from;
    char name[BYPEER_GRAPH_TEXT_BYTES];
    uint32_t link;
    int result = bypeer_graph_peek(bytes, length, &profile, name);
    if (result <= 0)
        return result < 0 ? result : -EAGAIN;
    for (struct bypeer_joined *joined = groups->joined; joined; joined = joined->next) {
        if (joined->profile != profile || strcmp(joined->name_text, name) != 0)
            continue;
        /* Only who begins a link synchronises by it. So whoever has come back begins one himself, and is there for
         * others when that did not succeed. */
        if (!(bypeer_joined_status(joined) & BYPEER_GRAPH_SYNCHRONIZED) && !joined->seek.has_ended)
            return -ECONNREFUSED;
        bypeer_stream_from(stream, from.address, &from.port);
        result = bypeer_graph_accept(joined->graph, bypeer_groups_now(), &from, &link);
        if (result == 0)
            bypeer_stream_adopt(stream, joined, link);
        return result;
    }
    return -ENOENT;
}

static void groups_on_connected(void *owner, uint32_t number)
{
    struct bypeer_joined *joined = owner;
    bypeer_graph_connected(joined->graph, bypeer_groups_now(), number);
    joined->is_touched = true;
}

static void groups_on_received(void *owner, uint32_t number, const uint8_t *bytes, size_t length)
{
    struct bypeer_joined *joined = owner;
    bypeer_graph_receive(joined->graph, bypeer_groups_now(), number, bytes, length);
    joined->is_touched = true;
}

static void groups_on_writable(void *owner, uint32_t number)
{
    struct bypeer_joined *joined = owner;
    bypeer_graph_writable(joined->graph, bypeer_groups_now(), number);
    joined->is_touched = true;
}

static void groups_on_stream_closed(void *owner, uint32_t number, int error)
{
    struct bypeer_joined *joined = owner;
    bypeer_graph_closed(joined->graph, bypeer_groups_now(), number, error);
    joined->is_touched = true;
}

static const struct bypeer_streams_hooks groups_hooks = {
    .begun = groups_on_begun,
    .connected = groups_on_connected,
    .received = groups_on_received,
    .writable = groups_on_writable,
    .closed = groups_on_stream_closed,
};

/* --- addresses --- */

static bool groups_is_usable(const struct ifaddrs *each)
{
    const struct sockaddr_in *address = (const struct sockaddr_in *)(const void *)each->ifa_addr;
    return address && address->sin_family == AF_INET && (each->ifa_flags & IFF_UP) &&
           !(each->ifa_flags & IFF_LOOPBACK) && (ntohl(address->sin_addr.s_addr) & 0xffff0000u) != 0xa9fe0000u;
}

/* Those of IPv4, which the modern profile knows as ::ffff:a.b.c.d. */
static unsigned groups_add_ipv4(uint16_t port, struct bypeer_graph_address *ret_addresses, unsigned room)
{
    struct ifaddrs *list;
    unsigned count = 0;
    if (room == 0 || getifaddrs(&list) < 0)
        return 0;
    for (const struct ifaddrs *each = list; each && count < room; each = each->ifa_next) {
        if (!groups_is_usable(each))
            continue;
        struct bypeer_graph_address *address = &ret_addresses[count++];
        *address = (struct bypeer_graph_address){.address = {[10] = 0xff, [11] = 0xff}, .port = port};
        memcpy(address->address + 12, &((const struct sockaddr_in *)(const void *)each->ifa_addr)->sin_addr, 4);
    }
    freeifaddrs(list);
    return count;
}

unsigned bypeer_groups_addresses(const struct bypeer_groups *groups, const struct bypeer_profile *profile,
                                 struct bypeer_graph_address ret_addresses[static BYPEER_STORE_SEEDS])
{
    static const struct bypeer_config_cloud global = {.scope = BYPEER_CLOUD_GLOBAL};
    const struct bypeer_config *config = groups->node->config;
    uint8_t found[BYPEER_CONFIG_CLOUD_ADDRESSES][16];
    unsigned count = config->grouping.address_count;
    const uint8_t(*addresses)[16] = config->grouping.addresses;
    memset(ret_addresses, 0, BYPEER_STORE_SEEDS * sizeof(*ret_addresses));
    if (count == 0) {
        count = bypeer_addresses_find(config, &global, found);
        addresses = found;
    }
    for (unsigned at = 0; at < count; at++) {
        memcpy(ret_addresses[at].address, addresses[at], 16);
        ret_addresses[at].port = config->grouping.port;
    }
    if (config->grouping.address_count == 0 && profile->id == BYPEER_PROFILE_MODERN)
        count += groups_add_ipv4(config->grouping.port, ret_addresses + count, BYPEER_STORE_SEEDS - count);
    return count;
}

/* --- finding --- */

struct bypeer_joined *bypeer_groups_first(const struct bypeer_groups *groups)
{
    return groups->joined;
}

struct bypeer_joined *bypeer_groups_next(const struct bypeer_joined *joined)
{
    return joined->next;
}

bool groups_is_authority(const char *name, const char *text)
{
    return strlen(text) == GROUPS_AUTHORITY && strncasecmp(name, text, GROUPS_AUTHORITY) == 0;
}

struct bypeer_joined *bypeer_groups_find(const struct bypeer_groups *groups, const char *text,
                                         struct bypeer_problem *problem)
{
    struct bypeer_joined *found = NULL;
    unsigned count = 0;
    for (struct bypeer_joined *joined = groups->joined; joined; joined = joined->next) {
        if (strcmp(joined->name_text, text) == 0)
            return joined;
        if (!groups_is_authority(joined->name_text, text) && strcmp(joined->friendly, text) != 0)
            continue;
        found = joined;
        count++;
    }
    if (count > 1)
        bypeer_problem_set(problem, -EINVAL, "ambiguous_group",
                           "group \"%.100s\"\nis the name of %u groups\ngive the peer name, see bypeer group list",
                           text, count);
    else if (count == 0 && !groups_tell_unopened(groups, text, problem))
        bypeer_problem_set(problem, -ENOENT, "no_such_group",
                           "group \"%.100s\"\nis not joined\nlist the groups with: bypeer group list", text);
    return count == 1 ? found : NULL;
}

void bypeer_groups_watch(struct bypeer_groups *groups, const struct bypeer_groups_watcher *watcher)
{
    if (groups->watcher_count < GROUPS_WATCHERS)
        groups->watchers[groups->watcher_count++] = *watcher;
}

/* --- start and end --- */

static int groups_may_delete(void *context, const struct bypeer_identity *identity, struct bypeer_problem *problem)
{
    const struct bypeer_groups *groups = context;
    for (const struct bypeer_joined *joined = groups->joined; joined; joined = joined->next)
        if (bypeer_name_is_equal(&joined->self, &identity->name))
            return bypeer_problem_set(
                problem, -EBUSY, "identity_used",
                "identity %.100s\nis a member of group %.60s\nleave that first: bypeer group leave",
                identity->name_text, joined->friendly);
    return 0;
}

static void groups_end(struct bypeer_groups *groups)
{
    if (--groups->handles > 0)
        return;
    groups_free_unopened(groups);
    groups_free_issued(groups);
    free(groups->audit);
    free(groups);
}

static void groups_on_handle_closed(uv_handle_t *handle)
{
    groups_end(handle->data);
}

void bypeer_groups_close(struct bypeer_groups *groups)
{
    if (!groups)
        return;
    bypeer_identities_unguard(groups->node->identities, groups);
    groups_try_flush(groups);
    while (groups->joined)
        joined_close(groups->joined);
    groups_try_flush(groups);
    bypeer_streams_close(groups->streams);
    uv_close((uv_handle_t *)&groups->prepare, groups_on_handle_closed);
    uv_close((uv_handle_t *)&groups->timer, groups_on_handle_closed);
    uv_close((uv_handle_t *)&groups->upkeep, groups_on_handle_closed);
}

int bypeer_groups_open(struct bypeer_groups **ret_groups, uv_loop_t *loop, struct bypeer_node *node,
                       struct bypeer_problem *problem)
{
    struct bypeer_groups *groups = calloc(1, sizeof(*groups));
    if (!groups || bypeer_streams_open(&groups->streams, loop, &groups_hooks, groups) < 0) {
        free(groups);
        return bypeer_problem_no_memory(problem);
    }
    groups->loop = loop;
    groups->node = node;
    int result = groups_open_rows(groups, problem);
    uv_prepare_init(loop, &groups->prepare);
    uv_timer_init(loop, &groups->timer);
    uv_timer_init(loop, &groups->upkeep);
    groups->prepare.data = groups->timer.data = groups->upkeep.data = groups;
    groups->handles = 3;
    if (result < 0) {
        bypeer_groups_close(groups);
        return result;
    }
    const struct bypeer_identities_guard guard = {.context = groups, .may_delete = groups_may_delete};
    bypeer_identities_guard(node->identities, &guard);
    uv_prepare_start(&groups->prepare, groups_on_prepare);
    uv_timer_start(&groups->upkeep, groups_on_upkeep, GROUPS_UPKEEP_MS, GROUPS_UPKEEP_MS);
    *ret_groups = groups;
    return 0;
}
