/*
 * The graph that a worker walks: receive -> classify -> ... -> transmit, made of the nodes in dataplane/nodes/.
 *
 * Thread: the main thread creates a graph after the ports have been started and before the worker runs, and destroys it
 * after the worker has ended. In between only the worker walks it (worker.c).
 */
#pragma once

#include <rte_graph.h>
#include <rte_graph_worker.h>

#include "dataplane/worker.h"

/*
 * Makes the graph "bypeer-<index>" of a worker whose queues and ports are filled in. The nodes find the worker by
 * bypeer_worker_self(), which is set before the first walk. Returns 0 or negative errno.
 */
int bypeer_graph_create(struct bypeer_worker *worker, struct rte_graph **ret_graph);
void bypeer_graph_destroy(struct rte_graph *graph); /* NULL is fine */
