/*
 * Payloads of graphing's own four records ([MS-PPGRH] 2.2.4).
 *
 *   graph info:  | size 4 | flags 4 | scope 4 | graph ID | creator | friendly name | comment | presence lifetime 4 |
 *                | presence records 4 | largest record 4 |     texts as in a record: units with NUL 4, UTF-16LE
 *   signature:   | node ID 8 |
 *   contact:     | signature 8 | node ID 8 | count 4 | PEER_ADDRESS 32 ... |
 *   presence:    | node ID 8 | attributes | count 4 | PEER_ADDRESS 32 ... |
 *
 * Integers in network byte order on the wire. Strings are UTF-8 here and NUL-terminated; a reader keeps them within the
 * struct or in memory that bypeer_graph_presence_clear() releases. Threads: any.
 */
#pragma once

#include "overlay/graph/message.h"

#define BYPEER_GRAPH_TEXT_BYTES      (3 * 255 + 1) /* UTF-8 of 255 UTF-16 units, with NUL */
#define BYPEER_GRAPH_COMMENT_BYTES   (3 * 511 + 1)
#define BYPEER_GRAPH_LISTENING_MAX   8    /* addresses of a node that are kept; further ones are ignored */
#define BYPEER_GRAPH_SIGNATURE_BYTES 8    /* payload of a signature record */
#define BYPEER_GRAPH_PRESENCE_S      300  /* lifetime of presence: default and least */
#define BYPEER_GRAPH_RECORD_LEAST    1024 /* least limit of a record's size */
#define BYPEER_GRAPH_INFO_MAX        (40 + 2 * (3 * 256 + 512)) /* bytes of any graph info */

#define BYPEER_GRAPH_INFO_DEFER 2u /* records do not expire while a node has no link */

enum bypeer_graph_scope { BYPEER_GRAPH_GLOBAL = 1, BYPEER_GRAPH_SITE = 2, BYPEER_GRAPH_LINK = 3 };

struct bypeer_graph_info {
    uint32_t flags; /* BYPEER_GRAPH_INFO_* */
    enum bypeer_graph_scope scope;
    char graph[BYPEER_GRAPH_TEXT_BYTES], creator[BYPEER_GRAPH_TEXT_BYTES];
    char friendly_name[BYPEER_GRAPH_TEXT_BYTES], comment[BYPEER_GRAPH_COMMENT_BYTES]; /* maybe empty */
    uint32_t presence_s;                                                              /* 0: BYPEER_GRAPH_PRESENCE_S */
    uint32_t presence_max; /* UINT32_MAX: every node; 0: none unless it wants to; else that many */
    uint32_t record_max;   /* bytes of payload and attributes; 0: BYPEER_RECORD_BYTES_MAX */
};

struct bypeer_graph_contact {
    uint64_t signature, node_id;
    uint8_t address_count;
    struct bypeer_graph_address addresses[BYPEER_GRAPH_LISTENING_MAX];
};

struct bypeer_graph_presence {
    uint64_t node_id;
    char *attributes; /* XML of attributes.h; NULL: none; owned by the struct */
    uint8_t address_count;
    struct bypeer_graph_address addresses[BYPEER_GRAPH_LISTENING_MAX];
};

/* 0, -EBADMSG, or -ENOMEM. */
int bypeer_graph_info_read(struct bypeer_graph_info *ret_info, const uint8_t *bytes, size_t length);
int bypeer_graph_contact_read(struct bypeer_graph_contact *ret_contact, const uint8_t *bytes, size_t length);
int bypeer_graph_presence_read(struct bypeer_graph_presence *ret_presence, const uint8_t *bytes, size_t length);
void bypeer_graph_presence_clear(struct bypeer_graph_presence *presence);
int bypeer_graph_signature_read(uint64_t *ret_node_id, const uint8_t *bytes, size_t length);

/* Bytes written, -ENOSPC, or -EINVAL: a text that is no UTF-8 or too long, a number that is out of range. */
long bypeer_graph_info_write(const struct bypeer_graph_info *info, uint8_t *ret_bytes, size_t room);
long bypeer_graph_contact_write(const struct bypeer_graph_contact *contact, uint8_t *ret_bytes, size_t room);
long bypeer_graph_presence_write(const struct bypeer_graph_presence *presence, uint8_t *ret_bytes, size_t room);
void bypeer_graph_signature_write(uint64_t node_id, uint8_t ret_bytes[static BYPEER_GRAPH_SIGNATURE_BYTES]);
