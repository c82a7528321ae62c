#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <linux/virtio_net.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

/* Only functions of fewer than ten lines are inlined, as the LGPL permits any program. */
#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu-qsbr.h>

#include "dataplane/flow.h"
#include "dataplane/host.h"
#include "dataplane/log.h"
#include "dataplane/packet.h"
#include "dataplane/room.h"
#include "dataplane/view.h"

#define BURST            64 /* packets of one device or of the punt ring between two looks at the others */
#define RETRY_MS         50
#define NAP_US           20
#define NAP_MAX_US       1000
#define ALL_SLEEP_NAP_US 20000
#define STALLED_NAP_US   50

/* This thread is the only writer of its row. */
static void host_add(uint64_t *number, uint64_t by)
{
    __atomic_store_n(number, *number + by, __ATOMIC_RELAXED);
}

static void host_count(struct bypeer_host *host, enum bypeer_counter counter, uint64_t by)
{
    host_add(&host->counters[counter], by);
}

/* --- devices ------------------------------------------------------------------------------------------------------ */

/* TUNSETIFF would make a device that does not exist: control makes them. */
static int device_exists(const char *name)
{
    struct ifreq request = {0};
    memcpy(request.ifr_name, name, IFNAMSIZ);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int status = ioctl(fd, SIOCGIFFLAGS, &request) < 0 ? -errno : 0;
    close(fd);
    return status;
}

static int device_attach(const struct bypeer_host_device *device)
{
    int status = device_exists(device->name);
    if (status < 0)
        return status;
    struct ifreq request = {0};
    memcpy(request.ifr_name, device->name, IFNAMSIZ);
    int type = device->kind == BYPEER_DEVICE_OVERLAY ? IFF_TUN : IFF_TAP;
    request.ifr_flags = (short)(type | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int header = sizeof(struct virtio_net_hdr);
    if (ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 ||
        ioctl(fd, TUNSETOFFLOAD, 0) < 0) {
        status = -errno;
        close(fd);
        return status;
    }
    return fd;
}

static void device_open(struct bypeer_host *host, struct bypeer_host_device *device, uint64_t tsc)
{
    int fd = device_attach(device);
    if (fd < 0) {
        device->next_try_tsc = tsc + rte_get_tsc_hz() / 1000 * RETRY_MS;
        if (fd != -ENODEV && fd != device->refused) /* control has not made it yet: nothing to say */
            bypeer_log(BYPEER_LOG_WARNING,
                       "device %s cannot be opened: %s; is it a %s device of control's with our user as its owner?",
                       device->name, strerror(-fd), device->kind == BYPEER_DEVICE_OVERLAY ? "TUN" : "TAP");
        device->refused = fd;
        return;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = device};
    if (epoll_ctl(host->wakeup.naps, EPOLL_CTL_ADD, fd, &event) < 0) {
        close(fd);
        return;
    }
    device->fd = fd;
    device->refused = 0;
    device->readable = true;
}

static void device_close(struct bypeer_host_device *device)
{
    if (device->fd >= 0)
        close(device->fd); /* leaves the epoll by itself */
    device->fd = -1;
    device->readable = false;
    device->next_try_tsc = 0;
}

/* --- kernel to workers -------------------------------------------------------------------------------------------- */

static void host_inject(struct bypeer_host *host, struct bypeer_host_device *device, struct rte_mbuf *mbuf)
{
    struct bypeer_packet *packet = bypeer_packet(mbuf);
    memset(packet, 0, sizeof(*packet));
    packet->device = (uint8_t)device->kind;
    packet->port = device->port;
    struct bypeer_workers *workers = host->workers;
    uint32_t hash = bypeer_flow_hash(rte_pktmbuf_mtod(mbuf, const uint8_t *), mbuf->data_len,
                                     device->kind == BYPEER_DEVICE_UNDERLAY);
    struct bypeer_worker_thread *thread = &workers->threads[hash % workers->count];
    host_count(host, BYPEER_COUNT_INJECTED, 1);
    if (rte_ring_sp_enqueue(thread->worker.inject, mbuf) < 0) {
        rte_pktmbuf_free(mbuf);
        host_count(host, BYPEER_DROP_INJECT_FULL, 1);
    }
    bypeer_wakeup_kick(&thread->wakeup);
}

/* Reads one packet. Returns false when there is none, or no memory for it: the kernel keeps it then. */
static bool device_read(struct bypeer_host *host, struct bypeer_host_device *device)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(device->pool);
    if (mbuf == NULL)
        return false;
    struct virtio_net_hdr header;
    uint16_t room = rte_pktmbuf_tailroom(mbuf);
    struct iovec parts[] = {{&header, sizeof(header)}, {rte_pktmbuf_mtod(mbuf, void *), room}};
    ssize_t length = readv(device->fd, parts, 2);
    if (length < 0) {
        int error = errno;
        rte_pktmbuf_free(mbuf);
        if (error == EBADFD || error == ENODEV) /* somebody removed the device */
            device_close(device);
        device->readable = false;
        return false;
    }
    size_t bytes = (size_t)length > sizeof(header) ? (size_t)length - sizeof(header) : 0;
    if (bytes == 0 || bytes == room) { /* nothing, or more than fits: its MTU is not what control set */
        rte_pktmbuf_free(mbuf);
        host_count(host, BYPEER_COUNT_INJECTED, 1);
        host_count(host, BYPEER_DROP_LENGTH, 1);
        return true;
    }
    mbuf->data_len = (uint16_t)bytes;
    mbuf->pkt_len = (uint32_t)bytes;
    host_inject(host, device, mbuf);
    return true;
}

