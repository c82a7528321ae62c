#include "control/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/kernel/adjacencies.h"
#include "control/kernel/tap.h"
#include "control/log.h"
#include "overlay/fabric/link.h"

#define IPV6_MTU_MIN 1280

/* Room for next hops, so that a reload may bring more links than there were at the start. */
#define NEXT_HOPS_MIN 16384

struct host_port {
    char name[32];
    bool open;
    struct bypeer_tap tap;
    uint16_t mtu; /* of the underlay, as the data plane drives it */
};

struct bypeer_host {
    const struct bypeer_config *config;
    struct bypeer_model *model;
    struct bypeer_netlink *netlink;
    struct bypeer_adjacencies *adjacencies;
    uv_poll_t events;
    uv_prepare_t prepare;
    unsigned handles;
    bool unsettled; /* something changed since bypeer_adjacencies_settle() */

    uint32_t port_count;
    struct host_port *ports; /* by number of the configuration at start */
    bool tun_open;
    struct bypeer_tap tun;
    uint16_t tun_mtu;
};

/* --- reports of next hops --- */

static void host_on_adjacency(void *data, const struct bypeer_adjacency *adjacency)
{
    struct bypeer_host *host = data;
    if (host->model && bypeer_model_set_adjacency(host->model, adjacency) < 0)
        bypeer_log(BYPEER_LOG_ERROR, "next hop %u: the tables have no room for it; raise tables.links", adjacency->id);
}

static void host_on_adjacency_gone(void *data, uint32_t id)
{
    struct bypeer_host *host = data;
    if (host->model)
        bypeer_model_remove_adjacency(host->model, id);
}

static void host_on_path(void *data, const struct bypeer_link_path *path)
{
    struct bypeer_host *host = data;
    if (host->model)
        bypeer_model_set_path(host->model, path);
}

/* The TUN carries what the smallest link carries. */
static void host_adjust_tun(struct bypeer_host *host)
{
    if (!host->tun_open || !host->model)
        return;
    uint16_t mtu = host->config->overlay.mtu;
    if (mtu == 0)
        mtu = bypeer_model_smallest_mtu(host->model);
    if (mtu < IPV6_MTU_MIN || mtu == host->tun_mtu)
        return;
    int result = bypeer_tap_set_mtu(&host->tun, host->netlink, mtu);
    if (result < 0)
        bypeer_log(BYPEER_LOG_WARNING, "%s: MTU %u cannot be set: %s", host->tun.name, mtu, strerror(-result));
    else
        host->tun_mtu = mtu;
}

void bypeer_host_settle(struct bypeer_host *host)
{
    host->unsettled = false;
    bypeer_adjacencies_settle(host->adjacencies);
    host_adjust_tun(host);
}

static void host_on_prepare(uv_prepare_t *prepare)
{
    struct bypeer_host *host = prepare->data;
    if (host->unsettled)
        bypeer_host_settle(host);
}

static void host_on_events(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct bypeer_host *host = poll->data;
    if (status < 0)
        return;
    bypeer_netlink_ready(host->netlink, bypeer_adjacencies_event, host->adjacencies);
    host->unsettled = true;
}

/* --- devices --- */

static void host_set_address(struct bypeer_host *host, const struct bypeer_tap *tap, bool add,
                             const uint8_t address[static 16], uint8_t bits)
{
    int result = bypeer_netlink_set_address(host->netlink, add, tap->index, address, bits);
    if (result < 0)
        bypeer_log(BYPEER_LOG_ERROR, "%s: an address cannot be %s: %s", tap->name, add ? "added" : "removed",
                   strerror(-result));
}

static void host_open_port(struct bypeer_host *host, uint16_t number, const struct bypeer_config_port *config,
                           uid_t user, gid_t group)
{
    struct host_port *port = &host->ports[number];
    memcpy(port->name, config->name, sizeof(port->name));
    port->mtu = config->mtu;
    struct bypeer_tap_settings settings = {
        .kind = BYPEER_TAP_UNDERLAY,
        .name = config->tap,
        .owner = user,
        .group = group,
        .mtu = config->mtu,
        .accept_routers = true,
    };
    char why[160];
    if (bypeer_tap_open(&port->tap, host->netlink, &settings, why) < 0) {
        bypeer_log(BYPEER_LOG_ERROR, "port %s: %s", config->name, why);
        return;
    }
    port->open = true;
    for (uint32_t at = 0; at < config->address_count; at++)
        host_set_address(host, &port->tap, true, config->addresses[at].address, config->addresses[at].bits);
    bypeer_adjacencies_set_port(host->adjacencies, number, port->tap.index, port->tap.mac, port->mtu);
}

