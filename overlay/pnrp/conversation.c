/* How a cache is filled: SOLICIT, ADVERTISE, REQUEST, ACK and FLOODs ([MS-PNRP] 3.1.5.3, 3.2.5.3). */
#include "overlay/pnrp/state.h"

#define CONVERSATION_MS 15000
/* SOLICITs are anybody's: beyond that many they get no IDs ([MS-PNRP] 3.2.5.3). About 250 bytes each. */
#define CONVERSATION_MAX      32
#define CONVERSATION_MAX_FULL 1024 /* of a node with a full cache: likely a seed */
/* With IP's and UDP's headers. */
#define CONVERSATION_ADVERTISE 268 /* with all its IDs */
#define CONVERSATION_FLOOD     180 /* without addresses */

static void conversation_hash(const struct bypeer_pnrp *pnrp, const uint8_t *nonce, uint8_t ret_hash[static 20])
{
    bypeer_profile_hash(pnrp->profile, &(struct bypeer_piece){nonce, 16}, 1, ret_hash);
}

int bypeer_conversation_begin(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *node)
{
    uint8_t nonce[16], hash[20], addresses[BYPEER_CLOUD_ENDPOINTS_MAX][16];
    struct bypeer_pnrp_message message = {.type = BYPEER_PNRP_SOLICIT};
    struct bypeer_pnrp_entry to = {.addresses = node->address, .address_count = 1, .port = node->port};

    if (pnrp->endpoint_count == 0)
        return -ENETUNREACH;
    if (bypeer_cloud_is_own_address(pnrp, node->address, node->port))
        return -EINVAL;
    bypeer_cloud_random_bytes(pnrp, nonce, sizeof(nonce));
    conversation_hash(pnrp, nonce, hash);
    message.solicit.hashed_nonce = hash;
    struct bypeer_registration *registration = pnrp->registrations;
    while (registration && registration->is_leaving)
        registration = registration->next;
    if (registration)
        bypeer_cloud_own_entry(pnrp, registration->id, addresses, &message.solicit.entry);
    struct bypeer_pending *pending = bypeer_pending_send(pnrp, BYPEER_PENDING_SOLICIT, &to, &message, NULL);
    if (!pending)
        return -ENOMEM;
    memcpy(pending->subject, nonce, sizeof(nonce));
    return 0;
}

void bypeer_conversation_advertise(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *from,
                                   const struct bypeer_pnrp_message *message)
{
    const struct bypeer_pnrp_advertise *advertise = &message->advertise;
    struct bypeer_pending *pending = bypeer_pending_match(pnrp, advertise->acked, BYPEER_PNRP_ADVERTISE, from);
    uint8_t hash[20], nonce[16];

    if (pending)
        conversation_hash(pnrp, pending->subject, hash);
    if (!pending || memcmp(hash, advertise->hashed_nonce, sizeof(hash)) != 0) {
        pnrp->counters.unmatched++;
        return;
    }
    bypeer_inquire_verified(pnrp, from);
    memcpy(nonce, pending->subject, sizeof(nonce));
    bypeer_pending_drop(pnrp, pending);
    if (advertise->ids.count == 0)
        return;
    struct bypeer_pnrp_message request = {.type = BYPEER_PNRP_REQUEST,
                                          .request = {.nonce = nonce, .ids = advertise->ids}};
    if (request.request.ids.count > BYPEER_PNRP_REQUEST_IDS_MAX)
        request.request.ids.count = BYPEER_PNRP_REQUEST_IDS_MAX;
    bypeer_pending_send(pnrp, BYPEER_PENDING_REQUEST,
                        &(struct bypeer_pnrp_entry){.addresses = from->address, .address_count = 1, .port = from->port},
                        &request, NULL);
}

static bool conversation_is_with(const struct bypeer_conversation *conversation,
                                 const struct bypeer_pnrp_endpoint *peer)
{
    return conversation->peer.port == peer->port && memcmp(conversation->peer.address, peer->address, 16) == 0;
}

