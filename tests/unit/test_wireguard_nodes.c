/* Packets through the worker's real graph from and to peers of WireGuard: opened, judged, sealed, and what they move.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "overlay/ip/ethernet.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/outer.h"
#include "overlay/tables/events.h"
#include "overlay/wireguard/counter.h"
#include "tests/unit/walk_drops.h"
#include "tests/unit/walk_wireguard.h"

TestSuite(wireguard_nodes, .init = walk_wireguard_set_up, .fini = walk_tear_down, .timeout = 120);

#define MINUTE_MS 60000

/* --- the ways ----------------------------------------------------------------------------------------------------- */

Test(wireguard_nodes, between_peers_at_every_length)
{
    struct walk_session six = walk_start_session(PEER_SIX), four = walk_start_session(PEER_FOUR);
    uint64_t counter = 0;
    for (size_t bytes = 40; bytes <= WALK_PEER_MTU; bytes += bytes < 200 ? 1 : 37, counter++) {
        walk_peer_sends(PEER_SIX, &six, walk_peer_address(PEER_FOUR), bytes);
        walk_once();
        cr_assert_eq(walk_expect_sealed(PEER_FOUR, &four, bytes, 1), counter);
        walk_peer_sends(PEER_FOUR, &four, walk_peer_address(PEER_SIX), bytes);
        walk_once();
        cr_assert_eq(walk_expect_sealed(PEER_SIX, &six, bytes, 1), counter);
    }
}

Test(wireguard_nodes, outer_headers_lead_to_the_peer)
{
    struct walk_session six = walk_start_session(PEER_SIX), four = walk_start_session(PEER_FOUR);
    static const uint8_t next_hop[6] = {0x02, 0, 0, 0, 0, 0x99}, to_six[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x36},
                         from_six[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, fours[8] = {192, 0, 2, 1, 192, 0, 2, 54};
    walk_peer_sends(PEER_SIX, &six, walk_peer_address(PEER_FOUR), 100);
    walk_once();
    cr_assert_eq(walk_sent(1, walk_out), 14 + 28 + 16 + 112 + 16);
    cr_assert_arr_eq(walk_out, next_hop, 6);
    cr_assert_eq(bypeer_load16(walk_out + 12), BYPEER_ETHERTYPE_IPV4);
    cr_assert_arr_eq(walk_out + 14 + 12, fours, 8);
    cr_assert_eq(walk_out[14 + BYPEER_IPV4_TTL], 64);
    cr_assert_eq(bypeer_load16(walk_out + 14 + 20), WALK_WIREGUARD);
    cr_assert_eq(bypeer_load16(walk_out + 14 + 22), WALK_PEER_PORT);
    walk_peer_sends(PEER_FOUR, &four, walk_peer_address(PEER_SIX), 100);
    walk_once();
    cr_assert_eq(walk_sent(0, walk_out), 14 + 48 + 16 + 112 + 16);
    cr_assert_eq(bypeer_load16(walk_out + 12), BYPEER_ETHERTYPE_IPV6);
    cr_assert_arr_eq(walk_out + 14 + BYPEER_IPV6_SOURCE, from_six, 16);
    cr_assert_arr_eq(walk_out + 14 + BYPEER_IPV6_DESTINATION, to_six, 16);
    cr_assert_eq(bypeer_load16(walk_out + 54), WALK_WIREGUARD);
    cr_assert_eq(bypeer_load16(walk_out + 56), WALK_PEER_PORT);
}

Test(wireguard_nodes, from_fabric_and_back)
{
    struct walk_session six = walk_start_session(PEER_SIX);
    for (size_t bytes = 40; bytes <= 1300; bytes += 63) {
        walk_packet(walk_inner, walk_address(MEMBER_C), walk_peer_address(PEER_SIX), bytes);
        walk_arrive(0, walk_in, walk_frame(walk_in, LINK_C, walk_inner, bytes));
        walk_once();
        walk_expect_sealed(PEER_SIX, &six, bytes, 1);
        walk_peer_sends(PEER_SIX, &six, walk_address(MEMBER_B), bytes);
        walk_once();
        size_t length = walk_sent(1, walk_out);
        cr_assert_eq(length, 14 + 56 + bytes);
        cr_assert(walk_is_well_formed(walk_out, length), "the sum is right though no checksum told it");
        walk_inner[BYPEER_IPV6_HOP_LIMIT]--;
        cr_assert_arr_eq(walk_out + 70, walk_inner, bytes);
    }
}

Test(wireguard_nodes, to_and_from_this_host)
{
    struct walk_session six = walk_start_session(PEER_SIX);
    walk_peer_sends(PEER_SIX, &six, walk_address(MEMBER_HERE), 333);
    walk_once();
    cr_assert_eq(walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out), 333);
    cr_assert_arr_eq(walk_out, walk_inner, 333);
    walk_packet(walk_inner, walk_address(MEMBER_HERE), walk_peer_address(PEER_SIX), 333);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, walk_inner, 333);
    walk_once();
    walk_expect_sealed(PEER_SIX, &six, 333, 0);
}

