/* The command line, by the table of commands. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"
#include "tools/cli/cli.h"

int cli_fail(int status, const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fputs("bypeer: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return status;
}

static bool contains(const enum cli_option_id *list, size_t room, enum cli_option_id option)
{
    for (size_t i = 0; i < room && list[i]; i++)
        if (list[i] == option)
            return true;
    return false;
}

/* command NULL: an option of any. */
static bool applies(const struct cli_command *command, enum cli_option_id option)
{
    return !command || option <= CLI_OPTION_HELP || contains(command->required, 4, option) ||
           contains(command->options, CLI_COMMAND_OPTIONS, option);
}

static const char *option_name(const void *command, unsigned wanted)
{
    for (enum cli_option_id option = CLI_OPTION_NONE + 1; option < CLI_OPTIONS; option++)
        if (applies(command, option) && wanted-- == 0)
            return cli_options[option].name;
    return NULL;
}

static enum cli_option_id option_find(const struct cli_command *command, const char *name, size_t length)
{
    for (enum cli_option_id option = CLI_OPTION_NONE + 1; option < CLI_OPTIONS; option++)
        if (applies(command, option) && strlen(cli_options[option].name) == length &&
            strncmp(cli_options[option].name, name, length) == 0)
            return option;
    return CLI_OPTION_NONE;
}

static enum cli_option_id option_find_letter(const struct cli_command *command, char letter)
{
    for (enum cli_option_id option = CLI_OPTION_NONE + 1; option < CLI_OPTIONS; option++)
        if (applies(command, option) && cli_options[option].letter == letter)
            return option;
    return CLI_OPTION_NONE;
}

static int usage(const char *option, const char *what, const char *nearest)
{
    if (nearest)
        return cli_fail(CLI_USAGE, "%s: %s; did you mean --%s?", option, what, nearest);
    return cli_fail(CLI_USAGE, "%s: %s; see bypeer --help", option, what);
}

/* Takes one option; *at is moved over its value. */
static int parse_option(struct cli *cli, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    bool whole = word[1] == '-';
    const char *name = word + (whole ? 2 : 1);
    size_t length = whole ? strcspn(name, "=") : 1;
    const char *value = whole ? (name[length] == '=' ? name + length + 1 : NULL) : (name[1] ? name + 1 : NULL);
    enum cli_option_id option =
        whole ? option_find(cli->command, name, length) : option_find_letter(cli->command, name[0]);
    if (!option) {
        char text[40];
        snprintf(text, sizeof(text), "%.*s", (int)(length < 32 ? length : 32), name);
        return usage(word, cli->command ? "there is no such option for this command" : "there is no such option",
                     whole ? bypeer_schema_nearest(text, option_name, cli->command) : NULL);
    }
    if (!cli_options[option].value) {
        if (value)
            return usage(word, "takes no value", NULL);
        value = "";
    } else if (!value) {
        if (*at + 1 >= argc)
            return usage(word, "needs a value", NULL);
        value = argv[++*at];
    }
    cli->options[option] = value;
    return CLI_OK;
}

/* Finds the command: the first words that are neither options nor their values. */
static int find_command(struct cli *cli, int argc, char **argv, int skip[static 2])
{
    int words[2] = {0, 0};
    int found = 0;
    for (int i = 1; i < argc && found < 2 && strcmp(argv[i], "--") != 0; i++) {
        if (argv[i][0] == '-' && argv[i][1]) {
            enum cli_option_id option = argv[i][1] == '-' ? option_find(NULL, argv[i] + 2, strlen(argv[i] + 2))
                                        : argv[i][2]      ? CLI_OPTION_NONE
                                                          : option_find_letter(NULL, argv[i][1]);
            i += option && cli_options[option].value ? 1 : 0;
            continue;
        }
        words[found++] = i;
    }
    if (!found)
        return CLI_OK;
    const char *word = argv[words[0]];
    const char *verb = found == 2 ? argv[words[1]] : NULL;
    cli->command = cli_command_find(word, verb);
    if (cli->command) {
        skip[0] = words[0];
        skip[1] = cli->command->verb && verb ? words[1] : 0;
        return CLI_OK;
    }
    const char *nearest;
    if (!cli_command_verb(word, 0)) {
        nearest = bypeer_schema_nearest(word, cli_command_word, NULL);
        return nearest ? cli_fail(CLI_USAGE, "there is no command %s; did you mean %s?", word, nearest)
                       : cli_fail(CLI_USAGE, "there is no command %s; see bypeer --help", word);
    }
    nearest = verb ? bypeer_schema_nearest(verb, cli_command_verb, word) : NULL;
    if (nearest)
        return cli_fail(CLI_USAGE, "there is no command %s %s; did you mean %s?", word, verb, nearest);
    if (cli_command_find(word, NULL) || verb)
        return cli_fail(CLI_USAGE, "there is no command %s %s; see bypeer help %s", word, verb, word);
    return cli_fail(CLI_USAGE, "%s needs a further word; see bypeer help %s", word, word);
}