void bypeer_conversation_expire(struct bypeer_pnrp *pnrp, bool all)
{
    for (struct bypeer_conversation **at = &pnrp->conversations; *at;) {
        struct bypeer_conversation *conversation = *at;
        if (!all && conversation->expires_ms > pnrp->now.ms) {
            at = &conversation->next;
            continue;
        }
        *at = conversation->next;
        pnrp->conversation_count--;
        free(conversation);
    }
}

static void conversation_choose(struct bypeer_conversation *conversation, const struct bypeer_route *route)
{
    for (unsigned i = 0; i < conversation->count; i++)
        if (memcmp(conversation->ids[i], route->id, 32) == 0)
            return;
    memcpy(conversation->ids[conversation->count++], route->id, 32);
}

/* Five IDs at random places of the ring; own ones when there are not so many others. */
static void conversation_choose_all(struct bypeer_pnrp *pnrp, struct bypeer_conversation *conversation, bool local_only)
{
    struct bypeer_cache_walk walk;
    struct bypeer_id_number place;
    if (!local_only)
        for (unsigned tries = 0; tries < 3 * BYPEER_PNRP_ADVERTISE_IDS; tries++) {
            bypeer_cloud_random_bytes(pnrp, &place, sizeof(place));
            const struct bypeer_route *route = bypeer_cache_nearest(pnrp->cache, place, false);
            if (!route || conversation->count == BYPEER_PNRP_ADVERTISE_IDS)
                break;
            conversation_choose(conversation, route);
        }
    if (conversation->count == BYPEER_PNRP_ADVERTISE_IDS)
        return;
    for (struct bypeer_registration *registration = pnrp->registrations; registration;
         registration = registration->next) {
        const struct bypeer_route *route = bypeer_cache_find(pnrp->cache, registration->id);
        if (route && conversation->count < BYPEER_PNRP_ADVERTISE_IDS)
            conversation_choose(conversation, route);
    }
    if (local_only || conversation->count == BYPEER_PNRP_ADVERTISE_IDS)
        return;
    bypeer_cache_walk(pnrp->cache, place, &walk);
    for (const struct bypeer_route *route; (route = bypeer_cache_above(&walk)) != NULL;)
        if (conversation->count < BYPEER_PNRP_ADVERTISE_IDS)
            conversation_choose(conversation, route);
        else
            break;
}

static struct bypeer_conversation *conversation_open(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *from,
                                                     const struct bypeer_pnrp_solicit *solicit)
{
    struct bypeer_conversation *conversation = pnrp->conversations;
    while (conversation && !(conversation_is_with(conversation, from) &&
                             memcmp(conversation->hashed_nonce, solicit->hashed_nonce, 20) == 0))
        conversation = conversation->next;
    if (!conversation) {
        bypeer_conversation_expire(pnrp, false);
        if (pnrp->conversation_count >= (pnrp->cache_entries ? CONVERSATION_MAX_FULL : CONVERSATION_MAX))
            return NULL;
        conversation = calloc(1, sizeof(*conversation));
        if (!conversation)
            return NULL;
        conversation->peer = *from;
        memcpy(conversation->hashed_nonce, solicit->hashed_nonce, 20);
        conversation_choose_all(pnrp, conversation, solicit->local_only);
        conversation->next = pnrp->conversations;
        pnrp->conversations = conversation;
        pnrp->conversation_count++;
        pnrp->counters.solicits++;
    }
    conversation->expires_ms = pnrp->now.ms + CONVERSATION_MS;
    return conversation;
}

/* Whether so many bytes of IP may go there: nothing in a conversation shows that its peer is where he says. */
static bool conversation_affords(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *peer, size_t bytes)
{
    return (pnrp->meter && bypeer_meter_is_verified(pnrp->meter, peer->address, pnrp->now.ms)) ||
           bypeer_budget_take(&pnrp->told, (uint32_t)bytes, pnrp->now.ms);
}

