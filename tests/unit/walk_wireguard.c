#include "tests/unit/walk_wireguard.h"

#include <criterion/criterion.h>

#include "overlay/ip/ethernet.h"
#include "overlay/ip/outer.h"
#include "overlay/tables/events.h"
#include "overlay/wireguard/counter.h"
#include "overlay/wireguard/link.h"

uint8_t walk_inner[WALK_FRAME_MAX], walk_in[WALK_FRAME_MAX], walk_out[WALK_FRAME_MAX];

const uint8_t walk_public_key[32] = {[0 ... 31] = 0x42};

static const uint8_t own[2][16] = {{0x20, 0x01, 0x0d, 0xb8, [15] = 1}, {[10] = 0xff, 0xff, 192, 0, 2, 1}};
static const uint8_t remote[PEERS][16] = {[PEER_SIX] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x36},
                                          [PEER_FOUR] = {[10] = 0xff, 0xff, 192, 0, 2, 54},
                                          [PEER_HIDDEN] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x38},
                                          [PEER_LOST] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x37}};
static const uint8_t next_hop[6] = {0x02, 0, 0, 0, 0, 0x99};
static struct bypeer_crypto *crypto;
static uint64_t serial;

const uint8_t *walk_peer_address(enum walk_peer peer)
{
    static uint8_t addresses[PEERS][16];
    uint8_t *address = addresses[peer];
    address[0] = 0xfd;
    address[1] = 0x12;
    address[14] = 0x57;
    address[15] = (uint8_t)peer;
    return address;
}

uint32_t walk_peer_link_id(enum walk_peer peer)
{
    return 20 + peer;
}

uint16_t walk_peer_wire(enum walk_peer peer)
{
    return peer == PEER_FOUR;
}

struct bypeer_link walk_put_peer(enum walk_peer peer, uint32_t current, uint32_t next)
{
    uint32_t id = walk_peer_link_id(peer);
    struct bypeer_link link = {.id = id,
                               .kind = BYPEER_LINK_WIREGUARD,
                               .group = 1,
                               .mtu = WALK_PEER_MTU,
                               .udp_port = WALK_WIREGUARD,
                               .session = id,
                               .serial = 100 + id,
                               .underlay = 6};
    link.wireguard.current = current;
    link.wireguard.next = next;
    link.wireguard.persistent_s = 0;
    if (peer != PEER_HIDDEN) {
        memcpy(link.peer, remote[peer], 16);
        memcpy(link.local, own[peer == PEER_FOUR], 16);
        link.peer_port = WALK_PEER_PORT;
        link.adjacency = peer == PEER_LOST ? 0 : id;
        cr_assert_eq(bypeer_wireguard_link_prepare(&link), 0);
    }
    cr_assert_geq(bypeer_writer_put_link(walk.writer, &link), 0);
    return link;
}

static void put_peer(enum walk_peer peer)
{
    uint32_t id = walk_peer_link_id(peer);
    struct bypeer_destination record = {.link = id, .group = 1, .prefix_bits = 128};
    struct bypeer_adjacency adjacency = {.id = id, .port = walk_peer_wire(peer), .valid = 1, .mtu = 1500};
    memcpy(adjacency.ether, next_hop, 6);
    memcpy(adjacency.ether + 6, walk.worker.ports[walk_peer_wire(peer)].mac, 6);
    cr_assert_geq(bypeer_writer_put_adjacency(walk.writer, &adjacency), 0);
    walk_put_peer(peer, 0, 0);
    memcpy(record.key, walk_peer_address(peer), 16);
    cr_assert_eq(bypeer_writer_put_destination(walk.writer, &record), 1);
}

void walk_set_load(uint32_t per_s)
{
    struct bypeer_wireguard_config config = {.load_per_s = per_s};
    memcpy(config.public_key, walk_public_key, 32);
    memset(config.cookie_secret, 0x5c, 32);
    bypeer_writer_set_wireguard(walk.writer, &config);
}

void walk_wireguard_put(void)
{
    cr_assert_eq(bypeer_crypto_new(&crypto), 0);
    walk.worker.now_ms = 1000000;
    for (unsigned i = 0; i < 2; i++)
        cr_assert_eq(bypeer_writer_put_endpoint(walk.writer, own[i], WALK_WIREGUARD), 0);
    for (enum walk_peer peer = PEER_SIX; peer < PEERS; peer++)
        put_peer(peer);
    walk_set_load(1000);
}

