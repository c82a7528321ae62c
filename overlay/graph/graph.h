/*
 * One node in one graph: streams and time in; streams, records, presence and data out ([MS-PPGRH] 3).
 *
 *                     bypeer_graph_publish() _update() _delete()
 *                                     |
 *   links:  _accept() _receive() --> struct bypeer_graph --> sink: send, connect, close, record, link, node, data, ...
 *   time:   _tick() ------------------^            '-------> security.h: sign, validate, authenticate
 *
 * Every node is client and server at once. All nodes keep the same records: what is new is flooded to the neighbors,
 * and who comes asks one neighbor for what it missed. One implementation runs in bypeerd over TCP, in the simulator by
 * the thousand, in tests with a clock of their own.
 *
 * Files, in the order to read: guid.h, source.h, frame.h, message.h, record.h, payload.h, attributes.h, search.h
 * (formats); security.h; state.h (what a node is made of), database.c, share.c (who may have how much), waiting.c,
 * queue.c, link.c, handshake.c (one link's life), flood.c, synchronise.c, synchronise_hash.c, maintain.c (connections),
 * contact.c (signature, contacts, partitions), presence.c, publish.c, upkeep.c (timers); graph.c ties them together.
 *
 * Thread: one per graph. The sink's functions are called from within the functions here and must not call back in, but
 * to look at a link.
 */
#pragma once

#include "overlay/graph/payload.h"
#include "overlay/graph/search.h"
#include "overlay/graph/security.h"

struct bypeer_graph;

/* bypeer_graph_status(). */
#define BYPEER_GRAPH_LISTENING       1u
#define BYPEER_GRAPH_HAS_CONNECTIONS 2u
#define BYPEER_GRAPH_SYNCHRONIZED    4u

enum bypeer_graph_link_change {
    BYPEER_GRAPH_LINK_CONNECTED,
    BYPEER_GRAPH_LINK_DISCONNECTED, /* after it was connected */
    BYPEER_GRAPH_LINK_FAILED,       /* before */
};

struct bypeer_graph_link_event {
    enum bypeer_graph_link_change change;
    uint32_t link;
    enum bypeer_graph_link_kind kind;
    bool is_initiator;
    const char *peer_id; /* "" as long as it is not known */
    uint64_t node_id;    /* likewise 0 */
    const char *why;     /* "" of CONNECTED */
};

enum bypeer_graph_node_change { BYPEER_GRAPH_NODE_PRESENT, BYPEER_GRAPH_NODE_CHANGED, BYPEER_GRAPH_NODE_GONE };

/* A node that has published its presence; of one that took it back only the peer ID is known. */
struct bypeer_graph_node {
    uint64_t node_id; /* 0: not known */
    const char *peer_id;
    const char *attributes; /* NULL: none */
    const struct bypeer_graph_address *addresses;
    unsigned address_count;
};

/* Any of it may be NULL. */
struct bypeer_graph_sink {
    /* Bytes for a link's stream; they are taken, and go out in this order, before it is closed. False: what can wait is
     * to wait for bypeer_graph_writable(). */
    bool (*send)(void *context, uint32_t link, const uint8_t *bytes, size_t length);
    /* Answered by bypeer_graph_connected() or _closed(). */
    void (*connect)(void *context, uint32_t link, const struct bypeer_graph_address *to);
    /* What was sent goes out first. Answered by _closed(), from when on the number may come again. */
    void (*close)(void *context, uint32_t link);
    /* For the store and the application. Of REMOVED and EXPIRED the record is what is not there any more, or, deleted
     * by its owner, the tombstone that stays until it expires. */
    void (*record)(void *context, enum bypeer_record_change change, const struct bypeer_record *record);
    void (*link)(void *context, const struct bypeer_graph_link_event *event);
    void (*node)(void *context, enum bypeer_graph_node_change change, const struct bypeer_graph_node *node);
    /* PT2PT of a connected link. */
    void (*data)(void *context, uint32_t link, const struct bypeer_guid *type, const uint8_t *bytes, size_t length);
    void (*status)(void *context, uint32_t flags);
    /* Please find a member that is reachable, and bypeer_graph_connect(). */
    void (*connection_required)(void *context);
    /* For the audit log; record NULL: it could not be read. */
    void (*refused)(void *context, const struct bypeer_record *record, uint32_t link, const char *why);
};

/*
 * Of the database each creator may have half of what the others leave, and likewise each peer of what waits; a
 * sixteenth of the database is for records that the security provider calls first.
 */
