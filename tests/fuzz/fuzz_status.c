/* A status region of any contents: attach refuses it, or all that control reads of it is inside and bounded. */
#include "overlay/tables/events.h"
#include "overlay/tables/grace.h"
#include "overlay/tables/status.h"
#include "tests/fuzz/region_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

static void check_text(const char *field, size_t bytes)
{
    char text[128];
    bypeer_status_text(text, field, bytes);
    if (strlen(text) >= bytes)
        abort();
    for (const char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            abort();
}

static void check_grace(const struct bypeer_status_view *view)
{
    struct bypeer_grace grace;
    bypeer_grace_init(&grace, 1);
    bypeer_grace_add(&grace, view->header);
    bypeer_grace_asked(&grace, 1000, 1);
    if (bypeer_grace_turn(&grace, true, 2).completed > 1000)
        abort();
}

/* From any place on, at most one lap is read. */
static void check_events(const struct bypeer_event_ring *ring, const uint8_t *from)
{
    enum bypeer_event type;
    uint64_t tail, value;
    bool lost = false;
    unsigned read = 0;
    memcpy(&tail, from, sizeof(tail));
    while (bypeer_event_take(ring, &tail, &type, &value, &lost)) {
        sink += value;
        if (++read > BYPEER_EVENTS)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t bytes;
    char why[BYPEER_REGION_WHY_BYTES];
    struct bypeer_status_view view;
    uint8_t *base = region_input(BYPEER_REGION_STATUS, data, size, &bytes);
    if (!base)
        return 0;
    if (bypeer_status_attach(&view, base, bytes, why) == 0) {
        check_grace(&view);
        sink += (uint64_t)bypeer_status_latest(&view);
        for (uint32_t worker = 0; worker <= view.size.workers; worker++)
            for (uint32_t counter = 0; counter <= view.size.counters; counter++)
                sink += bypeer_status_counter(&view, worker, counter);
        for (uint32_t i = 0; i < view.size.counters; i++) {
            check_text(view.counters[i].name, sizeof(view.counters[i].name));
            check_text(view.counters[i].text, sizeof(view.counters[i].text));
        }
        for (uint32_t i = 0; i < view.size.workers; i++)
            check_events(&view.events[i], data);
        for (uint32_t i = 0; i < view.size.ports; i++)
            check_text(view.ports[i].driver, sizeof(view.ports[i].driver));
    }
    free(base);
    return 0;
}
