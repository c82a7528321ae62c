/* Names through libbypeer, against a node that the test plays. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/library_end.h"

TestSuite(library_names, .init = set_up, .fini = tear_down, .timeout = 60);

#define NOT_FOUND(id)                                                                                                \
    "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"error\":{\"code\":-32000,\"message\":\"name \\\"0.x\\\": was not found; " \
    "try later\",\"data\":{\"key\":\"name_not_found\"}}}\n"

Test(library_names, publish_says_what_was_published)
{
    struct bypeer_published published;
    const char *clouds[] = {"global", "lan"};
    struct bypeer_name_endpoint endpoints[] = {{"2001:db8::1", 80, 0}, {"2001:db8::1", 53, 17}, {"fd00::1", 7, 132}};
    struct bypeer_name_publication publication = {
        .classifier = "web",
        .unsecured = 1,
        .clouds = clouds,
        .cloud_count = 2,
        .endpoints = endpoints,
        .endpoint_count = 3,
        .comment = "the gr\303\274n one",
        .payload = "hi",
        .payload_bytes = 2,
        .payload_is_text = 1,
    };
    say(RESULT(1, "{\"name\":\"0.web\",\"host\":\"web.pnrp.net\",\"registrations\":[]}"));
    cr_assert_eq(bypeer_name_publish(node, &publication, &published), 0, "%s", bypeer_error_text(node));
    cr_expect_str_eq(published.name, "0.web");
    cr_expect_str_eq(published.host, "web.pnrp.net");
    expect_asked("names.publish",
                 "{\"classifier\":\"web\",\"unsecured\":true,\"clouds\":[\"global\",\"lan\"],\"endpoints\":["
                 "{\"address\":\"2001:db8::1\",\"port\":80,\"protocol\":\"tcp\"},"
                 "{\"address\":\"2001:db8::1\",\"port\":53,\"protocol\":\"udp\"},"
                 "{\"address\":\"fd00::1\",\"port\":7,\"protocol\":132}],"
                 "\"comment\":\"the gr\303\274n one\",\"payload\":\"hi\"}");
}

Test(library_names, bytes_go_out_in_base64)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *text;
    } payloads[] = {
        {"", 0, ""}, {"\0", 1, "AA=="}, {"\xff\xfe", 2, "//4="}, {"abc", 3, "YWJj"}, {"abcd", 4, "YWJjZA=="}};
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        struct bypeer_name_publication publication = {.name = "0.web",
                                                      .port = 80,
                                                      .protocol = 17,
                                                      .payload = payloads[i].bytes,
                                                      .payload_bytes = payloads[i].length};
        char answer[128], params[256];
        snprintf(answer, sizeof(answer), "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"result\":{\"updated\":1}}\n", i + 1);
        snprintf(params, sizeof(params),
                 "{\"name\":\"0.web\",\"port\":80,\"protocol\":\"udp\",\"payload\":\"%s\",\"payload_type\":\"binary\"}",
                 payloads[i].text);
        say(answer);
        cr_assert_eq(bypeer_name_update(node, &publication), 0);
        expect_asked("names.update", params);
    }
}

Test(library_names, what_is_no_publication_is_not_sent)
{
    static const char payload[BYPEER_NAME_PAYLOAD_MAX + 1];
    struct bypeer_name_endpoint wrong = {"\xff", 80, 0};
    const char *clouds[] = {"\xff"};
    struct bypeer_name_publication publications[] = {
        {.port = 80},
        {.name = "0.web", .classifier = "web"},
        {.name = "\xff"},
        {.name = "0.web", .endpoints = &wrong, .endpoint_count = 1},
        {.name = "0.web", .payload = payload, .payload_bytes = sizeof(payload)},
        {.name = "0.web", .payload = "\xff", .payload_bytes = 1, .payload_is_text = 1},
    };
    for (size_t i = 0; i < sizeof(publications) / sizeof(publications[0]); i++) {
        cr_expect_eq(bypeer_name_publish(node, &publications[i], NULL), -EINVAL);
    }
    cr_expect_eq(bypeer_name_update(node, &publications[0]), -EINVAL);
    cr_expect_eq(bypeer_name_unpublish(node, NULL, NULL, 0), -EINVAL);
    cr_expect_eq(bypeer_name_unpublish(node, "0.web", clouds, 1), -EINVAL, "or it would mean all clouds");
    char byte;
    cr_expect_eq(recv(far_end, &byte, 1, MSG_DONTWAIT), -1);
}

Test(library_names, unpublish_names_its_clouds)
{
    const char *clouds[] = {"lan"};
    say(RESULT(1, "{\"removed\":1}") RESULT(2, "{\"removed\":2}"));
    cr_assert_eq(bypeer_name_unpublish(node, "0.web", clouds, 1), 0);
    expect_asked("names.unpublish", "{\"name\":\"0.web\",\"clouds\":[\"lan\"]}");
    cr_assert_eq(bypeer_name_unpublish(node, "0.web", NULL, 0), 0);
    expect_asked("names.unpublish", "{\"name\":\"0.web\"}");
}

static int on_registration(void *context, const struct bypeer_name_registration *registration)
{
    unsigned *count = context;
    cr_expect_str_eq(registration->name, "0.web");
    cr_expect_str_eq(registration->host, *count ? "" : "web.pnrp.net");
    cr_expect_str_eq(registration->cloud, "global");
    cr_expect_str_eq(registration->state, "published");
    cr_assert_eq(registration->endpoint_count, 1);
    cr_expect_str_eq(registration->endpoints[0].address, "fd00::1");
    cr_expect_eq(registration->endpoints[0].port, 80);
    cr_expect_eq(registration->endpoints[0].protocol, 6);
    cr_expect_eq(registration->payload_bytes, 5);
    return ++*count == 2 ? 77 : 0;
}

#define REGISTRATION(host)                                                         \
    "{\"name\":\"0.web\",\"host\":" host                                           \
    ",\"cloud\":\"global\",\"id\":\"00\",\"endpoints\":[{\"address\":\"fd00::1\"," \
    "\"port\":80,\"protocol\":\"tcp\"}],\"comment\":\"\",\"payload_bytes\":5,\"state\":\"published\"}"

Test(library_names, registrations_are_told_until_told_to_stop)
{
    unsigned count = 0;
    say(RESULT(1,
               "{\"names\":[" REGISTRATION("\"web.pnrp.net\"") "," REGISTRATION("null") "," REGISTRATION("null") "]}"));
    cr_expect_eq(bypeer_name_each(node, on_registration, &count), 77);
    cr_expect_eq(count, 2);
    say(RESULT(2, "{\"names\":[{\"name\":\"0.web\",\"endpoints\":[{\"port\":80}]}]}"));
    cr_expect_eq(bypeer_name_each(node, on_registration, &count), -EBADMSG);
    say(RESULT(3, "{\"names\":{}}"));
    cr_expect_eq(bypeer_name_each(node, on_registration, &count), -EBADMSG);
}

static int on_protocols(void *context, const struct bypeer_name_registration *registration)
{
    uint8_t *protocols = context;
    for (size_t i = 0; i < registration->endpoint_count; i++)
        protocols[i] = registration->endpoints[i].protocol;
    return (int)registration->endpoint_count;
}

Test(library_names, protocols_are_numbers)
{
    uint8_t protocols[BYPEER_NAME_ENDPOINTS] = {0};
    say(RESULT(1, "{\"names\":[{\"name\":\"0.web\",\"endpoints\":[{\"address\":\"::1\",\"port\":1,\"protocol\":132},"
                  "{\"address\":\"::1\",\"port\":1,\"protocol\":\"udp\"},{\"address\":\"::1\",\"port\":1}]}]}"));
    cr_expect_eq(bypeer_name_each(node, on_protocols, protocols), 3);
    cr_expect_eq(protocols[0], 132);
    cr_expect_eq(protocols[1], 17);
    cr_expect_eq(protocols[2], 6);
}

static int on_cloud(void *context, const struct bypeer_cloud_status *cloud)
{
    cr_expect_str_eq(cloud->name, "lan");
    cr_expect_str_eq(cloud->profile, "modern");
    cr_expect_str_eq(cloud->scope, "link");
    cr_expect_str_eq(cloud->interface, "eth0");
    cr_expect_str_eq(cloud->state, "active");
    cr_expect_eq(cloud->names, 2);
    cr_expect_eq(cloud->known, 40);
    cr_expect_eq(cloud->nodes, 1000);
    ++*(unsigned *)context;
    return 0;
}

Test(library_names, clouds_are_told)
{
    unsigned count = 0;
    say(RESULT(1, "{\"clouds\":[{\"name\":\"lan\",\"profile\":\"modern\",\"scope\":\"link\",\"interface\":\"eth0\","
                  "\"state\":\"active\",\"names\":2,\"known\":40,\"nodes\":1000}]}"));
    cr_expect_eq(bypeer_cloud_each(node, on_cloud, &count), 0);
    cr_expect_eq(count, 1);
}

/* --- resolving --- */

