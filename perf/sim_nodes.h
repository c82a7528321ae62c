/*
 * The nodes of a simulated cloud: each a struct bypeer_pnrp, its place in the network and its one registered name.
 *
 * A node's address says who it is, so that nothing has to be looked up:
 *
 *   0         4             8      12           16
 *   | 2001:db8 | network     | slot | generation |      network: the slot's number, a /64 of its own; attackers may
 *                                                       share one. generation: counts the nodes that had the slot
 *
 * Names: a secure one each, classifier "n" SERIAL under one of SIM_KEYS identities.
 */
#pragma once

#include "perf/sim.h"

enum sim_role {
    SIM_VACANT,
    SIM_ORDINARY,
    SIM_SEED,
    SIM_SUPERNODE,
    SIM_ATTACKER, /* sim_attack.h deals with what it gets */
    SIM_VICTIM,   /* an address at which there is no PNRP */
};

struct sim_node {
    struct bypeer_pnrp *pnrp;
    struct sim *sim;
    uint64_t timer_ms;  /* when the queue calls; UINT64_MAX: not at all */
    uint64_t joined_ms; /* its timers run from then on */
    uint64_t serial;
    uint64_t sent_bytes, received_bytes; /* since measuring began */
    struct sim_place place;
    uint32_t generation;
    uint32_t network;
    uint32_t live_at;
    uint16_t jobs_out;
    uint8_t role;
    bool is_leaving; /* dead; its jobs come back, then its memory goes */
    uint8_t id[BYPEER_ID_BYTES];
};

int sim_nodes_open(struct sim *sim);
void sim_nodes_close(struct sim *sim);

/* A node comes and registers its name. Its slot, or UINT32_MAX: no memory or no room. */
uint32_t sim_node_join(struct sim *sim, enum sim_role role);
/* Likewise with a name of a given serial. */
uint32_t sim_node_join_as(struct sim *sim, enum sim_role role, uint64_t serial);
/* One more name of a node. 0 and its ID, or as bypeer_pnrp_register(). */
int sim_node_register(struct sim_node *node, uint64_t serial, uint8_t ret_id[static BYPEER_ID_BYTES]);
/* A slot with an address and nothing behind it. */
uint32_t sim_node_place(struct sim *sim, enum sim_role role);
/* Gone without a word. */
void sim_node_kill(struct sim *sim, uint32_t slot);

void sim_node_endpoint(const struct sim_node *node, struct bypeer_pnrp_endpoint *ret_endpoint);
void sim_node_name(const struct sim *sim, uint64_t serial, struct bypeer_peer_name *ret_name);
/* A random one of those that are there. */
uint32_t sim_node_any(struct sim *sim);
/* The slot that an address belongs to; UINT32_MAX: nobody is there now. */
uint32_t sim_node_find(const struct sim *sim, const uint8_t address[static 16]);

/* To be called after each call of a function of the node's bypeer_pnrp: asks for its deadline. */
void sim_node_settle(struct sim_node *node);
/* Sends from a node, over the network. */
void sim_node_send(struct sim_node *node, const struct bypeer_pnrp_endpoint *to, const uint8_t *bytes, size_t length);
/* An event that concerns a node. */
void sim_node_event(struct sim *sim, struct sim_event *event);
