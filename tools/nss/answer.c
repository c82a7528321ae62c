#include "tools/nss/answer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct lines {
    const char *at;
    size_t left;
};

/* The next line, without its newline. */
static int lines_next(struct lines *lines, char ret_line[static INET6_ADDRSTRLEN])
{
    const char *end = memchr(lines->at, '\n', lines->left);
    size_t length = end ? (size_t)(end - lines->at) : lines->left;
    if (length >= INET6_ADDRSTRLEN)
        return -EBADMSG;
    if (!end)
        return -EAGAIN;
    memcpy(ret_line, lines->at, length);
    ret_line[length] = '\0';
    lines->at += length + 1;
    lines->left -= length + 1;
    return strlen(ret_line) == length ? 0 : -EBADMSG;
}

/* "OK 7": 1 to 10. */
static int count_read(const char *line)
{
    if (strncmp(line, "OK ", 3) != 0 || line[3] < '1' || line[3] > '9')
        return -EBADMSG;
    int count = line[3] - '0';
    if (line[4] == '\0')
        return count;
    return count == 1 && line[4] == '0' && line[5] == '\0' ? ANSWER_ADDRESSES : -EBADMSG;
}

int answer_read(const char *bytes, size_t length, uint8_t (*ret_addresses)[16])
{
    struct lines lines = {bytes, length};
    char line[INET6_ADDRSTRLEN];
    int result = lines_next(&lines, line);
    if (result == 0 && strcmp(line, "WAIT") == 0)
        result = lines_next(&lines, line);
    if (result < 0)
        return result;
    if (strcmp(line, "NOTFOUND") == 0)
        return 0;
    int count = count_read(line);
    for (int i = 0; i < count; i++) {
        result = lines_next(&lines, line);
        if (result < 0)
            return result;
        if (inet_pton(AF_INET6, line, ret_addresses[i]) != 1)
            return -EBADMSG;
    }
    return count;
}
