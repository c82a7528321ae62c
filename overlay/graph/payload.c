#include "overlay/graph/payload.h"

#include <errno.h>
#include <stdlib.h>

#include "overlay/graph/cursor.h"
#include "overlay/graph/record.h"

#define PAYLOAD_ADDRESS_BYTES 32
#define PAYLOAD_FAMILY        0x0017
#define PAYLOAD_UNITS         256 /* of a text, with NUL */
#define PAYLOAD_COMMENT_UNITS 512

static void payload_take_text(struct graph_cursor *cursor, size_t units_max, char *ret_text)
{
    struct graph_slice text = graph_take_text(cursor, units_max);
    *ret_text = '\0';
    if (!cursor->is_bad && text.count > 0)
        bypeer_text_take(text.bytes, text.count, ret_text);
}

int bypeer_graph_info_read(struct bypeer_graph_info *ret_info, const uint8_t *bytes, size_t length)
{
    struct bypeer_graph_info info;
    struct graph_cursor cursor = {.bytes = bytes, .length = length};
    uint32_t size = graph_take32(&cursor);
    info.flags = graph_take32(&cursor) & BYPEER_GRAPH_INFO_DEFER;
    uint32_t scope = graph_take32(&cursor);
    payload_take_text(&cursor, PAYLOAD_UNITS, info.graph);
    payload_take_text(&cursor, PAYLOAD_UNITS, info.creator);
    payload_take_text(&cursor, PAYLOAD_UNITS, info.friendly_name);
    payload_take_text(&cursor, PAYLOAD_COMMENT_UNITS, info.comment);
    info.presence_s = graph_take32(&cursor);
    info.presence_max = graph_take32(&cursor);
    info.record_max = graph_take32(&cursor);
    if (cursor.is_bad || size != cursor.at || scope < BYPEER_GRAPH_GLOBAL || scope > BYPEER_GRAPH_LINK ||
        info.graph[0] == '\0' || info.creator[0] == '\0' ||
        (info.presence_s != 0 && info.presence_s < BYPEER_GRAPH_PRESENCE_S) ||
        (info.record_max != 0 &&
         (info.record_max < BYPEER_GRAPH_RECORD_LEAST || info.record_max > BYPEER_RECORD_BYTES_MAX)))
        return -EBADMSG;
    info.scope = (enum bypeer_graph_scope)scope;
    *ret_info = info;
    return 0;
}

/* Addresses of another family are passed over, since a node may have them beside those that all can use. */
static void payload_take_addresses(struct graph_cursor *cursor, uint8_t *ret_count,
                                   struct bypeer_graph_address ret_addresses[static BYPEER_GRAPH_LISTENING_MAX])
{
    uint32_t count = graph_take32(cursor);
    *ret_count = 0;
    if (count > (cursor->length - cursor->at) / PAYLOAD_ADDRESS_BYTES)
        cursor->is_bad = true;
    for (uint32_t at = 0; !cursor->is_bad && at < count; at++) {
        const uint8_t *place = graph_take(cursor, PAYLOAD_ADDRESS_BYTES);
        if (bypeer_load16(place + 4) != PAYLOAD_FAMILY || *ret_count == BYPEER_GRAPH_LISTENING_MAX)
            continue;
        struct bypeer_graph_address *address = &ret_addresses[(*ret_count)++];
        address->port = bypeer_load16(place + 6);
        memcpy(address->address, place + 12, sizeof(address->address));
    }
}

int bypeer_graph_contact_read(struct bypeer_graph_contact *ret_contact, const uint8_t *bytes, size_t length)
{
    struct bypeer_graph_contact contact;
    struct graph_cursor cursor = {.bytes = bytes, .length = length};
    contact.signature = graph_take64(&cursor);
    contact.node_id = graph_take64(&cursor);
    payload_take_addresses(&cursor, &contact.address_count, contact.addresses);
    if (cursor.is_bad)
        return -EBADMSG;
    *ret_contact = contact;
    return 0;
}

int bypeer_graph_presence_read(struct bypeer_graph_presence *ret_presence, const uint8_t *bytes, size_t length)
{
    struct bypeer_graph_presence presence = {0};
    struct graph_cursor cursor = {.bytes = bytes, .length = length};
    presence.node_id = graph_take64(&cursor);
    struct graph_slice text = graph_take_text(&cursor, UINT32_MAX);
    payload_take_addresses(&cursor, &presence.address_count, presence.addresses);
    if (cursor.is_bad)
        return -EBADMSG;
    if (text.count > 0) {
        presence.attributes = malloc(text.room);
        if (presence.attributes == NULL)
            return -ENOMEM;
        bypeer_text_take(text.bytes, text.count, presence.attributes);
    }
    *ret_presence = presence;
    return 0;
}

void bypeer_graph_presence_clear(struct bypeer_graph_presence *presence)
{
    free(presence->attributes);
    presence->attributes = NULL;
}

