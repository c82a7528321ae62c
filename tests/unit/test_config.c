/* What a configuration file may say, and what a person is told when it says something else. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"

#define LAB_GROUP "groups: [{ name: lab, prefix: \"fd12:3456:789a::/48\", vni: 7, address: \"fd12:3456:789a::1\" }]\n"
#define BETA_LINK "links: [{ name: beta, group: lab, peer: \"2001:db8:1::2\" }]\n"

static struct bypeer_config *accept_text(const char *text)
{
    struct bypeer_config *config = NULL;
    struct bypeer_config_errors errors = {0};
    int error = bypeer_config_parse(&config, "test.yaml", text, strlen(text), &errors);
    cr_assert_eq(error, 0, "%s", errors.count ? errors.messages[0] : "no message");
    cr_assert_eq(errors.count, 0);
    return config;
}

/* Refused, with this whole message (after "test.yaml:") among those that are told. */
static void refuse(const char *text, const char *message)
{
    struct bypeer_config *config = NULL;
    struct bypeer_config_errors errors = {0};
    char whole[1024];
    bool told = false;
    snprintf(whole, sizeof(whole), "test.yaml:%s", message);
    cr_expect_eq(bypeer_config_parse(&config, "test.yaml", text, strlen(text), &errors), -EINVAL, "accepted: %s", text);
    cr_expect_null(config);
    for (size_t i = 0; i < errors.count; i++)
        told = told || strcmp(errors.messages[i], whole) == 0;
    cr_expect(told, "no such message: %s\ninstead: %s", whole, errors.count ? errors.messages[0] : "none");
    bypeer_config_errors_free(&errors);
}

static void expect_address(const uint8_t address[static 16], const char *text)
{
    uint8_t expected[16];
    cr_assert_eq(inet_pton(AF_INET6, text, expected), 1);
    cr_expect_arr_eq(address, expected, 16);
}

Test(config, an_empty_file_is_all_defaults)
{
    struct bypeer_config *config = accept_text("");
    char host[64] = "";
    gethostname(host, sizeof(host) - 1);
    cr_expect_str_eq(config->node.name, host);
    cr_expect_str_eq(config->node.state, "/var/lib/bypeer");
    cr_expect_str_eq(config->node.run, "/run/bypeer");
    cr_expect_eq(config->tables.members, 65536);
    cr_expect_eq(config->tables.members_max, 100000000);
    cr_expect_eq(config->tables.links, 1024);
    cr_expect_eq(config->tables.prefixes, 4096);
    cr_expect_str_empty(config->tables.group);
    cr_expect_eq(config->dataplane.workers, 1);
    cr_expect_eq(config->dataplane.core_count, 0);
    cr_expect_eq(config->dataplane.main_core, -1);
    cr_expect_eq(config->dataplane.memory, BYPEER_MEMORY_AUTO);
    cr_expect_eq(config->dataplane.megabytes, 128);
    cr_expect_eq(config->dataplane.idle, BYPEER_IDLE_INTERRUPT);
    cr_expect_eq(config->dataplane.idle_max_us, 1500);
    cr_expect_eq(config->dataplane.burst, 64);
    cr_expect_str_eq(config->dataplane.file_prefix, "bypeer");
    cr_expect_str_eq(config->overlay.tap, "bypeer0");
    cr_expect_eq(config->overlay.mtu, 0);
    cr_expect_eq(config->port_count + config->group_count + config->link_count + config->member_count, 0);
    bypeer_config_free(config);
}