#define FOUND(cloud, payload)                                                                                  \
    "{\"name\":\"0.web\",\"cloud\":\"" cloud                                                                   \
    "\",\"id\":\"ab\",\"secure\":false,\"endpoints\":[{\"address\":\"fd00::1\",\"port\":80,"                   \
    "\"protocol\":\"tcp\"}],\"services\":[{\"address\":\"fd00::2\",\"port\":3541}],\"comment\":\"c\"," payload \
    "\"not_after\":1800000000,\"hops\":3}"

struct seen {
    unsigned found, finished;
    int status;
    char clouds[64], payload[64];
    size_t payload_bytes;
    struct bypeer_resolve *cancel; /* in found() */
};

static void on_found(void *context, const struct bypeer_name_result *result)
{
    struct seen *seen = context;
    seen->found++;
    snprintf(seen->clouds + strlen(seen->clouds), 32, "%s ", result->cloud);
    cr_expect_str_eq(result->name, "0.web");
    cr_expect_eq(result->hops, 3);
    cr_expect_eq(result->not_after, 1800000000);
    cr_expect_not(result->secure);
    cr_assert_eq(result->endpoint_count, 1);
    cr_expect_str_eq(result->endpoints[0].address, "fd00::1");
    cr_assert_eq(result->service_count, 1);
    cr_expect_eq(result->services[0].port, 3541);
    cr_expect_eq(result->services[0].protocol, 17);
    seen->payload_bytes = result->payload ? result->payload_bytes : 999;
    if (result->payload)
        snprintf(seen->payload, sizeof(seen->payload), "%s%s", result->payload_is_text ? "text " : "",
                 (const char *)result->payload);
    if (seen->cancel)
        bypeer_resolve_cancel(seen->cancel);
}

