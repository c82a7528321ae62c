#include "overlay/graph/message_wire.h"
#include "overlay/ip/wire.h"

/* What lies behind the fixed fields, in the order of the message. */
static size_t message_variable_bytes(const struct bypeer_graph_message *message)
{
    const struct bypeer_graph_solicit *solicit = &message->solicit;
    switch (message->type) {
    case BYPEER_GRAPH_AUTH_INFO:
        return message->auth_info.graph.length + message->auth_info.source.length +
               message->auth_info.destination.length;
    case BYPEER_GRAPH_CONNECT:
        return (size_t)message->connect.addresses.count * BYPEER_GRAPH_ADDRESS_BYTES +
               message->connect.friendly_name.length;
    case BYPEER_GRAPH_WELCOME:
        return (size_t)message->welcome.addresses.count * BYPEER_GRAPH_ADDRESS_BYTES + message->welcome.peer_id.length +
               message->welcome.friendly_name.length;
    case BYPEER_GRAPH_REFUSE:
    case BYPEER_GRAPH_DISCONNECT:
        return (size_t)message->end.addresses.count * BYPEER_GRAPH_ADDRESS_BYTES;
    case BYPEER_GRAPH_SOLICIT_NEW:
    case BYPEER_GRAPH_SOLICIT_TIME:
        return (size_t)(solicit->inclusion_count + solicit->exclusion_count) * WIRE_GUID_BYTES;
    case BYPEER_GRAPH_SOLICIT_HASH:
        return (size_t)(solicit->inclusion_count + solicit->exclusion_count) * WIRE_GUID_BYTES +
               (size_t)solicit->hash_count * BYPEER_GRAPH_HASH_BYTES;
    case BYPEER_GRAPH_ADVERTISE:
        return (size_t)message->advertise.boundary_count * BYPEER_GRAPH_BOUNDARY_BYTES +
               (size_t)message->advertise.abstract_count * BYPEER_GRAPH_ABSTRACT_BYTES;
    case BYPEER_GRAPH_REQUEST:
        return message->request.count > 0 ? (size_t)message->request.count * BYPEER_GRAPH_ABSTRACT_BYTES
                                          : (size_t)WIRE_REQUEST_LEAST - wire_fixed_bytes[BYPEER_GRAPH_REQUEST];
    case BYPEER_GRAPH_FLOOD:
        return message->flood.record_bytes;
    case BYPEER_GRAPH_SYNC_END:
        return 0;
    case BYPEER_GRAPH_PT2PT:
        return message->pt2pt.data_bytes;
    case BYPEER_GRAPH_ACK:
        return (size_t)message->ack.count * BYPEER_GRAPH_ACK_BYTES;
    }
    return 0;
}

size_t bypeer_graph_message_bytes(const struct bypeer_graph_message *message)
{
    return wire_fixed_bytes[message->type] + message_variable_bytes(message);
}

/* The writers put fields at their places; what is variable goes where message_put() has come to. */
struct message_writer {
    uint8_t *bytes;
    size_t at;
};

static void message_put(struct message_writer *out, const void *bytes, size_t length)
{
    if (length > 0 && bytes != out->bytes + out->at)
        memcpy(out->bytes + out->at, bytes, length);
    out->at += length;
}

static void message_put_addresses(struct message_writer *out, const struct bypeer_graph_addresses *addresses)
{
    message_put(out, addresses->bytes, (size_t)addresses->count * BYPEER_GRAPH_ADDRESS_BYTES);
}

static void message_write_auth_info(struct message_writer *out, const struct bypeer_graph_auth_info *auth_info)
{
    out->bytes[8] = (uint8_t)auth_info->kind;
    bypeer_store16(out->bytes + 10, (uint16_t)out->at);
    message_put(out, auth_info->graph.bytes, auth_info->graph.length);
    bypeer_store16(out->bytes + 12, (uint16_t)out->at);
    message_put(out, auth_info->source.bytes, auth_info->source.length);
    bypeer_store16(out->bytes + 14, (uint16_t)out->at);
    message_put(out, auth_info->destination.bytes, auth_info->destination.length);
}

static void message_write_connect(struct message_writer *out, const struct bypeer_graph_connect *connect)
{
    out->bytes[8] = connect->flags;
    out->bytes[9] = connect->addresses.count;
    bypeer_store16(out->bytes + 10, (uint16_t)out->at);
    message_put_addresses(out, &connect->addresses);
    bypeer_store16(out->bytes + 12, (uint16_t)out->at);
    bypeer_store64(out->bytes + 16, connect->node_id);
    message_put(out, connect->friendly_name.bytes, connect->friendly_name.length);
}

static void message_write_welcome(struct message_writer *out, const struct bypeer_graph_welcome *welcome)
{
    bypeer_store64(out->bytes + 8, welcome->node_id);
    bypeer_store64(out->bytes + 16, welcome->peer_time);
    out->bytes[24] = welcome->addresses.count;
    bypeer_store16(out->bytes + 26, welcome->addresses.count > 0 ? (uint16_t)out->at : 0);
    message_put_addresses(out, &welcome->addresses);
    bypeer_store16(out->bytes + 28, (uint16_t)out->at);
    message_put(out, welcome->peer_id.bytes, welcome->peer_id.length);
    bypeer_store16(out->bytes + 30, (uint16_t)out->at);
    message_put(out, welcome->friendly_name.bytes, welcome->friendly_name.length);
}

