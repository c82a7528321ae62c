/*
 * A few nodes of one graph with streams between them, and one end of a stream in the test's own hands.
 *
 *   node n listens at [fd00::n+1]:3587; what nodes send lies in queues until wire_run() delivers it
 *
 * Time stands still but in wire_pass(). Failures are Criterion's.
 */
#pragma once

#include "overlay/graph/frame.h"
#include "overlay/graph/graph.h"

#define WIRE_NODES    8
#define WIRE_MESSAGES 64
#define WIRE_EVENTS   64

struct wire_event {
    enum bypeer_graph_link_change change;
    uint32_t link;
    enum bypeer_graph_link_kind kind;
    char why[80];
};

struct wire_node {
    struct wire *wire;
    unsigned number;
    struct bypeer_graph *graph;
    bool is_full;                          /* what it sends finds no room, and is sent nevertheless */
    struct wire_event events[WIRE_EVENTS]; /* of links */
    unsigned event_count;
    unsigned added, updated, removed, expired, present, gone, wanted; /* of the sink's functions */
    char refused[120];                                                /* why the last record was */
    uint8_t data[64];                                                 /* of PT2PT, the last */
    size_t data_bytes;
    struct bypeer_guid order[16]; /* types of application records as they were added */
    unsigned order_count;
};

struct wire {
    const struct bypeer_profile *profile;
    struct bypeer_graph_time now;
    struct wire_node nodes[WIRE_NODES];
    struct wire_stream *streams;
    /* The test's own end. */
    struct wire_stream *own;
    struct bypeer_frame_reader frames;
    struct bypeer_unit_reader units;
    enum bypeer_graph_type heard[WIRE_MESSAGES];
    unsigned heard_count, flood_count; /* the latter's messages are only counted */
    struct bypeer_buffer last;         /* the last message, whole */
    bool is_ended;                     /* the node closed it */
};

void wire_init(struct wire *wire, const struct bypeer_profile *profile);
void wire_clear(struct wire *wire);

/* Opens a node; number 0 makes the graph. Other settings may be changed by the caller first: NULL takes the usual ones.
 */
void wire_settings(struct wire *wire, unsigned number, struct bypeer_graph_settings *ret_settings);
struct wire_node *wire_open(struct wire *wire, unsigned number, const struct bypeer_graph_settings *settings);
void wire_listen(struct wire *wire, unsigned number);
void wire_free(struct wire *wire, unsigned number);
struct bypeer_graph_address wire_address(unsigned number);
/* Dials and delivers; the link. */
uint32_t wire_connect(struct wire *wire, unsigned from, unsigned to, enum bypeer_graph_link_kind kind);
/* Opens a node, has it find node 0, synchronise and listen. */
void wire_join(struct wire *wire, unsigned number);
/* Delivers what is under way, and what follows from it. */
void wire_run(struct wire *wire);
void wire_pass(struct wire *wire, unsigned seconds);
/* Cuts all streams between two nodes. */
void wire_cut(struct wire *wire, unsigned a, unsigned b);
unsigned wire_neighbors(const struct wire *wire, unsigned number);

/* A record of an application, that lives for a day. */
struct bypeer_guid wire_publish(struct wire *wire, unsigned number, uint8_t type, const char *payload);
void wire_update(struct wire *wire, unsigned number, const struct bypeer_guid *id, const char *payload);
/* NULL: it has none, or a tombstone. */
const char *wire_payload(const struct wire *wire, unsigned number, const struct bypeer_guid *id);

/* The test as a peer of a node: a link (or the node dials wire_address(WIRE_NODES)), bytes, messages, and what came. */
void wire_dial(struct wire *wire, unsigned number);
void wire_say_bytes(struct wire *wire, const void *bytes, size_t length);
void wire_say(struct wire *wire, const struct bypeer_graph_message *message);
void wire_introduce(struct wire *wire, enum bypeer_graph_link_kind kind, const char *peer_id);
void wire_say_connect(struct wire *wire, uint8_t flags, uint64_t node_id);
/* Whether a message of this type came, in wire->last if it was the last. */
bool wire_heard(const struct wire *wire, enum bypeer_graph_type type);
void wire_read_last(const struct wire *wire, struct bypeer_graph_message *ret_message);
