#include <errno.h>

#include "overlay/graph/message_wire.h"
#include "overlay/ip/wire.h"
#include "overlay/text/utf8.h"

#define CONNECT_FLAGS (BYPEER_CONNECT_UPDATE | BYPEER_CONNECT_DIRECT | BYPEER_CONNECT_NEEDS)

/*
 * The readers of what lies behind the fixed fields of each type, which are all there. Offsets and counts are below
 * 2^32: sums and products of them are 64 bits wide. They return whether the message is right.
 */
struct message_bytes {
    const uint8_t *bytes;
    uint64_t length;
};

/* Whether an array lies behind the fixed fields and within the message; an empty one may have any offset within it. */
static bool message_has_array(const struct message_bytes *in, uint64_t fixed, uint64_t offset, uint64_t count,
                              uint64_t entry_bytes)
{
    return (count == 0 || offset >= fixed) && offset + count * entry_bytes <= in->length;
}

/* The text of a slice, without the NUL that some end it with; false: it is no UTF-8, or has a NUL in it. */
static bool message_text(const struct message_bytes *in, uint64_t from, uint64_t to, struct bypeer_graph_text *ret_text)
{
    const char *bytes = (const char *)in->bytes + from;
    size_t length = to - from;
    if (length > 0 && bytes[length - 1] == '\0')
        length--;
    for (size_t at = 0; at < length;) {
        char point[5] = {0}; /* ends with NUL, as the text does not */
        memcpy(point, bytes + at, length - at < 4 ? length - at : 4);
        const char *behind = point;
        if (bypeer_utf8_take(&behind) <= 0)
            return false;
        at += (size_t)(behind - point);
    }
    *ret_text = (struct bypeer_graph_text){bytes, length};
    return true;
}

static bool message_read_addresses(const struct message_bytes *in, uint64_t fixed, uint64_t offset, uint8_t count,
                                   struct bypeer_graph_addresses *ret_addresses)
{
    if (!message_has_array(in, fixed, offset, count, BYPEER_GRAPH_ADDRESS_BYTES))
        return false;
    for (unsigned at = 0; at < count; at++)
        if (bypeer_load16(in->bytes + offset + (size_t)BYPEER_GRAPH_ADDRESS_BYTES * at) != WIRE_FAMILY)
            return false;
    *ret_addresses = (struct bypeer_graph_addresses){count > 0 ? in->bytes + offset : NULL, count};
    return true;
}

static bool message_read_auth_info(const struct message_bytes *in, struct bypeer_graph_auth_info *ret)
{
    uint64_t graph = bypeer_load16(in->bytes + 10), source = bypeer_load16(in->bytes + 12);
    uint64_t destination = bypeer_load16(in->bytes + 14);
    uint8_t kind = in->bytes[8];
    if ((kind != BYPEER_GRAPH_NEIGHBOR && kind != BYPEER_GRAPH_DIRECT) || graph < 16 || graph >= source ||
        source >= destination || destination > in->length || !message_text(in, graph, source, &ret->graph) ||
        !message_text(in, source, destination, &ret->source) ||
        !message_text(in, destination, in->length, &ret->destination))
        return false;
    ret->kind = (enum bypeer_graph_link_kind)kind;
    if (ret->graph.length == 0 || ret->source.length == 0)
        return false;
    if (destination == in->length)
        ret->destination.bytes = NULL;
    return destination == in->length || ret->destination.length > 0;
}

static bool message_read_connect(const struct message_bytes *in, struct bypeer_graph_connect *ret)
{
    uint8_t flags = in->bytes[8], count = in->bytes[9];
    uint64_t addresses = bypeer_load16(in->bytes + 10), name = bypeer_load16(in->bytes + 12);
    if (!message_read_addresses(in, 24, addresses, count, &ret->addresses) ||
        addresses + (uint64_t)count * BYPEER_GRAPH_ADDRESS_BYTES > name || name > in->length || name < 24 ||
        !message_text(in, name, in->length, &ret->friendly_name) || ((flags & BYPEER_CONNECT_UPDATE) && count == 0))
        return false;
    ret->flags = flags & CONNECT_FLAGS;
    ret->node_id = bypeer_load64(in->bytes + 16);
    return true;
}

