/*
 * What a simulation found: text for people, one JSON object for programs, a plot.
 */
#pragma once

#include <stdio.h>

#include "perf/sim.h"

void sim_report_text(struct sim *sim, FILE *stream);
/* Keys: see sim_report.c; bypeer's own tests rely on nodes, success, mean_hops, p99_hops, bytes_per_node_s and
 * state_bytes. */
void sim_report_json(struct sim *sim, FILE *stream);
/* PREFIX.dat and PREFIX.gnuplot, and by gnuplot from them PREFIX.svg and PREFIX.png. 0, or a negative errno after a
 * line on stderr. */
int sim_report_plot(struct sim *sim, const char *prefix);
