/*
 * Elements: what messages and the answer's buffer are made of ([MS-PNRP] 2.2). For the readers and writers of this
 * folder only.
 *
 *   0         2        4            Length
 *   | FieldID | Length | data       | 0 to 3 zero bytes, up to a multiple of 4 from the start of the message |
 *
 *   arrays:   | FieldID | Length | count | 8 + count * entry | kind of entry | bytes of an entry | entries ... |
 *
 * A reader's position is always a multiple of 4. It may lie behind the end, by padding that the sender left out.
 */
#pragma once

#include "overlay/ip/wire.h"
#include "overlay/pnrp/message.h"

#define ELEMENT_BYTES       4
#define ELEMENT_ARRAY_BYTES 12 /* before the entries */
#define ELEMENT_ENTRY_BYTES 38 /* of a ROUTE_ENTRY before its addresses */
#define ELEMENT_ENDPOINT    18

enum element_field {
    ELEMENT_HEADER = 0x0010,
    ELEMENT_ACKED = 0x0018,
    ELEMENT_ID = 0x0030,
    ELEMENT_TARGET = 0x0038,
    ELEMENT_VALIDATE = 0x0039,
    ELEMENT_FLAGS = 0x0040,
    ELEMENT_FLOOD_CONTROLS = 0x0043,
    ELEMENT_SOLICIT_CONTROLS = 0x0044,
    ELEMENT_LOOKUP_CONTROLS = 0x0045,
    ELEMENT_EXTENDED_PAYLOAD = 0x005a,
    ELEMENT_ID_ARRAY = 0x0060,
    ELEMENT_CERT_CHAIN = 0x0080,
    ELEMENT_WCHAR = 0x0084,
    ELEMENT_CLASSIFIER = 0x0085,
    ELEMENT_HASHED_NONCE = 0x0092,
    ELEMENT_NONCE = 0x0093,
    ELEMENT_SPLIT_CONTROLS = 0x0098,
    ELEMENT_ROUTE_ENTRY = 0x009a,
    ELEMENT_VALIDATE_CPA = 0x009b,
    ELEMENT_REVOKE_CPA = 0x009c,
    ELEMENT_IPV6_ENDPOINT = 0x009d,
    ELEMENT_ENDPOINT_ARRAY = 0x009e,
};

static inline size_t element_padded(size_t length)
{
    return (length + 3) & ~(size_t)3;
}

struct element_reader {
    const uint8_t *bytes;
    size_t length, at;
};

/* Whether the next element is of this kind. */
static inline bool element_is_next(const struct element_reader *reader, enum element_field field)
{
    return reader->at + ELEMENT_BYTES <= reader->length && bypeer_load16(reader->bytes + reader->at) == field;
}

/* Whether all has been read. */
static inline bool element_is_end(const struct element_reader *reader)
{
    return reader->at >= reader->length;
}

/* The data of the next element, which has to be of this kind; NULL: it is not, or reaches beyond the end. */
static inline const uint8_t *element_read(struct element_reader *reader, enum element_field field, size_t *ret_bytes)
{
    if (!element_is_next(reader, field))
        return NULL;
    const uint8_t *element = reader->bytes + reader->at;
    size_t length = bypeer_load16(element + 2);
    if (length < ELEMENT_BYTES || length > reader->length - reader->at)
        return NULL;
    reader->at += element_padded(length);
    *ret_bytes = length - ELEMENT_BYTES;
    return element + ELEMENT_BYTES;
}

/* Of an element with so many bytes of data. */
static inline const uint8_t *element_read_fixed(struct element_reader *reader, enum element_field field, size_t bytes)
{
    size_t found;
    const uint8_t *data = element_read(reader, field, &found);
    return data && found == bytes ? data : NULL;
}

/* The entries of an array; NULL: its numbers do not agree. */
static inline const uint8_t *element_read_array(struct element_reader *reader, enum element_field field,
                                                enum element_field kind, size_t entry_bytes, uint16_t *ret_count)
{
    size_t found;
    const uint8_t *data = element_read(reader, field, &found);
    if (!data || found < ELEMENT_ARRAY_BYTES - ELEMENT_BYTES)
        return NULL;
    uint16_t count = bypeer_load16(data);
    if (found != ELEMENT_ARRAY_BYTES - ELEMENT_BYTES + count * entry_bytes || bypeer_load16(data + 2) != found ||
        bypeer_load16(data + 4) != kind || bypeer_load16(data + 6) != entry_bytes)
        return NULL;
    *ret_count = count;
    return data + ELEMENT_ARRAY_BYTES - ELEMENT_BYTES;
}

static inline bool element_read_ids(struct element_reader *reader, struct bypeer_pnrp_ids *ret_ids)
{
    ret_ids->bytes = element_read_array(reader, ELEMENT_ID_ARRAY, ELEMENT_ID, 32, &ret_ids->count);
    return ret_ids->bytes != NULL;
}

