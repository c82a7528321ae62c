/*
 * group.create, list, show, members, join, leave and connect: the groups that this node is in.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "control/api/call.h"
#include "control/api/groups.h"
#include "control/api/work.h"

#define JOIN_MS 30000

/* --- what the files of groups share --- */

struct bypeer_joined *call_group(struct call *call)
{
    const char *text = call_string(call, "group");
    if (call->node->groups)
        return bypeer_groups_find(call->node->groups, text, &call->problem);
    bypeer_problem_set(&call->problem, -ENOENT, "no_such_group", "group \"%.100s\"\nis not joined\n", text);
    return NULL;
}

json_t *call_peer_text(const char *text)
{
    json_t *string = json_string(text ? text : "");
    return string ? string : json_string("?");
}

json_t *call_name_text(const struct bypeer_peer_name *name)
{
    char text[BYPEER_NAME_TEXT_MAX];
    bypeer_name_write(name, text);
    return json_string(text);
}

json_t *call_roles(uint32_t roles)
{
    char text[BYPEER_ROLES_TEXT_MAX];
    json_t *list = json_array();
    for (uint32_t role = 1; role <= BYPEER_ROLE_SUPERNODE; role <<= 1)
        if (roles & role) {
            bypeer_roles_write(role, text);
            json_array_append_new(list, json_string(text));
        }
    return list;
}

int call_read_roles(struct call *call, uint32_t *ret_roles)
{
    const json_t *list = json_object_get(call->parameters, "roles");
    uint32_t roles = 0, role;
    for (size_t at = 0; at < json_array_size(list); at++) {
        const char *text = json_string_value(json_array_get(list, at));
        if (!text || bypeer_roles_read(&role, text) < 0)
            return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter",
                                      "parameter \"roles\"\nholds \"%.40s\"\nuse administrator, inviting, member and "
                                      "supernode",
                                      text ? text : "no text");
        roles |= role;
    }
    *ret_roles = roles;
    return 0;
}

json_t *call_group_address(const struct bypeer_graph_address *address)
{
    return call_underlay_endpoint_text(address->address, address->port);
}

/* --- one group --- */

static const char *group_state(const struct bypeer_joined *joined)
{
    bool has_neighbors = bypeer_joined_neighbors(joined) > 0;
    if (bypeer_joined_status(joined) & BYPEER_GRAPH_SYNCHRONIZED)
        return has_neighbors ? "connected" : "alone";
    return has_neighbors ? "synchronizing" : "searching";
}

static unsigned group_count_members(const struct bypeer_joined *joined)
{
    struct bypeer_group_member member;
    struct bypeer_peer_name after;
    unsigned count = 0;
    for (bool more = bypeer_group_next_member(bypeer_joined_group(joined), NULL, &member); more;
         more = bypeer_group_next_member(bypeer_joined_group(joined), &after, &member)) {
        after = member.name;
        count += member.is_revoked ? 0 : 1;
    }
    return count;
}

static json_t *group_entry(const struct bypeer_groups *groups, const struct bypeer_joined *joined)
{
    struct bypeer_group_member self = {0};
    struct bypeer_graph_address addresses[BYPEER_STORE_SEEDS];
    uint8_t prefix[16];
    json_t *listening = json_array();
    bool is_member = bypeer_group_find_member(bypeer_joined_group(joined), bypeer_joined_self(joined), &self);
    unsigned count = bypeer_groups_addresses(groups, bypeer_joined_profile(joined), addresses);
    for (unsigned at = 0; at < count; at++)
        json_array_append_new(listening, call_group_address(&addresses[at]));
    bypeer_group_prefix(bypeer_joined_profile(joined), bypeer_joined_name(joined), prefix);
    return json_pack("{s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:i, s:i, s:o}", "group",
                     bypeer_joined_name_text(joined), "name", call_peer_text(bypeer_joined_friendly(joined)), "profile",
                     bypeer_joined_profile(joined)->name, "identity", bypeer_joined_self_text(joined), "state",
                     group_state(joined), "roles", call_roles(self.roles), "until",
                     is_member ? json_integer((json_int_t)self.until) : json_null(), "prefix",
                     call_prefix_text(prefix, BYPEER_GROUP_PREFIX_BITS), "address",
                     is_member ? call_address_text(self.address) : json_null(), "founder",
                     bypeer_joined_is_founder(joined), "members", (int)group_count_members(joined), "neighbors",
                     (int)bypeer_joined_neighbors(joined), "listening", listening);
}

