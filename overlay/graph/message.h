/*
 * Graphing's messages: bytes to structs and back ([MS-PPGRH] 2.2.2).
 *
 *   0              4         5      6          8
 *   | size 4       | version | type | reserved | fields, then what their offsets point to ...
 *
 * The version is 0x10 in the profile windows and 0x20 in modern: neither takes the other's messages.
 *
 * A read message points into the bytes that it was read from. A written one is built from the same struct, so that what
 * is read and written again says the same. Reading checks what section 3.1.5.2 says of each field by itself; whether
 * the link is in a state for it is the node's to know. Bytes that no field speaks of are ignored, as forward
 * compatibility wants it.
 *
 * Numbers are in host order, arrays as on the wire, texts UTF-8 without a NUL. Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "overlay/graph/guid.h"
#include "overlay/profile/profile.h"

#define BYPEER_GRAPH_HEADER_BYTES   8
#define BYPEER_GRAPH_ADDRESS_BYTES  20 /* PEER_IN6_ADDRESS */
#define BYPEER_GRAPH_ABSTRACT_BYTES 20
#define BYPEER_GRAPH_ACK_BYTES      20
#define BYPEER_GRAPH_HASH_BYTES     40 /* HASH_INFO_ENTRY */
#define BYPEER_GRAPH_BOUNDARY_BYTES 52 /* HASH_ENTRY_BOUNDARY */
#define BYPEER_GRAPH_REFERRALS_MAX  10 /* addresses of a WELCOME, REFUSE or DISCONNECT that this node sends */

enum bypeer_graph_type {
    BYPEER_GRAPH_AUTH_INFO = 0x01,
    BYPEER_GRAPH_CONNECT = 0x02,
    BYPEER_GRAPH_WELCOME = 0x03,
    BYPEER_GRAPH_REFUSE = 0x04,
    BYPEER_GRAPH_DISCONNECT = 0x05,
    BYPEER_GRAPH_SOLICIT_NEW = 0x06,
    BYPEER_GRAPH_SOLICIT_TIME = 0x07,
    BYPEER_GRAPH_SOLICIT_HASH = 0x08,
    BYPEER_GRAPH_ADVERTISE = 0x09,
    BYPEER_GRAPH_REQUEST = 0x0a,
    BYPEER_GRAPH_FLOOD = 0x0b,
    BYPEER_GRAPH_SYNC_END = 0x0c,
    BYPEER_GRAPH_PT2PT = 0x0d,
    BYPEER_GRAPH_ACK = 0x0e,
};

enum bypeer_graph_link_kind { BYPEER_GRAPH_NEIGHBOR = 1, BYPEER_GRAPH_DIRECT = 2 };

#define BYPEER_CONNECT_UPDATE 0x08u /* U */
#define BYPEER_CONNECT_DIRECT 0x04u /* D */
#define BYPEER_CONNECT_NEEDS  0x01u /* N: wants addresses of neighbors */

enum bypeer_graph_refusal {
    BYPEER_REFUSE_BUSY = 1,
    BYPEER_REFUSE_ALREADY_CONNECTED = 2,
    BYPEER_REFUSE_DUPLICATE = 3,
    BYPEER_REFUSE_NO_DIRECT = 4,
};

enum bypeer_graph_parting {
    BYPEER_DISCONNECT_LEAVING = 1,
    BYPEER_DISCONNECT_LEAST_USEFUL = 2,
    BYPEER_DISCONNECT_APPLICATION = 3,
};

/* PT2PT's reserved type: no payload, dropped silently. It shows whether a link is alive. */
#define BYPEER_GRAPH_PING                                                                                  \
    (struct bypeer_guid)                                                                                   \
    {                                                                                                      \
        {                                                                                                  \
            0x0c, 0xcb, 0xb0, 0xd2, 0xbe, 0x41, 0x4b, 0xd6, 0x91, 0x4b, 0x05, 0x8e, 0xc5, 0xdc, 0xce, 0x64 \
        }                                                                                                  \
    }

/* Where a node listens. An IPv4 address is ::ffff:a.b.c.d. */
struct bypeer_graph_address {
    uint8_t address[16];
    uint16_t port;
};

/* PEER_IN6_ADDRESS[]. */
struct bypeer_graph_addresses {
    const uint8_t *bytes;
    uint8_t count;
};
void bypeer_graph_address_at(const struct bypeer_graph_addresses *addresses, unsigned at,
                             struct bypeer_graph_address *ret_address);
void bypeer_graph_address_put(uint8_t ret_bytes[static BYPEER_GRAPH_ADDRESS_BYTES],
                              const struct bypeer_graph_address *address);

/* Part of a message. bytes NULL: absent. */
struct bypeer_graph_text {
    const char *bytes;
    size_t length;
};

/* RECORD_ABSTRACT[]. */
struct bypeer_graph_abstracts {
    const uint8_t *bytes;
    uint32_t count;
};
struct bypeer_graph_abstract {
    struct bypeer_guid id;
    uint32_t version;
};
void bypeer_graph_abstract_at(const uint8_t *abstracts, uint32_t at, struct bypeer_graph_abstract *ret_abstract);
void bypeer_graph_abstract_put(uint8_t ret_bytes[static BYPEER_GRAPH_ABSTRACT_BYTES],
                               const struct bypeer_graph_abstract *abstract);

