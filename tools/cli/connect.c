/* The way to the daemon, and what is said when it is closed. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "tools/cli/cli.h"

const char *cli_config_file(const struct cli *cli)
{
    return cli->options[CLI_OPTION_CONFIG] ? cli->options[CLI_OPTION_CONFIG] : BYPEER_CONFIG_FILE;
}

int cli_load_config(const char *file, struct bypeer_config **ret_config)
{
    struct bypeer_config_errors errors = {0};
    int error = bypeer_config_load(ret_config, file, &errors);
    fflush(stdout);
    for (size_t i = 0; i < errors.count; i++)
        fprintf(stderr, "%s\n", errors.messages[i]);
    if (error == -ENOMEM)
        cli_fail(CLI_FAILED, "%s: out of memory", file);
    bypeer_config_errors_free(&errors);
    return error ? CLI_FAILED : CLI_OK;
}

/*
 * Which socket: --socket, or that of the file that --config names, or the environment's, or the usual one; where there
 * is none but a configuration in the usual place, the one that it names.
 */
static int find_socket(struct cli *cli, char path[static 512])
{
    struct bypeer_config *config = NULL;
    const char *environment = getenv("BYPEER_SOCKET");
    if (cli->options[CLI_OPTION_SOCKET]) {
        snprintf(path, 512, "%s", cli->options[CLI_OPTION_SOCKET]);
        return CLI_OK;
    }
    if (cli->options[CLI_OPTION_CONFIG]) {
        if (cli_load_config(cli->options[CLI_OPTION_CONFIG], &config) != CLI_OK)
            return CLI_FAILED;
    } else if (environment && environment[0]) {
        snprintf(path, 512, "%s", environment);
        return CLI_OK;
    } else if (access(BYPEER_SOCKET, F_OK) == 0 || bypeer_config_load(&config, BYPEER_CONFIG_FILE, NULL) < 0) {
        snprintf(path, 512, "%s", BYPEER_SOCKET);
        return CLI_OK;
    }
    snprintf(path, 512, "%s/control.sock", config->node.run);
    bypeer_config_free(config);
    return CLI_OK;
}

int cli_connect(struct cli *cli)
{
    static char path[512];
    if (cli->node)
        return CLI_OK;
    int status = find_socket(cli, path);
    if (status != CLI_OK)
        return status;
    cli->socket = path;
    int error = bypeer_connect(&cli->node, path);
    if (error == -EACCES || error == -EPERM)
        return cli_fail(CLI_UNREACHABLE,
                        "you may not use the socket %s; become root, or join the group that tables.api-group names",
                        path);
    if (error == -ENOMEM)
        return cli_fail(CLI_FAILED, "out of memory");
    if (error)
        return cli_fail(CLI_UNREACHABLE,
                        "nobody answers at %s: %s; start bypeerd, or name its socket with --socket or --config", path,
                        strerror(-error));
    return CLI_OK;
}

/* Of a configuration that is refused: all that is wrong with it. Returns whether there was anything. */
static bool print_messages(const json_t *data)
{
    const json_t *messages = json_object_get(data, "messages");
    size_t i;
    json_t *message;
    json_array_foreach (messages, i, message)
        fprintf(stderr, "%s\n", json_string_value(message) ? json_string_value(message) : "");
    return json_array_size(messages) > 0;
}

int cli_call_failed(const struct cli *cli, int error)
{
    const char *text = bypeer_error_text(cli->node);
    if (error == -EREMOTEIO) {
        fflush(stdout);
        if (print_messages(bypeer_error_data(cli->node)))
            text = "refused whole, nothing was changed; mend what is above and try again";
        return cli_fail(bypeer_error_code(cli->node) == -32603 ? CLI_FAILED : CLI_REFUSED, "%s", text);
    }
    return cli_fail(error == -ECONNRESET ? CLI_UNREACHABLE : CLI_FAILED, "%s: %s", cli->socket, text);
}

int cli_call(struct cli *cli, const char *method, json_t *params, json_t **ret_result)
{
    int status = cli_connect(cli);
    if (status != CLI_OK) {
        json_decref(params);
        return status;
    }
    int error = bypeer_call(cli->node, method, params, ret_result);
    return error ? cli_call_failed(cli, error) : CLI_OK;
}

int cli_list(struct cli *cli, const char *method, json_t *params, json_t **ret_result)
{
    json_t *result;
    int status = cli_call(cli, method, params, &result);
    *ret_result = NULL;
    if (status != CLI_OK)
        return status;
    if (!cli->json) {
        *ret_result = result;
        return CLI_OK;
    }
    cli_print_json(result);
    json_decref(result);
    return CLI_OK;
}

int cli_call_each(struct cli *cli, const char *method, const char *key, const char *done)
{
    int status = CLI_OK;
    for (unsigned at = 0; at < cli->argument_count && status == CLI_OK; at++) {
        json_t *result = NULL, *params = json_pack("{s:s}", key, cli->arguments[at]);
        status = params ? cli_call(cli, method, params, &result) : cli_fail(CLI_USAGE, "an argument is no UTF-8");
        if (status == CLI_OK)
            cli_print_done(cli, result, "%s is %s", cli->arguments[at], done);
        json_decref(result);
    }
    return status;
}

void cli_print_json(const json_t *result)
{
    json_dumpf(result, stdout, JSON_INDENT(2));
    putchar('\n');
}

void cli_print_clean(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        bool is_c1 = at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;
        putchar(*at < ' ' || *at == 0x7f || is_c1 ? '?' : *at);
        at += is_c1;
    }
}

void cli_print_done(const struct cli *cli, const json_t *result, const char *format, ...)
{
    va_list arguments;
    if (cli->json) {
        cli_print_json(result);
        return;
    }
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

const char *cli_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

json_int_t cli_integer(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}
