/* Nodes with sockets of their own on one loop: what one publishes the other finds, over reloads and restarts. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/api/api.h"
#include "control/identity/identities.h"
#include "control/kernel/netlink.h"
#include "control/names/cloud.h"
#include "control/names/names.h"
#include "node_fixture.h"

#define PATIENCE_MS 20000

struct side {
    struct node_fixture fixture;
    struct bypeer_names *names;
};

static struct side alpha, beta;
static uv_loop_t loop;

static const char alpha_yaml[] = "node: { name: alpha, state: %s }\n"
                                 "tables: { members: 1000, links: 8, prefixes: 16 }\n"
                                 "names: { ids: 1000, ids-max: 20000 }\n"
                                 "clouds:\n"
                                 "  - { name: global, addresses: [\"2001:db8::1\"], answers: true, cache: 20000 }\n";
static const char beta_yaml[] = "node: { name: beta, state: %s }\n"
                                "tables: { members: 1000, links: 8, prefixes: 16 }\n"
                                "clouds:\n"
                                "  - { name: global, addresses: [\"2001:db8::2\"], seeds: [\"[2001:db8::1]:3541\"] }\n";

/* --- a network of the test's own --- */

static void set_up_network(void)
{
    struct bypeer_netlink *netlink;
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        cr_skip_test("needs to make a network namespace");
    int any = socket(AF_INET6, SOCK_DGRAM, 0);
    struct ifreq request = {.ifr_flags = IFF_UP};
    strcpy(request.ifr_name, "lo");
    cr_assert_eq(ioctl(any, SIOCSIFFLAGS, &request), 0);
    close(any);
    cr_assert_eq(bypeer_netlink_open(&netlink), 0);
    for (uint8_t number = 1; number <= 3; number++) {
        const uint8_t address[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = number};
        cr_assert_eq(bypeer_netlink_set_address(netlink, true, if_nametoindex("lo"), address, 128), 0);
    }
    bypeer_netlink_close(netlink);
}

static void on_renewing(void *context)
{
    struct side *side = context;
    bypeer_names_renewing(side->names);
}

static void on_renewed(void *context, struct bypeer_generation *generation)
{
    (void)generation;
    struct side *side = context;
    bypeer_names_renewed(side->names);
}

static const char *configuration(const struct side *side, const char *yaml)
{
    static char text[4096];
    snprintf(text, sizeof(text), yaml, side->fixture.directory);
    return text;
}

static void start(struct side *side)
{
    struct bypeer_node_hooks hooks = {.renewing = on_renewing, .renewed = on_renewed, .context = side};
    struct bypeer_problem problem;
    node_fixture_open(&side->fixture, &hooks);
    cr_assert_eq(bypeer_names_open(&side->names, &loop, &side->fixture.node, &problem), 0);
    side->fixture.node.names = side->names;
}

static void run_some(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
    usleep(500);
}

/* The names of a side are gone, what it stored is not. */
static void stop(struct side *side)
{
    bypeer_names_close(side->names);
    side->names = side->fixture.node.names = NULL;
    for (unsigned turn = 0; turn < 50; turn++)
        run_some();
    node_fixture_close(&side->fixture);
}

static void reload(struct side *side, const char *yaml)
{
    node_fixture_must_reload(&side->fixture, configuration(side, yaml));
    bypeer_names_reconfigure(side->names);
}

static void set_up(void)
{
    set_up_network();
    cr_assert_eq(uv_loop_init(&loop), 0);
    node_fixture_begin(&alpha.fixture, "");
    node_fixture_write(&alpha.fixture, configuration(&alpha, alpha_yaml));
    node_fixture_begin(&beta.fixture, "");
    node_fixture_write(&beta.fixture, configuration(&beta, beta_yaml));
    start(&alpha);
    start(&beta);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static void tear_down(void)
{
    char path[512];
    struct side *sides[] = {&alpha, &beta};
    for (size_t at = 0; at < 2; at++)
        bypeer_names_close(sides[at]->names);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0, "nothing is left open");
    for (size_t at = 0; at < 2; at++) {
        snprintf(path, sizeof(path), "%s/identities", sides[at]->fixture.directory);
        nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        node_fixture_end(&sides[at]->fixture);
    }
}

TestSuite(clouds, .init = set_up, .fini = tear_down, .timeout = 120);

/* --- requests of the API --- */

struct reply {
    json_t *answer;
    unsigned answers, notices;
};

static void on_answer(void *context, char *text, size_t length)
{
    struct reply *reply = context;
    reply->answers++;
    reply->answer = text ? json_loadb(text, length, 0, NULL) : NULL;
    free(text);
}

