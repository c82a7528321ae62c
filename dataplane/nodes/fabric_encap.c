/*
 * fabric_encap: puts the outer headers on. In: IPv6 packets with .egress, a fabric link. Out: transmit with .port
 * filled in; drop when the link's next hop is not resolved.
 *
 * Costs the link's template and the adjacency, two lines that the packets of a burst mostly share, and one pass over
 * the payload where no checksum was received that knows its sum.
 */
#include "dataplane/nodes/dispatch.h"
#include "dataplane/nodes/session.h"
#include "dataplane/room.h"
#include "overlay/fabric/send.h"
#include "overlay/ip/ecn.h"
#include "overlay/ip/ethernet.h"

enum { FABRIC_ENCAP_TRANSMIT, FABRIC_ENCAP_DROP, FABRIC_ENCAP_EDGES };

/* Writes Ethernet and outer headers before the packet. The adjacency's last two bytes of Ethernet are the ethertype. */
static inline rte_edge_t fabric_encap_packet(struct rte_mbuf *mbuf, struct bypeer_packet *packet,
                                             const struct bypeer_link *link, const struct bypeer_adjacency *adjacency)
{
    const uint8_t *inner = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    uint16_t bytes = mbuf->data_len;
    bool is_ipv4 = link->underlay == 4;
    uint16_t outer_bytes = is_ipv4 ? BYPEER_FABRIC_IPV4_TEMPLATE_BYTES : BYPEER_FABRIC_IPV6_TEMPLATE_BYTES;

    if (unlikely(!adjacency->valid))
        return bypeer_refuse(packet, BYPEER_DROP_NO_ADJACENCY, FABRIC_ENCAP_DROP);
    struct bypeer_fabric_variable variable = {
        .inner_bytes = bytes,
        .inner_sum = packet->sum,
        .source_port = bypeer_fabric_source_port(inner, bytes),
        .ecn = bypeer_ecn_encapsulate(bypeer_ipv6_traffic_class(inner)),
    };
    if (unlikely(!packet->sum_known))
        variable.inner_sum = bypeer_checksum_fold(bypeer_checksum_sum(inner, bytes));
    uint8_t *frame = bypeer_room_prepend(mbuf, (uint16_t)(BYPEER_ETHERNET_BYTES + outer_bytes));
    if (unlikely(frame == NULL))
        return bypeer_refuse(packet, BYPEER_DROP_NO_BUFFER, FABRIC_ENCAP_DROP);
    memcpy(frame, adjacency->ether, BYPEER_ETHERNET_BYTES);
    bypeer_store16(frame + BYPEER_ETHERNET_TYPE, is_ipv4 ? BYPEER_ETHERTYPE_IPV4 : BYPEER_ETHERTYPE_IPV6);
    bypeer_fabric_encapsulate(frame + BYPEER_ETHERNET_BYTES, link, &variable);
    packet->port = adjacency->port;
    return FABRIC_ENCAP_TRANSMIT;
}

static void fabric_encap_burst(struct bypeer_worker *worker, struct rte_node *node, struct rte_mbuf **mbufs,
                               unsigned count, rte_edge_t *nexts)
{
    /* Copies, which no store to a packet can change. */
    const struct bypeer_slots links = worker->tables->links, adjacencies = worker->tables->adjacencies;
    (void)node;

    for (unsigned i = 0; i < count; i++) {
        struct bypeer_packet *packet = bypeer_packet(mbufs[i]);
        const struct bypeer_link *link = bypeer_slots_find(&links, packet->egress, sizeof(*link));
        const struct bypeer_adjacency *adjacency = bypeer_slots_find(&adjacencies, link->adjacency, sizeof(*adjacency));
        uint16_t bytes = mbufs[i]->data_len;
        nexts[i] = fabric_encap_packet(mbufs[i], packet, link, adjacency);
        if (likely(nexts[i] == FABRIC_ENCAP_TRANSMIT))
            bypeer_session_sent(worker, link, bytes);
    }
}

static uint16_t fabric_encap_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    return bypeer_dispatch(graph, node, objs, count, BYPEER_COUNT_NODE_FABRIC_ENCAP, fabric_encap_burst);
}

static struct rte_node_register fabric_encap_node = {
    .name = "fabric_encap",
    .process = fabric_encap_process,
    .nb_edges = FABRIC_ENCAP_EDGES,
    .next_nodes = {[FABRIC_ENCAP_TRANSMIT] = "transmit", [FABRIC_ENCAP_DROP] = "drop"},
};
RTE_NODE_REGISTER(fabric_encap_node)
