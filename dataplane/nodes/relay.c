/*
 * relay: carries WireGuard from member to member without a key. In: what is addressed to the relay's prefix, or to a
 * port of an own IPv4 address that is the relay's, whole IP packets. Out: transmit with addresses and ports rewritten;
 * relay_icmp for errors, and for what is too big for the way out; relay_neighbour for solicitations; punt for IPv4 that
 * is not the relay's after all; drop.
 *
 * Costs the record of the pair and a line of each member's state. An address tells where all three are, so they are
 * fetched for the whole burst as it is read; the payload is not touched. Who is believed to be where:
 * overlay/relay/rules.h.
 */
#include "dataplane/nodes/relay.h"
#include "dataplane/room.h"
#include "overlay/ip/icmpv6.h"
#include "overlay/relay/rewrite.h"
#include "overlay/relay/rules.h"

enum { RELAY_TRANSMIT, RELAY_ICMP, RELAY_NEIGHBOUR, RELAY_PUNT, RELAY_DROP, RELAY_EDGES };

static const uint8_t relay_reasons[BYPEER_RELAY_REFUSALS] = {
    [BYPEER_RELAY_MESSAGE] = BYPEER_DROP_RELAY_MESSAGE,
    [BYPEER_RELAY_SOURCE] = BYPEER_DROP_RELAY_SOURCE,
    [BYPEER_RELAY_HOP_LIMIT] = BYPEER_DROP_HOP_LIMIT,
    [BYPEER_RELAY_CHECKSUM] = BYPEER_DROP_OUTER_CHECKSUM,
};

/* Where a packet goes that is not relayed. Over IPv4 the kernel may have a socket of its own on the port. */
static rte_edge_t relay_refuse(struct rte_mbuf *mbuf, const struct bypeer_relay_packet *relayed,
                               enum bypeer_counter reason)
{
    struct bypeer_packet *packet = bypeer_packet(mbuf);
    if (relayed->underlay == 6)
        return bypeer_refuse(packet, reason, RELAY_DROP);
    packet->device = BYPEER_DEVICE_UNDERLAY;
    return RELAY_PUNT;
}

/* Whether the packet is to be looked up; else *ret_next says where it goes. */
static inline bool relay_read(struct bypeer_relay_packet *ret_packet, const struct relay_scope *scope,
                              struct rte_mbuf *mbuf, rte_edge_t *ret_next)
{
    const struct bypeer_packet *packet = bypeer_packet(mbuf);
    const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    const uint8_t *ip = frame + BYPEER_RELAY_IP_AT;
    enum bypeer_relay_refusal refusal;
    ret_packet->place.device = (uint8_t)packet->port;
    if (unlikely(packet->underlay == 4)) {
        refusal = bypeer_relay_read_ipv4(ret_packet, frame);
    } else if (unlikely(ip[BYPEER_IPV6_NEXT_HEADER] == BYPEER_NEXT_ICMPV6)) {
        bool asks = bypeer_relay_may_solicit(ip, mbuf->data_len - (size_t)BYPEER_RELAY_IP_AT);
        *ret_next = asks ? RELAY_NEIGHBOUR : RELAY_ICMP;
        return false;
    } else {
        refusal = bypeer_relay_read_ipv6(ret_packet, frame, scope->port);
    }
    if (unlikely(refusal != BYPEER_RELAY_TAKEN))
        *ret_next = relay_refuse(mbuf, ret_packet, relay_reasons[refusal]);
    return refusal == BYPEER_RELAY_TAKEN;
}

/* --- what is learnt ----------------------------------------------------------------------------------------------- */

static bool relay_is_host(const struct bypeer_relay_place *place)
{
    const uint8_t *address = (const uint8_t *)place->address;
    if (!bypeer_ipv4_is_mapped(address))
        return bypeer_ipv6_is_routable(address);
    /* RFC 6890: this network, loopback, multicast and reserved. */
    return address[12] != 0 && address[12] != 127 && address[12] < 224;
}

static bool relay_is_own(const struct bypeer_tables *tables, const struct bypeer_relay_place *place)
{
    const uint32_t ports[2] = {0, bypeer_relay_port(place)};
    uint8_t key[2][16];
    const uint8_t *keys[2] = {key[0], key[1]};
    const struct bypeer_destination *found[2];
    for (unsigned i = 0; i < 2; i++)
        bypeer_ingress_key(tables->ingresses.seed, (const uint8_t *)place->address, BYPEER_INGRESS_ENDPOINT | ports[i],
                           key[i]);
    bypeer_ingresses_lookup(tables, keys, 2, found);
    return found[0] != NULL || found[1] != NULL;
}

