#include "tests/unit/graph_wire.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "overlay/graph/frame.h"

#define NOBODY UINT32_MAX
#define DAY    (24 * 3600 * BYPEER_PEER_TIME_SECOND)

/* One end of it is a node's link; NOBODY as a node is the test. */
struct wire_end {
    uint32_t node, link;
    bool is_open;
    struct bypeer_buffer coming;
};

struct wire_stream {
    struct wire_stream *next;
    struct wire_end ends[2]; /* the first one dialled */
    bool is_dialled;         /* the other end is still to accept */
};

void wire_init(struct wire *wire, const struct bypeer_profile *profile)
{
    *wire = (struct wire){.profile = profile, .now = {1000, UINT64_C(134000000000000000)}};
    for (unsigned at = 0; at < WIRE_NODES; at++)
        wire->nodes[at] = (struct wire_node){.wire = wire, .number = at};
    wire->frames.largest = BYPEER_FRAME_MAX;
    wire->units.largest = UINT32_MAX;
}

static void drop_streams(struct wire *wire)
{
    for (struct wire_stream *stream = wire->streams, *next; stream; stream = next) {
        next = stream->next;
        bypeer_buffer_clear(&stream->ends[0].coming);
        bypeer_buffer_clear(&stream->ends[1].coming);
        free(stream);
    }
    wire->streams = NULL;
}

void wire_clear(struct wire *wire)
{
    for (unsigned at = 0; at < WIRE_NODES; at++)
        bypeer_graph_free(wire->nodes[at].graph);
    drop_streams(wire);
    bypeer_frame_reader_clear(&wire->frames);
    bypeer_unit_reader_clear(&wire->units);
    bypeer_buffer_clear(&wire->last);
}

struct bypeer_graph_address wire_address(unsigned number)
{
    return (struct bypeer_graph_address){{0xfd, [15] = (uint8_t)(number + 1)}, 3587};
}

/* --- the sink --- */

static struct wire_end *find_end(const struct wire *wire, uint32_t node, uint32_t link, struct wire_end **ret_other)
{
    for (struct wire_stream *stream = wire->streams; stream; stream = stream->next)
        for (unsigned at = 0; at < 2; at++)
            if (stream->ends[at].node == node && stream->ends[at].link == link && stream->ends[at].is_open) {
                *ret_other = &stream->ends[1 - at];
                return &stream->ends[at];
            }
    cr_assert_fail("node %u has no stream %u", node, link);
    abort(); /* not reached */
}

static bool on_send(void *context, uint32_t link, const uint8_t *bytes, size_t length)
{
    struct wire_node *node = context;
    struct wire_end *other;
    find_end(node->wire, node->number, link, &other);
    if (other->is_open)
        bypeer_buffer_append(&other->coming, bytes, length);
    return !node->is_full;
}

static struct wire_stream *add_stream(struct wire *wire, uint32_t from, uint32_t link, uint32_t to)
{
    struct wire_stream *stream = calloc(1, sizeof(*stream));
    stream->ends[0] = (struct wire_end){.node = from, .link = link, .is_open = true};
    stream->ends[1] = (struct wire_end){.node = to, .is_open = true};
    stream->is_dialled = true;
    stream->next = wire->streams;
    wire->streams = stream;
    return stream;
}

static void on_connect(void *context, uint32_t link, const struct bypeer_graph_address *to)
{
    struct wire_node *node = context;
    add_stream(node->wire, node->number, link, to->address[15] - 1u);
}

/* The link's own end is gone at once; what it sent is still to be read by the other. */
static void on_close(void *context, uint32_t link)
{
    struct wire_node *node = context;
    struct wire_end *other;
    find_end(node->wire, node->number, link, &other)->is_open = false;
}

static void on_link(void *context, const struct bypeer_graph_link_event *event)
{
    struct wire_node *node = context;
    if (node->event_count == WIRE_EVENTS) /* the last ones are kept */
        memmove(node->events, node->events + 1, --node->event_count * sizeof(node->events[0]));
    struct wire_event *kept = &node->events[node->event_count++];
    *kept = (struct wire_event){.change = event->change, .link = event->link, .kind = event->kind};
    snprintf(kept->why, sizeof(kept->why), "%s", event->why);
}

