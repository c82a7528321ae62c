/* bypeer record list, publish, update, delete and watch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/cli/group.h"
#include "tools/cli/table.h"
#include "tools/lib/base64.h"

#define PAYLOAD_MAX (1 << 20)
#define PAGE        1000
#define WATCH_MS    20000 /* of one question; a library waits longer for an answer */
#define PREVIEW     48

/* --- what a record holds --- */

static int take_file(const char *file, json_t *params)
{
    char *bytes, *text;
    size_t length;
    int status = cli_read_file(file, NULL, PAYLOAD_MAX, &bytes, &length);
    if (status != CLI_OK)
        return status;
    text = malloc(BASE64_BYTES(length));
    if (text) {
        base64_write((const uint8_t *)bytes, length, text);
        json_object_set_new(params, "payload", json_string(text));
        json_object_set_new(params, "payload_type", json_string("binary"));
    }
    free(bytes);
    free(text);
    return text ? CLI_OK : cli_fail(CLI_FAILED, "out of memory");
}

/* The options of publish and update; params is used up when it fails. */
static int take_contents(const struct cli *cli, json_t *params)
{
    const char *file = cli->options[CLI_OPTION_PAYLOAD_FILE];
    long lifetime;
    if (!params)
        return cli_fail(CLI_USAGE, "an argument is no UTF-8");
    int status = cli_lifetime(cli, CLI_OPTION_EXPIRES, &lifetime);
    if (status == CLI_OK && file && cli->options[CLI_OPTION_PAYLOAD])
        status = cli_fail(CLI_USAGE, "--payload and --payload-file: give one of them");
    if (status == CLI_OK && lifetime == 0)
        status = cli_fail(CLI_USAGE, "--expires: a record lives for some time; write one like 30d, 12h or 90m");
    if (status == CLI_OK && lifetime > 0)
        json_object_set_new(params, "lifetime_s", json_integer(lifetime));
    if (status == CLI_OK && file)
        status = take_file(file, params);
    if (status != CLI_OK)
        json_decref(params);
    return status;
}

static int change_record(struct cli *cli, const char *method, json_t *params, const char *what)
{
    json_t *result = NULL;
    int status = cli_call(cli, method, params, &result);
    if (status == CLI_OK)
        cli_print_done(cli, result, "%s is %s", cli_text(result, "id")[0] ? cli_text(result, "id") : cli->arguments[1],
                       what);
    json_decref(result);
    return status;
}

static json_t *contents(const struct cli *cli, const char *key)
{
    return json_pack("{s:s, s:s, s:s*, s:s*}", "group", cli->arguments[0], key, cli->arguments[1], "payload",
                     cli->options[CLI_OPTION_PAYLOAD], "attributes", cli->options[CLI_OPTION_ATTRIBUTES]);
}

int cli_run_record_publish(struct cli *cli)
{
    json_t *params = contents(cli, "type");
    int status = take_contents(cli, params);
    return status == CLI_OK ? change_record(cli, "record.publish", params, "published") : status;
}

int cli_run_record_update(struct cli *cli)
{
    json_t *params = contents(cli, "id");
    int status = take_contents(cli, params);
    return status == CLI_OK ? change_record(cli, "record.update", params, "updated") : status;
}

int cli_run_record_delete(struct cli *cli)
{
    return change_record(cli, "record.delete",
                         json_pack("{s:s, s:s}", "group", cli->arguments[0], "id", cli->arguments[1]), "deleted");
}

/* --- lists --- */

static json_t *filter(const struct cli *cli)
{
    return json_pack("{s:s, s:s*, s:s*, s:s*, s:b}", "group", cli->arguments[0], "type", cli->options[CLI_OPTION_TYPE],
                     "creator", cli->options[CLI_OPTION_CREATOR], "search", cli->options[CLI_OPTION_SEARCH], "all",
                     cli->options[CLI_OPTION_ALL] ? 1 : 0);
}

/* What a terminal obeys: C0, DEL, and C1 in UTF-8, by either of its bytes. */
static bool preview_is_control(const char *text, size_t at)
{
    const unsigned char byte = (unsigned char)text[at], next = byte ? (unsigned char)text[at + 1] : 0;
    return byte < ' ' || byte == 0x7f || (byte == 0xc2 && (next & 0xe0) == 0x80) ||
           (at > 0 && (unsigned char)text[at - 1] == 0xc2 && (byte & 0xe0) == 0x80);
}

