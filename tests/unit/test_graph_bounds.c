/* What one member, or who says to be one, can take of a node: never so much that nothing is left for others. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/graph_wire.h"

#define KIND_COMMON  1 /* second byte of a type */
#define KIND_WAITING 2
#define KIND_FIRST   3

static struct wire wire;

static enum bypeer_graph_verdict judge(void *context, struct bypeer_graph_time now, const struct bypeer_record *record,
                                       const char **ret_why)
{
    (void)context, (void)now, (void)ret_why;
    bool waits = record->type.bytes[0] == 0x7a && record->type.bytes[1] == KIND_WAITING;
    return waits ? BYPEER_GRAPH_DEFERRED : BYPEER_GRAPH_VALID;
}

static bool is_first(void *context, const struct bypeer_record *record)
{
    (void)context;
    return record->type.bytes[0] == 0x7a && record->type.bytes[1] == KIND_FIRST;
}

static const struct bypeer_graph_security provider = {.validate = judge, .first = is_first};

/* Node 0, with these limits. */
static struct bypeer_graph *open_limited(struct bypeer_graph_limits limits)
{
    struct bypeer_graph_settings settings;
    wire_init(&wire, bypeer_profile(BYPEER_PROFILE_MODERN));
    wire_settings(&wire, 0, &settings);
    settings.security = &provider;
    settings.limits = limits;
    wire_open(&wire, 0, &settings);
    wire_listen(&wire, 0);
    return wire.nodes[0].graph;
}

static void be_peer(const char *peer_id)
{
    static uint64_t node_id = 1000;
    wire_dial(&wire, 0);
    wire_introduce(&wire, BYPEER_GRAPH_NEIGHBOR, peer_id);
    wire_say_connect(&wire, 0, node_id++);
}

/* Floods a new record, from the peer that the test is, and returns its ID. */
static struct bypeer_guid flood(uint8_t kind, const char *creator, size_t payload_bytes, uint32_t version)
{
    static uint8_t payload[70000], bytes[80000];
    static uint64_t serial;
    struct bypeer_record record = {.type = {{0x7a, kind}},
                                   .version = version,
                                   .protocol = bypeer_record_protocol(wire.profile),
                                   .creator = creator,
                                   .created = wire.now.utc,
                                   .modified = wire.now.utc,
                                   .expires = wire.now.utc + 3600 * BYPEER_PEER_TIME_SECOND,
                                   .graph = "0.graph",
                                   .payload = payload,
                                   .payload_bytes = payload_bytes};
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_FLOOD};
    uint8_t unique[16] = {0};
    serial++;
    memcpy(unique, &serial, sizeof(serial));
    bypeer_record_make_id(wire.profile, creator, unique, &record.id);
    long length = bypeer_record_write(&record, bytes, sizeof(bytes));
    cr_assert_gt(length, 0);
    message.flood = (struct bypeer_graph_flood){bytes, (size_t)length};
    wire_say(&wire, &message);
    wire.heard_count = 0;
    return record.id;
}

static bool has(const struct bypeer_guid *id)
{
    return bypeer_graph_find(wire.nodes[0].graph, id) != NULL;
}

static uint64_t waiting(void)
{
    struct bypeer_graph_counters counters;
    bypeer_graph_counters(wire.nodes[0].graph, &counters);
    return counters.waiting;
}

Test(graph_bounds, what_waits_is_bounded_by_bytes)
{
    const struct bypeer_graph *graph = open_limited((struct bypeer_graph_limits){.waiting_bytes = 1024 * 1024});
    size_t before = bypeer_graph_memory(graph);
    be_peer("0.mallory");
    for (unsigned at = 0; at < 100; at++)
        flood(KIND_WAITING, "0.mallory", 60000, 1);
    cr_assert_lt(bypeer_graph_memory(graph), before + 1024 * 1024);
    cr_assert_str_eq(wire.nodes[0].refused, "too many records wait for what they depend on");
    wire_clear(&wire);
}

/* Whose records wait nobody knows yet, so that the peer that brings them answers for them, also when it comes again. */
Test(graph_bounds, one_peer_does_not_take_all_that_may_wait)
{
    open_limited((struct bypeer_graph_limits){.waiting = 40});
    char creator[32];
    for (unsigned time = 0; time < 3; time++) {
        be_peer("0.mallory");
        for (unsigned at = 0; at < 40; at++) {
            snprintf(creator, sizeof(creator), "0.forged%u-%u", time, at);
            flood(KIND_WAITING, creator, 10, 1);
        }
        bypeer_graph_revalidate(wire.nodes[0].graph, wire.now);
    }
    cr_assert_eq(waiting(), 20);
    be_peer("0.bob");
    flood(KIND_WAITING, "0.carol", 10, 1);
    cr_assert_eq(waiting(), 21);
    wire_clear(&wire);
}

Test(graph_bounds, one_creator_does_not_fill_the_database)
{
    open_limited((struct bypeer_graph_limits){.records = 160});
    be_peer("0.mallory");
    for (unsigned at = 0; at < 300; at++)
        flood(KIND_COMMON, "0.mallory", 10, 1);
    cr_assert_str_eq(wire.nodes[0].refused, "its creator has half of what others leave of the database");
    for (unsigned at = 0; at < 300; at++)
        flood(KIND_COMMON, "0.trudy", 10, 1);
    struct bypeer_guid honest = flood(KIND_COMMON, "0.carol", 10, 1);
    cr_assert(has(&honest), "there is room for who has little");
    wire_publish(&wire, 0, KIND_COMMON, "mine");
    wire_clear(&wire);
}

Test(graph_bounds, nor_with_large_records)
{
    open_limited((struct bypeer_graph_limits){.bytes = 1024 * 1024});
    be_peer("0.mallory");
    for (unsigned at = 0; at < 40; at++)
        flood(KIND_COMMON, "0.mallory", 60000, 1);
    struct bypeer_guid honest = flood(KIND_COMMON, "0.carol", 60000, 1);
    cr_assert(has(&honest));
    wire_clear(&wire);
}

/* As many creators as it takes: still what goes before all others finds room, and what is there may be deleted. */
Test(graph_bounds, a_revocation_finds_room_in_a_full_database)
{
    open_limited((struct bypeer_graph_limits){.records = 160});
    struct bypeer_guid own = wire_publish(&wire, 0, KIND_COMMON, "mine"), refused = own;
    char creator[32];
    be_peer("0.mallory");
    for (unsigned at = 0; at < 400; at++) {
        snprintf(creator, sizeof(creator), "0.sybil%u", at);
        refused = flood(KIND_COMMON, creator, 10, 1);
    }
    cr_assert(!has(&refused), "it is full");
    cr_assert_str_eq(wire.nodes[0].refused, "the database is full");
    struct bypeer_guid revocation = flood(KIND_FIRST, "0.admin", 100, 1);
    cr_assert(has(&revocation));
    cr_assert_eq(bypeer_graph_delete(wire.nodes[0].graph, wire.now, &own, false), 0);
    wire_clear(&wire);
}
