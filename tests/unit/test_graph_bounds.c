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
static unsigned judged;

static enum bypeer_graph_verdict judge(void *context, struct bypeer_graph_time now, const struct bypeer_record *record,
                                       const char **ret_why)
{
    (void)context, (void)now, (void)ret_why;
    judged++;
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

/* From the peer that the test is. */
static void flood_record(const struct bypeer_record *record)
{
    static uint8_t bytes[80000];
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_FLOOD};
    long length = bypeer_record_write(record, bytes, sizeof(bytes));
    cr_assert_gt(length, 0);
    message.flood = (struct bypeer_graph_flood){bytes, (size_t)length};
    wire_say(&wire, &message);
    wire.heard_count = 0;
}

/* Floods a new record, and returns its ID. */
static struct bypeer_guid flood(uint8_t kind, const char *creator, size_t payload_bytes)
{
    static uint8_t payload[70000];
    static uint64_t serial;
    uint8_t unique[16] = {0};
    struct bypeer_record record = {.type = {{0x7a, kind}},
                                   .version = 1,
                                   .protocol = bypeer_record_protocol(wire.profile),
                                   .creator = creator,
                                   .created = wire.now.utc,
                                   .modified = wire.now.utc,
                                   .expires = wire.now.utc + 3600 * BYPEER_PEER_TIME_SECOND,
                                   .graph = "0.graph",
                                   .payload = payload,
                                   .payload_bytes = payload_bytes};
    serial++;
    memcpy(unique, &serial, sizeof(serial));
    bypeer_record_make_id(wire.profile, creator, unique, &record.id);
    flood_record(&record);
    return record.id;
}

/* In its first version, with nothing in it. */
static void flood_again(const struct bypeer_guid *id)
{
    const struct bypeer_record *now = bypeer_graph_find(wire.nodes[0].graph, id);
    struct bypeer_record record = *now;
    record.version = 1;
    record.modifier = NULL;
    record.modified = record.created;
    record.payload_bytes = 0;
    flood_record(&record);
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
        flood(KIND_WAITING, "0.mallory", 60000);
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
            flood(KIND_WAITING, creator, 10);
        }
        bypeer_graph_revalidate(wire.nodes[0].graph, wire.now, true);
    }
    cr_assert_eq(waiting(), 20);
    be_peer("0.bob");
    flood(KIND_WAITING, "0.carol", 10);
    cr_assert_eq(waiting(), 21);
    wire_clear(&wire);
}

Test(graph_bounds, one_creator_does_not_fill_the_database)
{
    open_limited((struct bypeer_graph_limits){.records = 160});
    be_peer("0.mallory");
    for (unsigned at = 0; at < 300; at++)
        flood(KIND_COMMON, "0.mallory", 10);
    cr_assert_str_eq(wire.nodes[0].refused, "its creator has half of what others leave of the database");
    for (unsigned at = 0; at < 300; at++)
        flood(KIND_COMMON, "0.trudy", 10);
    struct bypeer_guid honest = flood(KIND_COMMON, "0.carol", 10);
    cr_assert(has(&honest), "there is room for who has little");
    wire_publish(&wire, 0, KIND_COMMON, "mine");
    wire_clear(&wire);
}

Test(graph_bounds, nor_with_large_records)
{
    open_limited((struct bypeer_graph_limits){.bytes = 1024 * 1024});
    be_peer("0.mallory");
    for (unsigned at = 0; at < 40; at++)
        flood(KIND_COMMON, "0.mallory", 60000);
    struct bypeer_guid honest = flood(KIND_COMMON, "0.carol", 60000);
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
        refused = flood(KIND_COMMON, creator, 10);
    }
    cr_assert(!has(&refused), "it is full");
    cr_assert_str_eq(wire.nodes[0].refused, "the database is full");
    struct bypeer_guid revocation = flood(KIND_FIRST, "0.admin", 100);
    cr_assert(has(&revocation));
    cr_assert_eq(bypeer_graph_delete(wire.nodes[0].graph, wire.now, &own, false), 0);
    wire_clear(&wire);
}

