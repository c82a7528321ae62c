#include "perf/graph_events.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->number < b->number;
}

void graph_events_put(struct graph_events *events, struct event event)
{
    event.number = events->numbers++;
    if (events->count == events->room) {
        events->room = events->room ? 2 * events->room : 1024;
        events->heap = realloc(events->heap, events->room * sizeof(events->heap[0]));
        if (events->heap == NULL) {
            fprintf(stderr, "no memory is left\n");
            exit(EXIT_FAILURE);
        }
    }
    size_t at = events->count++;
    for (; at > 0 && is_before(&event, &events->heap[(at - 1) / 2]); at = (at - 1) / 2)
        events->heap[at] = events->heap[(at - 1) / 2];
    events->heap[at] = event;
}

bool graph_events_take(struct graph_events *events, uint64_t end_ms, struct event *ret_event)
{
    if (events->count == 0 || events->heap[0].at_ms > end_ms)
        return false;
    *ret_event = events->heap[0];
    struct event last = events->heap[--events->count];
    size_t at = 0;
    for (size_t child = 1; child < events->count; child = 2 * at + 1) {
        if (child + 1 < events->count && is_before(&events->heap[child + 1], &events->heap[child]))
            child++;
        if (!is_before(&events->heap[child], &last))
            break;
        events->heap[at] = events->heap[child];
        at = child;
    }
    if (events->count > 0)
        events->heap[at] = last;
    return true;
}

void graph_events_clear(struct graph_events *events)
{
    while (events->count > 0)
        free(events->heap[--events->count].bytes);
    free(events->heap);
    events->heap = NULL;
    events->room = 0;
}
