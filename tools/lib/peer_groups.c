#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/lib/peer_values.h"

static bool group_fill(void *element, json_t *object)
{
    struct bypeer_peer_group *group = element;
    *group = (struct bypeer_peer_group){
        .group = value_text(object, "group"),
        .name = value_text(object, "name"),
        .profile = value_text(object, "profile"),
        .identity = value_text(object, "identity"),
        .state = value_text(object, "state"),
        .prefix = value_text(object, "prefix"),
        .address = value_text(object, "address"),
        .roles = peer_roles_read(json_object_get(object, "roles")),
        .is_founder = peer_is_true(object, "founder"),
        .until = value_integer(object, "until"),
        .members = value_integer(object, "members"),
        .neighbors = value_integer(object, "neighbors"),
    };
    return group->group[0];
}

/* Those of one identity come to the front. */
static void groups_keep(struct bypeer_peer_groups *groups, const char *identity)
{
    size_t kept = 0, authority = strcspn(identity, ".");
    for (size_t at = 0; at < groups->count; at++) {
        const char *own = groups->at[at].identity;
        bool is_same = strcmp(own, identity) == 0 ||
                       (identity[authority] == '\0' && strncmp(own, identity, authority) == 0 && own[authority] == '.');
        if (is_same)
            groups->at[kept++] = groups->at[at];
    }
    groups->count = kept;
}

int bypeer_peer_enum_groups(struct bypeer_peer_groups **ret_groups, struct bypeer *node, const char *identity)
{
    struct bypeer_peer_groups *groups = NULL;
    int error = peer_enumerate((void **)&groups, node, "group.list", json_object(), "groups",
                               sizeof(struct bypeer_peer_group), group_fill);
    if (error)
        return error;
    if (identity)
        groups_keep(groups, identity);
    *ret_groups = groups;
    return 0;
}

int bypeer_peer_group_create(struct bypeer *node, const struct bypeer_peer_founding *founding,
                             char ret_group[BYPEER_NAME_TEXT])
{
    return peer_call_text(node, "group.create",
                          json_pack("{s:s, s:s*, s:s*, s:s*, s:s*, s:s*}", "name", founding->name, "identity",
                                    founding->identity, "classifier", founding->classifier, "comment",
                                    founding->comment, "password", founding->password, "profile", founding->profile),
                          "group", ret_group, BYPEER_NAME_TEXT);
}

int bypeer_peer_group_join(struct bypeer *node, const char *invitation, const char *identity, const char *password,
                           int timeout_ms, char ret_group[BYPEER_NAME_TEXT])
{
    json_t *params = json_pack("{s:s, s:s*, s:s*, s:o*}", "invitation", invitation, "identity", identity, "password",
                               password, "timeout_ms", peer_unless_zero(timeout_ms));
    int usual_ms = peer_wait_longer(node, timeout_ms);
    int error = peer_call_text(node, "group.join", params, "group", ret_group, BYPEER_NAME_TEXT);
    node->timeout_ms = usual_ms;
    return error;
}

int bypeer_peer_group_leave(struct bypeer *node, const char *group)
{
    return peer_call(node, "group.leave", json_pack("{s:s}", "group", group), NULL);
}

int bypeer_peer_group_connect(struct bypeer *node, const char *group, const char *endpoint)
{
    return peer_call(node, "group.connect", json_pack("{s:s, s:s}", "group", group, "endpoint", endpoint), NULL);
}

int bypeer_peer_group_invite(struct bypeer *node, const char *group, const struct bypeer_peer_order *order,
                             char **ret_line, char **ret_xml)
{
    json_t *result = NULL;
    int error = peer_call(node, "group.invite",
                          json_pack("{s:s, s:s*, s:o*, s:o*}", "group", group, "identity", order->identity, "roles",
                                    peer_roles_write(order->roles), "lifetime_s", peer_unless_zero(order->lifetime_s)),
                          &result);
    if (error)
        return error;
    char *line = strdup(value_text(result, "line")), *xml = strdup(value_text(result, "xml"));
    json_decref(result);
    if (!line || !xml)
        error = connection_fail(node, -ENOMEM, "out of memory");
    else if (!line[0] || !xml[0])
        error = value_malformed(node, "group.invite");
    if (!error && ret_line) {
        *ret_line = line;
        line = NULL;
    }
    if (!error && ret_xml) {
        *ret_xml = xml;
        xml = NULL;
    }
    free(line);
    free(xml);
    return error;
}

int bypeer_peer_group_renew(struct bypeer *node, const char *group, const char *member, unsigned roles,
                            int64_t lifetime_s)
{
    return peer_call(node, "group.renew",
                     json_pack("{s:s, s:s*, s:o*, s:o*}", "group", group, "member", member, "roles",
                               peer_roles_write(roles), "lifetime_s", peer_unless_zero(lifetime_s)),
                     NULL);
}

int bypeer_peer_group_revoke(struct bypeer *node, const char *group, const char *member, const char *reason,
                             int is_adopt)
{
    return peer_call(node, "group.revoke",
                     json_pack("{s:s, s:s, s:s*, s:b}", "group", group, "member", member, "reason", reason, "adopt",
                               is_adopt ? 1 : 0),
                     NULL);
}

int bypeer_peer_group_export(struct bypeer *node, const char *group, const char *password, char **ret_xml)
{
    return peer_call_string(node, "group.export", json_pack("{s:s, s:s*}", "group", group, "password", password), "xml",
                            ret_xml);
}

int bypeer_peer_group_import(struct bypeer *node, const char *xml, const char *password,
                             char ret_group[BYPEER_NAME_TEXT])
{
    return peer_call_text(node, "group.import", json_pack("{s:s, s:s*}", "xml", xml, "password", password), "group",
                          ret_group, BYPEER_NAME_TEXT);
}

static bool member_fill(void *element, json_t *object)
{
    struct bypeer_peer_member *member = element;
    *member = (struct bypeer_peer_member){
        .member = value_text(object, "member"),
        .name = value_text(object, "name"),
        .address = value_text(object, "address"),
        .key = value_text(object, "key"),
        .roles = peer_roles_read(json_object_get(object, "roles")),
        .not_before = value_integer(object, "not_before"),
        .until = value_integer(object, "until"),
        .is_self = peer_is_true(object, "self"),
        .is_present = peer_is_true(object, "present"),
        .is_revoked = peer_is_true(object, "revoked"),
    };
    return member->member[0];
}

int bypeer_peer_enum_members(struct bypeer_peer_members **ret_members, struct bypeer *node, const char *group)
{
    return peer_enumerate((void **)ret_members, node, "group.members", json_pack("{s:s}", "group", group), "members",
                          sizeof(struct bypeer_peer_member), member_fill);
}
