/*
 * relay_icmp: path MTU from member to member. In: ICMPv6 packets to relay addresses, and packets with .reason and
 * .icmp_value, the MTU that they exceed. Out: transmit for errors that were turned into errors about the member's own
 * packet (overlay/relay/error.h), and for new ones about packets too big, from the address that they were sent to; drop
 * for those packets, and for what is no error about what was relayed.
 *
 * Nobody is told anything but a member who is confirmed, or the source of the very packet that was too big, at most as
 * many bytes as came.
 */
#include <rte_cycles.h>

#include "dataplane/nodes/relay.h"
#include "dataplane/room.h"
#include "overlay/ip/icmpv6.h"
#include "overlay/relay/error.h"
#include "overlay/relay/rewrite.h"
#include "overlay/relay/rules.h"

enum { RELAY_ICMP_TRANSMIT, RELAY_ICMP_DROP, RELAY_ICMP_EDGES };

#define RELAY_ICMP_PER_SECOND 1000 /* errors that one worker makes: as Linux' icmp_msgs_per_sec */
#define RELAY_ICMP_BURST      50   /* as Linux' icmp_msgs_burst */

/* In the node's context: when its bucket will be full again. */
struct relay_icmp_limit {
    uint64_t full_tsc;
};

static bool relay_icmp_has_token(struct rte_node *node, uint64_t now_tsc)
{
    struct relay_icmp_limit *limit = (struct relay_icmp_limit *)node->ctx;
    uint64_t interval_tsc = rte_get_tsc_hz() / RELAY_ICMP_PER_SECOND;
    if (limit->full_tsc > now_tsc + interval_tsc * (RELAY_ICMP_BURST - 1))
        return false;
    limit->full_tsc = RTE_MAX(limit->full_tsc, now_tsc) + interval_tsc;
    return true;
}

/* The error about a packet that was too big, or NULL: it may not be sent, or there is no buffer for it. */
static struct rte_mbuf *relay_icmp_make(struct bypeer_worker *worker, struct rte_node *node, struct rte_mbuf *mbuf)
{
    const struct bypeer_packet *packet = bypeer_packet(mbuf);
    const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    const uint8_t *about = frame + BYPEER_RELAY_IP_AT;
    size_t about_bytes = BYPEER_IPV6_BYTES + (size_t)bypeer_load16(about + BYPEER_IPV6_LENGTH);
    struct bypeer_icmpv6_error error = {
        .type = BYPEER_ICMPV6_TOO_BIG,
        .value = packet->icmp_value,
        .source = about + BYPEER_IPV6_DESTINATION,
    };
    if (!bypeer_icmpv6_is_allowed(about, about_bytes, error.type) || !relay_icmp_has_token(node, worker->now_tsc))
        return NULL;
    struct rte_mbuf *answer = rte_pktmbuf_alloc(worker->pool);
    if (answer == NULL)
        return NULL;
    uint8_t *data = bypeer_room_append(answer, BYPEER_ETHERNET_BYTES + BYPEER_ICMPV6_ERROR_BYTES);
    if (data == NULL) {
        bypeer_room_free_bulk(&answer, 1);
        return NULL;
    }
    memcpy(data + BYPEER_ETHERNET_DESTINATION, frame + BYPEER_ETHERNET_SOURCE, 6);
    memcpy(data + BYPEER_ETHERNET_SOURCE, worker->ports[packet->port].mac, 6);
    bypeer_store16(data + BYPEER_ETHERNET_TYPE, BYPEER_ETHERTYPE_IPV6);
    size_t bytes = bypeer_icmpv6_write(data + BYPEER_ETHERNET_BYTES, &error, about, about_bytes);
    bypeer_room_narrow(answer, 0, (uint16_t)(BYPEER_ETHERNET_BYTES + bytes));
    *bypeer_packet(answer) = (struct bypeer_packet){.port = packet->port, .trace = packet->trace};
    return answer;
}

/* Whether the quoted packet went to where the user of this end is, or may be. */
static bool relay_icmp_is_about(struct bypeer_relay_end end, uint64_t serial, const struct bypeer_relay_error *error,
                                struct bypeer_relay_place *ret_place)
{
    const struct bypeer_relay_endpoint *endpoints[2] = {&end.state->endpoint, &end.claims->candidate};
    for (unsigned i = 0; i < 2; i++) {
        struct bypeer_relay_place place;
        uint64_t seal;
        if (!bypeer_relay_load(endpoints[i], serial, &place, &seal) || place.address[0] != error->address[0] ||
            place.address[1] != error->address[1] || (error->port != 0 && bypeer_relay_port(&place) != error->port))
            continue;
        *ret_place = place;
        return true;
    }
    return false;
}

