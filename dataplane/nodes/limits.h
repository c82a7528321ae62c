/*
 * Rates and quotas of members (links) and groups, in policy and multicast: overlay/meter has the rules, the tables the
 * limits, the sessions region the meters, which all workers share.
 *
 * A packet is charged to the link that it came by, to the group, and to the link that it leaves by, in this order; what
 * was charged before one of them refuses it stays charged. Where nothing has a limit none of this is called.
 */
#pragma once

#include "dataplane/worker.h"
#include "overlay/meter/rate.h"

/* What the packets of a burst have sent of a group's rate, as long as they are of the same group. */
struct bypeer_limits_burst {
    struct bypeer_share *share; /* NULL: nothing yet */
    uint64_t round;
    uint64_t bytes;
};

/* Tells the group. To be called after the last packet of a burst. */
static inline void bypeer_limits_end(struct bypeer_limits_burst *burst)
{
    if (burst->share != NULL && burst->bytes > 0)
        bypeer_share_passed(burst->share, burst->bytes, burst->round);
    burst->share = NULL;
}

static inline bool bypeer_limits_share(struct bypeer_limits_burst *burst, struct bypeer_share *share, uint64_t *member,
                                       const struct bypeer_limit *limit, uint32_t bytes, uint64_t now_ns)
{
    if (burst->share != share) {
        bypeer_limits_end(burst);
        *burst =
            (struct bypeer_limits_burst){.share = share, .round = bypeer_share_turn(share, limit->capacity, now_ns)};
    }
    if (!bypeer_share_take(share, member, limit->capacity, limit->room, bytes, burst->round))
        return false;
    burst->bytes += bytes;
    return true;
}

/* Who sends: the link that a packet came by and, of its group, the rate. 0, or why it must be dropped. */
static inline enum bypeer_counter bypeer_limits_judge_sender(const struct bypeer_worker *worker,
                                                             struct bypeer_limits_burst *burst,
                                                             const struct bypeer_link *ingress, uint32_t group_id,
                                                             uint32_t bytes)
{
    const struct bypeer_limit *from = bypeer_tables_link_limit(worker->tables, ingress->id);
    const struct bypeer_limit *group = bypeer_tables_group_limit(worker->tables, group_id);
    const struct bypeer_sessions *shared = worker->shared;
    const uint64_t now_ns = bypeer_worker_now_ns(worker);
    if ((from->flags | group->flags) & BYPEER_LIMIT_BLOCKED)
        return BYPEER_DROP_QUOTA;
    if (shared == NULL || ingress->session >= shared->size.links)
        return 0;
    struct bypeer_link_meter *sender = &shared->meters[ingress->session];
    if ((from->flags & BYPEER_LIMIT_RATE) && !bypeer_rate_take(&sender->sent, from->cost, from->ahead, bytes, now_ns))
        return BYPEER_DROP_RATE;
    if (!(group->flags & BYPEER_LIMIT_RATE) || group->id >= shared->size.groups)
        return 0;
    struct bypeer_group_meter *meter = &shared->groups[group->id];
    uint64_t *member =
        ingress->group == BYPEER_GROUP_ANY ? &meter->trunks[ingress->session % BYPEER_GROUP_TRUNKS] : &sender->share;
    return bypeer_limits_share(burst, &meter->share, member, group, bytes, now_ns) ? 0 : BYPEER_DROP_SHARE;
}

/* Who gets it: the link that a packet leaves by. Likewise. */
static inline enum bypeer_counter bypeer_limits_judge_receiver(const struct bypeer_worker *worker,
                                                               const struct bypeer_link *egress, uint32_t bytes)
{
    const struct bypeer_limit *to = bypeer_tables_link_limit(worker->tables, egress->id);
    const struct bypeer_sessions *shared = worker->shared;
    if (to->flags & BYPEER_LIMIT_BLOCKED)
        return BYPEER_DROP_QUOTA;
    if (shared == NULL || egress->session >= shared->size.links)
        return 0;
    if ((to->flags & BYPEER_LIMIT_RATE) && !bypeer_rate_take(&shared->meters[egress->session].received, to->cost,
                                                             to->ahead, bytes, bypeer_worker_now_ns(worker)))
        return BYPEER_DROP_RATE;
    return 0;
}

/* Both. A receiver who is blocked costs the sender nothing. */
static inline enum bypeer_counter bypeer_limits_judge(const struct bypeer_worker *worker,
                                                      struct bypeer_limits_burst *burst,
                                                      const struct bypeer_link *ingress, uint32_t group_id,
                                                      const struct bypeer_link *egress, uint32_t bytes)
{
    if (bypeer_tables_link_limit(worker->tables, egress->id)->flags & BYPEER_LIMIT_BLOCKED)
        return BYPEER_DROP_QUOTA;
    enum bypeer_counter reason = bypeer_limits_judge_sender(worker, burst, ingress, group_id, bytes);
    return reason != 0 ? reason : bypeer_limits_judge_receiver(worker, egress, bytes);
}
