#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_bus_pci.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/eal.h"
#include "dataplane/log.h"
#include "dataplane/ports.h"

/* Received while a worker naps for its longest, 1.5 ms, at 1.3 million frames a second. */
#define RECEIVE_DESCRIPTORS  2048
#define TRANSMIT_DESCRIPTORS 1024
#define POOL_CACHE           256
/* A packet in each ring to and from the host thread, and what lcores hold in caches and bursts. */
#define MBUFS_BESIDE 8192u

__attribute__((format(printf, 3, 4))) static int port_refuse(char *why, int status, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(why, BYPEER_PORTS_WHY_BYTES, format, values);
    va_end(values);
    return status;
}

/* --- descriptors that a driver opened ----------------------------------------------------------------------------- */

#define DESCRIPTORS_MAX 1024
struct descriptors {
    bool open[DESCRIPTORS_MAX];
};

static void descriptors_look(struct descriptors *ret_descriptors)
{
    memset(ret_descriptors, 0, sizeof(*ret_descriptors));
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        char *end;
        long fd = strtol(entry->d_name, &end, 10);
        if (end != entry->d_name && *end == '\0' && fd >= 0 && fd < DESCRIPTORS_MAX && fd != dirfd(directory))
            ret_descriptors->open[fd] = true;
    }
    closedir(directory);
}

/* The next socket of that family from fd on which is open now and was not before; -1: none. */
static int descriptors_find_new(const struct descriptors *before, int fd, int family)
{
    struct descriptors now;
    descriptors_look(&now);
    for (; fd < DESCRIPTORS_MAX; fd++) {
        int domain;
        socklen_t length = sizeof(domain);
        if (now.open[fd] && !before->open[fd] && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
            domain == family)
            return fd;
    }
    return -1;
}

/* --- one port ----------------------------------------------------------------------------------------------------- */

/* DPDK's name of a device string: "net_tap0" of "net_tap0,iface=x", a PCI address in full. */
static void port_name(char name[static RTE_ETH_NAME_MAX_LEN], const char *device)
{
    snprintf(name, RTE_ETH_NAME_MAX_LEN, "%.*s", (int)strcspn(device, ","), device);
    struct rte_pci_addr address;
    if (bypeer_eal_is_pci(device) && rte_pci_addr_parse(name, &address) == 0)
        rte_pci_device_name(&address, name, RTE_ETH_NAME_MAX_LEN);
}

/* Sockets that the driver opened when the device was probed, one a queue in this order (net_af_packet). */
static void port_find_probed_sources(struct bypeer_port_device *device, const struct descriptors *before)
{
    int fd = 0;
    for (uint16_t queue = 0; queue < device->receive_queues && fd >= 0; queue++) {
        fd = descriptors_find_new(before, fd, AF_PACKET);
        device->sources[queue].fd = fd++;
    }
}

static int port_probe(struct bypeer_port_device *device, uint16_t number, uint16_t workers, char *why)
{
    const struct bypeer_config_port *config = device->config;
    uint16_t queues = config->queues > workers ? config->queues : workers;
    char text[512], name[RTE_ETH_NAME_MAX_LEN];
    if (bypeer_ports_device_string(text, sizeof(text), config->device, config->mtu, queues) < 0)
        return port_refuse(why, -EINVAL, "ports[%u].device: \"%s\" is too long", number, config->device);

    struct descriptors before;
    descriptors_look(&before);
    port_name(name, config->device);
    int status = bypeer_eal_is_pci(config->device) ? 0 : rte_dev_probe(text);
    if (status == -EFAULT)
        return port_refuse(why, -EINVAL,
                           "ports[%u].device: \"%s\": DPDK knows no such driver; use one such as net_af_xdp0", number,
                           config->device);
    if (status < 0)
        return port_refuse(why, -ENODEV,
                           "ports[%u].device: \"%s\" does not start; see the driver's message above, and whether the "
                           "interface that it names exists, is up and has a queue for each worker (ethtool -l)",
                           number, text);
    if (rte_eth_dev_get_port_by_name(name, &device->port_id) < 0)
        return port_refuse(why, -ENODEV,
                           "ports[%u].device: DPDK has no Ethernet device \"%s\"; is it bound to vfio-pci "
                           "(dpdk-devbind.py --status)?",
                           number, name);
    device->receive_queues = config->queues;
    device->transmit_queues = workers;
    for (uint16_t queue = 0; queue < BYPEER_PORT_QUEUES_MAX; queue++)
        device->sources[queue] = (struct bypeer_wakeup_source){.fd = -1, .port_id = device->port_id, .queue = queue};
    port_find_probed_sources(device, &before);
    return 0;
}

