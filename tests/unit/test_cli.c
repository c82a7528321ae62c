/*
 * `bypeer` as a person or a script sees it: the program is run, against a daemon that the test plays on a socket, and
 * judged by its output and exit status.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli_fixture.h"

#define REFUSAL                                                                                                 \
    "{\"error\":{\"code\":-32000,\"message\":\"link \\\"x\\\": does not exist; list them with: bypeer links\"," \
    "\"data\":{\"key\":\"no_such_link\"}}}"

static const struct cli_fixture_answer answers[] = {
    {"version", "{\"release\":\"9.8.7\",\"api\":1,\"layout\":3}"},
    {"status", "{\"node\":\"alpha\",\"release\":\"9.8.7\",\"uptime_s\":4000.5,"
               "\"dataplane\":{\"state\":\"attached\",\"pid\":77,\"release\":\"9.8.6\",\"generation\":5,"
               "\"workers\":[{\"index\":0,\"lcore\":3,\"state\":\"asleep\",\"busy_share\":0.125}],"
               "\"ports\":[{\"name\":\"uplink\",\"driver\":\"net_af_xdp\",\"mac\":\"02:00:00:00:00:01\",\"mtu\":1500,"
               "\"queues\":1,\"link_up\":true,\"missed\":4,\"errors\":0}]},"
               "\"tables\":{\"generation\":5,\"layout\":1,\"bytes\":13107200,\"capacity\":{\"members\":65536},"
               "\"used\":{\"members\":3},\"retired\":0},\"links\":{\"total\":2,\"up\":1},"
               "\"packets\":{\"received\":10,\"injected\":2,\"generated\":1,\"copied\":0,\"sent\":9,\"punted\":2,"
               "\"consumed\":0,\"dropped\":1,\"in_flight\":1}}"},
    {"links.list",
     "{\"links\":[{\"id\":1,\"name\":\"beta\",\"group\":\"lab\",\"peer\":\"2001:db8:1::2\",\"local\":null,\"vni\":7,"
     "\"udp_port\":4790,\"mtu\":1444,\"up\":true,\"adjacency\":{\"mac\":\"02:00:00:00:00:02\",\"port\":\"uplink\"},"
     "\"members\":1,\"sent_packets\":5,\"sent_bytes\":500,\"received_packets\":6,\"received_bytes\":600,"
     "\"last_received\":0,\"origin\":\"config:10\"},"
     "{\"id\":2,\"name\":\"gamma\",\"group\":\"lab\",\"peer\":\"2001:db8:1::3\",\"vni\":7,\"up\":false,"
     "\"why_down\":\"no route to the peer\",\"adjacency\":null,\"last_received\":0,\"origin\":\"api\"}]}"},
    {"groups.list", "{\"groups\":[{\"name\":\"lab\",\"prefix\":\"fd12:3456:789a::/48\",\"vni\":7,\"address\":null,"
                    "\"links\":2,\"members\":3,\"origin\":\"api\"}]}"},
    {"routes.list", "{\"routes\":[]}"},
    {"members.count", "{\"count\":12}"},
    {"members.list", "{\"members\":[{\"address\":\"fd00::1\",\"group\":\"lab\",\"link\":\"beta\",\"origin\":\"api\"},"
                     "{\"address\":\"fd00::2\",\"group\":\"lab\",\"link\":\"beta\",\"origin\":\"config:3\"}]}"},
    {"members.add", "{\"added\":0,\"replaced\":1}"},
    {"links.add", "{\"added\":1}"},
    {"links.remove", REFUSAL},
    {"counters",
     "{\"counters\":[{\"name\":\"node.receive\",\"class\":\"received\",\"text\":\"frames taken\",\"value\":10},"
     "{\"name\":\"drop.hop_limit\",\"class\":\"dropped\",\"text\":\"hop limit was 1\",\"value\":0}],"
     "\"sum\":{\"in\":10,\"out\":9,\"difference\":1}}"},
    {"trace", "{\"steps\":["
              "{\"packet\":0,\"worker\":0,\"ns\":0,\"node\":\"receive\",\"next\":\"classify\",\"frame_bytes\":158,"
              "\"head\":\"600000000068\"},"
              "{\"packet\":1,\"worker\":0,\"ns\":100,\"node\":\"receive\",\"next\":\"classify\",\"frame_bytes\":60,"
              "\"head\":\"ffff\"},"
              "{\"packet\":0,\"worker\":0,\"ns\":1500,\"node\":\"classify\",\"next\":\"drop.runt\",\"frame_bytes\":158,"
              "\"head\":\"6001\"}]}"},
    {"config.reload", "{\"error\":{\"code\":-32000,\"message\":\"bypeer.yaml: 2 errors; mend them\","
                      "\"data\":{\"key\":\"bad_config\",\"messages\":[\"bypeer.yaml:3: a\",\"bypeer.yaml:4: b\"]}}}"},
};

static struct {
    size_t loaded; /* addresses in bulk requests */
    char last_link[64];
} bulk;