struct bypeer_graph_limits {
    uint32_t records;       /* in the database; 0: 65536 */
    uint64_t bytes;         /* of the database; 0: 256 MiB */
    uint32_t links;         /* of both kinds; 0: 64 */
    uint32_t waiting;       /* records that wait for validation; 0: 1024 */
    uint64_t waiting_bytes; /* of them; 0: 16 MiB */
    uint16_t frame;         /* bytes of a frame's payload before it is sealed; 0: BYPEER_FRAME_GROUP */
};

struct bypeer_graph_settings {
    const struct bypeer_profile *profile;
    const char *graph_id, *peer_id, *friendly_name; /* copied */
    enum bypeer_graph_scope scope;
    struct bypeer_graph_sink sink;
    void *sink_context;
    const struct bypeer_graph_security *security; /* NULL: none; outlives the graph */
    uint8_t seed[16];                             /* of the node's random numbers, its node ID first */
    bool is_creator;                              /* this node makes the graph: info is published */
    struct bypeer_graph_info info;                /* of a creator: graph, creator and scope are filled in from above */
    bool has_direct;                              /* direct links are welcome */
    bool has_presence;                            /* publish presence whatever the graph's limit says */
    const struct bypeer_guid *precedence;         /* types to be synchronised first; copied */
    unsigned precedence_count;                    /* up to BYPEER_GRAPH_PRECEDENCE_MAX */
    struct bypeer_graph_limits limits;
    int64_t peer_time_delta; /* of bypeer_graph_time_delta(), when the node was here last; else 0 */
    bool was_synchronised;   /* once, and its records will be restored */
};
#define BYPEER_GRAPH_PRECEDENCE_MAX 16

/* 0; -EINVAL: an ID or name that is empty, too long or no UTF-8; -ENOMEM. */
int bypeer_graph_open(struct bypeer_graph **ret_graph, const struct bypeer_graph_settings *settings,
                      struct bypeer_graph_time now);
void bypeer_graph_free(struct bypeer_graph *graph); /* NULL is fine; says nothing to anybody */

/*
 * A record of the store, before anything else is called. It is judged again, which is why revocations and memberships
 * come first; presence, signature and contacts are passed over. 0; -EINVAL, -EKEYREJECTED: it does not count any more;
 * -EAGAIN: it waits for what it depends on; -ENOMEM.
 */
int bypeer_graph_restore(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_record *record);
/*
 * The host accepts connections at these addresses: publishes them, up to BYPEER_GRAPH_LISTENING_MAX. Again when they
 * change; count 0: not any more. Before the first synchronisation they are kept until it has been.
 */
int bypeer_graph_listen(struct bypeer_graph *graph, struct bypeer_graph_time now,
                        const struct bypeer_graph_address addresses[], unsigned count);
/*
 * peer_id NULL: whoever is there. 0; -EADDRINUSE: one of our own addresses; -EISCONN: there is a link to it;
 * -ENOBUFS: no link is free; -ENOMEM.
 */
int bypeer_graph_connect(struct bypeer_graph *graph, struct bypeer_graph_time now,
                         const struct bypeer_graph_address *to, const char *peer_id, enum bypeer_graph_link_kind kind,
                         uint32_t *ret_link);
int bypeer_graph_accept(struct bypeer_graph *graph, struct bypeer_graph_time now,
                        const struct bypeer_graph_address *from, uint32_t *ret_link);
void bypeer_graph_connected(struct bypeer_graph *graph, struct bypeer_graph_time now, uint32_t link);
/* The stream is gone: error 0 for an orderly end, else errno. Also the answer to the sink's close. */
void bypeer_graph_closed(struct bypeer_graph *graph, struct bypeer_graph_time now, uint32_t link, int error);
void bypeer_graph_receive(struct bypeer_graph *graph, struct bypeer_graph_time now, uint32_t link, const uint8_t *bytes,
                          size_t length);
/* A stream that send() said false of has room again. */
void bypeer_graph_writable(struct bypeer_graph *graph, struct bypeer_graph_time now, uint32_t link);
/* Parts from one peer. */
void bypeer_graph_disconnect(struct bypeer_graph *graph, struct bypeer_graph_time now, uint32_t link);
/* Parts from all: own contact, presence and signature are deleted. Free it when the sink has closed all links. */
void bypeer_graph_leave(struct bypeer_graph *graph, struct bypeer_graph_time now);
/* Closes all links to a peer at once, without a word. */
void bypeer_graph_cut(struct bypeer_graph *graph, struct bypeer_graph_time now, const char *peer_id);

void bypeer_graph_tick(struct bypeer_graph *graph, struct bypeer_graph_time now);
uint64_t bypeer_graph_deadline(const struct bypeer_graph *graph); /* ms of the next tick; UINT64_MAX: none is needed */

