/*
 * Signed records: what is common to the CPA and the extended payload ([MS-PNRP] 2.2.3.1, 2.2.3.3). Little-endian,
 * packed without padding, and with a SIGNATURE at the end. For cpa.c and extended.c only.
 *
 * A cursor goes over the record from the start. Where it would leave it, it stays and says so in .is_short; what is
 * read from then on is zero or NULL, so that a reader asks once, at its end.
 */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "overlay/profile/profile.h"

#define RECORD_SIGNATURE_HEAD  8 /* of SIGNATURE, before the data */
#define RECORD_MINOR           0
#define RECORD_MAJOR           2
#define RECORD_FILETIME_SECOND UINT64_C(10000000)
#define RECORD_FILETIME_1970   UINT64_C(11644473600) /* seconds from 1601, where FILETIMEs begin */

struct record_reader {
    const uint8_t *bytes;
    size_t length, at;
    bool is_short;
};

static inline const uint8_t *record_take(struct record_reader *reader, size_t bytes)
{
    if (reader->is_short || bytes > reader->length - reader->at) {
        reader->is_short = true;
        return NULL;
    }
    const uint8_t *place = reader->bytes + reader->at;
    reader->at += bytes;
    return place;
}

static inline uint8_t record_take8(struct record_reader *reader)
{
    const uint8_t *place = record_take(reader, 1);
    return place ? *place : 0;
}

static inline uint16_t record_take16(struct record_reader *reader)
{
    uint16_t value = 0;
    const uint8_t *place = record_take(reader, sizeof(value));
    if (place)
        memcpy(&value, place, sizeof(value));
    return le16toh(value);
}

static inline uint32_t record_take32(struct record_reader *reader)
{
    uint32_t value = 0;
    const uint8_t *place = record_take(reader, sizeof(value));
    if (place)
        memcpy(&value, place, sizeof(value));
    return le32toh(value);
}

/* A FILETIME as Unix seconds; what is before 1970 is 0. */
static inline uint64_t record_take_time(struct record_reader *reader)
{
    uint64_t value = 0;
    const uint8_t *place = record_take(reader, sizeof(value));
    if (place)
        memcpy(&value, place, sizeof(value));
    uint64_t seconds = le64toh(value) / RECORD_FILETIME_SECOND;
    return seconds > RECORD_FILETIME_1970 ? seconds - RECORD_FILETIME_1970 : 0;
}

static inline void record_take_bytes(struct record_reader *reader, uint8_t *ret_bytes, size_t bytes)
{
    const uint8_t *place = record_take(reader, bytes);
    if (place)
        memcpy(ret_bytes, place, bytes);
}

/* A number that lies with its least significant byte first; ret_bytes has it the other way round. */
static inline void record_take_reversed(struct record_reader *reader, uint8_t *ret_bytes, size_t bytes)
{
    const uint8_t *place = record_take(reader, bytes);
    if (place)
        for (size_t at = 0; at < bytes; at++)
            ret_bytes[at] = place[bytes - 1 - at];
}

/* SIGNATURE, which has to be the end of the record. NULL: it is not as this profile has it. */
static inline const uint8_t *record_take_signature(struct record_reader *reader, const struct bypeer_profile *profile)
{
    uint16_t field = record_take16(reader), bytes = record_take16(reader);
    uint32_t algorithm = record_take32(reader);
    const uint8_t *signature = record_take(reader, profile->signature_bytes);
    if (field != RECORD_SIGNATURE_HEAD + profile->signature_bytes || bytes != profile->signature_bytes ||
        algorithm != profile->signature_algorithm || reader->at != reader->length)
        return NULL;
    return signature;
}

/* Writing asks for room once, at the start: the caller knows the size. */
struct record_writer {
    uint8_t *bytes;
    size_t at;
};

static inline void record_put(struct record_writer *writer, const void *bytes, size_t length)
{
    if (length > 0)
        memcpy(writer->bytes + writer->at, bytes, length);
    writer->at += length;
}

static inline void record_put8(struct record_writer *writer, uint8_t value)
{
    writer->bytes[writer->at++] = value;
}

static inline void record_put16(struct record_writer *writer, size_t value)
{
    uint16_t little = htole16((uint16_t)value);
    record_put(writer, &little, sizeof(little));
}

static inline void record_put32(struct record_writer *writer, uint32_t value)
{
    value = htole32(value);
    record_put(writer, &value, sizeof(value));
}

/* What no FILETIME can say is the last that it can. */
static inline void record_put_time(struct record_writer *writer, uint64_t seconds)
{
    const uint64_t last = UINT64_MAX / RECORD_FILETIME_SECOND - RECORD_FILETIME_1970;
    uint64_t value = htole64((RECORD_FILETIME_1970 + (seconds < last ? seconds : last)) * RECORD_FILETIME_SECOND);
    record_put(writer, &value, sizeof(value));
}

static inline void record_put_reversed(struct record_writer *writer, const uint8_t *bytes, size_t length)
{
    for (size_t at = length; at-- > 0;)
        record_put8(writer, bytes[at]);
}

static inline size_t record_signature_bytes(const struct bypeer_profile *profile)
{
    return RECORD_SIGNATURE_HEAD + (size_t)profile->signature_bytes;
}

/* The SIGNATURE's head; its data is the caller's to fill in. */
static inline void record_put_signature(struct record_writer *writer, const struct bypeer_profile *profile)
{
    record_put16(writer, record_signature_bytes(profile));
    record_put16(writer, profile->signature_bytes);
    record_put32(writer, profile->signature_algorithm);
    writer->at += profile->signature_bytes;
}
