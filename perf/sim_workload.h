/*
 * What a simulated cloud is asked to do, and how well it does it.
 *
 * A resolve is one call of bypeer_pnrp_resolve() at a random node for the name of another random node that has been
 * there for SIM_NAME_AGE_S; it succeeds when that node's ID is found within the API's 30 s. If the publisher or the
 * resolver leaves meanwhile, it does not count. Everything is counted by windows of SIM_WINDOW_S, too.
 */
#pragma once

#include "perf/sim.h"

#define SIM_NAME_AGE_S 30

/* Room for the tally. 0 or -ENOMEM. */
int sim_workload_open(struct sim *sim);
void sim_workload_close(struct sim *sim);

/* Measures for options.measure_s, and until the last resolve has ended. */
void sim_workload_run(struct sim *sim);

/* From the nodes: a result, an end, somebody who left. context: struct sim_node. */
void sim_workload_found(void *context, uint64_t resolve, const struct bypeer_pnrp_found *found);
void sim_workload_finished(void *context, uint64_t resolve, int status);
void sim_workload_left(struct sim *sim, uint32_t slot);

/* The smallest value that a share of the resolves did not exceed. */
uint32_t sim_tally_hops(const struct sim_tally *tally, double share);
/* Sorts them; in milliseconds. */
uint32_t sim_tally_took_ms(struct sim_tally *tally, double share);
/* Share of a sample of nodes that know the nodes next to them in the ring. */
double sim_workload_ring(struct sim *sim, uint32_t sample);
/* Looks at every node's memory; updates state_max_bytes and returns the mean of those with a small cache. */
double sim_workload_state(struct sim *sim);
/* Share of the entries of all small caches at whose address is no PNRP node now. */
double sim_workload_stale(const struct sim *sim);
