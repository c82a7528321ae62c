/*
 * From a line to calls, from calls to one answer.
 */
#include "control/api/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/call.h"
#include "control/groups/groups.h"

struct bypeer_exchange {
    json_t *request; /* the whole line */
    struct call *calls;
    size_t count;
    size_t running; /* calls that have not ended, and 1 while they are being started */
    bool batch;
    bool cancelled;
    const struct bypeer_api_client *client;
    void *context;
};

/* --- answers --- */

static json_t *api_error(json_t *id, int code, const char *message, json_t *data)
{
    json_t *error = json_pack("{s:i, s:s}", "code", code, "message", message);
    if (!error) /* what a client sent was cut within a character */
        error = json_pack("{s:i, s:s}", "code", code, "message", "refused: what was sent is too long to be repeated");
    if (data)
        json_object_set_new(error, "data", data);
    return json_pack("{s:s, s:O?, s:o}", "jsonrpc", "2.0", "id", id, "error", error);
}

char *bypeer_api_refuse(int code, const char *message, size_t *ret_length)
{
    json_t *answer = api_error(NULL, code, message, NULL);
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_decref(answer);
    *ret_length = text ? strlen(text) : 0;
    return text;
}

/* What is a code of JSON-RPC already stays; the daemon's own failures have JSON-RPC's code, refusals ours. */
static int api_code(const struct bypeer_problem *problem, int error)
{
    if (error <= BYPEER_API_REFUSED)
        return error;
    bool failed = strcmp(problem->key, "store") == 0 || strcmp(problem->key, "memory") == 0;
    return failed ? BYPEER_API_FAILED : BYPEER_API_REFUSED;
}

static json_t *api_problem(const struct call *call, int outcome)
{
    const struct bypeer_problem *problem = &call->problem;
    char text[BYPEER_PROBLEM_TEXT];
    json_t *data = json_pack("{s:s, s:s, s:s, s:s}", "key", problem->key, "thing", problem->thing, "value",
                             problem->value, "remedy", problem->remedy);
    if (call->messages)
        json_object_set(data, "messages", call->messages);
    return api_error(call->id, api_code(problem, outcome), bypeer_problem_text(problem, text), data);
}

static void exchange_free(struct bypeer_exchange *exchange)
{
    for (size_t at = 0; at < exchange->count; at++) {
        json_decref(exchange->calls[at].answer);
        json_decref(exchange->calls[at].result);
        json_decref(exchange->calls[at].messages);
    }
    free(exchange->calls);
    json_decref(exchange->request);
    free(exchange);
}

/* All calls have ended: one text of all answers. */
static void exchange_answer(struct bypeer_exchange *exchange)
{
    json_t *whole = NULL;
    if (exchange->batch) {
        whole = json_array();
        for (size_t at = 0; at < exchange->count; at++)
            if (exchange->calls[at].answer)
                json_array_append(whole, exchange->calls[at].answer);
        if (json_array_size(whole) == 0) {
            json_decref(whole);
            whole = NULL;
        }
    } else {
        whole = json_incref(exchange->calls[0].answer);
    }
    char *text = whole && !exchange->cancelled ? json_dumps(whole, JSON_COMPACT) : NULL;
    json_decref(whole);
    if (!exchange->cancelled)
        exchange->client->answer(exchange->context, text, text ? strlen(text) : 0);
    exchange_free(exchange);
}

void call_end(struct call *call, int outcome)
{
    call->ended = true;
    bool is_request = call->id || outcome == BYPEER_API_NO_REQUEST; /* else a notification: no answer */
    if (is_request && outcome < 0)
        call->answer = api_problem(call, outcome);
    else if (is_request)
        call->answer = json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", call->id, "result",
                                 call->result ? json_incref(call->result) : json_object());
    struct bypeer_exchange *exchange = call->exchange;
    if (--exchange->running == 0)
        exchange_answer(exchange);
}

bool call_notify(struct call *call, const char *method, json_t *parameters)
{
    const struct bypeer_exchange *exchange = call->exchange;
    json_t *whole = json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method, "params", parameters);
    char *text = whole && exchange->client->notify && !exchange->cancelled ? json_dumps(whole, JSON_COMPACT) : NULL;
    json_decref(whole);
    if (text)
        exchange->client->notify(exchange->context, text, strlen(text));
    return text != NULL;
}

const void *call_who(const struct call *call)
{
    const struct bypeer_exchange *exchange = call->exchange;
    return exchange->client->who ? exchange->client->who(exchange->context) : NULL;
}

void bypeer_api_gone(struct bypeer_node *node, const void *who)
{
    if (node->groups)
        bypeer_groups_disown(node->groups, who);
}

/* --- checks --- */

/* Fills in the problem of a value of the wrong type or out of range. */
static int api_check_value(struct call *call, const struct parameter *parameter, const json_t *value)
{
    char expected[96] = "";
    switch (parameter->type) {
    case PARAMETER_STRING:
        if (!json_is_string(value)) /* no NUL is in it: the decoder refuses that */
            snprintf(expected, sizeof(expected), "a string");
        break;
    case PARAMETER_INTEGER:
        if (!json_is_integer(value) || json_integer_value(value) < parameter->minimum ||
            json_integer_value(value) > parameter->maximum)
            snprintf(expected, sizeof(expected), "an integer from %lld to %lld", (long long)parameter->minimum,
                     (long long)parameter->maximum);
        break;
    case PARAMETER_BOOLEAN:
        if (!json_is_boolean(value))
            snprintf(expected, sizeof(expected), "true or false");
        break;
    case PARAMETER_LIST:
        if (!json_is_array(value) || json_array_size(value) > (size_t)parameter->maximum)
            snprintf(expected, sizeof(expected), "an array of at most %lld", (long long)parameter->maximum);
        break;
    }
    if (expected[0] == '\0')
        return 0;
    return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter",
                              "parameter \"%s\"\nis not %s\nsee bypeer-api(7), %s", parameter->name, expected,
                              call->method->name);
}

