/*
 * What the node's graphing code makes of messages that another implementation wrote: reads lines "PROFILE message HEX"
 * and "PROFILE record HEX", and prints each one's fields, and the bytes as it writes them again.
 *
 *   modern message 0000000c200c000001000000   ->   kind=12 final=1 again=0000000c200c000001000000
 *   refused lines                             ->   refused -74
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/graph/message.h"
#include "overlay/graph/record.h"
#include "tests/e2e/codec.h"

#define RECORD_BYTES 262144

static void print_hex(const char *name, const void *bytes, size_t length)
{
    printf(" %s=", name);
    for (size_t at = 0; at < length; at++)
        printf("%02x", ((const uint8_t *)bytes)[at]);
}

static void print_addresses(const struct bypeer_graph_addresses *addresses)
{
    printf(" addresses=");
    for (unsigned at = 0; at < addresses->count; at++) {
        struct bypeer_graph_address address;
        char text[INET6_ADDRSTRLEN];
        bypeer_graph_address_at(addresses, at, &address);
        printf("%s%u/%s", at > 0 ? "," : "", address.port, inet_ntop(AF_INET6, address.address, text, sizeof(text)));
    }
}

static void print_abstracts(const uint8_t *abstracts, uint32_t count)
{
    printf(" abstracts=");
    for (uint32_t at = 0; at < count; at++) {
        struct bypeer_graph_abstract abstract;
        char id[BYPEER_GUID_TEXT_BYTES];
        bypeer_graph_abstract_at(abstracts, at, &abstract);
        bypeer_guid_write(&abstract.id, id);
        printf("%s%s:%u", at > 0 ? "," : "", id, abstract.version);
    }
}

static void print_boundaries(const struct bypeer_graph_advertise *advertise)
{
    printf(" boundaries=");
    for (uint32_t at = 0; at < advertise->boundary_count; at++) {
        struct bypeer_graph_boundary boundary;
        char low[BYPEER_GUID_TEXT_BYTES], high[BYPEER_GUID_TEXT_BYTES];
        bypeer_graph_boundary_at(advertise->boundaries, at, &boundary);
        bypeer_guid_write(&boundary.low.id, low);
        bypeer_guid_write(&boundary.high.id, high);
        printf("%s%" PRIu64 "/%s-%" PRIu64 "/%s:%u", at > 0 ? "," : "", boundary.low.modified, low,
               boundary.high.modified, high, boundary.count);
    }
}

static void print_solicit(enum bypeer_graph_type type, const struct bypeer_graph_solicit *solicit)
{
    printf(" included=%u excluded=%u", solicit->inclusion_count, solicit->exclusion_count);
    print_hex("types", solicit->types, 16u * (solicit->inclusion_count + solicit->exclusion_count));
    if (type == BYPEER_GRAPH_SOLICIT_TIME)
        printf(" modified=%" PRIu64, solicit->modified);
    for (uint32_t at = 0; at < solicit->hash_count; at++) {
        struct bypeer_graph_range range;
        char id[BYPEER_GUID_TEXT_BYTES];
        bypeer_graph_range_at(solicit->hashes, at, &range);
        bypeer_guid_write(&range.last.id, id);
        print_hex("hash", range.hash, sizeof(range.hash));
        printf("/%" PRIu64 "/%s", range.last.modified, id);
    }
}

static void print_acks(const struct bypeer_graph_ack *ack)
{
    for (unsigned at = 0; at < ack->count; at++) {
        struct bypeer_graph_ack_entry entry;
        char id[BYPEER_GUID_TEXT_BYTES];
        bypeer_graph_ack_at(ack->entries, at, &entry);
        bypeer_guid_write(&entry.id, id);
        printf(" ack=%s:%d", id, entry.is_useful);
    }
}

static void print_fields(const struct bypeer_graph_message *message)
{
    char guid[BYPEER_GUID_TEXT_BYTES];
    switch (message->type) {
    case BYPEER_GRAPH_AUTH_INFO:
        printf(" link=%d", message->auth_info.kind);
        print_hex("graph", message->auth_info.graph.bytes, message->auth_info.graph.length);
        print_hex("source", message->auth_info.source.bytes, message->auth_info.source.length);
        print_hex("destination", message->auth_info.destination.bytes, message->auth_info.destination.length);
        break;
    case BYPEER_GRAPH_CONNECT:
        printf(" flags=%u node=%016" PRIx64, message->connect.flags, message->connect.node_id);
        print_addresses(&message->connect.addresses);
        print_hex("name", message->connect.friendly_name.bytes, message->connect.friendly_name.length);
        break;
    case BYPEER_GRAPH_WELCOME:
        printf(" node=%016" PRIx64 " time=%" PRIu64, message->welcome.node_id, message->welcome.peer_time);
        print_addresses(&message->welcome.addresses);
        print_hex("peer", message->welcome.peer_id.bytes, message->welcome.peer_id.length);
        print_hex("name", message->welcome.friendly_name.bytes, message->welcome.friendly_name.length);
        break;
    case BYPEER_GRAPH_REFUSE:
    case BYPEER_GRAPH_DISCONNECT:
        printf(" code=%u", message->end.code);
        print_addresses(&message->end.addresses);
        break;
    case BYPEER_GRAPH_SOLICIT_NEW:
    case BYPEER_GRAPH_SOLICIT_TIME:
    case BYPEER_GRAPH_SOLICIT_HASH:
        print_solicit(message->type, &message->solicit);
        break;
    case BYPEER_GRAPH_ADVERTISE:
        print_boundaries(&message->advertise);
        print_abstracts(message->advertise.abstracts, message->advertise.abstract_count);
        break;
    case BYPEER_GRAPH_REQUEST:
        print_abstracts(message->request.bytes, message->request.count);
        break;
    case BYPEER_GRAPH_FLOOD:
        print_hex("record", message->flood.record, message->flood.record_bytes);
        break;
    case BYPEER_GRAPH_SYNC_END:
        printf(" final=%d", message->is_final);
        break;
    case BYPEER_GRAPH_PT2PT:
        bypeer_guid_write(&message->pt2pt.type, guid);
        printf(" type=%s", guid);
        print_hex("data", message->pt2pt.data, message->pt2pt.data_bytes);
        break;
    case BYPEER_GRAPH_ACK:
        print_acks(&message->ack);
        break;
    }
}

static int print_message(const struct bypeer_profile *profile, const uint8_t *bytes, size_t length)
{
    static uint8_t again[RECORD_BYTES];
    struct bypeer_graph_message message;
    int result = bypeer_graph_message_read(&message, profile, bytes, length);
    if (result < 0)
        return result;
    printf("kind=%d", message.type);
    print_fields(&message);
    print_hex("again", again, bypeer_graph_message_write(&message, profile, again, sizeof(again)));
    printf("\n");
    return 0;
}

static void print_text(const char *name, const char *text)
{
    print_hex(name, text ? text : "", text ? strlen(text) : 0);
}

static int print_record(const struct bypeer_profile *profile, const uint8_t *bytes, size_t length)
{
    static uint8_t again[RECORD_BYTES];
    char type[BYPEER_GUID_TEXT_BYTES], id[BYPEER_GUID_TEXT_BYTES];
    struct bypeer_record *record;
    int result = bypeer_record_read(&record, bytes, length);
    if (result < 0)
        return result;
    const struct bypeer_record_rules rules = {.profile = profile, .graph = record->graph};
    const char *fault = bypeer_record_fault(record, &rules);
    bypeer_guid_write(&record->type, type);
    bypeer_guid_write(&record->id, id);
    printf("type=%s id=%s version=%u flags=%u protocol=%04x", type, id, record->version, record->flags,
           record->protocol);
    print_text("creator", record->creator);
    print_text("modifier", record->modifier);
    print_text("graph", record->graph);
    print_text("attributes", record->attributes);
    print_hex("security", record->security, record->security_bytes);
    print_hex("payload", record->payload, record->payload_bytes);
    printf(" created=%" PRIu64 " expires=%" PRIu64 " modified=%" PRIu64, record->created, record->expires,
           record->modified);
    long written = bypeer_record_write(record, again, sizeof(again));
    print_hex("again", again, written > 0 ? (size_t)written : 0);
    printf(" fault=%s\n", fault ? fault : "-");
    free(record);
    return 0;
}

int codec_print(const struct bypeer_profile *profile, const char *what, const uint8_t *bytes, size_t length)
{
    return strcmp(what, "message") == 0 ? print_message(profile, bytes, length) : print_record(profile, bytes, length);
}
