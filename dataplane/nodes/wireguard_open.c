/*
 * wireguard_open: takes what peers send out of WireGuard. In: datagrams to an own address and port of WireGuard. Out:
 * overlay_lookup for the IPv6 packets in data messages, .ingress filled in, whose source it then judges (cryptokey
 * routing); consume for keepalives; wireguard_handshake for other messages; drop for everything else.
 *
 * A session is found by its receiver index, in one line. Its packets may arrive on any worker: all of them share the
 * window that lets each counter through once. Nothing is believed before its tag was right, and only what was fresh
 * then moves a peer's endpoint or its timers.
 *
 * Costs, beside the burst's ChaCha20-Poly1305, the session's record and window, and the link's record and peer: a burst
 * fetches each of these for all packets before it looks at the first. The UDP checksum is not verified, since the tag
 * says more, but for packets that seem to come from another address: no tag says anything about that.
 */
#include "dataplane/nodes/dispatch.h"
#include "dataplane/nodes/session.h"
#include "dataplane/nodes/wireguard_source.h"
#include "dataplane/room.h"
#include "dataplane/wireguard.h"
#include "overlay/ip/ecn.h"

enum {
    WIREGUARD_OPEN_LOOKUP,
    WIREGUARD_OPEN_HANDSHAKE,
    WIREGUARD_OPEN_CONSUME,
    WIREGUARD_OPEN_DROP,
    WIREGUARD_OPEN_EDGES
};
_Static_assert(BYPEER_BURST_MAX <= BYPEER_AEAD_BURST, "a burst is opened at once");
#define WIREGUARD_OPEN_FIRST 16 /* messages, which the AEAD takes at once; it fetches the next ones meanwhile */

/* A data message on its way through the node. */
struct wireguard_open_message {
    struct rte_mbuf *mbuf;
    struct bypeer_fabric_outer outer;
    const uint8_t *payload;
    const struct bypeer_wireguard_session *session;
    const struct bypeer_link *link;
    struct bypeer_wireguard_state *state;
    struct bypeer_window *window;
    struct bypeer_peer_state *peer;
    uint64_t number; /* of its session's use and its counter: counter.h */
    enum bypeer_wireguard_place place;
    uint8_t at; /* in the burst */
};

/* --- before it is opened ------------------------------------------------------------------------------------------ */

/* Whether this is a data message; else *ret_next says where it goes. classify has checked its lengths. */
static inline bool wireguard_open_read(const struct bypeer_tables *tables, struct wireguard_open_message *message,
                                       rte_edge_t *ret_next)
{
    struct bypeer_packet *packet = bypeer_packet(message->mbuf);
    const uint8_t *frame = rte_pktmbuf_mtod(message->mbuf, const uint8_t *);
    message->outer = bypeer_fabric_outer_read(frame, packet->underlay);
    message->payload = frame + message->outer.udp_at + BYPEER_UDP_BYTES;
    size_t bytes = (size_t)(message->outer.udp_length - BYPEER_UDP_BYTES);
    if (unlikely(bypeer_wireguard_type(message->payload, bytes) != BYPEER_WIREGUARD_DATA)) {
        *ret_next = WIREGUARD_OPEN_HANDSHAKE;
        return false;
    }
    if (unlikely(!bypeer_wireguard_header_is_sound(frame, &message->outer))) {
        *ret_next = bypeer_refuse(packet, BYPEER_DROP_OUTER_CHECKSUM, WIREGUARD_OPEN_DROP);
        return false;
    }
    bypeer_tables_prefetch_session(tables, bypeer_wireguard_data_receiver(message->payload));
    return true;
}

/* Finds the session's record and begins to fetch all that hangs on it. */
static inline void wireguard_open_find(const struct bypeer_worker *worker, struct wireguard_open_message *message)
{
    uint32_t index = bypeer_wireguard_data_receiver(message->payload);
    uint64_t counter = bypeer_wireguard_data_counter(message->payload);
    const struct bypeer_wireguard_session *session = bypeer_tables_session(worker->tables, index);
    message->session = session;
    if (unlikely(session == NULL))
        return;
    message->number = bypeer_counter_of(session->use, counter);
    message->state = bypeer_wireguard_state_in(worker->shared, index & BYPEER_SESSIONS_MAX);
    message->link = bypeer_tables_link(worker->tables, session->peer);
    message->peer = NULL;
    rte_prefetch0(message->link);
    if (likely(message->state != NULL)) {
        message->window = &worker->shared->windows[index & BYPEER_SESSIONS_MAX];
        rte_prefetch0(&message->state->greatest);
        bypeer_window_prefetch(message->window, message->number);
    }
}

/* Begins to fetch what hangs on the link. */
static inline void wireguard_open_prefetch(const struct bypeer_worker *worker,
                                           const struct wireguard_open_message *message)
{
    if (unlikely(message->session == NULL || worker->shared == NULL ||
                 message->link->session >= worker->shared->size.links))
        return;
    const struct bypeer_peer_state *peer = &worker->shared->peers[message->link->session];
    rte_prefetch0(peer);
    bypeer_session_prefetch(worker, message->link);
}

