#include "overlay/graph/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_LEAST 256

uint8_t *bypeer_buffer_reserve(struct bypeer_buffer *buffer, size_t bytes)
{
    if (bytes > SIZE_MAX / 4 - buffer->length)
        return NULL;
    size_t needed = buffer->length + bytes;
    if (needed > buffer->room || buffer->bytes == NULL) { /* NULL is for no memory alone */
        size_t room = 2 * buffer->room > needed ? 2 * buffer->room : needed;
        if (room < BUFFER_LEAST)
            room = BUFFER_LEAST;
        uint8_t *moved = realloc(buffer->bytes, room);
        if (moved == NULL)
            return NULL;
        buffer->bytes = moved;
        buffer->room = room;
    }
    return buffer->bytes + buffer->length;
}

int bypeer_buffer_append(struct bypeer_buffer *buffer, const void *bytes, size_t length)
{
    uint8_t *place = bypeer_buffer_reserve(buffer, length);
    if (place == NULL)
        return -ENOMEM;
    if (length > 0)
        memcpy(place, bytes, length);
    buffer->length += length;
    return 0;
}

void bypeer_buffer_drop(struct bypeer_buffer *buffer, size_t length)
{
    buffer->length -= length;
    if (buffer->length > 0)
        memmove(buffer->bytes, buffer->bytes + length, buffer->length);
}

void bypeer_buffer_clear(struct bypeer_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct bypeer_buffer){0};
}
