/*
 * group.invite, renew, revoke and password: who is a member; group.export and import.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/groups.h"

/* Both forms, beside what is in entry. */
static int issue_add_invitation(struct call *call, const struct bypeer_invitation *invitation, json_t *entry)
{
    char *line = NULL, *xml = NULL;
    int result = bypeer_invitation_write_line(invitation, &line);
    if (result == 0)
        result = bypeer_invitation_write_xml(invitation, &xml);
    if (result == 0) {
        json_object_set_new(entry, "line", json_string(line));
        json_object_set_new(entry, "xml", json_string(xml));
        call->result = json_incref(entry);
    } else {
        bypeer_problem_set(&call->problem, result, "not_written", "the invitation\ncannot be written: %s\n",
                           strerror(-result));
    }
    free(line);
    free(xml);
    json_decref(entry);
    return result;
}

int method_group_invite(struct call *call)
{
    struct bypeer_joined_order order = {.identity = call_string(call, "identity"),
                                        .lifetime_s = (uint64_t)call_integer(call, "lifetime_s", 0)};
    struct bypeer_joined *joined = call_group(call);
    struct bypeer_invitation invitation = {0};
    struct bypeer_group_member member = {0};
    json_t *entry;
    int result = joined ? call_read_roles(call, &order.roles) : call->problem.error;
    if (result < 0)
        return result;
    if (order.identity) {
        result = bypeer_joined_invite(joined, &order, &invitation, &member, &call->problem);
        entry =
            json_pack("{s:o, s:o, s:I, s:o}", "member", call_name_text(&member.name), "roles", call_roles(member.roles),
                      "until", (json_int_t)member.until, "address", call_address_text(member.address));
    } else {
        result = bypeer_joined_invite_by_password(joined, &invitation, &call->problem);
        entry = json_object();
    }
    if (result == 0)
        result = issue_add_invitation(call, &invitation, json_incref(entry));
    json_decref(entry);
    bypeer_invitation_clear(&invitation);
    return result;
}

int method_group_renew(struct call *call)
{
    struct bypeer_joined_order order = {.lifetime_s = (uint64_t)call_integer(call, "lifetime_s", 0)};
    struct bypeer_joined *joined = call_group(call);
    struct bypeer_group_member member;
    int result = joined ? call_read_roles(call, &order.roles) : call->problem.error;
    if (result < 0)
        return result;
    order.member = call_string(call, "member");
    if (!order.member)
        order.member = bypeer_joined_self_text(joined);
    result = bypeer_joined_renew(joined, &order, &call->problem);
    if (result == 0)
        result = bypeer_joined_find_member(joined, order.member, &member, &call->problem);
    if (result == 0)
        call->result = call_member(joined, &member);
    return result;
}

int method_group_revoke(struct call *call)
{
    const struct bypeer_joined_verdict said = {
        .reason = call_string(call, "reason"),
        .adopt = call_boolean(call, "adopt"),
        .undo = call_boolean(call, "undo"),
    };
    struct bypeer_joined *joined = call_group(call);
    int result =
        joined ? bypeer_joined_revoke(joined, call_string(call, "member"), &said, &call->problem) : call->problem.error;
    return result < 0 ? result : call_number(call, "revoked", 1);
}

int method_group_password(struct call *call)
{
    const char *password = call_string(call, "password");
    struct bypeer_joined *joined = call_group(call);
    int result = joined ? bypeer_joined_set_password(joined, password, &call->problem) : call->problem.error;
    if (result == 0)
        call->result = json_pack("{s:b}", "password", password != NULL);
    return result;
}

int method_group_export(struct call *call)
{
    const struct bypeer_joined *joined = call_group(call);
    char *text;
    if (!joined)
        return call->problem.error;
    int result = bypeer_joined_export(joined, call_string(call, "password"), &text, &call->problem);
    if (result < 0)
        return result;
    call->result = json_pack("{s:s}", "xml", text);
    explicit_bzero(text, strlen(text));
    free(text);
    return 0;
}

int method_group_import(struct call *call)
{
    struct bypeer_joined *joined;
    if (!call->node->groups)
        return bypeer_problem_set(&call->problem, -ENOENT, "no_groups", "groups\nare not served by this node\n");
    int result = bypeer_groups_import(call->node->groups, call_string(call, "xml"), call_string(call, "password"),
                                      &joined, &call->problem);
    if (result < 0)
        return result;
    call->result = json_pack("{s:s, s:o}", "group", bypeer_joined_name_text(joined), "name",
                             call_peer_text(bypeer_joined_friendly(joined)));
    return 0;
}