/* Signatures are dear: what somebody lets wait does not have all that is there judged again. */
Test(graph_bounds, a_member_more_costs_only_what_waits)
{
    open_limited((struct bypeer_graph_limits){0});
    be_peer("0.mallory");
    for (unsigned at = 0; at < 50; at++)
        flood(KIND_COMMON, "0.mallory", 10);
    flood(KIND_WAITING, "0.mallory", 10);
    judged = 0;
    bypeer_graph_retry(wire.nodes[0].graph, wire.now);
    cr_assert_eq(judged, 1);
    cr_assert_eq(waiting(), 1);
    wire_clear(&wire);
}

/* --- what a few bytes of a peer's cost --- */

static struct bypeer_graph *graph_of(unsigned number)
{
    return wire.nodes[number].graph;
}

static struct bypeer_graph_counters counted(unsigned number)
{
    struct bypeer_graph_counters counters;
    bypeer_graph_counters(graph_of(number), &counters);
    return counters;
}

/* Node 0 has so many records of 1000 bytes, and the test is its neighbor. */
static void open_with(unsigned records)
{
    char payload[1000];
    memset(payload, 'x', sizeof(payload) - 1);
    payload[sizeof(payload) - 1] = '\0';
    open_limited((struct bypeer_graph_limits){0});
    for (unsigned at = 0; at < records; at++)
        wire_publish(&wire, 0, KIND_COMMON, payload);
    be_peer("0.mallory");
}

static void set_full(unsigned number, bool is_full)
{
    struct bypeer_graph_link_event link = {.link = 0};
    wire.nodes[number].is_full = is_full;
    while (!is_full && bypeer_graph_next_link(graph_of(number), link.link, &link))
        bypeer_graph_writable(graph_of(number), wire.now, link.link);
    wire_run(&wire);
}

static void say_acks(unsigned times)
{
    static uint8_t acks[256 * BYPEER_GRAPH_ACK_BYTES];
    const struct bypeer_graph_message message = {.type = BYPEER_GRAPH_ACK, .ack = {acks, 256}};
    for (unsigned at = 0; at < times; at++)
        wire_say(&wire, &message);
}

Test(graph_bounds, acknowledgements_bring_no_more_than_the_stream_has_room_for)
{
    const struct bypeer_graph_message solicit = {.type = BYPEER_GRAPH_SOLICIT_NEW};
    open_with(600);
    set_full(0, true);
    wire_say(&wire, &solicit);
    say_acks(20);
    cr_assert_leq(wire.flood_count, 1);
    wire_pass(&wire, 20);
    cr_assert_leq(wire.flood_count, 1, "nor does time");
    set_full(0, false);
    say_acks(3);
    cr_assert_geq(wire.flood_count, 600);
    cr_assert(wire_heard(&wire, BYPEER_GRAPH_SYNC_END));
    wire_clear(&wire);
}

/* Each costs its sender a hundred bytes, and here it could be sixty thousand. */
Test(graph_bounds, old_versions_are_answered_as_the_stream_has_room)
{
    open_with(0);
    struct bypeer_guid id[20];
    static const uint8_t nothing[60000] = {0};
    const struct bypeer_record_draft draft = {.payload = nothing, .payload_bytes = sizeof(nothing)};
    for (unsigned at = 0; at < 20; at++) {
        id[at] = flood(KIND_COMMON, "0.mallory", 10);
        cr_assert_eq(bypeer_graph_update(graph_of(0), wire.now, &id[at], &draft), 0);
    }
    wire_run(&wire);
    unsigned before = wire.flood_count;
    set_full(0, true);
    for (unsigned time = 0; time < 10; time++)
        for (unsigned at = 0; at < 20; at++)
            flood_again(&id[at]);
    cr_assert_leq(wire.flood_count, before + 1);
    set_full(0, false);
    wire_pass(&wire, 6);
    cr_assert_geq(wire.flood_count, before + 20, "it gets each");
    cr_assert_leq(wire.flood_count, before + 22, "once");
    wire_clear(&wire);
}

Test(graph_bounds, nobody_asks_without_end)
{
    const struct bypeer_graph_message solicit = {.type = BYPEER_GRAPH_SOLICIT_HASH};
    const struct bypeer_graph_message request = {.type = BYPEER_GRAPH_REQUEST};
    open_with(500);
    uint64_t before = counted(0).sent_bytes;
    for (unsigned at = 0; at < 2000 && wire.own; at++) {
        wire_say(&wire, &solicit);
        if (wire.own)
            wire_say(&wire, &request);
        wire.heard_count = 0;
    }
    cr_assert(wire.is_ended);
    cr_assert_lt(counted(0).sent_bytes, before + 100 * 500 * (BYPEER_GRAPH_ABSTRACT_BYTES + 1));
    wire_clear(&wire);
}

