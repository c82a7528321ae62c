/*
 * Watching a group's records and its direct links without waiting.
 *
 *   ..._begin() ------- record.watch, direct.receive {after: the last event} --> node, which answers when there is one
 *   bypeer_process() <- its answer: callbacks, and the same is asked again
 *
 * A watch that is cancelled stays in the connection's list, without callbacks, until its answer has come.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/lib/base64.h"
#include "tools/lib/peer_values.h"

#define WATCH_MS 30000 /* that the node keeps a question; asked anew then */

struct bypeer_peer_watch {
    struct bypeer *node;
    struct bypeer_peer_watch *next;
    uint64_t id;
    char *group, *type; /* type NULL: all */
    int64_t after;      /* -1: from now on */
    bool is_cancelled;
    bypeer_peer_changed changed; /* NULL: of direct links */
    bypeer_peer_heard heard;
    bypeer_peer_ended ended;
    void *context;
};

static void watch_free(struct bypeer_peer_watch *watch)
{
    free(watch->group);
    free(watch->type);
    free(watch);
}

static const char *watch_method(const struct bypeer_peer_watch *watch)
{
    return watch->changed ? "record.watch" : "direct.receive";
}

static int watch_ask(struct bypeer_peer_watch *watch)
{
    json_t *params = json_pack("{s:s, s:s*, s:o*, s:i}", "group", watch->group, "type", watch->type, "after",
                               watch->after >= 0 ? json_integer(watch->after) : NULL, "timeout_ms", WATCH_MS);
    if (!params)
        return connection_fail(watch->node, -EINVAL, "a parameter of %s is missing or no UTF-8", watch_method(watch));
    return bypeer_send(watch->node, watch_method(watch), params, &watch->id);
}

static int watch_begin(struct bypeer_peer_watch **ret_watch, const struct bypeer_peer_watch *order, const char *group,
                       const char *type)
{
    struct bypeer *node = order->node;
    struct bypeer_peer_watch *watch = malloc(sizeof(*watch));
    if (!watch)
        return connection_fail(node, -ENOMEM, "out of memory");
    *watch = *order;
    watch->next = node->watches;
    watch->group = strdup(group);
    watch->type = type ? strdup(type) : NULL;
    watch->after = -1;
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

int bypeer_peer_watch_begin(struct bypeer_peer_watch **ret_watch, struct bypeer *node, const char *group,
                            const char *type, bypeer_peer_changed changed, bypeer_peer_ended ended, void *context)
{
    const struct bypeer_peer_watch order = {.node = node, .changed = changed, .ended = ended, .context = context};
    return watch_begin(ret_watch, &order, group, type);
}

int bypeer_peer_direct_begin(struct bypeer_peer_watch **ret_watch, struct bypeer *node, const char *group,
                             bypeer_peer_heard heard, bypeer_peer_ended ended, void *context)
{
    const struct bypeer_peer_watch order = {.node = node, .heard = heard, .ended = ended, .context = context};
    return watch_begin(ret_watch, &order, group, NULL);
}

void bypeer_peer_watch_cancel(struct bypeer_peer_watch *watch)
{
    watch->is_cancelled = true;
}

void watches_free(struct bypeer *node)
{
    while (node->watches) {
        struct bypeer_peer_watch *watch = node->watches;
        node->watches = watch->next;
        watch_free(watch);
    }
}

/* The place of a name among those of a kind of event, of which the first has none; 0: it is none of them. */
static unsigned watch_kind(const char *name, const char *const names[], unsigned count)
{
    unsigned kind = count - 1;
    while (kind > 0 && strcmp(name, names[kind]) != 0)
        kind--;
    return kind;
}

static bool watch_tell_change(const struct bypeer_peer_watch *watch, json_t *object)
{
    static const char *const names[] = {
        [BYPEER_PEER_ADDED] = "added",
        [BYPEER_PEER_UPDATED] = "updated",
        [BYPEER_PEER_REMOVED] = "removed",
        [BYPEER_PEER_EXPIRED] = "expired",
    };
    struct bypeer_peer_record record = {0};
    const struct bypeer_peer_event event = {
        .change = (enum bypeer_peer_change)watch_kind(value_text(object, "change"), names, 5),
        .sequence = value_integer(object, "sequence"),
        .record = &record,
    };
    if (event.change == BYPEER_PEER_MISSED || !peer_record_fill(&record, json_object_get(object, "record")))
        return false;
    watch->changed(watch->context, &event);
    return true;
}

static bool watch_tell_message(const struct bypeer_peer_watch *watch, json_t *object)
{
    static const char *const names[] = {
        [BYPEER_PEER_OPENED] = "opened", [BYPEER_PEER_DATA] = "data", [BYPEER_PEER_CLOSED] = "closed"};
    const char *text = value_text(object, "data");
    struct bypeer_peer_message message = {
        .said = (enum bypeer_peer_said)watch_kind(value_text(object, "event"), names, 4),
        .link = value_integer(object, "link"),
        .is_initiator = peer_is_true(object, "initiator"),
        .member = value_text(object, "member"),
        .type = value_text(object, "type"),
    };
    if (message.said == BYPEER_PEER_LOST || !message.link)
        return false;
    uint8_t *bytes = malloc(strlen(text) + 1);
    ssize_t length = bytes ? base64_read(text, bytes, strlen(text)) : -ENOMEM;
    message.bytes = bytes;
    message.length = length < 0 ? 0 : (size_t)length;
    if (length >= 0)
        watch->heard(watch->context, &message);
    free(bytes);
    return length >= 0;
}

static void watch_tell_gap(const struct bypeer_peer_watch *watch)
{
    const struct bypeer_peer_event missed = {.change = BYPEER_PEER_MISSED};
    const struct bypeer_peer_message lost = {.said = BYPEER_PEER_LOST, .member = "", .type = "", .bytes = ""};
    if (watch->changed)
        watch->changed(watch->context, &missed);
    else
        watch->heard(watch->context, &lost);
}

/* False: the answer is not as it should be. */
static bool watch_tell(struct bypeer_peer_watch *watch, const json_t *result)
{
    const json_t *events = json_object_get(result, "events");
    const json_t *next = json_object_get(result, "next");
    if (!json_is_array(events) || !json_is_integer(next))
        return false;
    if (json_is_false(json_object_get(result, "whole")) && !watch->is_cancelled)
        watch_tell_gap(watch);
    for (size_t at = 0; at < json_array_size(events) && !watch->is_cancelled; at++)
        if (!(watch->changed ? watch_tell_change : watch_tell_message)(watch, json_array_get(events, at)))
            return false;
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
        error = value_malformed(node, watch_method(watch));
    json_decref(result);
    if (!error && !watch->is_cancelled)
        error = watch_ask(watch);
    if (!error && !watch->is_cancelled) {
        watch->next = node->watches;
        node->watches = watch;
        return;
    }
    bypeer_peer_ended ended = error && !watch->is_cancelled ? watch->ended : NULL;
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
