#include "control/kernel/adjacencies.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The MAC of an entry in one of these states may be used (NUD_VALID of the kernel). */
#define NEIGHBOUR_USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)
/* Failures in a row after which a next hop that worked counts as gone. */
#define NEIGHBOUR_FAILURES 2

struct port {
    uint32_t index; /* 0: there is none */
    uint16_t mtu;
    uint8_t mac[6];
};

/* One adjacency, found by (index, address); its number in the array is its id. */
struct next_hop {
    uint32_t index; /* TAP that it is reached by; 0: unused */
    uint16_t port;
    uint8_t address[16];
    uint32_t users; /* links that go this way */
    uint32_t next;  /* id of the next one in the hash chain, or in the list of free ones; 0: end */
    uint8_t has_mac;
    uint8_t mac[6];
    uint8_t usable;     /* the kernel's last word, but for holds and single failures */
    uint8_t permanent;  /* somebody entered it by hand: asking would undo that */
    uint8_t failures;   /* in a row */
    uint8_t ask, asked; /* the kernel is to be asked (again) at the next settling; it was */
    uint8_t reported_once;
    struct bypeer_adjacency reported;
};

struct link {
    uint8_t used, has_local, doubtful, reported_once;
    uint8_t peer[16], local[16];
    uint32_t next_hop; /* 0: none */
    struct bypeer_link_path reported;
};

struct bypeer_adjacencies {
    struct bypeer_adjacencies_kernel kernel;
    struct bypeer_adjacencies_reports reports;
    bool hold;
    bool changed; /* an adjacency may differ from its report, or is to be asked for */
    bool lost;    /* neighbours are to be read anew */
    struct port *ports;
    uint32_t port_count;
    struct link *links; /* by link id */
    uint32_t link_count;
    uint32_t *doubted; /* ids of links whose path may differ from its report, each once; as long as links */
    uint32_t doubted_count;
    struct next_hop *hops; /* by adjacency id; 0 is unused */
    uint32_t hop_limit;    /* largest id */
    uint32_t hop_used;     /* largest id that was ever in use */
    uint32_t hop_free;     /* list of unused ids up to hop_used */
    uint32_t *chains;      /* hash: ids */
    uint32_t chain_mask;
};

/* --- next hops ---------------------------------------------------------------------------------------------------- */

static uint32_t *hop_chain(const struct bypeer_adjacencies *all, uint32_t index, const uint8_t address[static 16])
{
    uint64_t high, low; /* addresses come from the configuration and the kernel, so a plain mix is enough */
    memcpy(&high, address, 8);
    memcpy(&low, address + 8, 8);
    uint64_t hash = (high ^ (low * UINT64_C(0x9e3779b97f4a7c15)) ^ index) * UINT64_C(0xff51afd7ed558ccd);
    return &all->chains[(uint32_t)(hash >> 32) & all->chain_mask];
}

static uint32_t hop_find(const struct bypeer_adjacencies *all, uint32_t index, const uint8_t address[static 16])
{
    uint32_t id = *hop_chain(all, index, address);
    while (id != 0 && (all->hops[id].index != index || memcmp(all->hops[id].address, address, 16) != 0))
        id = all->hops[id].next;
    return id;
}

/* The id of the next hop, made if need be; 0: all ids are in use. */
static uint32_t hop_take(struct bypeer_adjacencies *all, uint16_t port, const uint8_t address[static 16])
{
    uint32_t index = all->ports[port].index;
    uint32_t id = hop_find(all, index, address);
    if (id == 0) {
        if (all->hop_free != 0) {
            id = all->hop_free;
            all->hop_free = all->hops[id].next;
        } else if (all->hop_used < all->hop_limit) {
            id = ++all->hop_used;
        } else {
            return 0;
        }
        uint32_t *chain = hop_chain(all, index, address);
        struct next_hop *hop = &all->hops[id];
        *hop = (struct next_hop){.index = index, .port = port, .next = *chain, .ask = 1};
        memcpy(hop->address, address, sizeof(hop->address));
        *chain = id;
        all->changed = true;
        all->lost = true;
    }
    all->hops[id].port = port;
    all->hops[id].users++;
    return id;
}

