/* bypeer name publish, update, unpublish and list. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/names.h"
#include "tools/cli/table.h"
#include "tools/lib/base64.h"

static bool port_read(const char *text, json_int_t *ret_port)
{
    char *end;
    errno = 0;
    long port = strtol(text, &end, 10);
    *ret_port = port;
    return end != text && *end == '\0' && errno == 0 && port >= 0 && port <= 65535 && text[0] != '-';
}

/* "[2001:db8::1]:80", or with "/udp" after it. NULL: it is none. */
static json_t *endpoint_read(const char *text)
{
    char address[64] = "";
    const char *protocol = strchr(text, '/');
    char port[16] = "";
    struct in6_addr read;
    json_int_t number;
    if (sscanf(text, "[%63[0-9a-fA-F:.]]:%15[0-9]", address, port) != 2 || !port_read(port, &number) ||
        inet_pton(AF_INET6, address, &read) != 1)
        return NULL;
    size_t length = strlen(address) + 3 + strlen(port);
    if (text[length] != (protocol ? '/' : '\0') ||
        (protocol && strcmp(protocol, "/udp") != 0 && strcmp(protocol, "/tcp") != 0))
        return NULL;
    return json_pack("{s:s, s:I, s:s}", "address", address, "port", number, "protocol",
                     protocol ? protocol + 1 : "tcp");
}

static int take_endpoints(const struct cli *cli, json_t *params)
{
    json_t *texts = cli_values(cli, CLI_OPTION_ENDPOINT);
    json_t *endpoints = texts ? json_array() : NULL;
    size_t i;
    json_t *text;
    int status = CLI_OK;
    json_array_foreach (texts, i, text) {
        json_t *endpoint = endpoint_read(json_string_value(text) ? json_string_value(text) : "");
        if (!endpoint && status == CLI_OK)
            status = cli_fail(CLI_USAGE, "--endpoint: %s is no endpoint; write [ADDRESS]:PORT or [ADDRESS]:PORT/udp",
                              json_string_value(text) ? json_string_value(text) : "it");
        json_array_append_new(endpoints, endpoint);
    }
    json_decref(texts);
    if (endpoints)
        json_object_set_new(params, "endpoints", endpoints);
    return status;
}

/* A file's bytes in base64. */
static int take_file(const char *name, json_t *params)
{
    uint8_t bytes[BYPEER_NAME_PAYLOAD_MAX + 1];
    char text[BASE64_BYTES(BYPEER_NAME_PAYLOAD_MAX)];
    FILE *file = fopen(name, "re");
    if (!file)
        return cli_fail(CLI_FAILED, "%s: %s", name, strerror(errno));
    size_t length = fread(bytes, 1, sizeof(bytes), file);
    bool failed = ferror(file);
    fclose(file);
    if (failed)
        return cli_fail(CLI_FAILED, "%s: cannot be read", name);
    if (length > BYPEER_NAME_PAYLOAD_MAX)
        return cli_fail(CLI_FAILED, "%s: is too long; a payload has at most %d bytes", name, BYPEER_NAME_PAYLOAD_MAX);
    base64_write(bytes, length, text);
    json_object_set_new(params, "payload", json_string(text));
    json_object_set_new(params, "payload_type", json_string("binary"));
    return CLI_OK;
}

static int take_text(const struct cli *cli, enum cli_option_id option, const char *key, json_t *params)
{
    if (!cli->options[option] || json_object_set_new(params, key, json_string(cli->options[option])) == 0)
        return CLI_OK;
    return cli_fail(CLI_USAGE, "--%s: is no UTF-8", cli_options[option].name);
}

/* What a name stands for: the options of publish and update. */
static int take_contents(const struct cli *cli, json_t *params)
{
    const char *file = cli->options[CLI_OPTION_PAYLOAD_FILE];
    long port;
    if (cli->options[CLI_OPTION_PAYLOAD] && file)
        return cli_fail(CLI_USAGE, "--payload and --payload-file: give one of them");
    if (cli->options[CLI_OPTION_ENDPOINT] && (cli->options[CLI_OPTION_PORT] || cli->options[CLI_OPTION_PROTOCOL]))
        return cli_fail(CLI_USAGE, "--endpoint: has a port and protocol of its own; leave out --port and --protocol");
    int status = cli_number(cli, CLI_OPTION_PORT, 0, 65535, -1, &port);
    if (status == CLI_OK && port >= 0)
        json_object_set_new(params, "port", json_integer(port));
    if (status == CLI_OK)
        status = take_endpoints(cli, params);
    if (status == CLI_OK)
        status = take_text(cli, CLI_OPTION_PROTOCOL, "protocol", params);
    if (status == CLI_OK)
        status = take_text(cli, CLI_OPTION_COMMENT, "comment", params);
    if (status == CLI_OK)
        status = take_text(cli, CLI_OPTION_PAYLOAD, "payload", params);
    return status == CLI_OK && file ? take_file(file, params) : status;
}

static void print_published(const struct cli *cli, const json_t *result)
{
    size_t i;
    json_t *registration;
    if (cli->json) {
        cli_print_json(result);
        return;
    }
    printf("%s is published", cli_text(result, "name"));
    json_array_foreach (json_object_get(result, "registrations"), i, registration) {
        printf("%s%s", i ? ", " : " in ", cli_text(registration, "cloud"));
    }
    putchar('\n');
    if (cli_text(result, "host")[0])
        printf("any program finds it as %s\n", cli_text(result, "host"));
}

