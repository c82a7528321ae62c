/* What the graph does not forward: every reason is reached, each packet counts under exactly one, nothing is lost. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "overlay/ip/datagram.h"
#include "overlay/ip/ethernet.h"
#include "overlay/ip/ipv6.h"
#include "overlay/pnrp/message.h"
#include "tests/unit/walk_clouds.h"
#include "tests/unit/walk_relay.h"
#include "tests/unit/walk_wireguard.h"

TestSuite(drops, .init = walk_set_up, .fini = walk_tear_down, .timeout = 120);

static uint8_t inner[WALK_FRAME_MAX], frame[WALK_FRAME_MAX], out[WALK_FRAME_MAX];

/* A frame from A to B that is as it should be. */
static size_t good_frame(void)
{
    walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), 60);
    return walk_frame(frame, LINK_A, inner, 60);
}

/* The walk drops one packet for this reason, and none for another. */
static void expect_drop(enum bypeer_counter reason)
{
    uint64_t before[BYPEER_COUNTERS_USED];
    memcpy(before, walk.counters, sizeof(before));
    walk_once();
    for (unsigned i = 0; i < BYPEER_COUNTERS_USED; i++)
        if (bypeer_counter_names[i].class == BYPEER_COUNTER_DROPPED)
            cr_assert_eq(walk.counters[i] - before[i], i == reason, "%s: %lu", bypeer_counter_names[i].name,
                         walk.counters[i] - before[i]);
}

/* A good frame with one 16-bit field changed, sum and all, is dropped for this reason. */
static void expect_field(size_t at, uint16_t value, enum bypeer_counter reason)
{
    size_t length = good_frame();
    bypeer_store16(frame + at, value);
    bypeer_store16(frame + 14 + 46, 0); /* no UDP checksum, which would see it first */
    walk_arrive(0, frame, length);
    expect_drop(reason);
}

/* A packet of 60 bytes between two members, by a link, is dropped for this reason. */
static void expect_route(enum walk_link link, const uint8_t *from, const uint8_t *to, enum bypeer_counter reason)
{
    walk_packet(inner, from, to, 60);
    walk_arrive(link == LINK_B, frame, walk_frame(frame, link, inner, 60));
    expect_drop(reason);
}

Test(drops, runts)
{
    size_t length = good_frame();
    for (size_t cut = 1; cut < 54; cut++) {
        walk_arrive(0, frame, cut);
        expect_drop(BYPEER_DROP_RUNT);
    }
    walk_arrive(0, frame, length);
    expect_drop(0);
    cr_assert_neq(walk_sent(1, out), 0);
}

Test(drops, frames_in_several_buffers)
{
    size_t length = good_frame();
    struct rte_mbuf *head = walk_buffer(frame, length - 10), *tail = walk_buffer(frame + length - 10, 10);
    cr_assert_eq(rte_pktmbuf_chain(head, tail), 0);
    cr_assert_eq(rte_ring_enqueue(walk.wire_in[0], head), 0);
    rte_graph_walk(walk.graph);
    cr_assert_eq(walk_dropped(BYPEER_DROP_MULTI_SEGMENT), 1);
    walk_once();
    /* From the kernel just so: the host thread makes none, but nobody relies on it. */
    head = walk_buffer(frame, length - 10), tail = walk_buffer(frame + length - 10, 10);
    cr_assert_eq(rte_pktmbuf_chain(head, tail), 0);
    *bypeer_packet(head) = (struct bypeer_packet){.device = BYPEER_DEVICE_UNDERLAY};
    cr_assert_eq(rte_ring_enqueue(walk.worker.inject, head), 0);
    walk.injected++;
    rte_graph_walk(walk.graph);
    cr_assert_eq(walk_dropped(BYPEER_DROP_MULTI_SEGMENT), 2);
}

Test(drops, lengths)
{
    size_t length = good_frame();
    for (size_t cut = 54; cut < length; cut++) {
        walk_arrive(0, frame, cut);
        expect_drop(BYPEER_DROP_LENGTH);
    }
    expect_field(14 + 4, 77, BYPEER_DROP_LENGTH);      /* IPv6, beyond the frame */
    expect_field(14 + 40 + 4, 77, BYPEER_DROP_LENGTH); /* UDP, beyond the packet */
    expect_field(14 + 40 + 4, 15, BYPEER_DROP_LENGTH); /* UDP, too short for GPE */
    /* The kernel's packets too: what is cut short is of no use to anybody. */
    length = good_frame();
    frame[20] = BYPEER_NEXT_TCP;
    walk_arrive(0, frame, length - 1);
    expect_drop(BYPEER_DROP_LENGTH);
}

