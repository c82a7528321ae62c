#include "dataplane/nodes/dispatch.h"

void bypeer_dispatch_trace(struct bypeer_worker *worker, const struct rte_node *node, struct rte_mbuf *const *mbufs,
                           const rte_edge_t *nexts, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        bypeer_trace_step(worker, mbufs[i], node->name, node->nodes[nexts[i]]->name);
}
