/*
 * What befalls a simulated cloud as a whole, and how long it takes to heal.
 *
 * Cut: the regions below a border and the others do not reach each other for a while. Failure: all nodes of the first
 * regions go at once, for good. It is healed when from some window on HEALED of the resolves succeed, or HEALED of the
 * sampled nodes know their neighbours in the ring.
 */
#pragma once

#include "perf/sim.h"

#define SIM_HEALED 0.99

/* Plans it; to be called when measuring begins. */
void sim_trouble_plan(struct sim *sim);
/* Seconds from its end (or blow) to the window from which all are healed; -1: never, or there was no trouble. */
double sim_trouble_healed_s(const struct sim *sim, bool ring);
