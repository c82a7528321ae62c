#include "control/attach/attach.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/attach/state.h"
#include "control/wireguard/wireguard.h"
#include "overlay/group/address.h"

/* --- the plan --- */

struct attach_group *attach_find_group(const struct bypeer_attach *attach, const struct bypeer_joined *joined)
{
    for (unsigned at = 0; at < attach->count; at++)
        if (attach->list[at]->joined == joined)
            return attach->list[at];
    return NULL;
}

static bool attach_is_complete(struct bypeer_attach *attach)
{
    for (struct bypeer_joined *joined = bypeer_groups_first(attach->groups); joined;
         joined = bypeer_groups_next(joined)) {
        if (attach_find_group(attach, joined) || attach->count == BYPEER_GROUPS_MAX)
            continue;
        struct attach_group *group = calloc(1, sizeof(*group));
        if (!group)
            return false;
        group->joined = joined;
        bypeer_group_prefix(bypeer_joined_profile(joined), bypeer_joined_name(joined), group->prefix);
        attach->list[attach->count++] = group;
    }
    return true;
}

static int attach_make_plan(struct bypeer_attach *attach, struct bypeer_plan **ret_plan)
{
    struct bypeer_plan_group groups[BYPEER_GROUPS_MAX];
    struct bypeer_plan_node *nodes = calloc(attach->link_count + 1, sizeof(*nodes));
    struct bypeer_plan_input input = {
        .now = (uint64_t)time(NULL), .groups = groups, .group_count = attach->count, .nodes = nodes};
    int result = nodes ? 0 : -ENOMEM;
    if (attach->node->wireguard)
        memcpy(input.own_key, bypeer_wireguard_public_key(attach->node->wireguard), 32);
    for (unsigned at = 0; at < attach->count && result == 0; at++) {
        struct attach_group *group = attach->list[at];
        result = attach_gather(attach, group);
        groups[at] = (struct bypeer_plan_group){.members = group->members,
                                                .member_count = group->member_count,
                                                .attachments = group->attachments,
                                                .attachment_count = group->attachment_count};
        bypeer_group_address(bypeer_joined_profile(group->joined), bypeer_joined_name(group->joined),
                             bypeer_joined_self(group->joined), groups[at].own);
        attach_put_previous(attach, group, groups[at].own);
    }
    for (size_t at = 0; at < attach->link_count && result == 0; at++) {
        const struct attach_link *link = &attach->links[at];
        struct bypeer_plan_node *node = &nodes[input.node_count++];
        memcpy(node->key, link->key, 32);
        node->heard = link->is_heard;
        node->turn = link->turn;
    }
    if (result == 0)
        result = bypeer_plan_make(ret_plan, &input);
    free(nodes);
    return result;
}

void attach_replan(struct bypeer_attach *attach)
{
    struct bypeer_plan *plan = NULL;
    attach->is_stale = false;
    attach->again_ms = 0;
    if (!attach_is_complete(attach) || attach_make_plan(attach, &plan) != 0 || attach_apply(attach, plan) < 0) {
        bypeer_log_limited(&attach->log_limit, BYPEER_LOG_ERROR, "groups: no memory left to follow them");
        bypeer_plan_free(plan); /* the one before goes with the links of before */
        attach->is_stale = true;
        return;
    }
    bypeer_plan_free(attach->plan);
    attach->plan = plan;
    attach->deadline = plan->deadline;
}

/* --- when --- */

static void attach_on_prepare(uv_prepare_t *prepare)
{
    struct bypeer_attach *attach = prepare->data;
    if (attach->adopt_ms != 0 && attach_has_ears(attach)) {
        attach_listen(attach);
        attach->is_stale = true;
    }
    if (!attach->is_stale)
        return;
    attach_replan(attach);
    attach_publish(attach);
}

static bool attach_has_news(const struct bypeer_attach *attach)
{
    for (size_t at = 0; at < attach->link_count && attach->adopt_ms == 0; at++)
        if (!attach->links[at].is_trunk && !attach->links[at].is_said)
            return true;
    return attach->publish_ms != 0 && attach_now_ms() >= attach->publish_ms;
}

static void attach_on_timer(uv_timer_t *timer)
{
    struct bypeer_attach *attach = timer->data;
    bool is_old =
        attach_expire_previous(attach, NULL) || (attach->again_ms != 0 && attach_now_ms() >= attach->again_ms);
    if (attach_listen(attach) || is_old || (uint64_t)time(NULL) >= attach->deadline)
        attach_replan(attach);
    if (attach_has_news(attach))
        attach_publish(attach);
}

static void attach_on_changed(void *context, struct bypeer_joined *joined)
{
    struct bypeer_attach *attach = context;
    (void)joined;
    attach->is_stale = true;
}

static void attach_on_left(void *context, struct bypeer_joined *joined)
{
    struct bypeer_attach *attach = context;
    struct attach_group *group = attach->is_closing ? NULL : attach_find_group(attach, joined);
    if (!group) /* this node parts from it, but only until its next start */
        return;
    attach_remove_group(attach, group);
    attach_expire_previous(attach, joined);
    unsigned at = 0;
    while (attach->list[at] != group)
        at++;
    attach->list[at] = attach->list[--attach->count];
    attach_free_group(group);
    bypeer_plan_free(attach->plan); /* its numbers of groups are old */
    attach->plan = NULL;
    for (size_t link = 0; link < attach->link_count; link++)
        if (attach->links[link].joined == joined)
            attach->links[link].joined = NULL;
    attach->is_stale = true;
}

