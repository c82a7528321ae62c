#include "overlay/graph/graph.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "overlay/graph/state.h"
#include "overlay/graph/text.h"
#include "overlay/ip/wire.h"

#define REVALIDATE_AT_ONCE  128
#define GRAPH_RECORDS       65536
#define GRAPH_BYTES         (256u * 1024 * 1024)
#define GRAPH_LINKS         64
#define GRAPH_WAITING       1024
#define GRAPH_WAITING_BYTES (16u * 1024 * 1024)

/* false: it is empty where it may not be, too long, or no UTF-8. */
static bool graph_keep_text(char ret_text[static BYPEER_GRAPH_TEXT_BYTES], const char *text, size_t least)
{
    size_t units = bypeer_text_units(text);
    if (units < least + 1 || units > BYPEER_RECORD_ID_UNITS)
        return false;
    snprintf(ret_text, BYPEER_GRAPH_TEXT_BYTES, "%s", text);
    return true;
}

static void graph_set_limits(struct bypeer_graph_limits *limits, const struct bypeer_graph_limits *wanted)
{
    *limits = *wanted;
    limits->records = wanted->records ? wanted->records : GRAPH_RECORDS;
    limits->bytes = wanted->bytes ? wanted->bytes : GRAPH_BYTES;
    limits->links = wanted->links ? wanted->links : GRAPH_LINKS;
    limits->waiting = wanted->waiting ? wanted->waiting : GRAPH_WAITING;
    limits->waiting_bytes = wanted->waiting_bytes ? wanted->waiting_bytes : GRAPH_WAITING_BYTES;
    limits->frame = wanted->frame ? wanted->frame : BYPEER_FRAME_GROUP;
}

/* Graph info and presence come first, then what the host wants early. */
static void graph_set_precedence(struct bypeer_graph *graph, const struct bypeer_graph_settings *settings)
{
    graph->precedence[0] = BYPEER_RECORD_GRAPH_INFO;
    graph->precedence[1] = BYPEER_RECORD_PRESENCE;
    graph->precedence_count = 2;
    for (unsigned at = 0; at < settings->precedence_count && at < BYPEER_GRAPH_PRECEDENCE_MAX; at++)
        graph->precedence[graph->precedence_count++] = settings->precedence[at];
}

static void graph_set_info(struct bypeer_graph *graph, const struct bypeer_graph_settings *settings)
{
    graph->info.presence_max = UINT32_MAX;
    if (settings->is_creator)
        graph->info = settings->info;
    memcpy(graph->info.graph, graph->graph_id, sizeof(graph->info.graph));
    memcpy(graph->info.creator, graph->peer_id, sizeof(graph->info.creator));
    graph->info.scope = settings->scope ? settings->scope : BYPEER_GRAPH_GLOBAL;
}

int bypeer_graph_open(struct bypeer_graph **ret_graph, const struct bypeer_graph_settings *settings,
                      struct bypeer_graph_time now)
{
    struct bypeer_graph *graph = calloc(1, sizeof(*graph));
    if (graph == NULL)
        return -ENOMEM;
    const char *friendly = settings->friendly_name ? settings->friendly_name : "";
    if (!graph_keep_text(graph->graph_id, settings->graph_id, 1) ||
        !graph_keep_text(graph->peer_id, settings->peer_id, 1) || !graph_keep_text(graph->friendly, friendly, 0)) {
        free(graph);
        return -EINVAL;
    }
    graph->profile = settings->profile;
    graph->sink = settings->sink;
    graph->sink_context = settings->sink_context;
    if (settings->security)
        graph->security = *settings->security;
    graph->random[0] = bypeer_load64(settings->seed);
    graph->random[1] = bypeer_load64(settings->seed + 8);
    graph->database.shares.seed = graph->random[0] ^ graph->random[1];
    do
        graph->node_id = graph_random(graph);
    while (graph->node_id == 0 || graph->node_id == UINT64_MAX);
    graph->is_creator = settings->is_creator;
    graph->has_direct = settings->has_direct;
    graph->has_presence = settings->has_presence;
    graph->is_synchronised = settings->is_creator;
    graph->was_synchronised = settings->was_synchronised || settings->is_creator;
    graph->delta = settings->peer_time_delta;
    graph_set_limits(&graph->limits, &settings->limits);
    graph_set_precedence(graph, settings);
    graph_set_info(graph, settings);
    graph->ticked = now;
    graph->timers = (struct graph_timers){
        .maintenance = now.ms,
        .signature = GRAPH_NEVER,
        .contact = GRAPH_NEVER,
        .partition = GRAPH_NEVER,
        .presence = GRAPH_NEVER,
        .expiry = GRAPH_NEVER,
        .weigh = GRAPH_NEVER,
        .refresh = now.ms + GRAPH_REFRESH_LEAST_MS,
    };
    *ret_graph = graph;
    return 0;
}