/* Fills in the problem of the first parameter that the method does not have. */
static int api_refuse_unknown(struct call *call)
{
    const struct parameter *parameters = call->method->parameters;
    const char *name;
    json_t *value;
    json_object_foreach (call->parameters, name, value) {
        size_t at = 0;
        while (at < PARAMETERS_MAX && parameters[at].name && strcmp(parameters[at].name, name) != 0)
            at++;
        if (at == PARAMETERS_MAX || !parameters[at].name)
            break;
    }
    return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter",
                              "parameter \"%.64s\"\nis unknown\nsee bypeer-api(7), %s", name ? name : "",
                              call->method->name);
}

static int api_check_parameters(struct call *call)
{
    const struct parameter *parameters = call->method->parameters;
    size_t known = 0;
    for (size_t at = 0; at < PARAMETERS_MAX && parameters[at].name; at++) {
        const json_t *value = json_object_get(call->parameters, parameters[at].name);
        known += value ? 1 : 0;
        if (parameters[at].optional && (!value || json_is_null(value)))
            continue;
        if (!value)
            return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter",
                                      "parameter \"%s\"\nis missing\nsee bypeer-api(7), %s", parameters[at].name,
                                      call->method->name);
        int result = api_check_value(call, &parameters[at], value);
        if (result < 0)
            return result;
    }
    return known == json_object_size(call->parameters) ? 0 : api_refuse_unknown(call);
}

static int api_check_request(struct call *call, json_t *request)
{
    json_t *id = json_object_get(request, "id");
    const char *version = json_string_value(json_object_get(request, "jsonrpc"));
    const char *name = json_string_value(json_object_get(request, "method"));
    json_t *parameters = json_object_get(request, "params");
    if (json_is_string(id) || json_is_number(id) || json_is_null(id))
        call->id = id;
    const char *wrong = NULL;
    if (!json_is_object(request))
        wrong = "is no object";
    else if (!version || strcmp(version, "2.0") != 0)
        wrong = "does not say \"jsonrpc\": \"2.0\"";
    else if (!name)
        wrong = "names no method";
    else if (id && !call->id)
        wrong = "has an id that is neither string nor number";
    else if (parameters && !json_is_object(parameters))
        wrong = "has params that are no object";
    if (wrong)
        return bypeer_problem_set(&call->problem, BYPEER_API_NO_REQUEST, "no_request", "request\n%s\nsee bypeer-api(7)",
                                  wrong);
    call->method = method_find(name);
    if (!call->method)
        return bypeer_problem_set(&call->problem, BYPEER_API_NO_METHOD, "no_method",
                                  "method \"%.64s\"\nis unknown\nsee bypeer-api(7)", name);
    call->parameters = parameters;
    return api_check_parameters(call);
}

/* --- a line --- */

static void api_run(struct call *call, json_t *request)
{
    int outcome = api_check_request(call, request);
    if (outcome == 0)
        outcome = call->method->run(call);
    if (outcome != CALL_LATER)
        call_end(call, outcome);
}

static void api_answer_error(int code, const char *message, const struct bypeer_api_client *client, void *context)
{
    size_t length;
    char *text = bypeer_api_refuse(code, message, &length);
    client->answer(context, text, length);
}

struct bypeer_exchange *bypeer_api_take(struct bypeer_node *node, const char *line, size_t length,
                                        const struct bypeer_api_client *client, void *context)
{
    json_error_t where;
    json_t *request = json_loadb(line, length, 0, &where);
    if (!request) {
        char message[JSON_ERROR_TEXT_LENGTH + 64];
        snprintf(message, sizeof(message), "the line is no JSON: %s, at byte %d", where.text, where.position);
        api_answer_error(BYPEER_API_NO_JSON, message, client, context);
        return NULL;
    }
    bool batch = json_is_array(request);
    size_t count = batch ? json_array_size(request) : 1;
    struct bypeer_exchange *exchange = calloc(1, sizeof(*exchange));
    struct call *calls = exchange && count > 0 && count <= BYPEER_API_BATCH_MAX ? calloc(count, sizeof(*calls)) : NULL;
    if (!calls) {
        free(exchange);
        json_decref(request);
        api_answer_error(BYPEER_API_NO_REQUEST, "a batch has 1 to 1000 requests", client, context);
        return NULL;
    }
    *exchange = (struct bypeer_exchange){
        .request = request,
        .calls = calls,
        .count = count,
        .running = count + 1,
        .batch = batch,
        .client = client,
        .context = context,
    };
    for (size_t at = 0; at < count; at++) {
        calls[at].node = node;
        calls[at].exchange = exchange;
    }
    for (size_t at = 0; at < count; at++)
        api_run(&calls[at], batch ? json_array_get(request, at) : request);
    if (--exchange->running > 0)
        return exchange;
    exchange_answer(exchange);
    return NULL;
}

void bypeer_api_cancel(struct bypeer_exchange *exchange)
{
    exchange->cancelled = true;
    exchange->running++; /* stays while its calls are told */
    for (size_t at = 0; at < exchange->count; at++) {
        struct call *call = &exchange->calls[at];
        if (!call->ended && call->cancelled) {
            call->cancelled(call);
            call_end(call, 0);
        }
    }
    if (--exchange->running == 0)
        exchange_answer(exchange);
}
