#include "control/kernel/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static short tap_flags(enum bypeer_tap_kind kind)
{
    short mode = kind == BYPEER_TAP_UNDERLAY ? IFF_TAP : IFF_TUN;
    return (short)(mode | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE);
}

static int tap_fail(char *why, const char *name, const char *what, int error, const char *remedy)
{
    snprintf(why, 160, "%s: %s: %s; %s", name, what, strerror(-error), remedy);
    return error;
}

/* Attaches a queue; with it, TUNSETIFF makes the device where there is none. */
static int tap_attach(int fd, const struct bypeer_tap_settings *settings, char *why)
{
    struct ifreq request = {.ifr_flags = tap_flags(settings->kind)};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", settings->name);
    if (ioctl(fd, TUNSETIFF, &request) == 0)
        return 0;
    int error = -errno;
    if (error == -EINVAL || error == -EBUSY || error == -EEXIST)
        return tap_fail(why, settings->name, "a device of this name is no multi-queue TAP or TUN of bypeer", -EEXIST,
                        "remove it, or choose another name in the configuration");
    if (error == -EPERM)
        return tap_fail(why, settings->name, "cannot make or attach to the device", error,
                        "CAP_NET_ADMIN in this network namespace is needed");
    return tap_fail(why, settings->name, "cannot make or attach to the device", error, "see tun(4)");
}

/* At once after attaching: of a device in use, an attached queue would get a share of the packets, which nobody reads.
 */
static int tap_detach(int fd, const struct bypeer_tap_settings *settings, char *why)
{
    struct ifreq request = {.ifr_flags = IFF_DETACH_QUEUE};
    if (ioctl(fd, TUNSETQUEUE, &request) == 0)
        return 0;
    return tap_fail(why, settings->name, "cannot detach the held queue", -errno, "see tun(4)");
}

/* What belongs to the device rather than to a queue. */
static int tap_own(int fd, const struct bypeer_tap_settings *settings, char *why)
{
    int header_bytes = 10; /* sizeof(struct virtio_net_hdr) */
    if (ioctl(fd, TUNSETPERSIST, 1UL) < 0)
        return tap_fail(why, settings->name, "cannot make the device persistent", -errno, "CAP_NET_ADMIN is needed");
    uid_t owner = settings->owner == (uid_t)-1 ? geteuid() : settings->owner; /* without one it would be anybody's */
    if (ioctl(fd, TUNSETOWNER, (unsigned long)owner) < 0)
        return tap_fail(why, settings->name, "cannot set the device's owner", -errno, "check dataplane.user");
    if (settings->group != (gid_t)-1 && ioctl(fd, TUNSETGROUP, (unsigned long)settings->group) < 0)
        return tap_fail(why, settings->name, "cannot set the device's group", -errno, "check dataplane.group");
    /* The kernel itself completes checksums and cuts what is larger than the MTU. */
    if (ioctl(fd, TUNSETOFFLOAD, 0UL) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &header_bytes) < 0)
        return tap_fail(why, settings->name, "cannot turn offloads off", -errno, "see tun(4)");
    return 0;
}

/*
 * One setting of the interface. A read-only /proc/sys or a kernel without IPv6 is no reason to fail: what goes
 * missing is silence on the link, not correctness, and addresses are added without duplicate detection anyway.
 */
static void tap_sysctl(const char *family, const char *name, const char *key, const char *value)
{
    char path[128];
    int bytes = snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, name, key);
    if (bytes < 0 || (size_t)bytes >= sizeof(path))
        return;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t wrote = write(fd, value, strlen(value));
    (void)wrote;
    close(fd);
}

static void tap_quieten(const struct bypeer_tap_settings *settings)
{
    bool routers = settings->accept_routers && settings->kind == BYPEER_TAP_UNDERLAY;
    tap_sysctl("ipv6", settings->name, "accept_dad",
               "0"); /* else addresses stay tentative while no data plane answers */
    tap_sysctl("ipv6", settings->name, "dad_transmits", "0");
    tap_sysctl("ipv6", settings->name, "accept_ra", routers ? "2" : "0"); /* 2: also when the host forwards */
    tap_sysctl("ipv6", settings->name, "autoconf", routers ? "1" : "0");
    tap_sysctl("ipv6", settings->name, "router_solicitations", routers ? "-1" : "0"); /* -1: until one answers */
    tap_sysctl("ipv6", settings->name, "keep_addr_on_down", "1");
    /* Neighbours hear of the MAC when it is set or changes. */
    tap_sysctl("ipv6", settings->name, "ndisc_notify", "1");
    tap_sysctl("ipv4", settings->name, "arp_notify", "1");
}

