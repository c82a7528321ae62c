/*
 * fabric_decap: takes the outer headers off. In: datagrams to the address and port of a fabric link. Out:
 * overlay_lookup for inner IPv6 packets of a listed peer, .ingress and .sum filled in; drop for everything else.
 *
 * Costs one pass over the payload where the sender computed a UDP checksum. The link of a packet is first looked for
 * among recent ones, and compared exactly before it is believed; the rest of a burst asks the ingress table at once.
 */
#include "dataplane/nodes/dispatch.h"
#include "dataplane/nodes/session.h"
#include "dataplane/room.h"
#include "overlay/fabric/receive.h"

enum { FABRIC_DECAP_LOOKUP, FABRIC_DECAP_DROP, FABRIC_DECAP_EDGES };

static const uint8_t fabric_decap_reasons[BYPEER_FABRIC_REFUSALS] = {
    [BYPEER_FABRIC_LENGTH] = BYPEER_DROP_LENGTH,
    [BYPEER_FABRIC_GPE_HEADER] = BYPEER_DROP_GPE_HEADER,
    [BYPEER_FABRIC_OUTER_CHECKSUM] = BYPEER_DROP_OUTER_CHECKSUM,
    [BYPEER_FABRIC_INNER_HEADER] = BYPEER_DROP_INNER_HEADER,
    [BYPEER_FABRIC_ECN] = BYPEER_DROP_ECN,
};

/* One datagram on its way through the burst. */
struct fabric_decap {
    struct bypeer_fabric_outer outer;
    uint8_t peer[16], local[16];
    uint32_t vni;
    uint32_t link_id;
    const struct bypeer_link *link; /* NULL: not found, or refused */
};

/* Whether the datagram came by this link: both outer addresses, the port and the VNI are the link's. */
static inline bool fabric_decap_is_of(const struct bypeer_link *link, const struct fabric_decap *datagram)
{
    return link->kind == BYPEER_LINK_FABRIC && link->vni == datagram->vni &&
           link->udp_port == datagram->outer.udp_port && bypeer_ipv6_is_same(link->peer, datagram->peer) &&
           bypeer_ipv6_is_same(link->local, datagram->local);
}

/* Where the worker remembers the link of this peer and VNI. */
static inline uint32_t *fabric_decap_recent(struct bypeer_worker *worker, const struct fabric_decap *datagram)
{
    uint64_t hash = bypeer_load64_raw(datagram->peer) + bypeer_load64_raw(datagram->peer + 8) + datagram->vni;
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return &worker->recent_links[hash >> (64 - BYPEER_RECENT_LINK_BITS)];
}

/* Asks the ingress table about the count datagrams whose numbers are in pending. */
static void fabric_decap_look_up(struct bypeer_worker *worker, struct fabric_decap *datagrams, const uint8_t *pending,
                                 unsigned count)
{
    const struct bypeer_tables *tables = worker->tables;
    uint8_t keys[BYPEER_BURST_MAX][16];
    const uint8_t *key_of[BYPEER_BURST_MAX];
    const struct bypeer_destination *found[BYPEER_BURST_MAX];
    for (unsigned i = 0; i < count; i++) {
        const struct fabric_decap *datagram = &datagrams[pending[i]];
        bypeer_ingress_key(tables->ingresses.seed, datagram->peer, datagram->vni, keys[i]);
        key_of[i] = keys[i];
    }
    bypeer_ingresses_lookup(tables, key_of, count, found);
    for (unsigned i = 0; i < count; i++) {
        struct fabric_decap *datagram = &datagrams[pending[i]];
        if (found[i] == NULL)
            continue;
        const struct bypeer_link *link = bypeer_tables_link(tables, found[i]->link);
        if (!fabric_decap_is_of(link, datagram))
            continue;
        datagram->link = link;
        datagram->link_id = found[i]->link;
        *fabric_decap_recent(worker, datagram) = worker->newest_link = found[i]->link;
    }
}

