/*
 * Methods of what was carried for whom, and of limits.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/api/call.h"
#include "control/dataplane/channel.h"
#include "control/usage/usage.h"
#include "overlay/meter/rate.h"

#define PAGE 1000
/* Bursts of a rate that comes without: a tenth of a second, and no less than 128 KiB. */
#define BURST_PER_S 10
#define BURST_LEAST 131072

static const char *const usage_periods[] = {
    [BYPEER_QUOTA_ALL] = "all", [BYPEER_QUOTA_DAY] = "day", [BYPEER_QUOTA_MONTH] = "month"};

/* --- limits --- */

static json_t *usage_describe_limit(const struct bypeer_usage_limit *limit)
{
    return json_pack("{s:I, s:I, s:I, s:s, s:b}", "rate", (json_int_t)limit->limit.bits_s, "burst",
                     (json_int_t)limit->limit.burst, "quota", (json_int_t)limit->limit.quota, "period",
                     usage_periods[limit->limit.period], "blocked", limit->blocked);
}

/* Which link or group is meant; negative with the problem. */
static int usage_read_who(struct call *call, struct bypeer_store_limit *ret_limit)
{
    const char *name = call_string(call, "name"), *group = call_string(call, "group");
    const char *who = name ? name : group;
    if (!who || (name && group))
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter",
                                  "a limit\nis of a link or peer (name), or of a group\ngive one of them");
    *ret_limit = (struct bypeer_store_limit){.of_group = group != NULL};
    /* What is too long is no name, and said so. */
    snprintf(ret_limit->name, sizeof(ret_limit->name), "%s", strlen(who) < sizeof(ret_limit->name) ? who : "");
    return 0;
}

int method_limits_set(struct call *call)
{
    struct bypeer_store_limit limit;
    const char *period = call_string(call, "period");
    int result = usage_read_who(call, &limit);
    if (result < 0)
        return result;
    limit.bits_s = (uint64_t)call_integer(call, "rate", 0);
    limit.quota = (uint64_t)call_integer(call, "quota", 0);
    uint64_t burst = limit.bits_s / 8 / BURST_PER_S;
    burst = burst < BURST_LEAST ? BURST_LEAST : burst > BYPEER_RATE_BURST_MAX ? BYPEER_RATE_BURST_MAX : burst;
    limit.burst = limit.bits_s ? (uint64_t)call_integer(call, "burst", (json_int_t)burst) : 0;
    if (limit.bits_s == 0 && limit.quota == 0)
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter",
                                  "a limit\nhas a rate, a quota, or both\nremove it with: bypeer limits remove");
    unsigned at = 0;
    while (period && at < sizeof(usage_periods) / sizeof(usage_periods[0]) && strcmp(period, usage_periods[at]) != 0)
        at++;
    if (at == sizeof(usage_periods) / sizeof(usage_periods[0]))
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter",
                                  "period \"%.32s\"\nis none\ngive all, day or month", period);
    limit.period = (enum bypeer_quota_period)at;
    result = bypeer_usage_set_limit(call->node->usage, &limit, &call->problem);
    return result < 0 ? result : call_number(call, "set", 1);
}

int method_limits_remove(struct call *call)
{
    struct bypeer_store_limit limit = {0};
    int result = usage_read_who(call, &limit);
    if (result < 0)
        return result;
    bool had = bypeer_usage_find_limit(call->node->usage, limit.of_group, limit.name) != NULL;
    result = bypeer_usage_set_limit(call->node->usage, &limit, &call->problem);
    return result < 0 ? result : call_number(call, "removed", had);
}

int method_limits_list(struct call *call)
{
    json_t *links = json_array(), *groups = json_array();
    const struct bypeer_usage_limit *limit;
    for (size_t at = 0; (limit = bypeer_usage_limit(call->node->usage, at)) != NULL; at++) {
        if (limit->is_over)
            continue;
        json_t *entry = usage_describe_limit(limit);
        json_object_set_new(entry, "name", json_string(limit->limit.name));
        json_array_append_new(limit->limit.of_group ? groups : links, entry);
    }
    call->result = json_pack("{s:o, s:o}", "links", links, "groups", groups);
    return 0;
}

/* --- accounts --- */

static json_t *usage_describe(struct call *call, const struct bypeer_model_link *link)
{
    const struct bypeer_node *node = call->node;
    const struct bypeer_sessions_view *view = node->channel ? bypeer_channel_sessions(node->channel) : NULL;
    const struct bypeer_model_group *group = bypeer_model_group(node->model, link->group);
    const struct bypeer_usage_limit *limit = bypeer_usage_find_limit(node->usage, false, link->name);
    struct bypeer_store_traffic all = {0};
    uint64_t used = 0;
    (void)bypeer_usage_account(node->usage, view, link, &all, &used);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:I}", "name", link->name, "group",
                     group ? group->name : "", "kind", link->wireguard ? "wireguard" : "fabric", "received_packets",
                     (json_int_t)all.received_packets, "received_bytes", (json_int_t)all.received_bytes, "sent_packets",
                     (json_int_t)all.sent_packets, "sent_bytes", (json_int_t)all.sent_bytes, "limit",
                     limit ? usage_describe_limit(limit) : json_null(), "period_bytes", (json_int_t)used);
}

int method_usage_list(struct call *call)
{
    const struct bypeer_model *model = call->node->model;
    const char *group_name = call_string(call, "group");
    const struct bypeer_model_group *group = group_name ? bypeer_model_find_group(model, group_name) : NULL;
    if (group_name && !group)
        return bypeer_problem_set(&call->problem, -ENOENT, "no_such_group",
                                  "group \"%.64s\"\ndoes not exist\nlist the groups with: bypeer groups", group_name);
    size_t limit = (size_t)call_integer(call, "limit", PAGE);
    const struct bypeer_model_link *link = bypeer_model_next_link(model, (uint32_t)call_integer(call, "after", 0));
    uint32_t last = 0;
    json_t *list = json_array();
    for (; link && json_array_size(list) < limit; link = bypeer_model_next_link(model, link->id)) {
        last = link->id;
        if (link->live && !link->local && (!group || link->group == group->id))
            json_array_append_new(list, usage_describe(call, link));
    }
    call->result = json_pack("{s:o}", "usage", list);
    if (link)
        json_object_set_new(call->result, "next", json_integer(last));
    return 0;
}
