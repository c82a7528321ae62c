/*
 * Revocations, a record of every group. Ours: in the original a membership ends only by its expiry (reference 2.6).
 *
 *   0       1      2 reserved  4             8             16           18            20
 *   version flags  0           chain bytes   until         key bytes    reason bytes  key, chain, reason (UTF-8)
 *
 * Integers are big-endian; until is in Unix seconds. The chain is that of the signer, as a bag, so that a revocation is
 * judged before any membership is known: it is flooded and synchronised first of all. The group key signs without one.
 *
 * What it means. The key is refused until `until`, under whatever serial; so is each membership that the key issued,
 * unless somebody else signs it again, and each record of those, unless an administrator signs it again.
 *
 * Whose counts. No rule asks when: the only date is the signer's own word. Who comes first is above:
 *   the group's key                             always counts
 *   an administrator whom the group's key made  counts unless the group's key has revoked him, and not against another
 *                                               of these: they are shielded, and so is none whom an administrator made
 *   an administrator whom another one made      likewise, and unless an administrator of the row above has revoked
 *                                               him, or anybody above him in his chain
 * So nobody undoes a revocation but the group's key, by making its target an administrator or by revoking its signer,
 * and all nodes that know the same agree, in whatever order they heard of it. Two of the last row may revoke each
 * other. That a signer's membership has expired does not end what he revoked, and he could say of a new one that it is
 * old. So it reaches no membership that began after his, by which it is signed, was over, if an administrator or the
 * group's key gave that: whom he revoked then is renewed, and whoever is not stays out. Those who came up since, he
 * does not reach. The group's key revokes him to end the rest.
 *
 * Its record is of version 1 for ever: never modified, never deleted. Its ID is a hash of signer, group and target, and
 * not one of its creator's (overlay/graph/record.h), which every other record's has to be: so nobody can put a record
 * in its place, or be there first.
 *
 * Threads: any; nothing here has state.
 */
#pragma once

#include "overlay/graph/record.h"
#include "overlay/pnrp/name.h"

#define BYPEER_REVOCATION_REASON_MAX  255 /* bytes */
#define BYPEER_REVOCATION_CHAIN_MAX   32768
#define BYPEER_REVOCATION_FIXED_BYTES 20
#define BYPEER_REVOCATION_BYTES_MAX \
    (BYPEER_REVOCATION_FIXED_BYTES + BYPEER_PUBLIC_KEY_MAX + BYPEER_REVOCATION_CHAIN_MAX + BYPEER_REVOCATION_REASON_MAX)

/* Read: a view into the bytes, but for the reason, which is a copy with its NUL. */
struct bypeer_revocation {
    const uint8_t *key;   /* of the target: profile->public_key_bytes */
    const uint8_t *chain; /* of the signer; NULL: the group key signed */
    size_t chain_bytes;
    uint64_t until; /* Unix seconds */
    char reason[BYPEER_REVOCATION_REASON_MAX + 1];
};

/* 0 or -EBADMSG. */
int bypeer_revocation_read(struct bypeer_revocation *ret_revocation, const struct bypeer_profile *profile,
                           const uint8_t *bytes, size_t length);
/* Returns the length, or 0 if room is too small, or the reason or the chain too long. */
size_t bypeer_revocation_write(const struct bypeer_revocation *revocation, const struct bypeer_profile *profile,
                               uint8_t *ret_bytes, size_t room);
/* The record ID of creator's revocation of key. creator and group: texts of peer names, in their one form. */
void bypeer_revocation_id(const struct bypeer_profile *profile, const char *creator, const char *group,
                          const uint8_t *key, struct bypeer_guid *ret_id);
