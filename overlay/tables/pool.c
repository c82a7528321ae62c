#include "overlay/tables/pool.h"

#include <errno.h>
#include <stdlib.h>

int bypeer_pool_init(struct bypeer_pool *pool, uint32_t slots)
{
    uint32_t *ring = calloc(slots, sizeof(*ring)); /* fresh pages: only what is used becomes resident */
    if (!ring)
        return -ENOMEM;
    *pool = (struct bypeer_pool){.ring = ring, .slots = slots, .fresh = 1};
    return 0;
}

void bypeer_pool_free(struct bypeer_pool *pool)
{
    free(pool->ring);
    *pool = (struct bypeer_pool){0};
}

uint32_t bypeer_pool_take(struct bypeer_pool *pool)
{
    if (pool->head != pool->ready)
        return pool->ring[pool->head++ % pool->slots];
    if (pool->fresh < pool->slots)
        return pool->fresh++;
    return 0;
}

void bypeer_pool_retire(struct bypeer_pool *pool, uint32_t slot)
{
    pool->ring[pool->tail++ % pool->slots] = slot;
}

static uint64_t pool_last_marked(const struct bypeer_pool *pool)
{
    if (pool->mark_count == 0)
        return pool->ready;
    return pool->marks[(pool->first_mark + pool->mark_count - 1) % BYPEER_POOL_MARKS].tail;
}

int bypeer_pool_is_dirty(const struct bypeer_pool *pool)
{
    return pool->tail != pool_last_marked(pool);
}

void bypeer_pool_request(struct bypeer_pool *pool, uint64_t token)
{
    if (!bypeer_pool_is_dirty(pool))
        return;
    /* With all marks taken the newest one also covers this token: what it waits for just ends later. */
    if (pool->mark_count < BYPEER_POOL_MARKS)
        pool->mark_count++;
    unsigned last = (pool->first_mark + pool->mark_count - 1) % BYPEER_POOL_MARKS;
    pool->marks[last].token = token;
    pool->marks[last].tail = pool->tail;
}

void bypeer_pool_reclaim(struct bypeer_pool *pool, uint64_t completed)
{
    while (pool->mark_count > 0 && pool->marks[pool->first_mark].token <= completed) {
        pool->ready = pool->marks[pool->first_mark].tail;
        pool->first_mark = (pool->first_mark + 1) % BYPEER_POOL_MARKS;
        pool->mark_count--;
    }
}
