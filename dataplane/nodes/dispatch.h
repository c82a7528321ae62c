/*
 * How a node passes its packets on.
 *
 * A node's process function gets everything that waits for it. bypeer_dispatch() cuts that into bursts of at most
 * BYPEER_BURST_MAX, lets the node's own function say for each packet which edge it takes, counts, traces, and moves the
 * packets: all at once where all take the same edge, which is the rule, else run by run. Each node is thus a file with
 * an enum of edges, one function of a burst, and a registration.
 *
 * Threads: worker.
 */
#pragma once

#include <rte_graph.h>
#include <rte_graph_worker.h>

#include "dataplane/packet.h"
#include "dataplane/trace.h"
#include "dataplane/worker.h"

#define BYPEER_BURST_MAX 64
_Static_assert(2 * BYPEER_BURST_MAX <= BYPEER_LOOKUP_BURST, "sources and destinations in one lookup");

/* Fills in nexts[i], the edge of mbufs[i], for count packets (1 to BYPEER_BURST_MAX). */
typedef void bypeer_burst_function(struct bypeer_worker *worker, struct rte_node *node, struct rte_mbuf **mbufs,
                                   unsigned count, rte_edge_t *nexts);

/* Says why a packet takes the edge to drop, which is returned. */
static inline rte_edge_t bypeer_refuse(struct bypeer_packet *packet, enum bypeer_counter reason, rte_edge_t drop)
{
    packet->reason = (uint8_t)reason;
    return drop;
}

/* One step of each packet of a burst that the trace follows. Out of line: it runs on demand. */
void bypeer_dispatch_trace(struct bypeer_worker *worker, const struct rte_node *node, struct rte_mbuf *const *mbufs,
                           const rte_edge_t *nexts, unsigned count);

/* Enqueues each run of packets with the same edge. */
static inline void bypeer_dispatch_runs(struct rte_graph *graph, struct rte_node *node, void **objs,
                                        const rte_edge_t *nexts, unsigned count)
{
    unsigned start = 0;
    for (unsigned i = 1; i <= count; i++) {
        if (i < count && nexts[i] == nexts[start])
            continue;
        rte_node_enqueue(graph, node, nexts[start], objs + start, (uint16_t)(i - start));
        start = i;
    }
}

static __rte_always_inline uint16_t bypeer_dispatch(struct rte_graph *graph, struct rte_node *node, void **objs,
                                                    uint16_t count, enum bypeer_counter counter,
                                                    bypeer_burst_function *burst)
{
    struct bypeer_worker *worker = bypeer_worker_self();
    bypeer_count(worker, counter, count);
    for (unsigned at = 0; at < count; at += BYPEER_BURST_MAX) {
        unsigned some = RTE_MIN(count - at, (unsigned)BYPEER_BURST_MAX);
        struct rte_mbuf **mbufs = (struct rte_mbuf **)objs + at;
        rte_edge_t nexts[BYPEER_BURST_MAX];
        burst(worker, node, mbufs, some, nexts);
        if (unlikely(bypeer_trace_runs(worker)))
            bypeer_dispatch_trace(worker, node, mbufs, nexts, some);

        unsigned same = 1;
        while (same < some && nexts[same] == nexts[0])
            same++;
        if (likely(same == count))
            rte_node_next_stream_move(graph, node, nexts[0]);
        else
            bypeer_dispatch_runs(graph, node, objs + at, nexts, some);
    }
    return count;
}
