/*
 * classify: tells what is the overlay's from what is the kernel's. In: frames as received. Out: fabric_decap for UDP to
 * an address and port of a fabric link; drop for what is shorter than its headers say; punt for all else, whole: ARP,
 * neighbour discovery, TCP, ICMP, fragments, extension headers, VLAN tags, other ports, other addresses.
 *
 * Costs the first line of each frame; the tables are asked only for an address and port other than the newest link's.
 */
#include "dataplane/nodes/dispatch.h"
#include "overlay/fabric/receive.h"

enum { CLASSIFY_FABRIC_DECAP, CLASSIFY_PUNT, CLASSIFY_DROP, CLASSIFY_EDGES };

/* The last address and port that were looked up in this burst. */
struct classify_endpoint {
    uint8_t address[16];
    uint16_t udp_port; /* 0: none yet */
    bool ours;
};

static bool classify_look_up(const struct bypeer_tables *tables, struct classify_endpoint *endpoint,
                             const uint8_t address[static 16], uint16_t udp_port)
{
    if (endpoint->udp_port == udp_port && bypeer_ipv6_is_same(endpoint->address, address))
        return endpoint->ours;
    uint8_t key[16];
    const uint8_t *keys[1] = {key};
    const struct bypeer_destination *found[1];
    bypeer_ingress_key(tables->ingresses.seed, address, BYPEER_INGRESS_ENDPOINT | udp_port, key);
    bypeer_ingresses_lookup(tables, keys, 1, found);
    memcpy(endpoint->address, address, 16);
    endpoint->udp_port = udp_port;
    endpoint->ours = found[0] != NULL;
    return endpoint->ours;
}

static inline bool classify_is_ours(const struct bypeer_tables *tables, const struct bypeer_link *newest,
                                    struct classify_endpoint *endpoint, const uint8_t *frame,
                                    const struct bypeer_fabric_outer *outer)
{
    if (likely(outer->underlay == 6 && outer->udp_port == newest->udp_port &&
               bypeer_ipv6_is_same(frame + BYPEER_FABRIC_IP_AT + BYPEER_IPV6_DESTINATION, newest->local)))
        return true;
    uint8_t source[16], destination[16];
    bypeer_fabric_addresses(source, destination, frame, outer);
    if (outer->udp_port == newest->udp_port && bypeer_ipv6_is_same(destination, newest->local))
        return true;
    return outer->udp_port != 0 && classify_look_up(tables, endpoint, destination, outer->udp_port);
}

static void classify_burst(struct bypeer_worker *worker, struct rte_node *node, struct rte_mbuf **mbufs, unsigned count,
                           rte_edge_t *nexts)
{
    const struct bypeer_tables *tables = worker->tables;
    struct classify_endpoint endpoint = {.udp_port = 0};
    const struct bypeer_link *newest = tables == NULL ? NULL : bypeer_tables_link(tables, worker->newest_link);
    (void)node;

    for (unsigned i = 0; i < count; i++) {
        struct bypeer_packet *packet = bypeer_packet(mbufs[i]);
        const uint8_t *frame = rte_pktmbuf_mtod(mbufs[i], const uint8_t *);
        struct bypeer_fabric_outer outer;
        size_t end;
        int status = bypeer_fabric_outer_parse(&outer, &end, frame, mbufs[i]->data_len);
        /* Flooded and multicast frames are the kernel's to judge. */
        bool to_port = memcmp(frame + BYPEER_ETHERNET_DESTINATION, worker->ports[packet->port].mac, 6) == 0;
        if (likely(status == 0 && to_port && tables != NULL &&
                   classify_is_ours(tables, newest, &endpoint, frame, &outer))) {
            packet->underlay = outer.underlay;
            nexts[i] = CLASSIFY_FABRIC_DECAP;
            if (unlikely(!bypeer_fabric_is_whole(&outer, end)))
                nexts[i] = bypeer_refuse(packet, BYPEER_DROP_LENGTH, CLASSIFY_DROP);
        } else if (status == 0 || status == -EPROTONOSUPPORT) {
            packet->device = BYPEER_DEVICE_UNDERLAY;
            nexts[i] = CLASSIFY_PUNT;
        } else {
            nexts[i] = bypeer_refuse(packet, status == -EBADMSG ? BYPEER_DROP_RUNT : BYPEER_DROP_LENGTH, CLASSIFY_DROP);
        }
    }
}

static uint16_t classify_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    return bypeer_dispatch(graph, node, objs, count, BYPEER_COUNT_NODE_CLASSIFY, classify_burst);
}

static struct rte_node_register classify_node = {
    .name = "classify",
    .process = classify_process,
    .nb_edges = CLASSIFY_EDGES,
    .next_nodes = {[CLASSIFY_FABRIC_DECAP] = "fabric_decap", [CLASSIFY_PUNT] = "punt", [CLASSIFY_DROP] = "drop"},
};
RTE_NODE_REGISTER(classify_node)
