/*
 * wireguard_seal: puts packets into WireGuard. In: IPv6 packets with .egress, a link of WireGuard, and empty ones,
 * which become keepalives. Out: transmit with .port filled in; drop where there is no session, no endpoint or no next
 * hop; icmp_error for what is too big for the way on which the peer was heard, since policy knew another one.
 *
 * What is the same for all packets of a link is found once a burst (a way): its session, where the peer is, and as many
 * nonces as there are packets, by one addition in memory that outlives this process (counter.h).
 *
 * Costs, beside the burst's ChaCha20-Poly1305, two lines of the link, two of its session, the slot's line of nonces,
 * the peer's two and the line of its counts, all of a burst fetched before the first is looked at, and one pass over
 * what was sealed for the UDP checksum.
 */
#include "dataplane/nodes/dispatch.h"
#include "dataplane/nodes/session.h"
#include "dataplane/room.h"
#include "dataplane/wireguard.h"
#include "overlay/ip/ecn.h"
#include "overlay/ip/ethernet.h"
#include "overlay/ip/icmpv6.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/outer.h"
#include "overlay/wireguard/transport.h"

enum { WIREGUARD_SEAL_TRANSMIT, WIREGUARD_SEAL_ICMP_ERROR, WIREGUARD_SEAL_DROP, WIREGUARD_SEAL_EDGES };
_Static_assert(BYPEER_BURST_MAX <= BYPEER_AEAD_BURST, "a burst is sealed at once");

/* What the packets of a burst that leave by one link have in common. */
struct wireguard_seal_way {
    const struct bypeer_link *link;
    struct bypeer_wireguard_sealer sealer;
    uint64_t counter; /* of the next packet */
    const uint8_t *header;
    uint8_t header_bytes;
    bool is_ipv4;
    bool has_data;
    uint8_t packets;
    uint8_t reason; /* why none of them leaves; 0 */
    uint16_t port;
    uint16_t room; /* for an inner packet with its padding */
    uint8_t ether[BYPEER_ETHERNET_BYTES];
    uint8_t own_header[BYPEER_OUTER_IPV6_BYTES]; /* if the link's template is not where the peer is */
};

#define WIREGUARD_SEAL_WAY_BITS 7 /* twice as many places as there may be ways */
_Static_assert(1 << WIREGUARD_SEAL_WAY_BITS >= 2 * BYPEER_BURST_MAX, "a free place is near");

struct wireguard_seal_ways {
    unsigned count;
    uint8_t numbers[1 << WIREGUARD_SEAL_WAY_BITS]; /* by hash of the link's id: 1 + number of the way; 0: free */
    uint8_t way_of[BYPEER_BURST_MAX];              /* of each packet */
    struct wireguard_seal_way ways[BYPEER_BURST_MAX];
};

/* --- the ways of a burst ------------------------------------------------------------------------------------------ */

static struct wireguard_seal_way *wireguard_seal_way(struct wireguard_seal_ways *ways,
                                                     const struct bypeer_tables *tables, uint32_t link_id)
{
    uint32_t place = link_id * UINT32_C(0x9e3779b9) >> (32 - WIREGUARD_SEAL_WAY_BITS);
    for (; ways->numbers[place] != 0; place = (place + 1) % (1u << WIREGUARD_SEAL_WAY_BITS)) {
        struct wireguard_seal_way *way = &ways->ways[ways->numbers[place] - 1];
        if (likely(way->link->id == link_id))
            return way;
    }
    struct wireguard_seal_way *way = &ways->ways[ways->count++];
    ways->numbers[place] = (uint8_t)ways->count;
    way->link = bypeer_tables_link(tables, link_id);
    way->packets = 0;
    way->has_data = false;
    rte_prefetch0(way->link->wireguard.header);
    return way;
}

static void wireguard_seal_collect(struct wireguard_seal_ways *ways, const struct bypeer_worker *worker,
                                   struct rte_mbuf *const *mbufs, unsigned count)
{
    ways->count = 0;
    memset(ways->numbers, 0, sizeof(ways->numbers));
    for (unsigned i = 0; i < count; i++) {
        struct wireguard_seal_way *way = wireguard_seal_way(ways, worker->tables, bypeer_packet(mbufs[i])->egress);
        way->packets++;
        way->has_data |= mbufs[i]->data_len != 0;
        ways->way_of[i] = (uint8_t)(way - ways->ways);
    }
}

