#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "overlay/graph/state.h"
#include "overlay/ip/wire.h"

#define HANDSHAKE_CONNECT_MS  60000
#define HANDSHAKE_TIME_LIMIT  (20 * 60 * BYPEER_PEER_TIME_SECOND) /* farther off, a peer's time is not believed */
#define HANDSHAKE_AUTH_LEAST  20.0                                /* seconds */
#define HANDSHAKE_AUTH_SPREAD 280.0

/* The fewer links, the more patience: 300 s down to 20 s. */
static uint64_t handshake_patience(const struct bypeer_graph *graph)
{
    unsigned links = 0;
    for (uint32_t at = 0; at < graph->link_room; at++)
        links += graph->links[at] != NULL;
    return (uint64_t)(1000 * (HANDSHAKE_AUTH_LEAST + HANDSHAKE_AUTH_SPREAD * exp(-(double)links / 10)));
}

static struct bypeer_graph_text handshake_text(const char *text)
{
    return (struct bypeer_graph_text){text, strlen(text)};
}

/* false: it is too long to be one. */
static bool handshake_keep_text(char ret_text[static BYPEER_GRAPH_TEXT_BYTES], const struct bypeer_graph_text *text)
{
    if (text->length >= BYPEER_GRAPH_TEXT_BYTES)
        return false;
    memcpy(ret_text, text->bytes, text->length);
    ret_text[text->length] = '\0';
    return true;
}

int graph_dial(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_graph_address *to,
               const char *peer_id, enum bypeer_graph_link_kind kind, struct graph_link **ret_link)
{
    if (graph_is_own_address(graph, to))
        return -EADDRINUSE;
    struct graph_link *link = graph_link_new(graph, true);
    if (link == NULL)
        return -ENOBUFS;
    link->state = LINK_DIALLING;
    link->kind = kind;
    link->remote = *to;
    link->due_ms = now.ms + handshake_patience(graph);
    if (peer_id)
        snprintf(link->peer_id, sizeof(link->peer_id), "%s", peer_id);
    if (graph->sink.connect)
        graph->sink.connect(graph->sink_context, link->number, to);
    *ret_link = link;
    return 0;
}

int bypeer_graph_accept(struct bypeer_graph *graph, struct bypeer_graph_time now,
                        const struct bypeer_graph_address *from, uint32_t *ret_link)
{
    if (graph->is_leaving || !graph_is_listening(graph))
        return -ECONNREFUSED;
    graph_make_room(graph, now, from);
    struct graph_link *link = graph_link_new(graph, false);
    if (link == NULL)
        return -ENOBUFS;
    link->state = LINK_AUTH_INFO;
    link->kind = BYPEER_GRAPH_NEIGHBOR;
    link->remote = *from;
    link->due_ms = now.ms + handshake_patience(graph);
    *ret_link = link->number;
    return 0;
}

static uint8_t handshake_own_addresses(const struct bypeer_graph *graph, uint8_t *ret_bytes)
{
    uint8_t count = graph_is_listening(graph) ? (uint8_t)graph->listening_count : 0;
    for (unsigned at = 0; at < count; at++)
        bypeer_graph_address_put(ret_bytes + (size_t)BYPEER_GRAPH_ADDRESS_BYTES * at, &graph->listening[at]);
    return count;
}

static void handshake_send_connect(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                                   uint8_t flags)
{
    uint8_t addresses[BYPEER_GRAPH_LISTENING_MAX * BYPEER_GRAPH_ADDRESS_BYTES];
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_CONNECT};
    message.connect.flags = flags;
    message.connect.addresses.bytes = addresses;
    message.connect.addresses.count = handshake_own_addresses(graph, addresses);
    message.connect.friendly_name = handshake_text(graph->friendly);
    message.connect.node_id = graph->node_id;
    graph_send(graph, now, link, &message);
}

/* Both ends know each other now, by name. */
static void handshake_authenticated(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    uint32_t record = graph->info.record_max ? graph->info.record_max : BYPEER_RECORD_BYTES_MAX;
    link->units.largest = record + GRAPH_UNIT_SLACK;
    link->is_sealed = link->security != NULL;
    link->due_ms = now.ms + HANDSHAKE_CONNECT_MS;
    link->state = link->is_initiator ? LINK_CONNECT_WAIT : LINK_AUTHENTICATED;
    if (link->is_initiator) {
        link->connect_time = bypeer_graph_peer_time(graph, now);
        handshake_send_connect(graph, now, link,
                               link->kind == BYPEER_GRAPH_DIRECT ? BYPEER_CONNECT_DIRECT : BYPEER_CONNECT_NEEDS);
    }
}

