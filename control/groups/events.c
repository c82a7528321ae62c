/*
 * The last changes of a group's records, by number, and those who wait for the next one.
 */
#include <stdlib.h>

#include "control/groups/state.h"

struct bypeer_joined_wait {
    struct bypeer_joined *joined;
    struct bypeer_joined_wait *next, **link;
    uv_timer_t timer;
    void (*done)(void *context, bool is_changed);
    void *context;
};

void joined_add_event(struct bypeer_joined *joined, enum bypeer_record_change change,
                      const struct bypeer_record *record)
{
    /* What it says is the graph's to tell; here is only that it changed. */
    struct bypeer_record slim = *record;
    slim.attributes = NULL;
    slim.security = slim.payload = NULL;
    slim.security_bytes = slim.payload_bytes = 0;
    struct bypeer_record *copy = bypeer_record_copy(&slim);
    struct bypeer_joined_event *event = &joined->events[(joined->sequence + 1) % BYPEER_JOINED_EVENTS];
    if (!copy)
        return;
    free(event->record);
    *event = (struct bypeer_joined_event){.sequence = ++joined->sequence, .change = change, .record = copy};
}

const struct bypeer_joined_event *bypeer_joined_event_after(const struct bypeer_joined *joined, uint64_t sequence,
                                                            bool *ret_whole)
{
    uint64_t oldest = joined->sequence > BYPEER_JOINED_EVENTS ? joined->sequence - BYPEER_JOINED_EVENTS + 1 : 1;
    *ret_whole = sequence + 1 >= oldest && sequence <= joined->sequence;
    if (!*ret_whole)
        sequence = oldest - 1;
    return sequence < joined->sequence ? &joined->events[(sequence + 1) % BYPEER_JOINED_EVENTS] : NULL;
}

uint64_t bypeer_joined_sequence(const struct bypeer_joined *joined)
{
    return joined->sequence;
}

/* --- waiting --- */

static void wait_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void wait_end(struct bypeer_joined_wait *wait)
{
    *wait->link = wait->next;
    if (wait->next)
        wait->next->link = wait->link;
    uv_close((uv_handle_t *)&wait->timer, wait_on_closed);
}

static void wait_on_timer(uv_timer_t *timer)
{
    struct bypeer_joined_wait *wait = timer->data;
    wait_end(wait);
    wait->done(wait->context, false);
}

struct bypeer_joined_wait *bypeer_joined_wait(struct bypeer_joined *joined, uint32_t timeout_ms,
                                              void (*done)(void *context, bool is_changed), void *context)
{
    struct bypeer_joined_wait *wait = calloc(1, sizeof(*wait));
    if (!wait)
        return NULL;
    *wait = (struct bypeer_joined_wait){
        .joined = joined, .next = joined->waits, .link = &joined->waits, .done = done, .context = context};
    if (wait->next)
        wait->next->link = &wait->next;
    joined->waits = wait;
    uv_timer_init(joined->groups->loop, &wait->timer);
    wait->timer.data = wait;
    uv_timer_start(&wait->timer, wait_on_timer, timeout_ms, 0);
    return wait;
}

void bypeer_joined_wait_cancel(struct bypeer_joined_wait *wait)
{
    wait_end(wait);
}

void joined_tell(struct bypeer_joined *joined)
{
    /* Whoever is told may wait anew: he is told at the next change. */
    struct bypeer_joined_wait *waits = joined->waits;
    joined->waits = NULL;
    if (waits)
        waits->link = &waits;
    while (waits) {
        struct bypeer_joined_wait *wait = waits;
        wait_end(wait);
        wait->done(wait->context, true);
    }
}

void joined_free_events(struct bypeer_joined *joined)
{
    joined_tell(joined);
    for (unsigned at = 0; at < BYPEER_JOINED_EVENTS; at++)
        free(joined->events[at].record);
}