void walk_wireguard_set_up(void)
{
    walk_set_up();
    walk_wireguard_put();
}

struct walk_session walk_make_session(enum walk_peer peer, uint32_t flags)
{
    struct walk_session session;
    memset(&session, 0, sizeof(session));
    cr_assert_eq(bypeer_writer_take_session(walk.writer, &session.slot), 0);
    const struct bypeer_wireguard_state *state = &walk.worker.shared->wireguard[session.slot];
    serial++;
    session.ours = (struct bypeer_wireguard_session){
        .local_index = 0x5a500000u | session.slot,
        .remote_index = 0x1234u + (uint32_t)serial,
        .region = walk.worker.shared->generation,
        .peer = walk_peer_link_id(peer),
        .flags = flags,
        .created_ns = walk.worker.now_ms * 1000000,
        .use = bypeer_counter_next_use(0, &state->next_counter, &state->greatest),
    };
    memset(session.ours.send_key, (int)(0x11 * serial), 32);
    memset(session.ours.receive_key, (int)(0x17 * serial), 32);
    bypeer_wireguard_session_finish(&session.ours);
    session.theirs = session.ours;
    session.theirs.local_index = session.ours.remote_index;
    session.theirs.remote_index = session.ours.local_index;
    memcpy(session.theirs.send_key, session.ours.receive_key, 32);
    memcpy(session.theirs.receive_key, session.ours.send_key, 32);
    bypeer_writer_put_session(walk.writer, session.slot, &session.ours);
    return session;
}

struct walk_session walk_start_session(enum walk_peer peer)
{
    struct walk_session session = walk_make_session(peer, BYPEER_WIREGUARD_INITIATOR);
    walk_put_peer(peer, session.slot, 0);
    return session;
}

size_t walk_peer_frame(uint8_t *frame, enum walk_peer peer, const uint8_t *payload, size_t length)
{
    uint8_t *ip = frame + BYPEER_ETHERNET_BYTES;
    memcpy(frame, walk.worker.ports[walk_peer_wire(peer)].mac, 6);
    memcpy(frame + BYPEER_ETHERNET_SOURCE, next_hop, 6);
    int bytes = bypeer_outer_prepare(ip, &(struct bypeer_outer){.local = remote[peer],
                                                                .peer = own[peer == PEER_FOUR],
                                                                .local_port = WALK_PEER_PORT,
                                                                .peer_port = WALK_WIREGUARD});
    cr_assert_gt(bytes, 0);
    bypeer_store16(frame + BYPEER_ETHERNET_TYPE, peer == PEER_FOUR ? BYPEER_ETHERTYPE_IPV4 : BYPEER_ETHERTYPE_IPV6);
    memcpy(ip + bytes, payload, length);
    length += BYPEER_ETHERNET_BYTES + (size_t)bytes;
    walk_peer_seal(frame, length);
    return length;
}