static void on_finished(void *context, int status)
{
    struct seen *seen = context;
    seen->finished++;
    seen->status = status;
}

Test(library_names, resolve_waits_and_tells_each_result)
{
    struct seen seen = {0};
    struct bypeer_name_query query = {.name = "web.pnrp.net", .results = 5, .timeout_ms = 700, .own = 1};
    say(RESULT(1, "{\"results\":[" FOUND("a", "") "," FOUND(
                      "b", "\"payload\":\"hi\",\"payload_type\":\"string\",") "],"
                                                                              "\"elapsed_ms\":12}"));
    cr_expect_eq(bypeer_name_resolve(node, &query, on_found, &seen), 2);
    cr_expect_str_eq(seen.clouds, "a b ");
    cr_expect_str_eq(seen.payload, "text hi");
    cr_expect_eq(seen.payload_bytes, 2);
    expect_asked("names.resolve",
                 "{\"name\":\"web.pnrp.net\",\"results\":5,\"timeout_ms\":700,\"own\":true,\"stream\":false}");
    say(RESULT(2, "{\"results\":[" FOUND("a", "\"payload\":\"YWI=\",\"payload_type\":\"binary\",") "]}"));
    cr_expect_eq(bypeer_name_resolve(node, &query, on_found, &seen), 1);
    cr_expect_str_eq(seen.payload, "ab");
    cr_expect_eq(seen.payload_bytes, 2);
}

