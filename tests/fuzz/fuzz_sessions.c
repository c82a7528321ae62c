/* A sessions region of any contents: refused, or summed up and taken over without a step outside. */
#include "overlay/tables/sessions.h"
#include "tests/fuzz/region_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

static void take_over(const struct bypeer_sessions *from)
{
    uint64_t bytes = bypeer_sessions_bytes(2, 3);
    struct bypeer_sessions to;
    void *base;
    if (posix_memalign(&base, BYPEER_CACHE_LINE, bytes))
        return;
    memset(base, 0, bytes);
    if (bypeer_sessions_init(&to, base, bytes, 2, 3, 1, 0))
        abort();
    bypeer_sessions_copy(&to, from);
    free(base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t bytes;
    char why[BYPEER_REGION_WHY_BYTES];
    struct bypeer_sessions_view view;
    struct bypeer_sessions sessions;
    struct bypeer_session sum;
    uint8_t *base = region_input(BYPEER_REGION_SESSIONS, data, size, &bytes);
    if (!base)
        return 0;
    if (bypeer_sessions_view(&view, base, bytes, why) == 0) {
        for (unsigned at = 1; at + 16 <= REGION_INPUT_HEAD; at++) {
            uint32_t session;
            uint64_t serial;
            memcpy(&session, data + at, sizeof(session));
            memcpy(&serial, data + at + 4, sizeof(serial));
            bypeer_sessions_sum(&view, session % (view.links + 1), serial, &sum);
            sink += sum.received_packets;
            bypeer_sessions_sum(&view, session, view.entries[0].link_serial, &sum);
            sink += sum.sent_bytes;
        }
    }
    if (bypeer_sessions_attach(&sessions, base, bytes, why) == 0)
        take_over(&sessions);
    free(base);
    return 0;
}
