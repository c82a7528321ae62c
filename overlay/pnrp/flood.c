/* Leaf sets hear of their members' coming and going ([MS-PNRP] 3.1.5.4, 3.2.5.11, 3.1.5.5; reference 4.8, 4.12). */
#include "overlay/pnrp/state.h"

/* On their way, about 300 bytes each; what else there is to tell then is asked for later (neighbour.c). */
#define FLOODS_MAX      48
#define FLOODS_MAX_FULL 512
#define FLOOD_WALK_MAX  64    /* how far a neighbour is looked for that was not told yet */
#define FLOOD_REVOKE_S  86400 /* a revocation that claims to be valid for longer is kept by somebody for later */

void bypeer_flood_send(struct bypeer_pnrp *pnrp, const struct bypeer_flood *flood)
{
    static const uint8_t zero[32];
    struct bypeer_pnrp_message message = {.type = BYPEER_PNRP_FLOOD,
                                          .flood = {.validate = flood->to->id ? flood->to->id : zero,
                                                    .revoke = flood->revoke,
                                                    .revoke_bytes = flood->revoke_bytes,
                                                    .entry = flood->entry,
                                                    .flooded = flood->flooded}};
    if (pnrp->floods >= (pnrp->cache_entries ? FLOODS_MAX_FULL : FLOODS_MAX))
        return;
    struct bypeer_pending *pending =
        bypeer_pending_send(pnrp, BYPEER_PENDING_FLOOD, flood->to, &message, flood->leaving);
    if (!pending)
        return;
    memcpy(pending->subject, message.flood.validate, 32);
    pnrp->floods++;
    if (flood->leaving)
        flood->leaving->floods++;
}

/* Whoever says that the ID is not his does not have it (any more); whoever says nothing is asked. */
void bypeer_flood_ended(struct bypeer_pnrp *pnrp, struct bypeer_pending *pending, enum bypeer_flood_end end)
{
    struct bypeer_pnrp_endpoint asked;
    bypeer_pending_asked(pending, &asked);
    const struct bypeer_route *route = bypeer_entry_at(pnrp, pending->subject, &asked);
    pnrp->floods--;
    if (route && end == BYPEER_FLOOD_DISOWNED)
        bypeer_cache_remove(pnrp->cache, pending->subject);
    else if (route && !(route->flags & BYPEER_ROUTE_OWN) && end == BYPEER_FLOOD_UNANSWERED)
        bypeer_entry_retest(pnrp, route, NULL);
    else if (route && end == BYPEER_FLOOD_ACKNOWLEDGED)
        bypeer_cache_touch(pnrp->cache, pending->subject, (uint32_t)(pnrp->now.ms / 1000));
    struct bypeer_registration *leaving = pending->owner;
    if (leaving) {
        leaving->floods--;
        bypeer_publish_settle(pnrp, leaving);
    }
}

static bool flood_lists(const struct bypeer_pnrp_endpoints *flooded, const uint8_t *address, uint16_t port)
{
    struct bypeer_pnrp_endpoint listed;
    for (unsigned i = 0; i < flooded->count; i++) {
        bypeer_pnrp_endpoint_at(flooded, i, &listed);
        if (listed.port == port && memcmp(listed.address, address, 16) == 0)
            return true;
    }
    return false;
}

static bool flood_is_listed(const struct bypeer_pnrp_endpoints *flooded, const struct bypeer_route *route)
{
    bool is_listed = flood_lists(flooded, route->address, route->port);
    for (unsigned i = 1; i < route->address_count && !is_listed; i++)
        is_listed = flood_lists(flooded, route->more[i - 1], route->port);
    return is_listed;
}

static bool flood_is_at(const struct bypeer_pnrp_entry *entry, const struct bypeer_route *route)
{
    for (unsigned i = 0; entry && i < entry->address_count; i++)
        if (entry->port == route->port && memcmp(entry->addresses + 16ul * i, route->address, 16) == 0)
            return true;
    return false;
}

/* The nearest node on one side that was not told, nor is the one told about. */
static const struct bypeer_route *flood_neighbour(struct bypeer_pnrp *pnrp, const uint8_t *id, bool above,
                                                  const struct bypeer_pnrp_entry *about,
                                                  const struct bypeer_pnrp_endpoints *flooded)
{
    struct bypeer_cache_walk walk;
    bypeer_cache_walk(pnrp->cache, bypeer_id_load(id), &walk);
    for (unsigned i = 0; i < FLOOD_WALK_MAX; i++) {
        const struct bypeer_route *route = above ? bypeer_cache_above(&walk) : bypeer_cache_below(&walk);
        if (!route)
            return NULL;
        if (!(route->flags & BYPEER_ROUTE_OWN) && memcmp(route->id, id, 32) != 0 && !flood_is_at(about, route) &&
            !flood_is_listed(flooded, route))
            return route;
    }
    return NULL;
}

