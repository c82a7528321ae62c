/* `bypeer relay`: files for those who come, what the others add to theirs, lists; and no private key is ever sent. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_fixture.h"

#define KEY "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="

static char files[64];     /* a directory */
static bool is_known[3];   /* of alice, bob, carol: to the node */
static char sent[1 << 16]; /* all parameters that were sent */
static size_t pairs_loaded;

static const char *const names[] = {"alice", "bob", "carol"};

static json_t *no_such_member(void)
{
    return json_loads("{\"error\":{\"code\":-32000,\"message\":\"no\",\"data\":{\"key\":\"no_such_member\"}}}", 0,
                      NULL);
}

/* Serial 10 is what carol brought. */
static json_t *play_config(const char *name)
{
    json_t *peers = json_array();
    bool found = false;
    for (unsigned at = 0; at < 3; at++) {
        if (strcmp(names[at], name) == 0)
            found = is_known[at];
        else if (is_known[at])
            json_array_append_new(peers,
                                  json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "name", names[at], "public_key", KEY,
                                            "address", "fd12:3456:789a::7", "endpoint", "[2001:db8:5::1]:51820",
                                            "serial", at == 2 || strcmp(name, "carol") == 0 ? 10 : 3, "expires", 0));
    }
    if (!found) {
        json_decref(peers);
        return no_such_member();
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "name", name, "group", "lab", "node", "alpha", "public_key", KEY,
                     "address", "fd12:3456:789a::20", "peers", peers);
}

static json_t *play_join(const char *method, const json_t *params)
{
    size_t at;
    json_t *member;
    unsigned members = 0;
    json_array_foreach (json_object_get(params, "members"), at, member) {
        for (unsigned i = 0; i < 3; i++)
            if (strcmp(json_string_value(json_object_get(member, "name")), names[i]) == 0)
                members += !is_known[i], is_known[i] = true;
    }
    if (strcmp(method, "relays.add") == 0)
        is_known[2] = true;
    pairs_loaded += json_array_size(json_object_get(params, "pairs"));
    return json_pack("{s:i, s:i, s:i}", "members", strcmp(method, "relays.add") ? (int)members : 1, "pairs", 2,
                     "serial", strcmp(method, "relays.add") ? 3 : 10);
}

static json_t *play(const char *method, const json_t *params)
{
    char *text = json_dumps(params, JSON_COMPACT);
    size_t length = strlen(sent);
    snprintf(sent + length, sizeof(sent) - length, "%s", text ? text : "");
    free(text);
    if (strcmp(method, "relays.config") == 0)
        return play_config(json_string_value(json_object_get(params, "name")));
    if (strcmp(method, "relays.mesh") == 0 || strcmp(method, "relays.add") == 0 || strcmp(method, "relays.load") == 0)
        return play_join(method, params);
    if (strcmp(method, "peers.show") == 0)
        return json_loads("{\"error\":{\"code\":-32000,\"message\":\"no\",\"data\":{\"key\":\"no_such_peer\"}}}", 0,
                          NULL);
    return NULL;
}

static const struct cli_fixture_answer answers[] = {
    {"relays.remove", "{\"removed\":4}"},
    {"relays.members", "{\"members\":[{\"name\":\"alice\",\"group\":\"lab\",\"address\":\"fd12:3456:789a::20\","
                       "\"pairs\":2,\"public_key\":\"" KEY "\"}]}"},
    {"relays.list",
     "{\"pairs\":[{\"number\":1,\"serial\":3,\"group\":\"lab\",\"live\":true,\"expires\":0,\"ends\":["
     "{\"name\":\"alice\",\"address\":\"2001:db8:5::a\",\"endpoint\":\"[2001:db8:1::10]:4242\",\"state\":\"confirmed\","
     "\"last_received\":5,\"received_bytes\":2048,\"sent_bytes\":1024},"
     "{\"name\":\"bob\",\"address\":\"2001:db8:5::b\",\"endpoint\":null,\"state\":\"unknown\",\"last_received\":0}]}]"
     "}"},
};

