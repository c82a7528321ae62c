#include "overlay/group/password.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/graph/text.h"

#define FORM_BYTES  32
#define PHS_LETTERS 40
#define PHS_SALT    "MS P2P Grouping"
#define HASH_BYTES  crypto_hash_sha512_BYTES
#define HASH_BLOCK  128 /* of SHA-512: s_in_bytes of the draft */
#define CPACE_DSI   "CPaceRistretto255"
#define CPACE_ISK   "CPaceRistretto255_ISK"
#define CPACE_MAC   "CPaceMac"

static const struct bypeer_profile *windows(void)
{
    return bypeer_profile(BYPEER_PROFILE_WINDOWS);
}

/* UTF-16LE with NUL; NULL: no UTF-8, or no memory. */
static uint8_t *password_units(const char *text, size_t *ret_bytes)
{
    size_t units = bypeer_text_units(text);
    uint8_t *bytes = units ? malloc(2 * units) : NULL;
    if (bytes)
        *ret_bytes = bypeer_text_put(bytes, text);
    return bytes;
}

/* SHA-1 over one or two texts in UTF-16. 0, -EINVAL or -ENOMEM. */
static int password_hash_texts(const char *first, const char *second, uint8_t ret_hash[static 20])
{
    struct bypeer_piece pieces[2];
    size_t count = second ? 2 : 1;
    const char *texts[] = {first, second};
    uint8_t *units[2] = {NULL, NULL};
    int status = 0;
    for (size_t at = 0; at < count && status == 0; at++) {
        units[at] = password_units(texts[at], &pieces[at].length);
        pieces[at].bytes = units[at];
        if (!units[at])
            status = bypeer_text_units(texts[at]) ? -ENOMEM : -EINVAL;
    }
    if (status == 0)
        bypeer_profile_hash(windows(), pieces, count, ret_hash);
    for (size_t at = 0; at < count; at++) {
        if (units[at])
            sodium_memzero(units[at], pieces[at].length);
        free(units[at]);
    }
    return status;
}

/* Each half of a byte, the high one first, as a letter from 'a' on. */
static void password_letters(const uint8_t hash[static 20], char ret_text[static PHS_LETTERS + 1])
{
    for (unsigned at = 0; at < 20; at++) {
        ret_text[2 * at] = (char)('a' + (hash[at] >> 4));
        ret_text[2 * at + 1] = (char)('a' + (hash[at] & 0x0f));
    }
    ret_text[PHS_LETTERS] = '\0';
}

static int password_form_windows(const char *password, char ret_form[static BYPEER_GROUP_PASSWORD_FORM_MAX])
{
    uint8_t hash[20];
    int status = password_hash_texts(password, PHS_SALT, hash);
    if (status == 0)
        password_letters(hash, ret_form);
    return status;
}

static int password_form_modern(const struct bypeer_profile *profile, const struct bypeer_peer_name *group,
                                const char *password, char ret_form[static BYPEER_GROUP_PASSWORD_FORM_MAX])
{
    char name[BYPEER_NAME_TEXT_MAX];
    uint8_t hash[20], form[FORM_BYTES];
    struct bypeer_piece piece = {name, bypeer_name_write(group, name)};
    bypeer_profile_hash(profile, &piece, 1, hash);
    _Static_assert(crypto_pwhash_SALTBYTES <= sizeof(hash), "the group's hash is salt enough");
    if (crypto_pwhash(form, sizeof(form), password, strlen(password), hash, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                      crypto_pwhash_MEMLIMIT_INTERACTIVE, crypto_pwhash_ALG_ARGON2ID13))
        return -ENOMEM;
    sodium_bin2hex(ret_form, BYPEER_GROUP_PASSWORD_FORM_MAX, form, sizeof(form));
    sodium_memzero(form, sizeof(form));
    return 0;
}

int bypeer_password_form(const struct bypeer_profile *profile, const struct bypeer_peer_name *group,
                         const char *password, char ret_form[static BYPEER_GROUP_PASSWORD_FORM_MAX])
{
    size_t length = strlen(password);
    if (length == 0 || length > BYPEER_PASSWORD_MAX || bypeer_text_units(password) == 0)
        return -EINVAL;
    return profile->id == BYPEER_PROFILE_WINDOWS ? password_form_windows(password, ret_form)
                                                 : password_form_modern(profile, group, password, ret_form);
}

void bypeer_password_proof(const char *form, const char *requestor, uint8_t ret_proof[static 20])
{
    /* Texts that cannot be hashed make a proof that is nobody's. */
    if (password_hash_texts(form, requestor, ret_proof))
        randombytes_buf(ret_proof, 20);
}

void bypeer_password_key(const char *form, uint8_t ret_key[static 32])
{
    uint8_t hash[20], pad[64], derived[40];
    if (password_hash_texts(form, NULL, hash))
        randombytes_buf(hash, sizeof(hash));
    /* CryptDeriveKey: the hash over two pads, one behind the other. */
    for (unsigned half = 0; half < 2; half++) {
        memset(pad, half ? 0x5c : 0x36, sizeof(pad));
        for (unsigned at = 0; at < sizeof(hash); at++)
            pad[at] ^= hash[at];
        struct bypeer_piece piece = {pad, sizeof(pad)};
        bypeer_profile_hash(windows(), &piece, 1, derived + 20 * half);
    }
    memcpy(ret_key, derived, 32);
    sodium_memzero(derived, sizeof(derived));
    sodium_memzero(pad, sizeof(pad));
}

/* Bytes that are hashed: pieces with their lengths in front, as the draft's lv_cat() has them. */
struct cpace_side {
    size_t length;
    uint8_t bytes[3 * HASH_BLOCK + BYPEER_NAME_TEXT_MAX + BYPEER_PUBLIC_KEY_MAX];
};

