/* bypeer: the command of people who run a node. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cli/cli.h"

static bool wants_colours(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_color && no_color[0]) && terminal && strcmp(terminal, "dumb") != 0;
}

int main(int argc, char **argv)
{
    struct cli cli = {.colours = wants_colours()};
    setlocale(LC_ALL, "");
    int status = cli_parse(&cli, argc, argv);
    if (status == CLI_OK && cli.options[CLI_OPTION_HELP])
        cli_print_help(stdout, cli.command);
    else if (status == CLI_OK)
        status = cli.command->run(&cli);
    bypeer_close(cli.node);
    if ((fflush(stdout) == EOF || ferror(stdout)) && status == CLI_OK)
        status = cli_fail(CLI_FAILED, "the output cannot be written");
    return status;
}
