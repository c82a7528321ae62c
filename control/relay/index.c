#include "control/relay/index.h"

#include <errno.h>
#include <stdlib.h>

#define INDEX_FIRST_SLOTS 64

static void index_put(struct relay_index *index, uint32_t hash, uint32_t number)
{
    uint32_t at = hash & index->mask;
    while (index->slots[at].number)
        at = (at + 1) & index->mask;
    index->slots[at] = (struct relay_index_slot){.hash = hash, .number = number};
}

static int index_grow(struct relay_index *index)
{
    uint32_t count = index->mask ? (index->mask + 1) * 2 : INDEX_FIRST_SLOTS;
    struct relay_index grown = {.slots = calloc(count, sizeof(*grown.slots)), .mask = count - 1, .used = index->used};
    if (!grown.slots)
        return -ENOMEM;
    for (uint32_t at = 0; index->mask && at <= index->mask; at++)
        if (index->slots[at].number)
            index_put(&grown, index->slots[at].hash, index->slots[at].number);
    free(index->slots);
    *index = grown;
    return 0;
}

int relay_index_add(struct relay_index *index, uint64_t hash, uint32_t number)
{
    if (index->used >= (index->mask + 1) / 2) {
        int result = index_grow(index);
        if (result < 0)
            return result;
    }
    index_put(index, (uint32_t)hash, number);
    index->used++;
    return 0;
}

uint32_t relay_index_next(const struct relay_index *index, uint64_t hash, uint32_t *at)
{
    if (index->mask == 0)
        return 0;
    for (;; ++*at) {
        const struct relay_index_slot *slot = &index->slots[((uint32_t)hash + *at) & index->mask];
        if (slot->number == 0)
            return 0;
        if (slot->hash == (uint32_t)hash) {
            ++*at;
            return slot->number;
        }
    }
}

/* What was pushed on past the place that is free now moves back, so that no search ends too early. */
static void index_close_gap(struct relay_index *index, uint32_t gap)
{
    for (uint32_t at = (gap + 1) & index->mask; index->slots[at].number; at = (at + 1) & index->mask) {
        uint32_t home = index->slots[at].hash & index->mask;
        if (((at - home) & index->mask) < ((at - gap) & index->mask))
            continue;
        index->slots[gap] = index->slots[at];
        gap = at;
    }
    index->slots[gap] = (struct relay_index_slot){0};
}

void relay_index_remove(struct relay_index *index, uint64_t hash, uint32_t number)
{
    if (index->mask == 0)
        return;
    uint32_t at = (uint32_t)hash & index->mask;
    while (index->slots[at].number && index->slots[at].number != number)
        at = (at + 1) & index->mask;
    if (index->slots[at].number == 0)
        return;
    index_close_gap(index, at);
    index->used--;
}

void relay_index_free(struct relay_index *index)
{
    free(index->slots);
    *index = (struct relay_index){0};
}
