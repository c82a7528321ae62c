#include "perf/sim_queue.h"

#include <stdio.h>
#include <stdlib.h>

#define CLASS_BYTES 64u
#define SLAB_BYTES  (1u << 20)

void sim_queue_open(struct sim_queue *queue)
{
    *queue = (struct sim_queue){0};
}

void sim_queue_close(struct sim_queue *queue)
{
    while (queue->slabs != NULL) {
        uint8_t *slab = queue->slabs;
        queue->slabs = *(uint8_t **)(void *)slab;
        free(slab);
    }
}

static void queue_add_slab(struct sim_queue *queue)
{
    uint8_t *slab = aligned_alloc(CLASS_BYTES, SLAB_BYTES);
    if (slab == NULL) {
        fprintf(stderr, "cloud-sim: no memory left after %ju MiB of events; take fewer nodes\n",
                (uintmax_t)(queue->slab_bytes >> 20));
        exit(1);
    }
    *(uint8_t **)(void *)slab = queue->slabs;
    queue->slabs = slab;
    queue->slab_bytes += SLAB_BYTES;
    queue->slab = slab + CLASS_BYTES;
    queue->slab_left = SLAB_BYTES - CLASS_BYTES;
}

struct sim_event *sim_queue_new(struct sim_queue *queue, enum sim_event_kind kind, uint16_t length)
{
    uint8_t size_class = (uint8_t)((sizeof(struct sim_event) + length + CLASS_BYTES - 1) / CLASS_BYTES);
    struct sim_event *event = queue->free[size_class];
    if (event != NULL) {
        queue->free[size_class] = event->next;
    } else {
        uint32_t bytes = size_class * CLASS_BYTES;
        if (queue->slab_left < bytes)
            queue_add_slab(queue);
        event = (struct sim_event *)(void *)queue->slab;
        queue->slab += bytes;
        queue->slab_left -= bytes;
    }
    *event = (struct sim_event){.kind = (uint8_t)kind, .size_class = size_class, .length = length};
    return event;
}

static void slot_append(struct sim_slot *slot, struct sim_event *event)
{
    event->next = NULL;
    if (slot->last != NULL)
        slot->last->next = event;
    else
        slot->first = event;
    slot->last = event;
}

void sim_queue_put(struct sim_queue *queue, struct sim_event *event, uint64_t at_ms)
{
    event->at_ms = at_ms > queue->now_ms ? at_ms : queue->now_ms;
    slot_append(event->at_ms == queue->now_ms ? &queue->present : &queue->slots[event->at_ms % SIM_QUEUE_SLOTS], event);
    queue->count++;
}

/* The next millisecond: what lies in its slot is present now, or of a later round and stays. */
static void queue_advance(struct sim_queue *queue)
{
    struct sim_slot *slot = &queue->slots[++queue->now_ms % SIM_QUEUE_SLOTS];
    struct sim_event *event = slot->first;
    *slot = (struct sim_slot){0};
    while (event != NULL) {
        struct sim_event *next = event->next;
        slot_append(event->at_ms == queue->now_ms ? &queue->present : slot, event);
        event = next;
    }
}

struct sim_event *sim_queue_take(struct sim_queue *queue, uint64_t end_ms)
{
    struct sim_event *event;
    while ((event = queue->present.first) == NULL) {
        if (queue->now_ms >= end_ms)
            return NULL;
        queue_advance(queue);
    }
    queue->present.first = event->next;
    if (event->next == NULL)
        queue->present.last = NULL;
    queue->count--;
    return event;
}

void sim_queue_free(struct sim_queue *queue, struct sim_event *event)
{
    event->next = queue->free[event->size_class];
    queue->free[event->size_class] = event;
}
