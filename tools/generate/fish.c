/* Completion for fish. */
#include <stdio.h>

#include "tools/generate/generate.h"

static void print_text(const char *text)
{
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('\'');
}

/* When a command's options and arguments are offered. */
static void print_condition(const struct cli_command *command)
{
    fputs("-n '", stdout);
    if (command->implied)
        printf("__bypeer_at %s; or ", command->word);
    printf("__bypeer_in %s%s%s'", command->word, command->verb ? " " : "", command->verb ? command->verb : "");
}

static void print_values(enum cli_values values)
{
    if (values == CLI_VALUES_FILE) {
        fputs(" -F", stdout);
    } else if (values == CLI_VALUES_COMMAND) {
        fputs(" -a '", stdout);
        for (unsigned i = 0; cli_command_word(NULL, i); i++)
            printf("%s%s", i ? " " : "", cli_command_word(NULL, i));
        putchar('\'');
    } else if (generate_value_words(values)) {
        printf(" -a '%s'", generate_value_words(values));
    } else if (generate_value_names(values)) {
        printf(" -a '(__bypeer_names %s)'", generate_value_names(values));
    }
}

static void print_option(enum cli_option_id id)
{
    const struct cli_option *option = &cli_options[id];
    if (option->letter)
        printf(" -s %c", option->letter);
    printf(" -l %s", option->name);
    if (option->value) {
        fputs(option->values == CLI_VALUES_FILE ? " -r" : " -x", stdout);
        print_values(option->values);
    }
    fputs(" -d ", stdout);
    print_text(option->help);
    putchar('\n');
}

static void print_words(void)
{
    const char *word;
    for (unsigned i = 0; (word = cli_command_word(NULL, i)); i++) {
        const char *verb;
        char text[GENERATE_TEXT];
        printf("complete -c bypeer -n __bypeer_at -a %s -d ", word);
        print_text(generate_word_help(word, text));
        putchar('\n');
        for (unsigned v = 0; (verb = cli_command_verb(word, v)); v++) {
            printf("complete -c bypeer -n '__bypeer_at %s' -a %s -d ", word, verb);
            print_text(cli_command_find(word, verb)->help);
            putchar('\n');
        }
    }
}

static void print_command(const struct cli_command *command)
{
    enum cli_option_id id;
    for (unsigned i = 0; (id = generate_option(command, i)); i++) {
        fputs("complete -c bypeer ", stdout);
        print_condition(command);
        print_option(id);
    }
    for (unsigned i = 0; command->arguments[i].name; i++) {
        if (command->arguments[i].values == CLI_VALUES_ANY)
            continue;
        fputs("complete -c bypeer ", stdout);
        print_condition(command);
        print_values(command->arguments[i].values);
        putchar('\n');
    }
}

void generate_fish(void)
{
    puts("# fish completion for bypeer, generated from its table of commands\n\n"
         "# The words of the command line that are neither options nor their values.\n"
         "function __bypeer_words\n"
         "    set -l skip 0\n"
         "    for word in (commandline -opc)[2..-1]\n"
         "        if test $skip = 1\n"
         "            set skip 0\n"
         "            continue\n"
         "        end\n"
         "        switch $word");
    fputs("            case", stdout);
    for (enum cli_option_id id = CLI_OPTION_NONE + 1; id < CLI_OPTIONS; id++)
        if (cli_options[id].value) {
            printf(" --%s", cli_options[id].name);
            if (cli_options[id].letter)
                printf(" -%c", cli_options[id].letter);
        }
    puts("\n                set skip 1\n"
         "            case '-*'\n"
         "            case '*'\n"
         "                echo $word\n"
         "        end\n"
         "    end\n"
         "end\n\n"
         "# Whether the words begin with these, and whether they are these and no more.\n"
         "function __bypeer_in\n"
         "    set -l words (__bypeer_words)\n"
         "    set -l count (count $argv)\n"
         "    test (count $words) -ge $count; or return 1\n"
         "    test $count -eq 0; or test \"$words[1..$count]\" = \"$argv\"\n"
         "end\n\n"
         "function __bypeer_at\n"
         "    test (count (__bypeer_words)) -eq (count $argv); and __bypeer_in $argv\n"
         "end\n\n"
         "function __bypeer_names\n"
         "    bypeer names $argv 2>/dev/null\n"
         "end\n\n"
         "complete -c bypeer -f");
    for (unsigned i = 0; generate_common_option(i); i++) {
        fputs("complete -c bypeer", stdout);
        print_option(generate_common_option(i));
    }
    print_words();
    for (unsigned i = 0; i < cli_command_count; i++)
        if (!cli_commands[i].hidden)
            print_command(&cli_commands[i]);
}
