/* JSON-RPC 2.0 over the connection's lines. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/lib/call.h"

static int call_out_of_memory(struct bypeer *node)
{
    return connection_fail(node, -ENOMEM, "out of memory");
}

int bypeer_send(struct bypeer *node, const char *method, json_t *params, uint64_t *ret_id)
{
    uint64_t id = node->last_id + 1;
    json_t *request = json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", (json_int_t)id, "method", method,
                                "params", params ? params : json_object());
    if (!request)
        return call_out_of_memory(node);
    char *line = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (!line)
        return call_out_of_memory(node);
    int error = connection_send(node, line, strlen(line), connection_deadline(node));
    free(line);
    if (error)
        return error;
    node->last_id = id;
    *ret_id = id;
    return 0;
}

/* The node's refusal becomes the connection's last failure. */
static int call_refused(struct bypeer *node, const json_t *refusal)
{
    const char *message = json_string_value(json_object_get(refusal, "message"));
    int error =
        connection_fail(node, -EREMOTEIO, "%s", message && message[0] ? message : "bypeerd refused and gave no reason");
    node->code = (int)json_integer_value(json_object_get(refusal, "code"));
    node->data = json_incref(json_object_get(refusal, "data"));
    return error;
}

int call_answer(struct bypeer *node, json_t *answer, json_t **ret_result)
{
    const json_t *refusal = json_object_get(answer, "error");
    json_t *result = json_object_get(answer, "result");
    int error = 0;
    if (json_is_object(refusal))
        error = call_refused(node, refusal);
    else if (!result)
        error = connection_fail(node, -EBADMSG, "an answer of bypeerd has neither result nor error");
    else if (ret_result)
        *ret_result = json_incref(result);
    json_decref(answer);
    return error;
}

#define NOTICES_MAX 10000 /* that nobody took; no request has so many */

/* One line: an answer with its id, or a notification, which is kept, and *ret_answer is NULL. */
static int call_read(struct bypeer *node, bool wait, int64_t deadline, json_t **ret_answer, uint64_t *ret_id)
{
    const char *line;
    size_t length;
    int error = connection_receive(node, &line, &length, wait, deadline);
    if (error)
        return error;
    json_t *answer = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
    connection_drop_line(node, length);
    *ret_answer = NULL;
    const json_t *id = json_object_get(answer, "id");
    if (json_is_null(id) && json_is_object(json_object_get(answer, "error"))) {
        /* The node could not read a request, so that it cannot say which one. */
        error = call_refused(node, json_object_get(answer, "error"));
        json_decref(answer);
        return error;
    }
    if (!id && json_is_string(json_object_get(answer, "method"))) {
        bool room = json_array_size(node->notices) < NOTICES_MAX;
        if (room && json_array_append_new(node->notices, answer) < 0)
            return call_out_of_memory(node);
        if (!room)
            json_decref(answer);
        return 0;
    }
    if (!json_is_integer(id)) {
        json_decref(answer);
        return connection_fail(node, -EBADMSG, "an answer of bypeerd is no JSON-RPC; is this its socket?");
    }
    *ret_id = (uint64_t)json_integer_value(id);
    if (*ret_id == 0 || *ret_id > node->last_id) {
        json_decref(answer);
        return connection_fail(node, -EBADMSG, "bypeerd answered a request that was not made");
    }
    *ret_answer = answer;
    return 0;
}

static const char *call_key(uint64_t id, char key[static 24])
{
    snprintf(key, 24, "%" PRIu64, id);
    return key;
}

json_t *call_take_kept(struct bypeer *node, uint64_t id)
{
    char key[24];
    json_t *kept = json_incref(json_object_get(node->answers, call_key(id, key)));
    json_object_del(node->answers, key);
    return kept;
}

static int call_keep(struct bypeer *node, uint64_t id, json_t *answer)
{
    char key[24];
    return json_object_set_new(node->answers, call_key(id, key), answer) < 0 ? call_out_of_memory(node) : 0;
}

int call_receive(struct bypeer *node, uint64_t id, bool wait, json_t **ret_result)
{
    int64_t deadline = connection_deadline(node);
    json_t *kept = call_take_kept(node, id);
    if (kept)
        return call_answer(node, kept, ret_result);
    for (;;) {
        json_t *answer = NULL;
        uint64_t answered = 0;
        int error = call_read(node, wait, deadline, &answer, &answered);
        if (error)
            return error;
        if (answer && answered == id)
            return call_answer(node, answer, ret_result);
        if (answer)
            error = call_keep(node, answered, answer);
        if (error)
            return error;
    }
}

int call_collect(struct bypeer *node)
{
    for (;;) {
        json_t *answer = NULL;
        uint64_t answered = 0;
        int error = call_read(node, false, 0, &answer, &answered);
        if (!error && answer)
            error = call_keep(node, answered, answer);
        if (error)
            return error == -EAGAIN ? 0 : error;
    }
}

int bypeer_receive(struct bypeer *node, uint64_t id, json_t **ret_result)
{
    return call_receive(node, id, true, ret_result);
}

int bypeer_call(struct bypeer *node, const char *method, json_t *params, json_t **ret_result)
{
    uint64_t id = 0;
    int error = bypeer_send(node, method, params, &id);
    return error ? error : bypeer_receive(node, id, ret_result);
}

int call_send_text(struct bypeer *node, const char *line, size_t length)
{
    int error = connection_send(node, line, length, connection_deadline(node));
    if (!error)
        node->last_id++;
    return error;
}

const char *bypeer_error_text(const struct bypeer *node)
{
    return node->text ? node->text : "no error";
}

int bypeer_error_code(const struct bypeer *node)
{
    return node->code;
}

const char *bypeer_error_key(const struct bypeer *node)
{
    const char *key = json_string_value(json_object_get(node->data, "key"));
    return key ? key : "";
}

const json_t *bypeer_error_data(const struct bypeer *node)
{
    return node->data;
}
