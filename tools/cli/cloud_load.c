/* bypeer cloud load: a file, or standard input, of one route entry a line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"

#define BATCH     20000 /* entries in one request, which holds 4 MiB */
#define ID_DIGITS 64
#define BLANKS    " \t\r\n"

struct load {
    struct cli *cli;
    const char *name; /* of the file, for messages */
    FILE *in;
    unsigned long lines;
    json_t *entries; /* of the next request */
    json_int_t read, added;
};

static int wrong_line(const struct load *load, const char *why)
{
    return cli_fail(CLI_FAILED, "%s:%lu: %s", load->name, load->lines, why);
}

/* Takes the line apart, which is changed by it. *ret_entry is NULL for an empty one. */
static int read_line(const struct load *load, char *text, json_t **ret_entry)
{
    text[strcspn(text, "#")] = '\0';
    char *rest;
    char *id = strtok_r(text, BLANKS, &rest);
    char *endpoints = id ? strtok_r(NULL, BLANKS, &rest) : NULL;
    *ret_entry = NULL;
    if (!id)
        return CLI_OK;
    if (strlen(id) != ID_DIGITS || strspn(id, "0123456789abcdefABCDEF") != ID_DIGITS)
        return wrong_line(load, "there is no ID; write 64 hex digits");
    if (!endpoints || strtok_r(NULL, BLANKS, &rest))
        return wrong_line(load, "write ID and endpoints, [ADDRESS]:PORT with commas between them");
    json_t *list = json_array();
    for (char *endpoint = strtok_r(endpoints, ",", &rest); endpoint; endpoint = strtok_r(NULL, ",", &rest))
        json_array_append_new(list, json_string(endpoint));
    *ret_entry = json_pack("{s:s, s:o}", "id", id, "endpoints", list);
    return *ret_entry ? CLI_OK : wrong_line(load, "is no UTF-8");
}

static int send_batch(struct load *load)
{
    json_t *result = NULL;
    size_t count = json_array_size(load->entries);
    if (count == 0)
        return CLI_OK;
    int status = cli_call(load->cli, "clouds.load",
                          json_pack("{s:s, s:O}", "cloud", load->cli->arguments[0], "entries", load->entries), &result);
    if (status == CLI_OK) {
        load->read += (json_int_t)count;
        load->added += cli_integer(result, "added");
    } else {
        fprintf(stderr, "bypeer: of the %zu entries up to line %lu of %s\n", count, load->lines, load->name);
    }
    json_decref(result);
    json_array_clear(load->entries);
    return status;
}

static int load_all(struct load *load)
{
    char *text = NULL;
    size_t room = 0;
    int status = CLI_OK;
    while (status == CLI_OK && getline(&text, &room, load->in) >= 0) {
        json_t *entry;
        load->lines++;
        status = read_line(load, text, &entry);
        if (entry)
            json_array_append_new(load->entries, entry);
        if (status == CLI_OK && json_array_size(load->entries) == BATCH)
            status = send_batch(load);
    }
    free(text);
    if (status == CLI_OK && ferror(load->in))
        status = cli_fail(CLI_FAILED, "%s: cannot be read to its end", load->name);
    return status == CLI_OK ? send_batch(load) : status;
}

int cli_run_cloud_load(struct cli *cli)
{
    const char *file = cli->arguments[1];
    bool standard = strcmp(file, "-") == 0;
    struct load load = {.cli = cli, .name = standard ? "standard input" : file, .entries = json_array()};
    load.in = standard ? stdin : fopen(file, "re");
    if (!load.in) {
        json_decref(load.entries);
        return cli_fail(CLI_FAILED, "%s: %s", file, strerror(errno));
    }
    int status = load_all(&load);
    if (!standard)
        fclose(load.in);
    json_decref(load.entries);
    if (status != CLI_OK) {
        fprintf(stderr, "bypeer: %lld entries were loaded before; it does no harm to do it again\n",
                (long long)load.read);
        return status;
    }
    json_t *result = json_pack("{s:I, s:I}", "entries", load.read, "added", load.added);
    cli_print_done(cli, result, "%lld entries: %lld added", (long long)load.read, (long long)load.added);
    json_decref(result);
    return CLI_OK;
}
