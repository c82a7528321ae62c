/*
 * overlay_lookup: who may send this, and where does it go? In: IPv6 packets with .ingress filled in, or 0 for this
 * host's own. Out: policy with .egress and .group filled in; multicast with .group, the source's; icmp_error where
 * there is no route; drop for a source that is not routed through the link that the packet came by.
 *
 * Costs two dependent cache lines for the destination and two for the source, all of a burst overlapped; where there
 * are many links, that of the destination is fetched for the nodes behind. What the exact match misses (members of
 * prefixes, strangers) is looked up one by one.
 */
#include "dataplane/nodes/dispatch.h"
#include "overlay/ip/icmpv6.h"

enum {
    OVERLAY_LOOKUP_POLICY,
    OVERLAY_LOOKUP_MULTICAST,
    OVERLAY_LOOKUP_ICMP_ERROR,
    OVERLAY_LOOKUP_DROP,
    OVERLAY_LOOKUP_EDGES
};

/* VXLAN-GPE authenticates nobody: each inner source must be routed through the peer that sent it; the host's own must
 * be this node's. */
static inline bool overlay_lookup_is_allowed(const struct bypeer_destination *source, struct bypeer_packet *packet)
{
    if (packet->ingress == 0 && (source->flags & BYPEER_DESTINATION_LOCAL) != 0)
        packet->ingress = source->link;
    if (source->link == packet->ingress)
        return true;
    /* A member that several nodes attach moves between them, and not all learn of it at once. */
    bool is_other = false;
    for (unsigned i = 0; i < RTE_DIM(source->others); i++)
        is_other |= source->others[i] == packet->ingress && packet->ingress != 0;
    return is_other;
}

/* What policy wants to know of both ends where there are rules or trunks. */
static inline void overlay_lookup_note(struct bypeer_packet *packet, const struct bypeer_destination *source,
                                       const struct bypeer_destination *destination)
{
    packet->is_inside = source->group == destination->group;
    packet->from_roles = (uint8_t)(source->flags >> BYPEER_DESTINATION_ROLES_SHIFT);
    packet->to_roles = (uint8_t)(destination->flags >> BYPEER_DESTINATION_ROLES_SHIFT);
}

/* Multicast of the scopes from link-local to global: a group is one link to its members. */
static rte_edge_t overlay_lookup_multicast(const struct bypeer_tables *tables, struct bypeer_packet *packet,
                                           const uint8_t *inner, const struct bypeer_destination *source)
{
    if (!bypeer_ipv6_is_forwarded_multicast(inner + BYPEER_IPV6_DESTINATION))
        return bypeer_refuse(packet, BYPEER_DROP_INNER_SCOPE, OVERLAY_LOOKUP_DROP);
    /* Many a tunnel device has a link-local address, and its host prefers that to send multicast from. */
    if (bypeer_ipv6_is_link_local(inner + BYPEER_IPV6_SOURCE) && packet->ingress != 0) {
        packet->group = bypeer_tables_link(tables, packet->ingress)->group;
        return OVERLAY_LOOKUP_MULTICAST;
    }
    if (!bypeer_ipv6_is_routable(inner + BYPEER_IPV6_SOURCE))
        return bypeer_refuse(packet, BYPEER_DROP_INNER_SCOPE, OVERLAY_LOOKUP_DROP);
    if (source == NULL)
        source = bypeer_prefixes_lookup(tables, inner + BYPEER_IPV6_SOURCE);
    if (source == NULL || !overlay_lookup_is_allowed(source, packet))
        return bypeer_refuse(packet, BYPEER_DROP_INNER_SOURCE, OVERLAY_LOOKUP_DROP);
    packet->group = source->group;
    packet->from_roles = (uint8_t)(source->flags >> BYPEER_DESTINATION_ROLES_SHIFT);
    return OVERLAY_LOOKUP_MULTICAST;
}

