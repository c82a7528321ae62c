/* bypeer members list and count. */
#include <limits.h>
#include <string.h>

#include "tools/cli/table.h"

struct listing {
    struct cli_table *table; /* NULL: JSON */
    long left;
    bool first;
};

static void print_member_json(struct listing *listing, const struct bypeer_member *member)
{
    json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "address", member->address, "group", member->group, "link",
                               member->link, "origin", member->origin);
    fputs(listing->first ? "{\n  \"members\": [\n    " : ",\n    ", stdout);
    json_dumpf(object, stdout, 0);
    json_decref(object);
    listing->first = false;
}

static int list_member(void *context, const struct bypeer_member *member)
{
    struct listing *listing = context;
    if (listing->left-- == 0)
        return 1;
    if (!listing->table) {
        print_member_json(listing, member);
        return ferror(stdout) ? 1 : 0;
    }
    cli_table_row(listing->table);
    cli_table_cell(listing->table, member->address);
    cli_table_cell(listing->table, member->group);
    cli_table_cell(listing->table, member->link);
    cli_table_colour(listing->table, member->origin, CLI_FAINT);
    return 0;
}

int cli_run_members_list(struct cli *cli)
{
    static const struct cli_column columns[] = {
        {"ADDRESS", false}, {"GROUP", false}, {"LINK", false}, {"ORIGIN", false}};
    struct listing listing = {.first = true};
    int status = cli_number(cli, CLI_OPTION_LIMIT, 1, LONG_MAX, -1, &listing.left);
    if (status == CLI_OK)
        status = cli_connect(cli);
    if (status != CLI_OK)
        return status;
    if (!cli->json)
        listing.table = cli_table_begin(cli, columns, 4);
    int error = bypeer_member_each(cli->node, cli->options[CLI_OPTION_GROUP], cli->options[CLI_OPTION_LINK],
                                   list_member, &listing);
    if (error < 0) {
        cli_table_abandon(listing.table);
        return cli_call_failed(cli, error);
    }
    if (listing.table)
        return cli_table_end(listing.table);
    fputs(listing.first ? "{\n  \"members\": []\n}\n" : "\n  ]\n}\n", stdout);
    return CLI_OK;
}

int cli_run_members_count(struct cli *cli)
{
    json_t *result = NULL;
    int status = cli_call(
        cli, "members.count",
        json_pack("{s:s*, s:s*}", "group", cli->options[CLI_OPTION_GROUP], "link", cli->options[CLI_OPTION_LINK]),
        &result);
    if (status == CLI_OK)
        cli_print_done(cli, result, "%lld", (long long)cli_integer(result, "count"));
    json_decref(result);
    return status;
}
