/*
 * `bypeer` as a person or a script sees it: the program is run, against a daemon that the test plays on a socket, and
 * judged by its output and exit status.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What the daemon answers to a method: a result, or {"error": ...}. */
struct answer {
    const char *method, *text;
};

#define REFUSAL                                                                                                 \
    "{\"error\":{\"code\":-32000,\"message\":\"link \\\"x\\\": does not exist; list them with: bypeer links\"," \
    "\"data\":{\"key\":\"no_such_link\"}}}"

static const struct answer answers[] = {
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
    {"names.publish", "{\"name\":\"4562b4628ac54782dda52789038476237e7c7263.web\",\"host\":"
                      "\"web.p4562b4628ac54782dda52789038476237e7c7263.pnrp.net\",\"registrations\":["
                      "{\"cloud\":\"global\",\"id\":\"00\"},{\"cloud\":\"lan\",\"id\":null}]}"},
    {"names.update", "{\"updated\":1}"},
    {"names.unpublish", "{\"removed\":2}"},
    {"names.list",
     "{\"names\":[{\"name\":\"0.web\",\"host\":\"web.pnrp.net\",\"cloud\":\"global\",\"id\":\"00\","
     "\"endpoints\":[{\"address\":\"2001:db8::1\",\"port\":80,\"protocol\":\"tcp\"},"
     "{\"address\":\"2001:db8::1\",\"port\":53,\"protocol\":\"udp\"}],\"comment\":\"\",\"payload_bytes\":9,"
     "\"state\":\"published\"}]}"},
    {"names.resolve",
     "{\"results\":[{\"name\":\"0.web\",\"cloud\":\"global\",\"id\":\"ab\",\"secure\":false,\"endpoints\":["
     "{\"address\":\"2001:db8::1\",\"port\":53,\"protocol\":\"udp\"}],\"services\":["
     "{\"address\":\"2001:db8::2\",\"port\":3541}],\"comment\":\"mine\",\"payload\":\"a\\u001bb\","
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
    {"config.reload", "{\"error\":{\"code\":-32000,\"message\":\"bypeer.yaml: 2 errors; mend them\","
                      "\"data\":{\"key\":\"bad_config\",\"messages\":[\"bypeer.yaml:3: a\",\"bypeer.yaml:4: b\"]}}}"},
};

struct played {
    char directory[32], socket[64];
    int listener;
    pthread_t thread;
    char requests[16][512]; /* "method params" of all but bulk requests */
    unsigned request_count;
    size_t loaded; /* addresses in bulk requests */
    char last_link[64];
};

static struct played played;

static json_t *play_bulk(const char *method, const json_t *params)
{
    size_t count = json_array_size(json_object_get(params, "addresses"));
    const char *link = json_string_value(json_object_get(params, "link"));
    played.loaded += count;
    snprintf(played.last_link, sizeof(played.last_link), "%s", link ? link : "");
    if (link && strcmp(link, "x") == 0)
        return json_loads(REFUSAL, 0, NULL);
    if (strcmp(method, "members.unload") == 0)
        return json_pack("{s:I}", "removed", (json_int_t)count);
    return json_pack("{s:I, s:i}", "added", (json_int_t)count, "replaced", 0);
}

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

static json_t *play_answer(const char *method, const json_t *params)
{
    if (strcmp(method, "members.load") == 0 || strcmp(method, "members.unload") == 0)
        return play_bulk(method, params);
    if (strcmp(method, "clouds.cache") == 0)
        return play_cache(params);
    if (strcmp(method, "clouds.load") == 0) {
        size_t count = json_array_size(json_object_get(params, "entries"));
        played.loaded += count;
        return json_pack("{s:I}", "added", (json_int_t)count);
    }
    char *text = json_dumps(params, JSON_COMPACT);
    if (played.request_count < 16)
        snprintf(played.requests[played.request_count++], sizeof(played.requests[0]), "%s %s", method, text);
    free(text);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        if (strcmp(answers[i].method, method) == 0)
            return json_loads(answers[i].text, 0, NULL);
    return json_loads("{\"error\":{\"code\":-32601,\"message\":\"no such method\"}}", 0, NULL);
}

static void *play(void *unused)
{
    (void)unused;
    for (;;) {
        int fd = accept(played.listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        FILE *in = fdopen(dup(fd), "r");
        char *line = NULL;
        size_t room = 0;
        while (getline(&line, &room, in) > 0) {
            json_t *request = json_loads(line, 0, NULL);
            json_t *body =
                play_answer(json_string_value(json_object_get(request, "method")), json_object_get(request, "params"));
            json_t *refusal = json_object_get(body, "error");
            json_t *answer = json_pack("{s:s, s:O, s:O}", "jsonrpc", "2.0", "id", json_object_get(request, "id"),
                                       refusal ? "error" : "result", refusal ? refusal : body);
            char *text = json_dumps(answer, JSON_COMPACT);
            dprintf(fd, "%s\n", text);
            free(text);
            json_decref(answer);
            json_decref(body);
            json_decref(request);
        }
        free(line);
        fclose(in);
        close(fd);
    }
}

static void start(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(played.directory, "/tmp/bypeer-cli-XXXXXX");
    cr_assert_not_null(mkdtemp(played.directory));
    snprintf(played.socket, sizeof(played.socket), "%s/control.sock", played.directory);
    strcpy(address.sun_path, played.socket);
    played.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(played.listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(played.listener, 8), 0);
    cr_assert_eq(pthread_create(&played.thread, NULL, play, NULL), 0);
    setenv("BYPEER_SOCKET", played.socket, 1);
    unsetenv("NO_COLOR");
}

static void stop(void)
{
    char path[128];
    shutdown(played.listener, SHUT_RDWR);
    pthread_join(played.thread, NULL);
    snprintf(path, sizeof(path), "%s/file", played.directory);
    unlink(path);
    unlink(played.socket);
    rmdir(played.directory);
}

TestSuite(cli, .init = start, .fini = stop, .timeout = 60);

static char out[65536], err[16384];

static void slurp(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY);
    ssize_t got = read(fd, text, room - 1);
    text[got > 0 ? got : 0] = '\0';
    close(fd);
    unlink(path);
}

/* Runs bypeer with arguments (separated by spaces), standard input from a file if that is not NULL. */
static int run_with(const char *arguments, const char *input)
{
    const char *program = getenv("BYPEER_PROGRAM");
    char words[1024];
    char *argv[32] = {"bypeer"};
    char out_path[128], err_path[128];
    posix_spawn_file_actions_t actions;
    int argc = 1, status;
    pid_t pid;
    cr_assert_not_null(program, "run by meson test, or set BYPEER_PROGRAM");
    snprintf(words, sizeof(words), "%s", arguments);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    snprintf(out_path, sizeof(out_path), "%s/out", played.directory);
    snprintf(err_path, sizeof(err_path), "%s/err", played.directory);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, input ? input : "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, out_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, err_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert_eq(posix_spawn(&pid, program, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    slurp(out_path, out, sizeof(out));
    slurp(err_path, err, sizeof(err));
    cr_assert(WIFEXITED(status), "bypeer %s: signal %d", arguments, WTERMSIG(status));
    return WEXITSTATUS(status);
}

static int run(const char *arguments)
{
    return run_with(arguments, NULL);
}

static void expect_in(const char *text, const char *part)
{
    cr_expect_not_null(strstr(text, part), "no \"%s\" in:\n%s", part, text);
}

static const char *file_with(const char *content)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/file", played.directory);
    FILE *file = fopen(path, "w");
    fputs(content, file);
    fclose(file);
    return path;
}

