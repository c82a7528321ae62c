/* bypeer name resolve and lookup-path. */
#include <string.h>

#include "tools/cli/names.h"
#include "tools/cli/table.h"
#include "tools/lib/base64.h"

#define LATER_MS 5000 /* that the answer may take beyond the time that it was given */

/* Calls a method that may take as long as --timeout says. */
static int call_within(struct cli *cli, const char *method, json_t *params, json_t **ret_result)
{
    long seconds;
    int status = cli_number(cli, CLI_OPTION_TIMEOUT, 1, 600, 30, &seconds);
    if (status == CLI_OK && !params)
        status = cli_fail(CLI_USAGE, "an argument is no UTF-8");
    if (status == CLI_OK)
        status = cli_connect(cli);
    if (status != CLI_OK) {
        json_decref(params);
        return status;
    }
    json_object_set_new(params, "timeout_ms", json_integer(seconds * 1000));
    bypeer_set_timeout(cli->node, (int)(seconds * 1000) + LATER_MS);
    return cli_call(cli, method, params, ret_result);
}

/* Text as it is, bytes as how many there are. */
static void print_payload(const json_t *result)
{
    const json_t *payload = json_object_get(result, "payload");
    uint8_t bytes[BYPEER_NAME_PAYLOAD_MAX];
    if (!json_is_string(payload))
        return;
    if (strcmp(cli_text(result, "payload_type"), "binary") == 0) {
        ssize_t length = base64_read(json_string_value(payload), bytes, sizeof(bytes));
        printf("  payload   %zd bytes; see them with -o json\n", length < 0 ? 0 : length);
        return;
    }
    fputs("  payload   ", stdout);
    cli_print_clean(json_string_value(payload));
    putchar('\n');
}

static void print_result(const struct cli *cli, const json_t *result)
{
    size_t i;
    json_t *endpoint;
    char text[CLI_ENDPOINT];
    bool secure = json_is_true(json_object_get(result, "secure"));
    fputs(cli_colour_begin(cli, CLI_GOOD), stdout);
    cli_print_clean(cli_text(result, "name"));
    printf("%s in cloud %s, %s\n", cli_colour_end(cli), cli_text(result, "cloud"), secure ? "secure" : "unsecured");
    json_array_foreach (json_object_get(result, "endpoints"), i, endpoint) {
        printf("  endpoint  %s\n", cli_endpoint(endpoint, text));
    }
    json_array_foreach (json_object_get(result, "services"), i, endpoint) {
        printf("  node      %s\n", cli_endpoint(endpoint, text));
    }
    if (cli_text(result, "comment")[0]) {
        fputs("  comment   ", stdout);
        cli_print_clean(cli_text(result, "comment"));
        putchar('\n');
    }
    print_payload(result);
    printf("  id        %s\n  hops      %lld\n", cli_text(result, "id"), (long long)cli_integer(result, "hops"));
}

int cli_run_name_resolve(struct cli *cli)
{
    long results;
    json_t *result = NULL;
    size_t i;
    json_t *each;
    int status = cli_number(cli, CLI_OPTION_RESULTS, 1, 64, 1, &results);
    if (status != CLI_OK)
        return status;
    status = call_within(cli, "names.resolve",
                         json_pack("{s:s, s:I, s:b, s:s*, s:o*}", "name", cli->arguments[0], "results",
                                   (json_int_t)results, "own", cli->options[CLI_OPTION_OWN] ? 1 : 0, "criterion",
                                   cli->options[CLI_OPTION_CRITERION], "clouds", cli_values(cli, CLI_OPTION_CLOUD)),
                         &result);
    if (status != CLI_OK)
        return status;
    if (cli->json) {
        cli_print_json(result);
    } else {
        json_array_foreach (json_object_get(result, "results"), i, each) {
            print_result(cli, each);
        }
        printf("%zu found after %lld ms\n", json_array_size(json_object_get(result, "results")),
               (long long)cli_integer(result, "elapsed_ms"));
    }
    json_decref(result);
    return CLI_OK;
}

static int print_path(const struct cli *cli, const json_t *result)
{
    static const struct cli_column columns[] = {{"HOP", true},        {"CLOUD", false}, {"NODE", false},
                                                {"ASKED FOR", false}, {"BITS", true},   {"MS", true},
                                                {"VERDICT", false},   {"ID", false}};
    struct cli_table *table = cli_table_begin(cli, columns, 8);
    size_t i;
    json_t *hop;
    json_array_foreach (json_object_get(result, "hops"), i, hop) {
        bool accepted = strcmp(cli_text(hop, "verdict"), "accepted") == 0;
        cli_table_row(table);
        cli_table_number(table, (long long)i + 1);
        cli_table_cell(table, cli_text(hop, "cloud"));
        cli_table_cell(table, cli_text(hop, "endpoint"));
        cli_table_cell(table, json_is_true(json_object_get(hop, "validation")) ? "certificate" : "nearer node");
        cli_table_number(table, cli_integer(hop, "common_bits"));
        cli_table_number(table, cli_integer(hop, "took_ms"));
        cli_table_colour(table, cli_text(hop, "verdict"), accepted ? CLI_GOOD : CLI_BAD);
        cli_table_format(table, "%.16s", cli_text(hop, "id"));
    }
    int status = cli_table_end(table);
    printf("%s after %lld ms\n", json_is_true(json_object_get(result, "found")) ? "found" : "not found",
           (long long)cli_integer(result, "elapsed_ms"));
    return status;
}

int cli_run_name_lookup_path(struct cli *cli)
{
    json_t *result = NULL;
    int status = call_within(
        cli, "names.lookup_path",
        json_pack("{s:s, s:s*}", "name", cli->arguments[0], "cloud", cli->options[CLI_OPTION_CLOUD]), &result);
    if (status != CLI_OK)
        return status;
    if (cli->json)
        cli_print_json(result);
    else
        status = print_path(cli, result);
    json_decref(result);
    return status;
}
