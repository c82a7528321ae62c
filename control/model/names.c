#include "control/model/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#define NAMES_FIRST_SLOTS 64

static uint32_t names_home(const struct bypeer_names *names, const char *name)
{
    return (uint32_t)XXH3_64bits(name, strlen(name)) & names->mask;
}

/* The slot that holds name, or the free one where it would go. */
static uint32_t names_probe(const struct bypeer_names *names, const char *name)
{
    uint32_t at = names_home(names, name);
    while (names->slots[at].name && strcmp(names->slots[at].name, name) != 0)
        at = (at + 1) & names->mask;
    return at;
}

uint32_t bypeer_names_find(const struct bypeer_names *names, const char *name)
{
    if (names->mask == 0)
        return 0;
    const struct names_slot *slot = &names->slots[names_probe(names, name)];
    return slot->name ? slot->id : 0;
}

static int names_grow(struct bypeer_names *names)
{
    uint32_t count = names->mask ? (names->mask + 1) * 2 : NAMES_FIRST_SLOTS;
    struct bypeer_names grown = {.slots = calloc(count, sizeof(*grown.slots)), .mask = count - 1, .used = names->used};
    if (!grown.slots)
        return -ENOMEM;
    for (uint32_t at = 0; names->mask && at <= names->mask; at++)
        if (names->slots[at].name)
            grown.slots[names_probe(&grown, names->slots[at].name)] = names->slots[at];
    free(names->slots);
    *names = grown;
    return 0;
}

int bypeer_names_add(struct bypeer_names *names, const char *name, uint32_t id)
{
    if (names->used >= (names->mask + 1) / 2) {
        int result = names_grow(names);
        if (result < 0)
            return result;
    }
    names->slots[names_probe(names, name)] = (struct names_slot){.name = name, .id = id};
    names->used++;
    return 0;
}

void bypeer_names_remove(struct bypeer_names *names, const char *name)
{
    if (names->mask == 0)
        return;
    uint32_t hole = names_probe(names, name);
    if (!names->slots[hole].name)
        return;
    /* Whoever probed over the hole on its way moves into it, so that no probe ends too early. */
    for (uint32_t at = (hole + 1) & names->mask; names->slots[at].name; at = (at + 1) & names->mask) {
        uint32_t home = names_home(names, names->slots[at].name);
        if (((at - home) & names->mask) >= ((at - hole) & names->mask)) {
            names->slots[hole] = names->slots[at];
            hole = at;
        }
    }
    names->slots[hole] = (struct names_slot){0};
    names->used--;
}

void bypeer_names_free(struct bypeer_names *names)
{
    free(names->slots);
    *names = (struct bypeer_names){0};
}
