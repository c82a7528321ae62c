/* Who is in the group, for those who ask. */
#include <string.h>

#include "overlay/group/address.h"
#include "overlay/group/state.h"

bool bypeer_group_next_member(const struct bypeer_group_node *node, const struct bypeer_peer_name *after,
                              struct bypeer_group_member *ret_member)
{
    for (size_t at = 0; at < node->member_count; at++)
        if (!after || group_compare_members(&node->members[at]->name, after) > 0) {
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

bool bypeer_group_is_revoked(const struct bypeer_group_node *node, const uint8_t *key, uint64_t now_unix_s)
{
    const struct group_member *member = group_find_key(node, key);
    return group_is_revoked(node, key, now_unix_s) && !(member && group_with_key(node, member, key, now_unix_s));
}
