#include "overlay/tables/grace.h"

#include <errno.h>

bool bypeer_grace_serve(struct bypeer_status_header *status, const struct bypeer_tables_header *tables,
                        void (*synchronize)(void *context), void *context)
{
    /* Pairs with the writer's release: what it took out of the tables before asking is out for every later walk. */
    uint64_t asked = __atomic_load_n(&tables->grace_request, __ATOMIC_ACQUIRE);
    if (asked <= status->grace_completed)
        return false;
    synchronize(context);
    /* Pairs with the acquire in reader_completed(): no walk that began before the token was read is still on its way.
     */
    __atomic_store_n(&status->grace_completed, asked, __ATOMIC_RELEASE);
    return true;
}

void bypeer_grace_use(struct bypeer_status_header *status, uint64_t generation)
{
    /* A token of one generation must never be seen beside the other: none, then the other, both in order. */
    __atomic_store_n(&status->tables_generation, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&status->grace_completed, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&status->tables_generation, generation, __ATOMIC_RELEASE);
}

void bypeer_grace_init(struct bypeer_grace *ret_grace, uint64_t generation)
{
    *ret_grace = (struct bypeer_grace){.generation = generation};
}

int bypeer_grace_add(struct bypeer_grace *grace, const struct bypeer_status_header *status)
{
    for (int i = 0; i < BYPEER_READERS_MAX; i++) {
        if (grace->readers[i].status)
            continue;
        grace->readers[i] = (struct bypeer_reader){
            .status = status,
            .alarm_after_ns = BYPEER_GRACE_LATE_NS,
        };
        return i;
    }
    return -ENOSPC;
}

void bypeer_grace_remove(struct bypeer_grace *grace, unsigned reader)
{
    if (reader < BYPEER_READERS_MAX)
        grace->readers[reader] = (struct bypeer_reader){.status = NULL};
}

bool bypeer_grace_asked(struct bypeer_grace *grace, uint64_t token, uint64_t now_ns)
{
    if (token <= grace->requested)
        return false;
    grace->requested = token;
    grace->requested_ns = now_ns;
    for (unsigned i = 0; i < BYPEER_READERS_MAX; i++)
        if (grace->readers[i].status && grace->readers[i].behind_since_ns == 0)
            grace->readers[i].behind_since_ns = now_ns;
    return true;
}

/* What the reader says that it completed of this generation; 0 if it says nothing that makes sense. */
static uint64_t reader_completed(const struct bypeer_reader *reader, const struct bypeer_grace *grace)
{
    const struct bypeer_status_header *status = reader->status;
    /* Each load pairs with a release of bypeer_grace_use(), the second with that of bypeer_grace_serve() too. */
    uint64_t before = __atomic_load_n(&status->tables_generation, __ATOMIC_ACQUIRE);
    uint64_t completed = __atomic_load_n(&status->grace_completed, __ATOMIC_ACQUIRE);
    uint64_t after = __atomic_load_n(&status->tables_generation, __ATOMIC_ACQUIRE);
    if (before != grace->generation || after != grace->generation || completed > grace->requested)
        return 0;
    return completed;
}

/* Takes over what the reader says; returns whether it is more than before. */
static bool reader_advance(struct bypeer_reader *reader, const struct bypeer_grace *grace)
{
    uint64_t completed = reader_completed(reader, grace);
    if (completed <= reader->accepted)
        return false;
    reader->accepted = completed;
    return true;
}

uint64_t bypeer_grace_completed(struct bypeer_grace *grace)
{
    uint64_t completed = grace->requested;
    for (unsigned i = 0; i < BYPEER_READERS_MAX; i++)
        if (grace->readers[i].status && grace->readers[i].accepted < completed)
            completed = grace->readers[i].accepted;
    return completed;
}

/* Brings one reader up to date and fills in the turn's event. */
static void reader_turn(struct bypeer_grace *grace, unsigned number, uint64_t now_ns, struct bypeer_grace_turn *turn)
{
    struct bypeer_reader *reader = &grace->readers[number];
    bool quiet = turn->event == BYPEER_GRACE_QUIET;
    if (reader->alarmed && !quiet)
        return; /* one event a turn: its recovery is for the next one */
    bool advanced = reader_advance(reader, grace);
    /* Registered after the request: its time begins at the first look at it. */
    if (!advanced && reader->behind_since_ns == 0 && reader->accepted < grace->requested)
        reader->behind_since_ns = now_ns;
    uint64_t behind_ns = reader->behind_since_ns ? now_ns - reader->behind_since_ns : 0;

    if (advanced) {
        if (reader->alarmed) {
            turn->event = BYPEER_GRACE_RECOVERED;
            turn->reader = number;
            turn->for_ns = behind_ns;
        }
        reader->alarmed = false;
        reader->alarm_after_ns = BYPEER_GRACE_LATE_NS;
        reader->behind_since_ns = reader->accepted < grace->requested ? now_ns : 0;
        return;
    }
    if (behind_ns >= reader->alarm_after_ns && quiet) {
        turn->event = BYPEER_GRACE_LATE;
        turn->reader = number;
        turn->for_ns = behind_ns;
        reader->alarmed = true;
        while (reader->alarm_after_ns <= behind_ns)
            reader->alarm_after_ns *= 2; /* ends: behind_ns is less than the age of the machine */
    }
}

struct bypeer_grace_turn bypeer_grace_turn(struct bypeer_grace *grace, bool waiting, uint64_t now_ns)
{
    struct bypeer_grace_turn turn = {.next_ns = UINT64_MAX};
    for (unsigned i = 0; i < BYPEER_READERS_MAX; i++)
        if (grace->readers[i].status)
            reader_turn(grace, i, now_ns, &turn);

    turn.completed = bypeer_grace_completed(grace);
    turn.ask = waiting && (grace->requested_ns == 0 || now_ns - grace->requested_ns >= BYPEER_GRACE_INTERVAL_NS);
    if (waiting || turn.completed < grace->requested)
        turn.next_ns = now_ns + BYPEER_GRACE_INTERVAL_NS;
    return turn;
}
