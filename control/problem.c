#include "control/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Copies one of the three lines, returns the start of the next. */
static const char *problem_take_line(char *target, size_t room, const char *from)
{
    size_t length = strcspn(from, "\n");
    snprintf(target, room, "%.*s", (int)length, from);
    return from[length] == '\n' ? from + length + 1 : from + length;
}

int bypeer_problem_set(struct bypeer_problem *problem, int error, const char *key, const char *format, ...)
{
    if (!problem)
        return error;
    char text[BYPEER_PROBLEM_TEXT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);

    problem->error = error;
    snprintf(problem->key, sizeof(problem->key), "%s", key);
    const char *rest = problem_take_line(problem->thing, sizeof(problem->thing), text);
    rest = problem_take_line(problem->value, sizeof(problem->value), rest);
    problem_take_line(problem->remedy, sizeof(problem->remedy), rest);
    return error;
}

int bypeer_problem_no_memory(struct bypeer_problem *problem)
{
    return bypeer_problem_set(problem, -ENOMEM, "memory", "bypeerd\nhas no memory left\ngive the process more memory");
}

const char *bypeer_problem_text(const struct bypeer_problem *problem, char text[static BYPEER_PROBLEM_TEXT])
{
    snprintf(text, BYPEER_PROBLEM_TEXT, "%s: %s%s%s", problem->thing, problem->value, problem->remedy[0] ? "; " : "",
             problem->remedy);
    return text;
}
