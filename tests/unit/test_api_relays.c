/* Methods of relay links as a client sees them. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/api.h"
#include "control/relay/relays.h"
#include "node_fixture.h"

#define KEY_A "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
#define KEY_B "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
#define KEY_C "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="

static struct node_fixture fixture;
static char *answer_text;

static void set_up(void)
{
    node_fixture_begin(&fixture, "node: { name: alpha }\n"
                                 "groups: [{ name: lab, prefix: \"fd12:3456:789a::/48\", vni: 7 }]\n"
                                 "relay: { prefix: \"2001:db8:5::/64\", port: 4500 }\n");
    node_fixture_open(&fixture, NULL);
}

static void tear_down(void)
{
    node_fixture_end(&fixture);
}

TestSuite(api_relays, .init = set_up, .fini = tear_down);

static void take_answer(void *context, char *text, size_t length)
{
    (void)context;
    (void)length;
    answer_text = text;
}

/* The answer's part of that name; NULL: it has none. */
static json_t *ask(const char *method, json_t *parameters, const char *part)
{
    static const struct bypeer_api_client client = {.answer = take_answer};
    json_t *request =
        json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method", method, "params", parameters);
    char *line = json_dumps(request, 0);
    cr_assert_null(bypeer_api_take(&fixture.node, line, strlen(line), &client, NULL));
    json_t *answer = json_loads(answer_text, 0, NULL), *found = json_incref(json_object_get(answer, part));
    cr_expect_not_null(found, "%s: %s", line, answer_text);
    free(line);
    free(answer_text);
    json_decref(request);
    json_decref(answer);
    return found;
}

static json_t *call(const char *method, const char *parameters)
{
    return ask(method, json_loads(parameters, 0, NULL), "result");
}

static void expect_number(const char *method, const char *parameters, const char *key, json_int_t number)
{
    json_t *result = call(method, parameters);
    cr_expect_eq(json_integer_value(json_object_get(result, key)), number, "%s %s", method, parameters);
    json_decref(result);
}

static void expect_refusal(const char *method, const char *parameters, const char *key)
{
    json_t *error = ask(method, json_loads(parameters, 0, NULL), "error");
    const char *found = json_string_value(json_object_get(json_object_get(error, "data"), "key"));
    cr_expect_str_eq(found ? found : "", key, "%s %s", method, parameters);
    json_decref(error);
}

static const char *text(const json_t *object, const char *key)
{
    const char *found = json_string_value(json_object_get(object, key));
    return found ? found : "";
}

static void make_mesh(void)
{
    expect_number("relays.mesh",
                  "{\"group\":\"lab\",\"members\":[{\"name\":\"alice\",\"public_key\":\"" KEY_A "\"},"
                  "{\"name\":\"bob\",\"public_key\":\"" KEY_B "\",\"address\":\"fd12:3456:789a::b\"}]}",
                  "pairs", 1);
}

Test(api_relays, a_file_can_be_written_from_what_is_said)
{
    make_mesh();
    json_t *alice = call("relays.config", "{\"name\":\"alice\"}"), *bob = call("relays.config", "{\"name\":\"bob\"}");
    json_t *partner = json_array_get(json_object_get(alice, "peers"), 0);
    cr_expect_str_eq(text(alice, "public_key"), KEY_A);
    cr_expect_str_eq(text(bob, "address"), "fd12:3456:789a::b");
    cr_expect_str_eq(text(partner, "name"), "bob");
    cr_expect_str_eq(text(partner, "public_key"), KEY_B);
    cr_expect_str_eq(text(partner, "address"), "fd12:3456:789a::b");
    cr_expect_eq(strncmp(text(partner, "endpoint"), "[2001:db8:5:", 12), 0, "%s", text(partner, "endpoint"));
    cr_expect_not_null(strstr(text(partner, "endpoint"), "]:4500"));
    json_t *back = json_array_get(json_object_get(bob, "peers"), 0);
    cr_expect_str_neq(text(partner, "endpoint"), text(back, "endpoint"), "each has an address of his own");
    json_decref(alice);
    json_decref(bob);
}

Test(api_relays, a_later_member_joins_all_of_the_group)
{
    make_mesh();
    expect_number("relays.add", "{\"name\":\"carol\",\"group\":\"lab\",\"public_key\":\"" KEY_C "\"}", "pairs", 2);
    expect_number("relays.add", "{\"name\":\"carol\"}", "pairs", 0);
    json_t *carol = call("relays.config", "{\"name\":\"carol\"}");
    cr_expect_eq(json_array_size(json_object_get(carol, "peers")), 2);
    json_decref(carol);
}

Test(api_relays, a_later_member_joins_only_those_who_are_named)
{
    make_mesh();
    expect_number("relays.add",
                  "{\"name\":\"carol\",\"group\":\"lab\",\"public_key\":\"" KEY_C "\",\"with\":[\"bob\"]}", "pairs", 1);
    expect_refusal("relays.add", "{\"name\":\"carol\",\"with\":[\"nobody\"]}", "no_such_member");
    expect_refusal("relays.add", "{\"name\":\"carol\",\"with\":[7]}", "bad_parameter");
}

