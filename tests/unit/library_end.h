/*
 * A connection of libbypeer whose other end the test plays: what is asked is read line by line, and what is to be
 * answered may be said before.
 */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/lib/bypeer.h"

static int far_end;
static struct bypeer *node;

static inline void set_up(void)
{
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    far_end = ends[1];
    cr_assert_eq(bypeer_attach(&node, ends[0]), 0);
    bypeer_set_timeout(node, 5000);
}

static inline void tear_down(void)
{
    bypeer_close(node);
    close(far_end);
}

static inline void say(const char *text)
{
    cr_assert_eq(write(far_end, text, strlen(text)), (ssize_t)strlen(text));
}

#define RESULT(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"result\":" result "}\n"

/* The next request, without what all have in common. */
static inline void expect_asked(const char *method, const char *params)
{
    char heard[8192] = "", start[128];
    size_t length = 0;
    while (length < sizeof(heard) - 1 && recv(far_end, heard + length, 1, 0) == 1 && heard[length] != '\n')
        length++;
    heard[length] = '\0';
    snprintf(start, sizeof(start), "\"method\":\"%s\",\"params\":", method);
    char *found = strstr(heard, start);
    cr_assert_not_null(found, "%s", heard);
    found += strlen(start);
    cr_assert_gt(strlen(found), 0);
    found[strlen(found) - 1] = '\0';
    cr_expect_str_eq(found, params);
}
