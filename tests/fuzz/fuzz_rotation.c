/* Statements of replaced keys: what is taken leads from one key to another, and to no third. */
#include <stdlib.h>
#include <string.h>

#include "overlay/identity/rotation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void follow(const struct bypeer_profile *profile, const uint8_t *data, size_t size)
{
    struct bypeer_rotation first, last;
    uint8_t authority[20], other[BYPEER_PUBLIC_KEY_MAX];
    size_t each = bypeer_rotation_bytes(profile);
    if (size < each || bypeer_rotation_read(&first, data, each) != 0)
        return;
    if (first.until < first.made_at)
        abort();
    bypeer_profile_hash(first.profile, &(struct bypeer_piece){first.old_key, first.profile->public_key_bytes}, 1,
                        authority);
    memcpy(other, first.old_key, first.profile->public_key_bytes);
    if (bypeer_rotations_follow(profile, authority, data, each, first.new_key, &last) == 0 &&
        bypeer_rotations_follow(profile, authority, data, each, other, NULL) == 0)
        abort();
    bypeer_rotations_follow(profile, authority, data, size, first.new_key, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bypeer_rotation rotation;
    bypeer_rotation_read(&rotation, data, size);
    for (unsigned id = 0; id < BYPEER_PROFILES; id++)
        follow(bypeer_profile((enum bypeer_profile_id)id), data, size);
    return 0;
}
