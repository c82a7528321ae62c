/*
 * Where the time of a walk goes, node by node, as rte_graph counts it: the telemetry command /bypeer/nodes.
 *
 * Of each node: calls, packets, cycles (of the TSC), summed over all workers and growing; hz beside them. What is left
 * of a worker's time is the walk itself, its quiescent state and naps.
 *
 * Thread: telemetry's; it only reads what workers count.
 */
#pragma once

#include <rte_telemetry.h>

/* Fills data with an object of objects. 0 or negative errno. */
int bypeer_node_times_answer(struct rte_tel_data *data);
