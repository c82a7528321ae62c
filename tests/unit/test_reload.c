/* A reload: what differs is changed, what the API had added stays, and a file that conflicts is refused whole. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "node_fixture.h"

static struct node_fixture fixture;
static struct bypeer_problem problem;
static struct bypeer_config_errors errors;

static void set_up(void)
{
    node_fixture_begin(&fixture, node_fixture_sample);
    node_fixture_open(&fixture, NULL);
}

static void tear_down(void)
{
    bypeer_config_errors_free(&errors);
    node_fixture_end(&fixture);
}

TestSuite(reload, .init = set_up, .fini = tear_down);

#define HEAD                  \
    "node: { name: alpha }\n" \
    "tables: { members: 1000, members-max: 4000, links: 8, prefixes: 16 }\n"
#define LAB  "  - { name: lab, prefix: \"fd12:3456:789a::/48\", vni: 7, address: \"fd12:3456:789a::1\" }\n"
#define BETA "  - { name: beta, group: lab, peer: \"2001:db8:1::2\" }\n"

static int add_link(const char *name, const char *group, const char *peer)
{
    struct bypeer_store_link link = {.defined = true, .udp_port = 4790};
    strncpy(link.name, name, sizeof(link.name) - 1);
    inet_pton(AF_INET6, peer, link.peer);
    return bypeer_model_add_link(fixture.node.model, &link, group, &problem);
}

static bool is_said(const char *text)
{
    for (size_t at = 0; at < errors.count; at++)
        if (strstr(errors.messages[at], text))
            return true;
    return false;
}

Test(reload, nothing_changes_by_the_same_file)
{
    uint64_t generation = fixture.node.generation->number;
    cr_assert_eq(node_fixture_must_reload(&fixture, node_fixture_sample), 0);
    cr_assert_eq(fixture.node.generation->number, generation);
}

Test(reload, the_difference_is_applied)
{
    cr_assert_eq(node_fixture_must_reload(&fixture, HEAD
                                          "groups:\n" LAB "  - { name: games, prefix: \"fdaa::/48\", vni: 9 }\n"
                                          "links:\n" BETA "  - { name: gamma, group: games, peer: \"192.0.2.3\" }\n"
                                          "members:\n"
                                          "  - { address: \"fd12:3456:789a::3\", link: beta }\n"
                                          "  - { address: \"fdaa::3\", link: gamma }\n"),
                 6, "a group, a link, two members; a member and a route less");
    cr_assert_null(node_fixture_look_up(&fixture, "fd12:3456:789a::2"));
    cr_assert_null(node_fixture_look_up(&fixture, "fd12:3456:789a:b::1"));
    cr_assert_eq(node_fixture_way(&fixture, "fd12:3456:789a::3").vni, 7);
    cr_assert_eq(node_fixture_way(&fixture, "fdaa::3").underlay, 4);
    cr_assert_eq(bypeer_model_find_link(fixture.node.model, "beta")->members, 1);
}

Test(reload, lines_follow_the_file)
{
    char moved[1024];
    snprintf(moved, sizeof(moved), "# one\n# two\n%s", node_fixture_sample);
    cr_assert_eq(node_fixture_must_reload(&fixture, moved), 0);
    cr_assert_eq(bypeer_model_find_link(fixture.node.model, "beta")->line, 8);
    cr_assert_eq(node_fixture_unload(&fixture, (const char *[]){"fd12:3456:789a::2", NULL}, &problem), -EPERM);
    cr_assert(strstr(problem.value, "line 10"), "%s", problem.value);
}

Test(reload, two_links_may_swap_their_peers)
{
    node_fixture_must_reload(&fixture, HEAD "groups:\n" LAB "links:\n" BETA
                                            "  - { name: gamma, group: lab, peer: \"2001:db8:1::3\" }\n"
                                            "members:\n"
                                            "  - { address: \"fd12:3456:789a::2\", link: beta }\n");
    struct bypeer_link before = node_fixture_way(&fixture, "fd12:3456:789a::2");
    cr_assert_eq(node_fixture_must_reload(&fixture, HEAD "groups:\n" LAB "links:\n"
                                                         "  - { name: beta, group: lab, peer: \"2001:db8:1::3\" }\n"
                                                         "  - { name: gamma, group: lab, peer: \"2001:db8:1::2\" }\n"
                                                         "members:\n"
                                                         "  - { address: \"fd12:3456:789a::2\", link: beta }\n"),
                 2);
    struct bypeer_link after = node_fixture_way(&fixture, "fd12:3456:789a::2");
    cr_assert_eq(after.id, before.id);
    cr_assert_eq(after.peer[15], 3);
}

Test(reload, a_groups_vni_reaches_its_links)
{
    node_fixture_must_reload(&fixture, HEAD "groups:\n"
                                            "  - { name: lab, prefix: \"fd12:3456:789a::/48\", vni: 8 }\n"
                                            "links:\n" BETA "members:\n"
                                            "  - { address: \"fd12:3456:789a::2\", link: beta }\n");
    cr_assert_eq(node_fixture_way(&fixture, "fd12:3456:789a::2").vni, 8);
    cr_assert_null(node_fixture_look_up(&fixture, "fd12:3456:789a::1"), "this node's address is gone from the file");
}

Test(reload, a_groups_vni_reaches_the_links_of_the_api)
{
    cr_assert_eq(add_link("gamma", "lab", "2001:db8:1::3"), 0);
    cr_assert_geq(node_fixture_load(&fixture, "gamma", (const char *[]){"fd12:3456:789a::7", NULL}, &problem), 0);
    node_fixture_must_reload(&fixture, HEAD "groups:\n"
                                            "  - { name: lab, prefix: \"fd12:3456:789a::/48\", vni: 8 }\n"
                                            "links:\n" BETA);
    cr_assert_eq(node_fixture_way(&fixture, "fd12:3456:789a::7").vni, 8);
}

Test(reload, a_link_may_change_its_group_with_its_members)
{
    node_fixture_must_reload(&fixture, HEAD "groups:\n" LAB "  - { name: games, prefix: \"fdaa::/48\", vni: 9 }\n"
                                            "links:\n"
                                            "  - { name: beta, group: games, peer: \"2001:db8:1::2\" }\n"
                                            "members:\n"
                                            "  - { address: \"fdaa::3\", link: beta }\n");
    cr_assert_eq(node_fixture_look_up(&fixture, "fdaa::3")->group,
                 bypeer_model_find_group(fixture.node.model, "games")->id);
    cr_assert_eq(bypeer_model_find_group(fixture.node.model, "lab")->links, 0);
}

Test(reload, what_the_api_added_stays)
{
    cr_assert_eq(add_link("gamma", "lab", "2001:db8:1::3"), 0);
    cr_assert_eq(node_fixture_load(&fixture, "gamma", (const char *[]){"fd12:3456:789a::9", NULL}, &problem), 100);
    cr_assert_eq(node_fixture_load(&fixture, "beta", (const char *[]){"fd12:3456:789a::8", NULL}, &problem), 100);
    node_fixture_must_reload(&fixture, HEAD "groups:\n" LAB "links:\n" BETA);
    cr_assert_not_null(node_fixture_look_up(&fixture, "fd12:3456:789a::9"));
    cr_assert_not_null(node_fixture_look_up(&fixture, "fd12:3456:789a::8"));
    cr_assert_null(node_fixture_look_up(&fixture, "fd12:3456:789a::2"));
}

Test(reload, a_bad_file_is_refused_with_all_messages)
{
    cr_assert_eq(node_fixture_reload(&fixture, HEAD "groups:\n" LAB "links:\n" BETA "  - { name: x }\n  - { nam: y }\n",
                                     &errors),
                 -EINVAL);
    cr_assert_geq(errors.count, 2);
    cr_assert_not_null(node_fixture_look_up(&fixture, "fd12:3456:789a::2"));
}

Test(reload, conflicts_with_the_api_are_named_and_refused_whole)
{
    cr_assert_eq(add_link("gamma", "lab", "2001:db8:1::3"), 0);
    cr_assert_eq(node_fixture_load(&fixture, "beta", (const char *[]){"fd12:3456:789a::8", NULL}, &problem), 100);
    cr_assert_eq(node_fixture_load(&fixture, "gamma", (const char *[]){"fd12:3456:789a::9", NULL}, &problem), 100);
    cr_assert_eq(node_fixture_reload(&fixture,
                                     HEAD "groups:\n" LAB "links:\n"
                                          "  - { name: gamma, group: lab, peer: \"2001:db8:1::4\" }\n"
                                          "  - { name: delta, group: lab, peer: \"2001:db8:1::3\" }\n"
                                          "members:\n"
                                          "  - { address: \"fd12:3456:789a::9\", link: delta }\n",
                                     &errors),
                 -EINVAL);
    cr_assert(is_said("link \"gamma\" was added by API"));
    cr_assert(is_said("\"gamma\", which was added by API, goes to this peer"));
    cr_assert(is_said("link \"beta\" is gone from the file, but 1 members"));
    cr_assert(is_said("member fd12:3456:789a::9 was added by API"));
    cr_assert(is_said("bypeer.yaml:7"), "with the line of the file");
    cr_assert_not_null(node_fixture_look_up(&fixture, "fd12:3456:789a::2"), "nothing was changed");
    cr_assert_null(bypeer_model_find_link(fixture.node.model, "delta"));
}

Test(reload, a_group_that_a_link_of_the_api_needs_stays)
{
    cr_assert_eq(add_link("gamma", "lab", "2001:db8:1::3"), 0);
    cr_assert_eq(node_fixture_reload(&fixture, HEAD, &errors), -EINVAL);
    cr_assert(is_said("link \"gamma\", which was added by API, is in it"));
}

Test(reload, limits_count_what_the_api_added)
{
    cr_assert_eq(add_link("gamma", "lab", "2001:db8:1::3"), 0);
    cr_assert_eq(
        node_fixture_reload(&fixture, "tables: { members: 1000, links: 1 }\ngroups:\n" LAB "links:\n" BETA, &errors),
        -EINVAL);
    cr_assert(is_said("tables.links"));
    node_fixture_must_reload(&fixture, "tables: { members: 1000, links: 4000 }\ngroups:\n" LAB "links:\n" BETA);
    cr_assert_geq(fixture.node.generation->size.links, 4000, "there is room at once");
}

/* --- changed while the daemon was down --- */

