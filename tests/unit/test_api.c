/* The API as a client sees it: requests in, answers out; what is malformed is refused with a reason. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/api.h"
#include "node_fixture.h"

static struct node_fixture fixture;

static void set_up(void)
{
    node_fixture_begin(&fixture, node_fixture_sample);
    node_fixture_open(&fixture, NULL);
}

static void tear_down(void)
{
    node_fixture_end(&fixture);
}

TestSuite(api, .init = set_up, .fini = tear_down);

static char *answer_text;
static unsigned answers;

static void take_answer(void *context, char *text, size_t length)
{
    (void)context;
    if (text)
        cr_assert_eq(strlen(text), length);
    answer_text = text;
    answers++;
}

/* The answer to a line; NULL: none was given. */
static json_t *ask(const char *line)
{
    answers = 0;
    static const struct bypeer_api_client client = {.answer = take_answer};
    cr_assert_null(bypeer_api_take(&fixture.node, line, strlen(line), &client, NULL));
    cr_assert_eq(answers, 1, "answered once");
    json_t *answer = answer_text ? json_loads(answer_text, 0, NULL) : NULL;
    free(answer_text);
    return answer;
}

static json_int_t error_code(const char *line)
{
    json_t *answer = ask(line);
    json_int_t code = json_integer_value(json_object_get(json_object_get(answer, "error"), "code"));
    cr_assert(json_object_get(answer, "id"), "an answer has an id, be it null");
    json_decref(answer);
    return code;
}

/* Calls a method; the result is the caller's. */
static json_t *call(const char *method, const char *parameters)
{
    char line[4096];
    snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"%s\",\"params\":%s}", method,
             parameters);
    json_t *answer = ask(line);
    cr_assert_str_eq(json_string_value(json_object_get(answer, "id")), "x");
    json_t *result = json_incref(json_object_get(answer, "result"));
    cr_assert_not_null(result, "%s", json_dumps(answer, 0));
    json_decref(answer);
    return result;
}

static json_int_t call_number(const char *method, const char *parameters, const char *key)
{
    json_t *result = call(method, parameters);
    cr_assert(json_is_integer(json_object_get(result, key)));
    json_int_t number = json_integer_value(json_object_get(result, key));
    json_decref(result);
    return number;
}

/* The stable key of a refusal. */
static const char *refusal(const char *method, const char *parameters)
{
    static char key[64];
    char line[4096];
    snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method, parameters);
    json_t *answer = ask(line), *error = json_object_get(answer, "error"), *data = json_object_get(error, "data");
    cr_assert_not_null(data, "%s %s is refused", method, parameters);
    cr_assert_gt(json_string_length(json_object_get(error, "message")), 10);
    cr_assert_gt(json_string_length(json_object_get(data, "thing")), 0);
    cr_assert_gt(json_string_length(json_object_get(data, "value")), 0);
    cr_assert(json_is_string(json_object_get(data, "remedy")));
    snprintf(key, sizeof(key), "%s", json_string_value(json_object_get(data, "key")));
    json_decref(answer);
    return key;
}

Test(api, malformed_lines_are_refused)
{
    cr_assert_eq(error_code(""), BYPEER_API_NO_JSON);
    cr_assert_eq(error_code("{"), BYPEER_API_NO_JSON);
    cr_assert_eq(error_code("\"text\""), BYPEER_API_NO_JSON);
    cr_assert_eq(error_code("{} {}"), BYPEER_API_NO_JSON);
    cr_assert_eq(error_code("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ver\xff\"}"), BYPEER_API_NO_JSON);
    cr_assert_eq(error_code("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\\u0000\"}"), BYPEER_API_NO_JSON);
    cr_assert_eq(error_code("{}"), BYPEER_API_NO_REQUEST);
    cr_assert_eq(error_code("[]"), BYPEER_API_NO_REQUEST);
    cr_assert_eq(error_code("{\"id\":1,\"method\":\"version\"}"), BYPEER_API_NO_REQUEST);
    cr_assert_eq(error_code("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"version\"}"), BYPEER_API_NO_REQUEST);
    cr_assert_eq(error_code("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"version\"}"), BYPEER_API_NO_REQUEST);
    cr_assert_eq(error_code("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}"), BYPEER_API_NO_REQUEST);
    cr_assert_eq(error_code("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\",\"params\":[]}"),
                 BYPEER_API_NO_REQUEST);
    cr_assert_eq(error_code("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"versio\"}"), BYPEER_API_NO_METHOD);
}

