/* Manual pages in scdoc: a template whose lines @...@ are replaced by what the tables say. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/show.h"
#include "tools/generate/generate.h"

/* Text that scdoc takes as it is. */
static void print_text(const char *text)
{
    for (; *text; text++) {
        if (strchr("*_\\`~[", *text))
            putchar('\\');
        putchar(*text);
    }
}

static void print_option(enum cli_option_id id)
{
    const struct cli_option *option = &cli_options[id];
    if (option->letter)
        printf("*-%c*, ", option->letter);
    printf("*--%s*", option->name);
    if (option->value)
        printf(" _%s_", option->value);
    fputs("\n\t", stdout);
    print_text(option->help);
    puts("\n");
}

static void print_options(void)
{
    for (unsigned i = 0; generate_common_option(i); i++)
        print_option(generate_common_option(i));
}

static void print_synopsis(const struct cli_command *command)
{
    printf("## bypeer %s%s%s", command->word, command->verb ? " " : "", command->verb ? command->verb : "");
    for (unsigned i = 0; command->arguments[i].name; i++)
        printf(command->arguments[i].optional ? " [%s]%s" : " %s%s", command->arguments[i].name,
               command->arguments[i].repeats ? "..." : "");
    for (unsigned i = 0; i < 4 && command->required[i]; i++)
        printf(" --%s %s", cli_options[command->required[i]].name, cli_options[command->required[i]].value);
    puts("\n");
}

static void print_command(const struct cli_command *command)
{
    enum cli_option_id id;
    print_synopsis(command);
    print_text(command->help);
    fputs(".", stdout);
    if (command->details) {
        putchar(' ');
        print_text(command->details);
    }
    if (command->implied)
        printf(" *bypeer %s* alone means the same.", command->word);
    puts("\n");
    for (unsigned i = 0; (id = generate_option(command, i)); i++)
        print_option(id);
}

static void print_commands(void)
{
    for (unsigned i = 0; i < cli_command_count; i++)
        if (!cli_commands[i].hidden)
            print_command(&cli_commands[i]);
}

static void print_key(const struct bypeer_schema_key *key)
{
    char range[256];
    bypeer_schema_range(key, range);
    printf("*%s*: ", key->name);
    print_text(range);
    fputs("\n\t", stdout);
    print_text(key->help);
    fputs(". Default: ", stdout);
    print_text(bypeer_schema_default(key));
    fputs(". A change ", stdout);
    print_text(bypeer_schema_change_text(key->change));
    puts(".\n");
}

static void print_sections(void)
{
    for (int i = 0; i < BYPEER_CONFIG_SECTIONS; i++) {
        const struct bypeer_schema_section *section = &bypeer_schema[i];
        printf("## %s\n\n", section->name);
        print_text(section->help);
        if (section->entry_bytes)
            printf(". A list of up to %u entries with these keys:\n\n", section->entries);
        else
            puts(".\n");
        for (unsigned k = 0; k < section->key_count; k++)
            print_key(&section->keys[k]);
    }
}

int generate_manual(const char *template)
{
    FILE *in = fopen(template, "re");
    char *line = NULL;
    size_t room = 0;
    if (!in) {
        fprintf(stderr, "%s: %s\n", template, strerror(errno));
        return 1;
    }
    while (getline(&line, &room, in) >= 0)
        if (strcmp(line, "@OPTIONS@\n") == 0)
            print_options();
        else if (strcmp(line, "@COMMANDS@\n") == 0)
            print_commands();
        else if (strcmp(line, "@SECTIONS@\n") == 0)
            print_sections();
        else
            fputs(line, stdout);
    free(line);
    fclose(in);
    return 0;
}