Test(drops, outer_checksums)
{
    size_t length = good_frame();
    frame[length - 1] ^= 1;
    walk_arrive(0, frame, length);
    expect_drop(BYPEER_DROP_OUTER_CHECKSUM);
    walk_packet(inner, walk_address(MEMBER_C), walk_address(MEMBER_B), 60);
    length = walk_frame(frame, LINK_C, inner, 60);
    frame[14 + 8] ^= 1; /* time to live of the IPv4 header */
    walk_arrive(0, frame, length);
    expect_drop(BYPEER_DROP_OUTER_CHECKSUM);
}

Test(drops, tunnel_headers)
{
    expect_field(62, 0x0800, BYPEER_DROP_GPE_HEADER); /* no next protocol */
    expect_field(62, 0x0400, BYPEER_DROP_GPE_HEADER); /* no VNI */
    expect_field(62, 0x1c00, BYPEER_DROP_GPE_HEADER); /* version 1 */
    expect_field(62, 0x0d00, BYPEER_DROP_GPE_HEADER); /* management */
    expect_field(64, 0x0001, BYPEER_DROP_GPE_HEADER); /* IPv4 inside */
}

Test(drops, strangers)
{
    expect_field(66, 0x0001, BYPEER_DROP_FABRIC_PEER); /* another VNI */
    expect_field(36, 0x1234, BYPEER_DROP_FABRIC_PEER); /* another source */
    /* A peer of another link may not use this one's VNI. */
    walk_packet(inner, walk_address(MEMBER_B), walk_address(MEMBER_A), 60);
    size_t length = walk_frame(frame, LINK_B, inner, 60);
    bypeer_store16(frame + 66, 0);
    bypeer_store16(frame + 68, 0x0800);
    bypeer_store16(frame + 14 + 46, 0);
    walk_arrive(1, frame, length);
    expect_drop(BYPEER_DROP_FABRIC_PEER);
}

Test(drops, inner_headers)
{
    expect_field(70, 0x4500, BYPEER_DROP_INNER_HEADER);      /* IPv4 */
    expect_field(74, 21, BYPEER_DROP_INNER_HEADER);          /* beyond the datagram */
    expect_field(14 + 40 + 4, 55, BYPEER_DROP_INNER_HEADER); /* datagram shorter than a header */
    walk_packet(inner, walk_address(MEMBER_HERE), walk_address(MEMBER_A), 60);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 59);
    expect_drop(BYPEER_DROP_INNER_HEADER);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 39);
    expect_drop(BYPEER_DROP_INNER_HEADER);
    inner[0] = 0x45;
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 60);
    expect_drop(BYPEER_DROP_INNER_HEADER);
}

Test(drops, sources_that_are_not_the_senders)
{
    const uint8_t *b = walk_address(MEMBER_B);
    expect_route(LINK_C, walk_address(MEMBER_A), b, BYPEER_DROP_INNER_SOURCE);
    expect_route(LINK_A, walk_prefix_member(), b, BYPEER_DROP_INNER_SOURCE);
    expect_route(LINK_A, walk_address(MEMBER_UNKNOWN), b, BYPEER_DROP_INNER_SOURCE);
    expect_route(LINK_A, walk_address(MEMBER_HERE), b, BYPEER_DROP_INNER_SOURCE);
    /* Peer A is a peer in both groups: what comes by one VNI may not have a source of the other. */
    expect_route(LINK_X, walk_address(MEMBER_A), b, BYPEER_DROP_INNER_SOURCE);
    /* The host sends from its own addresses only. */
    walk_packet(inner, walk_address(MEMBER_A), b, 60);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 60);
    expect_drop(BYPEER_DROP_INNER_SOURCE);
    walk_packet(inner, walk_address(MEMBER_UNKNOWN), b, 60);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 60);
    expect_drop(BYPEER_DROP_INNER_SOURCE);
}

/* While nodes learn one after another that a member has moved, its packets come by either link; and by no third. */
Test(drops, a_member_with_several_links_is_heard_by_each_of_them)
{
    struct bypeer_destination record = {.link = LINK_B, .group = 1, .prefix_bits = 128, .others = {LINK_LOST, LINK_A}};
    memcpy(record.key, walk_address(MEMBER_A), 16);
    cr_assert_eq(bypeer_writer_put_destination(walk.writer, &record), 0);
    expect_route(LINK_C, walk_address(MEMBER_A), walk_address(MEMBER_B), BYPEER_DROP_INNER_SOURCE);
    size_t length = walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), 60);
    length = walk_frame(frame, LINK_A, inner, length);
    walk_arrive(0, frame, length);
    walk_once();
    cr_assert_gt(walk_sent(1, frame), 0);
}

