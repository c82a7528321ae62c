/*
 * relay_neighbour: says on the link that this port has the relay addresses that exist (overlay/relay/neighbour.h). In:
 * solicitations for an address of the relay's prefix, to whatever address they were sent. Out: transmit, answered in
 * place; drop for what is malformed, or asks for an address that nobody has.
 */
#include "dataplane/nodes/relay.h"
#include "dataplane/room.h"

enum { RELAY_NEIGHBOUR_TRANSMIT, RELAY_NEIGHBOUR_DROP, RELAY_NEIGHBOUR_EDGES };

static rte_edge_t relay_neighbour_answer(struct bypeer_worker *worker, struct rte_mbuf *mbuf)
{
    struct bypeer_packet *packet = bypeer_packet(mbuf);
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
    const uint8_t *ip = frame + BYPEER_ETHERNET_BYTES;
    struct bypeer_ipv6 header;
    /* Short frames are padded. */
    if (bypeer_ipv6_parse(&header, ip, mbuf->data_len - (size_t)BYPEER_ETHERNET_BYTES) != 0 ||
        !bypeer_relay_is_solicitation(ip, BYPEER_IPV6_BYTES + (size_t)header.payload_bytes) ||
        (frame[BYPEER_ETHERNET_SOURCE] & 1) != 0)
        return bypeer_refuse(packet, BYPEER_DROP_RELAY_MESSAGE, RELAY_NEIGHBOUR_DROP);
    uint32_t end;
    if (bypeer_relays_find(worker->tables, ip + BYPEER_RELAY_SOLICITATION_TARGET, &end) == NULL)
        return bypeer_refuse(packet, BYPEER_DROP_RELAY_UNKNOWN, RELAY_NEIGHBOUR_DROP);
    if (mbuf->data_len > BYPEER_RELAY_ADVERTISEMENT_BYTES)
        bypeer_room_narrow(mbuf, 0, BYPEER_RELAY_ADVERTISEMENT_BYTES);
    else if (bypeer_room_append(mbuf, (uint16_t)(BYPEER_RELAY_ADVERTISEMENT_BYTES - mbuf->data_len)) == NULL)
        return bypeer_refuse(packet, BYPEER_DROP_NO_BUFFER, RELAY_NEIGHBOUR_DROP);
    bypeer_relay_advertise(frame, worker->ports[packet->port].mac);
    return RELAY_NEIGHBOUR_TRANSMIT;
}

static void relay_neighbour_burst(struct bypeer_worker *worker, struct rte_node *node, struct rte_mbuf **mbufs,
                                  unsigned count, rte_edge_t *nexts)
{
    (void)node;
    for (unsigned i = 0; i < count; i++)
        nexts[i] = relay_neighbour_answer(worker, mbufs[i]);
}

static uint16_t relay_neighbour_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    return bypeer_dispatch(graph, node, objs, count, BYPEER_COUNT_NODE_RELAY_NEIGHBOUR, relay_neighbour_burst);
}

static struct rte_node_register relay_neighbour_node = {
    .name = "relay_neighbour",
    .process = relay_neighbour_process,
    .nb_edges = RELAY_NEIGHBOUR_EDGES,
    .next_nodes = {[RELAY_NEIGHBOUR_TRANSMIT] = "transmit", [RELAY_NEIGHBOUR_DROP] = "drop"},
};
RTE_NODE_REGISTER(relay_neighbour_node)