/* A place in the order of all records: last modification, then record ID. */
struct bypeer_graph_key {
    uint64_t modified;
    struct bypeer_guid id;
};

/* HASH_INFO_ENTRY: a range that ends with this key; the abstracts of its records make the hash. */
struct bypeer_graph_range {
    uint8_t hash[16];
    struct bypeer_graph_key last;
};
void bypeer_graph_range_at(const uint8_t *hashes, uint32_t at, struct bypeer_graph_range *ret_range);
void bypeer_graph_range_put(uint8_t ret_bytes[static BYPEER_GRAPH_HASH_BYTES], const struct bypeer_graph_range *range);

/* HASH_ENTRY_BOUNDARY: a range that differs, and how many of the abstracts that follow are of it. */
struct bypeer_graph_boundary {
    struct bypeer_graph_key low, high; /* its records are behind low, up to high with it */
    uint32_t count;
};
void bypeer_graph_boundary_at(const uint8_t *boundaries, uint32_t at, struct bypeer_graph_boundary *ret_boundary);
void bypeer_graph_boundary_put(uint8_t ret_bytes[static BYPEER_GRAPH_BOUNDARY_BYTES],
                               const struct bypeer_graph_boundary *boundary);

/* An entry of an ACK. */
struct bypeer_graph_ack_entry {
    struct bypeer_guid id;
    bool is_useful; /* U */
};
void bypeer_graph_ack_at(const uint8_t *entries, unsigned at, struct bypeer_graph_ack_entry *ret_entry);
void bypeer_graph_ack_put(uint8_t ret_bytes[static BYPEER_GRAPH_ACK_BYTES], const struct bypeer_graph_ack_entry *entry);

struct bypeer_graph_auth_info {
    enum bypeer_graph_link_kind kind;
    struct bypeer_graph_text graph, source;
    struct bypeer_graph_text destination; /* optional */
};

struct bypeer_graph_connect {
    uint8_t flags; /* BYPEER_CONNECT_* */
    struct bypeer_graph_addresses addresses;
    struct bypeer_graph_text friendly_name; /* maybe empty */
    uint64_t node_id;
};

struct bypeer_graph_welcome {
    uint64_t node_id, peer_time;
    struct bypeer_graph_addresses addresses;
    struct bypeer_graph_text peer_id, friendly_name; /* the latter maybe empty */
};

/* REFUSE and DISCONNECT. */
struct bypeer_graph_end {
    uint8_t code; /* enum bypeer_graph_refusal, enum bypeer_graph_parting */
    struct bypeer_graph_addresses addresses;
};

/* SOLICIT_NEW, SOLICIT_TIME, SOLICIT_HASH. At most one of the counts is not 0; both 0: all types. */
struct bypeer_graph_solicit {
    uint8_t inclusion_count, exclusion_count;
    const uint8_t *types;  /* 16 bytes each */
    uint64_t modified;     /* of SOLICIT_TIME: records from then on */
    const uint8_t *hashes; /* of SOLICIT_HASH */
    uint32_t hash_count;
};

struct bypeer_graph_advertise {
    const uint8_t *boundaries;
    uint32_t boundary_count;
    const uint8_t *abstracts;
    uint32_t abstract_count;
};

struct bypeer_graph_flood {
    const uint8_t *record; /* record.h */
    size_t record_bytes;
};

struct bypeer_graph_pt2pt {
    struct bypeer_guid type;
    const uint8_t *data;
    size_t data_bytes;
};

struct bypeer_graph_ack {
    const uint8_t *entries;
    uint16_t count;
};

struct bypeer_graph_message {
    enum bypeer_graph_type type;
    union {
        struct bypeer_graph_auth_info auth_info;
        struct bypeer_graph_connect connect;
        struct bypeer_graph_welcome welcome;
        struct bypeer_graph_end end;
        struct bypeer_graph_solicit solicit;
        struct bypeer_graph_advertise advertise;
        struct bypeer_graph_abstracts request;
        struct bypeer_graph_flood flood;
        bool is_final; /* SYNC_END: F */
        struct bypeer_graph_pt2pt pt2pt;
        struct bypeer_graph_ack ack;
    };
};

/*
 * Reads one unit (frame.h). 0; -EPROTONOSUPPORT: whole, and of another version than the profile's; -EBADMSG: anything
 * else. The connection ends in either case.
 */
int bypeer_graph_message_read(struct bypeer_graph_message *ret_message, const struct bypeer_profile *profile,
                              const uint8_t *bytes, size_t length);
/* The bytes that the message takes on the wire. */
size_t bypeer_graph_message_bytes(const struct bypeer_graph_message *message);
/*
 * Writes it; returns its length, or 0 if room is too small. A FLOOD's record may lie at its place already: ret_bytes +
 * BYPEER_GRAPH_RECORD_AT.
 */
#define BYPEER_GRAPH_RECORD_AT 12
size_t bypeer_graph_message_write(const struct bypeer_graph_message *message, const struct bypeer_profile *profile,
                                  uint8_t *ret_bytes, size_t room);