static void on_notice(void *context, char *text, size_t length)
{
    (void)length;
    struct reply *reply = context;
    cr_assert_eq(reply->answers, 0, "before the answer");
    cr_assert(strstr(text, "names.found"));
    reply->notices++;
    free(text);
}

static struct bypeer_exchange *begin(struct side *side, struct reply *reply, const char *method, const char *parameters)
{
    static const struct bypeer_api_client client = {.answer = on_answer, .notify = on_notice};
    char line[8192];
    snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method, parameters);
    *reply = (struct reply){0};
    return bypeer_api_take(&side->fixture.node, line, strlen(line), &client, reply);
}

static void wait_for(struct reply *reply)
{
    uint64_t end = uv_hrtime() / 1000000 + PATIENCE_MS;
    while (reply->answers == 0 && uv_hrtime() / 1000000 < end)
        run_some();
    cr_assert_eq(reply->answers, 1, "answered once");
}

/* The result; the caller's. */
static json_t *ask(struct side *side, const char *method, const char *parameters)
{
    struct reply reply;
    begin(side, &reply, method, parameters);
    wait_for(&reply);
    json_t *result = json_incref(json_object_get(reply.answer, "result"));
    cr_assert_not_null(result, "%s %s: %s", method, parameters, json_dumps(reply.answer, 0));
    json_decref(reply.answer);
    return result;
}

/* The key of the refusal. */
static const char *refusal(struct side *side, const char *method, const char *parameters)
{
    static char key[64];
    struct reply reply;
    begin(side, &reply, method, parameters);
    wait_for(&reply);
    const json_t *data = json_object_get(json_object_get(reply.answer, "error"), "data");
    cr_assert_not_null(data, "%s %s is refused", method, parameters);
    snprintf(key, sizeof(key), "%s", json_string_value(json_object_get(data, "key")));
    json_decref(reply.answer);
    return key;
}

static const char *text_at(const json_t *object, const char *list, size_t at, const char *key)
{
    return json_string_value(json_object_get(json_array_get(json_object_get(object, list), at), key));
}

/* How many registrations a side finds within a moment; the last one's ID. */
static size_t find(struct side *side, const char *name, char ret_id[65])
{
    char parameters[512];
    struct reply reply;
    snprintf(parameters, sizeof(parameters), "{\"name\":\"%s\",\"timeout_ms\":4000}", name);
    begin(side, &reply, "names.resolve", parameters);
    wait_for(&reply);
    const json_t *result = json_object_get(reply.answer, "result");
    size_t count = json_array_size(json_object_get(result, "results"));
    if (count > 0 && ret_id)
        snprintf(ret_id, 65, "%s", text_at(result, "results", 0, "id"));
    json_decref(reply.answer);
    return count;
}

static void publish(struct side *side, const char *parameters, char ret_id[65])
{
    json_t *result = ask(side, "names.publish", parameters);
    cr_assert_eq(json_array_size(json_object_get(result, "registrations")), 1);
    if (ret_id)
        snprintf(ret_id, 65, "%s", text_at(result, "registrations", 0, "id"));
    json_decref(result);
}

/* --- tests --- */

Test(clouds, what_is_published_is_found_with_all_that_belongs_to_it)
{
    char id[65], found[65];
    publish(&alpha,
            "{\"name\":\"0.web\",\"port\":8080,\"comment\":\"tür\",\"payload\":\"AP8=\",\"payload_type\":\"binary\"}",
            id);
    cr_assert_eq(find(&beta, "0.web", found), 1);
    cr_assert_str_eq(found, id);
    json_t *result = ask(&beta, "names.resolve", "{\"name\":\"WEB.pnrp.net.\"}");
    const json_t *first = json_array_get(json_object_get(result, "results"), 0);
    cr_assert_str_eq(json_string_value(json_object_get(first, "comment")), "tür");
    cr_assert_str_eq(json_string_value(json_object_get(first, "payload")), "AP8=");
    cr_assert_str_eq(json_string_value(json_object_get(first, "payload_type")), "binary");
    cr_assert_str_eq(text_at(first, "endpoints", 0, "address"), "2001:db8::1");
    cr_assert_str_eq(text_at(first, "endpoints", 0, "protocol"), "tcp");
    json_decref(result);

    cr_assert_str_eq(refusal(&alpha, "names.publish", "{\"name\":\"0.web\",\"port\":1}"), "name_exists");
    result =
        ask(&alpha, "names.update", "{\"name\":\"0.web\",\"endpoints\":[{\"address\":\"2001:db8::9\",\"port\":1}]}");
    json_decref(result);
    result = ask(&beta, "names.resolve", "{\"name\":\"0.web\"}");
    first = json_array_get(json_object_get(result, "results"), 0);
    cr_assert_str_eq(text_at(first, "endpoints", 0, "address"), "2001:db8::9");
    cr_assert_null(json_object_get(first, "payload"));
    json_decref(result);

    json_decref(ask(&alpha, "names.unpublish", "{\"name\":\"0.web\"}"));
    cr_assert_str_eq(refusal(&beta, "names.resolve", "{\"name\":\"0.web\",\"timeout_ms\":300}"), "name_not_found");
    cr_assert_str_eq(refusal(&alpha, "names.unpublish", "{\"name\":\"0.web\"}"), "not_published");
}

