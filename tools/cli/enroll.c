/* bypeer group enroll, dismiss, attachments; bypeer drain: members without a program of ours, and ways to members. */
#include <string.h>

#include "tools/cli/keys.h"
#include "tools/cli/peer_file.h"
#include "tools/cli/table.h"

enum { COLUMNS = 7 };

/* public_key NULL: the one that another node has attached the member by. *ret_peer is to be released with *ret_result.
 */
static int enroll(struct cli *cli, const char *public_key, const char **ret_peer, json_t **ret_result)
{
    long lifetime, priority;
    int status = cli_lifetime(cli, CLI_OPTION_EXPIRES, &lifetime);
    if (status == CLI_OK)
        status = cli_number(cli, CLI_OPTION_PRIORITY, 0, 127, -1, &priority);
    if (status != CLI_OK)
        return status;
    json_t *params = json_pack("{s:s, s:s, s:s*, s:o*, s:o*}", "group", cli->arguments[0], "name", cli->arguments[1],
                               "public_key", public_key, "lifetime_s", lifetime > 0 ? json_integer(lifetime) : NULL,
                               "priority", priority < 0 ? NULL : json_integer(priority));
    if (!params)
        return cli_fail(CLI_USAGE, "an argument is no UTF-8");
    status = cli_call(cli, "group.enroll", params, ret_result);
    if (status == CLI_OK)
        *ret_peer = cli_text(*ret_result, "peer");
    return status;
}

int cli_run_group_enroll(struct cli *cli)
{
    const char *public_key = cli->options[CLI_OPTION_PUBLIC_KEY], *peer = "";
    bool is_new_key = cli->options[CLI_OPTION_NEW_KEY] != NULL;
    json_t *result = NULL;
    struct keys keys = {0};
    if (public_key && is_new_key)
        return cli_fail(CLI_USAGE, "--public-key and --new-key: give one of them");
    if (cli->options[CLI_OPTION_QR] && !is_new_key)
        return cli_fail(CLI_USAGE, "--qr: a code needs the private key; use --new-key");
    int status = is_new_key ? keys_make(&keys) : CLI_OK;
    if (status == CLI_OK)
        status = enroll(cli, is_new_key ? keys.public_key : public_key, &peer, &result);
    if (status == CLI_OK)
        status = cli_show_peer_file(cli, peer, is_new_key ? &keys : NULL);
    keys_wipe(&keys, sizeof(keys));
    json_decref(result);
    return status;
}

int cli_run_group_dismiss(struct cli *cli)
{
    json_t *result = NULL;
    int status = cli_call(cli, "group.dismiss",
                          json_pack("{s:s, s:s}", "group", cli->arguments[0], "member", cli->arguments[1]), &result);
    if (status == CLI_OK)
        cli_print_done(cli, result, "%s is carried here no longer; it is still a member", cli->arguments[1]);
    json_decref(result);
    return status;
}

static const char *attachment_state(const json_t *entry)
{
    if (json_object_get(entry, "fault"))
        return cli_text(entry, "fault");
    if (json_is_true(json_object_get(entry, "chosen")))
        return "in use";
    if (json_is_true(json_object_get(entry, "draining")))
        return "draining";
    if (json_is_true(json_object_get(entry, "standby")))
        return "standing by";
    return json_is_true(json_object_get(entry, "heard")) ? "ready" : "silent";
}

int cli_run_group_attachments(struct cli *cli)
{
    static const struct cli_column columns[COLUMNS] = {{"MEMBER", false},  {"ADDRESS", false}, {"SUPERNODE", false},
                                                       {"PRIORITY", true}, {"STATE", false},   {"HERE", false},
                                                       {"NAME", false}};
    json_t *result = NULL, *entry;
    size_t at;
    int status = cli_list(cli, "group.attachments", json_pack("{s:s}", "group", cli->arguments[0]), &result);
    if (status != CLI_OK || !result)
        return status;
    struct cli_table *table = cli_table_begin(cli, columns, COLUMNS);
    json_array_foreach (json_object_get(result, "attachments"), at, entry) {
        bool is_chosen = json_is_true(json_object_get(entry, "chosen"));
        cli_table_row(table);
        cli_table_cell(table, cli_text(entry, "friendly"));
        cli_table_cell(table, cli_text(entry, "address"));
        cli_table_cell(table, cli_text(entry, "supernode"));
        cli_table_format(table, "%lld", (long long)cli_integer(entry, "priority"));
        cli_table_colour(table, attachment_state(entry), is_chosen ? CLI_GOOD : CLI_FAINT);
        cli_table_cell(table, json_is_true(json_object_get(entry, "own")) ? "yes" : "no");
        cli_table_cell(table, cli_text(entry, "member"));
    }
    json_decref(result);
    return cli_table_end(table);
}

int cli_run_drain(struct cli *cli)
{
    bool is_off = cli->options[CLI_OPTION_OFF] != NULL;
    json_t *result = NULL;
    int status = cli_call(cli, "drain.set", json_pack("{s:b}", "off", is_off), &result);
    if (status == CLI_OK)
        cli_print_done(cli, result,
                       is_off ? "this node carries its members as before"
                              : "other nodes have been asked to choose other ways");
    json_decref(result);
    return status;
}