int cli_run_name_publish(struct cli *cli)
{
    const char *name = cli->arguments[0];
    struct bypeer_peer_name_parts parts;
    bool whole = bypeer_peer_name_parse(name, &parts, NULL) == 0;
    json_t *params = json_object();
    json_t *result = NULL;
    int status = take_contents(cli, params);
    if (status == CLI_OK && json_object_set_new(params, whole ? "name" : "classifier", json_string(name)) < 0)
        status = cli_fail(CLI_USAGE, "the name is no UTF-8");
    if (status == CLI_OK && cli->options[CLI_OPTION_UNSECURED] && whole && strcmp(parts.authority, "0") != 0)
        status = cli_fail(CLI_USAGE, "--unsecured: %s is a secure name; leave out its authority", name);
    if (status != CLI_OK) {
        json_decref(params);
        return status;
    }
    if (cli->options[CLI_OPTION_UNSECURED] && !whole)
        json_object_set_new(params, "unsecured", json_true());
    if (cli->options[CLI_OPTION_CLOUD])
        json_object_set_new(params, "clouds", cli_values(cli, CLI_OPTION_CLOUD));
    status = cli_call(cli, "names.publish", params, &result);
    if (status == CLI_OK)
        print_published(cli, result);
    json_decref(result);
    return status;
}

int cli_run_name_update(struct cli *cli)
{
    json_t *params = json_object();
    json_t *result = NULL;
    int status = take_contents(cli, params);
    if (status == CLI_OK && json_object_set_new(params, "name", json_string(cli->arguments[0])) < 0)
        status = cli_fail(CLI_USAGE, "the name is no UTF-8");
    if (status != CLI_OK) {
        json_decref(params);
        return status;
    }
    status = cli_call(cli, "names.update", params, &result);
    if (status == CLI_OK)
        cli_print_done(cli, result, "%s is updated", cli->arguments[0]);
    json_decref(result);
    return status;
}

int cli_run_name_unpublish(struct cli *cli)
{
    int status = CLI_OK;
    for (unsigned i = 0; i < cli->argument_count && status == CLI_OK; i++) {
        json_t *params =
            json_pack("{s:s, s:o*}", "name", cli->arguments[i], "clouds", cli_values(cli, CLI_OPTION_CLOUD));
        json_t *result = NULL;
        if (!params)
            return cli_fail(CLI_USAGE, "an argument is no UTF-8");
        status = cli_call(cli, "names.unpublish", params, &result);
        if (status == CLI_OK && cli_integer(result, "removed") == 0)
            status = cli_fail(CLI_REFUSED, "name %s: is in none of these clouds; list what is with: bypeer name list",
                              cli->arguments[i]);
        else if (status == CLI_OK)
            cli_print_done(cli, result, "%s is unpublished", cli->arguments[i]);
        json_decref(result);
    }
    return status;
}

const char *cli_endpoint(const json_t *endpoint, char text[static CLI_ENDPOINT])
{
    const json_t *protocol = json_object_get(endpoint, "protocol");
    char suffix[24] = "";
    if (json_is_integer(protocol))
        snprintf(suffix, sizeof(suffix), "/%lld", (long long)json_integer_value(protocol));
    else if (json_is_string(protocol) && strcmp(json_string_value(protocol), "udp") == 0)
        snprintf(suffix, sizeof(suffix), "/udp");
    snprintf(text, CLI_ENDPOINT, "[%s]:%lld%s", cli_text(endpoint, "address"), (long long)cli_integer(endpoint, "port"),
             suffix);
    return text;
}

int cli_run_name_list(struct cli *cli)
{
    static const struct cli_column columns[] = {{"NAME", false},     {"CLOUD", false},  {"STATE", false},
                                                {"ENDPOINT", false}, {"PAYLOAD", true}, {"COMMENT", false},
                                                {"HOST", false}};
    json_t *result;
    int status = cli_list(cli, "names.list", NULL, &result);
    if (!result)
        return status;
    struct cli_table *table = cli_table_begin(cli, columns, 7);
    size_t i;
    json_t *name;
    json_array_foreach (json_object_get(result, "names"), i, name) {
        const json_t *endpoints = json_object_get(name, "endpoints");
        bool published = strcmp(cli_text(name, "state"), "published") == 0;
        char text[CLI_ENDPOINT];
        cli_table_row(table);
        cli_table_cell(table, cli_text(name, "name"));
        cli_table_cell(table, cli_text(name, "cloud"));
        cli_table_colour(table, cli_text(name, "state"), published ? CLI_GOOD : CLI_BAD);
        if (json_array_size(endpoints) > 1)
            cli_table_format(table, "%s and %zu more", cli_endpoint(json_array_get(endpoints, 0), text),
                             json_array_size(endpoints) - 1);
        else
            cli_table_cell(table, json_array_size(endpoints) ? cli_endpoint(json_array_get(endpoints, 0), text) : NULL);
        cli_table_number(table, cli_integer(name, "payload_bytes"));
        cli_table_cell(table, cli_text(name, "comment"));
        cli_table_colour(table, cli_text(name, "host"), CLI_FAINT);
    }
    json_decref(result);
    return cli_table_end(table);
}
