/* Who may talk to whom, in the worker's graph: groups, trunks, and rules by role. */
#include <criterion/criterion.h>

#include "overlay/ip/icmpv6.h"
#include "tests/unit/walk.h"

TestSuite(policy, .init = walk_set_up, .fini = walk_tear_down, .timeout = 60);

#define BYTES   100
#define MEMBERS 4u
#define SERVERS 8u

static uint8_t inner[WALK_FRAME_MAX], frame[WALK_FRAME_MAX], out[WALK_FRAME_MAX];

static void set_member(enum walk_member member, enum walk_link link, uint32_t group, uint32_t roles)
{
    struct bypeer_destination record = {
        .link = link, .group = group, .flags = roles << BYPEER_DESTINATION_ROLES_SHIFT, .prefix_bits = 128};
    memcpy(record.key, walk_address(member), 16);
    cr_assert_geq(bypeer_writer_put_destination(walk.writer, &record), 0);
}

static void make_trunk(enum walk_link id)
{
    struct bypeer_link link = walk_link(id);
    link.group = BYPEER_GROUP_ANY;
    cr_assert_eq(bypeer_writer_put_link(walk.writer, &link), 0);
}

/* What a walk does with a packet of the members by the link: whether it leaves, by whatever port. */
static bool passes_in(void (*walk_so)(void), enum walk_link by, enum walk_member from, enum walk_member to)
{
    walk_packet(inner, walk_address(from), walk_address(to), BYTES);
    walk_arrive(by == LINK_B, frame, walk_frame(frame, by, inner, BYTES));
    uint64_t generated = walk.counters[BYPEER_COUNT_GENERATED], sent = walk.counters[BYPEER_COUNT_SENT];
    walk_so();
    sent = walk.counters[BYPEER_COUNT_SENT] - sent - (walk.counters[BYPEER_COUNT_GENERATED] - generated);
    while (walk_sent(0, out) > 0 || walk_sent(1, out) > 0)
        ;
    return sent == 1;
}

static bool passes(enum walk_link by, enum walk_member from, enum walk_member to)
{
    return passes_in(walk_once, by, from, to);
}

Test(policy, a_trunk_carries_several_groups_and_mixes_none)
{
    make_trunk(LINK_A);
    set_member(MEMBER_X, LINK_A, 2, 0);
    set_member(MEMBER_LOST, LINK_C, 1, 0);
    struct bypeer_link other = walk_link(LINK_C);
    other.group = 2;
    /* Into the trunk and out of it, each within its group. */
    cr_assert(passes(LINK_A, MEMBER_A, MEMBER_B));
    cr_assert(passes(LINK_B, MEMBER_B, MEMBER_A));
    cr_assert(!passes(LINK_A, MEMBER_X, MEMBER_B));
    cr_assert_eq(walk_dropped(BYPEER_DROP_POLICY), 1);
    cr_assert(!passes(LINK_B, MEMBER_B, MEMBER_X));
    cr_assert_eq(walk_dropped(BYPEER_DROP_POLICY), 2);
    cr_assert_eq(bypeer_writer_put_link(walk.writer, &other), 0);
    set_member(MEMBER_C, LINK_C, 2, 0);
    cr_assert(passes(LINK_A, MEMBER_X, MEMBER_C));
    cr_assert(passes(LINK_C, MEMBER_C, MEMBER_X));
    cr_assert(!passes(LINK_A, MEMBER_A, MEMBER_C));
    cr_assert_eq(walk_dropped(BYPEER_DROP_POLICY), 3);
    /* Only what is behind it comes by it. */
    cr_assert(!passes(LINK_A, MEMBER_B, MEMBER_C));
    cr_assert_eq(walk_dropped(BYPEER_DROP_INNER_SOURCE), 1);
}

Test(policy, from_trunk_to_trunk_and_to_this_host)
{
    make_trunk(LINK_A);
    make_trunk(LINK_B);
    set_member(MEMBER_X, LINK_B, 2, 0);
    cr_assert(passes(LINK_A, MEMBER_A, MEMBER_B));
    cr_assert(!passes(LINK_A, MEMBER_A, MEMBER_X));
    walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_HERE), BYTES);
    walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, BYTES));
    walk_once();
    cr_assert_eq(walk_punted(BYPEER_DEVICE_OVERLAY, 0, out), BYTES);
}