Test(reload, an_entry_that_the_file_hides_comes_back)
{
    cr_assert_eq(add_link("gamma", "lab", "2001:db8:1::3"), 0);
    cr_assert_eq(node_fixture_load(&fixture, "beta", (const char *[]){"fd12:3456:789a::8", NULL}, &problem), 100);
    node_fixture_close(&fixture);
    node_fixture_write(&fixture,
                       HEAD "groups:\n" LAB "links:\n" BETA "  - { name: gamma, group: lab, peer: \"2001:db8:1::4\" }\n"
                            "members:\n"
                            "  - { address: \"fd12:3456:789a::8\", link: gamma }\n");
    node_fixture_open(&fixture, NULL);
    cr_assert_eq(node_fixture_way(&fixture, "fd12:3456:789a::8").peer[15], 4, "the file wins at a start");

    node_fixture_must_reload(&fixture, HEAD "groups:\n" LAB "links:\n" BETA);
    cr_assert_eq(node_fixture_way(&fixture, "fd12:3456:789a::8").peer[15], 2, "behind beta again");
    cr_assert_eq(bypeer_model_find_link(fixture.node.model, "gamma")->peer[15], 3);
    cr_assert(bypeer_model_find_link(fixture.node.model, "gamma")->live);
}

Test(reload, members_of_a_link_that_left_the_file_are_kept_until_it_is_back)
{
    cr_assert_eq(node_fixture_load(&fixture, "beta", (const char *[]){"fd12:3456:789a::8", NULL}, &problem), 100);
    node_fixture_close(&fixture);
    node_fixture_write(&fixture, HEAD "groups:\n" LAB);
    node_fixture_open(&fixture, NULL);
    cr_assert_null(node_fixture_look_up(&fixture, "fd12:3456:789a::8"));
    cr_assert_eq(bypeer_model_count_members(fixture.node.model), 0);

    /* A restart in between changes nothing. */
    node_fixture_close(&fixture);
    node_fixture_open(&fixture, NULL);
    node_fixture_must_reload(&fixture, HEAD "groups:\n" LAB "links:\n" BETA);
    cr_assert_not_null(node_fixture_look_up(&fixture, "fd12:3456:789a::8"));
    cr_assert_eq(bypeer_model_count_members(fixture.node.model), 1);
}

