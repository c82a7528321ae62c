/* WireGuard peers in the model: what is in the tables, what is durable, what is refused, and what a reload changes. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node_fixture.h"
#include "overlay/wireguard/link.h"

static struct node_fixture fixture;
static struct bypeer_problem problem;
static struct bypeer_config_errors errors;

/* What the hooks were told last. */
static struct {
    unsigned changed, gone;
    uint32_t id;
    uint16_t peer_port;
} told;

static void on_link(void *context, const struct bypeer_model_link *link, bool gone)
{
    (void)context;
    told.changed += !gone;
    told.gone += gone;
    told.id = link->id;
    told.peer_port = link->peer_port;
}

static const struct bypeer_node_hooks hooks = {.link_changed = on_link};

static void set_up(void)
{
    node_fixture_begin(&fixture, node_fixture_sample);
    node_fixture_open(&fixture, &hooks);
}

static void tear_down(void)
{
    bypeer_config_errors_free(&errors);
    node_fixture_end(&fixture);
}

TestSuite(peers, .init = set_up, .fini = tear_down);

static void reopen(void)
{
    node_fixture_close(&fixture);
    node_fixture_open(&fixture, &hooks);
}

static void set_address(uint8_t ret_address[static 16], const char *text)
{
    static const uint8_t ipv4[12] = {[10] = 0xff, [11] = 0xff};
    memcpy(ret_address, ipv4, sizeof(ipv4));
    if (inet_pton(AF_INET, text, ret_address + 12) != 1)
        cr_assert_eq(inet_pton(AF_INET6, text, ret_address), 1);
}

/* key: what all bytes of the public key are. address: NULL: none. */
static struct bypeer_model_peer make_peer(const char *name, uint8_t key, const char *address)
{
    struct bypeer_model_peer peer = {.link = {.defined = true, .wireguard = true, .persistent_s = 25}, .group = "lab"};
    strncpy(peer.link.name, name, sizeof(peer.link.name) - 1);
    memset(peer.link.public_key, key, sizeof(peer.link.public_key));
    peer.link.has_address = address != NULL;
    if (address)
        set_address(peer.link.address, address);
    return peer;
}

static int add_peer(const char *name, uint8_t key, const char *address)
{
    struct bypeer_model_peer peer = make_peer(name, key, address);
    return bypeer_model_add_peers(fixture.node.model, &peer, 1, &problem);
}

static int remove_peer(const char *name)
{
    return bypeer_model_remove_link(fixture.node.model, name, &problem);
}

static const struct bypeer_model_link *find(const char *name)
{
    return bypeer_model_find_link(fixture.node.model, name);
}

/* The kernel tells the way to the peer: next hop 1, from this address. */
static void tell_path(uint32_t link, const char *local)
{
    struct bypeer_adjacency adjacency = {.id = 1, .valid = 1};
    struct bypeer_link_path path = {.link = link, .adjacency = 1, .mtu = 1500};
    set_address(path.local, local);
    cr_assert_eq(bypeer_model_set_adjacency(fixture.node.model, &adjacency), 0);
    cr_assert_eq(bypeer_model_set_path(fixture.node.model, &path), 0);
}

Test(peers, one_that_is_nowhere_yet_is_a_member_without_a_way)
{
    cr_assert_eq(add_peer("alice", 1, "fd12:3456:789a::20"), 0);
    struct bypeer_link link = node_fixture_way(&fixture, "fd12:3456:789a::20");
    cr_assert_eq(link.kind, BYPEER_LINK_WIREGUARD);
    cr_assert_eq(link.udp_port, 51820);
    cr_assert_eq(link.wireguard.persistent_s, 25);
    cr_assert_eq(link.peer_port, 0);
    cr_assert_eq(link.adjacency, 0);
    cr_assert_eq(link.mtu, 1420, "as long as its path is not known, what fits both families");
    cr_assert(strstr(bypeer_model_link_why_down(fixture.node.model, find("alice")), "not been heard of"));
    cr_assert_eq(find("alice")->members, 1);
}