static json_t *play_bulk(const char *method, const json_t *params)
{
    if (strcmp(method, "members.load") != 0 && strcmp(method, "members.unload") != 0)
        return NULL;
    size_t count = json_array_size(json_object_get(params, "addresses"));
    const char *link = json_string_value(json_object_get(params, "link"));
    bulk.loaded += count;
    snprintf(bulk.last_link, sizeof(bulk.last_link), "%s", link ? link : "");
    if (link && strcmp(link, "x") == 0)
        return json_loads(REFUSAL, 0, NULL);
    if (strcmp(method, "members.unload") == 0)
        return json_pack("{s:I}", "removed", (json_int_t)count);
    return json_pack("{s:I, s:i}", "added", (json_int_t)count, "replaced", 0);
}

static void start(void)
{
    cli_fixture_start(answers, sizeof(answers) / sizeof(answers[0]), play_bulk);
}

TestSuite(cli, .init = start, .fini = cli_fixture_stop, .timeout = 60);

Test(cli, help_needs_no_daemon)
{
    unsetenv("BYPEER_SOCKET");
    cr_expect_eq(cli_fixture_run("--help"), 0);
    cli_fixture_expect_in(cli_played.out, "members load FILE");
    cr_expect_eq(cli_fixture_run("help links add"), 0);
    cli_fixture_expect_in(cli_played.out, "usage: bypeer [OPTION]... links add NAME --group GROUP --peer ADDRESS");
    cr_expect_eq(cli_fixture_run("links add --help"), 0);
    cli_fixture_expect_in(cli_played.out, "--udp-port");
    cr_expect_eq(cli_fixture_run("help members"), 0);
    cli_fixture_expect_in(cli_played.out, "members unload");
    cr_expect_eq(cli_fixture_run(""), 2);
    cli_fixture_expect_in(cli_played.err, "Commands:");
}

