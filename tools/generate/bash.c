/* Completion for bash. It needs nothing but bash itself, and passes shellcheck. */
#include <stdio.h>
#include <string.h>

#include "tools/generate/generate.h"

static void print_option(enum cli_option_id id, const char *between)
{
    const struct cli_option *option = &cli_options[id];
    printf("--%s", option->name);
    if (option->letter)
        printf("%s-%c", between, option->letter);
}

/* Options that take values of one kind, as a pattern; false: there are none. */
static bool print_pattern(enum cli_values values)
{
    bool any = false;
    for (enum cli_option_id id = CLI_OPTION_NONE + 1; id < CLI_OPTIONS; id++) {
        if (!cli_options[id].value || cli_options[id].values != values)
            continue;
        fputs(any ? " | " : "    ", stdout);
        print_option(id, " | ");
        any = true;
    }
    if (any)
        puts(")");
    return any;
}

static void print_offer(enum cli_values values, const char *indent)
{
    printf("%s", indent);
    if (values == CLI_VALUES_FILE)
        printf("compopt -o filenames\n%smapfile -t COMPREPLY < <(compgen -f -- \"$current\")", indent);
    else if (values == CLI_VALUES_COMMAND)
        fputs("offer=$words", stdout);
    else if (generate_value_words(values))
        printf("offer='%s'", generate_value_words(values));
    else if (generate_value_names(values))
        printf("offer=$(bypeer \"${node[@]}\" names %s 2>/dev/null)", generate_value_names(values));
    else
        fputs(":", stdout);
    puts(" ;;");
}

static void print_words(void)
{
    const char *word;
    fputs("    local words='", stdout);
    for (unsigned i = 0; (word = cli_command_word(NULL, i)); i++)
        printf("%s%s", i ? " " : "", word);
    puts("'");
}

static void print_options(void)
{
    puts("        case \"$word $verb\" in");
    for (unsigned i = 0; i < cli_command_count; i++) {
        const struct cli_command *command = &cli_commands[i];
        enum cli_option_id id;
        if (command->hidden || generate_option(command, 0) == CLI_OPTION_NONE)
            continue;
        printf("        '%s %s'", command->word, command->verb ? command->verb : "");
        if (command->implied)
            printf(" | '%s '", command->word);
        fputs(") offer='", stdout);
        for (unsigned o = 0; (id = generate_option(command, o)); o++) {
            fputs(o ? " " : "", stdout);
            print_option(id, " ");
        }
        puts("' ;;");
    }
    puts("        esac");
    fputs("        offer=\"$offer", stdout);
    for (unsigned i = 0; generate_common_option(i); i++) {
        fputs(" ", stdout);
        print_option(generate_common_option(i), " ");
    }
    puts("\"");
}

static void print_verbs(void)
{
    const char *word;
    puts("    elif [[ -z $verb ]] && ((arguments == 0)); then\n        case $word in");
    for (unsigned i = 0; (word = cli_command_word(NULL, i)); i++) {
        const char *verb;
        if (!cli_command_verb(word, 0))
            continue;
        printf("        %s) offer='", word);
        for (unsigned v = 0; (verb = cli_command_verb(word, v)); v++)
            printf("%s%s", v ? " " : "", verb);
        puts("' ;;");
    }
    puts("        esac\n    fi");
}

static void print_arguments(void)
{
    puts("    case \"$word $verb $arguments\" in");
    for (unsigned i = 0; i < cli_command_count; i++) {
        const struct cli_command *command = &cli_commands[i];
        for (unsigned a = 0; command->arguments[a].name && !command->hidden; a++) {
            const struct cli_argument *argument = &command->arguments[a];
            if (argument->values == CLI_VALUES_ANY)
                continue;
            printf("    '%s %s %s)\n", command->word, command->verb ? command->verb : "",
                   argument->repeats ? "'*"
                   : a == 0          ? "0'"
                                     : "1'");
            print_offer(argument->values, "        ");
        }
    }
    puts("    esac");
}

static void print_verb_words(void)
{
    const char *word;
    bool first = true;
    fputs("            elif [[ -z $verb && $arguments == 0 && \" ", stdout);
    for (unsigned i = 0; (word = cli_command_word(NULL, i)); i++)
        if (cli_command_verb(word, 0)) {
            printf("%s%s", first ? "" : " ", word);
            first = false;
        }
    puts(" \" == *\" $word \"* ]]; then\n                verb=${COMP_WORDS[i]}");
}

void generate_bash(void)
{
    puts("# bash completion for bypeer, generated from its table of commands\n"
         "# shellcheck shell=bash\n"
         "_bypeer()\n"
         "{\n"
         "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
         "    local word='' verb='' offer='' arguments=0 i\n"
         "    local -a node=()");
    print_words();
    puts("    COMPREPLY=()\n"
         "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "        case ${COMP_WORDS[i]} in\n"
         "        --socket | -s | --config | -c)\n"
         "            node+=(\"${COMP_WORDS[i]}\" \"${COMP_WORDS[i + 1]}\")\n"
         "            ((i++)) ;;");
    fputs("        ", stdout);
    bool any = false;
    for (enum cli_option_id id = CLI_OPTION_SOCKET + 1; id < CLI_OPTIONS; id++) {
        if (!cli_options[id].value)
            continue;
        fputs(any ? " | " : "", stdout);
        print_option(id, " | ");
        any = true;
    }
    puts(")\n            ((i++)) ;;\n"
         "        -*) ;;\n"
         "        *)\n"
         "            if [[ -z $word ]]; then\n"
         "                word=${COMP_WORDS[i]}");
    print_verb_words();
    puts("            else\n"
         "                ((arguments++))\n"
         "            fi ;;\n"
         "        esac\n"
         "    done\n"
         "    case $previous in");
    for (enum cli_values values = CLI_VALUES_ANY; values <= CLI_VALUES_COMMAND; values++)
        if (print_pattern(values))
            print_offer(values, "        ");
    puts("    *) previous='' ;;\n"
         "    esac\n"
         "    if [[ -n $previous ]]; then\n"
         "        [[ -z $offer ]] || mapfile -t COMPREPLY < <(compgen -W \"$offer\" -- \"$current\")\n"
         "        return\n"
         "    fi\n"
         "    if [[ $current == -* ]]; then");
    print_options();
    puts("    elif [[ -z $word ]]; then\n        offer=$words");
    print_verbs();
    print_arguments();
    puts("    [[ -z $offer ]] || mapfile -t COMPREPLY < <(compgen -W \"$offer\" -- \"$current\")\n"
         "}\n"
         "complete -F _bypeer bypeer");
}