int bypeer_attach_open(struct bypeer_attach **ret_attach, uv_loop_t *loop, struct bypeer_node *node,
                       struct bypeer_groups *groups, struct bypeer_problem *problem)
{
    struct bypeer_attach *attach = calloc(1, sizeof(*attach));
    if (!attach)
        return bypeer_problem_no_memory(problem);
    attach->loop = loop;
    attach->node = node;
    attach->groups = groups;
    attach->deadline = UINT64_MAX;
    attach->adopt_ms = attach_now_ms() + BYPEER_ATTACH_HEARD_MS;
    bypeer_groups_watch(groups, &(struct bypeer_groups_watcher){
                                    .context = attach, .changed = attach_on_changed, .left = attach_on_left});
    uv_timer_init(loop, &attach->timer);
    uv_prepare_init(loop, &attach->prepare);
    attach->timer.data = attach->prepare.data = attach;
    attach->handles = 2;
    uv_timer_start(&attach->timer, attach_on_timer, ATTACH_TURN_MS, ATTACH_TURN_MS);
    uv_prepare_start(&attach->prepare, attach_on_prepare);
    attach_replan(attach);
    int result = bypeer_model_sweep_followed(node->model, problem);
    if (result < 0) {
        bypeer_attach_close(attach);
        return result;
    }
    if (attach_listen(attach)) /* sessions that the descriptor store kept */
        attach_replan(attach);
    attach_publish(attach);
    *ret_attach = attach;
    return 0;
}

static void attach_on_closed(uv_handle_t *handle)
{
    struct bypeer_attach *attach = handle->data;
    if (--attach->handles > 0)
        return;
    for (unsigned at = 0; at < attach->count; at++)
        attach_free_group(attach->list[at]);
    free(attach->links);
    bypeer_plan_free(attach->plan);
    free(attach);
}

void bypeer_attach_close(struct bypeer_attach *attach)
{
    if (!attach || attach->is_closing)
        return;
    attach->is_closing = true;
    uv_close((uv_handle_t *)&attach->timer, attach_on_closed);
    uv_close((uv_handle_t *)&attach->prepare, attach_on_closed);
}

/* --- for people --- */

const struct bypeer_model_group *bypeer_attach_group(const struct bypeer_attach *attach,
                                                     const struct bypeer_joined *joined, const char **ret_why)
{
    const struct attach_group *group = attach_find_group(attach, joined);
    const struct bypeer_model_group *found = group ? bypeer_model_group(attach->node->model, group->id) : NULL;
    if (!found && ret_why)
        *ret_why = group && group->why[0] ? group->why : "this node is no valid member";
    return found;
}

int bypeer_attach_drain(struct bypeer_attach *attach, bool is_draining, struct bypeer_problem *problem)
{
    attach->is_draining = is_draining;
    attach_replan(attach);
    attach_publish(attach);
    if (attach->publish_ms == 0)
        return 0;
    return bypeer_problem_set(problem, -EAGAIN, "not_said",
                              "this node\nhas not told all of its groups yet\nwait, or see the log");
}

bool bypeer_attach_is_draining(const struct bypeer_attach *attach)
{
    return attach->is_draining;
}

/* The link by which packets for a member leave; 0: none. */
static uint32_t attach_way(const struct bypeer_attach *attach, const uint8_t member[static 16])
{
    const struct bypeer_destination *there = bypeer_writer_find_destination(attach->node->generation->writer, member);
    return there ? there->link : 0;
}

static void attach_tell(const struct bypeer_attach *attach, const struct bypeer_joined *joined,
                        const struct bypeer_attachment *attachment, struct bypeer_attach_fact *fact)
{
    const struct bypeer_profile *profile = bypeer_joined_profile(joined);
    const struct bypeer_peer_name *group = bypeer_joined_name(joined);
    uint8_t own[16];
    fact->member = attachment->member;
    fact->supernode = attachment->supernode;
    fact->priority = attachment->priority & ~BYPEER_PLAN_STANDBY & 0xff;
    fact->is_standby = attachment->priority >= BYPEER_PLAN_STANDBY;
    fact->is_draining = (attachment->flags & BYPEER_ATTACHMENT_DRAINING) != 0;
    bypeer_group_address(profile, group, &attachment->member, fact->member_address);
    bypeer_group_address(profile, group, &attachment->supernode, fact->supernode_address);
    bypeer_group_address(profile, group, bypeer_joined_self(joined), own);
    fact->is_own = memcmp(own, fact->supernode_address, 16) == 0;
    const struct attach_link *link =
        attach_find_link(attach, fact->is_own ? attachment->member_key : attachment->supernode_key);
    bool is_self = fact->is_own && memcmp(own, fact->member_address, 16) == 0;
    fact->is_heard = is_self || (link && link->is_heard);
    fact->is_chosen = is_self || (link && link->id != 0 && attach_way(attach, fact->member_address) == link->id);
}

void bypeer_attach_each(const struct bypeer_attach *attach, const struct bypeer_joined *joined,
                        int (*visit)(void *context, const struct bypeer_attach_fact *fact), void *context)
{
    static const struct bypeer_guid type = BYPEER_RECORD_ATTACHMENT;
    const struct bypeer_graph *graph = bypeer_joined_graph(joined);
    struct bypeer_attachment attachment;
    for (const struct bypeer_record *record = bypeer_graph_next(graph, &type, NULL); record;
         record = bypeer_graph_next(graph, &type, record)) {
        struct bypeer_attach_fact fact = {.fault = BYPEER_ATTACHMENT_MALFORMED};
        if (bypeer_record_is_deleted(record))
            continue;
        fact.fault =
            bypeer_group_judge_attachment(bypeer_joined_group(joined), bypeer_groups_now(), record, &attachment);
        if (fact.fault == BYPEER_ATTACHMENT_MALFORMED)
            continue;
        attach_tell(attach, joined, &attachment, &fact);
        if (visit(context, &fact) != 0)
            return;
    }
}