void bypeer_graph_free(struct bypeer_graph *graph)
{
    if (graph == NULL)
        return;
    for (uint32_t at = 0; at < graph->link_room; at++)
        if (graph->links[at])
            graph_link_free(graph, graph->links[at]);
    graph_clear_waiting(graph);
    graph_database_clear(&graph->database);
    bypeer_buffer_clear(&graph->unit);
    bypeer_buffer_clear(&graph->frames);
    bypeer_buffer_clear(&graph->plain);
    bypeer_buffer_clear(&graph->token);
    free(graph->links);
    free(graph->attributes);
    free(graph);
}

int bypeer_graph_restore(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_record *record)
{
    const struct bypeer_guid passed_over[] = {BYPEER_RECORD_SIGNATURE, BYPEER_RECORD_CONTACT, BYPEER_RECORD_PRESENCE};
    for (unsigned at = 0; at < sizeof(passed_over) / sizeof(passed_over[0]); at++)
        if (bypeer_guid_is_equal(&record->type, &passed_over[at]))
            return 0;
    struct bypeer_record *copy = bypeer_record_copy(record);
    if (copy == NULL)
        return -ENOMEM;
    copy->flags &= ~BYPEER_RECORD_AUTOREFRESH;
    const struct graph_origin store = {.is_restored = true};
    int result = graph_take_record(graph, now, copy, &store);
    struct graph_entry *entry = result > 0 ? graph_database_find(&graph->database, &record->id) : NULL;
    if (entry)
        entry->record->flags |= record->flags & BYPEER_RECORD_AUTOREFRESH;
    return result < 0 ? result : 0;
}

bool graph_is_listening(const struct bypeer_graph *graph)
{
    return graph->listening_count > 0 && graph->was_synchronised && !graph->is_leaving;
}

void graph_begin_listening(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    if (graph_is_listening(graph)) {
        graph_weigh_info(graph, now);
        graph_announce_addresses(graph, now);
        graph_renew_contact(graph, now);
        graph_renew_presence(graph, now);
        graph_hasten(&graph->timers.maintenance, now.ms);
    }
    graph_weigh_presence(graph, now);
    graph_weigh_signature(graph, now);
    graph_tell_status(graph);
}

int bypeer_graph_listen(struct bypeer_graph *graph, struct bypeer_graph_time now,
                        const struct bypeer_graph_address addresses[], unsigned count)
{
    if (count > BYPEER_GRAPH_LISTENING_MAX)
        return -EINVAL;
    if (count > 0)
        memcpy(graph->listening, addresses, count * sizeof(addresses[0]));
    graph->listening_count = count;
    graph_begin_listening(graph, now);
    return 0;
}

int bypeer_graph_connect(struct bypeer_graph *graph, struct bypeer_graph_time now,
                         const struct bypeer_graph_address *to, const char *peer_id, enum bypeer_graph_link_kind kind,
                         uint32_t *ret_link)
{
    struct graph_link *link;
    if (graph->is_leaving)
        return -ESHUTDOWN;
    if (kind == BYPEER_GRAPH_NEIGHBOR && graph_has_address(graph, to))
        return -EISCONN;
    int result = graph_dial(graph, now, to, peer_id, kind, &link);
    if (result == 0)
        *ret_link = link->number;
    return result;
}

void bypeer_graph_closed(struct bypeer_graph *graph, struct bypeer_graph_time now, uint32_t number, int error)
{
    struct graph_link *link = number > 0 && number <= graph->link_room ? graph->links[number - 1] : NULL;
    if (link == NULL)
        return;
    link->is_gone = true;
    if (link->state != LINK_CLOSED)
        graph_link_close(graph, now, link, error ? strerror(error) : "it closed the connection");
    graph_link_free(graph, link);
}

