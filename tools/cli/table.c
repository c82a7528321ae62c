#include "tools/cli/table.h"

#include <libsmartcols.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE_ROWS   1000u
#define COLUMNS_MAX 16u
#define CELL_BYTES  1024
#define FOREVER_S   INT64_C(4102444800) /* 2100: what is valid until then needs no date */

struct cli_table {
    const struct cli *cli;
    const struct cli_column *columns;
    unsigned column_count;
    struct libscols_table *scols;
    struct libscols_line *line;
    unsigned rows, cell;
    size_t widths[COLUMNS_MAX]; /* of the pages so far */
    bool later;                 /* the first page is out */
    bool failed;
};

static const char *const scols_colours[] = {[CLI_GOOD] = "green", [CLI_BAD] = "red", [CLI_FAINT] = "darkgray"};
static const char *const sequences[] = {
    [CLI_PLAIN] = "", [CLI_GOOD] = "\033[32m", [CLI_BAD] = "\033[31m", [CLI_FAINT] = "\033[90m"};

static struct libscols_table *page_begin(const struct cli_table *table)
{
    struct libscols_table *scols = scols_new_table();
    if (!scols)
        return NULL;
    scols_table_enable_noheadings(scols, table->later);
    scols_table_enable_colors(scols, table->cli->colours);
    scols_table_set_termforce(scols, SCOLS_TERMFORCE_NEVER);
    for (unsigned i = 0; i < table->column_count; i++) {
        bool last = i + 1 == table->column_count;
        /* A hint of 1 and more is a width in cells; the last column needs none. */
        double hint = last || table->widths[i] == 0 ? 0.0 : (double)table->widths[i];
        if (!scols_table_new_column(scols, table->columns[i].title, hint,
                                    table->columns[i].right ? SCOLS_FL_RIGHT : 0)) {
            scols_unref_table(scols);
            return NULL;
        }
    }
    return scols;
}

struct cli_table *cli_table_begin(const struct cli *cli, const struct cli_column *columns, unsigned count)
{
    struct cli_table *table = calloc(1, sizeof(*table));
    if (!table)
        return NULL;
    *table =
        (struct cli_table){.cli = cli, .columns = columns, .column_count = count < COLUMNS_MAX ? count : COLUMNS_MAX};
    for (unsigned i = 0; i < table->column_count; i++)
        table->widths[i] = strlen(columns[i].title);
    table->scols = page_begin(table);
    table->failed = !table->scols;
    return table;
}

static void page_end(struct cli_table *table)
{
    if (table->scols && (table->rows || !table->later))
        table->failed = scols_print_table(table->scols) != 0 || table->failed;
    scols_unref_table(table->scols);
    table->scols = NULL;
    table->line = NULL;
    table->rows = 0;
    table->later = true;
}

void cli_table_row(struct cli_table *table)
{
    if (!table || table->failed)
        return;
    if (table->rows == PAGE_ROWS) {
        page_end(table);
        table->scols = page_begin(table);
    }
    table->line = table->scols ? scols_table_new_line(table->scols, NULL) : NULL;
    table->failed = table->failed || !table->line;
    table->rows++;
    table->cell = 0;
}

void cli_table_colour(struct cli_table *table, const char *text, enum cli_colour colour)
{
    if (!table || table->failed || table->cell >= table->column_count)
        return;
    const char *shown = text && text[0] ? text : "-";
    if (strlen(shown) > table->widths[table->cell])
        table->widths[table->cell] = strlen(shown);
    table->failed = scols_line_set_data(table->line, table->cell, shown) != 0;
    if (colour && table->cli->colours)
        scols_cell_set_color(scols_line_get_cell(table->line, table->cell), scols_colours[colour]);
    table->cell++;
}

void cli_table_cell(struct cli_table *table, const char *text)
{
    cli_table_colour(table, text, CLI_PLAIN);
}

void cli_table_number(struct cli_table *table, long long number)
{
    cli_table_format(table, "%lld", number);
}

void cli_table_format(struct cli_table *table, const char *format, ...)
{
    char text[CELL_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    cli_table_cell(table, text);
}

int cli_table_end(struct cli_table *table)
{
    if (!table)
        return cli_fail(CLI_FAILED, "out of memory");
    bool empty = !table->rows && !table->later;
    page_end(table);
    if (empty)
        fputs("none\n", stderr); /* not on standard output, where a program may count lines */
    bool failed = table->failed;
    free(table);
    return failed ? cli_fail(CLI_FAILED, "the table cannot be printed: out of memory, or the output is closed")
                  : CLI_OK;
}

void cli_table_abandon(struct cli_table *table)
{
    if (table)
        page_end(table);
    free(table);
}

const char *cli_colour_begin(const struct cli *cli, enum cli_colour colour)
{
    return cli->colours ? sequences[colour] : "";
}

const char *cli_colour_end(const struct cli *cli)
{
    return cli->colours ? "\033[0m" : "";
}

const char *cli_bytes(double bytes, char text[static CLI_WORDS])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    unsigned unit = 0;
    while (bytes >= 1024 && unit < 5) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, CLI_WORDS, unit && bytes < 100 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return text;
}

const char *cli_duration(double seconds, char text[static CLI_WORDS])
{
    long long whole = seconds > 0 && seconds < 1e15 ? (long long)seconds : 0;
    if (whole >= 86400)
        snprintf(text, CLI_WORDS, "%lld d %lld h", whole / 86400, whole / 3600 % 24);
    else if (whole >= 3600)
        snprintf(text, CLI_WORDS, "%lld h %lld min", whole / 3600, whole / 60 % 60);
    else if (whole >= 60)
        snprintf(text, CLI_WORDS, "%lld min %lld s", whole / 60, whole % 60);
    else
        snprintf(text, CLI_WORDS, "%lld s", whole);
    return text;
}

const char *cli_time(json_int_t seconds, char text[static CLI_WORDS])
{
    time_t at = (time_t)seconds;
    struct tm parts;
    if (seconds >= FOREVER_S || !gmtime_r(&at, &parts) || strftime(text, CLI_WORDS, "%F %R UTC", &parts) == 0)
        return "never";
    return text;
}
