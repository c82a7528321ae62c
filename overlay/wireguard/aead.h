/*
 * ChaCha20-Poly1305 (RFC 8439, 2.8) of data messages, a burst of them at once: what a hub spends most of its time on.
 *
 * A job is one message without associated data, as all of WireGuard's data messages are. It is sealed or opened in
 * place; the jobs of a burst may have any keys and sizes, and their texts must not overlap.
 *
 *   .text:  | plaintext or ciphertext: .bytes | tag: 16 |
 *
 * Two engines, of which BEST is the fastest one that this processor has:
 *
 *   portable  libcrypto, one job after another (crypto.h)
 *   avx512    sixteen blocks at a time, whichever jobs they are of, or a few jobs one by one, each over its own blocks
 *             (aead_lanes.h): AVX-512 with IFMA and VBMI2
 *
 * Nothing here branches on a key or on text. What an object and the stack keep of keys is that of the last burst.
 *
 * Thread: one per bypeer_aead. Nothing is allocated after _new().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BYPEER_AEAD_BURST 64
#define BYPEER_AEAD_TAG   16

enum bypeer_aead_engine {
    BYPEER_AEAD_BEST,
    BYPEER_AEAD_PORTABLE,
    BYPEER_AEAD_AVX512,
};

struct bypeer_aead_job {
    const uint8_t *key; /* 32 bytes */
    uint64_t counter;   /* the nonce is four zero bytes and this; a key seals under each counter once */
    uint8_t *text;
    uint32_t bytes; /* without the tag */
    bool is_good;   /* the result */
    uint64_t sum;   /* of sealing: ones' complement sum of text and tag (overlay/ip/checksum.h), if below 64 KiB */
};

struct bypeer_aead;

/* 0, -ENOMEM, or -ENOTSUP: this processor, or this libcrypto, has no such engine. */
int bypeer_aead_new(struct bypeer_aead **ret_aead, enum bypeer_aead_engine engine);
void bypeer_aead_free(struct bypeer_aead *aead); /* NULL is fine */

/* Of the engine in use: "portable", "avx512". */
const char *bypeer_aead_name(const struct bypeer_aead *aead);

/* count: at most BYPEER_AEAD_BURST. A job that is not good was not sealed and must not be sent: libcrypto failed. */
void bypeer_aead_seal(struct bypeer_aead *aead, struct bypeer_aead_job jobs[], unsigned count);
/* A job that is not good is not authentic: its text is wiped. */
void bypeer_aead_open(struct bypeer_aead *aead, struct bypeer_aead_job jobs[], unsigned count);
