/* Extended payloads of both profiles: what is read can be written, and says the same then. */
#include <stdlib.h>
#include <string.h>

#include "overlay/pnrp/cpa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_and_write(const struct bypeer_profile *profile, const uint8_t *data, size_t size)
{
    struct bypeer_extended extended, again;
    size_t signed_bytes, signed_again;
    if (bypeer_extended_read(&extended, profile, data, size) != 0)
        return;
    if (extended.signature + profile->signature_bytes != data + size || extended.payload_bytes > BYPEER_PAYLOAD_MAX)
        abort();
    uint8_t *first = calloc(1, BYPEER_EXTENDED_MAX), *second = calloc(1, BYPEER_EXTENDED_MAX);
    size_t length = bypeer_extended_write(&extended, profile, first, BYPEER_EXTENDED_MAX, &signed_bytes);
    if (length == 0 || bypeer_extended_read(&again, profile, first, length) != 0 || again.signed_bytes != signed_bytes)
        abort();
    if (bypeer_extended_write(&again, profile, second, BYPEER_EXTENDED_MAX, &signed_again) != length ||
        memcmp(first, second, signed_bytes) != 0)
        abort();
    free(second);
    free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned id = 0; id < BYPEER_PROFILES; id++)
        read_and_write(bypeer_profile((enum bypeer_profile_id)id), data, size);
    return 0;
}
