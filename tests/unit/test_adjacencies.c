/* The adjacencies with a kernel that the test plays: what control hears, and when. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "control/kernel/adjacencies.h"

#define PEERS 8

/* The kernel's side: routes and neighbours by the last byte of the address. */
struct played_route {
    int error;
    uint8_t type;
    uint32_t index;
    uint8_t gateway; /* last byte; 0: on the link */
    uint32_t mtu;
};

static struct played {
    struct played_route routes[PEERS];
    struct bypeer_kernel_neighbour neighbours[PEERS]; /* state 0: none */
    unsigned wanted[PEERS], forgotten[PEERS], dumps;
} played;

/* Control's side: the last report of each. */
static struct heard {
    struct bypeer_adjacency adjacencies[PEERS];
    bool alive[PEERS];
    struct bypeer_link_path paths[PEERS];
    unsigned adjacency_reports, path_reports, gone_reports;
} heard;

static struct bypeer_adjacencies *all;
static const uint8_t port_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t no_mac[6];

static void address(uint8_t ret_address[static 16], uint8_t last)
{
    memset(ret_address, 0, 16);
    memcpy(ret_address, (const uint8_t[]){0x20, 0x01, 0x0d, 0xb8}, 4);
    ret_address[15] = last;
}

static int play_route(void *kernel, const uint8_t destination[static 16], const uint8_t *source,
                      struct bypeer_kernel_route *ret_route)
{
    (void)kernel;
    (void)source;
    const struct played_route *route = &played.routes[destination[15]];
    if (route->error < 0)
        return route->error;
    *ret_route = (struct bypeer_kernel_route){.family = AF_INET6,
                                              .type = route->type,
                                              .bits = 128,
                                              .index = route->index,
                                              .has_gateway = route->gateway != 0,
                                              .has_source = 1,
                                              .mtu = route->mtu};
    address(ret_route->gateway, route->gateway);
    address(ret_route->source, 1);
    return 0;
}

static int play_want(void *kernel, bool want, uint32_t index, const uint8_t neighbour[static 16])
{
    (void)kernel;
    (void)index;
    (want ? played.wanted : played.forgotten)[neighbour[15]]++;
    return 0;
}

static int play_dump(void *kernel, bypeer_netlink_call *call, void *data)
{
    (void)kernel;
    played.dumps++;
    for (unsigned i = 0; i < PEERS; i++) {
        struct bypeer_kernel_message message = {.kind = BYPEER_KERNEL_NEIGHBOUR, .neighbour = played.neighbours[i]};
        if (played.neighbours[i].state != 0)
            call(data, &message);
    }
    return 0;
}

static void hear_adjacency(void *data, const struct bypeer_adjacency *adjacency)
{
    (void)data;
    cr_assert_lt(adjacency->id, PEERS);
    heard.adjacencies[adjacency->id] = *adjacency;
    heard.alive[adjacency->id] = true;
    heard.adjacency_reports++;
}

static void hear_gone(void *data, uint32_t id)
{
    (void)data;
    cr_assert(heard.alive[id]);
    for (unsigned link = 1; link < PEERS; link++)
        cr_assert_neq(heard.paths[link].adjacency, id, "a path still uses adjacency %u that is gone", id);
    heard.alive[id] = false;
    heard.gone_reports++;
}

static void hear_path(void *data, const struct bypeer_link_path *path)
{
    (void)data;
    cr_assert(path->adjacency == 0 || heard.alive[path->adjacency], "a path uses an adjacency that was never reported");
    heard.paths[path->link] = *path;
    heard.path_reports++;
}

static void set_up(void)
{
    struct bypeer_adjacencies_kernel kernel = {
        .find_route = play_route, .want_neighbour = play_want, .dump_neighbours = play_dump};
    struct bypeer_adjacencies_reports reports = {
        .adjacency = hear_adjacency, .adjacency_gone = hear_gone, .path = hear_path};
    for (unsigned i = 0; i < PEERS; i++)
        played.routes[i] = (struct played_route){.type = RTN_UNICAST, .index = 10};
    cr_assert_eq(bypeer_adjacencies_create(&all, PEERS - 1, &kernel, &reports), 0);
    cr_assert_eq(bypeer_adjacencies_set_port(all, 0, 10, port_mac, 1500), 0);
    bypeer_adjacencies_hold(all, false);
}