static inline void wireguard_seal_prefetch(const struct bypeer_worker *worker, const struct bypeer_link *link)
{
    const uint32_t slots[2] = {link->wireguard.current, link->wireguard.next};
    for (unsigned i = 0; i < 2; i++) {
        struct bypeer_wireguard_state *state = bypeer_wireguard_state_in(worker->shared, slots[i]);
        if (slots[i] == 0 || state == NULL)
            continue;
        bypeer_tables_prefetch_sealing(worker->tables, slots[i]);
        rte_prefetch0(state);
    }
    if (likely(worker->shared != NULL && link->session < worker->shared->size.links)) {
        const struct bypeer_peer_state *peer = &worker->shared->peers[link->session];
        rte_prefetch0(peer);
    }
    bypeer_session_prefetch(worker, link);
}

/* Where the peer was seen: whatever next hop its packet came by is the way back. */
static bool wireguard_seal_aim_abroad(const struct bypeer_worker *worker, struct wireguard_seal_way *way,
                                      const struct bypeer_seen *seen)
{
    if (seen->device >= worker->port_count)
        return false;
    int bytes = bypeer_outer_prepare(way->own_header, &(struct bypeer_outer){.local = seen->local,
                                                                             .peer = seen->remote,
                                                                             .local_port = way->link->udp_port,
                                                                             .peer_port = seen->port});
    if (bytes < 0)
        return false;
    way->header = way->own_header;
    way->header_bytes = (uint8_t)bytes;
    way->port = (uint16_t)seen->device;
    uint16_t mtu = worker->ports[way->port].mtu, around = (uint16_t)(bytes + BYPEER_TRANSPORT_OVERHEAD);
    way->room = mtu > around ? (uint16_t)(mtu - around) : 0; /* the link's MTU is that of another way */
    memcpy(way->ether + BYPEER_ETHERNET_DESTINATION, seen->mac, 6);
    memcpy(way->ether + BYPEER_ETHERNET_SOURCE, worker->ports[way->port].mac, 6);
    return true;
}

/* Where to send: 0, or why nowhere. */
static inline unsigned wireguard_seal_aim(const struct bypeer_worker *worker, struct wireguard_seal_way *way,
                                          const struct bypeer_peer_state *peer)
{
    const struct bypeer_link *link = way->link;
    struct bypeer_seen seen;
    if (likely(!bypeer_seen_read(&peer->seen, link->serial, &seen) || !wireguard_seal_aim_abroad(worker, way, &seen))) {
        if (unlikely(link->peer_port == 0))
            return BYPEER_DROP_NO_ENDPOINT;
        const struct bypeer_adjacency *adjacency = bypeer_tables_adjacency(worker->tables, link->adjacency);
        if (unlikely(!adjacency->valid))
            return BYPEER_DROP_NO_ADJACENCY;
        way->header = link->wireguard.header;
        way->header_bytes = link->underlay == 4 ? BYPEER_OUTER_IPV4_BYTES : BYPEER_OUTER_IPV6_BYTES;
        way->port = adjacency->port;
        way->room = UINT16_MAX; /* policy lets no more pass than the link takes */
        memcpy(way->ether, adjacency->ether, sizeof(adjacency->ether));
    }
    way->is_ipv4 = way->header_bytes == BYPEER_OUTER_IPV4_BYTES;
    bypeer_store16(way->ether + BYPEER_ETHERNET_TYPE, way->is_ipv4 ? BYPEER_ETHERTYPE_IPV4 : BYPEER_ETHERTYPE_IPV6);
    return 0;
}

