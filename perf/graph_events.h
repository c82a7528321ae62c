/*
 * What is still to happen in a network of graphs: a heap by time. Events of one ms come out in the order in which they
 * were put, so a run is repeated exactly. Without memory the program ends. Thread: one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_kind { EVENT_TICK, EVENT_CONNECT, EVENT_CONNECTED, EVENT_BYTES, EVENT_CLOSED, EVENT_SEEK };

struct event {
    uint64_t at_ms;
    uint64_t number; /* in the order of putting; the heap fills it in */
    enum event_kind kind;
    uint32_t node, generation; /* whom it concerns; of an older generation: nobody any more */
    uint32_t link;
    uint32_t from, from_generation, from_link; /* of CONNECT */
    size_t length;
    uint8_t *bytes;
};

struct graph_events {
    struct event *heap;
    size_t count, room;
    uint64_t numbers;
};

/* event.bytes are the heap's from now on. */
void graph_events_put(struct graph_events *events, struct event event);
/* The next one up to end_ms, with its bytes, to be freed; false: there is none. */
bool graph_events_take(struct graph_events *events, uint64_t end_ms, struct event *ret_event);
void graph_events_clear(struct graph_events *events);