Test(cli, help_needs_no_daemon)
{
    unsetenv("BYPEER_SOCKET");
    cr_expect_eq(run("--help"), 0);
    expect_in(out, "members load FILE");
    cr_expect_eq(run("help links add"), 0);
    expect_in(out, "usage: bypeer [OPTION]... links add NAME --group GROUP --peer ADDRESS");
    cr_expect_eq(run("links add --help"), 0);
    expect_in(out, "--udp-port");
    cr_expect_eq(run("help members"), 0);
    expect_in(out, "members unload");
    cr_expect_eq(run(""), 2);
    expect_in(err, "Commands:");
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
        cr_expect_eq(run(wrong[i].arguments), 2, "%s", wrong[i].arguments);
        cr_expect_str_eq(err, wrong[i].message);
        cr_expect_str_empty(out);
    }
    cr_expect_eq(played.request_count, 0);
}

Test(cli, nobody_at_the_socket_is_3)
{
    cr_expect_eq(run("status --socket /nowhere/control.sock"), 3);
    cr_expect_str_eq(err,
                     "bypeer: nobody answers at /nowhere/control.sock: No such file or directory; start bypeerd, or "
                     "name its socket with --socket or --config\n");
}

Test(cli, a_refusal_is_4_and_says_why)
{
    cr_expect_eq(run("links remove x"), 4);
    cr_expect_str_eq(err, "bypeer: link \"x\": does not exist; list them with: bypeer links\n");
    cr_expect_str_eq(played.requests[0], "links.remove {\"name\":\"x\"}");
    cr_expect_eq(run("config reload"), 4);
    cr_expect_str_eq(err, "bypeer.yaml:3: a\nbypeer.yaml:4: b\nbypeer: refused whole, nothing was changed; mend what "
                          "is above and try again\n");
}

