/* Rules, multicast lists and trunks: what the writer puts, and a reader then finds. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/tables/tables.h"
#include "overlay/tables/writer.h"

static const struct bypeer_tables_size small = {
    .destinations = 1000, .links = 100, .adjacencies = 10, .groups = 4, .prefixes = 16, .group_parts = 360};

static void *memory[2];
static struct bypeer_writer *writer, *other;
static struct bypeer_tables tables;

static void make(unsigned which, const struct bypeer_tables_size *size, struct bypeer_writer **ret_writer)
{
    char why[160];
    uint64_t bytes = bypeer_tables_bytes(size);
    memory[which] = aligned_alloc(4096, bytes);
    memset(memory[which], 0, bytes);
    cr_assert_eq(bypeer_writer_create(ret_writer, memory[which], bytes, size, BYPEER_LAYOUT_NEWEST, 7, which, 1), 0);
    bypeer_writer_publish(*ret_writer);
    cr_assert_eq(bypeer_tables_attach(&tables, memory[which], bytes, why), 0, "%s", why);
}

static void set_up(void)
{
    make(0, &small, &writer);
    cr_assert_eq(bypeer_writer_put_group(writer, &(struct bypeer_group){.id = 1, .vni = 7}), 1);
}

static void tear_down(void)
{
    bypeer_writer_free(writer);
    bypeer_writer_free(other);
    free(memory[0]);
    free(memory[1]);
}

TestSuite(writer_groups, .init = set_up, .fini = tear_down);

static void pass_grace_period(void)
{
    bypeer_writer_reclaim(writer, bypeer_writer_request(writer));
}

/* The list that a reader finds is 1, 2, ... count. */
static void expect_links(uint32_t count)
{
    const struct bypeer_group *group = bypeer_tables_group(&tables, 1);
    uint32_t slot = group->multicast;
    cr_assert_eq(group->multicast_links, count);
    for (uint32_t at = 0; at < count; at++) {
        const struct bypeer_group_part *part = bypeer_tables_group_part(&tables, slot);
        cr_assert_eq(part->receivers[at % BYPEER_PART_RECEIVERS].link, at + 1);
        slot = at % BYPEER_PART_RECEIVERS == BYPEER_PART_RECEIVERS - 1 ? part->next : slot;
    }
}

static void expect_rules(uint32_t count)
{
    const struct bypeer_group *group = bypeer_tables_group(&tables, 1);
    uint32_t slot = group->rules;
    cr_assert_eq(group->rule_count, count);
    for (uint32_t at = 0; at < count; at++) {
        const struct bypeer_group_part *part = bypeer_tables_group_part(&tables, slot);
        cr_assert_eq(part->rules[at % BYPEER_PART_RULES].port_low, at);
        slot = at % BYPEER_PART_RULES == BYPEER_PART_RULES - 1 ? part->next : slot;
    }
}

static int set_links(uint32_t count, uint32_t packets_s)
{
    static struct bypeer_multicast_receiver links[BYPEER_MULTICAST_LINKS_MAX + 1];
    for (uint32_t i = 0; i < count; i++)
        links[i] = (struct bypeer_multicast_receiver){.link = i + 1};
    return bypeer_writer_set_multicast(writer, 1, links, count, packets_s);
}

static int set_rules(uint32_t count)
{
    static struct bypeer_policy_rule rules[BYPEER_GROUP_RULES_MAX + 1];
    for (uint32_t i = 0; i < count; i++)
        rules[i] = (struct bypeer_policy_rule){.port_low = (uint16_t)i, .port_high = UINT16_MAX, .verdict = 1};
    return bypeer_writer_set_rules(writer, 1, rules, count);
}

Test(writer_groups, lists_of_every_length_replace_each_other)
{
    for (uint32_t count = 0; count <= 62; count++) {
        cr_assert_eq(set_links(count, count + 3), 0);
        cr_assert_eq(set_rules(count), 0);
        expect_links(count);
        expect_rules(count);
        cr_assert_eq(bypeer_tables_group(&tables, 1)->multicast_rate, count + 3);
        pass_grace_period();
    }
    cr_assert_eq(set_links(0, 0) + set_rules(0), 0);
    struct bypeer_writer_usage usage;
    bypeer_writer_usage(writer, &usage);
    cr_assert_eq(usage.used.group_parts, 0);
}

