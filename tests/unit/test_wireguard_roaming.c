/* Where a peer of WireGuard is: it is sent to where it was heard last, and what may not move it. */
#include <criterion/criterion.h>

#include "overlay/ip/ethernet.h"
#include "overlay/ip/icmpv6.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/outer.h"
#include "overlay/tables/events.h"
#include "tests/unit/walk_drops.h"
#include "tests/unit/walk_wireguard.h"

TestSuite(wireguard_roaming, .init = walk_wireguard_set_up, .fini = walk_tear_down, .timeout = 120);

static const uint8_t elsewhere[16] = {0x20, 0x01, 0x0d, 0xb8, [7] = 9, [15] = 0x99};
static const uint8_t other_hop[6] = {0x02, 0, 0, 0, 0, 0x77};

/* A frame of PEER_SIX from another address and port, by another next hop and port of ours. */
static size_t roam_frame(struct walk_session *session, uint16_t port)
{
    walk_packet(walk_inner, walk_peer_address(PEER_SIX), walk_address(MEMBER_HERE), 64);
    size_t length = walk_peer_packet(walk_in, PEER_SIX, session, session->counter++, walk_inner, 64, 64);
    memcpy(walk_in, walk.worker.ports[1].mac, 6);
    memcpy(walk_in + BYPEER_ETHERNET_SOURCE, other_hop, 6);
    memcpy(walk_in + 14 + BYPEER_IPV6_SOURCE, elsewhere, 16);
    bypeer_store16(walk_in + 54, port);
    walk_peer_seal(walk_in, length);
    return length;
}

Test(wireguard_roaming, a_peer_is_sent_to_where_it_was_heard)
{
    const uint32_t link = walk_peer_link_id(PEER_SIX);
    struct walk_session six = walk_start_session(PEER_SIX);
    walk_peer_keeps_alive(PEER_SIX, &six);
    walk_once();
    walk_expect_event(BYPEER_EVENT_HEARD, six.slot);
    for (unsigned i = 0; i < 3; i++)
        walk_arrive(1, walk_in, roam_frame(&six, 1234));
    walk_expect_drop(0);
    walk_expect_event(BYPEER_EVENT_MOVED, link);
    walk_expect_event(BYPEER_EVENT_NONE, 0);
    while (walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out) != 0)
        ;
    walk_send_here(PEER_SIX);
    walk_once();
    cr_assert_eq(walk_sent(0, walk_out), 0);
    const uint8_t *opened;
    uint64_t counter;
    size_t length = walk_sent(1, walk_out);
    cr_assert(walk_is_well_formed(walk_out, length));
    cr_assert_arr_eq(walk_out, other_hop, 6);
    cr_assert_arr_eq(walk_out + 6, walk.worker.ports[1].mac, 6);
    cr_assert_arr_eq(walk_out + 14 + BYPEER_IPV6_DESTINATION, elsewhere, 16);
    cr_assert_eq(bypeer_load16(walk_out + 54), WALK_WIREGUARD);
    cr_assert_eq(bypeer_load16(walk_out + 56), 1234);
    cr_assert_geq(walk_peer_open(walk_out, length, &six, &opened, &counter), 0);
    /* The other worker knows as much. */
    walk.worker.now_ms += 100;
    walk_turn_to(1);
    walk_arrive(1, walk_in, roam_frame(&six, 1235));
    walk_once();
    walk_expect_event(BYPEER_EVENT_MOVED, link);
    walk_turn_to(0);
    walk_send_here(PEER_SIX);
    walk_once();
    cr_assert_neq(walk_sent(1, walk_out), 0);
    cr_assert_eq(bypeer_load16(walk_out + 56), 1235);
    /* Back home: as the link's record says. */
    walk_peer_keeps_alive(PEER_SIX, &six);
    walk_once();
    walk_expect_event(BYPEER_EVENT_NONE, 0);
    walk_send_here(PEER_SIX);
    walk_once();
    walk_expect_sealed(PEER_SIX, &six, 64, 0);
    while (walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out) != 0)
        ;
}

