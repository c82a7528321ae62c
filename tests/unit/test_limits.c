/* Rates, fair shares and quotas in the worker's graph: who gets how much through. */
#include <criterion/criterion.h>

#include "tests/unit/walk.h"

TestSuite(limits, .init = walk_set_up, .fini = walk_tear_down, .timeout = 120);

#define BYTES 1000

#define INNER_SOURCE (14 + 40 + 8 + 8 + 8) /* in a frame to B */

static unsigned got_of_c; /* packets of C's that B got */
static uint8_t inner[WALK_FRAME_MAX], frame[WALK_FRAME_MAX], out[WALK_FRAME_MAX];

static void offer(enum walk_link link, enum walk_member from, enum walk_member to)
{
    walk_packet(inner, walk_address(from), walk_address(to), BYTES);
    walk_arrive(link == LINK_B, frame, walk_frame(frame, link, inner, BYTES));
}

/* One ms, in which A offers so many packets to B, and C so many. Returns how many B got. */
static unsigned run_ms(unsigned from_a, unsigned from_c)
{
    unsigned got = 0;
    walk.worker.now_ms++;
    for (unsigned i = 0; i < from_a || i < from_c; i++) {
        if (i < from_a)
            offer(LINK_A, MEMBER_A, MEMBER_B);
        if (i < from_c)
            offer(LINK_C, MEMBER_C, MEMBER_B);
        walk_once();
        while (walk_sent(1, out) > 0) {
            got++;
            got_of_c += memcmp(out + INNER_SOURCE, walk_address(MEMBER_C), 16) == 0;
        }
    }
    return got;
}

static unsigned run(unsigned ms, unsigned from_a, unsigned from_c)
{
    unsigned got = 0;
    for (unsigned i = 0; i < ms; i++)
        got += run_ms(from_a, from_c);
    return got;
}

static void limit_link(enum walk_link link, uint64_t bits_s)
{
    const struct bypeer_limit limit = {.id = link, .flags = BYPEER_LIMIT_RATE, .bits_s = bits_s, .burst = 20000};
    cr_assert_geq(bypeer_writer_put_link_limit(walk.writer, &limit), 0);
}

static void limit_group(uint32_t group, uint64_t bits_s)
{
    const struct bypeer_limit limit = {.id = group, .flags = BYPEER_LIMIT_RATE, .bits_s = bits_s, .burst = 20000};
    cr_assert_geq(bypeer_writer_put_group_limit(walk.writer, &limit), 0);
}

static void set_clock(void)
{
    walk.worker.now_ms = 1000000;
}

Test(limits, a_member_sends_at_its_rate)
{
    set_clock();
    cr_assert_eq(run(100, 4, 0), 400, "without a limit");
    limit_link(LINK_A, 8000000); /* a packet a ms, and a burst of 20 */
    unsigned got = run(500, 4, 0);
    cr_assert(got >= 500 && got <= 525, "%u", got);
    cr_assert_eq(walk.counters[BYPEER_DROP_RATE], 2000 - got);
    cr_assert_eq(run(100, 0, 4), 400, "another member");

    limit_link(LINK_A, 16000000);
    got = run(500, 4, 0);
    cr_assert(got >= 1000 && got <= 1025, "%u", got);
    cr_assert_eq(bypeer_writer_remove_link_limit(walk.writer, LINK_A), 0);
    cr_assert_eq(run(100, 4, 0), 400);
}

Test(limits, a_member_receives_at_its_rate)
{
    set_clock();
    limit_link(LINK_B, 8000000);
    unsigned got = run(500, 2, 2);
    cr_assert(got >= 500 && got <= 525, "%u", got);
}

/* C sends half of what the group may, A eight times as much as it may. */
Test(limits, a_greedy_member_leaves_a_polite_one_its_share)
{
    set_clock();
    limit_group(1, 32000000); /* 4 packets a ms */
    run(500, 32, 2);
    uint64_t before = walk.counters[BYPEER_DROP_SHARE];
    got_of_c = 0;
    unsigned got = run(1000, 32, 2);
    cr_assert(got >= 3800 && got <= 4200, "%u", got);
    cr_assert_eq(walk.counters[BYPEER_DROP_SHARE] - before, 34000 - got);
    cr_assert_geq(got_of_c, 1900, "%u of 2000", got_of_c);
}

