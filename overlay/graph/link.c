#include <errno.h>
#include <stdlib.h>

#include "overlay/graph/source.h"
#include "overlay/graph/state.h"
#include "overlay/ip/wire.h"

#define LINK_AUTHORITY 40 /* digits of a peer name's */

struct graph_link *graph_link_at(const struct bypeer_graph *graph, uint32_t number)
{
    struct graph_link *link = number > 0 && number <= graph->link_room ? graph->links[number - 1] : NULL;
    return link && link->state != LINK_CLOSED ? link : NULL;
}

bool graph_is_neighbor(const struct graph_link *link)
{
    return link && link->state == LINK_CONNECTED && link->kind == BYPEER_GRAPH_NEIGHBOR;
}

unsigned graph_neighbor_count(const struct bypeer_graph *graph)
{
    unsigned count = 0;
    for (uint32_t at = 0; at < graph->link_room; at++)
        count += graph_is_neighbor(graph->links[at]);
    return count;
}

/* IDs that are peer names are of one identity if they have one authority, whatever stands behind it. */
static bool link_is_same_peer(const char *peer_id, const char *other)
{
    size_t authority = strcspn(peer_id, ".");
    return authority == LINK_AUTHORITY ? strncmp(peer_id, other, authority + 1) == 0 : strcmp(peer_id, other) == 0;
}

unsigned graph_neighbors_of(const struct bypeer_graph *graph, const char *peer_id)
{
    unsigned count = 0;
    for (uint32_t at = 0; at < graph->link_room; at++)
        count += graph_is_neighbor(graph->links[at]) && link_is_same_peer(graph->links[at]->peer_id, peer_id);
    return count;
}

unsigned graph_neighbor_peers(const struct bypeer_graph *graph)
{
    unsigned count = 0;
    for (uint32_t at = 0; at < graph->link_room; at++) {
        bool is_first = graph_is_neighbor(graph->links[at]);
        for (uint32_t before = 0; before < at && is_first; before++)
            is_first = !graph_is_neighbor(graph->links[before]) ||
                       !link_is_same_peer(graph->links[before]->peer_id, graph->links[at]->peer_id);
        count += is_first;
    }
    return count;
}

struct graph_link *graph_crowding(const struct bypeer_graph *graph, const char *peer_id)
{
    struct graph_link *chosen = NULL;
    unsigned most = 1 + (peer_id ? graph_neighbors_of(graph, peer_id) : 0);
    for (uint32_t at = 0; at < graph->link_room; at++) {
        struct graph_link *link = graph->links[at];
        unsigned count = graph_is_neighbor(link) ? graph_neighbors_of(graph, link->peer_id) : 0;
        if (count < most || count < 2 || (!chosen && count == most) ||
            (chosen && count == most && link->utility >= chosen->utility))
            continue;
        most = count;
        chosen = link;
    }
    return chosen;
}

/* The frame's payload grows when it is sealed: the limit of what is taken has room for that. */
#define LINK_SEAL_ROOM 256

/* A closed link keeps its number until the host says so, but its place is free. */
static uint32_t link_count(const struct bypeer_graph *graph)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < graph->link_room; at++)
        count += graph->links[at] && graph->links[at]->state != LINK_CLOSED;
    return count;
}

struct graph_link *graph_link_new(struct bypeer_graph *graph, bool is_initiator)
{
    uint32_t at = 0;
    while (at < graph->link_room && graph->links[at])
        at++;
    if (link_count(graph) == graph->limits.links || at == 2 * graph->limits.links)
        return NULL;
    if (at == graph->link_room) {
        uint32_t room = graph->link_room ? 2 * graph->link_room : 8;
        struct graph_link **grown = realloc(graph->links, room * sizeof(struct graph_link *));
        if (grown == NULL)
            return NULL;
        memset(grown + graph->link_room, 0, (room - graph->link_room) * sizeof(struct graph_link *));
        graph->links = grown;
        graph->link_room = room;
    }
    struct graph_link *link = calloc(1, sizeof(*link));
    if (link == NULL)
        return NULL;
    link->number = at + 1;
    link->is_initiator = is_initiator;
    link->frames.largest = (uint16_t)(graph->limits.frame + LINK_SEAL_ROOM);
    link->units.largest = GRAPH_UNIT_AUTH_INFO;
    link->added = ++graph->link_added;
    graph->links[at] = link;
    return link;
}

