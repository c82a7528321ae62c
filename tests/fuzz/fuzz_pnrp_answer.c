/* Answers' buffers of both profiles: what is read can be written, and is then the same. */
#include <stdlib.h>
#include <string.h>

#include "overlay/pnrp/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_and_write(const struct bypeer_profile *profile, const uint8_t *data, size_t size)
{
    struct bypeer_pnrp_answer answer, again;
    if (bypeer_pnrp_answer_read(&answer, profile, data, size) != 0)
        return;
    uint8_t *first = malloc(size + 3), *second = malloc(size + 3); /* padding may have been missing */
    size_t length = bypeer_pnrp_answer_write(&answer, profile, first, size + 3);
    uint8_t *exact = malloc(length ? length : 1);
    memcpy(exact, first, length);
    if (length == 0 || bypeer_pnrp_answer_read(&again, profile, exact, length) != 0 ||
        bypeer_pnrp_answer_write(&again, profile, second, size + 3) != length || memcmp(first, second, length) != 0)
        abort();
    free(exact);
    free(second);
    free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned id = 0; id < BYPEER_PROFILES; id++)
        read_and_write(bypeer_profile((enum bypeer_profile_id)id), data, size);
    return 0;
}
