/*
 * DPDK telemetry commands of this process (dpdk-telemetry.py -f <file prefix>):
 *
 *   /bypeer/status         release, control's tables, what goes in and out
 *   /bypeer/counters       every counter, summed over the workers and the host thread
 *   /bypeer/workers        one entry a worker: state, walks, share of the time busy and asleep
 *   /bypeer/nodes          calls, packets and cycles of each node (node_times.h)
 *   /bypeer/ports          link, losses
 *   /bypeer/trace,N        traces the next N packets
 *   /bypeer/trace          the steps of the last trace, as far as they fit
 *
 * Threads: the callbacks run on DPDK's own; they only load from the status region and ask the main thread for a trace.
 */
#pragma once

#include "dataplane/report.h"
#include "dataplane/tracing.h"

/* Both must stay until bypeer_telemetry_stop(). Returns 0 or negative errno. */
int bypeer_telemetry_start(const struct bypeer_report *report, struct bypeer_tracing *tracing);
void bypeer_telemetry_stop(void);