Test(config, every_value_of_a_full_file_arrives)
{
    struct bypeer_config *config = accept_text(
        "node: { name: alpha, state: /s, run: /r }\n"
        "tables: { members: 2000, members-max: 3000, links: 5, prefixes: 6, api-group: staff }\n"
        "dataplane:\n"
        "  workers: 2\n"
        "  cores: [4, 2]\n"
        "  main-core: 0\n"
        "  memory: normal\n"
        "  megabytes: 64\n"
        "  idle: busy\n"
        "  idle-max-us: 100\n"
        "  burst: 32\n"
        "  user: u\n"
        "  group: g\n"
        "  file-prefix: two\n"
        "  eal: \"--log-level=8 --trace=x\"\n"
        "ports:\n"
        "  - name: up\n"
        "    device: \"net_af_xdp0,iface=eth1\"\n"
        "    tap: tap-up\n"
        "    mtu: 9000\n"
        "    queues: 4\n"
        "    addresses: [\"2001:db8:1::1/64\", 192.0.2.1/24]\n"
        "  - { name: down, device: 0000:01:00.0 }\n"
        "overlay: { tap: ov0, mtu: 1400 }\n" LAB_GROUP "links:\n"
        "  - { name: beta, group: lab, peer: \"2001:db8:1::2\" }\n"
        "  - { name: gamma, group: lab, peer: 192.0.2.7, local: 192.0.2.1, vni: 9, udp-port: 5000, mtu: 1300 }\n"
        "members: [{ address: \"fd12:3456:789a::2\", link: beta }]\n"
        "routes: [{ prefix: \"fd12:3456:789a:b::/64\", link: gamma }, { prefix: \"2001:db8:9::/56\", link: beta }]\n");

    cr_expect_str_eq(config->node.name, "alpha");
    cr_expect_str_eq(config->node.run, "/r");
    cr_expect_eq(config->tables.members_max, 3000);
    cr_expect_str_eq(config->tables.group, "staff");
    cr_assert_eq(config->dataplane.core_count, 2);
    cr_expect_eq(config->dataplane.cores[0], 4);
    cr_expect_eq(config->dataplane.cores[1], 2);
    cr_expect_eq(config->dataplane.main_core, 0);
    cr_expect_eq(config->dataplane.memory, BYPEER_MEMORY_NORMAL);
    cr_expect_eq(config->dataplane.idle, BYPEER_IDLE_BUSY);
    cr_expect_str_eq(config->dataplane.eal, "--log-level=8 --trace=x");

    cr_assert_eq(config->port_count, 2);
    cr_expect_eq(config->ports[0].origin.line, 17);
    cr_expect_str_eq(config->ports[0].tap, "tap-up");
    cr_expect_eq(config->ports[0].mtu, 9000);
    cr_expect_eq(config->ports[0].queues, 4);
    cr_assert_eq(config->ports[0].address_count, 2);
    expect_address(config->ports[0].addresses[0].address, "2001:db8:1::1");
    cr_expect_eq(config->ports[0].addresses[0].bits, 64);
    expect_address(config->ports[0].addresses[1].address, "::ffff:192.0.2.1");
    cr_expect_eq(config->ports[0].addresses[1].bits, 96 + 24);
    cr_expect_str_eq(config->ports[1].tap, "bp-down");
    cr_expect_eq(config->ports[1].mtu, 1500);
    cr_expect_eq(config->ports[1].queues, 2, "as many as workers");

    cr_expect_str_eq(config->overlay.tap, "ov0");
    cr_expect_eq(config->overlay.mtu, 1400);
    cr_assert_eq(config->group_count, 1);
    expect_address(config->groups[0].prefix, "fd12:3456:789a::");
    cr_expect_eq(config->groups[0].vni, 7);
    cr_expect_eq(config->groups[0].has_address, 1);

    cr_assert_eq(config->link_count, 2);
    cr_expect_eq(config->links[0].vni, 7, "the group's");
    cr_expect_eq(config->links[0].udp_port, 4790);
    cr_expect_eq(config->links[0].has_local, 0);
    cr_expect_eq(config->links[0].mtu, 0);
    cr_expect_eq(config->links[1].vni, 9);
    cr_expect_eq(config->links[1].udp_port, 5000);
    cr_expect_eq(config->links[1].mtu, 1300);
    expect_address(config->links[1].peer, "::ffff:192.0.2.7");
    expect_address(config->links[1].local, "::ffff:192.0.2.1");
    cr_expect_eq(config->links[1].origin.line, 28);

    cr_assert_eq(config->member_count, 1);
    cr_expect_str_eq(config->members[0].link, "beta");
    cr_assert_eq(config->route_count, 2);
    cr_expect_eq(config->routes[1].bits, 56);
    bypeer_config_free(config);
}

