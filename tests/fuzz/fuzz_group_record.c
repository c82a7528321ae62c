/*
 * Records that were tampered with: none is ever taken. The input says which record of the founder's is changed (its
 * first byte) and how (three bytes each: where, high byte first, and what is added); without a change each one counts.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/group_town.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whether they are the same in all that the wire says. */
static bool is_same(const struct bypeer_record *a, const struct bypeer_record *b)
{
    size_t length = bypeer_record_bytes(a);
    bool same = length == bypeer_record_bytes(b);
    uint8_t *first = malloc(length), *second = malloc(length);
    same = same && bypeer_record_write(a, first, length) == (long)length &&
           bypeer_record_write(b, second, length) == (long)length && memcmp(first, second, length) == 0;
    free(first);
    free(second);
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct group_town *town = group_town();
    const struct bypeer_graph_security *security = bypeer_group_security(town->guest);
    const struct bypeer_record *original = bypeer_graph_next(town->graph, NULL, NULL);
    const struct bypeer_record_rules rules = {bypeer_profile(BYPEER_PROFILE_MODERN), town->group_id, 0, town->now.utc};
    struct bypeer_record *record;
    const char *why = NULL;
    if (size == 0)
        return 0;
    for (unsigned skip = data[0] % 8; skip > 0 && bypeer_graph_next(town->graph, NULL, original); skip--)
        original = bypeer_graph_next(town->graph, NULL, original);
    size_t length = bypeer_record_bytes(original);
    uint8_t *bytes = malloc(length);
    if (bypeer_record_write(original, bytes, length) != (long)length)
        abort();
    for (size_t at = 1; at + 2 < size; at += 3)
        bytes[((size_t)data[at] << 8 | data[at + 1]) % length] += data[at + 2];
    if (bypeer_record_read(&record, bytes, length) == 0) {
        if (!bypeer_record_fault(record, &rules)) {
            enum bypeer_graph_verdict verdict = security->validate(security->context, town->now, record, &why);
            if (verdict == BYPEER_GRAPH_VALID && !is_same(record, original))
                abort();
            if (verdict != BYPEER_GRAPH_VALID && !why)
                abort();
        }
        free(record);
    }
    free(bytes);
    return 0;
}
