/*
 * icmp_error: tells the sender why. In: overlay packets with .reason and the error (.icmp_type, .icmp_code,
 * .icmp_value). Out: each packet to drop, and for each error that may be sent a new packet from this node's address in
 * the group to overlay_lookup, which finds its way like any packet of this host.
 *
 * RFC 4443, 2.4 (f): errors are limited by token buckets, one for each of some classes of senders, so that one of them
 * cannot use up the others' share, and one for all. A bucket is the time at which it will be full again: an error is
 * allowed if that is at most a burst's worth ahead. Both are per worker.
 */
#include <rte_cycles.h>
#include <rte_malloc.h>

#include "dataplane/nodes/dispatch.h"
#include "dataplane/room.h"
#include "overlay/ip/icmpv6.h"

#define ICMP_ERRORS_PER_SECOND        1000 /* all senders together; as Linux' icmp_msgs_per_sec */
#define ICMP_ERRORS_BURST             50   /* as Linux' icmp_msgs_burst */
#define ICMP_ERRORS_SENDER_PER_SECOND 100
#define ICMP_ERRORS_SENDER_BURST      10
#define ICMP_ERRORS_SENDER_BITS       8 /* 256 classes, by hash of the source */

enum { ICMP_ERROR_LOOKUP, ICMP_ERROR_DROP, ICMP_ERROR_EDGES };

/* In memory of the node's own; its context holds the pointer. */
struct icmp_error_limits {
    uint64_t tsc_hz;
    uint64_t all_full_tsc;
    uint64_t sender_full_tsc[1 << ICMP_ERRORS_SENDER_BITS];
};

static bool icmp_error_has_token(uint64_t full_tsc, uint64_t now_tsc, uint64_t interval_tsc, unsigned burst)
{
    return full_tsc <= now_tsc + interval_tsc * (burst - 1);
}

static uint64_t icmp_error_take_token(uint64_t full_tsc, uint64_t now_tsc, uint64_t interval_tsc)
{
    return RTE_MAX(full_tsc, now_tsc) + interval_tsc;
}

static bool icmp_error_within_limits(struct icmp_error_limits *limits, uint64_t now_tsc, const uint8_t *source)
{
    uint64_t all_tsc = limits->tsc_hz / ICMP_ERRORS_PER_SECOND;
    uint64_t sender_tsc = limits->tsc_hz / ICMP_ERRORS_SENDER_PER_SECOND;
    uint64_t hash = bypeer_load64_raw(source + 8) * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t *sender_full_tsc = &limits->sender_full_tsc[hash >> (64 - ICMP_ERRORS_SENDER_BITS)];
    if (!icmp_error_has_token(*sender_full_tsc, now_tsc, sender_tsc, ICMP_ERRORS_SENDER_BURST) ||
        !icmp_error_has_token(limits->all_full_tsc, now_tsc, all_tsc, ICMP_ERRORS_BURST))
        return false;
    *sender_full_tsc = icmp_error_take_token(*sender_full_tsc, now_tsc, sender_tsc);
    limits->all_full_tsc = icmp_error_take_token(limits->all_full_tsc, now_tsc, all_tsc);
    return true;
}

/* The group that a packet belongs to: of one that came by a trunk, its source's. */
static const struct bypeer_group *icmp_error_group(const struct bypeer_tables *tables,
                                                   const struct bypeer_link *ingress, const uint8_t *about)
{
    if (likely(ingress->group != BYPEER_GROUP_ANY))
        return bypeer_tables_group(tables, ingress->group);
    const uint8_t *source = about + BYPEER_IPV6_SOURCE;
    const struct bypeer_destination *record;
    bypeer_destinations_lookup(tables, &source, 1, &record);
    if (record == NULL)
        record = bypeer_prefixes_lookup(tables, source);
    return bypeer_tables_group(tables, record == NULL ? 0 : record->group);
}