Test(wireguard_nodes, bursts_of_mixed_peers_keep_order_and_nonces)
{
    struct walk_session sessions[2] = {walk_start_session(PEER_SIX), walk_start_session(PEER_FOUR)};
    uint64_t next_counter[2] = {0};
    srandom(3);
    for (unsigned round = 0; round < 40; round++) {
        unsigned sent[2] = {0};
        uint32_t first = round * 1000;
        for (unsigned i = 0; i < 60; i++) {
            unsigned to = (unsigned)random() % 2;
            size_t bytes = 60 + (size_t)random() % 1000;
            walk_packet(walk_inner, walk_address(MEMBER_A), walk_peer_address(PEER_SIX + to), bytes);
            bypeer_store32(walk_inner + 48, first + sent[to]++);
            walk_arrive(0, walk_in, walk_frame(walk_in, LINK_A, walk_inner, bytes));
        }
        walk_once();
        for (unsigned to = 0; to < 2; to++)
            for (unsigned i = 0; i < sent[to]; i++) {
                const uint8_t *opened;
                uint64_t counter = 0;
                size_t length = walk_sent(walk_peer_wire(PEER_SIX + to), walk_out);
                cr_assert(walk_is_well_formed(walk_out, length));
                cr_assert_geq(walk_peer_open(walk_out, length, &sessions[to], &opened, &counter), 0);
                cr_assert_eq(counter, next_counter[to]++);
                cr_assert_eq(bypeer_load32(opened + 48), first + i);
            }
    }
}

Test(wireguard_nodes, congestion_marks_go_through)
{
    struct walk_session six = walk_start_session(PEER_SIX), four = walk_start_session(PEER_FOUR);
    for (uint8_t in = 0; in < 4; in++)
        for (uint8_t outside = 0; outside < 4; outside++) {
            walk_packet(walk_inner, walk_peer_address(PEER_SIX), walk_peer_address(PEER_FOUR), 80);
            walk_inner[1] = (uint8_t)(in << 4);
            size_t length = walk_peer_packet(walk_in, PEER_SIX, &six, six.counter++, walk_inner, 80, 80);
            walk_in[15] = (uint8_t)(outside << 4);
            walk_arrive(0, walk_in, length);
            if (outside == 3 && in == 0) {
                walk_expect_drop(BYPEER_DROP_ECN);
                continue;
            }
            walk_once();
            uint8_t expected = outside == 3 ? 3 : (outside == 1 && in == 2) ? 1 : in;
            walk_inner[1] = (uint8_t)(expected << 4);
            walk_expect_sealed(PEER_FOUR, &four, 80, 1);
            cr_assert_eq(walk_out[14 + BYPEER_IPV4_TOS], expected);
        }
}