/* A packet whose source or destination is no member itself, or whose source is not what it should be. */
static rte_edge_t overlay_lookup_rare(const struct bypeer_tables *tables, struct bypeer_packet *packet,
                                      const uint8_t *inner, const struct bypeer_destination *source,
                                      const struct bypeer_destination *destination)
{
    if (inner[BYPEER_IPV6_DESTINATION] == 0xff)
        return overlay_lookup_multicast(tables, packet, inner, source);
    if (!bypeer_ipv6_is_routable(inner + BYPEER_IPV6_SOURCE) ||
        !bypeer_ipv6_is_routable(inner + BYPEER_IPV6_DESTINATION))
        return bypeer_refuse(packet, BYPEER_DROP_INNER_SCOPE, OVERLAY_LOOKUP_DROP);
    if (source == NULL)
        source = bypeer_prefixes_lookup(tables, inner + BYPEER_IPV6_SOURCE);
    if (source == NULL || !overlay_lookup_is_allowed(source, packet))
        return bypeer_refuse(packet, BYPEER_DROP_INNER_SOURCE, OVERLAY_LOOKUP_DROP);
    if (destination == NULL)
        destination = bypeer_prefixes_lookup(tables, inner + BYPEER_IPV6_DESTINATION);
    if (destination == NULL) {
        packet->icmp_type = BYPEER_ICMPV6_UNREACHABLE;
        packet->icmp_code = BYPEER_ICMPV6_UNREACHABLE_NO_ROUTE;
        packet->icmp_value = 0;
        return bypeer_refuse(packet, BYPEER_DROP_NO_ROUTE, OVERLAY_LOOKUP_ICMP_ERROR);
    }
    packet->egress = destination->link;
    packet->group = destination->group;
    overlay_lookup_note(packet, source, destination);
    return OVERLAY_LOOKUP_POLICY;
}

static void overlay_lookup_burst(struct bypeer_worker *worker, struct rte_node *node, struct rte_mbuf **mbufs,
                                 unsigned count, rte_edge_t *nexts)
{
    const struct bypeer_tables *tables = worker->tables;
    const uint8_t *keys[2 * BYPEER_BURST_MAX];
    const struct bypeer_destination *found[2 * BYPEER_BURST_MAX];
    (void)node;

    if (unlikely(tables == NULL)) {
        for (unsigned i = 0; i < count; i++)
            nexts[i] = bypeer_refuse(bypeer_packet(mbufs[i]), BYPEER_DROP_NO_TABLES, OVERLAY_LOOKUP_DROP);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *inner = rte_pktmbuf_mtod(mbufs[i], const uint8_t *);
        keys[i] = inner + BYPEER_IPV6_DESTINATION;
        keys[count + i] = inner + BYPEER_IPV6_SOURCE;
    }
    bypeer_destinations_lookup(tables, keys, 2 * count, found);
    const bool judged = worker->is_judging;
    const bool with_peers = tables->session_count > 1; /* each of WireGuard is a link, more than caches hold */
    for (unsigned i = 0; i < count; i++) {
        struct bypeer_packet *packet = bypeer_packet(mbufs[i]);
        const struct bypeer_destination *destination = found[i], *source = found[count + i];
        if (likely(source != NULL && destination != NULL && source->link == packet->ingress)) {
            packet->egress = destination->link;
            packet->group = destination->group;
            if (with_peers)
                bypeer_tables_prefetch_link(tables, destination->link);
            if (unlikely(judged))
                overlay_lookup_note(packet, source, destination);
            nexts[i] = OVERLAY_LOOKUP_POLICY;
        } else {
            nexts[i] =
                overlay_lookup_rare(tables, packet, rte_pktmbuf_mtod(mbufs[i], const uint8_t *), source, destination);
        }
    }
}

static uint16_t overlay_lookup_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    return bypeer_dispatch(graph, node, objs, count, BYPEER_COUNT_NODE_LOOKUP, overlay_lookup_burst);
}

static struct rte_node_register overlay_lookup_node = {
    .name = "overlay_lookup",
    .process = overlay_lookup_process,
    .nb_edges = OVERLAY_LOOKUP_EDGES,
    .next_nodes = {[OVERLAY_LOOKUP_POLICY] = "policy",
                   [OVERLAY_LOOKUP_MULTICAST] = "multicast",
                   [OVERLAY_LOOKUP_ICMP_ERROR] = "icmp_error",
                   [OVERLAY_LOOKUP_DROP] = "drop"},
};
RTE_NODE_REGISTER(overlay_lookup_node)
