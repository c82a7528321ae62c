/*
 * The host thread: between the workers and the kernel.
 *
 *   workers --> punt ring (many to one) --> host thread --> TAP of the port, or overlay TUN --> kernel
 *   workers <-- inject ring of a worker <-- host thread <-- TAP of the port, or overlay TUN <-- kernel
 *
 * The devices are made and configured by control and outlive this process; here they are only opened, again and again
 * until they exist, and again when they have gone. Each frame costs a system call, which is why no worker does this.
 * Packets need no checksum work: the kernel gets computed ones, and completes its own because no offload is set.
 *
 * Sleep: no worker makes a system call to wake this thread while it is busy. While any worker is awake, this thread
 * looks at the punt ring at least every millisecond; when all sleep it sleeps up to 20 ms, and a worker that goes to
 * sleep with punted packets waiting wakes it. The TAPs wake it at once.
 *
 * It also sees to the timers of links (link_timers.h), for which it is a reader of RCU, online only meanwhile.
 *
 * Threads: bypeer_host_*() main.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "dataplane/link_timers.h"
#include "dataplane/ports.h"
#include "dataplane/wakeup.h"
#include "dataplane/workers.h"

struct bypeer_host_device {
    char name[16];
    enum bypeer_device kind;
    uint16_t port; /* of an underlay TAP */
    struct rte_mempool *pool;
    int fd;        /* -1: not open */
    bool readable; /* until a read says that there is no more */
    int refused;   /* errno of the last attempt to open it, to say it once */
    uint64_t next_try_tsc;
};

struct bypeer_host {
    struct bypeer_workers *workers;
    uint64_t *counters; /* own row of the status region */
    struct bypeer_status_worker *status;
    struct bypeer_event_ring *events; /* to control */
    struct bypeer_link_timers timers;
    struct bypeer_wakeup wakeup; /* .naps also watches the devices */
    bool running;
    bool stalled; /* the devices have packets, a worker has no room for them */
    uint32_t stop;
    pthread_t thread;
    uint16_t device_count;
    struct bypeer_host_device devices[BYPEER_PORTS_MAX + 1];
};

/* Makes the wake-up that the workers need to know; the thread does not run yet. Its row of the status region is the one
 * behind the workers'. Returns 0 or negative errno. */
int bypeer_host_create(struct bypeer_host *ret_host, const struct bypeer_config *config,
                       const struct bypeer_ports *ports, const struct bypeer_status *status);
int bypeer_host_start(struct bypeer_host *host, struct bypeer_workers *workers);
/* Hands the kernel what is in the punt ring, then ends. Call when the workers have stopped. */
void bypeer_host_stop(struct bypeer_host *host);