static void tear_down(void)
{
    bypeer_adjacencies_free(all);
}

static void set_link(uint32_t link, uint8_t peer)
{
    uint8_t bytes[16];
    address(bytes, peer);
    cr_assert_eq(bypeer_adjacencies_set_link(all, link, bytes, NULL), 0);
}

static struct bypeer_kernel_message neighbour(uint8_t last, uint16_t state)
{
    struct bypeer_kernel_message message = {
        .kind = BYPEER_KERNEL_NEIGHBOUR,
        .neighbour = {.index = 10, .state = state, .managed = true, .mac = {2, 0, 0, 0, 0, last}}};
    message.neighbour.has_mac = (state & (NUD_INCOMPLETE | NUD_FAILED)) == 0;
    address(message.neighbour.address, last);
    return message;
}

static void tell(struct bypeer_kernel_message message)
{
    bypeer_adjacencies_event(all, &message);
    bypeer_adjacencies_settle(all);
}

static const struct bypeer_adjacency *adjacency_of(uint32_t link)
{
    return &heard.adjacencies[heard.paths[link].adjacency];
}

TestSuite(adjacencies, .init = set_up, .fini = tear_down);

Test(adjacencies, peer_on_the_link_becomes_valid_when_its_mac_is_known)
{
    set_link(1, 2);
    bypeer_adjacencies_settle(all);
    cr_assert_neq(heard.paths[1].adjacency, 0);
    cr_assert_eq(heard.paths[1].mtu, 1500);
    cr_assert_eq(heard.paths[1].local[15], 1);
    cr_assert_not(adjacency_of(1)->valid);
    cr_assert_eq(played.wanted[2], 1);

    tell(neighbour(2, NUD_REACHABLE));
    const uint8_t header[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
    cr_assert(adjacency_of(1)->valid);
    cr_assert_arr_eq(adjacency_of(1)->ether, header, 14);
    unsigned reports = heard.adjacency_reports;
    tell(neighbour(2, NUD_STALE));
    cr_assert_eq(heard.adjacency_reports, reports, "nothing changed for packets, so nothing is reported");
}

Test(adjacencies, what_the_kernel_knows_already_counts_at_once)
{
    played.neighbours[2] = neighbour(2, NUD_STALE).neighbour;
    set_link(1, 2);
    bypeer_adjacencies_settle(all);
    cr_assert(adjacency_of(1)->valid);
}

Test(adjacencies, links_by_the_same_gateway_share_one)
{
    played.routes[2].gateway = played.routes[3].gateway = 7;
    set_link(1, 2);
    set_link(2, 3);
    set_link(3, 4);
    bypeer_adjacencies_settle(all);
    cr_assert_eq(heard.paths[1].adjacency, heard.paths[2].adjacency);
    cr_assert_neq(heard.paths[1].adjacency, heard.paths[3].adjacency);
    cr_assert_eq(played.wanted[7], 1);
    bypeer_adjacencies_remove_link(all, 1);
    heard.paths[1].adjacency = 0;
    cr_assert_eq(heard.gone_reports, 0);
    heard.paths[2].adjacency = 0; /* as control does before it removes the link */
    bypeer_adjacencies_remove_link(all, 2);
    cr_assert_eq(heard.gone_reports, 1);
    cr_assert_eq(played.forgotten[7], 1);
}

Test(adjacencies, route_change_moves_the_link)
{
    set_link(1, 2);
    bypeer_adjacencies_settle(all);
    uint32_t before = heard.paths[1].adjacency;
    played.routes[2].gateway = 7;
    played.routes[2].mtu = 1400;
    struct bypeer_kernel_message elsewhere = {.kind = BYPEER_KERNEL_ROUTE, .route = {.family = AF_INET6, .bits = 64}};
    memset(elsewhere.route.prefix, 0x3f, 8);
    tell(elsewhere);
    cr_assert_eq(heard.paths[1].adjacency, before, "a route that does not cover the peer changes nothing");
    struct bypeer_kernel_message covering = {.kind = BYPEER_KERNEL_ROUTE, .route = {.family = AF_INET6, .bits = 30}};
    address(covering.route.prefix, 0);
    tell(covering);
    cr_assert_neq(heard.paths[1].adjacency, before);
    cr_assert_eq(heard.paths[1].mtu, 1400);
    cr_assert_not(heard.alive[before]);
}

Test(adjacencies, no_path_says_why)
{
    played.routes[2].error = -ENETUNREACH;
    played.routes[3].index = 99;
    played.routes[4].type = RTN_LOCAL;
    set_link(1, 2);
    set_link(2, 3);
    set_link(3, 4);
    bypeer_adjacencies_settle(all);
    for (uint32_t link = 1; link <= 3; link++) {
        cr_assert_eq(heard.paths[link].adjacency, 0);
        cr_assert(strstr(heard.paths[link].why, "2001:db8::") != NULL, "%s", heard.paths[link].why);
    }
    cr_assert(strstr(heard.paths[2].why, "interface 99") != NULL);
    cr_assert_eq(heard.adjacency_reports, 0);
}

Test(adjacencies, one_failure_is_asked_again_and_the_second_counts)
{
    set_link(1, 2);
    bypeer_adjacencies_settle(all);
    tell(neighbour(2, NUD_REACHABLE));
    unsigned wanted = played.wanted[2];
    tell(neighbour(2, NUD_FAILED));
    cr_assert(adjacency_of(1)->valid);
    cr_assert_eq(played.wanted[2], wanted + 1);
    tell(neighbour(2, NUD_INCOMPLETE));
    cr_assert(adjacency_of(1)->valid);
    tell(neighbour(2, NUD_FAILED));
    cr_assert_not(adjacency_of(1)->valid);
    tell(neighbour(2, NUD_REACHABLE));
    cr_assert(adjacency_of(1)->valid);
}

Test(adjacencies, nothing_is_lost_while_no_data_plane_is_attached)
{
    set_link(1, 2);
    bypeer_adjacencies_settle(all);
    tell(neighbour(2, NUD_REACHABLE));
    unsigned wanted = played.wanted[2];
    bypeer_adjacencies_hold(all, true);
    for (int i = 0; i < 5; i++) {
        tell(neighbour(2, NUD_FAILED));
        struct bypeer_kernel_message gone = neighbour(2, NUD_FAILED);
        gone.gone = true;
        tell(gone);
    }
    cr_assert(adjacency_of(1)->valid);
    cr_assert_eq(played.wanted[2], wanted, "nobody could answer, so nobody is asked");
    bypeer_adjacencies_hold(all, false);
    bypeer_adjacencies_settle(all);
    cr_assert(adjacency_of(1)->valid);
    cr_assert_eq(played.wanted[2], wanted + 1);
    tell(neighbour(2, NUD_FAILED));
    tell(neighbour(2, NUD_FAILED));
    cr_assert_not(adjacency_of(1)->valid);
}

Test(adjacencies, permanent_neighbour_is_left_alone)
{
    played.neighbours[2] = neighbour(2, NUD_PERMANENT).neighbour;
    played.neighbours[2].managed = false;
    set_link(1, 2);
    bypeer_adjacencies_settle(all);
    cr_assert(adjacency_of(1)->valid);
    cr_assert_eq(played.wanted[2], 0);
    heard.paths[1].adjacency = 0;
    bypeer_adjacencies_remove_link(all, 1);
    cr_assert_eq(played.forgotten[2], 0);
}

Test(adjacencies, entry_without_our_mark_is_asked_for)
{
    set_link(1, 2);
    bypeer_adjacencies_settle(all);
    struct bypeer_kernel_message unmarked = neighbour(2, NUD_REACHABLE);
    unmarked.neighbour.managed = false;
    unsigned wanted = played.wanted[2];
    tell(unmarked);
    cr_assert_eq(played.wanted[2], wanted + 1);
}

Test(adjacencies, port_mac_comes_late_and_may_change)
{
    const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 9};
    bypeer_adjacencies_set_port(all, 0, 10, no_mac, 1500);
    set_link(1, 2);
    bypeer_adjacencies_settle(all);
    tell(neighbour(2, NUD_REACHABLE));
    cr_assert_not(adjacency_of(1)->valid, "no frame may be sent from a MAC that is not known");
    bypeer_adjacencies_set_port(all, 0, 10, other_mac, 9000);
    bypeer_adjacencies_settle(all);
    cr_assert(adjacency_of(1)->valid);
    cr_assert_arr_eq(adjacency_of(1)->ether + 6, other_mac, 6);
    cr_assert_eq(heard.paths[1].mtu, 9000);
}

