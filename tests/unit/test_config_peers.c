/* The sections wireguard and peers: what is read, and what is wrong in a file with its line and remedy. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "config/show.h"
#include "config/wireguard_key.h"

#define KEY                   "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
#define OTHER_KEY             "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
#define LAB                   "groups: [{ name: lab, prefix: \"fd12:3456:789a::/48\", vni: 7, address: \"fd12:3456:789a::1\" }]\n"
#define PEER(name, key, rest) "  - { name: " name ", group: lab, public-key: \"" key "\"" rest " }\n"

static struct bypeer_config *accept_text(const char *text)
{
    struct bypeer_config *config = NULL;
    struct bypeer_config_errors errors = {0};
    int error = bypeer_config_parse(&config, "test.yaml", text, strlen(text), &errors);
    cr_assert_eq(error, 0, "%s", errors.count ? errors.messages[0] : "no message");
    return config;
}

/* Refused, with this part in one of the messages. */
static void refuse(const char *text, const char *part)
{
    struct bypeer_config *config = NULL;
    struct bypeer_config_errors errors = {0};
    bool told = false;
    cr_expect_eq(bypeer_config_parse(&config, "test.yaml", text, strlen(text), &errors), -EINVAL, "accepted: %s", text);
    for (size_t i = 0; i < errors.count; i++) {
        told = told || strstr(errors.messages[i], part);
        cr_expect_null(strstr(errors.messages[i], KEY), "a message repeats a key: %s", errors.messages[i]);
    }
    cr_expect(told, "no such message: %s\ninstead: %s", part, errors.count ? errors.messages[0] : "none");
    bypeer_config_errors_free(&errors);
}

Test(config_peers, a_file_without_them_has_the_usual_port_and_no_peer)
{
    struct bypeer_config *config = accept_text("");
    cr_expect_eq(config->wireguard.port, 51820);
    cr_expect_str_empty(config->wireguard.private_key);
    cr_expect_eq(config->wireguard.address_count + config->wireguard.dns_count + config->peer_count, 0);
    bypeer_config_free(config);
}

Test(config_peers, all_of_a_peer_is_read)
{
    uint8_t key[32];
    struct bypeer_config *config = accept_text(
        LAB "wireguard: { port: 443, addresses: [\"192.0.2.1\", \"2001:db8::1\"], endpoint: hub.example.org:443,\n"
            "  dns: [\"fd12:3456:789a::1\"] }\n"
            "peers:\n" PEER("alice", KEY,
                            ", address: \"fd12:3456:789a::20\", endpoint: \"192.0.2.9:4242\", "
                            "keepalive: 0, preshared-key-file: /etc/alice.psk")
                PEER("beta", OTHER_KEY, "") "members: [{ address: \"fd12:3456:789a::2\", link: beta }]\n"
                                            "routes: [{ prefix: \"fd77::/48\", link: alice }]\n");
    const struct bypeer_config_peer *alice = &config->peers[0], *beta = &config->peers[1];
    cr_expect_eq(config->wireguard.port, 443);
    cr_expect_eq(config->wireguard.address_count, 2);
    cr_expect_str_eq(config->wireguard.endpoint, "hub.example.org:443");
    cr_expect_eq(config->wireguard.dns_count, 1);
    cr_assert(bypeer_wireguard_key_read(KEY, key));
    cr_expect_arr_eq(alice->public_key, key, 32);
    cr_expect(alice->has_address);
    cr_expect_eq(alice->endpoint.port, 4242);
    cr_expect_eq(alice->keepalive, 0);
    cr_expect_str_eq(alice->preshared_key_file, "/etc/alice.psk");
    cr_expect_not(beta->has_address);
    cr_expect_eq(beta->endpoint.port, 0);
    cr_expect_eq(beta->keepalive, 25);
    bypeer_config_free(config);
}

