/*
 * PNRP messages: bytes to structs and back ([MS-PNRP] 2.2).
 *
 *   0            2          4     5       6       7      8             12
 *   | 0x0010     | 12       | 0x51| major | minor | type | message ID   | elements, each padded to 4 bytes ...
 *   element:  | FieldID 2 | Length 2, with these 4 bytes, without padding | data | 0 to 3 zero bytes |
 *
 * A read message points into the bytes that it was read from; nothing is copied but numbers. A written one is built
 * from the same struct, so that whatever is read and written again is the same message. Reading is strict: order,
 * lengths, counts and values as specified, or the whole message is refused; padding's value is ignored, and 0 to 3
 * bytes of it may be missing at the very end.
 *
 * Numbers are in host order, addresses and IDs as on the wire. Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "overlay/profile/profile.h"

#define BYPEER_PNRP_HEADER_BYTES    12
#define BYPEER_PNRP_DATAGRAM_MAX    1232 /* what every IPv6 path carries: 1280 - 40 - 8 */
#define BYPEER_PNRP_PORT_MIN        1025 /* 2.2.3.4, 3.1.5.2: ports up to 1024 are refused everywhere */
#define BYPEER_PNRP_PATH_MAX        22   /* flagged path, already flooded list */
#define BYPEER_PNRP_ADDRESSES_MAX   20   /* of a route entry */
#define BYPEER_PNRP_SLICE_AT        28   /* where an AUTHORITY has its slice */
#define BYPEER_PNRP_SLICE_BYTES     1188 /* of an AUTHORITY_BUFFER in one datagram */
#define BYPEER_PNRP_BUFFER_MAX      37348
#define BYPEER_PNRP_ADVERTISE_IDS   5
#define BYPEER_PNRP_REQUEST_IDS_MAX 37 /* what BYPEER_PNRP_DATAGRAM_MAX holds; more is read, not written */

enum bypeer_pnrp_type {
    BYPEER_PNRP_SOLICIT = 0x01,
    BYPEER_PNRP_ADVERTISE = 0x02,
    BYPEER_PNRP_REQUEST = 0x03,
    BYPEER_PNRP_FLOOD = 0x04,
    BYPEER_PNRP_INQUIRE = 0x07,
    BYPEER_PNRP_AUTHORITY = 0x08,
    BYPEER_PNRP_ACK = 0x09,
    BYPEER_PNRP_LOOKUP = 0x0b,
};

enum bypeer_pnrp_criterion {
    BYPEER_PNRP_NONE = 0x00,       /* all 256 bits */
    BYPEER_PNRP_ANY = 0x01,        /* first 128 bits */
    BYPEER_PNRP_NEAREST = 0x02,    /* all 256 bits, or what is nearest within the first 128 */
    BYPEER_PNRP_NEAREST_64 = 0x04, /* first 192 bits, or what is nearest within the first 128 */
    BYPEER_PNRP_UPPER_BITS = 0x08, /* first `precision` bits */
};

enum bypeer_pnrp_reason {
    BYPEER_PNRP_APP_REQUEST = 0x00,
    BYPEER_PNRP_REGISTRATION = 0x01,
    BYPEER_PNRP_CACHE_MAINTENANCE = 0x02,
    BYPEER_PNRP_SPLIT_DETECTION = 0x03,
};

#define BYPEER_INQUIRE_CPA     0x0010u
#define BYPEER_INQUIRE_PAYLOAD 0x0008u
#define BYPEER_INQUIRE_CHAIN   0x0004u

#define BYPEER_AUTHORITY_LEAF_SET  0x0200u /* L: not known here, yet it would be in a leaf set */
#define BYPEER_AUTHORITY_BUSY      0x0008u /* B */
#define BYPEER_AUTHORITY_NOT_LOCAL 0x0001u /* N: the Validate ID is not registered here */

/* A UDP endpoint of a node. */
struct bypeer_pnrp_endpoint {
    uint8_t address[16];
    uint16_t port;
};

/* Endpoints as an IPV6_ENDPOINT_ARRAY has them: 18 bytes each, port first. */
struct bypeer_pnrp_endpoints {
    const uint8_t *bytes;
    uint16_t count;
};
void bypeer_pnrp_endpoint_at(const struct bypeer_pnrp_endpoints *endpoints, unsigned at,
                             struct bypeer_pnrp_endpoint *ret_endpoint);
void bypeer_pnrp_endpoint_put(uint8_t ret_bytes[static 18], const struct bypeer_pnrp_endpoint *endpoint);
/* Whether the address is among them; ports do not matter (3.2.5.2). */
bool bypeer_pnrp_endpoints_have(const struct bypeer_pnrp_endpoints *endpoints, const uint8_t address[static 16]);

