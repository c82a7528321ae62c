/*
 * Holes in leaf sets. A wave of FLOODs ends where its entry is known, so two nodes that came at the same time may never
 * hear of each other. Who is in a leaf set therefore asks in turn, with a LOOKUP for his own ID whose flagged path is
 * all that he knows of his neighbours: what is named then is nearer to him than the one asked, and he did not know it.
 */
#include "overlay/pnrp/state.h"

void bypeer_neighbour_ask(struct bypeer_pnrp *pnrp, const uint8_t own[static 32])
{
    const struct bypeer_route *leaves[2 * BYPEER_LEAF_SET];
    uint8_t path[1 + 2 * BYPEER_LEAF_SET][18], id[32], target[32];
    uint8_t to_addresses[BYPEER_PNRP_ADDRESSES_MAX * 16], addresses[BYPEER_CLOUD_ENDPOINTS_MAX][16];
    uint64_t random = bypeer_cloud_random(pnrp);
    unsigned counts[2], count = 0;
    for (unsigned side = 0; side < 2; side++) {
        counts[side] = bypeer_cache_leaves(pnrp->cache, own, side == 1, leaves + count);
        count += counts[side];
    }
    unsigned side = counts[1] == 0 ? 0 : counts[0] == 0 ? 1 : (unsigned)(random & 1);
    if (counts[side] == 0)
        return;
    /* The farther he is, the more lies between. */
    unsigned one = (unsigned)(random >> 8) % counts[side], other = (unsigned)(random >> 32) % counts[side];
    const struct bypeer_route *asked = leaves[(side == 1 ? counts[0] : 0) + (one > other ? one : other)];
    bypeer_pnrp_endpoint_put(path[0], &pnrp->endpoints[0]);
    for (unsigned i = 0; i < count; i++) {
        struct bypeer_pnrp_endpoint endpoint = {.port = leaves[i]->port};
        memcpy(endpoint.address, leaves[i]->address, 16);
        bypeer_pnrp_endpoint_put(path[1 + i], &endpoint);
    }
    memcpy(id, asked->id, sizeof(id));
    memcpy(target, own, sizeof(target));
    struct bypeer_pnrp_message message = {.type = BYPEER_PNRP_LOOKUP,
                                          .lookup = {.criterion = BYPEER_PNRP_NONE,
                                                     .reason = BYPEER_PNRP_CACHE_MAINTENANCE,
                                                     .target = target,
                                                     .validate = id,
                                                     .path = {path[0], (uint16_t)(1 + count)}}};
    struct bypeer_pnrp_entry to;
    bypeer_route_entry(asked, to_addresses, &to);
    /* He may have a hole there himself. */
    bypeer_cloud_own_entry(pnrp, target, addresses, &message.lookup.entry);
    struct bypeer_pending *pending = bypeer_pending_send(pnrp, BYPEER_PENDING_NEIGHBOUR, &to, &message, NULL);
    if (pending)
        memcpy(pending->subject, id, sizeof(id));
}

void bypeer_neighbour_answered(struct bypeer_pnrp *pnrp, const struct bypeer_pending *pending,
                               const struct bypeer_pnrp_endpoint *from, const struct bypeer_pnrp_answer *answer)
{
    bool is_known = bypeer_entry_at(pnrp, pending->subject, from) != NULL;
    if (is_known && answer->flags & BYPEER_AUTHORITY_NOT_LOCAL)
        bypeer_cache_remove(pnrp->cache, pending->subject);
    else if (is_known)
        bypeer_cache_touch(pnrp->cache, pending->subject, (uint32_t)(pnrp->now.ms / 1000));
    if (answer->entry.id && bypeer_cache_is_leaf(pnrp->cache, answer->entry.id, NULL))
        bypeer_entry_offer(pnrp, &answer->entry, &(struct bypeer_entry_origin){.sender = from});
}

void bypeer_neighbour_unanswered(struct bypeer_pnrp *pnrp, const struct bypeer_pending *pending)
{
    const struct bypeer_route *route = bypeer_cache_find(pnrp->cache, pending->subject);
    if (route && !(route->flags & BYPEER_ROUTE_OWN))
        bypeer_entry_retest(pnrp, route, NULL);
}
