/*
 * Private to overlay/graph: what a node is made of, and what its files call of each other.
 *
 * A link that is closed stays in its slot until the host says that its stream is gone; nothing is done for it then. So
 * whoever goes over the links may close any of them on the way.
 */
#pragma once

#include "overlay/graph/frame.h"
#include "overlay/graph/graph.h"
#include "overlay/graph/share.h"

#define GRAPH_SECURITY_MAX     1024 /* bytes of security data that a provider may make */
#define GRAPH_SECOND           1000u
#define GRAPH_MINUTE           (60 * GRAPH_SECOND)
#define GRAPH_NEVER            UINT64_MAX
#define GRAPH_NEIGHBORS_MIN    2
#define GRAPH_NEIGHBORS        3 /* the ideal */
#define GRAPH_NEIGHBORS_MAX    7
#define GRAPH_REFERRALS        100
#define GRAPH_RANGE            10            /* records of a range of hash-based synchronisation */
#define GRAPH_ACKS             64            /* that are sent together */
#define GRAPH_UNIT_AUTH_INFO   4096          /* bytes of a unit that is taken of a stranger */
#define GRAPH_UNIT_TOKEN       32768         /* then, until it is authenticated */
#define GRAPH_UNIT_SLACK       (1024 * 1024) /* and then, beyond the largest record */
#define GRAPH_SIGNATURE_S      300           /* lifetimes */
#define GRAPH_CONTACT_S        900
#define GRAPH_INFO_S           300
#define GRAPH_REFRESH_LEAST_MS 4000
#define GRAPH_WEIGH_MS         100 /* from a contact that came to a look at all of them, for all that come meanwhile */

/* A record of the database. */
struct graph_entry {
    struct bypeer_record *record;
    uint64_t digest; /* of what abstracts do not tell */
    /* Of hash-based synchronisation: the range in which a peer listed it last, and the version. */
    uint32_t listed_in, listed_version;
};

/* Entries in an order. */
struct graph_index {
    struct graph_entry **at;
    size_t count, room;
};
typedef int graph_order(const struct bypeer_record *a, const struct bypeer_record *b);
graph_order graph_order_type, graph_order_id, graph_order_key;
/* The place of the first entry that is not before the key. */
size_t graph_index_lower(const struct graph_index *index, graph_order *order, const struct bypeer_record *key);
int graph_index_reserve(struct graph_index *index); /* for one more. 0 or -ENOMEM */
void graph_index_insert(struct graph_index *index, graph_order *order, struct graph_entry *entry);
void graph_index_remove(struct graph_index *index, graph_order *order, const struct bypeer_record *record);

struct graph_database {
    struct graph_index by_type, by_id, by_key;
    struct graph_shares shares;
    uint64_t bytes;
    uint32_t listings; /* ranges that peers have listed so far; none is 0 */
};

enum graph_link_state {
    LINK_DIALLING,      /* the host connects */
    LINK_AUTH_INFO,     /* accepted: the peer shall say who it is */
    LINK_TOKENS,        /* the security provider authenticates */
    LINK_AUTHENTICATED, /* accepted: CONNECT is to come */
    LINK_CONNECT_WAIT,  /* initiator: CONNECT was sent */
    LINK_CONNECTED,
    LINK_CLOSED, /* the host is still to say so */
};

enum graph_sync { SYNC_NONE, SYNC_ALL, SYNC_TIME, SYNC_HASH };

struct graph_link {
    uint32_t number;
    enum graph_link_state state;
    enum bypeer_graph_link_kind kind;
    bool is_initiator;
    bool is_gone;                          /* the host has closed the stream */
    struct bypeer_graph_address remote;    /* of an initiator: where it is listening; else from where it came */
    char peer_id[BYPEER_GRAPH_TEXT_BYTES]; /* wanted, claimed, then authenticated */
    uint64_t node_id;
    struct bypeer_graph_address addresses[BYPEER_GRAPH_LISTENING_MAX]; /* where the neighbor listens */
    uint8_t address_count;
    struct bypeer_frame_reader frames;
    struct bypeer_unit_reader units;
    bool is_sealed;               /* what comes and goes is the provider's */
    void *security;               /* the provider's link; NULL: none */
    uint64_t due_ms;              /* of authentication, then of WELCOME */
    uint64_t connect_time, added; /* peer time of the CONNECT; order of links */
    uint32_t utility;