Test(wireguard_roaming, where_a_peer_was_heard_the_mtu_may_be_smaller)
{
    struct walk_session six = walk_start_session(PEER_SIX);
    const uint8_t *opened;
    uint64_t counter;
    walk.worker.ports[1].mtu = 1400;
    walk_arrive(1, walk_in, roam_frame(&six, 1234));
    walk_once();
    walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out);
    walk_packet(walk_inner, walk_address(MEMBER_HERE), walk_peer_address(PEER_SIX), 1320);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, walk_inner, 1320);
    walk_expect_drop(0);
    size_t length = walk_sent(1, walk_out);
    cr_assert_eq(length, 14 + 1400, "padding takes what is left, no more");
    cr_assert_eq(walk_peer_open(walk_out, length, &six, &opened, &counter), 1320);
    walk_packet(walk_inner, walk_address(MEMBER_HERE), walk_peer_address(PEER_SIX), 1321);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, walk_inner, 1321);
    walk_expect_drop(BYPEER_DROP_TOO_BIG);
    cr_assert_gt(walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out), BYPEER_IPV6_BYTES + 8, "its sender is told");
    cr_assert_eq(walk_out[BYPEER_IPV6_NEXT_HEADER], BYPEER_NEXT_ICMPV6);
    cr_assert_eq(walk_out[BYPEER_IPV6_BYTES], BYPEER_ICMPV6_TOO_BIG);
    cr_assert_arr_eq(walk_out + BYPEER_IPV6_BYTES + 4, ((const uint8_t[4]){0, 0, 1320 >> 8, 1320 & 255}), 4);
    cr_assert_arr_eq(walk_out + BYPEER_IPV6_BYTES + 8 + BYPEER_IPV6_SOURCE, walk_address(MEMBER_HERE), 16);
    /* Of what all members get no sender is told. */
    const struct bypeer_multicast_receiver receiver = {.link = walk_peer_link_id(PEER_SIX)};
    const uint8_t all[16] = {0xff, 0x05, [15] = 1};
    cr_assert_eq(bypeer_writer_set_multicast(walk.writer, 1, &receiver, 1, 10), 0);
    walk_packet(walk_inner, walk_address(MEMBER_HERE), all, 1321);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, walk_inner, 1321);
    walk_expect_drop(BYPEER_DROP_TOO_BIG);
    cr_assert_eq(walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out), 0);
}

Test(wireguard_roaming, a_peer_at_two_places_is_told_of_ten_times_a_second)
{
    const uint32_t link = walk_peer_link_id(PEER_SIX);
    struct walk_session six = walk_start_session(PEER_SIX);
    walk_peer_keeps_alive(PEER_SIX, &six);
    walk_once();
    walk_expect_event(BYPEER_EVENT_HEARD, six.slot);
    for (unsigned ms = 0; ms < 200; ms++) {
        for (unsigned i = 0; i < 4; i++)
            walk_arrive(1, walk_in, roam_frame(&six, (uint16_t)(1234 + i % 2)));
        walk_once();
        if (ms % 100 == 0)
            walk_expect_event(BYPEER_EVENT_MOVED, link);
        walk_expect_event(BYPEER_EVENT_NONE, 0);
        walk.worker.now_ms++;
        while (walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out) != 0)
            ;
    }
    /* And is sent to where it was last, all the same. */
    walk_arrive(1, walk_in, roam_frame(&six, 1235));
    walk_once();
    walk_send_here(PEER_SIX);
    walk_once();
    cr_assert_neq(walk_sent(1, walk_out), 0);
    cr_assert_eq(bypeer_load16(walk_out + 56), 1235);
}

