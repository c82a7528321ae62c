/* Groups, links, members and routes by API: what is in the tables, what is durable, what is refused. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "node_fixture.h"

static struct node_fixture fixture;
static struct bypeer_problem problem;

static void set_up(void)
{
    node_fixture_begin(&fixture, node_fixture_sample);
    node_fixture_open(&fixture, NULL);
}

static void tear_down(void)
{
    node_fixture_end(&fixture);
}

TestSuite(model, .init = set_up, .fini = tear_down);

static void reopen(void)
{
    node_fixture_close(&fixture);
    node_fixture_open(&fixture, NULL);
}

static int add_group(const char *name, const char *prefix, uint32_t vni, const char *address)
{
    struct bypeer_store_group group = {.defined = true, .vni = vni, .has_address = address != NULL};
    strncpy(group.name, name, sizeof(group.name) - 1);
    inet_pton(AF_INET6, prefix, group.prefix);
    if (address)
        inet_pton(AF_INET6, address, group.address);
    return bypeer_model_add_group(fixture.node.model, &group, &problem);
}

static int add_link(const char *name, const char *group, const char *peer, uint32_t vni)
{
    struct bypeer_store_link link = {.defined = true, .vni = vni, .udp_port = 4790};
    strncpy(link.name, name, sizeof(link.name) - 1);
    inet_pton(AF_INET6, peer, link.peer);
    return bypeer_model_add_link(fixture.node.model, &link, group, &problem);
}

static int add_route(const char *prefix, uint8_t bits, const char *link)
{
    uint8_t bytes[16];
    inet_pton(AF_INET6, prefix, bytes);
    return bypeer_model_add_route(fixture.node.model, bytes, bits, link, &problem);
}

static int remove_route(const char *prefix, uint8_t bits)
{
    uint8_t bytes[16];
    inet_pton(AF_INET6, prefix, bytes);
    return bypeer_model_remove_route(fixture.node.model, bytes, bits, &problem);
}

Test(model, the_file_is_in_the_tables)
{
    const struct bypeer_destination *own = node_fixture_look_up(&fixture, "fd12:3456:789a::1");
    cr_assert_not_null(own);
    cr_assert(own->flags & BYPEER_DESTINATION_LOCAL);
    cr_assert_eq(node_fixture_way(&fixture, "fd12:3456:789a::1").kind, BYPEER_LINK_LOCAL);

    struct bypeer_link link = node_fixture_way(&fixture, "fd12:3456:789a::2");
    cr_assert_eq(link.kind, BYPEER_LINK_FABRIC);
    cr_assert_eq(link.vni, 7);
    cr_assert_eq(link.udp_port, 4790);
    cr_assert_eq(link.mtu, 1444, "an underlay of 1500 bytes less 56");
    cr_assert_eq(link.adjacency, 0, "no next hop is known");
    cr_assert_eq(node_fixture_way(&fixture, "fd12:3456:789a:b::77").id, link.id, "the route leads there, too");
    cr_assert_null(node_fixture_look_up(&fixture, "fd12:3456:789a::3"));
}

Test(model, what_the_api_adds_outlives_a_restart)
{
    cr_assert_eq(add_group("games", "fdaa::", 9, "fdaa::1"), 0);
    cr_assert_eq(add_link("gamma", "games", "2001:db8:1::3", 0), 0);
    cr_assert_eq(add_route("fdaa:0:0:7::", 64, "gamma"), 1);
    cr_assert_eq(node_fixture_load(&fixture, "gamma", (const char *[]){"fdaa::5", "fdaa::6", NULL}, &problem), 200);
    cr_assert_eq(node_fixture_load(&fixture, "beta", (const char *[]){"fd12:3456:789a::9", NULL}, &problem), 100);
    struct bypeer_link before = node_fixture_way(&fixture, "fdaa::5");
    uint64_t generation = fixture.node.generation->number;

    reopen();
    cr_assert_gt(fixture.node.generation->number, generation, "no generation has the number of one before");
    struct bypeer_link after = node_fixture_way(&fixture, "fdaa::5");
    cr_assert_eq(after.id, before.id, "a link keeps its id");
    cr_assert_eq(after.serial, before.serial, "and its counts");
    cr_assert_eq(after.vni, 9);
    cr_assert_eq(node_fixture_way(&fixture, "fdaa::7:0:0:1").id, 0);
    cr_assert_eq(node_fixture_way(&fixture, "fdaa:0:0:7::1").id, before.id);
    cr_assert_eq(node_fixture_way(&fixture, "fdaa::1").kind, BYPEER_LINK_LOCAL);
    cr_assert_not_null(node_fixture_look_up(&fixture, "fd12:3456:789a::9"));
    cr_assert_eq(bypeer_model_count_members(fixture.node.model), 4);
}

Test(model, what_the_api_removes_stays_away)
{
    cr_assert_eq(add_link("gamma", "lab", "2001:db8:1::3", 0), 0);
    cr_assert_eq(node_fixture_load(&fixture, "gamma", (const char *[]){"fd12:3456:789a::9", NULL}, &problem), 100);
    cr_assert_eq(node_fixture_unload(&fixture, (const char *[]){"fd12:3456:789a::9", NULL}, &problem), 1);
    cr_assert_null(node_fixture_look_up(&fixture, "fd12:3456:789a::9"));
    cr_assert_eq(node_fixture_unload(&fixture, (const char *[]){"fd12:3456:789a::9", NULL}, &problem), 0);
    cr_assert_eq(bypeer_model_remove_link(fixture.node.model, "gamma", &problem), 0);
    reopen();
    cr_assert_null(node_fixture_look_up(&fixture, "fd12:3456:789a::9"));
    cr_assert_null(bypeer_model_find_link(fixture.node.model, "gamma"));
}

Test(model, a_member_moves_between_links)
{
    cr_assert_eq(add_link("gamma", "lab", "2001:db8:1::3", 0), 0);
    const char *const members[] = {"fd12:3456:789a::9", "fd12:3456:789a::9", NULL};
    cr_assert_eq(node_fixture_load(&fixture, "beta", members, &problem), 100, "an address twice counts once");
    cr_assert_eq(node_fixture_load(&fixture, "gamma", members, &problem), 1);
    cr_assert_eq(node_fixture_load(&fixture, "gamma", members, &problem), 1, "again is no error");
    uint32_t gamma = bypeer_model_find_link(fixture.node.model, "gamma")->id;
    cr_assert_eq(node_fixture_way(&fixture, members[0]).id, gamma);
    cr_assert_eq(bypeer_model_find_link(fixture.node.model, "beta")->members, 1);
    cr_assert_eq(bypeer_model_find_link(fixture.node.model, "gamma")->members, 1);
}

Test(model, entries_of_the_file_are_not_the_apis)
{
    cr_assert_eq(bypeer_model_remove_group(fixture.node.model, "lab", &problem), -EPERM);
    cr_assert_eq(bypeer_model_remove_link(fixture.node.model, "beta", &problem), -EPERM);
    cr_assert_eq(remove_route("fd12:3456:789a:b::", 64), -EPERM);
    cr_assert_eq(add_route("fd12:3456:789a:b::", 64, "beta"), -EEXIST);
    cr_assert_eq(node_fixture_unload(&fixture, (const char *[]){"fd12:3456:789a::2", NULL}, &problem), -EPERM);
    cr_assert_str_eq(problem.key, "configured");
    cr_assert(strstr(problem.value, "line 8"), "%s", problem.value);
    cr_assert_eq(add_link("gamma", "lab", "2001:db8:1::3", 0), 0);
    cr_assert_eq(node_fixture_load(&fixture, "gamma", (const char *[]){"fd12:3456:789a::2", NULL}, &problem), -EINVAL);
}

Test(model, what_is_in_use_is_not_removed)
{
    cr_assert_eq(add_group("games", "fdaa::", 9, NULL), 0);
    cr_assert_eq(add_link("gamma", "games", "2001:db8:1::3", 0), 0);
    cr_assert_eq(bypeer_model_remove_group(fixture.node.model, "games", &problem), -EBUSY);
    cr_assert_eq(node_fixture_load(&fixture, "gamma", (const char *[]){"fdaa::9", NULL}, &problem), 100);
    cr_assert_eq(bypeer_model_remove_link(fixture.node.model, "gamma", &problem), -EBUSY);
    cr_assert_str_eq(problem.key, "in_use");
    cr_assert(strstr(problem.value, "1 members"), "%s", problem.value);
    cr_assert_eq(node_fixture_unload(&fixture, (const char *[]){"fdaa::9", NULL}, &problem), 1);
    cr_assert_eq(add_route("fdaa:0:0:7::", 64, "gamma"), 1);
    cr_assert_eq(bypeer_model_remove_link(fixture.node.model, "gamma", &problem), -EBUSY);
    cr_assert_eq(remove_route("fdaa:0:0:7::", 64), 0);
    cr_assert_eq(bypeer_model_remove_link(fixture.node.model, "gamma", &problem), 0);
    cr_assert_eq(bypeer_model_remove_group(fixture.node.model, "games", &problem), 0);
}

Test(model, impossible_definitions_are_refused)
{
    cr_assert_eq(add_group("a b", "fdaa::", 9, NULL), -EINVAL);
    cr_assert_eq(add_group("games", "2001:db8::", 9, NULL), -EINVAL);
    cr_assert_eq(add_group("games", "fdaa::1", 9, NULL), -EINVAL);
    cr_assert_eq(add_group("games", "fdaa::", 0, NULL), -EINVAL);
    cr_assert_eq(add_group("games", "fdaa::", 9, "fdab::1"), -EINVAL);
    cr_assert_eq(add_group("games", "fd12:3456:789a::", 9, NULL), -EEXIST, "lab has this prefix");
    cr_assert_eq(add_group("lab", "fdaa::", 9, NULL), -EEXIST);
    cr_assert_eq(add_link("gamma", "nowhere", "2001:db8:1::3", 0), -ENOENT);
    cr_assert_eq(add_link("gamma", "lab", "ff02::1", 0), -EINVAL);
    cr_assert_eq(add_link("gamma", "lab", "::ffff:127.0.0.1", 0), -EINVAL);
    cr_assert_eq(add_link("gamma", "lab", "2001:db8:1::2", 0), -EEXIST, "beta goes there with this VNI");
    cr_assert_eq(add_link("gamma", "lab", "2001:db8:1::2", 8), 0);
    cr_assert_eq(add_link("@lab", "lab", "2001:db8:1::9", 0), -EINVAL, "the name of the link to this host");
    cr_assert_eq(add_route("ff00::", 8, "beta"), -EINVAL);
    cr_assert_eq(add_route("fdaa::1", 64, "beta"), -EINVAL);
    cr_assert_eq(node_fixture_load(&fixture, "beta", (const char *[]){"fdaa::1", NULL}, &problem), -EINVAL);
    cr_assert_eq(node_fixture_load(&fixture, "beta", (const char *[]){"fd12:3456:789a::1", NULL}, &problem), -EINVAL);
    cr_assert_eq(node_fixture_load(&fixture, "@lab", (const char *[]){"fd12:3456:789a::7", NULL}, &problem), -ENOENT);
}

Test(model, a_batch_is_all_or_nothing)
{
    const char *const batch[] = {"fd12:3456:789a::7", "fdaa::1", NULL};
    cr_assert_eq(node_fixture_load(&fixture, "beta", batch, &problem), -EINVAL);
    cr_assert_null(node_fixture_look_up(&fixture, "fd12:3456:789a::7"));
    cr_assert_eq(bypeer_model_count_members(fixture.node.model), 1);
}

Test(model, links_end_at_their_limit)
{
    for (unsigned at = 0; at < 7; at++) {
        char name[16];
        snprintf(name, sizeof(name), "link-%u", at);
        cr_assert_eq(add_link(name, "lab", "2001:db8:1::3", 100 + at), 0);
    }
    cr_assert_eq(add_link("one-more", "lab", "2001:db8:1::3", 200), -ENOSPC);
    cr_assert(strstr(problem.remedy, "tables.links"), "%s", problem.remedy);
    cr_assert_eq(bypeer_model_remove_link(fixture.node.model, "link-3", &problem), 0);
    cr_assert_eq(add_link("one-more", "lab", "2001:db8:1::3", 200), 0);
}

/* --- growth --- */

