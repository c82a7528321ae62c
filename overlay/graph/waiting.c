/* Records that wait for what they depend on. Nobody has judged them yet: whoever sent them answers for their room. */
#include <errno.h>
#include <stdlib.h>

#include "overlay/graph/state.h"

/* What waits of one peer, and of all others. */
struct waiting_use {
    uint64_t own_records, own_bytes, other_records, other_bytes;
};

static int waiting_refuse(struct bypeer_graph *graph, struct bypeer_record *record, const struct graph_link *link)
{
    graph_refuse(graph, record, link, "too many records wait for what they depend on");
    free(record);
    return -ENOSPC;
}

static int waiting_grow(struct bypeer_graph *graph)
{
    if (graph->waiting_count < graph->waiting_room)
        return 0;
    size_t room = graph->waiting_room ? 2 * graph->waiting_room : 16;
    struct graph_waiting *grown = realloc(graph->waiting, room * sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    graph->waiting = grown;
    graph->waiting_room = room;
    return 0;
}

static bool waiting_has_room(const struct bypeer_graph *graph, const struct waiting_use *use,
                             const struct graph_origin *origin)
{
    const struct bypeer_graph_limits *limits = &graph->limits;
    if (use->own_records + use->other_records > limits->waiting ||
        use->own_bytes + use->other_bytes > limits->waiting_bytes)
        return false;
    return origin->from == 0 || origin->has_waited ||
           (graph_is_within_share(use->own_records, use->other_records, limits->waiting) &&
            graph_is_within_share(use->own_bytes, use->other_bytes, limits->waiting_bytes));
}

/* Another version of the same peer's gives way to the newer; another's stays, since either may be forged. */
int graph_wait(struct bypeer_graph *graph, struct bypeer_record *record, const struct graph_origin *origin)
{
    struct waiting_use use = {.own_records = 1, .own_bytes = bypeer_record_memory(record)};
    struct graph_waiting *same = NULL;
    graph->counters.deferred++;
    for (size_t at = 0; at < graph->waiting_count; at++) {
        struct graph_waiting *waiting = &graph->waiting[at];
        uint64_t bytes = bypeer_record_memory(waiting->record);
        bool is_own = waiting->from == origin->from;
        if (bypeer_guid_is_equal(&waiting->record->id, &record->id)) {
            int order = bypeer_record_compare(record, waiting->record);
            if (order == 0 || (order < 0 && is_own)) {
                free(record);
                return -EAGAIN;
            }
            if (is_own) {
                same = waiting;
                continue;
            }
        }
        *(is_own ? &use.own_records : &use.other_records) += 1;
        *(is_own ? &use.own_bytes : &use.other_bytes) += bytes;
    }
    if (!waiting_has_room(graph, &use, origin))
        return waiting_refuse(graph, record, origin->link);
    if (same) {
        free(same->record);
        same->record = record;
        return -EAGAIN;
    }
    if (waiting_grow(graph) < 0) {
        free(record);
        return -ENOMEM;
    }
    graph->waiting[graph->waiting_count++] = (struct graph_waiting){record, origin->from};
    return -EAGAIN;
}

void graph_expire_waiting(struct bypeer_graph *graph, uint64_t peer_now)
{
    for (size_t at = graph->waiting_count; at-- > 0;)
        if (graph->waiting[at].record->expires <= peer_now) {
            free(graph->waiting[at].record);
            graph->waiting[at] = graph->waiting[--graph->waiting_count];
        }
}

void bypeer_graph_retry(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    struct graph_waiting *waiting = graph->waiting;
    size_t count = graph->waiting_count;
    graph->waiting = NULL;
    graph->waiting_count = graph->waiting_room = 0;
    for (size_t at = 0; at < count; at++) {
        const struct graph_origin origin = {.from = waiting[at].from, .has_waited = true};
        graph_take_record(graph, now, waiting[at].record, &origin);
    }
    free(waiting);
}

void graph_clear_waiting(struct bypeer_graph *graph)
{
    for (size_t at = 0; at < graph->waiting_count; at++)
        free(graph->waiting[at].record);
    free(graph->waiting);
}