static bool link_is_stranger(const struct graph_link *link)
{
    return link && !link->is_initiator && (link->state == LINK_AUTH_INFO || link->state == LINK_TOKENS);
}

static uint32_t link_strangers_from(const struct bypeer_graph *graph, const struct bypeer_graph_address *from)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < graph->link_room; at++)
        count += link_is_stranger(graph->links[at]) &&
                 bypeer_graph_is_same_source(graph->links[at]->remote.address, from->address);
    return count;
}

void graph_make_room(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_graph_address *from)
{
    struct graph_link *chosen = NULL;
    uint32_t strangers = 0, most = 0;
    for (uint32_t at = 0; at < graph->link_room; at++) {
        struct graph_link *link = graph->links[at];
        if (!link_is_stranger(link))
            continue;
        strangers++;
        uint32_t count = link_strangers_from(graph, &link->remote) +
                         bypeer_graph_is_same_source(link->remote.address, from->address);
        if (chosen && (count < most || (count == most && link->added > chosen->added)))
            continue;
        most = count;
        chosen = link;
    }
    if (chosen && (strangers >= (graph->limits.links + 1) / 2 || link_count(graph) == graph->limits.links))
        graph_link_close(graph, now, chosen, "others came, and it did not say who it is");
}

static void link_close_security(struct bypeer_graph *graph, struct graph_link *link)
{
    if (link->security && graph->security.link_close)
        graph->security.link_close(graph->security.context, link->security);
    link->security = NULL;
}

void graph_link_free(struct bypeer_graph *graph, struct graph_link *link)
{
    link_close_security(graph, link);
    bypeer_frame_reader_clear(&link->frames);
    bypeer_unit_reader_clear(&link->units);
    bypeer_buffer_clear(&link->to_send);
    bypeer_buffer_clear(&link->queue);
    graph->links[link->number - 1] = NULL;
    free(link);
}

/* Sends what .frames has gathered. */
static void link_send_frames(struct bypeer_graph *graph, struct graph_link *link)
{
    const struct bypeer_buffer *frames = &graph->frames;
    graph->counters.sent_bytes += frames->length;
    if (frames->length > 0 && graph->sink.send)
        link->is_full = !graph->sink.send(graph->sink_context, link->number, frames->bytes, frames->length);
}

int graph_make_unit(struct bypeer_graph *graph, const struct bypeer_graph_message *message)
{
    size_t length = bypeer_graph_message_bytes(message);
    graph->unit.length = 0;
    uint8_t *place = bypeer_buffer_reserve(&graph->unit, length);
    if (place == NULL)
        return -ENOMEM;
    graph->unit.length = bypeer_graph_message_write(message, graph->profile, place, length);
    return 0;
}

static int link_seal(struct bypeer_graph *graph, struct graph_link *link)
{
    const struct bypeer_buffer *unit = &graph->unit;
    for (size_t at = 0; at < unit->length; at += graph->limits.frame) {
        size_t piece = unit->length - at < graph->limits.frame ? unit->length - at : graph->limits.frame;
        graph->token.length = 0;
        int result =
            graph->security.link_seal(graph->security.context, link->security, unit->bytes + at, piece, &graph->token);
        if (result == 0)
            result = bypeer_frame_append(&graph->frames, graph->token.bytes, graph->token.length);
        if (result < 0)
            return result;
    }
    return 0;
}

void graph_send_unit(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    graph->frames.length = 0;
    int result = link->is_sealed
                     ? link_seal(graph, link)
                     : bypeer_unit_append(&graph->frames, graph->limits.frame, graph->unit.bytes, graph->unit.length);
    if (result < 0) {
        graph_link_close(graph, now, link, "a message cannot be sealed");
        return;
    }
    graph->counters.sent_messages++;
    link_send_frames(graph, link);
}

