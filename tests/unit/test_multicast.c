/* Multicast within a group: who gets a copy, what it looks like there, and how much of it there may be. */
#include <criterion/criterion.h>

#include "overlay/ip/ipv6.h"
#include "tests/unit/walk.h"
#include "tests/unit/walk_wireguard.h"

TestSuite(multicast, .init = walk_set_up, .fini = walk_tear_down, .timeout = 120);

#define BYTES 200

static const uint8_t mdns[16] = {0xff, 0x02, [15] = 0xfb}, site[16] = {0xff, 0x05, [15] = 0xfb};
static uint8_t inner[WALK_FRAME_MAX], frame[WALK_FRAME_MAX], out[WALK_FRAME_MAX];

static void set_links(uint32_t group, uint32_t packets_s, const uint32_t links[], uint32_t count)
{
    struct bypeer_multicast_receiver receivers[100];
    for (uint32_t i = 0; i < count; i++)
        receivers[i] = (struct bypeer_multicast_receiver){.link = links[i]};
    cr_assert_eq(bypeer_writer_set_multicast(walk.writer, group, receivers, count, packets_s), 0);
}

static void set_all_links(uint32_t packets_s)
{
    const uint32_t links[] = {LINK_HERE, LINK_A, LINK_B, LINK_C, LINK_X, LINK_HERE_X, 99, 77777};
    set_links(1, packets_s, links, 8);
}

static void make_trunk(enum walk_link id)
{
    struct bypeer_link link = walk_link(id);
    link.group = BYPEER_GROUP_ANY;
    cr_assert_eq(bypeer_writer_put_link(walk.writer, &link), 0);
}

static void arrive(enum walk_link link, enum walk_member from, const uint8_t *to)
{
    walk_packet(inner, walk_address(from), to, BYTES);
    walk_arrive(link == LINK_B, frame, walk_frame(frame, link, inner, BYTES));
}

/* The next frame of a port carries the packet as it is in inner, over this link. */
static void expect_copy(enum walk_link id)
{
    struct bypeer_link link = walk_link(id);
    size_t length = walk_sent(id == LINK_B, out), headers = 14u + link.template_bytes;
    cr_assert_eq(length, headers + BYTES);
    cr_assert(walk_is_well_formed(out, length));
    cr_assert_arr_eq(out + 14 + (link.underlay == 4 ? 16 : 24), link.peer + (link.underlay == 4 ? 12 : 0),
                     link.underlay == 4 ? 4 : 16);
    cr_assert_arr_eq(out + headers, inner, BYTES);
}

static void expect_here(void)
{
    cr_assert_eq(walk_punted(BYPEER_DEVICE_OVERLAY, 0, out), BYTES);
    cr_assert_arr_eq(out, inner, BYTES);
}

static void expect_no_more(void)
{
    cr_assert_eq(walk_sent(0, out), 0);
    cr_assert_eq(walk_sent(1, out), 0);
    cr_assert_eq(rte_ring_count(walk.worker.punt), 0);
}

Test(multicast, goes_to_every_member_of_the_group_but_its_sender)
{
    set_all_links(1000);
    for (unsigned i = 0; i < 3; i++) {
        arrive(LINK_A, MEMBER_A, mdns);
        walk_once();
        expect_copy(LINK_B);
        expect_copy(LINK_C);
        expect_here();
        expect_no_more();
    }
    cr_assert_eq(walk.counters[BYPEER_COUNT_COPIED], 6);
    cr_assert_eq(walk.counters[BYPEER_COUNT_MULTICAST_PACKETS], 3);
    arrive(LINK_B, MEMBER_B, mdns);
    walk_once();
    expect_copy(LINK_A);
    expect_copy(LINK_C);
    expect_here();
    expect_no_more();
}

Test(multicast, of_this_host)
{
    set_all_links(1000);
    walk_packet(inner, walk_address(MEMBER_HERE), site, BYTES);
    inner[BYPEER_IPV6_HOP_LIMIT] = 1; /* what the kernel sends multicast with */
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, BYTES);
    walk_once();
    expect_copy(LINK_C);
    expect_copy(LINK_A); /* the packet itself, after its copies */
    expect_copy(LINK_B);
    expect_no_more();
}

