/* bypeer group list, create, show, members, join, leave and connect. */
#include "tools/cli/group.h"

#include <stdlib.h>
#include <string.h>

#include "tools/cli/table.h"

#define INVITATION_MAX (256 * 1024)

int group_read_password(const struct cli *cli, char ret_password[static GROUP_PASSWORD_MAX + 2])
{
    const char *file = cli->options[CLI_OPTION_PASSWORD_FILE];
    char *text;
    size_t length;
    ret_password[0] = '\0';
    int status = file ? cli_read_file(file, "password", 65536, &text, &length) : CLI_OK;
    if (!file || status != CLI_OK)
        return status;
    size_t line = strcspn(text, "\r\n");
    if (line == 0 || line > GROUP_PASSWORD_MAX) {
        status = cli_fail(CLI_FAILED, "%s: its first line is no password of 1 to %d bytes", file, GROUP_PASSWORD_MAX);
    } else {
        memcpy(ret_password, text, line);
        ret_password[line] = '\0';
    }
    explicit_bzero(text, length);
    free(text);
    return status;
}

const char *group_join_texts(const json_t *list, char *ret_text, size_t room)
{
    size_t i, length = 0;
    json_t *text;
    ret_text[0] = '\0';
    json_array_foreach (list, i, text) {
        int written = snprintf(ret_text + length, room - length, "%s%s", i ? "," : "",
                               json_string_value(text) ? json_string_value(text) : "");
        if (written < 0 || (size_t)written >= room - length)
            break;
        length += (size_t)written;
    }
    return ret_text;
}

int cli_run_group_list(struct cli *cli)
{
    static const struct cli_column columns[] = {{"GROUP", false},   {"STATE", false}, {"MEMBERS", true},
                                                {"ADDRESS", false}, {"ROLES", false}, {"PEER NAME", false}};
    json_t *result, *group;
    char roles[128];
    size_t i;
    int status = cli_list(cli, "group.list", NULL, &result);
    if (!result)
        return status;
    struct cli_table *table = cli_table_begin(cli, columns, 6);
    json_array_foreach (json_object_get(result, "groups"), i, group) {
        const char *state = cli_text(group, "state");
        bool good = strcmp(state, "connected") == 0 || strcmp(state, "alone") == 0;
        cli_table_row(table);
        cli_table_cell(table, cli_text(group, "name"));
        cli_table_colour(table, state, good ? CLI_GOOD : CLI_BAD);
        cli_table_number(table, cli_integer(group, "members"));
        cli_table_cell(table, cli_text(group, "address"));
        cli_table_cell(table, group_join_texts(json_object_get(group, "roles"), roles, sizeof(roles)));
        cli_table_colour(table, cli_text(group, "group"), CLI_FAINT);
    }
    status = cli_table_end(table);
    json_array_foreach (json_object_get(result, "groups"), i, group) {
        const json_t *problem = json_object_get(group, "problem");
        if (!problem)
            continue;
        cli_print_clean(cli_text(group, "name"));
        printf(" is not open: ");
        cli_print_clean(cli_text(problem, "thing"));
        printf(": ");
        cli_print_clean(cli_text(problem, "value"));
        printf("; ");
        cli_print_clean(cli_text(problem, "remedy"));
        printf("; to give it up: bypeer group leave ");
        cli_print_clean(cli_text(group, "group"));
        putchar('\n');
    }
    json_decref(result);
    return status;
}

static void print_group(const json_t *group)
{
    char text[512], until[CLI_WORDS];
    size_t i;
    json_t *link;
    cli_print_clean(cli_text(group, "name"));
    printf(", %s\n", cli_text(group, "state"));
    if (cli_text(group, "comment")[0]) {
        printf("  comment    ");
        cli_print_clean(cli_text(group, "comment"));
        putchar('\n');
    }
    printf("  peer name  %s\n", cli_text(group, "group"));
    printf("  this node  %s\n", cli_text(group, "identity"));
    printf("  roles      %s\n", group_join_texts(json_object_get(group, "roles"), text, sizeof(text)));
    printf("  expires    %s\n", cli_time(cli_integer(group, "until"), until));
    printf("  prefix     %s\n", cli_text(group, "prefix"));
    printf("  address    %s\n", cli_text(group, "address"));
    printf("  listens    %s\n", group_join_texts(json_object_get(group, "listening"), text, sizeof(text)));
    printf("  members    %lld\n", (long long)cli_integer(group, "members"));
    printf("  records    %lld\n", (long long)cli_integer(json_object_get(group, "counters"), "records"));
    json_array_foreach (json_object_get(group, "links"), i, link) {
        printf("  %-9s  %s\n", cli_text(link, "kind"), cli_text(link, "member"));
    }
    if (cli_text(group, "refusal")[0])
        printf("  refused    %s (the last time)\n", cli_text(group, "refusal"));
}

int cli_run_group_show(struct cli *cli)
{
    json_t *result;
    int status = cli_list(cli, "group.show", json_pack("{s:s}", "group", cli->arguments[0]), &result);
    if (!result)
        return status;
    print_group(result);
    json_decref(result);
    return CLI_OK;
}

