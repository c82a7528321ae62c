/* What graph.c tells a receive node: the struct bypeer_queue that it reads, in the node's context. */
#pragma once

#include <rte_graph_worker.h>

#include "dataplane/worker.h"

_Static_assert(sizeof(struct bypeer_queue) <= RTE_NODE_CTX_SZ, "fits the node's context");

rte_node_t bypeer_receive_node(void); /* the node that is cloned for each queue */