/* The length is LEB128: seven bits a byte, the lowest first. */
static void cpace_put(struct cpace_side *side, const void *bytes, size_t length)
{
    uint8_t prefix[3];
    size_t used = 0;
    for (size_t left = length; used == 0 || (left > 0 && used < sizeof(prefix)); left >>= 7)
        prefix[used++] = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    memcpy(side->bytes + side->length, prefix, used);
    memcpy(side->bytes + side->length + used, bytes, length);
    side->length += used + length;
}

static void cpace_side_write(struct cpace_side *ret_side, const uint8_t share[static BYPEER_CPACE_SHARE],
                             const uint8_t *key, size_t key_bytes)
{
    ret_side->length = 0;
    cpace_put(ret_side, share, BYPEER_CPACE_SHARE);
    cpace_put(ret_side, key, key_bytes);
}

/* The generator of a password and a group: nobody knows how those of two passwords hang together. */
static void cpace_generator(const char *form, const char *group, uint8_t ret_point[static BYPEER_CPACE_SHARE])
{
    static const uint8_t zeros[HASH_BLOCK];
    uint8_t hash[HASH_BYTES];
    struct cpace_side text = {.length = 0};
    cpace_put(&text, CPACE_DSI, sizeof(CPACE_DSI) - 1);
    cpace_put(&text, form, strlen(form));
    /* Fills the first block of the hash, so that the password is not in one with what is public. */
    cpace_put(&text, zeros, text.length + 1 < HASH_BLOCK ? HASH_BLOCK - 1 - text.length : 0);
    cpace_put(&text, group, strlen(group));
    cpace_put(&text, "", 0);
    crypto_hash_sha512(hash, text.bytes, text.length);
    crypto_core_ristretto255_from_hash(ret_point, hash);
    sodium_memzero(hash, sizeof(hash));
    sodium_memzero(&text, sizeof(text));
}

void bypeer_cpace_begin(struct bypeer_cpace *cpace, bool is_initiator, const char *form, const char *group)
{
    uint8_t generator[BYPEER_CPACE_SHARE];
    *cpace = (struct bypeer_cpace){.is_initiator = is_initiator};
    cpace_generator(form, group, generator);
    do
        crypto_core_ristretto255_scalar_random(cpace->secret);
    while (crypto_scalarmult_ristretto255(cpace->share, cpace->secret, generator));
    sodium_memzero(generator, sizeof(generator));
}

static void cpace_confirm(const uint8_t mac_key[static HASH_BYTES], const struct cpace_side *side,
                          uint8_t ret_confirm[static BYPEER_CPACE_CONFIRM])
{
    crypto_auth_hmacsha512_state state;
    crypto_auth_hmacsha512_init(&state, mac_key, HASH_BYTES);
    crypto_auth_hmacsha512_update(&state, side->bytes, side->length);
    crypto_auth_hmacsha512_final(&state, ret_confirm);
}

int bypeer_cpace_finish(struct bypeer_cpace *cpace, const uint8_t peer_share[static BYPEER_CPACE_SHARE],
                        const uint8_t *own_key, const uint8_t *peer_key, size_t key_bytes)
{
    uint8_t point[BYPEER_CPACE_SHARE], hash[HASH_BYTES];
    /* Refuses what is no canonical point, and the point at infinity. */
    int status = crypto_scalarmult_ristretto255(point, cpace->secret, peer_share);
    sodium_memzero(cpace->secret, sizeof(cpace->secret));
    if (status)
        return -EBADMSG;
    struct cpace_side own, peer;
    cpace_side_write(&own, cpace->share, own_key, key_bytes);
    cpace_side_write(&peer, peer_share, peer_key, key_bytes);
    const struct cpace_side *first = cpace->is_initiator ? &own : &peer;
    const struct cpace_side *second = cpace->is_initiator ? &peer : &own;
    struct cpace_side result = {.length = 0};
    cpace_put(&result, CPACE_ISK, sizeof(CPACE_ISK) - 1);
    cpace_put(&result, "", 0); /* no session identifier: the shares are new each time */
    cpace_put(&result, point, sizeof(point));
    crypto_hash_sha512_state state;
    crypto_hash_sha512_init(&state);
    crypto_hash_sha512_update(&state, result.bytes, result.length);
    crypto_hash_sha512_update(&state, first->bytes, first->length);
    crypto_hash_sha512_update(&state, second->bytes, second->length);
    crypto_hash_sha512_final(&state, hash);
    crypto_hash_sha512_init(&state);
    crypto_hash_sha512_update(&state, (const uint8_t *)CPACE_MAC, sizeof(CPACE_MAC) - 1);
    crypto_hash_sha512_update(&state, hash, sizeof(hash));
    crypto_hash_sha512_final(&state, hash);
    cpace_confirm(hash, &own, cpace->confirm);
    cpace_confirm(hash, &peer, cpace->expect);
    sodium_memzero(point, sizeof(point));
    sodium_memzero(hash, sizeof(hash));
    sodium_memzero(&result, sizeof(result));
    sodium_memzero(&state, sizeof(state));
    return 0;
}

bool bypeer_cpace_is_expected(const struct bypeer_cpace *cpace, const uint8_t *confirm, size_t length)
{
    return length == BYPEER_CPACE_CONFIRM && sodium_memcmp(confirm, cpace->expect, BYPEER_CPACE_CONFIRM) == 0;
}

void bypeer_cpace_clear(struct bypeer_cpace *cpace)
{
    sodium_memzero(cpace, sizeof(*cpace));
}
