/* As overlay/profile/hash.c: EVP allocates, and a hash must not fail. */
#define OPENSSL_API_COMPAT 10100

#include <openssl/md5.h>
#include <string.h>

#include "overlay/graph/record.h"
#include "overlay/graph/text.h"

#define HASH_BYTES 16

void bypeer_graph_hash(const struct bypeer_profile *profile, const struct bypeer_piece *pieces, size_t count,
                       uint8_t ret_hash[static HASH_BYTES])
{
    if (profile->id == BYPEER_PROFILE_WINDOWS) {
        MD5_CTX state;
        MD5_Init(&state);
        for (size_t at = 0; at < count; at++)
            MD5_Update(&state, pieces[at].bytes, pieces[at].length);
        MD5_Final(ret_hash, &state);
        return;
    }
    uint8_t field[20];
    bypeer_profile_hash(profile, pieces, count, field);
    memcpy(ret_hash, field, HASH_BYTES);
}

void bypeer_record_creator_half(const struct bypeer_profile *profile, const char *creator, uint8_t ret_half[static 8])
{
    uint8_t units[2 * BYPEER_RECORD_ID_UNITS], hash[HASH_BYTES];
    size_t count = bypeer_text_units(creator), bytes = 0;
    if (count > 0 && count <= BYPEER_RECORD_ID_UNITS)
        bytes = bypeer_text_put(units, creator);
    struct bypeer_piece piece = {units, bytes};
    bypeer_graph_hash(profile, &piece, 1, hash);
    for (unsigned at = 0; at < 8; at++)
        ret_half[at] = hash[at] ^ hash[8 + at];
}

void bypeer_record_make_id(const struct bypeer_profile *profile, const char *creator,
                           const uint8_t random_bytes[static 16], struct bypeer_guid *ret_id)
{
    bypeer_record_creator_half(profile, creator, ret_id->bytes);
    for (unsigned at = 0; at < 8; at++)
        ret_id->bytes[8 + at] = random_bytes[at] ^ random_bytes[8 + at];
}