Test(cli, the_socket_comes_from_the_configuration_that_is_named)
{
    char text[256], arguments[256];
    snprintf(text, sizeof(text), "node: { run: %s }\n", played.directory);
    snprintf(arguments, sizeof(arguments), "--config %s version", file_with(text));
    setenv("BYPEER_SOCKET", "/nowhere/control.sock", 1);
    cr_expect_eq(run(arguments), 0, "%s", err);
    expect_in(out, "bypeerd 9.8.7, API 1, table layout 3\n");
}

Test(cli, status_for_people)
{
    cr_expect_eq(run("status"), 0);
    expect_in(out, "node        alpha\n");
    expect_in(out, "bypeerd     9.8.7, up 1 h 6 min\n");
    expect_in(out, "data plane  attached, 9.8.6, pid 77, tables of generation 5\n");
    expect_in(out, "members 3 of 65536");
    expect_in(out, "packets in  13: received 10 + injected 2 + generated 1 + copied 0\n");
    expect_in(out, "packets out 12: sent 9 + punted 2 + consumed 0 + dropped 1\n");
    expect_in(out, "12.5 %");
    expect_in(out, "net_af_xdp");
    cr_expect_null(strchr(out, '\033'), "no colours in a file");
}

Test(cli, json_is_what_the_daemon_said)
{
    cr_expect_eq(run("status -o json"), 0);
    json_t *said = json_loads(out, 0, NULL);
    json_t *meant = json_loads(answers[1].text, 0, NULL);
    cr_expect(json_equal(said, meant), "%s", out);
    json_decref(said);
    json_decref(meant);
    cr_expect_eq(run("-ojson links"), 0);
    said = json_loads(out, 0, NULL);
    cr_expect_str_eq(json_string_value(json_object_get(json_array_get(json_object_get(said, "links"), 1), "why_down")),
                     "no route to the peer");
    json_decref(said);
}

Test(cli, lists_for_people)
{
    cr_expect_eq(run("links"), 0);
    expect_in(out, "beta");
    expect_in(out, "02:00:00:00:00:02 on uplink");
    expect_in(out, "gamma is down: no route to the peer\n");
    cr_expect_eq(run("groups"), 0);
    expect_in(out, "fd12:3456:789a::/48");
    cr_expect_eq(run("routes"), 0);
    cr_expect_str_empty(out);
    cr_expect_str_eq(err, "none\n");
    cr_expect_eq(run("members"), 0);
    expect_in(out, "fd00::2 lab   beta config:3");
    cr_expect_eq(run("members list --limit 1"), 0);
    cr_expect_null(strstr(out, "fd00::2"));
    cr_expect_eq(run("members count"), 0);
    cr_expect_str_eq(out, "12\n");
}

Test(cli, members_as_json_are_one_document)
{
    cr_expect_eq(run("members -o json --group lab"), 0);
    json_t *said = json_loads(out, 0, NULL);
    cr_expect_eq(json_array_size(json_object_get(said, "members")), 2, "%s", out);
    json_decref(said);
    cr_expect_str_eq(played.requests[0], "members.list {\"group\":\"lab\",\"limit\":5000}");
}

