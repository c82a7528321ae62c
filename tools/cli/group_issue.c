/* bypeer group invite, renew, revoke, export and import. */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/group.h"
#include "tools/cli/qr.h"
#include "tools/cli/table.h"

#define IDENTITY_MAX       65536
#define CONFIG_MAX         (256 * 1024)
#define DEFAULT_LIFETIME_S (365L * 86400)

/* What --role and --expires say; params is added to. */
static int take_grant(const struct cli *cli, json_t *params, long otherwise)
{
    json_t *roles = cli_values(cli, CLI_OPTION_ROLE);
    long lifetime;
    int status = cli_lifetime(cli, CLI_OPTION_EXPIRES, &lifetime);
    if (roles)
        json_object_set_new(params, "roles", roles);
    if (lifetime < 0)
        lifetime = otherwise;
    if (status == CLI_OK && lifetime > 0)
        json_object_set_new(params, "lifetime_s", json_integer(lifetime));
    return status;
}

static int print_invitation(const struct cli *cli, const json_t *result)
{
    const char *text = cli_text(result, cli->options[CLI_OPTION_XML] ? "xml" : "line");
    if (cli->json)
        cli_print_json(result);
    else if (!cli->options[CLI_OPTION_QR])
        puts(text);
    else if (qr_print(stdout, text, cli->colours) < 0)
        return cli_fail(CLI_FAILED, "the invitation is too long for a QR code; leave out --qr");
    return CLI_OK;
}

int cli_run_group_invite(struct cli *cli)
{
    json_t *params = json_pack("{s:s}", "group", cli->arguments[0]), *result = NULL;
    char *identity = NULL;
    size_t length;
    int status = cli->argument_count > 1
                     ? cli_read_file(cli->arguments[1], "identity", IDENTITY_MAX, &identity, &length)
                     : CLI_OK;
    if (status == CLI_OK && identity && json_object_set_new(params, "identity", json_string(identity)) < 0)
        status = cli_fail(CLI_FAILED, "%s: is no identity", cli->arguments[1]);
    free(identity);
    if (status == CLI_OK)
        status = take_grant(cli, params, cli->argument_count > 1 ? DEFAULT_LIFETIME_S : 0);
    if (status != CLI_OK) {
        json_decref(params);
        return status;
    }
    status = cli_call(cli, "group.invite", params, &result);
    if (status == CLI_OK)
        status = print_invitation(cli, result);
    json_decref(result);
    return status;
}

int cli_run_group_renew(struct cli *cli)
{
    char until[CLI_WORDS];
    json_t *params = json_pack("{s:s, s:s*}", "group", cli->arguments[0], "member",
                               cli->argument_count > 1 ? cli->arguments[1] : NULL),
           *result = NULL;
    int status = take_grant(cli, params, 0);
    if (status != CLI_OK) {
        json_decref(params);
        return status;
    }
    status = cli_call(cli, "group.renew", params, &result);
    if (status == CLI_OK)
        cli_print_done(cli, result, "the membership of %s ends: %s", cli_text(result, "name"),
                       cli_time(cli_integer(result, "until"), until));
    json_decref(result);
    return status;
}

int cli_run_group_revoke(struct cli *cli)
{
    json_t *result = NULL;
    json_t *params = json_pack("{s:s, s:s, s:s*, s:b, s:b}", "group", cli->arguments[0], "member", cli->arguments[1],
                               "reason", cli->options[CLI_OPTION_REASON], "adopt",
                               cli->options[CLI_OPTION_ADOPT] ? 1 : 0, "undo", cli->options[CLI_OPTION_UNDO] ? 1 : 0);
    if (!params)
        return cli_fail(CLI_USAGE, "an argument is no UTF-8");
    int status = cli_call(cli, "group.revoke", params, &result);
    if (status == CLI_OK)
        cli_print_done(cli, result, "%s is revoked", cli->arguments[1]);
    json_decref(result);
    return status;
}

/* Calls what takes a group and a password, which may be none. */
static int group_give_password(struct cli *cli, const char *method, json_t **ret_result)
{
    char password[GROUP_PASSWORD_MAX + 2];
    int status = group_read_password(cli, password);
    if (status != CLI_OK)
        return status;
    json_t *params = json_pack("{s:s, s:s*}", "group", cli->arguments[0], "password", password[0] ? password : NULL);
    explicit_bzero(password, sizeof(password));
    return params ? cli_call(cli, method, params, ret_result) : cli_fail(CLI_USAGE, "the password is no UTF-8");
}

int cli_run_group_password(struct cli *cli)
{
    json_t *result = NULL;
    int status = group_give_password(cli, "group.password", &result);
    if (status == CLI_OK)
        cli_print_done(cli, result, "%s is joined by %s", cli->arguments[0],
                       json_is_true(json_object_get(result, "password")) ? "the new password" : "no password any more");
    json_decref(result);
    return status;
}

int cli_run_group_export(struct cli *cli)
{
    json_t *result = NULL;
    int status = group_give_password(cli, "group.export", &result);
    if (status == CLI_OK)
        cli_print_done(cli, result, "%s", cli_text(result, "xml"));
    json_decref(result);
    return status;
}

int cli_run_group_import(struct cli *cli)
{
    char password[GROUP_PASSWORD_MAX + 2], *text;
    json_t *result = NULL;
    size_t length;
    int status = group_read_password(cli, password);
    if (status == CLI_OK)
        status = cli_read_file(cli->arguments[0], "exported group", CONFIG_MAX, &text, &length);
    if (status != CLI_OK)
        return status;
    json_t *params = json_pack("{s:s, s:s*}", "xml", text, "password", password[0] ? password : NULL);
    explicit_bzero(password, sizeof(password));
    explicit_bzero(text, length);
    free(text);
    if (!params)
        return cli_fail(CLI_FAILED, "%s: is no exported group", cli->arguments[0]);
    status = cli_call(cli, "group.import", params, &result);
    if (status == CLI_OK)
        cli_print_done(cli, result, "%s is joined", cli_text(result, "name"));
    json_decref(result);
    return status;
}