/* One user less; the last one ends it. */
static void hop_drop(struct bypeer_adjacencies *all, uint32_t id)
{
    struct next_hop *hop = &all->hops[id];
    if (id == 0 || --hop->users > 0)
        return;
    if (hop->reported_once)
        all->reports.adjacency_gone(all->reports.data, id);
    if (hop->asked && !hop->permanent)
        (void)all->kernel.want_neighbour(all->kernel.kernel, false, hop->index, hop->address);
    uint32_t *at = hop_chain(all, hop->index, hop->address);
    while (*at != id)
        at = &all->hops[*at].next;
    *at = hop->next;
    *hop = (struct next_hop){.next = all->hop_free};
    all->hop_free = id;
}

static void hop_report(struct bypeer_adjacencies *all, uint32_t id)
{
    static const uint8_t unknown[6];
    struct next_hop *hop = &all->hops[id];
    const struct port *port = &all->ports[hop->port];
    bool ready = hop->usable && hop->has_mac && memcmp(port->mac, unknown, sizeof(unknown)) != 0;
    struct bypeer_adjacency now = {.id = id, .port = hop->port, .valid = ready, .mtu = port->mtu};
    if (hop->has_mac)
        memcpy(now.ether, hop->mac, sizeof(hop->mac));
    memcpy(now.ether + 6, port->mac, sizeof(port->mac));
    if (hop->reported_once && memcmp(&now, &hop->reported, sizeof(now)) == 0)
        return;
    hop->reported = now;
    hop->reported_once = 1;
    all->reports.adjacency(all->reports.data, &now);
}

static void hop_hear(struct bypeer_adjacencies *all, struct next_hop *hop, const struct bypeer_kernel_message *message)
{
    const struct bypeer_kernel_neighbour *heard = &message->neighbour;
    hop->permanent = !message->gone && (heard->state & NUD_PERMANENT);
    if (message->gone) {
        hop->ask = 1;
    } else if ((heard->state & NEIGHBOUR_USABLE) && heard->has_mac) {
        memcpy(hop->mac, heard->mac, sizeof(hop->mac));
        hop->has_mac = 1;
        hop->usable = 1;
        hop->failures = 0;
        hop->ask = !heard->managed; /* the kernel found it by itself, or somebody replaced our entry */
    } else if (heard->state & NUD_FAILED) {
        hop->ask = hop->usable;
        if (!all->hold && hop->failures < NEIGHBOUR_FAILURES)
            hop->failures++;
        if (hop->failures == NEIGHBOUR_FAILURES)
            hop->usable = 0;
    }
    all->changed = true;
}

/* Asks the kernel for a next hop that needs it; not on hold: unanswered questions only delay the ones that count. */
static void hop_ask(struct bypeer_adjacencies *all, struct next_hop *hop)
{
    if (!hop->ask || hop->permanent || all->hold)
        return;
    hop->ask = 0;
    hop->asked = 1;
    (void)all->kernel.want_neighbour(all->kernel.kernel, true, hop->index, hop->address);
}

static void hops_settle(struct bypeer_adjacencies *all)
{
    /* Read first: an entry that is permanent must not be asked for. */
    if (all->lost && all->kernel.dump_neighbours(all->kernel.kernel, bypeer_adjacencies_event, all) == 0)
        all->lost = false;
    if (!all->changed)
        return;
    all->changed = false;
    for (uint32_t id = 1; id <= all->hop_used; id++) {
        if (all->hops[id].index == 0)
            continue;
        hop_ask(all, &all->hops[id]);
        hop_report(all, id);
    }
}

/* --- links -------------------------------------------------------------------------------------------------------- */

