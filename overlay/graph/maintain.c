/* Connections: how many there are, to whom, and which are given up ([MS-PPGRH] 3.1.7.29, 3.1.7.30). */
#include "overlay/graph/state.h"

#define MAINTAIN_MS       (5 * GRAPH_MINUTE) /* with neighbors enough */
#define MAINTAIN_ALONE_MS (30 * GRAPH_SECOND)

static bool maintain_is_equal(const struct bypeer_graph_address *a, const struct bypeer_graph_address *b)
{
    return a->port == b->port && memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

bool graph_is_own_address(const struct bypeer_graph *graph, const struct bypeer_graph_address *address)
{
    for (unsigned at = 0; at < graph->listening_count; at++)
        if (maintain_is_equal(&graph->listening[at], address))
            return true;
    return false;
}

/* Whether a link leads there, or is about to. */
bool graph_has_address(const struct bypeer_graph *graph, const struct bypeer_graph_address *address)
{
    for (uint32_t at = 0; at < graph->link_room; at++) {
        const struct graph_link *link = graph->links[at];
        if (link == NULL || link->state == LINK_CLOSED || link->kind != BYPEER_GRAPH_NEIGHBOR)
            continue;
        if (link->is_initiator && maintain_is_equal(&link->remote, address))
            return true;
        for (unsigned which = 0; which < link->address_count; which++)
            if (maintain_is_equal(&link->addresses[which], address))
                return true;
    }
    return false;
}

void graph_add_referrals(struct bypeer_graph *graph, const struct bypeer_graph_addresses *addresses)
{
    for (unsigned at = 0; at < addresses->count; at++) {
        struct bypeer_graph_address address;
        bool is_known = false;
        bypeer_graph_address_at(addresses, at, &address);
        for (unsigned which = 0; which < graph->referral_count && !is_known; which++)
            is_known = maintain_is_equal(&graph->referrals[which].address, &address);
        if (is_known || address.port == 0)
            continue;
        graph->referrals[graph->referral_next] = (struct graph_referral){address, false};
        graph->referral_next = (graph->referral_next + 1) % GRAPH_REFERRALS; /* the oldest goes */
        if (graph->referral_count < GRAPH_REFERRALS)
            graph->referral_count++;
    }
}

static bool maintain_is_candidate(const struct bypeer_graph *graph, const struct bypeer_graph_address *address)
{
    return address->port != 0 && !graph_is_own_address(graph, address) && !graph_has_address(graph, address);
}

bool graph_try_referral(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    unsigned start = graph->referral_count > 0 ? (unsigned)(graph_random(graph) % graph->referral_count) : 0;
    for (unsigned step = 0; step < graph->referral_count; step++) {
        struct graph_referral *referral = &graph->referrals[(start + step) % graph->referral_count];
        struct graph_link *link;
        if (referral->is_tried || !maintain_is_candidate(graph, &referral->address))
            continue;
        referral->is_tried = true;
        if (graph_dial(graph, now, &referral->address, NULL, BYPEER_GRAPH_NEIGHBOR, &link) == 0)
            return true;
    }
    return false;
}

/* One of those seen so far is kept, each with the same chance. */
struct maintain_choice {
    struct bypeer_graph_address address;
    uint64_t seen;
    bool is_new_peer; /* only of identities that no neighbor has, nor this node */
};

static void maintain_offer(struct bypeer_graph *graph, struct maintain_choice *choice,
                           const struct bypeer_graph_address *address)
{
    if (maintain_is_candidate(graph, address) && graph_random(graph) % ++choice->seen == 0)
        choice->address = *address;
}

static void maintain_offer_record(struct bypeer_graph *graph, struct maintain_choice *choice,
                                  const struct bypeer_record *record)
{
    struct bypeer_graph_presence presence;
    struct bypeer_graph_contact contact;
    if (choice->is_new_peer &&
        (strcmp(record->creator, graph->peer_id) == 0 || graph_neighbors_of(graph, record->creator) > 0))
        return;
    if (bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_CONTACT)) {
        if (bypeer_graph_contact_read(&contact, record->payload, record->payload_bytes) == 0 &&
            contact.address_count > 0 && contact.node_id != graph->node_id)
            maintain_offer(graph, choice, &contact.addresses[0]);
        return;
    }
    if (bypeer_graph_presence_read(&presence, record->payload, record->payload_bytes) < 0)
        return;
    if (presence.address_count > 0 && presence.node_id != graph->node_id)
        maintain_offer(graph, choice, &presence.addresses[0]);
    bypeer_graph_presence_clear(&presence);
}