bool bypeer_relay_may_be_at(const struct bypeer_worker *worker, const struct relay_scope *scope,
                            const struct bypeer_relay_place *place)
{
    uint8_t mac[8];
    bypeer_store64(mac, place->port_and_mac);
    return bypeer_relay_port(place) != 0 && (mac[2] & 1) == 0 && place->device < worker->port_count &&
           memcmp(mac + 2, worker->ports[place->device].mac, 6) != 0 && relay_is_host(place) &&
           !relay_has_words(scope, place->address[0], place->address[1]) && !relay_is_own(worker->tables, place);
}

/* Whether an IPv4 source is where the member's hub link has him, who has proved it there. */
static bool relay_is_member(const struct bypeer_worker *worker, uint32_t link_id,
                            const struct bypeer_relay_place *place)
{
    const struct bypeer_link *link = bypeer_tables_link(worker->tables, link_id);
    const uint8_t *address = (const uint8_t *)place->address;
    struct bypeer_seen seen;
    if (link->kind != BYPEER_LINK_WIREGUARD)
        return false;
    if (link->session < worker->shared->size.links &&
        bypeer_seen_read(&worker->shared->peers[link->session].seen, link->serial, &seen))
        return bypeer_ipv6_is_same(seen.remote, address);
    return link->peer_port != 0 && bypeer_ipv6_is_same(link->peer, address);
}

/* Whatever is not as usual. False: the packet's source is none that a member may have. */
static __rte_noinline bool relay_hear(struct bypeer_worker *worker, const struct relay_scope *scope,
                                      const struct bypeer_relay_packet *packet,
                                      const struct bypeer_relay_record *record, uint32_t number, uint32_t now_s)
{
    static const uint8_t counters[] = {
        [BYPEER_RELAY_HEARD_CLAIM] = BYPEER_COUNT_RELAY_CLAIMS,
        [BYPEER_RELAY_HEARD_CANDIDATE] = BYPEER_COUNT_RELAY_CLAIMS,
        [BYPEER_RELAY_HEARD_ECHO] = BYPEER_COUNT_RELAY_ECHOES,
        [BYPEER_RELAY_HEARD_MOVE] = BYPEER_COUNT_RELAY_MOVES,
    };
    const struct bypeer_relay_end own = relay_end(worker, number);
    const uint32_t link = __atomic_load_n(&record->links[number % 2], __ATOMIC_RELAXED);
    if (packet->message.type == BYPEER_WIREGUARD_NONE)
        return bypeer_relay_hear_fragment(own.state, record->serial, &packet->place, now_s);
    if (!bypeer_relay_may_be_at(worker, scope, &packet->place) ||
        (packet->underlay == 4 && !relay_is_member(worker, link, &packet->place)))
        return false;
    enum bypeer_relay_heard heard = bypeer_relay_hear(own, record->serial, &packet->place, &packet->message, now_s);
    if (heard != BYPEER_RELAY_HEARD_NOTHING)
        bypeer_count(worker, counters[heard], 1);
    return true;
}

/* --- sending on --------------------------------------------------------------------------------------------------- */

static inline rte_edge_t relay_send(struct bypeer_worker *worker, const struct relay_scope *scope,
                                    struct rte_mbuf *mbuf, const struct bypeer_relay_packet *relayed,
                                    const uint8_t source[static 16], const struct bypeer_relay_place *to)
{
    struct bypeer_packet *packet = bypeer_packet(mbuf);
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
    if (unlikely(to->device >= worker->port_count))
        return bypeer_refuse(packet, BYPEER_DROP_NO_PORT, RELAY_DROP);
    const struct bypeer_port *port = &worker->ports[to->device];
    if (unlikely(relayed->message.bytes > port->mtu)) {
        packet->icmp_type = BYPEER_ICMPV6_TOO_BIG;
        packet->icmp_value = port->mtu;
        return bypeer_refuse(packet, BYPEER_DROP_TOO_BIG, relayed->underlay == 6 ? RELAY_ICMP : RELAY_DROP);
    }
    /* What follows the packet in its frame is nobody's: no count or credit knows it. */
    const uint32_t bytes = BYPEER_RELAY_IP_AT + relayed->message.bytes;
    if (unlikely(mbuf->data_len > bytes))
        bypeer_room_trim(mbuf, (uint16_t)(mbuf->data_len - bytes));
    bypeer_relay_rewrite_ethernet(frame, to, port->mac);
    if (likely(relayed->underlay == 6))
        bypeer_relay_rewrite_ipv6(frame + BYPEER_RELAY_IP_AT, relayed->udp_at == 0 ? NULL : frame + relayed->udp_at,
                                  source, scope->port, to);
    else
        bypeer_relay_rewrite_ipv4(frame + BYPEER_RELAY_IP_AT, source, bypeer_relay_key_port(source), to);
    packet->port = to->device;
    return RELAY_TRANSMIT;
}

