/*
 * bypeer usage and limits: what was carried for whom, and how much they may.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/table.h"

/* --- numbers for people --- */

/* "10M" with units of 1000 or 1024; false: it is none. */
static bool read_amount(const char *text, unsigned unit, json_int_t *ret_amount)
{
    static const char letters[] = "kMGT";
    char *end;
    double amount = strtod(text, &end);
    if (end == text || !(amount >= 0))
        return false;
    const char *letter = *end ? strchr(letters, *end == 'K' ? 'k' : *end) : NULL;
    if (*end && (!letter || end[1]))
        return false;
    for (const char *at = letters; letter && at <= letter; at++)
        amount *= unit;
    if (amount > 9e18)
        return false;
    *ret_amount = (json_int_t)amount;
    return true;
}

/* Adds an option to params, if it was given. */
static int add_amount(const struct cli *cli, enum cli_option_id option, unsigned unit, json_t *params, const char *key)
{
    const char *text = cli->options[option];
    json_int_t amount;
    if (!text)
        return CLI_OK;
    if (!read_amount(text, unit, &amount))
        return cli_fail(CLI_USAGE, "--%s: %s is no number; write one like 10M", cli_options[option].name, text);
    json_object_set_new(params, key, json_integer(amount));
    return CLI_OK;
}

/* 25000000 -> "25 Mbit/s". */
static const char *words_of_rate(json_int_t bits_s, char text[static CLI_WORDS])
{
    static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};
    double amount = (double)bits_s;
    unsigned unit = 0;
    while (amount >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        amount /= 1000;
        unit++;
    }
    snprintf(text, CLI_WORDS, "%.4g %s", amount, units[unit]);
    return text;
}

/* --- limits --- */

int cli_run_limits_set(struct cli *cli)
{
    const char *name = cli->argument_count > 0 ? cli->arguments[0] : NULL, *group = cli->options[CLI_OPTION_GROUP];
    if (!name == !group)
        return cli_fail(CLI_USAGE, "give the name of a link or peer, or --group");
    json_t *params =
        json_pack("{s:s, s:s*}", name ? "name" : "group", name ? name : group, "period", cli->options[CLI_OPTION_PER]);
    int status = params ? CLI_OK : cli_fail(CLI_USAGE, "an argument is no UTF-8");
    if (status == CLI_OK)
        status = add_amount(cli, CLI_OPTION_RATE, 1000, params, "rate");
    if (status == CLI_OK)
        status = add_amount(cli, CLI_OPTION_BURST, 1024, params, "burst");
    if (status == CLI_OK)
        status = add_amount(cli, CLI_OPTION_QUOTA, 1000, params, "quota");
    if (status != CLI_OK) {
        json_decref(params);
        return status;
    }
    json_t *result = NULL;
    status = cli_call(cli, "limits.set", params, &result);
    if (status == CLI_OK)
        cli_print_done(cli, result, "%s is limited", name ? name : group);
    json_decref(result);
    return status;
}

int cli_run_limits_remove(struct cli *cli)
{
    const char *name = cli->argument_count > 0 ? cli->arguments[0] : NULL, *group = cli->options[CLI_OPTION_GROUP];
    json_t *result = NULL;
    if (!name == !group)
        return cli_fail(CLI_USAGE, "give the name of a link or peer, or --group");
    int status =
        cli_call(cli, "limits.remove", json_pack("{s:s}", name ? "name" : "group", name ? name : group), &result);
    if (status == CLI_OK)
        cli_print_done(cli, result, "%s is not limited", name ? name : group);
    json_decref(result);
    return status;
}

static void limit_row(struct cli_table *table, const char *kind, const json_t *limit)
{
    json_int_t rate = cli_integer(limit, "rate"), quota = cli_integer(limit, "quota");
    char words[CLI_WORDS];
    cli_table_row(table);
    cli_table_cell(table, cli_text(limit, "name"));
    cli_table_cell(table, kind);
    cli_table_cell(table, rate ? words_of_rate(rate, words) : NULL);
    cli_table_cell(table, rate ? cli_bytes((double)cli_integer(limit, "burst"), words) : NULL);
    cli_table_cell(table, quota ? cli_bytes((double)quota, words) : NULL);
    cli_table_cell(table, quota ? cli_text(limit, "period") : NULL);
    if (json_is_true(json_object_get(limit, "blocked")))
        cli_table_colour(table, "used up", CLI_BAD);
    else
        cli_table_cell(table, NULL);
}

int cli_run_limits_list(struct cli *cli)
{
    static const struct cli_column columns[] = {{"NAME", false}, {"OF", false},  {"RATE", true},  {"BURST", true},
                                                {"QUOTA", true}, {"PER", false}, {"STATE", false}};
    json_t *result, *limit;
    size_t i;
    int status = cli_list(cli, "limits.list", NULL, &result);
    if (!result)
        return status;
    struct cli_table *table = cli_table_begin(cli, columns, 7);
    json_array_foreach (json_object_get(result, "groups"), i, limit) {
        limit_row(table, "group", limit);
    }
    json_array_foreach (json_object_get(result, "links"), i, limit) {
        limit_row(table, "member", limit);
    }
    json_decref(result);
    return cli_table_end(table);
}

