/* One line of a file of members: "ADDRESS [LINK] [# comment]", parted by blanks or a comma. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum line_kind { LINE_EMPTY, LINE_MEMBER, LINE_WRONG };

struct line {
    uint8_t address[16];
    const char *link; /* part of the text; NULL: none is named */
    char why[128];    /* of a wrong one: what is wrong and the remedy */
};

/* Takes text apart, which is changed by it. */
enum line_kind line_read(char *text, struct line *ret_line);
