/* bypeer-bench: one program, a subcommand for each thing that is measured beside its rival. */
#include "perf/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct bench_command *const commands[] = {
    &bench_aead, &bench_destinations, &bench_grace, &bench_mac1, &bench_nearest, &bench_writer,
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

int bench_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bypeer-bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return 1;
}

static void print_usage(FILE *stream)
{
    fputs("usage: bypeer-bench COMMAND [OPTION...]\n\n", stream);
    for (unsigned i = 0; i < COMMANDS; i++)
        fprintf(stream, "  %s %s\n      %s\n", commands[i]->name, commands[i]->options, commands[i]->summary);
    fputs("\n--json prints one JSON object.\n", stream);
}

int main(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        print_usage(stdout);
        return 0;
    }
    for (unsigned i = 0; argc > 1 && i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i]->name) == 0)
            return commands[i]->run(argc - 1, argv + 1);
    }
    if (argc > 1)
        bench_fail("no such command: %s", argv[1]);
    print_usage(stderr);
    return 2;
}
