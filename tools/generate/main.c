#include "tools/generate/generate.h"

#include <stdio.h>
#include <string.h>

enum cli_option_id generate_option(const struct cli_command *command, unsigned i)
{
    unsigned required = 0;
    while (required < 4 && command->required[required])
        required++;
    if (i < required)
        return command->required[i];
    return i - required < CLI_COMMAND_OPTIONS ? command->options[i - required] : CLI_OPTION_NONE;
}

enum cli_option_id generate_common_option(unsigned i)
{
    return i < CLI_OPTION_HELP ? (enum cli_option_id)(i + 1) : CLI_OPTION_NONE;
}

const char *generate_value_words(enum cli_values values)
{
    return values == CLI_VALUES_FORMAT      ? "table json"
           : values == CLI_VALUES_CRITERION ? "any nearest nearest64"
           : values == CLI_VALUES_PERIOD    ? "all day month"
           : values == CLI_VALUES_PROTOCOL  ? "tcp udp"
           : values == CLI_VALUES_ROLE      ? "member inviting administrator supernode"
           : values == CLI_VALUES_PROFILE   ? "modern windows"
                                            : NULL;
}

const char *generate_value_names(enum cli_values values)
{
    return values == CLI_VALUES_GROUP      ? "groups"
           : values == CLI_VALUES_LINK     ? "links"
           : values == CLI_VALUES_PEER     ? "peers"
           : values == CLI_VALUES_CLOUD    ? "clouds"
           : values == CLI_VALUES_NAME     ? "published"
           : values == CLI_VALUES_RELAY    ? "relays"
           : values == CLI_VALUES_JOINED   ? "joined"
           : values == CLI_VALUES_IDENTITY ? "identities"
           : values == CLI_VALUES_KEY      ? "keys"
                                           : NULL;
}

const char *generate_word_help(const char *word, char text[static GENERATE_TEXT])
{
    const char *verb = cli_command_verb(word, 0);
    size_t length = 0;
    if (!verb)
        return cli_command_find(word, NULL)->help;
    for (unsigned i = 0; (verb = cli_command_verb(word, i)) && length < GENERATE_TEXT; i++)
        length += (size_t)snprintf(text + length, GENERATE_TEXT - length, "%s%s", i ? ", " : "", verb);
    return text;
}

int main(int argc, char **argv)
{
    int status = 0;
    if (argc == 2 && strcmp(argv[1], "bash") == 0)
        generate_bash();
    else if (argc == 2 && strcmp(argv[1], "zsh") == 0)
        generate_zsh();
    else if (argc == 2 && strcmp(argv[1], "fish") == 0)
        generate_fish();
    else if (argc == 3 && strcmp(argv[1], "manual") == 0)
        status = generate_manual(argv[2]);
    else
        status = 2;
    if (status == 2)
        fputs("usage: generate bash|zsh|fish|manual TEMPLATE\n", stderr);
    return status ? status : fflush(stdout) == EOF;
}