Test(drops, scopes)
{
    static const uint8_t multicast[16] = {0xff, 0x01, [15] = 0x16}, reserved[16] = {0xff, 0x0f, [15] = 0x16};
    static const uint8_t link_scope[16] = {0xff, 0x02, [15] = 0x16}, link_local[16] = {0xfe, 0x80, [15] = 9}, none[16],
                         loopback[16] = {[15] = 1};
    const uint8_t *a = walk_address(MEMBER_A), *b = walk_address(MEMBER_B);
    expect_route(LINK_A, a, multicast, BYPEER_DROP_INNER_SCOPE);
    expect_route(LINK_A, a, reserved, BYPEER_DROP_INNER_SCOPE);
    expect_route(LINK_A, none, link_scope, BYPEER_DROP_INNER_SCOPE);
    expect_route(LINK_A, a, link_local, BYPEER_DROP_INNER_SCOPE);
    expect_route(LINK_A, a, none, BYPEER_DROP_INNER_SCOPE);
    expect_route(LINK_A, a, loopback, BYPEER_DROP_INNER_SCOPE);
    expect_route(LINK_A, link_local, b, BYPEER_DROP_INNER_SCOPE);
    expect_route(LINK_A, none, b, BYPEER_DROP_INNER_SCOPE);
    expect_route(LINK_A, multicast, b, BYPEER_DROP_INNER_SCOPE);
    /* The host's own listener reports and router solicitations. */
    walk_packet(inner, link_local, link_scope, 60);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 60);
    expect_drop(BYPEER_DROP_INNER_SCOPE);
    cr_assert_eq(walk.counters[BYPEER_COUNT_GENERATED], 0);
}

Test(drops, multicast)
{
    static const uint8_t link_scope[16] = {0xff, 0x02, [15] = 0xfb}, site[16] = {0xff, 0x05, [15] = 0xfb};
    const struct bypeer_multicast_receiver links[] = {{.link = LINK_A}, {.link = LINK_B}};
    const uint8_t *a = walk_address(MEMBER_A);
    expect_route(LINK_A, a, link_scope, BYPEER_DROP_MULTICAST_GROUP);
    cr_assert_eq(bypeer_writer_set_multicast(walk.writer, 1, links, 2, 3), 0);
    expect_route(LINK_C, a, link_scope, BYPEER_DROP_INNER_SOURCE);
    expect_route(LINK_A, walk_address(MEMBER_UNKNOWN), link_scope, BYPEER_DROP_INNER_SOURCE);
    walk_packet(inner, a, site, 60);
    inner[BYPEER_IPV6_HOP_LIMIT] = 1;
    walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, 60));
    expect_drop(BYPEER_DROP_HOP_LIMIT);
    static const uint8_t link_local[16] = {0xfe, 0x80, [15] = 9}; /* of a link whose member is not known */
    expect_route(LINK_A, link_local, link_scope, BYPEER_DROP_INNER_SCOPE);
    expect_route(LINK_A, a, link_scope, 0);
    expect_route(LINK_A, a, link_scope, BYPEER_DROP_MULTICAST_RATE);
    cr_assert_neq(walk_sent(1, out), 0);
    cr_assert_eq(walk.counters[BYPEER_COUNT_GENERATED], 0, "no errors about multicast");
}

Test(drops, what_a_rule_refuses)
{
    const struct bypeer_policy_rule rule = {.protocol = BYPEER_NEXT_TCP, .verdict = 1, .port_high = UINT16_MAX};
    cr_assert_eq(bypeer_writer_set_rules(walk.writer, 1, &rule, 1), 0);
    expect_route(LINK_A, walk_address(MEMBER_A), walk_address(MEMBER_B), BYPEER_DROP_POLICY_RULE);
    cr_assert_neq(walk_sent(0, out), 0, "the sender is told");
}