Test(api, nesting_without_end_is_refused)
{
    char line[100001];
    memset(line, '[', 100000);
    line[100000] = '\0';
    cr_assert_eq(error_code(line), BYPEER_API_NO_JSON);
}

Test(api, parameters_are_checked_before_a_method_runs)
{
    cr_assert_str_eq(refusal("version", "{\"x\":1}"), "bad_parameter");
    cr_assert_str_eq(refusal("members.add", "{\"address\":\"fd12:3456:789a::7\"}"), "bad_parameter");
    cr_assert_str_eq(refusal("members.add", "{\"address\":7,\"link\":\"beta\"}"), "bad_parameter");
    cr_assert_str_eq(refusal("members.add", "{\"address\":\"fd12:3456:789a::7\",\"link\":\"beta\",\"lnk\":1}"),
                     "bad_parameter");
    cr_assert_str_eq(refusal("members.list", "{\"limit\":0}"), "bad_parameter");
    cr_assert_str_eq(refusal("members.list", "{\"limit\":10001}"), "bad_parameter");
    cr_assert_str_eq(refusal("members.list", "{\"after\":\"nowhere\"}"), "bad_address");
    cr_assert_str_eq(refusal("members.load", "{\"link\":\"beta\",\"addresses\":\"fd12:3456:789a::7\"}"),
                     "bad_parameter");
    cr_assert_str_eq(refusal("members.load", "{\"link\":\"beta\",\"addresses\":[\"fd12:3456:789a::7\",null]}"),
                     "bad_address");
    cr_assert_str_eq(refusal("counters", "{\"per_worker\":1}"), "bad_parameter");
    cr_assert_str_eq(refusal("links.add", "{\"name\":\"x\",\"group\":\"lab\",\"peer\":\"::2\",\"udp_port\":70000}"),
                     "bad_parameter");
    cr_assert_str_eq(refusal("groups.add", "{\"name\":\"x\",\"prefix\":\"fdaa::/47\",\"vni\":3}"), "bad_prefix");
    cr_assert_str_eq(refusal("groups.add", "{\"name\":\"x\",\"prefix\":\"fdaa::\",\"vni\":3}"), "bad_prefix");
    cr_assert_str_eq(refusal("routes.add", "{\"prefix\":\"fdaa::/129\",\"link\":\"beta\"}"), "bad_prefix");
    cr_assert_str_eq(refusal("routes.add", "{\"prefix\":\"fdaa::/\",\"link\":\"beta\"}"), "bad_prefix");
    cr_assert_str_eq(refusal("routes.add", "{\"prefix\":\"fdaa::/ 64\",\"link\":\"beta\"}"), "bad_prefix");
}

Test(api, a_name_that_is_too_long_is_not_cut)
{
    char parameters[512];
    snprintf(parameters, sizeof(parameters), "{\"name\":\"%0100d\",\"prefix\":\"fdaa::/48\",\"vni\":3}", 1);
    cr_assert_str_eq(refusal("groups.add", parameters), "bad_name");
}