/* Apart from other changes of the link: the kernel would raise it before them. */
static int tap_raise(struct bypeer_tap *tap, struct bypeer_netlink *netlink)
{
    struct bypeer_kernel_link_change change = {.set_up = true, .up = true};
    int error = tap->up ? 0 : bypeer_netlink_change_link(netlink, tap->index, &change);
    tap->up = error == 0;
    return error;
}

/* Whether it is up, and then its MAC: only a device that is up has been given its port's. */
static void tap_look(struct bypeer_tap *tap)
{
    struct ifreq present = {0};
    snprintf(present.ifr_name, sizeof(present.ifr_name), "%s", tap->name);
    int any = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (any < 0)
        return;
    tap->up = ioctl(any, SIOCGIFFLAGS, &present) == 0 && (present.ifr_flags & IFF_UP) != 0;
    close(any);
    if (tap->kind == BYPEER_TAP_UNDERLAY && tap->up && ioctl(tap->fd, SIOCGIFHWADDR, &present) == 0)
        memcpy(tap->mac, present.ifr_hwaddr.sa_data, sizeof(tap->mac));
}

static int tap_configure(struct bypeer_tap *tap, struct bypeer_netlink *netlink,
                         const struct bypeer_tap_settings *settings, char *why)
{
    bool tun = tap->kind == BYPEER_TAP_OVERLAY;
    struct bypeer_kernel_link_change shape = {
        .mtu = settings->mtu, .no_multicast = tun, .no_link_local = tun, .link_local = !tun};
    tap_look(tap);
    tap_quieten(settings);
    int error = bypeer_netlink_change_link(netlink, tap->index, &shape);
    if (error < 0)
        return tap_fail(why, settings->name, "cannot set its MTU", error, "CAP_NET_ADMIN is needed");
    if (!tun && settings->mac != NULL)
        error = bypeer_tap_set_mac(tap, netlink, settings->mac);
    else if (tun)
        error = tap_raise(tap, netlink);
    return error < 0 ? tap_fail(why, settings->name, "cannot bring the device up", error, "see ip-link(8)") : 0;
}

int bypeer_tap_open(struct bypeer_tap *ret_tap, struct bypeer_netlink *netlink,
                    const struct bypeer_tap_settings *settings, char why[static 160])
{
    struct bypeer_tap tap = {.kind = settings->kind};
    if (strlen(settings->name) == 0 || strlen(settings->name) >= sizeof(tap.name))
        return tap_fail(why, settings->name, "no name for a device", -EINVAL, "use 1 to 15 characters");
    snprintf(tap.name, sizeof(tap.name), "%s", settings->name);
    tap.adopted = if_nametoindex(tap.name) != 0;
    tap.fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (tap.fd < 0)
        return tap_fail(why, "/dev/net/tun", "cannot open", -errno, "load the tun module, or allow the device");

    int error = tap_attach(tap.fd, settings, why);
    if (error == 0)
        error = tap_detach(tap.fd, settings, why);
    if (error == 0)
        error = tap_own(tap.fd, settings, why);
    if (error == 0) {
        tap.index = if_nametoindex(tap.name);
        error = tap_configure(&tap, netlink, settings, why);
    }
    if (error < 0) {
        close(tap.fd);
        return error;
    }
    *ret_tap = tap;
    return 0;
}

void bypeer_tap_close(struct bypeer_tap *tap)
{
    if (tap->fd >= 0)
        close(tap->fd);
    tap->fd = -1;
}

int bypeer_tap_set_mac(struct bypeer_tap *tap, struct bypeer_netlink *netlink, const uint8_t mac[static 6])
{
    struct bypeer_kernel_link_change change = {.mac = mac};
    if (memcmp(tap->mac, mac, sizeof(tap->mac)) != 0) { /* setting the same would still flush every neighbour */
        int error = bypeer_netlink_change_link(netlink, tap->index, &change);
        if (error < 0)
            return error;
        memcpy(tap->mac, mac, sizeof(tap->mac));
    }
    return tap_raise(tap, netlink);
}

int bypeer_tap_set_mtu(const struct bypeer_tap *tap, struct bypeer_netlink *netlink, uint16_t mtu)
{
    struct bypeer_kernel_link_change change = {.mtu = mtu};
    return bypeer_netlink_change_link(netlink, tap->index, &change);
}
