/*
 * The slots of one section of records: in use, retired, or free. Private to the writer.
 *
 * A slot that goes out of use may still be under a reader's eyes, so it is retired first and free only when a grace
 * period asked for afterwards has ended. Both kinds wait in one ring, oldest first:
 *
 *      head          ready                tail
 *       |  free ...   |  retired ...       |
 *       +-------------+--------------------+
 *
 * A slot enters at the tail when it is retired, ready moves to where the tail stood when the completed grace period was
 * asked for, and slots are taken at the head. Each slot is in the ring at most once, so a ring of as many entries as
 * there are slots never overflows, retiring cannot fail, and to free a thousand slots is one addition. Slots that were
 * never used are handed out by counting up and enter the ring when they are first retired: memory that a section never
 * needed is never touched.
 *
 * Slot 0 means "none" and is never handed out. Thread: the writer.
 */
#pragma once

#include <stdint.h>

/* Grace periods that may be outstanding at once; more are merged into the newest. */
#define BYPEER_POOL_MARKS 16

struct bypeer_pool {
    uint32_t *ring;
    uint32_t slots;             /* of the section, slot 0 included: size of the ring */
    uint32_t fresh;             /* next slot that was never used */
    uint64_t head, ready, tail; /* positions since the beginning; modulo slots they are places in the ring */
    struct {
        uint64_t token;
        uint64_t tail; /* what was retired before the token was asked for */
    } marks[BYPEER_POOL_MARKS];
    unsigned first_mark, mark_count;
};

/* 0 or -ENOMEM. */
int bypeer_pool_init(struct bypeer_pool *pool, uint32_t slots);
void bypeer_pool_free(struct bypeer_pool *pool);

/* A slot that no reader can see, or 0: none is free. */
uint32_t bypeer_pool_take(struct bypeer_pool *pool);

/* Gives back a slot that readers may still see. */
void bypeer_pool_retire(struct bypeer_pool *pool, uint32_t slot);

/* Whether anything was retired since the last grace period was asked for. */
int bypeer_pool_is_dirty(const struct bypeer_pool *pool);

/* A grace period is asked for under token (tokens rise): what is retired by now is free when it has ended. */
void bypeer_pool_request(struct bypeer_pool *pool, uint64_t token);

/* All grace periods up to token completed have ended. */
void bypeer_pool_reclaim(struct bypeer_pool *pool, uint64_t completed);

static inline uint64_t bypeer_pool_retired(const struct bypeer_pool *pool)
{
    return pool->tail - pool->ready;
}

/* How many slots could be taken now. */
static inline uint64_t bypeer_pool_available(const struct bypeer_pool *pool)
{
    return (pool->ready - pool->head) + (pool->slots - pool->fresh);
}