Test(wireguard_nodes, counts_the_traffic_of_links)
{
    struct walk_session six = walk_start_session(PEER_SIX), four = walk_start_session(PEER_FOUR);
    for (unsigned i = 0; i < 3; i++)
        walk_peer_sends(PEER_SIX, &six, walk_peer_address(PEER_FOUR), 100);
    walk_peer_keeps_alive(PEER_FOUR, &four);
    walk_once();
    const struct bypeer_session *row = walk.worker.sessions;
    cr_assert_eq(row[walk_peer_link_id(PEER_SIX)].received_packets, 3);
    cr_assert_eq(row[walk_peer_link_id(PEER_SIX)].received_bytes, 300);
    cr_assert_eq(row[walk_peer_link_id(PEER_FOUR)].sent_packets, 3);
    cr_assert_eq(row[walk_peer_link_id(PEER_FOUR)].sent_bytes, 300);
    cr_assert_eq(row[walk_peer_link_id(PEER_FOUR)].received_packets, 0, "a keepalive is nobody's traffic");
    cr_assert_eq(walk.counters[BYPEER_COUNT_CONSUMED], 1);
}

Test(wireguard_nodes, trace_follows_a_packet)
{
    const char *const expected[][2] = {{"receive-0", "classify"},
                                       {"classify", "wireguard_open"},
                                       {"wireguard_open", "overlay_lookup"},
                                       {"overlay_lookup", "policy"},
                                       {"policy", "wireguard_seal"},
                                       {"wireguard_seal", "transmit"},
                                       {"transmit", NULL}};
    struct walk_session six = walk_start_session(PEER_SIX);
    walk_start_session(PEER_FOUR);
    struct bypeer_trace *trace = walk.worker.trace;
    trace->numbers->wanted = 1;
    trace->left = 1;
    walk_peer_sends(PEER_SIX, &six, walk_peer_address(PEER_FOUR), 100);
    walk_once();
    cr_assert_eq(trace->head, 7);
    for (unsigned i = 0; i < 7; i++) {
        cr_assert_str_eq(trace->steps[i].node, expected[i][0]);
        if (expected[i][1] != NULL)
            cr_assert_str_eq(trace->steps[i].next, expected[i][1]);
    }
    walk_sent(1, walk_out);
}

/* --- who may send what -------------------------------------------------------------------------------------------- */

Test(wireguard_nodes, sources_are_those_routed_to_the_peer)
{
    struct walk_session six = walk_start_session(PEER_SIX);
    walk_start_session(PEER_FOUR);
    const uint8_t *const sources[] = {walk_peer_address(PEER_FOUR), walk_address(MEMBER_A), walk_address(MEMBER_HERE),
                                      walk_address(MEMBER_UNKNOWN), walk_prefix_member()};
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        walk_packet(walk_inner, sources[i], walk_peer_address(PEER_FOUR), 64);
        walk_arrive(0, walk_in, walk_peer_packet(walk_in, PEER_SIX, &six, six.counter++, walk_inner, 64, 64));
        walk_expect_drop(BYPEER_DROP_INNER_SOURCE);
    }
    /* No member of a group reaches another one's. */
    walk_peer_sends(PEER_SIX, &six, walk_address(MEMBER_X), 64);
    walk_expect_drop(BYPEER_DROP_POLICY);
    cr_assert_eq(walk_sent(1, walk_out), 0);
}

Test(wireguard_nodes, what_is_no_ipv6_packet)
{
    struct walk_session six = walk_start_session(PEER_SIX);
    walk_packet(walk_inner, walk_peer_address(PEER_SIX), walk_address(MEMBER_HERE), 64);
    for (size_t bytes = 1; bytes < 64; bytes++) {
        walk_arrive(0, walk_in, walk_peer_packet(walk_in, PEER_SIX, &six, six.counter++, walk_inner, bytes, bytes));
        walk_expect_drop(BYPEER_DROP_INNER_HEADER);
    }
    walk_inner[0] = 0x45;
    walk_arrive(0, walk_in, walk_peer_packet(walk_in, PEER_SIX, &six, six.counter++, walk_inner, 64, 64));
    walk_expect_drop(BYPEER_DROP_INNER_HEADER);
}

/* The same datagram once more on each worker: it was let through once. */
static void expect_replays(const uint8_t *sent, size_t length)
{
    for (unsigned worker = 0; worker < 2; worker++) {
        walk_turn_to(worker);
        walk_arrive(0, sent, length);
        walk_expect_drop(BYPEER_DROP_WIREGUARD_REPLAY);
    }
}

