#include "overlay/profile/key.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/profile/openssl.h"

#define RSA_BITS 1024 /* [MS-PNRP] 2.2.3.1: what 140 bytes of RSAPublicKey hold, with the usual exponent of 65537 */

struct bypeer_key {
    const struct bypeer_profile *profile;
    EVP_PKEY *pair;
    uint8_t public_key[BYPEER_PUBLIC_KEY_MAX];
};

/* What the signature's scheme hashes with: nothing for Ed25519, which does it by itself (RFC 8032). */
static const EVP_MD *key_digest(const struct bypeer_profile *profile)
{
    return profile->id == BYPEER_PROFILE_WINDOWS ? EVP_sha1() : NULL;
}

static EVP_PKEY *key_generate_pair(const struct bypeer_profile *profile)
{
    return profile->id == BYPEER_PROFILE_WINDOWS ? EVP_RSA_gen(RSA_BITS) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

/* The public key as a CPA carries it; false: it has no such form in this profile. */
static bool key_public(const struct bypeer_profile *profile, const EVP_PKEY *pair,
                       uint8_t ret_public[static BYPEER_PUBLIC_KEY_MAX])
{
    size_t length = BYPEER_PUBLIC_KEY_MAX;
    if (profile->id != BYPEER_PROFILE_WINDOWS)
        return EVP_PKEY_get_id(pair) == EVP_PKEY_ED25519 && EVP_PKEY_get_raw_public_key(pair, ret_public, &length) == 1;
    if (EVP_PKEY_get_id(pair) != EVP_PKEY_RSA || EVP_PKEY_get_bits(pair) != RSA_BITS ||
        i2d_PublicKey(pair, NULL) != profile->public_key_bytes)
        return false;
    return i2d_PublicKey(pair, &ret_public) == profile->public_key_bytes;
}

EVP_PKEY *bypeer_profile_public_pair(const struct bypeer_profile *profile, const uint8_t *public_key)
{
    if (profile->id != BYPEER_PROFILE_WINDOWS)
        return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, profile->public_key_bytes);
    const uint8_t *end = public_key;
    EVP_PKEY *key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &end, profile->public_key_bytes);
    if (key && (end != public_key + profile->public_key_bytes || EVP_PKEY_get_bits(key) != RSA_BITS)) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

/* Takes the pair over, also when it fails. */
static int key_make(struct bypeer_key **ret_key, const struct bypeer_profile *profile, EVP_PKEY *pair)
{
    struct bypeer_key *key = calloc(1, sizeof(*key));
    if (!key || !key_public(profile, pair, key->public_key)) {
        int status = key ? -EINVAL : -ENOMEM;
        EVP_PKEY_free(pair);
        free(key);
        return status;
    }
    key->profile = profile;
    key->pair = pair;
    *ret_key = key;
    return 0;
}

int bypeer_key_generate(struct bypeer_key **ret_key, const struct bypeer_profile *profile)
{
    EVP_PKEY *pair = key_generate_pair(profile);
    if (!pair)
        return -EIO;
    int status = key_make(ret_key, profile, pair);
    return status == -EINVAL ? -EIO : status;
}

int bypeer_key_read(struct bypeer_key **ret_key, const struct bypeer_profile *profile, const char *text, size_t length)
{
    if (length > BYPEER_KEY_TEXT_MAX)
        return -EBADMSG;
    BIO *source = BIO_new_mem_buf(text, (int)length);
    if (!source)
        return -ENOMEM;
    /* Not PEM_read_bio_PrivateKey(): that takes encrypted keys, too, and asks the terminal for the word. */
    PKCS8_PRIV_KEY_INFO *form = PEM_read_bio_PKCS8_PRIV_KEY_INFO(source, NULL, NULL, NULL);
    BIO_free(source);
    if (!form)
        return -EBADMSG;
    EVP_PKEY *pair = EVP_PKCS82PKEY(form);
    PKCS8_PRIV_KEY_INFO_free(form);
    return pair ? key_make(ret_key, profile, pair) : -EBADMSG;
}

int bypeer_key_from_pair(struct bypeer_key **ret_key, const struct bypeer_profile *profile, EVP_PKEY *pair)
{
    return EVP_PKEY_up_ref(pair) == 1 ? key_make(ret_key, profile, pair) : -ENOMEM;
}

EVP_PKEY *bypeer_key_pair(const struct bypeer_key *key)
{
    return key->pair;
}