Test(multicast, a_group_is_one_link_and_beyond_it_a_hop)
{
    set_all_links(1000);
    walk_packet(inner, walk_address(MEMBER_A), mdns, BYTES);
    inner[BYPEER_IPV6_HOP_LIMIT] = 1;
    walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, BYTES));
    walk_once();
    expect_copy(LINK_B);
    expect_copy(LINK_C);
    expect_here();
    arrive(LINK_A, MEMBER_A, site);
    walk_once();
    inner[BYPEER_IPV6_HOP_LIMIT]--;
    expect_copy(LINK_B);
    expect_copy(LINK_C);
    expect_here();
    expect_no_more();
}

Test(multicast, nobody_else_is_there)
{
    const uint32_t links[] = {LINK_A};
    set_links(1, 10, links, 1);
    arrive(LINK_A, MEMBER_A, mdns);
    walk_once();
    expect_no_more();
    cr_assert_eq(walk.counters[BYPEER_COUNT_CONSUMED], 1);
}

Test(multicast, a_member_that_is_cut_off_gets_no_more_of_it)
{
    set_all_links(1000);
    cr_assert_eq(bypeer_writer_remove_link(walk.writer, LINK_B), 0);
    cr_assert_eq(bypeer_writer_remove_destination(walk.writer, walk_address(MEMBER_B)), 0);
    arrive(LINK_A, MEMBER_A, mdns);
    arrive(LINK_B, MEMBER_B, mdns);
    walk_once();
    cr_assert_eq(walk_dropped(BYPEER_DROP_FABRIC_PEER), 1);
    cr_assert_eq(walk_sent(1, out), 0);
    /* Another group's link under the same id gets nothing either. */
    struct bypeer_link link = walk_link(LINK_B);
    link.group = 2;
    cr_assert_eq(bypeer_writer_put_link(walk.writer, &link), 1);
    arrive(LINK_A, MEMBER_A, mdns);
    walk_once();
    cr_assert_eq(walk_sent(1, out), 0);
    while (walk_sent(0, out) > 0 || walk_punted(BYPEER_DEVICE_OVERLAY, 0, out) > 0)
        ;
}

Test(multicast, what_came_by_a_trunk_goes_to_no_trunk)
{
    set_all_links(1000);
    make_trunk(LINK_A);
    make_trunk(LINK_B);
    arrive(LINK_A, MEMBER_A, mdns);
    walk_once();
    expect_copy(LINK_C);
    expect_here();
    expect_no_more();
    arrive(LINK_C, MEMBER_C, mdns);
    walk_once();
    expect_copy(LINK_A);
    expect_copy(LINK_B);
    expect_here();
    expect_no_more();
    /* By a trunk comes what is of its source's group. */
    const struct bypeer_destination foreign = {.link = LINK_A, .group = 2, .prefix_bits = 128};
    struct bypeer_destination moved = foreign;
    memcpy(moved.key, walk_address(MEMBER_X), 16);
    cr_assert_eq(bypeer_writer_put_destination(walk.writer, &moved), 0);
    arrive(LINK_A, MEMBER_X, mdns);
    walk_once();
    cr_assert_eq(walk_dropped(BYPEER_DROP_MULTICAST_GROUP), 1);
    expect_no_more();
}

Test(multicast, a_link_does_not_speak_for_another_group)
{
    const struct bypeer_destination record = {.link = LINK_A, .group = 2, .prefix_bits = 128};
    struct bypeer_destination moved = record;
    set_all_links(1000);
    memcpy(moved.key, walk_address(MEMBER_X), 16);
    cr_assert_eq(bypeer_writer_put_destination(walk.writer, &moved), 0);
    arrive(LINK_A, MEMBER_X, mdns);
    walk_once();
    cr_assert_eq(walk_dropped(BYPEER_DROP_POLICY), 1);
    expect_no_more();
}