Test(config, wrong_values_are_told_with_range_and_remedy)
{
    refuse("dataplane:\n  burst: 7\n", "2: dataplane.burst: 7 is out of range; use 8 to 128");
    refuse("dataplane: { burst: 99999999999999999999999 }\n",
           "1: dataplane.burst: 99999999999999999999999 is out of range; use 8 to 128");
    refuse("dataplane: { burst: many }\n", "1: dataplane.burst: \"many\" is no whole number; use 8 to 128");
    refuse("dataplane: { burst: -1 }\n", "1: dataplane.burst: \"-1\" is no whole number; use 8 to 128");
    refuse("dataplane: { main-core: all }\n",
           "1: dataplane.main-core: \"all\" is no whole number; use 0 to 1023, or auto");
    refuse("dataplane: { burst: }\n", "1: dataplane.burst: is empty; write one value, or leave the key out");
    refuse("dataplane: { burst: [8] }\n", "1: dataplane.burst: is a list; write one value, or leave the key out");
    refuse("dataplane: { cores: 3 }\n", "1: dataplane.cores: is a single value; write a list such as [2, 3]");
    refuse("dataplane: { workers: 2, cores: [3, 3] }\n", "1: dataplane.cores: holds 3 twice; remove one");
    refuse("dataplane: { workers: 2, cores: [3] }\n",
           "1: dataplane.cores: has 1 cores for 2 workers; list one for each worker");
    refuse("dataplane: { idle: slep }\n", "1: dataplane.idle: \"slep\" is unknown; did you mean \"sleep\"?");
    refuse("dataplane: { memory: gold }\n", "1: dataplane.memory: \"gold\" is unknown; use auto, hugepages or normal");
    refuse("node: { run: run }\n", "1: node.run: \"run\" is no absolute path; begin it with /");
    refuse("node: { name: a b }\n",
           "1: node.name: \"a b\" is no name; use letters, digits, and after the first also . _ -");
    refuse("node: { name: \"\" }\n", "1: node.name: \"\" has 0 bytes; use 1 to 63");
    refuse("overlay: { tap: longer-than-a-device }\n",
           "1: overlay.tap: \"longer-than-a-device\" has 20 bytes; use 1 to 15");
    refuse("dataplane: { eal: \"a\\nb\" }\n", "1: dataplane.eal: \"a?b\" holds a control character; remove it");
    refuse("tables: { members: 5000, members-max: 2000 }\n",
           "1: tables.members-max: 2000 is less than the 5000 of tables.members; use 5000 or more");
}

Test(config, wrong_addresses_are_told)
{
    refuse(LAB_GROUP "links: [{ name: b, group: lab, peer: here }]\n",
           "2: links[0].peer: \"here\" is no IP address; write one like 2001:db8:1::2 or 192.0.2.2");
    refuse(LAB_GROUP "links: [{ name: b, group: lab, peer: 192.0.2.1/24 }]\n",
           "2: links[0].peer: \"192.0.2.1/24\" is no IP address; write one like 2001:db8:1::2 or 192.0.2.2, without a "
           "prefix length");
    refuse(LAB_GROUP "links: [{ name: b, group: lab, peer: 224.0.0.1 }]\n",
           "2: links[0].peer: \"224.0.0.1\" is no host's address; use a unicast address of the underlay");
    refuse(LAB_GROUP "links: [{ name: b, group: lab, peer: \"fe80::1\" }]\n",
           "2: links[0].peer: \"fe80::1\" is link-local; use an address that is routed");
    refuse(LAB_GROUP BETA_LINK "members: [{ address: 10.0.0.1, link: beta }]\n",
           "3: members[0].address: \"10.0.0.1\" is no IPv6 address; write one like fd12:3456:789a::2");
    refuse("groups: [{ name: lab, prefix: \"fd12:3456:789a:1::/48\", vni: 7 }]\n",
           "1: groups[0].prefix: \"fd12:3456:789a:1::/48\" has bits set beyond its length; write fd12:3456:789a::/48");
    refuse("groups: [{ name: lab, prefix: \"fd12:3456:789a::/56\", vni: 7 }]\n",
           "1: groups[0].prefix: \"fd12:3456:789a::/56\" has 56 bits; use /48");
    refuse("groups: [{ name: lab, prefix: \"2001:db8:1::/48\", vni: 7 }]\n",
           "1: groups[0].prefix: 2001:db8:1::/48 is not from fd00::/8; use an RFC 4193 prefix");
    refuse(LAB_GROUP BETA_LINK "routes: [{ prefix: \"::/0\", link: beta }]\n",
           "3: routes[0].prefix: \"::/0\" has 0 bits; use /16 to /128");
    refuse(LAB_GROUP BETA_LINK "routes: [{ prefix: \"ff0e::/16\", link: beta }]\n",
           "3: routes[0].prefix: \"ff0e::/16\" is no network of hosts; use a unicast prefix");
    refuse(
        "ports: [{ name: up, device: x, addresses: [\"2001:db8::1\"] }]\n",
        "1: ports[0].addresses: \"2001:db8::1\" is no address with a prefix length; write one like 2001:db8:1::1/64 or "
        "192.0.2.1/24");
    refuse("ports: [{ name: up, device: x, addresses: [\"192.0.2.1/33\"] }]\n",
           "1: ports[0].addresses: \"192.0.2.1/33\" is no address with a prefix length; write one like "
           "2001:db8:1::1/64 or "
           "192.0.2.1/24");
}