static inline rte_edge_t relay_carry(struct bypeer_worker *worker, const struct relay_scope *scope,
                                     struct rte_mbuf *mbuf, const struct bypeer_relay_packet *relayed,
                                     const struct bypeer_relay_record *record, uint32_t number, uint32_t now_s)
{
    static const uint8_t reasons[] = {
        [BYPEER_RELAY_WAY_NOBODY] = BYPEER_DROP_RELAY_NOBODY,
        [BYPEER_RELAY_WAY_CREDIT] = BYPEER_DROP_RELAY_CREDIT,
    };
    struct bypeer_packet *packet = bypeer_packet(mbuf);
    const struct bypeer_relay_end own = relay_end(worker, number), partner = relay_end(worker, number ^ 1);
    struct bypeer_relay_place to;

    if (unlikely(own.state == NULL || partner.state == NULL))
        return bypeer_refuse(packet, BYPEER_DROP_RELAY_NOBODY, RELAY_DROP);
    if (unlikely(!bypeer_relay_hear_usual(own.state, record->serial, &relayed->place, &relayed->message, now_s)) &&
        !relay_hear(worker, scope, relayed, record, number, now_s))
        return bypeer_refuse(packet, BYPEER_DROP_RELAY_SOURCE, RELAY_DROP);
    if (unlikely(!bypeer_relay_where_usual(partner.state, record->serial, &relayed->message, now_s, &to))) {
        enum bypeer_relay_way way = bypeer_relay_where(partner, record->serial, &relayed->message, now_s, &to);
        if (way != BYPEER_RELAY_WAY_GO)
            return bypeer_refuse(packet, reasons[way], RELAY_DROP);
    }
    rte_edge_t next = relay_send(worker, scope, mbuf, relayed, record->keys[1 - number % 2], &to);
    if (likely(next == RELAY_TRANSMIT))
        bypeer_relay_count(own, relayed->message.bytes);
    return next;
}

/* All that a usual packet to this end needs, into the second level of cache: of lines on their way to the first, a core
 * can wait for fewer, and the frames are such. */
static inline void relay_prefetch(const struct bypeer_worker *worker, uint32_t number)
{
    rte_prefetch1(bypeer_relays_record(worker->tables, number));
    rte_prefetch1(relay_end(worker, number).state);
    rte_prefetch1(relay_end(worker, number ^ 1).state);
}

static void relay_burst(struct bypeer_worker *worker, struct rte_node *node, struct rte_mbuf **mbufs, unsigned count,
                        rte_edge_t *nexts)
{
    const struct bypeer_tables *tables = worker->tables;
    const struct relay_scope scope = relay_scope(tables);
    const uint32_t now_s = (uint32_t)(worker->now_ms / 1000);
    struct bypeer_relay_packet packets[BYPEER_BURST_MAX];
    uint32_t numbers[BYPEER_BURST_MAX]; /* of the ends that they came to */
    uint8_t at[BYPEER_BURST_MAX];       /* in the burst, of each that is looked up */
    unsigned some = 0;
    (void)node;

    for (unsigned i = 0; i < count; i++) {
        if (unlikely(!relay_read(&packets[some], &scope, mbufs[i], &nexts[i])))
            continue;
        numbers[some] = bypeer_relays_end(tables, packets[some].key);
        relay_prefetch(worker, numbers[some]);
        at[some++] = (uint8_t)i;
    }
    for (unsigned i = 0; i < some; i++) {
        struct rte_mbuf *mbuf = mbufs[at[i]];
        const struct bypeer_relay_record *record = bypeer_relays_record(tables, numbers[i]);
        nexts[at[i]] = likely(bypeer_relays_has(record, numbers[i], packets[i].key))
                           ? relay_carry(worker, &scope, mbuf, &packets[i], record, numbers[i], now_s)
                           : relay_refuse(mbuf, &packets[i], BYPEER_DROP_RELAY_UNKNOWN);
    }
}

static uint16_t relay_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    return bypeer_dispatch(graph, node, objs, count, BYPEER_COUNT_NODE_RELAY, relay_burst);
}

static struct rte_node_register relay_node = {
    .name = "relay",
    .process = relay_process,
    .nb_edges = RELAY_EDGES,
    .next_nodes = {[RELAY_TRANSMIT] = "transmit",
                   [RELAY_ICMP] = "relay_icmp",
                   [RELAY_NEIGHBOUR] = "relay_neighbour",
                   [RELAY_PUNT] = "punt",
                   [RELAY_DROP] = "drop"},
};
RTE_NODE_REGISTER(relay_node)
