/*
 * The next packets, stage by stage.
 *
 * While a trace runs, receive and inject number the packets that they take in (bypeer_packet.trace) and every node
 * writes down one step for each numbered packet that it passes on: which node, where to, and the first bytes as they
 * are there. A worker writes steps into a ring of its own, which the main thread empties; a full ring loses steps and
 * counts them. While no trace runs, all this costs a node one load of a line that nobody writes, once a burst.
 *
 * Threads: one worker writes its ring, the main thread reads all of them.
 */
#pragma once

#include <stdbool.h>

#include "dataplane/packet.h"
#include "dataplane/worker.h"

#define BYPEER_TRACE_PACKETS_MAX 255  /* bypeer_packet.trace has 8 bits, and 0 is "not traced" */
#define BYPEER_TRACE_STEPS       2048 /* in a worker's ring: a power of two; 255 packets of 8 steps, unread */
#define BYPEER_TRACE_HEAD        128  /* Ethernet, outer IPv6, UDP, GPE, inner IPv6 and 18 bytes more */

struct bypeer_trace_step {
    uint64_t tsc;
    uint32_t packet; /* number within the trace, from 0 */
    uint16_t frame_bytes;
    uint16_t head_bytes;
    const char *node; /* strings that live as long as the graph */
    const char *next; /* node it goes to; of a drop, the reason; NULL: it ends here */
    uint8_t head[BYPEER_TRACE_HEAD];
};

/* What the workers of one trace share: who gets the next number. */
struct bypeer_trace_numbers {
    uint32_t next;   /* taken by fetch-and-add */
    uint32_t wanted; /* packets of this trace */
};

struct bypeer_trace {
    uint32_t left; /* not 0 while a trace runs; written by the main thread */
    struct bypeer_trace_numbers *numbers;
    /* Written by the worker. */
    uint32_t head __rte_cache_aligned; /* steps written so far */
    uint32_t lost;                     /* steps that found the ring full */
    /* Written by the main thread. */
    uint32_t tail __rte_cache_aligned; /* steps read so far */
    struct bypeer_trace_step steps[BYPEER_TRACE_STEPS] __rte_cache_aligned;
};

/* Does a trace run? Ask once a burst; only then call the two functions below. */
static inline bool bypeer_trace_runs(const struct bypeer_worker *worker)
{
    return __atomic_load_n(&worker->trace->left, __ATOMIC_ACQUIRE) != 0;
}

/* Numbers a packet that was just received or injected, if the trace still wants one; else clears its number. */
void bypeer_trace_begin(struct bypeer_worker *worker, struct rte_mbuf *mbuf);

/* Writes down that a packet goes from node to next. Nothing for a packet without a number. */
void bypeer_trace_step(struct bypeer_worker *worker, const struct rte_mbuf *mbuf, const char *node, const char *next);