Test(api_relays, lists_come_in_pages)
{
    make_mesh();
    expect_number("relays.add", "{\"name\":\"carol\",\"group\":\"lab\",\"public_key\":\"" KEY_C "\"}", "pairs", 2);
    unsigned pairs = 0, pages = 0;
    json_int_t after = 0;
    for (bool more = true; more && pages < 5; pages++) {
        json_t *page = ask("relays.list", json_pack("{s:i, s:I}", "limit", 2, "after", after), "result");
        pairs += (unsigned)json_array_size(json_object_get(page, "pairs"));
        more = json_object_get(page, "next") != NULL;
        after = json_integer_value(json_object_get(page, "next"));
        json_decref(page);
    }
    cr_expect_eq(pairs, 3);
    json_t *members = call("relays.members", "{\"limit\":2}");
    cr_expect_eq(json_array_size(json_object_get(members, "members")), 2);
    cr_expect_not_null(json_object_get(members, "next"));
    json_decref(members);
    json_t *his = call("relays.list", "{\"member\":\"carol\"}");
    cr_expect_eq(json_array_size(json_object_get(his, "pairs")), 2);
    json_t *end = json_array_get(json_object_get(json_array_get(json_object_get(his, "pairs"), 0), "ends"), 0);
    cr_expect_str_eq(text(end, "state"), "unknown", "nobody was heard yet");
    json_decref(his);
    json_t *none = call("relays.list", "{\"group\":\"other\"}");
    cr_expect_eq(json_array_size(json_object_get(none, "pairs")), 0);
    json_decref(none);
    expect_number("relays.show", "{}", "pairs", 3);
}

Test(api_relays, many_are_loaded_at_once)
{
    json_t *members = json_array(), *pairs = json_array();
    char name[16], key[64];
    for (unsigned at = 0; at < 500; at++) {
        snprintf(name, sizeof(name), "m%u", at);
        snprintf(key, sizeof(key), "%c%c%c%s", 'A' + (int)(at % 26), 'A' + (int)(at / 26), 'q', KEY_A + 3);
        json_array_append_new(members, json_pack("{s:s, s:s}", "name", name, "public_key", key));
    }
    for (unsigned at = 0; at < 20000; at++) {
        char other[16];
        snprintf(name, sizeof(name), "m%u", at % 500);
        snprintf(other, sizeof(other), "m%u", (at % 500 + 1 + at / 500) % 500);
        json_array_append_new(pairs, json_pack("[s, s]", name, other));
    }
    json_t *result =
        ask("relays.load", json_pack("{s:s, s:o, s:o}", "group", "lab", "members", members, "pairs", pairs), "result");
    cr_expect_eq(json_integer_value(json_object_get(result, "members")), 500);
    cr_expect_eq(json_integer_value(json_object_get(result, "pairs")), 20000);
    json_decref(result);
    expect_refusal("relays.load", "{\"pairs\":[[\"m1\",\"m2\"],[\"m1\"]]}", "bad_parameter");
    expect_refusal("relays.load", "{\"pairs\":[[\"m1\",\"m0\"],[\"m1\",\"nobody\"]]}", "no_such_member");
    expect_number("relays.show", "{}", "pairs", 20000);
}

Test(api_relays, what_is_wrong_is_named)
{
    make_mesh();
    expect_refusal("relays.mesh", "{\"group\":\"lab\",\"members\":[{\"name\":\"x\",\"public_key\":\"short\"}]}",
                   "bad_key");
    expect_refusal("relays.mesh", "{\"group\":\"lab\",\"members\":[{\"public_key\":\"" KEY_C "\"}]}", "bad_parameter");
    expect_refusal("relays.mesh",
                   "{\"group\":\"lab\",\"members\":[{\"name\":\"x\",\"public_key\":\"" KEY_C "\",\"address\":\"7\"}]}",
                   "bad_address");
    expect_refusal("relays.mesh", "{\"members\":[\"alice\",\"alice\"]}", "same_member");
    expect_refusal("relays.config", "{\"name\":\"nobody\"}", "no_such_member");
    expect_refusal("relays.list", "{\"member\":\"nobody\"}", "no_such_member");
    expect_refusal("relays.remove", "{\"name\":\"nobody\"}", "no_such_member");
    expect_refusal("relays.remove", "{\"name\":\"alice\",\"with\":\"alice\"}", "no_such_pair");
    expect_number("relays.remove", "{\"name\":\"alice\",\"with\":\"bob\"}", "removed", 1);
    expect_number("relays.remove", "{\"name\":\"alice\"}", "removed", 0);
}

Test(api_relays, a_lifetime_is_renewed_only_if_it_is_named)
{
    make_mesh();
    expect_number("relays.mesh", "{\"members\":[\"alice\",\"bob\"],\"lifetime_s\":1000}", "pairs", 0);
    cr_expect_neq(bypeer_relays_next_pair(fixture.node.relays, 0)->expires_s, 0);
    expect_number("relays.mesh", "{\"members\":[\"alice\",\"bob\"]}", "pairs", 0);
    cr_expect_neq(bypeer_relays_next_pair(fixture.node.relays, 0)->expires_s, 0);
    expect_number("relays.mesh", "{\"members\":[\"alice\",\"bob\"],\"lifetime_s\":0}", "pairs", 0);
    cr_expect_eq(bypeer_relays_next_pair(fixture.node.relays, 0)->expires_s, 0);
}
