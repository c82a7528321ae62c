/*
 * Private to overlay/graph: goes over bytes, field by field. Where it would leave them it says so, and gives zeros and
 * nothing more; so whoever reads asks once, at the end.
 *
 * Integers in network byte order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "overlay/graph/text.h"
#include "overlay/ip/wire.h"

#define GRAPH_CURSOR_NOTHING 16 /* bytes of zeros that there are for a fixed field that is not there */

struct graph_cursor {
    const uint8_t *bytes;
    size_t length, at;
    bool is_bad;
};

/* Something of variable length, within the bytes. */
struct graph_slice {
    const uint8_t *bytes;
    uint32_t count; /* units of a text, bytes of other things; 0: absent */
    size_t room;    /* bytes of the text in UTF-8 with NUL */
};

static inline const uint8_t *graph_take(struct graph_cursor *cursor, size_t bytes)
{
    static const uint8_t nothing[GRAPH_CURSOR_NOTHING] = {0};
    if (cursor->is_bad || bytes > cursor->length - cursor->at) {
        cursor->is_bad = true;
        return nothing;
    }
    const uint8_t *place = cursor->bytes + cursor->at;
    cursor->at += bytes;
    return place;
}

static inline uint32_t graph_take32(struct graph_cursor *cursor)
{
    return bypeer_load32(graph_take(cursor, 4));
}

static inline uint64_t graph_take64(struct graph_cursor *cursor)
{
    return bypeer_load64(graph_take(cursor, 8));
}

/* A text in UTF-16 behind its count of units, at most so many; it may be absent. */
static inline struct graph_slice graph_take_text(struct graph_cursor *cursor, size_t units_max)
{
    struct graph_slice slice = {.count = graph_take32(cursor)};
    slice.bytes = graph_take(cursor, 2 * (size_t)slice.count);
    if (cursor->is_bad || slice.count == 0)
        return slice;
    slice.room = bypeer_text_measure(slice.bytes, slice.count);
    if (slice.room == 0 || slice.count > units_max)
        cursor->is_bad = true;
    return slice;
}
