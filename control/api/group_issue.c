/*
 * group.invite, renew, revoke and password: who is a member; group.export and import.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/groups.h"
#include "control/api/work.h"

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

/* --- what a thread does --- */

struct issuing {
    struct call_work work;
    const struct bypeer_profile *profile;
    struct bypeer_peer_name group;
    char name[BYPEER_NAME_TEXT_MAX];
    char form[BYPEER_GROUP_PASSWORD_FORM_MAX]; /* of password */
    struct bypeer_group_export export;         /* of export and import */
    char *text;                                /* of export */
};

static void issuing_release(struct call_work *work)
{
    struct issuing *issuing = (struct issuing *)work;
    bypeer_group_export_release(&issuing->export);
    if (issuing->text)
        explicit_bzero(issuing->text, strlen(issuing->text));
    free(issuing->text);
}

static int password_run(struct call_work *work)
{
    struct issuing *issuing = (struct issuing *)work;
    return bypeer_groups_form(issuing->profile, &issuing->group, call_work_string(work, "password"), issuing->form,
                              &work->problem);
}

static int password_finish(struct call *call, struct call_work *work)
{
    /* It may have been left meanwhile. */
    struct issuing *issuing = (struct issuing *)work;
    struct bypeer_joined *joined = bypeer_groups_find(call->node->groups, issuing->name, &call->problem);
    int result = joined ? bypeer_joined_set_password(joined, issuing->form, &call->problem) : call->problem.error;
    if (result == 0)
        call->result = json_pack("{s:b}", "password", true);
    return result;
}

static const struct call_work_kind password_kind = {
    .bytes = sizeof(struct issuing), .run = password_run, .finish = password_finish, .release = issuing_release};

int method_group_password(struct call *call)
{
    struct bypeer_joined *joined = call_group(call);
    if (!joined)
        return call->problem.error;
    if (!call_string(call, "password")) {
        int result = bypeer_joined_set_password(joined, NULL, &call->problem);
        if (result == 0)
            call->result = json_pack("{s:b}", "password", false);
        return result;
    }
    struct call_work *work = call_work_new(call, &password_kind);
    struct issuing *issuing = (struct issuing *)work;
    if (!work)
        return call->problem.error;
    issuing->profile = bypeer_joined_profile(joined);
    issuing->group = *bypeer_joined_name(joined);
    snprintf(issuing->name, sizeof(issuing->name), "%s", bypeer_joined_name_text(joined));
    return call_work_begin(work);
}

static int export_run(struct call_work *work)
{
    struct issuing *issuing = (struct issuing *)work;
    char why[160] = "";
    int result = bypeer_group_export_write(&issuing->text, &issuing->export, call_work_string(work, "password"), why);
    if (result == -EINVAL)
        return bypeer_problem_set(&work->problem, result, "bad_password", "group %.100s\n%s\nuse another password",
                                  issuing->export.group.friendly, why);
    return result < 0 ? bypeer_problem_no_memory(&work->problem) : 0;
}

static int export_finish(struct call *call, struct call_work *work)
{
    const struct issuing *issuing = (struct issuing *)work;
    char self[BYPEER_NAME_TEXT_MAX];
    bypeer_name_write(&issuing->export.identity, self);
    bypeer_groups_audit(call->node->groups, issuing->name, "exported", self, NULL,
                        issuing->export.group_key ? "with the group's key" : "");
    call->result = json_pack("{s:s}", "xml", issuing->text);
    return 0;
}

static const struct call_work_kind export_kind = {
    .bytes = sizeof(struct issuing), .run = export_run, .finish = export_finish, .release = issuing_release};

int method_group_export(struct call *call)
{
    const struct bypeer_joined *joined = call_group(call);
    struct call_work *work = joined ? call_work_new(call, &export_kind) : NULL;
    if (!work)
        return call->problem.error;
    struct issuing *issuing = (struct issuing *)work;
    snprintf(issuing->name, sizeof(issuing->name), "%s", bypeer_joined_name_text(joined));
    int result = bypeer_joined_export(joined, call_string(call, "password") != NULL, &issuing->export, &call->problem);
    if (result == 0)
        return call_work_begin(work);
    call_work_free(work);
    return result;
}

static int import_run(struct call_work *work)
{
    struct issuing *issuing = (struct issuing *)work;
    return bypeer_groups_read_export(call_work_string(work, "xml"), call_work_string(work, "password"),
                                     &issuing->export, &issuing->profile, &work->problem);
}

static int import_finish(struct call *call, struct call_work *work)
{
    struct issuing *issuing = (struct issuing *)work;
    struct bypeer_joined *joined;
    int result = bypeer_groups_import(call->node->groups, &issuing->export, issuing->profile, &joined, &call->problem);
    if (result == 0)
        call->result = json_pack("{s:s, s:o}", "group", bypeer_joined_name_text(joined), "name",
                                 call_peer_text(bypeer_joined_friendly(joined)));
    return result;
}

static const struct call_work_kind import_kind = {
    .bytes = sizeof(struct issuing), .run = import_run, .finish = import_finish, .release = issuing_release};

int method_group_import(struct call *call)
{
    struct call_work *work = call_need_groups(call) == 0 ? call_work_new(call, &import_kind) : NULL;
    return work ? call_work_begin(work) : call->problem.error;
}
