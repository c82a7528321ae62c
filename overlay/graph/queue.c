/*
 * Records that a link owes its peer: those that it asked for, and those that its stream had no room for. They are kept
 * as a list, and not as bytes in the stream, so that a slow peer costs a few bytes a record and gets the last version
 * only. Its acknowledgements pace them, and its stream's room does.
 */
#include "overlay/graph/state.h"

#define QUEUE_BATCH       256 /* records that are sent before the peer has acknowledged them */
#define QUEUE_BATCH_BYTES (2 * 1024 * 1024)
#define QUEUE_BATCH_MS    5000 /* not every peer acknowledges what it refuses */
#define QUEUE_LOOK_BACK   64   /* entries in which a record is looked for before it is owed again */
#define QUEUE_DATABASES   2    /* as many as there may be in all, so often */

bool graph_queue_record(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                        const struct bypeer_guid *id)
{
    size_t most = (size_t)QUEUE_DATABASES * graph->limits.records * sizeof(id->bytes);
    if (link->queue.length - link->queue_at >= most) {
        graph_link_close(graph, now, link, "it does not take what it is sent");
        return false;
    }
    if (bypeer_buffer_append(&link->queue, id->bytes, sizeof(id->bytes)) == 0)
        return true;
    graph_link_close(graph, now, link, "no memory");
    return false;
}

bool graph_owe_record(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                      const struct bypeer_guid *id)
{
    size_t at = link->queue.length;
    for (unsigned step = 0; step < QUEUE_LOOK_BACK && at > link->queue_at; step++) {
        at -= sizeof(id->bytes);
        if (memcmp(link->queue.bytes + at, id->bytes, sizeof(id->bytes)) == 0)
            return true;
    }
    return graph_queue_record(graph, now, link, id);
}

/* What was asked for ends here. */
static void queue_send_end(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    const struct bypeer_graph_message end = {.type = BYPEER_GRAPH_SYNC_END, .is_final = true};
    link->has_end = false;
    graph_send(graph, now, link, &end);
}

static void queue_send_next(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    struct bypeer_guid id;
    memcpy(id.bytes, link->queue.bytes + link->queue_at, sizeof(id.bytes));
    link->queue_at += sizeof(id.bytes);
    const struct graph_entry *entry = graph_database_find(&graph->database, &id);
    if (entry && entry->record->expires > bypeer_graph_peer_time(graph, now)) {
        graph_send_record(graph, now, link, entry->record);
        link->awaited++;
    }
}

/* What is done goes, now and then. */
static void queue_shorten(struct graph_link *link)
{
    size_t done = link->queue_at;
    if (done == link->queue.length) {
        bypeer_buffer_clear(&link->queue);
        link->awaited = 0;
    } else if (done > link->queue.length / 2) {
        bypeer_buffer_drop(&link->queue, done);
    } else {
        return;
    }
    link->queue_at = 0;
    link->end_at -= link->has_end ? done : 0;
}

void graph_end_answer(struct graph_link *link)
{
    link->has_end = true;
    link->end_at = link->queue.length;
}

void graph_send_queue(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    uint64_t limit = graph->counters.sent_bytes + QUEUE_BATCH_BYTES;
    if (link->awaited > 0)
        return;
    while (link->state == LINK_CONNECTED && !link->is_full) {
        if (link->has_end && link->queue_at == link->end_at)
            queue_send_end(graph, now, link);
        else if (link->queue_at < link->queue.length && link->awaited < QUEUE_BATCH &&
                 graph->counters.sent_bytes < limit)
            queue_send_next(graph, now, link);
        else
            break;
    }
    link->queue_due_ms = now.ms + QUEUE_BATCH_MS;
    if (link->state == LINK_CONNECTED)
        queue_shorten(link);
}

uint64_t graph_queue_due(const struct graph_link *link)
{
    bool is_waiting = link->state == LINK_CONNECTED && link->queue.length > 0 && !link->is_full;
    return is_waiting ? link->queue_due_ms : GRAPH_NEVER;
}

void bypeer_graph_writable(struct bypeer_graph *graph, struct bypeer_graph_time now, uint32_t number)
{
    struct graph_link *link = graph_link_at(graph, number);
    if (link == NULL || !link->is_full)
        return;
    link->is_full = false;
    graph_send_queue(graph, now, link);
}
