/*
 * multicast: gives a packet to all of its group. In: IPv6 packets to a multicast address, with .ingress, .group (of the
 * source's record, or the link's, if the source is link-local) and .from_roles. Out: one packet for each link of the
 * group's list but the one that it came by, to fabric_encap, wireguard_seal, or punt for this host's own; drop for what
 * may not be sent, or not by that link.
 *
 * What a member sends by UDP from a link-local address is passed on as from its overlay address: the other way round
 * nobody could answer, and no client takes it from its hub. The list says which address that is.
 *
 * To multicast of link-local scope a group is one link, so that the hop limit stays; beyond it the node is a router.
 * A packet that came by a trunk goes to no trunk: supernodes of a group have trunks to each other, so each member gets
 * it once. Errors are not sent (RFC 4443, 2.4 e; that of a packet too big for some links would come from each of them).
 *
 * What it may cost: its group's rate of packets from each link, by a meter that all workers share, which is asked
 * before anything that takes longer; and a rate of copies for each worker, which groups share (overlay/meter/share.h),
 * so that a flood in one leaves the others theirs. Beside that, what is copied at once is bounded whoever has a share.
 * A trunk has no rate of its own, since the supernode behind it has judged its members already.
 */
#include "dataplane/nodes/multicast.h"

#include <rte_malloc.h>

#include "dataplane/nodes/dispatch.h"
#include "dataplane/nodes/limits.h"
#include "dataplane/room.h"
#include "overlay/ip/checksum.h"
#include "overlay/ip/ipv6.h"
#include "overlay/policy/rules.h"

enum {
    MULTICAST_FABRIC_ENCAP,
    MULTICAST_WIREGUARD_SEAL,
    MULTICAST_PUNT,
    MULTICAST_CONSUME,
    MULTICAST_DROP,
    MULTICAST_EDGES
};

#define MULTICAST_SECOND       UINT64_C(1000000000)
#define MULTICAST_UDP_BYTES    8
#define MULTICAST_UDP_CHECKSUM 6

/* Copies as bytes of a share: so many that the longest list is as large as the smallest bucket. */
#define MULTICAST_COPY_BYTES 32
_Static_assert(BYPEER_MULTICAST_LINKS_MAX *MULTICAST_COPY_BYTES *BYPEER_SHARE_UNITS <= BYPEER_SHARE_BUCKET_MIN,
               "any packet passes in the end");

#define MULTICAST_GROUP_BITS 12 /* 4096 words: groups of further ids have one in common with others */

/* Of one worker, in memory of the node's own; its context holds the pointer. */
struct multicast_state {
    uint64_t at_once; /* rate.h: all copies, at twice the rate that groups share, so that it bounds bursts only */
    struct bypeer_share share;
    uint64_t groups[1 << MULTICAST_GROUP_BITS];
};

/* One call of the node. */
struct multicast_burst {
    struct multicast_state *state;
    uint64_t round;
    uint64_t bytes; /* of the share, that have passed */
};

/* A rate of packets, or copies, as one of bytes (rate.h). */
static uint64_t multicast_cost(uint32_t per_s)
{
    return (MULTICAST_SECOND << (BYPEER_RATE_TIME_BITS + BYPEER_RATE_COST_BITS)) / per_s;
}

static uint64_t multicast_ahead(uint32_t per_s, uint32_t burst)
{
    return (burst * MULTICAST_SECOND / per_s) << BYPEER_RATE_TIME_BITS;
}

/* A packet that is being copied. */
struct multicast_packet {
    struct rte_mbuf *mbuf;
    const struct bypeer_link *ingress;
    const struct bypeer_group *group;
    bool by_trunk;
};

/* A link's entry in its group's list, or NULL. */
static const struct bypeer_multicast_receiver *multicast_find(const struct bypeer_tables *tables,
                                                              const struct bypeer_group *group, uint32_t link)
{
    const unsigned count = RTE_MIN((unsigned)group->multicast_links, (unsigned)BYPEER_MULTICAST_LINKS_MAX);
    uint32_t slot = group->multicast;
    for (unsigned at = 0; at < count;) {
        const struct bypeer_group_part *part = bypeer_tables_group_part(tables, slot);
        for (unsigned i = 0; i < BYPEER_PART_RECEIVERS && at < count; i++, at++)
            if (part->receivers[i].link == link)
                return &part->receivers[i];
        slot = part->next;
    }
    return NULL;
}

