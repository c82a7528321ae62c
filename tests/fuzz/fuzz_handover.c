/* Messages of the hand-over: whatever is read can be written, and then reads and writes the same again. */
#include <stdlib.h>
#include <string.h>

#include "overlay/tables/handover.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bypeer_handover message, again;
    if (bypeer_handover_read(&message, data, size))
        return 0;

    uint8_t first[BYPEER_HANDOVER_MAX], second[BYPEER_HANDOVER_MAX];
    size_t length = bypeer_handover_write(&message, first);
    if (length == 0 || length > size || bypeer_handover_fds(&message) > BYPEER_HANDOVER_FDS)
        abort();
    if (bypeer_handover_read(&again, first, length) || bypeer_handover_write(&again, second) != length ||
        memcmp(first, second, length) != 0)
        abort();
    return 0;
}