struct flood_neighbours {
    unsigned count;
    struct bypeer_pnrp_entry entries[2];
    uint8_t ids[2][32];
    uint8_t addresses[2][BYPEER_PNRP_ADDRESSES_MAX * 16];
    struct bypeer_pnrp_endpoints flooded; /* the list that they get */
    uint8_t endpoints[BYPEER_PNRP_PATH_MAX][18];
};

static void flood_list_add(struct flood_neighbours *neighbours, const uint8_t *address, uint16_t port)
{
    struct bypeer_pnrp_endpoint endpoint = {.port = port};
    if (neighbours->flooded.count >= BYPEER_PNRP_PATH_MAX)
        return;
    memcpy(endpoint.address, address, 16);
    bypeer_pnrp_endpoint_put(neighbours->endpoints[neighbours->flooded.count++], &endpoint);
}

/* Both sides' nearest that were not told, and the list with them. Whether there is anybody to tell; GAP-12: not when
 * the list is full. */
static bool flood_choose(struct bypeer_pnrp *pnrp, const uint8_t *id, const struct bypeer_pnrp_entry *about,
                         const struct bypeer_pnrp_endpoints *flooded, struct flood_neighbours *ret_neighbours)
{
    ret_neighbours->count = 0;
    ret_neighbours->flooded = (struct bypeer_pnrp_endpoints){ret_neighbours->endpoints[0], flooded->count};
    if (flooded->count + 3 > BYPEER_PNRP_PATH_MAX)
        return false;
    if (flooded->count > 0)
        memcpy(ret_neighbours->endpoints, flooded->bytes, 18ul * flooded->count);
    struct bypeer_pnrp_endpoint own = pnrp->endpoints[0];
    if (!flood_lists(flooded, own.address, own.port))
        flood_list_add(ret_neighbours, own.address, own.port);
    for (unsigned side = 0; side < 2; side++) {
        const struct bypeer_route *route = flood_neighbour(pnrp, id, side == 0, about, &ret_neighbours->flooded);
        if (!route)
            continue;
        unsigned at = ret_neighbours->count++;
        bypeer_route_entry(route, ret_neighbours->addresses[at], &ret_neighbours->entries[at]);
        memcpy(ret_neighbours->ids[at], route->id, 32);
        ret_neighbours->entries[at].id = ret_neighbours->ids[at];
        flood_list_add(ret_neighbours, route->address, route->port);
    }
    return ret_neighbours->count > 0;
}

void bypeer_flood_spread(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_entry *entry, const uint8_t *own,
                         const struct bypeer_entry_origin *origin)
{
    struct flood_neighbours neighbours;
    uint8_t addresses[BYPEER_CLOUD_ENDPOINTS_MAX][16];
    if (flood_choose(pnrp, entry->id, entry, &origin->flooded, &neighbours))
        for (unsigned i = 0; i < neighbours.count; i++)
            bypeer_flood_send(pnrp, &(struct bypeer_flood){
                                        .to = &neighbours.entries[i], .entry = *entry, .flooded = neighbours.flooded});
    /* 4.14 item 12 of the reference: the new node hears of ours, and so does who told us, if that is another. */
    struct bypeer_flood back = {.to = entry};
    bypeer_cloud_own_entry(pnrp, own, addresses, &back.entry);
    bypeer_flood_send(pnrp, &back);
    if (!origin->was_flooded)
        return;
    for (unsigned i = 0; i < entry->address_count; i++)
        if (memcmp(entry->addresses + 16ul * i, origin->sender->address, 16) == 0)
            return;
    struct bypeer_pnrp_entry sender = {
        .addresses = origin->sender->address, .address_count = 1, .port = origin->sender->port};
    back.to = &sender;
    bypeer_flood_send(pnrp, &back);
}

