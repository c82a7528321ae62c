/*
 * bypeer policies: what members of a group may send to each other, and multicast.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/table.h"

#define NO_LIMIT 1000000

/* --multicast: a number of packets a second, or "off". */
static int add_multicast(const struct cli *cli, json_t *params)
{
    const char *text = cli->options[CLI_OPTION_MULTICAST];
    char *end = NULL;
    if (!text)
        return CLI_OK;
    errno = 0;
    long long packets = strcmp(text, "off") == 0 ? 0 : strtoll(text, &end, 10);
    if (end && (*end != '\0' || end == text || errno != 0 || packets < 0 || packets > NO_LIMIT))
        return cli_fail(CLI_USAGE, "--multicast: %s is neither off nor a number up to %d", text, NO_LIMIT);
    json_object_set_new(params, "multicast", json_integer(packets));
    return CLI_OK;
}

int cli_run_policies_set(struct cli *cli)
{
    const char *group = cli->arguments[0];
    json_t *params = json_pack("{s:s}", "group", group), *result = NULL;
    if (!params)
        return cli_fail(CLI_USAGE, "an argument is no UTF-8");
    if (cli->argument_count < 2 && !cli->options[CLI_OPTION_MULTICAST]) {
        json_decref(params);
        return cli_fail(CLI_USAGE, "give rules, --multicast, or both; policies remove lifts all");
    }
    int status = add_multicast(cli, params);
    if (cli->argument_count > 1) {
        json_t *rules = json_array();
        for (unsigned at = 1; at < cli->argument_count; at++)
            json_array_append_new(rules, json_string(cli->arguments[at]));
        json_object_set_new(params, "rules", rules);
    }
    if (status != CLI_OK) {
        json_decref(params);
        return status;
    }
    status = cli_call(cli, "policies.set", params, &result);
    if (status == CLI_OK)
        cli_print_done(cli, result, "the policy of %s is in force", group);
    json_decref(result);
    return status;
}

int cli_run_policies_remove(struct cli *cli)
{
    json_t *result = NULL;
    int status = cli_call(cli, "policies.remove", json_pack("{s:s}", "group", cli->arguments[0]), &result);
    if (status == CLI_OK)
        cli_print_done(cli, result, "%s has no policy: all of it passes, but multicast", cli->arguments[0]);
    json_decref(result);
    return status;
}

static void policy_rows(struct cli_table *table, const json_t *policy)
{
    const json_t *rules = json_object_get(policy, "rules");
    json_int_t multicast = cli_integer(policy, "multicast");
    size_t count = json_array_size(rules), at = 0;
    char words[CLI_WORDS];
    do {
        cli_table_row(table);
        cli_table_cell(table, cli_text(policy, "group"));
        snprintf(words, sizeof(words), "%lld/s", (long long)multicast);
        cli_table_cell(table, multicast ? words : NULL);
        cli_table_cell(table, at < count ? json_string_value(json_array_get(rules, at)) : NULL);
    } while (++at < count);
}

int cli_run_policies_list(struct cli *cli)
{
    static const struct cli_column columns[] = {{"GROUP", false}, {"MULTICAST", true}, {"RULES", false}};
    json_t *result, *policy;
    size_t at;
    int status = cli_list(cli, "policies.list", NULL, &result);
    if (!result)
        return status;
    struct cli_table *table = cli_table_begin(cli, columns, 3);
    json_array_foreach (json_object_get(result, "policies"), at, policy) {
        policy_rows(table, policy);
    }
    json_decref(result);
    return cli_table_end(table);
}