Test(wireguard_nodes, each_counter_passes_once_whichever_worker_has_it)
{
    struct walk_session six = walk_start_session(PEER_SIX);
    const uint64_t greatest = 100000;
    const struct {
        uint64_t counter;
        bool is_fresh;
    } cases[] = {{greatest, true},         {greatest - 1, true},     {greatest - 8191, true},
                 {greatest - 8192, false}, {greatest - 8193, false}, {0, false},
                 {greatest + 1, true},     {greatest - 8191, false}, {greatest - 8190, true},
                 {greatest - 4000, true},  {greatest + 8192, true},  {greatest + 1, false},
                 {greatest + 2, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        walk_packet(walk_inner, walk_peer_address(PEER_SIX), walk_address(MEMBER_HERE), 64);
        size_t length = walk_peer_packet(walk_in, PEER_SIX, &six, cases[i].counter, walk_inner, 64, 64);
        walk_turn_to((unsigned)i % 2);
        walk_arrive(0, walk_in, length);
        walk_expect_drop(cases[i].is_fresh ? 0 : BYPEER_DROP_WIREGUARD_REPLAY);
        cr_assert_eq(walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out), cases[i].is_fresh ? 64 : 0, "case %zu", i);
        expect_replays(walk_in, length);
    }
    /* Within one burst, too. */
    walk_turn_to(0);
    size_t length = walk_peer_packet(walk_in, PEER_SIX, &six, 200000, walk_inner, 64, 64);
    for (unsigned i = 0; i < 5; i++)
        walk_arrive(0, walk_in, length);
    uint64_t replays = walk_dropped(BYPEER_DROP_WIREGUARD_REPLAY);
    walk_once();
    cr_assert_eq(walk_dropped(BYPEER_DROP_WIREGUARD_REPLAY) - replays, 4);
    cr_assert_eq(walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out), 64);
    cr_assert_eq(walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out), 0);
}

Test(wireguard_nodes, junk_under_a_great_counter_moves_no_window)
{
    struct walk_session six = walk_start_session(PEER_SIX);
    walk_packet(walk_inner, walk_peer_address(PEER_SIX), walk_address(MEMBER_HERE), 64);
    size_t length = walk_peer_packet(walk_in, PEER_SIX, &six, 50000, walk_inner, 64, 64);
    for (size_t at = 62 + 8; at < length; at++) { /* counter, packet and tag */
        walk_in[at] ^= 0x40;
        walk_peer_seal(walk_in, length);
        walk_arrive(0, walk_in, length);
        bool beyond = bypeer_load64_raw(walk_in + 70) >= BYPEER_COUNTER_LIMIT;
        walk_expect_drop(beyond ? BYPEER_DROP_WIREGUARD_REPLAY : BYPEER_DROP_WIREGUARD_TAG);
        walk_in[at] ^= 0x40;
    }
    walk_peer_sends(PEER_SIX, &six, walk_address(MEMBER_HERE), 64);
    walk_expect_drop(0);
    cr_assert_eq(walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out), 64);
}

Test(wireguard_nodes, a_slot_used_again_takes_nothing_from_the_session_before)
{
    struct walk_session before = walk_start_session(PEER_SIX);
    walk_packet(walk_inner, walk_peer_address(PEER_SIX), walk_address(MEMBER_HERE), 64);
    size_t length = walk_peer_packet(walk_in, PEER_SIX, &before, 7, walk_inner, 64, 64);
    walk_arrive(0, walk_in, length);
    walk_expect_drop(0);
    walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out);
    bypeer_writer_remove_session(walk.writer, before.slot);
    walk_arrive(0, walk_in, length);
    walk_expect_drop(BYPEER_DROP_WIREGUARD_SESSION);
    struct walk_session after;
    do {
        bypeer_writer_reclaim(walk.writer, bypeer_writer_request(walk.writer));
        after = walk_start_session(PEER_SIX);
    } while (after.slot != before.slot);
    cr_assert_gt(after.ours.use, before.ours.use);
    walk_arrive(0, walk_in, length); /* the same index, other keys */
    walk_expect_drop(BYPEER_DROP_WIREGUARD_TAG);
    walk_peer_sends(PEER_SIX, &after, walk_address(MEMBER_HERE), 64);
    walk_expect_drop(0);
    cr_assert_eq(walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out), 64);
    /* And nonces begin anew, under another key. */
    walk_packet(walk_inner, walk_address(MEMBER_HERE), walk_peer_address(PEER_SIX), 64);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, walk_inner, 64);
    walk_once();
    cr_assert_eq(walk_expect_sealed(PEER_SIX, &after, 64, 0), 0);
}