static unsigned offer(enum walk_link link, enum walk_member from, unsigned count)
{
    unsigned got = 0;
    for (unsigned i = 0; i < count; i++) {
        arrive(link, from, mdns);
        walk_once();
        while (walk_sent(1, out) > 0)
            got++;
        while (walk_sent(0, out) > 0 || walk_punted(BYPEER_DEVICE_OVERLAY, 0, out) > 0)
            ;
    }
    return got;
}

Test(multicast, each_sender_has_a_rate)
{
    walk.worker.now_ms = 1000000;
    set_all_links(10);
    cr_assert_eq(offer(LINK_A, MEMBER_A, 25), 10);
    cr_assert_eq(offer(LINK_C, MEMBER_C, 25), 10);
    cr_assert_eq(walk_dropped(BYPEER_DROP_MULTICAST_RATE), 30);
    walk.worker.now_ms += 300;
    cr_assert_eq(offer(LINK_A, MEMBER_A, 25), 3);
    walk.worker.now_ms += 100000;
    cr_assert_eq(offer(LINK_A, MEMBER_A, 25), 10);
}

Test(multicast, another_worker_does_not_give_more)
{
    walk.worker.now_ms = 1000000;
    set_all_links(10);
    cr_assert_eq(offer(LINK_A, MEMBER_A, 6), 6);
    walk_turn_to(1);
    cr_assert_eq(offer(LINK_A, MEMBER_A, 25), 4);
    walk_turn_to(0);
}

Test(multicast, a_trunk_has_the_rate_of_all_behind_it)
{
    walk.worker.now_ms = 1000000;
    set_all_links(10);
    make_trunk(LINK_A);
    cr_assert_eq(offer(LINK_A, MEMBER_A, 25), 25);
}

static void set_many_links(uint32_t group, enum walk_link link, uint32_t count)
{
    uint32_t links[100];
    for (unsigned i = 0; i < count; i++)
        links[i] = link;
    set_links(group, 1000000, links, count);
}

/* However many packets of however many senders: what a worker copies is bounded, in a walk and in a second. */
Test(multicast, copies_of_a_worker_are_bounded)
{
    walk.worker.now_ms = 1000000;
    set_many_links(1, LINK_B, 90);
    cr_assert_eq(offer(LINK_A, MEMBER_A, 40), 22 * 90); /* 2048 / 90 */
    unsigned got = 0;
    for (unsigned ms = 0; ms < 1000; ms++) {
        walk.worker.now_ms++;
        got += offer(LINK_A, MEMBER_A, 4);
    }
    cr_assert(got > 60000 && got < 68000, "%u", got);
}

/* The whole budget would be used up by group 1 alone. */
Test(multicast, a_flood_in_one_group_leaves_others_their_share)
{
    walk.worker.now_ms = 1000000;
    set_many_links(1, LINK_B, 90);
    set_many_links(2, LINK_HERE_X, 90);
    unsigned before = (unsigned)walk_dropped(BYPEER_DROP_MULTICAST_RATE), refused = 0;
    for (unsigned ms = 0; ms < 1000; ms++) {
        walk.worker.now_ms++;
        offer(LINK_A, MEMBER_A, 20);
        if (ms < 200 || ms % 10 != 0)
            continue;
        before = (unsigned)walk_dropped(BYPEER_DROP_MULTICAST_RATE);
        offer(LINK_X, MEMBER_X, 1);
        refused += (unsigned)walk_dropped(BYPEER_DROP_MULTICAST_RATE) - before;
    }
    cr_assert_gt(before, 10000);
    cr_assert_eq(refused, 0, "%u of 80", refused);
}

