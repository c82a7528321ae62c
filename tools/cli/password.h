/*
 * Passwords: from a file, or asked for at the terminal. Never from the command line, which other users can see.
 */
#pragma once

#include "tools/cli/cli.h"

#define CLI_PASSWORD_MAX 256 /* with NUL */

/*
 * The first line of the file of --password-file ("-": standard input); without that option, what is typed at the
 * terminal, twice if is_new. CLI_OK, or CLI_FAILED or CLI_USAGE after a message. The caller wipes it.
 */
int cli_password(const struct cli *cli, bool is_new, char ret_password[static CLI_PASSWORD_MAX]);
