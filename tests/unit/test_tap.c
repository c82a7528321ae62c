/*
 * The TAP, netlink and adjacencies with the running kernel, in a network namespace of each test's own; skipped without
 * the right to make one. The test plays the data plane: it attaches a queue, answers ARP, and dies.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "control/kernel/adjacencies.h"
#include "control/kernel/tap.h"

#define VNET_HEADER_BYTES 10

static struct bypeer_netlink *netlink;
static struct bypeer_tap tap;
static const uint8_t port_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t own4[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1};
static const uint8_t peer4[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 2};
static const uint8_t own6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
static const uint8_t peer6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 2};

static struct bypeer_tap open_tap(enum bypeer_tap_kind kind, const char *name)
{
    struct bypeer_tap made;
    char why[160] = "";
    struct bypeer_tap_settings settings = {
        .kind = kind, .name = name, .owner = (uid_t)-1, .group = (gid_t)-1, .mtu = 1500, .mac = port_mac};
    cr_assert_eq(bypeer_tap_open(&made, netlink, &settings, why), 0, "%s", why);
    return made;
}

static void set_up(void)
{
    if (unshare(CLONE_NEWNET) < 0)
        cr_skip_test("needs the right to make network namespaces");
    cr_assert_eq(bypeer_netlink_open(&netlink), 0);
    tap = open_tap(BYPEER_TAP_UNDERLAY, "bp-test");
    cr_assert_eq(bypeer_netlink_set_address(netlink, true, tap.index, own4, 96 + 24), 0);
    cr_assert_eq(bypeer_netlink_set_address(netlink, true, tap.index, own6, 64), 0);
}

TestSuite(tap, .init = set_up, .timeout = 60);

/* What the data plane does: a queue of the device, by name. */
static int attach_queue(const char *name, short mode)
{
    struct ifreq request = {.ifr_flags = (short)(mode | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE)};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    cr_assert_geq(fd, 0);
    cr_assert_eq(ioctl(fd, TUNSETIFF, &request), 0, "%s", strerror(errno));
    return fd;
}

static void answer_arp(int fd)
{
    uint8_t frame[2048];
    ssize_t bytes;
    while ((bytes = read(fd, frame, sizeof(frame))) > 0) {
        uint8_t *ether = frame + VNET_HEADER_BYTES, *arp = ether + 14;
        if (bytes < VNET_HEADER_BYTES + 42 || ether[12] != 0x08 || ether[13] != 0x06 || arp[7] != 1)
            continue;
        memcpy(ether, ether + 6, 6);
        memcpy(ether + 6, peer_mac, 6);
        arp[7] = 2;
        uint8_t target[4];
        memcpy(target, arp + 24, 4);
        memcpy(arp + 18, arp + 8, 10); /* sender becomes target */
        memcpy(arp + 8, peer_mac, 6);
        memcpy(arp + 14, target, 4);
        cr_assert_eq(write(fd, frame, VNET_HEADER_BYTES + 42), VNET_HEADER_BYTES + 42);
    }
}

static struct bypeer_adjacencies *all;
static struct bypeer_adjacency adjacency;
static struct bypeer_link_path path;

static void hear_adjacency(void *data, const struct bypeer_adjacency *heard)
{
    (void)data;
    adjacency = *heard;
}

static void hear_gone(void *data, uint32_t id)
{
    (void)data;
    (void)id;
    adjacency = (struct bypeer_adjacency){0};
}

static void hear_path(void *data, const struct bypeer_link_path *heard)
{
    (void)data;
    path = *heard;
}

static void begin_adjacencies(const uint8_t peer[static 16])
{
    struct bypeer_adjacencies_kernel kernel = bypeer_adjacencies_netlink(netlink);
    struct bypeer_adjacencies_reports reports = {hear_adjacency, hear_gone, hear_path, NULL};
    cr_assert_eq(bypeer_adjacencies_create(&all, 8, &kernel, &reports), 0);
    cr_assert_eq(bypeer_adjacencies_set_port(all, 0, tap.index, tap.mac, 1500), 0);
    cr_assert_eq(bypeer_adjacencies_set_link(all, 1, peer, NULL), 0);
    bypeer_adjacencies_settle(all);
}