/* An error that came to a relay address: to the member whose packet it is about. */
static rte_edge_t relay_icmp_turn(struct bypeer_worker *worker, const struct relay_scope *scope, struct rte_mbuf *mbuf)
{
    struct bypeer_packet *packet = bypeer_packet(mbuf);
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
    uint8_t *ip = frame + BYPEER_RELAY_IP_AT;
    size_t bytes = BYPEER_IPV6_BYTES + (size_t)bypeer_load16(ip + BYPEER_IPV6_LENGTH);
    const uint32_t now_s = (uint32_t)(worker->now_ms / 1000);
    struct bypeer_relay_error error;
    struct bypeer_relay_place there, to;
    uint64_t seal;

    if (ip[BYPEER_IPV6_HOP_LIMIT] <= 1)
        return bypeer_refuse(packet, BYPEER_DROP_HOP_LIMIT, RELAY_ICMP_DROP);
    if (!bypeer_relay_error_read(&error, ip, bytes) || (error.udp_at != 0 && error.source_port != scope->port))
        return bypeer_refuse(packet, BYPEER_DROP_RELAY_ICMP, RELAY_ICMP_DROP);
    uint32_t number;
    const struct bypeer_relay_record *record =
        bypeer_relays_find(worker->tables, ip + BYPEER_IPV6_DESTINATION, &number);
    if (record == NULL)
        return bypeer_refuse(packet, BYPEER_DROP_RELAY_UNKNOWN, RELAY_ICMP_DROP);
    const struct bypeer_relay_end own = relay_end(worker, number);
    const struct bypeer_relay_state *partner = relay_end(worker, number ^ 1).state;
    if (own.state == NULL || partner == NULL || !relay_icmp_is_about(own, record->serial, &error, &there))
        return bypeer_refuse(packet, BYPEER_DROP_RELAY_ICMP, RELAY_ICMP_DROP);
    if (error.is_refusal && bypeer_relay_deny(own, record->serial, &there))
        bypeer_count(worker, BYPEER_COUNT_RELAY_DENIED, 1);
    if (!bypeer_relay_is_confirmed(partner, record->serial, now_s) ||
        !bypeer_relay_load(&partner->endpoint, record->serial, &to, &seal) || to.device >= worker->port_count)
        return bypeer_refuse(packet, BYPEER_DROP_RELAY_NOBODY, RELAY_ICMP_DROP);
    if (bytes > worker->ports[to.device].mtu)
        return bypeer_refuse(packet, BYPEER_DROP_TOO_BIG, RELAY_ICMP_DROP);
    if (mbuf->data_len > BYPEER_RELAY_IP_AT + bytes)
        bypeer_room_trim(mbuf, (uint16_t)(mbuf->data_len - BYPEER_RELAY_IP_AT - bytes));
    bypeer_relay_rewrite_ethernet(frame, &to, worker->ports[to.device].mac);
    bypeer_relay_error_turn(ip, bytes, &error, record->keys[1 - number % 2], scope->port, &to);
    bypeer_count(worker, BYPEER_COUNT_RELAY_ERRORS, 1);
    packet->port = to.device;
    return RELAY_ICMP_TRANSMIT;
}

static uint16_t relay_icmp_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    struct bypeer_worker *worker = bypeer_worker_self();
    const struct relay_scope scope = relay_scope(worker->tables);
    bool runs = bypeer_trace_runs(worker);

    bypeer_count(worker, BYPEER_COUNT_NODE_RELAY_ICMP, count);
    for (unsigned i = 0; i < count; i++) {
        struct rte_mbuf *mbuf = objs[i], *answer = NULL;
        rte_edge_t next = RELAY_ICMP_DROP;
        if (bypeer_packet(mbuf)->reason != BYPEER_DROP_TOO_BIG) {
            next = relay_icmp_turn(worker, &scope, mbuf);
        } else {
            answer = relay_icmp_make(worker, node, mbuf);
            bypeer_count(worker, answer == NULL ? BYPEER_COUNT_ICMP_SUPPRESSED : BYPEER_COUNT_GENERATED, 1);
        }
        if (unlikely(runs))
            bypeer_dispatch_trace(worker, node, &mbuf, &next, 1);
        rte_node_enqueue_x1(graph, node, next, mbuf);
        if (answer != NULL)
            rte_node_enqueue_x1(graph, node, RELAY_ICMP_TRANSMIT, answer);
    }
    return count;
}

static struct rte_node_register relay_icmp_node = {
    .name = "relay_icmp",
    .process = relay_icmp_process,
    .nb_edges = RELAY_ICMP_EDGES,
    .next_nodes = {[RELAY_ICMP_TRANSMIT] = "transmit", [RELAY_ICMP_DROP] = "drop"},
};
RTE_NODE_REGISTER(relay_icmp_node)
