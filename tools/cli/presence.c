/* bypeer presence list and set. */
#include "tools/cli/group.h"
#include "tools/cli/table.h"

int cli_run_presence_list(struct cli *cli)
{
    static const struct cli_column columns[] = {
        {"NAME", false}, {"PEER NAME", false}, {"LISTENS", false}, {"ATTRIBUTES", false}};
    json_t *result, *node;
    char listens[512];
    size_t i;
    int status = cli_list(cli, "presence.list", json_pack("{s:s}", "group", cli->arguments[0]), &result);
    if (!result)
        return status;
    struct cli_table *table = cli_table_begin(cli, columns, 4);
    json_array_foreach (json_object_get(result, "nodes"), i, node) {
        cli_table_row(table);
        cli_table_cell(table, cli_text(node, "name"));
        cli_table_cell(table, cli_text(node, "member"));
        cli_table_cell(table, group_join_texts(json_object_get(node, "addresses"), listens, sizeof(listens)));
        cli_table_cell(table, cli_text(node, "attributes"));
    }
    json_decref(result);
    return cli_table_end(table);
}

int cli_run_presence_set(struct cli *cli)
{
    json_t *result = NULL;
    bool off = cli->options[CLI_OPTION_OFF];
    json_t *params = json_pack("{s:s, s:b, s:s*}", "group", cli->arguments[0], "present", off ? 0 : 1, "attributes",
                               cli->options[CLI_OPTION_ATTRIBUTES]);
    if (!params)
        return cli_fail(CLI_USAGE, "an argument is no UTF-8");
    int status = cli_call(cli, "presence.set", params, &result);
    if (status == CLI_OK)
        cli_print_done(cli, result, "presence is %s", off ? "left to the group" : "published");
    json_decref(result);
    return status;
}
