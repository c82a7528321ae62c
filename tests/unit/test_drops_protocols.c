/* What is dropped of the protocols that end at this node, or are relayed by it: PNRP, WireGuard, relay links. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "overlay/ip/datagram.h"
#include "overlay/ip/ethernet.h"
#include "overlay/ip/ipv6.h"
#include "overlay/pnrp/message.h"
#include "tests/unit/walk_clouds.h"
#include "tests/unit/walk_drops.h"
#include "tests/unit/walk_relay.h"
#include "tests/unit/walk_wireguard.h"

TestSuite(drops_protocols, .init = walk_set_up, .fini = walk_tear_down, .timeout = 120);

static uint8_t inner[WALK_FRAME_MAX], frame[WALK_FRAME_MAX], out[WALK_FRAME_MAX];

/* --- PNRP --------------------------------------------------------------------------------------------------------- */

/* The frame with one field changed, its checksum right, is dropped for this reason. */
static void expect_datagram(size_t at, uint16_t value, enum bypeer_counter reason)
{
    uint8_t message[100];
    size_t length = walk_inquire(frame, message, 0);
    bypeer_store16(frame + at, value);
    walk_seal(frame, length);
    walk_arrive(0, frame, length);
    walk_expect_drop(reason);
    walk_sent(0, out);
}

Test(drops_protocols, pnrp_that_is_damaged)
{
    walk_clouds_put();
    uint8_t message[100];
    size_t length = walk_inquire(frame, message, 0);
    for (size_t at = 54; at < length; at++) {
        if (at >= 56 && at < 60) /* the port says whose it is, the length has a reason of its own */
            continue;
        walk_inquire(frame, message, 0);
        frame[at] ^= 0x10;
        walk_arrive(0, frame, length);
        walk_expect_drop(BYPEER_DROP_OUTER_CHECKSUM);
    }
    walk_inquire(frame, message, 0);
    bypeer_store16(frame + 60, 0); /* IPv6 wants one */
    walk_arrive(0, frame, length);
    walk_expect_drop(BYPEER_DROP_OUTER_CHECKSUM);
    walk_inquire(frame, message, 0);
    bypeer_store16(frame + 58, 7);
    walk_arrive(0, frame, length);
    walk_expect_drop(BYPEER_DROP_LENGTH);
    walk_inquire(frame, message, 0);
    bypeer_store16(frame + 58, 65);
    walk_arrive(0, frame, length);
    walk_expect_drop(BYPEER_DROP_LENGTH);
}

Test(drops_protocols, pnrp_of_sources_that_cannot_be_answered)
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
        size_t length = walk_inquire(frame, message, 0);
        memcpy(frame + 14 + 8, sources[i], 16);
        walk_seal(frame, length);
        walk_arrive(0, frame, length);
        walk_expect_drop(BYPEER_DROP_PNRP_SOURCE);
    }
}

Test(drops_protocols, pnrp_that_is_malformed_or_of_another_version)
{
    walk_clouds_put();
    expect_datagram(62 + 4, 0x5105, BYPEER_DROP_PNRP_PROFILE);
    expect_datagram(62 + 4, 0x5204, BYPEER_DROP_PNRP_MALFORMED);  /* identifier */
    expect_datagram(62 + 6, 0x0005, BYPEER_DROP_PNRP_MALFORMED);  /* type */
    expect_datagram(62 + 14, 0x0007, BYPEER_DROP_PNRP_MALFORMED); /* length of an element */
    uint8_t message[100];
    walk_inquire(frame, message, 0);
    for (size_t bytes = 0; bytes < 56; bytes++) {
        walk_arrive(0, frame, walk_datagram(frame, CLOUD_B, message, bytes));
        walk_expect_drop(BYPEER_DROP_PNRP_MALFORMED);
    }
    /* A LOOKUP without a path, and one that is too long. */
    size_t length =
        walk_hex(message, "0010000c5104000b010203080045000c00000000010000000038002400000000000000000000000000"
                          "00000000000000000000000000000000000000003900240000000000000000000000000000000000"
                          "000000000000000000000000000000");
    walk_arrive(0, frame, walk_datagram(frame, CLOUD_B, message, length));
    walk_expect_drop(BYPEER_DROP_PNRP_MALFORMED);
}