/* Lets the kernel's events and the peer's answers happen for a while. queue: -1, or the data plane's. */
static void run(int queue, int milliseconds)
{
    for (int spent = 0; spent < milliseconds; spent += 20) {
        struct pollfd polled[2] = {{bypeer_netlink_event_fd(netlink), POLLIN, 0}, {queue, POLLIN, 0}};
        poll(polled, 2, 20);
        cr_assert_eq(bypeer_netlink_ready(netlink, bypeer_adjacencies_event, all), 0);
        bypeer_adjacencies_settle(all);
        if (queue >= 0)
            answer_arp(queue);
    }
}

static struct bypeer_kernel_neighbour found;

static void find_neighbour(void *data, const struct bypeer_kernel_message *message)
{
    if (message->neighbour.index == tap.index && memcmp(message->neighbour.address, data, 16) == 0)
        found = message->neighbour;
}

/* State of the kernel's entry; 0: none. */
static uint16_t neighbour_state(const uint8_t address[static 16])
{
    uint8_t key[16];
    memcpy(key, address, 16);
    found = (struct bypeer_kernel_neighbour){0};
    cr_assert_eq(bypeer_netlink_dump(netlink, BYPEER_KERNEL_NEIGHBOUR, tap.index, find_neighbour, key), 0);
    return found.state;
}

static struct bypeer_kernel_link seen_link;

static void find_link(void *data, const struct bypeer_kernel_message *message)
{
    if (message->link.index == *(uint32_t *)data)
        seen_link = message->link;
}

static struct bypeer_kernel_link link_state(uint32_t index)
{
    seen_link = (struct bypeer_kernel_link){0};
    cr_assert_eq(bypeer_netlink_dump(netlink, BYPEER_KERNEL_LINK, 0, find_link, &index), 0);
    return seen_link;
}

Test(tap, device_has_carrier_mac_and_mtu_before_any_data_plane)
{
    struct bypeer_kernel_link state = link_state(tap.index);
    cr_assert(state.up && state.carrier);
    cr_assert_arr_eq(state.mac, port_mac, 6);
    cr_assert_eq(state.mtu, 1500);
    cr_assert_not(tap.adopted);
}

Test(tap, everything_survives_the_death_of_the_data_plane)
{
    begin_adjacencies(peer4);
    int queue = attach_queue(tap.name, IFF_TAP);
    bypeer_adjacencies_hold(all, false);
    run(queue, 400);
    cr_assert(adjacency.valid, "resolved by ARP: %s", path.why);
    cr_assert_arr_eq(adjacency.ether, peer_mac, 6);
    cr_assert_arr_eq(adjacency.ether + 6, port_mac, 6);
    cr_assert_arr_eq(path.local, own4, 16);

    close(queue);
    bypeer_adjacencies_hold(all, true);
    run(-1, 200);
    cr_assert(link_state(tap.index).carrier);
    cr_assert(neighbour_state(peer4) & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE));
    cr_assert(found.managed);
    cr_assert(adjacency.valid);
    struct bypeer_kernel_route route;
    cr_assert_eq(bypeer_netlink_find_route(netlink, peer4, NULL, &route), 0);
    cr_assert_eq(route.index, tap.index);
}

Test(tap, everything_survives_the_death_of_control)
{
    begin_adjacencies(peer4);
    int queue = attach_queue(tap.name, IFF_TAP);
    bypeer_adjacencies_hold(all, false);
    run(queue, 400);
    cr_assert(adjacency.valid);

    bypeer_tap_close(&tap);
    bypeer_netlink_close(netlink);
    bypeer_adjacencies_free(all);
    adjacency = (struct bypeer_adjacency){0};
    cr_assert_eq(bypeer_netlink_open(&netlink), 0);
    tap = open_tap(BYPEER_TAP_UNDERLAY, "bp-test");
    cr_assert(tap.adopted);
    begin_adjacencies(peer4);
    cr_assert(adjacency.valid, "a new control knows at once what the kernel knows");
    cr_assert_arr_eq(adjacency.ether, peer_mac, 6);
}

Test(tap, a_queue_that_control_holds_gets_no_packets)
{
    int queue = attach_queue(tap.name, IFF_TAP);
    begin_adjacencies(peer4);
    struct bypeer_tap again = open_tap(BYPEER_TAP_UNDERLAY, "bp-test"); /* a new control beside the data plane */
    for (int i = 0; i < 64; i++) {
        uint8_t address[16];
        memcpy(address, peer4, 16);
        address[15] = (uint8_t)(10 + i);
        cr_assert_eq(bypeer_netlink_want_neighbour(netlink, true, tap.index, address), 0);
    }
    unsigned requests = 0;
    uint8_t frame[2048];
    ssize_t bytes;
    while ((bytes = read(queue, frame, sizeof(frame))) > 0)
        requests += bytes > 24 && frame[VNET_HEADER_BYTES + 12] == 0x08 && frame[VNET_HEADER_BYTES + 13] == 0x06;
    cr_assert_geq(requests, 64);
    bypeer_tap_close(&again);
}

