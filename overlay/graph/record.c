#include "overlay/graph/record.h"

#include <errno.h>
#include <stdlib.h>

#include "overlay/graph/cursor.h"

/* Where fields lie that nothing variable comes before. */
enum { RECORD_TYPE = 0, RECORD_ID = 16, RECORD_VERSION = 32, RECORD_FLAGS = 36, RECORD_CREATOR = 40 };

static struct graph_slice record_take_bytes(struct graph_cursor *cursor)
{
    struct graph_slice slice = {.count = graph_take32(cursor)};
    slice.bytes = graph_take(cursor, slice.count);
    return slice;
}

/* Of an ID, which may not be empty. */
static struct graph_slice record_take_id(struct graph_cursor *cursor)
{
    struct graph_slice slice = graph_take_text(cursor, BYPEER_RECORD_ID_UNITS);
    if (slice.count < 2)
        cursor->is_bad = true;
    return slice;
}

/* Where the next of what a record points to goes, within the record's own memory. */
static const char *record_place_text(uint8_t **place, const struct graph_slice *slice)
{
    if (slice->count == 0)
        return NULL;
    char *text = (char *)*place;
    *place += bypeer_text_take(slice->bytes, slice->count, text);
    return text;
}

static const uint8_t *record_place_bytes(uint8_t **place, const uint8_t *bytes, size_t length)
{
    uint8_t *copy = *place;
    if (length == 0)
        return NULL;
    memcpy(copy, bytes, length);
    *place += length;
    return copy;
}

int bypeer_record_read(struct bypeer_record **ret_record, const uint8_t *bytes, size_t length)
{
    struct bypeer_record read;
    if (length < BYPEER_RECORD_LEAST)
        return -EBADMSG;
    memcpy(read.type.bytes, bytes + RECORD_TYPE, sizeof(read.type.bytes));
    memcpy(read.id.bytes, bytes + RECORD_ID, sizeof(read.id.bytes));
    read.version = bypeer_load32(bytes + RECORD_VERSION);
    read.flags = bypeer_load32(bytes + RECORD_FLAGS);

    struct graph_cursor cursor = {.bytes = bytes, .length = length, .at = RECORD_CREATOR};
    struct graph_slice creator = record_take_id(&cursor);
    struct graph_slice modifier = graph_take_text(&cursor, BYPEER_RECORD_ID_UNITS);
    struct graph_slice security = record_take_bytes(&cursor);
    read.created = graph_take64(&cursor);
    read.expires = graph_take64(&cursor);
    read.modified = graph_take64(&cursor);
    struct graph_slice graph = record_take_id(&cursor);
    read.protocol = bypeer_load16(graph_take(&cursor, 2));
    struct graph_slice payload = record_take_bytes(&cursor);
    struct graph_slice attributes = graph_take_text(&cursor, UINT32_MAX);
    if (cursor.is_bad || modifier.count == 1)
        return -EBADMSG;

    struct bypeer_record *record = malloc(sizeof(*record) + security.count + payload.count + creator.room +
                                          modifier.room + graph.room + attributes.room);
    if (record == NULL)
        return -ENOMEM;
    uint8_t *place = (uint8_t *)(record + 1);
    read.security_bytes = security.count;
    read.security = record_place_bytes(&place, security.bytes, security.count);
    read.payload_bytes = payload.count;
    read.payload = record_place_bytes(&place, payload.bytes, payload.count);
    read.creator = record_place_text(&place, &creator);
    read.modifier = record_place_text(&place, &modifier);
    read.graph = record_place_text(&place, &graph);
    read.attributes = record_place_text(&place, &attributes);
    *record = read;
    *ret_record = record;
    return 0;
}