Test(clouds, a_classifier_is_published_under_the_identity_of_this_node)
{
    json_t *result = ask(&alpha, "names.publish", "{\"classifier\":\"printer\",\"port\":631}");
    char name[512], path[256];
    snprintf(name, sizeof(name), "%s", json_string_value(json_object_get(result, "name")));
    json_decref(result);
    cr_assert_eq(strlen(name), 48);
    struct stat status;
    snprintf(path, sizeof(path), "%s/identities/%.40s/%.40s.pem", alpha.fixture.directory, name, name);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0600);
    cr_assert_eq(find(&beta, name, NULL), 1);
    /* It is nobody else's to publish. */
    char parameters[600];
    snprintf(parameters, sizeof(parameters), "{\"name\":\"%s\",\"port\":1}", name);
    cr_assert_str_eq(refusal(&beta, "names.publish", parameters), "no_such_identity");
}

/* Both while the old key is valid and when it is gone; the resolver checks the chain from the first key. */
Test(clouds, a_name_stays_when_the_key_of_its_identity_is_replaced)
{
    char name[512], parameters[600];
    json_t *result = ask(&alpha, "names.publish", "{\"classifier\":\"printer\",\"port\":631}");
    snprintf(name, sizeof(name), "%s", json_string_value(json_object_get(result, "name")));
    json_decref(result);
    snprintf(parameters, sizeof(parameters), "{\"identity\":\"%.40s\"}", name);
    cr_assert_str_eq(refusal(&alpha, "identities.delete", parameters), "identity_in_use");
    json_decref(ask(&alpha, "identities.rotate", "{\"overlap_s\":0}"));
    cr_assert_eq(find(&beta, name, NULL), 1);
    bypeer_identities_expire(alpha.fixture.node.identities, (uint64_t)time(NULL) + 1);
    result = ask(&alpha, "identities.show", "{}");
    cr_assert(json_is_null(json_object_get(json_object_get(result, "identity"), "old_key_until")));
    cr_assert_eq(json_integer_value(json_object_get(json_object_get(result, "identity"), "rotations")), 1);
    json_decref(result);
    stop(&alpha);
    start(&alpha);
    cr_assert_eq(find(&beta, name, NULL), 1);
}

Test(clouds, a_restart_brings_back_the_same_registration)
{
    char id[65], again[65];
    publish(&alpha, "{\"name\":\"0.durable\",\"port\":80}", id);
    cr_assert_eq(find(&beta, "0.durable", again), 1);
    stop(&alpha);
    start(&alpha);
    json_t *list = ask(&alpha, "names.list", "{}");
    cr_assert_eq(json_array_size(json_object_get(list, "names")), 1);
    cr_assert_str_eq(text_at(list, "names", 0, "id"), id);
    cr_assert_str_eq(text_at(list, "names", 0, "state"), "published");
    json_decref(list);
    cr_assert_eq(find(&beta, "0.durable", again), 1);
    cr_assert_str_eq(again, id);
}

Test(clouds, nodes_are_remembered_for_the_next_start)
{
    publish(&alpha, "{\"name\":\"0.here\",\"port\":80}", NULL);
    publish(&beta, "{\"name\":\"0.there\",\"port\":80}", NULL);
    cr_assert_eq(find(&beta, "0.here", NULL), 1);
    stop(&beta);
    /* No seed any more: who was verified last is asked. */
    static const char without[] = "node: { name: beta, state: %s }\n"
                                  "clouds:\n"
                                  "  - { name: global, addresses: [\"2001:db8::2\"] }\n";
    node_fixture_write(&beta.fixture, configuration(&beta, without));
    start(&beta);
    cr_assert_eq(find(&beta, "0.here", NULL), 1);
}

