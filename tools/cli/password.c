#include "tools/cli/password.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* One line without its end. False: none, or too long. */
static bool password_line(FILE *file, char ret_password[static CLI_PASSWORD_MAX])
{
    if (!fgets(ret_password, CLI_PASSWORD_MAX, file))
        return false;
    size_t length = strcspn(ret_password, "\r\n");
    bool is_whole = ret_password[length] != '\0' || length < CLI_PASSWORD_MAX - 1;
    ret_password[length] = '\0';
    return is_whole;
}

static int password_file(const char *name, char ret_password[static CLI_PASSWORD_MAX])
{
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
    if (!file)
        return cli_fail(CLI_FAILED, "%s: %s", name, strerror(errno));
    bool is_read = password_line(file, ret_password);
    if (file != stdin)
        fclose(file);
    return is_read ? CLI_OK
                   : cli_fail(CLI_FAILED, "%s: has no password in its first line, or one of more than %d bytes", name,
                              CLI_PASSWORD_MAX - 1);
}

/* At the terminal, unseen. */
static int password_ask(FILE *terminal, const char *question, char ret_password[static CLI_PASSWORD_MAX])
{
    struct termios before, silent;
    bool is_silent = tcgetattr(fileno(terminal), &before) == 0;
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    if (is_silent)
        tcsetattr(fileno(terminal), TCSAFLUSH, &silent);
    fprintf(terminal, "%s: ", question);
    fflush(terminal);
    bool is_read = password_line(terminal, ret_password);
    if (is_silent)
        tcsetattr(fileno(terminal), TCSAFLUSH, &before);
    fputc('\n', terminal);
    return is_read ? CLI_OK : cli_fail(CLI_FAILED, "the password is not to be had, or too long");
}

int cli_password(const struct cli *cli, bool is_new, char ret_password[static CLI_PASSWORD_MAX])
{
    char again[CLI_PASSWORD_MAX];
    if (cli->options[CLI_OPTION_PASSWORD_FILE])
        return password_file(cli->options[CLI_OPTION_PASSWORD_FILE], ret_password);
    FILE *terminal = fopen("/dev/tty", "r+e");
    if (!terminal)
        return cli_fail(CLI_USAGE, "there is no terminal to ask for a password; give --password-file");
    int status = password_ask(terminal, "Password", ret_password);
    if (status == CLI_OK && is_new) {
        status = password_ask(terminal, "Again", again);
        if (status == CLI_OK && strcmp(again, ret_password) != 0)
            status = cli_fail(CLI_FAILED, "the two passwords differ; nothing was done");
        sodium_memzero(again, sizeof(again));
    }
    fclose(terminal);
    return status;
}
