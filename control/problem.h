/*
 * Why something was refused, for a person and for a program: the thing, what is wrong with it, what to do about it, and
 * a key that stays the same over releases.
 *
 * Functions that can refuse take a problem, fill it in and return its error. Thread: any.
 */
#pragma once

struct bypeer_problem {
    int error;        /* negative errno */
    char key[32];     /* "no_such_link" */
    char thing[160];  /* link "beta" */
    char value[192];  /* does not exist */
    char remedy[256]; /* list the links with: bypeer links */
};

/*
 * Fills in a problem and returns error. format makes three lines: thing, value and remedy, parted by newlines.
 * problem may be NULL.
 */
int bypeer_problem_set(struct bypeer_problem *problem, int error, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The one for memory that could not be had; returns -ENOMEM. */
int bypeer_problem_no_memory(struct bypeer_problem *problem);

/* "thing: value; remedy" in one line; text is as large as any problem gets. */
#define BYPEER_PROBLEM_TEXT 640
const char *bypeer_problem_text(const struct bypeer_problem *problem, char text[static BYPEER_PROBLEM_TEXT]);
