#include "overlay/wireguard/crypto.h"

#include <endian.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NONCE_BYTES 12
#define BLOCK_BYTES 64 /* of BLAKE2s, what HMAC pads its key to */

struct bypeer_crypto {
    EVP_MD *blake2s;
    EVP_MD_CTX *hash;
    EVP_CIPHER *chacha20_poly1305;
    EVP_CIPHER_CTX *seal, *open;
};

int bypeer_crypto_new(struct bypeer_crypto **ret_crypto)
{
    struct bypeer_crypto *crypto = calloc(1, sizeof(*crypto));
    if (!crypto)
        return -ENOMEM;
    crypto->blake2s = EVP_MD_fetch(NULL, "BLAKE2S-256", NULL);
    crypto->chacha20_poly1305 = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    crypto->hash = EVP_MD_CTX_new();
    crypto->seal = EVP_CIPHER_CTX_new();
    crypto->open = EVP_CIPHER_CTX_new();
    if (!crypto->blake2s || !crypto->chacha20_poly1305 || !crypto->hash || !crypto->seal || !crypto->open ||
        !EVP_EncryptInit_ex2(crypto->seal, crypto->chacha20_poly1305, NULL, NULL, NULL) ||
        !EVP_DecryptInit_ex2(crypto->open, crypto->chacha20_poly1305, NULL, NULL, NULL)) {
        bypeer_crypto_free(crypto);
        return -ENOTSUP;
    }
    *ret_crypto = crypto;
    return 0;
}

void bypeer_crypto_free(struct bypeer_crypto *crypto)
{
    if (!crypto)
        return;
    EVP_CIPHER_CTX_free(crypto->open);
    EVP_CIPHER_CTX_free(crypto->seal);
    EVP_CIPHER_free(crypto->chacha20_poly1305);
    EVP_MD_CTX_free(crypto->hash);
    EVP_MD_free(crypto->blake2s);
    free(crypto);
}

void bypeer_crypto_forget(struct bypeer_crypto *crypto)
{
    static const uint8_t none[BYPEER_CRYPTO_KEY];
    EVP_EncryptInit_ex2(crypto->seal, NULL, none, none, NULL);
    EVP_DecryptInit_ex2(crypto->open, NULL, none, none, NULL);
}

int bypeer_crypto_random(void *ret_bytes, size_t length)
{
    return RAND_bytes(ret_bytes, (int)length) == 1 ? 0 : -EIO;
}

void bypeer_crypto_wipe(void *bytes, size_t length)
{
    OPENSSL_cleanse(bytes, length);
}

bool bypeer_crypto_is_same(const void *left, const void *right, size_t length)
{
    return CRYPTO_memcmp(left, right, length) == 0;
}

int bypeer_crypto_hash(struct bypeer_crypto *crypto, const void *first, size_t first_bytes, const void *second,
                       size_t second_bytes, uint8_t ret_hash[static BYPEER_CRYPTO_HASH])
{
    bool done =
        EVP_DigestInit_ex2(crypto->hash, crypto->blake2s, NULL) && EVP_DigestUpdate(crypto->hash, first, first_bytes) &&
        EVP_DigestUpdate(crypto->hash, second, second_bytes) && EVP_DigestFinal_ex(crypto->hash, ret_hash, NULL);
    return done ? 0 : -EIO;
}

/* RFC 2104 over BLAKE2s. The whitepaper uses this, not keyed BLAKE2s, in its KDF. */
static int crypto_hmac(struct bypeer_crypto *crypto, const uint8_t key[static BYPEER_CRYPTO_KEY], const void *input,
                       size_t input_bytes, uint8_t ret_hash[static BYPEER_CRYPTO_HASH])
{
    uint8_t inner[BLOCK_BYTES], outer[BLOCK_BYTES], hash[BYPEER_CRYPTO_HASH];
    memset(inner, 0x36, sizeof(inner));
    memset(outer, 0x5c, sizeof(outer));
    for (unsigned i = 0; i < BYPEER_CRYPTO_KEY; i++) {
        inner[i] ^= key[i];
        outer[i] ^= key[i];
    }
    int status = bypeer_crypto_hash(crypto, inner, sizeof(inner), input, input_bytes, hash);
    if (status == 0)
        status = bypeer_crypto_hash(crypto, outer, sizeof(outer), hash, sizeof(hash), ret_hash);
    OPENSSL_cleanse(inner, sizeof(inner));
    OPENSSL_cleanse(outer, sizeof(outer));
    OPENSSL_cleanse(hash, sizeof(hash));
    return status;
}

