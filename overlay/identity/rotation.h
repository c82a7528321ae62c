/*
 * The replacement of an identity's key: a statement by the old key that a new one takes its place, and by the new one
 * that it does. Until the end of the overlap both are valid; the peer name stays.
 *
 *   0   4  "BPR1"
 *   4   1  profile (0 modern, 1 windows)
 *   5   3  zero
 *   8   8  made at, Unix seconds, big-endian
 *   16  8  until: end of the overlap, likewise
 *   24  k  old public key        k, s: public_key_bytes and signature_bytes of the profile
 *   +   k  new public key
 *   +   s  signature of the old key over all before it
 *   +   s  signature of the new key over all before it
 *
 * Statements of several replacements are one after the other, oldest first.
 *
 * Threads: any.
 */
#pragma once

#include "overlay/profile/key.h"

#define BYPEER_ROTATION_MAX       (24 + 2 * (BYPEER_PUBLIC_KEY_MAX + BYPEER_SIGNATURE_MAX))
#define BYPEER_ROTATIONS_MAX      24                    /* replacements of one identity: what a chain has room for */
#define BYPEER_ROTATION_OVERLAP_S (7ull * 24 * 60 * 60) /* unless told otherwise */

struct bypeer_rotation {
    const struct bypeer_profile *profile;
    uint64_t made_at, until;
    const uint8_t *old_key, *new_key; /* in the bytes that were read */
};

/* How long a statement of this profile is. */
size_t bypeer_rotation_bytes(const struct bypeer_profile *profile);
/* Writes bypeer_rotation_bytes(). 0; -EINVAL: keys of two profiles, one and the same, or until before made_at; -EIO. */
int bypeer_rotation_write(uint8_t ret_bytes[static BYPEER_ROTATION_MAX], const struct bypeer_key *old_key,
                          const struct bypeer_key *new_key, uint64_t made_at, uint64_t until);
/* One statement of exactly length bytes, both signatures verified. 0; -EBADMSG: no such thing; -EKEYREJECTED: forged.
 */
int bypeer_rotation_read(struct bypeer_rotation *ret_rotation, const uint8_t *bytes, size_t length);
/*
 * Whether these statements lead from the key whose hash is authority to public_key, at all. Also after their overlaps:
 * it is who somebody is, not which key may sign today. 0, with the last one in *ret_last (may be NULL; only if there is
 * one); -EBADMSG; -EKEYREJECTED: they lead somewhere else. None at all: the key itself has to hash to the authority.
 */
int bypeer_rotations_follow(const struct bypeer_profile *profile, const uint8_t authority[static 20],
                            const uint8_t *bytes, size_t length, const uint8_t *public_key,
                            struct bypeer_rotation *ret_last);
