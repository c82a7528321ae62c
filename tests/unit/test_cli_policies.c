/* bypeer policies, as a person or a script sees it. */
#include <criterion/criterion.h>
#include <string.h>

#include "cli_fixture.h"

static const struct cli_fixture_answer answers[] = {
    {"policies.list",
     "{\"policies\":[{\"group\":\"lab\",\"multicast\":100,\"rules\":[\"allow any any udp 5353\",\"deny any any\"]},"
     "{\"group\":\"play\",\"multicast\":0,\"rules\":[\"allow any any tcp\"]}]}"},
    {"policies.set", "{\"set\":1}"},
    {"policies.remove", "{\"removed\":1}"},
};

static void start(void)
{
    cli_fixture_start(answers, sizeof(answers) / sizeof(answers[0]), NULL);
}

TestSuite(cli_policies, .init = start, .fini = cli_fixture_stop, .timeout = 60);

Test(cli_policies, each_rule_is_a_line_of_the_list)
{
    cr_expect_eq(cli_fixture_run("policies"), 0, "%s", cli_played.err);
    cli_fixture_expect_in(cli_played.out, "100/s allow any any udp 5353\n");
    cli_fixture_expect_in(cli_played.out, "deny any any\n");
    cli_fixture_expect_in(cli_played.out, "play");
}

/* Tabs, since the fixture parts arguments at spaces. */
Test(cli_policies, rules_and_multicast_are_set)
{
    cr_expect_eq(cli_fixture_run("policies set lab allow\tany\tany\tudp\t5353 deny\tany\tany --multicast 100"), 0, "%s",
                 cli_played.err);
    cr_expect_str_eq(cli_played.requests[0], "policies.set {\"group\":\"lab\",\"multicast\":100,"
                                             "\"rules\":[\"allow\\tany\\tany\\tudp\\t5353\",\"deny\\tany\\tany\"]}");
    cr_expect_eq(cli_fixture_run("policies set lab --multicast off"), 0);
    cr_expect_str_eq(cli_played.requests[1], "policies.set {\"group\":\"lab\",\"multicast\":0}");
    cr_expect_eq(cli_fixture_run("policies remove lab"), 0);
    cr_expect_str_eq(cli_played.requests[2], "policies.remove {\"group\":\"lab\"}");
}

Test(cli_policies, what_is_no_policy)
{
    cr_expect_eq(cli_fixture_run("policies set lab"), 2);
    cr_expect_eq(cli_fixture_run("policies set lab --multicast many"), 2);
    cli_fixture_expect_in(cli_played.err, "many");
    cr_expect_eq(cli_fixture_run("policies set lab --multicast -1"), 2);
}