static int check_arguments(const struct cli *cli)
{
    const struct cli_command *command = cli->command;
    unsigned least = 0;
    unsigned most = 0;
    char name[CLI_COMMAND_NAME];
    cli_command_name(command, name);
    for (; command->arguments[most].name; most++)
        least += command->arguments[most].optional ? 0 : 1;
    if (cli->argument_count < least)
        return cli_fail(CLI_USAGE, "%s needs %s; see bypeer help %s", name,
                        command->arguments[cli->argument_count].name, name);
    if (cli->argument_count > most && !(most && command->arguments[most - 1].repeats))
        return cli_fail(CLI_USAGE, "%s: %s is one argument too many; see bypeer help %s", name, cli->arguments[most],
                        name);
    for (unsigned i = 0; i < 4 && command->required[i]; i++)
        if (!cli->options[command->required[i]])
            return cli_fail(CLI_USAGE, "%s needs --%s %s; see bypeer help %s", name,
                            cli_options[command->required[i]].name, cli_options[command->required[i]].value, name);
    return CLI_OK;
}

int cli_parse(struct cli *cli, int argc, char **argv)
{
    int skip[2] = {0, 0};
    bool options = true;
    int kept = 0;
    int status = find_command(cli, argc, argv, skip);
    /* Arguments are moved to the front of argv. */
    for (int i = 1; i < argc && status == CLI_OK; i++)
        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (options && argv[i][0] == '-' && argv[i][1])
            status = parse_option(cli, argc, argv, &i);
        else if (i != skip[0] && i != skip[1])
            argv[kept++] = argv[i];
    if (status != CLI_OK)
        return status;
    cli->arguments = (const char *const *)argv;
    cli->argument_count = (unsigned)kept;
    const char *format = cli->options[CLI_OPTION_OUTPUT];
    cli->json = format && strcmp(format, "json") == 0;
    if (format && !cli->json && strcmp(format, "table") != 0)
        return cli_fail(CLI_USAGE, "--output: there is no format %s; use table or json", format);
    if (cli->options[CLI_OPTION_HELP])
        return CLI_OK;
    if (!cli->command) {
        cli_print_help(stderr, NULL);
        return CLI_USAGE;
    }
    return check_arguments(cli);
}

int cli_number(const struct cli *cli, enum cli_option_id option, long minimum, long maximum, long missing,
               long *ret_number)
{
    const char *text = cli->options[option];
    char *end;
    if (!text) {
        *ret_number = missing;
        return CLI_OK;
    }
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno || end == text || *end || number < minimum || number > maximum)
        return cli_fail(CLI_USAGE, "--%s: %s is out of range; use %ld to %ld", cli_options[option].name, text, minimum,
                        maximum);
    *ret_number = number;
    return CLI_OK;
}

int cli_lifetime(const struct cli *cli, enum cli_option_id option, long *ret_seconds)
{
    static const struct {
        char letter;
        long seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    const char *text = cli->options[option];
    char *end;
    *ret_seconds = text ? 0 : -1;
    if (!text || strcmp(text, "never") == 0)
        return CLI_OK;
    long number = strtol(text, &end, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (number > 0 && number <= 36500 * (86400 / units[i].seconds) && end[0] == units[i].letter && !end[1])
            *ret_seconds = number * units[i].seconds;
    if (*ret_seconds > 0)
        return CLI_OK;
    return cli_fail(CLI_USAGE, "--%s: %s is no time; write one like 30d, 12h, 90m or never", cli_options[option].name,
                    text);
}

json_t *cli_values(const struct cli *cli, enum cli_option_id option)
{
    const char *text = cli->options[option];
    json_t *values = text ? json_array() : NULL;
    while (values) {
        size_t length = strcspn(text, ",");
        json_array_append_new(values, json_stringn(text, length));
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    return values;
}
