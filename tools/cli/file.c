/* Whole files as arguments. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"

int cli_read_file(const char *file, const char *what, size_t maximum, char **ret_text, size_t *ret_length)
{
    bool is_input = strcmp(file, "-") == 0;
    FILE *in = is_input ? stdin : fopen(file, "re");
    if (!in)
        return cli_fail(CLI_FAILED, "%s: %s", file, strerror(errno));
    char *text = malloc(maximum + 2);
    size_t length = text ? fread(text, 1, maximum + 1, in) : 0;
    bool failed = ferror(in);
    if (!is_input)
        fclose(in);
    if (!text || failed || length > maximum) {
        free(text);
        return cli_fail(CLI_FAILED, "%s: %s", file,
                        failed             ? "cannot be read"
                        : length > maximum ? "is too long"
                                           : "out of memory");
    }
    if (memchr(text, '\0', length) && what) {
        free(text);
        return cli_fail(CLI_FAILED, "%s: is no %s", file, what);
    }
    text[length] = '\0';
    *ret_text = text;
    *ret_length = length;
    return CLI_OK;
}