Test(drops_protocols, inquiries_beyond_what_a_source_may_cost)
{
    walk_clouds_put();
    uint8_t message[100];
    for (unsigned i = 0; i < 1000 && walk_dropped(BYPEER_DROP_PNRP_METER) == 0; i++) {
        walk_arrive(0, frame, walk_inquire(frame, message, BYPEER_INQUIRE_CPA));
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

Test(drops_protocols, wireguard_data)
{
    walk_wireguard_put();
    struct walk_session six = walk_start_session(PEER_SIX);
    size_t length = data_frame(&six, 0);
    frame[length - 1] ^= 1;
    walk_arrive(0, frame, length);
    walk_expect_drop(BYPEER_DROP_WIREGUARD_TAG);
    length = data_frame(&six, 0);
    frame[62 + 7] ^= 1;
    walk_arrive(0, frame, length);
    walk_expect_drop(BYPEER_DROP_WIREGUARD_SESSION);
    length = data_frame(&six, 0);
    walk_arrive(0, frame, length);
    walk_expect_drop(0);
    walk_punted(BYPEER_DEVICE_OVERLAY, 0, out);
    walk_arrive(0, frame, length);
    walk_expect_drop(BYPEER_DROP_WIREGUARD_REPLAY);
    frame[62 + 14] = 0x10; /* counter 2^52: no sender gets there */
    walk_arrive(0, frame, length);
    walk_expect_drop(BYPEER_DROP_WIREGUARD_REPLAY);
    walk_arrive(0, frame, length - 1);
    walk_expect_drop(BYPEER_DROP_LENGTH);
    bypeer_store16(frame + 14 + BYPEER_IPV6_LENGTH, 8);
    walk_arrive(0, frame, 62);
    walk_expect_drop(BYPEER_DROP_LENGTH);
    /* Outer IPv4 headers have a checksum of their own. */
    struct walk_session four = walk_start_session(PEER_FOUR);
    length = walk_peer_packet(frame, PEER_FOUR, &four, 0, inner, 64, 64);
    frame[14 + 8] ^= 1;
    walk_arrive(1, frame, length);
    walk_expect_drop(BYPEER_DROP_OUTER_CHECKSUM);
}

Test(drops_protocols, wireguard_handshakes)
{
    walk_wireguard_put();
    uint8_t initiation[BYPEER_WIREGUARD_INITIATION_BYTES] = {BYPEER_WIREGUARD_INITIATION};
    size_t length = walk_peer_frame(frame, PEER_SIX, initiation, sizeof(initiation));
    walk_arrive(0, frame, length);
    walk_expect_drop(BYPEER_DROP_WIREGUARD_MAC);
    walk_arrive(0, frame, walk_peer_frame(frame, PEER_SIX, initiation, sizeof(initiation) - 1));
    walk_expect_drop(BYPEER_DROP_WIREGUARD_MALFORMED);
    length = walk_peer_frame(frame, PEER_SIX, initiation, sizeof(initiation));
    bypeer_store16(frame + 54, 0); /* its port */
    walk_peer_seal(frame, length);
    walk_arrive(0, frame, length);
    walk_expect_drop(BYPEER_DROP_WIREGUARD_SOURCE);
    uint8_t reply[BYPEER_WIREGUARD_COOKIE_BYTES] = {BYPEER_WIREGUARD_COOKIE};
    for (unsigned i = 0; i < 40; i++) {
        walk_arrive(0, frame, walk_peer_frame(frame, PEER_SIX, reply, sizeof(reply)));
        walk_expect_drop(0);
        walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out);
    }
    walk_arrive(0, frame, walk_peer_frame(frame, PEER_SIX, reply, sizeof(reply)));
    walk_expect_drop(BYPEER_DROP_WIREGUARD_RATE);
}

Test(drops_protocols, peers_that_cannot_be_sent_to)
{
    walk_wireguard_put();
    walk_expect_route(LINK_A, walk_address(MEMBER_A), walk_peer_address(PEER_SIX), BYPEER_DROP_NO_SESSION);
    walk_expect_route(LINK_A, walk_address(MEMBER_A), walk_peer_address(PEER_HIDDEN), BYPEER_DROP_NO_ENDPOINT);
    walk_expect_route(LINK_A, walk_address(MEMBER_A), walk_peer_address(PEER_LOST), BYPEER_DROP_NO_ADJACENCY);
    /* A keepalive for a link that has gone. */
    walk_inject_keepalive(99);
    walk_expect_drop(BYPEER_DROP_NO_LINK);
    /* No room behind the packet for padding and tag. */
    walk_start_session(PEER_SIX);
    walk_packet(inner, walk_address(MEMBER_HERE), walk_peer_address(PEER_SIX), 60);
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(walk.pool);
    mbuf->data_off = (uint16_t)(mbuf->buf_len - 60);
    memcpy(rte_pktmbuf_append(mbuf, 60), inner, 60);
    *bypeer_packet(mbuf) = (struct bypeer_packet){.device = BYPEER_DEVICE_OVERLAY};
    cr_assert_eq(rte_ring_enqueue(walk.worker.inject, mbuf), 0);
    walk.injected++;
    walk_expect_drop(BYPEER_DROP_NO_BUFFER);
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
    walk_expect_drop(reason);
}

Test(drops_protocols, what_is_not_relayed)
{
    walk_relay_put();
    walk_arrive(0, frame, relay_frame(1, 64));
    walk_expect_drop(BYPEER_DROP_RELAY_NOBODY);
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
    walk_expect_drop(BYPEER_DROP_RELAY_MESSAGE);
    walk_arrive(0, frame, relay_frame(1, 1453));
    walk_expect_drop(BYPEER_DROP_TOO_BIG);
    walk_arrive(0, frame, relay_frame(1, 1452));
    walk_expect_drop(0);
}

Test(drops_protocols, more_than_three_bytes_a_byte)
{
    walk_relay_put();
    walk_relay_meet(USER_ALICE);
    walk.worker.now_ms += 1000 * BYPEER_RELAY_CONFIRMED_S;
    walk_arrive(0, frame, relay_frame(1, 1400));
    walk_expect_drop(BYPEER_DROP_RELAY_CREDIT);
}
