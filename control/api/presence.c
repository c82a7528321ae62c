/*
 * presence.list and presence.set.
 */
#include <errno.h>
#include <stdlib.h>

#include "control/api/groups.h"

int method_presence_list(struct call *call)
{
    const struct bypeer_joined *joined = call_group(call);
    struct bypeer_graph_node node;
    uint64_t after = 0;
    if (!joined)
        return call->problem.error;
    const struct bypeer_graph *graph = bypeer_joined_graph(joined);
    json_t *list = json_array();
    for (; bypeer_graph_next_node(graph, after, &node); after = node.node_id) {
        struct bypeer_group_member member = {.friendly = ""};
        struct bypeer_peer_name name;
        char why[160];
        json_t *addresses = json_array();
        if (bypeer_name_read(&name, node.peer_id, why) == 0)
            bypeer_group_find_member(bypeer_joined_group(joined), &name, &member);
        for (unsigned at = 0; at < node.address_count; at++)
            json_array_append_new(addresses, call_group_address(&node.addresses[at]));
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:b, s:o, s:o}", "member", call_peer_text(node.peer_id),
                                              "name", call_peer_text(member.friendly), "node",
                                              json_sprintf("%016llx", (unsigned long long)node.node_id), "self",
                                              node.node_id == bypeer_graph_node_id(graph), "attributes",
                                              node.attributes ? call_peer_text(node.attributes) : json_null(),
                                              "addresses", addresses));
    }
    call->result = json_pack("{s:o}", "nodes", list);
    return 0;
}

int method_presence_set(struct call *call)
{
    struct bypeer_joined *joined = call_group(call);
    const char *attributes = call_string(call, "attributes");
    const json_t *present = json_object_get(call->parameters, "present");
    if (!joined)
        return call->problem.error;
    struct bypeer_graph *graph = bypeer_joined_graph(joined);
    int result =
        attributes ? bypeer_graph_set_attributes(graph, bypeer_groups_now(), attributes[0] != '\0' ? attributes : NULL)
                   : 0;
    if (result < 0)
        return bypeer_problem_set(&call->problem, result == -EINVAL ? BYPEER_API_BAD_PARAMETER : result,
                                  "bad_attributes", "parameter \"attributes\"\nis refused\nsee bypeer-api(7)");
    if (json_is_boolean(present))
        bypeer_graph_set_presence(graph, bypeer_groups_now(), json_is_true(present));
    bypeer_joined_touched(joined);
    return call_number(call, "changed", 1);
}
