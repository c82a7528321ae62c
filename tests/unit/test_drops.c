/* What the graph does not forward: every reason is reached, each packet counts under exactly one, nothing is lost. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "overlay/ip/ethernet.h"
#include "overlay/ip/ipv6.h"
#include "overlay/pnrp/message.h"
#include "tests/unit/walk_clouds.h"
#include "tests/unit/walk_drops.h"
#include "tests/unit/walk_wireguard.h"

TestSuite(drops, .init = walk_set_up, .fini = walk_tear_down, .timeout = 120);

static uint8_t inner[WALK_FRAME_MAX], frame[WALK_FRAME_MAX], out[WALK_FRAME_MAX];

/* A frame from A to B that is as it should be. */
static size_t good_frame(void)
{
    walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), 60);
    return walk_frame(frame, LINK_A, inner, 60);
}

/* A good frame with one 16-bit field changed, sum and all, is dropped for this reason. */
static void expect_field(size_t at, uint16_t value, enum bypeer_counter reason)
{
    size_t length = good_frame();
    bypeer_store16(frame + at, value);
    bypeer_store16(frame + 14 + 46, 0); /* no UDP checksum, which would see it first */
    walk_arrive(0, frame, length);
    walk_expect_drop(reason);
}

Test(drops, runts)
{
    size_t length = good_frame();
    for (size_t cut = 1; cut < 54; cut++) {
        walk_arrive(0, frame, cut);
        walk_expect_drop(BYPEER_DROP_RUNT);
    }
    walk_arrive(0, frame, length);
    walk_expect_drop(0);
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
        walk_expect_drop(BYPEER_DROP_LENGTH);
    }
    expect_field(14 + 4, 77, BYPEER_DROP_LENGTH);      /* IPv6, beyond the frame */
    expect_field(14 + 40 + 4, 77, BYPEER_DROP_LENGTH); /* UDP, beyond the packet */
    expect_field(14 + 40 + 4, 15, BYPEER_DROP_LENGTH); /* UDP, too short for GPE */
    /* The kernel's packets too: what is cut short is of no use to anybody. */
    length = good_frame();
    frame[20] = BYPEER_NEXT_TCP;
    walk_arrive(0, frame, length - 1);
    walk_expect_drop(BYPEER_DROP_LENGTH);
}

Test(drops, outer_checksums)
{
    size_t length = good_frame();
    frame[length - 1] ^= 1;
    walk_arrive(0, frame, length);
    walk_expect_drop(BYPEER_DROP_OUTER_CHECKSUM);
    walk_packet(inner, walk_address(MEMBER_C), walk_address(MEMBER_B), 60);
    length = walk_frame(frame, LINK_C, inner, 60);
    frame[14 + 8] ^= 1; /* time to live of the IPv4 header */
    walk_arrive(0, frame, length);
    walk_expect_drop(BYPEER_DROP_OUTER_CHECKSUM);
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
    walk_expect_drop(BYPEER_DROP_FABRIC_PEER);
}

Test(drops, inner_headers)
{
    expect_field(70, 0x4500, BYPEER_DROP_INNER_HEADER);      /* IPv4 */
    expect_field(74, 21, BYPEER_DROP_INNER_HEADER);          /* beyond the datagram */
    expect_field(14 + 40 + 4, 55, BYPEER_DROP_INNER_HEADER); /* datagram shorter than a header */
    walk_packet(inner, walk_address(MEMBER_HERE), walk_address(MEMBER_A), 60);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 59);
    walk_expect_drop(BYPEER_DROP_INNER_HEADER);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 39);
    walk_expect_drop(BYPEER_DROP_INNER_HEADER);
    inner[0] = 0x45;
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 60);
    walk_expect_drop(BYPEER_DROP_INNER_HEADER);
}

