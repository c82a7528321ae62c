/* bypeer usage and limits, as a person, a script or Prometheus sees them. */
#include <criterion/criterion.h>
#include <string.h>

#include "cli_fixture.h"

static const struct cli_fixture_answer answers[] = {
    {"usage.list",
     "{\"usage\":[{\"name\":\"alice\",\"group\":\"lab\",\"kind\":\"wireguard\",\"received_packets\":3,"
     "\"received_bytes\":4096,\"sent_packets\":5,\"sent_bytes\":1048576,\"period_bytes\":500,"
     "\"limit\":{\"rate\":25000000,\"burst\":131072,\"quota\":1000,\"period\":\"day\",\"blocked\":false}},"
     "{\"name\":\"odd\\\"\\\\name\",\"group\":\"lab\",\"kind\":\"fabric\",\"received_packets\":0,\"received_bytes\":0,"
     "\"sent_packets\":0,\"sent_bytes\":0,\"period_bytes\":0,\"limit\":null}]}"},
    {"limits.list",
     "{\"links\":[{\"name\":\"alice\",\"rate\":25000000,\"burst\":131072,\"quota\":1000,\"period\":\"day\","
     "\"blocked\":true}],"
     "\"groups\":[{\"name\":\"lab\",\"rate\":1000000000,\"burst\":20000,\"quota\":0,\"period\":\"all\","
     "\"blocked\":false}]}"},
    {"limits.set", "{\"set\":1}"},
    {"limits.remove", "{\"removed\":1}"},
};

static void start(void)
{
    cli_fixture_start(answers, sizeof(answers) / sizeof(answers[0]), NULL);
}

TestSuite(cli_usage, .init = start, .fini = cli_fixture_stop, .timeout = 60);

Test(cli_usage, accounts_for_people)
{
    cr_expect_eq(cli_fixture_run("usage --group lab"), 0, "%s", cli_played.err);
    cr_expect_str_eq(cli_played.requests[0], "usage.list {\"after\":0,\"group\":\"lab\"}");
    cli_fixture_expect_in(cli_played.out, "alice");
    cli_fixture_expect_in(cli_played.out, "1.0 MiB");
    cli_fixture_expect_in(cli_played.out, "50 %");
}

Test(cli_usage, accounts_as_openmetrics)
{
    cr_expect_eq(cli_fixture_run("usage --openmetrics"), 0);
    cli_fixture_expect_in(cli_played.out, "# TYPE bypeer_member_bytes counter\n# UNIT bypeer_member_bytes bytes\n");
    cli_fixture_expect_in(
        cli_played.out,
        "\nbypeer_member_bytes_total{member=\"alice\",group=\"lab\",direction=\"received\"} 4096\n"
        "bypeer_member_bytes_total{member=\"alice\",group=\"lab\",direction=\"sent\"} 1048576\n"
        "bypeer_member_bytes_total{member=\"odd\\\"\\\\name\",group=\"lab\",direction=\"received\"} 0\n");
    cli_fixture_expect_in(cli_played.out,
                          "\nbypeer_member_packets_total{member=\"alice\",group=\"lab\",direction=\"sent\"} 5\n");
    cli_fixture_expect_in(cli_played.out, "\nbypeer_member_quota_bytes{member=\"alice\",group=\"lab\"} 1000\n");
    cli_fixture_expect_in(cli_played.out, "\nbypeer_member_period_bytes{member=\"alice\",group=\"lab\"} 500\n");
    cr_expect_str_eq(cli_played.out + strlen(cli_played.out) - 6, "# EOF\n");
    cr_expect_null(strstr(cli_played.out, "\n\n"), "no empty lines");
}

Test(cli_usage, accounts_as_json)
{
    cr_expect_eq(cli_fixture_run("usage -o json"), 0);
    json_t *said = json_loads(cli_played.out, 0, NULL);
    cr_expect_eq(json_array_size(json_object_get(said, "usage")), 2);
    json_decref(said);
}

Test(cli_usage, limits_are_set_in_the_units_of_people)
{
    cr_expect_eq(cli_fixture_run("limits set alice --rate 2.5M --burst 256k --quota 100G --per month"), 0, "%s",
                 cli_played.err);
    cr_expect_str_eq(cli_played.requests[0],
                     "limits.set {\"name\":\"alice\",\"period\":\"month\",\"rate\":2500000,\"burst\":262144,"
                     "\"quota\":100000000000}");
    cr_expect_eq(cli_fixture_run("limits set --group lab --rate 1G"), 0);
    cr_expect_str_eq(cli_played.requests[1], "limits.set {\"group\":\"lab\",\"rate\":1000000000}");
    cr_expect_eq(cli_fixture_run("limits remove alice"), 0);
    cr_expect_str_eq(cli_played.requests[2], "limits.remove {\"name\":\"alice\"}");
    cr_expect_eq(cli_fixture_run("limits"), 0);
    cli_fixture_expect_in(cli_played.out, "25 Mbit/s");
    cli_fixture_expect_in(cli_played.out, "1 Gbit/s");
    cli_fixture_expect_in(cli_played.out, "used up");
}

Test(cli_usage, what_is_no_limit_is_2)
{
    static const char *const wrong[] = {"limits set --rate 1M",         "limits set alice --group lab --rate 1M",
                                        "limits set alice --rate fast", "limits set alice --quota -5",
                                        "limits set alice --burst 10Q", "limits remove"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_expect_eq(cli_fixture_run(wrong[i]), 2, "%s", wrong[i]);
    cr_expect_eq(cli_played.request_count, 0);
}
