#include "tools/cli/command.h"

#include <stdio.h>
#include <string.h>

const struct cli_command *cli_command_find(const char *word, const char *verb)
{
    for (unsigned i = 0; i < cli_command_count; i++) {
        const struct cli_command *command = &cli_commands[i];
        if (strcmp(command->word, word) != 0)
            continue;
        if (!command->verb || (verb ? strcmp(command->verb, verb) == 0 : command->implied))
            return command;
    }
    return NULL;
}

const char *cli_command_word(const void *unused, unsigned wanted)
{
    (void)unused;
    for (unsigned i = 0; i < cli_command_count; i++) {
        bool again = i > 0 && strcmp(cli_commands[i].word, cli_commands[i - 1].word) == 0;
        if (!again && !cli_commands[i].hidden && wanted-- == 0)
            return cli_commands[i].word;
    }
    return NULL;
}

const char *cli_command_verb(const void *word, unsigned wanted)
{
    for (unsigned i = 0; i < cli_command_count; i++)
        if (strcmp(cli_commands[i].word, word) == 0 && cli_commands[i].verb && wanted-- == 0)
            return cli_commands[i].verb;
    return NULL;
}

const char *cli_command_name(const struct cli_command *command, char name[static CLI_COMMAND_NAME])
{
    snprintf(name, CLI_COMMAND_NAME, "%s%s%s", command->word, command->verb ? " " : "",
             command->verb ? command->verb : "");
    return name;
}