static void host_open_tun(struct bypeer_host *host, uid_t user, gid_t group)
{
    const struct bypeer_config *config = host->config;
    struct bypeer_model_limits limits;
    bypeer_model_limits(config, &limits);
    uint16_t mtu = config->overlay.mtu;
    if (mtu == 0) /* until the links are known: what the smallest port leaves for them */
        mtu = (uint16_t)(limits.port_mtu - BYPEER_FABRIC_IPV6_TEMPLATE_BYTES);
    struct bypeer_tap_settings settings = {
        .kind = BYPEER_TAP_OVERLAY,
        .name = config->overlay.tap,
        .owner = user,
        .group = group,
        .mtu = mtu >= IPV6_MTU_MIN ? mtu : IPV6_MTU_MIN,
    };
    char why[160];
    if (bypeer_tap_open(&host->tun, host->netlink, &settings, why) < 0) {
        bypeer_log(BYPEER_LOG_ERROR, "overlay: %s", why);
        return;
    }
    host->tun_open = true;
    host->tun_mtu = settings.mtu;
}

int bypeer_host_open(struct bypeer_host **ret_host, uv_loop_t *loop, const struct bypeer_config *config, uid_t user,
                     gid_t group, struct bypeer_problem *problem)
{
    struct bypeer_host *host = calloc(1, sizeof(*host));
    if (!host || !(host->ports = calloc(config->port_count + 1u, sizeof(*host->ports)))) {
        free(host);
        return bypeer_problem_no_memory(problem);
    }
    host->config = config;
    host->port_count = config->port_count;
    int result = bypeer_netlink_open(&host->netlink);
    if (result == 0) {
        struct bypeer_adjacencies_kernel kernel = bypeer_adjacencies_netlink(host->netlink);
        struct bypeer_adjacencies_reports reports = {
            .adjacency = host_on_adjacency,
            .adjacency_gone = host_on_adjacency_gone,
            .path = host_on_path,
            .data = host,
        };
        uint32_t next_hops = config->tables.links > NEXT_HOPS_MIN ? config->tables.links : NEXT_HOPS_MIN;
        result = bypeer_adjacencies_create(&host->adjacencies, next_hops, &kernel, &reports);
    }
    if (result < 0) {
        bypeer_netlink_close(host->netlink);
        free(host->ports);
        free(host);
        return bypeer_problem_set(problem, result, "kernel", "netlink\ncannot be used: %s\nsee the log of the system",
                                  strerror(-result));
    }
    for (uint32_t number = 0; number < host->port_count; number++)
        host_open_port(host, (uint16_t)number, &config->ports[number], user, group);
    host_open_tun(host, user, group);

    uv_poll_init(loop, &host->events, bypeer_netlink_event_fd(host->netlink));
    uv_prepare_init(loop, &host->prepare);
    host->events.data = host->prepare.data = host;
    host->handles = 2;
    uv_poll_start(&host->events, UV_READABLE, host_on_events);
    uv_prepare_start(&host->prepare, host_on_prepare);
    *ret_host = host;
    return 0;
}

static void host_on_closed(uv_handle_t *handle)
{
    struct bypeer_host *host = handle->data;
    if (--host->handles > 0)
        return;
    for (uint32_t number = 0; number < host->port_count; number++)
        if (host->ports[number].open)
            bypeer_tap_close(&host->ports[number].tap);
    if (host->tun_open)
        bypeer_tap_close(&host->tun);
    bypeer_adjacencies_free(host->adjacencies);
    bypeer_netlink_close(host->netlink);
    free(host->ports);
    free(host);
}

void bypeer_host_close(struct bypeer_host *host)
{
    if (!host)
        return;
    host->model = NULL;
    uv_close((uv_handle_t *)&host->events, host_on_closed);
    uv_close((uv_handle_t *)&host->prepare, host_on_closed);
}

void bypeer_host_use_model(struct bypeer_host *host, struct bypeer_model *model)
{
    host->model = model;
}

/* --- the data plane --- */

static struct host_port *host_find_port(struct bypeer_host *host, const char *name, uint16_t *ret_number)
{
    for (uint32_t number = 0; number < host->port_count; number++)
        if (strcmp(host->ports[number].name, name) == 0) {
            *ret_number = (uint16_t)number;
            return &host->ports[number];
        }
    return NULL;
}