static inline bool element_read_endpoints(struct element_reader *reader, struct bypeer_pnrp_endpoints *ret_endpoints)
{
    struct bypeer_pnrp_endpoints found;
    found.bytes =
        element_read_array(reader, ELEMENT_ENDPOINT_ARRAY, ELEMENT_IPV6_ENDPOINT, ELEMENT_ENDPOINT, &found.count);
    if (!found.bytes || found.count > BYPEER_PNRP_PATH_MAX)
        return false;
    for (unsigned at = 0; at < found.count; at++)
        if (bypeer_load16(found.bytes + (size_t)at * ELEMENT_ENDPOINT) < BYPEER_PNRP_PORT_MIN)
            return false;
    *ret_endpoints = found;
    return true;
}

/* Reads a route entry if there is one; false: there is, and it is not well formed. */
static inline bool element_read_entry(struct element_reader *reader, const struct bypeer_profile *profile,
                                      struct bypeer_pnrp_entry *ret_entry)
{
    size_t found;
    if (!element_is_next(reader, ELEMENT_ROUTE_ENTRY)) {
        *ret_entry = (struct bypeer_pnrp_entry){0};
        return true;
    }
    const uint8_t *data = element_read(reader, ELEMENT_ROUTE_ENTRY, &found);
    if (!data || found < ELEMENT_ENTRY_BYTES)
        return false;
    uint8_t count = data[37];
    uint16_t port = bypeer_load16(data + 34);
    if (count == 0 || count > BYPEER_PNRP_ADDRESSES_MAX || found != ELEMENT_ENTRY_BYTES + 16u * count ||
        data[32] != profile->pnrp_major || data[33] != profile->pnrp_minor || port < BYPEER_PNRP_PORT_MIN)
        return false;
    *ret_entry = (struct bypeer_pnrp_entry){
        .id = data, .addresses = data + ELEMENT_ENTRY_BYTES, .address_count = count, .port = port};
    return true;
}

/* Once something has not fitted, .length is beyond .room, and nothing more is put. */
struct element_writer {
    uint8_t *bytes;
    size_t room, length;
};

/* What was written, or 0 if it did not fit. */
static inline size_t element_written(const struct element_writer *writer)
{
    return writer->length <= writer->room ? writer->length : 0;
}

/* Puts an element's frame, with its padding; the data is the caller's to put. NULL: no room. */
static inline uint8_t *element_put(struct element_writer *writer, enum element_field field, size_t bytes,
                                   bool is_padded)
{
    size_t at = writer->length, length = ELEMENT_BYTES + bytes;
    size_t end = at + (is_padded ? element_padded(length) : length);
    if (length > UINT16_MAX || end > writer->room) {
        writer->length = SIZE_MAX / 2;
        return NULL;
    }
    uint8_t *element = writer->bytes + at;
    bypeer_store16(element, (uint16_t)field);
    bypeer_store16(element + 2, (uint16_t)length);
    for (size_t zero = at + length; zero < end; zero++)
        writer->bytes[zero] = 0;
    writer->length = end;
    return element + ELEMENT_BYTES;
}

static inline void element_put_bytes(struct element_writer *writer, enum element_field field, const uint8_t *data,
                                     size_t bytes, bool is_padded)
{
    uint8_t *place = element_put(writer, field, bytes, is_padded);
    if (place)
        memcpy(place, data, bytes);
}

static inline void element_put16(struct element_writer *writer, enum element_field field, uint16_t value,
                                 bool is_padded)
{
    uint8_t *place = element_put(writer, field, 2, is_padded);
    if (place)
        bypeer_store16(place, value);
}

static inline void element_put32(struct element_writer *writer, enum element_field field, uint32_t value)
{
    uint8_t *place = element_put(writer, field, 4, true);
    if (place)
        bypeer_store32(place, value);
}

static inline void element_put_array(struct element_writer *writer, enum element_field field, enum element_field kind,
                                     size_t entry_bytes, const uint8_t *entries, size_t count, bool is_padded)
{
    size_t bytes = ELEMENT_ARRAY_BYTES - ELEMENT_BYTES + count * entry_bytes;
    uint8_t *place = element_put(writer, field, bytes, is_padded);
    if (!place)
        return;
    bypeer_store16(place, (uint16_t)count);
    bypeer_store16(place + 2, (uint16_t)bytes);
    bypeer_store16(place + 4, (uint16_t)kind);
    bypeer_store16(place + 6, (uint16_t)entry_bytes);
    if (count > 0)
        memcpy(place + ELEMENT_ARRAY_BYTES - ELEMENT_BYTES, entries, count * entry_bytes);
}

/* Puts the entry, if there is one. */
static inline void element_put_entry(struct element_writer *writer, const struct bypeer_profile *profile,
                                     const struct bypeer_pnrp_entry *entry)
{
    if (!entry->id)
        return;
    uint8_t *place =
        element_put(writer, ELEMENT_ROUTE_ENTRY, ELEMENT_ENTRY_BYTES + (size_t)16 * entry->address_count, true);
    if (!place)
        return;
    memcpy(place, entry->id, 32);
    place[32] = profile->pnrp_major;
    place[33] = profile->pnrp_minor;
    bypeer_store16(place + 34, entry->port);
    place[36] = 0;
    place[37] = entry->address_count;
    for (unsigned at = 0; at < entry->address_count; at++) /* one or few: a call of memcpy costs more */
        memcpy(place + ELEMENT_ENTRY_BYTES + (size_t)16 * at, entry->addresses + (size_t)16 * at, 16);
}