Test(tap, ipv6_peer_is_asked_for_from_the_ports_address)
{
    int queue = attach_queue(tap.name, IFF_TAP);
    begin_adjacencies(peer6);
    bypeer_adjacencies_hold(all, false);
    bypeer_adjacencies_settle(all);
    cr_assert_arr_eq(path.local, own6, 16, "no duplicate address detection is in the way");
    cr_assert_neq(path.adjacency, 0);
    cr_assert_eq(neighbour_state(peer6), NUD_INCOMPLETE);
    uint8_t frame[2048];
    bool asked = false;
    struct pollfd polled = {queue, POLLIN, 0};
    while (!asked && poll(&polled, 1, 5000) == 1) { /* once the kernel has its link-local address, or a retry later */
        ssize_t bytes = read(queue, frame, sizeof(frame));
        asked = bytes >= VNET_HEADER_BYTES + 78 && frame[VNET_HEADER_BYTES + 14 + 40] == 135;
    }
    cr_assert(asked, "a neighbour solicitation");
}

Test(tap, gateway_route_is_followed_when_it_comes)
{
    uint8_t far[16] = {0x20, 0x01, 0x0d, 0xb9, [15] = 2};
    begin_adjacencies(far);
    cr_assert_eq(path.adjacency, 0);
    cr_assert(strstr(path.why, "2001:db9::2") != NULL, "%s", path.why);
    cr_assert_eq(bypeer_netlink_set_route(netlink, true, tap.index, far, 64, own6), 0);
    run(-1, 60);
    cr_assert_neq(path.adjacency, 0);
    cr_assert_arr_eq(path.local, own6, 16);
    cr_assert_eq(bypeer_netlink_set_route(netlink, false, tap.index, far, 64, NULL), 0);
    cr_assert_eq(bypeer_netlink_set_route(netlink, false, tap.index, far, 64, NULL), 0, "twice is no error");
    run(-1, 60);
    cr_assert_eq(path.adjacency, 0);
}

/* It would tell neighbours the kernel's choice, which no port has. */
Test(tap, a_device_stays_down_until_its_mac_is_known)
{
    char why[160] = "";
    struct bypeer_tap first, second;
    const uint8_t none[6] = {0};
    struct bypeer_tap_settings settings = {
        .kind = BYPEER_TAP_UNDERLAY, .name = "bp-later", .owner = (uid_t)-1, .group = (gid_t)-1, .mtu = 1500};
    cr_assert_eq(bypeer_tap_open(&first, netlink, &settings, why), 0, "%s", why);
    cr_assert_not(link_state(first.index).up);
    cr_assert_arr_eq(first.mac, none, 6);
    cr_assert_eq(bypeer_tap_set_mac(&first, netlink, peer_mac), 0);
    cr_assert(link_state(first.index).up);
    /* A successor of the process finds it as it is. */
    bypeer_tap_close(&first);
    cr_assert_eq(bypeer_tap_open(&second, netlink, &settings, why), 0, "%s", why);
    cr_assert(link_state(second.index).up);
    cr_assert_arr_eq(second.mac, peer_mac, 6);
}

Test(tap, setting_the_same_mac_keeps_neighbours)
{
    begin_adjacencies(peer4);
    int queue = attach_queue(tap.name, IFF_TAP);
    bypeer_adjacencies_hold(all, false);
    run(queue, 400);
    uint16_t before = neighbour_state(peer4);
    cr_assert_eq(bypeer_tap_set_mac(&tap, netlink, port_mac), 0);
    cr_assert_eq(neighbour_state(peer4), before);
    const uint8_t other[6] = {2, 0, 0, 0, 0, 9};
    cr_assert_eq(bypeer_tap_set_mac(&tap, netlink, other), 0);
    cr_assert_arr_eq(link_state(tap.index).mac, other, 6);
}

static unsigned addresses_seen;

static void count_address(void *data, const struct bypeer_kernel_message *message)
{
    addresses_seen += message->address.index == *(uint32_t *)data;
}

