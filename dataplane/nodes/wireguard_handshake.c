/*
 * wireguard_handshake: keeps junk from control. In: what came to an own address and port of WireGuard and is no data.
 * Out: punt for handshake messages that control should see; transmit for cookie replies, written over the message; drop
 * for everything else.
 *
 *   type and length -> checksums, source -> MAC1 -> not under load, and within the rate of those not proven -> punt
 *                                                   else MAC2, or a cookie reply -> rate of those proven -> punt
 *
 * The cheap questions first (DESIGN D11): MAC1 is two compressions of BLAKE2s, and whoever knows our public key can
 * make one for any source. Under load, which is when more messages a second than the tables allow have had a good MAC1,
 * only sources that have shown to be there, by MAC2, get on. The same holds below that load for a source whose rate is
 * used up, by itself or by who forged it: it is told a cookie, and by that has a rate that nobody else can spend.
 *
 * Rates are token buckets (icmp_error.c) for each of some classes of source prefixes, apart for messages that were not
 * proven, that were, and for cookie replies. The last have no MAC, so their sources may be forged, all of them: one
 * more bucket for all together keeps control from drowning.
 */
#include <rte_malloc.h>
#include <rte_random.h>
#include <xxhash.h>

#include "dataplane/nodes/dispatch.h"
#include "dataplane/nodes/wireguard_source.h"
#include "dataplane/room.h"
#include "overlay/ip/outer.h"
#include "overlay/wireguard/cookie.h"

#define WIREGUARD_RATE_PER_S        20 /* of a /64, or of an IPv4 address */
#define WIREGUARD_RATE_BURST        40
#define WIREGUARD_RATE_BITS         12 /* 4096 classes: 32 KiB for each kind */
#define WIREGUARD_COOKIES_PER_S     2000
#define WIREGUARD_COOKIES_BURST     2000
#define WIREGUARD_PREFIX_BYTES      8 /* of an IPv6 address */
#define WIREGUARD_LOAD_MS           1000
#define WIREGUARD_SECOND_NS         UINT64_C(1000000000)
#define WIREGUARD_NONCE_FIXED_BYTES 16

enum { WIREGUARD_HANDSHAKE_PUNT, WIREGUARD_HANDSHAKE_TRANSMIT, WIREGUARD_HANDSHAKE_DROP, WIREGUARD_HANDSHAKE_EDGES };
_Static_assert(BYPEER_BURST_MAX <= BYPEER_COOKIE_BURST, "a burst is checked at once");

enum wireguard_rate { WIREGUARD_RATE_UNPROVEN, WIREGUARD_RATE_PROVEN, WIREGUARD_RATE_COOKIES, WIREGUARD_RATES };

/* Of one worker, in memory of the node's own; its context holds the pointer. */
struct wireguard_handshake_state {
    struct bypeer_cookie_checker checker;
    struct bypeer_wireguard_config made;        /* what the checker was made of */
    uint8_t nonce[WIREGUARD_NONCE_FIXED_BYTES]; /* random; the rest of a nonce counts */
    uint64_t replies;
    uint64_t load_from_ms;      /* since when .good counts */
    uint32_t good, good_before; /* messages with a good MAC1, in this second and in the one before */
    uint64_t seed;              /* of the classes */
    uint64_t cookies_full_ns;   /* of received cookie replies, whosever they are */
    uint64_t full_ns[WIREGUARD_RATES][1 << WIREGUARD_RATE_BITS];
};

/* A message and its source, as cookies are made of it. */
struct wireguard_handshake_message {
    struct rte_mbuf *mbuf;
    uint8_t *payload;
    size_t bytes;
    enum bypeer_wireguard_type type;
    struct bypeer_fabric_outer outer;
    struct bypeer_seen source;
    uint8_t proof[BYPEER_COOKIE_SOURCE_MAX]; /* address and port, as on the wire */
    size_t proof_bytes;
};

/* --- rates -------------------------------------------------------------------------------------------------------- */

static bool wireguard_handshake_take_token(uint64_t *full_ns, uint64_t now_ns, uint64_t per_s, uint64_t burst)
{
    uint64_t interval_ns = WIREGUARD_SECOND_NS / per_s;
    if (*full_ns > now_ns + interval_ns * (burst - 1))
        return false;
    *full_ns = RTE_MAX(*full_ns, now_ns) + interval_ns;
    return true;
}

