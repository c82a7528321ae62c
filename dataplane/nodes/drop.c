/*
 * drop: the end of a packet that goes nowhere. In: packets with their reason filled in. Out: nothing; the buffers go
 * back to their pool, and each counts under exactly one reason.
 */
#include "dataplane/nodes/dispatch.h"
#include "dataplane/room.h"

static void drop_trace(struct bypeer_worker *worker, const struct rte_node *node, struct rte_mbuf **mbufs,
                       unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        bypeer_trace_step(worker, mbufs[i], node->name, bypeer_counter_names[bypeer_packet(mbufs[i])->reason].name);
}

static uint16_t drop_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    struct bypeer_worker *worker = bypeer_worker_self();
    struct rte_mbuf **mbufs = (struct rte_mbuf **)objs;
    (void)graph;

    bypeer_count(worker, BYPEER_COUNT_NODE_DROP, count);
    if (unlikely(bypeer_trace_runs(worker)))
        drop_trace(worker, node, mbufs, count);
    for (unsigned i = 0; i < count; i++)
        bypeer_count(worker, bypeer_packet(mbufs[i])->reason, 1);
    bypeer_room_free_bulk(mbufs, count);
    return count;
}

static struct rte_node_register drop_node = {
    .name = "drop",
    .process = drop_process,
};
RTE_NODE_REGISTER(drop_node)