Test(drops, ways_that_are_not_there)
{
    const uint8_t *a = walk_address(MEMBER_A);
    expect_route(LINK_A, a, walk_address(MEMBER_UNKNOWN), BYPEER_DROP_NO_ROUTE);
    expect_route(LINK_A, a, walk_address(MEMBER_X), BYPEER_DROP_POLICY);
    expect_route(LINK_A, a, walk_address(MEMBER_HERE_X), BYPEER_DROP_POLICY);
    expect_route(LINK_X, walk_address(MEMBER_X), a, BYPEER_DROP_POLICY);
    expect_route(LINK_A, a, walk_address(MEMBER_NOWHERE), BYPEER_DROP_NO_LINK);
    expect_route(LINK_A, a, walk_address(MEMBER_LOST), BYPEER_DROP_NO_ADJACENCY);
    expect_route(LINK_A, a, walk_address(MEMBER_ASTRAY), BYPEER_DROP_NO_PORT);
    walk_inject(BYPEER_DEVICE_UNDERLAY, 9, frame, 60);
    expect_drop(BYPEER_DROP_NO_PORT);
}

Test(drops, hop_limit_and_size)
{
    for (uint8_t hops = 0; hops < 3; hops++) {
        walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), 60);
        inner[BYPEER_IPV6_HOP_LIMIT] = hops;
        walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, 60));
        expect_drop(hops <= 1 ? BYPEER_DROP_HOP_LIMIT : 0);
    }
    walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), 1431);
    walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, 1431));
    expect_drop(BYPEER_DROP_TOO_BIG);
    walk_packet(inner, walk_address(MEMBER_HERE), walk_address(MEMBER_B), 1431);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 1431);
    expect_drop(BYPEER_DROP_TOO_BIG);
}

Test(drops, congestion_that_cannot_be_said)
{
    size_t length = good_frame();
    frame[15] |= 0x30;
    walk_arrive(0, frame, length);
    expect_drop(BYPEER_DROP_ECN);
}

/* --- PNRP --------------------------------------------------------------------------------------------------------- */

/* An INQUIRE of A to B. */
static size_t inquire(uint8_t *message, uint16_t flags)
{
    size_t length = walk_hex(message, "0010000c51040007010203070040000600000000003900247775c82766bfb84e1ca6276fe033d797"
                                      "20010db8000000021122334455667788");
    bypeer_store16(message + 16, flags);
    return walk_datagram(frame, CLOUD_B, message, length);
}

/* The frame with one field changed, its checksum right, is dropped for this reason. */
static void expect_datagram(size_t at, uint16_t value, enum bypeer_counter reason)
{
    uint8_t message[100];
    size_t length = inquire(message, 0);
    bypeer_store16(frame + at, value);
    walk_seal(frame, length);
    walk_arrive(0, frame, length);
    expect_drop(reason);
    walk_sent(0, out);
}

Test(drops, pnrp_that_is_damaged)
{
    walk_clouds_put();
    uint8_t message[100];
    size_t length = inquire(message, 0);
    for (size_t at = 54; at < length; at++) {
        if (at >= 56 && at < 60) /* the port says whose it is, the length has a reason of its own */
            continue;
        inquire(message, 0);
        frame[at] ^= 0x10;
        walk_arrive(0, frame, length);
        expect_drop(BYPEER_DROP_OUTER_CHECKSUM);
    }
    inquire(message, 0);
    bypeer_store16(frame + 60, 0); /* IPv6 wants one */
    walk_arrive(0, frame, length);
    expect_drop(BYPEER_DROP_OUTER_CHECKSUM);
    inquire(message, 0);
    bypeer_store16(frame + 58, 7);
    walk_arrive(0, frame, length);
    expect_drop(BYPEER_DROP_LENGTH);
    inquire(message, 0);
    bypeer_store16(frame + 58, 65);
    walk_arrive(0, frame, length);
    expect_drop(BYPEER_DROP_LENGTH);
}

Test(drops, pnrp_of_sources_that_cannot_be_answered)
{
    walk_clouds_put();
    const uint16_t ports[] = {0, 1, 1023, 1024};
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
        expect_datagram(54, ports[i], BYPEER_DROP_PNRP_SOURCE);
    expect_datagram(54, 1025, 0);
    expect_datagram(14 + 8, 0xff02, BYPEER_DROP_PNRP_SOURCE); /* multicast */
    expect_datagram(6, 0x3333, BYPEER_DROP_PNRP_SOURCE);
    static const uint8_t sources[][16] = {{0}, {[15] = 1}, {0x20, 0x01, 0x0d, 0xb8, [7] = 2, [15] = 0x0b}};
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        uint8_t message[100];
        size_t length = inquire(message, 0);
        memcpy(frame + 14 + 8, sources[i], 16);
        walk_seal(frame, length);
        walk_arrive(0, frame, length);
        expect_drop(BYPEER_DROP_PNRP_SOURCE);
    }
}