static bool wireguard_handshake_is_within_rate(struct wireguard_handshake_state *state, enum wireguard_rate rate,
                                               const struct wireguard_handshake_message *message, uint64_t now_ns)
{
    size_t bytes = message->outer.underlay == 6 ? WIREGUARD_PREFIX_BYTES : sizeof(message->source.remote);
    uint64_t hash = XXH3_64bits_withSeed(message->source.remote, bytes, state->seed);
    return wireguard_handshake_take_token(&state->full_ns[rate][hash >> (64 - WIREGUARD_RATE_BITS)], now_ns,
                                          WIREGUARD_RATE_PER_S, WIREGUARD_RATE_BURST);
}

/* Begins to count anew each second. */
static void wireguard_handshake_turn(struct wireguard_handshake_state *state, uint64_t now_ms)
{
    uint64_t elapsed_ms = now_ms - state->load_from_ms;
    if (elapsed_ms < WIREGUARD_LOAD_MS)
        return;
    state->good_before = elapsed_ms < 2 * WIREGUARD_LOAD_MS ? state->good : 0;
    state->good = 0;
    state->load_from_ms = now_ms;
}

/* Whether there are so many that sources must show that they are there. */
static bool wireguard_handshake_is_loaded(const struct wireguard_handshake_state *state)
{
    return RTE_MAX(state->good, state->good_before) >= state->made.load_per_s;
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

/* Reads what can be read without a key: 0, or why it goes no further. */
static unsigned wireguard_handshake_read(struct wireguard_handshake_message *ret_message, struct rte_mbuf *mbuf)
{
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
    uint8_t header[BYPEER_OUTER_IPV6_BYTES];
    struct wireguard_handshake_message message = {
        .mbuf = mbuf, .outer = bypeer_fabric_outer_read(frame, bypeer_packet(mbuf)->underlay)};
    message.payload = frame + message.outer.udp_at + BYPEER_UDP_BYTES;
    message.bytes = (size_t)(message.outer.udp_length - BYPEER_UDP_BYTES);
    message.type = bypeer_wireguard_type(message.payload, message.bytes);
    if (message.type == BYPEER_WIREGUARD_NONE)
        return BYPEER_DROP_WIREGUARD_MALFORMED;
    if (!bypeer_wireguard_header_is_sound(frame, &message.outer) ||
        !bypeer_wireguard_datagram_is_sound(frame, &message.outer))
        return BYPEER_DROP_OUTER_CHECKSUM;
    message.source = bypeer_wireguard_source(mbuf, &message.outer);
    if (message.source.port == 0 || (message.source.mac[0] & 1) != 0 ||
        bypeer_ipv6_is_same(message.source.remote, message.source.local) ||
        bypeer_outer_prepare(header,
                             &(struct bypeer_outer){.local = message.source.local, .peer = message.source.remote}) < 0)
        return BYPEER_DROP_WIREGUARD_SOURCE;
    size_t address_bytes = message.outer.underlay == 6 ? 16 : 4;
    memcpy(message.proof, message.source.remote + 16 - address_bytes, address_bytes);
    bypeer_store16(message.proof + address_bytes, message.source.port);
    message.proof_bytes = address_bytes + sizeof(message.source.port);
    *ret_message = message;
    return 0;
}

/* The reply goes back by the next hop that the message came by. */
static rte_edge_t wireguard_handshake_reply(struct wireguard_handshake_state *state, struct bypeer_worker *worker,
                                            const struct wireguard_handshake_message *message)
{
    uint8_t nonce[WIREGUARD_NONCE_FIXED_BYTES + sizeof(uint64_t)], reply[BYPEER_WIREGUARD_COOKIE_BYTES];
    uint8_t *frame = rte_pktmbuf_mtod(message->mbuf, uint8_t *), *ip = frame + BYPEER_ETHERNET_BYTES;
    uint8_t mac[6];
    memcpy(nonce, state->nonce, WIREGUARD_NONCE_FIXED_BYTES);
    memcpy(nonce + WIREGUARD_NONCE_FIXED_BYTES, &state->replies, sizeof(state->replies));
    state->replies++;
    if (bypeer_cookie_reply(&state->checker, message->payload, message->bytes, message->proof, message->proof_bytes,
                            nonce, bypeer_worker_now_ns(worker), reply) < 0)
        return bypeer_refuse(bypeer_packet(message->mbuf), BYPEER_DROP_WIREGUARD_MAC, WIREGUARD_HANDSHAKE_DROP);

    memcpy(mac, frame + BYPEER_ETHERNET_DESTINATION, sizeof(mac));
    memcpy(frame + BYPEER_ETHERNET_DESTINATION, frame + BYPEER_ETHERNET_SOURCE, sizeof(mac));
    memcpy(frame + BYPEER_ETHERNET_SOURCE, mac, sizeof(mac));
    int bytes = bypeer_outer_prepare(ip, &(struct bypeer_outer){.local = message->source.local,
                                                                .peer = message->source.remote,
                                                                .local_port = message->outer.udp_port,
                                                                .peer_port = message->source.port});
    bypeer_outer_finish_ip(ip, message->outer.underlay == 4, sizeof(reply), BYPEER_ECN_NOT_ECT);
    memcpy(ip + bytes, reply, sizeof(reply));
    bypeer_outer_finish_udp(ip + bytes - BYPEER_UDP_BYTES, sizeof(reply), bypeer_checksum_sum(reply, sizeof(reply)));
    bypeer_room_narrow(message->mbuf, 0, (uint16_t)(BYPEER_ETHERNET_BYTES + (size_t)bytes + sizeof(reply)));
    bypeer_count(worker, BYPEER_COUNT_WIREGUARD_COOKIES, 1);
    return WIREGUARD_HANDSHAKE_TRANSMIT;
}

/* A message whose MAC1 was right, or that has none. */
static rte_edge_t wireguard_handshake_next(struct wireguard_handshake_state *state, struct bypeer_worker *worker,
                                           const struct wireguard_handshake_message *message)
{
    struct bypeer_packet *packet = bypeer_packet(message->mbuf);
    uint64_t now_ns = bypeer_worker_now_ns(worker);
    bool is_within;
    if (message->type == BYPEER_WIREGUARD_COOKIE) {
        is_within = wireguard_handshake_is_within_rate(state, WIREGUARD_RATE_COOKIES, message, now_ns) &&
                    wireguard_handshake_take_token(&state->cookies_full_ns, now_ns, WIREGUARD_COOKIES_PER_S,
                                                   WIREGUARD_COOKIES_BURST);
    } else {
        bool loaded = wireguard_handshake_is_loaded(state);
        state->good++;
        is_within = !loaded && wireguard_handshake_is_within_rate(state, WIREGUARD_RATE_UNPROVEN, message, now_ns);
        if (!is_within) {
            if (!bypeer_cookie_is_proven(&state->checker, message->payload, message->bytes, message->proof,
                                         message->proof_bytes, now_ns))
                return wireguard_handshake_reply(state, worker, message);
            is_within = wireguard_handshake_is_within_rate(state, WIREGUARD_RATE_PROVEN, message, now_ns);
        }
    }
    if (!is_within)
        return bypeer_refuse(packet, BYPEER_DROP_WIREGUARD_RATE, WIREGUARD_HANDSHAKE_DROP);
    packet->device = BYPEER_DEVICE_UNDERLAY;
    bypeer_count(worker, BYPEER_COUNT_WIREGUARD_HANDSHAKES, 1);
    return WIREGUARD_HANDSHAKE_PUNT;
}

/* The checker of the keys that the tables have now: another one when control has another key or secret. */
static void wireguard_handshake_learn(struct wireguard_handshake_state *state,
                                      const struct bypeer_wireguard_config *config)
{
    struct bypeer_wireguard_config now = *config;
    if (likely(memcmp(&now, &state->made, sizeof(now)) == 0))
        return;
    bypeer_cookie_checker_init(&state->checker, now.public_key, now.cookie_secret);
    state->made = now;
}

/* MAC1 of those messages that have one, all at once; cookie replies count as right. */
static void wireguard_handshake_check(const struct wireguard_handshake_state *state,
                                      const struct wireguard_handshake_message *messages, unsigned count,
                                      bool ret_right[])
{
    const uint8_t *datagrams[BYPEER_BURST_MAX];
    size_t lengths[BYPEER_BURST_MAX];
    uint8_t at[BYPEER_BURST_MAX];
    bool right[BYPEER_BURST_MAX];
    unsigned some = 0;
    for (unsigned i = 0; i < count; i++) {
        ret_right[i] = messages[i].type == BYPEER_WIREGUARD_COOKIE;
        if (ret_right[i])
            continue;
        datagrams[some] = messages[i].payload;
        lengths[some] = messages[i].bytes;
        at[some++] = (uint8_t)i;
    }
    bypeer_cookie_check_burst(&state->checker, datagrams, lengths, some, right);
    for (unsigned i = 0; i < some; i++)
        ret_right[at[i]] = right[i];
}

static void wireguard_handshake_burst(struct bypeer_worker *worker, struct rte_node *node, struct rte_mbuf **mbufs,
                                      unsigned count, rte_edge_t *nexts)
{
    struct wireguard_handshake_state *state;
    struct wireguard_handshake_message messages[BYPEER_BURST_MAX];
    bool right[BYPEER_BURST_MAX];
    uint8_t at[BYPEER_BURST_MAX];
    unsigned some = 0;
    memcpy(&state, node->ctx, sizeof(state));
    wireguard_handshake_learn(state, worker->tables->wireguard);
    wireguard_handshake_turn(state, worker->now_ms);
    for (unsigned i = 0; i < count; i++) {
        unsigned reason = wireguard_handshake_read(&messages[some], mbufs[i]);
        if (reason != 0)
            nexts[i] = bypeer_refuse(bypeer_packet(mbufs[i]), reason, WIREGUARD_HANDSHAKE_DROP);
        else
            at[some++] = (uint8_t)i;
    }
    wireguard_handshake_check(state, messages, some, right);
    for (unsigned i = 0; i < some; i++)
        nexts[at[i]] = right[i] ? wireguard_handshake_next(state, worker, &messages[i])
                                : bypeer_refuse(bypeer_packet(messages[i].mbuf), BYPEER_DROP_WIREGUARD_MAC,
                                                WIREGUARD_HANDSHAKE_DROP);
}

static uint16_t wireguard_handshake_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    return bypeer_dispatch(graph, node, objs, count, BYPEER_COUNT_NODE_WIREGUARD_HANDSHAKE, wireguard_handshake_burst);
}

