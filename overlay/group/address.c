#include "overlay/group/address.h"

#include <string.h>

#define PREFIX_BYTES (BYPEER_GROUP_PREFIX_BITS / 8)

void bypeer_group_prefix(const struct bypeer_profile *profile, const struct bypeer_peer_name *group,
                         uint8_t ret_prefix[static 16])
{
    char id[BYPEER_NAME_TEXT_MAX];
    uint8_t hash[20];
    struct bypeer_piece piece = {id, bypeer_name_write(group, id)};
    bypeer_profile_hash(profile, &piece, 1, hash);
    memset(ret_prefix, 0, 16);
    ret_prefix[0] = 0xfd;
    memcpy(ret_prefix + 1, hash, PREFIX_BYTES - 1);
}

void bypeer_group_address(const struct bypeer_profile *profile, const struct bypeer_peer_name *group,
                          const struct bypeer_peer_name *member, uint8_t ret_address[static 16])
{
    char id[BYPEER_NAME_TEXT_MAX];
    uint8_t hash[20];
    /* With the NUL behind it, so that no other ID and authority make the same bytes. */
    struct bypeer_piece pieces[] = {
        {id, bypeer_name_write(group, id) + 1},
        {member->authority, sizeof(member->authority)},
    };
    bypeer_profile_hash(profile, pieces, 2, hash);
    bypeer_group_prefix(profile, group, ret_address);
    memcpy(ret_address + PREFIX_BYTES, hash, 16 - PREFIX_BYTES);
}
