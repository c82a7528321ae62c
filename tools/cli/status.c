/* bypeer status and version. */
#include <string.h>

#include "tools/cli/table.h"

static void print_dataplane(const struct cli *cli, const json_t *dataplane)
{
    bool attached = strcmp(cli_text(dataplane, "state"), "attached") == 0;
    printf("data plane  %s%s%s", cli_colour_begin(cli, attached ? CLI_GOOD : CLI_BAD), cli_text(dataplane, "state"),
           cli_colour_end(cli));
    if (attached)
        printf(", %s, pid %lld, tables of generation %lld", cli_text(dataplane, "release"),
               (long long)cli_integer(dataplane, "pid"), (long long)cli_integer(dataplane, "generation"));
    putchar('\n');
}

static void print_tables(const json_t *tables)
{
    static const char *const names[] = {"members", "links", "groups", "prefixes", "adjacencies"};
    const json_t *capacity = json_object_get(tables, "capacity");
    const json_t *used = json_object_get(tables, "used");
    char bytes[CLI_WORDS];
    printf("tables      generation %lld, layout %lld, %s", (long long)cli_integer(tables, "generation"),
           (long long)cli_integer(tables, "layout"), cli_bytes((double)cli_integer(tables, "bytes"), bytes));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        printf("%s%s %lld of %lld", i ? ", " : "\n            ", names[i], (long long)cli_integer(used, names[i]),
               (long long)cli_integer(capacity, names[i]));
    putchar('\n');
}

/* One side of the packet sum. */
static void print_side(const json_t *packets, const char *title, const char *const names[static 4])
{
    json_int_t sum = 0;
    for (unsigned i = 0; i < 4; i++)
        sum += cli_integer(packets, names[i]);
    printf("%-11s %lld: ", title, (long long)sum);
    for (unsigned i = 0; i < 4; i++)
        printf("%s%s %lld", i ? " + " : "", names[i], (long long)cli_integer(packets, names[i]));
    putchar('\n');
}

static int print_workers(const struct cli *cli, const json_t *workers)
{
    static const struct cli_column columns[] = {{"WORKER", true}, {"CORE", true}, {"STATE", false}, {"BUSY", true}};
    struct cli_table *table = cli_table_begin(cli, columns, 4);
    size_t i;
    json_t *worker;
    json_array_foreach (workers, i, worker) {
        cli_table_row(table);
        cli_table_number(table, cli_integer(worker, "index"));
        cli_table_number(table, cli_integer(worker, "lcore"));
        cli_table_cell(table, cli_text(worker, "state"));
        cli_table_format(table, "%.1f %%", 100 * json_number_value(json_object_get(worker, "busy_share")));
    }
    putchar('\n');
    return cli_table_end(table);
}

static int print_ports(const struct cli *cli, const json_t *ports)
{
    static const struct cli_column columns[] = {{"PORT", false}, {"LINK", false},  {"DRIVER", false}, {"MAC", false},
                                                {"MTU", true},   {"QUEUES", true}, {"MISSED", true},  {"ERRORS", true}};
    struct cli_table *table = cli_table_begin(cli, columns, 8);
    size_t i;
    json_t *port;
    json_array_foreach (ports, i, port) {
        bool up = json_is_true(json_object_get(port, "link_up"));
        cli_table_row(table);
        cli_table_cell(table, cli_text(port, "name"));
        cli_table_colour(table, up ? "up" : "down", up ? CLI_GOOD : CLI_BAD);
        cli_table_cell(table, cli_text(port, "driver"));
        cli_table_cell(table, cli_text(port, "mac"));
        cli_table_number(table, cli_integer(port, "mtu"));
        cli_table_number(table, cli_integer(port, "queues"));
        cli_table_number(table, cli_integer(port, "missed"));
        cli_table_number(table, cli_integer(port, "errors"));
    }
    putchar('\n');
    return cli_table_end(table);
}

static int print_status(const struct cli *cli, const json_t *status)
{
    static const char *const in[] = {"received", "injected", "generated", "copied"};
    static const char *const out[] = {"sent", "punted", "consumed", "dropped"};
    const json_t *dataplane = json_object_get(status, "dataplane");
    const json_t *links = json_object_get(status, "links");
    const json_t *packets = json_object_get(status, "packets");
    char uptime[CLI_WORDS];
    int result = CLI_OK;

    printf("node        %s\n", cli_text(status, "node"));
    printf("bypeerd     %s, up %s\n", cli_text(status, "release"),
           cli_duration(json_number_value(json_object_get(status, "uptime_s")), uptime));
    print_dataplane(cli, dataplane);
    print_tables(json_object_get(status, "tables"));
    printf("links       %lld of %lld up\n", (long long)cli_integer(links, "up"),
           (long long)cli_integer(links, "total"));
    print_side(packets, "packets in", in);
    print_side(packets, "packets out", out);
    printf("in flight   %lld\n", (long long)cli_integer(packets, "in_flight"));
    if (json_array_size(json_object_get(dataplane, "workers")))
        result = print_workers(cli, json_object_get(dataplane, "workers"));
    if (result == CLI_OK && json_array_size(json_object_get(dataplane, "ports")))
        result = print_ports(cli, json_object_get(dataplane, "ports"));
    return result;
}

int cli_run_status(struct cli *cli)
{
    json_t *status;
    int result = cli_call(cli, "status", NULL, &status);
    if (result != CLI_OK)
        return result;
    if (cli->json)
        cli_print_json(status);
    else
        result = print_status(cli, status);
    json_decref(status);
    return result;
}

int cli_run_version(struct cli *cli)
{
    json_t *version = NULL;
    int result = CLI_OK;
    if (cli->json) {
        result = cli_call(cli, "version", NULL, &version);
        if (result == CLI_OK) {
            json_object_set_new(version, "client", json_string(BYPEER_RELEASE));
            cli_print_json(version);
        }
    } else {
        printf("bypeer %s\n", BYPEER_RELEASE);
        result = cli_call(cli, "version", NULL, &version);
        if (result == CLI_OK)
            printf("bypeerd %s, API %lld, table layout %lld\n", cli_text(version, "release"),
                   (long long)cli_integer(version, "api"), (long long)cli_integer(version, "layout"));
    }
    json_decref(version);
    return result;
}