/* One turn of the security provider; token NULL: the initiator begins. */
static void handshake_token(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                            const uint8_t *token, size_t length)
{
    const struct bypeer_graph_security *security = &graph->security;
    const char *why = "it is not authenticated";
    graph->token.length = 0;
    int result = security->link_token(security->context, link->security, now, token, length, &graph->token, &why);
    if (graph->token.length > 0)
        graph_send_token(graph, now, link, graph->token.bytes, graph->token.length);
    if (link->state == LINK_CLOSED || result == 0)
        return;
    const char *peer = result > 0 ? security->link_peer(security->context, link->security) : NULL;
    if (result > 0 && (peer == NULL || (link->peer_id[0] && strcmp(link->peer_id, peer) != 0)))
        result = -EKEYREJECTED, why = "it is another peer than it says";
    if (result < 0) {
        graph_refuse(graph, NULL, link, why);
        graph_link_close(graph, now, link, why);
        return;
    }
    snprintf(link->peer_id, sizeof(link->peer_id), "%s", peer);
    handshake_authenticated(graph, now, link);
}

/* The provider's side of a link; false: it failed, and the link is closed. */
static bool handshake_open_security(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    const char *wanted = link->is_initiator && link->peer_id[0] ? link->peer_id : NULL;
    if (graph->security.link_open(graph->security.context, &link->security, link->is_initiator, wanted, link->kind,
                                  &link->remote) == 0) {
        link->state = LINK_TOKENS;
        link->units.largest = GRAPH_UNIT_TOKEN;
        return true;
    }
    graph_link_close(graph, now, link, "it cannot be secured");
    return false;
}

void bypeer_graph_connected(struct bypeer_graph *graph, struct bypeer_graph_time now, uint32_t number)
{
    struct graph_link *link = graph_link_at(graph, number);
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_AUTH_INFO};
    if (link == NULL || link->state != LINK_DIALLING)
        return;
    message.auth_info.kind = link->kind;
    message.auth_info.graph = handshake_text(graph->graph_id);
    message.auth_info.source = handshake_text(graph->peer_id);
    if (link->peer_id[0])
        message.auth_info.destination = handshake_text(link->peer_id);
    graph_send(graph, now, link, &message);
    if (link->state == LINK_CLOSED)
        return;
    if (graph->security.link_open == NULL)
        handshake_authenticated(graph, now, link);
    else if (handshake_open_security(graph, now, link))
        handshake_token(graph, now, link, NULL, 0);
}

static bool handshake_is(const struct bypeer_graph_text *text, const char *wanted)
{
    return text->length == strlen(wanted) && memcmp(text->bytes, wanted, text->length) == 0;
}

static void handshake_auth_info(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                                const struct bypeer_graph_auth_info *auth_info)
{
    const char *fault = NULL;
    if (!handshake_is(&auth_info->graph, graph->graph_id))
        fault = "it wants another graph";
    else if (auth_info->destination.bytes && !handshake_is(&auth_info->destination, graph->peer_id))
        fault = "it wants another peer";
    else if (!handshake_keep_text(link->peer_id, &auth_info->source))
        fault = "its peer ID is too long";
    if (fault) {
        graph_link_close(graph, now, link, fault);
        return;
    }
    link->kind = auth_info->kind;
    if (graph->security.link_open == NULL)
        handshake_authenticated(graph, now, link);
    else
        handshake_open_security(graph, now, link);
}

void graph_handshake(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                     const uint8_t *unit, size_t length)
{
    struct bypeer_graph_message message;
    if (link->state == LINK_TOKENS)
        handshake_token(graph, now, link, unit + BYPEER_UNIT_HEAD_BYTES, length - BYPEER_UNIT_HEAD_BYTES);
    else if (bypeer_graph_message_read(&message, graph->profile, unit, length) < 0)
        graph_link_close(graph, now, link, "it sent what is no message");
    else if (link->state == LINK_AUTH_INFO && message.type == BYPEER_GRAPH_AUTH_INFO)
        handshake_auth_info(graph, now, link, &message.auth_info);
    else if (link->state == LINK_AUTHENTICATED && message.type == BYPEER_GRAPH_CONNECT)
        graph_on_connect(graph, now, link, &message.connect);
    else if (link->state == LINK_CONNECT_WAIT && message.type == BYPEER_GRAPH_WELCOME)
        graph_on_welcome(graph, now, link, &message.welcome);
    else if ((link->state == LINK_CONNECT_WAIT && message.type == BYPEER_GRAPH_REFUSE) ||
             message.type == BYPEER_GRAPH_DISCONNECT)
        graph_on_end(graph, now, link, message.type, &message.end);
    else
        graph_link_close(graph, now, link, "it sent a message that is not expected");
}

static void handshake_keep_addresses(struct graph_link *link, const struct bypeer_graph_addresses *addresses)
{
    link->address_count = 0;
    for (unsigned at = 0; at < addresses->count && at < BYPEER_GRAPH_LISTENING_MAX; at++)
        bypeer_graph_address_at(addresses, at, &link->addresses[link->address_count++]);
}