Test(api, a_batch_is_answered_in_order_and_notifications_are_not)
{
    json_t *answer = ask("[{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"version\"},"
                         "{\"jsonrpc\":\"2.0\",\"method\":\"members.add\","
                         "\"params\":{\"address\":\"fd12:3456:789a::7\",\"link\":\"beta\"}},"
                         "7,"
                         "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"members.count\",\"params\":{}}]");
    cr_assert_eq(json_array_size(answer), 3);
    cr_assert_eq(json_integer_value(json_object_get(json_array_get(answer, 0), "id")), 5);
    cr_assert(json_is_null(json_object_get(json_array_get(answer, 1), "id")));
    json_t *count = json_object_get(json_array_get(answer, 2), "result");
    cr_assert_eq(json_integer_value(json_object_get(count, "count")), 2, "the notification was carried out");
    json_decref(answer);
    cr_assert_null(ask("{\"jsonrpc\":\"2.0\",\"method\":\"version\"}"));
    cr_assert_null(ask("[{\"jsonrpc\":\"2.0\",\"method\":\"version\"}]"));
}

Test(api, a_batch_has_a_limit)
{
    char *line = malloc(64 * 1001 + 3), *at = line;
    *at++ = '[';
    for (unsigned request = 0; request < 1001; request++)
        at += sprintf(at, "%s{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}", request ? "," : "");
    strcpy(at, "]");
    cr_assert_eq(error_code(line), BYPEER_API_NO_REQUEST);
    free(line);
}

Test(api, members_come_and_go)
{
    cr_assert_eq(call_number("members.add", "{\"address\":\"fd12:3456:789A:0::7\",\"link\":\"beta\"}", "added"), 1);
    cr_assert_eq(call_number("members.add", "{\"address\":\"fd12:3456:789a::7\",\"link\":\"beta\"}", "replaced"), 1);
    cr_assert_eq(call_number("members.load",
                             "{\"link\":\"beta\",\"addresses\":[\"fd12:3456:789a::8\",\"fd12:3456:789a::9\"]}",
                             "added"),
                 2);
    cr_assert_eq(call_number("members.count", "{\"link\":\"beta\"}", "count"), 4);
    cr_assert_eq(call_number("members.count", "{\"group\":\"lab\"}", "count"), 4);
    cr_assert_eq(call_number("members.unload", "{\"addresses\":[\"fd12:3456:789a::8\",\"fd12::\"]}", "removed"), 1);
    cr_assert_eq(call_number("members.remove", "{\"address\":\"fd12:3456:789a::7\"}", "removed"), 1);
    cr_assert_str_eq(refusal("members.remove", "{\"address\":\"fd12:3456:789a::7\"}"), "no_such_member");
    cr_assert_str_eq(refusal("members.add", "{\"address\":\"fd12:3456:789a::7\",\"link\":\"betta\"}"), "no_such_link");
    cr_assert_str_eq(refusal("members.count", "{\"link\":\"betta\"}"), "no_such_link");

    json_t *result = call("members.list", "{\"limit\":1}");
    const json_t *member = json_array_get(json_object_get(result, "members"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(member, "address")), "fd12:3456:789a::2");
    cr_assert_str_eq(json_string_value(json_object_get(member, "group")), "lab");
    cr_assert_str_eq(json_string_value(json_object_get(member, "link")), "beta");
    cr_assert_str_eq(json_string_value(json_object_get(member, "origin")), "config:8");
    cr_assert_str_eq(json_string_value(json_object_get(result, "next")), "fd12:3456:789a::2");
    json_decref(result);
    result = call("members.list", "{\"after\":\"fd12:3456:789a::2\"}");
    member = json_array_get(json_object_get(result, "members"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(member, "address")), "fd12:3456:789a::9");
    cr_assert_str_eq(json_string_value(json_object_get(member, "origin")), "api");
    cr_assert_null(json_object_get(result, "next"));
    json_decref(result);
}