/* Makes a way ready for its packets: 0, or why none of them leaves. */
static unsigned wireguard_seal_open_way(const struct bypeer_worker *worker, struct wireguard_seal_way *way)
{
    const struct bypeer_link *link = way->link;
    uint64_t now_ns = bypeer_worker_now_ns(worker);
    if (unlikely(link->kind != BYPEER_LINK_WIREGUARD))
        return BYPEER_DROP_NO_LINK;
    struct bypeer_peer_state *peer = bypeer_wireguard_peer(worker->shared, link);
    if (unlikely(peer == NULL))
        return BYPEER_DROP_NO_SESSION;
    unsigned reason = wireguard_seal_aim(worker, way, peer);
    if (unlikely(reason != 0))
        return reason;
    if (unlikely(!bypeer_wireguard_find_sealer(worker->tables, worker->shared, link, now_ns, &way->sealer) ||
                 !bypeer_counter_take(&way->sealer.state->next_counter, way->sealer.session->use, way->packets,
                                      &way->counter))) {
        bypeer_wireguard_want(worker->events, peer, link->id, now_ns);
        return BYPEER_DROP_NO_SESSION;
    }
    bypeer_activity_sent(&peer->activity, way->has_data, now_ns);
    if (unlikely(bypeer_wireguard_session_is_stale_to_send(way->sealer.session, way->counter, now_ns)))
        bypeer_wireguard_want(worker->events, peer, link->id, now_ns);
    return 0;
}

/* --- packets ------------------------------------------------------------------------------------------------------ */

/* Writes all headers and padding, and a job that seals what is between them: 0, or why it cannot leave. */
static inline unsigned wireguard_seal_write(struct rte_mbuf *mbuf, struct wireguard_seal_way *way,
                                            struct bypeer_aead_job *ret_job)
{
    uint16_t bytes = mbuf->data_len;
    if (unlikely(bytes > way->room))
        return BYPEER_DROP_TOO_BIG;
    uint16_t padded = (uint16_t)bypeer_transport_padded(bytes, RTE_MIN((size_t)way->link->mtu, (size_t)way->room));
    uint8_t ecn = bytes == 0 ? BYPEER_ECN_NOT_ECT
                             : bypeer_ecn_encapsulate(bypeer_ipv6_traffic_class(rte_pktmbuf_mtod(mbuf, uint8_t *)));
    uint64_t counter = way->counter++;
    uint8_t *padding = bypeer_room_append(mbuf, (uint16_t)(padded - bytes + BYPEER_WIREGUARD_TAG));
    uint8_t *frame =
        bypeer_room_prepend(mbuf, (uint16_t)(BYPEER_ETHERNET_BYTES + way->header_bytes + BYPEER_WIREGUARD_DATA_HEADER));
    if (unlikely(padding == NULL || frame == NULL))
        return BYPEER_DROP_NO_BUFFER;
    memset(padding, 0, (size_t)(padded - bytes));
    memcpy(frame, way->ether, BYPEER_ETHERNET_BYTES);
    uint8_t *ip = frame + BYPEER_ETHERNET_BYTES, *data = ip + way->header_bytes;
    memcpy(ip, way->header, way->header_bytes);
    bypeer_outer_finish_ip(ip, way->is_ipv4, (uint16_t)(padded + BYPEER_TRANSPORT_OVERHEAD), ecn);
    bypeer_wireguard_write_data_header(data, way->sealer.session->remote_index, counter);
    *ret_job = (struct bypeer_aead_job){.key = way->sealer.session->send_key,
                                        .counter = counter,
                                        .text = data + BYPEER_WIREGUARD_DATA_HEADER,
                                        .bytes = padded};
    bypeer_packet(mbuf)->port = way->port;
    return 0;
}

/* What cannot leave. The sender of one that is too big is told what fits, unless that is less than any IPv6 link
 * carries; of multicast nobody is told. */
static rte_edge_t wireguard_seal_refuse(struct rte_mbuf *mbuf, const struct wireguard_seal_way *way, unsigned reason)
{
    struct bypeer_packet *packet = bypeer_packet(mbuf);
    const uint8_t *inner = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    if (reason != BYPEER_DROP_TOO_BIG || way->room < BYPEER_IPV6_MINIMUM_MTU || inner[BYPEER_IPV6_DESTINATION] == 0xff)
        return bypeer_refuse(packet, reason, WIREGUARD_SEAL_DROP);
    packet->icmp_type = BYPEER_ICMPV6_TOO_BIG;
    packet->icmp_code = 0;
    packet->icmp_value = way->room;
    return bypeer_refuse(packet, reason, WIREGUARD_SEAL_ICMP_ERROR);
}