    enum graph_sync sync;         /* own question, or what the peer asked by hashes */
    bool is_asked;                /* the peer's question */
    bool has_news;                /* of SYNC_ALL: there are records that the peer may lack */
    unsigned sync_step;           /* of SYNC_ALL and SYNC_TIME: which type was asked for */
    uint64_t sync_from;           /* of SYNC_TIME */
    bool has_first;               /* records that go before all others were sent */
    uint32_t questions;           /* of the peer's, of late */
    uint64_t questions_ms;        /* when one of them was forgotten last */
    bool is_full;                 /* the stream has no room for what can wait */
    struct bypeer_buffer queue;   /* GUIDs of records that the peer gets: queue.c */
    size_t queue_at;              /* bytes of it that are done */
    bool has_end;                 /* SYNC_END is to follow */
    size_t end_at;                /* so many bytes of the queue */
    uint32_t awaited;             /* acknowledgements of the present batch */
    uint64_t queue_due_ms;        /* when the next one goes without them; while there is one */
    bool has_list;                /* of SYNC_HASH: the peer has listed its records */
    struct bypeer_buffer to_send; /* GUIDs, at the end of it */

    uint8_t acks[GRAPH_ACKS * BYPEER_GRAPH_ACK_BYTES];
    uint16_t ack_count;
};

struct graph_referral {
    struct bypeer_graph_address address;
    bool is_tried;
};

/* A record that waits for what it depends on. */
struct graph_waiting {
    struct bypeer_record *record;
    uint64_t from; /* graph_share_key() of the peer that sent it; 0: none did */
};

/* Where a record comes from. */
struct graph_origin {
    struct graph_link *link; /* NULL: none */
    uint64_t from;           /* as of struct graph_waiting */
    bool is_restored, has_waited;
};

/* When each is due; GRAPH_NEVER: it does not run. */
struct graph_timers {
    uint64_t maintenance, signature, contact, partition, presence, expiry, refresh, weigh;
};

struct bypeer_graph {
    const struct bypeer_profile *profile;
    char graph_id[BYPEER_GRAPH_TEXT_BYTES], peer_id[BYPEER_GRAPH_TEXT_BYTES], friendly[BYPEER_GRAPH_TEXT_BYTES];
    struct bypeer_graph_sink sink;
    void *sink_context;
    struct bypeer_graph_security security; /* all NULL: none */
    struct bypeer_graph_limits limits;
    uint64_t random[2], node_id;
    enum bypeer_graph_scope scope;
    bool is_creator, has_direct, has_presence, is_leaving;
    bool is_synchronised, was_synchronised;
    struct bypeer_guid revalidated;                                 /* down to this record */
    struct bypeer_graph_info info;                                  /* as it was last seen; of defaults before */
    struct bypeer_guid precedence[2 + BYPEER_GRAPH_PRECEDENCE_MAX]; /* in the order of synchronisation */
    unsigned precedence_count;

    struct graph_database database;
    struct graph_waiting *waiting;
    size_t waiting_count, waiting_room;
    uint64_t restored_until; /* last modification of what was restored */

    struct graph_link **links; /* number - 1; NULL: free */
    uint32_t link_room;
    uint64_t link_added;
    struct graph_referral referrals[GRAPH_REFERRALS];
    unsigned referral_count, referral_next;

    struct bypeer_graph_address listening[BYPEER_GRAPH_LISTENING_MAX];
    unsigned listening_count;
    uint32_t status; /* as the sink knows it */
    int64_t delta;   /* of peer time, 100 ns */
    struct bypeer_guid contact_id, presence_id;
    bool has_contact, has_presence_record;
    uint64_t contact_signature; /* that the own contact tells */
    char *attributes;           /* of the own presence; NULL: none */
    struct graph_timers timers;
    struct bypeer_graph_time ticked;                 /* the last time */
    struct bypeer_buffer unit, frames, plain, token; /* scratch */
    struct bypeer_graph_counters counters;
};

/* --- random.c --- */
uint64_t graph_random(struct bypeer_graph *graph);
uint64_t graph_random_between(struct bypeer_graph *graph, uint64_t low, uint64_t high);

/* --- database.c --- */
struct graph_entry *graph_database_find(const struct graph_database *database, const struct bypeer_guid *id);
/* Puts a record in, in place of the one with its ID, which is freed; owns it then. 0 or -ENOMEM. */
int graph_database_put(struct graph_database *database, struct bypeer_record *record);
/* Takes one out; it is the caller's. */
struct bypeer_record *graph_database_take(struct graph_database *database, const struct bypeer_guid *id);
void graph_database_clear(struct graph_database *database);
/* The live record with a constant ID; NULL: none, or deleted. */
const struct bypeer_record *graph_live(const struct bypeer_graph *graph, const struct bypeer_guid *id);