Test(api, groups_links_and_routes_come_and_go)
{
    cr_assert_eq(call_number("groups.add",
                             "{\"name\":\"games\",\"prefix\":\"fdaa::/48\",\"vni\":9,\"address\":\"fdaa::1\"}",
                             "added"),
                 1);
    cr_assert_eq(call_number("links.add", "{\"name\":\"gamma\",\"group\":\"games\",\"peer\":\"192.0.2.3\"}", "added"),
                 1);
    cr_assert_eq(call_number("routes.add", "{\"prefix\":\"fdaa:0:0:7::/64\",\"link\":\"gamma\"}", "added"), 1);
    cr_assert_eq(call_number("routes.add", "{\"prefix\":\"fdaa:0:0:7::/64\",\"link\":\"gamma\"}", "replaced"), 1);

    json_t *result = call("links.list", "{}");
    const json_t *link = json_array_get(json_object_get(result, "links"), 1);
    cr_assert_str_eq(json_string_value(json_object_get(link, "peer")), "192.0.2.3");
    cr_assert_eq(json_integer_value(json_object_get(link, "vni")), 9);
    cr_assert_eq(json_integer_value(json_object_get(link, "udp_port")), 4790);
    cr_assert_eq(json_integer_value(json_object_get(link, "mtu")), 1464);
    cr_assert(json_is_false(json_object_get(link, "up")));
    cr_assert_gt(json_string_length(json_object_get(link, "why_down")), 0);
    cr_assert(json_is_null(json_object_get(link, "adjacency")));
    cr_assert(json_is_null(json_object_get(link, "local")));
    cr_assert_str_eq(json_string_value(json_object_get(link, "origin")), "api");
    cr_assert_eq(json_array_size(json_object_get(result, "links")), 2, "links to this host are not shown");
    json_decref(result);

    cr_assert_str_eq(refusal("groups.remove", "{\"name\":\"games\"}"), "in_use");
    cr_assert_str_eq(refusal("links.remove", "{\"name\":\"beta\"}"), "configured");
    cr_assert_eq(call_number("routes.remove", "{\"prefix\":\"fdaa:0:0:7::/64\"}", "removed"), 1);
    cr_assert_eq(call_number("links.remove", "{\"name\":\"gamma\"}", "removed"), 1);
    cr_assert_eq(call_number("groups.remove", "{\"name\":\"games\"}", "removed"), 1);
}

Test(api, without_a_data_plane_it_says_so)
{
    json_t *result = call("status", "{}");
    cr_assert_str_eq(json_string_value(json_object_get(json_object_get(result, "dataplane"), "state")), "absent");
    cr_assert_eq(json_integer_value(json_object_get(json_object_get(result, "packets"), "in_flight")), 0);
    cr_assert_eq(
        json_integer_value(json_object_get(json_object_get(json_object_get(result, "tables"), "used"), "members")), 1);
    json_decref(result);
    cr_assert_str_eq(refusal("trace", "{\"packets\":1}"), "no_data_plane");
    json_decref(call("counters", "{\"per_worker\":true}"));
    json_decref(call("config.show", "{}"));
}

Test(api, a_refused_reload_names_every_message)
{
    node_fixture_write(&fixture, "links:\n  - { nam: x }\n  - { nam: y }\n");
    json_t *answer = ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"config.reload\"}");
    json_t *data = json_object_get(json_object_get(answer, "error"), "data");
    cr_assert_str_eq(json_string_value(json_object_get(data, "key")), "bad_configuration");
    cr_assert_geq(json_array_size(json_object_get(data, "messages")), 2);
    json_decref(answer);
    cr_assert_eq(call_number("members.count", "{}", "count"), 1);

    char text[2048];
    snprintf(text, sizeof(text), "dataplane: { workers: 3 }\n%s", node_fixture_sample);
    node_fixture_write(&fixture, text);
    json_t *result = call("config.reload", "{}");
    cr_assert_eq(json_integer_value(json_object_get(result, "changed")), 0);
    const json_t *restart = json_array_get(json_object_get(result, "restart"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(restart, "key")), "dataplane.workers");
    cr_assert_str_eq(json_string_value(json_object_get(restart, "after")), "3");
    cr_assert_str_eq(json_string_value(json_object_get(restart, "process")), "bypeer-dataplane");
    json_decref(result);
}
