/* Command lines of `bypeer`, a word a string: what is kept of one is in it, and a command has the arguments it needs.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"

#define WORDS_MAX 16

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Messages go nowhere; those of sanitizers go to the descriptor. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    FILE *nowhere = fopen("/dev/null", "w");
    if (nowhere)
        stderr = nowhere;
    return 0;
}

static bool is_within(const char *word, const char *text, size_t size)
{
    return word >= text && word <= text + size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[WORDS_MAX + 2] = {(char[]){"bypeer"}};
    int argc = 1;
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t at = 0; at < size && argc <= WORDS_MAX; at += strlen(text + at) + 1)
        argv[argc++] = text + at;
    struct cli cli = {0};
    int status = cli_parse(&cli, argc, argv);
    if (status != CLI_OK && status != CLI_USAGE)
        abort();
    if (status == CLI_OK) {
        if ((!cli.command && !cli.options[CLI_OPTION_HELP]) || cli.argument_count >= (unsigned)argc)
            abort();
        for (unsigned i = 0; i < cli.argument_count; i++)
            if (!is_within(cli.arguments[i], text, size))
                abort();
        for (unsigned i = 0; i < CLI_OPTIONS; i++)
            if (cli.options[i] && cli.options[i][0] && !is_within(cli.options[i], text, size))
                abort();
    }
    free(text);
    return 0;
}