Test(config, unknown_names_are_told_with_what_was_meant)
{
    refuse("prots: []\n", "1: \"prots\": unknown section; did you mean \"ports\"?");
    refuse("xyzzy: 1\n", "1: \"xyzzy\": unknown section; see `bypeer config explain`");
    refuse("node:\n  nmae: a\n", "2: node.nmae: unknown key; did you mean \"name\"?");
    refuse("tables: { members_max: 2000 }\n", "1: tables.members_max: unknown key; did you mean \"members-max\"?");
    refuse("tables: { colour: red }\n", "1: tables.colour: unknown key; see `bypeer config explain tables`");
    refuse(LAB_GROUP "links: [{ name: b, group: lub, peer: 192.0.2.1 }]\n",
           "2: links[0].group: \"lub\" is in no entry of groups; did you mean \"lab\"?");
    refuse(LAB_GROUP BETA_LINK "members: [{ address: \"fd12:3456:789a::2\", link: omicron }]\n",
           "3: members[0].link: \"omicron\" is in no entry of links or peers; add it there");
    refuse(LAB_GROUP BETA_LINK "routes: [{ prefix: \"fd12:3456:789a:b::/64\", link: bta }]\n",
           "3: routes[0].link: \"bta\" is in no entry of links or peers; did you mean \"beta\"?");
}

Test(config, a_required_key_that_is_missing_is_told)
{
    refuse("links:\n  - name: b\n    peer: 192.0.2.1\n", "2: links[0]: has no group; add one such as group: lab");
    refuse("ports: [{ name: up }]\n", "1: ports[0]: has no device; add one such as device: \"net_af_xdp0,iface=eth1\"");
    refuse("groups: [ x ]\n", "1: groups[0]: is a single value; write a mapping such as { name: ... }");
    refuse("groups: x\n", "1: groups: is a single value; write a list, each entry beginning with - name:");
    refuse("node: [1]\n", "1: node: is a list; write a mapping such as { name: ... }");
    refuse("- a\n", "1: the file is a list; write a mapping of sections such as node: and groups:");
}

Test(config, what_is_there_twice_is_told_with_both_lines)
{
    refuse("node: { name: a }\nnode: { name: b }\n", "2: node: is given twice, first in line 1; join the two");
    refuse("node:\n  name: a\n  name: b\n", "3: node.name: is given twice, first in line 2; remove one");
    refuse("groups:\n- { name: lab, prefix: \"fd12:3456:789a::/48\", vni: 1 }\n"
           "- { name: lab, prefix: \"fd12:3456:789b::/48\", vni: 1 }\n",
           "3: groups[1].name: \"lab\" is that of groups[0] too (line 2); choose another");
    refuse("groups:\n- { name: a, prefix: \"fd12:3456:789a::/48\", vni: 1 }\n"
           "- { name: b, prefix: \"fd12:3456:789a::/48\", vni: 1 }\n",
           "3: groups[1].prefix: fd12:3456:789a::/48 is that of groups[0] too (line 2); give each group its own");
    refuse(LAB_GROUP "links:\n- { name: b, group: lab, peer: 192.0.2.1 }\n- { name: b, group: lab, peer: 192.0.2.2 }\n",
           "4: links[1].name: \"b\" is that of links[0] too (line 3); choose another");
    refuse(LAB_GROUP "links:\n- { name: b, group: lab, peer: 192.0.2.1 }\n"
                     "- { name: c, group: lab, peer: 192.0.2.1, vni: 7 }\n",
           "4: links[1].peer: 192.0.2.1 with VNI 7 is that of links[0] too (line 3); agree on another vni");
    refuse(LAB_GROUP BETA_LINK "members:\n- { address: \"fd12:3456:789a::2\", link: beta }\n"
                               "- { address: \"fd12:3456:789a:0::2\", link: beta }\n",
           "5: members[1].address: fd12:3456:789a::2 is that of members[0] too (line 4); remove one");
    refuse(LAB_GROUP BETA_LINK "routes:\n- { prefix: \"fd12:3456:789a:b::/64\", link: beta }\n"
                               "- { prefix: \"fd12:3456:789a:b::/64\", link: beta }\n",
           "5: routes[1].prefix: fd12:3456:789a:b::/64 is that of routes[0] too (line 4); remove one");
    refuse("ports:\n- { name: a, device: x, tap: t }\n- { name: b, device: y, tap: t }\n",
           "3: ports[1].tap: \"t\" is that of ports[0] too (line 2); choose another");
    refuse("ports:\n- { name: a, device: x }\n- { name: b, device: x }\n",
           "3: ports[1].device: \"x\" is that of ports[0] too (line 2); one port drives it");
    refuse("ports:\n- { name: a, device: x, addresses: [192.0.2.1/24] }\n"
           "- { name: b, device: y, addresses: [192.0.2.1/25] }\n",
           "3: ports[1].addresses: 192.0.2.1 is an address of ports[0] too (line 2); remove one");
}