Test(cli, changes_say_what_they_did)
{
    cr_expect_eq(run("members add fd00::9 beta"), 0);
    cr_expect_str_eq(out, "fd00::9 is replaced\n");
    cr_expect_eq(run("links add b --group lab --peer ::2 --vni 9"), 0);
    cr_expect_str_eq(out, "b is added\n");
    cr_expect_str_eq(played.requests[1], "links.add {\"name\":\"b\",\"group\":\"lab\",\"peer\":\"::2\",\"vni\":9}");
}

Test(cli, counters_leave_out_zeros_and_end_with_the_sum)
{
    cr_expect_eq(run("counters"), 0);
    expect_in(out, "node.receive");
    cr_expect_null(strstr(out, "drop.hop_limit"));
    expect_in(out, "packet sum: 10 in = 9 out + 1 in flight\n");
    cr_expect_eq(run("counters --all"), 0);
    expect_in(out, "drop.hop_limit");
}

Test(cli, a_trace_is_packet_by_packet)
{
    cr_expect_eq(run("trace 2 --timeout 7"), 0);
    cr_expect_str_eq(played.requests[0], "trace {\"packets\":2,\"timeout_ms\":7000}");
    cr_expect_str_eq(out, "packet 1, worker 0\n"
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
    const char *file = file_with("# two links\n"
                                 "fd00::1 beta\n"
                                 "\n"
                                 "fd00::2\t gamma  # a comment\n"
                                 "fd00::3,beta\r\n"
                                 "fd00::4\n");
    snprintf(arguments, sizeof(arguments), "members load %s --link gamma", file);
    cr_expect_eq(run(arguments), 0, "%s", err);
    expect_in(out, "4 members: 4 added, 0 replaced");
    cr_expect_eq(played.loaded, 4);
    snprintf(arguments, sizeof(arguments), "members unload %s -o json", file);
    cr_expect_eq(run(arguments), 0, "%s", err);
    json_t *said = json_loads(out, 0, NULL);
    cr_expect_eq(json_integer_value(json_object_get(said, "removed")), 4);
    json_decref(said);
    cr_expect_str_empty(played.last_link);
}

Test(cli, a_wrong_line_loads_nothing_and_is_told_by_number)
{
    char arguments[256];
    snprintf(arguments, sizeof(arguments), "members load %s",
             file_with("fd00::1 beta\nnonsense beta\nfd00::2\nfd00::3 a b\n10.0.0.1 beta\n"));
    cr_expect_eq(run(arguments), 1);
    expect_in(err, "/file:2: \"nonsense\" is no IPv6 address; begin the line with one like fd12:3456:789a::2\n");
    expect_in(err, "/file:3: there is no link; write it after the address, or use --link for all\n");
    expect_in(err, "/file:4: \"b\" is too much; write an address and a link\n");
    expect_in(err, "/file:5: \"10.0.0.1\" is no IPv6 address");
    expect_in(err, "nothing was loaded");
    cr_expect_eq(played.loaded, 0);
}

Test(cli, standard_input_is_loaded_too)
{
    cr_expect_eq(run_with("members load - -l beta", file_with("fd00::1\nfd00::2\n")), 0, "%s", err);
    cr_expect_eq(played.loaded, 2);
    cr_expect_str_eq(played.last_link, "beta");
}

Test(cli, two_hundred_thousand_members_go_in_batches)
{
    char arguments[256];
    char path[128];
    snprintf(path, sizeof(path), "%s/file", played.directory);
    FILE *file = fopen(path, "w");
    for (unsigned i = 0; i < 200001; i++)
        fprintf(file, "fd00::%x:%x link-%u\n", i >> 16, i & 0xffff, i % 3);
    fclose(file);
    snprintf(arguments, sizeof(arguments), "members load %s", path);
    cr_expect_eq(run(arguments), 0, "%s", err);
    expect_in(out, "200001 members: 200001 added");
    cr_expect_eq(played.loaded, 200001);
}

Test(cli, a_refused_load_says_what_was_done_before)
{
    char arguments[256];
    snprintf(arguments, sizeof(arguments), "members load %s", file_with("fd00::1 x\n"));
    cr_expect_eq(run(arguments), 4);
    expect_in(err, "bypeer: link \"x\": does not exist");
    expect_in(err, "0 members were loaded before");
}

Test(cli, configuration_is_checked_and_shown_without_a_daemon)
{
    char arguments[256];
    unsetenv("BYPEER_SOCKET");
    snprintf(arguments, sizeof(arguments), "config check %s",
             file_with("node: { name: a }\ndataplane: { burst: 3 }\n"));
    cr_expect_eq(run(arguments), 1);
    expect_in(err, "/file:2: dataplane.burst: 3 is out of range; use 8 to 128\n");
    snprintf(arguments, sizeof(arguments), "-o json config check %s", file_with("node: { name: a }\n"));
    cr_expect_eq(run(arguments), 0);
    expect_in(out, "\"good\": true");
    snprintf(arguments, sizeof(arguments), "config show %s", file_with("node: { name: a }\n"));
    cr_expect_eq(run(arguments), 0);
    expect_in(out, "file:1");
    cr_expect_eq(run("config explain dataplane.burst"), 0);
    expect_in(out, "8 to 128");
    cr_expect_eq(run("config explain dataplane.brust"), 2);
    expect_in(err, "did you mean \"dataplane.burst\"?");
}

Test(cli, names_for_completion)
{
    cr_expect_eq(run("names links"), 0);
    cr_expect_str_eq(out, "beta\ngamma\n");
    cr_expect_eq(run("names keys"), 0);
    expect_in(out, "\ndataplane.idle-max-us\n");
}

/* --- names and clouds --- */

Test(cli, publish_takes_a_classifier_or_a_whole_name)
{
    cr_expect_eq(run("name publish web --port 80 --cloud global,lan --comment mine"), 0, "%s", err);
    cr_expect_str_eq(played.requests[0], "names.publish {\"port\":80,\"comment\":\"mine\",\"classifier\":\"web\","
                                         "\"clouds\":[\"global\",\"lan\"]}");
    expect_in(out, "4562b4628ac54782dda52789038476237e7c7263.web is published in global, lan\n");
    expect_in(out, "any program finds it as web.p4562b4628ac54782dda52789038476237e7c7263.pnrp.net\n");
    cr_expect_eq(run("name publish web --unsecured --endpoint [2001:db8::1]:80,[fd00::1]:53/udp"), 0, "%s", err);
    cr_expect_str_eq(played.requests[1],
                     "names.publish {\"endpoints\":[{\"address\":\"2001:db8::1\",\"port\":80,\"protocol\":\"tcp\"},"
                     "{\"address\":\"fd00::1\",\"port\":53,\"protocol\":\"udp\"}],\"classifier\":\"web\","
                     "\"unsecured\":true}");
    cr_expect_eq(run("name publish 0.web --payload hi -o json"), 0, "%s", err);
    cr_expect_str_eq(played.requests[2], "names.publish {\"payload\":\"hi\",\"name\":\"0.web\"}");
    expect_in(out, "\"registrations\": [");
}

Test(cli, a_payload_file_goes_out_as_bytes)
{
    char arguments[256];
    snprintf(arguments, sizeof(arguments), "name update 0.web --port 80 --protocol udp --payload-file %s",
             file_with("a\xff"));
    cr_expect_eq(run(arguments), 0, "%s", err);
    cr_expect_str_eq(played.requests[0], "names.update {\"port\":80,\"protocol\":\"udp\",\"payload\":\"Yf8=\","
                                         "\"payload_type\":\"binary\",\"name\":\"0.web\"}");
    cr_expect_str_eq(out, "0.web is updated\n");
    char *large = malloc(4098);
    memset(large, 'x', 4097);
    large[4097] = '\0';
    file_with(large);
    free(large);
    cr_expect_eq(run(arguments), 1);
    expect_in(err, "is too long; a payload has at most 4096 bytes");
}

Test(cli, what_is_wrong_with_a_name_is_said_before_anything_is_sent)
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
        cr_expect_eq(run(wrong[i].arguments), 2, "%s", wrong[i].arguments);
        expect_in(err, wrong[i].message);
    }
    cr_expect_eq(played.request_count, 0);
}

