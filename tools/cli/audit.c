/* bypeer audit: the log of who did what in the groups. */
#include "tools/cli/table.h"

int cli_run_audit(struct cli *cli)
{
    static const struct cli_column columns[] = {{"TIME", false}, {"GROUP", false}, {"WHAT", false},
                                                {"WHO", false},  {"WHOM", false},  {"WHY", false}};
    json_t *result, *entry;
    char at[CLI_WORDS];
    long limit;
    size_t i;
    int status = cli_number(cli, CLI_OPTION_LIMIT, 1, 10000, 100, &limit);
    if (status != CLI_OK)
        return status;
    status = cli_list(cli, "audit.list",
                      json_pack("{s:I, s:s*}", "limit", (json_int_t)limit, "group",
                                cli->argument_count > 0 ? cli->arguments[0] : NULL),
                      &result);
    if (!result)
        return status;
    struct cli_table *table = cli_table_begin(cli, columns, 6);
    json_array_foreach (json_object_get(result, "entries"), i, entry) {
        cli_table_row(table);
        cli_table_cell(table, cli_time(cli_integer(entry, "time"), at));
        cli_table_format(table, "%.8s", cli_text(entry, "group"));
        cli_table_cell(table, cli_text(entry, "action"));
        cli_table_format(table, "%.12s", cli_text(entry, "who"));
        cli_table_format(table, "%.12s", cli_text(entry, "whom"));
        cli_table_cell(table, cli_text(entry, "text"));
    }
    json_decref(result);
    return cli_table_end(table);
}
