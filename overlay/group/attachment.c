#include "overlay/group/attachment.h"

#include <errno.h>
#include <string.h>

#include "overlay/ip/wire.h"
#include "overlay/profile/key.h"

#define VERSION        1
#define ENDPOINT_BYTES 18
#define KEY_BYTES      32

enum attachment_at {
    AT_VERSION = 0,
    AT_FLAGS = 1,
    AT_PRIORITY = 2,
    AT_ENDPOINTS = 3,
    AT_SEQUENCE = 8,
    AT_ADDRESS = 16,
    AT_MEMBER_KEY = 32,
    AT_SUPERNODE_KEY = 64,
};

/* What the member's signature is over: names bound to group and keys, so that it is good for nothing else. */
#define SIGNED_MAX (3 * BYPEER_NAME_TEXT_MAX + 8 + 2 * KEY_BYTES)

/* Takes a name with its length in front; NULL: it is cut, or not the one text of a secure name. */
static const uint8_t *attachment_take_name(struct bypeer_peer_name *ret_name, const uint8_t *at, const uint8_t *end)
{
    char text[BYPEER_NAME_TEXT_MAX], again[BYPEER_NAME_TEXT_MAX], why[160];
    if (end - at < 2)
        return NULL;
    size_t length = bypeer_load16(at);
    at += 2;
    if (length >= sizeof(text) || (size_t)(end - at) < length || memchr(at, '\0', length))
        return NULL;
    memcpy(text, at, length);
    text[length] = '\0';
    if (bypeer_name_read(ret_name, text, why) || !ret_name->secure || bypeer_name_write(ret_name, again) != length ||
        memcmp(text, again, length) != 0)
        return NULL;
    return at + length;
}

static uint8_t *attachment_put_name(uint8_t *at, const struct bypeer_peer_name *name)
{
    char text[BYPEER_NAME_TEXT_MAX];
    size_t length = bypeer_name_write(name, text);
    bypeer_store16(at, (uint16_t)length);
    memcpy(at + 2, text, length);
    return at + 2 + length;
}

int bypeer_attachment_read(struct bypeer_attachment *ret_attachment, const struct bypeer_profile *profile,
                           const uint8_t *bytes, size_t length)
{
    if (length < BYPEER_ATTACHMENT_FIXED_BYTES || bytes[AT_VERSION] != VERSION ||
        bytes[AT_ENDPOINTS] > BYPEER_ATTACHMENT_ENDPOINTS_MAX)
        return -EBADMSG;
    struct bypeer_attachment attachment = {
        .flags = bytes[AT_FLAGS],
        .priority = bytes[AT_PRIORITY],
        .sequence = bypeer_load64(bytes + AT_SEQUENCE),
        .endpoint_count = bytes[AT_ENDPOINTS],
    };
    memcpy(attachment.member_address, bytes + AT_ADDRESS, sizeof(attachment.member_address));
    memcpy(attachment.member_key, bytes + AT_MEMBER_KEY, KEY_BYTES);
    memcpy(attachment.supernode_key, bytes + AT_SUPERNODE_KEY, KEY_BYTES);
    const uint8_t *at = bytes + BYPEER_ATTACHMENT_FIXED_BYTES;
    const uint8_t *end = bytes + length;
    if ((size_t)(end - at) < ENDPOINT_BYTES * attachment.endpoint_count)
        return -EBADMSG;
    for (unsigned i = 0; i < attachment.endpoint_count; i++, at += ENDPOINT_BYTES) {
        memcpy(attachment.endpoints[i].address, at, 16);
        attachment.endpoints[i].port = bypeer_load16(at + 16);
    }
    at = attachment_take_name(&attachment.member, at, end);
    if (at)
        at = attachment_take_name(&attachment.supernode, at, end);
    if (!at || (at != end && (size_t)(end - at) != profile->signature_bytes))
        return -EBADMSG;
    attachment.is_signed = at != end;
    if (attachment.is_signed)
        memcpy(attachment.signature, at, profile->signature_bytes);
    *ret_attachment = attachment;
    return 0;
}

