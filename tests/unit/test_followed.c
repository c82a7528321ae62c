/* Entries of the model that follow the records of a group: as workers see them, beside the file's and the API's. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "control/model/followed.h"
#include "node_fixture.h"

#define OWN     "fdab:1:2::1"
#define CLIENT  "fdab:1:2::2"
#define DISTANT "fdab:1:2::3"

static struct node_fixture fixture;
static struct bypeer_problem problem;
static uint32_t group;

static struct bypeer_model *model(void)
{
    return fixture.node.model;
}

static void read_address(const char *text, uint8_t ret_address[static 16])
{
    cr_assert_eq(inet_pton(AF_INET6, text, ret_address), 1);
}

static int follow_group(const char *name, const char *prefix, const char *address)
{
    uint8_t prefix_bytes[16], address_bytes[16];
    read_address(prefix, prefix_bytes);
    read_address(address, address_bytes);
    return bypeer_model_follow_group(model(), name, prefix_bytes, address_bytes, &group, &problem);
}

/* A key, of a client with an address, or (NULL) of another node; returns the link's id. */
static uint32_t follow_link(uint8_t key, const char *address)
{
    struct bypeer_model_followed_link link = {.group = address ? group : BYPEER_GROUP_ANY,
                                              .has_address = address != NULL,
                                              .endpoint_port = address ? 0 : 51820,
                                              .persistent_s = address ? 0 : 1};
    memset(link.public_key, key, 32);
    read_address("2001:db8::7", link.endpoint);
    if (address)
        read_address(address, link.address);
    uint32_t id = 0;
    cr_assert_geq(bypeer_model_follow_link(model(), &link, &id, &problem), 0, "%s", problem.value);
    return id;
}

static int follow_member(const char *address, uint32_t link, uint32_t other)
{
    struct bypeer_model_followed_member member = {.group = group, .link = link, .roles = 5, .others = {other}};
    read_address(address, member.address);
    return bypeer_model_follow_member(model(), &member, &problem);
}

static void set_up(void)
{
    node_fixture_begin(&fixture, node_fixture_sample);
    node_fixture_open(&fixture, NULL);
    cr_assert_eq(follow_group("friends", "fdab:1:2::", OWN), 0, "%s", problem.value);
}

static void tear_down(void)
{
    node_fixture_end(&fixture);
}

TestSuite(followed, .init = set_up, .fini = tear_down);

Test(followed, members_are_found_behind_clients_and_trunks)
{
    uint32_t client = follow_link(2, CLIENT), trunk = follow_link(3, NULL);
    cr_assert_eq(follow_member(CLIENT, client, trunk), 0);
    cr_assert_eq(follow_member(DISTANT, trunk, 0), 0);
    const struct bypeer_destination *own = node_fixture_look_up(&fixture, OWN);
    cr_assert(own && (own->flags & BYPEER_DESTINATION_LOCAL), "this node has its address in the group");
    const struct bypeer_destination *found = node_fixture_look_up(&fixture, CLIENT);
    cr_assert_eq(found->link, client);
    cr_assert_eq(found->others[0], trunk);
    cr_assert_eq(found->group, group);
    cr_assert_eq((found->flags & BYPEER_DESTINATION_ROLES) >> BYPEER_DESTINATION_ROLES_SHIFT, 5);
    found = node_fixture_look_up(&fixture, DISTANT);
    cr_assert_eq(found->link, trunk);
    cr_assert_eq(found->group, group, "the group is the member's, whatever its trunk carries");
    cr_assert_eq(node_fixture_way(&fixture, DISTANT).group, BYPEER_GROUP_ANY);
    /* It moves. */
    cr_assert_eq(follow_member(DISTANT, client, trunk), 0);
    cr_assert_eq(node_fixture_look_up(&fixture, DISTANT)->link, client);
    cr_assert_eq(bypeer_model_count_members(model()), 3, "with the file's own");
}

