/*
 * transmit: the end of a frame that leaves by a port. In: frames with their port's number filled in. Out: the device;
 * drop for what it does not accept. Frames of one port in a row go in one call, so order within a flow is kept.
 */
#include <rte_ethdev.h>

#include "dataplane/nodes/dispatch.h"
#include "dataplane/room.h"

enum { TRANSMIT_DROP, TRANSMIT_EDGES };

static void transmit_drop(struct rte_graph *graph, struct rte_node *node, struct rte_mbuf **mbufs, unsigned count,
                          enum bypeer_counter reason)
{
    bypeer_room_close_burst(mbufs, count);
    for (unsigned i = 0; i < count; i++)
        bypeer_refuse(bypeer_packet(mbufs[i]), reason, TRANSMIT_DROP);
    rte_node_enqueue(graph, node, TRANSMIT_DROP, (void **)mbufs, (uint16_t)count);
}

/* Frames that all go to the same port. */
static void transmit_run(struct rte_graph *graph, struct rte_node *node, struct bypeer_worker *worker,
                         struct rte_mbuf **mbufs, unsigned count, uint16_t port)
{
    if (unlikely(port >= worker->port_count)) {
        transmit_drop(graph, node, mbufs, count, BYPEER_DROP_NO_PORT);
        return;
    }
    bypeer_room_open_burst(mbufs, count);
    uint16_t sent = rte_eth_tx_burst(worker->ports[port].port_id, worker->index, mbufs, (uint16_t)count);
    bypeer_count(worker, BYPEER_COUNT_SENT, sent);
    if (unlikely(sent < count))
        transmit_drop(graph, node, mbufs + sent, count - sent, BYPEER_DROP_TRANSMIT_FULL);
}

static uint16_t transmit_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    struct bypeer_worker *worker = bypeer_worker_self();
    struct rte_mbuf **mbufs = (struct rte_mbuf **)objs;

    bypeer_count(worker, BYPEER_COUNT_NODE_TRANSMIT, count);
    if (unlikely(bypeer_trace_runs(worker))) {
        for (unsigned i = 0; i < count; i++)
            bypeer_trace_step(worker, mbufs[i], node->name, NULL);
    }
    unsigned start = 0;
    uint16_t port = bypeer_packet(mbufs[0])->port;
    for (unsigned i = 1; i < count; i++) {
        uint16_t other = bypeer_packet(mbufs[i])->port;
        if (likely(other == port))
            continue;
        transmit_run(graph, node, worker, mbufs + start, i - start, port);
        start = i;
        port = other;
    }
    transmit_run(graph, node, worker, mbufs + start, count - start, port);
    return count;
}

static struct rte_node_register transmit_node = {
    .name = "transmit",
    .process = transmit_process,
    .nb_edges = TRANSMIT_EDGES,
    .next_nodes = {[TRANSMIT_DROP] = "drop"},
};
RTE_NODE_REGISTER(transmit_node)