void bypeer_flood_announce(struct bypeer_pnrp *pnrp, const uint8_t own[static 32])
{
    static const struct bypeer_pnrp_endpoints nobody;
    struct flood_neighbours neighbours;
    struct bypeer_pnrp_entry entry;
    uint8_t addresses[BYPEER_CLOUD_ENDPOINTS_MAX][16];
    bypeer_cloud_own_entry(pnrp, own, addresses, &entry);
    if (!flood_choose(pnrp, own, NULL, &nobody, &neighbours))
        return;
    for (unsigned i = 0; i < neighbours.count; i++)
        bypeer_flood_send(
            pnrp, &(struct bypeer_flood){.to = &neighbours.entries[i], .entry = entry, .flooded = neighbours.flooded});
}

void bypeer_flood_revoke(struct bypeer_pnrp *pnrp, const uint8_t id[static 32],
                         const struct bypeer_revocation *revocation)
{
    struct flood_neighbours neighbours;
    if (!flood_choose(pnrp, id, NULL, &revocation->origin.flooded, &neighbours))
        return;
    for (unsigned i = 0; i < neighbours.count; i++)
        bypeer_flood_send(pnrp, &(struct bypeer_flood){.to = &neighbours.entries[i],
                                                       .revoke = revocation->cpa,
                                                       .revoke_bytes = revocation->cpa_bytes,
                                                       .flooded = neighbours.flooded});
}

static bool flood_is_checking(const struct bypeer_pnrp *pnrp, const uint8_t *id)
{
    for (const struct bypeer_job *job = pnrp->jobs; job; job = job->next)
        if (job->purpose == BYPEER_JOB_REVOKED && memcmp(job->id, id, 32) == 0)
            return true;
    return false;
}

static void flood_revocation(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *from,
                             const struct bypeer_pnrp_flood *flood)
{
    struct bypeer_job *job;
    if (bypeer_certified_check_revocation(pnrp, flood->revoke, flood->revoke_bytes, &flood->flooded, &job) < 0)
        return;
    /* What is not known need not be forgotten, and costs no signature check. */
    const struct bypeer_route *route = bypeer_cache_find(pnrp->cache, job->id);
    if (!route || route->flags & BYPEER_ROUTE_OWN || job->cpa.not_after > pnrp->now.unix_s + FLOOD_REVOKE_S ||
        flood_is_checking(pnrp, job->id) || !bypeer_budget_take(&pnrp->revocations, 1, pnrp->now.ms)) {
        bypeer_job_free(job);
        return;
    }
    job->purpose = BYPEER_JOB_REVOKED;
    job->peer = *from;
    bypeer_job_hand_out(pnrp, job);
}

void bypeer_flood_checked(struct bypeer_pnrp *pnrp, struct bypeer_job *job)
{
    const struct bypeer_route *route = bypeer_cache_find(pnrp->cache, job->id);
    if (job->work.result < 0) {
        pnrp->counters.bad_signatures++;
        return;
    }
    if (!route || route->flags & BYPEER_ROUTE_OWN)
        return;
    const struct bypeer_revocation revocation = {
        .origin = {.sender = &job->peer, .was_flooded = true, .flooded = job->flooded},
        .cpa = job->memory,
        .cpa_bytes = job->revoke_bytes};
    /* Any key may sign for an unsecured name, and anybody may keep a secure one's until it is registered again under
     * the same ID, so its node is asked. */
    bypeer_entry_retest(pnrp, route, &revocation);
}

void bypeer_flood_receive(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *from,
                          const struct bypeer_pnrp_message *message)
{
    const struct bypeer_pnrp_flood *flood = &message->flood;
    pnrp->counters.floods++;
    if (!flood->no_ack) {
        bool is_ours = bypeer_id_is_zero(flood->validate) || bypeer_cloud_is_own_id(pnrp, flood->validate);
        struct bypeer_pnrp_message ack = {.type = BYPEER_PNRP_ACK,
                                          .id = (uint32_t)bypeer_cloud_random(pnrp),
                                          .ack = {.acked = message->id, .not_local = !is_ours}};
        bypeer_cloud_send(pnrp, local, from, &ack);
    }
    if (flood->entry.id)
        bypeer_entry_offer(
            pnrp, &flood->entry,
            &(struct bypeer_entry_origin){.sender = from, .was_flooded = true, .flooded = flood->flooded});
    if (flood->revoke)
        flood_revocation(pnrp, from, flood);
    /* An empty one asks whether we are there (meter.h). */
    if (!flood->entry.id && !flood->revoke && !flood->no_ack)
        bypeer_pending_prompt(pnrp, from);
}