Test(reload, kept_members_can_be_removed)
{
    cr_assert_eq(node_fixture_load(&fixture, "beta", (const char *[]){"fd12:3456:789a::8", NULL}, &problem), 100);
    node_fixture_close(&fixture);
    node_fixture_write(&fixture, HEAD "groups:\n" LAB);
    node_fixture_open(&fixture, NULL);
    cr_assert_eq(node_fixture_unload(&fixture, (const char *[]){"fd12:3456:789a::8", NULL}, &problem), 1);
    node_fixture_must_reload(&fixture, HEAD "groups:\n" LAB "links:\n" BETA);
    cr_assert_null(node_fixture_look_up(&fixture, "fd12:3456:789a::8"));
}

/* So many links that the ids of those that come and of those that go do not fit at once; a member behind each. */
static char *many_links(char prefix)
{
    enum { LINKS = 3000 };
    static char text[LINKS * 160 + 1024];
    size_t at = (size_t)snprintf(text, sizeof(text),
                                 "node: { name: alpha }\n"
                                 "tables: { members: 4000, members-max: 8000, links: 3100, prefixes: 16 }\n"
                                 "groups:\n" LAB "links:\n");
    for (unsigned link = 0; link < LINKS; link++)
        at += (size_t)snprintf(text + at, sizeof(text) - at,
                               "  - { name: %c%u, group: lab, peer: \"2001:db8:2::%x\" }\n", prefix, link, link + 1);
    at += (size_t)snprintf(text + at, sizeof(text) - at, "members:\n");
    for (unsigned link = 0; link < LINKS; link++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "  - { address: \"fd12:3456:789a:1::%x\", link: %c%u }\n",
                               link + 1, prefix, link);
    return text;
}