Test(tap, overlay_device_carries_ipv6_and_nothing_of_its_own)
{
    const uint8_t prefix[16] = {0xfd, 0x12, 0x34, 0x56, 0x78, 0x9a};
    uint8_t own[16] = {0xfd, 0x12, 0x34, 0x56, 0x78, 0x9a, [15] = 1};
    struct bypeer_tap tun = open_tap(BYPEER_TAP_OVERLAY, "bypeer-test");
    int queue = attach_queue(tun.name, IFF_TUN);
    cr_assert_eq(bypeer_netlink_set_address(netlink, true, tun.index, own, 128), 0);
    cr_assert_eq(bypeer_netlink_set_address(netlink, true, tun.index, own, 128), 0, "twice is no error");
    cr_assert_eq(bypeer_netlink_set_route(netlink, true, tun.index, prefix, 48, own), 0);
    struct bypeer_kernel_route route;
    uint8_t member[16] = {0xfd, 0x12, 0x34, 0x56, 0x78, 0x9a, [15] = 2};
    cr_assert_eq(bypeer_netlink_find_route(netlink, member, NULL, &route), 0);
    cr_assert_eq(route.index, tun.index);
    cr_assert_not(route.has_gateway);
    cr_assert_arr_eq(route.source, own, 16);
    cr_assert_eq(bypeer_netlink_dump(netlink, BYPEER_KERNEL_ADDRESS, 0, count_address, &tun.index), 0);
    cr_assert_eq(addresses_seen, 1, "no link-local address");
    usleep(1500000); /* router solicitations and multicast reports would come within a second */
    uint8_t packet[2048];
    cr_assert_eq(read(queue, packet, sizeof(packet)), -1, "silence");
    cr_assert_eq(errno, EAGAIN);
}

Test(tap, foreign_device_of_that_name_is_refused)
{
    struct bypeer_tap made = {.fd = -2};
    char why[160];
    struct bypeer_tap_settings settings = {
        .kind = BYPEER_TAP_UNDERLAY, .name = "lo", .owner = (uid_t)-1, .group = (gid_t)-1, .mtu = 1500};
    cr_assert_eq(bypeer_tap_open(&made, netlink, &settings, why), -EEXIST);
    cr_assert(strstr(why, "lo: ") == why && strstr(why, "another name") != NULL, "%s", why);
    cr_assert_eq(made.fd, -2);
}

Test(tap, user_without_rights_attaches_queues_of_a_device_that_is_his)
{
    struct bypeer_tap made;
    char why[160];
    struct bypeer_tap_settings settings = {
        .kind = BYPEER_TAP_UNDERLAY, .name = "bp-owned", .owner = 65534, .group = (gid_t)-1, .mtu = 1500};
    cr_assert_eq(bypeer_tap_open(&made, netlink, &settings, why), 0);
    cr_assert_eq(setresuid(65534, 65534, 65534), 0);
    int queue = attach_queue("bp-owned", IFF_TAP);
    cr_assert_geq(queue, 0);
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE, .ifr_name = "bp-test"};
    int other = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    cr_assert_geq(other, 0);
    cr_assert_eq(ioctl(other, TUNSETIFF, &request), -1, "no owner given means control's own user, not anybody");
    cr_assert_eq(errno, EPERM);
}

static unsigned overruns;

static void count_overrun(void *data, const struct bypeer_kernel_message *message)
{
    overruns += message->kind == BYPEER_KERNEL_OVERRUN;
    bypeer_adjacencies_event(data, message);
}

Test(tap, more_events_than_the_socket_holds_are_made_up_for)
{
    begin_adjacencies(peer4);
    uint8_t far[16] = {0x20, 0x01, 0x0d, 0xb9};
    for (int i = 0; i < 40000; i++) {
        memcpy(far + 8, &i, sizeof(i));
        cr_assert_eq(bypeer_netlink_set_route(netlink, true, tap.index, far, 128, NULL), 0);
    }
    const uint8_t other[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 7}; /* an event that nobody hears of */
    cr_assert_eq(bypeer_netlink_set_address(netlink, false, tap.index, own4, 96 + 24), 0);
    cr_assert_eq(bypeer_netlink_set_address(netlink, true, tap.index, other, 96 + 24), 0);
    while (overruns == 0) {
        struct pollfd polled = {bypeer_netlink_event_fd(netlink), POLLIN, 0};
        cr_assert_eq(poll(&polled, 1, 5000), 1, "the overrun is told");
        cr_assert_eq(bypeer_netlink_ready(netlink, count_overrun, all), 0);
    }
    bypeer_adjacencies_settle(all);
    cr_assert_arr_eq(path.local, other, 16);
}