static void group_add_links(const struct bypeer_joined *joined, json_t *entry)
{
    struct bypeer_graph_link_event link;
    json_t *links = json_array();
    uint32_t after = 0;
    for (; bypeer_graph_next_link(bypeer_joined_graph(joined), after, &link); after = link.link)
        if (link.change == BYPEER_GRAPH_LINK_CONNECTED)
            json_array_append_new(links, json_pack("{s:o, s:s, s:b}", "member", call_peer_text(link.peer_id), "kind",
                                                   link.kind == BYPEER_GRAPH_DIRECT ? "direct" : "neighbor",
                                                   "initiator", link.is_initiator));
    json_object_set_new(entry, "links", links);
}

static void group_add_counters(const struct bypeer_joined *joined, json_t *entry)
{
    struct bypeer_graph_counters counters;
    bypeer_graph_counters(bypeer_joined_graph(joined), &counters);
    json_object_set_new(
        entry, "counters",
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "records", (json_int_t)counters.records,
                  "record_bytes", (json_int_t)counters.record_bytes, "waiting", (json_int_t)counters.waiting,
                  "received_bytes", (json_int_t)counters.received_bytes, "sent_bytes", (json_int_t)counters.sent_bytes,
                  "floods_new", (json_int_t)counters.floods_new, "floods_known", (json_int_t)counters.floods_known,
                  "refused", (json_int_t)counters.refused, "expired", (json_int_t)counters.expired));
}

static json_t *group_details(const struct bypeer_groups *groups, const struct bypeer_joined *joined)
{
    const struct bypeer_group_properties *properties = bypeer_group_properties(bypeer_joined_group(joined));
    json_t *entry = group_entry(groups, joined);
    json_object_set_new(entry, "comment", properties ? call_peer_text(properties->comment) : json_string(""));
    json_object_set_new(entry, "password", json_boolean(properties && properties->has_password));
    json_object_set_new(entry, "refusal", call_peer_text(bypeer_joined_refusal(joined)));
    group_add_links(joined, entry);
    group_add_counters(joined, entry);
    return entry;
}

static json_t *group_unopened_entry(const struct bypeer_groups_unopened *unopened)
{
    const struct bypeer_problem *problem = &unopened->problem;
    return json_pack("{s:o, s:o, s:o, s:o, s:s, s:[], s:n, s:n, s:n, s:b, s:i, s:i, s:[], s:{s:s, s:o, s:o, s:o}}",
                     "group", call_peer_text(unopened->name), "name", call_peer_text(unopened->friendly), "profile",
                     call_peer_text(unopened->profile), "identity", call_peer_text(unopened->identity), "state",
                     "unopened", "roles", "until", "prefix", "address", "founder", unopened->has_key, "members", 0,
                     "neighbors", 0, "listening", "problem", "key", problem->key, "thing",
                     call_peer_text(problem->thing), "value", call_peer_text(problem->value), "remedy",
                     call_peer_text(problem->remedy));
}

int method_group_list(struct call *call)
{
    const struct bypeer_groups *groups = call->node->groups;
    json_t *list = json_array();
    for (const struct bypeer_joined *joined = groups ? bypeer_groups_first(groups) : NULL; joined;
         joined = bypeer_groups_next(joined))
        json_array_append_new(list, group_entry(groups, joined));
    const struct bypeer_groups_unopened *unopened = NULL;
    while (groups && (unopened = bypeer_groups_next_unopened(groups, unopened)))
        json_array_append_new(list, group_unopened_entry(unopened));
    call->result = json_pack("{s:o}", "groups", list);
    return 0;
}

int method_group_show(struct call *call)
{
    const struct bypeer_joined *joined = call_group(call);
    if (!joined)
        return call->problem.error;
    call->result = group_details(call->node->groups, joined);
    return 0;
}

json_t *call_member(const struct bypeer_joined *joined, const struct bypeer_group_member *member)
{
    char key[2 * BYPEER_PUBLIC_KEY_MAX + 1];
    const size_t bytes = bypeer_joined_profile(joined)->public_key_bytes;
    if (member->key)
        sodium_bin2hex(key, sizeof(key), member->key, bytes);
    return json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:b, s:b, s:b, s:o}", "member", call_name_text(&member->name),
                     "name", call_peer_text(member->friendly), "roles", call_roles(member->roles), "address",
                     call_address_text(member->address), "not_before", (json_int_t)member->not_before, "until",
                     (json_int_t)member->until, "self", member->is_self, "present", member->is_present, "revoked",
                     member->is_revoked, "key", member->key ? json_string(key) : json_null());
}

