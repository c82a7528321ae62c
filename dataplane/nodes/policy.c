/*
 * policy: may these two talk, and does the packet fit the way? In: IPv6 packets with .ingress, .egress and .group. Out:
 * fabric_encap or wireguard_seal with the hop limit decremented; punt for what is this host's own; icmp_error for what
 * breaks a rule that its sender may know; drop for a link that does not exist.
 *
 * Default deny: the group of the destination's record must be the group of the link that the packet came by, or, of a
 * trunk, that of the source's record. Costs two link records, which the packets of a burst mostly share.
 * Rules of groups and limits of members and groups are judged here, where there are any.
 */
#include "dataplane/nodes/dispatch.h"
#include "dataplane/nodes/limits.h"
#include "overlay/ip/checksum.h"
#include "overlay/ip/icmpv6.h"
#include "overlay/policy/rules.h"

enum { POLICY_FABRIC_ENCAP, POLICY_WIREGUARD_SEAL, POLICY_PUNT, POLICY_ICMP_ERROR, POLICY_DROP, POLICY_EDGES };

static rte_edge_t policy_error(struct bypeer_packet *packet, enum bypeer_counter reason, uint8_t type, uint8_t code,
                               uint32_t value)
{
    packet->icmp_type = type;
    packet->icmp_code = code;
    packet->icmp_value = value;
    return bypeer_refuse(packet, reason, POLICY_ICMP_ERROR);
}

/* A packet that leaves by a link to a peer. One that this host sends has had its hop limit from the kernel already. */
static inline rte_edge_t policy_forward(struct bypeer_packet *packet, uint8_t *inner, uint32_t bytes,
                                        const struct bypeer_link *ingress, const struct bypeer_link *egress,
                                        rte_edge_t way)
{
    bool from_here = ingress->kind == BYPEER_LINK_LOCAL;
    if (unlikely(!from_here && inner[BYPEER_IPV6_HOP_LIMIT] <= 1))
        return policy_error(packet, BYPEER_DROP_HOP_LIMIT, BYPEER_ICMPV6_TIME_EXCEEDED, 0, 0);
    if (unlikely(bytes > egress->mtu))
        return policy_error(packet, BYPEER_DROP_TOO_BIG, BYPEER_ICMPV6_TOO_BIG, 0, egress->mtu);
    if (likely(!from_here)) {
        inner[BYPEER_IPV6_HOP_LIMIT]--;
        /* The hop limit is the lower byte of its word: RFC 1624, on a sum that is not complemented. */
        packet->sum = bypeer_checksum_fold((uint64_t)packet->sum + (uint16_t)~htobe16(1));
    }
    return way;
}

/* Whether the packet leaves its group. What came by a trunk is of its source's group; of what came by a link that has
 * become one during this walk nothing was noted, and it leaves. */
static inline bool policy_is_foreign(const struct bypeer_packet *packet, const struct bypeer_link *ingress)
{
    return packet->group != ingress->group && (ingress->group != BYPEER_GROUP_ANY || !packet->is_inside);
}

static void policy_burst(struct bypeer_worker *worker, struct rte_node *node, struct rte_mbuf **mbufs, unsigned count,
                         rte_edge_t *nexts)
{
    const struct bypeer_slots links = worker->tables->links; /* a copy, which no store to a packet can change */
    const bool limited = bypeer_tables_has_limits(worker->tables), judged = worker->is_judging;
    struct bypeer_limits_burst limits = {.share = NULL};
    enum bypeer_counter reason;
    (void)node;

    for (unsigned i = 0; i < count; i++) {
        struct bypeer_packet *packet = bypeer_packet(mbufs[i]);
        const struct bypeer_link *ingress = bypeer_slots_find(&links, packet->ingress, sizeof(*ingress));
        const struct bypeer_link *egress = bypeer_slots_find(&links, packet->egress, sizeof(*egress));
        if (unlikely(policy_is_foreign(packet, ingress))) {
            nexts[i] = policy_error(packet, BYPEER_DROP_POLICY, BYPEER_ICMPV6_UNREACHABLE,
                                    BYPEER_ICMPV6_UNREACHABLE_POLICY, 0);
        } else if (unlikely(judged) &&
                   !bypeer_policy_allows(worker->tables, packet->group, packet->from_roles, packet->to_roles,
                                         rte_pktmbuf_mtod(mbufs[i], const uint8_t *), mbufs[i]->data_len)) {
            nexts[i] = policy_error(packet, BYPEER_DROP_POLICY_RULE, BYPEER_ICMPV6_UNREACHABLE,
                                    BYPEER_ICMPV6_UNREACHABLE_POLICY, 0);
        } else if (unlikely(limited) && (reason = bypeer_limits_judge(worker, &limits, ingress, packet->group, egress,
                                                                      mbufs[i]->data_len)) != 0) {
            nexts[i] = bypeer_refuse(packet, reason, POLICY_DROP);
        } else if (likely(egress->kind == BYPEER_LINK_FABRIC)) {
            nexts[i] = policy_forward(packet, rte_pktmbuf_mtod(mbufs[i], uint8_t *), mbufs[i]->data_len, ingress,
                                      egress, POLICY_FABRIC_ENCAP);
        } else if (egress->kind == BYPEER_LINK_WIREGUARD) {
            nexts[i] = policy_forward(packet, rte_pktmbuf_mtod(mbufs[i], uint8_t *), mbufs[i]->data_len, ingress,
                                      egress, POLICY_WIREGUARD_SEAL);
        } else if (egress->kind == BYPEER_LINK_LOCAL) {
            packet->device = BYPEER_DEVICE_OVERLAY;
            nexts[i] = POLICY_PUNT;
        } else {
            nexts[i] = bypeer_refuse(packet, BYPEER_DROP_NO_LINK, POLICY_DROP);
        }
    }
    bypeer_limits_end(&limits);
}

static uint16_t policy_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    return bypeer_dispatch(graph, node, objs, count, BYPEER_COUNT_NODE_POLICY, policy_burst);
}

static struct rte_node_register policy_node = {
    .name = "policy",
    .process = policy_process,
    .nb_edges = POLICY_EDGES,
    .next_nodes = {[POLICY_FABRIC_ENCAP] = "fabric_encap",
                   [POLICY_WIREGUARD_SEAL] = "wireguard_seal",
                   [POLICY_PUNT] = "punt",
                   [POLICY_ICMP_ERROR] = "icmp_error",
                   [POLICY_DROP] = "drop"},
};
RTE_NODE_REGISTER(policy_node)
