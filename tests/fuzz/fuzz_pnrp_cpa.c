/* Certified peer addresses of both profiles: what is read can be written, and says the same then. */
#include <stdlib.h>
#include <string.h>

#include "overlay/pnrp/cpa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_and_write(const struct bypeer_profile *profile, const uint8_t *data, size_t size)
{
    struct bypeer_cpa cpa, again;
    uint8_t first[BYPEER_CPA_MAX], second[BYPEER_CPA_MAX], id[32], id_again[32];
    size_t signed_bytes, signed_again;
    if (bypeer_cpa_read(&cpa, profile, data, size) != 0)
        return;
    if (cpa.signature + profile->signature_bytes != data + size || cpa.signed_bytes >= size)
        abort();
    memset(first, 0, sizeof(first));
    size_t length = bypeer_cpa_write(&cpa, profile, first, sizeof(first), &signed_bytes);
    uint8_t *exact = malloc(sizeof(first));
    memcpy(exact + sizeof(first) - length, first, length);
    if (length == 0 || bypeer_cpa_read(&again, profile, exact + sizeof(first) - length, length) != 0 ||
        again.signed_bytes != signed_bytes)
        abort();
    bypeer_cpa_id(&cpa, profile, id);
    bypeer_cpa_id(&again, profile, id_again);
    if (bypeer_cpa_write(&again, profile, second, sizeof(second), &signed_again) != length ||
        signed_again != signed_bytes || memcmp(first, second, signed_bytes) != 0 || memcmp(id, id_again, 32) != 0)
        abort();
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned id = 0; id < BYPEER_PROFILES; id++)
        read_and_write(bypeer_profile((enum bypeer_profile_id)id), data, size);
    return 0;
}