/* The checksum over what was sealed and the header before it. */
static inline void wireguard_seal_finish(struct rte_mbuf *mbuf, const struct wireguard_seal_way *way, uint64_t sealed)
{
    uint8_t *ip = rte_pktmbuf_mtod(mbuf, uint8_t *) + BYPEER_ETHERNET_BYTES;
    uint16_t bytes = (uint16_t)(mbuf->data_len - BYPEER_ETHERNET_BYTES - way->header_bytes);
    bypeer_outer_finish_udp(
        ip + way->header_bytes - BYPEER_UDP_BYTES, bytes,
        bypeer_checksum_plus(bypeer_checksum_sum(ip + way->header_bytes, BYPEER_WIREGUARD_DATA_HEADER), sealed));
}

static void wireguard_seal_burst(struct bypeer_worker *worker, struct rte_node *node, struct rte_mbuf **mbufs,
                                 unsigned count, rte_edge_t *nexts)
{
    struct wireguard_seal_ways ways;
    struct bypeer_aead_job jobs[BYPEER_BURST_MAX];
    uint8_t at[BYPEER_BURST_MAX]; /* in the burst, of each job */
    uint16_t inner_bytes[BYPEER_BURST_MAX];
    unsigned some = 0;
    (void)node;

    wireguard_seal_collect(&ways, worker, mbufs, count);
    for (unsigned i = 0; i < ways.count; i++)
        wireguard_seal_prefetch(worker, ways.ways[i].link);
    for (unsigned i = 0; i < ways.count; i++)
        ways.ways[i].reason = (uint8_t)wireguard_seal_open_way(worker, &ways.ways[i]);
    for (unsigned i = 0; i < count; i++) {
        struct wireguard_seal_way *way = &ways.ways[ways.way_of[i]];
        unsigned reason = way->reason;
        inner_bytes[i] = mbufs[i]->data_len;
        if (likely(reason == 0))
            reason = wireguard_seal_write(mbufs[i], way, &jobs[some]);
        if (unlikely(reason != 0))
            nexts[i] = wireguard_seal_refuse(mbufs[i], way, reason);
        else
            at[some++] = (uint8_t)i;
    }
    if (unlikely(some == 0))
        return;
    bypeer_aead_seal(worker->aead, jobs, some);
    for (unsigned i = 0; i < some; i++) {
        const struct wireguard_seal_way *way = &ways.ways[ways.way_of[at[i]]];
        struct rte_mbuf *mbuf = mbufs[at[i]];
        nexts[at[i]] = WIREGUARD_SEAL_TRANSMIT;
        if (unlikely(!jobs[i].is_good)) {
            nexts[at[i]] = bypeer_refuse(bypeer_packet(mbuf), BYPEER_DROP_NO_SESSION, WIREGUARD_SEAL_DROP);
            continue;
        }
        wireguard_seal_finish(mbuf, way, jobs[i].sum);
        if (likely(inner_bytes[at[i]] != 0))
            bypeer_session_sent(worker, way->link, inner_bytes[at[i]]);
    }
}

static uint16_t wireguard_seal_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    return bypeer_dispatch(graph, node, objs, count, BYPEER_COUNT_NODE_WIREGUARD_SEAL, wireguard_seal_burst);
}

static struct rte_node_register wireguard_seal_node = {
    .name = "wireguard_seal",
    .process = wireguard_seal_process,
    .nb_edges = WIREGUARD_SEAL_EDGES,
    .next_nodes = {[WIREGUARD_SEAL_TRANSMIT] = "transmit",
                   [WIREGUARD_SEAL_ICMP_ERROR] = "icmp_error",
                   [WIREGUARD_SEAL_DROP] = "drop"},
};
RTE_NODE_REGISTER(wireguard_seal_node)