static size_t record_text_room(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

size_t bypeer_record_memory(const struct bypeer_record *record)
{
    return sizeof(*record) + record->security_bytes + record->payload_bytes + record_text_room(record->creator) +
           record_text_room(record->modifier) + record_text_room(record->graph) + record_text_room(record->attributes);
}

struct bypeer_record *bypeer_record_copy(const struct bypeer_record *record)
{
    struct bypeer_record *copy = malloc(bypeer_record_memory(record));
    if (copy == NULL)
        return NULL;
    uint8_t *place = (uint8_t *)(copy + 1);
    *copy = *record;
    copy->security = record_place_bytes(&place, record->security, record->security_bytes);
    copy->payload = record_place_bytes(&place, record->payload, record->payload_bytes);
    const char **texts[] = {&copy->creator, &copy->modifier, &copy->graph, &copy->attributes};
    for (unsigned at = 0; at < sizeof(texts) / sizeof(texts[0]); at++)
        if (*texts[at])
            *texts[at] =
                (const char *)record_place_bytes(&place, (const uint8_t *)*texts[at], record_text_room(*texts[at]));
    return copy;
}

/* Adds the units of a text that has between so many; false: it has not. An absent one has 0. */
static bool record_count_text(const char *text, size_t least, size_t most, size_t *units)
{
    size_t count = text ? bypeer_text_units(text) : 0;
    if (text && count == 0)
        return false;
    *units += count;
    return count >= least && count <= most;
}

size_t bypeer_record_bytes(const struct bypeer_record *record)
{
    size_t units = 0;
    if (!record_count_text(record->creator, 2, BYPEER_RECORD_ID_UNITS, &units) ||
        !record_count_text(record->graph, 2, BYPEER_RECORD_ID_UNITS, &units) ||
        !record_count_text(record->modifier, record->modifier ? 2 : 0, BYPEER_RECORD_ID_UNITS, &units) ||
        !record_count_text(record->attributes, 0, BYPEER_RECORD_BYTES_MAX, &units) ||
        record->security_bytes > BYPEER_RECORD_BYTES_MAX || record->payload_bytes > BYPEER_RECORD_BYTES_MAX)
        return 0;
    return BYPEER_RECORD_LEAST + 2 * units + record->security_bytes + record->payload_bytes;
}

static uint8_t *record_put_text(uint8_t *place, const char *text)
{
    size_t bytes = text ? bypeer_text_put(place + 4, text) : 0;
    bypeer_store32(place, (uint32_t)(bytes / 2));
    return place + 4 + bytes;
}

static uint8_t *record_put_bytes(uint8_t *place, const uint8_t *bytes, size_t length)
{
    bypeer_store32(place, (uint32_t)length);
    if (length > 0)
        memcpy(place + 4, bytes, length);
    return place + 4 + length;
}

long bypeer_record_write(const struct bypeer_record *record, uint8_t *ret_bytes, size_t room)
{
    size_t bytes = bypeer_record_bytes(record);
    if (bytes == 0)
        return -EINVAL;
    if (bytes > room)
        return -ENOSPC;
    memcpy(ret_bytes + RECORD_TYPE, record->type.bytes, sizeof(record->type.bytes));
    memcpy(ret_bytes + RECORD_ID, record->id.bytes, sizeof(record->id.bytes));
    bypeer_store32(ret_bytes + RECORD_VERSION, record->version);
    bypeer_store32(ret_bytes + RECORD_FLAGS, record->flags & ~BYPEER_RECORD_AUTOREFRESH);
    uint8_t *place = record_put_text(ret_bytes + RECORD_CREATOR, record->creator);
    place = record_put_text(place, record->modifier);
    place = record_put_bytes(place, record->security, record->security_bytes);
    bypeer_store64(place, record->created);
    bypeer_store64(place + 8, record->expires);
    bypeer_store64(place + 16, record->modified);
    place = record_put_text(place + 24, record->graph);
    bypeer_store16(place, record->protocol);
    place = record_put_bytes(place + 2, record->payload, record->payload_bytes);
    record_put_text(place, record->attributes);
    return (long)bytes;
}
