#include "control/model/ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#define IDS_FIRST_SLOTS 64

static uint32_t ids_home(const struct bypeer_ids *ids, const char *name)
{
    return (uint32_t)XXH3_64bits(name, strlen(name)) & ids->mask;
}

/* The slot that holds name, or the free one where it would go. */
static uint32_t ids_probe(const struct bypeer_ids *ids, const char *name)
{
    uint32_t at = ids_home(ids, name);
    while (ids->slots[at].name && strcmp(ids->slots[at].name, name) != 0)
        at = (at + 1) & ids->mask;
    return at;
}

uint32_t bypeer_ids_find(const struct bypeer_ids *ids, const char *name)
{
    if (ids->mask == 0)
        return 0;
    const struct ids_slot *slot = &ids->slots[ids_probe(ids, name)];
    return slot->name ? slot->id : 0;
}

static int ids_grow(struct bypeer_ids *ids)
{
    uint32_t count = ids->mask ? (ids->mask + 1) * 2 : IDS_FIRST_SLOTS;
    struct bypeer_ids grown = {.slots = calloc(count, sizeof(*grown.slots)), .mask = count - 1, .used = ids->used};
    if (!grown.slots)
        return -ENOMEM;
    for (uint32_t at = 0; ids->mask && at <= ids->mask; at++)
        if (ids->slots[at].name)
            grown.slots[ids_probe(&grown, ids->slots[at].name)] = ids->slots[at];
    free(ids->slots);
    *ids = grown;
    return 0;
}

int bypeer_ids_add(struct bypeer_ids *ids, const char *name, uint32_t id)
{
    if (ids->used >= (ids->mask + 1) / 2) {
        int result = ids_grow(ids);
        if (result < 0)
            return result;
    }
    ids->slots[ids_probe(ids, name)] = (struct ids_slot){.name = name, .id = id};
    ids->used++;
    return 0;
}

void bypeer_ids_remove(struct bypeer_ids *ids, const char *name)
{
    if (ids->mask == 0)
        return;
    uint32_t hole = ids_probe(ids, name);
    if (!ids->slots[hole].name)
        return;
    /* Whoever probed over the hole on its way moves into it, so that no probe ends too early. */
    for (uint32_t at = (hole + 1) & ids->mask; ids->slots[at].name; at = (at + 1) & ids->mask) {
        uint32_t home = ids_home(ids, ids->slots[at].name);
        if (((at - home) & ids->mask) >= ((at - hole) & ids->mask)) {
            ids->slots[hole] = ids->slots[at];
            hole = at;
        }
    }
    ids->slots[hole] = (struct ids_slot){0};
    ids->used--;
}

void bypeer_ids_free(struct bypeer_ids *ids)
{
    free(ids->slots);
    *ids = (struct bypeer_ids){0};
}