static bool message_read_welcome(const struct message_bytes *in, struct bypeer_graph_welcome *ret)
{
    uint8_t count = in->bytes[24];
    uint64_t addresses = bypeer_load16(in->bytes + 26), peer = bypeer_load16(in->bytes + 28);
    uint64_t name = bypeer_load16(in->bytes + 30);
    if (!message_read_addresses(in, 32, addresses, count, &ret->addresses) ||
        addresses + (uint64_t)count * BYPEER_GRAPH_ADDRESS_BYTES > peer || peer < 32 || peer >= name ||
        name > in->length || !message_text(in, peer, name, &ret->peer_id) || ret->peer_id.length == 0 ||
        !message_text(in, name, in->length, &ret->friendly_name))
        return false;
    ret->node_id = bypeer_load64(in->bytes + 8);
    ret->peer_time = bypeer_load64(in->bytes + 16);
    return true;
}

static bool message_read_end(const struct message_bytes *in, uint8_t code_max, struct bypeer_graph_end *ret)
{
    ret->code = in->bytes[8];
    return ret->code >= 1 && ret->code <= code_max &&
           message_read_addresses(in, 12, bypeer_load16(in->bytes + 10), in->bytes[9], &ret->addresses);
}

static bool message_read_solicit(const struct message_bytes *in, enum bypeer_graph_type type,
                                 struct bypeer_graph_solicit *ret)
{
    uint64_t fixed = wire_fixed_bytes[type], types = bypeer_load16(in->bytes + 10);
    *ret = (struct bypeer_graph_solicit){.inclusion_count = in->bytes[8], .exclusion_count = in->bytes[9]};
    uint64_t count = (uint64_t)ret->inclusion_count + ret->exclusion_count;
    if ((ret->inclusion_count > 0 && ret->exclusion_count > 0) ||
        (type != BYPEER_GRAPH_SOLICIT_HASH && ret->inclusion_count > 1) ||
        !message_has_array(in, fixed, types, count, WIRE_GUID_BYTES))
        return false;
    ret->types = count > 0 ? in->bytes + types : NULL;
    if (type == BYPEER_GRAPH_SOLICIT_TIME)
        ret->modified = bypeer_load64(in->bytes + 12);
    if (type == BYPEER_GRAPH_SOLICIT_HASH) {
        uint64_t hashes = bypeer_load16(in->bytes + 16);
        ret->hash_count = bypeer_load32(in->bytes + 12);
        if (types + count * WIRE_GUID_BYTES > hashes ||
            !message_has_array(in, fixed, hashes, ret->hash_count, BYPEER_GRAPH_HASH_BYTES))
            return false;
        ret->hashes = ret->hash_count > 0 ? in->bytes + hashes : NULL;
    }
    return true;
}

/* The counts of the boundaries add up to the abstracts: whoever goes over both needs no check of its own. */
static bool message_read_advertise(const struct message_bytes *in, struct bypeer_graph_advertise *ret)
{
    uint64_t boundaries = bypeer_load16(in->bytes + 16), abstracts = bypeer_load32(in->bytes + 20), counted = 0;
    ret->boundary_count = bypeer_load32(in->bytes + 8);
    ret->abstract_count = bypeer_load32(in->bytes + 12);
    if (!message_has_array(in, 24, boundaries, ret->boundary_count, BYPEER_GRAPH_BOUNDARY_BYTES) ||
        boundaries + (uint64_t)ret->boundary_count * BYPEER_GRAPH_BOUNDARY_BYTES > abstracts ||
        !message_has_array(in, 24, abstracts, ret->abstract_count, BYPEER_GRAPH_ABSTRACT_BYTES))
        return false;
    ret->boundaries = ret->boundary_count > 0 ? in->bytes + boundaries : NULL;
    ret->abstracts = ret->abstract_count > 0 ? in->bytes + abstracts : NULL;
    for (uint32_t at = 0; at < ret->boundary_count; at++) {
        struct bypeer_graph_boundary boundary;
        bypeer_graph_boundary_at(ret->boundaries, at, &boundary);
        counted += boundary.count;
    }
    return counted == ret->abstract_count;
}