/* --- usage --- */

/* All accounts, page by page; *ret_usage is an array. */
static int fetch_usage(struct cli *cli, json_t **ret_usage)
{
    json_t *usage = json_array();
    json_int_t after = 0;
    do {
        json_t *page = NULL;
        int status = cli_call(cli, "usage.list",
                              json_pack("{s:I, s:s*}", "after", after, "group", cli->options[CLI_OPTION_GROUP]), &page);
        if (status != CLI_OK) {
            json_decref(usage);
            return status;
        }
        json_array_extend(usage, json_object_get(page, "usage"));
        after = cli_integer(page, "next");
        json_decref(page);
    } while (after != 0);
    *ret_usage = usage;
    return CLI_OK;
}

/* A label's value, quoted as OpenMetrics wants it. */
static void print_label(const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            fputs("\\n", stdout);
        else if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

static void print_sample(const char *metric, const json_t *account, const char *direction, json_int_t value)
{
    printf("%s{member=\"", metric);
    print_label(cli_text(account, "name"));
    fputs("\",group=\"", stdout);
    print_label(cli_text(account, "group"));
    if (direction)
        printf("\",direction=\"%s", direction);
    printf("\"} %lld\n", (long long)value);
}

/* https://openmetrics.io: one family after the other, each with its type, and the end marked. */
static void print_openmetrics(const json_t *usage)
{
    const json_t *account, *limit;
    size_t i;
    puts("# TYPE bypeer_member_bytes counter\n# UNIT bypeer_member_bytes bytes\n"
         "# HELP bypeer_member_bytes Bytes of inner packets, received from the member or sent to it.");
    json_array_foreach (usage, i, account) {
        print_sample("bypeer_member_bytes_total", account, "received", cli_integer(account, "received_bytes"));
        print_sample("bypeer_member_bytes_total", account, "sent", cli_integer(account, "sent_bytes"));
    }
    puts("# TYPE bypeer_member_packets counter\n"
         "# HELP bypeer_member_packets Inner packets, received from the member or sent to it.");
    json_array_foreach (usage, i, account) {
        print_sample("bypeer_member_packets_total", account, "received", cli_integer(account, "received_packets"));
        print_sample("bypeer_member_packets_total", account, "sent", cli_integer(account, "sent_packets"));
    }
    puts("# TYPE bypeer_member_quota_bytes gauge\n# UNIT bypeer_member_quota_bytes bytes\n"
         "# HELP bypeer_member_quota_bytes Bytes of both directions that the member may use in a period.");
    json_array_foreach (usage, i, account) {
        limit = json_object_get(account, "limit");
        if (cli_integer(limit, "quota"))
            print_sample("bypeer_member_quota_bytes", account, NULL, cli_integer(limit, "quota"));
    }
    puts("# TYPE bypeer_member_period_bytes gauge\n# UNIT bypeer_member_period_bytes bytes\n"
         "# HELP bypeer_member_period_bytes Bytes of its quota that the member has used in this period.");
    json_array_foreach (usage, i, account) {
        limit = json_object_get(account, "limit");
        if (cli_integer(limit, "quota"))
            print_sample("bypeer_member_period_bytes", account, NULL, cli_integer(account, "period_bytes"));
    }
    puts("# EOF");
}

static int print_usage(struct cli *cli, const json_t *usage)
{
    static const struct cli_column columns[] = {{"MEMBER", false}, {"GROUP", false}, {"RECEIVED", true},
                                                {"PACKETS", true}, {"SENT", true},   {"PACKETS", true},
                                                {"OF QUOTA", true}};
    struct cli_table *table = cli_table_begin(cli, columns, 7);
    const json_t *account;
    size_t i;
    char words[CLI_WORDS];
    json_array_foreach (usage, i, account) {
        const json_t *limit = json_object_get(account, "limit");
        json_int_t quota = cli_integer(limit, "quota");
        cli_table_row(table);
        cli_table_cell(table, cli_text(account, "name"));
        cli_table_cell(table, cli_text(account, "group"));
        cli_table_cell(table, cli_bytes((double)cli_integer(account, "received_bytes"), words));
        cli_table_number(table, cli_integer(account, "received_packets"));
        cli_table_cell(table, cli_bytes((double)cli_integer(account, "sent_bytes"), words));
        cli_table_number(table, cli_integer(account, "sent_packets"));
        if (quota)
            cli_table_format(table, "%.0f %%", 100.0 * (double)cli_integer(account, "period_bytes") / (double)quota);
        else
            cli_table_cell(table, NULL);
    }
    return cli_table_end(table);
}

int cli_run_usage(struct cli *cli)
{
    json_t *usage = NULL;
    int status = fetch_usage(cli, &usage);
    if (status != CLI_OK)
        return status;
    if (cli->options[CLI_OPTION_OPENMETRICS])
        print_openmetrics(usage);
    else if (cli->json) {
        json_t *result = json_pack("{s:O}", "usage", usage);
        cli_print_json(result);
        json_decref(result);
    } else
        status = print_usage(cli, usage);
    json_decref(usage);
    return status;
}
