#include <stdlib.h>
#include <string.h>

#include "overlay/group/address.h"
#include "overlay/group/state.h"

#define FIRST_ROOM 16

static size_t attached_place(const struct bypeer_group_node *node, const uint8_t member[static 16],
                             const uint8_t supernode[static 16])
{
    size_t low = 0, high = node->attached_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct group_attached *attached = &node->attached[middle];
        int order = memcmp(attached->member, member, 16);
        if (order == 0)
            order = memcmp(attached->supernode, supernode, 16);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct group_attached *group_find_attached(const struct bypeer_group_node *node, const uint8_t member[static 16],
                                                 const uint8_t supernode[static 16])
{
    size_t at = attached_place(node, member, supernode);
    if (at == node->attached_count || memcmp(node->attached[at].member, member, 16) != 0 ||
        memcmp(node->attached[at].supernode, supernode, 16) != 0)
        return NULL;
    return &node->attached[at];
}

void group_note_attached(struct bypeer_group_node *node, const struct bypeer_record *record)
{
    struct bypeer_attachment attachment;
    struct group_attached noted = {.expires = record->expires};
    if (bypeer_attachment_read(&attachment, node->profile, record->payload, record->payload_bytes))
        return;
    bypeer_group_address(node->profile, &node->group, &attachment.member, noted.member);
    bypeer_group_address(node->profile, &node->group, &attachment.supernode, noted.supernode);
    noted.sequence = attachment.sequence;
    size_t at = attached_place(node, noted.member, noted.supernode);
    if (group_find_attached(node, noted.member, noted.supernode)) {
        struct group_attached *known = &node->attached[at];
        if (known->sequence < noted.sequence)
            known->sequence = noted.sequence;
        if (known->expires < noted.expires)
            known->expires = noted.expires;
        return;
    }
    if (node->attached_count == node->attached_room) {
        size_t room = node->attached_room ? 2 * node->attached_room : FIRST_ROOM;
        struct group_attached *attached = reallocarray(node->attached, room, sizeof(*attached));
        if (!attached)
            return; /* without it an old one counts again: no memory is lack of much else */
        node->attached = attached;
        node->attached_room = room;
    }
    if (node->attached_count > at)
        memmove(node->attached + at + 1, node->attached + at, (node->attached_count - at) * sizeof(noted));
    node->attached[at] = noted;
    node->attached_count++;
}

void group_expire_attached(struct bypeer_group_node *node, uint64_t peer_time)
{
    size_t kept = 0;
    for (size_t at = 0; at < node->attached_count; at++)
        if (node->attached[at].expires > peer_time)
            node->attached[kept++] = node->attached[at];
    node->attached_count = kept;
}
