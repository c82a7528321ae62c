#include "config/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/value.h"

#define CANDIDATES  1000u /* names that "did you mean" looks at */
#define GROUP_BYTES 6u    /* of an overlay address: the /48 */

static const uint8_t zero[16];

void check_report(struct check *check, const char *section, uint32_t entry, const char *key, const char *format, ...)
{
    uint32_t line = bypeer_config_line(check->config, section, entry, key);
    char path[64];
    char text[512];
    va_list arguments;

    snprintf(path, sizeof(path), "%s[%u].%s", section, entry, key);
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    bypeer_report_add(check->report, line, path, "%s", text);
}

static const char *check_group_name(const void *context, unsigned i)
{
    const struct bypeer_config *config = context;

    return i < config->group_count && i < CANDIDATES ? config->groups[i].name : NULL;
}

static const char *check_link_name(const void *context, unsigned i)
{
    const struct bypeer_config *config = context;

    if (i >= config->link_count + config->peer_count || i >= CANDIDATES)
        return NULL;
    return i < config->link_count ? config->links[i].name : config->peers[i - config->link_count].name;
}

/* Says that nothing has that name, and which one is like it. */
static void check_unknown(struct check *check, const char *section, uint32_t entry, const char *key, const char *name,
                          const char *list, const char *(*get)(const void *context, unsigned i))
{
    const char *nearest = bypeer_schema_nearest(name, get, check->config);

    if (nearest) {
        check_report(check, section, entry, key, "\"%s\" is in no entry of %s; did you mean \"%s\"?", name, list,
                     nearest);
    } else {
        check_report(check, section, entry, key, "\"%s\" is in no entry of %s; add it there", name, list);
    }
}

void check_once(struct check *check, struct bypeer_index *index, const char *section, uint32_t entry, const char *key,
                const char *value, const char *remedy)
{
    uint32_t first = bypeer_index_add(index, entry);

    if (first != BYPEER_INDEX_NONE) {
        check_report(check, section, entry, key, "%s is that of %s[%u] too (line %u); %s", value, section, first,
                     bypeer_config_line(check->config, section, first, key), remedy);
    }
}

uint32_t check_group_of(struct check *check, const char *section, uint32_t entry, const char *name)
{
    uint32_t group = name[0] ? bypeer_index_find(&check->groups, name) : BYPEER_INDEX_NONE;

    if (name[0] && group == BYPEER_INDEX_NONE)
        check_unknown(check, section, entry, "group", name, "groups", check_group_name);
    return group;
}

static bool in_group(const struct bypeer_config_group *group, const uint8_t address[static 16])
{
    return memcmp(group->prefix, address, GROUP_BYTES) == 0;
}

/* --- node, tables, data plane ------------------------------------------------------------------------------------ */

static void check_node(struct check *check)
{
    struct bypeer_config *config = check->config;
    char host[sizeof(config->node.name)] = "";

    if (config->node.name[0])
        return;
    if (gethostname(host, sizeof(host) - 1) < 0 || !host[0])
        snprintf(host, sizeof(host), "localhost");
    memcpy(config->node.name, host, sizeof(host));
}

static void check_room(struct check *check, const char *what, uint64_t count, const char *key, uint64_t room)
{
    char path[64];

    if (room && count > room) {
        snprintf(path, sizeof(path), "tables.%s", key);
        bypeer_report_add(check->report, bypeer_config_line(check->config, "tables", 0, key), path,
                          "%lu is less than the %lu %s; use %lu or more", (unsigned long)room, (unsigned long)count,
                          what, (unsigned long)count);
    }
}

static void check_dataplane(struct check *check)
{
    const struct bypeer_config *config = check->config;

    if (config->dataplane.core_count && config->dataplane.core_count != config->dataplane.workers) {
        bypeer_report_add(check->report, bypeer_config_line(config, "dataplane", 0, "cores"), "dataplane.cores",
                          "has %u cores for %u workers; list one for each worker", config->dataplane.core_count,
                          config->dataplane.workers);
    }
}

/* --- ports -------------------------------------------------------------------------------------------------------- */