static int load_many(uint32_t first, uint32_t count)
{
    uint8_t(*addresses)[16] = calloc(count, 16);
    for (uint32_t at = 0; at < count; at++) {
        uint32_t number = htonl(first + at);
        inet_pton(AF_INET6, "fd12:3456:789a:1::", addresses[at]);
        memcpy(addresses[at] + 12, &number, 4);
    }
    size_t added = 0, replaced = 0;
    int result = bypeer_model_load_members(fixture.node.model, "beta", addresses, count, &added, &replaced, &problem);
    free(addresses);
    return result < 0 ? result : (int)added;
}

Test(model, tables_grow_and_then_name_their_limit)
{
    uint64_t first = fixture.node.generation->number;
    cr_assert_eq(load_many(0, 3000), 3000);
    cr_assert_gt(fixture.node.generation->number, first);
    cr_assert_not_null(node_fixture_look_up(&fixture, "fd12:3456:789a:1::bb7"));
    cr_assert_eq(node_fixture_way(&fixture, "fd12:3456:789a:b::1").kind, BYPEER_LINK_FABRIC, "routes come along");
    cr_assert_eq(load_many(3000, 2000), -ENOSPC);
    cr_assert(strstr(problem.value, "tables.members-max is 4000"), "%s", problem.value);
    cr_assert(strstr(problem.remedy, "MiB"), "%s", problem.remedy);
    cr_assert_eq(bypeer_model_count_members(fixture.node.model), 3001);
    reopen();
    cr_assert_eq(bypeer_model_count_members(fixture.node.model), 3001, "nothing of the refused batch was kept");
}

