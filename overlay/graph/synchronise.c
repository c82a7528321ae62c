/* Synchronisation by types, and which kind of it a link begins with ([MS-PPGRH] 3.1.5.3). */
#include "overlay/graph/state.h"

#define SYNC_BATCH       256 /* records that are sent before the peer has acknowledged them */
#define SYNC_BATCH_BYTES (2 * 1024 * 1024)
#define SYNC_BATCH_MS    5000 /* not every peer acknowledges what it refuses */

static void sync_ask(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    struct bypeer_graph_message message = {
        .type = link->sync == SYNC_ALL ? BYPEER_GRAPH_SOLICIT_NEW : BYPEER_GRAPH_SOLICIT_TIME,
    };
    message.solicit.modified = link->sync_from;
    if (link->sync_step < graph->precedence_count) {
        message.solicit.inclusion_count = 1;
        message.solicit.types = graph->precedence[link->sync_step].bytes;
    } else {
        message.solicit.exclusion_count = (uint8_t)graph->precedence_count;
        message.solicit.types = graph->precedence[0].bytes;
    }
    link->sync_step++;
    graph_send(graph, now, link, &message);
}

static void sync_finish(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    bool is_first = !graph->is_synchronised;
    link->sync = SYNC_NONE;
    graph->counters.synchronised++;
    graph->is_synchronised = graph->was_synchronised = true;
    if (!is_first)
        return;
    graph_hasten(&graph->timers.expiry, now.ms);
    graph_tell_status(graph);
    graph_begin_listening(graph, now);
}

/*
 * Who was never synchronised asks for all. Who was, asks for what changed since. Who had records already then compares
 * by hashes, so that the peer learns of them; so do the links after the first.
 */
void graph_synchronise(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    link->sync_step = 0;
    link->has_news = graph->database.by_key.count > 0;
    if (graph->database.by_key.count == 0 || !graph->was_synchronised) {
        link->sync = SYNC_ALL;
        sync_ask(graph, now, link);
    } else if (!graph->is_synchronised) {
        link->sync = SYNC_TIME;
        link->sync_from = graph->restored_until;
        sync_ask(graph, now, link);
    } else {
        graph_ask_hashes(graph, now, link);
    }
}

void graph_on_sync_end(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link, bool is_final)
{
    if (link->sync == SYNC_NONE || !is_final)
        return;
    if (link->sync == SYNC_HASH) {
        graph_send_rest(graph, now, link);
        if (link->state == LINK_CONNECTED)
            sync_finish(graph, now, link);
    } else if (link->sync_step <= graph->precedence_count) {
        sync_ask(graph, now, link);
    } else if (link->sync == SYNC_TIME || link->has_news) {
        graph_ask_hashes(graph, now, link);
    } else {
        sync_finish(graph, now, link);
    }
}

bool graph_queue_record(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                        const struct bypeer_guid *id)
{
    if (bypeer_buffer_append(&link->queue, id->bytes, sizeof(id->bytes)) == 0)
        return true;
    graph_link_close(graph, now, link, "no memory");
    return false;
}

/* What a peer cannot take yet stays here as a list, and not in its stream as bytes. */
void graph_send_queue(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    const struct bypeer_graph_message end = {.type = BYPEER_GRAPH_SYNC_END, .is_final = true};
    uint64_t peer_now = bypeer_graph_peer_time(graph, now), limit = graph->counters.sent_bytes + SYNC_BATCH_BYTES;
    if (link->awaited > 0)
        return;
    while (link->state == LINK_CONNECTED && link->queue_at < link->queue.length && link->awaited < SYNC_BATCH &&
           graph->counters.sent_bytes < limit) {
        struct bypeer_guid id;
        memcpy(id.bytes, link->queue.bytes + link->queue_at, sizeof(id.bytes));
        link->queue_at += sizeof(id.bytes);
        const struct graph_entry *entry = graph_database_find(&graph->database, &id);
        if (entry && entry->record->expires > peer_now) {
            graph_send_record(graph, now, link, entry->record);
            link->awaited++;
        }
    }
    link->queue_due_ms = now.ms + SYNC_BATCH_MS;
    if (link->state != LINK_CONNECTED || link->queue_at < link->queue.length)
        return;
    bypeer_buffer_clear(&link->queue);
    link->queue_at = 0;
    link->awaited = 0;
    if (link->has_end) {
        link->has_end = false;
        graph_send(graph, now, link, &end);
    }
}

static bool sync_is_asked_for(const struct bypeer_graph_solicit *solicit, const struct bypeer_record *record)
{
    bool is_listed = false;
    unsigned count = (unsigned)solicit->inclusion_count + solicit->exclusion_count;
    for (unsigned at = 0; at < count && !is_listed; at++)
        is_listed = memcmp(solicit->types + 16 * (size_t)at, record->type.bytes, 16) == 0;
    return record->modified >= solicit->modified && (solicit->inclusion_count > 0 ? is_listed : !is_listed);
}

/* Revocations and the like, once on each link, before anything that was asked for. */
static void sync_send_first(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    const struct graph_index *index = &graph->database.by_type;
    if (graph->security.first == NULL || link->has_first)
        return;
    link->has_first = true;
    for (size_t at = 0; at < index->count && link->state == LINK_CONNECTED; at++)
        if (graph->security.first(graph->security.context, index->at[at]->record))
            graph_send_record(graph, now, link, index->at[at]->record);
}

void graph_on_solicit(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                      enum bypeer_graph_type type, const struct bypeer_graph_solicit *solicit)
{
    const struct graph_index *index = &graph->database.by_type;
    uint64_t peer_now = bypeer_graph_peer_time(graph, now);
    if (link->queue.length > 0) {
        graph_link_close(graph, now, link, "it asks again before it was answered");
        return;
    }
    sync_send_first(graph, now, link);
    if (type == BYPEER_GRAPH_SOLICIT_HASH) {
        graph_answer_hashes(graph, now, link, solicit);
        return;
    }
    for (size_t at = 0; at < index->count; at++) {
        const struct bypeer_record *record = index->at[at]->record;
        if (record->expires > peer_now && sync_is_asked_for(solicit, record) &&
            !graph_queue_record(graph, now, link, &record->id))
            return;
    }
    link->has_end = true;
    graph_send_queue(graph, now, link);
}
