/* `bypeer name` and `bypeer cloud`, as test_cli.c runs the others. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli_fixture.h"

static const struct cli_fixture_answer answers[] = {
    {"names.publish", "{\"name\":\"4562b4628ac54782dda52789038476237e7c7263.web\",\"host\":"
                      "\"web.p4562b4628ac54782dda52789038476237e7c7263.pnrp.net\",\"registrations\":["
                      "{\"cloud\":\"global\",\"id\":\"00\"},{\"cloud\":\"lan\",\"id\":null}]}"},
    {"names.update", "{\"updated\":1}"},
    {"names.unpublish", "{\"removed\":2}"},
    {"names.list", "{\"names\":[{\"name\":\"0.web\",\"host\":\"web.pnrp.net\",\"cloud\":\"global\",\"id\":\"00\","
                   "\"endpoints\":[{\"address\":\"2001:db8::1\",\"port\":80,\"protocol\":\"tcp\"},"
                   "{\"address\":\"2001:db8::1\",\"port\":53,\"protocol\":\"udp\"}],\"comment\":\"e\\u001b["
                   "2Jf\\u009bg\",\"payload_bytes\":9,"
                   "\"state\":\"published\"}]}"},
    {"names.resolve",
     "{\"results\":[{\"name\":\"0.web\",\"cloud\":\"global\",\"id\":\"ab\",\"secure\":false,\"endpoints\":["
     "{\"address\":\"2001:db8::1\",\"port\":53,\"protocol\":\"udp\"}],\"services\":["
     "{\"address\":\"2001:db8::2\",\"port\":3541}],\"comment\":\"m\\u00fc\\u001b[2J\\u009b1m\\u007f\",\"payload\":"
     "\"a\\u001bb\\u0085c\","
     "\"payload_type\":\"string\",\"not_after\":1,\"hops\":3}],\"elapsed_ms\":12}"},
    {"names.lookup_path",
     "{\"hops\":[{\"cloud\":\"global\",\"endpoint\":\"[2001:db8::7]:3541\",\"id\":\"abcdef\","
     "\"common_bits\":9,\"took_ms\":4,\"verdict\":\"dead_end\",\"validation\":false},"
     "{\"cloud\":\"global\",\"endpoint\":\"[2001:db8::8]:3541\",\"id\":null,\"common_bits\":128,"
     "\"took_ms\":5,\"verdict\":\"accepted\",\"validation\":true}],\"found\":true,\"elapsed_ms\":9}"},
    {"clouds.list",
     "{\"clouds\":[{\"name\":\"lan\",\"profile\":\"modern\",\"scope\":\"link\",\"interface\":\"eth0\","
     "\"state\":\"active\",\"addresses\":[\"fe80::1\"],\"port\":3541,\"names\":2,\"known\":40,\"nodes\":0}]}"},
    {"clouds.stats",
     "{\"cloud\":{\"name\":\"lan\",\"state\":\"active\"},\"counters\":[{\"name\":\"received\",\"text\":"
     "\"datagrams received\",\"value\":77},{\"name\":\"busy\",\"text\":\"answers with B\",\"value\":0}]}"},
    {"clouds.contact", "{\"sent\":1}"},
};

static size_t loaded; /* route entries */

/* Three route entries, one a page; the last page has no next. */
static json_t *play_cache(const json_t *params)
{
    const char *after = json_string_value(json_object_get(params, "after"));
    int at = after ? atoi(after) + 1 : 0;
    char id[16], next[16];
    snprintf(id, sizeof(id), "%d", at);
    snprintf(next, sizeof(next), "%d", at);
    return json_pack("{s:[{s:s, s:n, s:b, s:[s]}], s:s*}", "entries", "id", id, "level", "leaf", at == 1, "endpoints",
                     "[2001:db8::1]:3541", "next", at < 2 ? next : NULL);
}

static json_t *play_entries(const char *method, const json_t *params)
{
    if (strcmp(method, "names.unpublish") == 0 && json_object_get(params, "clouds"))
        return json_pack("{s:i}", "removed",
                         strcmp(json_string_value(json_array_get(json_object_get(params, "clouds"), 0)), "lan") == 0);
    if (strcmp(method, "clouds.cache") == 0)
        return play_cache(params);
    if (strcmp(method, "clouds.load") != 0)
        return NULL;
    size_t count = json_array_size(json_object_get(params, "entries"));
    loaded += count;
    return json_pack("{s:I}", "added", (json_int_t)count);
}

static void start(void)
{
    cli_fixture_start(answers, sizeof(answers) / sizeof(answers[0]), play_entries);
}

TestSuite(cli_names, .init = start, .fini = cli_fixture_stop, .timeout = 60);

