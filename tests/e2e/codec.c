#include "tests/e2e/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int codec_take(const char *line)
{
    char profile_name[16], what[16];
    int at = 0;
    const struct bypeer_profile *profile;
    if (sscanf(line, "%15s %15s %n", profile_name, what, &at) != 2 ||
        (profile = bypeer_profile_find(profile_name)) == NULL)
        return EXIT_FAILURE;
    const char *hex = line + at;
    size_t length = strspn(hex, "0123456789abcdef") / 2;
    uint8_t *bytes = malloc(length > 0 ? length : 1);
    if (bytes == NULL)
        return EXIT_FAILURE;
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)strtoul((const char[]){hex[2 * i], hex[2 * i + 1], '\0'}, NULL, 16);
    int result = codec_print(profile, what, bytes, length);
    if (result < 0)
        printf("refused %d\n", result);
    free(bytes);
    fflush(stdout);
    return EXIT_SUCCESS;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    int status = EXIT_SUCCESS;
    while (status == EXIT_SUCCESS && getline(&line, &room, stdin) > 0)
        status = codec_take(line);
    free(line);
    return status;
}
