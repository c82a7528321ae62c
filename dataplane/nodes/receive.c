/*
 * receive: reads one queue of one port, a clone for each. In: frames from the device. Out: classify; drop for what no
 * node could look at (frames in several buffers, or too short for Ethernet). Costs the device's own burst, and the
 * first line of each frame is prefetched for classify.
 */
#include "dataplane/nodes/receive.h"

#include <rte_ethdev.h>

#include "dataplane/nodes/dispatch.h"
#include "dataplane/room.h"
#include "overlay/ip/ethernet.h"

enum { RECEIVE_CLASSIFY, RECEIVE_DROP, RECEIVE_EDGES };

/* Why a frame cannot be looked at, or 0. */
static inline unsigned receive_refusal(const struct rte_mbuf *mbuf)
{
    if (unlikely(mbuf->nb_segs != 1))
        return BYPEER_DROP_MULTI_SEGMENT;
    if (unlikely(mbuf->data_len < BYPEER_ETHERNET_BYTES))
        return BYPEER_DROP_RUNT;
    return 0;
}

/* Sends the frames on one by one: some of them are refused, or a trace runs. */
static void receive_sort(struct rte_graph *graph, struct rte_node *node, struct bypeer_worker *worker,
                         struct rte_mbuf **mbufs, unsigned count)
{
    struct rte_mbuf *frames[BYPEER_LOOKUP_BURST];
    memcpy(frames, mbufs, count * sizeof(frames[0]));
    bool runs = bypeer_trace_runs(worker);
    for (unsigned i = 0; i < count; i++) {
        unsigned reason = receive_refusal(frames[i]);
        rte_edge_t next = RECEIVE_CLASSIFY;
        if (reason != 0)
            next = bypeer_refuse(bypeer_packet(frames[i]), reason, RECEIVE_DROP);
        if (runs) {
            bypeer_trace_begin(worker, frames[i]);
            bypeer_dispatch_trace(worker, node, &frames[i], &next, 1);
        }
        rte_node_enqueue_x1(graph, node, next, frames[i]);
    }
}

static uint16_t receive_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    struct bypeer_worker *worker = bypeer_worker_self();
    struct bypeer_queue queue;
    memcpy(&queue, node->ctx, sizeof(queue));
    (void)objs;
    (void)count;

    /* Straight into classify's stream: graph.c made it large enough. */
    void **stream = rte_node_next_stream_get(graph, node, RECEIVE_CLASSIFY, worker->burst);
    struct rte_mbuf **mbufs = (struct rte_mbuf **)stream;
    uint16_t received = rte_eth_rx_burst(queue.port_id, queue.queue, mbufs, worker->burst);
    if (received == 0)
        return 0;
    bypeer_count(worker, BYPEER_COUNT_RECEIVED, received);
    bypeer_count(worker, BYPEER_COUNT_NODE_RECEIVE, received);

    unsigned refused = 0;
    for (unsigned i = 0; i < received; i++) {
        rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
        bypeer_room_close(mbufs[i]);
        *bypeer_packet(mbufs[i]) = (struct bypeer_packet){.port = queue.port};
        refused |= receive_refusal(mbufs[i]);
    }
    if (likely(refused == 0 && !bypeer_trace_runs(worker)))
        rte_node_next_stream_put(graph, node, RECEIVE_CLASSIFY, received);
    else
        receive_sort(graph, node, worker, mbufs, received);
    return received;
}

static struct rte_node_register receive_node = {
    .name = "receive",
    .flags = RTE_NODE_SOURCE_F,
    .process = receive_process,
    .nb_edges = RECEIVE_EDGES,
    .next_nodes = {[RECEIVE_CLASSIFY] = "classify", [RECEIVE_DROP] = "drop"},
};
RTE_NODE_REGISTER(receive_node)

rte_node_t bypeer_receive_node(void)
{
    return receive_node.id;
}
