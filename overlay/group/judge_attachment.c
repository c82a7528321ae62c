#include <string.h>

#include "overlay/group/address.h"
#include "overlay/group/state.h"

enum bypeer_attachment_fault bypeer_group_judge_attachment(const struct bypeer_group_node *node,
                                                           struct bypeer_graph_time now,
                                                           const struct bypeer_record *record,
                                                           struct bypeer_attachment *ret_attachment)
{
    struct bypeer_attachment *attachment = ret_attachment;
    uint8_t address[16], supernode_address[16];
    uint64_t now_s = group_unix(now.utc);
    const char *author = record->modifier ? record->modifier : record->creator;
    if (bypeer_attachment_read(attachment, node->profile, record->payload, record->payload_bytes))
        return BYPEER_ATTACHMENT_MALFORMED;
    const struct group_member *member = group_find(node, &attachment->member);
    const struct group_member *supernode = group_find(node, &attachment->supernode);
    if (!member || !group_current(node, member, now_s))
        return BYPEER_ATTACHMENT_UNKNOWN_MEMBER;
    const struct group_credential *role = supernode ? group_current(node, supernode, now_s) : NULL;
    if (!role)
        return BYPEER_ATTACHMENT_UNKNOWN_SUPERNODE;
    bypeer_group_address(node->profile, &node->group, &attachment->member, address);
    if (memcmp(address, attachment->member_address, sizeof(address)) != 0)
        return BYPEER_ATTACHMENT_ADDRESS;
    if (!(role->leaf->roles & BYPEER_ROLE_SUPERNODE))
        return BYPEER_ATTACHMENT_ROLE;
    if (attachment->is_signed) {
        bool is_members = false;
        for (unsigned at = 0; at < member->credential_count && !is_members; at++)
            is_members = bypeer_attachment_is_signed_by(attachment, node->profile, &node->group,
                                                        member->credentials[at].leaf->public_key);
        if (!is_members)
            return BYPEER_ATTACHMENT_SIGNATURE;
    } else if (strcmp(author, member->id) != 0 && strcmp(author, supernode->id) != 0) {
        return BYPEER_ATTACHMENT_STRANGER;
    }
    bypeer_group_address(node->profile, &node->group, &attachment->supernode, supernode_address);
    const struct group_attached *newest = group_find_attached(node, address, supernode_address);
    return newest && attachment->sequence < newest->sequence ? BYPEER_ATTACHMENT_STALE : BYPEER_ATTACHMENT_SOUND;
}