static int port_configure(struct bypeer_port_device *device, uint16_t number, bool interrupts, bool one_pool,
                          uint16_t *receive_descriptors, uint16_t *transmit_descriptors, char *why)
{
    const struct bypeer_config_port *config = device->config;
    struct rte_eth_dev_info info;
    int status = rte_eth_dev_info_get(device->port_id, &info);
    if (status < 0)
        return port_refuse(why, status, "ports[%u].device: \"%s\" gives no information: %s", number, config->device,
                           rte_strerror(-status));
    snprintf(device->driver, sizeof(device->driver), "%s", info.driver_name);
    if (device->receive_queues > info.max_rx_queues)
        return port_refuse(why, -EINVAL, "ports[%u].queues: %u is more than \"%s\" has; use at most %u", number,
                           device->receive_queues, config->device, info.max_rx_queues);
    if (device->transmit_queues > info.max_tx_queues)
        return port_refuse(
            why, -EINVAL,
            "dataplane.workers: %u workers need a transmit queue each on \"%s\", which has %u; use fewer "
            "workers, or give the device more queues",
            device->transmit_queues, config->device, info.max_tx_queues);
    uint16_t mtu_most = bypeer_ports_mtu_most(config->device, info.max_mtu);
    if (mtu_most < config->mtu)
        return port_refuse(why, -EINVAL, "ports[%u].mtu: %u is more than %s carries; use at most %u", number,
                           config->mtu, info.driver_name, mtu_most);

    struct rte_eth_conf conf = {0};
    uint64_t hashes = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP;
    if (device->receive_queues > 1 && (info.flow_type_rss_offloads & hashes) != 0) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & hashes;
    }
    if (one_pool && (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE) != 0)
        conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
    /* Virtual devices have no interrupts that DPDK knows of, but net_tap. */
    conf.intr_conf.rxq = interrupts && (bypeer_eal_is_pci(config->device) || strcmp(device->driver, "net_tap") == 0);

    status = rte_eth_dev_configure(device->port_id, device->receive_queues, device->transmit_queues, &conf);
    if (status < 0)
        return port_refuse(why, status, "ports[%u].device: \"%s\" refuses %u receive and %u transmit queues: %s",
                           number, config->device, device->receive_queues, device->transmit_queues,
                           rte_strerror(-status));
    /* Some drivers report a limit of 1518 bytes and carry more; the interface's own MTU decides then. */
    status = rte_eth_dev_set_mtu(device->port_id, config->mtu);
    if (status < 0 && status != -ENOTSUP && config->mtu != RTE_ETHER_MTU)
        bypeer_log(BYPEER_LOG_INFO, "port %s: %s does not set its MTU (%s); its interface must have at least %u",
                   config->name, device->driver, rte_strerror(-status), config->mtu);
    status = rte_eth_dev_adjust_nb_rx_tx_desc(device->port_id, receive_descriptors, transmit_descriptors);
    if (status < 0)
        return port_refuse(why, status, "ports[%u].device: \"%s\" refuses %u descriptors: %s", number, config->device,
                           RECEIVE_DESCRIPTORS, rte_strerror(-status));
    return 0;
}

