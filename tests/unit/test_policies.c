/* Policies of groups over a node without sockets: durable, in the tables as long as the group is, and refused if wrong.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/policy/policies.h"
#include "control/policy/rule_text.h"
#include "tests/unit/node_fixture.h"

static struct node_fixture fixture;
static struct bypeer_problem problem;

static void begin(void)
{
    node_fixture_begin(&fixture, node_fixture_sample);
    node_fixture_open(&fixture, NULL);
}

static void end(void)
{
    node_fixture_end(&fixture);
}

TestSuite(policies, .init = begin, .fini = end);

static const struct bypeer_group *lab_record(void)
{
    const struct bypeer_model_group *group = bypeer_model_find_group(fixture.node.model, "lab");
    cr_assert_not_null(group);
    const struct bypeer_group *record = bypeer_writer_find_group(fixture.node.generation->writer, group->id);
    cr_assert_not_null(record);
    return record;
}

static int set(const char *group, uint32_t multicast_s, const char *rule)
{
    struct bypeer_store_policy policy = {.multicast_s = multicast_s, .rule_count = rule != NULL};
    const char *why;
    snprintf(policy.group, sizeof(policy.group), "%s", group);
    if (rule)
        cr_assert_eq(bypeer_rule_read(rule, &policy.rules[0], &why), 0, "%s", why);
    return bypeer_policies_set(fixture.node.policies, &policy, &problem);
}

static uint32_t links_of_lab(void)
{
    uint32_t count = 0;
    const struct bypeer_model_group *group = bypeer_model_find_group(fixture.node.model, "lab");
    for (const struct bypeer_model_link *link = bypeer_model_next_link(fixture.node.model, 0); link;
         link = bypeer_model_next_link(fixture.node.model, link->id))
        count += link->live && link->group == group->id;
    return count;
}

Test(policies, are_in_force_at_once_and_after_restarts_and_renewals)
{
    cr_assert_eq(set("lab", 30, "allow any any udp 5353"), 0, "%s", problem.value);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(lab_record()->rule_count, 1);
        cr_assert_eq(lab_record()->multicast_rate, 30);
        cr_assert_eq(lab_record()->multicast_links, links_of_lab());
        if (i == 0) {
            node_fixture_close(&fixture);
            node_fixture_open(&fixture, NULL);
            bypeer_policies_turn(fixture.node.policies);
        } else if (i == 1) {
            cr_assert_eq(bypeer_node_renew(&fixture.node, &fixture.node.generation->size, 1, &problem), 0);
        }
    }
    cr_assert_eq(set("lab", 0, NULL), 0);
    cr_assert_eq(lab_record()->rule_count, 0);
    cr_assert_eq(lab_record()->multicast_links, 0);
    cr_assert_null(bypeer_policies_find(fixture.node.policies, "lab"));
}

/* Before any other packet could come: rules are there as soon as the group's record is. */
Test(policies, a_restart_opens_with_the_rules)
{
    cr_assert_eq(set("lab", 0, "deny any any"), 0);
    node_fixture_close(&fixture);
    node_fixture_open(&fixture, NULL);
    cr_assert_eq(lab_record()->rule_count, 1);
}

/* A group that there is no room for with its rules does not appear without them. */
Test(policies, a_group_appears_with_its_rules_however_full_the_tables_are)
{
    struct bypeer_policy_rule rules[BYPEER_GROUP_RULES_MAX] = {{.verdict = BYPEER_POLICY_DENY}};
    struct bypeer_group filler = {.id = 2};
    struct bypeer_writer_usage usage;
    cr_assert_eq(set("lab", 0, "deny any any"), 0);
    node_fixture_must_reload(&fixture, "node: { name: alpha }\n");
    cr_assert_null(bypeer_model_find_group(fixture.node.model, "lab"));
    struct bypeer_writer *writer = fixture.node.generation->writer;
    for (uint32_t count = BYPEER_GROUP_RULES_MAX; count > 0;) {
        cr_assert_geq(bypeer_writer_put_group(writer, &filler), 0);
        if (bypeer_writer_set_rules(writer, filler.id, rules, count) == 0)
            filler.id++;
        else
            count--;
    }
    bypeer_writer_usage(writer, &usage);
    cr_assert_eq(usage.used.group_parts, usage.capacity.group_parts);
    node_fixture_must_reload(&fixture, node_fixture_sample);
    cr_assert_eq(lab_record()->rule_count, 1);
}

