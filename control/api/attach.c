/*
 * group.enroll, dismiss and attachments, drain.set and drain.show: how members of groups are reached.
 */
#include <errno.h>
#include <limits.h>

#include "control/api/groups.h"
#include "control/attach/attach.h"

static int attach_need(struct call *call)
{
    return call->node->attach ? 0
                              : bypeer_problem_set(&call->problem, -ENODEV, "no_groups",
                                                   "this node\ndoes not follow groups\nsee the log of bypeerd");
}

int method_group_enroll(struct call *call)
{
    uint8_t key[32];
    const char *key_text = call_string(call, "public_key");
    struct bypeer_joined *joined = call_group(call);
    struct bypeer_attach_enrolled enrolled;
    if (!joined)
        return call->problem.error;
    json_int_t priority = call_integer(call, "priority", -1);
    struct bypeer_attach_client client = {.name = call_string(call, "name"),
                                          .lifetime_s = (uint64_t)call_integer(call, "lifetime_s", 0),
                                          .priority = priority < 0 ? UINT_MAX : (unsigned)priority};
    int result = attach_need(call);
    if (result == 0 && key_text) {
        result = call_key(call, "public_key", key_text, key);
        client.key = key;
    }
    if (result == 0)
        result = bypeer_attach_enroll(call->node->attach, joined, &client, &enrolled, &call->problem);
    if (result != 0)
        return result;
    call->result = json_pack("{s:o, s:s, s:b}", "member", call_member(joined, &enrolled.member), "peer", enrolled.link,
                             "issued", enrolled.is_new);
    return 0;
}

int method_group_dismiss(struct call *call)
{
    struct bypeer_joined *joined = call_group(call);
    if (!joined)
        return call->problem.error;
    int result = attach_need(call);
    if (result == 0)
        result = bypeer_attach_dismiss(call->node->attach, joined, call_string(call, "member"), &call->problem);
    return result < 0 ? result : call_number(call, "dismissed", 1);
}

struct listing {
    json_t *list;
    const struct bypeer_joined *joined;
};

static int attach_list_one(void *context, const struct bypeer_attach_fact *fact)
{
    struct listing *listing = context;
    struct bypeer_group_member member;
    bool is_known = bypeer_group_find_member(bypeer_joined_group(listing->joined), &fact->member, &member);
    json_t *entry = json_pack(
        "{s:o, s:o, s:o, s:o, s:i, s:b, s:b, s:b, s:b, s:b}", "member", call_name_text(&fact->member), "friendly",
        call_peer_text(is_known ? member.friendly : ""), "address", call_address_text(fact->member_address),
        "supernode", call_name_text(&fact->supernode), "priority", fact->priority, "standby", fact->is_standby,
        "draining", fact->is_draining, "own", fact->is_own, "heard", fact->is_heard, "chosen", fact->is_chosen);
    if (fact->fault != BYPEER_ATTACHMENT_SOUND)
        json_object_set_new(entry, "fault", json_string(bypeer_attachment_fault_text(fact->fault)));
    json_array_append_new(listing->list, entry);
    return 0;
}

int method_group_attachments(struct call *call)
{
    struct listing listing = {.joined = call_group(call)};
    if (!listing.joined)
        return call->problem.error;
    int result = attach_need(call);
    if (result < 0)
        return result;
    listing.list = json_array();
    bypeer_attach_each(call->node->attach, listing.joined, attach_list_one, &listing);
    const char *why = NULL;
    const struct bypeer_model_group *group = bypeer_attach_group(call->node->attach, listing.joined, &why);
    call->result = json_pack("{s:o, s:s?}", "attachments", listing.list, "group", group ? group->name : NULL);
    if (!group)
        json_object_set_new(call->result, "why", json_string(why));
    return 0;
}

int method_drain_set(struct call *call)
{
    int result = attach_need(call);
    bool is_draining = !call_boolean(call, "off");
    if (result == 0)
        result = bypeer_attach_drain(call->node->attach, is_draining, &call->problem);
    if (result < 0)
        return result;
    call->result = json_pack("{s:b}", "draining", is_draining);
    return 0;
}

int method_drain_show(struct call *call)
{
    int result = attach_need(call);
    if (result < 0)
        return result;
    call->result = json_pack("{s:b}", "draining", bypeer_attach_is_draining(call->node->attach));
    return 0;
}
