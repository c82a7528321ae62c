/*
 * An input of the region fuzzers as memory to be read:
 *
 *   | what | keys of look-ups | region |      what: bit 0: the header is made right first, so that the rest is reached
 *   0      1                  64
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "overlay/tables/region.h"

#define REGION_INPUT_HEAD 64

/*
 * The region of an input, on a cache line and exactly as long as what was given, so that a sanitizer sees a step
 * beyond it. free() it. NULL: too short.
 */
static inline uint8_t *region_input(enum bypeer_region_kind kind, const uint8_t *data, size_t size, size_t *ret_bytes)
{
    void *base;
    if (size <= REGION_INPUT_HEAD || posix_memalign(&base, BYPEER_CACHE_LINE, size - REGION_INPUT_HEAD))
        return NULL;
    *ret_bytes = size - REGION_INPUT_HEAD;
    memcpy(base, data + REGION_INPUT_HEAD, *ret_bytes);
    if ((data[0] & 1) && *ret_bytes >= sizeof(struct bypeer_region_header)) {
        struct bypeer_region_header *header = base;
        header->magic = BYPEER_REGION_MAGIC;
        header->kind = kind;
        header->layout = 1;
        header->layout_hash = bypeer_layout_hash(kind, 1);
        header->bytes = *ret_bytes;
        header->generation = 1;
        header->published = 1;
    }
    return base;
}