/* What an application says of a new record. */
struct bypeer_record_draft {
    struct bypeer_guid type;
    const struct bypeer_guid *id; /* NULL: a new one, bound to the creator */
    const char *creator;          /* NULL: this peer. Grouping signs some as the group */
    const char *attributes;       /* NULL: none */
    const uint8_t *payload;
    size_t payload_bytes;
    uint64_t expires;    /* peer time */
    bool is_autorefresh; /* its life is prolonged as long as this node is here */
    bool is_internal;    /* a type that is reserved: grouping's own */
};
/*
 * 0; -EINVAL: a reserved type, attributes that are wrong, an expiration that has passed or is nearer than before;
 * -EMSGSIZE: larger than the graph allows; -ENOENT, -ESTALE (it is deleted); -EEXIST: the ID is taken; -EOVERFLOW: no
 * version comes after its present one; -ENOSPC: struct bypeer_graph_limits; what signing it gives.
 */
int bypeer_graph_publish(struct bypeer_graph *graph, struct bypeer_graph_time now,
                         const struct bypeer_record_draft *draft, struct bypeer_guid *ret_id);
/* Payload, attributes, expiration (0: as it was) and refresh of the draft replace the record's; its creator is who
 * modifies it. */
int bypeer_graph_update(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_guid *id,
                        const struct bypeer_record_draft *draft);
/* is_local: only here, and it may come back with the next synchronisation. */
int bypeer_graph_delete(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_guid *id,
                        bool is_local);

/* Borrowed: valid until the next call that changes something. Tombstones are records, too. NULL: there is none. */
const struct bypeer_record *bypeer_graph_find(const struct bypeer_graph *graph, const struct bypeer_guid *id);
/* The records of a type (NULL: of all) by type and ID; after NULL: the first. */
const struct bypeer_record *bypeer_graph_next(const struct bypeer_graph *graph, const struct bypeer_guid *type,
                                              const struct bypeer_record *after);
/* Records that wait, judged again: for when more may be valid than before. */
void bypeer_graph_retry(struct bypeer_graph *graph, struct bypeer_graph_time now);
/*
 * These, and all others: those that are invalid now go, without a tombstone. So many at a call, since a signature that
 * is not remembered takes 100 us: false: there are more, for the next call, that does not begin anew.
 */
bool bypeer_graph_revalidate(struct bypeer_graph *graph, struct bypeer_graph_time now, bool is_anew);

/* 0; -ENOTCONN; -EMSGSIZE; -EAGAIN: nothing was sent, since the stream has no room until bypeer_graph_writable();
 * -ENOMEM. */
int bypeer_graph_send(struct bypeer_graph *graph, struct bypeer_graph_time now, uint32_t link,
                      const struct bypeer_guid *type, const uint8_t *bytes, size_t length);
void bypeer_graph_set_presence(struct bypeer_graph *graph, struct bypeer_graph_time now, bool is_on);
/* Of the own presence: XML of attributes.h, NULL: none. 0, -EINVAL or -ENOMEM. */
int bypeer_graph_set_attributes(struct bypeer_graph *graph, struct bypeer_graph_time now, const char *attributes);

uint32_t bypeer_graph_status(const struct bypeer_graph *graph);
uint64_t bypeer_graph_node_id(const struct bypeer_graph *graph);
/* The links by number; after 0: the first. false: there is no more. Who is present is in the records of that type. */
bool bypeer_graph_next_link(const struct bypeer_graph *graph, uint32_t after, struct bypeer_graph_link_event *ret_link);

/* Peer time is the clock's without the node's delta. */
uint64_t bypeer_graph_peer_time(const struct bypeer_graph *graph, struct bypeer_graph_time now);
int64_t bypeer_graph_time_delta(const struct bypeer_graph *graph);

struct bypeer_graph_counters {
    uint64_t records, record_bytes, waiting; /* now */
    uint64_t neighbors, direct;              /* connected links, now */
    uint64_t received_bytes, sent_bytes, received_messages, sent_messages;
    uint64_t floods_new, floods_old, floods_known;     /* records that came */
    uint64_t refused, deferred, expired, synchronised; /* records; rounds of synchronisation that ended */
};
void bypeer_graph_counters(const struct bypeer_graph *graph, struct bypeer_graph_counters *ret_counters);
/* The memory that the node has, as far as it counts it itself. */
size_t bypeer_graph_memory(const struct bypeer_graph *graph);

/*
 * The graph that an incoming connection is for, from its first bytes: 1 with the ID (NUL-terminated); 0: more bytes are
 * needed; -EBADMSG: this is no peer. The profile is that of the message's version.
 */
int bypeer_graph_peek(const uint8_t *bytes, size_t length, const struct bypeer_profile **ret_profile,
                      char ret_graph_id[static BYPEER_GRAPH_TEXT_BYTES]);
