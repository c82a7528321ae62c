/* bypeer identity. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli/password.h"
#include "tools/cli/table.h"

#define FILE_MAX 131072

/* Parameters of a method about the identity of the first argument, or the default one. */
static json_t *identity_params(const struct cli *cli)
{
    return cli->argument_count > 0 ? json_pack("{s:s}", "identity", cli->arguments[0]) : json_object();
}

static int identity_put(const struct cli *cli, json_t *params, enum cli_option_id option, const char *key)
{
    if (!cli->options[option] || json_object_set_new(params, key, json_string(cli->options[option])) == 0)
        return CLI_OK;
    return cli_fail(CLI_USAGE, "--%s: is no UTF-8", cli_options[option].name);
}

/* Calls, and with -o json prints the result; *ret_identity is borrowed from *ret_result. */
static int identity_call(struct cli *cli, const char *method, json_t *params, json_t **ret_result,
                         const json_t **ret_identity)
{
    *ret_result = NULL;
    *ret_identity = NULL;
    if (!params)
        return cli_fail(CLI_USAGE, "an argument is no UTF-8");
    int status = cli_call(cli, method, params, ret_result);
    *ret_identity = json_object_get(*ret_result, "identity");
    return status;
}

static const char *identity_key(const json_t *identity, char text[static CLI_WORDS])
{
    json_int_t until = cli_integer(identity, "old_key_until");
    snprintf(text, CLI_WORDS, "%s%s", cli_integer(identity, "rotations") == 0 ? "first" : "replaced",
             until > 0 ? ", old one valid" : "");
    return text;
}

int cli_run_identity_list(struct cli *cli)
{
    static const struct cli_column columns[] = {
        {"IDENTITY", false}, {"NAME", false}, {"PROFILE", false}, {"DEFAULT", false}, {"KEY", false}};
    json_t *result, *identity;
    char words[CLI_WORDS];
    size_t i;
    int status = cli_list(cli, "identities.list", NULL, &result);
    if (!result)
        return status;
    struct cli_table *table = cli_table_begin(cli, columns, 5);
    json_array_foreach (json_object_get(result, "identities"), i, identity) {
        cli_table_row(table);
        cli_table_cell(table, cli_text(identity, "name"));
        cli_table_cell(table, cli_text(identity, "friendly_name"));
        cli_table_cell(table, cli_text(identity, "profile"));
        cli_table_cell(table, json_is_true(json_object_get(identity, "default")) ? "yes" : "");
        cli_table_cell(table, json_is_true(json_object_get(identity, "credential")) ? "credential"
                                                                                    : identity_key(identity, words));
    }
    status = cli_table_end(table);
    json_array_foreach (json_object_get(result, "unreadable"), i, identity) {
        cli_fail(CLI_FAILED, "%s", cli_text(identity, "why"));
        status = CLI_FAILED;
    }
    json_decref(result);
    return status;
}

int cli_run_identity_create(struct cli *cli)
{
    json_t *params = cli->argument_count > 0 ? json_pack("{s:s}", "classifier", cli->arguments[0]) : json_object();
    json_t *result = NULL;
    const json_t *identity;
    int status = params ? identity_put(cli, params, CLI_OPTION_FRIENDLY_NAME, "friendly_name") : CLI_OK;
    if (status == CLI_OK && params)
        status = identity_put(cli, params, CLI_OPTION_PROFILE, "profile");
    if (status != CLI_OK) {
        json_decref(params);
        return status;
    }
    if (params && cli->options[CLI_OPTION_DEFAULT])
        json_object_set_new(params, "default", json_true());
    status = identity_call(cli, "identities.create", params, &result, &identity);
    if (status == CLI_OK)
        cli_print_done(cli, result, "%s is made%s", cli_text(identity, "name"),
                       json_is_true(json_object_get(identity, "default")) ? ", and is the default" : "");
    json_decref(result);
    return status;
}

static void identity_print(const json_t *identity)
{
    char words[CLI_WORDS];
    fputs("identity    ", stdout);
    cli_print_clean(cli_text(identity, "name"));
    fputs("\nname        ", stdout);
    cli_print_clean(cli_text(identity, "friendly_name"));
    putchar('\n');
    if (cli_text(identity, "host")[0])
        printf("host        %s\n", cli_text(identity, "host"));
    printf("profile     %s%s\n", cli_text(identity, "profile"),
           json_is_true(json_object_get(identity, "default")) ? ", the default" : "");
    printf("public key  %s\n", cli_text(identity, "public_key"));
    printf("key         %s\n", identity_key(identity, words));
    printf("since       %s\n", cli_time(cli_integer(identity, "created"), words));
}

static void identity_print_xml(const json_t *identity)
{
    puts(cli_text(identity, "xml"));
}