static void check_port_tap(struct check *check, uint32_t i)
{
    struct bypeer_config_port *port = &check->config->ports[i];
    char tap[sizeof("bp-") + sizeof(port->name)];

    if (port->tap[0] || !port->name[0])
        return;
    snprintf(tap, sizeof(tap), "bp-%s", port->name);
    if (strlen(tap) >= sizeof(port->tap)) {
        check_report(check, "ports", i, "name",
                     "\"%s\" is too long for a device name bp-%s; add tap: with at most 15 "
                     "bytes, or use a name of at most 12",
                     port->name, port->name);
        return;
    }
    memcpy(port->tap, tap, strlen(tap) + 1);
}

static void check_port_pair(struct check *check, uint32_t i, uint32_t j)
{
    const struct bypeer_config_port *earlier = &check->config->ports[i];
    const struct bypeer_config_port *port = &check->config->ports[j];

    if (port->name[0] && strcmp(earlier->name, port->name) == 0) {
        check_report(check, "ports", j, "name", "\"%s\" is that of ports[%u] too (line %u); choose another", port->name,
                     i, bypeer_config_line(check->config, "ports", i, "name"));
    } else if (port->tap[0] && strcmp(earlier->tap, port->tap) == 0) {
        check_report(check, "ports", j, "tap", "\"%s\" is that of ports[%u] too (line %u); choose another", port->tap,
                     i, bypeer_config_line(check->config, "ports", i, "tap"));
    }
    if (port->device[0] && strcmp(earlier->device, port->device) == 0) {
        check_report(check, "ports", j, "device", "\"%s\" is that of ports[%u] too (line %u); one port drives it",
                     port->device, i, bypeer_config_line(check->config, "ports", i, "device"));
    }
    for (uint32_t a = 0; a < earlier->address_count; a++) {
        for (uint32_t b = 0; b < port->address_count; b++) {
            if (memcmp(earlier->addresses[a].address, port->addresses[b].address, 16) == 0) {
                char address[BYPEER_VALUE_ADDRESS];

                bypeer_value_write_address(address, port->addresses[b].address);
                check_report(check, "ports", j, "addresses", "%s is an address of ports[%u] too (line %u); remove one",
                             address, i, bypeer_config_line(check->config, "ports", i, "addresses"));
            }
        }
    }
}

static void check_ports(struct check *check)
{
    struct bypeer_config *config = check->config;

    for (uint32_t i = 0; i < config->port_count; i++) {
        struct bypeer_config_port *port = &config->ports[i];

        check_port_tap(check, i);
        if (!port->queues)
            port->queues = config->dataplane.workers;
        if (port->tap[0] && strcmp(port->tap, config->overlay.tap) == 0)
            check_report(check, "ports", i, "tap", "\"%s\" is the overlay's device; choose another", port->tap);
        for (uint32_t earlier = 0; earlier < i; earlier++)
            check_port_pair(check, earlier, i);
    }
}

/* --- groups ------------------------------------------------------------------------------------------------------- */

static void check_group(struct check *check, uint32_t i)
{
    const struct bypeer_config_group *group = &check->config->groups[i];
    char text[BYPEER_VALUE_ADDRESS];
    char prefix[BYPEER_VALUE_ADDRESS + 4];
    char quoted[BYPEER_VALUE_QUOTED + 4];

    if (group->name[0]) {
        snprintf(quoted, sizeof(quoted), "\"%s\"", group->name);
        check_once(check, &check->groups, "groups", i, "name", quoted, "choose another");
    }
    if (memcmp(group->prefix, zero, 16) == 0)
        return; /* not read */
    bypeer_value_write_address(text, group->prefix);
    snprintf(prefix, sizeof(prefix), "%s/48", text);
    if (group->prefix[0] != 0xfd) {
        check_report(check, "groups", i, "prefix", "%s is not from fd00::/8; use an RFC 4193 prefix", prefix);
        return;
    }
    check_once(check, &check->prefixes, "groups", i, "prefix", prefix, "give each group its own");
    if (!group->has_address)
        return;
    bypeer_value_write_address(text, group->address);
    if (!in_group(group, group->address)) {
        check_report(check, "groups", i, "address", "%s is not in the group's prefix %s; use an address of it", text,
                     prefix);
    } else if (memcmp(group->address, group->prefix, 16) == 0) {
        check_report(check, "groups", i, "address", "%s is the prefix itself; use an address in it such as %s1", text,
                     text);
    }
}

