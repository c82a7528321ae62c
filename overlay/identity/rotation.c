#include "overlay/identity/rotation.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "overlay/ip/wire.h"

#define ROTATION_HEAD 24
#define AUTHORITY     20

static const uint8_t rotation_magic[4] = {'B', 'P', 'R', '1'};

size_t bypeer_rotation_bytes(const struct bypeer_profile *profile)
{
    return ROTATION_HEAD + 2ul * (profile->public_key_bytes + profile->signature_bytes);
}

int bypeer_rotation_write(uint8_t ret_bytes[static BYPEER_ROTATION_MAX], const struct bypeer_key *old_key,
                          const struct bypeer_key *new_key, uint64_t made_at, uint64_t until)
{
    const struct bypeer_profile *profile = bypeer_key_profile(old_key);
    uint8_t bytes[BYPEER_ROTATION_MAX] = {0};
    size_t key_bytes = profile->public_key_bytes, at = ROTATION_HEAD;
    if (bypeer_key_profile(new_key) != profile || until < made_at ||
        memcmp(bypeer_key_public(old_key), bypeer_key_public(new_key), key_bytes) == 0)
        return -EINVAL;
    memcpy(bytes, rotation_magic, sizeof(rotation_magic));
    bytes[4] = (uint8_t)profile->id;
    bypeer_store64(bytes + 8, made_at);
    bypeer_store64(bytes + 16, until);
    memcpy(bytes + at, bypeer_key_public(old_key), key_bytes);
    memcpy(bytes + at + key_bytes, bypeer_key_public(new_key), key_bytes);
    at += 2 * key_bytes;
    if (bypeer_key_sign(old_key, bytes, at, bytes + at) != 0)
        return -EIO;
    at += profile->signature_bytes;
    if (bypeer_key_sign(new_key, bytes, at, bytes + at) != 0)
        return -EIO;
    memcpy(ret_bytes, bytes, bypeer_rotation_bytes(profile));
    return 0;
}

/* What a statement says, unverified; false: it is none. */
static bool rotation_parse(struct bypeer_rotation *ret_rotation, const uint8_t *bytes, size_t length)
{
    static const uint8_t zero[3];
    if (length < ROTATION_HEAD || memcmp(bytes, rotation_magic, sizeof(rotation_magic)) != 0 ||
        bytes[4] >= BYPEER_PROFILES || memcmp(bytes + 5, zero, sizeof(zero)) != 0)
        return false;
    const struct bypeer_profile *profile = bypeer_profile((enum bypeer_profile_id)bytes[4]);
    if (length < bypeer_rotation_bytes(profile))
        return false;
    *ret_rotation = (struct bypeer_rotation){.profile = profile,
                                             .made_at = bypeer_load64(bytes + 8),
                                             .until = bypeer_load64(bytes + 16),
                                             .old_key = bytes + ROTATION_HEAD,
                                             .new_key = bytes + ROTATION_HEAD + profile->public_key_bytes};
    return ret_rotation->until >= ret_rotation->made_at &&
           memcmp(ret_rotation->old_key, ret_rotation->new_key, profile->public_key_bytes) != 0;
}

int bypeer_rotation_read(struct bypeer_rotation *ret_rotation, const uint8_t *bytes, size_t length)
{
    struct bypeer_rotation rotation;
    if (!rotation_parse(&rotation, bytes, length) || length != bypeer_rotation_bytes(rotation.profile))
        return -EBADMSG;
    const struct bypeer_profile *profile = rotation.profile;
    size_t first = ROTATION_HEAD + 2ul * profile->public_key_bytes, second = first + profile->signature_bytes;
    if (bypeer_profile_verify(profile, rotation.old_key, bytes, first, bytes + first) != 0 ||
        bypeer_profile_verify(profile, rotation.new_key, bytes, second, bytes + second) != 0)
        return -EKEYREJECTED;
    *ret_rotation = rotation;
    return 0;
}

static bool rotation_is_key_of(const struct bypeer_profile *profile, const uint8_t *key,
                               const uint8_t authority[static AUTHORITY])
{
    uint8_t hash[AUTHORITY];
    bypeer_profile_hash(profile, &(struct bypeer_piece){key, profile->public_key_bytes}, 1, hash);
    return memcmp(hash, authority, sizeof(hash)) == 0;
}

int bypeer_rotations_follow(const struct bypeer_profile *profile, const uint8_t authority[static AUTHORITY],
                            const uint8_t *bytes, size_t length, const uint8_t *public_key,
                            struct bypeer_rotation *ret_last)
{
    struct bypeer_rotation rotation = {0};
    size_t each = bypeer_rotation_bytes(profile);
    const uint8_t *key = NULL;
    if (length % each != 0 || length / each > BYPEER_ROTATIONS_MAX)
        return -EBADMSG;
    if (length == 0)
        return rotation_is_key_of(profile, public_key, authority) ? 0 : -EKEYREJECTED;
    for (size_t at = 0; at < length; at += each) {
        int status = bypeer_rotation_read(&rotation, bytes + at, each);
        if (status != 0)
            return status;
        if (rotation.profile != profile || (key ? memcmp(key, rotation.old_key, profile->public_key_bytes) != 0
                                                : !rotation_is_key_of(profile, rotation.old_key, authority)))
            return -EKEYREJECTED;
        key = rotation.new_key;
    }
    if (memcmp(key, public_key, profile->public_key_bytes) != 0)
        return -EKEYREJECTED;
    if (ret_last)
        *ret_last = rotation;
    return 0;
}
