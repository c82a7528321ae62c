/*
 * Slow work of a call, as turning a password into a key: a thread does it, and the loop ends the call with what it
 * gave. With no loop (tests) it is done at once. Whoever began it may be gone before it is done: then nothing follows,
 * and what no thread had begun is never done.
 */
#pragma once

#include <uv.h>

#include "control/api/call.h"

struct call_work;

struct call_work_kind {
    size_t bytes; /* of the structure that begins with a struct call_work */
    /* On a thread; touches what the work has, and nothing else. 0, or negative with work->problem. */
    int (*run)(struct call_work *work);
    /* On the loop, if run() gave 0: the outcome of the call, perhaps CALL_LATER. */
    int (*finish)(struct call *call, struct call_work *work);
    /* What is in it, which is wiped and freed after that. NULL: that is enough. */
    void (*release)(struct call_work *work);
};

struct call_work {
    uv_work_t work;
    const struct call_work_kind *kind;
    struct call *call;  /* NULL: nobody waits any more */
    json_t *parameters; /* the call's */
    struct bypeer_problem problem;
    int result;
};

/* NULL with the call's problem: no memory. All that is behind the struct call_work is zero. */
struct call_work *call_work_new(struct call *call, const struct call_work_kind *kind);
void call_work_free(struct call_work *work); /* of one that was not begun */
/* Takes it over; what a method is to return. */
int call_work_begin(struct call_work *work);
/* A parameter, for run(); NULL: it is missing. */
const char *call_work_string(const struct call_work *work, const char *name);