Test(clouds, a_reload_opens_changes_and_closes_clouds)
{
    static const char two[] = "node: { name: alpha, state: %s }\n"
                              "clouds:\n"
                              "  - { name: global, addresses: [\"2001:db8::1\"], answers: true, cache: 500 }\n"
                              "  - { name: second, addresses: [\"2001:db8::3\"], port: 4000, answers: true }\n";
    static const char none[] = "node: { name: alpha, state: %s }\n";
    char id[65], found[65];
    publish(&alpha, "{\"name\":\"0.web\",\"port\":80}", id);
    cr_assert_eq(find(&beta, "0.web", found), 1);

    reload(&alpha, two); /* another cache: the cloud is opened anew, with the same registration */
    json_t *list = ask(&alpha, "names.list", "{}");
    cr_assert_eq(json_array_size(json_object_get(list, "names")), 2, "in both clouds");
    cr_assert_str_eq(text_at(list, "names", 0, "id"), id);
    cr_assert_str_eq(text_at(list, "names", 1, "cloud"), "second");
    json_decref(list);
    cr_assert_eq(find(&beta, "0.web", found), 1);
    cr_assert_str_eq(found, id);

    reload(&alpha, none);
    list = ask(&alpha, "clouds.list", "{}");
    cr_assert_eq(json_array_size(json_object_get(list, "clouds")), 0);
    json_decref(list);
    cr_assert_str_eq(refusal(&beta, "names.resolve", "{\"name\":\"0.web\",\"timeout_ms\":500}"), "name_not_found");
    cr_assert_str_eq(refusal(&alpha, "names.resolve", "{\"name\":\"0.web\"}"), "no_cloud");

    reload(&alpha, two);
    list = ask(&alpha, "names.list", "{}");
    cr_assert_eq(json_array_size(json_object_get(list, "names")), 2, "it was never unpublished");
    json_decref(list);
}

Test(clouds, a_name_can_be_in_some_clouds_only)
{
    static const char two[] = "node: { name: alpha, state: %s }\n"
                              "clouds:\n"
                              "  - { name: global, addresses: [\"2001:db8::1\"], answers: true, cache: 20000 }\n"
                              "  - { name: second, addresses: [\"2001:db8::3\"], port: 4000, answers: true }\n";
    reload(&alpha, two);
    cr_assert_str_eq(refusal(&alpha, "names.publish", "{\"name\":\"0.a\",\"port\":1,\"clouds\":[\"third\"]}"),
                     "no_such_cloud");
    publish(&alpha, "{\"name\":\"0.a\",\"port\":1,\"clouds\":[\"second\"]}", NULL);
    json_decref(ask(&alpha, "names.publish", "{\"name\":\"0.b\",\"port\":1}"));
    cr_assert_str_eq(refusal(&alpha, "names.unpublish", "{\"name\":\"0.b\",\"clouds\":[\"third\"]}"), "no_such_cloud");
    json_decref(ask(&alpha, "names.unpublish", "{\"name\":\"0.b\",\"clouds\":[\"global\"]}"));
    stop(&alpha);
    start(&alpha);
    json_t *list = ask(&alpha, "names.list", "{}");
    cr_assert_eq(json_array_size(json_object_get(list, "names")), 2);
    cr_assert_str_eq(text_at(list, "names", 0, "cloud"), "second");
    cr_assert_str_eq(text_at(list, "names", 1, "cloud"), "second");
    json_decref(list);
}

Test(clouds, a_name_stays_in_a_cloud_that_is_not_configured_now)
{
    static const char three[] = "node: { name: alpha, state: %s }\n"
                                "clouds:\n"
                                "  - { name: global, addresses: [\"2001:db8::1\"], answers: true, cache: 20000 }\n"
                                "  - { name: second, addresses: [\"2001:db8::3\"], port: 4000, answers: true }\n"
                                "  - { name: third, addresses: [\"2001:db8::3\"], port: 4001, answers: true }\n";
    static const char two[] = "node: { name: alpha, state: %s }\n"
                              "clouds:\n"
                              "  - { name: global, addresses: [\"2001:db8::1\"], answers: true, cache: 20000 }\n"
                              "  - { name: third, addresses: [\"2001:db8::3\"], port: 4001, answers: true }\n";
    reload(&alpha, three);
    json_decref(ask(&alpha, "names.publish", "{\"name\":\"0.a\",\"port\":1,\"clouds\":[\"global\",\"second\"]}"));
    reload(&alpha, two);
    run_some();
    json_t *result = ask(&alpha, "names.unpublish", "{\"name\":\"0.a\",\"clouds\":[\"third\"]}");
    cr_expect_eq(json_integer_value(json_object_get(result, "removed")), 0, "it is not in there");
    json_decref(result);
    result = ask(&alpha, "names.unpublish", "{\"name\":\"0.a\",\"clouds\":[\"global\"]}");
    cr_expect_eq(json_integer_value(json_object_get(result, "removed")), 1);
    json_decref(result);
    reload(&alpha, three);
    json_t *list = ask(&alpha, "names.list", "{}");
    cr_assert_eq(json_array_size(json_object_get(list, "names")), 1);
    cr_expect_str_eq(text_at(list, "names", 0, "cloud"), "second");
    json_decref(list);
}

