/*
 * One run of `bypeer`: what the command line says, the connection, and how results are told.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "tools/cli/command.h"
#include "tools/lib/bypeer.h"

/* Exit status, documented in bypeer(1). */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,      /* a file cannot be read or is wrong, out of memory, no answer */
    CLI_USAGE = 2,       /* the command line is wrong */
    CLI_UNREACHABLE = 3, /* nobody answers at the socket */
    CLI_REFUSED = 4,     /* the daemon says no */
};

struct cli {
    const struct cli_command *command;
    const char *const *arguments;
    unsigned argument_count;
    const char *options[CLI_OPTIONS]; /* value, or "" of one that takes none; NULL: not given */
    bool json;
    bool colours; /* standard output is a terminal that wants them */
    struct bypeer *node;
    const char *socket; /* where node is connected, or should have been */
};

/* Reads the command line. CLI_OK, or CLI_USAGE after a message. */
int cli_parse(struct cli *cli, int argc, char **argv);

/* "bypeer: ..." on standard error; returns status. */
__attribute__((format(printf, 2, 3))) int cli_fail(int status, const char *format, ...);

/* An option's value as a number; `missing` if it is not given. CLI_OK or CLI_USAGE after a message. */
int cli_number(const struct cli *cli, enum cli_option_id option, long minimum, long maximum, long missing,
               long *ret_number);

/* A time: "30d", "12h", "90m", "45s" in seconds, "never" 0; -1: it is not given. CLI_OK or CLI_USAGE after a message.
 */
int cli_lifetime(const struct cli *cli, enum cli_option_id option, long *ret_seconds);
/*
 * All of a file ("-": standard input) of at most `maximum` bytes, with a NUL behind it, to be freed. what: it is text
 * without NUL, called so in messages; NULL: any bytes. CLI_OK, or CLI_FAILED after a message.
 */
int cli_read_file(const char *file, const char *what, size_t maximum, char **ret_text, size_t *ret_length);

/* Connects, once. CLI_OK, or CLI_UNREACHABLE or CLI_FAILED after a message. */
int cli_connect(struct cli *cli);
/* Connects and calls a method; params is used up. CLI_OK and the result, or another status after a message. */
int cli_call(struct cli *cli, const char *method, json_t *params, json_t **ret_result);
/*
 * Calls a method once for each argument, as the parameter `key`, and tells that "... is {done}"; the first refusal ends
 * it.
 */
int cli_call_each(struct cli *cli, const char *method, const char *key, const char *done);
/* The status for an error of libbypeer, after a message. */
int cli_call_failed(const struct cli *cli, int error);
/* Calls a list method; with -o json prints its result, and *ret_result is NULL. */
int cli_list(struct cli *cli, const char *method, json_t *params, json_t **ret_result);
/* Prints a result with -o json. */
void cli_print_json(const json_t *result);
/* Text that somebody else wrote (UTF-8), without what a terminal takes for orders: the control characters C0 and C1. */
void cli_print_clean(const char *text);
/* For changes: the result with -o json, else the text and a newline. */
__attribute__((format(printf, 3, 4))) void cli_print_done(const struct cli *cli, const json_t *result,
                                                          const char *format, ...);

/* Loads the file that --config names, else the usual one. CLI_OK, or CLI_FAILED after messages. */
struct bypeer_config;
int cli_load_config(const char *file, struct bypeer_config **ret_config);
const char *cli_config_file(const struct cli *cli);

/* Help about a command; NULL: all. */
void cli_print_help(FILE *out, const struct cli_command *command);

/* The values of an option that are parted by commas; NULL: it was not given. */
json_t *cli_values(const struct cli *cli, enum cli_option_id option);

/* Members of a JSON object; missing ones are "" and 0. */
const char *cli_text(const json_t *object, const char *key);
json_int_t cli_integer(const json_t *object, const char *key);
