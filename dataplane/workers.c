#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_malloc.h>

/* Only functions of fewer than ten lines are inlined, as the LGPL permits any program. */
#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu-qsbr.h>

#include "dataplane/graph.h"
#include "dataplane/room.h"
#include "dataplane/view.h"
#include "dataplane/workers.h"

RTE_DEFINE_PER_LCORE(struct bypeer_worker *, bypeer_worker);

/* A wait for descriptors ends at least this often, so that a lost interrupt costs no more. */
#define WAIT_NS UINT64_C(100000000)

/* --- a worker's own loop ------------------------------------------------------------------------------------------ */

/* Takes over the view of now: pointers into it are good until the next quiescent state. */
static void worker_look(struct bypeer_worker *worker)
{
    const struct bypeer_view *view = rcu_dereference(bypeer_view_now);
    worker->tables = view->tables.header != NULL ? &view->tables : NULL;
    worker->shared = view->sessions.entries != NULL ? &view->sessions : NULL;
    bool has_row = view->sessions.entries != NULL && worker->index < view->sessions.size.workers;
    worker->sessions = has_row ? view->sessions.entries + (size_t)worker->index * view->sessions.size.links : NULL;
    worker->session_count = has_row ? view->sessions.size.links : 0;
    bypeer_worker_begin(worker);
}

static uint64_t worker_taken_in(const struct bypeer_worker *worker)
{
    return worker->counters[BYPEER_COUNT_RECEIVED] + worker->counters[BYPEER_COUNT_NODE_INJECT];
}

/* Asleep and offline, until woken. */
static void worker_sleep(struct bypeer_worker_thread *thread, enum bypeer_idle_step step, uint32_t nap_us)
{
    struct bypeer_worker *worker = &thread->worker;
    /* While a worker is busy, the host thread looks by itself. */
    if (!rte_ring_empty(worker->punt))
        bypeer_wakeup_kick(thread->host);
    bypeer_wakeup_prepare(&thread->wakeup);
    if (!rte_ring_empty(worker->inject) || __atomic_load_n(thread->stop, __ATOMIC_RELAXED)) {
        bypeer_wakeup_cancel(&thread->wakeup);
        return;
    }
    __atomic_store_n(&thread->status->state, BYPEER_WORKER_SLEEPING, __ATOMIC_RELAXED);
    rcu_thread_offline();
    if (step == BYPEER_IDLE_STEP_NAP)
        bypeer_wakeup_nap(&thread->wakeup, nap_us * UINT64_C(1000));
    else
        bypeer_wakeup_wait(&thread->wakeup, WAIT_NS);
    rcu_thread_online();
    __atomic_store_n(&thread->status->state, BYPEER_WORKER_RUNNING, __ATOMIC_RELAXED);
}

static void worker_add(uint64_t *counter, uint64_t by)
{
    __atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}

