/*
 * `bypeer`, the program, run against a daemon that the test plays on a socket: what the tests of the command line stand
 * on. The run sets BYPEER_PROGRAM.
 */
#pragma once

#include <jansson.h>
#include <pthread.h>

/* What the daemon answers to a method: a result, or {"error": ...}. */
struct cli_fixture_answer {
    const char *method, *text;
};

struct cli_fixture {
    char directory[32], socket[64];
    char requests[16][512]; /* "method params", of all that were answered from the table */
    unsigned request_count;
    char out[65536], err[16384]; /* of the last run */
    int listener;
    pthread_t thread;
    const struct cli_fixture_answer *answers;
    size_t answer_count;
    json_t *(*play)(const char *method, const json_t *params);
};

extern struct cli_fixture cli_played;

/* play: answers that depend on what was asked, and NULL for methods that the table has; NULL: the table has all. */
void cli_fixture_start(const struct cli_fixture_answer *answers, size_t count,
                       json_t *(*play)(const char *method, const json_t *params));
void cli_fixture_stop(void);

/* Runs bypeer with arguments (separated by spaces), standard input from a file if that is not NULL; its exit status. */
int cli_fixture_run_with(const char *arguments, const char *input);
int cli_fixture_run(const char *arguments);
/* A file with this content, for as long as the fixture is up. */
const char *cli_fixture_file(const char *content);
/* Expects part somewhere in text. */
void cli_fixture_expect_in(const char *text, const char *part);