Test(writer_groups, another_record_of_the_group_keeps_them)
{
    cr_assert_eq(set_links(20, 5) + set_rules(4), 0);
    cr_assert_eq(bypeer_writer_put_group(writer, &(struct bypeer_group){.id = 1, .vni = 9, .rules = 77}), 0);
    cr_assert_eq(bypeer_tables_group(&tables, 1)->vni, 9);
    expect_links(20);
    expect_rules(4);
}

Test(writer_groups, what_does_not_fit_changes_nothing)
{
    const struct bypeer_policy_rule backwards = {.port_low = 2, .port_high = 1}, neither = {.verdict = 2};
    cr_assert_eq(set_links(20, 5) + set_rules(4), 0);
    cr_assert_eq(set_links(BYPEER_MULTICAST_LINKS_MAX + 1, 5), -E2BIG);
    cr_assert_eq(set_rules(BYPEER_GROUP_RULES_MAX + 1), -E2BIG);
    cr_assert_eq(bypeer_writer_set_rules(writer, 1, &backwards, 1), -EINVAL);
    cr_assert_eq(bypeer_writer_set_rules(writer, 1, &neither, 1), -EINVAL);
    cr_assert_eq(bypeer_writer_set_rules(writer, 2, &neither, 0), -ENOENT);
    cr_assert_eq(bypeer_writer_set_multicast(writer, 2, NULL, 0, 1), -ENOENT);
    /* 360 parts, of which 2 hold rules: 1024 links take 342, and then no second list of that length does. */
    cr_assert_eq(set_links(BYPEER_MULTICAST_LINKS_MAX, 5), 0);
    cr_assert_eq(set_links(BYPEER_MULTICAST_LINKS_MAX, 6), -ENOSPC);
    expect_links(BYPEER_MULTICAST_LINKS_MAX);
    expect_rules(4);
}

Test(writer_groups, parts_that_a_reader_may_still_see_are_not_used_again)
{
    int result = 0;
    unsigned changes = 0;
    cr_assert_eq(set_links(300, 5), 0);
    const struct bypeer_group *seen = bypeer_tables_group(&tables, 1);
    const struct bypeer_group_part *part = bypeer_tables_group_part(&tables, seen->multicast);
    const struct bypeer_group_part before = *part;
    while (changes < 1000 && (result = set_links(300, 6)) == 0)
        changes++;
    cr_assert_eq(result, -EAGAIN);
    cr_assert_gt(changes, 1);
    cr_assert_arr_eq(part, &before, sizeof(before));
    pass_grace_period();
    cr_assert_eq(set_links(300, 6), 0);
    expect_links(300);
}

Test(writer_groups, workers_are_told_while_there_is_something_to_judge)
{
    struct bypeer_link link = {.id = 3, .kind = BYPEER_LINK_WIREGUARD, .group = 1};
    cr_assert(!bypeer_tables_has_judged(&tables));
    cr_assert_eq(set_links(20, 5), 0);
    cr_assert(!bypeer_tables_has_judged(&tables));
    cr_assert_eq(set_rules(2) + set_rules(3), 0);
    cr_assert(bypeer_tables_has_judged(&tables));
    cr_assert_eq(bypeer_writer_put_link(writer, &link), 1);
    cr_assert_eq(set_rules(0), 0);
    cr_assert(!bypeer_tables_has_judged(&tables));
    link.group = BYPEER_GROUP_ANY;
    cr_assert_eq(bypeer_writer_put_link(writer, &link), 0);
    cr_assert_eq(bypeer_writer_put_link(writer, &link), 0);
    cr_assert(bypeer_tables_has_judged(&tables));
    link.group = 1;
    cr_assert_eq(bypeer_writer_put_link(writer, &link), 0);
    cr_assert(!bypeer_tables_has_judged(&tables));
    link.group = BYPEER_GROUP_ANY;
    cr_assert_eq(bypeer_writer_put_link(writer, &link), 0);
    cr_assert_eq(bypeer_writer_remove_link(writer, 3), 0);
    cr_assert_eq(set_rules(1), 0);
    cr_assert_eq(bypeer_writer_remove_group(writer, 1), 0);
    cr_assert(!bypeer_tables_has_judged(&tables));
}

