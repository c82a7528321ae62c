/*
 * presence.list and presence.set.
 */
#include <errno.h>
#include <stdlib.h>

#include "control/api/groups.h"

static json_t *presence_entry(const struct bypeer_joined *joined, const struct bypeer_record *record,
                              const struct bypeer_graph_presence *presence)
{
    struct bypeer_group_member member = {.friendly = ""};
    struct bypeer_peer_name name;
    char why[160];
    json_t *addresses = json_array();
    if (bypeer_name_read(&name, record->creator, why) == 0)
        bypeer_group_find_member(bypeer_joined_group(joined), &name, &member);
    for (unsigned at = 0; at < presence->address_count; at++)
        json_array_append_new(addresses, call_group_address(&presence->addresses[at]));
    return json_pack("{s:o, s:o, s:o, s:b, s:o, s:o}", "member", call_peer_text(record->creator), "name",
                     call_peer_text(member.friendly), "node",
                     json_sprintf("%016llx", (unsigned long long)presence->node_id), "self",
                     presence->node_id == bypeer_graph_node_id(bypeer_joined_graph(joined)), "attributes",
                     presence->attributes ? call_peer_text(presence->attributes) : json_null(), "addresses", addresses);
}

int method_presence_list(struct call *call)
{
    const struct bypeer_joined *joined = call_group(call);
    const struct bypeer_guid type = BYPEER_RECORD_PRESENCE;
    const struct bypeer_record *record = NULL;
    struct bypeer_graph_presence presence;
    if (!joined)
        return call->problem.error;
    json_t *list = json_array();
    while ((record = bypeer_graph_next(bypeer_joined_graph(joined), &type, record))) {
        if (bypeer_record_is_deleted(record) ||
            bypeer_graph_presence_read(&presence, record->payload, record->payload_bytes) < 0)
            continue;
        json_array_append_new(list, presence_entry(joined, record, &presence));
        bypeer_graph_presence_clear(&presence);
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
