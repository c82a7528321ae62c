/* What follows from what the graph said, done outside of its calls: group.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/graph/graph.h"
#include "overlay/group/state.h"

/* Judging records again may change who is a member, and so what is to be judged. */
#define ROUNDS 4
/* A clock may be set: looked at again after so long at the latest. */
#define LOOK_MS 60000

int group_publish_membership(struct bypeer_group_node *node, struct bypeer_graph_time now,
                             const struct bypeer_chain *chain)
{
    size_t length;
    struct bypeer_guid id;
    if (!node->graph)
        return -ENOTCONN;
    const struct group_credential *own = group_own(node, group_unix(now.utc));
    uint64_t until = bypeer_chain_not_after(chain);
    const uint8_t *bag = bypeer_chain_bag(chain, &length);
    uint8_t *payload = malloc(BYPEER_MEMBERSHIP_FIXED_BYTES + length);
    if (!payload)
        return -ENOMEM;
    bypeer_membership_write(payload, length);
    memcpy(payload + BYPEER_MEMBERSHIP_FIXED_BYTES, bag, length);
    const struct bypeer_record_draft draft = {
        .type = BYPEER_RECORD_MEMBERSHIP,
        .payload = payload,
        .payload_bytes = BYPEER_MEMBERSHIP_FIXED_BYTES + length,
        /* Nobody's record outlives his membership; the member publishes its own again. */
        .expires = group_peer_time(own && own->not_after < until ? own->not_after : until),
        .is_internal = true,
    };
    int status = bypeer_graph_publish(node->graph, now, &draft, &id);
    free(payload);
    return status;
}

static void turn_publish_properties(struct bypeer_group_node *node, struct bypeer_graph_time now)
{
    uint8_t payload[BYPEER_GROUP_PROPERTIES_BYTES_MAX];
    struct bypeer_guid id;
    const struct bypeer_record_draft draft = {
        .type = BYPEER_RECORD_SECURITY,
        .creator = node->group_id,
        .payload = payload,
        .payload_bytes = bypeer_properties_write(&node->found, payload, sizeof(payload)),
        .expires = group_peer_time(node->root_until),
        .is_internal = true,
    };
    if (bypeer_graph_publish(node->graph, now, &draft, &id) == 0)
        node->is_founding = false;
}

static void turn_publish(struct bypeer_group_node *node, struct bypeer_graph_time now)
{
    uint64_t now_s = group_unix(now.utc);
    if (!(bypeer_graph_status(node->graph) & BYPEER_GRAPH_SYNCHRONIZED))
        return;
    if (node->is_founding && node->group_key && !node->has_properties)
        turn_publish_properties(node, now);
    struct group_member *self = group_find(node, &node->self);
    const struct group_credential *own = group_own(node, now_s);
    if (!self || !own || own->is_published || now.ms < node->publish_ms ||
        ((node->properties.flags & BYPEER_GROUP_MEMBERSHIP_ON_DEMAND) && !node->has_signed))
        return;
    node->publish_ms = now.ms + LOOK_MS;
    group_publish_membership(node, now, own->chain);
}

/* Links have the name that the peer has shown, which may be any of his. */
static void turn_cut_member(struct bypeer_group_node *node, struct bypeer_graph_time now,
                            const struct group_member *member)
{
    char id[BYPEER_NAME_TEXT_MAX];
    for (unsigned at = 0; at < member->credential_count; at++) {
        const struct bypeer_peer_name *name = &member->credentials[at].leaf->subject;
        bool is_done = false;
        for (unsigned before = 0; before < at; before++)
            is_done |= bypeer_name_is_equal(&member->credentials[before].leaf->subject, name);
        if (is_done)
            continue;
        bypeer_name_write(name, id);
        bypeer_graph_cut(node->graph, now, id);
    }
}

static void turn_cut(struct bypeer_group_node *node, struct bypeer_graph_time now)
{
    node->is_cut_due = false;
    for (size_t at = 0; at < node->member_count; at++) {
        struct group_member *member = node->members[at];
        if (!member->is_cut_due)
            continue;
        member->is_cut_due = false;
        turn_cut_member(node, now, member);
    }
    node->expiry = 0; /* those who have expired can be dropped now */
}

static void turn_expire(struct bypeer_group_node *node, struct bypeer_graph_time now)
{
    uint64_t now_s = group_unix(now.utc);
    node->expiry = group_expire(node, now_s);
    for (size_t at = 0; at < node->revocation_count; at++)
        if (node->revocations[at]->until > now_s && node->revocations[at]->until < node->expiry)
            node->expiry = node->revocations[at]->until;
    group_expire_attached(node, now.utc);
}

static bool turn_is_waiting(const struct bypeer_group_node *node)
{
    struct bypeer_graph_counters counters;
    bypeer_graph_counters(node->graph, &counters);
    return counters.waiting > 0;
}

void bypeer_group_turn(struct bypeer_group_node *node, struct bypeer_graph_time now)
{
    uint64_t now_s = group_unix(now.utc);
    node->now = now_s;
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (now_s >= node->expiry)
            turn_expire(node, now);
        if (!node->graph)
            break;
        if (node->is_cut_due) {
            turn_cut(node, now);
            turn_expire(node, now);
        }
        bool begins = node->is_stale && !node->is_judging; /* what is under way comes to its end */
        bool is_fresh = node->is_fresh && !begins && turn_is_waiting(node);
        node->is_stale &= node->is_judging;
        node->is_fresh = false;
        if (begins || node->is_judging)
            node->is_judging = !bypeer_graph_revalidate(node->graph, now, begins);
        if (is_fresh)
            bypeer_graph_retry(node->graph, now);
        turn_publish(node, now);
        if ((!node->is_stale || node->is_judging) && !node->is_fresh && !node->is_cut_due)
            break;
    }
    uint64_t left = node->expiry > now_s ? node->expiry - now_s : 0;
    node->deadline_ms = now.ms + (left < LOOK_MS / 1000 ? left * 1000 : LOOK_MS);
}

uint64_t bypeer_group_deadline(const struct bypeer_group_node *node)
{
    return node->is_stale || node->is_judging || node->is_fresh || node->is_cut_due ? 0 : node->deadline_ms;
}