static bool maintain_connect(struct bypeer_graph *graph, struct bypeer_graph_time now, bool is_new_peer)
{
    const struct bypeer_guid types[] = {BYPEER_RECORD_PRESENCE, BYPEER_RECORD_CONTACT};
    struct maintain_choice choice = {.is_new_peer = is_new_peer};
    struct graph_link *link;
    for (unsigned at = 0; at < sizeof(types) / sizeof(types[0]); at++)
        for (const struct bypeer_record *record = bypeer_graph_next(graph, &types[at], NULL); record;
             record = bypeer_graph_next(graph, &types[at], record))
            if (!bypeer_record_is_deleted(record))
                maintain_offer_record(graph, &choice, record);
    for (unsigned at = 0; at < graph->referral_count && !is_new_peer; at++)
        maintain_offer(graph, &choice, &graph->referrals[at].address);
    return choice.seen > 0 && graph_dial(graph, now, &choice.address, NULL, BYPEER_GRAPH_NEIGHBOR, &link) == 0;
}

/* Links on their way to being neighbors, so that no more are begun than are wanted. */
static unsigned maintain_dialling(const struct bypeer_graph *graph)
{
    unsigned count = 0;
    for (uint32_t at = 0; at < graph->link_room; at++) {
        const struct graph_link *link = graph->links[at];
        count += link && link->is_initiator && link->kind == BYPEER_GRAPH_NEIGHBOR && link->state != LINK_CONNECTED &&
                 link->state != LINK_CLOSED;
    }
    return count;
}

static void maintain_prune(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    struct graph_link *crowding = graph_crowding(graph, NULL), *least = NULL;
    for (uint32_t at = 0; at < graph->link_room; at++) {
        struct graph_link *link = graph->links[at];
        if (graph_is_neighbor(link) && link->sync == SYNC_NONE && (least == NULL || link->utility < least->utility))
            least = link;
    }
    if (crowding)
        least = crowding->sync == SYNC_NONE ? crowding : NULL;
    if (least)
        graph_link_part(graph, now, least, BYPEER_DISCONNECT_LEAST_USEFUL, "there are more useful neighbors");
}

void graph_maintain(struct bypeer_graph *graph, struct bypeer_graph_time now, bool is_timer)
{
    if (graph->is_leaving)
        return;
    graph_weigh_info(graph, now);
    graph_weigh_presence(graph, now);
    graph_weigh_signature(graph, now);
    graph_weigh_contacts(graph, now);
    graph_weigh_partition(graph, now);
    unsigned neighbors = graph_neighbor_count(graph), coming = maintain_dialling(graph);
    unsigned wanted = is_timer ? GRAPH_NEIGHBORS : GRAPH_NEIGHBORS_MIN;
    bool is_connecting = coming > 0;
    if (is_timer && neighbors > GRAPH_NEIGHBORS)
        maintain_prune(graph, now);
    else if (neighbors + coming < wanted && (neighbors == 0 || graph->is_synchronised))
        is_connecting = maintain_connect(graph, now, false) || is_connecting;
    /* Whoever surrounds this node with nodes of his own does not keep it from the others. */
    if (neighbors + coming >= wanted && graph_neighbor_peers(graph) + coming < wanted && graph->is_synchronised)
        is_connecting = maintain_connect(graph, now, true) || is_connecting;
    if (((neighbors == 0 && !is_connecting) || (is_timer && graph_is_contact(graph))) &&
        graph->sink.connection_required)
        graph->sink.connection_required(graph->sink_context);
    graph->timers.maintenance = now.ms + (neighbors >= GRAPH_NEIGHBORS_MIN ? MAINTAIN_MS : (uint64_t)MAINTAIN_ALONE_MS);
}
