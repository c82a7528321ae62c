/* Help, from the table of commands. */
#include <string.h>

#include "tools/cli/cli.h"

static int print_argument(FILE *out, const struct cli_argument *argument)
{
    return fprintf(out, argument->optional ? " [%s]%s" : " %s%s", argument->name, argument->repeats ? "..." : "");
}

static void print_synopsis(FILE *out, const struct cli_command *command)
{
    char name[CLI_COMMAND_NAME];
    fprintf(out, "bypeer [OPTION]... %s", cli_command_name(command, name));
    for (unsigned i = 0; command->arguments[i].name; i++)
        print_argument(out, &command->arguments[i]);
    for (unsigned i = 0; i < 4 && command->required[i]; i++)
        fprintf(out, " --%s %s", cli_options[command->required[i]].name, cli_options[command->required[i]].value);
    fputc('\n', out);
}

static void print_option(FILE *out, enum cli_option_id id)
{
    const struct cli_option *option = &cli_options[id];
    char names[64];
    char letter[8] = "    ";
    if (option->letter)
        snprintf(letter, sizeof(letter), "-%c, ", option->letter);
    snprintf(names, sizeof(names), "%s--%s%s%s", letter, option->name, option->value ? " " : "",
             option->value ? option->value : "");
    fprintf(out, "  %-24s %s\n", names, option->help);
}

/* Text broken at spaces, at most 78 bytes a line. */
static void print_paragraph(FILE *out, const char *text)
{
    unsigned column = 0;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column && column + 1 + word > 78) {
            fputc('\n', out);
            column = 0;
        }
        column += (unsigned)fprintf(out, "%s%.*s", column ? " " : "", (int)word, text);
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void print_common_options(FILE *out)
{
    for (enum cli_option_id id = CLI_OPTION_NONE + 1; id <= CLI_OPTION_HELP; id++)
        print_option(out, id);
}

static void print_command(FILE *out, const struct cli_command *command)
{
    fputs("usage: ", out);
    print_synopsis(out, command);
    fprintf(out, "\n%s.\n", command->help);
    if (command->details)
        print_paragraph(out, command->details);
    if (command->implied)
        fprintf(out, "%s alone means the same.\n", command->word);
    fputc('\n', out);
    for (unsigned i = 0; i < 4 && command->required[i]; i++)
        print_option(out, command->required[i]);
    for (unsigned i = 0; i < CLI_COMMAND_OPTIONS && command->options[i]; i++)
        print_option(out, command->options[i]);
    print_common_options(out);
}

/* The commands with a word, or all. */
static void print_commands(FILE *out, const char *word)
{
    for (unsigned i = 0; i < cli_command_count; i++) {
        const struct cli_command *command = &cli_commands[i];
        char name[CLI_COMMAND_NAME];
        if (command->hidden || (word && strcmp(word, command->word) != 0))
            continue;
        int width = fprintf(out, "  %s", cli_command_name(command, name));
        for (unsigned a = 0; command->arguments[a].name; a++)
            width += print_argument(out, &command->arguments[a]);
        fprintf(out, "%*s %s\n", width < 34 ? 34 - width : 0, "", command->help);
    }
}

void cli_print_help(FILE *out, const struct cli_command *command)
{
    if (command) {
        print_command(out, command);
        return;
    }
    fputs("usage: bypeer [OPTION]... COMMAND [ARGUMENT]...\n\nCommands:\n", out);
    print_commands(out, NULL);
    fputs("\nOptions of every command:\n", out);
    print_common_options(out);
    fputs("\nMore: bypeer help COMMAND, and the manual page bypeer(1).\n", out);
}

int cli_run_help(struct cli *cli)
{
    const char *word = cli->argument_count > 0 ? cli->arguments[0] : NULL;
    const char *verb = cli->argument_count > 1 ? cli->arguments[1] : NULL;
    const struct cli_command *command = word ? cli_command_find(word, verb) : NULL;
    if (word && !verb && cli_command_verb(word, 0)) {
        printf("usage: bypeer [OPTION]... %s COMMAND [ARGUMENT]...\n\nCommands:\n", word);
        print_commands(stdout, word);
        return CLI_OK;
    }
    if (word && !command)
        return cli_fail(CLI_USAGE, "there is no command %s%s%s; see bypeer help", word, verb ? " " : "",
                        verb ? verb : "");
    cli_print_help(stdout, command);
    return CLI_OK;
}