Test(adjacencies, port_that_goes_takes_its_paths_along)
{
    set_link(1, 2);
    bypeer_adjacencies_settle(all);
    bypeer_adjacencies_set_port(all, 0, 0, no_mac, 0);
    bypeer_adjacencies_settle(all);
    cr_assert_eq(heard.paths[1].adjacency, 0);
    cr_assert_eq(heard.gone_reports, 1);
}

Test(adjacencies, two_ports_are_two_adjacencies_and_never_one_interface)
{
    cr_assert_eq(bypeer_adjacencies_set_port(all, 1, 10, port_mac, 1500), -EINVAL);
    cr_assert_eq(bypeer_adjacencies_set_port(all, 1, 11, port_mac, 1500), 0);
    played.routes[2].gateway = played.routes[3].gateway = 7;
    played.routes[3].index = 11;
    set_link(1, 2);
    set_link(2, 3);
    bypeer_adjacencies_settle(all);
    cr_assert_eq(adjacency_of(1)->port, 0);
    cr_assert_eq(adjacency_of(2)->port, 1);
}

Test(adjacencies, lost_events_are_made_up_for)
{
    set_link(1, 2);
    bypeer_adjacencies_settle(all);
    played.neighbours[2] = neighbour(2, NUD_REACHABLE).neighbour;
    played.routes[2].mtu = 1300;
    tell((struct bypeer_kernel_message){.kind = BYPEER_KERNEL_OVERRUN});
    cr_assert(adjacency_of(1)->valid);
    cr_assert_eq(heard.paths[1].mtu, 1300);
}

