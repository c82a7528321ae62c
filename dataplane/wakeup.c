#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "dataplane/wakeup.h"

#define WAKEUP_ERROR_NAP_NS UINT64_C(1000000)

/* device: whose descriptor it is; NULL: the kicks' own, in the host thread's epoll as well. */
static int wakeup_add(int epoll, int fd, struct bypeer_wakeup_source *device)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = device};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int bypeer_wakeup_init(struct bypeer_wakeup *wakeup, const struct bypeer_wakeup_source *sources, uint16_t count)
{
    *wakeup = (struct bypeer_wakeup){
        .event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .naps = epoll_create1(EPOLL_CLOEXEC),
        .waits = epoll_create1(EPOLL_CLOEXEC),
    };
    int status = wakeup->event < 0 || wakeup->naps < 0 || wakeup->waits < 0 ? -errno : 0;
    if (status == 0)
        status = wakeup_add(wakeup->naps, wakeup->event, NULL);
    if (status == 0)
        status = wakeup_add(wakeup->waits, wakeup->event, NULL);
    for (uint16_t i = 0; i < count && status == 0; i++) {
        if (sources[i].fd < 0)
            continue;
        struct bypeer_wakeup_source *source = &wakeup->sources[wakeup->source_count++];
        *source = sources[i];
        status = wakeup_add(wakeup->waits, source->fd, source);
    }
    if (status < 0)
        bypeer_wakeup_close(wakeup);
    return status;
}

void bypeer_wakeup_close(struct bypeer_wakeup *wakeup)
{
    int fds[] = {wakeup->event, wakeup->naps, wakeup->waits};
    for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    wakeup->event = wakeup->naps = wakeup->waits = -1;
}

void bypeer_wakeup_prepare(struct bypeer_wakeup *wakeup)
{
    __atomic_store_n(&wakeup->asleep, 1, __ATOMIC_RELAXED);
    /* The store before the last look; pairs with the fence in bypeer_wakeup_kick(). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void bypeer_wakeup_cancel(struct bypeer_wakeup *wakeup)
{
    __atomic_store_n(&wakeup->asleep, 0, __ATOMIC_RELAXED);
}

static void wakeup_sleep(struct bypeer_wakeup *wakeup, int epoll, uint64_t ns)
{
    struct epoll_event event;
    struct timespec timeout = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    int count = epoll_pwait2(epoll, &event, 1, &timeout, NULL);
    if (count > 0 && epoll == wakeup->waits && (event.events & EPOLLIN) == 0) {
        /* A device in error, such as a socket on an interface that is down, is ready for ever: nap, or the core spins.
         */
        timeout = (struct timespec){.tv_nsec = (long)(ns < WAKEUP_ERROR_NAP_NS ? ns : WAKEUP_ERROR_NAP_NS)};
        count = epoll_pwait2(wakeup->naps, &event, 1, &timeout, NULL);
    }
    bypeer_wakeup_cancel(wakeup);
    uint64_t kicks;
    if (count > 0 && event.data.ptr == NULL && read(wakeup->event, &kicks, sizeof(kicks)) < 0)
        return; /* another look took them already */
}

void bypeer_wakeup_nap(struct bypeer_wakeup *wakeup, uint64_t ns)
{
    wakeup_sleep(wakeup, wakeup->naps, ns);
}

void bypeer_wakeup_wait(struct bypeer_wakeup *wakeup, uint64_t ns)
{
    wakeup_sleep(wakeup, wakeup->waits, ns);
}

void bypeer_wakeup_arm(struct bypeer_wakeup *wakeup, bool on)
{
    for (uint16_t i = 0; i < wakeup->source_count; i++) {
        const struct bypeer_wakeup_source *source = &wakeup->sources[i];
        if (!source->armed)
            continue;
        uint64_t events;
        if (on)
            rte_eth_dev_rx_intr_enable(source->port_id, source->queue);
        else if (rte_eth_dev_rx_intr_disable(source->port_id, source->queue) == 0 &&
                 read(source->fd, &events, sizeof(events)) < 0)
            continue; /* no interrupt had come */
    }
}

void bypeer_wakeup_kick(struct bypeer_wakeup *wakeup)
{
    /* What was filled before the look at asleep; pairs with the fence in bypeer_wakeup_prepare(). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint64_t one = 1;
    if (bypeer_wakeup_sleeps(wakeup) && write(wakeup->event, &one, sizeof(one)) < 0)
        return; /* its counter is full: it is awake by then */
}
