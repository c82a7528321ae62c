#include "perf/sim_signature.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "overlay/profile/key.h"

static void signature_make(const struct bypeer_profile *profile, const uint8_t *public_key, const uint8_t *bytes,
                           size_t length, uint8_t *ret_signature)
{
    XXH64_hash_t key = XXH3_64bits(public_key, profile->public_key_bytes);
    XXH128_hash_t hash = XXH3_128bits_withSeed(bytes, length, key);
    for (size_t at = 0; at < profile->signature_bytes; at += sizeof(hash))
        memcpy(ret_signature + at, &hash, sizeof(hash));
}

void sim_signature_run(struct bypeer_pnrp_job *job)
{
    job->result = 0;
    for (unsigned i = 0; i < job->pieces; i++) {
        uint8_t signature[BYPEER_SIGNATURE_MAX];
        const uint8_t *public_key = job->kind == BYPEER_PNRP_SIGN ? bypeer_key_public(job->key) : job->public_key;
        signature_make(job->profile, public_key, job->piece[i].bytes, job->piece[i].length, signature);
        if (job->kind == BYPEER_PNRP_SIGN)
            memcpy(job->piece[i].signature, signature, job->profile->signature_bytes);
        else if (memcmp(job->piece[i].signature, signature, job->profile->signature_bytes) != 0)
            job->result = -EKEYREJECTED;
    }
}

int sim_signature_key(struct bypeer_key **ret_key, const struct bypeer_profile *profile, unsigned at)
{
    /* PKCS#8 of an Ed25519 key, RFC 8410 7: a fixed head, and the 32 bytes that are the key. */
    uint8_t key[16 + 32] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                            0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
    for (unsigned i = 0; i < 4; i++) {
        XXH64_hash_t part = XXH3_64bits_withSeed(&at, sizeof(at), i);
        memcpy(key + 16 + i * sizeof(part), &part, sizeof(part));
    }
    unsigned char base64[4 * sizeof(key) / 3 + 1];
    EVP_EncodeBlock(base64, key, sizeof(key));
    char text[BYPEER_KEY_TEXT_MAX];
    int length = snprintf(text, sizeof(text), "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n", base64);
    return bypeer_key_read(ret_key, profile, text, (size_t)length);
}
