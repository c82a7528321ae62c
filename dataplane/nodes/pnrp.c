/*
 * pnrp: answers for this node's clouds. In: UDP datagrams to the address and port of a cloud, .cloud filled in. Out:
 * transmit for what is answered here, in place; punt for what needs a signature, a conversation or judgement; drop for
 * what is damaged, malformed, of another version, or beyond what its source may ask.
 *
 * Costs one pass over the datagram for its checksum, and for LOOKUPs the nearest-ID index, asked once a burst.
 */
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include "dataplane/nodes/pnrp.h"

/* The cloud of the last datagram of the burst: mostly that of the next one, too. */
struct pnrp_cloud {
    const struct bypeer_cloud_record *record; /* NULL: there was none yet */
    const struct bypeer_profile *profile;     /* by the version that it speaks */
    uint8_t number;
};

static inline void pnrp_enter_cloud(struct pnrp_cloud *cloud, const struct bypeer_tables *tables, uint8_t number)
{
    if (likely(cloud->record != NULL && cloud->number == number))
        return;
    cloud->number = number;
    cloud->record = bypeer_names_cloud(tables, number);
    cloud->profile = bypeer_profile(BYPEER_PROFILE_MODERN);
    if (cloud->record->version_major != cloud->profile->pnrp_major)
        cloud->profile = bypeer_profile(BYPEER_PROFILE_WINDOWS);
}

/* Whether the datagram may be looked at further; else *ret_next says where it goes. classify has checked its lengths.
 */
static inline bool pnrp_accept(struct bypeer_worker *worker, struct pnrp_cloud *cloud,
                               struct pnrp_datagram *ret_datagram, struct rte_mbuf *mbuf, rte_edge_t *ret_next)
{
    struct bypeer_packet *packet = bypeer_packet(mbuf);
    pnrp_enter_cloud(cloud, worker->tables, packet->cloud);
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
    const uint8_t *udp = frame + BYPEER_DATAGRAM_UDP_AT;
    struct pnrp_datagram datagram = {
        .mbuf = mbuf,
        .payload = frame + BYPEER_DATAGRAM_PAYLOAD_AT,
        .payload_bytes = (uint16_t)(bypeer_load16(udp + BYPEER_UDP_LENGTH) - BYPEER_UDP_BYTES),
        .number = packet->cloud,
        .sum = bypeer_datagram_sum(frame),
        .cloud = cloud->record,
        .profile = cloud->profile,
    };
    if (unlikely((cloud->record->flags & BYPEER_CLOUD_ANSWERS) == 0)) {
        *ret_next = pnrp_punt(worker, mbuf);
        return false;
    }
    if (unlikely(!bypeer_datagram_is_sound(frame, datagram.payload_bytes, datagram.sum))) {
        *ret_next = bypeer_refuse(packet, BYPEER_DROP_OUTER_CHECKSUM, PNRP_DROP);
        return false;
    }
    if (unlikely(bypeer_load16(udp + BYPEER_UDP_SOURCE) < BYPEER_PNRP_PORT_MIN || !bypeer_datagram_has_source(frame))) {
        *ret_next = bypeer_refuse(packet, BYPEER_DROP_PNRP_SOURCE, PNRP_DROP);
        return false;
    }
    *ret_datagram = datagram;
    return true;
}

/* Reads what is no LOOKUP in its usual form, and answers it; a LOOKUP in another form joins the others. */
static __rte_noinline bool pnrp_read(struct bypeer_worker *worker, struct pnrp_state *state,
                                     const struct pnrp_datagram *datagram, struct bypeer_pnrp_lookup *ret_lookup,
                                     rte_edge_t *ret_next)
{
    struct bypeer_pnrp_message message;
    int status = bypeer_pnrp_read(&message, datagram->profile, datagram->payload, datagram->payload_bytes);
    if (status != 0) {
        *ret_next = bypeer_refuse(bypeer_packet(datagram->mbuf),
                                  status == -EPROTONOSUPPORT ? BYPEER_DROP_PNRP_PROFILE : BYPEER_DROP_PNRP_MALFORMED,
                                  PNRP_DROP);
        return false;
    }
    if (message.type == BYPEER_PNRP_LOOKUP) {
        *ret_lookup = message.lookup;
        return true;
    }
    *ret_next = bypeer_pnrp_message(worker, state, datagram, &message);
    return false;
}

