/*
 * A growing run of bytes. All zero is an empty one. It doubles, so that appending costs no more than the bytes do.
 *
 * Ownership: whoever declares it clears it. Threads: one at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct bypeer_buffer {
    uint8_t *bytes;
    size_t length, room;
};

/* Makes room for so many more bytes, not counted in .length yet; returns where they go, NULL: no memory. */
uint8_t *bypeer_buffer_reserve(struct bypeer_buffer *buffer, size_t bytes);
/* 0, or -ENOMEM with nothing appended. */
int bypeer_buffer_append(struct bypeer_buffer *buffer, const void *bytes, size_t length);
/* Takes bytes away at the front. */
void bypeer_buffer_drop(struct bypeer_buffer *buffer, size_t length);
/* Releases the memory; the buffer is empty and may be used again. */
void bypeer_buffer_clear(struct bypeer_buffer *buffer);