int cli_run_group_members(struct cli *cli)
{
    static const struct cli_column columns[] = {{"NAME", false},  {"ADDRESS", false}, {"ROLES", false},
                                                {"STATE", false}, {"UNTIL", false},   {"PEER NAME", false}};
    json_t *result, *member;
    char roles[128], until[CLI_WORDS];
    size_t i;
    int status = cli_list(cli, "group.members", json_pack("{s:s}", "group", cli->arguments[0]), &result);
    if (!result)
        return status;
    struct cli_table *table = cli_table_begin(cli, columns, 6);
    json_array_foreach (json_object_get(result, "members"), i, member) {
        bool revoked = json_is_true(json_object_get(member, "revoked"));
        bool present = json_is_true(json_object_get(member, "present"));
        bool self = json_is_true(json_object_get(member, "self"));
        cli_table_row(table);
        cli_table_cell(table, cli_text(member, "name"));
        cli_table_cell(table, cli_text(member, "address"));
        cli_table_cell(table, group_join_texts(json_object_get(member, "roles"), roles, sizeof(roles)));
        cli_table_colour(table,
                         revoked   ? "revoked"
                         : self    ? "this node"
                         : present ? "present"
                                   : "away",
                         revoked           ? CLI_BAD
                         : self || present ? CLI_GOOD
                                           : CLI_PLAIN);
        cli_table_cell(table, cli_time(cli_integer(member, "until"), until));
        cli_table_colour(table, cli_text(member, "member"), CLI_FAINT);
    }
    json_decref(result);
    return cli_table_end(table);
}

int cli_run_group_create(struct cli *cli)
{
    char password[GROUP_PASSWORD_MAX + 2];
    json_t *result = NULL;
    int status = group_read_password(cli, password);
    if (status != CLI_OK)
        return status;
    json_t *params = json_pack("{s:s, s:s*, s:s*, s:s*, s:s*}", "name", cli->arguments[0], "identity",
                               cli->options[CLI_OPTION_IDENTITY], "classifier", cli->options[CLI_OPTION_CLASSIFIER],
                               "comment", cli->options[CLI_OPTION_COMMENT], "password", password[0] ? password : NULL);
    explicit_bzero(password, sizeof(password));
    if (!params)
        return cli_fail(CLI_USAGE, "an argument is no UTF-8");
    status = cli_call(cli, "group.create", params, &result);
    if (status != CLI_OK)
        return status;
    if (cli->json)
        cli_print_json(result);
    else
        printf("%s is founded: %s\nthis node is %s in it\n", cli->arguments[0], cli_text(result, "group"),
               cli_text(result, "address"));
    json_decref(result);
    return CLI_OK;
}

/* An invitation may be the argument itself. */
static int read_invitation(const char *argument, char **ret_text)
{
    static const char prefix[] = "bypeer1:";
    size_t length;
    if (strncmp(argument, prefix, sizeof(prefix) - 1) != 0)
        return cli_read_file(argument, "invitation", INVITATION_MAX, ret_text, &length);
    *ret_text = strdup(argument);
    return *ret_text ? CLI_OK : cli_fail(CLI_FAILED, "out of memory");
}

int cli_run_group_join(struct cli *cli)
{
    char password[GROUP_PASSWORD_MAX + 2], *invitation = NULL;
    json_t *result = NULL;
    long timeout;
    int status = cli_number(cli, CLI_OPTION_TIMEOUT, 1, 600, 30, &timeout);
    if (status == CLI_OK)
        status = read_invitation(cli->arguments[0], &invitation);
    if (status == CLI_OK)
        status = group_read_password(cli, password);
    if (status != CLI_OK) {
        free(invitation);
        return status;
    }
    json_t *params =
        json_pack("{s:s, s:s*, s:s*, s:I}", "invitation", invitation, "identity", cli->options[CLI_OPTION_IDENTITY],
                  "password", password[0] ? password : NULL, "timeout_ms", (json_int_t)timeout * 1000);
    free(invitation);
    explicit_bzero(password, sizeof(password));
    if (!params)
        return cli_fail(CLI_USAGE, "the invitation is no text");
    status = cli_call(cli, "group.join", params, &result);
    if (status != CLI_OK)
        return status;
    bool connected = strcmp(cli_text(result, "state"), "connected") == 0;
    if (cli->json)
        cli_print_json(result);
    else if (connected)
        printf("joined %s, as %s\n", cli_text(result, "name"), cli_text(result, "address"));
    else
        printf("%s is joined, but no member was reached yet; this node goes on looking\n", cli_text(result, "name"));
    json_decref(result);
    return CLI_OK;
}

int cli_run_group_leave(struct cli *cli)
{
    int status = CLI_OK;
    for (unsigned at = 0; at < cli->argument_count && status == CLI_OK; at++) {
        json_t *result = NULL, *params = json_pack("{s:s}", "group", cli->arguments[at]);
        status =
            params ? cli_call(cli, "group.leave", params, &result) : cli_fail(CLI_USAGE, "an argument is no UTF-8");
        if (status == CLI_OK && json_is_true(json_object_get(result, "unopened")))
            cli_print_done(cli, result, "%s could not be opened: its membership and records%s are removed",
                           cli->arguments[at], json_is_true(json_object_get(result, "key")) ? ", and its key," : "");
        else if (status == CLI_OK)
            cli_print_done(cli, result, "%s is left", cli->arguments[at]);
        json_decref(result);
    }
    return status;
}

int cli_run_group_connect(struct cli *cli)
{
    json_t *result = NULL;
    int status = cli_call(cli, "group.connect",
                          json_pack("{s:s, s:s}", "group", cli->arguments[0], "endpoint", cli->arguments[1]), &result);
    if (status == CLI_OK)
        cli_print_done(cli, result, "connecting to %s; see bypeer group show %s", cli->arguments[1], cli->arguments[0]);
    json_decref(result);
    return status;
}
