/*
 * How a worker sleeps and what wakes it.
 *
 * Each worker has an eventfd that the host thread (after it filled the inject ring) and the main thread (to stop) write
 * to when the worker is asleep. Where a device offers a descriptor for a receive queue, the worker can wait on that
 * too:
 *
 *   AF_XDP, AF_PACKET   the socket of the queue: readable while the ring holds frames. The drivers do not tell it, so
 *                       it is found among the descriptors that the process got while the queue was set up (ports.c)
 *   net_tap             the queue's TAP descriptor, likewise level-triggered
 *   NICs                an event descriptor by rte_eth_dev_rx_intr_ctl_q_get_fd(), armed before each wait
 *
 * No wake-up is lost: a sleeper says that it is asleep, and only then looks a last time at what it waits for; a waker
 * fills first and then looks whether anyone sleeps. Between the two stands a full barrier on either side.
 *
 * Threads: bypeer_wakeup_kick() any; all else the owner.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/worker.h"

/* A receive queue's descriptor. */
struct bypeer_wakeup_source {
    int fd;     /* -1: the device has none */
    bool armed; /* rte_eth_dev_rx_intr_enable() before waiting, read the descriptor after */
    uint16_t port_id;
    uint16_t queue;
};

struct bypeer_wakeup {
    uint32_t asleep; /* 1 from before the last look until awake again */
    int event;       /* eventfd */
    int naps;        /* epoll of the event alone */
    int waits;       /* epoll of the event and all sources */
    uint16_t source_count;
    struct bypeer_wakeup_source sources[BYPEER_QUEUES_MAX];
} __rte_cache_aligned;

/* Returns 0 or negative errno; sources are copied, those without a descriptor are left out. */
int bypeer_wakeup_init(struct bypeer_wakeup *wakeup, const struct bypeer_wakeup_source *sources, uint16_t count);
void bypeer_wakeup_close(struct bypeer_wakeup *wakeup);

/* Says that this thread is about to sleep. Look again at everything that a waker may have filled, then nap or wait. */
void bypeer_wakeup_prepare(struct bypeer_wakeup *wakeup);
void bypeer_wakeup_cancel(struct bypeer_wakeup *wakeup);

/* Sleeps after prepare, until kicked or so many nanoseconds have passed; wait: or a source has something. */
void bypeer_wakeup_nap(struct bypeer_wakeup *wakeup, uint64_t ns);
void bypeer_wakeup_wait(struct bypeer_wakeup *wakeup, uint64_t ns);

/* Arms (disarms) the interrupts of the sources that need it; frames may have come before, so walk once more. */
void bypeer_wakeup_arm(struct bypeer_wakeup *wakeup, bool on);

/* Wakes the owner if it sleeps; what it is to find was stored before. One system call if so, none if not. */
void bypeer_wakeup_kick(struct bypeer_wakeup *wakeup);

static inline bool bypeer_wakeup_sleeps(const struct bypeer_wakeup *wakeup)
{
    return __atomic_load_n(&wakeup->asleep, __ATOMIC_RELAXED) != 0;
}