Test(cli_names, publish_takes_a_classifier_or_a_whole_name)
{
    cr_expect_eq(cli_fixture_run("name publish web --port 80 --cloud global,lan --comment mine"), 0, "%s",
                 cli_played.err);
    cr_expect_str_eq(cli_played.requests[0], "names.publish {\"port\":80,\"comment\":\"mine\",\"classifier\":\"web\","
                                             "\"clouds\":[\"global\",\"lan\"]}");
    cli_fixture_expect_in(cli_played.out, "4562b4628ac54782dda52789038476237e7c7263.web is published in global, lan\n");
    cli_fixture_expect_in(cli_played.out,
                          "any program finds it as web.p4562b4628ac54782dda52789038476237e7c7263.pnrp.net\n");
    cr_expect_eq(cli_fixture_run("name publish web --unsecured --endpoint [2001:db8::1]:80,[fd00::1]:53/udp"), 0, "%s",
                 cli_played.err);
    cr_expect_str_eq(cli_played.requests[1],
                     "names.publish {\"endpoints\":[{\"address\":\"2001:db8::1\",\"port\":80,\"protocol\":\"tcp\"},"
                     "{\"address\":\"fd00::1\",\"port\":53,\"protocol\":\"udp\"}],\"classifier\":\"web\","
                     "\"unsecured\":true}");
    cr_expect_eq(cli_fixture_run("name publish 0.web --payload hi -o json"), 0, "%s", cli_played.err);
    cr_expect_str_eq(cli_played.requests[2], "names.publish {\"payload\":\"hi\",\"name\":\"0.web\"}");
    cli_fixture_expect_in(cli_played.out, "\"registrations\": [");
}

Test(cli_names, a_payload_file_goes_out_as_bytes)
{
    char arguments[256];
    snprintf(arguments, sizeof(arguments), "name update 0.web --port 80 --protocol udp --payload-file %s",
             cli_fixture_file("a\xff"));
    cr_expect_eq(cli_fixture_run(arguments), 0, "%s", cli_played.err);
    cr_expect_str_eq(cli_played.requests[0], "names.update {\"port\":80,\"protocol\":\"udp\",\"payload\":\"Yf8=\","
                                             "\"payload_type\":\"binary\",\"name\":\"0.web\"}");
    cr_expect_str_eq(cli_played.out, "0.web is updated\n");
    char *large = malloc(4098);
    memset(large, 'x', 4097);
    large[4097] = '\0';
    cli_fixture_file(large);
    free(large);
    cr_expect_eq(cli_fixture_run(arguments), 1);
    cli_fixture_expect_in(cli_played.err, "is too long; a payload has at most 4096 bytes");
}

