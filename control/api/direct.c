/*
 * direct.open, send, close and receive: data between programs on two members of a group.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "control/api/groups.h"

#define DIRECT_MS     30000
#define DIRECT_EVENTS 64 /* in one answer */

/* One call that waits for what the group does. */
struct direct_wait {
    struct call *call;
    struct bypeer_joined_wait *wait;
    uint64_t link;  /* of direct.open */
    uint64_t after; /* of direct.receive */
    uint64_t end_ns;
    /* Whether there is something to say, or last: then call->result, or the problem. */
    bool (*look)(struct direct_wait *wait, struct bypeer_joined *joined, bool last);
};

static int direct_go_on(struct direct_wait *wait, bool last);

static void direct_on_cancelled(struct call *call)
{
    struct direct_wait *wait = call->later;
    bypeer_joined_wait_cancel(wait->wait);
    free(wait);
}

static void direct_on_change(void *context, bool is_changed)
{
    struct direct_wait *wait = context;
    struct call *call = wait->call;
    int outcome = direct_go_on(wait, !is_changed);
    if (outcome == CALL_LATER)
        return;
    call->cancelled = NULL;
    free(wait);
    call_end(call, outcome);
}

/* CALL_LATER, or how it ended. */
static int direct_go_on(struct direct_wait *wait, bool last)
{
    struct call *call = wait->call;
    struct bypeer_joined *joined = call_group(call);
    uint64_t now = uv_hrtime();
    if (!joined)
        return call->problem.error;
    if (wait->look(wait, joined, last || now >= wait->end_ns))
        return call->result ? 0 : call->problem.error;
    wait->wait = bypeer_joined_wait(joined, (uint32_t)((wait->end_ns - now) / 1000000 + 1), direct_on_change, wait);
    return wait->wait ? CALL_LATER : bypeer_problem_no_memory(&call->problem);
}

static int direct_begin(const struct direct_wait *order)
{
    struct call *call = order->call;
    struct direct_wait *wait = malloc(sizeof(*wait));
    if (!wait)
        return bypeer_problem_no_memory(&call->problem);
    *wait = *order;
    wait->end_ns = uv_hrtime() + (uint64_t)call_integer(call, "timeout_ms", DIRECT_MS) * 1000000;
    int outcome = direct_go_on(wait, false);
    if (outcome != CALL_LATER) {
        free(wait);
        return outcome;
    }
    call->later = wait;
    call->cancelled = direct_on_cancelled;
    return CALL_LATER;
}

/* --- opening --- */

static bool direct_look_open(struct direct_wait *wait, struct bypeer_joined *joined, bool last)
{
    struct call *call = wait->call;
    enum bypeer_direct_state state = bypeer_direct_state(joined, wait->link);
    if (state == BYPEER_DIRECT_OPEN) {
        call->result = json_pack("{s:I}", "link", (json_int_t)wait->link);
        return true;
    }
    if (state == BYPEER_DIRECT_OPENING && !last)
        return false;
    if (state == BYPEER_DIRECT_OPENING)
        bypeer_direct_close(joined, wait->link, NULL);
    bypeer_problem_set(&call->problem, -EHOSTUNREACH, "not_connected",
                       "member \"%.60s\"\ndoes not answer at the addresses of its presence\ntry again later",
                       call_string(call, "member"));
    return true;
}

int method_direct_open(struct call *call)
{
    struct direct_wait wait = {.call = call, .look = direct_look_open};
    struct bypeer_joined *joined = call_group(call);
    int result =
        joined ? bypeer_direct_open(joined, call_string(call, "member"), call_who(call), &wait.link, &call->problem)
               : call->problem.error;
    return result < 0 ? result : direct_begin(&wait);
}

/* --- sending --- */

int method_direct_send(struct call *call)
{
    struct bypeer_joined *joined = call_group(call);
    const char *text = call_string(call, "data"), *type_text = call_string(call, "type");
    struct bypeer_guid type = {{0}};
    size_t length = strlen(text);
    if (!joined)
        return call->problem.error;
    if (type_text && bypeer_guid_read(&type, type_text) < 0)
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter",
                                  "parameter \"type\"\nis no GUID\nwrite one like "
                                  "12345678-9abc-def0-1234-56789abcdef0");
    uint8_t *bytes = length <= 2 * BYPEER_DIRECT_DATA_MAX ? malloc(BYPEER_DIRECT_DATA_MAX) : NULL;
    if (!bytes || sodium_base642bin(bytes, BYPEER_DIRECT_DATA_MAX, text, length, NULL, &length, NULL,
                                    sodium_base64_VARIANT_ORIGINAL) != 0) {
        free(bytes);
        return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter",
                                  "parameter \"data\"\nis no base64 of at most 256 KiB\nsend it in parts");
    }
    int result =
        bypeer_direct_send(joined, (uint64_t)call_integer(call, "link", 0), &type, bytes, length, &call->problem);
    free(bytes);
    return result < 0 ? result : call_number(call, "sent", length);
}

int method_direct_close(struct call *call)
{
    struct bypeer_joined *joined = call_group(call);
    int result = joined ? bypeer_direct_close(joined, (uint64_t)call_integer(call, "link", 0), &call->problem)
                        : call->problem.error;
    return result < 0 ? result : call_number(call, "closed", 1);
}

/* --- receiving --- */

static json_t *direct_entry(const struct bypeer_direct_event *event)
{
    static const char *const kinds[] = {
        [BYPEER_DIRECT_OPENED] = "opened", [BYPEER_DIRECT_DATA] = "data", [BYPEER_DIRECT_CLOSED] = "closed"};
    json_t *entry = json_pack("{s:I, s:s, s:I, s:o, s:b}", "sequence", (json_int_t)event->sequence, "event",
                              kinds[event->kind], "link", (json_int_t)event->link, "member",
                              call_peer_text(event->member), "initiator", event->is_initiator);
    if (event->kind != BYPEER_DIRECT_DATA)
        return entry;
    char type[BYPEER_GUID_TEXT_BYTES];
    size_t room = sodium_base64_ENCODED_LEN(event->length, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(room);
    bypeer_guid_write(&event->type, type);
    json_object_set_new(entry, "type", json_stringn(type + 1, strlen(type) - 2));
    json_object_set_new(
        entry, "data",
        text ? json_string(sodium_bin2base64(text, room, event->bytes, event->length, sodium_base64_VARIANT_ORIGINAL))
             : json_null());
    free(text);
    return entry;
}

static bool direct_look_events(struct direct_wait *wait, struct bypeer_joined *joined, bool last)
{
    const struct bypeer_direct_event *event;
    json_t *events = json_array();
    bool whole, is_whole = true;
    do {
        event = bypeer_direct_event_after(joined, wait->after, &whole);
        is_whole = is_whole && whole;
        wait->after = event ? event->sequence : bypeer_direct_sequence(joined);
        if (event)
            json_array_append_new(events, direct_entry(event));
    } while (event && json_array_size(events) < DIRECT_EVENTS);
    if (json_array_size(events) == 0 && is_whole && !last) {
        json_decref(events);
        return false;
    }
    wait->call->result =
        json_pack("{s:o, s:I, s:b}", "events", events, "next", (json_int_t)wait->after, "whole", is_whole);
    return true;
}

int method_direct_receive(struct call *call)
{
    struct direct_wait wait = {.call = call, .look = direct_look_events};
    const struct bypeer_joined *joined = call_group(call);
    if (!joined)
        return call->problem.error;
    wait.after = (uint64_t)call_integer(call, "after", (json_int_t)bypeer_direct_sequence(joined));
    return direct_begin(&wait);
}