Test(library_names, nobody_having_a_name_is_no_failure_of_the_connection)
{
    struct seen seen = {0};
    struct bypeer_name_query query = {.name = "0.x"};
    say(NOT_FOUND(1));
    cr_expect_eq(bypeer_name_resolve(node, &query, on_found, &seen), -ENOENT);
    cr_expect_eq(seen.found, 0);
    static const char *const wrong[] = {
        "{}",
        "{\"results\":[]}",
        "{\"results\":[7]}",
        "{\"results\":[{\"name\":\"0.web\",\"endpoints\":7}]}",
        "{\"results\":[" FOUND("a", "\"payload\":\"Y\",\"payload_type\":\"binary\",") "]}",
        "{\"results\":[" FOUND("a", "\"payload\":\"YQ==YQ==\",\"payload_type\":\"binary\",") "]}",
        "{\"results\":[" FOUND("a", "\"payload\":\"Y_==\",\"payload_type\":\"binary\",") "]}"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char answer[1024];
        snprintf(answer, sizeof(answer), "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"result\":%s}\n", i + 2, wrong[i]);
        say(answer);
        cr_expect_eq(bypeer_name_resolve(node, &query, on_found, &seen), -EBADMSG, "%s", wrong[i]);
    }
}

#define NOTICE(id, cloud) \
    "{\"jsonrpc\":\"2.0\",\"method\":\"names.found\",\"params\":{\"id\":" #id ",\"result\":" FOUND(cloud, "") "}}\n"

Test(library_names, results_come_one_by_one_without_waiting)
{
    struct seen first = {0}, second = {0};
    struct bypeer_resolve *one, *two;
    struct bypeer_name_query query = {.name = "0.web", .criterion = "nearest"};
    cr_assert_eq(bypeer_resolve_begin(&one, node, &query, on_found, on_finished, &first), 0);
    cr_assert_eq(bypeer_resolve_begin(&two, node, &query, on_found, on_finished, &second), 0);
    expect_asked("names.resolve", "{\"name\":\"0.web\",\"own\":false,\"stream\":true,\"criterion\":\"nearest\"}");
    cr_expect_eq(bypeer_process(node), 0, "nothing has come, and nothing is waited for");
    say(NOTICE(2, "b"));
    cr_expect_eq(bypeer_process(node), 0);
    cr_expect_eq(first.found, 0);
    cr_expect_str_eq(second.clouds, "b ");
    say(NOTICE(1, "a") NOT_FOUND(2));
    cr_expect_eq(bypeer_process(node), 0);
    cr_expect_str_eq(first.clouds, "a ");
    cr_expect_eq(first.finished, 0);
    cr_expect_eq(second.finished, 1);
    cr_expect_eq(second.status, -ENOENT);
    say(RESULT(1, "{\"results\":[" FOUND("a", "") "," FOUND("c", "") "]}"));
    cr_expect_eq(bypeer_process(node), 0);
    cr_expect_eq(first.status, 2);
    cr_expect_eq(first.found, 1, "what the answer repeats is not told twice");
}

