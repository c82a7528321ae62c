#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/group/invitation_form.h"
#include "overlay/ip/wire.h"

#define FIXED_BYTES   8
#define SEED_BYTES    18
#define CHECK_BYTES   4
#define PREFIX_LENGTH (sizeof(BYPEER_INVITATION_LINE_PREFIX) - 1)
#define BASE64        sodium_base64_VARIANT_URLSAFE_NO_PADDING

#define FLAG_PASSWORD 0x01u
#define FLAG_WINDOWS  0x02u
#define FLAG_PRIVATE  0x04u
#define SCOPE_SHIFT   4

enum line_at { AT_FLAGS = 0, AT_SEEDS = 1, AT_CHAIN = 2, AT_FRIENDLY = 4, AT_NAME = 6 };

static void line_check(const uint8_t *bytes, size_t length, uint8_t ret_check[static CHECK_BYTES])
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, bytes, length);
    memcpy(ret_check, hash, CHECK_BYTES);
}

/* The names of an invitation by password. */
static int line_take_names(struct bypeer_invitation *invitation, const uint8_t *friendly, size_t friendly_bytes,
                           size_t name_bytes, char why[static 160])
{
    char name[BYPEER_NAME_TEXT_MAX];
    if (friendly_bytes >= sizeof(invitation->friendly) || name_bytes >= sizeof(name) ||
        memchr(friendly, '\0', friendly_bytes + name_bytes))
        return invitation_refuse(why, "it is damaged: a name in it is too long");
    memcpy(invitation->friendly, friendly, friendly_bytes);
    memcpy(name, friendly + friendly_bytes, name_bytes);
    name[name_bytes] = '\0';
    int status = bypeer_name_read(&invitation->group, name, why);
    return status == 0 && !invitation->group.secure ? invitation_refuse(why, "it names no group") : status;
}

static int line_parse(struct bypeer_invitation *invitation, const struct bypeer_profile *profile, const uint8_t *bytes,
                      size_t length, char why[static 160])
{
    uint8_t check[CHECK_BYTES];
    if (length < FIXED_BYTES + CHECK_BYTES)
        return invitation_refuse(why, "it is cut short: copy the whole line");
    length -= CHECK_BYTES;
    line_check(bytes, length, check);
    if (memcmp(check, bytes + length, CHECK_BYTES) != 0)
        return invitation_refuse(why, "it is damaged: copy the whole line, and nothing else");
    size_t chain = bypeer_load16(bytes + AT_CHAIN);
    size_t friendly = bypeer_load16(bytes + AT_FRIENDLY);
    size_t name = bypeer_load16(bytes + AT_NAME);
    uint8_t flags = bytes[AT_FLAGS];
    unsigned scope = flags >> SCOPE_SHIFT;
    if (bytes[AT_SEEDS] > BYPEER_INVITATION_SEEDS_MAX || scope < 1 || scope > 3 ||
        length != FIXED_BYTES + SEED_BYTES * (size_t)bytes[AT_SEEDS] + chain + friendly + name ||
        (chain == 0) != ((flags & FLAG_PASSWORD) != 0))
        return invitation_refuse(why, "it is of a kind that this version does not know");
    if (((flags & FLAG_WINDOWS) != 0) != (profile->id == BYPEER_PROFILE_WINDOWS))
        return invitation_refuse(why, "it is of the other wire profile");
    invitation->wants_password = flags & FLAG_PASSWORD;
    invitation->is_private_cloud = flags & FLAG_PRIVATE;
    invitation->scope = (uint8_t)scope;
    if (scope == 1)
        memcpy(invitation->cloud, "Global_", sizeof("Global_"));
    const uint8_t *at = bytes + FIXED_BYTES;
    for (; invitation->seed_count < bytes[AT_SEEDS]; invitation->seed_count++, at += SEED_BYTES) {
        memcpy(invitation->seeds[invitation->seed_count].address, at, 16);
        invitation->seeds[invitation->seed_count].port = bypeer_load16(at + 16);
    }
    if (chain == 0)
        return line_take_names(invitation, at, friendly, name, why);
    invitation->chain = malloc(chain);
    if (!invitation->chain)
        return -ENOMEM;
    memcpy(invitation->chain, at, chain);
    invitation->chain_bytes = chain;
    return invitation_take_chain(invitation, profile, why);
}

int invitation_read_line(struct bypeer_invitation *invitation, const struct bypeer_profile *profile, const char *text,
                         size_t length, char why[static 160])
{
    text += PREFIX_LENGTH;
    length -= PREFIX_LENGTH;
    uint8_t *bytes = malloc(length + 1);
    if (!bytes)
        return -ENOMEM;
    size_t decoded = 0;
    /* Chat programs break long lines. */
    int status = sodium_base642bin(bytes, length + 1, text, length, " \t\r\n", &decoded, NULL, BASE64)
                     ? invitation_refuse(why, "it has a character that no invitation has: copy the whole line")
                     : line_parse(invitation, profile, bytes, decoded, why);
    free(bytes);
    return status;
}

int bypeer_invitation_write_line(const struct bypeer_invitation *invitation, char **ret_text)
{
    char name[BYPEER_NAME_TEXT_MAX];
    size_t chain = invitation->wants_password ? 0 : invitation->chain_bytes;
    size_t name_bytes = invitation->wants_password ? bypeer_name_write(&invitation->group, name) : 0;
    size_t friendly = invitation->wants_password ? strlen(invitation->friendly) : 0;
    if (!invitation_is_legal(invitation))
        return -EINVAL;
    size_t length = FIXED_BYTES + SEED_BYTES * invitation->seed_count + chain + friendly + name_bytes;
    size_t text_bytes = PREFIX_LENGTH + sodium_base64_ENCODED_LEN(length + CHECK_BYTES, BASE64);
    uint8_t *bytes = malloc(length + CHECK_BYTES);
    char *text = malloc(text_bytes);
    if (!bytes || !text) {
        free(bytes);
        free(text);
        return -ENOMEM;
    }
    bytes[AT_FLAGS] =
        (uint8_t)((invitation->wants_password ? FLAG_PASSWORD : 0) | (invitation->is_windows ? FLAG_WINDOWS : 0) |
                  (invitation->is_private_cloud ? FLAG_PRIVATE : 0) | (unsigned)invitation->scope << SCOPE_SHIFT);
    bytes[AT_SEEDS] = (uint8_t)invitation->seed_count;
    bypeer_store16(bytes + AT_CHAIN, (uint16_t)chain);
    bypeer_store16(bytes + AT_FRIENDLY, (uint16_t)friendly);
    bypeer_store16(bytes + AT_NAME, (uint16_t)name_bytes);
    uint8_t *at = bytes + FIXED_BYTES;
    for (unsigned i = 0; i < invitation->seed_count; i++, at += SEED_BYTES) {
        memcpy(at, invitation->seeds[i].address, 16);
        bypeer_store16(at + 16, invitation->seeds[i].port);
    }
    if (chain)
        memcpy(at, invitation->chain, chain);
    memcpy(at + chain, invitation->friendly, friendly);
    memcpy(at + chain + friendly, name, name_bytes);
    line_check(bytes, length, bytes + length);
    memcpy(text, BYPEER_INVITATION_LINE_PREFIX, PREFIX_LENGTH);
    sodium_bin2base64(text + PREFIX_LENGTH, text_bytes - PREFIX_LENGTH, bytes, length + CHECK_BYTES, BASE64);
    free(bytes);
    *ret_text = text;
    return 0;
}