static void set_up(void)
{
    cli_fixture_start(answers, sizeof(answers) / sizeof(answers[0]), play);
    strcpy(files, "/tmp/bypeer-files-XXXXXX");
    cr_assert_not_null(mkdtemp(files));
}

static void tear_down(void)
{
    char path[128];
    for (unsigned at = 0; at < 3; at++) {
        snprintf(path, sizeof(path), "%s/%s.conf", files, names[at]);
        unlink(path);
    }
    rmdir(files);
    cli_fixture_stop();
}

TestSuite(cli_relay, .init = set_up, .fini = tear_down);

static const char *read_file(const char *name, mode_t *ret_mode)
{
    static char content[8192];
    char path[128];
    struct stat status = {0};
    snprintf(path, sizeof(path), "%s/%s.conf", files, name);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    content[fread(content, 1, sizeof(content) - 1, file)] = '\0';
    fstat(fileno(file), &status);
    *ret_mode = status.st_mode & 0777;
    fclose(file);
    return content;
}

static int run(const char *format)
{
    char arguments[512];
    snprintf(arguments, sizeof(arguments), format, files);
    return cli_fixture_run(arguments);
}

Test(cli_relay, a_mesh_writes_a_file_for_each_and_sends_no_private_key)
{
    mode_t mode;
    cr_assert_eq(run("relay mesh alice bob=" KEY " --group lab --new-key --directory %s"), 0, "%s", cli_played.err);
    const char *alice = read_file("alice", &mode);
    cr_expect_eq(mode, 0600);
    const char *key = strstr(alice, "PrivateKey = ");
    cr_assert_not_null(key, "%s", alice);
    char private_key[45];
    snprintf(private_key, sizeof(private_key), "%.44s", key + strlen("PrivateKey = "));
    cr_expect_eq(strlen(private_key), 44);
    cr_expect_null(strstr(sent, private_key), "it was sent to the node");
    cr_expect_null(strstr(cli_played.out, private_key));
    cli_fixture_expect_in(alice, "Address = fd12:3456:789a::20/48\n");
    cli_fixture_expect_in(alice, "[Peer]\n# bob\nPublicKey = " KEY "\nEndpoint = [2001:db8:5::1]:51820\n");
    cli_fixture_expect_in(alice, "AllowedIPs = fd12:3456:789a::7/128\n");
    const char *bob = read_file("bob", &mode);
    cr_expect_null(strstr(bob, "\nPrivateKey = "), "his key is his own");
    cli_fixture_expect_in(cli_played.out, "new: 2 members, 2 pairs");
}

Test(cli_relay, those_who_are_there_are_told_what_to_add)
{
    mode_t mode;
    cr_assert_eq(run("relay mesh alice bob --group lab --new-key --directory %s"), 0, "%s", cli_played.err);
    cr_assert_eq(run("relay add carol=" KEY "@fd12:3456:789a::5 --group lab --directory %s"), 0, "%s", cli_played.err);
    cli_fixture_expect_in(sent, "\"address\":\"fd12:3456:789a::5\"");
    read_file("carol", &mode);
    cli_fixture_expect_in(cli_played.out, "/alice.conf\n@@ -9,3 +9,10 @@\n");
    cli_fixture_expect_in(cli_played.out, "+\n+[Peer]\n+# carol\n+PublicKey = " KEY "\n");
    cli_fixture_expect_in(cli_played.out, "wg addconf bob /dev/stdin <<'END'\n[Peer]\n# carol\n");
}

