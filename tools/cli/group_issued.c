/* bypeer group issued. */
#include <string.h>

#include "tools/cli/group.h"
#include "tools/cli/table.h"

/* All pages; *ret_issued is an array. */
static int fetch_issued(struct cli *cli, json_t **ret_issued)
{
    json_t *issued = json_array();
    json_int_t after = 0;
    do {
        json_t *page = NULL;
        int status =
            cli_call(cli, "group.issued", json_pack("{s:s, s:I}", "group", cli->arguments[0], "after", after), &page);
        if (status != CLI_OK) {
            json_decref(issued);
            return status;
        }
        json_array_extend(issued, json_object_get(page, "issued"));
        after = cli_integer(page, "next");
        json_decref(page);
    } while (after != 0);
    *ret_issued = issued;
    return CLI_OK;
}

int cli_run_group_issued(struct cli *cli)
{
    static const struct cli_column columns[] = {{"NAME", false},     {"STATE", false},  {"ROLES", false},
                                                {"HOW", false},      {"ISSUED", false}, {"UNTIL", false},
                                                {"PEER NAME", false}};
    json_t *issued, *entry;
    char roles[128], at[CLI_WORDS], until[CLI_WORDS];
    size_t i;
    int status = fetch_issued(cli, &issued);
    if (status != CLI_OK)
        return status;
    if (cli->json) {
        json_t *whole = json_pack("{s:o}", "issued", issued);
        cli_print_json(whole);
        json_decref(whole);
        return CLI_OK;
    }
    struct cli_table *table = cli_table_begin(cli, columns, 7);
    json_array_foreach (issued, i, entry) {
        const char *state = cli_text(entry, "state");
        bool is_joined = strcmp(state, "joined") == 0, is_revoked = strcmp(state, "revoked") == 0;
        cli_table_row(table);
        cli_table_cell(table, cli_text(entry, "name"));
        cli_table_colour(table, state, is_joined ? CLI_GOOD : is_revoked ? CLI_BAD : CLI_PLAIN);
        cli_table_cell(table, group_join_texts(json_object_get(entry, "roles"), roles, sizeof(roles)));
        cli_table_cell(table, cli_text(entry, "how"));
        cli_table_cell(table, cli_time(cli_integer(entry, "issued"), at));
        cli_table_cell(table, cli_time(cli_integer(entry, "until"), until));
        cli_table_colour(table, cli_text(entry, "member"), CLI_FAINT);
    }
    json_decref(issued);
    return cli_table_end(table);
}