/* --- link.c --- */
struct graph_link *graph_link_at(const struct bypeer_graph *graph, uint32_t number); /* NULL: none, or closed */
struct graph_link *graph_link_new(struct bypeer_graph *graph, bool is_initiator);
/* Before another is accepted: of those that do not say who they are, one goes if they are half of all links, or no
 * place is left. It is one of the source that most of them come from, the other counted; of those who came first. */
void graph_make_room(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_graph_address *from);
void graph_link_free(struct bypeer_graph *graph, struct graph_link *link);
/* Sends a message; one that cannot be made for lack of memory ends the link. */
void graph_send(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                const struct bypeer_graph_message *message);
/* The message goes to .unit; graph_send_unit() sends it, to as many as wanted. 0 or -ENOMEM. */
int graph_make_unit(struct bypeer_graph *graph, const struct bypeer_graph_message *message);
void graph_send_unit(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link);
void graph_send_token(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                      const uint8_t *token, size_t length);
/* Ends it: the sink hears of it and closes the stream; maintenance follows if it was a neighbor. */
void graph_link_close(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                      const char *why);
void graph_link_tell(struct bypeer_graph *graph, const struct graph_link *link, enum bypeer_graph_link_change change,
                     const char *why);
/* Parts with DISCONNECT, with addresses of neighbors. */
void graph_link_part(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                     enum bypeer_graph_parting reason, const char *why);
/* Addresses of up to so many neighbors, the least recent ones first, as a message has them. */
uint8_t graph_neighbor_addresses(const struct bypeer_graph *graph, const struct graph_link *but, uint8_t *ret_bytes,
                                 unsigned most);
bool graph_is_neighbor(const struct graph_link *link); /* connected, of the kind */
unsigned graph_neighbor_count(const struct bypeer_graph *graph);
/* One identity may have several nodes, or say so: as neighbors they have the places that no other identity wants. */
unsigned graph_neighbors_of(const struct bypeer_graph *graph, const char *peer_id);
unsigned graph_neighbor_peers(const struct bypeer_graph *graph); /* identities that neighbors have */
/* The neighbor that gives way to one of peer_id (NULL: to nobody): the least useful of the identity that has most, at
 * least two, and two more than peer_id. NULL: none. */
struct graph_link *graph_crowding(const struct bypeer_graph *graph, const char *peer_id);
void graph_tell_status(struct bypeer_graph *graph);

/* --- handshake.c --- */
int graph_dial(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_graph_address *to,
               const char *peer_id, enum bypeer_graph_link_kind kind, struct graph_link **ret_link);
/* A unit of a link that is not connected. */
void graph_handshake(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                     const uint8_t *unit, size_t length);
void graph_on_connect(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                      const struct bypeer_graph_connect *connect);
void graph_on_welcome(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                      const struct bypeer_graph_welcome *welcome);
void graph_on_end(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                  enum bypeer_graph_type type, const struct bypeer_graph_end *end);
/* Tells the neighbors where this node listens now. */
void graph_announce_addresses(struct bypeer_graph *graph, struct bypeer_graph_time now);

/* --- flood.c --- */
/* Takes a record over that came or was made here: stores it, tells everybody but that link. 0 or -ENOMEM, -ENOSPC: then
 * it is freed. link NULL: none. */
int graph_store(struct bypeer_graph *graph, struct bypeer_graph_time now, struct bypeer_record *record,
                const struct graph_link *but);
/* Judges a record that came, of which it takes possession, and does what follows. 1: useful; 0: not; negative: it was
 * refused, or waits (-EAGAIN). */
int graph_take_record(struct bypeer_graph *graph, struct bypeer_graph_time now, struct bypeer_record *record,
                      const struct graph_origin *origin);
void graph_on_flood(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                    const struct bypeer_graph_flood *flood);
void graph_on_ack(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                  const struct bypeer_graph_ack *ack);
void graph_send_record(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                       const struct bypeer_record *record);
void graph_flush_acks(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link);
/* Takes a record out and tells why. */
void graph_remove(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_guid *id,
                  enum bypeer_record_change change);
void graph_tell_record(struct bypeer_graph *graph, struct bypeer_graph_time now, enum bypeer_record_change change,
                       const struct bypeer_record *record);
void graph_refuse(struct bypeer_graph *graph, const struct bypeer_record *record, const struct graph_link *link,
                  const char *why);