Test(reload, every_link_may_be_renamed_with_its_members)
{
    for (char prefix = 'a'; prefix < 'e'; prefix++) {
        node_fixture_must_reload(&fixture, many_links(prefix));
        cr_assert_eq(bypeer_model_count_members(fixture.node.model), 3000);
        cr_assert_not_null(node_fixture_look_up(&fixture, "fd12:3456:789a:1::578"));
    }
}

static void reload_for_settings(const char *yaml, unsigned settings)
{
    struct bypeer_node_reload reload;
    node_fixture_write(&fixture, yaml);
    cr_assert_eq(bypeer_node_reload(&fixture.node, &reload, &errors), 0);
    cr_assert_eq(reload.diff.setting_count, settings);
    for (size_t at = 0; at < reload.diff.setting_count; at++)
        cr_assert_eq(reload.diff.settings[at].change == BYPEER_SCHEMA_CONTROL,
                     strcmp(reload.diff.settings[at].path, "wireguard.endpoint") != 0);
    bypeer_node_reload_free(&reload);
}

#define TAIL "groups:\n" LAB "links:\n" BETA
#define CHANGED                                                                                              \
    HEAD "wireguard: { port: 60000, addresses: [\"2001:db8:1::9\"], endpoint: \"hub.example.org:60000\" }\n" \
         "relay: { prefix: \"2001:db8:7::/64\", port: 60001, on-link: true, ipv4-ports: 52000-52999 }\n" TAIL

Test(reload, what_only_a_restart_applies_is_not_in_force)
{
    node_fixture_must_reload(&fixture, HEAD TAIL);
    reload_for_settings(CHANGED, 7);
    const struct bypeer_config *config = fixture.node.config;
    cr_assert_eq(config->wireguard.port, 51820);
    cr_assert_eq(config->wireguard.address_count, 0);
    cr_assert_str_eq(config->wireguard.endpoint, "hub.example.org:60000", "needs a reload only");
    cr_assert_eq(config->relay.bits, 0);
    cr_assert_eq(config->relay.port, 51820);
    cr_assert_eq(config->relay.port_low, 0);
    reload_for_settings(CHANGED, 6); /* still to be said: the restart has not come */
    reload_for_settings(HEAD TAIL, 1);
}
