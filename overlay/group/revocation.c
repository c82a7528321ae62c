#include "overlay/group/revocation.h"

#include <errno.h>
#include <string.h>

#include "overlay/ip/wire.h"

#define VERSION 1

enum revocation_at { AT_VERSION = 0, AT_CHAIN = 4, AT_UNTIL = 8, AT_KEY = 16, AT_REASON = 18 };

int bypeer_revocation_read(struct bypeer_revocation *ret_revocation, const struct bypeer_profile *profile,
                           const uint8_t *bytes, size_t length)
{
    if (length < BYPEER_REVOCATION_FIXED_BYTES || bytes[AT_VERSION] != VERSION)
        return -EBADMSG;
    size_t chain = bypeer_load32(bytes + AT_CHAIN);
    size_t key = bypeer_load16(bytes + AT_KEY);
    size_t reason = bypeer_load16(bytes + AT_REASON);
    if (key != profile->public_key_bytes || chain > BYPEER_REVOCATION_CHAIN_MAX ||
        reason > BYPEER_REVOCATION_REASON_MAX || length != BYPEER_REVOCATION_FIXED_BYTES + key + chain + reason)
        return -EBADMSG;
    const uint8_t *at = bytes + BYPEER_REVOCATION_FIXED_BYTES;
    if (memchr(at + key + chain, '\0', reason))
        return -EBADMSG;
    struct bypeer_revocation revocation = {
        .key = at,
        .chain = chain ? at + key : NULL,
        .chain_bytes = chain,
        .until = bypeer_load64(bytes + AT_UNTIL),
    };
    memcpy(revocation.reason, at + key + chain, reason);
    *ret_revocation = revocation;
    return 0;
}

size_t bypeer_revocation_write(const struct bypeer_revocation *revocation, const struct bypeer_profile *profile,
                               uint8_t *ret_bytes, size_t room)
{
    size_t reason = strnlen(revocation->reason, sizeof(revocation->reason));
    size_t key = profile->public_key_bytes;
    size_t chain = revocation->chain ? revocation->chain_bytes : 0;
    size_t length = BYPEER_REVOCATION_FIXED_BYTES + key + chain + reason;
    if (reason > BYPEER_REVOCATION_REASON_MAX || chain > BYPEER_REVOCATION_CHAIN_MAX || room < length)
        return 0;
    memset(ret_bytes, 0, BYPEER_REVOCATION_FIXED_BYTES);
    ret_bytes[AT_VERSION] = VERSION;
    bypeer_store32(ret_bytes + AT_CHAIN, (uint32_t)chain);
    bypeer_store64(ret_bytes + AT_UNTIL, revocation->until);
    bypeer_store16(ret_bytes + AT_KEY, (uint16_t)key);
    bypeer_store16(ret_bytes + AT_REASON, (uint16_t)reason);
    uint8_t *at = ret_bytes + BYPEER_REVOCATION_FIXED_BYTES;
    memcpy(at, revocation->key, key);
    if (chain)
        memcpy(at + key, revocation->chain, chain);
    memcpy(at + key + chain, revocation->reason, reason);
    return length;
}

void bypeer_revocation_id(const struct bypeer_profile *profile, const char *creator, const char *group,
                          const uint8_t *key, struct bypeer_guid *ret_id)
{
    static const char purpose[] = "revocation";
    const struct bypeer_piece pieces[] = {
        {purpose, sizeof(purpose)},
        {creator, strlen(creator) + 1},
        {group, strlen(group) + 1},
        {key, profile->public_key_bytes},
    };
    bypeer_graph_hash(profile, pieces, sizeof(pieces) / sizeof(pieces[0]), ret_id->bytes);
}
