/* libbypeer against a node that the test plays: what goes over the socket, and what a program gets. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/lib/bypeer.h"

static int far_end;

static struct bypeer *connect_pair(void)
{
    struct bypeer *node;
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    far_end = ends[1];
    cr_assert_eq(bypeer_attach(&node, ends[0]), 0);
    bypeer_set_timeout(node, 5000);
    return node;
}

static void say(const char *text)
{
    cr_assert_eq(write(far_end, text, strlen(text)), (ssize_t)strlen(text));
}

/* The next line that the client sent. */
static void expect_heard(const char *line)
{
    char heard[4096] = "";
    size_t length = 0;
    while (length < sizeof(heard) - 1 && recv(far_end, heard + length, 1, 0) == 1 && heard[length] != '\n')
        length++;
    heard[length] = '\0';
    cr_expect_str_eq(heard, line);
}

Test(bypeer_library, a_call_goes_out_as_one_line_and_its_result_comes_back)
{
    struct bypeer *node = connect_pair();
    json_t *result = NULL;
    say("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"count\":7}}\n");
    cr_assert_eq(bypeer_call(node, "members.count", json_pack("{s:s}", "link", "beta"), &result), 0);
    cr_expect_eq(json_integer_value(json_object_get(result, "count")), 7);
    json_decref(result);
    expect_heard("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"members.count\",\"params\":{\"link\":\"beta\"}}");
    say("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n");
    cr_assert_eq(bypeer_call(node, "version", NULL, NULL), 0);
    expect_heard("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"version\",\"params\":{}}");
    bypeer_close(node);
}

Test(bypeer_library, a_refusal_keeps_its_reason_until_the_next_one)
{
    struct bypeer *node = connect_pair();
    say("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"link \\\"x\\\": does not exist; add "
        "it\","
        "\"data\":{\"key\":\"no_such_link\",\"thing\":\"link\"}}}\n");
    cr_expect_eq(bypeer_link_remove(node, "x"), -EREMOTEIO);
    cr_expect_str_eq(bypeer_error_text(node), "link \"x\": does not exist; add it");
    cr_expect_str_eq(bypeer_error_key(node), "no_such_link");
    cr_expect_eq(bypeer_error_code(node), -32000);
    cr_expect_str_eq(json_string_value(json_object_get(bypeer_error_data(node), "thing")), "link");
    say("{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32601,\"message\":\"no such method\"}}\n");
    cr_expect_eq(bypeer_call(node, "dance", NULL, NULL), -EREMOTEIO);
    cr_expect_str_empty(bypeer_error_key(node));
    cr_expect_null(bypeer_error_data(node));
    bypeer_close(node);
}

Test(bypeer_library, a_refusal_without_id_is_told)
{
    struct bypeer *node = connect_pair();
    say("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"no JSON\"}}\n");
    cr_expect_eq(bypeer_call(node, "version", NULL, NULL), -EREMOTEIO);
    cr_expect_eq(bypeer_error_code(node), -32700);
    bypeer_close(node);
}

Test(bypeer_library, answers_may_be_taken_in_any_order)
{
    struct bypeer *node = connect_pair();
    uint64_t first, second;
    json_t *result;
    cr_assert_eq(bypeer_send(node, "version", NULL, &first), 0);
    cr_assert_eq(bypeer_send(node, "status", NULL, &second), 0);
    say("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"n\":1}}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"n\":2}}\n");
    cr_assert_eq(bypeer_receive(node, second, &result), 0);
    cr_expect_eq(json_integer_value(json_object_get(result, "n")), 2);
    json_decref(result);
    cr_assert_eq(bypeer_receive(node, first, &result), 0);
    cr_expect_eq(json_integer_value(json_object_get(result, "n")), 1);
    json_decref(result);
    bypeer_close(node);
}

Test(bypeer_library, a_silent_node_is_a_time_out)
{
    struct bypeer *node = connect_pair();
    bypeer_set_timeout(node, 20);
    cr_expect_eq(bypeer_call(node, "version", NULL, NULL), -ETIMEDOUT);
    bypeer_close(node);
}

Test(bypeer_library, half_an_answer_and_then_the_end_is_a_lost_connection)
{
    struct bypeer *node = connect_pair();
    say("{\"jsonrpc\":\"2.0\",");
    close(far_end);
    cr_expect_eq(bypeer_call(node, "version", NULL, NULL), -ECONNRESET);
    bypeer_close(node);
}

Test(bypeer_library, what_is_no_answer_is_refused)
{
    static const char *const lines[] = {"hello\n",
                                        "\n",
                                        "[]\n",
                                        "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{}}\n",
                                        "{\"jsonrpc\":\"2.0\",\"id\":1}\n",
                                        "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}\n",
                                        "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}\n",
                                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":1,\"result\":{}}\n"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct bypeer *node = connect_pair();
        say(lines[i]);
        cr_expect_eq(bypeer_call(node, "version", NULL, NULL), -EBADMSG, "%s", lines[i]);
        bypeer_close(node);
        close(far_end);
    }
}

