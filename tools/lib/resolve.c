/*
 * Resolving, with and without waiting.
 *
 *   bypeer_resolve_begin() --- names.resolve {stream: true} --> node
 *   bypeer_process() <-------- names.found {id, result}, any number of times, then the answer to the request
 *
 * Each result comes as a notification; the answer repeats them all and tells the end. A resolve that is cancelled stays
 * in the connection's list, without callbacks, until its answer has come.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/lib/base64.h"
#include "tools/lib/name_values.h"

#define QUERY_MS 30000
#define LATER_MS 5000 /* that an answer may take beyond the query's own time */

struct bypeer_resolve {
    struct bypeer *node;
    struct bypeer_resolve *next;
    uint64_t id;
    bypeer_name_found found; /* NULL: cancelled */
    bypeer_name_finished finished;
    void *context;
};

/* Sends the request. */
static int query_send(struct bypeer *node, const struct bypeer_name_query *query, bool stream, uint64_t *ret_id)
{
    json_t *clouds = NULL;
    json_t *params = NULL;
    if (name_clouds_write(query->clouds, query->cloud_count, &clouds))
        params = json_pack("{s:s, s:o*, s:o*, s:o*, s:b, s:b, s:s*}", "name", query->name, "clouds", clouds, "results",
                           query->results ? json_integer(query->results) : NULL, "timeout_ms",
                           query->timeout_ms ? json_integer(query->timeout_ms) : NULL, "own", query->own ? 1 : 0,
                           "stream", stream ? 1 : 0, "criterion", query->criterion);
    if (!params)
        return connection_fail(node, -EINVAL, "a parameter of names.resolve is missing or no UTF-8");
    return bypeer_send(node, "names.resolve", params, ret_id);
}

/* False: it is not as it should be. */
static bool result_tell(const json_t *object, bypeer_name_found found, void *context)
{
    struct name_endpoints endpoints, services;
    uint8_t payload[BYPEER_NAME_PAYLOAD_MAX + 1];
    const json_t *text = json_object_get(object, "payload");
    struct bypeer_name_result result = {
        .name = value_text(object, "name"),
        .cloud = value_text(object, "cloud"),
        .id = value_text(object, "id"),
        .comment = value_text(object, "comment"),
        .secure = json_is_true(json_object_get(object, "secure")),
        .endpoints = endpoints.list,
        .services = services.list,
        .not_after = value_integer(object, "not_after"),
        .hops = (int)value_integer(object, "hops"),
    };
    if (!result.name[0] || !name_endpoints_read(json_object_get(object, "endpoints"), 6, &endpoints) ||
        !name_endpoints_read(json_object_get(object, "services"), 17, &services))
        return false;
    result.endpoint_count = endpoints.count;
    result.service_count = services.count;
    if (json_is_string(text) && strcmp(value_text(object, "payload_type"), "binary") == 0) {
        ssize_t length = base64_read(json_string_value(text), payload, sizeof(payload) - 1);
        if (length < 0)
            return false;
        payload[length] = '\0';
        result.payload = payload;
        result.payload_bytes = (size_t)length;
    } else if (json_is_string(text)) {
        result.payload = json_string_value(text);
        result.payload_bytes = json_string_length(text);
        result.payload_is_text = 1;
    }
    found(context, &result);
    return true;
}

/* The end of a resolve as a number: of results, or -ENOENT, or another error. *ret_result is for the caller to free. */
static int query_end(struct bypeer *node, int error, json_t *result)
{
    size_t count = json_array_size(json_object_get(result, "results"));
    if (error == -EREMOTEIO && strcmp(bypeer_error_key(node), "name_not_found") == 0)
        return -ENOENT;
    if (error)
        return error;
    return count ? (int)count : value_malformed(node, "names.resolve");
}