static void graph_on_pt2pt(struct bypeer_graph *graph, const struct graph_link *link,
                           const struct bypeer_graph_pt2pt *pt2pt)
{
    const struct bypeer_guid ping = BYPEER_GRAPH_PING;
    if (!bypeer_guid_is_equal(&pt2pt->type, &ping) && graph->sink.data)
        graph->sink.data(graph->sink_context, link->number, &pt2pt->type, pt2pt->data, pt2pt->data_bytes);
}

/* What only neighbors say to each other. */
static void graph_on_neighbor_message(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                                      const struct bypeer_graph_message *message)
{
    switch (message->type) {
    case BYPEER_GRAPH_SOLICIT_NEW:
    case BYPEER_GRAPH_SOLICIT_TIME:
    case BYPEER_GRAPH_SOLICIT_HASH:
        graph_on_solicit(graph, now, link, message->type, &message->solicit);
        break;
    case BYPEER_GRAPH_ADVERTISE:
        graph_on_advertise(graph, now, link, &message->advertise);
        break;
    case BYPEER_GRAPH_REQUEST:
        graph_on_request(graph, now, link, &message->request);
        break;
    case BYPEER_GRAPH_FLOOD:
        graph_on_flood(graph, now, link, &message->flood);
        break;
    case BYPEER_GRAPH_SYNC_END:
        graph_on_sync_end(graph, now, link, message->is_final);
        break;
    case BYPEER_GRAPH_ACK:
        graph_on_ack(graph, now, link, &message->ack);
        break;
    default:
        graph_link_close(graph, now, link, "it sent a message that is not expected");
        break;
    }
}

static void graph_on_message(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                             const uint8_t *unit, size_t length)
{
    struct bypeer_graph_message message;
    if (bypeer_graph_message_read(&message, graph->profile, unit, length) < 0)
        graph_link_close(graph, now, link, "it sent what is no message");
    else if (message.type == BYPEER_GRAPH_PT2PT)
        graph_on_pt2pt(graph, link, &message.pt2pt);
    else if (message.type == BYPEER_GRAPH_DISCONNECT || message.type == BYPEER_GRAPH_REFUSE)
        graph_on_end(graph, now, link, message.type, &message.end);
    else if (message.type == BYPEER_GRAPH_CONNECT)
        graph_on_connect(graph, now, link, &message.connect);
    else if (link->kind == BYPEER_GRAPH_NEIGHBOR)
        graph_on_neighbor_message(graph, now, link, &message);
    else
        graph_link_close(graph, now, link, "it sent a neighbor's message on a direct link");
}

/* A frame's payload, in the clear. */
static void graph_on_payload(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                             const uint8_t *payload, size_t length)
{
    const uint8_t *unit;
    size_t unit_bytes;
    int taken = bypeer_unit_take(&link->units, payload, length, &unit, &unit_bytes);
    if (taken < 0) {
        graph_link_close(graph, now, link, "it sent what is no message");
        return;
    }
    if (taken == 0)
        return;
    graph->counters.received_messages++;
    if (link->state == LINK_CONNECTED)
        graph_on_message(graph, now, link, unit, unit_bytes);
    else
        graph_handshake(graph, now, link, unit, unit_bytes);
}

static void graph_unseal(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                         const uint8_t *payload, size_t length)
{
    graph->plain.length = 0;
    if (graph->security.link_unseal(graph->security.context, link->security, payload, length, &graph->plain) < 0)
        graph_link_close(graph, now, link, "it sent what cannot be opened");
    else if (graph->plain.length > 0)
        graph_on_payload(graph, now, link, graph->plain.bytes, graph->plain.length);
}

void bypeer_graph_receive(struct bypeer_graph *graph, struct bypeer_graph_time now, uint32_t number,
                          const uint8_t *bytes, size_t length)
{
    struct graph_link *link = graph_link_at(graph, number);
    const uint8_t *payload;
    size_t payload_bytes;
    int next = 0;
    if (link == NULL || link->state == LINK_DIALLING)
        return;
    graph->counters.received_bytes += length;
    while (link->state != LINK_CLOSED &&
           (next = bypeer_frame_next(&link->frames, &bytes, &length, &payload, &payload_bytes)) > 0) {
        if (link->is_sealed)
            graph_unseal(graph, now, link, payload, payload_bytes);
        else
            graph_on_payload(graph, now, link, payload, payload_bytes);
    }
    if (next < 0)
        graph_link_close(graph, now, link, "it sent what is no frame");
    graph_flush_acks(graph, now, link);
}