/* Begins to fetch the whole message. */
static inline void wireguard_open_prefetch_text(const struct wireguard_open_message *message)
{
    for (uint32_t at = 0; at < message->outer.udp_length; at += RTE_CACHE_LINE_SIZE)
        rte_prefetch1(message->payload + at);
}

/* Why a message is not worth opening, or 0. */
static inline unsigned wireguard_open_refusal(const struct bypeer_worker *worker,
                                              struct wireguard_open_message *message, uint64_t now_ns)
{
    if (unlikely(message->session == NULL || message->state == NULL || message->link->kind != BYPEER_LINK_WIREGUARD ||
                 !bypeer_sessions_has_nonces(worker->shared, message->session) ||
                 !bypeer_wireguard_session_is_usable(message->session, 0, now_ns)))
        return BYPEER_DROP_WIREGUARD_SESSION;
    message->peer = bypeer_wireguard_peer(worker->shared, message->link);
    if (unlikely(message->peer == NULL))
        return BYPEER_DROP_WIREGUARD_SESSION;
    if (unlikely(bypeer_wireguard_data_counter(message->payload) >= BYPEER_COUNTER_LIMIT ||
                 bypeer_window_check(&message->state->greatest, message->window, message->number) !=
                     BYPEER_WINDOW_FRESH))
        return BYPEER_DROP_WIREGUARD_REPLAY;
    const uint8_t *frame = rte_pktmbuf_mtod(message->mbuf, const uint8_t *);
    message->place = bypeer_wireguard_place(message->link, message->peer, message->mbuf, &message->outer);
    if (unlikely(message->place == BYPEER_WIREGUARD_ELSEWHERE &&
                 !bypeer_wireguard_datagram_is_sound(frame, &message->outer)))
        return BYPEER_DROP_OUTER_CHECKSUM;
    return 0;
}

/* Leaves those that are worth opening, with a job for each, and says where the others go. How many are left. */
static inline unsigned wireguard_open_judge(const struct bypeer_worker *worker, struct wireguard_open_message *messages,
                                            unsigned count, struct bypeer_aead_job *jobs, rte_edge_t *nexts)
{
    uint64_t now_ns = bypeer_worker_now_ns(worker);
    unsigned left = 0;
    for (unsigned i = 0; i < count; i++) {
        struct wireguard_open_message *message = &messages[i];
        unsigned reason = wireguard_open_refusal(worker, message, now_ns);
        if (unlikely(reason != 0)) {
            nexts[message->at] = bypeer_refuse(bypeer_packet(message->mbuf), reason, WIREGUARD_OPEN_DROP);
            continue;
        }
        uint8_t *frame = rte_pktmbuf_mtod(message->mbuf, uint8_t *);
        jobs[left] = (struct bypeer_aead_job){
            .key = message->session->receive_key,
            .counter = bypeer_wireguard_data_counter(message->payload),
            .text = frame + message->outer.udp_at + BYPEER_UDP_BYTES + BYPEER_WIREGUARD_DATA_HEADER,
            .bytes = (uint32_t)(message->outer.udp_length - BYPEER_UDP_BYTES - BYPEER_WIREGUARD_DATA_MIN),
        };
        messages[left++] = *message;
    }
    return left;
}

/* --- after it was opened ------------------------------------------------------------------------------------------ */