Test(bypeer_library, no_socket_no_connection)
{
    struct bypeer *node = NULL;
    cr_expect_eq(bypeer_connect(&node, "/nowhere/control.sock"), -ENOENT);
    setenv("BYPEER_SOCKET", "/nowhere/else.sock", 1);
    cr_expect_eq(bypeer_connect(&node, NULL), -ENOENT);
    char path[200];
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    cr_expect_eq(bypeer_connect(&node, path), -ENAMETOOLONG);
    cr_expect_null(node);
}

Test(bypeer_library, defaults_are_left_to_the_node)
{
    struct bypeer *node = connect_pair();
    for (int i = 1; i <= 6; i++) {
        char answer[64];
        snprintf(answer, sizeof(answer), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"added\":1}}\n", i);
        say(answer);
    }
    cr_expect_eq(bypeer_link_add(node, &(struct bypeer_link_definition){.name = "b", .group = "g", .peer = "::2"}), 0);
    expect_heard("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"links.add\",\"params\":{\"name\":\"b\",\"group\":\"g\","
                 "\"peer\":\"::2\"}}");
    cr_expect_eq(bypeer_link_add(node, &(struct bypeer_link_definition){"b", "g", "::2", "::1", 7, 4791, 1400}), 0);
    expect_heard("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"links.add\",\"params\":{\"name\":\"b\",\"group\":\"g\","
                 "\"peer\":\"::2\",\"local\":\"::1\",\"vni\":7,\"udp_port\":4791,\"mtu\":1400}}");
    cr_expect_eq(bypeer_group_add(node, &(struct bypeer_group_definition){"g", "fd00::/48", NULL, 7}), 0);
    expect_heard("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"groups.add\",\"params\":{\"name\":\"g\","
                 "\"prefix\":\"fd00::/48\",\"vni\":7}}");
    cr_expect_eq(bypeer_route_add(node, "fd00::/64", "b"), 0);
    expect_heard("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"routes.add\",\"params\":{\"prefix\":\"fd00::/64\","
                 "\"link\":\"b\"}}");
    cr_expect_eq(bypeer_member_add(node, "fd00::5", "b"), 1);
    expect_heard("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"members.add\",\"params\":{\"address\":\"fd00::5\","
                 "\"link\":\"b\"}}");
    cr_expect_eq(bypeer_member_remove(node, "fd00::5"), 0);
    cr_expect_eq(bypeer_route_add(node, NULL, "b"), -EINVAL);
    bypeer_close(node);
}

Test(bypeer_library, status_with_types)
{
    struct bypeer *node = connect_pair();
    struct bypeer_node_status status;
    say("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"node\":\"alpha\",\"release\":\"0.1.0\",\"uptime_s\":12.5,"
        "\"dataplane\":{\"state\":\"attached\",\"pid\":77},\"tables\":{\"capacity\":{\"members\":65536},"
        "\"used\":{\"members\":3}},\"links\":{\"total\":2,\"up\":1},\"packets\":{\"received\":10,\"sent\":9,"
        "\"dropped\":1}}}\n");
    cr_assert_eq(bypeer_node_status(node, &status), 0);
    cr_expect_str_eq(status.node, "alpha");
    cr_expect(status.uptime_s > 12.4 && status.uptime_s < 12.6);
    cr_expect(status.dataplane_attached);
    cr_expect_eq(status.dataplane_pid, 77);
    cr_expect_eq(status.members, 3);
    cr_expect_eq(status.links_up, 1);
    cr_expect_eq(status.packets.dropped, 1);
    say("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n");
    cr_expect_eq(bypeer_node_status(node, &status), -EBADMSG);
    bypeer_close(node);
}

static int count_member(void *context, const struct bypeer_member *member)
{
    unsigned *count = context;
    cr_expect_str_eq(member->group, "lab");
    return ++*count == 3 ? 99 : 0;
}

Test(bypeer_library, members_come_page_by_page_until_told_to_stop)
{
#define MEMBER(last) "{\"address\":\"fd00::" last "\",\"group\":\"lab\",\"link\":\"b\",\"origin\":\"api\"}"
    struct bypeer *node = connect_pair();
    unsigned count = 0;
    say("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"members\":[" MEMBER(
        "1") "],\"next\":\"fd00::1\"}}\n"
             "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"members\":[],\"next\":\"fd00::9\"}}\n"
             "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"members\":[" MEMBER(
                 "a") "]}}\n"
                      "{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"members\":[" MEMBER("1") "," MEMBER("2") "]}}\n");
    cr_expect_eq(bypeer_member_each(node, "lab", NULL, count_member, &count), 0);
    cr_expect_eq(count, 2);
    cr_expect_eq(bypeer_member_each(node, "lab", NULL, count_member, &count), 99);
    expect_heard(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"members.list\",\"params\":{\"group\":\"lab\",\"limit\":5000}}");
    expect_heard("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"members.list\",\"params\":{\"group\":\"lab\","
                 "\"after\":\"fd00::1\",\"limit\":5000}}");
    bypeer_close(node);
}

