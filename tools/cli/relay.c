/* bypeer relay list, members, config and remove. */
#include <limits.h>
#include <string.h>
#include <time.h>

#include "tools/cli/relay_file.h"
#include "tools/cli/table.h"

#define PAGE 5000 /* of one answer */

/* Prints each entry of a method that answers in pages: into a table, or as JSON under the key. */
struct listing {
    struct cli *cli;
    const char *method, *key;
    const char *filter, *value; /* a parameter; filter NULL: none */
    struct cli_table *table;    /* NULL: JSON */
    void (*row)(struct cli_table *table, const json_t *entry);
    long left;
    bool any;
};

static void print_page(struct listing *listing, const json_t *page)
{
    size_t i;
    json_t *entry;
    json_array_foreach (json_object_get(page, listing->key), i, entry) {
        if (listing->left-- <= 0)
            return;
        if (listing->table) {
            listing->row(listing->table, entry);
            continue;
        }
        printf("%s    ", listing->any ? ",\n" : "");
        json_dumpf(entry, stdout, 0);
        listing->any = true;
    }
}

static int list_pages(struct listing *listing)
{
    json_t *page = NULL;
    bool more = true;
    int status = CLI_OK;
    if (!listing->table)
        printf("{\n  \"%s\": [\n", listing->key);
    while (status == CLI_OK && more && listing->left > 0) {
        json_t *params = json_pack("{s:O*, s:I, s:s*}", "after", json_object_get(page, "next"), "limit",
                                   (json_int_t)(listing->left < PAGE ? listing->left : PAGE), "group",
                                   listing->cli->options[CLI_OPTION_GROUP]);
        if (params && listing->filter)
            json_object_set_new(params, listing->filter, json_string(listing->value));
        json_t *answer = NULL;
        status = cli_call(listing->cli, listing->method, params, &answer);
        json_decref(page);
        page = answer;
        print_page(listing, page);
        more = json_object_get(page, "next") != NULL;
    }
    json_decref(page);
    if (!listing->table)
        puts("\n  ]\n}");
    return status;
}

static int list(struct listing *listing, const struct cli_column *columns, unsigned count)
{
    struct cli *cli = listing->cli;
    int status = cli_number(cli, CLI_OPTION_LIMIT, 1, LONG_MAX, LONG_MAX, &listing->left);
    if (status == CLI_OK)
        status = cli_connect(cli);
    if (status != CLI_OK)
        return status;
    if (!cli->json)
        listing->table = cli_table_begin(cli, columns, count);
    status = list_pages(listing);
    if (status != CLI_OK)
        cli_table_abandon(listing->table);
    else if (listing->table)
        status = cli_table_end(listing->table);
    return status;
}

static void end_row(struct cli_table *table, const json_t *pair, const json_t *end, const json_t *partner)
{
    json_int_t last = cli_integer(end, "last_received"), expires = cli_integer(pair, "expires");
    const char *state = cli_text(end, "state");
    time_t now = time(NULL);
    char words[CLI_WORDS];
    cli_table_row(table);
    cli_table_cell(table, cli_text(end, "name"));
    cli_table_cell(table, cli_text(partner, "name"));
    cli_table_cell(table, cli_text(end, "address"));
    cli_table_cell(table, cli_text(end, "endpoint"));
    if (!json_is_true(json_object_get(pair, "live")))
        state = "withdrawn";
    cli_table_colour(table, state, strcmp(state, "confirmed") == 0 ? CLI_GOOD : CLI_BAD);
    if (last)
        cli_table_format(table, "%s ago", cli_duration((double)(now - last), words));
    else
        cli_table_cell(table, "never");
    cli_table_cell(table, cli_bytes((double)cli_integer(end, "received_bytes"), words));
    cli_table_cell(table, cli_bytes((double)cli_integer(end, "sent_bytes"), words));
    if (expires)
        cli_table_format(table, "in %s", cli_duration((double)(expires - now), words));
    else
        cli_table_cell(table, NULL);
}

static void pair_rows(struct cli_table *table, const json_t *pair)
{
    const json_t *ends = json_object_get(pair, "ends");
    end_row(table, pair, json_array_get(ends, 0), json_array_get(ends, 1));
    end_row(table, pair, json_array_get(ends, 1), json_array_get(ends, 0));
}

int cli_run_relay_list(struct cli *cli)
{
    static const struct cli_column columns[] = {{"MEMBER", false},   {"PARTNER", false}, {"SENDS TO", false},
                                                {"ENDPOINT", false}, {"STATE", false},   {"LAST", true},
                                                {"RECEIVED", true},  {"SENT", true},     {"EXPIRES", true}};
    struct listing listing = {.cli = cli, .method = "relays.list", .key = "pairs", .row = pair_rows};
    if (cli->argument_count > 0) {
        listing.filter = "member";
        listing.value = cli->arguments[0];
    }
    return list(&listing, columns, 9);
}

static void member_row(struct cli_table *table, const json_t *member)
{
    cli_table_row(table);
    cli_table_cell(table, cli_text(member, "name"));
    cli_table_cell(table, cli_text(member, "group"));
    cli_table_cell(table, cli_text(member, "address"));
    cli_table_number(table, cli_integer(member, "pairs"));
    cli_table_cell(table, cli_text(member, "public_key"));
}

int cli_run_relay_members(struct cli *cli)
{
    static const struct cli_column columns[] = {
        {"MEMBER", false}, {"GROUP", false}, {"ADDRESS", false}, {"PARTNERS", true}, {"PUBLIC KEY", false}};
    struct listing listing = {.cli = cli, .method = "relays.members", .key = "members", .row = member_row};
    return list(&listing, columns, 5);
}

int cli_run_relay_remove(struct cli *cli)
{
    const char *with = cli->options[CLI_OPTION_WITH];
    int status = CLI_OK;
    for (unsigned i = 0; i < cli->argument_count && status == CLI_OK; i++) {
        json_t *result = NULL;
        json_t *params = json_pack("{s:s, s:s*}", "name", cli->arguments[i], "with", with);
        if (!params)
            return cli_fail(CLI_USAGE, "an argument is no UTF-8");
        status = cli_call(cli, "relays.remove", params, &result);
        if (status == CLI_OK && with)
            cli_print_done(cli, result, "%s and %s no longer reach each other", cli->arguments[i], with);
        else if (status == CLI_OK)
            cli_print_done(cli, result, "%s is removed, with %lld pairs", cli->arguments[i],
                           (long long)cli_integer(result, "removed"));
        json_decref(result);
    }
    return status;
}

int cli_run_relay_config(struct cli *cli)
{
    json_t *member;
    int status = cli_list(cli, "relays.config", json_pack("{s:s}", "name", cli->arguments[0]), &member);
    if (member)
        relay_file_write(stdout, member, NULL);
    json_decref(member);
    return status;
}