void graph_send(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                const struct bypeer_graph_message *message)
{
    if (graph_make_unit(graph, message) < 0)
        graph_link_close(graph, now, link, "no memory");
    else
        graph_send_unit(graph, now, link);
}

void graph_send_token(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                      const uint8_t *token, size_t length)
{
    graph->frames.length = 0;
    if (bypeer_token_append(&graph->frames, graph->limits.frame, token, length) < 0)
        graph_link_close(graph, now, link, "no memory");
    else
        link_send_frames(graph, link);
}

void graph_link_tell(struct bypeer_graph *graph, const struct graph_link *link, enum bypeer_graph_link_change change,
                     const char *why)
{
    const struct bypeer_graph_link_event event = {
        .change = change,
        .link = link->number,
        .kind = link->kind,
        .is_initiator = link->is_initiator,
        .peer_id = link->peer_id,
        .node_id = link->node_id,
        .why = why,
    };
    if (graph->sink.link)
        graph->sink.link(graph->sink_context, &event);
}

void graph_tell_status(struct bypeer_graph *graph)
{
    uint32_t status = (graph_is_listening(graph) ? BYPEER_GRAPH_LISTENING : 0) |
                      (graph_neighbor_count(graph) > 0 ? BYPEER_GRAPH_HAS_CONNECTIONS : 0) |
                      (graph->is_synchronised ? BYPEER_GRAPH_SYNCHRONIZED : 0);
    if (status == graph->status)
        return;
    graph->status = status;
    if (graph->sink.status)
        graph->sink.status(graph->sink_context, status);
}

void graph_link_close(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                      const char *why)
{
    if (link->state == LINK_CLOSED)
        return;
    bool was_connected = link->state == LINK_CONNECTED, was_neighbor = graph_is_neighbor(link);
    link->state = LINK_CLOSED;
    graph_link_tell(graph, link, was_connected ? BYPEER_GRAPH_LINK_DISCONNECTED : BYPEER_GRAPH_LINK_FAILED, why);
    link_close_security(graph, link);
    if (graph->sink.close && !link->is_gone)
        graph->sink.close(graph->sink_context, link->number);
    graph_tell_status(graph);
    if (was_neighbor || link->is_initiator)
        graph_hasten(&graph->timers.maintenance,
                     now.ms + (was_neighbor ? 0 : graph_random_between(graph, GRAPH_SECOND, 5 * GRAPH_SECOND)));
}

uint8_t graph_neighbor_addresses(const struct bypeer_graph *graph, const struct graph_link *but, uint8_t *ret_bytes,
                                 unsigned most)
{
    uint8_t count = 0;
    uint64_t after = 0;
    for (;;) {
        const struct graph_link *oldest = NULL;
        for (uint32_t at = 0; at < graph->link_room; at++) {
            const struct graph_link *link = graph->links[at];
            if (graph_is_neighbor(link) && link != but && link->address_count > 0 && link->added > after &&
                (oldest == NULL || link->added < oldest->added))
                oldest = link;
        }
        if (oldest == NULL || count == most)
            return count;
        bypeer_graph_address_put(ret_bytes + (size_t)BYPEER_GRAPH_ADDRESS_BYTES * count++, &oldest->addresses[0]);
        after = oldest->added;
    }
}

void graph_link_part(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                     enum bypeer_graph_parting reason, const char *why)
{
    uint8_t addresses[BYPEER_GRAPH_REFERRALS_MAX * BYPEER_GRAPH_ADDRESS_BYTES];
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_DISCONNECT};
    message.end.code = (uint8_t)reason;
    message.end.addresses.bytes = addresses;
    message.end.addresses.count = graph_neighbor_addresses(graph, link, addresses, BYPEER_GRAPH_REFERRALS_MAX);
    if (link->state == LINK_CONNECTED) {
        graph_flush_acks(graph, now, link);
        graph_send(graph, now, link, &message);
    }
    graph_link_close(graph, now, link, why);
}