Test(cli_relay, a_diff_fits_a_file_without_a_newline_at_its_end)
{
    is_known[0] = is_known[1] = true;
    char path[128];
    snprintf(path, sizeof(path), "%s/alice.conf", files);
    FILE *file = fopen(path, "w");
    fputs("[Interface]\nMTU = 1400", file);
    fclose(file);
    cr_assert_eq(run("relay add carol=" KEY " --group lab --directory %s"), 0, "%s", cli_played.err);
    cli_fixture_expect_in(cli_played.out, "@@ -1,2 +1,9 @@\n [Interface]\n-MTU = 1400\n\\ No newline at end of file\n"
                                          "+MTU = 1400\n+\n+[Peer]\n");
}

Test(cli_relay, no_file_is_written_over_and_none_is_left_behind)
{
    mode_t mode;
    char path[128];
    snprintf(path, sizeof(path), "%s/bob.conf", files);
    FILE *file = fopen(path, "w");
    fputs("mine", file);
    fclose(file);
    cr_expect_eq(run("relay mesh alice bob --group lab --new-key --directory %s"), 1);
    cli_fixture_expect_in(cli_played.err, "bob.conf");
    cr_expect_str_eq(read_file("bob", &mode), "mine");
    snprintf(path, sizeof(path), "%s/alice.conf", files);
    cr_expect_neq(access(path, F_OK), 0, "nothing came of it");
    cr_expect(!is_known[0] && !is_known[1], "the node was not asked");
}

Test(cli_relay, names_that_make_no_interface_get_no_file)
{
    static const char *const commands[] = {
        "relay mesh alice sixteen-letters- --group lab --new-key --directory %s",
        "relay mesh alice \"bob jr\" --group lab --new-key --directory %s",
    };
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        cr_expect_eq(run(commands[i]), 2, "%s", commands[i]);
        cli_fixture_expect_in(cli_played.err, "wg-quick takes no file of this name");
        cr_expect(!is_known[0], "the node was not asked");
    }
    cr_expect_neq(run("relay mesh alice fifteen-letters --group lab --new-key --directory %s"), 2, "as long as may be");
}

Test(cli_relay, wrong_arguments_are_refused)
{
    static const char *const wrong[] = {
        "relay mesh =x",
        "relay mesh ../alice --new-key --group lab",
        "relay mesh alice=short --group lab",
        "relay mesh alice --group lab --new-key --expires 5x",
        "relay mesh alice --group lab --new-key --expires 0d",
        "relay add",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_expect_eq(cli_fixture_run(wrong[i]), 2, "%s: %s", wrong[i], cli_played.err);
}

Test(cli_relay, times_are_sent_in_seconds)
{
    cr_assert_eq(run("relay mesh alice bob --group lab --new-key --directory %s --expires 30d"), 0, "%s",
                 cli_played.err);
    cli_fixture_expect_in(sent, "\"lifetime_s\":2592000");
}

Test(cli_relay, lists_say_who_is_where)
{
    cr_assert_eq(cli_fixture_run("relay"), 0, "%s", cli_played.err);
    cli_fixture_expect_in(cli_played.out, "[2001:db8:1::10]:4242");
    cli_fixture_expect_in(cli_played.out, "confirmed");
    cli_fixture_expect_in(cli_played.out, "never");
    cli_fixture_expect_in(cli_played.out, "2.0 KiB");
    cr_assert_eq(cli_fixture_run("relay list -o json"), 0, "%s", cli_played.err);
    json_t *said = json_loads(cli_played.out, 0, NULL);
    cr_expect_eq(json_array_size(json_object_get(said, "pairs")), 1, "%s", cli_played.out);
    json_decref(said);
    cr_assert_eq(cli_fixture_run("relay members"), 0, "%s", cli_played.err);
    cli_fixture_expect_in(cli_played.out, KEY);
    is_known[0] = is_known[1] = true;
    cr_assert_eq(cli_fixture_run("relay config alice"), 0, "%s", cli_played.err);
    cli_fixture_expect_in(cli_played.out, "# bob\n");
    cr_assert_eq(cli_fixture_run("relay remove alice"), 0, "%s", cli_played.err);
    cr_expect_str_eq(cli_played.out, "alice is removed, with 4 pairs\n");
}
