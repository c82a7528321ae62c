/*
 * Finds an entry of an array by a key in it: what has this name, who has this address.
 *
 * Open addressing over the entries' numbers; the keys stay where they are, key_bytes at the same place in each entry of
 * a base array that must not move meanwhile. 8 bytes an entry, so that a file with a million members costs 8 MB.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BYPEER_INDEX_NONE UINT32_MAX

struct bypeer_index {
    const uint8_t *first_key; /* of entry 0 */
    size_t stride, key_bytes;
    uint32_t *slots; /* number + 1 */
    uint64_t mask;
};

/* Room for `entries` entries. 0 or -ENOMEM. */
int bypeer_index_make(struct bypeer_index *ret_index, const void *first_key, size_t stride, size_t key_bytes,
                      uint32_t entries);
void bypeer_index_free(struct bypeer_index *index);

/* Adds entry number; if an earlier one has the same key, returns that one's number instead, else BYPEER_INDEX_NONE. */
uint32_t bypeer_index_add(struct bypeer_index *index, uint32_t number);
/* The entry with that key (key_bytes long), or BYPEER_INDEX_NONE. */
uint32_t bypeer_index_find(const struct bypeer_index *index, const void *key);
