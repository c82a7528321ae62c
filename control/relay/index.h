/*
 * From a hash to the numbers that were entered under it: names, keys, addresses and pairs of relay links are found by
 * it. Open addressing with linear probing, at most half full; 8 bytes a slot.
 *
 * It knows no keys: whoever asks looks at each candidate. Thread: one.
 */
#pragma once

#include <stdint.h>

struct relay_index {
    struct relay_index_slot {
        uint32_t hash;
        uint32_t number; /* 0: free */
    } * slots;
    uint32_t mask; /* slots - 1; 0: nothing was added yet */
    uint32_t used;
};

/* 0 or -ENOMEM. number is not 0. */
int relay_index_add(struct relay_index *index, uint64_t hash, uint32_t number);
void relay_index_remove(struct relay_index *index, uint64_t hash, uint32_t number);
void relay_index_free(struct relay_index *index);

/* The next candidate under this hash, or 0. *at: where to look on, 0 at first. */
uint32_t relay_index_next(const struct relay_index *index, uint64_t hash, uint32_t *at);