int bypeer_key_write(const struct bypeer_key *key, char ret_text[static BYPEER_KEY_TEXT_MAX])
{
    int status = -ENOMEM;
    BIO *text = BIO_new(BIO_s_mem()); /* wiped when freed */
    if (text && PEM_write_bio_PKCS8PrivateKey(text, key->pair, NULL, NULL, 0, NULL, NULL) == 1) {
        char *bytes;
        long length = BIO_get_mem_data(text, &bytes);
        if (length > 0 && length < BYPEER_KEY_TEXT_MAX) {
            memcpy(ret_text, bytes, (size_t)length);
            ret_text[length] = '\0';
            status = 0;
        }
    }
    BIO_free(text);
    return status;
}

void bypeer_key_free(struct bypeer_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pair);
    free(key);
}

const struct bypeer_profile *bypeer_key_profile(const struct bypeer_key *key)
{
    return key->profile;
}

const uint8_t *bypeer_key_public(const struct bypeer_key *key)
{
    return key->public_key;
}

void bypeer_key_authority(const struct bypeer_key *key, uint8_t ret_authority[static 20])
{
    struct bypeer_piece piece = {key->public_key, key->profile->public_key_bytes};
    bypeer_profile_hash(key->profile, &piece, 1, ret_authority);
}

int bypeer_key_sign(const struct bypeer_key *key, const void *bytes, size_t length, uint8_t *ret_signature)
{
    uint8_t signature[BYPEER_SIGNATURE_MAX];
    size_t written = sizeof(signature);
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    bool is_signed = state && EVP_DigestSignInit(state, NULL, key_digest(key->profile), NULL, key->pair) == 1 &&
                     EVP_DigestSign(state, signature, &written, bytes, length) == 1 &&
                     written == key->profile->signature_bytes;
    EVP_MD_CTX_free(state);
    if (!is_signed)
        return -EIO;
    memcpy(ret_signature, signature, written);
    return 0;
}

int bypeer_profile_verify(const struct bypeer_profile *profile, const uint8_t *public_key, const void *bytes,
                          size_t length, const uint8_t *signature)
{
    EVP_PKEY *key = bypeer_profile_public_pair(profile, public_key);
    if (!key)
        return -EINVAL;
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    bool is_right = state && EVP_DigestVerifyInit(state, NULL, key_digest(profile), NULL, key) == 1 &&
                    EVP_DigestVerify(state, signature, profile->signature_bytes, bytes, length) == 1;
    EVP_MD_CTX_free(state);
    EVP_PKEY_free(key);
    return is_right ? 0 : -EKEYREJECTED;
}

/* CryptoAPI's "no hash OID": PKCS#1 padding around the hash itself. NULL: no memory, or no RSA. */
static EVP_PKEY_CTX *key_bare_state(EVP_PKEY *pair, int (*begin)(EVP_PKEY_CTX *))
{
    EVP_PKEY_CTX *state = EVP_PKEY_CTX_new(pair, NULL);
    if (state && begin(state) == 1 && EVP_PKEY_CTX_set_rsa_padding(state, RSA_PKCS1_PADDING) == 1)
        return state;
    EVP_PKEY_CTX_free(state);
    return NULL;
}

int bypeer_key_sign_record(const struct bypeer_key *key, const void *bytes, size_t length, uint8_t *ret_signature)
{
    uint8_t hash[20], signature[BYPEER_SIGNATURE_MAX];
    size_t written = sizeof(signature);
    if (key->profile->id != BYPEER_PROFILE_WINDOWS)
        return bypeer_key_sign(key, bytes, length, ret_signature);
    bypeer_profile_hash(key->profile, &(struct bypeer_piece){bytes, length}, 1, hash);
    EVP_PKEY_CTX *state = key_bare_state(key->pair, EVP_PKEY_sign_init);
    bool is_signed = state && EVP_PKEY_sign(state, signature, &written, hash, sizeof(hash)) == 1 &&
                     written == key->profile->signature_bytes;
    EVP_PKEY_CTX_free(state);
    if (!is_signed)
        return -EIO;
    memcpy(ret_signature, signature, written);
    return 0;
}

int bypeer_profile_verify_record(const struct bypeer_profile *profile, const uint8_t *public_key, const void *bytes,
                                 size_t length, const uint8_t *signature)
{
    uint8_t hash[20];
    if (profile->id != BYPEER_PROFILE_WINDOWS)
        return bypeer_profile_verify(profile, public_key, bytes, length, signature);
    EVP_PKEY *key = bypeer_profile_public_pair(profile, public_key);
    if (!key)
        return -EINVAL;
    bypeer_profile_hash(profile, &(struct bypeer_piece){bytes, length}, 1, hash);
    EVP_PKEY_CTX *state = key_bare_state(key, EVP_PKEY_verify_init);
    bool is_right = state && EVP_PKEY_verify(state, signature, profile->signature_bytes, hash, sizeof(hash)) == 1;
    EVP_PKEY_CTX_free(state);
    EVP_PKEY_free(key);
    return is_right ? 0 : -EKEYREJECTED;
}