static bool never_reclaims(void *context)
{
    (void)context;
    return false;
}

Test(model, a_reader_that_never_quiesces_stops_no_change)
{
    node_fixture_close(&fixture);
    struct bypeer_node_hooks hooks = {.reclaim = never_reclaims};
    node_fixture_open(&fixture, &hooks);
    cr_assert_eq(add_link("gamma", "lab", "2001:db8:1::3", 0), 0);
    for (unsigned round = 0; round < 3; round++) {
        cr_assert_eq(load_many(0, 900), round == 0 ? 900 : 0);
        uint8_t moved[900][16];
        for (uint32_t at = 0; at < 900; at++) {
            uint32_t number = htonl(at);
            inet_pton(AF_INET6, "fd12:3456:789a:1::", moved[at]);
            memcpy(moved[at] + 12, &number, 4);
        }
        size_t added, replaced;
        cr_assert_eq(bypeer_model_load_members(fixture.node.model, "gamma", moved, 900, &added, &replaced, &problem), 0,
                     "%s", problem.value);
        cr_assert_eq(replaced, 900);
    }
}

/* --- next hops --- */

Test(model, the_kernels_next_hop_makes_a_link_go_up)
{
    const struct bypeer_model_link *beta = bypeer_model_find_link(fixture.node.model, "beta");
    struct bypeer_adjacency adjacency = {.id = 3, .port = 0, .valid = 1, .ether = {2, 0, 0, 0, 0, 9}, .mtu = 1400};
    struct bypeer_link_path path = {.link = beta->id, .adjacency = 3, .mtu = 1400};
    inet_pton(AF_INET6, "2001:db8:1::1", path.local);
    cr_assert_not_null(bypeer_model_link_why_down(fixture.node.model, beta));
    cr_assert_eq(bypeer_model_set_adjacency(fixture.node.model, &adjacency), 0);
    cr_assert_eq(bypeer_model_set_path(fixture.node.model, &path), 0);
    cr_assert_null(bypeer_model_link_why_down(fixture.node.model, beta));

    struct bypeer_link link = node_fixture_way(&fixture, "fd12:3456:789a::2");
    cr_assert_eq(link.adjacency, 3);
    cr_assert_eq(link.mtu, 1344);
    cr_assert_eq(link.template_bytes, 56);
    cr_assert_eq(memcmp(link.local, path.local, 16), 0);
    cr_assert_eq(bypeer_model_smallest_mtu(fixture.node.model), 1344);

    path.mtu = 1300; /* carries less than IPv6 needs */
    cr_assert_eq(bypeer_model_set_path(fixture.node.model, &path), 0);
    cr_assert_eq(node_fixture_way(&fixture, "fd12:3456:789a::2").adjacency, 0);
    cr_assert_not_null(bypeer_model_link_why_down(fixture.node.model, beta));
}