Test(cli_names, what_is_wrong_with_a_name_is_said_before_anything_is_sent)
{
    static const struct {
        const char *arguments, *message;
    } wrong[] = {
        {"name publish web --endpoint 2001:db8::1", "--endpoint: 2001:db8::1 is no endpoint; write [ADDRESS]:PORT"},
        {"name publish web --endpoint [::1]:80x", "is no endpoint"},
        {"name publish web --endpoint [::1]:65536", "is no endpoint"},
        {"name publish web --endpoint [::g]:1", "is no endpoint"},
        {"name publish web --endpoint [::1]:1/sctp", "is no endpoint"},
        {"name publish web --endpoint [::1]:1,", "is no endpoint"},
        {"name publish web --endpoint [::1]:1 --port 2", "leave out --port and --protocol"},
        {"name publish web --port 65536", "--port: 65536 is out of range; use 0 to 65535"},
        {"name publish web --payload a --payload-file b", "give one of them"},
        {"name publish 4562b4628ac54782dda52789038476237e7c7263.web --unsecured", "is a secure name"},
        {"name resolve 0.web --results 65", "--results: 65 is out of range; use 1 to 64"},
        {"name resolve 0.web --timeout 0", "--timeout: 0 is out of range; use 1 to 600"},
        {"name resolve", "name resolve needs NAME"},
        {"cloud stats", "cloud stats needs CLOUD"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_expect_eq(cli_fixture_run(wrong[i].arguments), 2, "%s", wrong[i].arguments);
        cli_fixture_expect_in(cli_played.err, wrong[i].message);
    }
    cr_expect_eq(cli_played.request_count, 0);
}

Test(cli_names, resolve_shows_what_a_name_stands_for)
{
    cr_expect_eq(cli_fixture_run("name resolve web.pnrp.net --results 3 --timeout 2 --criterion nearest --cloud lan"),
                 0, "%s", cli_played.err);
    cr_expect_str_eq(cli_played.requests[0],
                     "names.resolve {\"name\":\"web.pnrp.net\",\"results\":3,\"own\":false,\"criterion\":\"nearest\","
                     "\"clouds\":[\"lan\"],\"timeout_ms\":2000}");
    cli_fixture_expect_in(cli_played.out, "0.web in cloud global, unsecured\n");
    cli_fixture_expect_in(cli_played.out, "  endpoint  [2001:db8::1]:53/udp\n");
    cli_fixture_expect_in(cli_played.out, "  node      [2001:db8::2]:3541\n");
    cli_fixture_expect_in(cli_played.out, "  payload   a?b?c\n");
    cli_fixture_expect_in(cli_played.out, "  comment   m\u00fc?[2J?1m?\n");
    cli_fixture_expect_in(cli_played.out, "1 found after 12 ms\n");
    cr_expect_eq(cli_fixture_run("name lookup-path 0.web"), 0, "%s", cli_played.err);
    cr_expect_str_eq(cli_played.requests[1], "names.lookup_path {\"name\":\"0.web\",\"timeout_ms\":30000}");
    cli_fixture_expect_in(cli_played.out, "[2001:db8::7]:3541 nearer node");
    cli_fixture_expect_in(cli_played.out, "[2001:db8::8]:3541 certificate");
    cli_fixture_expect_in(cli_played.out, "dead_end");
    cli_fixture_expect_in(cli_played.out, "found after 9 ms\n");
}

Test(cli_names, names_and_clouds_are_listed)
{
    cr_expect_eq(cli_fixture_run("name"), 0, "%s", cli_played.err);
    cli_fixture_expect_in(cli_played.out, "[2001:db8::1]:80 and 1 more");
    cli_fixture_expect_in(cli_played.out, "web.pnrp.net");
    cr_expect_null(strchr(cli_played.out, '\033'), "a comment gives the terminal no orders");
    cr_expect_null(strstr(cli_played.out, "\xc2\x9b"));
    cr_expect_eq(cli_fixture_run("name unpublish 0.web --cloud lan"), 0, "%s", cli_played.err);
    cr_expect_str_eq(cli_played.out, "0.web is unpublished\n");
    cr_expect_eq(cli_fixture_run("name unpublish 0.web --cloud nowhere"), 4);
    cli_fixture_expect_in(cli_played.err, "0.web: is in none of these clouds");
    cr_expect_eq(cli_fixture_run("name unpublish 0.web"), 0, "%s", cli_played.err);
    cr_expect_str_eq(cli_played.requests[1], "names.unpublish {\"name\":\"0.web\"}");
    cr_expect_eq(cli_fixture_run("cloud"), 0, "%s", cli_played.err);
    cli_fixture_expect_in(cli_played.out, "link eth0");
    cli_fixture_expect_in(cli_played.out, "[fe80::1]:3541");
    cr_expect_eq(cli_fixture_run("cloud stats lan"), 0, "%s", cli_played.err);
    cli_fixture_expect_in(cli_played.out, "datagrams received");
    cr_expect_null(strstr(cli_played.out, "answers with B"), "0 is left out");
    cr_expect_eq(cli_fixture_run("cloud stats lan --all"), 0);
    cli_fixture_expect_in(cli_played.out, "answers with B");
    cr_expect_eq(cli_fixture_run("cloud contact lan [2001:db8::9]:3541"), 0, "%s", cli_played.err);
    cli_fixture_expect_in(cli_played.out, "[2001:db8::9]:3541 is asked");
    cr_expect_eq(cli_fixture_run("names clouds"), 0);
    cr_expect_str_eq(cli_played.out, "lan\n");
    cr_expect_eq(cli_fixture_run("names published"), 0);
    cr_expect_str_eq(cli_played.out, "0.web\n");
}

Test(cli_names, a_cache_comes_page_by_page)
{
    cr_expect_eq(cli_fixture_run("cloud cache lan -o json"), 0, "%s", cli_played.err);
    json_t *said = json_loads(cli_played.out, 0, NULL);
    cr_expect_eq(json_array_size(json_object_get(said, "entries")), 3, "%s", cli_played.out);
    json_decref(said);
    cr_expect_eq(cli_fixture_run("cloud cache lan --limit 2"), 0, "%s", cli_played.err);
    cli_fixture_expect_in(cli_played.out, "leaf");
    cr_expect_eq(cli_fixture_run("cloud cache lan --limit 2 -o json"), 0, "%s", cli_played.err);
    said = json_loads(cli_played.out, 0, NULL);
    cr_expect_eq(json_array_size(json_object_get(said, "entries")), 2, "%s", cli_played.out);
    json_decref(said);
}

Test(cli_names, route_entries_are_loaded_from_a_file)
{
#define ID "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
    char arguments[256];
    snprintf(
        arguments, sizeof(arguments), "cloud load lan %s",
        cli_fixture_file(ID " [2001:db8::1]:3541,[2001:db8::2]:3541\n\n# nothing\n" ID "\t[2001:db8::3]:3541 # c\n"));
    cr_expect_eq(cli_fixture_run(arguments), 0, "%s", cli_played.err);
    cr_expect_str_eq(cli_played.out, "2 entries: 2 added\n");
    cr_expect_eq(loaded, 2);
    static const char *const wrong[] = {"00 [2001:db8::1]:3541\n", ID "\n", ID " [2001:db8::1]:3541 x\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cli_fixture_file(wrong[i]);
        cr_expect_eq(cli_fixture_run(arguments), 1);
        cli_fixture_expect_in(cli_played.err, "file:1: ");
    }
    FILE *file = fopen(cli_fixture_file(""), "w");
    for (unsigned i = 0; i < 45000; i++)
        fputs(ID " [2001:db8::1]:3541\n", file);
    fclose(file);
    loaded = 0;
    cr_expect_eq(cli_fixture_run(arguments), 0, "%s", cli_played.err);
    cr_expect_eq(loaded, 45000);
}
