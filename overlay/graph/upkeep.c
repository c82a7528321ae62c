/* What time brings ([MS-PPGRH] 3.1.6). */
#include <errno.h>
#include <stdlib.h>

#include "overlay/graph/state.h"

#define UPKEEP_EXPIRY_LEAST_MS (15 * GRAPH_SECOND)
#define UPKEEP_EXPIRY_MOST_MS  (24 * 60 * GRAPH_MINUTE)
#define UPKEEP_REFRESH_AHEAD   (20 * BYPEER_PEER_TIME_SECOND)
#define UPKEEP_MS              10000 /* 100 ns */
#define UPKEEP_PAUSE           (10 * BYPEER_PEER_TIME_SECOND)

void graph_hasten(uint64_t *timer, uint64_t due)
{
    if (due < *timer)
        *timer = due;
}

/* Not each record's second: what has expired is refused and not sent from then on, and goes a little later. */
void graph_arm_expiry(struct bypeer_graph *graph, struct bypeer_graph_time now, uint64_t expires)
{
    uint64_t peer_now = bypeer_graph_peer_time(graph, now);
    uint64_t wait = expires > peer_now ? (expires - peer_now) / UPKEEP_MS : 0;
    if (wait < UPKEEP_EXPIRY_LEAST_MS)
        wait = UPKEEP_EXPIRY_LEAST_MS;
    if (wait > UPKEEP_EXPIRY_MOST_MS)
        wait = UPKEEP_EXPIRY_MOST_MS;
    graph_hasten(&graph->timers.expiry, now.ms + wait);
}

/* Whether a record is still this node's to keep alive. */
static bool upkeep_is_own(const struct bypeer_graph *graph, const struct bypeer_record *record)
{
    if (bypeer_record_is_deleted(record) || !(record->flags & BYPEER_RECORD_AUTOREFRESH))
        return false;
    if (bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_SIGNATURE))
        return graph_signature(graph) == graph->node_id;
    return true;
}

static void upkeep_refresh(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    uint64_t peer_now = bypeer_graph_peer_time(graph, now), next = UINT64_MAX;
    const struct graph_index *index = &graph->database.by_type;
    struct bypeer_buffer due = {0};
    graph->timers.refresh = GRAPH_NEVER;
    for (size_t at = 0; at < index->count; at++) {
        const struct bypeer_record *record = index->at[at]->record;
        if (!upkeep_is_own(graph, record))
            continue;
        if (record->expires <= peer_now + UPKEEP_REFRESH_AHEAD)
            bypeer_buffer_append(&due, record->id.bytes, sizeof(record->id.bytes));
        else if (record->expires < next)
            next = record->expires;
    }
    for (size_t at = 0; at < due.length; at += sizeof(struct bypeer_guid)) {
        struct bypeer_guid id;
        memcpy(id.bytes, due.bytes + at, sizeof(id.bytes));
        graph_refresh(graph, now, &id);
    }
    bypeer_buffer_clear(&due);
    if (next == UINT64_MAX)
        return;
    uint64_t wait = (next - peer_now - UPKEEP_REFRESH_AHEAD) / UPKEEP_MS + 1;
    graph_hasten(&graph->timers.refresh,
                 now.ms + (wait > GRAPH_REFRESH_LEAST_MS ? wait : (uint64_t)GRAPH_REFRESH_LEAST_MS));
}

/*
 * Without a link nothing expires, if the graph wants it so. After a pause own records are past their time before their
 * refresh is due: it comes first.
 */
static void upkeep_expire(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    upkeep_refresh(graph, now);
    uint64_t peer_now = bypeer_graph_peer_time(graph, now), next = UINT64_MAX;
    const struct graph_index *index = &graph->database.by_id;
    graph->timers.expiry = GRAPH_NEVER;
    if ((graph->info.flags & BYPEER_GRAPH_INFO_DEFER) && graph_neighbor_count(graph) == 0)
        return;
    graph_expire_waiting(graph, peer_now);
    for (size_t at = index->count; at-- > 0;) {
        if (at >= index->count) /* a removal had others follow */
            continue;
        const struct bypeer_record *record = index->at[at]->record;
        if (record->expires <= peer_now) {
            struct bypeer_guid id = record->id;
            graph->counters.expired++;
            graph_remove(graph, now, &id, BYPEER_RECORD_EXPIRED);
        } else if (record->expires < next) {
            next = record->expires;
        }
    }
    if (next != UINT64_MAX)
        graph_arm_expiry(graph, now, next);
}

static void upkeep_links(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    for (uint32_t at = 0; at < graph->link_room; at++) {
        struct graph_link *link = graph->links[at];
        if (link && link->state != LINK_CLOSED && link->due_ms <= now.ms)
            graph_link_close(graph, now, link,
                             link->state == LINK_DIALLING ? "it cannot be reached" : "it does not answer");
        else if (link && graph_queue_due(link) <= now.ms) {
            link->awaited = 0;
            graph_send_queue(graph, now, link);
        }
    }
}

/* While a machine sleeps the timers' clock stands still, and records grow old. */
static void upkeep_notice_pause(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    uint64_t passed = (now.ms - graph->ticked.ms) * UPKEEP_MS;
    bool has_slept = graph->ticked.utc + passed + UPKEEP_PAUSE < now.utc;
    graph->ticked = now;
    if (!has_slept)
        return;
    graph_hasten(&graph->timers.refresh, now.ms);
    graph_hasten(&graph->timers.maintenance, now.ms);
}

void bypeer_graph_tick(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    struct graph_timers *timers = &graph->timers;
    upkeep_links(graph, now);
    upkeep_notice_pause(graph, now);
    if (timers->expiry <= now.ms)
        upkeep_expire(graph, now);
    if (timers->refresh <= now.ms)
        upkeep_refresh(graph, now);
    if (timers->signature <= now.ms)
        graph_on_signature_timer(graph, now);
    if (timers->weigh <= now.ms) {
        timers->weigh = GRAPH_NEVER;
        graph_weigh_contacts(graph, now);
        graph_weigh_partition(graph, now);
    }
    if (timers->contact <= now.ms)
        graph_on_contact_timer(graph, now);
    if (timers->presence <= now.ms)
        graph_on_presence_timer(graph, now);
    if (timers->partition <= now.ms)
        graph_on_partition_timer(graph, now);
    if (timers->maintenance <= now.ms) {
        timers->maintenance = GRAPH_NEVER;
        graph_maintain(graph, now, true);
    }
}

uint64_t bypeer_graph_deadline(const struct bypeer_graph *graph)
{
    const struct graph_timers *timers = &graph->timers;
    const uint64_t due[] = {timers->maintenance, timers->signature, timers->contact, timers->partition,
                            timers->presence,    timers->expiry,    timers->refresh, timers->weigh};
    uint64_t first = GRAPH_NEVER;
    for (unsigned at = 0; at < sizeof(due) / sizeof(due[0]); at++)
        graph_hasten(&first, due[at]);
    for (uint32_t at = 0; at < graph->link_room; at++) {
        const struct graph_link *link = graph->links[at];
        if (link == NULL || link->state == LINK_CLOSED)
            continue;
        graph_hasten(&first, link->due_ms);
        graph_hasten(&first, graph_queue_due(link));
    }
    return first;
}
