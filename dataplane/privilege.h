/*
 * Setting up the ports with a privilege that nothing else in this process has.
 *
 * net_af_xdp asks the kernel for its XDP program by number, which takes CAP_SYS_ADMIN: nearly root. No packet shall be
 * touched by a thread that has it. Capabilities are a thread's own and are inherited by those that it starts, so one
 * thread keeps this one before DPDK starts any other, does that work, and ends; everybody else never had it.
 *
 * Thread: main.
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

struct bypeer_privilege {
    pthread_t thread;
    bool waits; /* for work or an end */
    sem_t order;
    int (*work)(void *); /* NULL: none came */
    void *argument;
    int status;
};

/*
 * Starts the thread that keeps CAP_SYS_ADMIN and takes it from the caller; call before any other thread is started.
 * Without that capability all goes the same way, and what needs it fails. Returns 0 or negative errno.
 */
int bypeer_privilege_set_apart(struct bypeer_privilege *ret_privilege);

/* Runs work(argument) on that thread, which ends afterwards, and returns what it returned. Once. */
int bypeer_privilege_use(struct bypeer_privilege *privilege, int (*work)(void *), void *argument);

/* Ends the thread, had it work or not. */
void bypeer_privilege_end(struct bypeer_privilege *privilege);