static void on_record(void *context, enum bypeer_record_change change, const struct bypeer_record *record)
{
    struct wire_node *node = context;
    if (bypeer_record_is_reserved(&record->type))
        return;
    if (change == BYPEER_RECORD_ADDED && node->order_count < 16)
        node->order[node->order_count++] = record->type;
    node->added += change == BYPEER_RECORD_ADDED;
    node->updated += change == BYPEER_RECORD_UPDATED;
    node->removed += change == BYPEER_RECORD_REMOVED;
    node->expired += change == BYPEER_RECORD_EXPIRED;
}

static void on_node(void *context, enum bypeer_graph_node_change change, const struct bypeer_graph_node *present)
{
    struct wire_node *node = context;
    (void)present;
    node->present += change == BYPEER_GRAPH_NODE_PRESENT;
    node->gone += change == BYPEER_GRAPH_NODE_GONE;
}

static void on_data(void *context, uint32_t link, const struct bypeer_guid *type, const uint8_t *bytes, size_t length)
{
    struct wire_node *node = context;
    (void)link, (void)type;
    node->data_bytes = length < sizeof(node->data) ? length : sizeof(node->data);
    if (length > 0)
        memcpy(node->data, bytes, node->data_bytes);
}

static void on_refused(void *context, const struct bypeer_record *record, uint32_t link, const char *why)
{
    struct wire_node *node = context;
    (void)record, (void)link;
    snprintf(node->refused, sizeof(node->refused), "%s", why);
}

static void on_wanted(void *context)
{
    ((struct wire_node *)context)->wanted++;
}

/* --- nodes --- */

void wire_settings(struct wire *wire, unsigned number, struct bypeer_graph_settings *ret_settings)
{
    static const char *const names[WIRE_NODES] = {"0.alice", "0.bob",   "0.carol", "0.dave",
                                                  "0.erin",  "0.frank", "0.grace", "0.heidi"};
    *ret_settings = (struct bypeer_graph_settings){
        .profile = wire->profile,
        .graph_id = "0.graph",
        .peer_id = names[number],
        .friendly_name = "somebody",
        .scope = BYPEER_GRAPH_GLOBAL,
        .sink = {.send = on_send,
                 .connect = on_connect,
                 .close = on_close,
                 .record = on_record,
                 .link = on_link,
                 .node = on_node,
                 .data = on_data,
                 .refused = on_refused,
                 .connection_required = on_wanted},
        .sink_context = &wire->nodes[number],
        .seed = {(uint8_t)(number + 1)},
        .is_creator = number == 0,
        .info = {.presence_max = UINT32_MAX},
    };
}

struct wire_node *wire_open(struct wire *wire, unsigned number, const struct bypeer_graph_settings *settings)
{
    struct bypeer_graph_settings usual;
    wire_settings(wire, number, &usual);
    cr_assert_eq(bypeer_graph_open(&wire->nodes[number].graph, settings ? settings : &usual, wire->now), 0);
    return &wire->nodes[number];
}

void wire_free(struct wire *wire, unsigned number)
{
    for (unsigned at = 0; at < WIRE_NODES; at++)
        if (at != number)
            wire_cut(wire, number, at);
    bypeer_graph_free(wire->nodes[number].graph);
    wire->nodes[number] = (struct wire_node){.wire = wire, .number = number};
}

void wire_listen(struct wire *wire, unsigned number)
{
    const struct bypeer_graph_address address = wire_address(number);
    cr_assert_eq(bypeer_graph_listen(wire->nodes[number].graph, wire->now, &address, 1), 0);
    wire_run(wire);
}

uint32_t wire_connect(struct wire *wire, unsigned from, unsigned to, enum bypeer_graph_link_kind kind)
{
    const struct bypeer_graph_address address = wire_address(to);
    uint32_t link = 0;
    cr_assert_eq(bypeer_graph_connect(wire->nodes[from].graph, wire->now, &address, NULL, kind, &link), 0);
    wire_run(wire);
    return link;
}

void wire_join(struct wire *wire, unsigned number)
{
    wire_open(wire, number, NULL);
    wire_connect(wire, number, 0, BYPEER_GRAPH_NEIGHBOR);
    wire_listen(wire, number);
}

/* --- streams --- */