Test(drops, pnrp_that_is_malformed_or_of_another_version)
{
    walk_clouds_put();
    expect_datagram(62 + 4, 0x5105, BYPEER_DROP_PNRP_PROFILE);
    expect_datagram(62 + 4, 0x5204, BYPEER_DROP_PNRP_MALFORMED);  /* identifier */
    expect_datagram(62 + 6, 0x0005, BYPEER_DROP_PNRP_MALFORMED);  /* type */
    expect_datagram(62 + 14, 0x0007, BYPEER_DROP_PNRP_MALFORMED); /* length of an element */
    uint8_t message[100];
    inquire(message, 0);
    for (size_t bytes = 0; bytes < 56; bytes++) {
        walk_arrive(0, frame, walk_datagram(frame, CLOUD_B, message, bytes));
        expect_drop(BYPEER_DROP_PNRP_MALFORMED);
    }
    /* A LOOKUP without a path, and one that is too long. */
    size_t length =
        walk_hex(message, "0010000c5104000b010203080045000c00000000010000000038002400000000000000000000000000"
                          "00000000000000000000000000000000000000003900240000000000000000000000000000000000"
                          "000000000000000000000000000000");
    walk_arrive(0, frame, walk_datagram(frame, CLOUD_B, message, length));
    expect_drop(BYPEER_DROP_PNRP_MALFORMED);
}

Test(drops, inquiries_beyond_what_a_source_may_cost)
{
    walk_clouds_put();
    uint8_t message[100];
    for (unsigned i = 0; i < 1000 && walk_dropped(BYPEER_DROP_PNRP_METER) == 0; i++) {
        walk_arrive(0, frame, inquire(message, BYPEER_INQUIRE_CPA));
        walk_once();
        walk_sent(0, out);
        walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out);
    }
    cr_assert_eq(walk_dropped(BYPEER_DROP_PNRP_METER), 1);
}

/* --- WireGuard ---------------------------------------------------------------------------------------------------- */

/* What PEER_SIX sends, and test_wireguard_nodes.c and test_wireguard_handshake.c look at closely. */
static size_t data_frame(const struct walk_session *session, uint64_t counter)
{
    walk_packet(inner, walk_peer_address(PEER_SIX), walk_address(MEMBER_HERE), 64);
    return walk_peer_packet(frame, PEER_SIX, session, counter, inner, 64, 64);
}

Test(drops, wireguard_data)
{
    walk_wireguard_put();
    struct walk_session six = walk_start_session(PEER_SIX);
    size_t length = data_frame(&six, 0);
    frame[length - 1] ^= 1;
    walk_arrive(0, frame, length);
    expect_drop(BYPEER_DROP_WIREGUARD_TAG);
    length = data_frame(&six, 0);
    frame[62 + 7] ^= 1;
    walk_arrive(0, frame, length);
    expect_drop(BYPEER_DROP_WIREGUARD_SESSION);
    length = data_frame(&six, 0);
    walk_arrive(0, frame, length);
    expect_drop(0);
    walk_punted(BYPEER_DEVICE_OVERLAY, 0, out);
    walk_arrive(0, frame, length);
    expect_drop(BYPEER_DROP_WIREGUARD_REPLAY);
    frame[62 + 14] = 0x10; /* counter 2^52: no sender gets there */
    walk_arrive(0, frame, length);
    expect_drop(BYPEER_DROP_WIREGUARD_REPLAY);
    walk_arrive(0, frame, length - 1);
    expect_drop(BYPEER_DROP_LENGTH);
    bypeer_store16(frame + 14 + BYPEER_IPV6_LENGTH, 8);
    walk_arrive(0, frame, 62);
    expect_drop(BYPEER_DROP_LENGTH);
    /* Outer IPv4 headers have a checksum of their own. */
    struct walk_session four = walk_start_session(PEER_FOUR);
    length = walk_peer_packet(frame, PEER_FOUR, &four, 0, inner, 64, 64);
    frame[14 + 8] ^= 1;
    walk_arrive(1, frame, length);
    expect_drop(BYPEER_DROP_OUTER_CHECKSUM);
}