Test(clouds, each_profile_has_clouds_and_an_identity_of_its_own)
{
    static const char both[] = "node: { name: alpha, state: %s }\n"
                               "clouds:\n"
                               "  - { name: global, addresses: [\"2001:db8::1\"], answers: true, cache: 20000 }\n"
                               "  - { name: old, profile: windows, addresses: [\"2001:db8::1\"], answers: true }\n";
    static const char other[] =
        "node: { name: beta, state: %s }\n"
        "clouds:\n"
        "  - { name: global, addresses: [\"2001:db8::2\"], seeds: [\"[2001:db8::1]:3541\"] }\n"
        "  - { name: old, profile: windows, addresses: [\"2001:db8::2\"], seeds: [\"[2001:db8::1]:3540\"] }\n";
    char modern[512], windows[512];
    reload(&alpha, both);
    reload(&beta, other);
    json_t *result = ask(&alpha, "names.publish", "{\"classifier\":\"both\",\"port\":1,\"clouds\":[\"old\"]}");
    snprintf(windows, sizeof(windows), "%s", json_string_value(json_object_get(result, "name")));
    json_decref(result);
    result = ask(&alpha, "names.publish", "{\"classifier\":\"both\",\"port\":1}");
    snprintf(modern, sizeof(modern), "%s", json_string_value(json_object_get(result, "name")));
    json_decref(result);
    cr_assert_str_neq(windows, modern);
    cr_assert_eq(find(&beta, windows, NULL), 1);
    cr_assert_eq(find(&beta, modern, NULL), 1);
}

Test(clouds, a_name_waits_for_an_address)
{
    static const char elsewhere[] = "node: { name: alpha, state: %s }\n"
                                    "clouds:\n"
                                    "  - { name: global, addresses: [\"2001:db8::77\"], answers: true }\n";
    char before[2][65], after[2][65];
    reload(&alpha, elsewhere);
    json_decref(ask(&alpha, "names.publish", "{\"name\":\"0.patient\",\"port\":80}"));
    json_decref(ask(&alpha, "names.publish", "{\"name\":\"0.too\",\"port\":80}"));
    json_t *list = ask(&alpha, "names.list", "{}");
    cr_assert_str_eq(text_at(list, "names", 0, "state"), "waiting");
    json_decref(list);
    cr_assert_str_eq(refusal(&alpha, "names.resolve", "{\"name\":\"0.x\"}"), "no_network");
    reload(&alpha, alpha_yaml);
    list = ask(&alpha, "names.list", "{}");
    cr_assert_str_eq(text_at(list, "names", 0, "state"), "published");
    json_decref(list);
    cr_assert_eq(find(&beta, "0.patient", before[0]), 1);
    cr_assert_eq(find(&beta, "0.too", before[1]), 1);
    stop(&alpha);
    start(&alpha);
    cr_assert_eq(find(&beta, "0.patient", after[0]), 1);
    cr_assert_eq(find(&beta, "0.too", after[1]), 1);
    cr_expect_str_eq(after[0], before[0], "its ID was kept when there was one");
    cr_expect_str_eq(after[1], before[1]);
}

Test(clouds, results_are_told_before_the_answer)
{
    publish(&alpha, "{\"name\":\"0.web\",\"port\":80}", NULL);
    struct reply reply;
    begin(&beta, &reply, "names.resolve", "{\"name\":\"0.web\",\"stream\":true}");
    wait_for(&reply);
    cr_assert_eq(reply.notices, 1);
    json_decref(reply.answer);
}

Test(clouds, who_is_gone_waits_for_nothing)
{
    struct reply reply, other;
    struct bypeer_exchange *exchange = begin(&beta, &reply, "names.resolve", "{\"name\":\"0.nobody\"}");
    cr_assert_not_null(exchange);
    run_some();
    bypeer_api_cancel(exchange);
    begin(&beta, &other, "names.resolve", "{\"name\":\"0.nobody\",\"timeout_ms\":100}");
    wait_for(&other);
    json_decref(other.answer);
    cr_assert_eq(reply.answers, 0);
}

