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

/* Takes an answer apart; its reference is used up. */
static int call_answer(struct bypeer *node, json_t *answer, json_t **ret_result)
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

/* The answer in one line. */
static int call_read(struct bypeer *node, bool wait, int64_t deadline, json_t **ret_answer, uint64_t *ret_id)
{
    const char *line;
    size_t length;
    int error = connection_receive(node, &line, &length, wait, deadline);
    if (error)
        return error;
    json_t *answer = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
    connection_drop_line(node, length);
    const json_t *id = json_object_get(answer, "id");
    if (json_is_null(id) && json_is_object(json_object_get(answer, "error"))) {
        /* The node could not read a request, so that it cannot say which one. */
        error = call_refused(node, json_object_get(answer, "error"));
        json_decref(answer);
        return error;
    }
    if (!json_is_integer(id)) {
        json_decref(answer);
        return connection_fail(node, -EBADMSG, "an answer of bypeerd is no JSON-RPC; is this its socket?");
    }
    *ret_id = (uint64_t)json_integer_value(id);
    *ret_answer = answer;
    return 0;
}

static const char *call_key(uint64_t id, char key[static 24])
{
    snprintf(key, 24, "%" PRIu64, id);
    return key;
}

int call_receive(struct bypeer *node, uint64_t id, bool wait, json_t **ret_result)
{
    int64_t deadline = connection_deadline(node);
    char key[24];
    json_t *kept = json_object_get(node->answers, call_key(id, key));
    if (kept) {
        json_incref(kept);
        json_object_del(node->answers, key);
        return call_answer(node, kept, ret_result);
    }
    for (;;) {
        json_t *answer = NULL;
        uint64_t answered = 0;
        int error = call_read(node, wait, deadline, &answer, &answered);
        if (error)
            return error;
        if (answered == id)
            return call_answer(node, answer, ret_result);
        if (answered == 0 || answered > node->last_id) {
            json_decref(answer);
            return connection_fail(node, -EBADMSG, "bypeerd answered a request that was not made");
        }
        if (json_object_set_new(node->answers, call_key(answered, key), answer) < 0)
            return call_out_of_memory(node);
        call_key(id, key);
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
