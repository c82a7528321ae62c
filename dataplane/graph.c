#include "dataplane/graph.h"

#include <errno.h>
#include <stdio.h>

#include <rte_errno.h>

#include "dataplane/nodes/dispatch.h"
#include "dataplane/nodes/inject.h"
#include "dataplane/nodes/multicast.h"
#include "dataplane/nodes/receive.h"

static int graph_errno(void)
{
    return rte_errno > 0 ? -rte_errno : -EINVAL;
}

static void graph_receive_name(char name[static RTE_NODE_NAMESIZE], unsigned queue)
{
    snprintf(name, RTE_NODE_NAMESIZE, "receive-%u", queue);
}

/* The clone for the queue-th queue of a worker. Clones are global and shared by all graphs, contexts are not. */
static int graph_clone_receive(unsigned queue)
{
    char name[RTE_NODE_NAMESIZE], suffix[16];
    graph_receive_name(name, queue);
    if (!rte_node_is_invalid(rte_node_from_name(name)))
        return 0;
    snprintf(suffix, sizeof(suffix), "%u", queue);
    return rte_node_is_invalid(rte_node_clone(bypeer_receive_node(), suffix)) ? graph_errno() : 0;
}

/*
 * Makes every stream large enough for all that one walk can bring, because a stream that grows allocates. Sources bring
 * a burst each, an error may come of each packet, and multicast has its limit of copies; one more burst because receive
 * asks for room before it knows how much came.
 */
static void graph_reserve(struct rte_graph *graph, const struct bypeer_worker *worker)
{
    unsigned sources = (unsigned)worker->queue_count * worker->burst + BYPEER_INJECT_BURST;
    unsigned most = 2 * sources + worker->burst + BYPEER_MULTICAST_COPIES_BURST;
    struct rte_node *node;
    rte_graph_off_t offset;
    rte_node_t count;
    rte_graph_foreach_node(count, offset, graph, node)
    {
        for (rte_edge_t edge = 0; edge < node->nb_edges; edge++) {
            if (node->nodes[edge]->size < most)
                rte_node_next_stream_get(graph, node, edge, (uint16_t)most);
        }
    }
}

int bypeer_graph_create(struct bypeer_worker *worker, struct rte_graph **ret_graph)
{
    char names[BYPEER_QUEUES_MAX][RTE_NODE_NAMESIZE], graph_name[RTE_GRAPH_NAMESIZE];
    const char *patterns[BYPEER_QUEUES_MAX + 1];
    uint16_t pattern_count = 0;

    if (worker->queue_count > BYPEER_QUEUES_MAX || worker->burst == 0 || worker->burst > BYPEER_LOOKUP_BURST)
        return -EINVAL;
    for (unsigned i = 0; i < worker->queue_count; i++) {
        int status = graph_clone_receive(i);
        if (status < 0)
            return status;
        graph_receive_name(names[i], i);
        patterns[pattern_count++] = names[i];
    }
    patterns[pattern_count++] = "inject";

    struct rte_graph_param parameters = {
        .socket_id = SOCKET_ID_ANY,
        .nb_node_patterns = pattern_count,
        .node_patterns = patterns,
    };
    snprintf(graph_name, sizeof(graph_name), "bypeer-%u", worker->index);
    if (rte_graph_create(graph_name, &parameters) == RTE_GRAPH_ID_INVALID)
        return graph_errno();
    struct rte_graph *graph = rte_graph_lookup(graph_name);
    for (unsigned i = 0; i < worker->queue_count; i++)
        memcpy(rte_graph_node_get_by_name(graph_name, names[i])->ctx, &worker->queues[i], sizeof(worker->queues[i]));
    graph_reserve(graph, worker);
    *ret_graph = graph;
    return 0;
}

void bypeer_graph_destroy(struct rte_graph *graph)
{
    if (graph != NULL)
        rte_graph_destroy(graph->id);
}