Test(config, the_same_peer_twice_needs_two_vnis)
{
    struct bypeer_config *config = accept_text(LAB_GROUP "links:\n- { name: b, group: lab, peer: 192.0.2.1 }\n"
                                                         "- { name: c, group: lab, peer: 192.0.2.1, vni: 8 }\n");
    cr_expect_eq(config->link_count, 2);
    bypeer_config_free(config);
}

Test(config, addresses_must_fit_their_group)
{
    refuse("groups: [{ name: lab, prefix: \"fd12:3456:789a::/48\", vni: 7, address: \"fd12:3456:789b::1\" }]\n",
           "1: groups[0].address: fd12:3456:789b::1 is not in the group's prefix fd12:3456:789a::/48; use an address "
           "of it");
    refuse(
        "groups: [{ name: lab, prefix: \"fd12:3456:789a::/48\", vni: 7, address: \"fd12:3456:789a::\" }]\n",
        "1: groups[0].address: fd12:3456:789a:: is the prefix itself; use an address in it such as fd12:3456:789a::1");
    refuse(
        LAB_GROUP BETA_LINK "members: [{ address: \"fd99::2\", link: beta }]\n",
        "3: members[0].address: fd99::2 is not in fd12:3456:789a::/48, the prefix of group \"lab\" that link \"beta\" "
        "carries; use an address of it");
    refuse(LAB_GROUP BETA_LINK "members: [{ address: \"fd12:3456:789a::1\", link: beta }]\n",
           "3: members[0].address: fd12:3456:789a::1 is this node's own address in group \"lab\" (line 1); remove the "
           "member");
    refuse(
        "groups:\n- { name: a, prefix: \"fd12:3456:789a::/48\", vni: 1 }\n"
        "- { name: b, prefix: \"fd12:3456:789b::/48\", vni: 1 }\n"
        "links: [{ name: to-a, group: a, peer: 192.0.2.1 }]\n"
        "routes: [{ prefix: \"fd12:3456:789b:5::/64\", link: to-a }]\n",
        "5: routes[0].prefix: fd12:3456:789b:5::/64 is in the prefix of group \"b\", but link \"to-a\" carries group "
        "\"a\"; use a link of \"b\"");
}

Test(config, a_link_must_lead_elsewhere)
{
    refuse(LAB_GROUP "links: [{ name: b, group: lab, peer: \"fd12:3456:789a::9\" }]\n",
           "2: links[0].peer: fd12:3456:789a::9 is an overlay address of group \"lab\"; use the peer's address in the "
           "underlay");
    refuse("ports: [{ name: up, device: x, addresses: [192.0.2.1/24] }]\n" LAB_GROUP
           "links: [{ name: b, group: lab, peer: 192.0.2.1 }]\n",
           "3: links[0].peer: 192.0.2.1 is this node's own address on port up; use the peer's");
    refuse(LAB_GROUP "links: [{ name: b, group: lab, peer: 192.0.2.1, local: \"2001:db8::1\" }]\n",
           "2: links[0].local: is IPv6, but the peer 192.0.2.1 is IPv4; use two addresses of one kind");
}