/* --- sessions and timers ------------------------------------------------------------------------------------------ */

Test(wireguard_nodes, the_next_session_is_sent_by_once_something_came_by_it)
{
    struct walk_session current = walk_make_session(PEER_SIX, BYPEER_WIREGUARD_INITIATOR);
    walk_put_peer(PEER_SIX, current.slot, 0);
    walk_peer_keeps_alive(PEER_SIX, &current);
    walk_once();
    walk_expect_event(BYPEER_EVENT_HEARD, current.slot);
    struct walk_session next = walk_make_session(PEER_SIX, 0);
    walk_put_peer(PEER_SIX, current.slot, next.slot);
    walk_send_here(PEER_SIX);
    walk_once();
    walk_expect_sealed(PEER_SIX, &current, 64, 0);
    walk_peer_keeps_alive(PEER_SIX, &next);
    walk_peer_keeps_alive(PEER_SIX, &next);
    walk_peer_keeps_alive(PEER_SIX, &current);
    walk_send_here(PEER_SIX);
    walk_once();
    walk_once();
    walk_expect_event(BYPEER_EVENT_HEARD, next.slot);
    walk_expect_event(BYPEER_EVENT_NONE, 0);
    walk_expect_sealed(PEER_SIX, &next, 64, 0);
    /* A responder with nothing else waits. */
    struct walk_session only = walk_make_session(PEER_FOUR, 0);
    walk_put_peer(PEER_FOUR, 0, only.slot);
    walk_send_here(PEER_FOUR);
    walk_expect_drop(BYPEER_DROP_NO_SESSION);
}

Test(wireguard_nodes, a_session_ends_by_itself_and_is_renewed_before)
{
    const uint32_t link = walk_peer_link_id(PEER_SIX);
    struct walk_session six = walk_start_session(PEER_SIX);
    walk.worker.now_ms += 2 * MINUTE_MS - 1;
    walk_send_here(PEER_SIX);
    walk_once();
    walk_expect_sealed(PEER_SIX, &six, 64, 0);
    walk_expect_event(BYPEER_EVENT_NONE, 0);
    walk.worker.now_ms += 1; /* 120 s: who sends wants another */
    for (unsigned i = 0; i < 3; i++) {
        walk_send_here(PEER_SIX);
        walk_once();
        walk_expect_sealed(PEER_SIX, &six, 64, 0);
    }
    walk_expect_event(BYPEER_EVENT_WANT, link);
    walk_expect_event(BYPEER_EVENT_NONE, 0);
    walk.worker.now_ms += MINUTE_MS - 1;
    walk_peer_sends(PEER_SIX, &six, walk_address(MEMBER_HERE), 64);
    walk_expect_drop(0);
    cr_assert_eq(walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out), 64);
    walk_expect_event(BYPEER_EVENT_HEARD, six.slot);
    walk_expect_event(BYPEER_EVENT_WANT, link);
    walk.worker.now_ms += 1; /* 180 s: it is over, both ways */
    walk_peer_sends(PEER_SIX, &six, walk_address(MEMBER_HERE), 64);
    walk_expect_drop(BYPEER_DROP_WIREGUARD_SESSION);
    walk_send_here(PEER_SIX);
    walk_expect_drop(BYPEER_DROP_NO_SESSION);
}

Test(wireguard_nodes, a_responder_leaves_renewal_to_the_other_side)
{
    struct walk_session six = walk_make_session(PEER_SIX, 0);
    walk_put_peer(PEER_SIX, six.slot, 0);
    walk.worker.now_ms += 3 * MINUTE_MS - 1;
    walk_send_here(PEER_SIX);
    walk_peer_sends(PEER_SIX, &six, walk_address(MEMBER_HERE), 64);
    walk_once();
    walk_sent(0, walk_out);
    walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out);
    walk_expect_event(BYPEER_EVENT_HEARD, six.slot);
    walk_expect_event(BYPEER_EVENT_NONE, 0);
}