Test(model, next_hops_come_along_to_the_next_generation)
{
    const struct bypeer_model_link *beta = bypeer_model_find_link(fixture.node.model, "beta");
    struct bypeer_adjacency adjacency = {.id = 3, .valid = 1, .mtu = 1500};
    struct bypeer_link_path path = {.link = beta->id, .adjacency = 3, .mtu = 1500};
    inet_pton(AF_INET6, "2001:db8:1::1", path.local);
    bypeer_model_set_adjacency(fixture.node.model, &adjacency);
    bypeer_model_set_path(fixture.node.model, &path);
    cr_assert_eq(bypeer_node_renew(&fixture.node, &fixture.node.generation->size, BYPEER_LAYOUT_OLDEST, &problem), 0);
    cr_assert_eq(node_fixture_way(&fixture, "fd12:3456:789a::2").adjacency, 3);
}

/* --- lists --- */

Test(model, members_are_listed_in_order_whatever_their_origin)
{
    const char *const loaded[] = {"fd12:3456:789a::7", "fd12:3456:789a::", "fd12:3456:789a:ffff::1", NULL};
    cr_assert_eq(node_fixture_load(&fixture, "beta", loaded, &problem), 300);
    static const char *const expected[] = {"fd12:3456:789a::", "fd12:3456:789a::2", "fd12:3456:789a::7",
                                           "fd12:3456:789a:ffff::1"};
    uint8_t after[16];
    bool more = true;
    for (size_t at = 0; at < 4; at++) {
        struct bypeer_model_member member;
        uint8_t last[16];
        cr_assert(more);
        cr_assert_eq(
            bypeer_model_list_members(fixture.node.model, at ? after : NULL, 0, 0, &member, 1, last, &more, &problem),
            1);
        char text[INET6_ADDRSTRLEN];
        inet_ntop(AF_INET6, member.address, text, sizeof(text));
        cr_assert_str_eq(text, expected[at]);
        cr_assert_eq(member.line, at == 1 ? 8 : 0);
        memcpy(after, last, 16);
    }
    cr_assert_not(more);
}

Test(model, members_are_listed_by_group_and_link)
{
    cr_assert_eq(add_group("games", "fdaa::", 9, NULL), 0);
    cr_assert_eq(add_link("gamma", "games", "2001:db8:1::3", 0), 0);
    cr_assert_eq(node_fixture_load(&fixture, "gamma", (const char *[]){"fdaa::5", "fdaa::6", NULL}, &problem), 200);
    struct bypeer_model_member members[10];
    uint8_t last[16];
    bool more;
    uint32_t games = bypeer_model_find_group(fixture.node.model, "games")->id;
    uint32_t beta = bypeer_model_find_link(fixture.node.model, "beta")->id;
    cr_assert_eq(bypeer_model_list_members(fixture.node.model, NULL, games, 0, members, 10, last, &more, &problem), 2);
    cr_assert_eq(bypeer_model_list_members(fixture.node.model, NULL, 0, beta, members, 10, last, &more, &problem), 1);
    cr_assert_eq(members[0].line, 8);
    cr_assert_not(more);
}
