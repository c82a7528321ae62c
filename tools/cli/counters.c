/* bypeer counters: what the data plane counted, and that nothing is missing. */
#include <string.h>

#include "tools/cli/table.h"

static int print_counters(const struct cli *cli, const json_t *result)
{
    struct cli_column columns[16] = {{"COUNTER", false}, {"CLASS", false}, {"VALUE", true}};
    static char titles[12][8];
    const json_t *workers = json_object_get(result, "workers");
    unsigned worker_count = (unsigned)json_array_size(workers);
    unsigned count = 3;
    bool all = cli->options[CLI_OPTION_ALL];
    for (unsigned w = 0; w < worker_count && w < 12; w++) {
        snprintf(titles[w], sizeof(titles[w]), "W%lld", (long long)cli_integer(json_array_get(workers, w), "index"));
        columns[count++] = (struct cli_column){titles[w], true};
    }
    columns[count++] = (struct cli_column){"MEANING", false};

    struct cli_table *table = cli_table_begin(cli, columns, count);
    size_t i;
    json_t *counter;
    json_array_foreach (json_object_get(result, "counters"), i, counter) {
        bool dropped = strcmp(cli_text(counter, "class"), "dropped") == 0;
        if (!all && cli_integer(counter, "value") == 0)
            continue;
        cli_table_row(table);
        cli_table_colour(table, cli_text(counter, "name"), dropped ? CLI_BAD : CLI_PLAIN);
        cli_table_cell(table, cli_text(counter, "class"));
        cli_table_number(table, cli_integer(counter, "value"));
        for (unsigned w = 0; w + 4 < count; w++)
            cli_table_number(
                table, json_integer_value(json_array_get(json_object_get(json_array_get(workers, w), "values"), i)));
        cli_table_cell(table, cli_text(counter, "text"));
    }
    int status = cli_table_end(table);
    const json_t *sum = json_object_get(result, "sum");
    printf("\npacket sum: %lld in = %lld out + %lld in flight\n", (long long)cli_integer(sum, "in"),
           (long long)cli_integer(sum, "out"), (long long)cli_integer(sum, "difference"));
    return status;
}

int cli_run_counters(struct cli *cli)
{
    json_t *result;
    json_t *params = json_pack("{s:b}", "per_worker", cli->options[CLI_OPTION_WORKERS] ? 1 : 0);
    int status = cli_call(cli, "counters", params, &result);
    if (status != CLI_OK)
        return status;
    if (cli->json)
        cli_print_json(result);
    else
        status = print_counters(cli, result);
    json_decref(result);
    return status;
}