Test(multicast, without_memory_some_go_without)
{
    struct rte_mbuf *held[2048];
    set_all_links(1000);
    unsigned count = rte_mempool_avail_count(walk.pool) - 2; /* for the packet, and one copy of two */
    cr_assert_eq(rte_pktmbuf_alloc_bulk(walk.pool, held, count), 0);
    walk.pool_size -= count;
    arrive(LINK_A, MEMBER_A, mdns);
    walk_once();
    cr_assert_eq(walk.counters[BYPEER_COUNT_COPIED], 1);
    cr_assert_eq(walk.counters[BYPEER_COUNT_MULTICAST_UNMADE], 1);
    rte_pktmbuf_free_bulk(held, count);
    walk.pool_size += count;
    while (walk_sent(0, out) + walk_sent(1, out) + walk_punted(BYPEER_DEVICE_OVERLAY, 0, out) > 0)
        ;
}

Test(multicast, limits_of_who_gets_it)
{
    const struct bypeer_limit blocked = {.id = LINK_B, .flags = BYPEER_LIMIT_BLOCKED};
    set_all_links(1000);
    cr_assert_eq(bypeer_writer_put_link_limit(walk.writer, &blocked), 1);
    arrive(LINK_A, MEMBER_A, mdns);
    walk_once();
    expect_copy(LINK_C);
    expect_here();
    expect_no_more();
    cr_assert_eq(walk_dropped(BYPEER_DROP_QUOTA), 1);
    arrive(LINK_B, MEMBER_B, mdns);
    walk_once();
    expect_no_more();
    cr_assert_eq(walk_dropped(BYPEER_DROP_QUOTA), 2);
}

Test(multicast, rules_of_the_group)
{
    const struct bypeer_policy_rule rules[] = {
        {.protocol = BYPEER_NEXT_UDP, .verdict = BYPEER_POLICY_ALLOW, .port_low = 5353, .port_high = 5353}};
    set_all_links(1000);
    cr_assert_eq(bypeer_writer_set_rules(walk.writer, 1, rules, 1), 0);
    arrive(LINK_A, MEMBER_A, mdns);
    walk_once();
    cr_assert_eq(walk_dropped(BYPEER_DROP_POLICY_RULE), 1);
    walk_packet(inner, walk_address(MEMBER_A), mdns, BYTES);
    inner[BYPEER_IPV6_NEXT_HEADER] = BYPEER_NEXT_ICMPV6;
    inner[BYPEER_IPV6_BYTES] = 1; /* an error, which passes to one member whatever the rules say */
    walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, BYTES));
    walk_once();
    cr_assert_eq(walk_dropped(BYPEER_DROP_POLICY_RULE), 2);
    walk_packet(inner, walk_address(MEMBER_A), mdns, BYTES);
    bypeer_store16(inner + BYPEER_IPV6_BYTES + 2, 5353);
    walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, BYTES));
    walk_once();
    expect_copy(LINK_B);
    expect_copy(LINK_C);
    expect_here();
}

Test(multicast, between_peers_of_wireguard)
{
    walk_wireguard_put();
    struct walk_session six = walk_start_session(PEER_SIX), four = walk_start_session(PEER_FOUR);
    const uint32_t links[] = {walk_peer_link_id(PEER_SIX), walk_peer_link_id(PEER_FOUR), LINK_A};
    const uint8_t *opened;
    uint64_t counter;
    set_links(1, 1000, links, 3);
    walk_packet(inner, walk_peer_address(PEER_SIX), mdns, BYTES);
    size_t length = walk_peer_packet(frame, PEER_SIX, &six, six.counter++, inner, BYTES, 208);
    walk_arrive(walk_peer_wire(PEER_SIX), frame, length);
    walk_once();
    expect_copy(LINK_A);
    length = walk_sent(walk_peer_wire(PEER_FOUR), out);
    cr_assert_geq(walk_peer_open(out, length, &four, &opened, &counter), BYTES);
    cr_assert_arr_eq(opened, inner, BYTES);
    expect_no_more();
    /* And the other way round, in a burst. */
    for (unsigned i = 0; i < 20; i++) {
        walk_packet(inner, walk_peer_address(PEER_FOUR), mdns, BYTES);
        length = walk_peer_packet(frame, PEER_FOUR, &four, four.counter++, inner, BYTES, 208);
        walk_arrive(walk_peer_wire(PEER_FOUR), frame, length);
    }
    walk_once();
    unsigned at_six = 0, at_a = 0;
    while ((length = walk_sent(0, out)) > 0) {
        bool is_six = walk_peer_open(out, length, &six, &opened, &counter) >= BYTES;
        at_six += is_six;
        at_a += !is_six;
    }
    cr_assert_eq(at_six, 20);
    cr_assert_eq(at_a, 20);
}