size_t bypeer_attachment_write(const struct bypeer_attachment *attachment, const struct bypeer_profile *profile,
                               uint8_t *ret_bytes, size_t room)
{
    char text[BYPEER_NAME_TEXT_MAX];
    size_t length = BYPEER_ATTACHMENT_FIXED_BYTES + ENDPOINT_BYTES * attachment->endpoint_count + 2 +
                    bypeer_name_write(&attachment->member, text) + 2 + bypeer_name_write(&attachment->supernode, text) +
                    (attachment->is_signed ? profile->signature_bytes : 0);
    if (attachment->endpoint_count > BYPEER_ATTACHMENT_ENDPOINTS_MAX || room < length)
        return 0;
    memset(ret_bytes, 0, BYPEER_ATTACHMENT_FIXED_BYTES);
    ret_bytes[AT_VERSION] = VERSION;
    ret_bytes[AT_FLAGS] = attachment->flags;
    ret_bytes[AT_PRIORITY] = attachment->priority;
    ret_bytes[AT_ENDPOINTS] = (uint8_t)attachment->endpoint_count;
    bypeer_store64(ret_bytes + AT_SEQUENCE, attachment->sequence);
    memcpy(ret_bytes + AT_ADDRESS, attachment->member_address, sizeof(attachment->member_address));
    memcpy(ret_bytes + AT_MEMBER_KEY, attachment->member_key, KEY_BYTES);
    memcpy(ret_bytes + AT_SUPERNODE_KEY, attachment->supernode_key, KEY_BYTES);
    uint8_t *at = ret_bytes + BYPEER_ATTACHMENT_FIXED_BYTES;
    for (unsigned i = 0; i < attachment->endpoint_count; i++, at += ENDPOINT_BYTES) {
        memcpy(at, attachment->endpoints[i].address, 16);
        bypeer_store16(at + 16, attachment->endpoints[i].port);
    }
    at = attachment_put_name(at, &attachment->member);
    at = attachment_put_name(at, &attachment->supernode);
    if (attachment->is_signed)
        memcpy(at, attachment->signature, profile->signature_bytes);
    return length;
}

static size_t attachment_signed_bytes(const struct bypeer_attachment *attachment, const struct bypeer_peer_name *group,
                                      uint8_t ret_bytes[static SIGNED_MAX])
{
    const struct bypeer_peer_name *names[] = {group, &attachment->member, &attachment->supernode};
    size_t length = 0;
    for (unsigned at = 0; at < 3; at++)
        length += bypeer_name_write(names[at], (char *)ret_bytes + length) + 1; /* with NUL: it separates them */
    memcpy(ret_bytes + length, attachment->member_key, KEY_BYTES);
    memcpy(ret_bytes + length + KEY_BYTES, attachment->supernode_key, KEY_BYTES);
    bypeer_store64(ret_bytes + length + 2 * KEY_BYTES, attachment->sequence);
    return length + 2 * KEY_BYTES + 8;
}

int bypeer_attachment_sign(struct bypeer_attachment *attachment, const struct bypeer_peer_name *group,
                           const struct bypeer_key *key)
{
    uint8_t bytes[SIGNED_MAX];
    size_t length = attachment_signed_bytes(attachment, group, bytes);
    int status = bypeer_key_sign(key, bytes, length, attachment->signature);
    attachment->is_signed = status == 0;
    return status;
}

bool bypeer_attachment_is_signed_by(const struct bypeer_attachment *attachment, const struct bypeer_profile *profile,
                                    const struct bypeer_peer_name *group, const uint8_t *public_key)
{
    uint8_t bytes[SIGNED_MAX];
    if (!attachment->is_signed)
        return false;
    size_t length = attachment_signed_bytes(attachment, group, bytes);
    return bypeer_profile_verify(profile, public_key, bytes, length, attachment->signature) == 0;
}

const char *bypeer_attachment_fault_text(enum bypeer_attachment_fault fault)
{
    static const char *const texts[BYPEER_ATTACHMENT_FAULTS] = {
        [BYPEER_ATTACHMENT_SOUND] = "the attachment is sound",
        [BYPEER_ATTACHMENT_MALFORMED] = "the attachment is malformed",
        [BYPEER_ATTACHMENT_UNKNOWN_MEMBER] = "the attached member has no valid membership here",
        [BYPEER_ATTACHMENT_UNKNOWN_SUPERNODE] = "the supernode of the attachment has no valid membership here",
        [BYPEER_ATTACHMENT_ADDRESS] = "the attachment claims an address that is not the member's",
        [BYPEER_ATTACHMENT_ROLE] = "no administrator gave the attachment's supernode that role",
        [BYPEER_ATTACHMENT_STRANGER] = "the attachment is neither by the member nor by the supernode that it names",
        [BYPEER_ATTACHMENT_SIGNATURE] = "the attachment's signature is not the member's",
        [BYPEER_ATTACHMENT_STALE] = "a newer attachment of this member to this supernode is known",
    };
    return fault < BYPEER_ATTACHMENT_FAULTS ? texts[fault] : "the attachment has an unknown fault";
}