int method_group_members(struct call *call)
{
    const struct bypeer_joined *joined = call_group(call);
    struct bypeer_group_member member;
    struct bypeer_peer_name after;
    if (!joined)
        return call->problem.error;
    json_t *list = json_array();
    for (bool more = bypeer_group_next_member(bypeer_joined_group(joined), NULL, &member); more;
         more = bypeer_group_next_member(bypeer_joined_group(joined), &after, &member)) {
        after = member.name;
        json_array_append_new(list, call_member(joined, &member));
    }
    call->result = json_pack("{s:o}", "members", list);
    return 0;
}

/* --- founding and joining --- */

int call_need_groups(struct call *call)
{
    if (call->node->groups)
        return 0;
    return bypeer_problem_set(&call->problem, -ENOENT, "no_groups", "groups\nare not served by this node\n");
}

struct creating {
    struct call_work work;
    struct bypeer_groups_founding founding;
    struct bypeer_groups_founded founded;
};

static int creating_run(struct call_work *work)
{
    struct creating *creating = (struct creating *)work;
    return bypeer_groups_prepare(&creating->founding, &creating->founded, &work->problem);
}

static int creating_finish(struct call *call, struct call_work *work)
{
    struct creating *creating = (struct creating *)work;
    struct bypeer_joined *joined;
    int result =
        bypeer_groups_create(call->node->groups, &creating->founding, &creating->founded, &joined, &call->problem);
    if (result == 0)
        call->result = group_details(call->node->groups, joined);
    return result;
}

static void creating_release(struct call_work *work)
{
    bypeer_groups_founded_clear(&((struct creating *)work)->founded);
}

static const struct call_work_kind creating_kind = {
    .bytes = sizeof(struct creating), .run = creating_run, .finish = creating_finish, .release = creating_release};

int method_group_create(struct call *call)
{
    const char *name = call_string(call, "profile");
    const struct bypeer_profile *profile = bypeer_profile_find(name ? name : "modern");
    if (!profile)
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter",
                                  "parameter \"profile\"\n\"%.40s\" is unknown\nuse modern or windows", name);
    int result = call_need_groups(call);
    if (result < 0)
        return result;
    struct call_work *work = call_work_new(call, &creating_kind);
    if (!work)
        return call->problem.error;
    ((struct creating *)work)->founding = (struct bypeer_groups_founding){
        .profile = profile,
        .identity = call_work_string(work, "identity"),
        .classifier = call_work_string(work, "classifier"),
        .friendly = call_work_string(work, "name"),
        .comment = call_work_string(work, "comment"),
        .password = call_work_string(work, "password"),
    };
    return call_work_begin(work);
}

/* Waits until the group's records are here. */
struct joining {
    struct call *call;
    struct bypeer_joined_wait *wait;
    char name[BYPEER_NAME_TEXT_MAX];
    bool by_password;
    uint64_t end_ns;
};

static void joining_cancel(struct call *call)
{
    struct joining *joining = call->later;
    bypeer_joined_wait_cancel(joining->wait);
    free(joining);
}

static void joining_end(struct joining *joining, int outcome)
{
    struct call *call = joining->call;
    call->cancelled = NULL;
    free(joining);
    call_end(call, outcome);
}

static void joining_on_change(void *context, bool is_changed);

/* Whoever joins by password and is refused is in no group. */
static int joining_give_up(struct call *call, struct bypeer_joined *joined)
{
    char why[BYPEER_STORE_AUDIT_TEXT];
    snprintf(why, sizeof(why), "%s", bypeer_joined_refusal(joined));
    bypeer_groups_leave(call->node->groups, joined, NULL);
    return bypeer_problem_set(&call->problem, -ETIMEDOUT, "not_joined",
                              "the group\nwas not joined: %.150s\ncheck the password, and that a member is reachable",
                              why[0] != '\0' ? why : "no member was found");
}

