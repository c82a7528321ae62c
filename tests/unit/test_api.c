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

/* --- peers --- */

#define KEY       "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
#define OTHER_KEY "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
#define ALICE     "\"name\":\"alice\",\"group\":\"lab\",\"public_key\":\"" KEY "\""

/* A text of an object; "" if it is no text. The last four stay. */
static const char *text_of(const json_t *object, const char *key)
{
    static char texts[4][64];
    static unsigned next;
    const char *value = json_string_value(json_object_get(object, key));
    char *text = texts[next++ % 4];
    strncpy(text, value ? value : "", sizeof(texts[0]) - 1);
    return text;
}

Test(api, a_peer_is_added_shown_and_removed)
{
    json_t *added =
        call("peers.add", "{" ALICE ",\"endpoint\":\"192.0.2.9:4242\",\"preshared_key\":\"" OTHER_KEY "\"}");
    cr_assert_eq(json_integer_value(json_object_get(added, "added")), 1);
    char address[64];
    strcpy(address, text_of(added, "address"));
    cr_assert_eq(strncmp(address, "fd12:3456:789a:", 15), 0, "%s", address);
    json_decref(added);

    json_t *list = call("peers.list", "{}"), *alice = json_array_get(json_object_get(list, "peers"), 0);
    cr_assert_eq(json_array_size(json_object_get(list, "peers")), 1, "a link of another kind is no peer");
    cr_assert_str_eq(text_of(alice, "public_key"), KEY);
    cr_assert_str_eq(text_of(alice, "address"), address);
    cr_assert_str_eq(text_of(alice, "endpoint"), "192.0.2.9:4242");
    cr_assert_str_eq(text_of(alice, "path"), "hub");
    cr_assert(json_is_true(json_object_get(alice, "has_preshared_key")));
    cr_assert_null(json_object_get(alice, "preshared_key"), "a list says no secret");
    cr_assert_eq(json_integer_value(json_object_get(alice, "keepalive")), 25);
    json_decref(list);
    cr_assert_not_null(node_fixture_look_up(&fixture, address));
    json_t *links = call("links.list", "{}");
    cr_assert_eq(json_array_size(json_object_get(links, "links")), 1, "and a peer is listed once");
    json_decref(links);

    cr_assert_eq(call_number("peers.remove", "{\"name\":\"alice\"}", "removed"), 1);
    cr_assert_null(node_fixture_look_up(&fixture, address));
    cr_assert_str_eq(refusal("peers.show", "{\"name\":\"alice\"}"), "no_such_peer");
    cr_assert_str_eq(refusal("peers.remove", "{\"name\":\"beta\"}"), "no_such_peer");
}

Test(api, the_address_of_a_peer_follows_from_its_key)
{
    json_t *first = call("peers.add", "{" ALICE "}");
    char address[64];
    strcpy(address, text_of(first, "address"));
    json_decref(first);
    cr_assert_eq(call_number("peers.remove", "{\"name\":\"alice\"}", "removed"), 1);
    json_t *again = call("peers.add", "{\"name\":\"carol\",\"group\":\"lab\",\"public_key\":\"" KEY "\"}");
    cr_assert_str_eq(text_of(again, "address"), address, "whatever its name is");
    json_decref(again);
    json_t *other = call("peers.add", "{\"name\":\"dave\",\"group\":\"lab\",\"public_key\":\"" OTHER_KEY "\"}");
    cr_assert_str_neq(text_of(other, "address"), address);
    json_decref(other);
}

Test(api, what_is_no_peer_is_refused)
{
    cr_assert_str_eq(refusal("peers.add", "{\"name\":\"a\",\"group\":\"lab\",\"public_key\":\"x\"}"), "bad_key");
    cr_assert_str_eq(refusal("peers.add", "{" ALICE ",\"preshared_key\":\"\"}"), "bad_key");
    cr_assert_str_eq(refusal("peers.add", "{" ALICE ",\"address\":\"nowhere\"}"), "bad_address");
    cr_assert_str_eq(refusal("peers.add", "{" ALICE ",\"address\":\"fdaa::1\"}"), "bad_member");
    static const char *const endpoints[] = {
        "",       "192.0.2.9",     "192.0.2.9:0", "192.0.2.9:65536", "2001:db8::9:4", "[192.0.2.9]:4", "[2001:db8::9]",
        "host:4", "[2001:db8::9:4"};
    for (size_t at = 0; at < sizeof(endpoints) / sizeof(endpoints[0]); at++) {
        char parameters[512];
        snprintf(parameters, sizeof(parameters), "{" ALICE ",\"endpoint\":\"%s\"}", endpoints[at]);
        cr_assert_str_eq(refusal("peers.add", parameters), "bad_endpoint", "%s", endpoints[at]);
    }
    cr_assert_str_eq(refusal("peers.add", "{" ALICE ",\"endpoint\":\"[ff02::1]:4\"}"), "bad_endpoint");
    cr_assert_str_eq(refusal("peers.add", "{\"name\":\"a b\",\"group\":\"lab\",\"public_key\":\"" KEY "\"}"),
                     "bad_name");
    cr_assert_str_eq(refusal("peers.add", "{\"name\":\"a\",\"group\":\"none\",\"public_key\":\"" KEY "\"}"),
                     "no_such_group");
}

