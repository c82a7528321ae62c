/*
 * How the threads of a reader process tell that they looked away: liburcu-qsbr as in the data plane, or epoch slots,
 * which C11 atomics alone make and ThreadSanitizer understands.
 */
#pragma once

struct torture_engine {
    const char *name;
    void (*begin)(unsigned thread); /* of the calling thread: registered and online */
    void (*end)(void);
    void (*quiescent)(void);
    void (*offline)(void);
    void (*online)(void);
    void (*synchronize)(void *unused);
};

extern const struct torture_engine torture_engine_urcu;
extern const struct torture_engine torture_engine_epoch;
