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
    [BYPEER_FABRIC_OUTER_CHECKSUM] = BYPEER_DROP_OUTER_CHECKSUM,
    [BYPEER_FABRIC_INNER_HEADER] = BYPEER_DROP_INNER_HEADER,
    [BYPEER_FABRIC_ECN] = BYPEER_DROP_ECN,
};

/* Where the worker remembers the link of this peer and VNI. */
static inline uint32_t *fabric_decap_recent(struct bypeer_worker *worker, const uint8_t *frame,
                                            const struct bypeer_fabric_outer *outer)
{
    const uint8_t *ip = frame + BYPEER_FABRIC_IP_AT;
    uint64_t hash = bypeer_load64_raw(bypeer_fabric_gpe(frame, outer));
    if (outer->underlay == 6)
        hash += bypeer_load64_raw(ip + BYPEER_IPV6_SOURCE) + bypeer_load64_raw(ip + BYPEER_IPV6_SOURCE + 8);
    else
        hash += bypeer_load32_raw(ip + BYPEER_IPV4_SOURCE);
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return &worker->recent_links[hash >> (64 - BYPEER_RECENT_LINK_BITS)];
}

/* A datagram whose link is known: verified, counted, and cut down to the packet in it. */
static inline rte_edge_t fabric_decap_open(const struct bypeer_worker *worker, struct rte_mbuf *mbuf,
                                           const struct bypeer_fabric_outer *outer, const struct bypeer_link *link,
                                           uint32_t link_id, uint64_t constant_sum)
{
    struct bypeer_packet *packet = bypeer_packet(mbuf);
    struct bypeer_fabric_inner inner;
    enum bypeer_fabric_refusal refusal =
        bypeer_fabric_open(&inner, rte_pktmbuf_mtod(mbuf, uint8_t *), outer, constant_sum);
    if (unlikely(refusal != BYPEER_FABRIC_TAKEN))
        return bypeer_refuse(packet, fabric_decap_reasons[refusal], FABRIC_DECAP_DROP);
    bypeer_room_narrow(mbuf, inner.at, inner.bytes);
    packet->ingress = link_id;
    packet->sum = inner.sum;
    packet->sum_known = inner.sum_known;
    bypeer_session_received(worker, link, worker->now_realtime_s * UINT64_C(1000000000), inner.bytes);
    return FABRIC_DECAP_LOOKUP;
}

/* A datagram that no recent link is known for. */
struct fabric_decap_stranger {
    struct bypeer_fabric_outer outer;
    uint8_t peer[16], local[16];
    uint32_t vni;
    uint8_t number; /* in the burst */
};

/* Whether the datagram came by this link: both outer addresses, their family (an IPv6 packet may carry IPv4-mapped
 * ones), the port and the VNI are the link's. */
static bool fabric_decap_is_of(const struct bypeer_link *link, const struct fabric_decap_stranger *stranger)
{
    return link->kind == BYPEER_LINK_FABRIC && link->underlay == stranger->outer.underlay &&
           link->vni == stranger->vni && link->udp_port == stranger->outer.udp_port &&
           bypeer_ipv6_is_same(link->peer, stranger->peer) && bypeer_ipv6_is_same(link->local, stranger->local);
}

/* Asks the ingress table about datagrams whose link is not known, all at once. */
static __rte_noinline void fabric_decap_strangers(struct bypeer_worker *worker, struct rte_mbuf **mbufs,
                                                  const struct fabric_decap_stranger *strangers, unsigned count,
                                                  rte_edge_t *nexts)
{
    const struct bypeer_tables *tables = worker->tables;
    uint8_t keys[BYPEER_BURST_MAX][16];
    const uint8_t *key_of[BYPEER_BURST_MAX] = {NULL};
    const struct bypeer_destination *found[BYPEER_BURST_MAX];
    for (unsigned i = 0; i < count; i++) {
        bypeer_ingress_key(tables->ingresses.seed, strangers[i].peer, strangers[i].vni, keys[i]);
        key_of[i] = keys[i];
    }
    bypeer_ingresses_lookup(tables, key_of, count, found);
    for (unsigned i = 0; i < count; i++) {
        const struct fabric_decap_stranger *stranger = &strangers[i];
        struct rte_mbuf *mbuf = mbufs[stranger->number];
        const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
        uint32_t link_id = found[i] == NULL ? 0 : found[i]->link;
        const struct bypeer_link *link = bypeer_tables_link(tables, link_id);
        if (!fabric_decap_is_of(link, stranger)) {
            nexts[stranger->number] = bypeer_refuse(bypeer_packet(mbuf), BYPEER_DROP_FABRIC_PEER, FABRIC_DECAP_DROP);
            continue;
        }
        *fabric_decap_recent(worker, frame, &stranger->outer) = worker->newest_link = link_id;
        nexts[stranger->number] = fabric_decap_open(worker, mbuf, &stranger->outer, link, link_id,
                                                    bypeer_fabric_constant_sum(frame, &stranger->outer));
    }
}

/* Reads a datagram that came by no recent link. Whether it is to be looked up; else *ret_next says where it goes. */
static __rte_noinline bool fabric_decap_meet(struct rte_mbuf *mbuf, const struct bypeer_fabric_outer *outer,
                                             struct fabric_decap_stranger *ret_stranger, rte_edge_t *ret_next)
{
    const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    if (bypeer_gpe_parse(&ret_stranger->vni, bypeer_fabric_gpe(frame, outer)) != 0) {
        *ret_next = bypeer_refuse(bypeer_packet(mbuf), BYPEER_DROP_GPE_HEADER, FABRIC_DECAP_DROP);
        return false;
    }
    ret_stranger->outer = *outer;
    bypeer_fabric_addresses(ret_stranger->peer, ret_stranger->local, frame, outer);
    return true;
}

static void fabric_decap_burst(struct bypeer_worker *worker, struct rte_node *node, struct rte_mbuf **mbufs,
                               unsigned count, rte_edge_t *nexts)
{
    const struct bypeer_slots links = worker->tables->links;
    struct fabric_decap_stranger strangers[BYPEER_BURST_MAX];
    unsigned stranger_count = 0;
    (void)node;

    for (unsigned i = 0; i < count; i++) {
        const uint8_t *frame = rte_pktmbuf_mtod(mbufs[i], const uint8_t *);
        struct bypeer_fabric_outer outer = bypeer_fabric_outer_read(frame, bypeer_packet(mbufs[i])->underlay);
        uint32_t link_id = *fabric_decap_recent(worker, frame, &outer);
        const struct bypeer_link *link = bypeer_slots_find(&links, link_id, sizeof(*link));
        if (likely(bypeer_fabric_is_from(link, frame, &outer))) {
            nexts[i] = fabric_decap_open(worker, mbufs[i], &outer, link, link_id, bypeer_fabric_template_sum(link));
        } else {
            strangers[stranger_count].number = (uint8_t)i;
            stranger_count += fabric_decap_meet(mbufs[i], &outer, &strangers[stranger_count], &nexts[i]);
        }
    }
    if (unlikely(stranger_count != 0))
        fabric_decap_strangers(worker, mbufs, strangers, stranger_count, nexts);
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
