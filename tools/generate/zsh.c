/* Completion for zsh, by _arguments. */
#include <stdio.h>
#include <string.h>

#include "tools/generate/generate.h"

/* Text within '...[...]' of _arguments, or 'name:text' of _describe. */
static void print_text(const char *text)
{
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", stdout);
        else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
            printf("\\%c", *text);
        else
            putchar(*text);
}

/* What follows the name of a value. */
static void print_action(enum cli_values values)
{
    if (values == CLI_VALUES_FILE)
        fputs("_files", stdout);
    else if (values == CLI_VALUES_COMMAND)
        fputs(" _bypeer_words", stdout);
    else if (generate_value_words(values))
        printf("(%s)", generate_value_words(values));
    else if (generate_value_names(values))
        printf(" _bypeer_names %s", generate_value_names(values));
    else
        putchar(' ');
}

static void print_option(enum cli_option_id id)
{
    const struct cli_option *option = &cli_options[id];
    if (option->letter)
        printf("            '(-%c --%s)'{-%c,--%s}'[", option->letter, option->name, option->letter, option->name);
    else
        printf("            '--%s[", option->name);
    print_text(option->help);
    if (option->value) {
        printf("]:%s:", option->value);
        print_action(option->values);
        puts("' \\");
    } else {
        puts("]' \\");
    }
}

static void print_common(void)
{
    for (unsigned i = 0; generate_common_option(i); i++)
        print_option(generate_common_option(i));
}

static void print_command(const struct cli_command *command)
{
    enum cli_option_id id;
    printf("    '%s %s'", command->word, command->verb ? command->verb : "");
    if (command->implied)
        printf(" | '%s '", command->word);
    puts(")\n        _arguments -s -S \\");
    for (unsigned i = 0; (id = generate_option(command, i)); i++)
        print_option(id);
    print_common();
    for (unsigned i = 0; command->arguments[i].name; i++) {
        const struct cli_argument *argument = &command->arguments[i];
        printf("            '%s:%s:",
               argument->repeats ? "*"
               : i == 0          ? (argument->optional ? "1:" : "1")
                                 : (argument->optional ? "2:" : "2"),
               argument->name);
        print_action(argument->values);
        puts("' \\");
    }
    puts("            && return 0 ;;");
}

static void print_words(void)
{
    const char *word;
    puts("_bypeer_words()\n{\n    local -a words=(");
    for (unsigned i = 0; (word = cli_command_word(NULL, i)); i++) {
        char text[GENERATE_TEXT];
        printf("        '%s:", word);
        print_text(generate_word_help(word, text));
        puts("'");
    }
    puts("    )\n    _describe command words\n}\n");
}

static void print_verbs(void)
{
    const char *word;
    puts("_bypeer_verbs()\n{\n    local -a verbs\n    case $1 in");
    for (unsigned i = 0; (word = cli_command_word(NULL, i)); i++) {
        const char *verb;
        if (!cli_command_verb(word, 0))
            continue;
        printf("    %s)\n        verbs=(\n", word);
        for (unsigned v = 0; (verb = cli_command_verb(word, v)); v++) {
            printf("            '%s:", verb);
            print_text(cli_command_find(word, verb)->help);
            puts("'");
        }
        puts("        ) ;;");
    }
    puts("    *) return 1 ;;\n    esac\n    _describe command verbs\n}\n");
}

void generate_zsh(void)
{
    puts("#compdef bypeer\n"
         "# zsh completion for bypeer, generated from its table of commands\n\n"
         "_bypeer_names()\n"
         "{\n"
         "    local -a names node=()\n"
         "    local option\n"
         "    for option in --socket -s --config -c; do\n"
         "        (( ! $+opt_args[$option] )) || node+=($option ${(Q)opt_args[$option]})\n"
         "    done\n"
         "    names=(${(f)\"$(_call_program names bypeer $node names $1 2>/dev/null)\"})\n"
         "    _describe $1 names\n"
         "}\n");
    print_words();
    print_verbs();
    puts("_bypeer_command()\n{\n    case \"$1 $2\" in");
    for (unsigned i = 0; i < cli_command_count; i++)
        if (!cli_commands[i].hidden)
            print_command(&cli_commands[i]);
    puts("    *) return 1 ;;\n    esac\n}\n\n"
         "_bypeer()\n"
         "{\n"
         "    local context state state_descr line word verb\n"
         "    typeset -A opt_args\n"
         "    _arguments -C \\");
    print_common();
    puts("            '1:COMMAND:_bypeer_words' \\\n"
         "            '*::ARGUMENT:->arguments' && return 0\n"
         "    [[ $state == arguments ]] || return 1\n"
         "    word=$words[1] verb=\n"
         "    if _bypeer_has_verbs $word; then\n"
         "        if (( CURRENT == 2 )) && [[ $words[2] == -* ]]; then\n"
         "            _bypeer_command $word ''\n"
         "            return\n"
         "        fi\n"
         "        if (( CURRENT == 2 )); then\n"
         "            _bypeer_verbs $word\n"
         "            return\n"
         "        fi\n"
         "        verb=$words[2]\n"
         "        shift words\n"
         "        (( CURRENT-- ))\n"
         "    fi\n"
         "    _bypeer_command $word $verb\n"
         "}\n");
    fputs("_bypeer_has_verbs()\n{\n    [[ $1 == (", stdout);
    const char *word;
    bool any = false;
    for (unsigned i = 0; (word = cli_command_word(NULL, i)); i++)
        if (cli_command_verb(word, 0)) {
            printf("%s%s", any ? "|" : "", word);
            any = true;
        }
    puts(") ]]\n}\n\n_bypeer \"$@\"");
}
