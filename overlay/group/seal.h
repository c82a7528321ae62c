/*
 * What a record's signature is over, and the security data that carries it (reference 5.3, 5.4):
 *
 *   creator's serial 16 | modifier's serial 16 | signature of profile->signature_bytes
 *
 * The serials are those of memberships; of the group's own records that of its root certificate. A record that nobody
 * modified has the creator's twice.
 *
 * Verified signatures are remembered, since all records are judged again whenever a membership ends. Thread: one.
 */
#pragma once

#include <stdbool.h>

#include "overlay/graph/record.h"

#define GROUP_SERIAL         16
#define GROUP_SECURITY_FIXED (2 * GROUP_SERIAL)
#define GROUP_SECURITY_MAX   (GROUP_SECURITY_FIXED + BYPEER_SIGNATURE_MAX)

struct bypeer_key;

/* 8192 records of 16 bytes, 128 KiB; one whose place is taken takes it over. */
#define GROUP_VERIFIED 8192
struct group_verified {
    uint8_t secret[16];
    uint8_t (*digests)[16]; /* NULL: nothing yet */
};
void group_verified_clear(struct group_verified *verified);

/* Writes GROUP_SECURITY_FIXED + signature_bytes. 0, -EINVAL: a text of the record is no UTF-8; -ENOMEM, -EIO. */
int group_seal(const struct bypeer_key *key, const struct bypeer_record *record,
               const uint8_t creator_serial[static GROUP_SERIAL], const uint8_t modifier_serial[static GROUP_SERIAL],
               uint8_t *ret_security);
/* Whether the security data, whose length was checked, is signed by public_key. */
bool group_seal_is_by(struct group_verified *verified, const struct bypeer_profile *profile,
                      const struct bypeer_record *record, const uint8_t *public_key);
