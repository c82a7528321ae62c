/* bypeer cloud list, stats, cache and contact. */
#include <limits.h>
#include <string.h>

#include "tools/cli/table.h"

#define PAGE 5000 /* entries in one answer of clouds.cache */

static void cloud_row(struct cli_table *table, const json_t *cloud)
{
    const json_t *addresses = json_object_get(cloud, "addresses");
    const char *address = json_string_value(json_array_get(addresses, 0));
    const char *state = cli_text(cloud, "state");
    bool good = strcmp(state, "active") == 0 || strcmp(state, "synchronizing") == 0;
    cli_table_row(table);
    cli_table_cell(table, cli_text(cloud, "name"));
    cli_table_cell(table, cli_text(cloud, "profile"));
    if (cli_text(cloud, "interface")[0])
        cli_table_format(table, "%s %s", cli_text(cloud, "scope"), cli_text(cloud, "interface"));
    else
        cli_table_cell(table, cli_text(cloud, "scope"));
    cli_table_colour(table, state, good ? CLI_GOOD : CLI_BAD);
    cli_table_number(table, cli_integer(cloud, "names"));
    cli_table_number(table, cli_integer(cloud, "known"));
    if (cli_integer(cloud, "nodes"))
        cli_table_number(table, cli_integer(cloud, "nodes"));
    else
        cli_table_cell(table, NULL);
    if (address)
        cli_table_format(table, "[%s]:%lld", address, (long long)cli_integer(cloud, "port"));
    else
        cli_table_cell(table, NULL);
}

static struct cli_table *clouds_begin(const struct cli *cli)
{
    static const struct cli_column columns[] = {{"CLOUD", false}, {"PROFILE", false}, {"SCOPE", false},
                                                {"STATE", false}, {"NAMES", true},    {"KNOWN", true},
                                                {"NODES", true},  {"ADDRESS", false}};
    return cli_table_begin(cli, columns, 8);
}

int cli_run_cloud_list(struct cli *cli)
{
    json_t *result;
    int status = cli_list(cli, "clouds.list", NULL, &result);
    if (!result)
        return status;
    struct cli_table *table = clouds_begin(cli);
    size_t i;
    json_t *cloud;
    json_array_foreach (json_object_get(result, "clouds"), i, cloud) {
        cloud_row(table, cloud);
    }
    json_decref(result);
    return cli_table_end(table);
}

static json_t *cloud_named(const struct cli *cli)
{
    return json_pack("{s:s}", "cloud", cli->arguments[0]);
}

int cli_run_cloud_stats(struct cli *cli)
{
    static const struct cli_column columns[] = {{"COUNTER", false}, {"VALUE", true}, {"MEANING", false}};
    json_t *result;
    int status = cli_list(cli, "clouds.stats", cloud_named(cli), &result);
    if (!result)
        return status;
    struct cli_table *table = clouds_begin(cli);
    size_t i;
    json_t *counter;
    cloud_row(table, json_object_get(result, "cloud"));
    status = cli_table_end(table);
    putchar('\n');
    table = cli_table_begin(cli, columns, 3);
    json_array_foreach (json_object_get(result, "counters"), i, counter) {
        if (!cli->options[CLI_OPTION_ALL] && cli_integer(counter, "value") == 0)
            continue;
        cli_table_row(table);
        cli_table_cell(table, cli_text(counter, "name"));
        cli_table_number(table, cli_integer(counter, "value"));
        cli_table_cell(table, cli_text(counter, "text"));
    }
    json_decref(result);
    int end = cli_table_end(table);
    return status == CLI_OK ? end : status;
}

static void entry_row(struct cli_table *table, const json_t *entry)
{
    const json_t *endpoints = json_object_get(entry, "endpoints");
    const char *endpoint = json_string_value(json_array_get(endpoints, 0));
    cli_table_row(table);
    cli_table_cell(table, cli_text(entry, "id"));
    if (json_is_integer(json_object_get(entry, "level")))
        cli_table_number(table, cli_integer(entry, "level"));
    else
        cli_table_cell(table, NULL);
    cli_table_cell(table, json_is_true(json_object_get(entry, "leaf")) ? "leaf" : NULL);
    if (json_array_size(endpoints) > 1)
        cli_table_format(table, "%s and %zu more", endpoint ? endpoint : "", json_array_size(endpoints) - 1);
    else
        cli_table_cell(table, endpoint);
}

struct cache_listing {
    struct cli_table *table; /* NULL: JSON */
    long left;
    bool any;
};

static void print_entries(struct cache_listing *listing, const json_t *page)
{
    size_t i;
    json_t *entry;
    json_array_foreach (json_object_get(page, "entries"), i, entry) {
        listing->left--;
        if (listing->table) {
            entry_row(listing->table, entry);
            continue;
        }
        fputs(listing->any ? ",\n    " : "{\n  \"entries\": [\n    ", stdout);
        json_dumpf(entry, stdout, 0);
        listing->any = true;
    }
}

static int list_cache(struct cli *cli, struct cache_listing *listing)
{
    json_t *page = NULL;
    bool more = true;
    int status = CLI_OK;
    while (status == CLI_OK && more && listing->left > 0) {
        json_t *answer = NULL;
        json_t *params = json_pack("{s:s, s:s*, s:I}", "cloud", cli->arguments[0], "after",
                                   json_string_value(json_object_get(page, "next")), "limit",
                                   (json_int_t)(listing->left < PAGE ? listing->left : PAGE));
        status = cli_call(cli, "clouds.cache", params, &answer);
        json_decref(page);
        page = answer;
        print_entries(listing, page);
        more = json_object_get(page, "next") && json_array_size(json_object_get(page, "entries"));
    }
    json_decref(page);
    return status;
}

int cli_run_cloud_cache(struct cli *cli)
{
    static const struct cli_column columns[] = {{"ID", false}, {"LEVEL", true}, {"SET", false}, {"ENDPOINT", false}};
    struct cache_listing listing = {0};
    int status = cli_number(cli, CLI_OPTION_LIMIT, 1, LONG_MAX, LONG_MAX, &listing.left);
    if (status != CLI_OK)
        return status;
    if (!cli->json)
        listing.table = cli_table_begin(cli, columns, 4);
    status = list_cache(cli, &listing);
    if (status != CLI_OK) {
        cli_table_abandon(listing.table);
        return status;
    }
    if (listing.table)
        return cli_table_end(listing.table);
    fputs(listing.any ? "\n  ]\n}\n" : "{\n  \"entries\": []\n}\n", stdout);
    return CLI_OK;
}

int cli_run_cloud_contact(struct cli *cli)
{
    json_t *result = NULL;
    json_t *params = json_pack("{s:s, s:s}", "cloud", cli->arguments[0], "node", cli->arguments[1]);
    int status =
        params ? cli_call(cli, "clouds.contact", params, &result) : cli_fail(CLI_USAGE, "an argument is no UTF-8");
    if (status == CLI_OK)
        cli_print_done(cli, result, "%s is asked; see bypeer cloud stats %s", cli->arguments[1], cli->arguments[0]);
    json_decref(result);
    return status;
}
