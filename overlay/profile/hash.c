/*
 * OpenSSL 3 deprecates these in favour of EVP, which allocates. Here a hash must not fail, nor cost more than its
 * blocks: an ID is hashed wherever a name is met.
 */
#define OPENSSL_API_COMPAT 10100

#include <openssl/sha.h>
#include <string.h>

#include "overlay/profile/profile.h"

#define FIELD_BYTES 20

static void hash_sha1(const struct bypeer_piece *pieces, size_t count, uint8_t ret_hash[static FIELD_BYTES])
{
    SHA_CTX state;
    SHA1_Init(&state);
    for (size_t at = 0; at < count; at++)
        SHA1_Update(&state, pieces[at].bytes, pieces[at].length);
    SHA1_Final(ret_hash, &state);
}

static void hash_sha256(const struct bypeer_piece *pieces, size_t count, uint8_t ret_hash[static FIELD_BYTES])
{
    SHA256_CTX state;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256_Init(&state);
    for (size_t at = 0; at < count; at++)
        SHA256_Update(&state, pieces[at].bytes, pieces[at].length);
    SHA256_Final(digest, &state);
    memcpy(ret_hash, digest, FIELD_BYTES);
}

void bypeer_profile_hash(const struct bypeer_profile *profile, const struct bypeer_piece *pieces, size_t count,
                         uint8_t ret_hash[static FIELD_BYTES])
{
    if (profile->id == BYPEER_PROFILE_WINDOWS)
        hash_sha1(pieces, count, ret_hash);
    else
        hash_sha256(pieces, count, ret_hash);
}
