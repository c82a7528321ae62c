/* Hashes of peer names (name.h), apart from their text: who only reads names needs no cryptography. */
#include <endian.h>
#include <string.h>

#include "overlay/pnrp/name.h"

void bypeer_name_classifier_hash(const struct bypeer_profile *profile, const struct bypeer_peer_name *name,
                                 uint8_t ret_hash[static 20])
{
    uint16_t units[BYPEER_CLASSIFIER_MAX];
    for (unsigned at = 0; at < name->classifier_length; at++)
        units[at] = htole16(name->classifier[at]);
    struct bypeer_piece piece = {units, name->classifier_length * sizeof(units[0])};
    bypeer_profile_hash(profile, &piece, 1, ret_hash);
}

void bypeer_p2p_id(const struct bypeer_profile *profile, const uint8_t *authority,
                   const uint8_t classifier_hash[static 20], uint8_t ret_p2p_id[static 16])
{
    static const uint8_t unsecured[BYPEER_AUTHORITY_BYTES];
    const struct bypeer_piece pieces[] = {
        {classifier_hash, 20},
        {authority ? authority : unsecured, BYPEER_AUTHORITY_BYTES},
        {classifier_hash, 20},
        {"PNRP", 4},
    };
    uint8_t hash[20];
    bypeer_profile_hash(profile, pieces, sizeof(pieces) / sizeof(pieces[0]), hash);
    memcpy(ret_p2p_id, hash, 16);
}

void bypeer_name_p2p_id(const struct bypeer_profile *profile, const struct bypeer_peer_name *name,
                        uint8_t ret_p2p_id[static 16])
{
    uint8_t classifier_hash[20];
    bypeer_name_classifier_hash(profile, name, classifier_hash);
    bypeer_p2p_id(profile, name->secure ? name->authority : NULL, classifier_hash, ret_p2p_id);
}