Test(cli, resolve_shows_what_a_name_stands_for)
{
    cr_expect_eq(run("name resolve web.pnrp.net --results 3 --timeout 2 --criterion nearest --cloud lan"), 0, "%s",
                 err);
    cr_expect_str_eq(played.requests[0],
                     "names.resolve {\"name\":\"web.pnrp.net\",\"results\":3,\"own\":false,\"criterion\":\"nearest\","
                     "\"clouds\":[\"lan\"],\"timeout_ms\":2000}");
    expect_in(out, "0.web in cloud global, unsecured\n");
    expect_in(out, "  endpoint  [2001:db8::1]:53/udp\n");
    expect_in(out, "  node      [2001:db8::2]:3541\n");
    expect_in(out, "  payload   a?b\n");
    expect_in(out, "1 found after 12 ms\n");
    cr_expect_eq(run("name lookup-path 0.web"), 0, "%s", err);
    cr_expect_str_eq(played.requests[1], "names.lookup_path {\"name\":\"0.web\",\"timeout_ms\":30000}");
    expect_in(out, "[2001:db8::7]:3541 nearer node");
    expect_in(out, "[2001:db8::8]:3541 certificate");
    expect_in(out, "dead_end");
    expect_in(out, "found after 9 ms\n");
}

Test(cli, names_and_clouds_are_listed)
{
    cr_expect_eq(run("name"), 0, "%s", err);
    expect_in(out, "[2001:db8::1]:80 and 1 more");
    expect_in(out, "web.pnrp.net");
    cr_expect_eq(run("name unpublish 0.web --cloud lan"), 0, "%s", err);
    cr_expect_str_eq(played.requests[1], "names.unpublish {\"name\":\"0.web\",\"clouds\":[\"lan\"]}");
    cr_expect_eq(run("cloud"), 0, "%s", err);
    expect_in(out, "link eth0");
    expect_in(out, "[fe80::1]:3541");
    cr_expect_eq(run("cloud stats lan"), 0, "%s", err);
    expect_in(out, "datagrams received");
    cr_expect_null(strstr(out, "answers with B"), "0 is left out");
    cr_expect_eq(run("cloud stats lan --all"), 0);
    expect_in(out, "answers with B");
    cr_expect_eq(run("cloud contact lan [2001:db8::9]:3541"), 0, "%s", err);
    expect_in(out, "[2001:db8::9]:3541 is asked");
    cr_expect_eq(run("names clouds"), 0);
    cr_expect_str_eq(out, "lan\n");
    cr_expect_eq(run("names published"), 0);
    cr_expect_str_eq(out, "0.web\n");
}