static void hear(struct wire *wire, const uint8_t *bytes, size_t length)
{
    const uint8_t *payload, *unit;
    size_t payload_bytes, unit_bytes;
    while (bypeer_frame_next(&wire->frames, &bytes, &length, &payload, &payload_bytes) > 0) {
        struct bypeer_graph_message message;
        if (bypeer_unit_take(&wire->units, payload, payload_bytes, &unit, &unit_bytes) <= 0)
            continue;
        cr_assert_eq(bypeer_graph_message_read(&message, wire->profile, unit, unit_bytes), 0);
        if (message.type == BYPEER_GRAPH_FLOOD) {
            wire->flood_count++;
            continue;
        }
        cr_assert_lt(wire->heard_count, WIRE_MESSAGES);
        wire->heard[wire->heard_count++] = message.type;
        wire->last.length = 0;
        bypeer_buffer_append(&wire->last, unit, unit_bytes);
    }
}

/* The test begins to listen to a stream. */
static void take_stream(struct wire *wire, struct wire_stream *stream)
{
    bypeer_frame_reader_clear(&wire->frames);
    bypeer_unit_reader_clear(&wire->units);
    wire->heard_count = wire->flood_count = 0;
    wire->is_ended = false;
    wire->own = stream;
}

static void accept_stream(struct wire *wire, struct wire_stream *stream)
{
    struct wire_end *from = &stream->ends[0], *to = &stream->ends[1];
    const struct bypeer_graph_address address = wire_address(from->node == NOBODY ? WIRE_NODES : from->node);
    struct bypeer_graph *graph = to->node < WIRE_NODES ? wire->nodes[to->node].graph : NULL;
    stream->is_dialled = false;
    if (to->node == WIRE_NODES) {
        to->node = NOBODY;
        take_stream(wire, stream);
        bypeer_graph_connected(wire->nodes[from->node].graph, wire->now, from->link);
        return;
    }
    if (graph && bypeer_graph_accept(graph, wire->now, &address, &to->link) == 0) {
        if (from->node != NOBODY)
            bypeer_graph_connected(wire->nodes[from->node].graph, wire->now, from->link);
        return;
    }
    to->is_open = false;
    to->node = NOBODY;
}

static void deliver(struct wire *wire, struct wire_end *end)
{
    struct bypeer_buffer bytes = end->coming;
    end->coming = (struct bypeer_buffer){0};
    if (end->node == NOBODY)
        hear(wire, bytes.bytes, bytes.length);
    else if (end->is_open)
        bypeer_graph_receive(wire->nodes[end->node].graph, wire->now, end->link, bytes.bytes, bytes.length);
    bypeer_buffer_clear(&bytes);
}

/* Both ends hear that it is over, the one that closed it, too. */
static void end_stream(struct wire *wire, struct wire_stream *stream)
{
    struct wire_stream **place = &wire->streams;
    while (*place != stream)
        place = &(*place)->next;
    *place = stream->next;
    if (stream == wire->own) {
        wire->own = NULL;
        wire->is_ended = true;
    }
    for (unsigned at = 0; at < 2; at++) {
        struct wire_end *end = &stream->ends[at];
        if (end->node != NOBODY && end->link != 0 && wire->nodes[end->node].graph)
            bypeer_graph_closed(wire->nodes[end->node].graph, wire->now, end->link, 0);
        bypeer_buffer_clear(&end->coming);
    }
    free(stream);
}

/* One step; false: nothing is under way. */
static bool step(struct wire *wire)
{
    for (struct wire_stream *stream = wire->streams; stream; stream = stream->next) {
        if (stream->is_dialled && stream->ends[0].is_open) {
            accept_stream(wire, stream);
            return true;
        }
        for (unsigned at = 0; at < 2; at++)
            if (stream->ends[at].coming.length > 0) {
                deliver(wire, &stream->ends[at]);
                return true;
            }
        if (!stream->ends[0].is_open || !stream->ends[1].is_open) {
            end_stream(wire, stream);
            return true;
        }
    }
    return false;
}

void wire_run(struct wire *wire)
{
    while (step(wire))
        ;
}

