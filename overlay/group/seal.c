#include "overlay/group/seal.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/graph/buffer.h"
#include "overlay/graph/text.h"
#include "overlay/ip/wire.h"
#include "overlay/profile/key.h"

/* Reference 5.4: the size of Windows' PEER_RECORD comes first. */
#define PEER_RECORD_BYTES 0x60
#define FIXED_BYTES       (4 + 16 + 16 + 4 + 4 + 3 * 8)

static int seal_put_text(struct bypeer_buffer *buffer, const char *text)
{
    if (!text)
        return 0;
    size_t units = bypeer_text_units(text);
    uint8_t *at = units ? bypeer_buffer_reserve(buffer, 2 * units) : NULL;
    if (!at)
        return units ? -ENOMEM : -EINVAL;
    buffer->length += bypeer_text_put(at, text);
    return 0;
}

static int seal_put_payload(struct bypeer_buffer *buffer, const struct bypeer_record *record)
{
    uint8_t size[4];
    if (record->payload_bytes == 0)
        return 0;
    bypeer_store32(size, (uint32_t)record->payload_bytes);
    int status = bypeer_buffer_append(buffer, size, sizeof(size));
    return status ? status : bypeer_buffer_append(buffer, record->payload, record->payload_bytes);
}

/* What is signed. serials: both, one behind the other. */
static int seal_bytes(struct bypeer_buffer *buffer, const struct bypeer_record *record,
                      const uint8_t serials[static GROUP_SECURITY_FIXED])
{
    uint8_t fixed[FIXED_BYTES];
    bypeer_store32(fixed, PEER_RECORD_BYTES);
    memcpy(fixed + 4, record->type.bytes, 16);
    memcpy(fixed + 20, record->id.bytes, 16);
    bypeer_store32(fixed + 36, record->version);
    bypeer_store32(fixed + 40, record->flags & BYPEER_RECORD_DELETED);
    bypeer_store64(fixed + 44, record->created);
    bypeer_store64(fixed + 52, record->expires);
    bypeer_store64(fixed + 60, record->modified);
    int status = bypeer_buffer_append(buffer, fixed, sizeof(fixed));
    if (status == 0)
        status = seal_put_text(buffer, record->creator);
    if (status == 0)
        status = seal_put_text(buffer, record->modifier);
    if (status == 0)
        status = seal_put_text(buffer, record->attributes);
    if (status == 0)
        status = seal_put_payload(buffer, record);
    return status ? status : bypeer_buffer_append(buffer, serials, GROUP_SECURITY_FIXED);
}

int group_seal(const struct bypeer_key *key, const struct bypeer_record *record,
               const uint8_t creator_serial[static GROUP_SERIAL], const uint8_t modifier_serial[static GROUP_SERIAL],
               uint8_t *ret_security)
{
    struct bypeer_buffer buffer = {0};
    uint8_t security[GROUP_SECURITY_MAX];
    memcpy(security, creator_serial, GROUP_SERIAL);
    memcpy(security + GROUP_SERIAL, modifier_serial, GROUP_SERIAL);
    int status = seal_bytes(&buffer, record, security);
    if (status == 0)
        status = bypeer_key_sign_record(key, buffer.bytes, buffer.length, security + GROUP_SECURITY_FIXED);
    bypeer_buffer_clear(&buffer);
    if (status == 0)
        memcpy(ret_security, security, GROUP_SECURITY_FIXED + bypeer_key_profile(key)->signature_bytes);
    return status;
}

/* Where the digest of these bytes, this key and this signature belongs; NULL: there is no memory for remembering. */
static uint8_t *verified_place(struct group_verified *verified, const struct bypeer_profile *profile,
                               const struct bypeer_buffer *buffer, const uint8_t *public_key, const uint8_t *signature,
                               uint8_t ret_digest[static 16])
{
    if (!verified->digests) {
        verified->digests = calloc(GROUP_VERIFIED, sizeof(*verified->digests));
        if (!verified->digests)
            return NULL;
        randombytes_buf(verified->secret, sizeof(verified->secret));
    }
    crypto_generichash_state state;
    crypto_generichash_init(&state, verified->secret, sizeof(verified->secret), 16);
    crypto_generichash_update(&state, public_key, profile->public_key_bytes);
    crypto_generichash_update(&state, signature, profile->signature_bytes);
    crypto_generichash_update(&state, buffer->bytes, buffer->length);
    crypto_generichash_final(&state, ret_digest, 16);
    return verified->digests[bypeer_load32(ret_digest) % GROUP_VERIFIED];
}

bool group_seal_is_by(struct group_verified *verified, const struct bypeer_profile *profile,
                      const struct bypeer_record *record, const uint8_t *public_key)
{
    struct bypeer_buffer buffer = {0};
    uint8_t digest[16];
    const uint8_t *signature = record->security + GROUP_SECURITY_FIXED;
    if (seal_bytes(&buffer, record, record->security)) {
        bypeer_buffer_clear(&buffer);
        return false;
    }
    uint8_t *place = verified_place(verified, profile, &buffer, public_key, signature, digest);
    bool is_by = place && memcmp(place, digest, sizeof(digest)) == 0;
    if (!is_by) {
        is_by = bypeer_profile_verify_record(profile, public_key, buffer.bytes, buffer.length, signature) == 0;
        if (is_by && place)
            memcpy(place, digest, sizeof(digest));
    }
    bypeer_buffer_clear(&buffer);
    return is_by;
}

void group_verified_clear(struct group_verified *verified)
{
    free(verified->digests);
    verified->digests = NULL;
}
