/*
 * Methods of WireGuard peers: who they are, how they are, and what their configuration files say.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/wireguard_key.h"
#include "control/api/call.h"
#include "control/dataplane/channel.h"
#include "control/wireguard/wireguard.h"
#include "overlay/wireguard/link.h"

#define KEEPALIVE_S 25 /* what keeps a way through usual NATs: wg(8) */
#define PAGE        1000

/* --- how they are --- */

static json_t *peers_describe(const struct bypeer_node *node, const struct bypeer_model_link *link)
{
    const struct bypeer_model_group *group = bypeer_model_group(node->model, link->group);
    const char *why_down = bypeer_model_link_why_down(node->model, link);
    struct bypeer_wireguard_status status = {0};
    if (node->wireguard)
        (void)bypeer_wireguard_peer_status(node->wireguard, link->id, &status);
    json_t *entry =
        json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:i, s:b, s:s, s:b, s:I, s:i, s:i, s:I, s:I, s:o}", "id",
                  (json_int_t)link->id, "name", link->name, "group", group ? group->name : "", "public_key",
                  link->key_text, "address", link->has_address ? call_address_text(link->address) : json_null(),
                  "endpoint", call_underlay_endpoint_text(link->peer, link->peer_port), "configured_endpoint",
                  call_underlay_endpoint_text(link->endpoint, link->endpoint_port), "keepalive", link->persistent_s,
                  "has_preshared_key", link->has_preshared, "path", "hub", "up", !why_down, "last_handshake",
                  (json_int_t)status.last_handshake_unix_s, "attempts", (int)status.attempts, "mtu",
                  bypeer_model_link_mtu(node->model, link), "members", (json_int_t)link->members, "routes",
                  (json_int_t)link->routes, "origin", call_origin(link->line, link->followed));
    if (why_down)
        json_object_set_new(entry, "why_down", json_string(why_down));
    call_add_traffic(node, link, entry);
    return entry;
}

static const struct bypeer_model_link *peers_find(struct call *call, const char *name)
{
    const struct bypeer_model_link *link = bypeer_model_find_link(call->node->model, name);
    if (link && link->live && link->wireguard)
        return link;
    bypeer_problem_set(&call->problem, -ENOENT, "no_such_peer",
                       "peer \"%.64s\"\ndoes not exist\nlist the peers with: bypeer peer", name);
    return NULL;
}

int method_peers_list(struct call *call)
{
    const struct bypeer_model *model = call->node->model;
    const char *group_name = call_string(call, "group");
    const struct bypeer_model_group *group = group_name ? bypeer_model_find_group(model, group_name) : NULL;
    if (group_name && !group)
        return bypeer_problem_set(&call->problem, -ENOENT, "no_such_group",
                                  "group \"%.64s\"\ndoes not exist\nlist the groups with: bypeer groups", group_name);
    size_t limit = (size_t)call_integer(call, "limit", PAGE);
    const struct bypeer_model_link *link = bypeer_model_next_link(model, (uint32_t)call_integer(call, "after", 0));
    uint32_t last = 0;
    json_t *list = json_array();
    for (; link && json_array_size(list) < limit; link = bypeer_model_next_link(model, link->id)) {
        last = link->id;
        if (link->live && link->wireguard && (!group || link->group == group->id))
            json_array_append_new(list, peers_describe(call->node, link));
    }
    call->result = json_pack("{s:o}", "peers", list);
    if (link)
        json_object_set_new(call->result, "next", json_integer(last));
    return 0;
}

int method_peers_show(struct call *call)
{
    const struct bypeer_model_link *link = peers_find(call, call_string(call, "name"));
    if (!link)
        return call->problem.error;
    call->result = peers_describe(call->node, link);
    return 0;
}

/* --- changes --- */

/* address: NULL: the default one; "none": no member. */
static int peers_read_address(struct call *call, const char *address, struct bypeer_model_peer *peer)
{
    const struct bypeer_model_group *group = bypeer_model_find_group(call->node->model, peer->group);
    peer->link.has_address = !address || strcmp(address, "none") != 0;
    if (!peer->link.has_address)
        return 0;
    if (address)
        return call_overlay_address(call, "address", address, peer->link.address);
    if (group)
        bypeer_model_default_address(group, peer->link.public_key, peer->link.address);
    return 0;
}