/* --- workers to kernel -------------------------------------------------------------------------------------------- */

static struct bypeer_host_device *host_find_device(struct bypeer_host *host, const struct bypeer_packet *packet)
{
    /* One TAP a port in their order, then the TUN. */
    uint16_t index = packet->device == BYPEER_DEVICE_OVERLAY ? (uint16_t)(host->device_count - 1) : packet->port;
    return &host->devices[RTE_MIN(index, (uint16_t)(host->device_count - 1))];
}

static void host_deliver(struct bypeer_host *host, struct rte_mbuf *mbuf)
{
    struct bypeer_host_device *device = host_find_device(host, bypeer_packet(mbuf));
    bypeer_room_open(mbuf);
    bool taken = false;
    if (device->fd >= 0) {
        struct virtio_net_hdr header = {0};
        struct iovec parts[] = {{&header, sizeof(header)}, {rte_pktmbuf_mtod(mbuf, void *), mbuf->data_len}};
        taken = writev(device->fd, parts, 2) >= 0;
        if (!taken && (errno == EBADFD || errno == ENODEV))
            device_close(device);
    }
    host_count(host, taken ? BYPEER_COUNT_PUNTED : BYPEER_DROP_TAP_DOWN, 1);
    rte_pktmbuf_free(mbuf);
}

static unsigned host_deliver_burst(struct bypeer_host *host)
{
    struct rte_mbuf *mbufs[BURST];
    unsigned count = rte_ring_sc_dequeue_burst(host->workers->punt, (void **)mbufs, BURST, NULL);
    for (unsigned i = 0; i < count; i++)
        host_deliver(host, mbufs[i]);
    return count;
}

/* --- timers of links ---------------------------------------------------------------------------------------------- */

/* An empty packet for a worker to seal: always the same one for a link. */
static void host_keep_alive(struct bypeer_host *host, uint32_t link)
{
    struct bypeer_workers *workers = host->workers;
    struct bypeer_worker_thread *thread = &workers->threads[link % workers->count];
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(host->devices[host->device_count - 1].pool);
    if (mbuf == NULL) /* next time */
        return;
    *bypeer_packet(mbuf) = (struct bypeer_packet){.device = BYPEER_DEVICE_KEEPALIVE, .egress = link};
    host_count(host, BYPEER_COUNT_GENERATED, 1);
    if (rte_ring_sp_enqueue(thread->worker.inject, mbuf) < 0) {
        rte_pktmbuf_free(mbuf);
        host_count(host, BYPEER_DROP_INJECT_FULL, 1);
    }
    bypeer_wakeup_kick(&thread->wakeup);
}

static void host_see_to_links(struct bypeer_host *host)
{
    uint32_t links[BYPEER_LINK_TIMERS_BURST];
    struct timespec now;
    unsigned count = 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    rcu_thread_online();
    const struct bypeer_view *view = rcu_dereference(bypeer_view_now);
    if (view->tables.header != NULL && view->sessions.entries != NULL)
        count = bypeer_link_timers_turn(&host->timers, &view->tables, &view->sessions, host->events,
                                        (uint64_t)now.tv_sec * BYPEER_WIREGUARD_S + (uint64_t)now.tv_nsec, links);
    rcu_thread_offline();
    for (unsigned i = 0; i < count; i++)
        host_keep_alive(host, links[i]);
}

/* --- the thread --------------------------------------------------------------------------------------------------- */

static bool host_workers_sleep(const struct bypeer_host *host)
{
    for (uint16_t i = 0; i < host->workers->count; i++)
        if (!bypeer_wakeup_sleeps(&host->workers->threads[i].wakeup))
            return false;
    return true;
}

/* Looks at the devices, waiting for at most so long. */
static void host_wait(struct bypeer_host *host, uint64_t us)
{
    struct epoll_event events[BYPEER_PORTS_MAX + 2];
    struct timespec timeout = {.tv_nsec = (long)us * 1000};
    if (us > 0 && host->stalled) { /* the devices are readable all the time */
        nanosleep(&(struct timespec){.tv_nsec = STALLED_NAP_US * 1000}, NULL);
        return;
    }
    if (us > 0) {
        bypeer_wakeup_prepare(&host->wakeup);
        if (!rte_ring_empty(host->workers->punt) || __atomic_load_n(&host->stop, __ATOMIC_RELAXED))
            timeout.tv_nsec = 0;
    }
    int count = epoll_pwait2(host->wakeup.naps, events, RTE_DIM(events), &timeout, NULL);
    bypeer_wakeup_cancel(&host->wakeup);
    for (int i = 0; i < count; i++) {
        struct bypeer_host_device *device = events[i].data.ptr;
        uint64_t kicks;
        if (device != NULL)
            device->readable = true;
        else if (read(host->wakeup.event, &kicks, sizeof(kicks)) < 0)
            continue;
    }
}