Test(drops, wireguard_handshakes)
{
    walk_wireguard_put();
    uint8_t initiation[BYPEER_WIREGUARD_INITIATION_BYTES] = {BYPEER_WIREGUARD_INITIATION};
    size_t length = walk_peer_frame(frame, PEER_SIX, initiation, sizeof(initiation));
    walk_arrive(0, frame, length);
    expect_drop(BYPEER_DROP_WIREGUARD_MAC);
    walk_arrive(0, frame, walk_peer_frame(frame, PEER_SIX, initiation, sizeof(initiation) - 1));
    expect_drop(BYPEER_DROP_WIREGUARD_MALFORMED);
    length = walk_peer_frame(frame, PEER_SIX, initiation, sizeof(initiation));
    bypeer_store16(frame + 54, 0); /* its port */
    walk_peer_seal(frame, length);
    walk_arrive(0, frame, length);
    expect_drop(BYPEER_DROP_WIREGUARD_SOURCE);
    uint8_t reply[BYPEER_WIREGUARD_COOKIE_BYTES] = {BYPEER_WIREGUARD_COOKIE};
    for (unsigned i = 0; i < 40; i++) {
        walk_arrive(0, frame, walk_peer_frame(frame, PEER_SIX, reply, sizeof(reply)));
        expect_drop(0);
        walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out);
    }
    walk_arrive(0, frame, walk_peer_frame(frame, PEER_SIX, reply, sizeof(reply)));
    expect_drop(BYPEER_DROP_WIREGUARD_RATE);
}

static void inject_keepalive(uint32_t link)
{
    struct rte_mbuf *mbuf = walk_buffer(inner, 0);
    *bypeer_packet(mbuf) = (struct bypeer_packet){.device = BYPEER_DEVICE_KEEPALIVE, .egress = link};
    cr_assert_eq(rte_ring_enqueue(walk.worker.inject, mbuf), 0);
    walk.injected++;
}

Test(drops, peers_that_cannot_be_sent_to)
{
    walk_wireguard_put();
    expect_route(LINK_A, walk_address(MEMBER_A), walk_peer_address(PEER_SIX), BYPEER_DROP_NO_SESSION);
    expect_route(LINK_A, walk_address(MEMBER_A), walk_peer_address(PEER_HIDDEN), BYPEER_DROP_NO_ENDPOINT);
    expect_route(LINK_A, walk_address(MEMBER_A), walk_peer_address(PEER_LOST), BYPEER_DROP_NO_ADJACENCY);
    /* A keepalive for a link that has gone. */
    inject_keepalive(99);
    expect_drop(BYPEER_DROP_NO_LINK);
    /* No room behind the packet for padding and tag. */
    walk_start_session(PEER_SIX);
    walk_packet(inner, walk_address(MEMBER_HERE), walk_peer_address(PEER_SIX), 60);
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(walk.pool);
    mbuf->data_off = (uint16_t)(mbuf->buf_len - 60);
    memcpy(rte_pktmbuf_append(mbuf, 60), inner, 60);
    *bypeer_packet(mbuf) = (struct bypeer_packet){.device = BYPEER_DEVICE_OVERLAY};
    cr_assert_eq(rte_ring_enqueue(walk.worker.inject, mbuf), 0);
    walk.injected++;
    expect_drop(BYPEER_DROP_NO_BUFFER);
}

/* --- the relay ---------------------------------------------------------------------------------------------------- */

/* Data of alice for bob as it should be. */
static size_t relay_frame(uint64_t counter, size_t bytes)
{
    uint8_t message[WALK_FRAME_MAX];
    struct bypeer_relay_place place = walk_place(USER_ALICE);
    bytes = walk_message(message, BYPEER_WIREGUARD_DATA, 0, 1000 + USER_BOB, counter, bytes);
    return walk_relay_frame(frame, USER_ALICE, &place, message, bytes);
}

/* It is dropped for this reason with one 16-bit field changed. */
static void expect_relay_field(size_t at, uint16_t value, enum bypeer_counter reason)
{
    size_t length = relay_frame(1, 64);
    bypeer_store16(frame + at, value);
    walk_arrive(0, frame, length);
    expect_drop(reason);
}