Test(wireguard_nodes, without_a_session_a_handshake_is_asked_for_every_5_s)
{
    const uint32_t link = walk_peer_link_id(PEER_SIX);
    for (unsigned i = 0; i < 3; i++) {
        walk_send_here(PEER_SIX);
        walk_expect_drop(BYPEER_DROP_NO_SESSION);
    }
    walk_expect_event(BYPEER_EVENT_WANT, link);
    walk_expect_event(BYPEER_EVENT_NONE, 0);
    walk.worker.now_ms += 4999;
    walk_send_here(PEER_SIX);
    walk_expect_drop(BYPEER_DROP_NO_SESSION);
    walk_expect_event(BYPEER_EVENT_NONE, 0);
    walk.worker.now_ms += 1;
    walk_send_here(PEER_SIX);
    walk_expect_drop(BYPEER_DROP_NO_SESSION);
    walk_expect_event(BYPEER_EVENT_WANT, link);
    /* Nobody can ask somebody who is nowhere. */
    walk_send_here(PEER_HIDDEN);
    walk_expect_drop(BYPEER_DROP_NO_ENDPOINT);
    walk_expect_event(BYPEER_EVENT_NONE, 0);
    walk_start_session(PEER_LOST);
    walk_send_here(PEER_LOST);
    walk_expect_drop(BYPEER_DROP_NO_ADJACENCY);
}

Test(wireguard_nodes, a_session_of_another_link_is_not_used)
{
    struct walk_session six = walk_make_session(PEER_SIX, BYPEER_WIREGUARD_INITIATOR);
    walk_put_peer(PEER_FOUR, six.slot, six.slot);
    walk_send_here(PEER_FOUR);
    walk_expect_drop(BYPEER_DROP_NO_SESSION);
    /* A link that is gone takes its sessions along, published or not. */
    cr_assert_eq(bypeer_writer_remove_link(walk.writer, walk_peer_link_id(PEER_SIX)), 0);
    walk_peer_sends(PEER_SIX, &six, walk_address(MEMBER_HERE), 64);
    walk_expect_drop(BYPEER_DROP_WIREGUARD_SESSION);
}

Test(wireguard_nodes, nonces_of_a_later_use_stop_an_earlier_session)
{
    struct walk_session six = walk_start_session(PEER_SIX);
    walk.worker.shared->wireguard[six.slot].next_counter = bypeer_counter_of(six.ours.use + 1, 5);
    walk_send_here(PEER_SIX);
    walk_expect_drop(BYPEER_DROP_NO_SESSION);
    cr_assert_eq(walk_sent(0, walk_out), 0);
}

/* A region that was made while sessions were alive begins with zeroed nonces and windows. */
Test(wireguard_nodes, sessions_end_with_the_region_of_their_nonces)
{
    const struct bypeer_sessions *const hung = walk.worker.shared;
    struct bypeer_sessions fresh = *hung;
    struct walk_session before = walk_start_session(PEER_SIX);
    walk.worker.shared = &fresh;
    fresh.generation++;
    walk_send_here(PEER_SIX);
    walk_expect_drop(BYPEER_DROP_NO_SESSION);
    walk_expect_event(BYPEER_EVENT_WANT, walk_peer_link_id(PEER_SIX));
    walk_peer_sends(PEER_SIX, &before, walk_address(MEMBER_HERE), 64);
    walk_expect_drop(BYPEER_DROP_WIREGUARD_SESSION);
    walk.worker.now_ms++;
    struct walk_session after = walk_start_session(PEER_SIX);
    walk_send_here(PEER_SIX);
    walk_once();
    walk_expect_sealed(PEER_SIX, &after, 64, 0);
    walk_peer_sends(PEER_SIX, &after, walk_address(MEMBER_HERE), 64);
    walk_expect_drop(0);
    cr_assert_eq(walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out), 64);
    /* Who hung meanwhile and still counts in the region before sees the new session, too. */
    walk.worker.shared = hung;
    walk_send_here(PEER_SIX);
    walk_expect_drop(BYPEER_DROP_NO_SESSION);
    walk_peer_sends(PEER_SIX, &after, walk_address(MEMBER_HERE), 64);
    walk_expect_drop(BYPEER_DROP_WIREGUARD_SESSION);
}

