#include "dataplane/node_times.h"

#include <errno.h>
#include <string.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_graph.h>
#include <rte_memory.h>
#include <rte_string_fns.h>

static int node_times_add(bool is_first, bool is_last, void *cookie, const struct rte_graph_cluster_node_stats *stats)
{
    char name[RTE_NODE_NAMESIZE];
    struct rte_tel_data *node = rte_tel_data_alloc();
    RTE_SET_USED(is_first);
    RTE_SET_USED(is_last);
    if (node == NULL)
        return -ENOMEM;
    rte_tel_data_start_dict(node);
    rte_tel_data_add_dict_u64(node, "calls", stats->calls);
    rte_tel_data_add_dict_u64(node, "packets", stats->objs);
    rte_tel_data_add_dict_u64(node, "cycles", stats->cycles);
    strlcpy(name, stats->name, sizeof(name));
    for (char *dash = name; (dash = strchr(dash, '-')) != NULL;) /* telemetry takes no such key: "receive-0" */
        *dash = '_';
    return rte_tel_data_add_dict_container(cookie, name, node, 0);
}

int bypeer_node_times_answer(struct rte_tel_data *data)
{
    const char *graphs[] = {"bypeer-*"};
    const struct rte_graph_cluster_stats_param parameters = {.socket_id = SOCKET_ID_ANY,
                                                             .fn = node_times_add,
                                                             .cookie = data,
                                                             .nb_graph_patterns = RTE_DIM(graphs),
                                                             .graph_patterns = graphs};
    struct rte_graph_cluster_stats *stats = rte_graph_cluster_stats_create(&parameters);
    if (stats == NULL)
        return -ENOENT; /* no worker has a graph */
    rte_tel_data_start_dict(data);
    rte_tel_data_add_dict_u64(data, "hz", rte_get_tsc_hz());
    rte_graph_cluster_stats_get(stats, false);
    rte_graph_cluster_stats_destroy(stats);
    return 0;
}