Test(drops, sources_that_are_not_the_senders)
{
    const uint8_t *b = walk_address(MEMBER_B);
    walk_expect_route(LINK_C, walk_address(MEMBER_A), b, BYPEER_DROP_INNER_SOURCE);
    walk_expect_route(LINK_A, walk_prefix_member(), b, BYPEER_DROP_INNER_SOURCE);
    walk_expect_route(LINK_A, walk_address(MEMBER_UNKNOWN), b, BYPEER_DROP_INNER_SOURCE);
    walk_expect_route(LINK_A, walk_address(MEMBER_HERE), b, BYPEER_DROP_INNER_SOURCE);
    /* Peer A is a peer in both groups: what comes by one VNI may not have a source of the other. */
    walk_expect_route(LINK_X, walk_address(MEMBER_A), b, BYPEER_DROP_INNER_SOURCE);
    /* The host sends from its own addresses only. */
    walk_packet(inner, walk_address(MEMBER_A), b, 60);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 60);
    walk_expect_drop(BYPEER_DROP_INNER_SOURCE);
    walk_packet(inner, walk_address(MEMBER_UNKNOWN), b, 60);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 60);
    walk_expect_drop(BYPEER_DROP_INNER_SOURCE);
}

/* While nodes learn one after another that a member has moved, its packets come by either link; and by no third. */
Test(drops, a_member_with_several_links_is_heard_by_each_of_them)
{
    struct bypeer_destination record = {.link = LINK_B, .group = 1, .prefix_bits = 128, .others = {LINK_LOST, LINK_A}};
    memcpy(record.key, walk_address(MEMBER_A), 16);
    cr_assert_eq(bypeer_writer_put_destination(walk.writer, &record), 0);
    walk_expect_route(LINK_C, walk_address(MEMBER_A), walk_address(MEMBER_B), BYPEER_DROP_INNER_SOURCE);
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
    walk_expect_route(LINK_A, a, multicast, BYPEER_DROP_INNER_SCOPE);
    walk_expect_route(LINK_A, a, reserved, BYPEER_DROP_INNER_SCOPE);
    walk_expect_route(LINK_A, none, link_scope, BYPEER_DROP_INNER_SCOPE);
    walk_expect_route(LINK_A, a, link_local, BYPEER_DROP_INNER_SCOPE);
    walk_expect_route(LINK_A, a, none, BYPEER_DROP_INNER_SCOPE);
    walk_expect_route(LINK_A, a, loopback, BYPEER_DROP_INNER_SCOPE);
    walk_expect_route(LINK_A, link_local, b, BYPEER_DROP_INNER_SCOPE);
    walk_expect_route(LINK_A, none, b, BYPEER_DROP_INNER_SCOPE);
    walk_expect_route(LINK_A, multicast, b, BYPEER_DROP_INNER_SCOPE);
    /* The host's own listener reports and router solicitations. */
    walk_packet(inner, link_local, link_scope, 60);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 60);
    walk_expect_drop(BYPEER_DROP_INNER_SCOPE);
    cr_assert_eq(walk.counters[BYPEER_COUNT_GENERATED], 0);
}

Test(drops, multicast)
{
    static const uint8_t link_scope[16] = {0xff, 0x02, [15] = 0xfb}, site[16] = {0xff, 0x05, [15] = 0xfb};
    const struct bypeer_multicast_receiver links[] = {{.link = LINK_A}, {.link = LINK_B}};
    const uint8_t *a = walk_address(MEMBER_A);
    walk_expect_route(LINK_A, a, link_scope, BYPEER_DROP_MULTICAST_GROUP);
    cr_assert_eq(bypeer_writer_set_multicast(walk.writer, 1, links, 2, 3), 0);
    walk_expect_route(LINK_C, a, link_scope, BYPEER_DROP_INNER_SOURCE);
    walk_expect_route(LINK_A, walk_address(MEMBER_UNKNOWN), link_scope, BYPEER_DROP_INNER_SOURCE);
    walk_packet(inner, a, site, 60);
    inner[BYPEER_IPV6_HOP_LIMIT] = 1;
    walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, 60));
    walk_expect_drop(BYPEER_DROP_HOP_LIMIT);
    static const uint8_t link_local[16] = {0xfe, 0x80, [15] = 9}; /* of a link whose member is not known */
    walk_expect_route(LINK_A, link_local, link_scope, BYPEER_DROP_INNER_SCOPE);
    walk_expect_route(LINK_A, a, link_scope, 0);
    walk_expect_route(LINK_A, a, link_scope, BYPEER_DROP_MULTICAST_RATE);
    cr_assert_neq(walk_sent(1, out), 0);
    cr_assert_eq(walk.counters[BYPEER_COUNT_GENERATED], 0, "no errors about multicast");
}

