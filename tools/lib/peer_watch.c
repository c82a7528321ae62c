/*
 * Watching a group's records without waiting.
 *
 *   bypeer_peer_watch_begin() --- record.watch {after: the last event} --> node, which answers when there is one
 *   bypeer_process() <----------- its answer: callbacks, and the same is asked again
 *
 * A watch that is cancelled stays in the connection's list, without callbacks, until its answer has come.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/lib/peer_values.h"

#define WATCH_MS 30000 /* that the node keeps a question; asked anew then */

struct bypeer_peer_watch {
    struct bypeer *node;
    struct bypeer_peer_watch *next;
    uint64_t id;
    char *group, *type;          /* type NULL: all */
    int64_t after;               /* -1: from now on */
    bypeer_peer_changed changed; /* NULL: cancelled */
    bypeer_peer_ended ended;
    void *context;
};

static void watch_free(struct bypeer_peer_watch *watch)
{
    free(watch->group);
    free(watch->type);
    free(watch);
}

static int watch_ask(struct bypeer_peer_watch *watch)
{
    json_t *params = json_pack("{s:s, s:s*, s:o*, s:i}", "group", watch->group, "type", watch->type, "after",
                               watch->after >= 0 ? json_integer(watch->after) : NULL, "timeout_ms", WATCH_MS);
    if (!params)
        return connection_fail(watch->node, -EINVAL, "a parameter of record.watch is missing or no UTF-8");
    return bypeer_send(watch->node, "record.watch", params, &watch->id);
}

int bypeer_peer_watch_begin(struct bypeer_peer_watch **ret_watch, struct bypeer *node, const char *group,
                            const char *type, bypeer_peer_changed changed, bypeer_peer_ended ended, void *context)
{
    struct bypeer_peer_watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return connection_fail(node, -ENOMEM, "out of memory");
    *watch = (struct bypeer_peer_watch){.node = node,
                                        .next = node->watches,
                                        .group = strdup(group),
                                        .type = type ? strdup(type) : NULL,
                                        .after = -1,
                                        .changed = changed,
                                        .ended = ended,
                                        .context = context};
    int error = !watch->group || (type && !watch->type) ? connection_fail(node, -ENOMEM, "out of memory") : 0;
    if (!error)
        error = watch_ask(watch);
    if (error) {
        watch_free(watch);
        return error;
    }
    node->watches = watch;
    *ret_watch = watch;
    return 0;
}

void bypeer_peer_watch_cancel(struct bypeer_peer_watch *watch)
{
    watch->changed = NULL;
    watch->ended = NULL;
}

void watches_free(struct bypeer *node)
{
    while (node->watches) {
        struct bypeer_peer_watch *watch = node->watches;
        node->watches = watch->next;
        watch_free(watch);
    }
}

static enum bypeer_peer_change watch_change(const json_t *object)
{
    static const char *const names[] = {
        [BYPEER_PEER_ADDED] = "added",
        [BYPEER_PEER_UPDATED] = "updated",
        [BYPEER_PEER_REMOVED] = "removed",
        [BYPEER_PEER_EXPIRED] = "expired",
    };
    const char *name = value_text(object, "change");
    enum bypeer_peer_change change = BYPEER_PEER_EXPIRED;
    while (change > BYPEER_PEER_MISSED && strcmp(name, names[change]) != 0)
        change--;
    return change;
}

/* False: the answer is not as it should be. */
static bool watch_tell(struct bypeer_peer_watch *watch, const json_t *result)
{
    const json_t *events = json_object_get(result, "events");
    const json_t *next = json_object_get(result, "next");
    struct bypeer_peer_event missed = {.change = BYPEER_PEER_MISSED, .sequence = json_integer_value(next)};
    if (!json_is_array(events) || !json_is_integer(next))
        return false;
    if (json_is_false(json_object_get(result, "whole")) && watch->changed)
        watch->changed(watch->context, &missed);
    for (size_t at = 0; at < json_array_size(events); at++) {
        const json_t *object = json_array_get(events, at);
        struct bypeer_peer_record record = {0};
        struct bypeer_peer_event event = {
            .change = watch_change(object), .sequence = value_integer(object, "sequence"), .record = &record};
        if (event.change == BYPEER_PEER_MISSED || !peer_record_fill(&record, json_object_get(object, "record")))
            return false;
        if (watch->changed)
            watch->changed(watch->context, &event);
    }
    watch->after = json_integer_value(next);
    return true;
}

/* One whose answer has come, out of the list; NULL: none. */
static struct bypeer_peer_watch *watch_take_answered(struct bypeer *node, json_t **ret_answer)
{
    for (struct bypeer_peer_watch **link = &node->watches; *link; link = &(*link)->next) {
        json_t *answer = call_take_kept(node, (*link)->id);
        if (!answer)
            continue;
        struct bypeer_peer_watch *watch = *link;
        *link = watch->next;
        *ret_answer = answer;
        return watch;
    }
    return NULL;
}

static void watch_answered(struct bypeer_peer_watch *watch, json_t *answer)
{
    struct bypeer *node = watch->node;
    json_t *result = NULL;
    int error = call_answer(node, answer, &result);
    if (!error && !watch_tell(watch, result))
        error = value_malformed(node, "record.watch");
    json_decref(result);
    if (!error && watch->changed)
        error = watch_ask(watch);
    if (!error && watch->changed) {
        watch->next = node->watches;
        node->watches = watch;
        return;
    }
    bypeer_peer_ended ended = error ? watch->ended : NULL;
    void *context = watch->context;
    watch_free(watch);
    if (ended)
        ended(context, error);
}

void watches_process(struct bypeer *node)
{
    struct bypeer_peer_watch *watch;
    json_t *answer;
    while ((watch = watch_take_answered(node, &answer)))
        watch_answered(watch, answer);
}
