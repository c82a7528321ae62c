/*
 * What one worker owns, and what the graph's nodes may touch while it walks.
 *
 * A worker is one lcore that runs one graph: load the tables, walk the graph, announce a quiescent state, and sleep
 * when nothing came (idle.h). Everything here belongs to that thread; pointers into the tables are good until the end
 * of the walk. No node blocks, allocates (but mbufs), logs or makes a system call.
 */
#pragma once

#include <stdint.h>

#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/counters.h"
#include "overlay/tables/sessions.h"
#include "overlay/tables/tables.h"
#include "overlay/wireguard/aead.h"

#define BYPEER_PORTS_MAX   16
#define BYPEER_WORKERS_MAX 64

#define BYPEER_QUEUES_MAX 64 /* that one worker reads, all ports together */

#define BYPEER_RECENT_LINK_BITS 8 /* 256 of them, 1 KiB; peers that share a hash cost a lookup each time */

/* A port of the configuration as the workers see it. Constant after start. */
struct bypeer_port {
    uint16_t port_id; /* DPDK's */
    uint16_t mtu;     /* bytes of IP */
    uint8_t mac[6];
};

/* A receive queue that a worker reads. A port may have fewer queues than there are workers, or more. */
struct bypeer_queue {
    uint16_t port;    /* number of the configuration */
    uint16_t port_id; /* DPDK's */
    uint16_t queue;
};

struct bypeer_trace; /* trace.h */

struct bypeer_worker {
    /* Constant during a walk. tables is NULL until control has handed some over. */
    const struct bypeer_tables *tables;
    uint64_t *counters;                   /* of this worker, in the status region */
    const struct bypeer_sessions *shared; /* the sessions region, of which it owns a row; NULL: none */
    struct bypeer_session *sessions;      /* that row, or NULL */
    uint32_t session_count;
    struct bypeer_event_ring *events; /* to control, in the status region */
    struct bypeer_aead *aead;
    uint16_t index;             /* of the worker, from 0; also its transmit queue on every port */
    uint16_t workers;           /* all together, among which a rate of the node is divided */
    uint16_t burst;             /* frames to read at once, at most 128 */
    bool is_judging;            /* the tables have groups with rules, or trunks */
    uint64_t now_tsc;           /* at the start of the walk */
    uint64_t now_ms;            /* CLOCK_MONOTONIC at the start of the walk, as control reads it */
    uint64_t now_realtime_s;    /* whole seconds, for last-seen stamps; updated about once a second */
    struct rte_mempool *pool;   /* for generated packets */
    struct rte_ring *punt;      /* to the host thread: frames for the TAPs, packets for the TUN */
    struct rte_ring *inject;    /* from the host thread */
    struct bypeer_trace *trace; /* trace.h; its .left is not 0 while packets are to be traced */
    /* Ids of links that fabric packets came by, by a hash of peer and VNI, and the newest: where to look first. */
    uint32_t recent_links[1 << BYPEER_RECENT_LINK_BITS];
    uint32_t newest_link;
    uint16_t queue_count; /* what receive reads, in this order */
    struct bypeer_queue queues[BYPEER_QUEUES_MAX];
    uint16_t port_count;
    struct bypeer_port ports[BYPEER_PORTS_MAX]; /* by number of the configuration */
};

/* The clock of WireGuard's sessions. */
static inline uint64_t bypeer_worker_now_ns(const struct bypeer_worker *worker)
{
    return worker->now_ms * UINT64_C(1000000);
}

/* Decides for a whole walk whether packets are judged by rules: overlay_lookup notes what policy then asks for, and the
 * word may change between them. Call it at the start of a walk, once .tables is set. */
static inline void bypeer_worker_begin(struct bypeer_worker *worker)
{
    worker->is_judging = worker->tables != NULL && bypeer_tables_has_judged(worker->tables);
}

RTE_DECLARE_PER_LCORE(struct bypeer_worker *, bypeer_worker);

static inline struct bypeer_worker *bypeer_worker_self(void)
{
    return RTE_PER_LCORE(bypeer_worker);
}

/* One writer, so a plain add; the store is one aligned 64-bit word that readers may look at any time. */
static inline void bypeer_count(struct bypeer_worker *worker, enum bypeer_counter counter, uint64_t by)
{
    __atomic_store_n(&worker->counters[counter], worker->counters[counter] + by, __ATOMIC_RELAXED);
}