static void doubt(struct bypeer_adjacencies *all, uint32_t id)
{
    if (all->links[id].doubtful)
        return;
    all->links[id].doubtful = 1;
    all->doubted[all->doubted_count++] = id;
}

static void doubt_all(struct bypeer_adjacencies *all)
{
    for (uint32_t id = 0; id < all->link_count; id++)
        if (all->links[id].used)
            doubt(all, id);
}

static bool address_is_v4(const uint8_t address[static 16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address, mapped, sizeof(mapped)) == 0;
}

static bool prefix_holds(const uint8_t prefix[static 16], uint8_t bits, const uint8_t address[static 16])
{
    unsigned whole = bits / 8u, rest = bits % 8u;
    if (memcmp(prefix, address, whole) != 0)
        return false;
    return rest == 0 || ((prefix[whole] ^ address[whole]) & (0xff00u >> rest) & 0xffu) == 0;
}

static void doubt_prefix(struct bypeer_adjacencies *all, const struct bypeer_kernel_route *route)
{
    for (uint32_t id = 0; id < all->link_count; id++) {
        const struct link *link = &all->links[id];
        bool same_family = link->used && (route->family == AF_INET) == address_is_v4(link->peer);
        if (same_family && prefix_holds(route->prefix, route->bits, link->peer))
            doubt(all, id);
    }
}

static const char *address_text(const uint8_t address[static 16], char text[static INET6_ADDRSTRLEN])
{
    bool v4 = address_is_v4(address);
    return inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? address + 12 : address, text, INET6_ADDRSTRLEN);
}

/* Which port is on the interface; port_count: none. */
static uint32_t port_of_index(const struct bypeer_adjacencies *all, uint32_t index)
{
    uint32_t number = 0;
    while (number < all->port_count && (index == 0 || all->ports[number].index != index))
        number++;
    return number;
}

/* Finds the way to the link's peer, taking a next hop. On return *ret_path is what there is to say. */
static void link_route(struct bypeer_adjacencies *all, const struct link *link, struct bypeer_link_path *ret_path)
{
    char peer[INET6_ADDRSTRLEN];
    struct bypeer_kernel_route route;
    address_text(link->peer, peer);
    memcpy(ret_path->local, link->local, sizeof(ret_path->local));
    int error = all->kernel.find_route(all->kernel.kernel, link->peer, link->has_local ? link->local : NULL, &route);
    if (error < 0) {
        snprintf(ret_path->why, sizeof(ret_path->why), "no route to %s: %s; give a port an address or a route", peer,
                 strerror(-error));
        return;
    }
    if (route.type != RTN_UNICAST) {
        snprintf(ret_path->why, sizeof(ret_path->why),
                 route.type == RTN_LOCAL ? "%s is this host's own address" : "the route to %s is no unicast route",
                 peer);
        return;
    }
    uint32_t number = port_of_index(all, route.index);
    if (number == all->port_count) {
        snprintf(ret_path->why, sizeof(ret_path->why), "the route to %s leaves by interface %u, which is no port's",
                 peer, route.index);
        return;
    }
    if (!link->has_local && !route.has_source) {
        snprintf(ret_path->why, sizeof(ret_path->why), "no source address to reach %s from; give the port one", peer);
        return;
    }
    ret_path->adjacency = hop_take(all, (uint16_t)number, route.has_gateway ? route.gateway : link->peer);
    if (ret_path->adjacency == 0) {
        snprintf(ret_path->why, sizeof(ret_path->why), "all %u adjacencies are in use; raise tables.links",
                 all->hop_limit);
        return;
    }
    if (!link->has_local)
        memcpy(ret_path->local, route.source, sizeof(ret_path->local));
    uint16_t mtu = all->ports[number].mtu;
    ret_path->mtu = route.mtu != 0 && route.mtu < mtu ? (uint16_t)route.mtu : mtu;
}

