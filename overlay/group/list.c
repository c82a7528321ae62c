/* Who is in the group, for those who ask. */
#include <string.h>

#include "overlay/group/address.h"
#include "overlay/group/state.h"

bool bypeer_group_next_member(const struct bypeer_group_node *node, const struct bypeer_peer_name *after,
                              struct bypeer_group_member *ret_member)
{
    for (size_t at = 0; at < node->member_count; at++)
        if (!after || group_compare_names(&node->members[at]->name, after) > 0) {
            group_show(node, node->members[at], node->now, ret_member);
            return true;
        }
    return false;
}

bool bypeer_group_find_member(const struct bypeer_group_node *node, const struct bypeer_peer_name *name,
                              struct bypeer_group_member *ret_member)
{
    const struct group_member *member = group_find(node, name);
    if (member)
        group_show(node, member, node->now, ret_member);
    return member;
}

bool bypeer_group_find_key(const struct bypeer_group_node *node, const uint8_t *key,
                           struct bypeer_group_member *ret_member)
{
    const struct group_member *member = group_find_key(node, key);
    if (member)
        group_show(node, member, node->now, ret_member);
    return member;
}

bool bypeer_group_find_address(const struct bypeer_group_node *node, const uint8_t address[static 16],
                               struct bypeer_group_member *ret_member)
{
    uint8_t theirs[16];
    for (size_t at = 0; at < node->member_count; at++) {
        bypeer_group_address(node->profile, &node->group, &node->members[at]->name, theirs);
        if (memcmp(theirs, address, sizeof(theirs)) == 0) {
            group_show(node, node->members[at], node->now, ret_member);
            return true;
        }
    }
    return false;
}

/* Several administrators may have revoked one key: it is shown once. */
static bool list_is_first(const struct bypeer_group_node *node, size_t at)
{
    for (size_t before = 0; before < at; before++)
        if (node->revocations[before]->counts &&
            memcmp(node->revocations[before]->key, node->revocations[at]->key, node->profile->public_key_bytes) == 0)
            return false;
    return node->revocations[at]->counts;
}

bool bypeer_group_next_revocation(const struct bypeer_group_node *node, const uint8_t *after_key,
                                  struct bypeer_revocation *ret_revocation, struct bypeer_peer_name *ret_by)
{
    bool is_behind = !after_key;
    for (size_t at = 0; at < node->revocation_count; at++) {
        const struct group_revocation *revocation = node->revocations[at];
        if (!list_is_first(node, at))
            continue;
        if (!is_behind) {
            is_behind = memcmp(revocation->key, after_key, node->profile->public_key_bytes) == 0;
            continue;
        }
        *ret_revocation = (struct bypeer_revocation){.key = revocation->key, .until = revocation->until};
        memcpy(ret_revocation->reason, revocation->reason, sizeof(revocation->reason));
        *ret_by = revocation->by;
        return true;
    }
    return false;
}

bool bypeer_group_is_revoked(const struct bypeer_group_node *node, const uint8_t *key, uint64_t now_unix_s)
{
    return group_is_revoked(node, key, now_unix_s);
}