int bypeer_crypto_derive(struct bypeer_crypto *crypto, const uint8_t key[static BYPEER_CRYPTO_KEY], const void *input,
                         size_t input_bytes, unsigned count, uint8_t *const ret_keys[])
{
    uint8_t secret[BYPEER_CRYPTO_KEY], block[BYPEER_CRYPTO_HASH + 1];
    int status = crypto_hmac(crypto, key, input, input_bytes, secret);
    for (unsigned i = 0; i < count && status == 0; i++) {
        block[i == 0 ? 0 : BYPEER_CRYPTO_HASH] = (uint8_t)(i + 1);
        status = crypto_hmac(crypto, secret, block, i == 0 ? 1 : sizeof(block), block);
        if (status == 0)
            memcpy(ret_keys[i], block, BYPEER_CRYPTO_KEY);
    }
    OPENSSL_cleanse(secret, sizeof(secret));
    OPENSSL_cleanse(block, sizeof(block));
    return status;
}

static void write_nonce(uint8_t nonce[static NONCE_BYTES], uint64_t counter)
{
    counter = htole64(counter);
    memset(nonce, 0, NONCE_BYTES - sizeof(counter));
    memcpy(nonce + NONCE_BYTES - sizeof(counter), &counter, sizeof(counter));
}

int bypeer_crypto_seal(struct bypeer_crypto *crypto, const uint8_t key[static BYPEER_CRYPTO_KEY], uint64_t counter,
                       const void *associated, size_t associated_bytes, const void *plaintext, size_t length,
                       uint8_t *ret_ciphertext)
{
    uint8_t nonce[NONCE_BYTES];
    int bytes;
    write_nonce(nonce, counter);
    bool done =
        EVP_EncryptInit_ex2(crypto->seal, NULL, key, nonce, NULL) &&
        (associated_bytes == 0 || EVP_EncryptUpdate(crypto->seal, NULL, &bytes, associated, (int)associated_bytes)) &&
        (length == 0 || EVP_EncryptUpdate(crypto->seal, ret_ciphertext, &bytes, plaintext, (int)length)) &&
        EVP_EncryptFinal_ex(crypto->seal, ret_ciphertext + length, &bytes) &&
        EVP_CIPHER_CTX_ctrl(crypto->seal, EVP_CTRL_AEAD_GET_TAG, BYPEER_CRYPTO_TAG, ret_ciphertext + length);
    return done ? 0 : -EIO;
}

int bypeer_crypto_open(struct bypeer_crypto *crypto, const uint8_t key[static BYPEER_CRYPTO_KEY], uint64_t counter,
                       const void *associated, size_t associated_bytes, const uint8_t *ciphertext, size_t length,
                       void *ret_plaintext)
{
    uint8_t nonce[NONCE_BYTES], tag[BYPEER_CRYPTO_TAG], end[1];
    int bytes;
    if (length < BYPEER_CRYPTO_TAG)
        return -EBADMSG;
    length -= BYPEER_CRYPTO_TAG;
    memcpy(tag, ciphertext + length, sizeof(tag));
    write_nonce(nonce, counter);
    bool begun =
        EVP_DecryptInit_ex2(crypto->open, NULL, key, nonce, NULL) &&
        EVP_CIPHER_CTX_ctrl(crypto->open, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) &&
        (associated_bytes == 0 || EVP_DecryptUpdate(crypto->open, NULL, &bytes, associated, (int)associated_bytes)) &&
        (length == 0 || EVP_DecryptUpdate(crypto->open, ret_plaintext, &bytes, ciphertext, (int)length));
    if (begun && EVP_DecryptFinal_ex(crypto->open, end, &bytes))
        return 0;
    OPENSSL_cleanse(ret_plaintext, length);
    return -EBADMSG;
}