static bool path_is_same(const struct bypeer_link_path *a, const struct bypeer_link_path *b)
{
    return a->adjacency == b->adjacency && a->mtu == b->mtu && memcmp(a->local, b->local, sizeof(a->local)) == 0 &&
           strcmp(a->why, b->why) == 0;
}

static void link_report(struct bypeer_adjacencies *all, const struct bypeer_link_path *path)
{
    struct link *link = &all->links[path->link];
    link->doubtful = 0;
    if (!link->used)
        return;
    if (!link->reported_once || !path_is_same(&link->reported, path)) {
        link->reported = *path;
        link->reported_once = 1;
        all->reports.path(all->reports.data, path);
    }
    hop_drop(all, link->next_hop);
    link->next_hop = path->adjacency;
}

void bypeer_adjacencies_settle(struct bypeer_adjacencies *all)
{
    /*
     * A next hop must be reported, with what the kernel knows of it, before a path that uses it, and go after. So all
     * links are looked up first, and keep where they went before until their path has been reported.
     */
    uint32_t count = all->doubted_count;
    struct bypeer_link_path *paths = calloc(count + 1, sizeof(*paths));
    if (paths == NULL) /* all stays as it is: the next settling tries again */
        return;
    all->doubted_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        paths[i].link = all->doubted[i];
        if (all->links[all->doubted[i]].used)
            link_route(all, &all->links[all->doubted[i]], &paths[i]);
    }
    hops_settle(all);
    for (uint32_t i = 0; i < count; i++)
        link_report(all, &paths[i]);
    free(paths);
}

/* --- calls of control --------------------------------------------------------------------------------------------- */

/* Makes an array of count entries so long that it has wanted ones, the new ones zero. */
static int array_extend(void *array_at, uint32_t count, uint32_t wanted, size_t entry_bytes)
{
    void **array = array_at;
    uint8_t *longer = realloc(*array, wanted * entry_bytes);
    if (longer == NULL)
        return -ENOMEM;
    memset(longer + count * entry_bytes, 0, (wanted - count) * entry_bytes);
    *array = longer;
    return 0;
}

/* Room that an array which needs entry number gets: half as much again, so that growth stays cheap. */
static uint32_t array_room(uint32_t number)
{
    return number < 32 ? 32 : number + number / 2;
}

int bypeer_adjacencies_create(struct bypeer_adjacencies **ret_adjacencies, uint32_t ids,
                              const struct bypeer_adjacencies_kernel *kernel,
                              const struct bypeer_adjacencies_reports *reports)
{
    struct bypeer_adjacencies *all = calloc(1, sizeof(*all));
    if (all == NULL)
        return -ENOMEM;
    uint32_t chains = 16;
    while (chains < ids && chains < UINT32_C(1) << 20)
        chains *= 2;
    *all = (struct bypeer_adjacencies){
        .kernel = *kernel, .reports = *reports, .hold = true, .hop_limit = ids, .chain_mask = chains - 1};
    all->hops = calloc((size_t)ids + 1, sizeof(*all->hops));
    all->chains = calloc(chains, sizeof(*all->chains));
    if (all->hops == NULL || all->chains == NULL) {
        bypeer_adjacencies_free(all);
        return -ENOMEM;
    }
    *ret_adjacencies = all;
    return 0;
}

void bypeer_adjacencies_free(struct bypeer_adjacencies *all)
{
    if (all == NULL)
        return;
    free(all->ports);
    free(all->links);
    free(all->doubted);
    free(all->hops);
    free(all->chains);
    free(all);
}

int bypeer_adjacencies_set_port(struct bypeer_adjacencies *all, uint16_t number, uint32_t index,
                                const uint8_t mac[static 6], uint16_t mtu)
{
    if (number >= all->port_count) {
        uint32_t room = array_room(number);
        if (array_extend(&all->ports, all->port_count, room, sizeof(*all->ports)) < 0)
            return -ENOMEM;
        all->port_count = room;
    }
    uint32_t other = port_of_index(all, index);
    if (other != all->port_count && other != number)
        return -EINVAL;
    all->ports[number] = (struct port){.index = index, .mtu = mtu};
    memcpy(all->ports[number].mac, mac, sizeof(all->ports[number].mac));
    all->changed = true;
    doubt_all(all);
    return 0;
}

