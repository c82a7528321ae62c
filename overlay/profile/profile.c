#include "overlay/profile/profile.h"

#include <string.h>

static const struct bypeer_profile profiles[BYPEER_PROFILES] = {
    [BYPEER_PROFILE_MODERN] =
        {
            .id = BYPEER_PROFILE_MODERN,
            .name = "modern",
            .pnrp_major = 5,
            .pnrp_minor = 0,
            .pnrp_port = 3541,
            .key_algorithm = "1.3.101.112", /* id-Ed25519, RFC 8410 */
            .public_key_bytes = 32,
            .signature_bytes = 64,
            .signature_algorithm = 0x0000ed19, /* ours: CryptoAPI has no number for Ed25519 */
        },
    [BYPEER_PROFILE_WINDOWS] =
        {
            .id = BYPEER_PROFILE_WINDOWS,
            .name = "windows",
            .pnrp_major = 4,
            .pnrp_minor = 0,
            .pnrp_port = 3540,
            .key_algorithm = "1.2.840.113549.1.1.1", /* rsaEncryption */
            .public_key_bytes = 140,
            .signature_bytes = 128,
            .signature_algorithm = 0x00008004, /* CALG_SHA1, [MS-PNRP] 2.2.3.2 */
        },
};

const struct bypeer_profile *bypeer_profile(enum bypeer_profile_id id)
{
    return &profiles[id];
}

const struct bypeer_profile *bypeer_profile_find(const char *name)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++)
        if (strcmp(profiles[at].name, name) == 0)
            return &profiles[at];
    return NULL;
}
