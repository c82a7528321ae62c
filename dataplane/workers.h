/*
 * The workers: one lcore each, which walks its graph until it is told to stop.
 *
 *   load the view (tables, sessions)  ->  walk the graph  ->  quiescent state  ->  sleep if nothing came (idle.h)
 *
 * A worker is an online reader of liburcu-qsbr from the load to the quiescent state, and offline while it sleeps. It
 * takes no lock, allocates nothing and logs nothing; its only system calls are those that put it to sleep, and the
 * device drivers' own.
 *
 * Thread: main. The workers' own code is in workers.c and the nodes.
 */
#pragma once

#include "dataplane/idle.h"
#include "dataplane/ports.h"
#include "dataplane/trace.h"
#include "dataplane/wakeup.h"
#include "dataplane/worker.h"
#include "overlay/tables/status.h"

#define BYPEER_INJECT_RING 1024 /* packets from the host thread that wait for a worker: 0.1 s of 10,000 a second */
#define BYPEER_PUNT_RING   4096 /* of all workers to the host thread: four bursts from each of 8 workers, twice over */

struct bypeer_worker_thread {
    struct bypeer_worker worker;
    struct rte_graph *graph;
    struct bypeer_status_worker *status; /* its row of the status region */
    struct bypeer_idle idle;
    struct bypeer_wakeup wakeup;
    unsigned lcore; /* EAL's; 0: not running */
    const uint32_t *stop;
    struct bypeer_wakeup *host; /* to be kicked when punted packets wait and this worker goes to sleep */
} __rte_cache_aligned;

struct bypeer_workers {
    uint16_t count;
    uint32_t stop;
    struct rte_ring *punt; /* many workers, one host thread */
    struct bypeer_trace_numbers trace_numbers;
    struct bypeer_worker_thread *threads; /* count */
};

/*
 * Makes rings, graphs and wake-ups of config's workers; none runs yet. Worker i counts in status->workers[i].
 * Returns 0 or negative errno and one line in why.
 */
int bypeer_workers_create(struct bypeer_workers *ret_workers, const struct bypeer_config *config,
                          const struct bypeer_ports *ports, const struct bypeer_status *status,
                          struct bypeer_wakeup *host, char why[static 256]);
int bypeer_workers_start(struct bypeer_workers *workers);
/* Returns when all have ended; their last walk is complete. */
void bypeer_workers_stop(struct bypeer_workers *workers);
/* Frees what create made. Packets still in the rings are counted as dropped in host_counters, reason shutdown. */
void bypeer_workers_destroy(struct bypeer_workers *workers, uint64_t *host_counters);