/* The error about one packet, or NULL: it may not be sent, or there is no buffer for it. */
static struct rte_mbuf *icmp_error_make(struct bypeer_worker *worker, struct icmp_error_limits *limits,
                                        struct rte_mbuf *mbuf)
{
    static const uint8_t none[16];
    const struct bypeer_packet *packet = bypeer_packet(mbuf);
    const uint8_t *about = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    const struct bypeer_link *ingress = bypeer_tables_link(worker->tables, packet->ingress);
    const struct bypeer_group *group = icmp_error_group(worker->tables, ingress, about);
    struct bypeer_icmpv6_error error = {
        .type = packet->icmp_type,
        .code = packet->icmp_code,
        .value = packet->icmp_value,
        .source = group->address,
    };
    if (memcmp(group->address, none, sizeof(none)) == 0 ||
        !bypeer_icmpv6_is_allowed(about, mbuf->data_len, error.type) ||
        !icmp_error_within_limits(limits, worker->now_tsc, about + BYPEER_IPV6_SOURCE))
        return NULL;
    struct rte_mbuf *answer = rte_pktmbuf_alloc(worker->pool);
    if (answer == NULL)
        return NULL;
    uint8_t *data = bypeer_room_append(answer, BYPEER_ICMPV6_ERROR_BYTES);
    if (data == NULL) {
        bypeer_room_free_bulk(&answer, 1);
        return NULL;
    }
    size_t bytes = bypeer_icmpv6_write(data, &error, about, mbuf->data_len);
    bypeer_room_narrow(answer, 0, (uint16_t)bytes);
    *bypeer_packet(answer) = (struct bypeer_packet){.port = packet->port, .trace = packet->trace};
    return answer;
}

static uint16_t icmp_error_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    struct bypeer_worker *worker = bypeer_worker_self();
    struct icmp_error_limits *limits;
    memcpy(&limits, node->ctx, sizeof(limits));
    bool runs = bypeer_trace_runs(worker);

    bypeer_count(worker, BYPEER_COUNT_NODE_ICMP_ERROR, count);
    for (unsigned i = 0; i < count; i++) {
        struct rte_mbuf *mbuf = objs[i], *answer = icmp_error_make(worker, limits, mbuf);
        if (unlikely(runs))
            bypeer_trace_step(worker, mbuf, node->name, answer == NULL ? "drop" : "overlay_lookup");
        bypeer_count(worker, answer == NULL ? BYPEER_COUNT_ICMP_SUPPRESSED : BYPEER_COUNT_GENERATED, 1);
        if (answer != NULL)
            rte_node_enqueue_x1(graph, node, ICMP_ERROR_LOOKUP, answer);
    }
    rte_node_enqueue(graph, node, ICMP_ERROR_DROP, objs, count);
    return count;
}

static int icmp_error_init(const struct rte_graph *graph, struct rte_node *node)
{
    (void)graph;
    struct icmp_error_limits *limits = rte_zmalloc("icmp_error", sizeof(*limits), RTE_CACHE_LINE_SIZE);
    if (limits == NULL)
        return -ENOMEM;
    limits->tsc_hz = rte_get_tsc_hz();
    memcpy(node->ctx, &limits, sizeof(limits));
    return 0;
}

static void icmp_error_fini(const struct rte_graph *graph, struct rte_node *node)
{
    struct icmp_error_limits *limits;
    (void)graph;
    memcpy(&limits, node->ctx, sizeof(limits));
    rte_free(limits);
}

static struct rte_node_register icmp_error_node = {
    .name = "icmp_error",
    .process = icmp_error_process,
    .init = icmp_error_init,
    .fini = icmp_error_fini,
    .nb_edges = ICMP_ERROR_EDGES,
    .next_nodes = {[ICMP_ERROR_LOOKUP] = "overlay_lookup", [ICMP_ERROR_DROP] = "drop"},
};
RTE_NODE_REGISTER(icmp_error_node)
