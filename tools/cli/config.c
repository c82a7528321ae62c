/* bypeer config check, show, explain and reload, and the names for completion. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/show.h"
#include "tools/cli/table.h"

static const char *file_argument(const struct cli *cli)
{
    return cli->argument_count ? cli->arguments[0] : cli_config_file(cli);
}

static json_t *messages_json(const struct bypeer_config_errors *errors)
{
    json_t *messages = json_array();
    for (size_t i = 0; i < errors->count; i++)
        json_array_append_new(messages, json_string(errors->messages[i]));
    return messages;
}

int cli_run_config_check(struct cli *cli)
{
    const char *file = file_argument(cli);
    struct bypeer_config *config = NULL;
    struct bypeer_config_errors errors = {0};
    int error = bypeer_config_load(&config, file, &errors);
    if (cli->json) {
        json_t *result =
            json_pack("{s:s, s:b, s:o}", "file", file, "good", error == 0, "messages", messages_json(&errors));
        cli_print_json(result);
        json_decref(result);
    } else {
        for (size_t i = 0; i < errors.count; i++)
            fprintf(stderr, "%s\n", errors.messages[i]);
    }
    if (error && !cli->json && errors.count > 1)
        cli_fail(CLI_FAILED, "%s: %zu errors", file, errors.count);
    else if (error == -ENOMEM)
        cli_fail(CLI_FAILED, "%s: out of memory", file);
    if (config && !cli->json)
        printf("%s is good: %u ports, %u groups, %u links, %u members, %u routes\n", file, config->port_count,
               config->group_count, config->link_count, config->member_count, config->route_count);
    bypeer_config_errors_free(&errors);
    bypeer_config_free(config);
    return error ? CLI_FAILED : CLI_OK;
}

/* Where the values of `config show` go. */
struct showing {
    struct cli_table *table; /* NULL: JSON */
    json_t *entries;
};

static int show_value(void *context, const struct bypeer_show_value *value)
{
    struct showing *showing = context;
    bool set = strcmp(value->origin, "default") != 0;
    if (!showing->table) {
        json_array_append_new(showing->entries, json_pack("{s:s, s:s, s:s}", "key", value->path, "value", value->value,
                                                          "origin", value->origin));
        return 0;
    }
    cli_table_row(showing->table);
    cli_table_cell(showing->table, value->path);
    if (value->words)
        cli_table_format(showing->table, "(%s)", value->words);
    else
        cli_table_cell(showing->table, value->value);
    cli_table_colour(showing->table, value->origin, set ? CLI_PLAIN : CLI_FAINT);
    return 0;
}

static int show_running(struct cli *cli, struct showing *showing, json_t **ret_result)
{
    int status = cli_call(cli, "config.show", NULL, ret_result);
    size_t i;
    json_t *entry;
    if (status != CLI_OK || !showing->table)
        return status;
    json_array_foreach (json_object_get(*ret_result, "entries"), i, entry) {
        struct bypeer_show_value value = {
            .path = cli_text(entry, "key"), .value = cli_text(entry, "value"), .origin = cli_text(entry, "origin")};
        show_value(showing, &value);
    }
    return CLI_OK;
}

static int show_file(struct cli *cli, struct showing *showing, json_t **ret_result)
{
    struct bypeer_config *config;
    int status = cli_load_config(file_argument(cli), &config);
    if (status != CLI_OK)
        return status;
    showing->entries = json_array();
    bypeer_config_show(config, show_value, showing);
    *ret_result = json_pack("{s:s, s:o}", "file", config->file, "entries", showing->entries);
    bypeer_config_free(config);
    return CLI_OK;
}

int cli_run_config_show(struct cli *cli)
{
    static const struct cli_column columns[] = {{"KEY", false}, {"VALUE", false}, {"ORIGIN", false}};
    bool running = cli->options[CLI_OPTION_RUNNING];
    struct showing showing = {0};
    json_t *result = NULL;
    if (running && cli->argument_count)
        return cli_fail(CLI_USAGE, "config show: --running shows no file; leave one of them out");
    if (!cli->json)
        showing.table = cli_table_begin(cli, columns, 3);
    int status = running ? show_running(cli, &showing, &result) : show_file(cli, &showing, &result);
    if (status == CLI_OK && cli->json)
        cli_print_json(result);
    else if (status == CLI_OK)
        status = cli_table_end(showing.table);
    json_decref(result);
    return status;
}

int cli_run_config_explain(struct cli *cli)
{
    char *text = NULL;
    int error = bypeer_config_explain(&text, cli->argument_count ? cli->arguments[0] : NULL);
    if (error == -ENOENT)
        cli_fail(CLI_USAGE, "%s", text);
    else if (!error)
        fputs(text, stdout);
    free(text);
    return error == -ENOENT ? CLI_USAGE : error ? cli_fail(CLI_FAILED, "out of memory") : CLI_OK;
}

int cli_run_config_reload(struct cli *cli)
{
    json_t *result;
    size_t i;
    json_t *value;
    int status = cli_call(cli, "config.reload", NULL, &result);
    if (status != CLI_OK)
        return status;
    cli_print_done(cli, result, "%lld changes", (long long)cli_integer(result, "changed"));
    json_array_foreach (json_object_get(result, "restart"), i, value) {
        if (!cli->json)
            printf("%s: %s -> %s takes effect when %s restart%s\n", cli_text(value, "key"), cli_text(value, "before"),
                   cli_text(value, "after"),
                   strcmp(cli_text(value, "process"), "both") == 0 ? "bypeerd and bypeer-dataplane"
                                                                   : cli_text(value, "process"),
                   strcmp(cli_text(value, "process"), "both") == 0 ? "" : "s");
    }
    json_decref(result);
    return CLI_OK;
}

static void print_keys(void)
{
    for (int i = 0; i < BYPEER_CONFIG_SECTIONS; i++) {
        printf("%s\n", bypeer_schema[i].name);
        for (unsigned k = 0; k < bypeer_schema[i].key_count; k++)
            printf("%s.%s\n", bypeer_schema[i].name, bypeer_schema[i].keys[k].name);
    }
}

int cli_run_names(struct cli *cli)
{
    /* What is asked for, and where the API lists it. */
    static const char *const lists[][3] = {{"groups", "groups.list", "groups"},
                                           {"links", "links.list", "links"},
                                           {"peers", "peers.list", "peers"},
                                           {"clouds", "clouds.list", "clouds"},
                                           {"published", "names.list", "names"},
                                           {"relays", "relays.members", "members"},
                                           {"identities", "identities.list", "identities"},
                                           {"joined", "group.list", "groups"}};
    const unsigned count = sizeof(lists) / sizeof(lists[0]);
    const char *what = cli->arguments[0];
    json_t *result;
    size_t i;
    json_t *entry;
    unsigned list = 0;
    if (strcmp(what, "keys") == 0) {
        print_keys();
        return CLI_OK;
    }
    while (list < count && strcmp(what, lists[list][0]) != 0)
        list++;
    if (list == count)
        return cli_fail(
            CLI_USAGE,
            "names: there are no names of %s; use groups, links, peers, clouds, published, relays, joined or keys",
            what);
    int status = cli_call(cli, lists[list][1], NULL, &result);
    if (status != CLI_OK)
        return status;
    json_array_foreach (json_object_get(result, lists[list][2]), i, entry) {
        printf("%s\n", cli_text(entry, "name"));
    }
    json_decref(result);
    return CLI_OK;
}
