/*
 * A trace as the main thread runs it: starts it, empties the workers' rings, knows when it is over.
 *
 * One trace at a time; a new one ends the one before. It is over once all packets that it wanted have been numbered and
 * every worker has finished a walk since, so that their last steps are in the rings. The steps of the last trace are
 * kept for telemetry.
 *
 * Threads: main; telemetry reads what is under the mutex.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/workers.h"

#define BYPEER_TRACING_KEPT 256 /* lines of telemetry */

struct bypeer_tracing {
    struct bypeer_workers *workers;
    bool runs;
    bool numbered;                      /* all packets have a number; waits for the walks */
    uint64_t walks[BYPEER_WORKERS_MAX]; /* of each worker when that was seen */
    pthread_mutex_t mutex;              /* below: main writes, telemetry reads */
    uint32_t asked;                     /* by telemetry: packets to trace, taken over by the main thread; 0: none */
    uint32_t kept_count;
    char kept[BYPEER_TRACING_KEPT][120];
};

void bypeer_tracing_init(struct bypeer_tracing *ret_tracing, struct bypeer_workers *workers);

/* Traces the next packets (at most BYPEER_TRACE_PACKETS_MAX); 0: ends the present trace. */
void bypeer_tracing_start(struct bypeer_tracing *tracing, uint32_t packets);

/*
 * Hands each step written since the last call to take, which may say false to get it again later, and returns true once
 * when the trace is over and all of it was taken. Call every millisecond or so while .runs.
 */
bool bypeer_tracing_drain(struct bypeer_tracing *tracing,
                          bool (*take)(void *context, uint16_t worker, const struct bypeer_trace_step *step),
                          void *context);
