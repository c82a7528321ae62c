/*
 * From a TCP stream to messages, and back ([MS-PPGRH] 2.2.1, 3.1.5.1).
 *
 *   stream:  | size 2 | payload | size 2 | payload | ...           a frame: its size does not count its own 2 bytes
 *   unit:    | size 4, counting these 4 bytes | ...                 a message, or a security provider's token
 *
 * A unit longer than a frame goes on in the next one, from its first byte; a unit begins with a frame. What encrypts
 * works on the payloads in between:
 *
 *   stream --> bypeer_frame_next() --> unseal --> bypeer_unit_take() --> message or token
 *
 * Integers in network byte order. Ownership: a reader owns what it keeps; what it returns is valid until it is called
 * next. Threads: one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "overlay/graph/buffer.h"

#define BYPEER_FRAME_HEAD_BYTES 2
#define BYPEER_FRAME_MAX        32768 /* largest that a graph may set as its limit */
#define BYPEER_FRAME_GROUP      16348 /* what grouping sets */
#define BYPEER_UNIT_HEAD_BYTES  4

struct bypeer_frame_reader {
    struct bypeer_buffer pending; /* a frame that has not come whole */
    uint16_t largest;             /* payload bytes; set by the owner */
};

/*
 * The next frame's payload. Moves *bytes and *length on over what it took. 1: *ret_payload is one; 0: all was taken,
 * and more is needed; -EMSGSIZE: a frame that is empty or larger than .largest, for which the connection ends; -ENOMEM.
 */
int bypeer_frame_next(struct bypeer_frame_reader *reader, const uint8_t **bytes, size_t *length,
                      const uint8_t **ret_payload, size_t *ret_payload_bytes);
void bypeer_frame_reader_clear(struct bypeer_frame_reader *reader);

struct bypeer_unit_reader {
    struct bypeer_buffer pending;
    uint32_t largest; /* bytes of a unit; set by the owner */
    bool is_returned; /* what is pending was returned as a unit */
};

/*
 * Takes one payload. 1: *ret_unit is a whole unit, with its size in front; 0: it goes on; -EMSGSIZE: too large;
 * -EBADMSG: smaller than its own size field, or more bytes than it says; -ENOMEM. After an error the connection ends.
 */
int bypeer_unit_take(struct bypeer_unit_reader *reader, const uint8_t *payload, size_t payload_bytes,
                     const uint8_t **ret_unit, size_t *ret_unit_bytes);
void bypeer_unit_reader_clear(struct bypeer_unit_reader *reader);

/* Appends one frame; the payload has 1 to BYPEER_FRAME_MAX bytes. 0 or -ENOMEM with nothing appended. */
int bypeer_frame_append(struct bypeer_buffer *out, const uint8_t *payload, size_t payload_bytes);
/* Appends a unit in frames of at most so many bytes, in the clear. 0 or -ENOMEM with nothing appended. */
int bypeer_unit_append(struct bypeer_buffer *out, uint16_t largest, const uint8_t *unit, size_t unit_bytes);
/* Likewise a token, to which its size is added. */
int bypeer_token_append(struct bypeer_buffer *out, uint16_t largest, const uint8_t *token, size_t token_bytes);
