/* `bypeer identity`, as test_cli.c runs the others. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_fixture.h"

#define IDENTITY                                                                                                       \
    "\"name\":\"4562b4628ac54782dda52789038476237e7c7263.desk\",\"friendly_name\":\"Ada\\u001b[2J\",\"profile\":"      \
    "\"modern\",\"default\":true,\"credential\":false,\"created\":1700000000,\"public_key\":\"AAAA\",\"rotations\":1," \
    "\"old_key_until\":1700000100"

static const struct cli_fixture_answer answers[] = {
    {"identities.list", "{\"identities\":[{" IDENTITY "}],\"unreadable\":[]}"},
    {"identities.create", "{\"identity\":{" IDENTITY "}}"},
    {"identities.show", "{\"identity\":{" IDENTITY ",\"host\":null,\"xml\":\"<PEERIDENTITYINFO/>\"}}"},
    {"identities.rename", "{\"identity\":{" IDENTITY "}}"},
    {"identities.delete", "{\"removed\":1}"},
    {"identities.set_default", "{\"identity\":{" IDENTITY "}}"},
    {"identities.rotate", "{\"identity\":{" IDENTITY "}}"},
    {"identities.export", "{\"xml\":\"<PEERIDENTITYEXPORT/>\"}"},
    {"identities.import", "{\"identity\":{" IDENTITY "}}"},
};

static bool is_broken;

static json_t *play_list(const char *method, const json_t *params)
{
    (void)params;
    return is_broken && strcmp(method, "identities.list") == 0
               ? json_pack("{s:[], s:[{s:s, s:s}]}", "identities", "unreadable", "file", "45", "why", "45: is damaged")
               : NULL;
}

static void start(void)
{
    cli_fixture_start(answers, sizeof(answers) / sizeof(answers[0]), play_list);
}

TestSuite(cli_identity, .init = start, .fini = cli_fixture_stop, .timeout = 60);

static void expect_request(unsigned at, const char *request)
{
    cr_expect_str_eq(cli_played.requests[at], request);
}

Test(cli_identity, each_command_asks_for_what_was_said)
{
    cr_expect_eq(cli_fixture_run("identity create desk --friendly-name Ada --profile windows --default"), 0, "%s",
                 cli_played.err);
    expect_request(0, "identities.create {\"classifier\":\"desk\",\"friendly_name\":\"Ada\",\"profile\":\"windows\","
                      "\"default\":true}");
    cli_fixture_expect_in(cli_played.out,
                          "4562b4628ac54782dda52789038476237e7c7263.desk is made, and is the default\n");
    cr_expect_eq(cli_fixture_run("identity rename Ada Eve"), 0, "%s", cli_played.err);
    expect_request(1, "identities.rename {\"identity\":\"Ada\",\"friendly_name\":\"Eve\"}");
    cr_expect_eq(cli_fixture_run("identity rotate Ada --overlap 12h"), 0, "%s", cli_played.err);
    expect_request(2, "identities.rotate {\"identity\":\"Ada\",\"overlap_s\":43200}");
    cr_expect_eq(cli_fixture_run("identity rotate"), 0, "%s", cli_played.err);
    expect_request(3, "identities.rotate {}");
    cr_expect_eq(cli_fixture_run("identity default Ada"), 0, "%s", cli_played.err);
    expect_request(4, "identities.set_default {\"identity\":\"Ada\"}");
    cr_expect_eq(cli_fixture_run("identity delete Ada Eve"), 0, "%s", cli_played.err);
    expect_request(6, "identities.delete {\"identity\":\"Eve\"}");
    cr_expect_eq(cli_fixture_run("identity xml"), 0, "%s", cli_played.err);
    cr_expect_str_eq(cli_played.out, "<PEERIDENTITYINFO/>\n", "nothing else, so that it can be piped");
}

Test(cli_identity, names_of_others_give_the_terminal_no_orders)
{
    cr_expect_eq(cli_fixture_run("identity show"), 0, "%s", cli_played.err);
    cli_fixture_expect_in(cli_played.out, "name        Ada?[2J\n");
    cr_expect_eq(cli_fixture_run("identity"), 0, "%s", cli_played.err);
    cr_expect_null(strchr(cli_played.out, '\x1b'));
    cli_fixture_expect_in(cli_played.out, "4562b4628ac54782dda52789038476237e7c7263.desk");
}

Test(cli_identity, export_is_for_its_owner_alone_and_overwrites_nothing)
{
    char password[64], target[64], arguments[256];
    struct stat status;
    snprintf(password, sizeof(password), "%s", cli_fixture_file("correct horse\nsecond line"));
    snprintf(target, sizeof(target), "%s/export.xml", cli_played.directory);
    snprintf(arguments, sizeof(arguments), "identity export Ada %s --password-file %s", target, password);
    cr_expect_eq(cli_fixture_run(arguments), 0, "%s", cli_played.err);
    expect_request(0, "identities.export {\"identity\":\"Ada\",\"password\":\"correct horse\"}");
    cr_assert_eq(stat(target, &status), 0);
    cr_expect_eq(status.st_mode & 0777, 0600);
    cr_expect_eq(cli_fixture_run(arguments), 1);
    cli_fixture_expect_in(cli_played.err, "File exists");
    snprintf(arguments, sizeof(arguments), "identity import %s --password-file %s", target, password);
    cr_expect_eq(cli_fixture_run(arguments), 0, "%s", cli_played.err);
    expect_request(2, "identities.import {\"xml\":\"<PEERIDENTITYEXPORT/>\\n\",\"password\":\"correct horse\"}");
    unlink(target);
}

Test(cli_identity, what_is_wrong_is_said_before_anything_is_sent)
{
    static const struct {
        const char *arguments, *message;
    } wrong[] = {
        {"identity rotate --overlap soon", "--overlap: soon is no time; write one like 30d"},
        {"identity export", "identity export needs IDENTITY"},
        {"identity import /nowhere/x", "/nowhere/x: No such file"},
        {"identity export Ada --password-file /nowhere/x", "/nowhere/x: No such file"},
        {"identity export Ada --password-file /dev/null", "/dev/null: has no password in its first line"},
    };
    for (size_t at = 0; at < sizeof(wrong) / sizeof(wrong[0]); at++) {
        cr_expect_neq(cli_fixture_run(wrong[at].arguments), 0, "%s", wrong[at].arguments);
        cli_fixture_expect_in(cli_played.err, wrong[at].message);
    }
    cr_expect_eq(cli_played.request_count, 0);
}

Test(cli_identity, what_is_no_utf8_is_not_sent)
{
    static const char *const commands[] = {"identity delete \xff", "group leave \xff", "peer remove \xff"};
    for (size_t at = 0; at < sizeof(commands) / sizeof(commands[0]); at++) {
        cr_expect_eq(cli_fixture_run(commands[at]), 2, "%s", commands[at]);
        cli_fixture_expect_in(cli_played.err, "an argument is no UTF-8");
    }
    cr_expect_eq(cli_played.request_count, 0);
}

Test(cli_identity, one_that_cannot_be_read_is_no_success)
{
    is_broken = true;
    cr_expect_eq(cli_fixture_run("identity list"), 1);
    cli_fixture_expect_in(cli_played.err, "45: is damaged");
}
