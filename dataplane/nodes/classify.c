/*
 * classify: tells what is the overlay's from what is the kernel's. In: frames as received. Out: fabric_decap for UDP to
 * an address and port of a fabric link; pnrp for those of a cloud; wireguard_open for those of WireGuard; relay for all
 * that is for the relay's prefix, and for UDP over IPv4 to one of its ports; relay_neighbour for who asks for an
 * address of the prefix; drop for what is shorter than its headers say; punt for all else, whole: ARP, neighbour
 * discovery, TCP, ICMP, fragments, extension headers, VLAN tags, other ports, other addresses.
 *
 * Costs the first line of each frame; the tables are asked only for an address and port other than the newest link's.
 */
#include "dataplane/nodes/dispatch.h"
#include "dataplane/nodes/relay.h"
#include "overlay/fabric/receive.h"
#include "overlay/tables/names.h"

enum {
    CLASSIFY_FABRIC_DECAP,
    CLASSIFY_PNRP,
    CLASSIFY_WIREGUARD_OPEN,
    CLASSIFY_RELAY,
    CLASSIFY_RELAY_NEIGHBOUR,
    CLASSIFY_PUNT,
    CLASSIFY_DROP,
    CLASSIFY_EDGES,
};

enum classify_owner { CLASSIFY_KERNEL, CLASSIFY_FABRIC, CLASSIFY_CLOUD, CLASSIFY_WIREGUARD, CLASSIFY_RELAYED };

/* The last address and port that were looked up in this burst. */
struct classify_endpoint {
    uint8_t address[16];
    uint16_t udp_port; /* 0: none yet */
    uint8_t cloud;     /* number, if it is a cloud's */
    enum classify_owner owner;
};

static enum classify_owner classify_look_up(const struct bypeer_tables *tables, struct classify_endpoint *endpoint,
                                            const uint8_t address[static 16], uint16_t udp_port)
{
    if (endpoint->udp_port == udp_port && bypeer_ipv6_is_same(endpoint->address, address))
        return endpoint->owner;
    uint8_t key[16];
    const uint8_t *keys[1] = {key};
    const struct bypeer_destination *found[1];
    bypeer_ingress_key(tables->ingresses.seed, address, BYPEER_INGRESS_ENDPOINT | udp_port, key);
    bypeer_ingresses_lookup(tables, keys, 1, found);
    memcpy(endpoint->address, address, 16);
    endpoint->udp_port = udp_port;
    endpoint->owner = found[0] == NULL ? CLASSIFY_KERNEL : CLASSIFY_FABRIC;
    if (found[0] != NULL && (found[0]->flags & BYPEER_DESTINATION_CLOUD) != 0) {
        endpoint->owner = CLASSIFY_CLOUD;
        endpoint->cloud = found[0]->link <= BYPEER_CLOUDS_MAX ? (uint8_t)found[0]->link : 0;
    } else if (found[0] != NULL && (found[0]->flags & BYPEER_DESTINATION_WIREGUARD) != 0) {
        endpoint->owner = CLASSIFY_WIREGUARD;
    }
    return endpoint->owner;
}

static inline enum classify_owner classify_owner(const struct bypeer_tables *tables, const struct bypeer_link *newest,
                                                 const struct relay_scope *scope, struct classify_endpoint *endpoint,
                                                 const uint8_t *frame, const struct bypeer_fabric_outer *outer)
{
    if (likely(outer->underlay == 6 && outer->udp_port == newest->udp_port &&
               bypeer_ipv6_is_same(frame + BYPEER_FABRIC_IP_AT + BYPEER_IPV6_DESTINATION, newest->local)))
        return CLASSIFY_FABRIC;
    if (outer->underlay == 6 ? relay_has(scope, frame + BYPEER_FABRIC_IP_AT + BYPEER_IPV6_DESTINATION)
                             : relay_has_port(scope, outer->udp_port))
        return CLASSIFY_RELAYED;
    uint8_t source[16], destination[16];
    bypeer_fabric_addresses(source, destination, frame, outer);
    if (outer->udp_port == newest->udp_port && bypeer_ipv6_is_same(destination, newest->local))
        return CLASSIFY_FABRIC;
    return outer->udp_port == 0 ? CLASSIFY_KERNEL : classify_look_up(tables, endpoint, destination, outer->udp_port);
}

