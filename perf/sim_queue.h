/*
 * What is still to happen in a simulated cloud: a timing wheel of virtual milliseconds.
 *
 *   slot   0        1        2                    65535
 *        [ list ] [ list ] [ list ] ...          [ list ]     an event lies in the slot of its time modulo 65536;
 *                    ^ now                                    one of a later round stays when its slot is passed
 *
 * Putting and taking cost the same for ten events as for a hundred million; nearly all events of a cloud lie less than
 * one round (65 s) ahead. Events of one millisecond come out in the order in which they were put, so a run is repeated
 * exactly. Memory comes in classes of 64 bytes from a pool that never shrinks.
 *
 * Thread: one.
 */
#pragma once

#include <stdint.h>

#define SIM_QUEUE_SLOTS   65536
#define SIM_QUEUE_CLASSES 24 /* of 64 bytes: the largest datagram and its head */

enum sim_event_kind {
    SIM_EVENT_DATAGRAM,
    SIM_EVENT_TIMER, /* a node's deadline */
    SIM_EVENT_JOB,   /* a signature is done */
    SIM_EVENT_CALL,  /* a function of the simulation itself */
};

struct sim;

struct sim_event {
    struct sim_event *next;
    uint64_t at_ms;
    uint32_t node, generation; /* whom it concerns */
    uint8_t kind;              /* enum sim_event_kind */
    uint8_t size_class;
    uint16_t length; /* of a datagram */
    uint32_t from;   /* of a datagram: who sent it, and the network that his address is of */
    uint32_t from_generation;
    uint32_t from_net;
    union {
        void *job;
        void (*call)(struct sim *sim, struct sim_event *event);
    };
    uint8_t bytes[];
};

struct sim_slot {
    struct sim_event *first, *last;
};

struct sim_queue {
    struct sim_slot slots[SIM_QUEUE_SLOTS];
    struct sim_slot present; /* what is to happen at now_ms */
    struct sim_event *free[SIM_QUEUE_CLASSES];
    uint64_t now_ms;
    uint64_t count;
    uint8_t *slab; /* what is left of the newest */
    uint8_t *slabs;
    uint32_t slab_left;
    uint64_t slab_bytes; /* of all slabs */
};

void sim_queue_open(struct sim_queue *queue); /* of zeroed memory */
void sim_queue_close(struct sim_queue *queue);

/* An event with room for so many bytes (at most 1400), not yet put. Without memory the program ends. */
struct sim_event *sim_queue_new(struct sim_queue *queue, enum sim_event_kind kind, uint16_t length);
/* At a time not before now. */
void sim_queue_put(struct sim_queue *queue, struct sim_event *event, uint64_t at_ms);
/* The next event up to end_ms, taken out; the time is its time then. NULL: there is none, and the time is end_ms. */
struct sim_event *sim_queue_take(struct sim_queue *queue, uint64_t end_ms);
void sim_queue_free(struct sim_queue *queue, struct sim_event *event);
