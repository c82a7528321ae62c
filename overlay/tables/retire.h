/*
 * What is out of use but may still be looked at: a queue in the writer's private memory, oldest first.
 *
 *   head                                                              tail
 *   | link 7, token 41 | destination 12, token 42 | tree half 0, token 42 |
 *
 * An entry is pushed after the store that took its slot out of the table, and bears the token of the next grace period
 * to be asked for: one asked for earlier might have begun before that store. It may be popped, and its slot used again,
 * once every reader has completed that token. The queue is bounded; full means that the writer must wait (-EAGAIN), so
 * a reader that never quiesces costs a fixed amount of memory and no more.
 *
 * 16 bytes an entry. Thread: the writer's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bypeer_retired {
    uint32_t kind; /* the caller's: which table's slot */
    uint32_t slot;
    uint64_t token;
};

struct bypeer_retire {
    struct bypeer_retired *entries;
    uint64_t mask;
    uint64_t capacity;
    uint64_t head, tail; /* count up for ever; entry i is at i & mask */
    uint64_t requested;  /* newest token asked for */
};

/* An empty queue for capacity entries (1 to 2^32). 0, -EINVAL or -ENOMEM. */
int bypeer_retire_init(struct bypeer_retire *ret_retire, uint64_t capacity);
void bypeer_retire_free(struct bypeer_retire *retire);

static inline uint64_t bypeer_retire_count(const struct bypeer_retire *retire)
{
    return retire->tail - retire->head;
}

/* No room for another: ask for a grace period and reclaim before the next change. */
static inline bool bypeer_retire_full(const struct bypeer_retire *retire)
{
    return bypeer_retire_count(retire) == retire->capacity;
}

/* Call after the slot was taken out of the table. 0, or -EAGAIN when full. */
int bypeer_retire_push(struct bypeer_retire *retire, uint32_t kind, uint32_t slot);

/* Something was retired since the last token: another grace period is worth asking for. */
bool bypeer_retire_waiting(const struct bypeer_retire *retire);

/* The token to store in bypeer_tables_header.grace_request (with release): a new one if something is waiting, else the
 * newest one so far. 0: none ever. */
uint64_t bypeer_retire_request(struct bypeer_retire *retire);

/* Takes the oldest entry if its token has been completed. A completed token that was never asked for counts as the
 * newest that was. */
bool bypeer_retire_pop(struct bypeer_retire *retire, uint64_t completed, struct bypeer_retired *ret_retired);