/* --- links -------------------------------------------------------------------------------------------------------- */

bool check_is_ipv4(const uint8_t address[static 16])
{
    return memcmp(address, zero, 10) == 0 && address[10] == 0xff && address[11] == 0xff;
}

void check_other_end(struct check *check, const char *section, uint32_t entry, const char *key,
                     const uint8_t address[static 16])
{
    const struct bypeer_config *config = check->config;
    uint32_t group = bypeer_index_find(&check->prefixes, address);
    char text[BYPEER_VALUE_ADDRESS];

    bypeer_value_write_address(text, address);
    for (uint32_t p = 0; p < config->port_count; p++) {
        for (uint32_t a = 0; a < config->ports[p].address_count; a++) {
            if (memcmp(config->ports[p].addresses[a].address, address, 16) == 0) {
                check_report(check, section, entry, key, "%s is this node's own address on port %s; use the peer's",
                             text, config->ports[p].name);
            }
        }
    }
    if (group != BYPEER_INDEX_NONE) {
        check_report(check, section, entry, key,
                     "%s is an overlay address of group \"%s\"; use the peer's address in the underlay", text,
                     config->groups[group].name);
    }
}

static void check_link_ends(struct check *check, uint32_t i)
{
    const struct bypeer_config *config = check->config;
    const struct bypeer_config_link *link = &config->links[i];
    char peer[BYPEER_VALUE_ADDRESS];

    if (memcmp(link->peer, zero, 16) == 0)
        return; /* not read */
    bypeer_value_write_address(peer, link->peer);
    if (link->has_local && check_is_ipv4(link->local) != check_is_ipv4(link->peer)) {
        check_report(check, "links", i, "local", "is %s, but the peer %s is %s; use two addresses of one kind",
                     check_is_ipv4(link->local) ? "IPv4" : "IPv6", peer, check_is_ipv4(link->peer) ? "IPv4" : "IPv6");
    } else if (link->has_local && memcmp(link->local, link->peer, 16) == 0) {
        check_report(check, "links", i, "local", "%s is the peer's address; use this node's own", peer);
    }
    check_other_end(check, "links", i, "peer", link->peer);
}

/* A link's wire identity: who sends, and with which VNI. */
struct link_wire {
    uint8_t peer[16];
    uint32_t vni;
};

static int check_links(struct check *check)
{
    struct bypeer_config *config = check->config;
    struct link_wire *wires = calloc((size_t)config->link_count + 1, sizeof(*wires));
    struct bypeer_index by_wire = {0};
    char text[128];

    if (!wires || bypeer_index_make(&by_wire, wires, sizeof(*wires), sizeof(*wires), config->link_count) < 0) {
        free(wires);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < config->link_count && !bypeer_report_full(check->report); i++) {
        struct bypeer_config_link *link = &config->links[i];
        uint32_t group = check_group_of(check, "links", i, link->group);

        check->link_group[i] = group;
        if (link->name[0]) {
            snprintf(text, sizeof(text), "\"%s\"", link->name);
            check_once(check, &check->links, "links", i, "name", text, "choose another");
        }
        if (group != BYPEER_INDEX_NONE)
            link->vni = link->vni ? link->vni : config->groups[group].vni;
        check_link_ends(check, i);
        memcpy(wires[i].peer, link->peer, 16);
        wires[i].vni = link->vni;
        if (link->vni && memcmp(link->peer, zero, 16) != 0) {
            char peer[BYPEER_VALUE_ADDRESS];

            bypeer_value_write_address(peer, link->peer);
            snprintf(text, sizeof(text), "%s with VNI %u", peer, link->vni);
            check_once(check, &by_wire, "links", i, "peer", text, "agree on another vni");
        }
    }
    bypeer_index_free(&by_wire);
    free(wires);
    return 0;
}

/* --- members and routes ------------------------------------------------------------------------------------------- */

