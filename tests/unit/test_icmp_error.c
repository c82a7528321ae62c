/* What senders are told: the right error, from this node's address in their group, back the way the packet came. */
#include <criterion/criterion.h>

#include <rte_cycles.h>

#include "overlay/ip/ethernet.h"
#include "overlay/ip/icmpv6.h"
#include "tests/unit/walk.h"

TestSuite(icmp_error, .init = walk_set_up, .fini = walk_tear_down, .timeout = 60);

static uint8_t inner[WALK_FRAME_MAX], frame[WALK_FRAME_MAX], out[WALK_FRAME_MAX];

/* The ICMPv6 packet at error says type, code and value, from source to the sender of inner, and quotes it. */
static void expect_error(const uint8_t *error, size_t bytes, const uint8_t *source, uint8_t type, uint8_t code,
                         uint32_t value, size_t inner_bytes)
{
    struct bypeer_ipv6 header;
    size_t quoted = inner_bytes < 1232 ? inner_bytes : 1232;
    cr_assert_eq(bypeer_ipv6_parse(&header, error, bytes), 0);
    cr_assert_eq(bytes, 48 + quoted);
    cr_assert_arr_eq(header.source, source, 16);
    cr_assert_arr_eq(header.destination, inner + BYPEER_IPV6_SOURCE, 16);
    cr_assert_eq(header.next_header, BYPEER_NEXT_ICMPV6);
    cr_assert_eq(error[40], type);
    cr_assert_eq(error[41], code);
    cr_assert_eq(bypeer_load32(error + 44), value);
    cr_assert_arr_eq(error + 48, inner, quoted, "the packet as it came");
}

/* Member A sends bytes to another address; the error comes back over A's link. */
static void expect_error_to_a(const uint8_t *destination, uint8_t hop_limit, size_t bytes, uint8_t type, uint8_t code,
                              uint32_t value)
{
    walk_packet(inner, walk_address(MEMBER_A), destination, bytes);
    inner[BYPEER_IPV6_HOP_LIMIT] = hop_limit;
    walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, bytes));
    walk_once();
    size_t length = walk_sent(0, out);
    cr_assert_gt(length, 70);
    cr_assert(walk_is_well_formed(out, length));
    cr_assert_arr_eq(out + 14 + 24, walk_link(LINK_A).peer, 16);
    expect_error(out + 70, length - 70, walk_address(MEMBER_HERE), type, code, value, bytes);
    cr_assert_eq(walk_sent(0, out), 0);
}

Test(icmp_error, each_kind_to_a_member)
{
    expect_error_to_a(walk_address(MEMBER_UNKNOWN), 64, 60, 1, 0, 0);
    expect_error_to_a(walk_address(MEMBER_X), 64, 60, 1, 1, 0);
    expect_error_to_a(walk_address(MEMBER_B), 1, 60, 3, 0, 0);
    expect_error_to_a(walk_address(MEMBER_B), 64, 1431, 2, 0, 1430);
    expect_error_to_a(walk_address(MEMBER_B), 64, 9000, 2, 0, 1430);
    cr_assert_eq(walk.counters[BYPEER_COUNT_GENERATED], 5);
}

Test(icmp_error, by_the_prefix_that_the_sender_is_in)
{
    walk_packet(inner, walk_prefix_member(), walk_address(MEMBER_UNKNOWN), 60);
    walk_arrive(1, frame, walk_frame(frame, LINK_B, inner, 60));
    walk_once();
    size_t length = walk_sent(1, out);
    cr_assert_eq(length, 70 + 48 + 60);
    expect_error(out + 70, length - 70, walk_address(MEMBER_HERE), 1, 0, 0, 60);
}

Test(icmp_error, to_this_host)
{
    walk_packet(inner, walk_address(MEMBER_HERE), walk_address(MEMBER_B), 1500);
    walk_inject(BYPEER_DEVICE_OVERLAY, 0, inner, 1500);
    walk_once();
    size_t length = walk_punted(BYPEER_DEVICE_OVERLAY, 0, out);
    expect_error(out, length, walk_address(MEMBER_HERE), 2, 0, 1430, 1500);
}

Test(icmp_error, in_the_senders_group)
{
    walk_packet(inner, walk_address(MEMBER_X), walk_address(MEMBER_A), 60);
    walk_arrive(0, frame, walk_frame(frame, LINK_X, inner, 60));
    walk_once();
    size_t length = walk_sent(0, out);
    expect_error(out + 70, length - 70, walk_address(MEMBER_HERE_X), 1, 1, 0, 60);
}

