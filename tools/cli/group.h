/* Private to the commands about groups. */
#pragma once

#include "tools/cli/cli.h"

#define GROUP_PASSWORD_MAX 255

/* The first line of --password-file; "" without it. CLI_OK, or CLI_FAILED after a message. Wipe it. */
int group_read_password(const struct cli *cli, char ret_password[static GROUP_PASSWORD_MAX + 2]);
/* The strings of an array, with commas between. */
const char *group_join_texts(const json_t *list, char *ret_text, size_t room);