static bool message_read_request(const struct message_bytes *in, struct bypeer_graph_abstracts *ret)
{
    uint64_t offset = bypeer_load32(in->bytes + 12);
    ret->count = bypeer_load32(in->bytes + 8);
    if (!message_has_array(in, 16, offset, ret->count, BYPEER_GRAPH_ABSTRACT_BYTES))
        return false;
    ret->bytes = ret->count > 0 ? in->bytes + offset : NULL;
    return true;
}

static bool message_read_flood(const struct message_bytes *in, struct bypeer_graph_flood *ret)
{
    uint64_t offset = bypeer_load16(in->bytes + 8);
    if (offset < 12 || offset > in->length || bypeer_load16(in->bytes + 10) != 0)
        return false;
    *ret = (struct bypeer_graph_flood){in->bytes + offset, in->length - offset};
    return true;
}

static bool message_read_pt2pt(const struct message_bytes *in, struct bypeer_graph_pt2pt *ret)
{
    uint64_t offset = bypeer_load16(in->bytes + 8);
    if (offset < 28 || offset > in->length)
        return false;
    memcpy(ret->type.bytes, in->bytes + 12, sizeof(ret->type.bytes));
    ret->data = in->bytes + offset;
    ret->data_bytes = in->length - offset;
    return true;
}

static bool message_read_ack(const struct message_bytes *in, struct bypeer_graph_ack *ret)
{
    uint64_t offset = bypeer_load16(in->bytes + 10);
    ret->count = bypeer_load16(in->bytes + 8);
    if (!message_has_array(in, 12, offset, ret->count, BYPEER_GRAPH_ACK_BYTES))
        return false;
    ret->entries = ret->count > 0 ? in->bytes + offset : NULL;
    return true;
}

static bool message_read_fields(const struct message_bytes *in, struct bypeer_graph_message *ret)
{
    switch (ret->type) {
    case BYPEER_GRAPH_AUTH_INFO:
        return message_read_auth_info(in, &ret->auth_info);
    case BYPEER_GRAPH_CONNECT:
        return message_read_connect(in, &ret->connect);
    case BYPEER_GRAPH_WELCOME:
        return message_read_welcome(in, &ret->welcome);
    case BYPEER_GRAPH_REFUSE:
        return message_read_end(in, BYPEER_REFUSE_NO_DIRECT, &ret->end);
    case BYPEER_GRAPH_DISCONNECT:
        return message_read_end(in, BYPEER_DISCONNECT_APPLICATION, &ret->end);
    case BYPEER_GRAPH_SOLICIT_NEW:
    case BYPEER_GRAPH_SOLICIT_TIME:
    case BYPEER_GRAPH_SOLICIT_HASH:
        return message_read_solicit(in, ret->type, &ret->solicit);
    case BYPEER_GRAPH_ADVERTISE:
        return message_read_advertise(in, &ret->advertise);
    case BYPEER_GRAPH_REQUEST:
        return message_read_request(in, &ret->request);
    case BYPEER_GRAPH_FLOOD:
        return message_read_flood(in, &ret->flood);
    case BYPEER_GRAPH_SYNC_END:
        ret->is_final = in->bytes[8] & WIRE_SYNC_END_FINAL;
        return true;
    case BYPEER_GRAPH_PT2PT:
        return message_read_pt2pt(in, &ret->pt2pt);
    case BYPEER_GRAPH_ACK:
        return message_read_ack(in, &ret->ack);
    }
    return false;
}

int bypeer_graph_message_read(struct bypeer_graph_message *ret_message, const struct bypeer_profile *profile,
                              const uint8_t *bytes, size_t length)
{
    const struct message_bytes in = {bytes, length};
    struct bypeer_graph_message message;
    if (length < BYPEER_GRAPH_HEADER_BYTES || bypeer_load32(bytes) != length)
        return -EBADMSG;
    if (bytes[4] != wire_version(profile))
        return -EPROTONOSUPPORT;
    if (bytes[5] < BYPEER_GRAPH_AUTH_INFO || bytes[5] > BYPEER_GRAPH_ACK || length < wire_fixed_bytes[bytes[5]])
        return -EBADMSG;
    message.type = (enum bypeer_graph_type)bytes[5];
    if (!message_read_fields(&in, &message))
        return -EBADMSG;
    *ret_message = message;
    return 0;
}