Test(peers, one_that_is_heard_can_be_sent_to)
{
    cr_assert_eq(add_peer("alice", 1, "fd12:3456:789a::20"), 0);
    uint32_t id = find("alice")->id;
    uint8_t address[16], local[16];
    set_address(address, "2001:db8:7::9");
    set_address(local, "2001:db8:1::1");
    unsigned before = told.changed;
    cr_assert_eq(bypeer_model_set_endpoint(fixture.node.model, id, address, 4242, local), 0);
    cr_assert_eq(told.changed, before + 1, "who resolves paths hears of it");
    cr_assert_eq(told.peer_port, 4242);
    tell_path(id, "2001:db8:1::5");
    cr_assert_eq(bypeer_model_set_sessions(fixture.node.model, id, 3, 4), 0);

    struct bypeer_link link = node_fixture_way(&fixture, "fd12:3456:789a::20"), expected;
    cr_assert_eq(link.adjacency, 1);
    cr_assert_eq(link.peer_port, 4242);
    cr_assert_eq(link.wireguard.current, 3);
    cr_assert_eq(link.wireguard.next, 4);
    cr_assert_arr_eq(link.peer, address, 16);
    cr_assert_arr_eq(link.local, local, 16, "what the peer sends to, not what the kernel would choose");
    expected = link;
    cr_assert_eq(bypeer_wireguard_link_prepare(&expected), 0);
    cr_assert_arr_eq(link.wireguard.header, expected.wireguard.header, 48);
    cr_assert_null(bypeer_model_link_why_down(fixture.node.model, find("alice")));
    cr_assert_eq(bypeer_model_set_sessions(fixture.node.model, id, 0, 4), 0);
    cr_assert(strstr(bypeer_model_link_why_down(fixture.node.model, find("alice")), "has not used"), "it cannot send");
    cr_assert_eq(bypeer_model_set_sessions(fixture.node.model, id, 3, 4), 0);

    set_address(address, "192.0.2.9");
    cr_assert_eq(bypeer_model_set_endpoint(fixture.node.model, id, address, 4243, NULL), 0);
    tell_path(id, "192.0.2.1");
    link = node_fixture_way(&fixture, "fd12:3456:789a::20");
    cr_assert_eq(link.underlay, 4);
    cr_assert_eq(link.mtu, 1440);
    cr_assert_eq(link.wireguard.current, 3, "a move keeps the session");
}

Test(peers, only_live_peers_have_endpoints_and_sessions)
{
    static const uint8_t address[16] = {0x20, 1};
    cr_assert_eq(bypeer_model_set_endpoint(fixture.node.model, find("beta")->id, address, 1, NULL), -ENOENT);
    cr_assert_eq(bypeer_model_set_sessions(fixture.node.model, find("beta")->id, 1, 0), -ENOENT);
    cr_assert_eq(bypeer_model_set_sessions(fixture.node.model, 77, 1, 0), -ENOENT);
}

Test(peers, an_endpoint_is_where_to_begin)
{
    struct bypeer_model_peer peer = make_peer("hub", 1, NULL);
    set_address(peer.link.endpoint, "2001:db8:2::1");
    peer.link.endpoint_port = 51820;
    cr_assert_eq(bypeer_model_add_peers(fixture.node.model, &peer, 1, &problem), 0);
    tell_path(find("hub")->id, "2001:db8:1::1");
    cr_assert_eq(node_fixture_load(&fixture, "hub", (const char *[]){"fd12:3456:789a::40", NULL}, &problem), 100);
    struct bypeer_link link = node_fixture_way(&fixture, "fd12:3456:789a::40");
    cr_assert_eq(link.peer_port, 51820);
    cr_assert_eq(link.adjacency, 1);
    cr_assert(strstr(bypeer_model_link_why_down(fixture.node.model, find("hub")), "no handshake"));
}