Test(followed, what_goes_takes_along_what_is_behind_it)
{
    uint32_t client = follow_link(2, CLIENT), trunk = follow_link(3, NULL);
    cr_assert_eq(follow_member(CLIENT, client, 0), 0);
    cr_assert_eq(follow_member(DISTANT, trunk, 0), 0);
    bypeer_model_unfollow_link(model(), client);
    cr_assert_null(node_fixture_look_up(&fixture, CLIENT));
    cr_assert_not_null(node_fixture_look_up(&fixture, DISTANT));
    bypeer_model_unfollow_group(model(), group);
    cr_assert_null(node_fixture_look_up(&fixture, DISTANT));
    cr_assert_null(node_fixture_look_up(&fixture, OWN));
    cr_assert_not_null(bypeer_model_link(model(), trunk), "it may carry other groups");
    cr_assert_eq(bypeer_model_count_members(model()), 1);
    cr_assert_eq(follow_group("friends", "fdab:1:2::", OWN), 0, "and it can come back");
}

Test(followed, a_restart_finds_the_same_link_under_its_id_and_serial)
{
    uint32_t trunk = follow_link(3, NULL), gone = follow_link(4, NULL);
    uint32_t serial = bypeer_model_link(model(), trunk)->serial;
    node_fixture_close(&fixture);
    node_fixture_open(&fixture, NULL);
    cr_assert_null(node_fixture_look_up(&fixture, OWN), "nothing is there before the records are");
    cr_assert_eq(follow_group("friends", "fdab:1:2::", OWN), 0);
    cr_assert_neq(follow_link(9, CLIENT), trunk);
    cr_assert_eq(follow_link(3, NULL), trunk);
    cr_assert_eq(bypeer_model_link(model(), trunk)->serial, serial);
    cr_assert_eq(bypeer_model_sweep_followed(model(), &problem), 0);
    cr_assert_null(bypeer_model_link(model(), gone));
    cr_assert_neq(bypeer_model_link(model(), follow_link(4, NULL))->serial, serial, "a new life, a new serial");
}

static int load(const char *link, const char *address)
{
    uint8_t bytes[1][16];
    size_t added, replaced;
    read_address(address, bytes[0]);
    return bypeer_model_load_members(model(), link, bytes, 1, &added, &replaced, &problem);
}

Test(followed, neither_file_nor_api_may_change_them)
{
    uint32_t client = follow_link(2, CLIENT);
    cr_assert_eq(follow_member(CLIENT, client, 0), 0);
    const char *name = bypeer_model_link(model(), client)->name;
    cr_assert_eq(bypeer_model_remove_link(model(), name, &problem), -EPERM);
    cr_assert_eq(load(name, "fdab:1:2::9"), -EPERM);
    cr_assert_eq(bypeer_model_remove_group(model(), "friends", &problem), -EPERM);
    cr_assert_eq(bypeer_model_set_peer_key(model(), name, (const uint8_t[32]){7}, &problem), -EPERM);
    cr_assert_eq(node_fixture_unload(&fixture, (const char *const[]){CLIENT, NULL}, &problem), -EPERM);
    uint8_t prefix[16];
    read_address("fdab:1:2:3::", prefix);
    cr_assert_eq(bypeer_model_add_route(model(), prefix, 64, name, &problem), -EPERM);
    struct bypeer_model_peer peer = {.link = {.wireguard = true, .defined = true, .name = "mine"}, .group = "friends"};
    memset(peer.link.public_key, 77, 32);
    cr_assert_eq(bypeer_model_add_peers(model(), &peer, 1, &problem), -EPERM);
    struct bypeer_config_errors errors = {0};
    cr_assert_lt(node_fixture_reload(&fixture,
                                     "node: { name: alpha }\n"
                                     "groups:\n  - { name: friends, prefix: \"fd12:3456:789a::/48\", vni: 7 }\n",
                                     &errors),
                 0);
    cr_assert_eq(errors.count, 1);
    cr_assert_not_null(strstr(errors.messages[0], "joined"), "%s", errors.messages[0]);
    bypeer_config_errors_free(&errors);
    cr_assert_eq(node_fixture_look_up(&fixture, CLIENT)->link, client);
}