Test(policy, errors_to_who_is_behind_a_trunk_come_from_the_address_in_his_group)
{
    make_trunk(LINK_A);
    set_member(MEMBER_X, LINK_A, 2, 0);
    const enum walk_member senders[] = {MEMBER_A, MEMBER_X}, hosts[] = {MEMBER_HERE, MEMBER_HERE_X};
    for (unsigned i = 0; i < 2; i++) {
        walk_packet(inner, walk_address(senders[i]), walk_address(MEMBER_UNKNOWN), BYTES);
        walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, BYTES));
        walk_once();
        cr_assert_gt(walk_sent(0, out), 0);
        const uint8_t *error = out + 14 + 56;
        cr_assert_eq(error[6], BYPEER_NEXT_ICMPV6);
        cr_assert_arr_eq(error + BYPEER_IPV6_SOURCE, walk_address(hosts[i]), 16);
        cr_assert_arr_eq(error + BYPEER_IPV6_DESTINATION, walk_address(senders[i]), 16);
    }
}

/* Tables change while a walk is under way: what was not noted in it is not asked for. */
Test(policy, a_walk_judges_by_what_it_began_with)
{
    const struct bypeer_policy_rule deny = {.verdict = BYPEER_POLICY_DENY, .port_high = UINT16_MAX};
    cr_assert(passes(LINK_A, MEMBER_A, MEMBER_B));
    cr_assert_eq(bypeer_writer_set_rules(walk.writer, 1, &deny, 1), 0);
    cr_assert(passes_in(walk_on, LINK_A, MEMBER_A, MEMBER_B));
    make_trunk(LINK_A);
    set_member(MEMBER_X, LINK_A, 2, 0);
    cr_assert(!passes_in(walk_on, LINK_A, MEMBER_X, MEMBER_B), "from one group into another");
    cr_assert_eq(walk_dropped(BYPEER_DROP_POLICY), 1);
    cr_assert(!passes(LINK_A, MEMBER_A, MEMBER_B));
    cr_assert_eq(walk_dropped(BYPEER_DROP_POLICY_RULE), 1);
}

Test(policy, rules_by_role)
{
    const struct bypeer_policy_rule rules[] = {
        {.from_roles = SERVERS, .verdict = BYPEER_POLICY_DENY, .to_roles = SERVERS, .port_high = UINT16_MAX},
        {.from_roles = MEMBERS, .verdict = BYPEER_POLICY_DENY, .to_roles = MEMBERS, .port_high = UINT16_MAX},
        {.verdict = BYPEER_POLICY_DENY, .protocol = BYPEER_NEXT_TCP, .port_high = UINT16_MAX},
        {.from_roles = MEMBERS, .to_roles = SERVERS, .verdict = BYPEER_POLICY_ALLOW, .port_high = UINT16_MAX}};
    set_member(MEMBER_A, LINK_A, 1, MEMBERS);
    set_member(MEMBER_B, LINK_B, 1, SERVERS);
    set_member(MEMBER_C, LINK_C, 1, MEMBERS);
    cr_assert(passes(LINK_A, MEMBER_A, MEMBER_C));
    cr_assert_eq(bypeer_writer_set_rules(walk.writer, 1, rules, 4), 0);
    cr_assert(!passes(LINK_A, MEMBER_A, MEMBER_C));
    cr_assert(passes(LINK_A, MEMBER_A, MEMBER_B));
    cr_assert(passes(LINK_C, MEMBER_C, MEMBER_B));
    cr_assert_eq(walk_dropped(BYPEER_DROP_POLICY_RULE), 1);
    /* Members of no role, and of prefixes, are under the rules too. */
    set_member(MEMBER_C, LINK_C, 1, 0);
    cr_assert(!passes(LINK_C, MEMBER_C, MEMBER_B));
    cr_assert_eq(walk_dropped(BYPEER_DROP_POLICY_RULE), 2);
    /* Another group has none. */
    set_member(MEMBER_C, LINK_X, 2, 0);
    cr_assert(passes(LINK_X, MEMBER_X, MEMBER_C));
    cr_assert_eq(bypeer_writer_set_rules(walk.writer, 1, NULL, 0), 0);
    cr_assert(passes(LINK_B, MEMBER_B, MEMBER_A));
}
