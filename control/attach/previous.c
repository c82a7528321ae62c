/*
 * Keys that clients had before: for a while both count, so that a client changes its key without losing a packet.
 */
#include <string.h>

#include "control/attach/state.h"

static void previous_drop(struct bypeer_attach *attach, unsigned at)
{
    attach->previous_count--;
    memmove(&attach->previous[at], &attach->previous[at + 1],
            (attach->previous_count - at) * sizeof(attach->previous[0]));
}

void attach_add_previous(struct bypeer_attach *attach, struct bypeer_joined *joined, const uint8_t address[static 16],
                         const uint8_t key[static 32])
{
    for (unsigned at = attach->previous_count; at > 0; at--)
        if (attach->previous[at - 1].joined == joined && memcmp(attach->previous[at - 1].address, address, 16) == 0)
            previous_drop(attach, at - 1);
    if (attach->previous_count == ATTACH_PREVIOUS_MAX)
        previous_drop(attach, 0);
    struct attach_previous *previous = &attach->previous[attach->previous_count++];
    *previous = (struct attach_previous){.joined = joined, .until_ms = attach_now_ms() + BYPEER_ATTACH_OVERLAP_MS};
    memcpy(previous->address, address, 16);
    memcpy(previous->key, key, 32);
}

bool attach_expire_previous(struct bypeer_attach *attach, const struct bypeer_joined *joined)
{
    unsigned before = attach->previous_count;
    uint64_t now_ms = attach_now_ms();
    for (unsigned at = before; at > 0; at--)
        if (attach->previous[at - 1].until_ms <= now_ms || attach->previous[at - 1].joined == joined)
            previous_drop(attach, at - 1);
    return attach->previous_count != before;
}

void attach_put_previous(const struct bypeer_attach *attach, struct attach_group *group, const uint8_t own[static 16])
{
    for (unsigned at = 0; at < attach->previous_count; at++) {
        const struct attach_previous *previous = &attach->previous[at];
        for (size_t number = 0; previous->joined == group->joined && number < group->attachment_count; number++) {
            struct bypeer_plan_attachment *attachment = &group->attachments[number];
            if (memcmp(attachment->member, previous->address, 16) == 0 && memcmp(attachment->supernode, own, 16) == 0 &&
                memcmp(attachment->creator, own, 16) == 0)
                memcpy(attachment->previous_key, previous->key, 32);
        }
    }
}
