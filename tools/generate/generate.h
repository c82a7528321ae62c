/*
 * Build time only: writes shell completion and manual pages from the table of commands (tools/cli/commands.c) and the
 * schema of the configuration (config/schema.c), so that they cannot differ from the program.
 *
 *     generate bash|zsh|fish           the completion file of a shell
 *     generate manual TEMPLATE         TEMPLATE, with the lines @OPTIONS@, @COMMANDS@ and @SECTIONS@ replaced
 */
#pragma once

#include "tools/cli/command.h"

void generate_bash(void);
void generate_zsh(void);
void generate_fish(void);
/* Returns 0, or 1 after a message. */
int generate_manual(const char *template);

/* The options of a command, required ones first; the i-th, or CLI_OPTION_NONE. */
enum cli_option_id generate_option(const struct cli_command *command, unsigned i);
/* Those that go with every command, likewise. */
enum cli_option_id generate_common_option(unsigned i);

/* What is offered for a value: fixed words, or what `bypeer names` prints about that; NULL: neither. */
const char *generate_value_words(enum cli_values values);
const char *generate_value_names(enum cli_values values);

/* A word in one line: the help of its command, or its verbs. */
#define GENERATE_TEXT 256
const char *generate_word_help(const char *word, char text[static GENERATE_TEXT]);