void bypeer_conversation_solicit(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *from,
                                 const struct bypeer_pnrp_message *message)
{
    if (!bypeer_cloud_is_publishing(pnrp))
        return;
    struct bypeer_conversation *conversation = conversation_open(pnrp, from, &message->solicit);
    struct bypeer_pnrp_message advertise = {
        .type = BYPEER_PNRP_ADVERTISE,
        .id = (uint32_t)bypeer_cloud_random(pnrp),
        .advertise = {.acked = message->id, .hashed_nonce = message->solicit.hashed_nonce}};
    /* One that begins has taken a place; whoever begins it again has to be worth it. */
    bool is_told = conversation && (!conversation->is_told || conversation_affords(pnrp, from, CONVERSATION_ADVERTISE));
    if (is_told) {
        conversation->is_told = true;
        advertise.advertise.ids.bytes = conversation->ids[0];
        advertise.advertise.ids.count = conversation->count;
    }
    bypeer_cloud_send(pnrp, local, from, &advertise);
    if (message->solicit.entry.id)
        bypeer_entry_offer(pnrp, &message->solicit.entry, &(struct bypeer_entry_origin){.sender = from});
}

/* The route of an offered ID, if it is wanted and still known. A REQUEST decides nothing else about what is sent. */
static const struct bypeer_route *conversation_wanted(const struct bypeer_pnrp *pnrp, const uint8_t *offered,
                                                      const struct bypeer_pnrp_ids *wanted)
{
    for (unsigned i = 0; i < wanted->count; i++)
        if (memcmp(wanted->bytes + 32ul * i, offered, 32) == 0)
            return bypeer_cache_find(pnrp->cache, offered);
    return NULL;
}

static size_t conversation_bytes(const struct bypeer_pnrp *pnrp, const struct bypeer_conversation *conversation,
                                 const struct bypeer_pnrp_ids *wanted)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < conversation->count; i++) {
        const struct bypeer_route *route = conversation_wanted(pnrp, conversation->ids[i], wanted);
        bytes += route ? CONVERSATION_FLOOD + 16ul * route->address_count : 0;
    }
    return bytes;
}

static void conversation_deliver(struct bypeer_pnrp *pnrp, unsigned local,
                                 const struct bypeer_conversation *conversation, const struct bypeer_pnrp_ids *wanted)
{
    static const uint8_t zero[32];
    uint8_t addresses[BYPEER_PNRP_ADDRESSES_MAX * 16], flooded[18];
    bypeer_pnrp_endpoint_put(flooded, &pnrp->endpoints[local]);
    for (unsigned i = 0; i < conversation->count; i++) {
        const struct bypeer_route *route = conversation_wanted(pnrp, conversation->ids[i], wanted);
        if (!route)
            continue;
        struct bypeer_pnrp_message flood = {.type = BYPEER_PNRP_FLOOD,
                                            .id = (uint32_t)bypeer_cloud_random(pnrp),
                                            .flood = {.no_ack = true, .validate = zero, .flooded = {flooded, 1}}};
        bypeer_route_entry(route, addresses, &flood.flood.entry);
        bypeer_cloud_send(pnrp, local, &conversation->peer, &flood);
    }
}

void bypeer_conversation_request(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *from,
                                 const struct bypeer_pnrp_message *message)
{
    uint8_t hash[20];
    conversation_hash(pnrp, message->request.nonce, hash);
    bypeer_conversation_expire(pnrp, false);
    for (struct bypeer_conversation **at = &pnrp->conversations; *at; at = &(*at)->next) {
        struct bypeer_conversation *conversation = *at;
        if (!conversation_is_with(conversation, from) || memcmp(conversation->hashed_nonce, hash, sizeof(hash)) != 0)
            continue;
        /* Whoever is there acknowledges the probe, and gets all of it when he sends the REQUEST again. */
        if (!conversation_affords(pnrp, from, conversation_bytes(pnrp, conversation, &message->request.ids))) {
            if (pnrp->meter)
                bypeer_inquire_probe(pnrp, local, from);
            return;
        }
        struct bypeer_pnrp_message ack = {
            .type = BYPEER_PNRP_ACK, .id = (uint32_t)bypeer_cloud_random(pnrp), .ack = {.acked = message->id}};
        bypeer_cloud_send(pnrp, local, from, &ack);
        conversation_deliver(pnrp, local, conversation, &message->request.ids);
        *at = conversation->next;
        pnrp->conversation_count--;
        free(conversation);
        return;
    }
}