/* Reads the tunnel headers and finds the link of each datagram; what is refused has its edge and no link. */
static void fabric_decap_find(struct bypeer_worker *worker, struct rte_mbuf **mbufs, unsigned count,
                              struct fabric_decap *datagrams, rte_edge_t *nexts)
{
    uint8_t pending[BYPEER_BURST_MAX];
    unsigned pending_count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct fabric_decap *datagram = &datagrams[i];
        struct bypeer_packet *packet = bypeer_packet(mbufs[i]);
        const uint8_t *frame = rte_pktmbuf_mtod(mbufs[i], const uint8_t *);
        datagram->link = NULL;
        if (unlikely(bypeer_fabric_outer_parse(&datagram->outer, frame, mbufs[i]->data_len) != 0)) {
            nexts[i] = bypeer_refuse(packet, BYPEER_DROP_LENGTH, FABRIC_DECAP_DROP);
            continue;
        }
        enum bypeer_fabric_refusal refusal = bypeer_fabric_tunnel_parse(&datagram->vni, frame, &datagram->outer);
        if (unlikely(refusal != BYPEER_FABRIC_TAKEN)) {
            nexts[i] = bypeer_refuse(packet, fabric_decap_reasons[refusal], FABRIC_DECAP_DROP);
            continue;
        }
        bypeer_fabric_addresses(datagram->peer, datagram->local, frame, &datagram->outer);
        nexts[i] = bypeer_refuse(packet, BYPEER_DROP_FABRIC_PEER, FABRIC_DECAP_DROP);
        datagram->link_id = *fabric_decap_recent(worker, datagram);
        const struct bypeer_link *recent = bypeer_tables_link(worker->tables, datagram->link_id);
        if (likely(fabric_decap_is_of(recent, datagram)))
            datagram->link = recent;
        else
            pending[pending_count++] = (uint8_t)i;
    }
    if (pending_count != 0)
        fabric_decap_look_up(worker, datagrams, pending, pending_count);
}

static void fabric_decap_burst(struct bypeer_worker *worker, struct rte_node *node, struct rte_mbuf **mbufs,
                               unsigned count, rte_edge_t *nexts)
{
    struct fabric_decap datagrams[BYPEER_BURST_MAX];
    struct bypeer_tally tally = {.link = NULL};
    (void)node;

    fabric_decap_find(worker, mbufs, count, datagrams, nexts);
    for (unsigned i = 0; i < count; i++) {
        const struct fabric_decap *datagram = &datagrams[i];
        struct bypeer_packet *packet = bypeer_packet(mbufs[i]);
        struct bypeer_fabric_inner inner;
        if (unlikely(datagram->link == NULL))
            continue;
        enum bypeer_fabric_refusal refusal =
            bypeer_fabric_open(&inner, rte_pktmbuf_mtod(mbufs[i], uint8_t *), &datagram->outer);
        if (unlikely(refusal != BYPEER_FABRIC_TAKEN)) {
            bypeer_refuse(packet, fabric_decap_reasons[refusal], FABRIC_DECAP_DROP);
            continue;
        }
        bypeer_room_narrow(mbufs[i], inner.at, inner.bytes);
        packet->ingress = datagram->link_id;
        packet->sum = inner.sum;
        packet->sum_known = inner.sum_known;
        nexts[i] = FABRIC_DECAP_LOOKUP;
        if (datagram->link != tally.link) {
            bypeer_tally_received(worker, &tally);
            tally = (struct bypeer_tally){.link = datagram->link};
        }
        tally.packets++;
        tally.bytes += inner.bytes;
    }
    bypeer_tally_received(worker, &tally);
}

static uint16_t fabric_decap_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    return bypeer_dispatch(graph, node, objs, count, BYPEER_COUNT_NODE_FABRIC_DECAP, fabric_decap_burst);
}

static struct rte_node_register fabric_decap_node = {
    .name = "fabric_decap",
    .process = fabric_decap_process,
    .nb_edges = FABRIC_DECAP_EDGES,
    .next_nodes = {[FABRIC_DECAP_LOOKUP] = "overlay_lookup", [FABRIC_DECAP_DROP] = "drop"},
};
RTE_NODE_REGISTER(fabric_decap_node)
