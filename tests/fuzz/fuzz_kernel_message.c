/* Netlink messages as the kernel sends them, damaged: the reader must stay in the buffer and always get on. */
#include <stdlib.h>

#include "control/kernel/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct bypeer_kernel_message message;
    while (length > 0) {
        long took = bypeer_kernel_message_read(&message, bytes, length);
        if (took < 0)
            break;
        if (took < 16 || (size_t)took > length)
            abort();
        if (message.kind == BYPEER_KERNEL_LINK && message.link.name[sizeof(message.link.name) - 1] != 0)
            abort();
        bytes += took;
        length -= (size_t)took;
    }
    return 0;
}