Test(config_peers, what_is_wrong_is_told)
{
    refuse(LAB "peers:\n" PEER("a", "short", ""), "peers[0].public-key: is no WireGuard key");
    refuse(LAB "peers:\n" PEER("a", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", ""),
           "peers[0].public-key: is no WireGuard key");
    refuse(LAB "peers:\n  - { name: a, group: lab }\n", "peers[0]: has no public-key");
    refuse(LAB "peers:\n  - { name: a, group: lba, public-key: \"" KEY "\" }\n", "did you mean \"lab\"?");
    refuse(LAB "peers:\n" PEER("a", KEY, "") PEER("a", OTHER_KEY, ""), "\"a\" is that of peers[0] too (line 3)");
    refuse(LAB "peers:\n" PEER("a", KEY, "") PEER("b", KEY, ""), "the key is that of peers[0] too (line 3)");
    refuse(LAB "links: [{ name: a, group: lab, peer: \"2001:db8::2\" }]\npeers:\n" PEER("a", KEY, ""),
           "\"a\" is that of links[0] too");
    refuse(LAB "peers:\n" PEER("a", KEY, ", address: \"fdaa::2\""), "peers[0].address: fdaa::2 is not in");
    refuse(LAB "peers:\n" PEER("a", KEY, ", address: \"fd12:3456:789a::1\""), "this node's own address");
    refuse(LAB "peers:\n" PEER("a", KEY, ", address: \"fd12:3456:789a::2\"")
               PEER("b", OTHER_KEY, ", address: \"fd12:3456:789a::2\""),
           "fd12:3456:789a::2 is that of peers[0] too");
    refuse(LAB "peers:\n" PEER(
               "a", KEY, ", address: \"fd12:3456:789a::2\"") "members: [{ address: \"fd12:3456:789a::2\", link: a }]\n",
           "members[0].address: fd12:3456:789a::2 is that of peers[0] too");
    refuse(LAB "peers:\n" PEER("a", KEY, ", endpoint: \"192.0.2.9\""), "is no address with a port");
    refuse(LAB "peers:\n" PEER("a", KEY, ", endpoint: \"[::]:51820\""), "is no host's address that is routed");
    refuse(LAB "peers:\n" PEER("a", KEY, ", endpoint: \"[fd12:3456:789a::9]:51820\""),
           "is an overlay address of group \"lab\"");
    refuse("tables: { links: 1 }\n" LAB "peers:\n" PEER("a", KEY, "") PEER("b", OTHER_KEY, ""),
           "1 is less than the 2 entries of links and peers");
    static const char *const endpoints[] = {"hub", "hub:0", "hub:65536", "2001:db8::1:443", "\"[hub]:1\"", "a b:1"};
    for (size_t at = 0; at < sizeof(endpoints) / sizeof(endpoints[0]); at++) {
        char text[128];
        snprintf(text, sizeof(text), "wireguard: { endpoint: %s }\n", endpoints[at]);
        refuse(text, "is no host with a port");
    }
}

static int find_value(void *context, const struct bypeer_show_value *value)
{
    const char **wanted = context;
    if (strcmp(value->path, wanted[0]) == 0)
        cr_expect_str_eq(value->value, wanted[1]);
    return 0;
}

Test(config_peers, values_are_shown_as_they_are_written)
{
    static const char *const values[][2] = {{"peers[0].public-key", "\"" KEY "\""},
                                            {"peers[0].endpoint", "\"192.0.2.9:4242\""},
                                            {"peers[1].endpoint", ""},
                                            {"wireguard.addresses", "[192.0.2.1]"}};
    struct bypeer_config *config = accept_text(LAB "wireguard: { addresses: [\"192.0.2.1\"] }\npeers:\n" PEER(
        "a", KEY, ", endpoint: \"192.0.2.9:4242\"") PEER("b", OTHER_KEY, ""));
    for (size_t at = 0; at < sizeof(values) / sizeof(values[0]); at++)
        bypeer_config_show(config, find_value, (void *)values[at]);
    bypeer_config_free(config);
}