Test(wireguard_nodes, keepalives_of_the_host_thread_leave_sealed)
{
    struct walk_session six = walk_start_session(PEER_SIX);
    struct bypeer_peer_state *peer = &walk.worker.shared->peers[walk_peer_link_id(PEER_SIX)];
    struct rte_mbuf *mbuf = walk_buffer(walk_inner, 0);
    *bypeer_packet(mbuf) =
        (struct bypeer_packet){.device = BYPEER_DEVICE_KEEPALIVE, .egress = walk_peer_link_id(PEER_SIX)};
    cr_assert_eq(rte_ring_enqueue(walk.worker.inject, mbuf), 0);
    walk.injected++;
    walk_once();
    cr_assert_eq(walk_expect_sealed(PEER_SIX, &six, 0, 0), 0);
    cr_assert_eq(peer->activity.sent_ns, walk.worker.now_ms * 1000000);
    cr_assert_eq(peer->activity.unanswered_ns, 0, "nobody answers a keepalive");
    walk_send_here(PEER_SIX);
    walk_once();
    walk_expect_sealed(PEER_SIX, &six, 64, 0);
    cr_assert_eq(peer->activity.unanswered_ns, walk.worker.now_ms * 1000000);
    walk_peer_keeps_alive(PEER_SIX, &six);
    walk_once();
    cr_assert_eq(peer->activity.unanswered_ns, 0);
    cr_assert_eq(peer->activity.owed_ns, 0, "nor is one owed an answer");
    walk_peer_sends(PEER_SIX, &six, walk_address(MEMBER_HERE), 64);
    walk_once();
    walk_punted(BYPEER_DEVICE_OVERLAY, 0, walk_out);
    cr_assert_eq(peer->activity.owed_ns, walk.worker.now_ms * 1000000);
}

/* --- anything ----------------------------------------------------------------------------------------------------- */

Test(wireguard_nodes, mutated_datagrams_are_all_counted)
{
    struct walk_session sessions[2] = {walk_start_session(PEER_SIX), walk_start_session(PEER_FOUR)};
    srandom(11);
    for (unsigned round = 0; round < 1000; round++) {
        for (unsigned i = 0; i < 32; i++) {
            unsigned from = (unsigned)random() % 2;
            enum walk_peer peer = PEER_SIX + from;
            size_t bytes = 40 + (size_t)random() % 300, length;
            walk_packet(walk_inner, walk_peer_address(peer),
                        walk_peer_address(random() % 4 == 0 ? peer : PEER_FOUR - from), bytes);
            length =
                walk_peer_packet(walk_in, peer, &sessions[from], sessions[from].counter++, walk_inner, bytes, bytes);
            for (long changes = random() % 3; changes > 0; changes--)
                walk_in[14 + random() % (long)(length - 14)] ^= (uint8_t)(1 << random() % 8);
            if (random() % 4 == 0)
                length = 54 + (size_t)random() % (length - 54);
            if (random() % 2 == 0)
                walk_peer_seal(walk_in, length);
            walk_arrive((uint16_t)from, walk_in, length);
        }
        walk.worker.now_ms += 10;
        walk_turn_to(round % 2);
        walk_once();
        for (uint16_t port = 0; port < WALK_PORTS; port++)
            while (walk_sent(port, walk_out) != 0)
                ;
        void *mbuf;
        while (rte_ring_dequeue(walk.worker.punt, &mbuf) == 0) {
            walk.taken++;
            rte_pktmbuf_free(mbuf);
        }
    }
    cr_assert_gt(walk.counters[BYPEER_COUNT_SENT], 5000);
    cr_assert_gt(walk_dropped(BYPEER_DROP_WIREGUARD_TAG), 1000);
    cr_assert_gt(walk_dropped(BYPEER_DROP_WIREGUARD_SESSION), 10);
    cr_assert_gt(walk_dropped(BYPEER_DROP_WIREGUARD_MALFORMED), 10);
}
