/*
 * Tables for people, by libsmartcols. A long list is printed in pages, so that it costs neither memory nor patience;
 * the pages after the first keep its columns.
 */
#pragma once

#include "tools/cli/cli.h"

struct cli_column {
    const char *title;
    bool right; /* numbers */
};

enum cli_colour { CLI_PLAIN, CLI_GOOD, CLI_BAD, CLI_FAINT };

struct cli_table;

/* NULL: out of memory; the other functions take that and do nothing. */
struct cli_table *cli_table_begin(const struct cli *cli, const struct cli_column *columns, unsigned count);
void cli_table_row(struct cli_table *table);
/* The next cell of the row; values with a NULL text are empty. */
void cli_table_cell(struct cli_table *table, const char *text);
void cli_table_colour(struct cli_table *table, const char *text, enum cli_colour colour);
void cli_table_number(struct cli_table *table, long long number);
__attribute__((format(printf, 2, 3))) void cli_table_format(struct cli_table *table, const char *format, ...);
/* Prints what is left. CLI_OK, or CLI_FAILED after a message. */
int cli_table_end(struct cli_table *table);
/* After a failure: prints the rows that there are. */
void cli_table_abandon(struct cli_table *table);

/* Wraps text in a colour if there are any. */
const char *cli_colour_begin(const struct cli *cli, enum cli_colour colour);
const char *cli_colour_end(const struct cli *cli);

/* 1536 -> "1.5 KiB"; 4000 s -> "1 h 6 min". */
#define CLI_WORDS 32
const char *cli_bytes(double bytes, char text[static CLI_WORDS]);
const char *cli_duration(double seconds, char text[static CLI_WORDS]);
/* "2026-11-22 20:15 UTC"; Unix seconds, and "never" from 2100 on. */
const char *cli_time(json_int_t seconds, char text[static CLI_WORDS]);