Test(adjacencies, full_says_so_and_ids_come_back)
{
    struct bypeer_adjacencies_kernel kernel = {
        .find_route = play_route, .want_neighbour = play_want, .dump_neighbours = play_dump};
    struct bypeer_adjacencies_reports reports = {
        .adjacency = hear_adjacency, .adjacency_gone = hear_gone, .path = hear_path};
    bypeer_adjacencies_free(all);
    cr_assert_eq(bypeer_adjacencies_create(&all, 2, &kernel, &reports), 0);
    bypeer_adjacencies_set_port(all, 0, 10, port_mac, 1500);
    for (uint8_t link = 1; link <= 3; link++)
        set_link(link, (uint8_t)(link + 1));
    bypeer_adjacencies_settle(all);
    cr_assert_eq(heard.paths[3].adjacency, 0);
    cr_assert(strstr(heard.paths[3].why, "adjacencies") != NULL);
    heard.paths[1].adjacency = 0;
    bypeer_adjacencies_remove_link(all, 1);
    set_link(3, 4);
    bypeer_adjacencies_settle(all);
    cr_assert_neq(heard.paths[3].adjacency, 0);
}

Test(adjacencies, link_removed_and_made_again_between_two_settlings)
{
    set_link(1, 2);
    bypeer_adjacencies_settle(all);
    for (int i = 0; i < 100; i++) { /* more often than the list of doubted links is long */
        heard.paths[1].adjacency = 0;
        bypeer_adjacencies_remove_link(all, 1);
        set_link(1, 3);
    }
    bypeer_adjacencies_settle(all);
    tell(neighbour(3, NUD_REACHABLE));
    cr_assert(adjacency_of(1)->valid);
}
