/* bypeer group, as a person or a script sees it. */
#include <criterion/criterion.h>
#include <string.h>

#include "cli_fixture.h"

static const struct cli_fixture_answer answers[] = {
    {"group.list",
     "{\"groups\":[{\"group\":\"d040.lab\",\"name\":\"lab\",\"identity\":\"aa.me\",\"state\":\"connected\",\"members\":"
     "2,"
     "\"address\":\"fd00::1\",\"roles\":[\"member\"]},"
     "{\"group\":\"0b\\u001bad\",\"name\":\"club\",\"identity\":\"\",\"state\":\"unopened\",\"members\":0,\"address\":"
     "null,"
     "\"roles\":[],\"problem\":{\"key\":\"damaged_group\",\"thing\":\"group club\",\"value\":\"its row is damaged\","
     "\"remedy\":\"restore the database\"}}]}"},
    {"group.issued", "{\"issued\":[{\"member\":\"aa.bob\",\"name\":\"Bob\",\"state\":\"invited\",\"roles\":[\"member\"]"
                     ",\"how\":\"invited\","
                     "\"issued\":1700000000,\"until\":1800000000}],\"next\":null}"},
};

static void start(void)
{
    cli_fixture_start(answers, sizeof(answers) / sizeof(answers[0]), NULL);
}

TestSuite(cli_group, .init = start, .fini = cli_fixture_stop, .timeout = 60);

Test(cli_group, list_says_why_a_group_is_not_open)
{
    cr_expect_eq(cli_fixture_run("group list"), 0, "%s", cli_played.err);
    cli_fixture_expect_in(cli_played.out, "unopened");
    cli_fixture_expect_in(cli_played.out, "\nclub is not open: group club: its row is damaged; restore the database; "
                                          "to give it up: bypeer group leave 0b");
    cr_expect_null(strchr(cli_played.out, '\x1b'));
    cr_expect_null(strstr(cli_played.out, "lab is not open"));
    cr_expect_eq(cli_fixture_run("group list -o json"), 0);
    cli_fixture_expect_in(cli_played.out, "restore the database");
}

Test(cli_group, issued_says_who_has_not_come)
{
    cr_expect_eq(cli_fixture_run("group issued lab"), 0, "%s", cli_played.err);
    cr_expect_str_eq(cli_played.requests[0], "group.issued {\"group\":\"lab\",\"after\":0}");
    cli_fixture_expect_in(cli_played.out, "invited");
    cli_fixture_expect_in(cli_played.out, "2027-01-15 08:00 UTC");
    cr_expect_eq(cli_fixture_run("group issued lab -o json"), 0);
    cli_fixture_expect_in(cli_played.out, "aa.bob");
}