Test(cli, a_wrong_command_line_is_2_and_says_what_was_meant)
{
    static const struct {
        const char *arguments, *message;
    } wrong[] = {
        {"lnks", "bypeer: there is no command lnks; did you mean links?\n"},
        {"links ad", "bypeer: there is no command links ad; did you mean add?\n"},
        {"links xyzzy", "bypeer: there is no command links xyzzy; see bypeer help links\n"},
        {"config", "bypeer: config needs a further word; see bypeer help config\n"},
        {"links add", "bypeer: links add needs NAME; see bypeer help links add\n"},
        {"links add b --group lab", "bypeer: links add needs --peer ADDRESS; see bypeer help links add\n"},
        {"-l beta status", "bypeer: -l: there is no such option for this command; see bypeer --help\n"},
        {"--bogus", "bypeer: --bogus: there is no such option; see bypeer --help\n"},
        {"status now", "bypeer: status: now is one argument too many; see bypeer help status\n"},
        {"status --jsn", "bypeer: --jsn: there is no such option for this command; see bypeer --help\n"},
        {"counters --wrokers",
         "bypeer: --wrokers: there is no such option for this command; did you mean --workers?\n"},
        {"status -o xml", "bypeer: --output: there is no format xml; use table or json\n"},
        {"status --output", "bypeer: --output: needs a value; see bypeer --help\n"},
        {"counters --all=1", "bypeer: --all=1: takes no value; see bypeer --help\n"},
        {"trace 0", "bypeer: trace: 0 is out of range; use 1 to 1000 packets\n"},
        {"links add b -g l -p ::2 --mtu 99", "bypeer: --mtu: 99 is out of range; use 1280 to 8964\n"},
        {"help dance", "bypeer: there is no command dance; see bypeer help\n"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_expect_eq(cli_fixture_run(wrong[i].arguments), 2, "%s", wrong[i].arguments);
        cr_expect_str_eq(cli_played.err, wrong[i].message);
        cr_expect_str_empty(cli_played.out);
    }
    cr_expect_eq(cli_played.request_count, 0);
}

Test(cli, nobody_at_the_socket_is_3)
{
    cr_expect_eq(cli_fixture_run("status --socket /nowhere/control.sock"), 3);
    cr_expect_str_eq(cli_played.err,
                     "bypeer: nobody answers at /nowhere/control.sock: No such file or directory; start bypeerd, or "
                     "name its socket with --socket or --config\n");
}

Test(cli, a_refusal_is_4_and_says_why)
{
    cr_expect_eq(cli_fixture_run("links remove x"), 4);
    cr_expect_str_eq(cli_played.err, "bypeer: link \"x\": does not exist; list them with: bypeer links\n");
    cr_expect_str_eq(cli_played.requests[0], "links.remove {\"name\":\"x\"}");
    cr_expect_eq(cli_fixture_run("config reload"), 4);
    cr_expect_str_eq(cli_played.err,
                     "bypeer.yaml:3: a\nbypeer.yaml:4: b\nbypeer: refused whole, nothing was changed; mend what "
                     "is above and try again\n");
}

Test(cli, the_socket_comes_from_the_configuration_that_is_named)
{
    char text[256], arguments[256];
    snprintf(text, sizeof(text), "node: { run: %s }\n", cli_played.directory);
    snprintf(arguments, sizeof(arguments), "--config %s version", cli_fixture_file(text));
    setenv("BYPEER_SOCKET", "/nowhere/control.sock", 1);
    cr_expect_eq(cli_fixture_run(arguments), 0, "%s", cli_played.err);
    cli_fixture_expect_in(cli_played.out, "bypeerd 9.8.7, API 1, table layout 3\n");
}

Test(cli, status_for_people)
{
    cr_expect_eq(cli_fixture_run("status"), 0);
    cli_fixture_expect_in(cli_played.out, "node        alpha\n");
    cli_fixture_expect_in(cli_played.out, "bypeerd     9.8.7, up 1 h 6 min\n");
    cli_fixture_expect_in(cli_played.out, "data plane  attached, 9.8.6, pid 77, tables of generation 5\n");
    cli_fixture_expect_in(cli_played.out, "members 3 of 65536");
    cli_fixture_expect_in(cli_played.out, "packets in  13: received 10 + injected 2 + generated 1 + copied 0\n");
    cli_fixture_expect_in(cli_played.out, "packets out 12: sent 9 + punted 2 + consumed 0 + dropped 1\n");
    cli_fixture_expect_in(cli_played.out, "12.5 %");
    cli_fixture_expect_in(cli_played.out, "net_af_xdp");
    cr_expect_null(strchr(cli_played.out, '\033'), "no colours in a file");
}

Test(cli, json_is_what_the_daemon_said)
{
    cr_expect_eq(cli_fixture_run("status -o json"), 0);
    json_t *said = json_loads(cli_played.out, 0, NULL);
    json_t *meant = json_loads(answers[1].text, 0, NULL);
    cr_expect(json_equal(said, meant), "%s", cli_played.out);
    json_decref(said);
    json_decref(meant);
    cr_expect_eq(cli_fixture_run("-ojson links"), 0);
    said = json_loads(cli_played.out, 0, NULL);
    cr_expect_str_eq(json_string_value(json_object_get(json_array_get(json_object_get(said, "links"), 1), "why_down")),
                     "no route to the peer");
    json_decref(said);
}

Test(cli, lists_for_people)
{
    cr_expect_eq(cli_fixture_run("links"), 0);
    cli_fixture_expect_in(cli_played.out, "beta");
    cli_fixture_expect_in(cli_played.out, "02:00:00:00:00:02 on uplink");
    cli_fixture_expect_in(cli_played.out, "gamma is down: no route to the peer\n");
    cr_expect_eq(cli_fixture_run("groups"), 0);
    cli_fixture_expect_in(cli_played.out, "fd12:3456:789a::/48");
    cr_expect_eq(cli_fixture_run("routes"), 0);
    cr_expect_str_empty(cli_played.out);
    cr_expect_str_eq(cli_played.err, "none\n");
    cr_expect_eq(cli_fixture_run("members"), 0);
    cli_fixture_expect_in(cli_played.out, "fd00::2 lab   beta config:3");
    cr_expect_eq(cli_fixture_run("members list --limit 1"), 0);
    cr_expect_null(strstr(cli_played.out, "fd00::2"));
    cr_expect_eq(cli_fixture_run("members count"), 0);
    cr_expect_str_eq(cli_played.out, "12\n");
}

Test(cli, members_as_json_are_one_document)
{
    cr_expect_eq(cli_fixture_run("members -o json --group lab"), 0);
    json_t *said = json_loads(cli_played.out, 0, NULL);
    cr_expect_eq(json_array_size(json_object_get(said, "members")), 2, "%s", cli_played.out);
    json_decref(said);
    cr_expect_str_eq(cli_played.requests[0], "members.list {\"group\":\"lab\",\"limit\":5000}");
}

Test(cli, changes_say_what_they_did)
{
    cr_expect_eq(cli_fixture_run("members add fd00::9 beta"), 0);
    cr_expect_str_eq(cli_played.out, "fd00::9 is replaced\n");
    cr_expect_eq(cli_fixture_run("links add b --group lab --peer ::2 --vni 9"), 0);
    cr_expect_str_eq(cli_played.out, "b is added\n");
    cr_expect_str_eq(cli_played.requests[1], "links.add {\"name\":\"b\",\"group\":\"lab\",\"peer\":\"::2\",\"vni\":9}");
}

Test(cli, counters_leave_out_zeros_and_end_with_the_sum)
{
    cr_expect_eq(cli_fixture_run("counters"), 0);
    cli_fixture_expect_in(cli_played.out, "node.receive");
    cr_expect_null(strstr(cli_played.out, "drop.hop_limit"));
    cli_fixture_expect_in(cli_played.out, "packet sum: 10 in = 9 out + 1 in flight\n");
    cr_expect_eq(cli_fixture_run("counters --all"), 0);
    cli_fixture_expect_in(cli_played.out, "drop.hop_limit");
}

Test(cli, a_trace_is_packet_by_packet)
{
    cr_expect_eq(cli_fixture_run("trace 2 --timeout 7"), 0);
    cr_expect_str_eq(cli_played.requests[0], "trace {\"packets\":2,\"timeout_ms\":7000}");
    cr_expect_str_eq(cli_played.out, "packet 1, worker 0\n"
                                     "       0.000 us  receive              -> classify               158 bytes\n"
                                     "                6000 0000 0068\n"
                                     "       1.500 us  classify             -> drop.runt              158 bytes\n"
                                     "\n"
                                     "packet 2, worker 0\n"
                                     "       0.000 us  receive              -> classify                60 bytes\n"
                                     "                ffff\n");
}

Test(cli, a_file_of_members_goes_link_by_link)
{
    char arguments[256];
    const char *file = cli_fixture_file("# two links\n"
                                        "fd00::1 beta\n"
                                        "\n"
                                        "fd00::2\t gamma  # a comment\n"
                                        "fd00::3,beta\r\n"
                                        "fd00::4\n");
    snprintf(arguments, sizeof(arguments), "members load %s --link gamma", file);
    cr_expect_eq(cli_fixture_run(arguments), 0, "%s", cli_played.err);
    cli_fixture_expect_in(cli_played.out, "4 members: 4 added, 0 replaced");
    cr_expect_eq(bulk.loaded, 4);
    snprintf(arguments, sizeof(arguments), "members unload %s -o json", file);
    cr_expect_eq(cli_fixture_run(arguments), 0, "%s", cli_played.err);
    json_t *said = json_loads(cli_played.out, 0, NULL);
    cr_expect_eq(json_integer_value(json_object_get(said, "removed")), 4);
    json_decref(said);
    cr_expect_str_empty(bulk.last_link);
}

Test(cli, a_wrong_line_loads_nothing_and_is_told_by_number)
{
    char arguments[256];
    snprintf(arguments, sizeof(arguments), "members load %s",
             cli_fixture_file("fd00::1 beta\nnonsense beta\nfd00::2\nfd00::3 a b\n10.0.0.1 beta\n"));
    cr_expect_eq(cli_fixture_run(arguments), 1);
    cli_fixture_expect_in(cli_played.err,
                          "/file:2: \"nonsense\" is no IPv6 address; begin the line with one like fd12:3456:789a::2\n");
    cli_fixture_expect_in(cli_played.err,
                          "/file:3: there is no link; write it after the address, or use --link for all\n");
    cli_fixture_expect_in(cli_played.err, "/file:4: \"b\" is too much; write an address and a link\n");
    cli_fixture_expect_in(cli_played.err, "/file:5: \"10.0.0.1\" is no IPv6 address");
    cli_fixture_expect_in(cli_played.err, "nothing was loaded");
    cr_expect_eq(bulk.loaded, 0);
}

Test(cli, standard_input_is_loaded_too)
{
    cr_expect_eq(cli_fixture_run_with("members load - -l beta", cli_fixture_file("fd00::1\nfd00::2\n")), 0, "%s",
                 cli_played.err);
    cr_expect_eq(bulk.loaded, 2);
    cr_expect_str_eq(bulk.last_link, "beta");
}

Test(cli, two_hundred_thousand_members_go_in_batches)
{
    char arguments[256];
    char path[128];
    snprintf(path, sizeof(path), "%s/file", cli_played.directory);
    FILE *file = fopen(path, "w");
    for (unsigned i = 0; i < 200001; i++)
        fprintf(file, "fd00::%x:%x link-%u\n", i >> 16, i & 0xffff, i % 3);
    fclose(file);
    snprintf(arguments, sizeof(arguments), "members load %s", path);
    cr_expect_eq(cli_fixture_run(arguments), 0, "%s", cli_played.err);
    cli_fixture_expect_in(cli_played.out, "200001 members: 200001 added");
    cr_expect_eq(bulk.loaded, 200001);
}

Test(cli, a_refused_load_says_what_was_done_before)
{
    char arguments[256];
    snprintf(arguments, sizeof(arguments), "members load %s", cli_fixture_file("fd00::1 x\n"));
    cr_expect_eq(cli_fixture_run(arguments), 4);
    cli_fixture_expect_in(cli_played.err, "bypeer: link \"x\": does not exist");
    cli_fixture_expect_in(cli_played.err, "0 members were loaded before");
}

Test(cli, configuration_is_checked_and_shown_without_a_daemon)
{
    char arguments[256];
    unsetenv("BYPEER_SOCKET");
    snprintf(arguments, sizeof(arguments), "config check %s",
             cli_fixture_file("node: { name: a }\ndataplane: { burst: 3 }\n"));
    cr_expect_eq(cli_fixture_run(arguments), 1);
    cli_fixture_expect_in(cli_played.err, "/file:2: dataplane.burst: 3 is out of range; use 8 to 128\n");
    snprintf(arguments, sizeof(arguments), "-o json config check %s", cli_fixture_file("node: { name: a }\n"));
    cr_expect_eq(cli_fixture_run(arguments), 0);
    cli_fixture_expect_in(cli_played.out, "\"good\": true");
    snprintf(arguments, sizeof(arguments), "config show %s", cli_fixture_file("node: { name: a }\n"));
    cr_expect_eq(cli_fixture_run(arguments), 0);
    cli_fixture_expect_in(cli_played.out, "file:1");
    cr_expect_eq(cli_fixture_run("config explain dataplane.burst"), 0);
    cli_fixture_expect_in(cli_played.out, "8 to 128");
    cr_expect_eq(cli_fixture_run("config explain dataplane.brust"), 2);
    cli_fixture_expect_in(cli_played.err, "did you mean \"dataplane.burst\"?");
}

Test(cli, names_for_completion)
{
    cr_expect_eq(cli_fixture_run("names links"), 0);
    cr_expect_str_eq(cli_played.out, "beta\ngamma\n");
    cr_expect_eq(cli_fixture_run("names keys"), 0);
    cli_fixture_expect_in(cli_played.out, "\ndataplane.idle-max-us\n");
}
