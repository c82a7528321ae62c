/* Members of relay links who are WireGuard peers of the node: known by name, gone with their peer, and over IPv4. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/unit/relays_fixture.h"

TestSuite(relay_peers, .init = relays_set_up, .fini = relays_tear_down);

/* --- members who are WireGuard peers of the node --- */

static void add_peer(const char *name, unsigned number, const char *group)
{
    struct bypeer_model_peer peer = {.link = {.defined = true, .wireguard = true, .has_address = true}};
    strncpy(peer.link.name, name, sizeof(peer.link.name) - 1);
    strncpy(peer.group, group, sizeof(peer.group) - 1);
    memcpy(peer.link.public_key, relays_key(number), 32);
    const char *address = strcmp(group, "lab") == 0 ? "fd12:3456:789a::77" : "fdaa::77";
    cr_assert_eq(inet_pton(AF_INET6, address, peer.link.address), 1);
    cr_assert_eq(bypeer_model_add_peers(relays_fixture.node.model, &peer, 1, &relays_problem), 0, "%s",
                 relays_problem.value);
}

static int join_peer(void)
{
    struct bypeer_relay_entry entries[] = {{.name = "p"}, relays_entry('a')};
    struct bypeer_relay_joining joining = {.group = "lab", .entries = entries, .entry_count = 2};
    return bypeer_relays_join(relays(), &joining, &relays_joined, &relays_problem);
}

Test(relay_peers, a_peer_is_known_by_its_name)
{
    add_peer("p", 500, "lab");
    cr_assert_eq(join_peer(), 0, "%s", relays_problem.value);
    cr_assert_arr_eq(relays_member('p')->public_key, relays_key(500), 32);
    cr_assert_eq(relays_member('p')->address[15], 0x77);
    cr_assert(relays_reaches('p', 'a') && relays_reaches('a', 'p'));
    node_fixture_close(&relays_fixture);
    node_fixture_open(&relays_fixture, NULL);
    bypeer_relays_turn(relays());
    cr_assert(relays_reaches('p', 'a'));
}

Test(relay_peers, a_peer_of_another_group_is_refused)
{
    add_peer("p", 500, "games");
    cr_assert_eq(join_peer(), -EINVAL);
    cr_assert_str_eq(relays_problem.key, "other_group");
}

Test(relay_peers, a_member_goes_with_his_peer)
{
    add_peer("p", 500, "lab");
    cr_assert_eq(join_peer(), 0);
    const char *const address[] = {"fd12:3456:789a::77", NULL};
    node_fixture_unload(&relays_fixture, address, &relays_problem);
    cr_assert_eq(bypeer_model_remove_link(relays_fixture.node.model, "p", &relays_problem), 0, "%s",
                 relays_problem.value);
    cr_assert(!relays_reaches('p', 'a') && !relays_reaches('a', 'p'), "at once");
    bypeer_relays_turn(relays());
    cr_assert_null(relays_member('p'));
    add_peer("p", 500, "lab");
    bypeer_relays_turn(relays());
    cr_assert_null(relays_member('p'), "and does not come back with it");
}

Test(relay_peers, another_key_is_another_peer)
{
    add_peer("p", 500, "lab");
    cr_assert_eq(join_peer(), 0);
    cr_assert_eq(bypeer_model_set_peer_key(relays_fixture.node.model, "p", relays_key(501), &relays_problem), 0, "%s",
                 relays_problem.value);
    cr_assert(!relays_reaches('p', 'a'));
    bypeer_relays_turn(relays());
    cr_assert_null(relays_member('p'));
}

Test(relay_peers, a_member_of_the_relay_alone_has_nothing_to_do_with_a_peer_of_that_name)
{
    cr_assert_eq(relays_mesh("pa", 0), 0);
    add_peer("p", 500, "lab");
    const char *const address[] = {"fd12:3456:789a::77", NULL};
    node_fixture_unload(&relays_fixture, address, &relays_problem);
    bypeer_model_remove_link(relays_fixture.node.model, "p", &relays_problem);
    bypeer_relays_turn(relays());
    cr_assert(relays_reaches('p', 'a'));
}

