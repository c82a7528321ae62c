/* bypeer groups, links and routes: list, add, remove. */
#include <string.h>
#include <time.h>

#include "tools/cli/table.h"

static int add(struct cli *cli, const char *method, json_t *params)
{
    json_t *result = NULL;
    if (!params)
        return cli_fail(CLI_USAGE, "an argument is no UTF-8");
    int status = cli_call(cli, method, params, &result);
    if (status == CLI_OK)
        cli_print_done(cli, result, "%s is %s", cli->arguments[0],
                       cli_integer(result, "replaced") ? "replaced" : "added");
    json_decref(result);
    return status;
}

int cli_run_groups_list(struct cli *cli)
{
    static const struct cli_column columns[] = {{"GROUP", false},   {"PREFIX", false}, {"VNI", true},
                                                {"ADDRESS", false}, {"LINKS", true},   {"MEMBERS", true},
                                                {"ORIGIN", false}};
    json_t *result;
    int status = cli_list(cli, "groups.list", NULL, &result);
    if (!result)
        return status;
    struct cli_table *table = cli_table_begin(cli, columns, 7);
    size_t i;
    json_t *group;
    json_array_foreach (json_object_get(result, "groups"), i, group) {
        cli_table_row(table);
        cli_table_cell(table, cli_text(group, "name"));
        cli_table_cell(table, cli_text(group, "prefix"));
        cli_table_number(table, cli_integer(group, "vni"));
        cli_table_cell(table, cli_text(group, "address"));
        cli_table_number(table, cli_integer(group, "links"));
        cli_table_number(table, cli_integer(group, "members"));
        cli_table_colour(table, cli_text(group, "origin"), CLI_FAINT);
    }
    json_decref(result);
    return cli_table_end(table);
}

int cli_run_groups_add(struct cli *cli)
{
    long vni;
    int status = cli_number(cli, CLI_OPTION_VNI, 1, 16777215, 0, &vni);
    if (status != CLI_OK)
        return status;
    return add(cli, "groups.add",
               json_pack("{s:s, s:s, s:I, s:s*}", "name", cli->arguments[0], "prefix", cli->options[CLI_OPTION_PREFIX],
                         "vni", (json_int_t)vni, "address", cli->options[CLI_OPTION_ADDRESS]));
}

int cli_run_groups_remove(struct cli *cli)
{
    return cli_call_each(cli, "groups.remove", "name", "removed");
}

static void link_row(struct cli_table *table, const json_t *link, time_t now)
{
    const json_t *adjacency = json_object_get(link, "adjacency");
    bool up = json_is_true(json_object_get(link, "up"));
    json_int_t last = cli_integer(link, "last_received");
    char duration[CLI_WORDS];
    cli_table_row(table);
    cli_table_cell(table, cli_text(link, "name"));
    cli_table_cell(table, cli_text(link, "group"));
    cli_table_cell(table, cli_text(link, "peer"));
    cli_table_number(table, cli_integer(link, "vni"));
    cli_table_colour(table, up ? "up" : "down", up ? CLI_GOOD : CLI_BAD);
    cli_table_number(table, cli_integer(link, "mtu"));
    if (json_is_object(adjacency))
        cli_table_format(table, "%s on %s", cli_text(adjacency, "mac"), cli_text(adjacency, "port"));
    else
        cli_table_cell(table, NULL);
    cli_table_number(table, cli_integer(link, "members"));
    cli_table_number(table, cli_integer(link, "sent_packets"));
    cli_table_number(table, cli_integer(link, "received_packets"));
    if (last)
        cli_table_format(table, "%s ago", cli_duration((double)(now - last), duration));
    else
        cli_table_cell(table, "never");
    cli_table_colour(table, cli_text(link, "origin"), CLI_FAINT);
}

int cli_run_links_list(struct cli *cli)
{
    static const struct cli_column columns[] = {{"LINK", false},     {"GROUP", false},  {"PEER", false},
                                                {"VNI", true},       {"STATE", false},  {"MTU", true},
                                                {"NEXT HOP", false}, {"MEMBERS", true}, {"SENT", true},
                                                {"RECEIVED", true},  {"LAST", true},    {"ORIGIN", false}};
    json_t *result;
    int status = cli_list(cli, "links.list", NULL, &result);
    if (!result)
        return status;
    struct cli_table *table = cli_table_begin(cli, columns, 12);
    size_t i;
    json_t *link;
    json_array_foreach (json_object_get(result, "links"), i, link) {
        link_row(table, link, time(NULL));
    }
    status = cli_table_end(table);
    json_array_foreach (json_object_get(result, "links"), i, link) {
        if (cli_text(link, "why_down")[0])
            printf("%s is down: %s\n", cli_text(link, "name"), cli_text(link, "why_down"));
    }
    json_decref(result);
    return status;
}

/* A number that is left out of the request when it is not given. */
static json_t *unless_missing(long number)
{
    return number ? json_integer(number) : NULL;
}

int cli_run_links_add(struct cli *cli)
{
    long vni, udp_port, mtu;
    int status = cli_number(cli, CLI_OPTION_VNI, 1, 16777215, 0, &vni);
    if (status == CLI_OK)
        status = cli_number(cli, CLI_OPTION_UDP_PORT, 1, 65535, 0, &udp_port);
    if (status == CLI_OK)
        status = cli_number(cli, CLI_OPTION_MTU, 1280, 8964, 0, &mtu);
    if (status != CLI_OK)
        return status;
    return add(cli, "links.add",
               json_pack("{s:s, s:s, s:s, s:s*, s:o*, s:o*, s:o*}", "name", cli->arguments[0], "group",
                         cli->options[CLI_OPTION_GROUP], "peer", cli->options[CLI_OPTION_PEER], "local",
                         cli->options[CLI_OPTION_LOCAL], "vni", unless_missing(vni), "udp_port",
                         unless_missing(udp_port), "mtu", unless_missing(mtu)));
}

int cli_run_links_remove(struct cli *cli)
{
    return cli_call_each(cli, "links.remove", "name", "removed");
}

int cli_run_routes_list(struct cli *cli)
{
    static const struct cli_column columns[] = {
        {"PREFIX", false}, {"GROUP", false}, {"LINK", false}, {"ORIGIN", false}};
    json_t *result;
    int status = cli_list(cli, "routes.list", NULL, &result);
    if (!result)
        return status;
    struct cli_table *table = cli_table_begin(cli, columns, 4);
    size_t i;
    json_t *route;
    json_array_foreach (json_object_get(result, "routes"), i, route) {
        cli_table_row(table);
        cli_table_cell(table, cli_text(route, "prefix"));
        cli_table_cell(table, cli_text(route, "group"));
        cli_table_cell(table, cli_text(route, "link"));
        cli_table_colour(table, cli_text(route, "origin"), CLI_FAINT);
    }
    json_decref(result);
    return cli_table_end(table);
}

int cli_run_routes_add(struct cli *cli)
{
    return add(cli, "routes.add", json_pack("{s:s, s:s}", "prefix", cli->arguments[0], "link", cli->arguments[1]));
}

int cli_run_routes_remove(struct cli *cli)
{
    return cli_call_each(cli, "routes.remove", "prefix", "removed");
}

int cli_run_members_add(struct cli *cli)
{
    return add(cli, "members.add", json_pack("{s:s, s:s}", "address", cli->arguments[0], "link", cli->arguments[1]));
}

int cli_run_members_remove(struct cli *cli)
{
    return cli_call_each(cli, "members.remove", "address", "removed");
}