/* --- the loader, with a node on a thread of its own ----------------------------------------------------------------
 */

struct played {
    unsigned refuse; /* which request (from 1) is refused */
    unsigned requests;
    size_t addresses;
    char last[64]; /* address of all */
};

static void *play_loads(void *argument)
{
    struct played *played = argument;
    FILE *in = fdopen(dup(far_end), "r");
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, in) > 0) {
        json_t *request = json_loads(line, 0, NULL);
        const json_t *params = json_object_get(request, "params");
        const json_t *addresses = json_object_get(params, "addresses");
        json_int_t id = json_integer_value(json_object_get(request, "id"));
        size_t count = json_array_size(addresses);
        bool load = json_object_get(params, "link") != NULL;
        json_t *answer;
        played->requests++;
        played->addresses += count;
        snprintf(played->last, sizeof(played->last), "%s", json_string_value(json_array_get(addresses, count - 1)));
        if (played->requests == played->refuse)
            answer = json_pack("{s:s, s:I, s:{s:i, s:s}}", "jsonrpc", "2.0", "id", id, "error", "code", -32000,
                               "message", "no such link");
        else if (load)
            answer = json_pack("{s:s, s:I, s:{s:I, s:i}}", "jsonrpc", "2.0", "id", id, "result", "added",
                               (json_int_t)count - 1, "replaced", 1);
        else
            answer =
                json_pack("{s:s, s:I, s:{s:I}}", "jsonrpc", "2.0", "id", id, "result", "removed", (json_int_t)count);
        char *text = json_dumps(answer, JSON_COMPACT);
        dprintf(far_end, "%s\n", text);
        free(text);
        json_decref(answer);
        json_decref(request);
    }
    free(line);
    fclose(in);
    return NULL;
}

static int load(struct played *played, const char *link, size_t requests, size_t count, struct bypeer_loaded *ret_done,
                char text[static 128])
{
    struct bypeer *node = connect_pair();
    struct bypeer_loader *loader;
    pthread_t thread;
    uint8_t(*addresses)[16] = calloc(count, 16);
    cr_assert_eq(pthread_create(&thread, NULL, play_loads, played), 0);
    for (size_t i = 0; i < count; i++) {
        addresses[i][0] = 0xfd;
        addresses[i][14] = (uint8_t)(i >> 8);
        addresses[i][15] = (uint8_t)i;
    }
    cr_assert_eq(bypeer_loader_begin(&loader, node), 0);
    int error = 0;
    for (size_t i = 0; i < requests && !error; i++)
        error = bypeer_loader_put(loader, link, (const uint8_t(*)[16])addresses, count);
    int last = bypeer_loader_finish(loader, ret_done);
    error = error ? error : last;
    snprintf(text, 128, "%s", bypeer_error_text(node));
    bypeer_close(node);
    pthread_join(thread, NULL);
    free(addresses);
    return error;
}

Test(bypeer_library, a_loader_counts_what_the_node_acknowledged)
{
    struct played played = {0};
    struct bypeer_loaded done;
    char text[128];
    cr_assert_eq(load(&played, "b\"eta", 7, 50000, &done, text), 0, "%s", text);
    cr_expect_eq(played.requests, 7);
    cr_expect_eq(played.addresses, 350000);
    cr_expect_str_eq(played.last, "fd00::c34f");
    cr_expect_eq(done.added, 350000 - 7);
    cr_expect_eq(done.replaced, 7);
    cr_expect_eq(done.acknowledged, 350000);
}

Test(bypeer_library, a_loader_without_link_removes)
{
    struct played played = {0};
    struct bypeer_loaded done;
    char text[128];
    cr_assert_eq(load(&played, NULL, 3, 5, &done, text), 0, "%s", text);
    cr_expect_eq(done.removed, 15);
    cr_expect_eq(done.added, 0);
}

Test(bypeer_library, a_loader_stops_at_the_first_refusal_and_tells_what_was_done)
{
    struct played played = {.refuse = 2};
    struct bypeer_loaded done;
    char text[128];
    cr_assert_eq(load(&played, "beta", 10, 100, &done, text), -EREMOTEIO);
    cr_expect_str_eq(text, "no such link");
    cr_expect(played.requests >= 2 && played.requests <= 4, "%u", played.requests);
    cr_expect_eq(done.acknowledged, (played.requests - 1) * 100);
}

Test(bypeer_library, a_loader_refuses_more_than_one_request_holds)
{
    struct bypeer *node = connect_pair();
    struct bypeer_loader *loader;
    static uint8_t addresses[BYPEER_LOAD_MAX + 1][16];
    cr_assert_eq(bypeer_loader_begin(&loader, node), 0);
    cr_expect_eq(bypeer_loader_put(loader, "b", (const uint8_t(*)[16])addresses, BYPEER_LOAD_MAX + 1), -EINVAL);
    cr_expect_eq(bypeer_loader_put(loader, "b", (const uint8_t(*)[16])addresses, 0), 0);
    cr_expect_eq(bypeer_loader_finish(loader, NULL), 0);
    bypeer_close(node);
}