/* A datagram that goes this way if it lies within the IP packet, which ends there. */
static inline rte_edge_t classify_whole(struct bypeer_packet *packet, const struct bypeer_fabric_outer *outer,
                                        size_t end, rte_edge_t way)
{
    if (likely(outer->udp_length >= BYPEER_UDP_BYTES && outer->udp_at + outer->udp_length <= end))
        return way;
    return bypeer_refuse(packet, BYPEER_DROP_LENGTH, CLASSIFY_DROP);
}

/* What is no UDP: the relay's whatever it is, if it is for its prefix, so that none of it is routed back. */
static rte_edge_t classify_other(struct bypeer_packet *packet, const struct relay_scope *scope, const uint8_t *frame,
                                 size_t length, bool to_port)
{
    const uint8_t *ip = frame + BYPEER_FABRIC_IP_AT;
    if (to_port && bypeer_load16(frame + BYPEER_ETHERNET_TYPE) == BYPEER_ETHERTYPE_IPV6 && ip[0] >> 4 == 6 &&
        relay_has(scope, ip + BYPEER_IPV6_DESTINATION)) {
        packet->underlay = 6;
        return CLASSIFY_RELAY;
    }
    if (!to_port && relay_is_asked(scope, frame, length))
        return CLASSIFY_RELAY_NEIGHBOUR;
    packet->device = BYPEER_DEVICE_UNDERLAY;
    return CLASSIFY_PUNT;
}

static void classify_burst(struct bypeer_worker *worker, struct rte_node *node, struct rte_mbuf **mbufs, unsigned count,
                           rte_edge_t *nexts)
{
    const struct bypeer_tables *tables = worker->tables;
    const struct relay_scope scope = relay_scope(tables);
    struct classify_endpoint endpoint = {.udp_port = 0};
    const struct bypeer_link *newest = tables == NULL ? NULL : bypeer_tables_link(tables, worker->newest_link);
    (void)node;

    for (unsigned i = 0; i < count; i++) {
        struct bypeer_packet *packet = bypeer_packet(mbufs[i]);
        const uint8_t *frame = rte_pktmbuf_mtod(mbufs[i], const uint8_t *);
        struct bypeer_fabric_outer outer = {.underlay = 0};
        size_t end = 0;
        int status = bypeer_fabric_outer_parse(&outer, &end, frame, mbufs[i]->data_len);
        /* Flooded and multicast frames are the kernel's to judge. */
        bool to_port = bypeer_ethernet_is_same(frame + BYPEER_ETHERNET_DESTINATION, worker->ports[packet->port].mac);
        enum classify_owner owner = CLASSIFY_KERNEL;
        if (likely(status == 0 && to_port && tables != NULL))
            owner = classify_owner(tables, newest, &scope, &endpoint, frame, &outer);
        if (likely(owner == CLASSIFY_FABRIC)) {
            packet->underlay = outer.underlay;
            nexts[i] = CLASSIFY_FABRIC_DECAP;
            if (unlikely(!bypeer_fabric_is_whole(&outer, end)))
                nexts[i] = bypeer_refuse(packet, BYPEER_DROP_LENGTH, CLASSIFY_DROP);
        } else if (owner == CLASSIFY_CLOUD && outer.underlay == 6) { /* PNRP is spoken over nothing else */
            packet->cloud = endpoint.cloud;
            nexts[i] = classify_whole(packet, &outer, end, CLASSIFY_PNRP);
        } else if (owner == CLASSIFY_WIREGUARD) {
            rte_prefetch0(frame + RTE_CACHE_LINE_SIZE); /* where the message begins */
            packet->underlay = outer.underlay;
            nexts[i] = classify_whole(packet, &outer, end, CLASSIFY_WIREGUARD_OPEN);
        } else if (owner == CLASSIFY_RELAYED) {
            rte_prefetch0(frame + RTE_CACHE_LINE_SIZE); /* where the message begins */
            packet->underlay = outer.underlay;
            nexts[i] = CLASSIFY_RELAY;
        } else if (status == -EPROTONOSUPPORT) {
            nexts[i] = classify_other(packet, &scope, frame, mbufs[i]->data_len, to_port);
        } else if (status == 0) {
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
    .next_nodes = {[CLASSIFY_FABRIC_DECAP] = "fabric_decap",
                   [CLASSIFY_PNRP] = "pnrp",
                   [CLASSIFY_RELAY] = "relay",
                   [CLASSIFY_RELAY_NEIGHBOUR] = "relay_neighbour",
                   [CLASSIFY_WIREGUARD_OPEN] = "wireguard_open",
                   [CLASSIFY_PUNT] = "punt",
                   [CLASSIFY_DROP] = "drop"},
};
RTE_NODE_REGISTER(classify_node)