Test(config, clouds_and_their_defaults)
{
    struct bypeer_config *config =
        accept_text("names: { nss: false, dns: [\"[::1]:5353\", \"127.0.0.1:53\"], ids-max: 2000 }\n"
                    "clouds:\n"
                    "  - { name: global, seeds: [\"[2001:db8::1]:3541\"], cache: 100 }\n"
                    "  - { name: old, profile: windows, addresses: [\"2001:db8::7\"] }\n"
                    "  - { name: home, scope: link, interface: eth0, port: 4000 }\n");
    cr_expect_eq(config->names.nss, 0);
    cr_expect_eq(config->names.unsecured, 0);
    cr_expect_eq(config->names.ids, 2000, "no more than the most");
    cr_assert_eq(config->names.dns_count, 2);
    expect_address(config->names.dns[0].address, "::1");
    expect_address(config->names.dns[1].address, "::ffff:127.0.0.1");
    cr_expect_eq(config->names.dns[1].port, 53);
    cr_assert_eq(config->cloud_count, 3);
    cr_expect_eq(config->clouds[0].port, 3541);
    cr_expect_eq(config->clouds[0].ssdp, BYPEER_SWITCH_OFF);
    cr_expect_eq(config->clouds[0].cache, 100);
    cr_assert_eq(config->clouds[0].seed_count, 1);
    expect_address(config->clouds[0].seeds[0].address, "2001:db8::1");
    cr_expect_eq(config->clouds[0].seeds[0].port, 3541);
    cr_expect_eq(config->clouds[1].profile, BYPEER_CLOUD_WINDOWS);
    cr_expect_eq(config->clouds[1].port, 3540);
    expect_address(config->clouds[1].addresses[0], "2001:db8::7");
    cr_expect_eq(config->clouds[2].port, 4000);
    cr_expect_eq(config->clouds[2].ssdp, BYPEER_SWITCH_ON);
    bypeer_config_free(config);
}

Test(config, clouds_must_be_apart_and_within_their_scope)
{
    refuse("clouds: [{ name: a, scope: link }]",
           "1: clouds[0].scope: is link, but there is no interface; add one such as eth0");
    refuse("clouds: [{ name: a, interface: eth0 }]",
           "1: clouds[0].interface: \"eth0\" is for scope link; remove it, or add scope: link");
    refuse("clouds: [{ name: a, addresses: [\"fe80::1\"] }]", "1: clouds[0].addresses: fe80::1 is link-local, but the "
                                                              "cloud's scope is global; use an address that is routed");
    refuse("clouds: [{ name: a, addresses: [\"::1\", \"2001:db8::1\"] }]",
           "1: clouds[0].addresses: has ::1 among others; a cloud on this host alone has only that");
    refuse("clouds: [{ name: a, seeds: [\"192.0.2.1:3541\"] }]",
           "1: clouds[0].seeds: 192.0.2.1 is IPv4; PNRP knows IPv6 only");
    refuse("clouds: [{ name: a, seeds: [\"[2001:db8::1]:1024\"] }]",
           "1: clouds[0].seeds: \"[2001:db8::1]:1024\" has a port out of range; use 1025 to 65535");
    refuse("clouds: [{ name: a, seeds: [\"2001:db8::1:3541\"] }]",
           "1: clouds[0].seeds: \"2001:db8::1:3541\" is no address with a port; write one like [2001:db8::1]:3541");
    refuse("clouds:\n- { name: a }\n- { name: a, port: 4000 }",
           "3: clouds[1].name: \"a\" is that of clouds[0] too (line 2); choose another");
    refuse("clouds:\n- { name: a }\n- { name: b }",
           "3: clouds[1].port: 3541 is that of clouds[0] too, on the same addresses; give one of them another port or "
           "other addresses");
    refuse(
        "clouds:\n- { name: a, scope: link, interface: e }\n- { name: b, scope: link, interface: e, port: 4000 }",
        "3: clouds[1].ssdp: finds the nodes of clouds[0] too, and theirs find this one: they would become one cloud; "
        "use ssdp: false and seeds in one of them");
    refuse("names: { dns: [\"[::1]:53\", \"[::]:53\"] }",
           "1: names.dns: :: stands for all addresses, and answers would come from another than was asked; write each "
           "address that is to be asked");
    refuse("names: { dns: [\"0.0.0.0:53\"] }",
           "1: names.dns: 0.0.0.0 stands for all addresses, and answers would come from another than was asked; write "
           "each address that is to be asked");
    refuse("names: { ids: 3000, ids-max: 2000 }", "1: names.ids: 3000 is more than ids-max, 2000; lower it");
}

