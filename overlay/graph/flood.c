#include <errno.h>
#include <stdlib.h>

#include "overlay/graph/state.h"

/* Peer time after which nobody who has links can be without a newer version: an older one is played back. */
#define FLOOD_NEWS    (10 * BYPEER_PEER_TIME_SECOND)
#define FLOOD_UTILITY 128 /* of one useful record */

void graph_refuse(struct bypeer_graph *graph, const struct bypeer_record *record, const struct graph_link *link,
                  const char *why)
{
    graph->counters.refused++;
    if (graph->sink.refused)
        graph->sink.refused(graph->sink_context, record, link ? link->number : 0, why);
}

void graph_tell_record(struct bypeer_graph *graph, struct bypeer_graph_time now, enum bypeer_record_change change,
                       const struct bypeer_record *record)
{
    if (graph->security.stored)
        graph->security.stored(graph->security.context, now, change, record);
    if (graph->sink.record)
        graph->sink.record(graph->sink_context, change, record);
}

/* What the node itself makes of a change (3.1.7.33). */
static void flood_heed(struct bypeer_graph *graph, struct bypeer_graph_time now, enum bypeer_record_change change,
                       const struct bypeer_record *record)
{
    bool is_there = change == BYPEER_RECORD_ADDED || change == BYPEER_RECORD_UPDATED;
    if (bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_GRAPH_INFO) && is_there) {
        struct bypeer_graph_info info;
        if (bypeer_graph_info_read(&info, record->payload, record->payload_bytes) < 0 ||
            strcmp(info.graph, graph->graph_id) != 0)
            return;
        graph->info = info;
        graph_weigh_presence(graph, now);
    } else if (bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_GRAPH_INFO)) {
        graph_hasten(&graph->timers.maintenance, now.ms); /* its creator publishes it again */
    } else if (bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_SIGNATURE)) {
        graph_weigh_signature(graph, now);
        graph_renew_contact(graph, now);
        graph_hasten(&graph->timers.weigh, now.ms + GRAPH_WEIGH_MS);
    } else if (bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_CONTACT)) {
        graph_hasten(&graph->timers.weigh, now.ms + GRAPH_WEIGH_MS);
    } else if (bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_PRESENCE)) {
        graph_tell_presence(graph, change, record);
        if (change == BYPEER_RECORD_EXPIRED && bypeer_guid_is_equal(&record->id, &graph->presence_id))
            graph_weigh_presence(graph, now);
    }
}

void graph_send_record(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                       const struct bypeer_record *record)
{
    size_t bytes = bypeer_record_bytes(record);
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_FLOOD};
    graph->unit.length = 0;
    uint8_t *place = bypeer_buffer_reserve(&graph->unit, BYPEER_GRAPH_RECORD_AT + bytes);
    if (place == NULL) {
        graph_link_close(graph, now, link, "no memory");
        return;
    }
    bypeer_record_write(record, place + BYPEER_GRAPH_RECORD_AT, bytes);
    message.flood = (struct bypeer_graph_flood){place + BYPEER_GRAPH_RECORD_AT, bytes};
    graph->unit.length = bypeer_graph_message_write(&message, graph->profile, place, BYPEER_GRAPH_RECORD_AT + bytes);
    graph_send_unit(graph, now, link);
}

/* To every neighbor but one; written once. Whose stream has no room gets it later, but for what goes first. */
static void flood_send_all(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_record *record,
                           const struct graph_link *but)
{
    bool is_first = graph->security.first && graph->security.first(graph->security.context, record);
    bool is_written = false;
    for (uint32_t at = 0; at < graph->link_room; at++) {
        struct graph_link *link = graph->links[at];
        if (!graph_is_neighbor(link) || link == but)
            continue;
        if (link->is_full && !is_first) {
            graph_owe_record(graph, now, link, &record->id);
            continue;
        }
        if (is_written)
            graph_send_unit(graph, now, link);
        else
            graph_send_record(graph, now, link, record);
        is_written = graph->unit.length > 0;
    }
}

int graph_store(struct bypeer_graph *graph, struct bypeer_graph_time now, struct bypeer_record *record,
                const struct graph_link *but)
{
    const struct graph_entry *old = graph_database_find(&graph->database, &record->id);
    bool was_live = old && !bypeer_record_is_deleted(old->record);
    enum bypeer_record_change change = bypeer_record_is_deleted(record) ? BYPEER_RECORD_REMOVED
                                       : was_live                       ? BYPEER_RECORD_UPDATED
                                                                        : BYPEER_RECORD_ADDED;
    const char *fault = graph_share_fault(graph, record);
    int result = fault ? -ENOSPC : graph_database_put(&graph->database, record);
    if (result < 0) {
        if (fault && but)
            graph_refuse(graph, record, but, fault);
        free(record);
        return result;
    }
    graph_arm_expiry(graph, now, record->expires);
    flood_send_all(graph, now, record, but);
    struct bypeer_guid id = record->id;
    graph_tell_record(graph, now, change, record);
    /* What follows may publish, and so replace it. */
    const struct graph_entry *entry = graph_database_find(&graph->database, &id);
    if (entry)
        flood_heed(graph, now, change, entry->record);
    return 0;
}

