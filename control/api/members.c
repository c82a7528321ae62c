/*
 * Methods of members. load and unload take up to 50,000 addresses a call: this is the path of bulk changes, so an
 * address costs one inet_pton here, one row of the database, and one record of the tables.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/call.h"

#define LIST_DEFAULT 1000

static int members_find_filter(struct call *call, const struct bypeer_model_group **ret_group,
                               const struct bypeer_model_link **ret_link)
{
    const char *group_name = call_string(call, "group"), *link_name = call_string(call, "link");
    const struct bypeer_model_group *group = group_name ? bypeer_model_find_group(call->node->model, group_name) : NULL;
    const struct bypeer_model_link *link = link_name ? bypeer_model_find_link(call->node->model, link_name) : NULL;
    if (group_name && (!group || !group->live))
        return bypeer_problem_set(&call->problem, -ENOENT, "no_such_group",
                                  "group \"%.64s\"\ndoes not exist\nlist the groups with: bypeer groups", group_name);
    if (link_name && (!link || !link->live || link->local))
        return bypeer_problem_set(&call->problem, -ENOENT, "no_such_link",
                                  "link \"%.64s\"\ndoes not exist\nlist the links with: bypeer links", link_name);
    *ret_group = group;
    *ret_link = link;
    return 0;
}

int method_members_list(struct call *call)
{
    const struct bypeer_model_group *group = NULL;
    const struct bypeer_model_link *link = NULL;
    const char *after_text = call_string(call, "after");
    uint8_t after[16], last[16];
    int result = members_find_filter(call, &group, &link);
    if (result == 0 && after_text)
        result = call_overlay_address(call, "after", after_text, after);
    if (result < 0)
        return result;

    size_t limit = (size_t)call_integer(call, "limit", LIST_DEFAULT);
    struct bypeer_model_member *members = calloc(limit, sizeof(*members));
    if (!members)
        return bypeer_problem_no_memory(&call->problem);
    bool more;
    long count = bypeer_model_list_members(call->node->model, after_text ? after : NULL, group ? group->id : 0,
                                           link ? link->id : 0, members, limit, last, &more, &call->problem);
    json_t *list = json_array();
    for (long at = 0; at < count; at++) {
        const struct bypeer_model_link *its_link = bypeer_model_link(call->node->model, members[at].link);
        const struct bypeer_model_group *its_group = bypeer_model_group(call->node->model, members[at].group);
        json_array_append_new(list, json_pack("{s:o, s:s, s:s, s:o}", "address", call_address_text(members[at].address),
                                              "group", its_group ? its_group->name : "", "link", its_link->name,
                                              "origin", call_origin(members[at].line, its_link->followed)));
    }
    free(members);
    call->result = json_pack("{s:o}", "members", list);
    if (count >= 0 && more)
        json_object_set_new(call->result, "next", call_address_text(last));
    return count < 0 ? (int)count : 0;
}

int method_members_count(struct call *call)
{
    const struct bypeer_model *model = call->node->model;
    const struct bypeer_model_group *group = NULL;
    const struct bypeer_model_link *only = NULL;
    int result = members_find_filter(call, &group, &only);
    if (result < 0)
        return result;
    if (!group && !only)
        return call_number(call, "count", bypeer_model_count_members(model));
    uint64_t count = 0;
    for (const struct bypeer_model_link *link = bypeer_model_next_link(model, 0); link;
         link = bypeer_model_next_link(model, link->id))
        if (link->live && !link->local && (!only || link == only) && (!group || link->group == group->id))
            count += link->members;
    return call_number(call, "count", count);
}

int method_members_add(struct call *call)
{
    uint8_t address[1][16];
    size_t added = 0, replaced = 0;
    int result = call_overlay_address(call, "address", call_string(call, "address"), address[0]);
    if (result == 0)
        result = bypeer_model_load_members(call->node->model, call_string(call, "link"), address, 1, &added, &replaced,
                                           &call->problem);
    if (result < 0)
        return result;
    call->result = json_pack("{s:I, s:I}", "added", (json_int_t)added, "replaced", (json_int_t)replaced);
    return 0;
}

int method_members_remove(struct call *call)
{
    uint8_t address[1][16];
    size_t removed = 0;
    const char *text = call_string(call, "address");
    int result = call_overlay_address(call, "address", text, address[0]);
    if (result == 0)
        result = bypeer_model_unload_members(call->node->model, address, 1, &removed, &call->problem);
    if (result == 0 && removed == 0)
        result = bypeer_problem_set(&call->problem, -ENOENT, "no_such_member",
                                    "member %s\ndoes not exist\nlist the members with: bypeer members", text);
    return result < 0 ? result : call_number(call, "removed", removed);
}

/* The addresses of a list, decoded; *ret_addresses is to be freed. */
static int members_decode(struct call *call, uint8_t (**ret_addresses)[16], size_t *ret_count)
{
    const json_t *list = json_object_get(call->parameters, "addresses");
    size_t count = json_array_size(list);
    uint8_t(*addresses)[16] = calloc(count + 1, sizeof(*addresses));
    if (!addresses)
        return bypeer_problem_no_memory(&call->problem);
    for (size_t at = 0; at < count; at++) {
        const char *text = json_string_value(json_array_get(list, at));
        if (text && inet_pton(AF_INET6, text, addresses[at]) == 1)
            continue;
        free(addresses);
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_address",
                                  "parameter \"addresses\"\nnumber %zu, \"%.64s\", is no IPv6 address\n"
                                  "write it as in RFC 5952; none of this call was taken",
                                  at, text ? text : "");
    }
    *ret_addresses = addresses;
    *ret_count = count;
    return 0;
}

int method_members_load(struct call *call)
{
    uint8_t(*addresses)[16];
    size_t count, added = 0, replaced = 0;
    int result = members_decode(call, &addresses, &count);
    if (result < 0)
        return result;
    result = bypeer_model_load_members(call->node->model, call_string(call, "link"), addresses, count, &added,
                                       &replaced, &call->problem);
    free(addresses);
    if (result < 0)
        return result;
    call->result = json_pack("{s:I, s:I}", "added", (json_int_t)added, "replaced", (json_int_t)replaced);
    return 0;
}

int method_members_unload(struct call *call)
{
    uint8_t(*addresses)[16] = NULL;
    size_t count = 0, removed = 0;
    int result = members_decode(call, &addresses, &count);
    if (result < 0)
        return result;
    result = bypeer_model_unload_members(call->node->model, addresses, count, &removed, &call->problem);
    free(addresses);
    return result < 0 ? result : call_number(call, "removed", removed);
}