void bypeer_host_ports(struct bypeer_host *host, const struct bypeer_handover *message)
{
    for (uint32_t at = 0; at < message->ports.count; at++) {
        const struct bypeer_handover_port *from = &message->ports.port[at];
        uint16_t number;
        struct host_port *port = host_find_port(host, from->name, &number);
        if (!port) {
            bypeer_log(BYPEER_LOG_WARNING,
                       "port %s: the data plane drives it, but it was not there when bypeerd started: restart bypeerd",
                       from->name);
            continue;
        }
        if (!port->open)
            continue;
        int result = bypeer_tap_set_mac(&port->tap, host->netlink, from->mac);
        if (result == 0 && port->mtu != from->mtu) {
            result = bypeer_tap_set_mtu(&port->tap, host->netlink, from->mtu);
            port->mtu = from->mtu;
        }
        if (result < 0)
            bypeer_log(BYPEER_LOG_ERROR, "%s: MAC or MTU of port %s cannot be set: %s", port->tap.name, port->name,
                       strerror(-result));
        bypeer_adjacencies_set_port(host->adjacencies, number, port->tap.index, from->mac, port->mtu);
    }
    host->unsettled = true;
}

void bypeer_host_attached(struct bypeer_host *host, bool attached)
{
    bypeer_adjacencies_hold(host->adjacencies, !attached);
    host->unsettled = true;
}

/* --- the model --- */

static void host_set_route(struct bypeer_host *host, bool add, const uint8_t prefix[static 16], uint8_t bits,
                           const struct bypeer_model_group *group)
{
    const uint8_t *source = group && group->has_address ? group->address : NULL;
    int result = bypeer_netlink_set_route(host->netlink, add, host->tun.index, prefix, bits, source);
    if (result < 0)
        bypeer_log(BYPEER_LOG_WARNING, "%s: a route of the overlay cannot be %s: %s", host->tun.name,
                   add ? "added" : "removed", strerror(-result));
}

void bypeer_host_group_changed(void *data, const struct bypeer_model_group *group, bool gone)
{
    struct bypeer_host *host = data;
    if (!host->tun_open || !group->has_address)
        return;
    if (gone)
        host_set_route(host, false, group->prefix, 48, group);
    host_set_address(host, &host->tun, !gone, group->address, 128);
    if (!gone)
        host_set_route(host, true, group->prefix, 48, group);
}

void bypeer_host_link_changed(void *data, const struct bypeer_model_link *link, bool gone)
{
    struct bypeer_host *host = data;
    if (link->local)
        return;
    host->unsettled = true;
    bool is_nowhere = link->wireguard && link->peer_port == 0;
    if (gone || is_nowhere)
        bypeer_adjacencies_remove_link(host->adjacencies, link->id);
    else if (bypeer_adjacencies_set_link(host->adjacencies, link->id, link->peer,
                                         link->has_local ? link->local_address : NULL) < 0)
        bypeer_log(BYPEER_LOG_ERROR, "link %s: no memory left to find its next hop", link->name);
}

void bypeer_host_route_changed(void *data, const struct bypeer_model_route *route,
                               const struct bypeer_model_group *group, bool gone)
{
    struct bypeer_host *host = data;
    /* Without an address of its own, this host has no part in the group. */
    if (host->tun_open && group && group->has_address)
        host_set_route(host, !gone, route->prefix, route->bits, group);
}

/* --- another configuration --- */

static const struct bypeer_config_port *host_find_config(const struct bypeer_config *config, const char *name)
{
    for (uint32_t at = 0; at < config->port_count; at++)
        if (strcmp(config->ports[at].name, name) == 0)
            return &config->ports[at];
    return NULL;
}

static bool host_has_address(const struct bypeer_config_port *port, const struct bypeer_config_address *address)
{
    for (uint32_t at = 0; at < port->address_count; at++)
        if (port->addresses[at].bits == address->bits && memcmp(port->addresses[at].address, address->address, 16) == 0)
            return true;
    return false;
}

void bypeer_host_reconfigure(struct bypeer_host *host, const struct bypeer_config *before,
                             const struct bypeer_config *after)
{
    host->config = after;
    host->unsettled = true;
    for (uint32_t number = 0; number < host->port_count; number++) {
        struct host_port *port = &host->ports[number];
        const struct bypeer_config_port *was = host_find_config(before, port->name);
        const struct bypeer_config_port *is = host_find_config(after, port->name);
        if (!port->open || !was || !is)
            continue; /* ports come and go at a restart */
        for (uint32_t at = 0; at < was->address_count; at++)
            if (!host_has_address(is, &was->addresses[at]))
                host_set_address(host, &port->tap, false, was->addresses[at].address, was->addresses[at].bits);
        for (uint32_t at = 0; at < is->address_count; at++)
            if (!host_has_address(was, &is->addresses[at]))
                host_set_address(host, &port->tap, true, is->addresses[at].address, is->addresses[at].bits);
    }
}