static void handshake_refuse(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                             enum bypeer_graph_refusal code, const char *why)
{
    uint8_t addresses[BYPEER_GRAPH_REFERRALS_MAX * BYPEER_GRAPH_ADDRESS_BYTES];
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_REFUSE};
    message.end.code = (uint8_t)code;
    message.end.addresses.bytes = addresses;
    if (code == BYPEER_REFUSE_BUSY)
        message.end.addresses.count = graph_neighbor_addresses(graph, link, addresses, BYPEER_GRAPH_REFERRALS_MAX);
    graph_send(graph, now, link, &message);
    if (code != BYPEER_REFUSE_ALREADY_CONNECTED)
        graph_link_close(graph, now, link, why);
}

/* Another link to the same node. Its ID is only what it says, so it is believed of the same peer alone: nobody takes
 * the place of another's. */
static struct graph_link *handshake_find_node(const struct bypeer_graph *graph, const struct graph_link *link,
                                              uint64_t node_id)
{
    for (uint32_t at = 0; at < graph->link_room; at++)
        if (graph_is_neighbor(graph->links[at]) && graph->links[at]->node_id == node_id &&
            strcmp(graph->links[at]->peer_id, link->peer_id) == 0)
            return graph->links[at];
    return NULL;
}

static void handshake_welcome(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                              bool needs_addresses)
{
    uint8_t addresses[BYPEER_GRAPH_REFERRALS_MAX * BYPEER_GRAPH_ADDRESS_BYTES];
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_WELCOME};
    message.welcome.node_id = graph->node_id;
    message.welcome.peer_time = bypeer_graph_peer_time(graph, now);
    message.welcome.peer_id = handshake_text(graph->peer_id);
    message.welcome.friendly_name = handshake_text(graph->friendly);
    message.welcome.addresses.bytes = addresses;
    if (needs_addresses)
        message.welcome.addresses.count = graph_neighbor_addresses(graph, link, addresses, BYPEER_GRAPH_REFERRALS_MAX);
    graph_send(graph, now, link, &message);
}

static void handshake_connected(struct bypeer_graph *graph, struct graph_link *link)
{
    link->state = LINK_CONNECTED;
    link->due_ms = GRAPH_NEVER;
    link->added = ++graph->link_added;
    graph_link_tell(graph, link, BYPEER_GRAPH_LINK_CONNECTED, "");
    graph_tell_status(graph);
}

/* Who comes with another identity takes the place of one that has several. */
static bool handshake_make_way(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct graph_link *link)
{
    struct graph_link *crowding = graph_crowding(graph, link->peer_id);
    if (crowding)
        graph_link_part(graph, now, crowding, BYPEER_DISCONNECT_LEAST_USEFUL, "its identity has other nodes here");
    return crowding != NULL;
}

void graph_on_connect(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                      const struct bypeer_graph_connect *connect)
{
    if (link->state == LINK_CONNECTED) {
        if (connect->flags & BYPEER_CONNECT_UPDATE)
            handshake_keep_addresses(link, &connect->addresses);
        else
            handshake_refuse(graph, now, link, BYPEER_REFUSE_ALREADY_CONNECTED, "");
        return;
    }
    link->node_id = connect->node_id;
    if (((connect->flags & BYPEER_CONNECT_DIRECT) != 0) != (link->kind == BYPEER_GRAPH_DIRECT)) {
        graph_link_close(graph, now, link, "it wants another kind of link than it said");
    } else if (link->kind == BYPEER_GRAPH_DIRECT) {
        if (!graph->has_direct) {
            handshake_refuse(graph, now, link, BYPEER_REFUSE_NO_DIRECT, "direct links are not welcome");
            return;
        }
        handshake_welcome(graph, now, link, false);
        if (link->state != LINK_CLOSED)
            handshake_connected(graph, link);
    } else if (connect->node_id == graph->node_id || handshake_find_node(graph, link, connect->node_id)) {
        handshake_refuse(graph, now, link, BYPEER_REFUSE_DUPLICATE, "there is a link to it already");
    } else if (graph_neighbor_count(graph) >= GRAPH_NEIGHBORS_MAX && !handshake_make_way(graph, now, link)) {
        handshake_refuse(graph, now, link, BYPEER_REFUSE_BUSY, "there are enough neighbors");
    } else {
        handshake_keep_addresses(link, &connect->addresses);
        handshake_welcome(graph, now, link, connect->flags & BYPEER_CONNECT_NEEDS);
        if (link->state == LINK_CLOSED)
            return;
        handshake_connected(graph, link);
        if (graph->info.flags & BYPEER_GRAPH_INFO_DEFER)
            graph_hasten(&graph->timers.expiry, now.ms);
    }
}