void wire_pass(struct wire *wire, unsigned seconds)
{
    for (unsigned second = 0; second < seconds; second++) {
        wire->now.ms += 1000;
        wire->now.utc += BYPEER_PEER_TIME_SECOND;
        for (unsigned at = 0; at < WIRE_NODES; at++)
            if (wire->nodes[at].graph && bypeer_graph_deadline(wire->nodes[at].graph) <= wire->now.ms)
                bypeer_graph_tick(wire->nodes[at].graph, wire->now);
        wire_run(wire);
    }
}

void wire_cut(struct wire *wire, unsigned a, unsigned b)
{
    for (struct wire_stream *stream = wire->streams, *next; stream; stream = next) {
        next = stream->next;
        if ((stream->ends[0].node == a && stream->ends[1].node == b) ||
            (stream->ends[0].node == b && stream->ends[1].node == a))
            end_stream(wire, stream);
    }
}

unsigned wire_neighbors(const struct wire *wire, unsigned number)
{
    struct bypeer_graph_counters counters;
    bypeer_graph_counters(wire->nodes[number].graph, &counters);
    return (unsigned)counters.neighbors;
}

/* --- records --- */

struct bypeer_guid wire_publish(struct wire *wire, unsigned number, uint8_t type, const char *payload)
{
    const struct bypeer_record_draft draft = {
        .type = {{0x7a, type}},
        .payload = (const uint8_t *)payload,
        .payload_bytes = strlen(payload) + 1,
        .expires = bypeer_graph_peer_time(wire->nodes[number].graph, wire->now) + DAY,
    };
    struct bypeer_guid id;
    cr_assert_eq(bypeer_graph_publish(wire->nodes[number].graph, wire->now, &draft, &id), 0);
    return id;
}

void wire_update(struct wire *wire, unsigned number, const struct bypeer_guid *id, const char *payload)
{
    const struct bypeer_record_draft draft = {.payload = (const uint8_t *)payload,
                                              .payload_bytes = strlen(payload) + 1};
    cr_assert_eq(bypeer_graph_update(wire->nodes[number].graph, wire->now, id, &draft), 0);
}

const char *wire_payload(const struct wire *wire, unsigned number, const struct bypeer_guid *id)
{
    const struct bypeer_record *record = bypeer_graph_find(wire->nodes[number].graph, id);
    return record && record->payload_bytes > 0 ? (const char *)record->payload : NULL;
}

/* --- the test as a peer --- */

void wire_dial(struct wire *wire, unsigned number)
{
    take_stream(wire, add_stream(wire, NOBODY, 0, number));
    wire_run(wire);
}

void wire_say_bytes(struct wire *wire, const void *bytes, size_t length)
{
    cr_assert_not_null(wire->own, "the node has closed the link");
    struct wire_end *ends = wire->own->ends;
    bypeer_buffer_append(&ends[ends[0].node == NOBODY].coming, bytes, length);
    wire_run(wire);
}

void wire_say(struct wire *wire, const struct bypeer_graph_message *message)
{
    struct bypeer_buffer frames = {0};
    size_t length = bypeer_graph_message_bytes(message);
    uint8_t *unit = malloc(length);
    bypeer_graph_message_write(message, wire->profile, unit, length);
    bypeer_unit_append(&frames, BYPEER_FRAME_GROUP, unit, length);
    wire_say_bytes(wire, frames.bytes, frames.length);
    bypeer_buffer_clear(&frames);
    free(unit);
}

void wire_introduce(struct wire *wire, enum bypeer_graph_link_kind kind, const char *peer_id)
{
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_AUTH_INFO};
    message.auth_info.kind = kind;
    message.auth_info.graph = (struct bypeer_graph_text){"0.graph", 7};
    message.auth_info.source = (struct bypeer_graph_text){peer_id, strlen(peer_id)};
    wire_say(wire, &message);
}

void wire_say_connect(struct wire *wire, uint8_t flags, uint64_t node_id)
{
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_CONNECT};
    message.connect.flags = flags;
    message.connect.node_id = node_id;
    wire_say(wire, &message);
}

bool wire_heard(const struct wire *wire, enum bypeer_graph_type type)
{
    for (unsigned at = 0; at < wire->heard_count; at++)
        if (wire->heard[at] == type)
            return true;
    return false;
}

void wire_read_last(const struct wire *wire, struct bypeer_graph_message *ret_message)
{
    cr_assert_eq(bypeer_graph_message_read(ret_message, wire->profile, wire->last.bytes, wire->last.length), 0);
}
