/*
 * Attackers of a simulated cloud, each attack with its defence and as it were without.
 *
 * eclipse    IDs around a name's, before that name's node joins, all of them genuine: the attackers search classifiers
 *            until the names' IDs fall there. They take part as everybody, but whoever looks for the victim, and the
 *            victim that looks for its neighbours, is sent from one of them to the next. One in ten resolves is for
 *            the victim's name.
 *            Defence: a cache takes few IDs of one address and one /64. Undefended: each ID has a /64 of its own, which
 *            is as if there were no such limit.
 * pollution  FLOODs to random nodes of random IDs, half with addresses where nobody is, half with the victim's, which
 *            does not speak PNRP.
 *            Defence: an entry is taken in only after an answer from there. Undefended: it is taken in at once.
 * flood      FLOODs to random nodes of IDs next to the receiver's own, all with the victim's address: each asks for a
 *            test with a CPA there.
 *            Defence: a node's tests are bounded in number and by address. Undefended: every entry is tested.
 *
 * Thread: one.
 */
#pragma once

#include "perf/sim.h"

struct sim_node;

int sim_attack_open(struct sim *sim); /* 0 or -ENOMEM */
void sim_attack_close(struct sim *sim);
/* The attackers begin, when the cloud has settled. */
void sim_attack_start(struct sim *sim);
/* A datagram for an attacker: whether he deals with it himself; else his engine gets it. */
bool sim_attack_takes(struct sim_node *node, const struct bypeer_pnrp_endpoint *from, const struct sim_event *event);
/* Whose name is to be resolved next; UINT32_MAX: anybody's. */
uint32_t sim_attack_target(struct sim *sim);
/* The slot under attack, which churn spares; UINT32_MAX: none. */
uint32_t sim_attack_victim(const struct sim *sim);
/* Bytes that the attackers sent, and that reached the victim, since the attack began. */
uint64_t sim_attack_sent_bytes(const struct sim *sim);
uint64_t sim_attack_victim_bytes(const struct sim *sim);