int bypeer_graph_signature_read(uint64_t *ret_node_id, const uint8_t *bytes, size_t length)
{
    if (length < BYPEER_GRAPH_SIGNATURE_BYTES)
        return -EBADMSG;
    *ret_node_id = bypeer_load64(bytes);
    return 0;
}

/* The units of a text, 0 of an absent or empty one; adds to what is wrong if there are too many or it is no UTF-8. */
static size_t payload_units(const char *text, size_t units_max, bool *is_bad)
{
    if (text == NULL || *text == '\0')
        return 0;
    size_t units = bypeer_text_units(text);
    if (units == 0 || units > units_max)
        *is_bad = true;
    return units;
}

static uint8_t *payload_put32(uint8_t *place, uint32_t value)
{
    bypeer_store32(place, value);
    return place + 4;
}

static uint8_t *payload_put_text(uint8_t *place, const char *text, size_t units)
{
    place = payload_put32(place, (uint32_t)units);
    return units > 0 ? place + bypeer_text_put(place, text) : place;
}

long bypeer_graph_info_write(const struct bypeer_graph_info *info, uint8_t *ret_bytes, size_t room)
{
    bool is_bad = info->scope < BYPEER_GRAPH_GLOBAL || info->scope > BYPEER_GRAPH_LINK || info->graph[0] == '\0' ||
                  info->creator[0] == '\0' || (info->presence_s != 0 && info->presence_s < BYPEER_GRAPH_PRESENCE_S) ||
                  (info->record_max != 0 &&
                   (info->record_max < BYPEER_GRAPH_RECORD_LEAST || info->record_max > BYPEER_RECORD_BYTES_MAX));
    size_t graph = payload_units(info->graph, PAYLOAD_UNITS, &is_bad);
    size_t creator = payload_units(info->creator, PAYLOAD_UNITS, &is_bad);
    size_t name = payload_units(info->friendly_name, PAYLOAD_UNITS, &is_bad);
    size_t comment = payload_units(info->comment, PAYLOAD_COMMENT_UNITS, &is_bad);
    size_t bytes = 12 + 4 * 4 + 2 * (graph + creator + name + comment) + 12;
    if (is_bad)
        return -EINVAL;
    if (bytes > room)
        return -ENOSPC;
    uint8_t *place = payload_put32(ret_bytes, (uint32_t)bytes);
    place = payload_put32(place, info->flags & BYPEER_GRAPH_INFO_DEFER);
    place = payload_put32(place, (uint32_t)info->scope);
    place = payload_put_text(place, info->graph, graph);
    place = payload_put_text(place, info->creator, creator);
    place = payload_put_text(place, info->friendly_name, name);
    place = payload_put_text(place, info->comment, comment);
    place = payload_put32(place, info->presence_s);
    place = payload_put32(place, info->presence_max);
    payload_put32(place, info->record_max);
    return (long)bytes;
}

static void payload_put_addresses(uint8_t *place, const struct bypeer_graph_address *addresses, uint8_t count)
{
    place = payload_put32(place, count);
    for (unsigned at = 0; at < count; at++, place += PAYLOAD_ADDRESS_BYTES) {
        memset(place, 0, PAYLOAD_ADDRESS_BYTES);
        bypeer_store32(place, PAYLOAD_ADDRESS_BYTES);
        bypeer_store16(place + 4, PAYLOAD_FAMILY);
        bypeer_store16(place + 6, addresses[at].port);
        memcpy(place + 12, addresses[at].address, sizeof(addresses[at].address));
    }
}

long bypeer_graph_contact_write(const struct bypeer_graph_contact *contact, uint8_t *ret_bytes, size_t room)
{
    size_t bytes = 20 + (size_t)contact->address_count * PAYLOAD_ADDRESS_BYTES;
    if (contact->address_count > BYPEER_GRAPH_LISTENING_MAX)
        return -EINVAL;
    if (bytes > room)
        return -ENOSPC;
    bypeer_store64(ret_bytes, contact->signature);
    bypeer_store64(ret_bytes + 8, contact->node_id);
    payload_put_addresses(ret_bytes + 16, contact->addresses, contact->address_count);
    return (long)bytes;
}

long bypeer_graph_presence_write(const struct bypeer_graph_presence *presence, uint8_t *ret_bytes, size_t room)
{
    bool is_bad = presence->address_count > BYPEER_GRAPH_LISTENING_MAX;
    size_t units = payload_units(presence->attributes, BYPEER_RECORD_BYTES_MAX, &is_bad);
    size_t bytes = 16 + 2 * units + (size_t)presence->address_count * PAYLOAD_ADDRESS_BYTES;
    if (is_bad)
        return -EINVAL;
    if (bytes > room)
        return -ENOSPC;
    bypeer_store64(ret_bytes, presence->node_id);
    uint8_t *place = payload_put_text(ret_bytes + 8, presence->attributes, units);
    payload_put_addresses(place, presence->addresses, presence->address_count);
    return (long)bytes;
}

void bypeer_graph_signature_write(uint64_t node_id, uint8_t ret_bytes[static BYPEER_GRAPH_SIGNATURE_BYTES])
{
    bypeer_store64(ret_bytes, node_id);
}