Test(peers, what_is_added_outlives_a_restart)
{
    struct bypeer_model_peer peer = make_peer("alice", 1, "fd12:3456:789a::20");
    peer.link.has_preshared = true;
    memset(peer.link.preshared_key, 9, 32);
    cr_assert_eq(bypeer_model_add_peers(fixture.node.model, &peer, 1, &problem), 0);
    struct bypeer_link before = node_fixture_way(&fixture, "fd12:3456:789a::20");
    cr_assert_gt(before.serial, 0);
    reopen();
    struct bypeer_link after = node_fixture_way(&fixture, "fd12:3456:789a::20");
    cr_assert_eq(after.kind, BYPEER_LINK_WIREGUARD);
    cr_assert_eq(after.id, before.id);
    cr_assert_eq(after.serial, before.serial);
    const struct bypeer_model_link *alice = find("alice");
    cr_assert(alice->has_preshared);
    cr_assert_arr_eq(alice->preshared_key, peer.link.preshared_key, 32);
    cr_assert_eq(bypeer_model_find_peer(fixture.node.model, alice->key_text), alice);
    cr_assert(alice->has_address);
}

Test(peers, removal_takes_the_member_with_it_and_frees_the_key)
{
    cr_assert_eq(add_peer("alice", 1, "fd12:3456:789a::20"), 0);
    unsigned gone = told.gone;
    cr_assert_eq(remove_peer("alice"), 0);
    cr_assert_eq(told.gone, gone + 1);
    cr_assert_null(node_fixture_look_up(&fixture, "fd12:3456:789a::20"));
    cr_assert_eq(add_peer("alicia", 1, "fd12:3456:789a::20"), 0);
    reopen();
    cr_assert_null(find("alice"));
    cr_assert_not_null(find("alicia"));
}

Test(peers, one_with_others_behind_it_stays)
{
    cr_assert_eq(add_peer("alice", 1, "fd12:3456:789a::20"), 0);
    cr_assert_eq(node_fixture_load(&fixture, "alice", (const char *[]){"fd12:3456:789a::21", NULL}, &problem), 100);
    cr_assert_eq(remove_peer("alice"), -EBUSY);
    cr_assert_str_eq(problem.key, "in_use");
    cr_assert_not_null(node_fixture_look_up(&fixture, "fd12:3456:789a::20"));
    cr_assert_eq(node_fixture_unload(&fixture, (const char *[]){"fd12:3456:789a::21", NULL}, &problem), 1);
    cr_assert_eq(remove_peer("alice"), 0);
}

Test(peers, what_another_has_is_refused)
{
    cr_assert_eq(add_peer("alice", 1, "fd12:3456:789a::20"), 0);
    cr_assert_eq(add_peer("alice", 2, NULL), -EEXIST);
    cr_assert_eq(add_peer("beta", 2, NULL), -EEXIST, "a link has the name");
    cr_assert_eq(add_peer("bob", 1, NULL), -EEXIST);
    cr_assert_str_eq(problem.key, "key_exists");
    cr_assert_eq(add_peer("bob", 2, "fd12:3456:789a::20"), -EEXIST);
    cr_assert_eq(add_peer("bob", 2, "fd12:3456:789a::2"), -EINVAL, "a member of the file");
    cr_assert_eq(add_peer("bob", 2, "fd12:3456:789a::1"), -EINVAL, "this node");
    cr_assert_eq(add_peer("bob", 2, "fdaa::2"), -EINVAL, "not in the group");
    cr_assert_eq(add_peer("bob", 0, NULL), -EINVAL, "no key");
    cr_assert_null(find("bob"), "nothing is left of it");
    cr_assert_eq(add_peer("bob", 2, "fd12:3456:789a::21"), 0);
}

