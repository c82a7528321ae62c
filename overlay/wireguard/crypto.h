/*
 * The primitives of WireGuard (whitepaper, 5.4) from libraries: X25519, BLAKE2s, ChaCha20-Poly1305, XChaCha20-Poly1305.
 * Faster, where it matters: Mac() is blake2s.h, a burst of data messages aead.h.
 *
 * A bypeer_crypto holds the contexts of libcrypto that these need, so that sealing and opening allocate nothing.
 * Hashes, derived keys and agreements do allocate. Those that take a bypeer_crypto can fail only as libcrypto fails:
 * -EIO, and what they return is then not to be used. Nothing here branches on a secret.
 *
 * Thread: one per bypeer_crypto; each worker has its own, control has its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BYPEER_CRYPTO_KEY    32
#define BYPEER_CRYPTO_HASH   32
#define BYPEER_CRYPTO_MAC    16
#define BYPEER_CRYPTO_TAG    16
#define BYPEER_CRYPTO_XNONCE 24

struct bypeer_crypto;

/* 0, -ENOMEM, or -ENOTSUP: this libcrypto lacks one of them (FIPS). */
int bypeer_crypto_new(struct bypeer_crypto **ret_crypto);
void bypeer_crypto_free(struct bypeer_crypto *crypto); /* NULL is fine */

/* The contexts keep the key that they last sealed or opened with until there is another: this takes it away. */
void bypeer_crypto_forget(struct bypeer_crypto *crypto);

/* The operating system's random numbers. 0 or -EIO. */
int bypeer_crypto_random(void *ret_bytes, size_t length);
void bypeer_crypto_wipe(void *bytes, size_t length);
bool bypeer_crypto_is_same(const void *left, const void *right, size_t length); /* in constant time */

/* Hash(first || second): BLAKE2s-256. */
int bypeer_crypto_hash(struct bypeer_crypto *crypto, const void *first, size_t first_bytes, const void *second,
                       size_t second_bytes, uint8_t ret_hash[static BYPEER_CRYPTO_HASH]);
/* Kdf1 to Kdf3: HKDF with HMAC-BLAKE2s. Writes count (1 to 3) keys; any of them may be key itself. */
int bypeer_crypto_derive(struct bypeer_crypto *crypto, const uint8_t key[static BYPEER_CRYPTO_KEY], const void *input,
                         size_t input_bytes, unsigned count, uint8_t *const ret_keys[]);

/* Aead(): ciphertext has length + BYPEER_CRYPTO_TAG bytes; it may be where the plaintext is. */
int bypeer_crypto_seal(struct bypeer_crypto *crypto, const uint8_t key[static BYPEER_CRYPTO_KEY], uint64_t counter,
                       const void *associated, size_t associated_bytes, const void *plaintext, size_t length,
                       uint8_t *ret_ciphertext);
/* length is that of the ciphertext, with its tag. -EBADMSG: not authentic; then *ret_plaintext is wiped. */
int bypeer_crypto_open(struct bypeer_crypto *crypto, const uint8_t key[static BYPEER_CRYPTO_KEY], uint64_t counter,
                       const void *associated, size_t associated_bytes, const uint8_t *ciphertext, size_t length,
                       void *ret_plaintext);

/* Xaead() of a cookie: 16 bytes and their tag, under a random nonce. */
int bypeer_crypto_seal_cookie(const uint8_t key[static BYPEER_CRYPTO_KEY],
                              const uint8_t nonce[static BYPEER_CRYPTO_XNONCE],
                              const uint8_t associated[static BYPEER_CRYPTO_MAC],
                              const uint8_t cookie[static BYPEER_CRYPTO_MAC],
                              uint8_t ret_ciphertext[static BYPEER_CRYPTO_MAC + BYPEER_CRYPTO_TAG]);
int bypeer_crypto_open_cookie(const uint8_t key[static BYPEER_CRYPTO_KEY],
                              const uint8_t nonce[static BYPEER_CRYPTO_XNONCE],
                              const uint8_t associated[static BYPEER_CRYPTO_MAC],
                              const uint8_t ciphertext[static BYPEER_CRYPTO_MAC + BYPEER_CRYPTO_TAG],
                              uint8_t ret_cookie[static BYPEER_CRYPTO_MAC]);

/*
 * An X25519 key pair. libcrypto computes the public key whenever it is given a private one, which costs as much as the
 * agreement itself: so a pair that is used again is kept in this form.
 */
struct bypeer_crypto_pair;
int bypeer_crypto_pair_new(struct bypeer_crypto_pair **ret_pair, const uint8_t private_key[static BYPEER_CRYPTO_KEY],
                           uint8_t ret_public_key[static BYPEER_CRYPTO_KEY]);
void bypeer_crypto_pair_free(struct bypeer_crypto_pair *pair); /* NULL is fine; wipes it */
/* -EINVAL: the result would be all zero, since public_key is a point of low order. */
int bypeer_crypto_agree(const struct bypeer_crypto_pair *pair, const uint8_t public_key[static BYPEER_CRYPTO_KEY],
                        uint8_t ret_shared[static BYPEER_CRYPTO_KEY]);