int bypeer_name_resolve(struct bypeer *node, const struct bypeer_name_query *query, bypeer_name_found found,
                        void *context)
{
    json_t *result = NULL;
    uint64_t id = 0;
    int timeout_ms = node->timeout_ms;
    int error = query_send(node, query, false, &id);
    if (error)
        return error;
    node->timeout_ms = (query->timeout_ms ? query->timeout_ms : QUERY_MS) + LATER_MS;
    error = bypeer_receive(node, id, &result);
    node->timeout_ms = timeout_ms;
    int count = query_end(node, error, result);
    const json_t *results = json_object_get(result, "results");
    for (size_t i = 0; count > 0 && i < json_array_size(results); i++)
        if (!result_tell(json_array_get(results, i), found, context))
            count = value_malformed(node, "names.resolve");
    json_decref(result);
    return count;
}

/* --- without waiting --- */

int bypeer_resolve_begin(struct bypeer_resolve **ret_resolve, struct bypeer *node,
                         const struct bypeer_name_query *query, bypeer_name_found found, bypeer_name_finished finished,
                         void *context)
{
    struct bypeer_resolve *resolve = calloc(1, sizeof(*resolve));
    if (!resolve)
        return connection_fail(node, -ENOMEM, "out of memory");
    *resolve = (struct bypeer_resolve){
        .node = node, .next = node->resolves, .found = found, .finished = finished, .context = context};
    int error = query_send(node, query, true, &resolve->id);
    if (error) {
        free(resolve);
        return error;
    }
    node->resolves = resolve;
    *ret_resolve = resolve;
    return 0;
}

void bypeer_resolve_cancel(struct bypeer_resolve *resolve)
{
    resolve->found = NULL;
    resolve->finished = NULL;
}

void resolves_free(struct bypeer *node)
{
    while (node->resolves) {
        struct bypeer_resolve *resolve = node->resolves;
        node->resolves = resolve->next;
        free(resolve);
    }
}

/* A notification goes to its resolve; what is nobody's is dropped. */
static int notice_tell(struct bypeer *node, const json_t *notice)
{
    const json_t *params = json_object_get(notice, "params");
    uint64_t id = (uint64_t)value_integer(params, "id");
    if (strcmp(value_text(notice, "method"), "names.found") != 0)
        return 0;
    for (struct bypeer_resolve *resolve = node->resolves; resolve; resolve = resolve->next)
        if (resolve->id == id && resolve->found)
            return result_tell(json_object_get(params, "result"), resolve->found, resolve->context)
                       ? 0
                       : value_malformed(node, "names.resolve");
    return 0;
}

/* The first resolve whose answer has come, out of the list; NULL: none. */
static struct bypeer_resolve *resolve_take_ended(struct bypeer *node, json_t **ret_answer)
{
    for (struct bypeer_resolve **link = &node->resolves; *link; link = &(*link)->next) {
        json_t *answer = call_take_kept(node, (*link)->id);
        if (!answer)
            continue;
        struct bypeer_resolve *resolve = *link;
        *link = resolve->next;
        *ret_answer = answer;
        return resolve;
    }
    return NULL;
}

/* Callbacks for all that has come. */
static int process_kept(struct bypeer *node)
{
    int error = 0;
    while (!error && json_array_size(node->notices)) {
        json_t *notice = json_incref(json_array_get(node->notices, 0));
        json_array_remove(node->notices, 0);
        error = notice_tell(node, notice);
        json_decref(notice);
    }
    struct bypeer_resolve *resolve;
    json_t *answer;
    while (!error && (resolve = resolve_take_ended(node, &answer))) {
        json_t *result = NULL;
        int status = call_answer(node, answer, &result);
        status = query_end(node, status, result);
        json_decref(result);
        bypeer_name_finished finished = resolve->finished;
        void *context = resolve->context;
        free(resolve);
        if (finished)
            finished(context, status);
    }
    if (!error)
        watches_process(node);
    return error;
}

int bypeer_process(struct bypeer *node)
{
    int error = call_collect(node);
    if (!error)
        return process_kept(node);
    /* What came before the connection broke is told; the text is about the break again afterwards. */
    char *text = strdup(bypeer_error_text(node));
    process_kept(node);
    connection_fail(node, error, "%s", text ? text : "out of memory");
    free(text);
    return error;
}