/* --- waiting.c --- */
/* Keeps a record that waits; owns it. -EAGAIN: it does; -ENOSPC, -ENOMEM: it was let go. */
int graph_wait(struct bypeer_graph *graph, struct bypeer_record *record, const struct graph_origin *origin);
void graph_expire_waiting(struct bypeer_graph *graph, uint64_t peer_now);
void graph_clear_waiting(struct bypeer_graph *graph);

/* --- synchronise.c --- */
void graph_synchronise(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link);
void graph_on_solicit(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                      enum bypeer_graph_type type, const struct bypeer_graph_solicit *solicit);
void graph_on_sync_end(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                       bool is_final);

/* --- queue.c --- */
/* Puts a record on the link's queue; false: it cannot be, and the link is closed. */
bool graph_queue_record(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                        const struct bypeer_guid *id);
/* Likewise, unless it was put there of late. */
bool graph_owe_record(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                      const struct bypeer_guid *id);
/* What is in the queue by now answers the peer: SYNC_END follows it. */
void graph_end_answer(struct graph_link *link);
/* What the peer can take of the queue; nothing, unless the last batch is acknowledged. */
void graph_send_queue(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link);
uint64_t graph_queue_due(const struct graph_link *link); /* ms; GRAPH_NEVER: it waits for nothing, or for room */

/* --- synchronise_hash.c --- */
void graph_ask_hashes(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link);
void graph_answer_hashes(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                         const struct bypeer_graph_solicit *solicit);
void graph_on_advertise(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                        const struct bypeer_graph_advertise *advertise);
void graph_on_request(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                      const struct bypeer_graph_abstracts *request);
void graph_send_rest(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link);

/* --- maintain.c: connections --- */
void graph_maintain(struct bypeer_graph *graph, struct bypeer_graph_time now, bool is_timer);
void graph_add_referrals(struct bypeer_graph *graph, const struct bypeer_graph_addresses *addresses);
bool graph_try_referral(struct bypeer_graph *graph, struct bypeer_graph_time now);
bool graph_is_own_address(const struct bypeer_graph *graph, const struct bypeer_graph_address *address);
bool graph_has_address(const struct bypeer_graph *graph, const struct bypeer_graph_address *address);

/* --- contact.c: signature, contacts, partitions --- */
void graph_weigh_signature(struct bypeer_graph *graph, struct bypeer_graph_time now);
void graph_weigh_contacts(struct bypeer_graph *graph, struct bypeer_graph_time now);
void graph_weigh_partition(struct bypeer_graph *graph, struct bypeer_graph_time now);
void graph_on_signature_timer(struct bypeer_graph *graph, struct bypeer_graph_time now);
void graph_on_contact_timer(struct bypeer_graph *graph, struct bypeer_graph_time now);
void graph_on_partition_timer(struct bypeer_graph *graph, struct bypeer_graph_time now);
/* The present signature; UINT64_MAX: none. */
uint64_t graph_signature(const struct bypeer_graph *graph);
bool graph_is_contact(const struct bypeer_graph *graph);
void graph_renew_contact(struct bypeer_graph *graph, struct bypeer_graph_time now);

/* --- presence.c --- */
void graph_weigh_presence(struct bypeer_graph *graph, struct bypeer_graph_time now);
void graph_on_presence_timer(struct bypeer_graph *graph, struct bypeer_graph_time now);
void graph_renew_presence(struct bypeer_graph *graph, struct bypeer_graph_time now);
void graph_tell_presence(struct bypeer_graph *graph, enum bypeer_record_change change,
                         const struct bypeer_record *record);

/* --- publish.c --- */
int graph_publish_internal(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_guid *type,
                           const struct bypeer_guid *id, const uint8_t *payload, size_t payload_bytes,
                           uint32_t lifetime_s, struct bypeer_guid *ret_id);
/* Of a record that refreshes itself. */
void graph_refresh(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_guid *id);
/* The graph's info is its creator's to keep there. */
void graph_weigh_info(struct bypeer_graph *graph, struct bypeer_graph_time now);
int graph_publish_info(struct bypeer_graph *graph, struct bypeer_graph_time now);
bool graph_is_listening(const struct bypeer_graph *graph);
/* After the first synchronisation, or when addresses changed. */
void graph_begin_listening(struct bypeer_graph *graph, struct bypeer_graph_time now);

/* --- upkeep.c --- */
void graph_arm_expiry(struct bypeer_graph *graph, struct bypeer_graph_time now, uint64_t expires);
void graph_hasten(uint64_t *timer, uint64_t due);
