/* The entries of messages' arrays. */
#include "overlay/graph/message_wire.h"
#include "overlay/ip/wire.h"

void bypeer_graph_address_at(const struct bypeer_graph_addresses *addresses, unsigned at,
                             struct bypeer_graph_address *ret_address)
{
    const uint8_t *bytes = addresses->bytes + (size_t)BYPEER_GRAPH_ADDRESS_BYTES * at;
    ret_address->port = bypeer_load16(bytes + 2);
    memcpy(ret_address->address, bytes + 4, sizeof(ret_address->address));
}

void bypeer_graph_address_put(uint8_t ret_bytes[static BYPEER_GRAPH_ADDRESS_BYTES],
                              const struct bypeer_graph_address *address)
{
    bypeer_store16(ret_bytes, WIRE_FAMILY);
    bypeer_store16(ret_bytes + 2, address->port);
    memcpy(ret_bytes + 4, address->address, sizeof(address->address));
}

void bypeer_graph_abstract_at(const uint8_t *abstracts, uint32_t at, struct bypeer_graph_abstract *ret_abstract)
{
    const uint8_t *bytes = abstracts + (size_t)BYPEER_GRAPH_ABSTRACT_BYTES * at;
    memcpy(ret_abstract->id.bytes, bytes, WIRE_GUID_BYTES);
    ret_abstract->version = bypeer_load32(bytes + 16);
}

void bypeer_graph_abstract_put(uint8_t ret_bytes[static BYPEER_GRAPH_ABSTRACT_BYTES],
                               const struct bypeer_graph_abstract *abstract)
{
    memcpy(ret_bytes, abstract->id.bytes, WIRE_GUID_BYTES);
    bypeer_store32(ret_bytes + 16, abstract->version);
}

static void parts_read_key(const uint8_t *bytes, struct bypeer_graph_key *ret_key)
{
    ret_key->modified = bypeer_load64(bytes);
    memcpy(ret_key->id.bytes, bytes + 8, WIRE_GUID_BYTES);
}

static void parts_put_key(uint8_t *ret_bytes, const struct bypeer_graph_key *key)
{
    bypeer_store64(ret_bytes, key->modified);
    memcpy(ret_bytes + 8, key->id.bytes, WIRE_GUID_BYTES);
}

void bypeer_graph_range_at(const uint8_t *hashes, uint32_t at, struct bypeer_graph_range *ret_range)
{
    const uint8_t *bytes = hashes + (size_t)BYPEER_GRAPH_HASH_BYTES * at;
    memcpy(ret_range->hash, bytes, sizeof(ret_range->hash));
    parts_read_key(bytes + 16, &ret_range->last);
}

void bypeer_graph_range_put(uint8_t ret_bytes[static BYPEER_GRAPH_HASH_BYTES], const struct bypeer_graph_range *range)
{
    memcpy(ret_bytes, range->hash, sizeof(range->hash));
    parts_put_key(ret_bytes + 16, &range->last);
}

void bypeer_graph_boundary_at(const uint8_t *boundaries, uint32_t at, struct bypeer_graph_boundary *ret_boundary)
{
    const uint8_t *bytes = boundaries + (size_t)BYPEER_GRAPH_BOUNDARY_BYTES * at;
    parts_read_key(bytes, &ret_boundary->low);
    parts_read_key(bytes + 24, &ret_boundary->high);
    ret_boundary->count = bypeer_load32(bytes + 48);
}

void bypeer_graph_boundary_put(uint8_t ret_bytes[static BYPEER_GRAPH_BOUNDARY_BYTES],
                               const struct bypeer_graph_boundary *boundary)
{
    parts_put_key(ret_bytes, &boundary->low);
    parts_put_key(ret_bytes + 24, &boundary->high);
    bypeer_store32(ret_bytes + 48, boundary->count);
}

void bypeer_graph_ack_at(const uint8_t *entries, unsigned at, struct bypeer_graph_ack_entry *ret_entry)
{
    const uint8_t *bytes = entries + (size_t)BYPEER_GRAPH_ACK_BYTES * at;
    memcpy(ret_entry->id.bytes, bytes, WIRE_GUID_BYTES);
    ret_entry->is_useful = bypeer_load32(bytes + 16) & WIRE_ACK_USEFUL;
}

void bypeer_graph_ack_put(uint8_t ret_bytes[static BYPEER_GRAPH_ACK_BYTES], const struct bypeer_graph_ack_entry *entry)
{
    memcpy(ret_bytes, entry->id.bytes, WIRE_GUID_BYTES);
    bypeer_store32(ret_bytes + 16, entry->is_useful ? WIRE_ACK_USEFUL : 0);
}
