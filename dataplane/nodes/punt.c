/*
 * punt: hands packets to the kernel. In: frames for the TAP of their port, and overlay packets for the TUN, with
 * .device filled in. Out: the ring to the host thread, which counts as punted what the kernel took; drop when the ring
 * is full.
 */
#include "dataplane/nodes/dispatch.h"
#include "dataplane/room.h"

enum { PUNT_DROP, PUNT_EDGES };

static uint16_t punt_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    struct bypeer_worker *worker = bypeer_worker_self();
    struct rte_mbuf **mbufs = (struct rte_mbuf **)objs;

    bypeer_count(worker, BYPEER_COUNT_NODE_PUNT, count);
    if (unlikely(bypeer_trace_runs(worker))) {
        for (unsigned i = 0; i < count; i++)
            bypeer_trace_step(worker, mbufs[i], node->name, NULL);
    }
    bypeer_room_open_burst(mbufs, count);
    unsigned taken = rte_ring_enqueue_burst(worker->punt, objs, count, NULL);
    if (likely(taken == count))
        return count;
    bypeer_room_close_burst(mbufs + taken, count - taken);
    for (unsigned i = taken; i < count; i++)
        bypeer_refuse(bypeer_packet(mbufs[i]), BYPEER_DROP_PUNT_FULL, PUNT_DROP);
    rte_node_enqueue(graph, node, PUNT_DROP, objs + taken, (uint16_t)(count - taken));
    return count;
}

static struct rte_node_register punt_node = {
    .name = "punt",
    .process = punt_process,
    .nb_edges = PUNT_EDGES,
    .next_nodes = {[PUNT_DROP] = "drop"},
};
RTE_NODE_REGISTER(punt_node)