Test(drops, what_is_not_relayed)
{
    walk_relay_put();
    walk_arrive(0, frame, relay_frame(1, 64));
    expect_drop(BYPEER_DROP_RELAY_NOBODY);
    walk_relay_meet(USER_ALICE);
    expect_relay_field(52, 0x1234, BYPEER_DROP_RELAY_UNKNOWN);
    expect_relay_field(20, 0x1101, BYPEER_DROP_HOP_LIMIT);
    expect_relay_field(20, 0x0640, BYPEER_DROP_RELAY_MESSAGE); /* TCP */
    expect_relay_field(20, 0x3b40, BYPEER_DROP_RELAY_MESSAGE); /* nothing at all */
    expect_relay_field(56, 51821, BYPEER_DROP_RELAY_MESSAGE);  /* another port */
    expect_relay_field(58, 71, BYPEER_DROP_RELAY_MESSAGE);     /* shorter than the packet */
    expect_relay_field(60, 0, BYPEER_DROP_RELAY_MESSAGE);      /* no checksum */
    expect_relay_field(62, 0x0500, BYPEER_DROP_RELAY_MESSAGE); /* a fifth type */
    expect_relay_field(62, 0x0401, BYPEER_DROP_RELAY_MESSAGE);
    expect_relay_field(62, 0x0100, BYPEER_DROP_RELAY_MESSAGE); /* an initiation of another length */
    expect_relay_field(22, 0xff02, BYPEER_DROP_RELAY_SOURCE);
    expect_relay_field(20, 0x3a40, BYPEER_DROP_RELAY_ICMP);
    walk_arrive(0, frame, relay_frame(1, 31));
    expect_drop(BYPEER_DROP_RELAY_MESSAGE);
    walk_arrive(0, frame, relay_frame(1, 1453));
    expect_drop(BYPEER_DROP_TOO_BIG);
    walk_arrive(0, frame, relay_frame(1, 1452));
    expect_drop(0);
}

Test(drops, more_than_three_bytes_a_byte)
{
    walk_relay_put();
    walk_relay_meet(USER_ALICE);
    walk.worker.now_ms += 1000 * BYPEER_RELAY_CONFIRMED_S;
    walk_arrive(0, frame, relay_frame(1, 1400));
    expect_drop(BYPEER_DROP_RELAY_CREDIT);
}

Test(drops, no_room_for_the_outer_headers)
{
    walk_packet(inner, walk_address(MEMBER_HERE), walk_address(MEMBER_B), 60);
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(walk.pool);
    mbuf->data_off = 69;
    memcpy(rte_pktmbuf_append(mbuf, 60), inner, 60);
    *bypeer_packet(mbuf) = (struct bypeer_packet){.device = BYPEER_DEVICE_OVERLAY};
    cr_assert_eq(rte_ring_enqueue(walk.worker.inject, mbuf), 0);
    walk.injected++;
    expect_drop(BYPEER_DROP_NO_BUFFER);
}

Test(drops, no_tables)
{
    walk.worker.tables = NULL;
    walk_packet(inner, walk_address(MEMBER_HERE), walk_address(MEMBER_B), 60);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 60);
    expect_drop(BYPEER_DROP_NO_TABLES);
    inject_keepalive(20);
    expect_drop(BYPEER_DROP_NO_TABLES);
}

Test(drops, full_device_and_full_ring)
{
    size_t length = good_frame();
    unsigned sent = 0;
    while (walk_dropped(BYPEER_DROP_TRANSMIT_FULL) == 0) {
        for (unsigned i = 0; i < 64; i++)
            walk_arrive(0, frame, length);
        walk_once();
        sent += 64;
    }
    cr_assert_eq(walk.counters[BYPEER_COUNT_SENT], WALK_RING - 1);
    cr_assert_eq(walk_dropped(BYPEER_DROP_TRANSMIT_FULL), sent - (WALK_RING - 1));
    while (walk_sent(1, out) != 0)
        ;
    for (sent = 0; walk_dropped(BYPEER_DROP_PUNT_FULL) == 0; sent += 64) {
        for (unsigned i = 0; i < 64; i++)
            walk_arrive(0, (const uint8_t[14]){0}, 14);
        walk_once();
    }
    cr_assert_eq(walk_dropped(BYPEER_DROP_PUNT_FULL), sent - (WALK_RING - 1));
}

Test(drops, trace_names_the_reason)
{
    struct bypeer_trace *trace = walk.worker.trace;
    trace->numbers->wanted = 1;
    trace->left = 1;
    size_t length = good_frame();
    frame[length - 1] ^= 1;
    walk_arrive(0, frame, length);
    walk_once();
    cr_assert_eq(trace->head, 4);
    cr_assert_str_eq(trace->steps[2].next, "drop");
    cr_assert_str_eq(trace->steps[3].node, "drop");
    cr_assert_str_eq(trace->steps[3].next, "drop.outer_checksum");
}