Test(limits, groups_do_not_share)
{
    set_clock();
    limit_group(2, 1000000);
    cr_assert_eq(run(200, 4, 4), 1600, "the other group's rate");
    limit_group(1, 8000000);
    unsigned got = run(500, 4, 4);
    cr_assert(got >= 480 && got <= 700, "%u", got);
}

/* A trunk is a member of each group that it carries: A floods one, X sends half of what the other may. */
Test(limits, a_greedy_group_leaves_another_on_the_trunk_its_rate)
{
    struct bypeer_link trunk = walk_link(LINK_A), other = walk_link(LINK_C);
    struct bypeer_destination record = {.link = LINK_A, .group = 2, .prefix_bits = 128};
    trunk.group = BYPEER_GROUP_ANY;
    other.group = 2;
    cr_assert_eq(bypeer_writer_put_link(walk.writer, &trunk) + bypeer_writer_put_link(walk.writer, &other), 0);
    memcpy(record.key, walk_address(MEMBER_X), 16);
    cr_assert_eq(bypeer_writer_put_destination(walk.writer, &record), 0);
    record.link = LINK_C;
    memcpy(record.key, walk_address(MEMBER_C), 16);
    cr_assert_eq(bypeer_writer_put_destination(walk.writer, &record), 0);
    set_clock();
    limit_group(1, 8000000);
    limit_group(2, 8000000);
    unsigned got = 0;
    for (unsigned ms = 0; ms < 1000; ms++) {
        walk.worker.now_ms++;
        for (unsigned i = 0; i < 8; i++)
            offer(LINK_A, MEMBER_A, MEMBER_B);
        if (ms % 2 == 0)
            offer(LINK_A, MEMBER_X, MEMBER_C);
        walk_once();
        while (walk_sent(1, out) > 0)
            ;
        while (walk_sent(0, out) > 0)
            got++;
    }
    cr_assert_eq(got, 500);
    cr_assert_gt(walk_dropped(BYPEER_DROP_SHARE), 6000);
}

Test(limits, a_used_up_quota_stops_both_directions)
{
    set_clock();
    struct bypeer_limit blocked = {.id = LINK_B, .flags = BYPEER_LIMIT_BLOCKED};
    cr_assert_eq(bypeer_writer_put_link_limit(walk.writer, &blocked), 1);
    cr_assert_eq(run(1, 3, 0), 0, "to B");
    offer(LINK_B, MEMBER_B, MEMBER_A);
    walk_once();
    cr_assert_eq(walk_sent(0, out), 0, "from B");
    cr_assert_eq(walk.counters[BYPEER_DROP_QUOTA], 4);
    blocked.flags = 0;
    cr_assert_eq(bypeer_writer_put_link_limit(walk.writer, &blocked), 0);
    cr_assert_eq(run(1, 3, 0), 3);
}

/* Link 3 goes, and another one takes its id: its limit must not be waiting for it. */
Test(limits, go_with_their_link)
{
    set_clock();
    struct bypeer_link link = walk_link(LINK_B);
    limit_link(LINK_B, 1000);
    cr_assert_eq(bypeer_writer_remove_link(walk.writer, LINK_B), 0);
    cr_assert_eq(bypeer_writer_put_link(walk.writer, &link), 1);
    cr_assert_eq(run(50, 4, 0), 200);
    const struct bypeer_limit bad[] = {
        {.id = LINK_B, .flags = BYPEER_LIMIT_RATE, .bits_s = 999, .burst = 20000},
        {.id = LINK_B, .flags = BYPEER_LIMIT_RATE, .bits_s = 1000000, .burst = 100},
        {.id = 0, .flags = BYPEER_LIMIT_BLOCKED},
        {.id = 4711, .flags = BYPEER_LIMIT_BLOCKED},
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_lt(bypeer_writer_put_link_limit(walk.writer, &bad[i]), 0);
    cr_assert_not(bypeer_tables_has_limits(&walk.tables));
}