Test(wireguard_roaming, a_peer_without_an_endpoint_is_found_by_its_first_packet)
{
    struct walk_session six = walk_make_session(PEER_HIDDEN, 0);
    walk_put_peer(PEER_HIDDEN, 0, six.slot);
    walk_peer_sends(PEER_HIDDEN, &six, walk_address(MEMBER_HERE), 64);
    walk_expect_drop(0);
    walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out);
    walk_expect_event(BYPEER_EVENT_HEARD, six.slot);
    walk_expect_event(BYPEER_EVENT_MOVED, walk_peer_link_id(PEER_HIDDEN));
    walk_send_here(PEER_HIDDEN);
    walk_once();
    walk_expect_sealed(PEER_HIDDEN, &six, 64, 0);
}

Test(wireguard_roaming, a_peer_roams_to_ipv4)
{
    struct walk_session six = walk_start_session(PEER_SIX);
    walk_packet(walk_inner, walk_peer_address(PEER_SIX), walk_address(MEMBER_HERE), 64);
    size_t length = walk_peer_packet(walk_in, PEER_FOUR, &six, six.counter++, walk_inner, 64, 64);
    walk_arrive(1, walk_in, length);
    walk_expect_drop(0);
    walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out);
    walk_send_here(PEER_SIX);
    walk_once();
    walk_expect_sealed(PEER_FOUR, &six, 64, 0);
    cr_assert_eq(bypeer_load16(walk_out + 12), BYPEER_ETHERTYPE_IPV4);
}

Test(wireguard_roaming, what_does_not_move_a_peer)
{
    struct walk_session six = walk_start_session(PEER_SIX);
    walk_peer_keeps_alive(PEER_SIX, &six);
    walk_once();
    walk_expect_event(BYPEER_EVENT_HEARD, six.slot);
    /* A damaged source. */
    size_t length = roam_frame(&six, 1234);
    walk_in[14 + BYPEER_IPV6_SOURCE + 5] ^= 1;
    walk_arrive(1, walk_in, length);
    walk_expect_drop(BYPEER_DROP_OUTER_CHECKSUM);
    bypeer_store16(walk_in + 60, 0); /* none: over IPv6 that says nothing about the source */
    walk_arrive(1, walk_in, length);
    walk_expect_drop(BYPEER_DROP_OUTER_CHECKSUM);
    /* A replay from elsewhere. */
    length = roam_frame(&six, 1234);
    bypeer_store16(walk_in + 54, WALK_PEER_PORT);
    memcpy(walk_in + 14 + BYPEER_IPV6_SOURCE, (const uint8_t[16]){0x20, 0x01, 0x0d, 0xb8, [15] = 0x36}, 16);
    walk_peer_seal(walk_in, length);
    walk_arrive(1, walk_in, length);
    walk_expect_drop(0);
    memcpy(walk_in + 14 + BYPEER_IPV6_SOURCE, elsewhere, 16);
    walk_peer_seal(walk_in, length);
    walk_arrive(1, walk_in, length);
    walk_expect_drop(BYPEER_DROP_WIREGUARD_REPLAY);
    /* This node itself, by two of its names, and addresses of nobody. The packet counts all the same. */
    static const uint8_t sources[][16] = {
        {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, {0xff, 0x02, [15] = 1}, {0}, {[10] = 0xff, 0xff, 192, 0, 2, 54}};
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        length = roam_frame(&six, WALK_WIREGUARD);
        memcpy(walk_in + 14 + BYPEER_IPV6_SOURCE, sources[i], 16);
        walk_peer_seal(walk_in, length);
        walk_arrive(1, walk_in, length);
        walk_expect_drop(0);
    }
    length = roam_frame(&six, 0);
    walk_arrive(1, walk_in, length);
    walk_expect_drop(0);
    walk_expect_event(BYPEER_EVENT_NONE, 0);
    walk_send_here(PEER_SIX);
    walk_once();
    walk_expect_sealed(PEER_SIX, &six, 64, 0);
    while (walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out) != 0)
        ;
}
