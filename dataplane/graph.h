/*
 * The graph that a worker walks: receive -> classify -> ... -> transmit, made of the nodes in dataplane/nodes/.
 *
 * Thread: the main thread creates a graph after the ports have been started and before the worker runs, and destroys it
 * after the worker has ended. In between only the worker walks it (workers.c).
 */
#pragma once

#include <stdbool.h>

#include <rte_graph.h>
#include <rte_graph_worker.h>

#include "dataplane/worker.h"

/*
 * Makes the graph "bypeer-<index>" of a worker whose queues and ports are filled in. The nodes find the worker by
 * bypeer_worker_self(), which is set before the first walk. Returns 0 or negative errno.
 */
int bypeer_graph_create(struct bypeer_worker *worker, struct rte_graph **ret_graph);
void bypeer_graph_destroy(struct rte_graph *graph); /* NULL is fine */

/*
 * Walks the graph once; number counts the walks. rte_graph_walk() reads the clock twice for each node, which costs as
 * much as a node does; here one walk in BYPEER_GRAPH_SAMPLE is timed and counts for all of them, so that total_cycles
 * of a node is an estimate, its calls and packets are exact. Without a loop of our own DPDK times all walks or none.
 */
#define BYPEER_GRAPH_SAMPLE 64

static __rte_always_inline void bypeer_graph_walk_once(struct rte_graph *graph, bool timed)
{
    /* Sources lie before cir_start, from head (negative) on; streams that became pending follow in a ring. */
    const rte_graph_off_t *ring = graph->cir_start;
    uint32_t head = graph->head;
    while (likely(head != graph->tail)) {
        struct rte_node *node = RTE_PTR_ADD(graph, ring[(int32_t)head++]);
        uint64_t start = timed ? rte_rdtsc() : 0;
        node->total_objs += node->process(graph, node, node->objs, node->idx);
        node->total_calls++;
        if (timed)
            node->total_cycles += (rte_rdtsc() - start) * BYPEER_GRAPH_SAMPLE;
        node->idx = 0;
        head = (int32_t)head > 0 ? head & graph->cir_mask : head;
    }
    graph->tail = 0;
}

static inline void bypeer_graph_walk(struct rte_graph *graph, uint64_t number)
{
    if (unlikely(number % BYPEER_GRAPH_SAMPLE == 0))
        bypeer_graph_walk_once(graph, true);
    else
        bypeer_graph_walk_once(graph, false);
}
