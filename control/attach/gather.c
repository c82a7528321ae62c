/*
 * What is known: records of groups, as the security provider judges them, and who is heard, as the data plane counts
 * it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/attach/state.h"
#include "control/dataplane/channel.h"
#include "overlay/group/address.h"
#include "overlay/tables/sessions.h"

uint64_t attach_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

void attach_free_group(struct attach_group *group)
{
    free(group->members);
    free(group->attachments);
    free(group->receivers);
    free(group);
}

/* Room for one more element. */
static int gather_need(void **array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return 0;
    size_t next = *room ? *room * 2 : 16;
    void *longer = reallocarray(*array, next, size);
    if (!longer)
        return -ENOMEM;
    *array = longer;
    *room = next;
    return 0;
}

static int gather_members(struct attach_group *group)
{
    struct bypeer_group_member member;
    struct bypeer_peer_name after;
    const struct bypeer_group_node *node = bypeer_joined_group(group->joined);
    group->member_count = 0;
    for (bool more = bypeer_group_next_member(node, NULL, &member); more;
         more = bypeer_group_next_member(node, &after, &member)) {
        after = member.name;
        if (gather_need((void **)&group->members, group->member_count, &group->member_room, sizeof(*group->members)) <
            0)
            return -ENOMEM;
        struct bypeer_plan_member *planned = &group->members[group->member_count++];
        *planned = (struct bypeer_plan_member){.roles = member.roles,
                                               .not_before = member.not_before,
                                               .not_after = member.until,
                                               .revoked = member.is_revoked};
        memcpy(planned->address, member.address, 16);
    }
    return 0;
}

static void gather_translate(struct bypeer_attach *attach, const struct bypeer_joined *joined,
                             const struct bypeer_attachment *attachment, const char *creator,
                             struct bypeer_plan_attachment *ret_planned)
{
    char supernode[BYPEER_NAME_TEXT_MAX];
    struct bypeer_plan_attachment planned = {.priority = attachment->priority,
                                             .draining = (attachment->flags & BYPEER_ATTACHMENT_DRAINING) != 0,
                                             .sequence = attachment->sequence};
    const struct bypeer_profile *profile = bypeer_joined_profile(joined);
    memcpy(planned.member, attachment->member_address, 16);
    bypeer_group_address(profile, bypeer_joined_name(joined), &attachment->supernode, planned.supernode);
    bypeer_name_write(&attachment->supernode, supernode);
    bool is_own = bypeer_name_is_equal(&attachment->supernode, bypeer_joined_self(joined));
    /* One by somebody else counts only with the member's signature. */
    memcpy(planned.creator, strcmp(creator, supernode) == 0 ? planned.supernode : planned.member, 16);
    memcpy(planned.member_key, attachment->member_key, 32);
    memcpy(planned.supernode_key, attachment->supernode_key, 32);
    for (unsigned at = 0; at < attachment->endpoint_count && at < BYPEER_PLAN_ENDPOINTS; at++) {
        struct bypeer_plan_endpoint endpoint = {.port = attachment->endpoints[at].port};
        memcpy(endpoint.address, attachment->endpoints[at].address, 16);
        if (is_own || attach_may_send(attach, joined, &attachment->supernode, &endpoint))
            planned.endpoints[planned.endpoint_count++] = endpoint;
    }
    *ret_planned = planned;
}

static int gather_attachments(struct bypeer_attach *attach, struct attach_group *group)
{
    static const struct bypeer_guid type = BYPEER_RECORD_ATTACHMENT;
    const struct bypeer_graph *graph = bypeer_joined_graph(group->joined);
    const struct bypeer_group_node *node = bypeer_joined_group(group->joined);
    struct bypeer_attachment attachment;
    group->attachment_count = 0;
    for (const struct bypeer_record *record = bypeer_graph_next(graph, &type, NULL); record;
         record = bypeer_graph_next(graph, &type, record)) {
        if (bypeer_record_is_deleted(record) ||
            bypeer_group_judge_attachment(node, bypeer_groups_now(), record, &attachment) != BYPEER_ATTACHMENT_SOUND)
            continue;
        if (gather_need((void **)&group->attachments, group->attachment_count, &group->attachment_room,
                        sizeof(*group->attachments)) < 0)
            return -ENOMEM;
        gather_translate(attach, group->joined, &attachment, record->modifier ? record->modifier : record->creator,
                         &group->attachments[group->attachment_count++]);
    }
    return 0;
}

int attach_gather(struct bypeer_attach *attach, struct attach_group *group)
{
    int result = gather_members(group);
    return result < 0 ? result : gather_attachments(attach, group);
}

/* --- who is heard --- */

/* Milliseconds since something authentic came by the link; UINT64_MAX: never. */
static uint64_t gather_silence(const struct bypeer_attach *attach, const struct bypeer_sessions_view *view,
                               uint32_t link_id, uint64_t now_ns)
{
    const struct bypeer_model_link *link = bypeer_model_link(attach->node->model, link_id);
    if (!link || !view || !view->peers || link_id >= view->size.links)
        return UINT64_MAX;
    const struct bypeer_peer_state *peer = &view->peers[link_id];
    uint64_t received_ns = __atomic_load_n(&peer->activity.received_ns, __ATOMIC_RELAXED);
    if (__atomic_load_n(&peer->link_serial, __ATOMIC_RELAXED) != link->serial || received_ns == 0)
        return UINT64_MAX;
    return received_ns < now_ns ? (now_ns - received_ns) / 1000000 : 0;
}

/* NULL: there are none. */
static const struct bypeer_sessions_view *gather_sessions(const struct bypeer_attach *attach)
{
    const struct bypeer_sessions_view *view =
        attach->node->channel ? bypeer_channel_sessions(attach->node->channel) : NULL;
    return view && view->entries ? view : NULL;
}

bool attach_has_ears(const struct bypeer_attach *attach)
{
    return gather_sessions(attach) != NULL;
}

bool attach_listen(struct bypeer_attach *attach)
{
    const struct bypeer_sessions_view *view = gather_sessions(attach);
    uint64_t now_ns = uv_hrtime(), now_ms = now_ns / 1000000;
    bool is_changed = false;
    if (view || now_ms >= attach->adopt_ms)
        attach->adopt_ms = 0;
    for (size_t at = 0; at < attach->link_count; at++) {
        struct attach_link *link = &attach->links[at];
        uint64_t silence = gather_silence(attach, view, link->id, now_ns);
        bool is_heard = silence < (link->is_trunk ? BYPEER_ATTACH_HEARD_MS : BYPEER_ATTACH_CLIENT_MS);
        is_changed |= is_heard != link->is_heard;
        link->is_said &= is_heard == link->is_heard;
        link->is_heard = is_heard;
        if (is_heard)
            link->turned_ms = now_ms;
        else if (link->is_trunk && now_ms - link->turned_ms >= ATTACH_ENDPOINT_MS) {
            link->turn++;
            link->turned_ms = now_ms;
            is_changed = true;
        }
    }
    return is_changed;
}
