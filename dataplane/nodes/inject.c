/*
 * inject: takes what the kernel sends. In: the ring from the host thread, which has counted each packet. Out: whole
 * frames of a TAP go to transmit, packets of the TUN to overlay_lookup, keepalives of the host thread's own to
 * wireguard_seal; drop for what is no whole IPv6 packet.
 */
#include "dataplane/nodes/inject.h"

#include "dataplane/nodes/dispatch.h"
#include "dataplane/room.h"
#include "overlay/ip/ipv6.h"

enum { INJECT_LOOKUP, INJECT_TRANSMIT, INJECT_WIREGUARD_SEAL, INJECT_DROP, INJECT_EDGES };

static rte_edge_t inject_next(const struct bypeer_worker *worker, struct rte_mbuf *mbuf, struct bypeer_packet *packet)
{
    if (mbuf->nb_segs != 1)
        return bypeer_refuse(packet, BYPEER_DROP_MULTI_SEGMENT, INJECT_DROP);
    if (packet->device == BYPEER_DEVICE_UNDERLAY)
        return INJECT_TRANSMIT;
    if (packet->device == BYPEER_DEVICE_KEEPALIVE) /* the host thread may have had tables before this worker */
        return likely(worker->tables != NULL) ? INJECT_WIREGUARD_SEAL
                                              : bypeer_refuse(packet, BYPEER_DROP_NO_TABLES, INJECT_DROP);
    struct bypeer_ipv6 header;
    if (bypeer_ipv6_parse(&header, rte_pktmbuf_mtod(mbuf, const uint8_t *), mbuf->data_len) != 0)
        return bypeer_refuse(packet, BYPEER_DROP_INNER_HEADER, INJECT_DROP);
    bypeer_room_trim(mbuf, (uint16_t)(mbuf->data_len - BYPEER_IPV6_BYTES - header.payload_bytes));
    return INJECT_LOOKUP;
}

static uint16_t inject_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    struct bypeer_worker *worker = bypeer_worker_self();
    struct rte_mbuf *mbufs[BYPEER_INJECT_BURST];
    (void)objs;
    (void)count;

    unsigned taken = rte_ring_dequeue_burst(worker->inject, (void **)mbufs, BYPEER_INJECT_BURST, NULL);
    if (taken == 0)
        return 0;
    bypeer_count(worker, BYPEER_COUNT_NODE_INJECT, taken);
    bypeer_room_close_burst(mbufs, taken);
    bool runs = bypeer_trace_runs(worker);
    for (unsigned i = 0; i < taken; i++) {
        struct bypeer_packet *packet = bypeer_packet(mbufs[i]);
        *packet = (struct bypeer_packet){.port = packet->port, .device = packet->device, .egress = packet->egress};
        rte_edge_t next = inject_next(worker, mbufs[i], packet);
        if (unlikely(runs)) {
            bypeer_trace_begin(worker, mbufs[i]);
            bypeer_dispatch_trace(worker, node, &mbufs[i], &next, 1);
        }
        rte_node_enqueue_x1(graph, node, next, mbufs[i]);
    }
    return (uint16_t)taken;
}

static struct rte_node_register inject_node = {
    .name = "inject",
    .flags = RTE_NODE_SOURCE_F,
    .process = inject_process,
    .nb_edges = INJECT_EDGES,
    .next_nodes = {[INJECT_LOOKUP] = "overlay_lookup",
                   [INJECT_TRANSMIT] = "transmit",
                   [INJECT_WIREGUARD_SEAL] = "wireguard_seal",
                   [INJECT_DROP] = "drop"},
};
RTE_NODE_REGISTER(inject_node)