Test(clouds, what_cannot_be_published_is_refused_with_a_reason)
{
    char long_comment[128];
    cr_assert_str_eq(refusal(&alpha, "names.publish", "{\"port\":1}"), "bad_parameter");
    cr_assert_str_eq(refusal(&alpha, "names.publish", "{\"name\":\"0.x\",\"classifier\":\"x\"}"), "bad_parameter");
    cr_assert_str_eq(refusal(&alpha, "names.publish", "{\"name\":\"zz.x\"}"), "bad_name");
    cr_assert_str_eq(refusal(&alpha, "names.publish", "{\"name\":\"0.x\",\"endpoints\":[]}"), "nothing_to_publish");
    cr_assert_str_eq(refusal(&alpha, "names.publish", "{\"name\":\"0.x\",\"endpoints\":[{\"address\":\"::1\"}]}"),
                     "bad_parameter");
    cr_assert_str_eq(
        refusal(&alpha, "names.publish", "{\"name\":\"0.x\",\"payload\":\"*\",\"payload_type\":\"binary\"}"),
        "bad_parameter");
    cr_assert_str_eq(refusal(&alpha, "names.publish", "{\"name\":\"0.x\",\"protocol\":\"sctp\"}"), "bad_parameter");
    snprintf(long_comment, sizeof(long_comment), "{\"name\":\"0.x\",\"comment\":\"%040d\"}", 1);
    cr_assert_str_eq(refusal(&alpha, "names.publish", long_comment), "bad_comment");
    cr_assert_str_eq(refusal(&alpha, "names.resolve", "{\"name\":\"0.x\",\"clouds\":[\"other\"]}"), "no_such_cloud");
    cr_assert_str_eq(refusal(&alpha, "names.resolve", "{\"name\":\"0.x\",\"criterion\":\"best\"}"), "bad_parameter");
    json_t *list = ask(&alpha, "names.list", "{}");
    cr_assert_eq(json_array_size(json_object_get(list, "names")), 0, "nothing is half done");
    json_decref(list);
}

/* --- the tables --- */

static struct bypeer_tables attach(const struct side *side)
{
    struct bypeer_tables tables;
    char why[160];
    const struct bypeer_memory *memory = &side->fixture.node.generation->memory;
    cr_assert_eq(bypeer_tables_attach(&tables, memory->base, memory->bytes, why), 0, "%s", why);
    return tables;
}

/* How many IDs workers know in cloud 1, at most most; own ones too. */
static unsigned count_known(const struct side *side)
{
    struct bypeer_tables tables = attach(side);
    struct bypeer_names_walk walk;
    uint8_t cloud = 1, target[32] = {0};
    const uint8_t *targets[1] = {target};
    bypeer_names_locate(&tables, &cloud, targets, 1, BYPEER_NAMES_FETCH_ABOVE, &walk);
    return walk.half.count + walk.delta.count;
}

static bool worker_knows(const struct side *side, const uint8_t id[static 32])
{
    struct bypeer_tables tables = attach(side);
    struct bypeer_names_walk walk;
    uint8_t cloud = 1;
    bypeer_names_locate(&tables, &cloud, &id, 1, BYPEER_NAMES_FETCH_ABOVE, &walk);
    const struct bypeer_name_record *record = bypeer_names_above(&walk);
    return record && memcmp(record->id, id, 32) == 0;
}

static void id_of(uint32_t number, uint8_t ret_id[static 32])
{
    for (unsigned at = 0; at < 32; at++)
        ret_id[at] = (uint8_t)((number * 2654435761u >> (at % 4 * 8)) + at * number);
}

/* Gives alpha's cloud so many IDs, from number first on. */
static void load(uint32_t first, uint32_t count)
{
    json_t *entries = json_array();
    for (uint32_t number = first; number < first + count; number++) {
        uint8_t id[32];
        char text[65], endpoint[64];
        id_of(number, id);
        for (unsigned at = 0; at < 32; at++)
            snprintf(text + 2 * at, 3, "%02x", id[at]);
        snprintf(endpoint, sizeof(endpoint), "[2001:db8:%x:%x::1]:3541", number >> 8, number & 0xff);
        json_array_append_new(entries, json_pack("{s:s, s:[s]}", "id", text, "endpoints", endpoint));
    }
    json_t *request = json_pack("{s:s, s:i, s:s, s:{s:s, s:o}}", "jsonrpc", "2.0", "id", 1, "method", "clouds.load",
                                "params", "cloud", "global", "entries", entries);
    char *line = json_dumps(request, JSON_COMPACT);
    static const struct bypeer_api_client client = {.answer = on_answer};
    struct reply reply = {0};
    cr_assert_null(bypeer_api_take(&alpha.fixture.node, line, strlen(line), &client, &reply));
    const json_t *added = json_object_get(json_object_get(reply.answer, "result"), "added");
    cr_assert_eq(json_integer_value(added), count, "%s", json_dumps(reply.answer, 0));
    json_decref(reply.answer);
    json_decref(request);
    free(line);
}

