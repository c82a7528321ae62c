/* The subcommands of bypeer-bench: one file bench_<name>.c each, listed once in bench_main.c. */
#pragma once

struct bench_command {
    const char *name;
    const char *options; /* for the usage line */
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand; returns the exit status */
};

extern const struct bench_command bench_aead;
extern const struct bench_command bench_destinations;
extern const struct bench_command bench_grace;
extern const struct bench_command bench_mac1;
extern const struct bench_command bench_nearest;
extern const struct bench_command bench_writer;

/* Writes the program's name, the message and a line end to stderr; returns 1, an exit status. */
int bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