/* What no worker has room for stays in the kernel's own queue, which tells its senders. */
static bool host_workers_have_room(const struct bypeer_host *host)
{
    for (uint16_t i = 0; i < host->workers->count; i++)
        if (rte_ring_free_count(host->workers->threads[i].worker.inject) < BURST)
            return false;
    return true;
}

static unsigned host_turn(struct bypeer_host *host)
{
    unsigned packets = host_deliver_burst(host);
    uint64_t tsc = rte_rdtsc();
    for (uint16_t i = 0; i < host->device_count; i++) {
        struct bypeer_host_device *device = &host->devices[i];
        if (device->fd < 0 && tsc >= device->next_try_tsc)
            device_open(host, device, tsc);
        host->stalled = device->readable && !host_workers_have_room(host);
        if (host->stalled)
            return packets;
        for (unsigned read = 0; read < BURST && device->readable && device_read(host, device); read++)
            packets++;
    }
    return packets;
}

static void *host_run(void *argument)
{
    struct bypeer_host *host = argument;
    pthread_setname_np(pthread_self(), "bypeer-host");
    prctl(PR_SET_TIMERSLACK, 1);
    if (rte_thread_register() < 0) /* works all the same, without a cache of mbufs of its own */
        bypeer_log(BYPEER_LOG_INFO, "host thread has no mbuf cache; its packets cost a little more");
    rcu_register_thread();
    rcu_thread_offline();
    uint64_t nap_us = NAP_US;
    while (!__atomic_load_n(&host->stop, __ATOMIC_RELAXED)) {
        uint64_t began = rte_rdtsc();
        unsigned packets = host_turn(host);
        host_see_to_links(host);
        host_add(&host->status->walks, 1);
        if (packets > 0) {
            host_add(&host->status->busy_tsc, rte_rdtsc() - began);
            nap_us = NAP_US;
            host_wait(host, 0);
            continue;
        }
        began = rte_rdtsc();
        host_wait(host, host_workers_sleep(host) ? ALL_SLEEP_NAP_US : nap_us);
        host_add(&host->status->sleep_tsc, rte_rdtsc() - began);
        nap_us = RTE_MIN(nap_us * 2, (uint64_t)NAP_MAX_US);
    }
    while (host_deliver_burst(host) > 0)
        ;
    rcu_unregister_thread();
    rte_thread_unregister();
    return NULL;
}

/* --- main --------------------------------------------------------------------------------------------------------- */

int bypeer_host_create(struct bypeer_host *ret_host, const struct bypeer_config *config,
                       const struct bypeer_ports *ports, const struct bypeer_status *status)
{
    struct bypeer_host *host = ret_host;
    memset(host, 0, sizeof(*host));
    host->status = &status->workers[config->dataplane.workers];
    host->counters = host->status->counters;
    host->events = &status->events[config->dataplane.workers];
    for (uint16_t i = 0; i < ports->count; i++)
        host->devices[host->device_count++] = (struct bypeer_host_device){
            .kind = BYPEER_DEVICE_UNDERLAY, .port = i, .pool = ports->devices[i].pool, .fd = -1};
    host->devices[host->device_count++] = (struct bypeer_host_device){
        .kind = BYPEER_DEVICE_OVERLAY, .pool = ports->pools[ports->pool_count - 1], .fd = -1};
    for (uint16_t i = 0; i < host->device_count; i++)
        snprintf(host->devices[i].name, sizeof(host->devices[i].name), "%s",
                 i < ports->count ? config->ports[i].tap : config->overlay.tap);
    return bypeer_wakeup_init(&host->wakeup, NULL, 0);
}

int bypeer_host_start(struct bypeer_host *host, struct bypeer_workers *workers)
{
    host->workers = workers;
    __atomic_store_n(&host->status->state, BYPEER_WORKER_HOST_THREAD, __ATOMIC_RELAXED);
    /* On the cores that no lcore is bound to, if there are any. */
    int status = rte_ctrl_thread_create(&host->thread, "bypeer-host", NULL, host_run, host);
    host->running = status == 0;
    return status;
}

void bypeer_host_stop(struct bypeer_host *host)
{
    if (host->running) {
        __atomic_store_n(&host->stop, 1, __ATOMIC_RELAXED);
        bypeer_wakeup_kick(&host->wakeup);
        pthread_join(host->thread, NULL);
    }
    host->running = false;
    for (uint16_t i = 0; i < host->device_count; i++)
        device_close(&host->devices[i]);
    bypeer_wakeup_close(&host->wakeup);
}