int bypeer_adjacencies_set_link(struct bypeer_adjacencies *all, uint32_t id, const uint8_t peer[static 16],
                                const uint8_t *local)
{
    if (id >= all->link_count) {
        uint32_t room = array_room(id);
        if (array_extend(&all->links, all->link_count, room, sizeof(*all->links)) < 0 ||
            array_extend(&all->doubted, all->link_count, room, sizeof(*all->doubted)) < 0)
            return -ENOMEM;
        all->link_count = room;
    }
    struct link *link = &all->links[id];
    link->used = 1;
    link->has_local = local != NULL;
    memcpy(link->peer, peer, sizeof(link->peer));
    memset(link->local, 0, sizeof(link->local));
    if (local != NULL)
        memcpy(link->local, local, sizeof(link->local));
    doubt(all, id);
    return 0;
}

void bypeer_adjacencies_remove_link(struct bypeer_adjacencies *all, uint32_t id)
{
    if (id >= all->link_count || !all->links[id].used)
        return;
    hop_drop(all, all->links[id].next_hop);
    all->links[id] = (struct link){.doubtful = all->links[id].doubtful}; /* true to the list of doubted ones */
}

void bypeer_adjacencies_event(void *adjacencies, const struct bypeer_kernel_message *message)
{
    struct bypeer_adjacencies *all = adjacencies;
    switch (message->kind) {
    case BYPEER_KERNEL_NEIGHBOUR: {
        uint32_t id = hop_find(all, message->neighbour.index, message->neighbour.address);
        if (id != 0)
            hop_hear(all, &all->hops[id], message);
        break;
    }
    case BYPEER_KERNEL_ROUTE:
        doubt_prefix(all, &message->route);
        break;
    case BYPEER_KERNEL_ADDRESS:
        if (port_of_index(all, message->address.index) < all->port_count)
            doubt_all(all);
        break;
    case BYPEER_KERNEL_LINK:
        if (port_of_index(all, message->link.index) < all->port_count)
            doubt_all(all);
        break;
    case BYPEER_KERNEL_OVERRUN:
        doubt_all(all);
        all->lost = true;
        break;
    default:
        break;
    }
}

void bypeer_adjacencies_hold(struct bypeer_adjacencies *all, bool hold)
{
    if (all->hold && !hold) {
        for (uint32_t id = 1; id <= all->hop_used; id++) {
            all->hops[id].failures = 0;
            all->hops[id].ask = all->hops[id].index != 0;
        }
        all->changed = true;
    }
    all->hold = hold;
}

/* --- the real kernel ---------------------------------------------------------------------------------------------- */

static int netlink_find_route(void *kernel, const uint8_t destination[static 16], const uint8_t *source,
                              struct bypeer_kernel_route *ret_route)
{
    return bypeer_netlink_find_route(kernel, destination, source, ret_route);
}

static int netlink_want_neighbour(void *kernel, bool want, uint32_t index, const uint8_t address[static 16])
{
    return bypeer_netlink_want_neighbour(kernel, want, index, address);
}

static int netlink_dump_neighbours(void *kernel, bypeer_netlink_call *call, void *data)
{
    return bypeer_netlink_dump(kernel, BYPEER_KERNEL_NEIGHBOUR, 0, call, data);
}

struct bypeer_adjacencies_kernel bypeer_adjacencies_netlink(struct bypeer_netlink *netlink)
{
    return (struct bypeer_adjacencies_kernel){.find_route = netlink_find_route,
                                              .want_neighbour = netlink_want_neighbour,
                                              .dump_neighbours = netlink_dump_neighbours,
                                              .kernel = netlink};
}