Test(cli, a_cache_comes_page_by_page)
{
    cr_expect_eq(run("cloud cache lan -o json"), 0, "%s", err);
    json_t *said = json_loads(out, 0, NULL);
    cr_expect_eq(json_array_size(json_object_get(said, "entries")), 3, "%s", out);
    json_decref(said);
    cr_expect_eq(run("cloud cache lan --limit 2"), 0, "%s", err);
    expect_in(out, "leaf");
    cr_expect_eq(run("cloud cache lan --limit 2 -o json"), 0, "%s", err);
    said = json_loads(out, 0, NULL);
    cr_expect_eq(json_array_size(json_object_get(said, "entries")), 2, "%s", out);
    json_decref(said);
}

Test(cli, route_entries_are_loaded_from_a_file)
{
#define ID "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
    char arguments[256];
    snprintf(arguments, sizeof(arguments), "cloud load lan %s",
             file_with(ID " [2001:db8::1]:3541,[2001:db8::2]:3541\n\n# nothing\n" ID "\t[2001:db8::3]:3541 # c\n"));
    cr_expect_eq(run(arguments), 0, "%s", err);
    cr_expect_str_eq(out, "2 entries: 2 added\n");
    cr_expect_eq(played.loaded, 2);
    static const char *const wrong[] = {"00 [2001:db8::1]:3541\n", ID "\n", ID " [2001:db8::1]:3541 x\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        file_with(wrong[i]);
        cr_expect_eq(run(arguments), 1);
        expect_in(err, "file:1: ");
    }
    FILE *file = fopen(file_with(""), "w");
    for (unsigned i = 0; i < 45000; i++)
        fputs(ID " [2001:db8::1]:3541\n", file);
    fclose(file);
    played.loaded = 0;
    cr_expect_eq(run(arguments), 0, "%s", err);
    cr_expect_eq(played.loaded, 45000);
}