static int port_set_up_queues(struct bypeer_port_device *device, uint16_t number, uint16_t receive_descriptors,
                              uint16_t transmit_descriptors, char *why)
{
    unsigned socket = (unsigned)rte_eth_dev_socket_id(device->port_id);
    for (uint16_t queue = 0; queue < device->transmit_queues; queue++) {
        int status = rte_eth_tx_queue_setup(device->port_id, queue, transmit_descriptors, socket, NULL);
        if (status < 0)
            return port_refuse(why, status, "ports[%u].device: \"%s\": transmit queue %u: %s", number,
                               device->config->device, queue, rte_strerror(-status));
    }
    for (uint16_t queue = 0; queue < device->receive_queues; queue++) {
        struct descriptors before;
        descriptors_look(&before);
        int status = rte_eth_rx_queue_setup(device->port_id, queue, receive_descriptors, socket, NULL, device->pool);
        if (status < 0)
            return port_refuse(
                why, status,
                "ports[%u].device: \"%s\": receive queue %u: %s; does the interface have that many queues "
                "(ethtool -l) and no other XDP program, and this process CAP_SYS_ADMIN?",
                number, device->config->device, queue, rte_strerror(-status));
        /* net_af_xdp opens the queue's socket here. */
        int fd = descriptors_find_new(&before, 0, AF_XDP);
        if (fd >= 0)
            device->sources[queue].fd = fd;
    }
    return 0;
}

/* Descriptors that DPDK knows of. */
static void port_find_interrupts(struct bypeer_port_device *device)
{
    for (uint16_t queue = 0; queue < device->receive_queues; queue++) {
        struct bypeer_wakeup_source *source = &device->sources[queue];
        if (source->fd >= 0)
            continue;
        source->fd = rte_eth_dev_rx_intr_ctl_q_get_fd(device->port_id, queue);
        if (source->fd < 0)
            continue;
        source->armed = rte_eth_dev_rx_intr_enable(device->port_id, queue) == 0;
        if (source->armed)
            rte_eth_dev_rx_intr_disable(device->port_id, queue);
        else if (strcmp(device->driver, "net_tap") != 0) /* whose descriptor needs no arming */
            source->fd = -1;
    }
}

static int port_start(struct bypeer_port_device *device, uint16_t number, bool interrupts, char *why)
{
    int status = rte_eth_dev_start(device->port_id);
    if (status < 0)
        return port_refuse(why, status, "ports[%u].device: \"%s\" does not start: %s", number, device->config->device,
                           rte_strerror(-status));
    device->started = true;
    /* Neighbour discovery and routing protocols come by multicast; devices without a filter deliver it anyway. */
    status = rte_eth_allmulticast_enable(device->port_id);
    if (status < 0 && status != -ENOTSUP)
        bypeer_log(BYPEER_LOG_WARNING, "port %s: %s refuses multicast (%s); neighbour discovery may fail",
                   device->config->name, device->driver, rte_strerror(-status));
    struct rte_ether_addr mac;
    if (rte_eth_macaddr_get(device->port_id, &mac) == 0)
        memcpy(device->mac, mac.addr_bytes, sizeof(device->mac));
    if (interrupts)
        port_find_interrupts(device);
    if (strcmp(device->driver, "net_af_packet") == 0)
        bypeer_log(BYPEER_LOG_WARNING,
                   "port %s: net_af_packet of DPDK 22.11 may wait for ever in transmit while its interface is down; "
                   "net_af_xdp does not",
                   device->config->name);
    return 0;
}

/* --- packet memory ------------------------------------------------------------------------------------------------ */

static unsigned pool_flags(uint32_t element, bool dense)
{
    unsigned flags = dense ? RTE_MEMPOOL_F_NO_IOVA_CONTIG : 0;
    /* Mbufs are padded to lie on different memory channels, unless that would make one larger than a page, which
     * net_af_xdp could not use. */
    unsigned tight = flags | RTE_MEMPOOL_F_NO_SPREAD;
    if (rte_mempool_calc_obj_size(element, flags, NULL) > 4096 &&
        rte_mempool_calc_obj_size(element, tight, NULL) <= 4096)
        flags = tight;
    return flags;
}

/*
 * A pool of mbufs. Its ring is of a kind where nobody waits for another to finish: a worker must not stand still
 * because the kernel took the core from a thread that was just giving mbufs back.
 *
 * Without PCI devices nothing needs contiguous I/O addresses, and saying so packs the mbufs densely. Else, without
 * hugepages, each would get a page of its own, with all headers in the same few sets of the cache, and net_af_xdp,
 * which counts on dense packing, would register too little memory with the kernel.
 */