/* Whether its sender may send one more. */
static bool multicast_is_within_rate(const struct bypeer_worker *worker, const struct multicast_packet *packet)
{
    const struct bypeer_sessions *shared = worker->shared;
    const uint32_t rate = packet->group->multicast_rate, session = packet->ingress->session;
    if (packet->by_trunk)
        return true;
    return rate != 0 && (shared == NULL || session >= shared->size.links ||
                         bypeer_rate_take(&shared->meters[session].multicast, multicast_cost(rate),
                                          multicast_ahead(rate, rate), 1, bypeer_worker_now_ns(worker)));
}

static void multicast_begin(struct multicast_burst *ret_burst, struct multicast_state *state, uint64_t now_ns)
{
    const uint64_t bits_s = UINT64_C(8) * BYPEER_MULTICAST_COPIES_PER_SECOND * MULTICAST_COPY_BYTES;
    *ret_burst = (struct multicast_burst){
        .state = state, .round = bypeer_share_turn(&state->share, bypeer_share_capacity(bits_s), now_ns)};
}

/* Whether this worker may make the copies. */
static bool multicast_has_share(struct multicast_burst *burst, const struct multicast_packet *packet, uint64_t now_ns)
{
    const uint64_t bits_s = UINT64_C(8) * BYPEER_MULTICAST_COPIES_PER_SECOND * MULTICAST_COPY_BYTES;
    const uint64_t room = UINT64_C(1) * BYPEER_MULTICAST_COPIES_BURST * MULTICAST_COPY_BYTES * BYPEER_SHARE_UNITS;
    const uint32_t copies = RTE_MIN((uint32_t)packet->group->multicast_links, (uint32_t)BYPEER_MULTICAST_LINKS_MAX);
    struct multicast_state *state = burst->state;
    uint64_t *member = &state->groups[packet->group->id % RTE_DIM(state->groups)];
    if (!bypeer_share_take(&state->share, member, bypeer_share_capacity(bits_s), room, copies * MULTICAST_COPY_BYTES,
                           burst->round) ||
        !bypeer_rate_take(&state->at_once, multicast_cost(2 * BYPEER_MULTICAST_COPIES_PER_SECOND),
                          multicast_ahead(2 * BYPEER_MULTICAST_COPIES_PER_SECOND, BYPEER_MULTICAST_COPIES_BURST),
                          copies, now_ns))
        return false;
    burst->bytes += copies * MULTICAST_COPY_BYTES;
    return true;
}

/* The source and the UDP checksum, by difference: their sum, and so that of the packet, stays what it is. */
static void multicast_rewrite(uint8_t *inner, const uint8_t address[static 16])
{
    uint8_t *source = inner + BYPEER_IPV6_SOURCE, *checksum = inner + BYPEER_IPV6_BYTES + MULTICAST_UDP_CHECKSUM;
    uint64_t sum = bypeer_checksum_sum(source, 16);
    uint16_t before = (uint16_t)~bypeer_checksum_fold(sum), complement, field;
    memcpy(&field, checksum, sizeof(field));
    complement = (uint16_t)~field;
    memcpy(source, address, 16);
    field = (uint16_t)~bypeer_checksum_fold((uint64_t)complement + before + bypeer_checksum_sum(source, 16));
    field = field == 0 ? UINT16_MAX : field;
    memcpy(checksum, &field, sizeof(field));
}

/* Gives a packet from a link-local address the member's own, if there is one and the packet allows it. */
static bool multicast_name_sender(const struct bypeer_tables *tables, const struct multicast_packet *packet)
{
    static const uint8_t none[16];
    uint8_t *inner = rte_pktmbuf_mtod(packet->mbuf, uint8_t *);
    if (packet->by_trunk || inner[BYPEER_IPV6_NEXT_HEADER] != BYPEER_NEXT_UDP ||
        packet->mbuf->data_len < BYPEER_IPV6_BYTES + MULTICAST_UDP_BYTES)
        return false;
    const struct bypeer_multicast_receiver *sender = multicast_find(tables, packet->group, packet->ingress->id);
    const struct bypeer_destination *record = NULL;
    if (sender == NULL || memcmp(sender->address, none, 16) == 0)
        return false;
    const uint8_t *key = sender->address;
    bypeer_destinations_lookup(tables, &key, 1, &record);
    if (record == NULL || record->link != packet->ingress->id || record->group != packet->group->id)
        return false;
    bypeer_packet(packet->mbuf)->from_roles = (uint8_t)(record->flags >> BYPEER_DESTINATION_ROLES_SHIFT);
    multicast_rewrite(inner, record->key);
    return true;
}