static int wireguard_handshake_init(const struct rte_graph *graph, struct rte_node *node)
{
    (void)graph;
    struct wireguard_handshake_state *state = rte_zmalloc("wireguard_handshake", sizeof(*state), RTE_CACHE_LINE_SIZE);
    if (state == NULL)
        return -ENOMEM;
    bypeer_cookie_checker_init(&state->checker, state->made.public_key, state->made.cookie_secret);
    int status = bypeer_crypto_random(state->nonce, sizeof(state->nonce));
    if (status < 0) {
        rte_free(state);
        return status;
    }
    state->seed = rte_rand();
    memcpy(node->ctx, &state, sizeof(state));
    return 0;
}

static void wireguard_handshake_fini(const struct rte_graph *graph, struct rte_node *node)
{
    struct wireguard_handshake_state *state;
    (void)graph;
    memcpy(&state, node->ctx, sizeof(state));
    rte_free(state);
}

static struct rte_node_register wireguard_handshake_node = {
    .name = "wireguard_handshake",
    .process = wireguard_handshake_process,
    .init = wireguard_handshake_init,
    .fini = wireguard_handshake_fini,
    .nb_edges = WIREGUARD_HANDSHAKE_EDGES,
    .next_nodes = {[WIREGUARD_HANDSHAKE_PUNT] = "punt",
                   [WIREGUARD_HANDSHAKE_TRANSMIT] = "transmit",
                   [WIREGUARD_HANDSHAKE_DROP] = "drop"},
};
RTE_NODE_REGISTER(wireguard_handshake_node)