static int worker_run(void *argument)
{
    struct bypeer_worker_thread *thread = argument;
    struct bypeer_worker *worker = &thread->worker;
    struct bypeer_status_worker *status = thread->status;
    uint64_t second = rte_get_tsc_hz(), next_second = 0, second_tsc = 0, second_ms = 0;
    bool armed = false, slept = false;

    RTE_PER_LCORE(bypeer_worker) = worker;
    prctl(PR_SET_TIMERSLACK, 1); /* else a nap is 50 us longer */
    rcu_register_thread();
    __atomic_store_n(&status->state, BYPEER_WORKER_RUNNING, __ATOMIC_RELAXED);
    worker->now_tsc = rte_rdtsc();
    while (!__atomic_load_n(thread->stop, __ATOMIC_RELAXED)) {
        if (worker->now_tsc >= next_second) {
            struct timespec now, monotonic;
            clock_gettime(CLOCK_REALTIME, &now); /* no system call: the vDSO's */
            clock_gettime(CLOCK_MONOTONIC, &monotonic);
            worker->now_realtime_s = (uint64_t)now.tv_sec;
            next_second = worker->now_tsc + second;
            second_tsc = worker->now_tsc;
            second_ms = (uint64_t)monotonic.tv_sec * 1000 + (uint64_t)monotonic.tv_nsec / 1000000;
        }
        worker->now_ms = second_ms + (worker->now_tsc - second_tsc) * 1000 / second;
        uint64_t before = worker_taken_in(worker);
        worker_look(worker);
        bypeer_graph_walk(thread->graph, status->walks);
        rcu_quiescent_state();

        uint64_t tsc = rte_rdtsc();
        bool found = worker_taken_in(worker) != before;
        /* The host thread may be in the long nap that it takes while all workers sleep. */
        if (slept && !rte_ring_empty(worker->punt)) {
            bypeer_wakeup_kick(thread->host);
            slept = false;
        }
        __atomic_store_n(&status->walks, status->walks + 1, __ATOMIC_RELEASE); /* pairs with tracing_is_over() */
        __atomic_store_n(&status->quiescent_tsc, tsc, __ATOMIC_RELAXED);
        if (found)
            worker_add(&status->busy_tsc, tsc - worker->now_tsc);
        worker->now_tsc = tsc;

        uint32_t nap_us = 0;
        enum bypeer_idle_step step = bypeer_idle_next(&thread->idle, found, tsc, &nap_us);
        if (armed && step != BYPEER_IDLE_STEP_WAIT) {
            bypeer_wakeup_arm(&thread->wakeup, false);
            armed = false;
        }
        if (step == BYPEER_IDLE_STEP_WALK)
            continue;
        if (step == BYPEER_IDLE_STEP_WAIT && !armed) {
            bypeer_wakeup_arm(&thread->wakeup, true);
            armed = true;
            continue; /* one more walk: what came before is not announced */
        }
        worker_sleep(thread, step, nap_us);
        slept = true;
        worker->now_tsc = rte_rdtsc();
        worker_add(&status->sleep_tsc, worker->now_tsc - tsc);
    }
    rcu_unregister_thread();
    return 0;
}

/* --- the main thread's side --------------------------------------------------------------------------------------- */

static int workers_refuse(char *why, int status, const char *what, unsigned index)
{
    snprintf(why, 256, "worker %u: no %s: %s; use a larger dataplane.megabytes or fewer workers", index, what,
             strerror(-status));
    return status;
}

/* Can every queue of the worker be waited on? */
static enum bypeer_idle_mode workers_idle_mode(const struct bypeer_config *config, const struct bypeer_worker *worker,
                                               const struct bypeer_wakeup *wakeup)
{
    if (config->dataplane.idle == BYPEER_IDLE_INTERRUPT && wakeup->source_count < worker->queue_count)
        return BYPEER_IDLE_SLEEP;
    return config->dataplane.idle;
}

static int workers_create_thread(struct bypeer_workers *workers, uint16_t index, const struct bypeer_config *config,
                                 const struct bypeer_ports *ports, const struct bypeer_status *status,
                                 struct bypeer_wakeup *host, char *why)
{
    struct bypeer_worker_thread *thread = &workers->threads[index];
    struct bypeer_worker *worker = &thread->worker;
    thread->wakeup.event = thread->wakeup.naps = thread->wakeup.waits = -1;
    thread->stop = &workers->stop;
    thread->host = host;
    thread->status = &status->workers[index];
    worker->index = index;
    worker->workers = workers->count;
    worker->burst = config->dataplane.burst;
    worker->counters = thread->status->counters;
    worker->events = &status->events[index];
    worker->punt = workers->punt;
    bypeer_ports_assign(ports, worker, workers->count);

