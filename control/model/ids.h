/*
 * From a name to the id of the entry that bears it: an open hash table with linear probing, at most half full.
 *
 * The index points at the names, which belong to the entries: a name must stay where it is until it is removed.
 * Thread: one.
 */
#pragma once

#include <stdint.h>

struct bypeer_ids {
    struct ids_slot {
        const char *name; /* NULL: free */
        uint32_t id;
    } * slots;
    uint32_t mask; /* slots - 1; 0: nothing was added yet */
    uint32_t used;
};

/* 0: no such name. */
uint32_t bypeer_ids_find(const struct bypeer_ids *ids, const char *name);
/* The name must not be there yet. 0 or -ENOMEM. */
int bypeer_ids_add(struct bypeer_ids *ids, const char *name, uint32_t id);
void bypeer_ids_remove(struct bypeer_ids *ids, const char *name);
void bypeer_ids_free(struct bypeer_ids *ids);