/* --- over IPv4 --- */

#define RELAY4                                                                                    \
    "ports: [{ name: up, device: net_null0, addresses: [\"2001:db8:1::1/64\", 192.0.2.1/24] }]\n" \
    "relay: { prefix: \"2001:db8:5::/64\", ipv4-ports: \"52000-52003\" }\n"

static int join_over_ipv4(const char *letters)
{
    struct bypeer_relay_entry entries[26];
    char names[26][2] = {{0}};
    size_t count = 0;
    for (; letters[count]; count++) {
        names[count][0] = letters[count];
        entries[count] = (struct bypeer_relay_entry){.name = names[count]};
    }
    struct bypeer_relay_joining joining = {.group = "lab", .entries = entries, .entry_count = count, .ipv4 = true};
    return bypeer_relays_join(relays(), &joining, &relays_joined, &relays_problem);
}

static void add_peers(const char *letters)
{
    for (; *letters; letters++) {
        struct bypeer_model_peer peer = {.link = {.defined = true, .wireguard = true}, .group = "lab"};
        peer.link.name[0] = *letters;
        memcpy(peer.link.public_key, relays_key(600u + (unsigned)*letters), 32);
        cr_assert_eq(bypeer_model_add_peers(relays_fixture.node.model, &peer, 1, &relays_problem), 0, "%s",
                     relays_problem.value);
    }
}

static void reopen_over_ipv4(void)
{
    node_fixture_close(&relays_fixture);
    node_fixture_write(&relays_fixture, RELAYS_HEAD RELAY4);
    node_fixture_open(&relays_fixture, NULL);
}

Test(relay_peers, peers_reach_each_other_by_ports_over_ipv4)
{
    reopen_over_ipv4();
    add_peers("abcd");
    cr_assert_eq(join_over_ipv4("ab"), 0, "%s", relays_problem.value);
    for (unsigned again = 0; again < 2; again++) {
        unsigned side;
        const struct bypeer_relay_pair *found = relays_pair('a', 'b', &side);
        cr_assert_neq(found->ports[0], found->ports[1]);
        cr_assert(found->ports[0] >= 52000 && found->ports[0] <= 52003);
        const uint8_t expected[16] = {
            [8] = (uint8_t)(found->ports[side] >> 8), (uint8_t)found->ports[side], 0xff, 0xff, 192, 0, 2, 1};
        const struct bypeer_relay_record *way = relays_look_up(expected);
        cr_assert_not_null(way);
        cr_assert_arr_eq(way->keys[1 - side], found->addresses[1 - side], 16);
        cr_assert_eq(way->links[side], bypeer_model_find_link(relays_fixture.node.model, "a")->id,
                     "only from where his hub link has him");
        reopen_over_ipv4();
    }
    cr_assert_eq(join_over_ipv4("cd"), 0, "%s", relays_problem.value);
    cr_assert_eq(join_over_ipv4("ac"), -ENOSPC, "four ports are two pairs");
    cr_assert_str_eq(relays_problem.key, "capacity");
    size_t removed;
    cr_assert_eq(bypeer_relays_remove(relays(), "d", RELAYS_ANYONE, &removed, &relays_problem), 0);
    cr_assert_eq(join_over_ipv4("ac"), 0, "%s", relays_problem.value);
}

Test(relay_peers, over_ipv4_only_peers_are_taken)
{
    cr_assert_eq(relays_mesh("ab", 0), 0);
    add_peers("cd");
    cr_assert_eq(join_over_ipv4("cd"), -ENOTSUP);
    cr_assert_str_eq(relays_problem.key, "no_ipv4");
    reopen_over_ipv4();
    cr_assert_eq(join_over_ipv4("ac"), -EINVAL);
    cr_assert_str_eq(relays_problem.key, "not_peer");
    cr_assert_eq(join_over_ipv4("ab"), -EEXIST);
    cr_assert_str_eq(relays_problem.key, "pair_exists");
    cr_assert_eq(join_over_ipv4("cd"), 0, "%s", relays_problem.value);
}
