#include "config/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t index_hash(const uint8_t *key, size_t bytes)
{
    uint64_t hash = UINT64_C(0x9e3779b97f4a7c15) ^ bytes;

    for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
        size_t part = bytes - i < sizeof(uint64_t) ? bytes - i : sizeof(uint64_t);
        uint64_t word = 0;

        memcpy(&word, key + i, part);
        /* Both multiplications are needed: keys often differ in the top bytes of a word only, which one never brings
         * down to the bits that the mask keeps. */
        hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
        hash ^= hash >> 32;
        hash *= UINT64_C(0xc4ceb9fe1a85ec53);
        hash ^= hash >> 29;
    }
    return hash;
}

int bypeer_index_make(struct bypeer_index *ret_index, const void *first_key, size_t stride, size_t key_bytes,
                      uint32_t entries)
{
    uint64_t slots = 4;
    uint32_t *memory;

    while (slots < (uint64_t)entries * 3 / 2)
        slots *= 2;
    memory = calloc(slots, sizeof(*memory));
    if (!memory)
        return -ENOMEM;
    *ret_index = (struct bypeer_index){first_key, stride, key_bytes, memory, slots - 1};
    return 0;
}

void bypeer_index_free(struct bypeer_index *index)
{
    free(index->slots);
    *index = (struct bypeer_index){0};
}

static const uint8_t *index_key(const struct bypeer_index *index, uint32_t number)
{
    return index->first_key + (size_t)number * index->stride;
}

/* The slot of that key, or the empty one where it would go. */
static uint32_t *index_slot(const struct bypeer_index *index, const uint8_t *key)
{
    uint64_t at = index_hash(key, index->key_bytes) & index->mask;

    while (index->slots[at] && memcmp(index_key(index, index->slots[at] - 1), key, index->key_bytes) != 0)
        at = (at + 1) & index->mask;
    return &index->slots[at];
}

uint32_t bypeer_index_add(struct bypeer_index *index, uint32_t number)
{
    uint32_t *slot = index_slot(index, index_key(index, number));

    if (*slot)
        return *slot - 1;
    *slot = number + 1;
    return BYPEER_INDEX_NONE;
}

uint32_t bypeer_index_find(const struct bypeer_index *index, const void *key)
{
    return *index_slot(index, key) - 1; /* an empty slot: 0 - 1 is BYPEER_INDEX_NONE */
}
