/*
 * consume: the end of a packet that has done its work here. In: keepalives, whose arrival was all that they had to say.
 * Out: nothing.
 */
#include "dataplane/nodes/dispatch.h"
#include "dataplane/room.h"

static uint16_t consume_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
    struct bypeer_worker *worker = bypeer_worker_self();
    struct rte_mbuf **mbufs = (struct rte_mbuf **)objs;
    (void)graph;

    bypeer_count(worker, BYPEER_COUNT_NODE_CONSUME, count);
    if (unlikely(bypeer_trace_runs(worker))) {
        for (unsigned i = 0; i < count; i++)
            bypeer_trace_step(worker, mbufs[i], node->name, NULL);
    }
    bypeer_count(worker, BYPEER_COUNT_CONSUMED, count);
    bypeer_room_free_bulk(mbufs, count);
    return count;
}

static struct rte_node_register consume_node = {
    .name = "consume",
    .process = consume_process,
};
RTE_NODE_REGISTER(consume_node)