Test(icmp_error, none_about_an_error)
{
    walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_UNKNOWN), 60);
    inner[BYPEER_IPV6_NEXT_HEADER] = BYPEER_NEXT_ICMPV6;
    inner[40] = 3;
    walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, 60));
    walk_once();
    cr_assert_eq(walk_sent(0, out), 0);
    cr_assert_eq(walk_dropped(BYPEER_DROP_NO_ROUTE), 1);
    cr_assert_eq(walk.counters[BYPEER_COUNT_ICMP_SUPPRESSED], 1);
    cr_assert_eq(walk.counters[BYPEER_COUNT_GENERATED], 0);
}

Test(icmp_error, none_without_an_address_in_the_group)
{
    struct bypeer_group group = {.id = 1, .vni = 7};
    cr_assert_geq(bypeer_writer_put_group(walk.writer, &group), 0);
    walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_UNKNOWN), 60);
    walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, 60));
    walk_once();
    cr_assert_eq(walk_sent(0, out), 0);
    cr_assert_eq(walk.counters[BYPEER_COUNT_ICMP_SUPPRESSED], 1);
}

Test(icmp_error, none_without_a_buffer)
{
    struct rte_mbuf *held[2048];
    unsigned count = 0;
    walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_UNKNOWN), 60);
    walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, 60));
    while ((held[count] = rte_pktmbuf_alloc(walk.pool)) != NULL)
        count++;
    rte_graph_walk(walk.graph);
    cr_assert_eq(walk.counters[BYPEER_COUNT_ICMP_SUPPRESSED], 1);
    cr_assert_eq(walk_dropped(BYPEER_DROP_NO_ROUTE), 1);
    rte_pktmbuf_free_bulk(held, count);
    walk_once();
}

/* How many of count packets from a member without a route are answered in one walk. */
static unsigned answers(enum walk_link link, enum walk_member member, unsigned count)
{
    uint64_t before = walk.counters[BYPEER_COUNT_GENERATED];
    walk_packet(inner, walk_address(member), walk_address(MEMBER_UNKNOWN), 60);
    size_t length = walk_frame(frame, link, inner, 60);
    for (unsigned i = 0; i < count; i++)
        walk_arrive(link == LINK_B, frame, length);
    walk_once();
    for (uint16_t port = 0; port < WALK_PORTS; port++)
        while (walk_sent(port, out) != 0)
            ;
    return (unsigned)(walk.counters[BYPEER_COUNT_GENERATED] - before);
}

Test(icmp_error, rate_is_limited_by_sender_and_in_all)
{
    cr_assert_eq(answers(LINK_A, MEMBER_A, 60), 10, "a burst of one sender");
    cr_assert_eq(answers(LINK_A, MEMBER_A, 60), 0);
    cr_assert_eq(answers(LINK_B, MEMBER_B, 60), 10, "another sender has its own");
    walk.worker.now_tsc += rte_get_tsc_hz() / 20; /* 50 ms: 5 tokens of a sender's 100 a second */
    cr_assert_eq(answers(LINK_A, MEMBER_A, 60), 5);
    walk.worker.now_tsc += rte_get_tsc_hz() * 3600;
    cr_assert_eq(answers(LINK_A, MEMBER_A, 60), 10, "an hour of silence is no larger burst");

    /* All senders together: the prefix has many addresses, each a sender of its own. */
    walk.worker.now_tsc += rte_get_tsc_hz() * 3600;
    uint64_t before = walk.counters[BYPEER_COUNT_GENERATED];
    for (uint8_t sender = 0; sender < 60; sender++) {
        uint8_t source[16];
        memcpy(source, walk_prefix_member(), 16);
        source[14] = sender;
        walk_packet(inner, source, walk_address(MEMBER_UNKNOWN), 60);
        size_t length = walk_frame(frame, LINK_B, inner, 60);
        walk_arrive(1, frame, length);
        walk_arrive(1, frame, length);
    }
    walk_once();
    walk_once();
    while (walk_sent(1, out) != 0)
        ;
    cr_assert_eq(walk.counters[BYPEER_COUNT_GENERATED] - before, 50);
}