int bypeer_crypto_seal_cookie(const uint8_t key[static BYPEER_CRYPTO_KEY],
                              const uint8_t nonce[static BYPEER_CRYPTO_XNONCE],
                              const uint8_t associated[static BYPEER_CRYPTO_MAC],
                              const uint8_t cookie[static BYPEER_CRYPTO_MAC],
                              uint8_t ret_ciphertext[static BYPEER_CRYPTO_MAC + BYPEER_CRYPTO_TAG])
{
    int status = crypto_aead_xchacha20poly1305_ietf_encrypt(ret_ciphertext, NULL, cookie, BYPEER_CRYPTO_MAC, associated,
                                                            BYPEER_CRYPTO_MAC, NULL, nonce, key);
    return status == 0 ? 0 : -EIO;
}

int bypeer_crypto_open_cookie(const uint8_t key[static BYPEER_CRYPTO_KEY],
                              const uint8_t nonce[static BYPEER_CRYPTO_XNONCE],
                              const uint8_t associated[static BYPEER_CRYPTO_MAC],
                              const uint8_t ciphertext[static BYPEER_CRYPTO_MAC + BYPEER_CRYPTO_TAG],
                              uint8_t ret_cookie[static BYPEER_CRYPTO_MAC])
{
    uint8_t cookie[BYPEER_CRYPTO_MAC];
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(cookie, NULL, NULL, ciphertext,
                                                   BYPEER_CRYPTO_MAC + BYPEER_CRYPTO_TAG, associated, BYPEER_CRYPTO_MAC,
                                                   nonce, key) != 0)
        return -EBADMSG;
    memcpy(ret_cookie, cookie, sizeof(cookie));
    OPENSSL_cleanse(cookie, sizeof(cookie));
    return 0;
}

/* A bypeer_crypto_pair is libcrypto's own object under a name of ours. */
static EVP_PKEY *pair_key(const struct bypeer_crypto_pair *pair)
{
    return (EVP_PKEY *)(uintptr_t)pair;
}

int bypeer_crypto_pair_new(struct bypeer_crypto_pair **ret_pair, const uint8_t private_key[static BYPEER_CRYPTO_KEY],
                           uint8_t ret_public_key[static BYPEER_CRYPTO_KEY])
{
    size_t length = BYPEER_CRYPTO_KEY;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, BYPEER_CRYPTO_KEY);
    if (!key)
        return -ENOMEM;
    if (!EVP_PKEY_get_raw_public_key(key, ret_public_key, &length)) {
        EVP_PKEY_free(key);
        return -EIO;
    }
    *ret_pair = (struct bypeer_crypto_pair *)key;
    return 0;
}

void bypeer_crypto_pair_free(struct bypeer_crypto_pair *pair)
{
    EVP_PKEY_free(pair_key(pair));
}

int bypeer_crypto_agree(const struct bypeer_crypto_pair *pair, const uint8_t public_key[static BYPEER_CRYPTO_KEY],
                        uint8_t ret_shared[static BYPEER_CRYPTO_KEY])
{
    static const uint8_t none[BYPEER_CRYPTO_KEY];
    uint8_t shared[BYPEER_CRYPTO_KEY];
    size_t length = sizeof(shared);
    EVP_PKEY *other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public_key, BYPEER_CRYPTO_KEY);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pair_key(pair), NULL);
    bool done = other && context && EVP_PKEY_derive_init(context) > 0 && EVP_PKEY_derive_set_peer(context, other) > 0 &&
                EVP_PKEY_derive(context, shared, &length) > 0 && !bypeer_crypto_is_same(shared, none, sizeof(none));
    if (done)
        memcpy(ret_shared, shared, sizeof(shared));
    OPENSSL_cleanse(shared, sizeof(shared));
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(other);
    return done ? 0 : -EINVAL;
}