static void wait_until_known(unsigned count)
{
    uint64_t end = uv_hrtime() / 1000000 + PATIENCE_MS;
    while (count_known(&alpha) < count && uv_hrtime() / 1000000 < end)
        run_some();
    cr_assert_geq(count_known(&alpha), count);
}

Test(clouds, workers_know_what_the_cache_knows)
{
    /* More than the first tables have room for, and than a delta holds. */
    enum { ENTRIES = 12000, EACH = 2000 };
    for (uint32_t first = 0; first < ENTRIES; first += EACH)
        load(first, EACH);
    char own[65];
    publish(&alpha, "{\"name\":\"0.own\",\"port\":80}", own);
    wait_until_known(ENTRIES + 1);
    for (uint32_t number = 0; number < ENTRIES; number += 97) {
        uint8_t id[32];
        id_of(number, id);
        cr_assert(worker_knows(&alpha, id), "%u", number);
    }
    struct bypeer_tables tables = attach(&alpha);
    const struct bypeer_cloud_record *record = bypeer_names_cloud(&tables, 1);
    cr_assert_eq(record->port, 3541);
    cr_assert_eq(record->version_major, 5);
    cr_assert_eq(record->flags & BYPEER_CLOUD_ANSWERS, BYPEER_CLOUD_ANSWERS);
    uint8_t id[32];
    for (unsigned at = 0; at < 32; at++)
        id[at] = (uint8_t)strtoul((char[3]){own[2 * at], own[2 * at + 1], '\0'}, NULL, 16);
    cr_assert(bypeer_names_is_own(&tables, 1, id));
    json_decref(ask(&alpha, "names.unpublish", "{\"name\":\"0.own\"}"));
    run_some();
    cr_assert(!bypeer_names_is_own(&tables, 1, id));

    json_t *cache = ask(&alpha, "clouds.cache", "{\"cloud\":\"global\",\"limit\":7000}");
    cr_assert_eq(json_array_size(json_object_get(cache, "entries")), 7000);
    char next[128];
    snprintf(next, sizeof(next), "{\"cloud\":\"global\",\"limit\":7000,\"after\":\"%s\"}",
             json_string_value(json_object_get(cache, "next")));
    json_decref(cache);
    cache = ask(&alpha, "clouds.cache", next);
    cr_assert_eq(json_array_size(json_object_get(cache, "entries")), ENTRIES - 7000);
    cr_assert_null(json_object_get(cache, "next"));
    json_decref(cache);
}

/* The tables of 1000 IDs have a delta for as many. */
Test(clouds, an_index_at_rest_is_not_built_anew)
{
    load(0, 100);
    wait_until_known(100);
    for (unsigned turn = 0; turn < 200; turn++)
        run_some();
    const uint8_t *base = alpha.fixture.node.generation->memory.base;
    const uint64_t root = ((const struct bypeer_tables_header *)(const void *)base)->names_root;
    for (unsigned turn = 0; turn < 400; turn++) {
        run_some();
        cr_assert_eq(((const struct bypeer_tables_header *)(const void *)base)->names_root, root);
    }
}

Test(clouds, the_index_goes_on_after_tables_that_could_not_be_made)
{
    struct bypeer_problem problem;
    publish(&alpha, "{\"name\":\"0.own\",\"port\":80}", NULL);
    load(0, 3000);
    uint64_t end = uv_hrtime() / 1000000 + PATIENCE_MS;
    while (count_known(&alpha) < 3001 && uv_hrtime() / 1000000 < end) {
        run_some(); /* some time, the index is being built */
        struct bypeer_tables_size size = alpha.fixture.node.generation->size;
        size.names = 0;
        cr_assert_eq(bypeer_node_renew(&alpha.fixture.node, &size, BYPEER_LAYOUT_NEWEST, &problem), -ENOSPC);
    }
    cr_assert_geq(count_known(&alpha), 3001);
}

/* Whether workers have a cloud at this port, and answer for it. */
static void look_at_port(uint16_t port, bool *ret_there, bool *ret_answers)
{
    struct bypeer_tables tables = attach(&alpha);
    *ret_there = *ret_answers = false;
    for (uint8_t number = 1; number <= BYPEER_CLOUDS_MAX; number++) {
        const struct bypeer_cloud_record *record = bypeer_names_cloud(&tables, number);
        if (record->port != port)
            continue;
        *ret_there = true;
        *ret_answers = (record->flags & BYPEER_CLOUD_ANSWERS) != 0;
    }
}