/* Without addresses their offset is 0 in a REFUSE, and the message's size in a DISCONNECT. */
static void message_write_end(struct message_writer *out, enum bypeer_graph_type type,
                              const struct bypeer_graph_end *end)
{
    out->bytes[8] = end->code;
    out->bytes[9] = end->addresses.count;
    bypeer_store16(out->bytes + 10,
                   end->addresses.count > 0 || type == BYPEER_GRAPH_DISCONNECT ? (uint16_t)out->at : 0);
    message_put_addresses(out, &end->addresses);
}

static void message_write_solicit(struct message_writer *out, enum bypeer_graph_type type,
                                  const struct bypeer_graph_solicit *solicit)
{
    out->bytes[8] = solicit->inclusion_count;
    out->bytes[9] = solicit->exclusion_count;
    bypeer_store16(out->bytes + 10, (uint16_t)out->at);
    message_put(out, solicit->types, (size_t)(solicit->inclusion_count + solicit->exclusion_count) * WIRE_GUID_BYTES);
    if (type == BYPEER_GRAPH_SOLICIT_TIME)
        bypeer_store64(out->bytes + 12, solicit->modified);
    if (type == BYPEER_GRAPH_SOLICIT_HASH) {
        bypeer_store32(out->bytes + 12, solicit->hash_count);
        bypeer_store16(out->bytes + 16, (uint16_t)out->at);
        message_put(out, solicit->hashes, (size_t)solicit->hash_count * BYPEER_GRAPH_HASH_BYTES);
    }
}

static void message_write_advertise(struct message_writer *out, const struct bypeer_graph_advertise *advertise)
{
    bypeer_store32(out->bytes + 8, advertise->boundary_count);
    bypeer_store32(out->bytes + 12, advertise->abstract_count);
    bypeer_store16(out->bytes + 16, (uint16_t)out->at);
    message_put(out, advertise->boundaries, (size_t)advertise->boundary_count * BYPEER_GRAPH_BOUNDARY_BYTES);
    bypeer_store32(out->bytes + 20, (uint32_t)out->at);
    message_put(out, advertise->abstracts, (size_t)advertise->abstract_count * BYPEER_GRAPH_ABSTRACT_BYTES);
}

static void message_write_request(struct message_writer *out, const struct bypeer_graph_abstracts *request)
{
    static const uint8_t padding[WIRE_REQUEST_LEAST - 16] = {0};
    bypeer_store32(out->bytes + 8, request->count);
    bypeer_store32(out->bytes + 12, (uint32_t)out->at);
    if (request->count > 0)
        message_put(out, request->bytes, (size_t)request->count * BYPEER_GRAPH_ABSTRACT_BYTES);
    else
        message_put(out, padding, sizeof(padding));
}

static void message_write_fields(struct message_writer *out, const struct bypeer_graph_message *message)
{
    switch (message->type) {
    case BYPEER_GRAPH_AUTH_INFO:
        message_write_auth_info(out, &message->auth_info);
        break;
    case BYPEER_GRAPH_CONNECT:
        message_write_connect(out, &message->connect);
        break;
    case BYPEER_GRAPH_WELCOME:
        message_write_welcome(out, &message->welcome);
        break;
    case BYPEER_GRAPH_REFUSE:
    case BYPEER_GRAPH_DISCONNECT:
        message_write_end(out, message->type, &message->end);
        break;
    case BYPEER_GRAPH_SOLICIT_NEW:
    case BYPEER_GRAPH_SOLICIT_TIME:
    case BYPEER_GRAPH_SOLICIT_HASH:
        message_write_solicit(out, message->type, &message->solicit);
        break;
    case BYPEER_GRAPH_ADVERTISE:
        message_write_advertise(out, &message->advertise);
        break;
    case BYPEER_GRAPH_REQUEST:
        message_write_request(out, &message->request);
        break;
    case BYPEER_GRAPH_FLOOD:
        bypeer_store16(out->bytes + 8, (uint16_t)out->at);
        message_put(out, message->flood.record, message->flood.record_bytes);
        break;
    case BYPEER_GRAPH_SYNC_END:
        out->bytes[8] = message->is_final ? WIRE_SYNC_END_FINAL : 0;
        break;
    case BYPEER_GRAPH_PT2PT:
        bypeer_store16(out->bytes + 8, (uint16_t)out->at);
        memcpy(out->bytes + 12, message->pt2pt.type.bytes, WIRE_GUID_BYTES);
        message_put(out, message->pt2pt.data, message->pt2pt.data_bytes);
        break;
    case BYPEER_GRAPH_ACK:
        bypeer_store16(out->bytes + 8, message->ack.count);
        bypeer_store16(out->bytes + 10, (uint16_t)out->at);
        message_put(out, message->ack.entries, (size_t)message->ack.count * BYPEER_GRAPH_ACK_BYTES);
        break;
    }
}

size_t bypeer_graph_message_write(const struct bypeer_graph_message *message, const struct bypeer_profile *profile,
                                  uint8_t *ret_bytes, size_t room)
{
    size_t length = bypeer_graph_message_bytes(message);
    struct message_writer out = {ret_bytes, wire_fixed_bytes[message->type]};
    if (length > room)
        return 0;
    memset(ret_bytes, 0, out.at);
    bypeer_store32(ret_bytes, (uint32_t)length);
    ret_bytes[4] = wire_version(profile);
    ret_bytes[5] = (uint8_t)message->type;
    message_write_fields(&out, message);
    return length;
}