    char name[RTE_RING_NAMESIZE];
    snprintf(name, sizeof(name), "bypeer-inject-%u", index);
    worker->inject = rte_ring_create(name, BYPEER_INJECT_RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    if (worker->inject == NULL)
        return workers_refuse(why, -rte_errno, "inject ring", index);
    worker->trace = rte_zmalloc("bypeer-trace", sizeof(*worker->trace), RTE_CACHE_LINE_SIZE);
    if (worker->trace == NULL)
        return workers_refuse(why, -ENOMEM, "trace buffer", index);
    worker->trace->numbers = &workers->trace_numbers;
    int result = bypeer_aead_new(&worker->aead, BYPEER_AEAD_BEST);
    if (result < 0)
        return workers_refuse(why, result, "ChaCha20-Poly1305", index);

    struct bypeer_wakeup_source sources[BYPEER_QUEUES_MAX];
    for (uint16_t i = 0; i < worker->queue_count; i++)
        sources[i] = ports->devices[worker->queues[i].port].sources[worker->queues[i].queue];
    result = bypeer_wakeup_init(&thread->wakeup, sources, worker->queue_count);
    if (result < 0)
        return workers_refuse(why, result, "wake-up descriptors", index);
    bypeer_idle_init(&thread->idle, workers_idle_mode(config, worker, &thread->wakeup), config->dataplane.idle_max_us,
                     rte_get_tsc_hz());
    result = bypeer_graph_create(worker, &thread->graph);
    if (result < 0)
        return workers_refuse(why, result, "graph", index);
    return 0;
}

int bypeer_workers_create(struct bypeer_workers *ret_workers, const struct bypeer_config *config,
                          const struct bypeer_ports *ports, const struct bypeer_status *status,
                          struct bypeer_wakeup *host, char why[static 256])
{
    struct bypeer_workers *workers = ret_workers;
    memset(workers, 0, sizeof(*workers));
    uint16_t count = config->dataplane.workers;
    workers->threads = rte_zmalloc("bypeer-workers", count * sizeof(*workers->threads), RTE_CACHE_LINE_SIZE);
    workers->count = workers->threads != NULL ? count : 0;
    /* Enqueue in RTS mode: no worker waits for one that the kernel took its core from. */
    workers->punt = rte_ring_create("bypeer-punt", BYPEER_PUNT_RING, SOCKET_ID_ANY, RING_F_MP_RTS_ENQ | RING_F_SC_DEQ);
    int result = workers->threads != NULL && workers->punt != NULL ? 0 : -ENOMEM;
    if (result < 0)
        workers_refuse(why, result, "punt ring", 0);
    for (uint16_t i = 0; i < workers->count && result == 0; i++)
        result = workers_create_thread(workers, i, config, ports, status, host, why);
    return result;
}

/* The CPU that an lcore is bound to: eal.h gives it one. */
static uint32_t workers_cpu(unsigned lcore)
{
    rte_cpuset_t cpus = rte_lcore_cpuset(lcore);
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &cpus))
            return cpu;
    return 0;
}

int bypeer_workers_start(struct bypeer_workers *workers)
{
    for (uint16_t i = 0; i < workers->count; i++) {
        struct bypeer_worker_thread *thread = &workers->threads[i];
        unsigned lcore = i + 1u; /* eal.h: lcore 0 is the main thread */
        thread->status->lcore = workers_cpu(lcore);
        int status = rte_eal_remote_launch(worker_run, thread, lcore);
        if (status < 0)
            return status;
        thread->lcore = lcore;
    }
    return 0;
}

void bypeer_workers_stop(struct bypeer_workers *workers)
{
    __atomic_store_n(&workers->stop, 1, __ATOMIC_RELAXED);
    for (uint16_t i = 0; i < workers->count; i++)
        if (workers->threads[i].lcore != 0)
            bypeer_wakeup_kick(&workers->threads[i].wakeup);
    for (uint16_t i = 0; i < workers->count; i++)
        if (workers->threads[i].lcore != 0)
            rte_eal_wait_lcore(workers->threads[i].lcore);
}

/* Frees a ring with what is in it; returns how many packets those were. */
static uint64_t workers_free_ring(struct rte_ring *ring)
{
    uint64_t packets = 0;
    void *mbuf;
    while (ring != NULL && rte_ring_dequeue(ring, &mbuf) == 0) {
        bypeer_room_open(mbuf);
        rte_pktmbuf_free(mbuf);
        packets++;
    }
    rte_ring_free(ring);
    return packets;
}

void bypeer_workers_destroy(struct bypeer_workers *workers, uint64_t *host_counters)
{
    uint64_t packets = workers_free_ring(workers->punt);
    for (uint16_t i = 0; i < workers->count && workers->threads != NULL; i++) {
        struct bypeer_worker_thread *thread = &workers->threads[i];
        packets += workers_free_ring(thread->worker.inject);
        if (thread->graph != NULL)
            bypeer_graph_destroy(thread->graph);
        rte_free(thread->worker.trace);
        bypeer_aead_free(thread->worker.aead);
        bypeer_wakeup_close(&thread->wakeup);
    }
    __atomic_store_n(&host_counters[BYPEER_DROP_SHUTDOWN], host_counters[BYPEER_DROP_SHUTDOWN] + packets,
                     __ATOMIC_RELAXED);
    rte_free(workers->threads);
    workers->threads = NULL;
}