void bypeer_graph_disconnect(struct bypeer_graph *graph, struct bypeer_graph_time now, uint32_t number)
{
    struct graph_link *link = graph_link_at(graph, number);
    if (link)
        graph_link_part(graph, now, link, BYPEER_DISCONNECT_APPLICATION, "it was parted from");
}

void bypeer_graph_leave(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    if (graph->is_leaving)
        return;
    bool is_signature = graph_signature(graph) == graph->node_id;
    graph->is_leaving = true;
    if (graph->has_contact)
        bypeer_graph_delete(graph, now, &graph->contact_id, false);
    if (graph->has_presence_record)
        bypeer_graph_delete(graph, now, &graph->presence_id, false);
    if (is_signature)
        bypeer_graph_delete(graph, now, &BYPEER_RECORD_SIGNATURE_ID, false);
    for (uint32_t at = 0; at < graph->link_room; at++)
        if (graph->links[at])
            graph_link_part(graph, now, graph->links[at], BYPEER_DISCONNECT_LEAVING, "this node leaves");
    graph_tell_status(graph);
}

void bypeer_graph_cut(struct bypeer_graph *graph, struct bypeer_graph_time now, const char *peer_id)
{
    for (uint32_t at = 0; at < graph->link_room; at++)
        if (graph->links[at] && strcmp(graph->links[at]->peer_id, peer_id) == 0)
            graph_link_close(graph, now, graph->links[at], "it was cut off");
}

const struct bypeer_record *bypeer_graph_find(const struct bypeer_graph *graph, const struct bypeer_guid *id)
{
    const struct graph_entry *entry = graph_database_find(&graph->database, id);
    return entry ? entry->record : NULL;
}

const struct bypeer_record *bypeer_graph_next(const struct bypeer_graph *graph, const struct bypeer_guid *type,
                                              const struct bypeer_record *after)
{
    const struct graph_index *index = &graph->database.by_type;
    const struct bypeer_record first = {.type = type ? *type : (struct bypeer_guid){{0}}};
    size_t place = graph_index_lower(index, graph_order_type, after ? after : &first);
    if (after && place < index->count && graph_order_type(index->at[place]->record, after) == 0)
        place++;
    if (place == index->count || (type && !bypeer_guid_is_equal(&index->at[place]->record->type, type)))
        return NULL;
    return index->at[place]->record;
}

bool bypeer_graph_revalidate(struct bypeer_graph *graph, struct bypeer_graph_time now, bool is_anew)
{
    const struct graph_index *index = &graph->database.by_id;
    const struct bypeer_record last = {.id = graph->revalidated};
    if (is_anew)
        bypeer_graph_retry(graph, now);
    size_t at = is_anew ? index->count : graph_index_lower(index, graph_order_id, &last);
    for (unsigned count = 0; graph->security.validate && at > 0; count++) {
        const char *why = "it is not valid any more";
        if (count == REVALIDATE_AT_ONCE)
            return false;
        if (--at >= index->count) /* a removal had others follow */
            continue;
        const struct bypeer_record *record = index->at[at]->record;
        graph->revalidated = record->id;
        if (graph->security.validate(graph->security.context, now, record, &why) != BYPEER_GRAPH_INVALID)
            continue;
        struct bypeer_guid id = record->id;
        graph_refuse(graph, record, NULL, why);
        graph_remove(graph, now, &id, BYPEER_RECORD_REMOVED);
    }
    return true;
}

int bypeer_graph_send(struct bypeer_graph *graph, struct bypeer_graph_time now, uint32_t number,
                      const struct bypeer_guid *type, const uint8_t *bytes, size_t length)
{
    struct graph_link *link = graph_link_at(graph, number);
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_PT2PT, .pt2pt = {*type, bytes, length}};
    if (link == NULL || link->state != LINK_CONNECTED)
        return -ENOTCONN;
    if (length > BYPEER_RECORD_BYTES_MAX)
        return -EMSGSIZE;
    if (link->is_full)
        return -EAGAIN;
    graph_send(graph, now, link, &message);
    return link->state == LINK_CONNECTED ? 0 : -ENOMEM;
}