Test(config, device_names_must_fit_the_kernel)
{
    refuse("ports: [{ name: a-rather-long-name, device: x }]\n",
           "1: ports[0].name: \"a-rather-long-name\" is too long for a device name bp-a-rather-long-name; add tap: "
           "with at "
           "most 15 bytes, or use a name of at most 12");
    refuse("ports: [{ name: up, device: x, tap: bypeer0 }]\n",
           "1: ports[0].tap: \"bypeer0\" is the overlay's device; choose another");
}

Test(config, lists_must_fit_the_tables)
{
    refuse("tables:\n  links: 1\n" LAB_GROUP
           "links: [{ name: b, group: lab, peer: 192.0.2.1 }, { name: c, group: lab, peer: 192.0.2.2 }]\n",
           "2: tables.links: 1 is less than the 2 entries of links and peers; use 2 or more");
}

Test(config, all_that_is_wrong_is_told_in_the_order_of_the_file)
{
    static const char text[] = "node: { run: x }\n"
                               "links:\n"
                               "- { name: b, group: nix, peer: y }\n"
                               "dataplane: { burst: 1 }\n"
                               "bogus: 1\n";
    struct bypeer_config *config = NULL;
    struct bypeer_config_errors errors = {0};
    unsigned last = 0;
    cr_assert_eq(bypeer_config_parse(&config, "t", text, strlen(text), &errors), -EINVAL);
    cr_expect_eq(errors.count, 5);
    for (size_t i = 0; i < errors.count; i++) {
        unsigned line = 0;
        cr_assert_eq(sscanf(errors.messages[i], "t:%u:", &line), 1, "%s", errors.messages[i]);
        cr_expect(line >= last);
        last = line;
    }
    bypeer_config_errors_free(&errors);
}

Test(config, a_file_that_is_wrong_everywhere_ends_with_a_count)
{
    struct bypeer_config *config = NULL;
    struct bypeer_config_errors errors = {0};
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    fputs("members:\n", out);
    for (int i = 0; i < 5000; i++)
        fputs("- { address: x, link: y }\n", out);
    fclose(out);
    cr_assert_eq(bypeer_config_parse(&config, "t", text, bytes, &errors), -EINVAL);
    cr_expect_eq(errors.count, 1001);
    cr_expect_not_null(strstr(errors.messages[1000], "further errors"));
    bypeer_config_errors_free(&errors);
    free(text);
}

Test(config, what_is_no_yaml_is_told_with_its_line)
{
    refuse("node: { name: a\nports: []\n",
           "2: not YAML: did not find expected ',' or '}'; check colons, brackets, quotes and indentation up to here");
    refuse(
        "node:\n\tname: a\n",
        "2: not YAML: found character that cannot start any token; indent with spaces, not tabs, and quote values that "
        "begin with a special character");
    refuse("node: { name: a }\n---\nnode: { name: b }\n", "2: a second document begins here; keep one");
    refuse("? [a, b]\n: 1\n", "1: a list or mapping is no key; use a name");
    refuse("node: { name: \"a\\0b\" }\n", "1: a value holds a zero byte; remove it");
    refuse("a: [[[[[[[[[[1]]]]]]]]]]\n", "1: is nested deeper than 8 levels; no key needs that");
}

Test(config, anchors_are_references)
{
    struct bypeer_config *config =
        accept_text("groups:\n- &lab { name: lab, prefix: \"fd12:3456:789a::/48\", vni: &v 7 }\n"
                    "- { name: two, prefix: \"fd12:3456:789b::/48\", vni: *v }\n");
    cr_expect_eq(config->groups[1].vni, 7);
    bypeer_config_free(config);
    refuse("node: *x\n", "1: *x has no anchor; write &x before the value it stands for");
    refuse("node: &x { name: *x }\n", "1: *x stands inside &x itself; write the value out");
    refuse("&a node: { name: a }\n*a : 1\n", "2: *a has no anchor; write &a before the value it stands for");
}

Test(config, a_bomb_of_aliases_is_refused_at_once)
{
    refuse("a: &a [x,x,x,x,x,x,x,x,x]\n"
           "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
           "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
           "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
           "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
           "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
           "g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n"
           "h: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n"
           "ports: *h\n",
           "7: ports[0]: is a list; write a mapping such as { name: ... }");
}