/* The graph's time, as the responder tells it: half a round trip old. It stays near the node's own clock, whatever
 * peers say one after another, or they could have all records expire, revocations among them. */
static void handshake_take_time(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct graph_link *link,
                                uint64_t peer_time)
{
    uint64_t own = bypeer_graph_peer_time(graph, now);
    uint64_t told = peer_time + (own > link->connect_time ? (own - link->connect_time) / 2 : 0);
    uint64_t apart = told > own ? told - own : own - told;
    uint64_t ahead = told > now.utc ? told - now.utc : now.utc - told;
    if (apart > HANDSHAKE_TIME_LIMIT || ahead > HANDSHAKE_TIME_LIMIT)
        return;
    int64_t delta = (int64_t)(now.utc - told);
    graph->delta = graph_neighbor_count(graph) == 0 ? delta : graph->delta + (delta - graph->delta) / 5;
}

static void handshake_ping_all(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_PT2PT};
    message.pt2pt.type = BYPEER_GRAPH_PING;
    for (uint32_t at = 0; at < graph->link_room; at++)
        if (graph->links[at] && graph->links[at]->state == LINK_CONNECTED)
            graph_send(graph, now, graph->links[at], &message);
}

/* Both ends dialled each other at once: they keep the link of the one with the smaller ID. True: it is not this one. */
static bool handshake_loses(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct graph_link *link,
                            uint64_t node_id)
{
    struct graph_link *other = handshake_find_node(graph, link, node_id);
    if (other == NULL)
        return false;
    if (other->is_initiator || graph->node_id > node_id)
        return true;
    graph_link_close(graph, now, other, "both dialled: the other link is kept");
    return false;
}

void graph_on_welcome(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                      const struct bypeer_graph_welcome *welcome)
{
    char peer_id[BYPEER_GRAPH_TEXT_BYTES];
    if (!handshake_keep_text(peer_id, &welcome->peer_id) || (link->peer_id[0] && strcmp(link->peer_id, peer_id) != 0)) {
        graph_link_close(graph, now, link, "it is another peer than was wanted");
        return;
    }
    memcpy(link->peer_id, peer_id, sizeof(peer_id));
    link->node_id = welcome->node_id;
    if (link->kind == BYPEER_GRAPH_DIRECT) {
        handshake_connected(graph, link);
        return;
    }
    graph_add_referrals(graph, &welcome->addresses);
    if (welcome->node_id == graph->node_id || handshake_loses(graph, now, link, welcome->node_id)) {
        graph_link_close(graph, now, link, "there is a link to it already");
        return;
    }
    handshake_take_time(graph, now, link, welcome->peer_time);
    link->addresses[0] = link->remote;
    link->address_count = 1;
    bool is_only = graph_neighbor_count(graph) == 0;
    handshake_connected(graph, link);
    handshake_ping_all(graph, now);
    if (link->state == LINK_CONNECTED)
        graph_synchronise(graph, now, link);
    if (is_only) {
        graph_hasten(&graph->timers.maintenance, now.ms);
        if (graph->info.flags & BYPEER_GRAPH_INFO_DEFER)
            graph_hasten(&graph->timers.expiry, now.ms);
    }
}

void graph_on_end(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                  enum bypeer_graph_type type, const struct bypeer_graph_end *end)
{
    static const char *const refusals[] = {
        [BYPEER_REFUSE_BUSY] = "it has enough neighbors",
        [BYPEER_REFUSE_ALREADY_CONNECTED] = "it is connected already",
        [BYPEER_REFUSE_DUPLICATE] = "it has a link to here already",
        [BYPEER_REFUSE_NO_DIRECT] = "it wants no direct links",
    };
    static const char *const partings[] = {
        [BYPEER_DISCONNECT_LEAVING] = "it leaves",
        [BYPEER_DISCONNECT_LEAST_USEFUL] = "it has more useful neighbors",
        [BYPEER_DISCONNECT_APPLICATION] = "it parted",
    };
    bool is_refusal = type == BYPEER_GRAPH_REFUSE;
    graph_add_referrals(graph, &end->addresses);
    if (is_refusal && end->code == BYPEER_REFUSE_ALREADY_CONNECTED)
        return;
    graph_link_close(graph, now, link, is_refusal ? refusals[end->code] : partings[end->code]);
    if (is_refusal && end->code == BYPEER_REFUSE_BUSY)
        graph_try_referral(graph, now);
}

void graph_announce_addresses(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    for (uint32_t at = 0; at < graph->link_room && graph->listening_count > 0; at++)
        if (graph_is_neighbor(graph->links[at]))
            handshake_send_connect(graph, now, graph->links[at], BYPEER_CONNECT_UPDATE);
}