static uint16_t sum_of(uint32_t sum, const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

void walk_peer_seal(uint8_t *frame, size_t length)
{
    uint8_t *ip = frame + BYPEER_ETHERNET_BYTES;
    bool is_ipv4 = ip[0] >> 4 == 4;
    uint8_t *udp = ip + (is_ipv4 ? BYPEER_IPV4_BYTES : BYPEER_IPV6_BYTES);
    size_t udp_bytes = length - (size_t)(udp - frame);
    bypeer_store16(udp + BYPEER_UDP_LENGTH, (uint16_t)udp_bytes);
    bypeer_store16(udp + BYPEER_UDP_CHECKSUM, 0);
    uint32_t sum = BYPEER_NEXT_UDP + (uint32_t)udp_bytes + sum_of(0, ip + (is_ipv4 ? 12 : 8), is_ipv4 ? 8 : 32);
    uint16_t checksum = (uint16_t)~sum_of(sum, udp, udp_bytes);
    bypeer_store16(udp + BYPEER_UDP_CHECKSUM, checksum == 0 ? 0xffff : checksum);
    if (is_ipv4) {
        bypeer_store16(ip + BYPEER_IPV4_LENGTH, (uint16_t)(length - BYPEER_ETHERNET_BYTES));
        bypeer_store16(ip + BYPEER_IPV4_CHECKSUM, 0);
        bypeer_store16(ip + BYPEER_IPV4_CHECKSUM, (uint16_t)~sum_of(0, ip, BYPEER_IPV4_BYTES));
    } else {
        bypeer_store16(ip + BYPEER_IPV6_LENGTH, (uint16_t)udp_bytes);
    }
}

size_t walk_peer_packet(uint8_t *frame, enum walk_peer peer, const struct walk_session *session, uint64_t counter,
                        const uint8_t *inner, size_t bytes, size_t padded)
{
    uint8_t datagram[WALK_FRAME_MAX];
    memcpy(datagram + BYPEER_WIREGUARD_DATA_HEADER, inner, bytes);
    cr_assert_eq(bypeer_transport_seal(crypto, &session->theirs, counter, datagram, bytes, padded), 0);
    return walk_peer_frame(frame, peer, datagram, padded + BYPEER_TRANSPORT_OVERHEAD);
}

int walk_peer_open(uint8_t *frame, size_t length, const struct walk_session *session, const uint8_t **ret_inner,
                   uint64_t *ret_counter)
{
    size_t at = BYPEER_ETHERNET_BYTES + BYPEER_UDP_BYTES +
                (frame[BYPEER_ETHERNET_BYTES] >> 4 == 4 ? BYPEER_IPV4_BYTES : BYPEER_IPV6_BYTES);
    uint8_t *datagram = frame + at;
    if (length < at || bypeer_wireguard_type(datagram, length - at) != BYPEER_WIREGUARD_DATA ||
        bypeer_wireguard_data_receiver(datagram) != session->theirs.local_index)
        return -1;
    *ret_counter = bypeer_wireguard_data_counter(datagram);
    *ret_inner = datagram + BYPEER_WIREGUARD_DATA_HEADER;
    int bytes = bypeer_transport_open(crypto, &session->theirs, datagram, length - at);
    return bytes < 0 ? -1 : bytes;
}

enum bypeer_event walk_event(uint64_t *ret_value)
{
    static uint64_t tail;
    enum bypeer_event type = BYPEER_EVENT_NONE;
    bool lost = false;
    bypeer_event_take(walk.worker.events, &tail, &type, ret_value, &lost);
    cr_assert(!lost);
    return type;
}

void walk_peer_sends(enum walk_peer peer, struct walk_session *session, const uint8_t *to, size_t bytes)
{
    walk_packet(walk_inner, walk_peer_address(peer), to, bytes);
    size_t length =
        walk_peer_packet(walk_in, peer, session, session->counter++, walk_inner, bytes, (bytes + 15) / 16 * 16);
    walk_arrive(walk_peer_wire(peer), walk_in, length);
}

void walk_peer_keeps_alive(enum walk_peer peer, struct walk_session *session)
{
    walk_arrive(walk_peer_wire(peer), walk_in,
                walk_peer_packet(walk_in, peer, session, session->counter++, walk_inner, 0, 0));
}

uint64_t walk_expect_sealed(enum walk_peer peer, const struct walk_session *session, size_t bytes, uint8_t hops)
{
    const uint8_t *opened;
    uint64_t counter = 0;
    size_t length = walk_sent(walk_peer_wire(peer), walk_out);
    cr_assert_neq(length, 0, "nothing was sent");
    cr_assert(walk_is_well_formed(walk_out, length));
    int padded = walk_peer_open(walk_out, length, session, &opened, &counter);
    cr_assert_geq(padded, 0, "not authentic");
    cr_assert_eq((size_t)padded, bypeer_transport_padded(bytes, WALK_PEER_MTU));
    walk_inner[BYPEER_IPV6_HOP_LIMIT] = (uint8_t)(walk_inner[BYPEER_IPV6_HOP_LIMIT] - hops);
    cr_assert_arr_eq(opened, walk_inner, bytes);
    for (size_t i = bytes; i < (size_t)padded; i++)
        cr_assert_eq(opened[i], 0);
    return counter;
}

void walk_send_here(enum walk_peer peer)
{
    walk_packet(walk_inner, walk_address(MEMBER_HERE), walk_peer_address(peer), 64);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, walk_inner, 64);
}

void walk_expect_event(enum bypeer_event type, uint64_t value)
{
    uint64_t found = 0;
    cr_assert_eq(walk_event(&found), type);
    if (type != BYPEER_EVENT_NONE)
        cr_assert_eq(found, value);
}