static struct rte_mempool *pool_create(const char *name, uint32_t mbufs, uint16_t data, bool dense)
{
    uint32_t element = (uint32_t)sizeof(struct rte_mbuf) + data;
    struct rte_mempool *pool =
        rte_mempool_create_empty(name, mbufs, element, POOL_CACHE, sizeof(struct rte_pktmbuf_pool_private),
                                 SOCKET_ID_ANY, pool_flags(element, dense));
    if (pool == NULL)
        return NULL;
    int status = rte_mempool_set_ops_byname(pool, "ring_mt_rts", NULL);
    if (status == 0) {
        rte_pktmbuf_pool_init(pool, NULL);
        status = rte_mempool_populate_default(pool);
    }
    if (status < 0) {
        rte_mempool_free(pool);
        rte_errno = -status;
        return NULL;
    }
    rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
    return pool;
}

/* One pool for each room that a port needs, in equal parts of the packet memory. */
static int ports_make_pools(struct bypeer_ports *ports, const struct bypeer_config *config, char *why)
{
    uint16_t rooms[BYPEER_PORTS_MAX];
    uint32_t wanted[BYPEER_PORTS_MAX] = {0};
    uint16_t count = 0;
    bool pci = false;
    for (uint16_t i = 0; i < ports->count; i++) {
        pci = pci || bypeer_eal_is_pci(ports->devices[i].config->device);
        const struct bypeer_config_port *port = ports->devices[i].config;
        uint16_t room = bypeer_ports_frame_room(port->device, port->mtu);
        uint16_t at = 0;
        while (at < count && rooms[at] < room)
            at++;
        if (at == count || rooms[at] != room) {
            memmove(&rooms[at + 1], &rooms[at], (size_t)(count - at) * sizeof(rooms[0]));
            memmove(&wanted[at + 1], &wanted[at], (size_t)(count - at) * sizeof(wanted[0]));
            rooms[at] = room;
            wanted[at] = MBUFS_BESIDE;
            count++;
        }
        wanted[at] += ports->devices[i].receive_queues * 2u * RECEIVE_DESCRIPTORS +
                      ports->devices[i].transmit_queues * (uint32_t)TRANSMIT_DESCRIPTORS;
    }
    if (count == 0) { /* no port: the overlay TUN alone */
        rooms[0] = bypeer_ports_frame_room("", RTE_ETHER_MTU);
        wanted[0] = MBUFS_BESIDE;
        count = 1;
    }
    uint64_t bytes = ((uint64_t)config->dataplane.megabytes << 20) / count;
    for (uint16_t i = 0; i < count; i++) {
        uint16_t data = (uint16_t)(RTE_PKTMBUF_HEADROOM + rooms[i]);
        uint32_t each = rte_mempool_calc_obj_size((uint32_t)sizeof(struct rte_mbuf) + data, 0, NULL);
        uint32_t mbufs = (uint32_t)RTE_MIN(bytes / each, (uint64_t)UINT32_MAX);
        if (mbufs < wanted[i])
            return port_refuse(why, -ENOMEM,
                               "dataplane.megabytes: %u is too little for the queues of the ports; use at least %u",
                               config->dataplane.megabytes, (unsigned)(((uint64_t)wanted[i] * each * count >> 20) + 1));
        char name[RTE_MEMPOOL_NAMESIZE];
        snprintf(name, sizeof(name), "bypeer-%u", rooms[i]);
        ports->pools[i] = pool_create(name, mbufs, data, !pci);
        if (ports->pools[i] == NULL)
            return port_refuse(why, -rte_errno, "dataplane.megabytes: %u MB of packet memory: %s; use less",
                               config->dataplane.megabytes, rte_strerror(rte_errno));
        ports->pool_count++;
    }
    for (uint16_t i = 0; i < ports->count; i++)
        for (uint16_t at = 0; at < count; at++)
            if (rooms[at] == bypeer_ports_frame_room(ports->devices[i].config->device, ports->devices[i].config->mtu))
                ports->devices[i].pool = ports->pools[at];
    return 0;
}