static void pnrp_burst(struct bypeer_worker *worker, struct rte_node *node, struct rte_mbuf **mbufs, unsigned count,
                       rte_edge_t *nexts)
{
    struct pnrp_state *state;
    struct pnrp_lookups lookups;
    struct pnrp_cloud cloud = {.record = NULL};
    memcpy(&state, node->ctx, sizeof(state));
    lookups.count = 0;

    for (unsigned i = 0; i < count; i++) {
        struct pnrp_datagram *datagram = &lookups.datagrams[lookups.count];
        struct bypeer_pnrp_lookup *lookup = &lookups.messages[lookups.count];
        if (!pnrp_accept(worker, &cloud, datagram, mbufs[i], &nexts[i]))
            continue;
        if (unlikely(!bypeer_lookup_read(lookup, datagram->profile, datagram->payload, datagram->payload_bytes)) &&
            !pnrp_read(worker, state, datagram, lookup, &nexts[i]))
            continue;
        lookups.numbers[lookups.count] = (uint8_t)i;
        lookups.clouds[lookups.count] = datagram->number;
        lookups.targets[lookups.count] = lookup->target;
        lookups.count++;
    }
    if (lookups.count != 0)
        bypeer_pnrp_lookup_burst(worker, state, &lookups, nexts);
}

static uint16_t pnrp_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    return bypeer_dispatch(graph, node, objs, count, BYPEER_COUNT_NODE_PNRP, pnrp_burst);
}

/* Probes are the same but for their Message IDs. */
static void pnrp_write_probes(struct pnrp_state *state)
{
    static const uint8_t nowhere[BYPEER_ID_BYTES];
    const struct bypeer_pnrp_message probe = {.type = BYPEER_PNRP_FLOOD, .flood = {.validate = nowhere}};
    for (unsigned id = 0; id < BYPEER_PROFILES; id++)
        bypeer_pnrp_write(&probe, bypeer_profile(id), state->probes[id], BYPEER_PROBE_BYTES);
}

static void pnrp_free(struct pnrp_state *state)
{
    for (unsigned number = 1; number <= BYPEER_CLOUDS_MAX; number++)
        rte_free(state->meters[number]);
    rte_free(state);
}

static int pnrp_init(const struct rte_graph *graph, struct rte_node *node)
{
    static const struct bypeer_meter_settings settings = {.entries = BYPEER_METER_ENTRIES};
    (void)graph;
    struct pnrp_state *state = rte_zmalloc("pnrp", sizeof(*state), RTE_CACHE_LINE_SIZE);
    if (state == NULL)
        return -ENOMEM;
    state->random = rte_rand() | 1;
    state->tsc_hz = rte_get_tsc_hz();
    pnrp_write_probes(state);
    for (unsigned number = 1; number <= BYPEER_CLOUDS_MAX; number++) {
        state->meters[number] = rte_zmalloc("pnrp meter", bypeer_meter_bytes(&settings), RTE_CACHE_LINE_SIZE);
        if (state->meters[number] == NULL) {
            pnrp_free(state);
            return -ENOMEM;
        }
    }
    memcpy(node->ctx, &state, sizeof(state));
    return 0;
}

static void pnrp_fini(const struct rte_graph *graph, struct rte_node *node)
{
    struct pnrp_state *state;
    (void)graph;
    memcpy(&state, node->ctx, sizeof(state));
    pnrp_free(state);
}

static struct rte_node_register pnrp_node = {
    .name = "pnrp",
    .process = pnrp_process,
    .init = pnrp_init,
    .fini = pnrp_fini,
    .nb_edges = PNRP_EDGES,
    .next_nodes = {[PNRP_TRANSMIT] = "transmit", [PNRP_PUNT] = "punt", [PNRP_DROP] = "drop"},
};
RTE_NODE_REGISTER(pnrp_node)
