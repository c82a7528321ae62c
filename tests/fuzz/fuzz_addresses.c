/* The kernel's list of addresses: whatever the text, no more addresses than there is room for, each of them in it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/names/addresses.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct bypeer_config config = {.overlay = {.tap = "bypeer0"}};
    const struct bypeer_config_cloud clouds[2] = {{.scope = BYPEER_CLOUD_GLOBAL},
                                                  {.scope = BYPEER_CLOUD_LINK, .interface = "eth0"}};
    uint8_t addresses[BYPEER_CONFIG_CLOUD_ADDRESSES][16];
    for (unsigned at = 0; at < 2; at++) {
        unsigned count = bypeer_addresses_choose((const char *)data, size, &config, &clouds[at], addresses);
        if (count > BYPEER_CONFIG_CLOUD_ADDRESSES)
            abort();
    }
    return 0;
}
