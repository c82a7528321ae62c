/*
 * A simulated cloud: thousands to a million nodes of overlay/pnrp in one process and in virtual time.
 *
 *   options -> growth (joining, churn) -> nodes -- datagrams, deadlines, signatures --> queue
 *                                           ^                                            |
 *              workload (resolves) ---------+<------- network: delay, loss, cuts --------+
 *              attack ----------------------+                               report: text, JSON, plot
 *
 * What is real: every node is a struct bypeer_pnrp as in bypeerd, and every message is its bytes, written and read by
 * the codec. What is not: time, the network, and signatures. A signature is a keyed hash of what is signed, as long as
 * the profile's; it verifies under its public key only, so that an altered or forged CPA is found out, yet anybody
 * could make one: attackers here do not.
 *
 * Files, in the order to read: sim_queue.h, sim_network.h, sim_nodes.h, sim_growth.h, sim_workload.h, sim_trouble.h,
 * sim_attack.h, sim_report.h.
 *
 * Thread: one, all of it. A run is repeated exactly by its options.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "overlay/pnrp/cloud.h"
#include "perf/sim_network.h"
#include "perf/sim_queue.h"

#define SIM_KEYS      64 /* identities; nodes share them, each with a classifier of its own */
#define SIM_WINDOW_S  10
#define SIM_HOPS_MAX  64
#define SIM_TIMEOUT_S 30 /* of a resolve: the API's */

enum sim_attack_kind { SIM_ATTACK_NONE, SIM_ATTACK_ECLIPSE, SIM_ATTACK_POLLUTION, SIM_ATTACK_FLOOD, SIM_ATTACKS };

struct sim_options {
    uint32_t nodes;
    uint32_t seeds;      /* nodes that newcomers know; they stay */
    uint32_t supernodes; /* of the nodes; full caches */
    uint32_t settle_s;   /* after the last has joined, before measuring */
    uint32_t measure_s;
    uint32_t resolves;        /* while measuring */
    double loss;              /* of datagrams */
    double churn_per_hour;    /* share of the nodes that is replaced, without a word */
    double growth_per_s;      /* share by which the cloud grows while it comes to be */
    bool warm;                /* caches are filled by hand, nobody joins one after the other */
    uint64_t seed;            /* of everything random */
    uint32_t cut_at_s, cut_s; /* the cloud is cut in two for cut_s; 0: never */
    double cut_share;
    uint32_t fail_at_s; /* a region of fail_share of the nodes fails for good; 0: never */
    double fail_share;
    enum sim_attack_kind attack;
    uint32_t attackers; /* nodes, or of an eclipse IDs */
    double attack_rate; /* false entries that an attacker sends a second */
    bool undefended;
    bool progress; /* to stderr */
};
extern const struct sim_options sim_options_default;

/* What happened in SIM_WINDOW_S seconds of measuring. */
struct sim_window {
    uint32_t begun, resolved; /* resolves of live names, by when they began */
    uint64_t datagrams, bytes;
    double ring; /* share of sampled nodes that know their neighbours in the ring */
};

struct sim_tally {
    uint32_t started;                       /* whatever became of it */
    uint32_t begun, resolved, failed;       /* that count: begun is the sum of the others */
    uint32_t target_begun, target_resolved; /* of them for the name under attack */
    uint32_t void_of_churn;                 /* the publisher or the resolver left meanwhile */
    uint32_t hops[SIM_HOPS_MAX + 1];
    uint32_t *took_ms; /* of each that resolved */
    uint64_t datagrams, bytes, lost;
    uint64_t begun_ms, ended_ms;
};

struct sim_node;
struct sim_resolve;
struct sim_attack;

struct sim {
    struct sim_options options;
    const struct bypeer_profile *profile;
    struct sim_queue queue;
    struct sim_network network;
    uint64_t random;
    struct bypeer_key *keys[SIM_KEYS];

    struct sim_node *nodes; /* by slot */
    uint32_t slot_count;
    uint32_t *live; /* slots of nodes that are there, in no order; seeds first */
    uint32_t live_count;
    uint32_t *vacant; /* a stack of slots */
    uint32_t vacant_count;
    uint64_t next_serial;
    bool is_grown;

    bool is_measuring;
    struct sim_tally tally;
    struct sim_window *windows;
    uint32_t window_count;
    struct sim_resolve *resolves; /* under way */
    struct sim_attack *attack;
    size_t state_max_bytes; /* of a node with a small cache, at any look */
};

/* 0, or -ENOMEM or -EIO: no keys. */
int sim_open(struct sim **ret_sim, const struct sim_options *options);
void sim_close(struct sim *sim);
/* Grows the cloud, lets it settle, measures. */
void sim_run(struct sim *sim);

/* Virtual time as the engine wants it. */
struct bypeer_pnrp_time sim_time(const struct sim *sim);
/* Lets everything happen up to a time. */
void sim_pass(struct sim *sim, uint64_t end_ms);
/* Calls a function at a time; the event is the call's and has room for so many bytes. */
struct sim_event *sim_call(struct sim *sim, uint64_t at_ms, void (*call)(struct sim *sim, struct sim_event *event),
                           uint16_t bytes);
