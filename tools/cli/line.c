#include "tools/cli/line.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const char blanks[] = " \t\r\n,";

/* Text for a message, nothing unprintable. */
static const char *shown(char *word)
{
    for (char *at = word; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    return word;
}

enum line_kind line_read(char *text, struct line *ret_line)
{
    struct line line = {0};
    char *rest = NULL;
    text[strcspn(text, "#")] = '\0';
    char *address = strtok_r(text, blanks, &rest);
    char *link = address ? strtok_r(NULL, blanks, &rest) : NULL;
    char *more = link ? strtok_r(NULL, blanks, &rest) : NULL;
    if (!address)
        return LINE_EMPTY;
    if (inet_pton(AF_INET6, address, line.address) != 1)
        snprintf(line.why, sizeof(line.why),
                 "\"%.40s\" is no IPv6 address; begin the line with one like fd12:3456:789a::2", shown(address));
    else if (more)
        snprintf(line.why, sizeof(line.why), "\"%.40s\" is too much; write an address and a link", shown(more));
    line.link = link;
    *ret_line = line;
    return line.why[0] ? LINE_WRONG : LINE_MEMBER;
}
