/* Certificate chains: whatever they are, they end in a verdict, and a refusal says why. */
#include <stdlib.h>
#include <string.h>

#include "overlay/pnrp/delegation.h"
#include "tests/unit/fixtures/pnrp_vectors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void from_hex(uint8_t *ret_bytes, size_t length, const char *hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t at = 0; at < length; at++)
        ret_bytes[at] =
            (uint8_t)((strchr(digits, hex[2 * at]) - digits) << 4 | (strchr(digits, hex[2 * at + 1]) - digits));
}

/* Of the seeds' authority and last key, so that all rules are come by. */
static void validate(unsigned id, const uint8_t *data, size_t size)
{
    const struct bypeer_profile *profile = bypeer_profile((enum bypeer_profile_id)id);
    struct bypeer_peer_name name = {.secure = true, .classifier_length = 1, .classifier = {'M'}};
    uint8_t public_key[BYPEER_PUBLIC_KEY_MAX];
    char why[160] = "";
    from_hex(name.authority, sizeof(name.authority), pnrp_vectors[id].authority);
    from_hex(public_key, profile->public_key_bytes, pnrp_vectors[id].delegate);
    int status = bypeer_delegation_validate(profile, data, size, &name, public_key, 1700000000, why, sizeof(why));
    if ((status == 0) != (why[0] == '\0'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned id = 0; id < BYPEER_PROFILES; id++)
        validate(id, data, size);
    return 0;
}