Test(peers, a_batch_is_whole_or_not_at_all)
{
    struct bypeer_model_peer batch[3] = {make_peer("a", 1, "fd12:3456:789a::20"), make_peer("b", 2, NULL),
                                         make_peer("c", 1, NULL)};
    cr_assert_eq(bypeer_model_add_peers(fixture.node.model, batch, 3, &problem), -EEXIST);
    cr_assert_null(find("a"));
    cr_assert_null(find("b"));
    cr_assert_null(node_fixture_look_up(&fixture, "fd12:3456:789a::20"));
    reopen();
    cr_assert_null(find("a"));
    memset(batch[2].link.public_key, 3, 32);
    cr_assert_eq(bypeer_model_add_peers(fixture.node.model, batch, 3, &problem), 0);
    cr_assert_not_null(find("c"));
}

/* --- the file --- */

#define HEAD                                                                                       \
    "node: { name: alpha }\n"                                                                      \
    "tables: { members: 1000, members-max: 4000, links: 8, prefixes: 16 }\n"                       \
    "groups:\n"                                                                                    \
    "  - { name: lab, prefix: \"fd12:3456:789a::/48\", vni: 7, address: \"fd12:3456:789a::1\" }\n" \
    "  - { name: games, prefix: \"fdaa::/48\", vni: 9 }\n"
#define KEY                     "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
#define OTHER_KEY               "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
#define ALICE(group, key, rest) "  - { name: alice, group: " group ", public-key: \"" key "\", " rest " }\n"
#define HOME                    "address: \"fd12:3456:789a::20\""
#define FIRST                   "endpoint: \"[2001:db8:2::1]:51820\""

static void refuse(const char *yaml, const char *message)
{
    bypeer_config_errors_free(&errors);
    cr_assert_eq(node_fixture_reload(&fixture, yaml, &errors), -EINVAL);
    bool said = false;
    for (size_t at = 0; at < errors.count; at++)
        said = said || strstr(errors.messages[at], message);
    cr_assert(said, "%s", errors.messages[0]);
}

Test(peers, of_the_file_come_and_go)
{
    cr_assert_eq(node_fixture_must_reload(&fixture, HEAD "peers:\n" ALICE("lab", KEY, HOME)), 5);
    const struct bypeer_model_link *alice = find("alice");
    cr_assert_eq(node_fixture_way(&fixture, "fd12:3456:789a::20").id, alice->id);
    cr_assert_str_eq(alice->key_text, KEY);
    cr_assert_eq(remove_peer("alice"), -EPERM);
    cr_assert_eq(add_peer("bob", 2, "fd12:3456:789a::20"), -EINVAL);
    reopen();
    cr_assert_eq(node_fixture_way(&fixture, "fd12:3456:789a::20").kind, BYPEER_LINK_WIREGUARD);
    cr_assert_eq(node_fixture_must_reload(&fixture, HEAD), 1);
    cr_assert_null(find("alice"));
    cr_assert_null(node_fixture_look_up(&fixture, "fd12:3456:789a::20"));
}

Test(peers, what_does_not_concern_its_session_keeps_it)
{
    node_fixture_must_reload(&fixture, HEAD "peers:\n" ALICE("lab", KEY, HOME ", " FIRST));
    uint32_t id = find("alice")->id;
    uint8_t moved[16];
    set_address(moved, "2001:db8:9::9");
    bypeer_model_set_endpoint(fixture.node.model, id, moved, 4242, NULL);
    bypeer_model_set_sessions(fixture.node.model, id, 3, 0);
    struct bypeer_link before = node_fixture_way(&fixture, "fd12:3456:789a::20");
    unsigned gone = told.gone;

    node_fixture_must_reload(&fixture, HEAD
                             "peers:\n" ALICE("lab", KEY, "address: \"fd12:3456:789a::21\", keepalive: 9, " FIRST));
    cr_assert_null(node_fixture_look_up(&fixture, "fd12:3456:789a::20"));
    struct bypeer_link after = node_fixture_way(&fixture, "fd12:3456:789a::21");
    cr_assert_eq(after.serial, before.serial);
    cr_assert_eq(after.wireguard.current, 3);
    cr_assert_eq(after.peer_port, 4242, "it stays where it was heard");
    cr_assert_eq(after.wireguard.persistent_s, 9);
    cr_assert_eq(told.gone, gone);

    node_fixture_must_reload(&fixture, HEAD "peers:\n" ALICE("lab", KEY, "endpoint: \"192.0.2.7:99\""));
    cr_assert_eq(find("alice")->peer_port, 99, "unless the file says where it is now");
    cr_assert_eq(find("alice")->current, 3);
}