/* 0, or why it goes to nobody. */
static unsigned multicast_refusal(const struct bypeer_worker *worker, struct multicast_burst *burst,
                                  const struct multicast_packet *packet)
{
    const uint8_t *inner = rte_pktmbuf_mtod(packet->mbuf, const uint8_t *);
    const struct bypeer_packet *facts = bypeer_packet(packet->mbuf);
    const struct bypeer_link *ingress = packet->ingress;
    uint32_t bytes = packet->mbuf->data_len;
    struct bypeer_limits_burst limits = {.share = NULL};
    if (ingress->group != facts->group && !packet->by_trunk)
        return BYPEER_DROP_POLICY;
    if (packet->group->multicast_links == 0)
        return BYPEER_DROP_MULTICAST_GROUP;
    if (!multicast_is_within_rate(worker, packet))
        return BYPEER_DROP_MULTICAST_RATE;
    if (bypeer_ipv6_is_link_local(inner + BYPEER_IPV6_SOURCE) && !multicast_name_sender(worker->tables, packet))
        return BYPEER_DROP_INNER_SCOPE;
    if ((inner[BYPEER_IPV6_DESTINATION + 1] & 0x0f) != BYPEER_IPV6_SCOPE_LINK && ingress->kind != BYPEER_LINK_LOCAL &&
        inner[BYPEER_IPV6_HOP_LIMIT] <= 1)
        return BYPEER_DROP_HOP_LIMIT;
    if (!bypeer_policy_allows(worker->tables, facts->group, facts->from_roles, BYPEER_POLICY_ALL_MEMBERS, inner, bytes))
        return BYPEER_DROP_POLICY_RULE;
    if (!multicast_has_share(burst, packet, bypeer_worker_now_ns(worker)))
        return BYPEER_DROP_MULTICAST_RATE;
    if (!bypeer_tables_has_limits(worker->tables))
        return 0;
    unsigned reason = bypeer_limits_judge_sender(worker, &limits, ingress, facts->group, bytes);
    bypeer_limits_end(&limits);
    return reason;
}

/* A link of a list is the group's by its record as it is now, whatever it was when the list was made. */
static bool multicast_goes_to(const struct multicast_packet *packet, const struct bypeer_link *link)
{
    bool is_trunk = link->group == BYPEER_GROUP_ANY;
    return link->kind != BYPEER_LINK_NONE && link->id != packet->ingress->id &&
           (is_trunk ? !packet->by_trunk : link->group == packet->group->id);
}

/* Where a packet that is to leave by this link goes. */
static rte_edge_t multicast_next(const struct bypeer_worker *worker, struct rte_mbuf *mbuf,
                                 const struct bypeer_link *egress)
{
    struct bypeer_packet *packet = bypeer_packet(mbuf);
    unsigned reason = 0;
    packet->egress = egress->id;
    if (unlikely(bypeer_tables_has_limits(worker->tables)))
        reason = bypeer_limits_judge_receiver(worker, egress, mbuf->data_len);
    if (reason == 0 && egress->kind != BYPEER_LINK_LOCAL && mbuf->data_len > egress->mtu)
        reason = BYPEER_DROP_TOO_BIG;
    if (unlikely(reason != 0))
        return bypeer_refuse(packet, (enum bypeer_counter)reason, MULTICAST_DROP);
    if (egress->kind == BYPEER_LINK_FABRIC)
        return MULTICAST_FABRIC_ENCAP;
    if (egress->kind == BYPEER_LINK_WIREGUARD)
        return MULTICAST_WIREGUARD_SEAL;
    packet->device = BYPEER_DEVICE_OVERLAY;
    return MULTICAST_PUNT;
}

static struct rte_mbuf *multicast_copy(struct bypeer_worker *worker, struct rte_mbuf *mbuf)
{
    struct rte_mbuf *copy = rte_pktmbuf_alloc(worker->pool);
    void *data = copy == NULL ? NULL : bypeer_room_append(copy, mbuf->data_len);
    if (unlikely(data == NULL)) {
        if (copy != NULL)
            bypeer_room_free_bulk(&copy, 1);
        bypeer_count(worker, BYPEER_COUNT_MULTICAST_UNMADE, 1);
        return NULL;
    }
    memcpy(data, rte_pktmbuf_mtod(mbuf, const void *), mbuf->data_len);
    *bypeer_packet(copy) = *bypeer_packet(mbuf);
    bypeer_packet(copy)->trace = 0; /* a trace follows the packet itself */
    bypeer_count(worker, BYPEER_COUNT_COPIED, 1);
    return copy;
}

