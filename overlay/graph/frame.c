#include "overlay/graph/frame.h"

#include <errno.h>

#include "overlay/ip/wire.h"

/* A buffer that once held something large is not kept so for the rest of a link's life. */
#define PENDING_KEPT 65536

static void frame_empty(struct bypeer_buffer *pending)
{
    pending->length = 0;
    if (pending->room > PENDING_KEPT)
        bypeer_buffer_clear(pending);
}

/* Appends what is missing for .length to be wanted, or all that there is. 1: it is wanted now; 0: there is not enough.
 */
static int frame_fill(struct bypeer_buffer *pending, size_t wanted, const uint8_t **bytes, size_t *length)
{
    size_t missing = wanted - pending->length, taken = missing < *length ? missing : *length;
    if (bypeer_buffer_append(pending, *bytes, taken) < 0)
        return -ENOMEM;
    *bytes += taken;
    *length -= taken;
    return taken == missing;
}

int bypeer_frame_next(struct bypeer_frame_reader *reader, const uint8_t **bytes, size_t *length,
                      const uint8_t **ret_payload, size_t *ret_payload_bytes)
{
    struct bypeer_buffer *pending = &reader->pending;
    if (pending->length >= BYPEER_FRAME_HEAD_BYTES &&
        pending->length == (size_t)BYPEER_FRAME_HEAD_BYTES + bypeer_load16(pending->bytes))
        frame_empty(pending); /* returned by the last call */
    if (*length == 0)
        return 0;
    if (pending->length < BYPEER_FRAME_HEAD_BYTES) {
        if (pending->length == 0 && *length >= BYPEER_FRAME_HEAD_BYTES) {
            size_t whole = bypeer_load16(*bytes);
            if (whole > 0 && whole <= reader->largest && *length - BYPEER_FRAME_HEAD_BYTES >= whole) {
                *ret_payload = *bytes + BYPEER_FRAME_HEAD_BYTES;
                *ret_payload_bytes = whole;
                *bytes += BYPEER_FRAME_HEAD_BYTES + whole;
                *length -= BYPEER_FRAME_HEAD_BYTES + whole;
                return 1;
            }
        }
        int filled = frame_fill(pending, BYPEER_FRAME_HEAD_BYTES, bytes, length);
        if (filled <= 0)
            return filled;
    }
    size_t payload_bytes = bypeer_load16(pending->bytes);
    if (payload_bytes == 0 || payload_bytes > reader->largest)
        return -EMSGSIZE;
    int filled = frame_fill(pending, BYPEER_FRAME_HEAD_BYTES + payload_bytes, bytes, length);
    if (filled <= 0)
        return filled;
    *ret_payload = pending->bytes + BYPEER_FRAME_HEAD_BYTES;
    *ret_payload_bytes = payload_bytes;
    return 1;
}

void bypeer_frame_reader_clear(struct bypeer_frame_reader *reader)
{
    bypeer_buffer_clear(&reader->pending);
}

int bypeer_unit_take(struct bypeer_unit_reader *reader, const uint8_t *payload, size_t payload_bytes,
                     const uint8_t **ret_unit, size_t *ret_unit_bytes)
{
    struct bypeer_buffer *pending = &reader->pending;
    if (reader->is_returned) {
        frame_empty(pending);
        reader->is_returned = false;
    }
    const uint8_t *start = payload;
    size_t there = payload_bytes;
    if (pending->length > 0 || payload_bytes < BYPEER_UNIT_HEAD_BYTES) {
        if (bypeer_buffer_append(pending, payload, payload_bytes) < 0)
            return -ENOMEM;
        start = pending->bytes;
        there = pending->length;
    }
    if (there < BYPEER_UNIT_HEAD_BYTES)
        return 0;
    size_t unit_bytes = bypeer_load32(start);
    if (unit_bytes > reader->largest)
        return -EMSGSIZE;
    if (unit_bytes < BYPEER_UNIT_HEAD_BYTES || there > unit_bytes)
        return -EBADMSG;
    if (there < unit_bytes)
        return start == payload ? bypeer_buffer_append(pending, payload, payload_bytes) : 0;
    *ret_unit = start;
    *ret_unit_bytes = unit_bytes;
    reader->is_returned = true;
    return 1;
}

void bypeer_unit_reader_clear(struct bypeer_unit_reader *reader)
{
    bypeer_buffer_clear(&reader->pending);
    reader->is_returned = false;
}

int bypeer_frame_append(struct bypeer_buffer *out, const uint8_t *payload, size_t payload_bytes)
{
    uint8_t *place = bypeer_buffer_reserve(out, BYPEER_FRAME_HEAD_BYTES + payload_bytes);
    if (place == NULL)
        return -ENOMEM;
    bypeer_store16(place, (uint16_t)payload_bytes);
    memcpy(place + BYPEER_FRAME_HEAD_BYTES, payload, payload_bytes);
    out->length += BYPEER_FRAME_HEAD_BYTES + payload_bytes;
    return 0;
}

static size_t frame_framed_bytes(uint16_t largest, size_t bytes)
{
    return bytes + (bytes + largest - 1) / largest * BYPEER_FRAME_HEAD_BYTES;
}

int bypeer_unit_append(struct bypeer_buffer *out, uint16_t largest, const uint8_t *unit, size_t unit_bytes)
{
    if (bypeer_buffer_reserve(out, frame_framed_bytes(largest, unit_bytes)) == NULL)
        return -ENOMEM;
    for (size_t at = 0; at < unit_bytes; at += largest)
        bypeer_frame_append(out, unit + at, unit_bytes - at < largest ? unit_bytes - at : largest);
    return 0;
}

int bypeer_token_append(struct bypeer_buffer *out, uint16_t largest, const uint8_t *token, size_t token_bytes)
{
    struct bypeer_buffer unit = {0};
    uint8_t *place = bypeer_buffer_reserve(&unit, BYPEER_UNIT_HEAD_BYTES + token_bytes);
    if (place == NULL)
        return -ENOMEM;
    unit.length = BYPEER_UNIT_HEAD_BYTES + token_bytes;
    bypeer_store32(place, (uint32_t)unit.length);
    if (token_bytes > 0)
        memcpy(place + BYPEER_UNIT_HEAD_BYTES, token, token_bytes);
    int result = bypeer_unit_append(out, largest, unit.bytes, unit.length);
    bypeer_buffer_clear(&unit);
    return result;
}