/* Its links stay meanwhile, and what comes by them is judged. */
static uint32_t fewest_rules;
static void look_at_rules(void *context, const struct bypeer_model_group *group, bool gone)
{
    const struct bypeer_group *record =
        gone ? NULL : bypeer_writer_find_group(fixture.node.generation->writer, group->id);
    (void)context;
    if (record && record->rule_count < fewest_rules)
        fewest_rules = record->rule_count;
}

static void look_at_links(void *context, const struct bypeer_model_link *link, bool gone)
{
    const struct bypeer_group *record = bypeer_writer_find_group(fixture.node.generation->writer, link->group);
    (void)context;
    (void)gone;
    if (!record || record->rule_count < fewest_rules)
        fewest_rules = record ? record->rule_count : 0;
}

Test(policies, a_group_that_changes_keeps_its_rules)
{
    const struct bypeer_node_hooks hooks = {.group_changed = look_at_rules, .link_changed = look_at_links};
    char yaml[2048];
    snprintf(yaml, sizeof(yaml), "%s", node_fixture_sample);
    char *address = strstr(yaml, "9a::1\"");
    cr_assert_not_null(address);
    address[4] = '9';
    cr_assert_eq(set("lab", 0, "deny any any"), 0);
    node_fixture_close(&fixture);
    node_fixture_open(&fixture, &hooks);
    fewest_rules = 1;
    node_fixture_must_reload(&fixture, yaml);
    cr_assert_eq(fewest_rules, 1, "without rules for a moment");
}

Test(policies, multicast_follows_the_links)
{
    const char *const more = "  - { name: gamma, group: lab, peer: \"2001:db8:1::33\" }\n";
    char yaml[2048];
    const char *at = strstr(node_fixture_sample, "links:\n");
    cr_assert_not_null(at);
    at += strlen("links:\n");
    snprintf(yaml, sizeof(yaml), "%.*s%s%s", (int)(at - node_fixture_sample), node_fixture_sample, more, at);
    cr_assert_eq(set("lab", 30, NULL), 0);
    uint32_t before = lab_record()->multicast_links;
    node_fixture_must_reload(&fixture, yaml);
    bypeer_policies_turn(fixture.node.policies);
    cr_assert_eq(lab_record()->multicast_links, before + 1);
    node_fixture_must_reload(&fixture, node_fixture_sample);
    bypeer_policies_turn(fixture.node.policies);
    cr_assert_eq(lab_record()->multicast_links, before);
}

Test(policies, what_cannot_be_one_is_refused)
{
    cr_assert_eq(set("nobody", 30, NULL), -ENOENT);
    cr_assert_str_eq(problem.key, "no_such_group");
    cr_assert_eq(set("lab", BYPEER_POLICY_MULTICAST_MAX + 1, NULL), -EINVAL);
    cr_assert_eq(lab_record()->multicast_links, 0);
}

Test(policies, rules_as_text_there_and_back)
{
    static const char *const texts[] = {
        "allow any any",
        "deny any any tcp",
        "allow member administrator,supernode tcp 22",
        "deny administrator,inviting,member,supernode any udp 6000-6010",
        "allow any member icmp",
        "allow any any 132",
    };
    for (size_t at = 0; at < sizeof(texts) / sizeof(texts[0]); at++) {
        struct bypeer_policy_rule rule;
        char text[BYPEER_RULE_TEXT];
        const char *why;
        cr_assert_eq(bypeer_rule_read(texts[at], &rule, &why), 0, "%s: %s", texts[at], why);
        bypeer_rule_write(&rule, text);
        cr_assert_str_eq(text, texts[at]);
    }
}

Test(policies, rules_that_are_none)
{
    static const char *const texts[] = {
        "",
        "allow",
        "allow any",
        "permit any any",
        "allow any nobody",
        "allow any any,member",
        "allow any any tpc",
        "allow any any 256",
        "allow any any tcp 65536",
        "allow any any tcp 22-21",
        "allow any any tcp 22-",
        "allow any any tcp -22",
        "allow any any tcp 0x16",
        "allow any any icmp 22",
        "allow any any any 22",
        "allow any any tcp 22 23",
        "allow , any",
    };
    struct bypeer_policy_rule rule, before;
    memset(&rule, 0xa5, sizeof(rule));
    before = rule;
    for (size_t at = 0; at < sizeof(texts) / sizeof(texts[0]); at++) {
        const char *why = NULL;
        cr_assert_eq(bypeer_rule_read(texts[at], &rule, &why), -EINVAL, "%s", texts[at]);
        cr_assert_not_null(why);
        cr_assert_arr_eq(&rule, &before, sizeof(rule));
    }
    char longest[400];
    const char *why;
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    cr_assert_eq(bypeer_rule_read(longest, &rule, &why), -EINVAL);
}
