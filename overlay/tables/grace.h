/*
 * Grace periods across two processes.
 *
 * The writer may use a retired slot again when no reader can still look at it. Readers are threads of other processes,
 * and liburcu counts readers only within one, so each reader process has a broker (a thread of its own in the data
 * plane) and the two sides meet in two words of memory, each written by one side only:
 *
 *   writer (control)                                       broker (reader process)
 *   takes slot S out of the table      (release)
 *   tables.grace_request = T           (release)   ----->  reads T                            (acquire)
 *                                                          synchronize: every reader thread has been outside since
 *   reads status.grace_completed = T   (acquire)   <-----  status.grace_completed = T         (release)
 *   uses S again
 *
 * Whoever reads T sees S out of the table, so every walk that begins after synchronize began misses S, and every walk
 * that began before has ended when it returns.
 *
 * A status region is one reader process's slot, registered with the writer *before* it is given tables. It says which
 * generation its workers use; a token only counts for the generation that it was asked for in. Order in the broker when
 * it changes generation: grace_completed = 0, then tables_generation; the writer reads generation, completed,
 * generation. A reader process that dies (pidfd) loses its slot: its walks have ended.
 *
 * The writer trusts no reader: a token counts if it was asked for and is not older than the one before. A reader that
 * lies can only make its own look-ups wrong. A reader that is late holds back what is retired, raises an alarm at
 * doubling intervals, and in the end makes the writer's changes fail with -EAGAIN; it costs nothing else.
 *
 * The engine behind the words may change (epoch slots instead of synchronize_rcu()) without either side's other half
 * noticing.
 *
 * Threads: bypeer_grace_serve() and _use() the reader process's broker; all else the writer's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "overlay/tables/layout.h"

/* --- reader process ---------------------------------------------------------------------------------------------- */

/*
 * Serves the newest request of tables, if there is one: calls synchronize(context), which returns once every reader
 * thread has passed a quiescent state or was offline, and then completes the token. Returns whether it did.
 * Call it when a GRACE message came, and every millisecond or so. Each call costs at most one grace period.
 */
bool bypeer_grace_serve(struct bypeer_status_header *status, const struct bypeer_tables_header *tables,
                        void (*synchronize)(void *context), void *context);

/*
 * Says that all workers use this generation and none looks at the one before. Call after the new tables were published
 * to the workers and one grace period has passed. 0: they use none.
 */
void bypeer_grace_use(struct bypeer_status_header *status, uint64_t generation);

/* --- writer process ---------------------------------------------------------------------------------------------- */

#define BYPEER_READERS_MAX 16

/* At most about 1000 grace periods a second: each may cost a late worker a futex call. */
#define BYPEER_GRACE_INTERVAL_NS UINT64_C(1000000)

/* A reader that has held back a token for so long is late; the alarm comes again after twice the time, and so on. */
#define BYPEER_GRACE_LATE_NS UINT64_C(500000000)

struct bypeer_reader {
    const struct bypeer_status_header *status; /* NULL: the slot is free */
    uint64_t accepted;                         /* newest token that counts, of this generation */
    uint64_t behind_since_ns;                  /* last progress while behind; 0: has completed all that was asked for */
    uint64_t alarm_after_ns;                   /* no progress for so long: alarm */
    bool alarmed;
};

/* Of one generation of tables. */
struct bypeer_grace {
    uint64_t generation;
    uint64_t requested;
    uint64_t requested_ns; /* when the newest token was asked for; 0: none yet */
    struct bypeer_reader readers[BYPEER_READERS_MAX];
};

enum bypeer_grace_event {
    BYPEER_GRACE_QUIET = 0,
    BYPEER_GRACE_LATE,      /* say so: a reader holds back a grace period */
    BYPEER_GRACE_RECOVERED, /* say so: a reader that was late has completed it */
};

/* What the writer is to do now, in this order. */
struct bypeer_grace_turn {
    uint64_t completed; /* every reader has completed it: bypeer_writer_reclaim(completed) */
    bool ask;           /* bypeer_grace_asked(bypeer_writer_request()), and if that is new GRACE to every reader */
    uint64_t next_ns;   /* call again then; UINT64_MAX: when something was retired */
    enum bypeer_grace_event event;
    unsigned reader; /* of the event */
    uint64_t for_ns; /* how long it has been, or was, behind */
};

/* A registry without readers, for a new generation of tables. */
void bypeer_grace_init(struct bypeer_grace *ret_grace, uint64_t generation);

/*
 * Registers the reader process that owns this status region, which must stay mapped until bypeer_grace_remove(). Call
 * it before the reader is sent tables of this generation. Until it says that it uses them, nothing is reclaimed.
 * Returns its number, or -ENOSPC.
 */
int bypeer_grace_add(struct bypeer_grace *grace, const struct bypeer_status_header *status);

/* The reader is dead, or will not use this generation (REFUSED). */
void bypeer_grace_remove(struct bypeer_grace *grace, unsigned reader);

/* The token was stored in the tables' header. Returns whether it is a new one, which the readers should hear of. */
bool bypeer_grace_asked(struct bypeer_grace *grace, uint64_t token, uint64_t now_ns);

/* The newest token that every reader has completed; with no reader, the newest asked for. */
uint64_t bypeer_grace_completed(struct bypeer_grace *grace);

/* One turn of the writer's loop. waiting: something is retired. now_ns: of a clock that does not go back, not 0. */
struct bypeer_grace_turn bypeer_grace_turn(struct bypeer_grace *grace, bool waiting, uint64_t now_ns);