static int identity_show(struct cli *cli, void (*print)(const json_t *identity))
{
    json_t *result;
    const json_t *identity;
    int status = identity_call(cli, "identities.show", identity_params(cli), &result, &identity);
    if (status == CLI_OK && cli->json)
        cli_print_json(result);
    else if (status == CLI_OK)
        print(identity);
    json_decref(result);
    return status;
}

int cli_run_identity_show(struct cli *cli)
{
    return identity_show(cli, identity_print);
}

int cli_run_identity_xml(struct cli *cli)
{
    return identity_show(cli, identity_print_xml);
}

int cli_run_identity_rename(struct cli *cli)
{
    json_t *result, *params = cli->argument_count > 1 ? json_pack("{s:s, s:s}", "identity", cli->arguments[0],
                                                                  "friendly_name", cli->arguments[1])
                                                      : identity_params(cli);
    const json_t *identity;
    int status = identity_call(cli, "identities.rename", params, &result, &identity);
    if (status == CLI_OK)
        cli_print_done(cli, result, "%s is now called %s", cli_text(identity, "name"),
                       cli_text(identity, "friendly_name"));
    json_decref(result);
    return status;
}

int cli_run_identity_delete(struct cli *cli)
{
    return cli_call_each(cli, "identities.delete", "identity", "deleted");
}

int cli_run_identity_default(struct cli *cli)
{
    json_t *result;
    const json_t *identity;
    int status = identity_call(cli, "identities.set_default", identity_params(cli), &result, &identity);
    if (status == CLI_OK)
        cli_print_done(cli, result, "%s is the default of profile %s", cli_text(identity, "name"),
                       cli_text(identity, "profile"));
    json_decref(result);
    return status;
}

int cli_run_identity_rotate(struct cli *cli)
{
    json_t *result, *params = identity_params(cli);
    const json_t *identity;
    long overlap;
    int status = cli_lifetime(cli, CLI_OPTION_OVERLAP, &overlap);
    if (status != CLI_OK) {
        json_decref(params);
        return status;
    }
    if (overlap >= 0 && params)
        json_object_set_new(params, "overlap_s", json_integer(overlap));
    status = identity_call(cli, "identities.rotate", params, &result, &identity);
    if (status == CLI_OK) {
        char words[CLI_WORDS];
        cli_print_done(cli, result, "%s has a new key; the old one is valid for another %s", cli_text(identity, "name"),
                       cli_duration((double)(cli_integer(identity, "old_key_until") - (json_int_t)time(NULL)), words));
    }
    json_decref(result);
    return status;
}

/* --- files --- */

/* "-": standard output; a file must not be there yet, and is its owner's alone. */
static int identity_write(const char *name, const char *text)
{
    if (strcmp(name, "-") == 0)
        return puts(text) < 0 ? CLI_FAILED : CLI_OK;
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return cli_fail(CLI_FAILED, "%s: %s", name, strerror(error));
    }
    bool failed = fprintf(file, "%s\n", text) < 0;
    failed |= fclose(file) != 0;
    if (!failed)
        return CLI_OK;
    unlink(name);
    return cli_fail(CLI_FAILED, "%s: cannot be written: %s", name, strerror(errno));
}

int cli_run_identity_export(struct cli *cli)
{
    char password[CLI_PASSWORD_MAX];
    json_t *result = NULL;
    int status = cli_password(cli, true, password);
    if (status != CLI_OK)
        return status;
    json_t *params = json_pack("{s:s, s:s}", "identity", cli->arguments[0], "password", password);
    sodium_memzero(password, sizeof(password));
    if (!params)
        return cli_fail(CLI_USAGE, "an argument or the password is no UTF-8");
    status = cli_call(cli, "identities.export", params, &result);
    if (status == CLI_OK && cli->json)
        cli_print_json(result);
    else if (status == CLI_OK)
        status = identity_write(cli->argument_count > 1 ? cli->arguments[1] : "-", cli_text(result, "xml"));
    json_decref(result);
    return status;
}

int cli_run_identity_import(struct cli *cli)
{
    char password[CLI_PASSWORD_MAX];
    json_t *result = NULL;
    const json_t *identity;
    char *text;
    size_t length;
    int status = cli_read_file(cli->arguments[0], "export of an identity", FILE_MAX, &text, &length);
    if (status != CLI_OK)
        return status;
    status = cli_password(cli, false, password);
    if (status == CLI_OK)
        status = identity_call(cli, "identities.import", json_pack("{s:s, s:s}", "xml", text, "password", password),
                               &result, &identity);
    sodium_memzero(password, sizeof(password));
    free(text);
    if (status == CLI_OK)
        cli_print_done(cli, result, "%s is imported", cli_text(identity, "name"));
    json_decref(result);
    return status;
}
