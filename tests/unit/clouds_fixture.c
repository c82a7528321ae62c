#include "clouds_fixture.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/kernel/netlink.h"

struct clouds_side clouds_alpha, clouds_beta;
static uv_loop_t loop;

const char clouds_alpha_yaml[] = "node: { name: alpha, state: %s }\n"
                                 "tables: { members: 1000, links: 8, prefixes: 16 }\n"
                                 "names: { ids: 1000, ids-max: 20000 }\n"
                                 "clouds:\n"
                                 "  - { name: global, addresses: [\"2001:db8::1\"], answers: true, cache: 20000 }\n";
static const char clouds_beta_yaml[] =
    "node: { name: beta, state: %s }\n"
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
    struct clouds_side *side = context;
    bypeer_names_renewing(side->names);
}

static void on_renewed(void *context, struct bypeer_generation *generation)
{
    (void)generation;
    struct clouds_side *side = context;
    bypeer_names_renewed(side->names);
}

const char *clouds_configuration(const struct clouds_side *side, const char *yaml)
{
    static char text[4096];
    snprintf(text, sizeof(text), yaml, side->fixture.directory);
    return text;
}

void clouds_start(struct clouds_side *side)
{
    struct bypeer_node_hooks hooks = {.renewing = on_renewing, .renewed = on_renewed, .context = side};
    struct bypeer_problem problem;
    node_fixture_open(&side->fixture, &hooks);
    cr_assert_eq(bypeer_names_open(&side->names, &loop, &side->fixture.node, &problem), 0);
    side->fixture.node.names = side->names;
}

void clouds_run_some(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
    usleep(500);
}

void clouds_stop(struct clouds_side *side)
{
    bypeer_names_close(side->names);
    side->names = side->fixture.node.names = NULL;
    for (unsigned turn = 0; turn < 50; turn++)
        clouds_run_some();
    node_fixture_close(&side->fixture);
}

void clouds_reload(struct clouds_side *side, const char *yaml)
{
    node_fixture_must_reload(&side->fixture, clouds_configuration(side, yaml));
    bypeer_names_reconfigure(side->names);
}

void clouds_set_up(void)
{
    set_up_network();
    cr_assert_eq(uv_loop_init(&loop), 0);
    node_fixture_begin(&clouds_alpha.fixture, "");
    node_fixture_write(&clouds_alpha.fixture, clouds_configuration(&clouds_alpha, clouds_alpha_yaml));
    node_fixture_begin(&clouds_beta.fixture, "");
    node_fixture_write(&clouds_beta.fixture, clouds_configuration(&clouds_beta, clouds_beta_yaml));
    clouds_start(&clouds_alpha);
    clouds_start(&clouds_beta);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

void clouds_tear_down(void)
{
    char path[512];
    struct clouds_side *sides[] = {&clouds_alpha, &clouds_beta};
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

/* --- requests of the API --- */

void clouds_on_answer(void *context, char *text, size_t length)
{
    struct clouds_reply *reply = context;
    reply->answers++;
    reply->answer = text ? json_loadb(text, length, 0, NULL) : NULL;
    free(text);
}

static void on_notice(void *context, char *text, size_t length)
{
    (void)length;
    struct clouds_reply *reply = context;
    cr_assert_eq(reply->answers, 0, "before the answer");
    cr_assert(strstr(text, "names.found"));
    reply->notices++;
    free(text);
}

struct bypeer_exchange *clouds_begin(struct clouds_side *side, struct clouds_reply *reply, const char *method,
                                     const char *parameters)
{
    static const struct bypeer_api_client client = {.answer = clouds_on_answer, .notify = on_notice};
    char line[8192];
    snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method, parameters);
    *reply = (struct clouds_reply){0};
    return bypeer_api_take(&side->fixture.node, line, strlen(line), &client, reply);
}

void clouds_wait_for(struct clouds_reply *reply)
{
    uint64_t end = uv_hrtime() / 1000000 + CLOUDS_PATIENCE_MS;
    while (reply->answers == 0 && uv_hrtime() / 1000000 < end)
        clouds_run_some();
    cr_assert_eq(reply->answers, 1, "answered once");
}

json_t *clouds_ask(struct clouds_side *side, const char *method, const char *parameters)
{
    struct clouds_reply reply;
    clouds_begin(side, &reply, method, parameters);
    clouds_wait_for(&reply);
    json_t *result = json_incref(json_object_get(reply.answer, "result"));
    cr_assert_not_null(result, "%s %s: %s", method, parameters, json_dumps(reply.answer, 0));
    json_decref(reply.answer);
    return result;
}

const char *clouds_refusal(struct clouds_side *side, const char *method, const char *parameters)
{
    static char key[64];
    struct clouds_reply reply;
    clouds_begin(side, &reply, method, parameters);
    clouds_wait_for(&reply);
    const json_t *data = json_object_get(json_object_get(reply.answer, "error"), "data");
    cr_assert_not_null(data, "%s %s is refused", method, parameters);
    snprintf(key, sizeof(key), "%s", json_string_value(json_object_get(data, "key")));
    json_decref(reply.answer);
    return key;
}

const char *clouds_text_at(const json_t *object, const char *list, size_t at, const char *key)
{
    return json_string_value(json_object_get(json_array_get(json_object_get(object, list), at), key));
}

size_t clouds_find(struct clouds_side *side, const char *name, char ret_id[65])
{
    char parameters[512];
    struct clouds_reply reply;
    snprintf(parameters, sizeof(parameters), "{\"name\":\"%s\",\"timeout_ms\":4000}", name);
    clouds_begin(side, &reply, "names.resolve", parameters);
    clouds_wait_for(&reply);
    const json_t *result = json_object_get(reply.answer, "result");
    size_t count = json_array_size(json_object_get(result, "results"));
    if (count > 0 && ret_id)
        snprintf(ret_id, 65, "%s", clouds_text_at(result, "results", 0, "id"));
    json_decref(reply.answer);
    return count;
}

void clouds_publish(struct clouds_side *side, const char *parameters, char ret_id[65])
{
    json_t *result = clouds_ask(side, "names.publish", parameters);
    cr_assert_eq(json_array_size(json_object_get(result, "registrations")), 1);
    if (ret_id)
        snprintf(ret_id, 65, "%s", clouds_text_at(result, "registrations", 0, "id"));
    json_decref(result);
}