uint32_t bypeer_graph_status(const struct bypeer_graph *graph)
{
    return graph->status;
}

uint64_t bypeer_graph_node_id(const struct bypeer_graph *graph)
{
    return graph->node_id;
}

bool bypeer_graph_next_link(const struct bypeer_graph *graph, uint32_t after, struct bypeer_graph_link_event *ret_link)
{
    for (uint32_t at = after; at < graph->link_room; at++) {
        const struct graph_link *link = graph->links[at];
        if (link == NULL || link->state != LINK_CONNECTED)
            continue;
        *ret_link = (struct bypeer_graph_link_event){
            .change = BYPEER_GRAPH_LINK_CONNECTED,
            .link = link->number,
            .kind = link->kind,
            .is_initiator = link->is_initiator,
            .peer_id = link->peer_id,
            .node_id = link->node_id,
            .why = "",
        };
        return true;
    }
    return false;
}

uint64_t bypeer_graph_peer_time(const struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    return now.utc - (uint64_t)graph->delta;
}

int64_t bypeer_graph_time_delta(const struct bypeer_graph *graph)
{
    return graph->delta;
}

void bypeer_graph_counters(const struct bypeer_graph *graph, struct bypeer_graph_counters *ret_counters)
{
    *ret_counters = graph->counters;
    ret_counters->records = graph->database.by_id.count;
    ret_counters->record_bytes = graph->database.bytes;
    ret_counters->waiting = graph->waiting_count;
    ret_counters->neighbors = graph_neighbor_count(graph);
    ret_counters->direct = 0;
    for (uint32_t at = 0; at < graph->link_room; at++) {
        const struct graph_link *link = graph->links[at];
        ret_counters->direct += link && link->state == LINK_CONNECTED && link->kind == BYPEER_GRAPH_DIRECT;
    }
}

size_t bypeer_graph_memory(const struct bypeer_graph *graph)
{
    const struct graph_database *database = &graph->database;
    size_t bytes = sizeof(*graph) + database->bytes + database->shares.room * sizeof(struct graph_share) +
                   database->by_id.count * sizeof(struct graph_entry) +
                   (database->by_id.room + database->by_type.room + database->by_key.room) * sizeof(void *) +
                   graph->unit.room + graph->frames.room + graph->plain.room + graph->token.room +
                   graph->waiting_room * sizeof(graph->waiting[0]) + graph->link_room * sizeof(graph->links[0]);
    for (size_t at = 0; at < graph->waiting_count; at++)
        bytes += bypeer_record_memory(graph->waiting[at].record);
    for (uint32_t at = 0; at < graph->link_room; at++) {
        const struct graph_link *link = graph->links[at];
        if (link)
            bytes += sizeof(*link) + link->frames.pending.room + link->units.pending.room + link->to_send.room +
                     link->queue.room;
    }
    return bytes;
}

int bypeer_graph_peek(const uint8_t *bytes, size_t length, const struct bypeer_profile **ret_profile,
                      char ret_graph_id[static BYPEER_GRAPH_TEXT_BYTES])
{
    if (length < BYPEER_FRAME_HEAD_BYTES)
        return 0;
    size_t payload_bytes = bypeer_load16(bytes);
    if (payload_bytes < BYPEER_GRAPH_HEADER_BYTES || payload_bytes > 3 * BYPEER_GRAPH_TEXT_BYTES + 32)
        return -EBADMSG;
    if (length - BYPEER_FRAME_HEAD_BYTES < payload_bytes)
        return 0;
    for (unsigned id = 0; id < BYPEER_PROFILES; id++) {
        const struct bypeer_profile *profile = bypeer_profile((enum bypeer_profile_id)id);
        struct bypeer_graph_message message;
        if (bypeer_graph_message_read(&message, profile, bytes + BYPEER_FRAME_HEAD_BYTES, payload_bytes) < 0 ||
            message.type != BYPEER_GRAPH_AUTH_INFO || message.auth_info.graph.length >= BYPEER_GRAPH_TEXT_BYTES)
            continue;
        memcpy(ret_graph_id, message.auth_info.graph.bytes, message.auth_info.graph.length);
        ret_graph_id[message.auth_info.graph.length] = '\0';
        *ret_profile = profile;
        return 1;
    }
    return -EBADMSG;
}