Test(config, a_list_of_a_hundred_thousand_members)
{
    struct bypeer_config *config;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    fputs(LAB_GROUP BETA_LINK "members:\n", out);
    for (int i = 0; i < 100000; i++)
        fprintf(out, "- { address: \"fd12:3456:789a:1:%x:%x::\", link: beta }\n", i & 0xff, i >> 8);
    fclose(out);
    config = accept_text(text);
    cr_expect_eq(config->member_count, 100000);
    expect_address(config->members[0x12345].address, "fd12:3456:789a:1:45:123::");
    cr_expect_eq(config->members[99999].origin.line, 100003);
    bypeer_config_free(config);
    free(text);
}

Test(config, a_file_that_cannot_be_read_is_told)
{
    struct bypeer_config *config = NULL;
    struct bypeer_config_errors errors = {0};
    cr_expect_eq(bypeer_config_load(&config, "/nowhere/bypeer.yaml", &errors), -ENOENT);
    cr_assert_eq(errors.count, 1);
    cr_expect_str_eq(errors.messages[0],
                     "/nowhere/bypeer.yaml: cannot be read: No such file or directory; name a readable "
                     "file with --config");
    bypeer_config_errors_free(&errors);
    cr_expect_eq(bypeer_config_load(&config, "/", NULL), -EISDIR);
}

Test(config, a_relay_needs_a_prefix_of_its_own)
{
    struct bypeer_config *config =
        accept_text("relay: { prefix: \"2001:db8:1:5::/64\", on-link: true, ipv4-ports: \"52000-59999\" }\n");
    expect_address(config->relay.prefix, "2001:db8:1:5::");
    cr_expect_eq(config->relay.bits, 64);
    cr_expect_eq(config->relay.port, 51820);
    cr_expect_eq(config->relay.on_link, 1);
    cr_expect_eq(config->relay.port_low, 52000);
    cr_expect_eq(config->relay.port_high, 59999);
    bypeer_config_free(config);

    refuse("relay: { prefix: \"2001:db8:1:5::/96\" }\n",
           "1: relay.prefix: \"2001:db8:1:5::/96\" has 96 bits; use /16 to /80");
    refuse("ports: [{ name: up, device: a, addresses: [\"2001:db8:1::1/64\"] }]\n"
           "relay: { prefix: \"2001:db8:1::/64\" }\n",
           "2: relay.prefix: holds 2001:db8:1::1, this node's own address on port up; use a prefix without own "
           "addresses, such as another /80 of the network");
    refuse(LAB_GROUP "relay: { prefix: \"fd12:3456:789a:5::/64\" }\n",
           "2: relay.prefix: overlaps the prefix of group \"lab\"; use a prefix of the underlay");
    refuse("relay: { ipv4-ports: \"52000-59999\" }\n",
           "1: relay.ipv4-ports: needs relay.prefix; add it, or remove this");
    refuse("wireguard: { addresses: [\"2001:db8:1:5::9\"] }\n"
           "relay: { prefix: \"2001:db8:1:5::/64\" }\n",
           "2: relay.prefix: holds 2001:db8:1:5::9, which wireguard.addresses has; use a prefix without own addresses");
    refuse("relay: { prefix: \"2001:db8:1:5::/64\", ipv4-ports: \"51000-51999\" }\n",
           "1: relay.ipv4-ports: holds 51820, which is wireguard.port; use other ports");
    refuse("clouds: [{ name: work, port: 52001 }]\n"
           "relay: { prefix: \"2001:db8:1:5::/64\", ipv4-ports: \"52000-52999\" }\n",
           "2: relay.ipv4-ports: holds 52001, the port of cloud \"work\"; use other ports");
    static const char *const wrong[] = {"52000", "1023-2000", "60000-70000", "5-4", "-1-2000", "2000-", "3000-2000"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[128], message[256];
        snprintf(text, sizeof(text), "relay: { prefix: \"2001:db8:1:5::/64\", ipv4-ports: \"%s\" }\n", wrong[i]);
        snprintf(message, sizeof(message),
                 "1: relay.ipv4-ports: \"%s\" is no range of ports; write one from 1024 to 65535 like 52000-59999",
                 wrong[i]);
        refuse(text, message);
    }
}