Test(api, peers_are_loaded_all_or_none)
{
    cr_assert_str_eq(refusal("peers.load", "{\"peers\":[{" ALICE
                                           "},{\"name\":\"bob\",\"group\":\"lab\",\"public_key\":\"" KEY "\"}]}"),
                     "key_exists");
    cr_assert_str_eq(refusal("peers.load", "{\"peers\":[{" ALICE "},7]}"), "bad_parameter");
    cr_assert_str_eq(refusal("peers.load", "{\"peers\":[{" ALICE ",\"keepalive\":\"x\"}]}"), "bad_parameter");
    cr_assert_str_eq(refusal("peers.show", "{\"name\":\"alice\"}"), "no_such_peer");
    cr_assert_eq(call_number("peers.load",
                             "{\"peers\":[{" ALICE
                             ",\"address\":\"none\"},{\"name\":\"bob\",\"group\":\"lab\",\"public_key\":\"" OTHER_KEY
                             "\",\"address\":\"fd12:3456:789a::30\"}]}",
                             "added"),
                 2);
    json_t *alice = call("peers.show", "{\"name\":\"alice\"}");
    cr_assert(json_is_null(json_object_get(alice, "address")));
    cr_assert_eq(json_integer_value(json_object_get(alice, "members")), 0);
    json_decref(alice);
    /* A page of one, and the next. */
    json_t *page = call("peers.list", "{\"limit\":1}");
    cr_assert_eq(json_array_size(json_object_get(page, "peers")), 1);
    char next[64];
    snprintf(next, sizeof(next), "{\"after\":%lld}", (long long)json_integer_value(json_object_get(page, "next")));
    json_decref(page);
    page = call("peers.list", next);
    cr_assert_eq(json_array_size(json_object_get(page, "peers")), 1);
    cr_assert_str_eq(text_of(json_array_get(json_object_get(page, "peers"), 0), "name"), "bob");
    cr_assert_null(json_object_get(page, "next"));
    json_decref(page);
}

Test(api, the_file_of_a_peer_has_all_that_its_client_needs)
{
    cr_assert_eq(call_number("peers.add", "{" ALICE ",\"address\":\"fd12:3456:789a::20\"}", "added"), 1);
    cr_assert_str_eq(refusal("peers.config", "{\"name\":\"alice\"}"), "no_endpoint");
    char yaml[2048];
    snprintf(yaml, sizeof(yaml),
             "%s  - { prefix: \"fd77::/48\", link: beta }\n"
             "wireguard: { endpoint: \"hub.example.org:51820\", dns: [\"fd12:3456:789a::1\"] }\n",
             node_fixture_sample);
    node_fixture_must_reload(&fixture, yaml);
    json_t *file = call("peers.config", "{\"name\":\"alice\"}");
    cr_assert_str_eq(text_of(file, "endpoint"), "hub.example.org:51820");
    cr_assert_str_eq(text_of(file, "address"), "fd12:3456:789a::20");
    cr_assert_str_eq(json_string_value(json_array_get(json_object_get(file, "dns"), 0)), "fd12:3456:789a::1");
    json_t *allowed = json_object_get(file, "allowed_ips");
    cr_assert_eq(json_array_size(allowed), 2, "the group, and the network outside it");
    cr_assert_str_eq(json_string_value(json_array_get(allowed, 0)), "fd12:3456:789a::/48");
    cr_assert_str_eq(json_string_value(json_array_get(allowed, 1)), "fd77::/48");
    cr_assert_eq(json_integer_value(json_object_get(file, "mtu")), 1420);
    json_decref(file);
}

Test(api, another_key_takes_the_place_of_the_one_before)
{
    json_decref(call("peers.add", "{" ALICE ",\"address\":\"fd12:3456:789a::20\"}"));
    uint32_t serial = node_fixture_way(&fixture, "fd12:3456:789a::20").serial;
    cr_assert_eq(call_number("peers.set_key", "{\"name\":\"alice\",\"public_key\":\"" OTHER_KEY "\"}", "replaced"), 1);
    cr_assert_neq(node_fixture_way(&fixture, "fd12:3456:789a::20").serial, serial, "another peer");
    node_fixture_close(&fixture);
    node_fixture_open(&fixture, NULL);
    json_t *alice = call("peers.show", "{\"name\":\"alice\"}");
    cr_assert_str_eq(text_of(alice, "public_key"), OTHER_KEY);
    json_decref(alice);
    json_decref(call("peers.add", "{\"name\":\"bob\",\"group\":\"lab\",\"public_key\":\"" KEY "\"}"));
    cr_assert_str_eq(refusal("peers.set_key", "{\"name\":\"bob\",\"public_key\":\"" OTHER_KEY "\"}"), "key_exists");
    cr_assert_str_eq(refusal("peers.set_key", "{\"name\":\"beta\",\"public_key\":\"" OTHER_KEY "\"}"), "no_such_peer");
}
