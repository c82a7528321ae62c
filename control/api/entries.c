/*
 * Methods of groups and routes.
 */
#include <stdio.h>
#include <string.h>

#include "control/api/call.h"
#include "control/model/followed.h"

static uint64_t entries_group_members(const struct bypeer_model *model, uint32_t group)
{
    uint64_t members = 0;
    size_t followed_count;
    const struct bypeer_model_member *followed = bypeer_model_followed_members(model, &followed_count);
    for (size_t at = 0; at < followed_count; at++)
        members += followed[at].group == group;
    for (const struct bypeer_model_link *link = bypeer_model_next_link(model, 0); link;
         link = bypeer_model_next_link(model, link->id))
        members += link->live && !link->local && !link->followed && link->group == group ? link->members : 0;
    return members;
}

int method_groups_list(struct call *call)
{
    const struct bypeer_model *model = call->node->model;
    json_t *list = json_array();
    for (const struct bypeer_model_group *group = bypeer_model_next_group(model, 0); group;
         group = bypeer_model_next_group(model, group->id)) {
        if (!group->live)
            continue;
        json_array_append_new(
            list, json_pack("{s:s, s:o, s:I, s:o, s:I, s:I, s:o}", "name", group->name, "prefix",
                            call_prefix_text(group->prefix, 48), "vni", (json_int_t)group->vni, "address",
                            group->has_address ? call_address_text(group->address) : json_null(), "links",
                            (json_int_t)group->links, "members", (json_int_t)entries_group_members(model, group->id),
                            "origin", call_origin(group->line, group->followed)));
    }
    call->result = json_pack("{s:o}", "groups", list);
    return 0;
}

int method_groups_add(struct call *call)
{
    const char *name = call_string(call, "name"), *address = call_string(call, "address");
    struct bypeer_store_group definition = {.defined = true, .vni = (uint32_t)call_integer(call, "vni", 0)};
    snprintf(definition.name, sizeof(definition.name), "%s", name);
    if (strlen(name) >= sizeof(definition.name))
        definition.name[0] = '\0'; /* is no name, and said so */
    uint8_t bits;
    int result = call_prefix(call, "prefix", call_string(call, "prefix"), definition.prefix, &bits);
    if (result == 0 && bits != 48)
        result = bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_prefix",
                                    "parameter \"prefix\"\nis no /48\na group has an RFC 4193 /48");
    if (result == 0 && address) {
        definition.has_address = true;
        result = call_overlay_address(call, "address", address, definition.address);
    }
    if (result == 0)
        result = bypeer_model_add_group(call->node->model, &definition, &call->problem);
    return result < 0 ? result : call_number(call, "added", 1);
}

int method_groups_remove(struct call *call)
{
    int result = bypeer_model_remove_group(call->node->model, call_string(call, "name"), &call->problem);
    return result < 0 ? result : call_number(call, "removed", 1);
}

int method_routes_list(struct call *call)
{
    const struct bypeer_model *model = call->node->model;
    size_t count;
    const struct bypeer_model_route *routes = bypeer_model_routes(model, &count);
    json_t *list = json_array();
    for (size_t at = 0; at < count; at++) {
        const struct bypeer_model_link *link = bypeer_model_link(model, routes[at].link);
        const struct bypeer_model_group *group = link ? bypeer_model_group(model, link->group) : NULL;
        json_array_append_new(list, json_pack("{s:o, s:s, s:s, s:o}", "prefix",
                                              call_prefix_text(routes[at].prefix, routes[at].bits), "group",
                                              group ? group->name : "", "link", link ? link->name : "", "origin",
                                              call_origin(routes[at].line, false)));
    }
    call->result = json_pack("{s:o}", "routes", list);
    return 0;
}

int method_routes_add(struct call *call)
{
    uint8_t prefix[16], bits;
    int result = call_prefix(call, "prefix", call_string(call, "prefix"), prefix, &bits);
    if (result == 0)
        result = bypeer_model_add_route(call->node->model, prefix, bits, call_string(call, "link"), &call->problem);
    if (result < 0)
        return result;
    call->result = json_pack("{s:i, s:i}", "added", result == 1, "replaced", result == 0);
    return 0;
}

int method_routes_remove(struct call *call)
{
    uint8_t prefix[16], bits;
    int result = call_prefix(call, "prefix", call_string(call, "prefix"), prefix, &bits);
    if (result == 0)
        result = bypeer_model_remove_route(call->node->model, prefix, bits, &call->problem);
    return result < 0 ? result : call_number(call, "removed", 1);
}