/* Copies for all links of the list but the first one, which gets the packet itself: its way, or MULTICAST_CONSUME. */
static rte_edge_t multicast_spread(struct bypeer_worker *worker, struct rte_graph *graph, struct rte_node *node,
                                   const struct multicast_packet *packet)
{
    const struct bypeer_tables *tables = worker->tables;
    const unsigned count = RTE_MIN((unsigned)packet->group->multicast_links, (unsigned)BYPEER_MULTICAST_LINKS_MAX);
    const struct bypeer_link *first = NULL;
    uint32_t slot = packet->group->multicast;
    for (unsigned at = 0; at < count;) {
        const struct bypeer_group_part *part = bypeer_tables_group_part(tables, slot);
        for (unsigned i = 0; i < BYPEER_PART_RECEIVERS && at < count; i++, at++) {
            const struct bypeer_link *link = bypeer_tables_link(tables, part->receivers[i].link);
            if (!multicast_goes_to(packet, link))
                continue;
            if (first == NULL) {
                first = link;
                continue;
            }
            struct rte_mbuf *copy = multicast_copy(worker, packet->mbuf);
            if (likely(copy != NULL))
                rte_node_enqueue_x1(graph, node, multicast_next(worker, copy, link), copy);
        }
        slot = part->next;
    }
    return first == NULL ? MULTICAST_CONSUME : multicast_next(worker, packet->mbuf, first);
}

/* One hop less, if it is one. */
static void multicast_hop(struct rte_mbuf *mbuf, const struct bypeer_link *ingress)
{
    struct bypeer_packet *packet = bypeer_packet(mbuf);
    uint8_t *inner = rte_pktmbuf_mtod(mbuf, uint8_t *);
    if ((inner[BYPEER_IPV6_DESTINATION + 1] & 0x0f) == BYPEER_IPV6_SCOPE_LINK || ingress->kind == BYPEER_LINK_LOCAL)
        return;
    inner[BYPEER_IPV6_HOP_LIMIT]--;
    packet->sum = bypeer_checksum_fold((uint64_t)packet->sum + (uint16_t)~htobe16(1));
}

static uint16_t multicast_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    struct bypeer_worker *worker = bypeer_worker_self();
    struct multicast_state *state;
    struct multicast_burst burst;
    const bool runs = bypeer_trace_runs(worker);
    memcpy(&state, node->ctx, sizeof(state));
    multicast_begin(&burst, state, bypeer_worker_now_ns(worker));

    bypeer_count(worker, BYPEER_COUNT_NODE_MULTICAST, count);
    for (unsigned i = 0; i < count; i++) {
        struct bypeer_packet *facts = bypeer_packet(objs[i]);
        struct multicast_packet packet = {.mbuf = objs[i],
                                          .ingress = bypeer_tables_link(worker->tables, facts->ingress),
                                          .group = bypeer_tables_group(worker->tables, facts->group)};
        packet.by_trunk = packet.ingress->group == BYPEER_GROUP_ANY;
        unsigned reason = multicast_refusal(worker, &burst, &packet);
        rte_edge_t next = MULTICAST_DROP;
        if (unlikely(reason != 0)) {
            facts->reason = (uint8_t)reason;
        } else {
            multicast_hop(packet.mbuf, packet.ingress);
            bypeer_count(worker, BYPEER_COUNT_MULTICAST_PACKETS, 1);
            next = multicast_spread(worker, graph, node, &packet);
        }
        if (unlikely(runs))
            bypeer_dispatch_trace(worker, node, &packet.mbuf, &next, 1);
        rte_node_enqueue_x1(graph, node, next, packet.mbuf);
    }
    bypeer_share_passed(&state->share, burst.bytes, burst.round);
    return count;
}

static int multicast_init(const struct rte_graph *graph, struct rte_node *node)
{
    (void)graph;
    struct multicast_state *state = rte_zmalloc("multicast", sizeof(*state), RTE_CACHE_LINE_SIZE);
    if (state == NULL)
        return -ENOMEM;
    memcpy(node->ctx, &state, sizeof(state));
    return 0;
}

static void multicast_fini(const struct rte_graph *graph, struct rte_node *node)
{
    struct multicast_state *state;
    (void)graph;
    memcpy(&state, node->ctx, sizeof(state));
    rte_free(state);
}

static struct rte_node_register multicast_node = {
    .name = "multicast",
    .process = multicast_process,
    .init = multicast_init,
    .fini = multicast_fini,
    .nb_edges = MULTICAST_EDGES,
    .next_nodes = {[MULTICAST_FABRIC_ENCAP] = "fabric_encap",
                   [MULTICAST_WIREGUARD_SEAL] = "wireguard_seal",
                   [MULTICAST_PUNT] = "punt",
                   [MULTICAST_CONSUME] = "consume",
                   [MULTICAST_DROP] = "drop"},
};
RTE_NODE_REGISTER(multicast_node)