Test(library_names, results_that_come_during_another_call_are_kept)
{
    struct seen seen = {0};
    struct bypeer_resolve *resolve;
    struct bypeer_name_query query = {.name = "0.web"};
    cr_assert_eq(bypeer_resolve_begin(&resolve, node, &query, on_found, on_finished, &seen), 0);
    say(NOTICE(1, "a") RESULT(1, "{\"results\":[" FOUND("a", "") "]}") RESULT(2, "{}"));
    cr_assert_eq(bypeer_call(node, "version", NULL, NULL), 0);
    cr_expect_eq(seen.found, 0, "callbacks come from bypeer_process() alone");
    cr_expect_eq(bypeer_process(node), 0);
    cr_expect_eq(seen.found, 1);
    cr_expect_eq(seen.status, 1);
}

Test(library_names, a_cancelled_resolve_is_silent)
{
    struct seen seen = {0};
    struct bypeer_name_query query = {.name = "0.web"};
    cr_assert_eq(bypeer_resolve_begin(&seen.cancel, node, &query, on_found, on_finished, &seen), 0);
    say(NOTICE(1, "a") NOTICE(1, "b") RESULT(1, "{\"results\":[" FOUND("a", "") "]}"));
    cr_expect_eq(bypeer_process(node), 0);
    cr_expect_eq(seen.found, 1, "cancelled in its own callback");
    cr_expect_eq(seen.finished, 0);
    cr_expect_eq(bypeer_process(node), 0);
}

Test(library_names, what_came_before_the_end_of_the_connection_is_told)
{
    struct seen seen = {0};
    struct bypeer_resolve *resolve;
    struct bypeer_name_query query = {.name = "0.web"};
    cr_assert_eq(bypeer_resolve_begin(&resolve, node, &query, on_found, on_finished, &seen), 0);
    say(NOTICE(1, "a"));
    shutdown(far_end, SHUT_WR);
    cr_expect_eq(bypeer_process(node), -ECONNRESET);
    cr_expect_eq(seen.found, 1);
    cr_expect_eq(seen.finished, 0);
    cr_expect_not_null(strstr(bypeer_error_text(node), "closed"));
}

Test(library_names, peer_names_and_host_names)
{
#define AUTHORITY "4562b4628ac54782dda52789038476237e7c7263"
    struct bypeer_peer_name_parts parts;
    char name[BYPEER_NAME_TEXT], host[BYPEER_HOST_TEXT], why[BYPEER_NAME_WHY] = "";
    cr_assert_eq(bypeer_peer_name_parse("0.JohnDoe.Games", &parts, NULL), 0);
    cr_expect_str_eq(parts.authority, "0");
    cr_expect_str_eq(parts.classifier, "JohnDoe.Games");
    cr_assert_eq(bypeer_peer_name_compose(&parts, name, NULL), 0);
    cr_expect_str_eq(name, "0.JohnDoe.Games");
    cr_assert_eq(bypeer_peer_name_parse(AUTHORITY, &parts, NULL), 0);
    cr_expect_str_eq(parts.authority, AUTHORITY);
    cr_expect_str_empty(parts.classifier);
    cr_expect_eq(bypeer_peer_name_parse("1.web", &parts, why), -EINVAL);
    cr_expect_str_not_empty(why);
    strcpy(parts.authority, "0.a");
    cr_expect_eq(bypeer_peer_name_compose(&parts, name, why), -EINVAL);

    cr_assert_eq(bypeer_peer_name_to_host(AUTHORITY ".web", host, NULL), 0);
    cr_expect_str_eq(host, "web.p" AUTHORITY ".pnrp.net");
    cr_assert_eq(bypeer_peer_name_from_host(host, name, NULL), 0);
    cr_expect_str_eq(name, AUTHORITY ".web");
    cr_expect_eq(bypeer_peer_name_to_host("0.JohnDoe", host, why), -EINVAL);
    cr_expect_eq(bypeer_peer_name_from_host("www.example.net", name, why), -EINVAL);
    cr_expect_str_eq(why, "the host name is not below pnrp.net");
}