/* The beginning of a text, without what a terminal would take for a command. */
static const char *preview(const json_t *record, char ret_text[static PREVIEW + 4])
{
    const char *text = cli_text(record, "payload");
    size_t length = 0;
    if (strcmp(cli_text(record, "payload_type"), "binary") == 0)
        return "(bytes)";
    for (; text[length] && length < PREVIEW; length++)
        ret_text[length] = preview_is_control(text, length) ? '?' : text[length];
    while (length > 0 && text[length] && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--; /* not within a character */
    snprintf(ret_text + length, PREVIEW + 4 - length, "%s", text[length] ? "..." : "");
    return ret_text;
}

static void add_rows(struct cli_table *table, const json_t *records)
{
    char words[CLI_WORDS], text[PREVIEW + 4];
    time_t now = time(NULL);
    size_t i;
    json_t *record;
    json_array_foreach (records, i, record) {
        json_int_t left = cli_integer(record, "expires") - now;
        cli_table_row(table);
        cli_table_cell(table, cli_text(record, "id"));
        cli_table_cell(table, cli_text(record, "type"));
        cli_table_number(table, cli_integer(record, "version"));
        cli_table_format(table, "%.12s", cli_text(record, "creator"));
        cli_table_cell(table, cli_duration((double)(left > 0 ? left : 0), words));
        cli_table_cell(table, preview(record, text));
    }
}

int cli_run_record_list(struct cli *cli)
{
    static const struct cli_column columns[] = {{"ID", false},      {"TYPE", false},    {"VERSION", true},
                                                {"CREATOR", false}, {"EXPIRES", false}, {"PAYLOAD", false}};
    long limit, shown = 0;
    int status = cli_number(cli, CLI_OPTION_LIMIT, 1, 1000000, 1000000, &limit);
    if (status != CLI_OK)
        return status;
    json_t *all = json_array(), *after = NULL;
    struct cli_table *table = cli->json ? NULL : cli_table_begin(cli, columns, 6);
    do {
        json_t *params = filter(cli), *result = NULL;
        if (params && after)
            json_object_set(params, "after", after);
        if (params)
            json_object_set_new(params, "limit", json_integer(limit - shown < PAGE ? limit - shown : PAGE));
        status = params ? cli_call(cli, "record.list", params, &result) : cli_fail(CLI_USAGE, "an option is no UTF-8");
        json_decref(after);
        after = NULL;
        if (status != CLI_OK)
            break;
        const json_t *records = json_object_get(result, "records");
        shown += (long)json_array_size(records);
        if (cli->json)
            json_array_extend(all, (json_t *)records);
        else
            add_rows(table, records);
        if (json_is_string(json_object_get(result, "next")) && shown < limit)
            after = json_incref(json_object_get(result, "next"));
        json_decref(result);
    } while (after);
    if (cli->json && status == CLI_OK) {
        json_t *whole = json_pack("{s:O}", "records", all);
        cli_print_json(whole);
        json_decref(whole);
    }
    json_decref(all);
    if (status != CLI_OK) {
        cli_table_abandon(table);
        return status;
    }
    return cli->json ? CLI_OK : cli_table_end(table);
}

/* --- watching --- */

static void print_event(const struct cli *cli, const json_t *event)
{
    const json_t *record = json_object_get(event, "record");
    char text[PREVIEW + 4];
    if (cli->json) {
        json_dumpf(event, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        printf("%-8s %s %s version %lld of %.12s  %s\n", cli_text(event, "change"), cli_text(record, "id"),
               cli_text(record, "type"), (long long)cli_integer(record, "version"), cli_text(record, "creator"),
               preview(record, text));
    }
    fflush(stdout);
}

int cli_run_record_watch(struct cli *cli)
{
    long timeout, limit, shown = 0;
    json_t *next = NULL;
    int status = cli_number(cli, CLI_OPTION_TIMEOUT, 1, 31536000, 0, &timeout);
    if (status == CLI_OK)
        status = cli_number(cli, CLI_OPTION_LIMIT, 1, 1000000000, 0, &limit);
    time_t end = time(NULL) + timeout;
    while (status == CLI_OK && (timeout == 0 || time(NULL) < end) && (limit == 0 || shown < limit)) {
        long left = timeout == 0 ? WATCH_MS : (long)(end - time(NULL)) * 1000;
        json_t *params = filter(cli), *result = NULL, *event;
        size_t i;
        if (!params)
            return cli_fail(CLI_USAGE, "an option is no UTF-8");
        if (next)
            json_object_set(params, "after", next);
        json_object_set_new(params, "timeout_ms", json_integer(left < WATCH_MS ? left : WATCH_MS));
        status = cli_call(cli, "record.watch", params, &result);
        json_decref(next);
        next = json_incref(json_object_get(result, "next"));
        if (status == CLI_OK && json_is_false(json_object_get(result, "whole")))
            fprintf(stderr, "bypeer: changes came faster than they were taken; some are not shown\n");
        json_array_foreach (json_object_get(result, "events"), i, event) {
            if (limit == 0 || shown++ < limit)
                print_event(cli, event);
        }
        json_decref(result);
    }
    json_decref(next);
    return status;
}