Test(peers, another_key_is_another_peer)
{
    node_fixture_must_reload(&fixture, HEAD "peers:\n" ALICE("lab", KEY, HOME));
    struct bypeer_link before = node_fixture_way(&fixture, "fd12:3456:789a::20");
    bypeer_model_set_sessions(fixture.node.model, before.id, 3, 0);
    unsigned gone = told.gone;
    node_fixture_must_reload(&fixture, HEAD "peers:\n" ALICE("lab", OTHER_KEY, HOME));
    struct bypeer_link after = node_fixture_way(&fixture, "fd12:3456:789a::20");
    cr_assert_eq(told.gone, gone + 1);
    cr_assert_eq(after.id, before.id);
    cr_assert_neq(after.serial, before.serial, "it counts from zero");
    cr_assert_eq(after.wireguard.current, 0);
    cr_assert_null(bypeer_model_find_peer(fixture.node.model, KEY));
    cr_assert_not_null(bypeer_model_find_peer(fixture.node.model, OTHER_KEY));
}

static uint32_t serial_after_restart(const char *yaml)
{
    node_fixture_write(&fixture, yaml);
    reopen();
    return find("alice")->serial;
}

Test(peers, another_key_or_group_while_the_daemon_was_away_is_another_peer)
{
    static const char first[] = HEAD "peers:\n" ALICE("lab", KEY, HOME);
    static const char keyed[] = HEAD "peers:\n" ALICE("lab", OTHER_KEY, HOME);
    static const char moved[] = HEAD "peers:\n" ALICE("games", OTHER_KEY, "address: \"fdaa::20\"");
    node_fixture_must_reload(&fixture, first);
    const uint32_t serial = find("alice")->serial;
    cr_assert_eq(serial_after_restart(first), serial);
    const uint32_t second = serial_after_restart(keyed);
    cr_assert_neq(second, serial);
    cr_assert_eq(serial_after_restart(keyed), second);
    const uint32_t third = serial_after_restart(moved);
    cr_assert_neq(third, second);
    cr_assert_eq(serial_after_restart(moved), third);
    node_fixture_must_reload(&fixture, keyed);
    const uint32_t fourth = find("alice")->serial;
    cr_assert_neq(fourth, third);
    cr_assert_eq(serial_after_restart(keyed), fourth);
}

Test(peers, two_of_the_file_may_swap_their_keys)
{
#define BOB(key) "  - { name: bob, group: lab, public-key: \"" key "\", address: \"fd12:3456:789a::21\" }\n"
    node_fixture_must_reload(&fixture, HEAD "peers:\n" ALICE("lab", KEY, HOME) BOB(OTHER_KEY));
    cr_assert_eq(node_fixture_must_reload(&fixture, HEAD "peers:\n" ALICE("lab", OTHER_KEY, HOME) BOB(KEY)), 2);
    cr_assert_eq(bypeer_model_find_peer(fixture.node.model, KEY), find("bob"));
    cr_assert_eq(bypeer_model_find_peer(fixture.node.model, OTHER_KEY), find("alice"));
}

Test(peers, a_peer_may_change_its_group)
{
    node_fixture_must_reload(&fixture, HEAD "peers:\n" ALICE("lab", KEY, HOME));
    node_fixture_must_reload(&fixture, HEAD "peers:\n" ALICE("games", KEY, "address: \"fdaa::20\""));
    cr_assert_eq(node_fixture_way(&fixture, "fdaa::20").group, find("alice")->group);
    cr_assert_eq(bypeer_model_find_group(fixture.node.model, "lab")->links, 0);
    cr_assert_eq(bypeer_model_find_group(fixture.node.model, "games")->links, 1);
}