static void wait_until_answers(uint16_t port, bool wanted)
{
    uint64_t end = uv_hrtime() / 1000000 + PATIENCE_MS;
    bool there, answers;
    look_at_port(port, &there, &answers);
    while ((!there || answers != wanted) && uv_hrtime() / 1000000 < end) {
        run_some();
        look_at_port(port, &there, &answers);
    }
    cr_assert(there);
    cr_assert_eq(answers, wanted);
}

Test(clouds, workers_answer_for_a_cloud_that_they_know_wholly)
{
    static const char small[] = "node: { name: alpha, state: %s }\n"
                                "tables: { members: 1000, links: 8, prefixes: 16 }\n"
                                "names: { ids: 1000, ids-max: 2000 }\n"
                                "clouds:\n"
                                "  - { name: global, addresses: [\"2001:db8::1\"], answers: true, cache: 20000 }\n";
    char own[65];
    uint8_t id[32];
    reload(&alpha, small);
    publish(&alpha, "{\"name\":\"0.own\",\"port\":80}", own);
    for (unsigned at = 0; at < 32; at++)
        id[at] = (uint8_t)strtoul((char[3]){own[2 * at], own[2 * at + 1], '\0'}, NULL, 16);
    wait_until_answers(3541, true);
    load(0, 3000);
    wait_until_answers(3541, false);
    uint64_t end = uv_hrtime() / 1000000 + PATIENCE_MS;
    while (count_known(&alpha) != 1 && uv_hrtime() / 1000000 < end)
        run_some();
    cr_assert_eq(count_known(&alpha), 1, "no part of the ring is missing while another is there");
    cr_assert(worker_knows(&alpha, id));
    /* There is room. */
    reload(&alpha, alpha_yaml);
    wait_until_known(3001);
    wait_until_answers(3541, true);
    cr_assert(worker_knows(&alpha, id));
}

Test(clouds, a_cloud_whose_endpoint_was_taken_has_it_when_it_is_free)
{
    static const char moved[] = "node: { name: alpha, state: %s }\n"
                                "tables: { members: 1000, links: 8, prefixes: 16 }\n"
                                "clouds:\n"
                                "  - { name: global, addresses: [\"2001:db8::1\"], port: 4000, answers: true }\n";
    wait_until_answers(3541, true);
    json_decref(ask(&alpha, "groups.add", "{\"name\":\"g\",\"prefix\":\"fd07::/48\",\"vni\":7}"));
    json_decref(ask(&alpha, "links.add",
                    "{\"name\":\"l\",\"group\":\"g\",\"peer\":\"2001:db8::3\",\"local\":\"2001:db8::1\","
                    "\"udp_port\":4000}"));
    reload(&alpha, moved);
    for (unsigned turn = 0; turn < 50; turn++)
        run_some();
    bool there, answers;
    look_at_port(4000, &there, &answers);
    cr_assert_not(there);
    json_decref(ask(&alpha, "links.remove", "{\"name\":\"l\"}"));
    wait_until_answers(4000, true);
}

Test(clouds, entries_that_are_none_are_refused_whole)
{
    static const char id[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    static const char *const wrong[] = {
        "{\"id\":\"00\",\"endpoints\":[\"[2001:db8::1]:3541\"]}",
        "{\"id\":\"%s\",\"endpoints\":[]}",
        "{\"id\":\"%s\",\"endpoints\":[\"[2001:db8::1]:80\"]}",
        "{\"id\":\"%s\",\"endpoints\":[\"[2001:db8::1]:3541\",\"[2001:db8::2]:3542\"]}",
        "{\"id\":\"%s\",\"endpoints\":[\"2001:db8::1:3541\"]}",
        "7",
    };
    char entry[512], parameters[1400];
    for (size_t at = 0; at < sizeof(wrong) / sizeof(wrong[0]); at++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(entry, sizeof(entry), wrong[at], id);
#pragma GCC diagnostic pop
        snprintf(parameters, sizeof(parameters),
                 "{\"cloud\":\"global\",\"entries\":[{\"id\":\"%s\",\"endpoints\":[\"[2001:db8::7]:3541\"]},%s]}", id,
                 entry);
        cr_assert_str_eq(refusal(&alpha, "clouds.load", parameters), "bad_entry", "%s", parameters);
    }
    json_t *cache = ask(&alpha, "clouds.cache", "{\"cloud\":\"global\"}");
    cr_assert_eq(json_array_size(json_object_get(cache, "entries")), 0);
    json_decref(cache);
}