/* What an authentic and fresh message tells, whatever is in it. */
static inline void wireguard_open_note(struct bypeer_worker *worker, const struct wireguard_open_message *message,
                                       bool data)
{
    const struct bypeer_wireguard_session *session = message->session;
    struct bypeer_wireguard_state *state = message->state;
    uint64_t now_ns = bypeer_worker_now_ns(worker);
    uint64_t heard = __atomic_load_n(&state->heard, __ATOMIC_RELAXED);
    if (unlikely(heard < session->use) &&
        __atomic_compare_exchange_n(&state->heard, &heard, session->use, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        bypeer_event_put(worker->events, BYPEER_EVENT_HEARD, session->local_index & BYPEER_SESSIONS_MAX);
    bypeer_activity_received(&message->peer->activity, data, now_ns);
    if (unlikely(bypeer_wireguard_session_is_stale_to_receive(session, now_ns)))
        bypeer_wireguard_want(worker->events, message->peer, message->link->id, now_ns);
    if (likely(message->place == BYPEER_WIREGUARD_AT_HOME))
        bypeer_seen_clear(&message->peer->seen);
    else if (message->place == BYPEER_WIREGUARD_ELSEWHERE)
        bypeer_wireguard_move(worker, message->link, message->peer, message->mbuf, &message->outer);
}

/* Cuts a packet out of its message. */
static inline rte_edge_t wireguard_open_packet(const struct bypeer_worker *worker,
                                               const struct wireguard_open_message *message, uint8_t *inner,
                                               uint32_t bytes)
{
    struct bypeer_packet *packet = bypeer_packet(message->mbuf);
    uint8_t *frame = rte_pktmbuf_mtod(message->mbuf, uint8_t *);
    const uint8_t *ip = frame + BYPEER_FABRIC_IP_AT;
    struct bypeer_ipv6 header;
    if (unlikely(bypeer_ipv6_parse(&header, inner, bytes) != 0))
        return bypeer_refuse(packet, BYPEER_DROP_INNER_HEADER, WIREGUARD_OPEN_DROP);
    uint8_t outer_class = message->outer.underlay == 6 ? bypeer_ipv6_traffic_class(ip) : ip[BYPEER_IPV4_TOS];
    int ecn = bypeer_ecn_decapsulate(outer_class, header.traffic_class);
    if (unlikely(ecn < 0))
        return bypeer_refuse(packet, BYPEER_DROP_ECN, WIREGUARD_OPEN_DROP);
    inner[1] = (uint8_t)((inner[1] & ~(BYPEER_ECN_MASK << 4)) | (unsigned)ecn << 4);
    uint16_t inner_bytes = (uint16_t)(BYPEER_IPV6_BYTES + header.payload_bytes);
    bypeer_room_narrow(message->mbuf, (uint16_t)(inner - frame), inner_bytes);
    packet->ingress = message->link->id;
    packet->sum_known = 0;
    bypeer_session_received(worker, message->link, worker->now_realtime_s * UINT64_C(1000000000), inner_bytes);
    return WIREGUARD_OPEN_LOOKUP;
}

/* A message that was opened, or was not authentic. */
static inline rte_edge_t wireguard_open_take(struct bypeer_worker *worker, const struct wireguard_open_message *message,
                                             const struct bypeer_aead_job *job)
{
    struct bypeer_packet *packet = bypeer_packet(message->mbuf);
    if (unlikely(!job->is_good))
        return bypeer_refuse(packet, BYPEER_DROP_WIREGUARD_TAG, WIREGUARD_OPEN_DROP);
    if (unlikely(bypeer_window_accept(&message->state->greatest, message->window, message->number) !=
                 BYPEER_WINDOW_FRESH))
        return bypeer_refuse(packet, BYPEER_DROP_WIREGUARD_REPLAY, WIREGUARD_OPEN_DROP);
    wireguard_open_note(worker, message, job->bytes != 0);
    if (unlikely(job->bytes == 0))
        return WIREGUARD_OPEN_CONSUME;
    return wireguard_open_packet(worker, message, job->text, job->bytes);
}

static void wireguard_open_burst(struct bypeer_worker *worker, struct rte_node *node, struct rte_mbuf **mbufs,
                                 unsigned count, rte_edge_t *nexts)
{
    struct wireguard_open_message messages[BYPEER_BURST_MAX];
    struct bypeer_aead_job jobs[BYPEER_BURST_MAX];
    unsigned some = 0;
    (void)node;

    for (unsigned i = 0; i < count; i++) {
        messages[some].mbuf = mbufs[i];
        messages[some].at = (uint8_t)i;
        some += wireguard_open_read(worker->tables, &messages[some], &nexts[i]);
    }
    for (unsigned i = 0; i < some; i++) {
        wireguard_open_find(worker, &messages[i]);
        if (i < WIREGUARD_OPEN_FIRST)
            wireguard_open_prefetch_text(&messages[i]);
    }
    for (unsigned i = 0; i < some; i++)
        wireguard_open_prefetch(worker, &messages[i]);
    some = wireguard_open_judge(worker, messages, some, jobs, nexts);
    if (some == 0)
        return;
    bypeer_aead_open(worker->aead, jobs, some);
    /* The greatest counter of a session first, which mostly is the last of its packets: the others then find that there
     * is nothing to raise, and leave the line, which all workers share, alone. */
    for (unsigned i = some; i-- > 0;)
        if (likely(jobs[i].is_good))
            bypeer_window_raise(&messages[i].state->greatest, messages[i].number);
    for (unsigned i = 0; i < some; i++)
        nexts[messages[i].at] = wireguard_open_take(worker, &messages[i], &jobs[i]);
}

static uint16_t wireguard_open_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    return bypeer_dispatch(graph, node, objs, count, BYPEER_COUNT_NODE_WIREGUARD_OPEN, wireguard_open_burst);
}

static struct rte_node_register wireguard_open_node = {
    .name = "wireguard_open",
    .process = wireguard_open_process,
    .nb_edges = WIREGUARD_OPEN_EDGES,
    .next_nodes = {[WIREGUARD_OPEN_LOOKUP] = "overlay_lookup",
                   [WIREGUARD_OPEN_HANDSHAKE] = "wireguard_handshake",
                   [WIREGUARD_OPEN_CONSUME] = "consume",
                   [WIREGUARD_OPEN_DROP] = "drop"},
};
RTE_NODE_REGISTER(wireguard_open_node)