Test(peers, a_link_of_the_file_may_become_a_peer)
{
    node_fixture_must_reload(&fixture, HEAD "peers:\n"
                                            "  - { name: beta, group: lab, public-key: \"" KEY "\" }\n"
                                            "members:\n"
                                            "  - { address: \"fd12:3456:789a::2\", link: beta }\n"
                                            "routes:\n"
                                            "  - { prefix: \"fd12:3456:789a:b::/64\", link: beta }\n");
    cr_assert_eq(node_fixture_way(&fixture, "fd12:3456:789a::2").kind, BYPEER_LINK_WIREGUARD);
    cr_assert_eq(node_fixture_way(&fixture, "fd12:3456:789a:b::7").kind, BYPEER_LINK_WIREGUARD);
    node_fixture_must_reload(&fixture, node_fixture_sample);
    cr_assert_eq(node_fixture_way(&fixture, "fd12:3456:789a::2").kind, BYPEER_LINK_FABRIC);
}

static void write_secret(const char *text, mode_t mode, char ret_yaml[static 1024])
{
    char path[128];
    snprintf(path, sizeof(path), "%s/alice.psk", fixture.directory);
    unlink(path);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
    cr_assert_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
    cr_assert_eq(fchmod(file, mode), 0);
    close(file);
    snprintf(ret_yaml, 1024,
             "%speers:\n  - { name: alice, group: lab, public-key: \"%s\", preshared-key-file: \"%s\" }\n", HEAD, KEY,
             path);
}

Test(peers, a_preshared_key_comes_from_a_file_that_is_its_owners)
{
    char yaml[1024], path[128];
    uint8_t expected[32];
    write_secret("short\n", 0600, yaml);
    refuse(yaml, "holds no key");
    write_secret(OTHER_KEY "\n", 0640, yaml);
    refuse(yaml, "others may read");
    cr_assert_null(find("alice"));
    write_secret(OTHER_KEY "\n", 0600, yaml);
    node_fixture_must_reload(&fixture, yaml);
    cr_assert(bypeer_wireguard_key_read(OTHER_KEY, expected));
    cr_assert(find("alice")->has_preshared);
    cr_assert_arr_eq(find("alice")->preshared_key, expected, 32);
    reopen();
    cr_assert_arr_eq(find("alice")->preshared_key, expected, 32);
    node_fixture_must_reload(&fixture, HEAD "peers:\n" ALICE("lab", KEY, HOME));
    cr_assert_not(find("alice")->has_preshared);
    snprintf(path, sizeof(path), "%s/alice.psk", fixture.directory);
    unlink(path);
}

Test(peers, a_file_that_conflicts_with_the_api_is_refused)
{
    cr_assert_eq(add_peer("alice", 1, "fd12:3456:789a::20"), 0);
    char key[64];
    snprintf(key, sizeof(key), "%s", find("alice")->key_text);
    refuse(HEAD "peers:\n" ALICE("lab", KEY, HOME), "link \"alice\" was added by API");
    refuse(HEAD "peers:\n"
                "  - { name: bob, group: lab, public-key: \"" KEY "\", " HOME " }\n",
           "was added by API behind link \"alice\"");
    char yaml[1024];
    snprintf(yaml, sizeof(yaml), HEAD "peers:\n  - { name: bob, group: lab, public-key: \"%s\" }\n", key);
    refuse(yaml, "is that of peer \"alice\", which was added by API");
    cr_assert_not_null(node_fixture_look_up(&fixture, "fd12:3456:789a::20"));
}

Test(peers, one_of_the_file_with_users_by_the_api_stays)
{
    node_fixture_must_reload(&fixture, HEAD "peers:\n" ALICE("lab", KEY, HOME));
    cr_assert_eq(node_fixture_load(&fixture, "alice", (const char *[]){"fd12:3456:789a::30", NULL}, &problem), 100);
    refuse(HEAD, "1 members or routes that were added by API are behind it");
    cr_assert_not_null(node_fixture_look_up(&fixture, "fd12:3456:789a::30"));
}