/* ROUTE_ENTRY, 2.2.3.4: an ID and where the node is that registered it. */
struct bypeer_pnrp_entry {
    const uint8_t *id;        /* 32 bytes; NULL: there is no entry */
    const uint8_t *addresses; /* 16 bytes each */
    uint8_t address_count;    /* 1 to 20 */
    uint16_t port;
};

/* PNRP_ID_ARRAY. */
struct bypeer_pnrp_ids {
    const uint8_t *bytes; /* 32 bytes each */
    uint16_t count;
};

struct bypeer_pnrp_solicit {
    bool local_only;                /* SolicitType LOCAL */
    struct bypeer_pnrp_entry entry; /* optional */
    const uint8_t *hashed_nonce;    /* 20 bytes */
};

struct bypeer_pnrp_advertise {
    uint32_t acked;
    struct bypeer_pnrp_ids ids;
    const uint8_t *hashed_nonce; /* 20 bytes */
};

struct bypeer_pnrp_request {
    const uint8_t *nonce; /* 16 bytes */
    struct bypeer_pnrp_ids ids;
};

struct bypeer_pnrp_flood {
    bool no_ack;             /* D */
    const uint8_t *validate; /* 32 bytes, maybe zero */
    const uint8_t *revoke;   /* Encoded CPA (cpa.h); NULL: none */
    uint16_t revoke_bytes;
    struct bypeer_pnrp_entry entry;       /* optional */
    struct bypeer_pnrp_endpoints flooded; /* 0 to 22 */
};

struct bypeer_pnrp_inquire {
    uint16_t flags; /* BYPEER_INQUIRE_* */
    const uint8_t *validate;
    const uint8_t *nonce; /* 16 bytes; NULL: none */
};

/* One slice of an answer; the slices together are an AUTHORITY_BUFFER. */
struct bypeer_pnrp_authority {
    uint32_t acked;
    uint16_t size;   /* of the whole buffer */
    uint16_t offset; /* of this slice */
    const uint8_t *slice;
    uint16_t slice_bytes;
};

struct bypeer_pnrp_ack {
    uint32_t acked;
    bool not_local; /* N */
};

struct bypeer_pnrp_lookup {
    bool any_distance; /* A: answers no nearer than the Validate ID are welcome, too */
    uint16_t precision;
    uint8_t criterion; /* enum bypeer_pnrp_criterion */
    uint8_t reason;
    const uint8_t *target;
    const uint8_t *validate;           /* maybe zero */
    struct bypeer_pnrp_entry entry;    /* optional: best match so far */
    struct bypeer_pnrp_endpoints path; /* 1 to 22 */
};

struct bypeer_pnrp_message {
    enum bypeer_pnrp_type type;
    uint32_t id; /* Message ID */
    union {
        struct bypeer_pnrp_solicit solicit;
        struct bypeer_pnrp_advertise advertise;
        struct bypeer_pnrp_request request;
        struct bypeer_pnrp_flood flood;
        struct bypeer_pnrp_inquire inquire;
        struct bypeer_pnrp_authority authority;
        struct bypeer_pnrp_ack ack;
        struct bypeer_pnrp_lookup lookup;
    };
};

/*
 * Reads one UDP payload. 0; -EPROTONOSUPPORT: whole, and of another version than the profile's; -EBADMSG: anything
 * else. The message points into bytes.
 */
int bypeer_pnrp_read(struct bypeer_pnrp_message *ret_message, const struct bypeer_profile *profile,
                     const uint8_t *bytes, size_t length);
/*
 * Writes the message; returns its length, or 0 if room is too small. An AUTHORITY's slice may lie at its place already:
 * ret_bytes + BYPEER_PNRP_SLICE_AT.
 */
size_t bypeer_pnrp_write(const struct bypeer_pnrp_message *message, const struct bypeer_profile *profile,
                         uint8_t *ret_bytes, size_t room);

/* AUTHORITY_BUFFER, 2.2.2.6.1. */
struct bypeer_pnrp_answer {
    uint16_t flags;       /* BYPEER_AUTHORITY_* */
    const uint8_t *chain; /* CERT_CHAIN (chain.h); NULL: none */
    uint16_t chain_bytes;
    const uint8_t *classifier;  /* UTF-16BE code units; NULL: none */
    uint16_t classifier_length; /* code units */
    const uint8_t *payload;     /* EXTENDED_PAYLOAD (cpa.h); NULL: none */
    uint16_t payload_bytes;
    struct bypeer_pnrp_entry entry; /* optional */
    const uint8_t *cpa;             /* Encoded CPA; NULL: none */
    uint16_t cpa_bytes;
};

int bypeer_pnrp_answer_read(struct bypeer_pnrp_answer *ret_answer, const struct bypeer_profile *profile,
                            const uint8_t *bytes, size_t length);
/* The buffer, to be sent in slices; its length, or 0. */
size_t bypeer_pnrp_answer_write(const struct bypeer_pnrp_answer *answer, const struct bypeer_profile *profile,
                                uint8_t *ret_bytes, size_t room);