/* Number of the group of the link or peer with that name, which is reported if there is none. */
static uint32_t check_link_group_of(struct check *check, const char *section, uint32_t i, const char *name)
{
    uint32_t link = name[0] ? bypeer_index_find(&check->links, name) : BYPEER_INDEX_NONE;
    uint32_t peer = name[0] ? bypeer_index_find(&check->peers, name) : BYPEER_INDEX_NONE;

    if (link != BYPEER_INDEX_NONE)
        return check->link_group[link];
    if (peer != BYPEER_INDEX_NONE)
        return check->peer_group[peer];
    if (name[0])
        check_unknown(check, section, i, "link", name, "links or peers", check_link_name);
    return BYPEER_INDEX_NONE;
}

void check_overlay_address(struct check *check, const char *section, uint32_t entry, const uint8_t address[static 16],
                           uint32_t number, const char *what)
{
    const struct bypeer_config_group *group = &check->config->groups[number];
    char text[BYPEER_VALUE_ADDRESS];
    char prefix[BYPEER_VALUE_ADDRESS];

    if (memcmp(group->prefix, zero, 16) == 0)
        return; /* not read */
    bypeer_value_write_address(text, address);
    bypeer_value_write_address(prefix, group->prefix);
    if (!in_group(group, address)) {
        check_report(check, section, entry, "address",
                     "%s is not in %s/48, the prefix of group \"%s\" that %s carries; use an address of it", text,
                     prefix, group->name, what);
    } else if (memcmp(address, group->prefix, 16) == 0) {
        check_report(check, section, entry, "address", "%s is the prefix itself; use an address in it", text);
    } else if (group->has_address && memcmp(address, group->address, 16) == 0) {
        check_report(check, section, entry, "address",
                     "%s is this node's own address in group \"%s\" (line %u); remove the member", text, group->name,
                     bypeer_config_line(check->config, "groups", number, "address"));
    }
}

static void check_member(struct check *check, struct bypeer_index *members, uint32_t i)
{
    const struct bypeer_config *config = check->config;
    const struct bypeer_config_member *member = &config->members[i];
    uint32_t group = check_link_group_of(check, "members", i, member->link);
    uint32_t first;
    char text[BYPEER_VALUE_ADDRESS + sizeof(member->link)];

    if (memcmp(member->address, zero, 16) == 0)
        return; /* not read */
    bypeer_value_write_address(text, member->address);
    first = bypeer_index_add(members, i);
    if (first != BYPEER_INDEX_NONE)
        check_report(check, "members", i, "address", "%s is that of members[%u] too (line %u); remove one", text, first,
                     bypeer_config_line(config, "members", first, "address"));
    first = bypeer_index_find(&check->addresses, member->address);
    if (first != BYPEER_INDEX_NONE)
        check_report(check, "members", i, "address", "%s is that of peers[%u] too (line %u); remove one", text, first,
                     bypeer_config_line(config, "peers", first, "address"));
    if (group == BYPEER_INDEX_NONE)
        return;
    snprintf(text, sizeof(text), "link \"%s\"", member->link);
    check_overlay_address(check, "members", i, member->address, group, text);
}

static int check_members(struct check *check)
{
    const struct bypeer_config *config = check->config;
    struct bypeer_index members;

    if (!config->members)
        return 0;
    if (bypeer_index_make(&members, config->members->address, sizeof(*config->members), 16, config->member_count) < 0)
        return -ENOMEM;
    for (uint32_t i = 0; i < config->member_count && !bypeer_report_full(check->report); i++)
        check_member(check, &members, i);
    bypeer_index_free(&members);
    return 0;
}