Test(drops, what_a_rule_refuses)
{
    const struct bypeer_policy_rule rule = {.protocol = BYPEER_NEXT_TCP, .verdict = 1, .port_high = UINT16_MAX};
    cr_assert_eq(bypeer_writer_set_rules(walk.writer, 1, &rule, 1), 0);
    walk_expect_route(LINK_A, walk_address(MEMBER_A), walk_address(MEMBER_B), BYPEER_DROP_POLICY_RULE);
    cr_assert_neq(walk_sent(0, out), 0, "the sender is told");
}

Test(drops, ways_that_are_not_there)
{
    const uint8_t *a = walk_address(MEMBER_A);
    walk_expect_route(LINK_A, a, walk_address(MEMBER_UNKNOWN), BYPEER_DROP_NO_ROUTE);
    walk_expect_route(LINK_A, a, walk_address(MEMBER_X), BYPEER_DROP_POLICY);
    walk_expect_route(LINK_A, a, walk_address(MEMBER_HERE_X), BYPEER_DROP_POLICY);
    walk_expect_route(LINK_X, walk_address(MEMBER_X), a, BYPEER_DROP_POLICY);
    walk_expect_route(LINK_A, a, walk_address(MEMBER_NOWHERE), BYPEER_DROP_NO_LINK);
    walk_expect_route(LINK_A, a, walk_address(MEMBER_LOST), BYPEER_DROP_NO_ADJACENCY);
    walk_expect_route(LINK_A, a, walk_address(MEMBER_ASTRAY), BYPEER_DROP_NO_PORT);
    walk_inject(BYPEER_DEVICE_UNDERLAY, 9, frame, 60);
    walk_expect_drop(BYPEER_DROP_NO_PORT);
}

Test(drops, hop_limit_and_size)
{
    for (uint8_t hops = 0; hops < 3; hops++) {
        walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), 60);
        inner[BYPEER_IPV6_HOP_LIMIT] = hops;
        walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, 60));
        walk_expect_drop(hops <= 1 ? BYPEER_DROP_HOP_LIMIT : 0);
    }
    walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), 1431);
    walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, 1431));
    walk_expect_drop(BYPEER_DROP_TOO_BIG);
    walk_packet(inner, walk_address(MEMBER_HERE), walk_address(MEMBER_B), 1431);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 1431);
    walk_expect_drop(BYPEER_DROP_TOO_BIG);
}

Test(drops, congestion_that_cannot_be_said)
{
    size_t length = good_frame();
    frame[15] |= 0x30;
    walk_arrive(0, frame, length);
    walk_expect_drop(BYPEER_DROP_ECN);
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
    walk_expect_drop(BYPEER_DROP_NO_BUFFER);
}

Test(drops, no_tables)
{
    walk.worker.tables = NULL;
    walk_packet(inner, walk_address(MEMBER_HERE), walk_address(MEMBER_B), 60);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 60);
    walk_expect_drop(BYPEER_DROP_NO_TABLES);
    walk_inject_keepalive(20);
    walk_expect_drop(BYPEER_DROP_NO_TABLES);
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
                length = walk_inquire(frame, message, (uint16_t)(random() % 2 * BYPEER_INQUIRE_CPA));
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
    walk_expect_drop(BYPEER_DROP_RATE);
    cr_assert_eq(bypeer_writer_put_link_limit(walk.writer, &blocked), 0);
    walk_arrive(0, frame, good_frame());
    walk_expect_drop(BYPEER_DROP_QUOTA);
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
    walk_expect_drop(BYPEER_DROP_SHARE);
}