Test(graph_bounds, who_asks_by_hashes_waits_for_the_answer)
{
    const struct bypeer_graph_message solicit = {.type = BYPEER_GRAPH_SOLICIT_HASH};
    open_with(5);
    wire_say(&wire, &solicit);
    cr_assert(!wire.is_ended);
    wire_say(&wire, &solicit);
    cr_assert(wire.is_ended);
    wire_clear(&wire);
}

/* While one neighbor is slow, another's records do not fill its stream; what revokes does not wait. */
Test(graph_bounds, a_slow_neighbor_gets_the_last_version)
{
    open_limited((struct bypeer_graph_limits){0});
    wire_join(&wire, 1);
    struct bypeer_guid id = wire_publish(&wire, 0, KIND_COMMON, "first");
    wire_run(&wire);
    set_full(0, true);
    wire_update(&wire, 0, &id, "the last that finds room");
    uint64_t before = counted(0).sent_messages;
    for (unsigned at = 0; at < 50; at++)
        wire_update(&wire, 0, &id, "another");
    wire_update(&wire, 0, &id, "last");
    cr_assert_eq(counted(0).sent_messages, before);
    wire_run(&wire);
    cr_assert_str_eq(wire_payload(&wire, 1, &id), "the last that finds room");
    struct bypeer_guid revocation = wire_publish(&wire, 0, KIND_FIRST, "a revocation");
    wire_run(&wire);
    cr_assert_str_eq(wire_payload(&wire, 1, &revocation), "a revocation");
    set_full(0, false);
    cr_assert_str_eq(wire_payload(&wire, 1, &id), "last");
    cr_assert_leq(counted(0).sent_messages, before + 3);
    wire_clear(&wire);
}

/* --- strangers --- */

static uint32_t failed[64];
static unsigned failed_count;

static void on_link(void *context, const struct bypeer_graph_link_event *event)
{
    (void)context;
    if (event->change == BYPEER_GRAPH_LINK_FAILED)
        failed[failed_count++ % 64] = event->link;
}

/* A connection from there that says nothing. */
static uint32_t accept_from(struct bypeer_graph *graph, uint8_t network, uint8_t host)
{
    const struct bypeer_graph_address from = {{0xfd, network, [15] = host}, 4000};
    uint32_t link = 0;
    cr_assert_eq(bypeer_graph_accept(graph, wire.now, &from, &link), 0);
    return link;
}

static bool has_failed(struct bypeer_graph *graph, uint32_t link)
{
    bool is_among = false;
    for (unsigned at = 0; at < failed_count; at++) {
        is_among = is_among || failed[at] == link;
        bypeer_graph_closed(graph, wire.now, failed[at], 0);
    }
    failed_count = 0;
    return is_among;
}

Test(graph_bounds, strangers_of_one_source_push_out_each_other)
{
    struct bypeer_graph_settings settings;
    struct bypeer_graph *graph;
    wire_init(&wire, bypeer_profile(BYPEER_PROFILE_MODERN));
    wire_settings(&wire, 0, &settings);
    settings.sink = (struct bypeer_graph_sink){.link = on_link};
    settings.limits.links = 8;
    cr_assert_eq(bypeer_graph_open(&graph, &settings, wire.now), 0);
    const struct bypeer_graph_address own = wire_address(0);
    cr_assert_eq(bypeer_graph_listen(graph, wire.now, &own, 1), 0);
    uint32_t honest = accept_from(graph, 1, 1);
    for (uint8_t host = 1; host < 50; host++) {
        accept_from(graph, 2, host);
        cr_assert(!has_failed(graph, honest));
    }
    uint32_t late = accept_from(graph, 3, 1);
    for (uint8_t host = 50; host < 100; host++) {
        accept_from(graph, 2, host);
        cr_assert(!has_failed(graph, honest) && !has_failed(graph, late));
    }
    bypeer_graph_free(graph);
    wire_clear(&wire);
}