void graph_remove(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_guid *id,
                  enum bypeer_record_change change)
{
    struct bypeer_record *record = graph_database_take(&graph->database, id);
    if (record == NULL)
        return;
    graph_tell_record(graph, now, change, record);
    flood_heed(graph, now, change, record);
    free(record);
}

int graph_take_record(struct bypeer_graph *graph, struct bypeer_graph_time now, struct bypeer_record *record,
                      const struct graph_origin *origin)
{
    struct graph_link *link = origin->link;
    const struct bypeer_record_rules rules = {
        .profile = graph->profile,
        .graph = graph->graph_id,
        .largest = graph->info.record_max,
        .now = bypeer_graph_peer_time(graph, now),
    };
    const struct graph_entry *old = graph_database_find(&graph->database, &record->id);
    int order = old ? bypeer_record_compare(record, old->record) : 1;
    /* What was judged before, or loses against it, need not be judged: signatures are dear. */
    if (order <= 0) {
        if (order < 0 && link && old->record->modified + FLOOD_NEWS < rules.now)
            graph_refuse(graph, record, link, "it is older than what has been known for a while");
        free(record);
        if (order < 0 && link) {
            graph->counters.floods_old++;
            if (graph_owe_record(graph, now, link, &old->record->id))
                graph_send_queue(graph, now, link);
        } else {
            graph->counters.floods_known++;
        }
        return 0;
    }
    const char *why = bypeer_record_fault(record, &rules);
    if (!why && old && !bypeer_guid_is_equal(&record->type, &old->record->type))
        why = "its ID is that of a record of another type"; /* which its provider may hold to be for ever */
    enum bypeer_graph_verdict verdict = why ? BYPEER_GRAPH_INVALID : BYPEER_GRAPH_VALID;
    if (!why && graph->security.validate)
        verdict = graph->security.validate(graph->security.context, now, record, &why);
    if (verdict == BYPEER_GRAPH_DEFERRED)
        return graph_wait(graph, record, origin);
    if (verdict != BYPEER_GRAPH_VALID) {
        graph_refuse(graph, record, link, why ? why : "it is not valid");
        free(record);
        return -EKEYREJECTED;
    }
    graph->counters.floods_new += link != NULL;
    if (origin->is_restored && record->modified > graph->restored_until)
        graph->restored_until = record->modified;
    int result = graph_store(graph, now, record, link);
    return result < 0 ? result : 1;
}

static void flood_weigh(struct graph_link *link, bool is_useful)
{
    link->utility = link->utility * 31 / 32 + (is_useful ? FLOOD_UTILITY : 0);
}

void graph_flush_acks(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_ACK, .ack = {link->acks, link->ack_count}};
    if (link->ack_count == 0 || link->state != LINK_CONNECTED)
        return;
    link->ack_count = 0;
    graph_send(graph, now, link, &message);
}

void graph_on_flood(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                    const struct bypeer_graph_flood *flood)
{
    struct bypeer_record *record;
    int result = bypeer_record_read(&record, flood->record, flood->record_bytes);
    if (result < 0) {
        graph_refuse(graph, NULL, link, result == -ENOMEM ? "no memory" : "it is no record");
        return;
    }
    struct bypeer_graph_ack_entry entry = {.id = record->id};
    const struct graph_origin origin = {link, graph_share_key(&graph->database.shares, link->peer_id), false, false};
    result = graph_take_record(graph, now, record, &origin);
    if (link->state != LINK_CONNECTED)
        return;
    entry.is_useful = result > 0;
    flood_weigh(link, entry.is_useful);
    bypeer_graph_ack_put(link->acks + (size_t)BYPEER_GRAPH_ACK_BYTES * link->ack_count++, &entry);
    if (link->ack_count == GRAPH_ACKS)
        graph_flush_acks(graph, now, link);
}

void graph_on_ack(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                  const struct bypeer_graph_ack *ack)
{
    for (unsigned at = 0; at < ack->count; at++) {
        struct bypeer_graph_ack_entry entry;
        bypeer_graph_ack_at(ack->entries, at, &entry);
        flood_weigh(link, entry.is_useful);
    }
    link->awaited -= ack->count < link->awaited ? ack->count : link->awaited;
    if (link->queue.length > 0)
        graph_send_queue(graph, now, link);
}
