/*
 * When a worker that finds nothing sleeps, and for how long.
 *
 *   mode        while packets come    idle                                  wakes up within
 *   sleep       walks                 naps up to idle-max-us                idle-max-us + the scheduler's delay
 *   interrupt   walks                 waits on the devices' descriptors;    the scheduler's delay
 *                                     naps where a device has none
 *   busy        walks                 walks                                 0, at the cost of the whole core
 *
 * A worker that waits does so after the first walk that finds nothing: while packets come faster than it falls asleep
 * and wakes up, each walk finds some, and below that all else costs more. Relaying 8800 packets a second over veths
 * took 0.055 cores where it walked on for 5 us, 0.087 where it then napped for 40 us, and takes 0.040.
 *
 * One that naps goes on walking for a few microseconds after its last packet; each nap that ends without a packet
 * doubles the next, from 40 us up to the longest allowed. A packet ends the series. Naps cost about 25 us of work each
 * in a virtual machine, so the longest decides what an idle node takes: 1.5 ms naps 2 % of a core, 90 us naps 21 %.
 *
 * This is only the decision; sleeping is wakeup.h's. Thread: the worker.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

#define BYPEER_IDLE_WALK_US 5  /* walks for so long without packets before the first nap */
#define BYPEER_IDLE_NAP_US  40 /* first nap */

struct bypeer_idle {
    enum bypeer_idle_mode mode;
    uint32_t max_us;
    uint32_t nap_us;    /* of the next nap; 0: has not begun to nap */
    uint64_t walk_tsc;  /* BYPEER_IDLE_WALK_US */
    uint64_t found_tsc; /* when the last packet came */
};

enum bypeer_idle_step {
    BYPEER_IDLE_STEP_WALK, /* walk again at once */
    BYPEER_IDLE_STEP_NAP,  /* sleep for *ret_us */
    BYPEER_IDLE_STEP_WAIT, /* sleep until a descriptor says that there is something */
};

/* INTERRUPT only if each of the worker's queues has a descriptor to wait on; else choose SLEEP. */
void bypeer_idle_init(struct bypeer_idle *idle, enum bypeer_idle_mode mode, uint32_t max_us, uint64_t tsc_hz);

/* What to do after a walk that found packets or not, at time tsc. */
enum bypeer_idle_step bypeer_idle_next(struct bypeer_idle *idle, bool found, uint64_t tsc, uint32_t *ret_us);