/* The UDP checksum of a packet without extension headers is right. */
static bool is_summed(const uint8_t *packet, size_t length)
{
    uint32_t sum = (uint32_t)(length - BYPEER_IPV6_BYTES) + BYPEER_NEXT_UDP;
    for (size_t at = BYPEER_IPV6_SOURCE; at < length; at += 2)
        sum += (uint32_t)packet[at] << 8 | (at + 1 < length ? packet[at + 1] : 0);
    while (sum > UINT16_MAX)
        sum = (sum & UINT16_MAX) + (sum >> 16);
    return sum == UINT16_MAX;
}

static void sum_up(uint8_t *packet, size_t length)
{
    for (uint32_t checksum = 1; checksum <= UINT16_MAX; checksum++) {
        bypeer_store16(packet + BYPEER_IPV6_BYTES + 6, (uint16_t)checksum);
        if (is_summed(packet, length))
            return;
    }
    cr_assert_fail("no checksum fits");
}

Test(multicast, from_a_link_local_address_is_from_the_member)
{
    static const uint8_t link_local[16] = {0xfe, 0x80, [8] = 0xde, 0xad, [15] = 7};
    struct bypeer_multicast_receiver receivers[] = {{.link = LINK_B}, {.link = LINK_A}};
    memcpy(receivers[1].address, walk_address(MEMBER_A), 16);
    cr_assert_eq(bypeer_writer_set_multicast(walk.writer, 1, receivers, 2, 1000), 0);
    for (unsigned i = 0; i < 50; i++) {
        walk_packet(inner, link_local, mdns, BYTES);
        sum_up(inner, BYTES);
        walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, BYTES));
        walk_once();
        cr_assert_gt(walk_sent(1, out), 0);
        const uint8_t *got = out + 14 + 56;
        cr_assert_arr_eq(got + BYPEER_IPV6_SOURCE, walk_address(MEMBER_A), 16);
        cr_assert_arr_eq(got + BYPEER_IPV6_DESTINATION, mdns, 16);
        cr_assert(is_summed(got, BYTES));
        cr_assert(walk_is_well_formed(out, 14 + 56 + BYTES), "the outer one as well");
    }
    /* No UDP: what a host says about its own link. */
    inner[BYPEER_IPV6_NEXT_HEADER] = BYPEER_NEXT_ICMPV6;
    walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, BYTES));
    walk_once();
    cr_assert_eq(walk_dropped(BYPEER_DROP_INNER_SCOPE), 1);
    /* The member has moved to another link. */
    struct bypeer_destination moved = {.link = LINK_C, .group = 1, .prefix_bits = 128};
    memcpy(moved.key, walk_address(MEMBER_A), 16);
    cr_assert_eq(bypeer_writer_put_destination(walk.writer, &moved), 0);
    inner[BYPEER_IPV6_NEXT_HEADER] = BYPEER_NEXT_UDP;
    walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, BYTES));
    walk_once();
    cr_assert_eq(walk_dropped(BYPEER_DROP_INNER_SCOPE), 2);
}

Test(multicast, too_big_for_some_links)
{
    struct bypeer_link narrow = walk_link(LINK_B);
    set_all_links(1000);
    narrow.mtu = 150;
    cr_assert_eq(bypeer_writer_put_link(walk.writer, &narrow), 0);
    arrive(LINK_A, MEMBER_A, mdns);
    walk_once();
    expect_copy(LINK_C);
    expect_here();
    expect_no_more();
    cr_assert_eq(walk_dropped(BYPEER_DROP_TOO_BIG), 1);
    cr_assert_eq(walk.counters[BYPEER_COUNT_GENERATED], 0);
}
