/* Messages of both profiles: what is read can be written, in the bytes that it says, and is then the same. */
#include <stdlib.h>
#include <string.h>

#include "overlay/graph/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *written(const struct bypeer_graph_message *message, const struct bypeer_profile *profile,
                        size_t *ret_length)
{
    size_t length = bypeer_graph_message_bytes(message);
    uint8_t *bytes = malloc(length);
    if (bypeer_graph_message_write(message, profile, bytes, length) != length ||
        bypeer_graph_message_write(message, profile, bytes, length - 1) != 0)
        abort();
    *ret_length = length;
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned id = 0; id < BYPEER_PROFILES; id++) {
        const struct bypeer_profile *profile = bypeer_profile((enum bypeer_profile_id)id);
        struct bypeer_graph_message message, again;
        size_t length, length_again;
        if (bypeer_graph_message_read(&message, profile, data, size) != 0)
            continue;
        uint8_t *first = written(&message, profile, &length);
        /* Where offsets may lead anywhere, parts of a message may be told twice and so be more than 16 bits reach. */
        if (bypeer_graph_message_read(&again, profile, first, length) == 0) {
            uint8_t *second = written(&again, profile, &length_again);
            if (length_again != length || memcmp(first, second, length) != 0)
                abort();
            free(second);
        } else if (length <= size) {
            abort();
        }
        free(first);
    }
    return 0;
}
