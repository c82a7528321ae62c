/* What the commands about names and clouds have in common. */
#pragma once

#include "tools/cli/cli.h"

/* "[2001:db8::1]:80/udp" of {address, port, protocol}. */
#define CLI_ENDPOINT 80
const char *cli_endpoint(const json_t *endpoint, char text[static CLI_ENDPOINT]);