/* --- all ports ---------------------------------------------------------------------------------------------------- */

int bypeer_ports_start(struct bypeer_ports *ret_ports, const struct bypeer_config *config,
                       char why[static BYPEER_PORTS_WHY_BYTES])
{
    struct bypeer_ports *ports = ret_ports;
    uint16_t workers = config->dataplane.workers;
    bool interrupts = config->dataplane.idle == BYPEER_IDLE_INTERRUPT;
    memset(ports, 0, sizeof(*ports));
    if (config->port_count > BYPEER_PORTS_MAX)
        return port_refuse(why, -EINVAL, "ports: %u are more than %u", config->port_count, BYPEER_PORTS_MAX);

    unsigned queues = 0; /* of worker 0, which reads the most */
    for (uint16_t i = 0; i < config->port_count; i++)
        queues += (config->ports[i].queues + workers - 1u) / workers;
    if (queues > BYPEER_QUEUES_MAX)
        return port_refuse(why, -EINVAL, "ports: %u receive queues for one worker are more than %u; use fewer queues",
                           queues, BYPEER_QUEUES_MAX);

    int status = 0;
    for (uint16_t i = 0; i < config->port_count && status == 0; i++) {
        ports->devices[i].config = &config->ports[i];
        status = port_probe(&ports->devices[i], i, workers, why);
        if (status == 0)
            ports->count++;
    }
    if (status == 0)
        status = ports_make_pools(ports, config, why);
    for (uint16_t i = 0; i < ports->count && status == 0; i++) {
        struct bypeer_port_device *device = &ports->devices[i];
        uint16_t receive_descriptors = RECEIVE_DESCRIPTORS, transmit_descriptors = TRANSMIT_DESCRIPTORS;
        status = port_configure(device, i, interrupts, ports->pool_count == 1, &receive_descriptors,
                                &transmit_descriptors, why);
        if (status == 0)
            status = port_set_up_queues(device, i, receive_descriptors, transmit_descriptors, why);
        if (status == 0)
            status = port_start(device, i, interrupts, why);
    }
    if (status < 0)
        bypeer_ports_stop(ports);
    return status;
}

void bypeer_ports_stop(struct bypeer_ports *ports)
{
    for (uint16_t i = 0; i < ports->count; i++) {
        if (ports->devices[i].started)
            rte_eth_dev_stop(ports->devices[i].port_id);
        rte_eth_dev_close(ports->devices[i].port_id);
    }
    for (uint16_t i = 0; i < ports->pool_count; i++)
        rte_mempool_free(ports->pools[i]);
    ports->count = ports->pool_count = 0;
}

void bypeer_ports_assign(const struct bypeer_ports *ports, struct bypeer_worker *worker, uint16_t workers)
{
    worker->port_count = ports->count;
    worker->queue_count = 0;
    for (uint16_t i = 0; i < ports->count; i++) {
        const struct bypeer_port_device *device = &ports->devices[i];
        worker->ports[i] = (struct bypeer_port){.port_id = device->port_id, .mtu = device->config->mtu};
        memcpy(worker->ports[i].mac, device->mac, sizeof(device->mac));
        for (uint16_t queue = worker->index; queue < device->receive_queues; queue = (uint16_t)(queue + workers))
            worker->queues[worker->queue_count++] =
                (struct bypeer_queue){.port = i, .port_id = device->port_id, .queue = queue};
    }
    if (ports->pool_count > 0)
        worker->pool = ports->pools[ports->pool_count - 1];
}

void bypeer_ports_report(const struct bypeer_ports *ports, struct bypeer_status_port *rows)
{
    for (uint16_t i = 0; i < ports->count; i++) {
        const struct bypeer_port_device *device = &ports->devices[i];
        struct rte_eth_link link = {0};
        struct rte_eth_stats stats = {0};
        rte_eth_link_get_nowait(device->port_id, &link);
        rte_eth_stats_get(device->port_id, &stats);
        rows[i].link_up = link.link_status;
        rows[i].speed_mbps = link.link_speed;
        rows[i].missed = stats.imissed;
        rows[i].errors = stats.ierrors + stats.oerrors;
    }
}