static int check_routes(struct check *check)
{
    const struct bypeer_config *config = check->config;
    struct bypeer_index routes;
    char prefix[BYPEER_VALUE_ADDRESS];
    char text[BYPEER_VALUE_ADDRESS + 8];

    _Static_assert(offsetof(struct bypeer_config_route, bits) == offsetof(struct bypeer_config_route, prefix) + 16,
                   "prefix and bits are one key");
    if (!config->routes)
        return 0;
    if (bypeer_index_make(&routes, config->routes->prefix, sizeof(*config->routes), 17, config->route_count) < 0)
        return -ENOMEM;
    for (uint32_t i = 0; i < config->route_count && !bypeer_report_full(check->report); i++) {
        const struct bypeer_config_route *route = &config->routes[i];
        uint32_t group = check_link_group_of(check, "routes", i, route->link);
        uint32_t inside;

        if (!route->bits)
            continue; /* not read */
        bypeer_value_write_address(prefix, route->prefix);
        snprintf(text, sizeof(text), "%s/%u", prefix, route->bits);
        check_once(check, &routes, "routes", i, "prefix", text, "remove one");
        inside = route->bits >= 48 ? bypeer_index_find(&check->prefixes, route->prefix) : BYPEER_INDEX_NONE;
        if (inside != BYPEER_INDEX_NONE && group != BYPEER_INDEX_NONE && group != inside) {
            check_report(
                check, "routes", i, "prefix",
                "%s is in the prefix of group \"%s\", but link \"%s\" carries group \"%s\"; use a link of \"%s\"", text,
                config->groups[inside].name, route->link, config->groups[group].name, config->groups[inside].name);
        }
    }
    bypeer_index_free(&routes);
    return 0;
}

int bypeer_config_check(struct bypeer_config *config, struct bypeer_report *report)
{
    struct check check = {.config = config, .report = report};
    int error = 0;

    check.link_group = calloc((size_t)config->link_count + 1, sizeof(*check.link_group));
    check.peer_group = calloc((size_t)config->peer_count + 1, sizeof(*check.peer_group));
    if (!check.link_group || !check.peer_group ||
        bypeer_index_make(&check.groups, config->groups ? config->groups->name : NULL, sizeof(*config->groups),
                          sizeof(config->groups->name), config->group_count) < 0 ||
        bypeer_index_make(&check.prefixes, config->groups ? config->groups->prefix : NULL, sizeof(*config->groups),
                          GROUP_BYTES, config->group_count) < 0 ||
        bypeer_index_make(&check.links, config->links ? config->links->name : NULL, sizeof(*config->links),
                          sizeof(config->links->name), config->link_count) < 0 ||
        bypeer_index_make(&check.peers, config->peers ? config->peers->name : NULL, sizeof(*config->peers),
                          sizeof(config->peers->name), config->peer_count) < 0 ||
        bypeer_index_make(&check.addresses, config->peers ? config->peers->address : NULL, sizeof(*config->peers), 16,
                          config->peer_count) < 0)
        error = -ENOMEM;
    if (!error) {
        check_node(&check);
        /* A lower end of growth lowers the start with it, unless the file says otherwise. */
        if (config->tables.members > config->tables.members_max && !bypeer_config_line(config, "tables", 0, "members"))
            config->tables.members = config->tables.members_max;
        check_room(&check, "of tables.members", config->tables.members, "members-max", config->tables.members_max);
        check_room(&check, "entries of members and peers", (uint64_t)config->member_count + config->peer_count,
                   "members-max", config->tables.members_max);
        check_room(&check, "entries of links and peers", (uint64_t)config->link_count + config->peer_count, "links",
                   config->tables.links);
        check_room(&check, "entries of routes", config->route_count, "prefixes", config->tables.prefixes);
        check_dataplane(&check);
        check_ports(&check);
        for (uint32_t i = 0; i < config->group_count && !bypeer_report_full(report); i++)
            check_group(&check, i);
        error = check_links(&check);
        error = error ? error : check_peers(&check);
        error = error ? error : check_members(&check);
        error = error ? error : check_routes(&check);
        check_names(&check);
        check_wireguard(&check);
        check_relay(&check);
        for (uint32_t i = 0; i < config->cloud_count && !bypeer_report_full(report); i++)
            check_cloud(&check, i);
    }
    bypeer_index_free(&check.groups);
    bypeer_index_free(&check.prefixes);
    bypeer_index_free(&check.links);
    bypeer_index_free(&check.peers);
    bypeer_index_free(&check.addresses);
    free(check.link_group);
    free(check.peer_group);
    return error;
}