static int peers_read(struct call *call, const json_t *from, struct bypeer_model_peer *ret_peer)
{
    const char *name = json_string_value(json_object_get(from, "name"));
    const char *group = json_string_value(json_object_get(from, "group"));
    const char *key = json_string_value(json_object_get(from, "public_key"));
    const char *preshared = json_string_value(json_object_get(from, "preshared_key"));
    const char *endpoint = json_string_value(json_object_get(from, "endpoint"));
    const json_t *keepalive = json_object_get(from, "keepalive");
    struct bypeer_model_peer peer = {.link = {.defined = true, .wireguard = true, .has_preshared = preshared != NULL}};
    json_int_t seconds = keepalive ? json_integer_value(keepalive) : KEEPALIVE_S;
    if (!name || !group || !key || seconds < 0 || seconds > UINT16_MAX || (keepalive && !json_is_integer(keepalive)))
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter",
                                  "a peer\nneeds the texts name, group and public_key; keepalive is 0 to 65535\n"
                                  "see bypeer-api(7)");
    peer.link.persistent_s = (uint16_t)seconds;
    /* What is too long is no name, and said so. */
    snprintf(peer.link.name, sizeof(peer.link.name), "%s", strlen(name) < sizeof(peer.link.name) ? name : "");
    snprintf(peer.group, sizeof(peer.group), "%s", strlen(group) < sizeof(peer.group) ? group : "");
    int result = call_key(call, "public_key", key, peer.link.public_key);
    if (result == 0 && preshared)
        result = call_key(call, "preshared_key", preshared, peer.link.preshared_key);
    if (result == 0 && endpoint)
        result = call_underlay_endpoint(call, "endpoint", endpoint, peer.link.endpoint, &peer.link.endpoint_port);
    if (result == 0)
        result = peers_read_address(call, json_string_value(json_object_get(from, "address")), &peer);
    if (result == 0)
        *ret_peer = peer;
    sodium_memzero(peer.link.preshared_key, sizeof(peer.link.preshared_key));
    return result;
}

int method_peers_add(struct call *call)
{
    struct bypeer_model_peer peer;
    int result = peers_read(call, call->parameters, &peer);
    if (result < 0)
        return result;
    result = bypeer_model_add_peers(call->node->model, &peer, 1, &call->problem);
    if (result == 0)
        call->result = json_pack("{s:i, s:o}", "added", 1, "address",
                                 peer.link.has_address ? call_address_text(peer.link.address) : json_null());
    sodium_memzero(&peer, sizeof(peer));
    return result;
}

int method_peers_load(struct call *call)
{
    const json_t *list = json_object_get(call->parameters, "peers");
    size_t count = json_array_size(list);
    struct bypeer_model_peer *peers = calloc(count + 1, sizeof(*peers));
    if (!peers)
        return bypeer_problem_no_memory(&call->problem);
    int result = 0;
    for (size_t at = 0; at < count && result == 0; at++)
        result = peers_read(call, json_array_get(list, at), &peers[at]);
    if (result == 0)
        result = bypeer_model_add_peers(call->node->model, peers, count, &call->problem);
    sodium_memzero(peers, count * sizeof(*peers));
    free(peers);
    return result < 0 ? result : call_number(call, "added", count);
}

int method_peers_remove(struct call *call)
{
    /* A kept one may be removed, too; what is no peer is not found. */
    const char *name = call_string(call, "name");
    const struct bypeer_model_link *link = bypeer_model_find_link(call->node->model, name);
    if (!link || !link->wireguard)
        return peers_find(call, name) ? 0 : call->problem.error;
    int result = bypeer_model_remove_link(call->node->model, name, &call->problem);
    return result < 0 ? result : call_number(call, "removed", 1);
}

int method_peers_set_key(struct call *call)
{
    uint8_t key[32];
    int result = call_key(call, "public_key", call_string(call, "public_key"), key);
    if (result == 0)
        result = bypeer_model_set_peer_key(call->node->model, call_string(call, "name"), key, &call->problem);
    return result < 0 ? result : call_number(call, "replaced", 1);
}

/* --- what their files say --- */

/* The first address that peers can send to, and the port; null: there is none. */
static json_t *peers_own_endpoint(const struct bypeer_config *config)
{
    if (config->wireguard.endpoint[0])
        return json_string(config->wireguard.endpoint);
    if (config->wireguard.address_count > 0)
        return call_underlay_endpoint_text(config->wireguard.addresses[0], config->wireguard.port);
    for (uint32_t port = 0; port < config->port_count; port++)
        if (config->ports[port].address_count > 0)
            return call_underlay_endpoint_text(config->ports[port].addresses[0].address, config->wireguard.port);
    return json_null();
}

