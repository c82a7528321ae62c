/* Records: what is read can be written and is then the same; its copy, too; and the rules take any. */
#include <stdlib.h>
#include <string.h>

#include "overlay/graph/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct bypeer_record *record)
{
    for (unsigned id = 0; id < BYPEER_PROFILES; id++) {
        const struct bypeer_record_rules rules = {bypeer_profile((enum bypeer_profile_id)id), record->graph, 4096, 1};
        bypeer_record_fault(record, &rules);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bypeer_record *record, *again, *copy;
    if (bypeer_record_read(&record, data, size) != 0)
        return 0;
    record->flags &= ~BYPEER_RECORD_AUTOREFRESH; /* what is never written */
    copy = bypeer_record_copy(record);
    judge(copy);
    size_t length = bypeer_record_bytes(copy);
    uint8_t *bytes = malloc(length);
    if (length == 0 || length > size || bypeer_record_write(copy, bytes, length) != (long)length ||
        (memcmp(bytes, data, 39) != 0 || memcmp(bytes + 40, data + 40, length - 40) != 0))
        abort();
    if (bypeer_record_read(&again, bytes, length) != 0 || bypeer_record_compare(record, again) != 0)
        abort();
    free(bytes);
    free(again);
    free(copy);
    free(record);
    return 0;
}