/* Changes some bytes, or the length, or nothing. */
static size_t mutate(uint8_t *data, size_t length)
{
    for (long changes = random() % 4; changes > 0; changes--) {
        size_t at = (size_t)random() % length;
        data[at] = random() % 2 == 0 ? (uint8_t)random() : (uint8_t)(data[at] ^ (1 << random() % 8));
    }
    return random() % 4 == 0 ? 1 + (size_t)random() % length : length;
}

Test(drops, random_and_mutated_frames_are_all_counted)
{
    walk_clouds_put();
    srandom(7);
    for (unsigned round = 0; round < 4000; round++) {
        for (unsigned i = 0; i < 32; i++) {
            size_t length;
            if (random() % 4 == 0) {
                length = 1 + (size_t)random() % 200;
                for (size_t at = 0; at < length; at++)
                    frame[at] = (uint8_t)random();
            } else if (random() % 4 == 0) {
                uint8_t message[100];
                length = inquire(message, (uint16_t)(random() % 2 * BYPEER_INQUIRE_CPA));
                mutate(frame + 62, length - 62);
                walk_seal(frame, length);
                if (random() % 4 == 0)
                    length = mutate(frame, length);
            } else {
                enum walk_link link = LINK_A + (unsigned)random() % 3;
                size_t bytes = 40 + (size_t)random() % 100;
                walk_packet(inner, walk_address(MEMBER_A + (unsigned)random() % 4),
                            walk_address(MEMBER_HERE + (unsigned)random() % 10), bytes);
                if (random() % 4 == 0)
                    mutate(inner, bytes);
                length = walk_frame(frame, link, inner, bytes);
                if (random() % 2 == 0)
                    bypeer_store16(frame + (link == LINK_C ? 40 : 60), 0);
                if (random() % 2 == 0)
                    length = mutate(frame, length);
            }
            if (random() % 8 == 0)
                walk_inject(random() % 2 == 0 ? BYPEER_DEVICE_OVERLAY : BYPEER_DEVICE_UNDERLAY,
                            (uint16_t)(random() % 3), frame, length);
            else
                walk_arrive((uint16_t)(random() % 2), frame, length);
        }
        walk.worker.now_tsc += 1000000;
        walk_once();
        for (uint16_t port = 0; port < WALK_PORTS; port++)
            while (walk_sent(port, out) != 0)
                ;
        void *mbuf;
        while (rte_ring_dequeue(walk.worker.punt, &mbuf) == 0) {
            walk.taken++;
            rte_pktmbuf_free(mbuf);
        }
    }
    /* The mix was one: the main ways and a dozen reasons were taken. */
    unsigned reasons = 0;
    for (unsigned i = 0; i < BYPEER_COUNTERS_USED; i++)
        reasons += bypeer_counter_names[i].class == BYPEER_COUNTER_DROPPED && walk.counters[i] != 0;
    cr_assert_geq(reasons, 12, "%u reasons", reasons);
    cr_assert_gt(walk.counters[BYPEER_COUNT_SENT], 1000);
    cr_assert_gt(walk.counters[BYPEER_COUNT_GENERATED], 100);
}

Test(drops, limits_of_members_and_groups)
{
    const struct bypeer_limit blocked = {.id = LINK_A, .flags = BYPEER_LIMIT_BLOCKED};
    const struct bypeer_limit slow = {.flags = BYPEER_LIMIT_RATE, .bits_s = 1000, .burst = 16384};
    struct bypeer_limit limit = slow;
    limit.id = LINK_A;
    cr_assert_eq(bypeer_writer_put_link_limit(walk.writer, &limit), 1);
    while (walk.counters[BYPEER_DROP_RATE] == 0) {
        walk_arrive(0, frame, good_frame());
        walk_once();
        walk_sent(1, out);
    }
    walk_arrive(0, frame, good_frame());
    expect_drop(BYPEER_DROP_RATE);
    cr_assert_eq(bypeer_writer_put_link_limit(walk.writer, &blocked), 0);
    walk_arrive(0, frame, good_frame());
    expect_drop(BYPEER_DROP_QUOTA);
    cr_assert_eq(bypeer_writer_remove_link_limit(walk.writer, LINK_A), 0);

    limit = slow;
    limit.id = 1;
    cr_assert_eq(bypeer_writer_put_group_limit(walk.writer, &limit), 1);
    while (walk.counters[BYPEER_DROP_SHARE] == 0) {
        walk_arrive(0, frame, good_frame());
        walk_once();
        walk_sent(1, out);
    }
    walk_arrive(0, frame, good_frame());
    expect_drop(BYPEER_DROP_SHARE);
}
