/*
 * The devices by which packets reach the kernel: a TAP for each port's underlay, one TUN for the host's overlay
 * traffic.
 *
 * They are persistent and belong to control: made or adopted here, and set up before the data plane attaches its queues
 * by name. Control keeps one queue of each itself, detached (TUNSETQUEUE): it carries no packet, but with it the device
 * keeps its carrier, and so its addresses, routes and neighbours, when the data plane dies. Without a data plane the
 * kernel drops what it sends there.
 *
 *   data plane alive:  queues 0..n-1 = data plane's, 1 detached = control's
 *   data plane dead:   1 detached
 *   control dead:      queues 0..n-1
 *   both dead:         persistent device without carrier: addresses and routes stay, neighbours are resolved anew
 *
 * No offload is enabled, so what the kernel sends there has complete checksums and is no larger than the MTU; the
 * frames begin with a virtio-net header of 10 bytes, zero, all the same (IFF_VNET_HDR), so that offloads may come one
 * day without making the devices anew.
 *
 * Thread: one. Needs CAP_NET_ADMIN.
 */
#pragma once

#include <net/if.h>
#include <sys/types.h>

#include "control/kernel/netlink.h"

enum bypeer_tap_kind {
    BYPEER_TAP_UNDERLAY, /* TAP: Ethernet frames of a port */
    BYPEER_TAP_OVERLAY,  /* TUN: IPv6 packets, no Ethernet, no neighbour discovery, no link-local address */
};

struct bypeer_tap_settings {
    enum bypeer_tap_kind kind;
    const char *name;
    uid_t owner; /* who may attach queues without CAP_NET_ADMIN; (uid_t)-1: this process's user */
    gid_t group; /* and must be in this group; (gid_t)-1: in any */
    uint16_t mtu;
    const uint8_t *mac;  /* 6 bytes, of the port; NULL: not known yet */
    bool accept_routers; /* take addresses and default routes from router advertisements (off for an overlay TUN) */
};

struct bypeer_tap {
    enum bypeer_tap_kind kind;
    char name[IFNAMSIZ];
    uint32_t index;
    int fd;         /* the detached queue */
    uint8_t mac[6]; /* its port's; zero: not known yet, or a TUN */
    bool adopted;   /* was there before: addresses and routes may be on it already */
    bool up;
};

/*
 * Makes the device or adopts the one of that name, sets it up and brings it up. A TAP whose MAC is not known stays down
 * until bypeer_tap_set_mac(), or neighbours would learn one that its port does not have; one that is adopted and up has
 * its port's MAC and keeps it. Returns 0, or negative errno with one
 * line in why that says what failed and what to do; then *ret_tap is untouched. -EEXIST: a device of that
 * name is no TAP or TUN of ours.
 */
int bypeer_tap_open(struct bypeer_tap *ret_tap, struct bypeer_netlink *netlink,
                    const struct bypeer_tap_settings *settings, char why[static 160]);
/* Closes the queue; the device stays. */
void bypeer_tap_close(struct bypeer_tap *tap);

/* Change while it runs. 0 or negative errno. With a MAC the device comes up, if it was not. */
int bypeer_tap_set_mac(struct bypeer_tap *tap, struct bypeer_netlink *netlink, const uint8_t mac[static 6]);
int bypeer_tap_set_mtu(const struct bypeer_tap *tap, struct bypeer_netlink *netlink, uint16_t mtu);