static void joining_go_on(struct joining *joining)
{
    struct call *call = joining->call;
    struct bypeer_joined *joined = bypeer_groups_find(call->node->groups, joining->name, &call->problem);
    uint64_t now = uv_hrtime();
    if (!joined) {
        joining_end(joining, call->problem.error);
        return;
    }
    bool is_in = (bypeer_joined_status(joined) & BYPEER_GRAPH_SYNCHRONIZED) && bypeer_joined_neighbors(joined) > 0;
    if (!is_in && now < joining->end_ns) {
        uint64_t left = (joining->end_ns - now) / 1000000 + 1;
        joining->wait = bypeer_joined_wait(joined, (uint32_t)left, joining_on_change, joining);
        if (joining->wait)
            return;
    }
    if (!is_in && joining->by_password && !bypeer_group_chain(bypeer_joined_group(joined))) {
        joining_end(joining, joining_give_up(call, joined));
        return;
    }
    call->result = group_details(call->node->groups, joined);
    joining_end(joining, 0);
}

static void joining_on_change(void *context, bool is_changed)
{
    struct joining *joining = context;
    if (!is_changed)
        joining->end_ns = 0;
    joining_go_on(joining);
}

static int join_begin(struct call *call, const char *form)
{
    uint64_t timeout_ms = (uint64_t)call_integer(call, "timeout_ms", JOIN_MS);
    struct bypeer_joined *joined = NULL;
    int result = bypeer_groups_join(call->node->groups, call_string(call, "invitation"), call_string(call, "identity"),
                                    form, &joined, &call->problem);
    if (result < 0)
        return result;
    struct joining *joining = calloc(1, sizeof(*joining));
    if (joining) {
        *joining =
            (struct joining){.call = call, .by_password = form != NULL, .end_ns = uv_hrtime() + timeout_ms * 1000000};
        snprintf(joining->name, sizeof(joining->name), "%s", bypeer_joined_name_text(joined));
        joining->wait = bypeer_joined_wait(joined, (uint32_t)timeout_ms, joining_on_change, joining);
    }
    if (!joining || !joining->wait) {
        free(joining);
        return bypeer_problem_no_memory(&call->problem);
    }
    call->later = joining;
    call->cancelled = joining_cancel;
    return CALL_LATER;
}

struct forming {
    struct call_work work;
    char form[BYPEER_GROUP_PASSWORD_FORM_MAX];
};

static int forming_run(struct call_work *work)
{
    return bypeer_groups_form_of(call_work_string(work, "invitation"), call_work_string(work, "password"),
                                 ((struct forming *)work)->form, &work->problem);
}

static int forming_finish(struct call *call, struct call_work *work)
{
    const char *form = ((struct forming *)work)->form;
    return join_begin(call, form[0] != '\0' ? form : NULL);
}

static const struct call_work_kind forming_kind = {
    .bytes = sizeof(struct forming), .run = forming_run, .finish = forming_finish};

int method_group_join(struct call *call)
{
    int result = call_need_groups(call);
    if (result < 0 || !call_string(call, "password"))
        return result < 0 ? result : join_begin(call, NULL);
    struct call_work *work = call_work_new(call, &forming_kind);
    return work ? call_work_begin(work) : call->problem.error;
}

int method_group_leave(struct call *call)
{
    struct bypeer_groups_removed removed = {.name = ""};
    struct bypeer_joined *joined = call_group(call);
    bool is_unopened = !joined && call->problem.error == -ENOENT && call->node->groups;
    int result = joined ? 0 : call->problem.error;
    if (is_unopened) {
        result = bypeer_groups_leave_unopened(call->node->groups, call_string(call, "group"), &removed, &call->problem);
    } else if (joined) {
        snprintf(removed.name, sizeof(removed.name), "%s", bypeer_joined_name_text(joined));
        removed.has_key = bypeer_joined_is_founder(joined);
        result = bypeer_groups_leave(call->node->groups, joined, &call->problem);
    }
    if (result < 0)
        return result;
    call->result = json_pack("{s:i, s:o, s:b, s:b}", "removed", 1, "group", call_peer_text(removed.name), "key",
                             removed.has_key, "unopened", is_unopened);
    return 0;
}

int method_group_connect(struct call *call)
{
    struct bypeer_graph_address to;
    struct bypeer_joined *joined = call_group(call);
    if (!joined)
        return call->problem.error;
    int result = call_underlay_endpoint(call, "endpoint", call_string(call, "endpoint"), to.address, &to.port);
    if (result == 0)
        result = bypeer_joined_connect(joined, &to, &call->problem);
    return result < 0 ? result : call_number(call, "connecting", 1);
}
