/* The common methods with C types. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/lib/values.h"

#define PAGE 5000 /* members in one answer of members.list */

/* A call whose result is not needed, with params from json_pack(). */
static int node_do(struct bypeer *node, const char *method, json_t *params)
{
    if (!params)
        return connection_fail(node, -EINVAL, "a parameter of %s is missing or no UTF-8", method);
    return bypeer_call(node, method, params, NULL);
}

int bypeer_node_status(struct bypeer *node, struct bypeer_node_status *ret_status)
{
    struct bypeer_node_status status = {0};
    json_t *result;
    int error = bypeer_call(node, "status", NULL, &result);
    if (error)
        return error;
    const json_t *dataplane = json_object_get(result, "dataplane");
    const json_t *tables = json_object_get(result, "tables");
    const json_t *links = json_object_get(result, "links");
    const json_t *packets = json_object_get(result, "packets");
    const char *state = json_string_value(json_object_get(dataplane, "state"));
    if (!state || !json_is_object(tables) || !json_is_object(links) || !json_is_object(packets)) {
        json_decref(result);
        return value_malformed(node, "status");
    }
    value_copy(result, "node", status.node, sizeof(status.node));
    value_copy(result, "release", status.release, sizeof(status.release));
    status.uptime_s = json_number_value(json_object_get(result, "uptime_s"));
    status.dataplane_attached = strcmp(state, "attached") == 0;
    status.dataplane_pid = value_integer(dataplane, "pid");
    status.members = value_integer(json_object_get(tables, "used"), "members");
    status.members_capacity = value_integer(json_object_get(tables, "capacity"), "members");
    status.links = value_integer(links, "total");
    status.links_up = value_integer(links, "up");
    status.packets = (struct bypeer_packet_sum){
        .received = value_integer(packets, "received"),
        .injected = value_integer(packets, "injected"),
        .generated = value_integer(packets, "generated"),
        .copied = value_integer(packets, "copied"),
        .sent = value_integer(packets, "sent"),
        .punted = value_integer(packets, "punted"),
        .consumed = value_integer(packets, "consumed"),
        .dropped = value_integer(packets, "dropped"),
        .in_flight = value_integer(packets, "in_flight"),
    };
    json_decref(result);
    *ret_status = status;
    return 0;
}

int bypeer_group_add(struct bypeer *node, const struct bypeer_group_definition *group)
{
    return node_do(node, "groups.add",
                   json_pack("{s:s, s:s, s:I, s:s*}", "name", group->name, "prefix", group->prefix, "vni",
                             (json_int_t)group->vni, "address", group->address));
}

int bypeer_group_remove(struct bypeer *node, const char *name)
{
    return node_do(node, "groups.remove", json_pack("{s:s}", "name", name));
}

/* 0 stands for a default, which the node chooses when the key is left out. */
static json_t *unless_zero(uint32_t value)
{
    return value ? json_integer(value) : NULL;
}

int bypeer_link_add(struct bypeer *node, const struct bypeer_link_definition *link)
{
    return node_do(node, "links.add",
                   json_pack("{s:s, s:s, s:s, s:s*, s:o*, s:o*, s:o*}", "name", link->name, "group", link->group,
                             "peer", link->peer, "local", link->local, "vni", unless_zero(link->vni), "udp_port",
                             unless_zero(link->udp_port), "mtu", unless_zero(link->mtu)));
}

int bypeer_link_remove(struct bypeer *node, const char *name)
{
    return node_do(node, "links.remove", json_pack("{s:s}", "name", name));
}

int bypeer_route_add(struct bypeer *node, const char *prefix, const char *link)
{
    return node_do(node, "routes.add", json_pack("{s:s, s:s}", "prefix", prefix, "link", link));
}

int bypeer_route_remove(struct bypeer *node, const char *prefix)
{
    return node_do(node, "routes.remove", json_pack("{s:s}", "prefix", prefix));
}

int bypeer_member_add(struct bypeer *node, const char *address, const char *link)
{
    json_t *params = json_pack("{s:s, s:s}", "address", address, "link", link);
    json_t *result;
    if (!params)
        return connection_fail(node, -EINVAL, "a parameter of members.add is missing or no UTF-8");
    int error = bypeer_call(node, "members.add", params, &result);
    if (error)
        return error;
    int added = value_integer(result, "added") != 0;
    json_decref(result);
    return added;
}

int bypeer_member_remove(struct bypeer *node, const char *address)
{
    return node_do(node, "members.remove", json_pack("{s:s}", "address", address));
}

int64_t bypeer_member_count(struct bypeer *node, const char *group, const char *link)
{
    json_t *result;
    int error = bypeer_call(node, "members.count", json_pack("{s:s*, s:s*}", "group", group, "link", link), &result);
    if (error)
        return error;
    const json_t *count = json_object_get(result, "count");
    int64_t value = json_is_integer(count) ? json_integer_value(count) : value_malformed(node, "members.count");
    json_decref(result);
    return value;
}

static int member_tell(struct bypeer *node, const json_t *object,
                       int (*each)(void *context, const struct bypeer_member *member), void *context)
{
    struct bypeer_member member = {
        .address = json_string_value(json_object_get(object, "address")),
        .group = json_string_value(json_object_get(object, "group")),
        .link = json_string_value(json_object_get(object, "link")),
        .origin = json_string_value(json_object_get(object, "origin")),
    };
    if (!member.address || !member.group || !member.link || !member.origin)
        return value_malformed(node, "members.list");
    return each(context, &member);
}

int bypeer_member_each(struct bypeer *node, const char *group, const char *link,
                       int (*each)(void *context, const struct bypeer_member *member), void *context)
{
    char after[64] = "";
    int result = 0;
    for (bool more = true; more && !result;) {
        json_t *page;
        result = bypeer_call(node, "members.list",
                             json_pack("{s:s*, s:s*, s:s*, s:i}", "group", group, "link", link, "after",
                                       after[0] ? after : NULL, "limit", PAGE),
                             &page);
        if (result)
            return result;
        const json_t *members = json_object_get(page, "members");
        const char *next = json_string_value(json_object_get(page, "next"));
        if (!json_is_array(members))
            result = value_malformed(node, "members.list");
        for (size_t i = 0; i < json_array_size(members) && !result; i++)
            result = member_tell(node, json_array_get(members, i), each, context);
        /* A node that repeats itself would keep us for ever. */
        more = next && strcmp(next, after) != 0;
        if (more)
            snprintf(after, sizeof(after), "%s", next);
        json_decref(page);
    }
    return result;
}
