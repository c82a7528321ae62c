/*
 * How a simulated cloud comes to be, and how its nodes come and go.
 *
 * Growth: the seeds first, then as many joins a second as are a fixed share of those that are there. Or warm: all at
 * once, every cache filled from what is known of all, as a cloud that has run for days: leaf sets whole, and for each
 * level of ten times the span random nodes of it.
 * Churn: a Poisson process; each time a random node goes without a word and a new one with a new name joins.
 */
#pragma once

#include "perf/sim.h"

/* Until all nodes have joined. */
void sim_growth_run(struct sim *sim);
/* From now on. */
void sim_growth_start_churn(struct sim *sim);
