/*
 * The broker: the thread that waits for grace periods, so that nobody else has to.
 *
 * liburcu can only wait for the readers of its own process, and it blocks while it does. So the main thread leaves to
 * the broker everything that needs a grace period: serving control's requests (grace.h), and changing the view that the
 * workers use. The main thread stays free to forward messages and to say by name which worker is late.
 *
 * The broker has one thing to do at a time: a change of view, then the newest request in the tables that are in use.
 *
 * Threads: bypeer_broker_*() main; the thread itself is inside.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/view.h"
#include "dataplane/workers.h"
#include "overlay/tables/layout.h"

struct bypeer_broker {
    struct bypeer_status_header *status;
    int wake; /* eventfd: there is something to do */
    int done; /* eventfd: the view was changed; for the main thread's poll */
    bool running;
    pthread_t thread;
    pthread_mutex_t mutex;
    struct bypeer_view *next; /* to be published; under mutex */
    struct bypeer_view *old;  /* was replaced and nobody looks at it any more; under mutex */
    bool stop;                /* under mutex */
    uint64_t waits_since_tsc; /* when the present wait for readers began; 0: none */
    uint64_t alarm_ms;        /* main: the wait for which the next alarm is due */
};

/* Starts the thread. The empty view must have been published before. Returns 0 or negative errno. */
int bypeer_broker_start(struct bypeer_broker *ret_broker, struct bypeer_status_header *status);
void bypeer_broker_stop(struct bypeer_broker *broker);

/* There may be a request in the tables. */
void bypeer_broker_wake(struct bypeer_broker *broker);

/*
 * Makes the workers use next. One change at a time: after .done has become readable, bypeer_broker_take_old() gives the
 * view that next has replaced.
 */
void bypeer_broker_change(struct bypeer_broker *broker, struct bypeer_view *next);
struct bypeer_view *bypeer_broker_take_old(struct bypeer_broker *broker);

/* Says which worker has kept the broker waiting: first after 100 ms, then each time the wait has doubled. */
void bypeer_broker_watch(struct bypeer_broker *broker, const struct bypeer_workers *workers);