static json_t *peers_own_key(const struct bypeer_node *node)
{
    char text[BYPEER_WIREGUARD_KEY_TEXT];
    if (!node->wireguard)
        return json_null();
    bypeer_wireguard_key_write(bypeer_wireguard_public_key(node->wireguard), text);
    return json_string(text);
}

/* What the peer sends to this node: its group, and the routes of the group that lead elsewhere. */
static json_t *peers_allowed(const struct bypeer_node *node, const struct bypeer_model_link *link,
                             const struct bypeer_model_group *group)
{
    const struct bypeer_model *model = node->model;
    const struct bypeer_group *record = bypeer_writer_find_group(node->generation->writer, group->id);
    json_t *list = json_array();
    size_t count;
    const struct bypeer_model_route *routes = bypeer_model_routes(model, &count);
    json_array_append_new(list, call_prefix_text(group->prefix, 48));
    for (size_t at = 0; at < count; at++) {
        const struct bypeer_model_link *way = bypeer_model_link(model, routes[at].link);
        bool inside = routes[at].bits >= 48 && memcmp(routes[at].prefix, group->prefix, 6) == 0;
        if (way && way->group == group->id && way->id != link->id && !inside)
            json_array_append_new(list, call_prefix_text(routes[at].prefix, routes[at].bits));
    }
    if (record && record->multicast_rate > 0)
        json_array_append_new(list, json_string("ff00::/8"));
    return list;
}

int method_peers_config(struct call *call)
{
    const struct bypeer_node *node = call->node;
    const struct bypeer_model_link *link = peers_find(call, call_string(call, "name"));
    const struct bypeer_model_group *group = link ? bypeer_model_group(node->model, link->group) : NULL;
    if (!group)
        return call->problem.error;
    json_t *endpoint = peers_own_endpoint(node->config);
    if (json_is_null(endpoint)) {
        json_decref(endpoint);
        return bypeer_problem_set(&call->problem, -EADDRNOTAVAIL, "no_endpoint",
                                  "peer \"%s\"\nthis node has no address that it could be sent to\n"
                                  "set wireguard.endpoint, or give a port an address",
                                  link->name);
    }
    json_t *dns = json_array();
    for (uint32_t at = 0; at < node->config->wireguard.dns_count; at++)
        json_array_append_new(dns, call_address_text(node->config->wireguard.dns[at]));
    struct bypeer_model_limits limits;
    bypeer_model_limits(node->config, &limits);
    call->result = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:i}", "name", link->name, "group", group->name, "public_key",
        link->key_text, "address", link->has_address ? call_address_text(link->address) : json_null(), "dns", dns,
        "hub_public_key", peers_own_key(node), "endpoint", endpoint, "allowed_ips", peers_allowed(node, link, group),
        "keepalive", link->persistent_s, "mtu", (int)(limits.port_mtu - BYPEER_WIREGUARD_IPV6_OVERHEAD));
    if (link->has_preshared) {
        char text[BYPEER_WIREGUARD_KEY_TEXT];
        bypeer_wireguard_key_write(link->preshared_key, text);
        json_object_set_new(call->result, "preshared_key", json_string(text));
        sodium_memzero(text, sizeof(text));
    }
    return 0;
}

static json_t *peers_listening(const struct bypeer_config *config)
{
    json_t *list = json_array();
    for (uint32_t at = 0; at < config->wireguard.address_count; at++)
        json_array_append_new(list,
                              call_underlay_endpoint_text(config->wireguard.addresses[at], config->wireguard.port));
    for (uint32_t port = 0; port < config->port_count && config->wireguard.address_count == 0; port++)
        for (uint32_t at = 0; at < config->ports[port].address_count; at++)
            json_array_append_new(
                list, call_underlay_endpoint_text(config->ports[port].addresses[at].address, config->wireguard.port));
    return list;
}

int method_wireguard_show(struct call *call)
{
    const struct bypeer_config *config = call->node->config;
    call->result =
        json_pack("{s:o, s:i, s:o, s:o}", "public_key", peers_own_key(call->node), "port", config->wireguard.port,
                  "addresses", peers_listening(config), "endpoint", peers_own_endpoint(config));
    return 0;
}