Test(followed, what_is_there_already_stays)
{
    cr_assert_eq(follow_group("lab", "fdab:1:3::", "fdab:1:3::1"), -EEXIST, "a group of the file has the name");
    cr_assert_eq(follow_group("other", "fd12:3456:789a::", "fd12:3456:789a::8"), -EEXIST, "and one the prefix");
    struct bypeer_model_peer peer = {.link = {.wireguard = true, .defined = true, .name = "mine"}, .group = "lab"};
    memset(peer.link.public_key, 77, 32);
    cr_assert_eq(bypeer_model_add_peers(model(), &peer, 1, &problem), 0);
    struct bypeer_model_followed_link link = {.group = BYPEER_GROUP_ANY};
    memset(link.public_key, 77, 32);
    uint32_t id;
    cr_assert_eq(bypeer_model_follow_link(model(), &link, &id, &problem), -EEXIST);
    cr_assert_not_null(bypeer_model_find_link(model(), "mine"));
    cr_assert_not_null(node_fixture_look_up(&fixture, "fd12:3456:789a::2"));
}

Test(followed, lists_show_them_among_the_others_in_order)
{
    struct bypeer_model_member members[8];
    uint8_t last[16];
    bool more;
    uint32_t client = follow_link(2, CLIENT), trunk = follow_link(3, NULL);
    cr_assert_eq(follow_member(DISTANT, trunk, 0), 0);
    cr_assert_eq(follow_member(CLIENT, client, 0), 0);
    long count = bypeer_model_list_members(model(), NULL, 0, 0, members, 8, last, &more, &problem);
    cr_assert_eq(count, 3);
    cr_assert_eq(members[0].line, 8, "the file's");
    cr_assert_eq(members[1].link, client);
    cr_assert_eq(members[2].link, trunk);
    cr_assert_eq(members[2].group, group);
    cr_assert_eq(bypeer_model_list_members(model(), NULL, group, 0, members, 8, last, &more, &problem), 2);
    cr_assert_eq(bypeer_model_list_members(model(), NULL, 0, trunk, members, 8, last, &more, &problem), 1);
    cr_assert_eq(bypeer_model_list_members(model(), NULL, 0, 0, members, 2, last, &more, &problem), 2);
    cr_assert(more);
    cr_assert_eq(bypeer_model_list_members(model(), last, 0, 0, members, 2, last, &more, &problem), 1);
}

static struct bypeer_group multicast(void)
{
    struct bypeer_tables tables;
    char why[160];
    const struct bypeer_memory *memory = &fixture.node.generation->memory;
    cr_assert_eq(bypeer_tables_attach(&tables, memory->base, memory->bytes, why), 0, "%s", why);
    return *bypeer_tables_group(&tables, group);
}

Test(followed, multicast_goes_to_the_list_that_was_set_last)
{
    uint32_t links[7];
    for (unsigned at = 0; at < 7; at++)
        links[at] = follow_link((uint8_t)(10 + at), NULL);
    cr_assert_eq(bypeer_model_follow_multicast(model(), group, links, 2, 50, &problem), 0);
    cr_assert_eq(bypeer_model_follow_multicast(model(), group, links, 7, 100, &problem), 0, "%s", problem.value);
    struct bypeer_group record = multicast();
    cr_assert_eq(record.multicast_links, 7);
    cr_assert_eq(record.multicast_rate, 100);
    cr_assert_eq(bypeer_model_follow_multicast(model(), group, links, 0, 100, &problem), 0);
    record = multicast();
    cr_assert_eq(record.multicast_links, 0);
}
