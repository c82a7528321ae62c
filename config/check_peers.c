/*
 * WireGuard: peers are links with a key, and often a member; so names are one space with those of links, and addresses
 * one with those of members.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/check.h"
#include "config/value.h"

static const uint8_t zero[32];

static void check_peer_name(struct check *check, uint32_t i)
{
    const struct bypeer_config_peer *peer = &check->config->peers[i];
    char quoted[BYPEER_VALUE_QUOTED + 4];
    uint32_t link;

    if (!peer->name[0])
        return;
    snprintf(quoted, sizeof(quoted), "\"%s\"", peer->name);
    check_once(check, &check->peers, "peers", i, "name", quoted, "choose another");
    link = bypeer_index_find(&check->links, peer->name);
    if (link != BYPEER_INDEX_NONE)
        check_report(check, "peers", i, "name", "%s is that of links[%u] too (line %u); choose another", quoted, link,
                     bypeer_config_line(check->config, "links", link, "name"));
}

static void check_peer_address(struct check *check, uint32_t i)
{
    const struct bypeer_config_peer *peer = &check->config->peers[i];
    char text[BYPEER_VALUE_ADDRESS + sizeof(peer->name)];

    if (!peer->has_address)
        return;
    bypeer_value_write_address(text, peer->address);
    check_once(check, &check->addresses, "peers", i, "address", text, "give each peer its own");
    snprintf(text, sizeof(text), "peer \"%s\"", peer->name);
    if (check->peer_group[i] != BYPEER_INDEX_NONE)
        check_overlay_address(check, "peers", i, peer->address, check->peer_group[i], text);
}

int check_peers(struct check *check)
{
    struct bypeer_config *config = check->config;
    struct bypeer_index keys;

    if (!config->peers)
        return 0;
    if (bypeer_index_make(&keys, config->peers->public_key, sizeof(*config->peers), sizeof(config->peers->public_key),
                          config->peer_count) < 0)
        return -ENOMEM;
    for (uint32_t i = 0; i < config->peer_count && !bypeer_report_full(check->report); i++) {
        const struct bypeer_config_peer *peer = &config->peers[i];

        check->peer_group[i] = check_group_of(check, "peers", i, peer->group);
        check_peer_name(check, i);
        check_peer_address(check, i);
        if (memcmp(peer->public_key, zero, sizeof(peer->public_key)) != 0)
            check_once(check, &keys, "peers", i, "public-key", "the key", "each peer has its own");
        if (peer->endpoint.port)
            check_other_end(check, "peers", i, "endpoint", peer->endpoint.address);
    }
    bypeer_index_free(&keys);
    return 0;
}

/* "host:port", with brackets round an IPv6 address. */
static bool is_host_and_port(const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t host = colon ? (size_t)(colon - text) : 0;
    bool bracketed = text[0] == '[';

    if (host == 0 || strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5 ||
        strtol(colon + 1, NULL, 10) < 1 || strtol(colon + 1, NULL, 10) > UINT16_MAX)
        return false;
    if (bracketed)
        return colon[-1] == ']' && strspn(text + 1, "0123456789abcdefABCDEF:.") == host - 2;
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_") == host;
}

void check_wireguard(struct check *check)
{
    const struct bypeer_config *config = check->config;

    if (config->wireguard.endpoint[0] && !is_host_and_port(config->wireguard.endpoint))
        bypeer_report_add(check->report, bypeer_config_line(config, "wireguard", 0, "endpoint"), "wireguard.endpoint",
                          "\"%.48s\" is no host with a port; write one like hub.example.org:51820 or "
                          "[2001:db8:1::1]:51820",
                          config->wireguard.endpoint);
}