Test(writer_groups, a_removed_group_leaves_nothing)
{
    struct bypeer_writer_usage usage;
    cr_assert_eq(set_links(20, 5) + set_rules(4), 0);
    cr_assert_eq(bypeer_writer_remove_group(writer, 1), 0);
    cr_assert_eq(bypeer_writer_remove_group(writer, 1), -ENOENT);
    bypeer_writer_usage(writer, &usage);
    cr_assert_eq(usage.used.group_parts, 0);
    cr_assert_eq(bypeer_writer_put_group(writer, &(struct bypeer_group){.id = 1}), 1);
    cr_assert_eq(bypeer_tables_group(&tables, 1)->multicast, 0);
    cr_assert_eq(bypeer_tables_group(&tables, 1)->rules, 0);
}

Test(writer_groups, the_next_generation_has_them_too)
{
    struct bypeer_link link = {.id = 3, .kind = BYPEER_LINK_WIREGUARD, .group = BYPEER_GROUP_ANY};
    struct bypeer_tables_size larger = small;
    larger.group_parts = 400;
    cr_assert_eq(set_links(100, 5) + set_rules(7), 0);
    cr_assert_eq(bypeer_writer_put_link(writer, &link), 1);
    make(1, &larger, &other);
    cr_assert_eq(bypeer_writer_copy(other, writer), 0);
    expect_links(100);
    expect_rules(7);
    cr_assert_eq(bypeer_tables_group(&tables, 1)->multicast_rate, 5);
    cr_assert(bypeer_tables_has_judged(&tables));
}

/* As many as there is room for, each with rules and a list: the next generation takes one record of each. */
Test(writer_groups, a_full_table_of_groups_can_be_copied)
{
    const uint32_t count = 2000;
    const struct bypeer_tables_size full = {.destinations = 1000,
                                            .links = 100,
                                            .adjacencies = 10,
                                            .groups = count,
                                            .prefixes = 16,
                                            .group_parts = 2 * count};
    bypeer_writer_free(writer);
    free(memory[0]);
    make(0, &full, &writer);
    for (uint32_t id = 1; id <= count; id++) {
        const struct bypeer_policy_rule rule = {.port_high = (uint16_t)id, .verdict = BYPEER_POLICY_ALLOW};
        const struct bypeer_multicast_receiver receiver = {.link = id};
        cr_assert_eq(bypeer_writer_put_group(writer, &(struct bypeer_group){.id = id, .vni = id}), 1);
        cr_assert_eq(bypeer_writer_set_rules(writer, id, &rule, 1), 0);
        cr_assert_eq(bypeer_writer_set_multicast(writer, id, &receiver, 1, 5), 0);
        pass_grace_period();
    }
    make(1, &full, &other);
    cr_assert_eq(bypeer_writer_copy(other, writer), 0);
    for (uint32_t id = 1; id <= count; id++) {
        const struct bypeer_group *group = bypeer_tables_group(&tables, id);
        cr_assert_eq(group->vni, id);
        cr_assert_eq(bypeer_tables_group_part(&tables, group->rules)->rules[0].port_high, id);
        cr_assert_eq(bypeer_tables_group_part(&tables, group->multicast)->receivers[0].link, id);
    }
}

Test(writer_groups, no_member_is_of_all_groups)
{
    const struct bypeer_destination anybody = {.key = {0xfd}, .link = 3, .group = BYPEER_GROUP_ANY, .prefix_bits = 8};
    cr_assert_eq(bypeer_writer_put_destination(writer, &anybody), -EINVAL);
    cr_assert_eq(bypeer_writer_put_prefix(writer, &anybody), -EINVAL);
}
