/* The database that all nodes of a graph share: how records get around, change, wait, expire and come back. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/graph_wire.h"

static struct wire wire;

static void begin_as(enum bypeer_profile_id profile)
{
    wire_init(&wire, bypeer_profile(profile));
    wire_open(&wire, 0, NULL);
    wire_listen(&wire, 0);
}

static void begin(void)
{
    begin_as(BYPEER_PROFILE_MODERN);
}

static void end(void)
{
    wire_clear(&wire);
}

TestSuite(graph_replication, .init = begin, .fini = end);

/* All of the nodes have this of the record; NULL: none has it. */
static void assert_all(unsigned nodes, const struct bypeer_guid *id, const char *payload)
{
    for (unsigned at = 0; at < nodes; at++) {
        const char *has = wire_payload(&wire, at, id);
        cr_assert((has == NULL) == (payload == NULL) && (payload == NULL || strcmp(has, payload) == 0),
                  "node %u has %s", at, has ? has : "nothing");
    }
}

static struct bypeer_graph *graph_of(unsigned number)
{
    return wire.nodes[number].graph;
}

Test(graph_replication, who_joins_gets_what_there_is)
{
    struct bypeer_guid id = wire_publish(&wire, 0, 1, "hello");
    wire_join(&wire, 1);
    assert_all(2, &id, "hello");
    cr_assert(bypeer_graph_status(graph_of(1)) ==
              (BYPEER_GRAPH_LISTENING | BYPEER_GRAPH_HAS_CONNECTIONS | BYPEER_GRAPH_SYNCHRONIZED));
    cr_assert_not_null(bypeer_graph_find(graph_of(1), &BYPEER_RECORD_GRAPH_INFO_ID));
}

Test(graph_replication, records_go_from_hand_to_hand)
{
    wire_join(&wire, 1);
    wire_open(&wire, 2, NULL);
    wire_connect(&wire, 2, 1, BYPEER_GRAPH_NEIGHBOR);
    struct bypeer_guid id = wire_publish(&wire, 2, 1, "from afar");
    wire_run(&wire);
    assert_all(3, &id, "from afar");
    wire_update(&wire, 2, &id, "changed");
    wire_run(&wire);
    assert_all(3, &id, "changed");
    cr_assert_eq(wire.nodes[0].updated, 1);
    cr_assert_eq(bypeer_graph_delete(graph_of(0), wire.now, &id, false), 0);
    wire_run(&wire);
    assert_all(3, &id, NULL);
    cr_assert_not_null(bypeer_graph_find(graph_of(2), &id), "the tombstone stays");
    cr_assert_eq(wire.nodes[2].removed, 1);
    cr_assert_eq(bypeer_graph_delete(graph_of(2), wire.now, &id, false), -ESTALE);
}

Test(graph_replication, a_ring_knows_when_to_stop)
{
    struct bypeer_graph_counters counters;
    for (unsigned at = 1; at < 4; at++)
        wire_join(&wire, at);
    wire_pass(&wire, 40);
    wire_publish(&wire, 3, 1, "round and round");
    wire_run(&wire);
    bypeer_graph_counters(graph_of(0), &counters);
    cr_assert_leq(counters.floods_known, counters.floods_new * 3);
    wire_pass(&wire, 1);
    uint64_t sent = counters.sent_messages;
    wire_run(&wire);
    bypeer_graph_counters(graph_of(0), &counters);
    cr_assert_leq(counters.sent_messages, sent + 20);
}

Test(graph_replication, both_sides_of_a_cut_agree_again)
{
    wire_join(&wire, 1);
    struct bypeer_guid both = wire_publish(&wire, 0, 1, "start"), left, right;
    wire_run(&wire);
    wire_cut(&wire, 0, 1);
    wire_update(&wire, 0, &both, "left");
    wire_update(&wire, 1, &both, "right");
    left = wire_publish(&wire, 0, 1, "only left");
    right = wire_publish(&wire, 1, 1, "only right");
    wire_connect(&wire, 1, 0, BYPEER_GRAPH_NEIGHBOR);
    assert_all(2, &left, "only left");
    assert_all(2, &right, "only right");
    assert_all(2, &both, "right"); /* 0.bob is greater than 0.alice */
}

/* Each node has its own of the record's second version, and the responder's wins. */
Test(graph_replication, the_responders_version_wins_too)
{
    wire_join(&wire, 1);
    struct bypeer_guid both = wire_publish(&wire, 0, 1, "start");
    wire_run(&wire);
    wire_cut(&wire, 0, 1);
    wire_update(&wire, 0, &both, "left");
    wire_update(&wire, 1, &both, "right");
    wire_connect(&wire, 0, 1, BYPEER_GRAPH_NEIGHBOR);
    assert_all(2, &both, "right");
}

Test(graph_replication, only_what_differs_is_sent)
{
    struct bypeer_graph_counters before, after;
    for (unsigned at = 0; at < 200; at++)
        wire_publish(&wire, 0, 1, "one of many");
    wire_join(&wire, 1);
    wire_pass(&wire, 2);
    wire_cut(&wire, 0, 1);
    struct bypeer_guid id = wire_publish(&wire, 0, 1, "the new one");
    bypeer_graph_counters(graph_of(0), &before);
    wire_connect(&wire, 1, 0, BYPEER_GRAPH_NEIGHBOR);
    assert_all(2, &id, "the new one");
    bypeer_graph_counters(graph_of(0), &after);
    cr_assert_leq(after.sent_messages - before.sent_messages, 30);
    cr_assert_gt(after.records, 200);
}

/* A peer that node 0 dials asks for all it has in each of many ranges, which are the same one. */
Test(graph_replication, ranges_that_overlap_bring_no_record_twice)
{
    enum { RANGES = 50 };
    static uint8_t boundaries[RANGES * BYPEER_GRAPH_BOUNDARY_BYTES];
    struct bypeer_graph_boundary boundary = {.high.modified = UINT64_MAX};
    struct bypeer_graph_message welcome = {.type = BYPEER_GRAPH_WELCOME}, advertise = {.type = BYPEER_GRAPH_ADVERTISE};
    const struct bypeer_graph_message end = {.type = BYPEER_GRAPH_SYNC_END, .is_final = true};
    const struct bypeer_graph_address address = wire_address(WIRE_NODES);
    struct bypeer_graph_counters counters;
    uint32_t link;
    for (unsigned at = 0; at < RANGES; at++)
        bypeer_graph_boundary_put(boundaries + (size_t)at * BYPEER_GRAPH_BOUNDARY_BYTES, &boundary);
    for (unsigned at = 0; at < 5; at++)
        wire_publish(&wire, 0, 1, "one of five");
    cr_assert_eq(bypeer_graph_connect(graph_of(0), wire.now, &address, NULL, BYPEER_GRAPH_NEIGHBOR, &link), 0);
    wire_run(&wire);
    cr_assert(wire_heard(&wire, BYPEER_GRAPH_CONNECT));
    welcome.welcome.node_id = 77;
    welcome.welcome.peer_time = wire.now.utc;
    welcome.welcome.peer_id = (struct bypeer_graph_text){"0.mallory", 9};
    wire_say(&wire, &welcome);
    cr_assert(wire_heard(&wire, BYPEER_GRAPH_SOLICIT_HASH));
    advertise.advertise = (struct bypeer_graph_advertise){.boundaries = boundaries, .boundary_count = RANGES};
    wire_say(&wire, &advertise);
    cr_assert(wire_heard(&wire, BYPEER_GRAPH_REQUEST));
    wire.flood_count = 0;
    wire_say(&wire, &end);
    bypeer_graph_counters(graph_of(0), &counters);
    cr_assert_eq(wire.flood_count, counters.records);
    cr_assert_geq(wire.flood_count, 5);
}

/* Somebody whom node 0 dials, and whose clock is ahead of the graph's. */
static uint32_t answer_as_mallory(uint64_t ahead)
{
    struct bypeer_graph_message welcome = {.type = BYPEER_GRAPH_WELCOME};
    const struct bypeer_graph_address address = wire_address(WIRE_NODES);
    uint32_t link;
    cr_assert_eq(bypeer_graph_connect(graph_of(0), wire.now, &address, NULL, BYPEER_GRAPH_NEIGHBOR, &link), 0);
    wire_run(&wire);
    welcome.welcome.node_id = 77;
    welcome.welcome.peer_time = bypeer_graph_peer_time(graph_of(0), wire.now) + ahead;
    welcome.welcome.peer_id = (struct bypeer_graph_text){"0.mallory", 9};
    wire_say(&wire, &welcome);
    return link;
}

Test(graph_replication, who_lists_twice_is_parted_from)
{
    struct bypeer_graph_message advertise = {.type = BYPEER_GRAPH_ADVERTISE};
    wire_publish(&wire, 0, 1, "one");
    answer_as_mallory(0);
    wire_say(&wire, &advertise);
    cr_assert_eq(wire_neighbors(&wire, 0), 1);
    wire_say(&wire, &advertise);
    cr_assert_eq(wire_neighbors(&wire, 0), 0);
}

Test(graph_replication, peers_do_not_take_the_graphs_time_far_from_the_clock)
{
    const uint64_t minute = 60 * BYPEER_PEER_TIME_SECOND;
    for (unsigned at = 0; at < 5; at++) {
        bypeer_graph_disconnect(graph_of(0), wire.now, answer_as_mallory(15 * minute));
        wire_run(&wire);
        uint64_t ahead = bypeer_graph_peer_time(graph_of(0), wire.now) - wire.now.utc;
        cr_assert(ahead >= 14 * minute && ahead <= 20 * minute, "%d minutes", (int)(ahead / minute));
    }
}

Test(graph_replication, a_record_stays_of_its_type)
{
    struct bypeer_guid id = wire_publish(&wire, 0, 1, "a note");
    struct bypeer_record other = *bypeer_graph_find(graph_of(0), &id);
    other.version++;
    other.modifier = other.creator;
    other.modified++;
    other.type.bytes[5] ^= 1;
    cr_assert_eq(bypeer_graph_restore(graph_of(0), wire.now, &other), -EKEYREJECTED);
    other.type.bytes[5] ^= 1;
    cr_assert_eq(bypeer_graph_restore(graph_of(0), wire.now, &other), 0);
}

Test(graph_replication, no_version_comes_after_the_last)
{
    struct bypeer_guid id;
    struct bypeer_record_draft draft = {.type = {{0x7a}}, .expires = wire.now.utc + 1000000000};
    cr_assert_eq(bypeer_graph_publish(graph_of(0), wire.now, &draft, &id), 0);
    struct bypeer_record last = *bypeer_graph_find(graph_of(0), &id);
    last.version = UINT32_MAX;
    last.modifier = last.creator;
    last.modified++;
    struct bypeer_record *copy = bypeer_record_copy(&last);
    cr_assert_eq(bypeer_graph_restore(graph_of(0), wire.now, copy), 0);
    free(copy);
    cr_assert_eq(bypeer_graph_update(graph_of(0), wire.now, &id, &draft), -EOVERFLOW);
    cr_assert_eq(bypeer_graph_delete(graph_of(0), wire.now, &id, false), -EOVERFLOW);
}

Test(graph_replication, what_was_published_alone_is_told)
{
    wire_open(&wire, 1, NULL);
    struct bypeer_guid id = wire_publish(&wire, 1, 1, "from before");
    wire_connect(&wire, 1, 0, BYPEER_GRAPH_NEIGHBOR);
    assert_all(2, &id, "from before");
}

static void restore_all(unsigned from, unsigned to)
{
    struct bypeer_record *kept[64];
    unsigned count = 0;
    for (const struct bypeer_record *record = bypeer_graph_next(graph_of(from), NULL, NULL); record && count < 64;
         record = bypeer_graph_next(graph_of(from), NULL, record))
        kept[count++] = bypeer_record_copy(record);
    wire_free(&wire, from);
    struct bypeer_graph_settings settings;
    wire_settings(&wire, to, &settings);
    settings.was_synchronised = true;
    wire_open(&wire, to, &settings);
    for (unsigned at = 0; at < count; at++) {
        cr_assert_eq(bypeer_graph_restore(graph_of(to), wire.now, kept[at]), 0);
        free(kept[at]);
    }
}

Test(graph_replication, who_comes_back_catches_up)
{
    wire_join(&wire, 1);
    struct bypeer_guid old = wire_publish(&wire, 0, 1, "old"), own = wire_publish(&wire, 1, 1, "own"), late;
    wire_run(&wire);
    restore_all(1, 1);
    assert_all(2, &old, "old");
    wire_update(&wire, 1, &own, "changed while away");
    late = wire_publish(&wire, 0, 1, "late");
    wire_update(&wire, 0, &old, "newer");
    const struct bypeer_guid presence = BYPEER_RECORD_PRESENCE;
    cr_assert_null(bypeer_graph_next(graph_of(1), &presence, NULL), "who was here then is not here now");
    wire_connect(&wire, 1, 0, BYPEER_GRAPH_NEIGHBOR);
    assert_all(2, &old, "newer");
    assert_all(2, &late, "late");
    assert_all(2, &own, "changed while away");
}

Test(graph_replication, records_expire_everywhere)
{
    struct bypeer_record_draft draft = {.type = {{0x7a}}, .payload = (const uint8_t *)"soon", .payload_bytes = 5};
    struct bypeer_guid id;
    wire_join(&wire, 1);
    draft.expires = wire.now.utc;
    cr_assert_eq(bypeer_graph_publish(graph_of(0), wire.now, &draft, &id), -EINVAL);
    draft.expires += 60 * BYPEER_PEER_TIME_SECOND;
    cr_assert_eq(bypeer_graph_publish(graph_of(0), wire.now, &draft, &id), 0);
    wire_pass(&wire, 45);
    assert_all(2, &id, "soon");
    draft.expires -= BYPEER_PEER_TIME_SECOND;
    cr_assert_eq(bypeer_graph_update(graph_of(0), wire.now, &id, &draft), -EINVAL);
    wire_pass(&wire, 45);
    cr_assert_null(bypeer_graph_find(graph_of(0), &id));
    cr_assert_null(bypeer_graph_find(graph_of(1), &id));
    cr_assert_eq(wire.nodes[1].expired, 1);
}

Test(graph_replication, records_live_as_long_as_they_are_refreshed)
{
    struct bypeer_record_draft draft = {
        .type = {{0x7a}}, .payload = (const uint8_t *)"still here", .payload_bytes = 11, .is_autorefresh = true};
    struct bypeer_guid id;
    wire_join(&wire, 1);
    draft.expires = wire.now.utc + 300 * BYPEER_PEER_TIME_SECOND;
    cr_assert_eq(bypeer_graph_publish(graph_of(1), wire.now, &draft, &id), 0);
    wire_pass(&wire, 2000);
    assert_all(2, &id, "still here");
    wire_free(&wire, 1);
    wire_pass(&wire, 400);
    cr_assert_null(bypeer_graph_find(graph_of(0), &id));
}

Test(graph_replication, presence_follows_the_node)
{
    const struct bypeer_guid type = BYPEER_RECORD_PRESENCE;
    struct bypeer_graph_presence presence;
    wire_join(&wire, 1);
    cr_assert_eq(bypeer_graph_set_attributes(graph_of(1), wire.now, "<attributes>"), -EINVAL);
    cr_assert_eq(bypeer_graph_set_attributes(graph_of(1), wire.now, "<attributes/>"), 0);
    wire_pass(&wire, 2);
    unsigned count = 0;
    for (const struct bypeer_record *record = bypeer_graph_next(graph_of(0), &type, NULL); record;
         record = bypeer_graph_next(graph_of(0), &type, record)) {
        count++;
        cr_assert_eq(bypeer_graph_presence_read(&presence, record->payload, record->payload_bytes), 0);
        if (strcmp(record->creator, "0.bob") == 0)
            cr_assert_str_eq(presence.attributes, "<attributes/>");
        bypeer_graph_presence_clear(&presence);
    }
    cr_assert_eq(count, 2);
    wire_free(&wire, 1);
    wire_pass(&wire, 400);
    cr_assert_eq(wire.nodes[0].gone, 1);
}

Test(graph_replication, what_applications_may_not_do)
{
    struct bypeer_record_draft draft = {.type = BYPEER_RECORD_PRESENCE, .expires = wire.now.utc + 1000000};
    struct bypeer_guid id;
    cr_assert_eq(bypeer_graph_publish(graph_of(0), wire.now, &draft, &id), -EINVAL);
    draft.type = (struct bypeer_guid){{0x7a}};
    draft.attributes = "<attributes/";
    cr_assert_eq(bypeer_graph_publish(graph_of(0), wire.now, &draft, &id), -EINVAL);
    draft.attributes = NULL;
    cr_assert_eq(bypeer_graph_publish(graph_of(0), wire.now, &draft, &id), 0);
    draft.id = &id;
    cr_assert_eq(bypeer_graph_publish(graph_of(0), wire.now, &draft, &id), -EEXIST);
    id.bytes[15] ^= 1;
    cr_assert_eq(bypeer_graph_update(graph_of(0), wire.now, &id, &draft), -ENOENT);
}

Test(graph_replication, records_beyond_the_limit_are_refused)
{
    static char large[2000];
    struct bypeer_graph_settings settings;
    memset(large, 'x', sizeof(large) - 1);
    wire_settings(&wire, 0, &settings);
    settings.info.record_max = 1024;
    wire_free(&wire, 0);
    wire_open(&wire, 0, &settings);
    wire_listen(&wire, 0);
    wire_join(&wire, 1);
    struct bypeer_record_draft draft = {.type = {{0x7a}},
                                        .payload = (const uint8_t *)large,
                                        .payload_bytes = sizeof(large),
                                        .expires = wire.now.utc + 1000000000};
    cr_assert_eq(bypeer_graph_publish(graph_of(0), wire.now, &draft, NULL), -EMSGSIZE);
    cr_assert_eq(bypeer_graph_publish(graph_of(1), wire.now, &draft, NULL), -EMSGSIZE, "all know the limit");
}

Test(graph_replication, a_full_database_takes_no_more)
{
    struct bypeer_graph_settings settings;
    struct bypeer_guid id = {{0}};
    wire_settings(&wire, 1, &settings);
    settings.limits.records = 10;
    wire_open(&wire, 1, &settings);
    wire_connect(&wire, 1, 0, BYPEER_GRAPH_NEIGHBOR);
    for (unsigned at = 0; at < 20; at++)
        id = wire_publish(&wire, 0, 1, "more");
    wire_run(&wire);
    cr_assert_null(bypeer_graph_find(graph_of(1), &id));
    cr_assert_str_eq(wire.nodes[1].refused, "its creator has half of what others leave of the database");
    cr_assert_eq(wire_neighbors(&wire, 1), 1);
}

/* A peer that reads nothing has no more than a batch on its way, and gets the rest as it acknowledges. */
Test(graph_replication, a_newcomer_is_not_flooded_with_everything_at_once)
{
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_SOLICIT_NEW};
    for (unsigned at = 0; at < 700; at++)
        wire_publish(&wire, 0, 1, "one of many");
    wire_dial(&wire, 0);
    wire_introduce(&wire, BYPEER_GRAPH_NEIGHBOR, "0.mallory");
    wire_say_connect(&wire, 0, 77);
    wire_say(&wire, &message);
    cr_assert_eq(wire.flood_count, 256);
    static uint8_t acks[256 * BYPEER_GRAPH_ACK_BYTES];
    message = (struct bypeer_graph_message){.type = BYPEER_GRAPH_ACK, .ack = {acks, 255}};
    wire_say(&wire, &message);
    cr_assert_eq(wire.flood_count, 256);
    message.ack.count = 1;
    wire_say(&wire, &message);
    cr_assert_eq(wire.flood_count, 512);
    cr_assert(!wire_heard(&wire, BYPEER_GRAPH_SYNC_END));
    wire_pass(&wire, 6);
    cr_assert_geq(wire.flood_count, 700);
    cr_assert(wire_heard(&wire, BYPEER_GRAPH_SYNC_END));
}

Test(graph_replication, many_records_arrive)
{
    struct bypeer_graph_counters counters;
    for (unsigned at = 0; at < 1500; at++)
        wire_publish(&wire, 0, 1, "one of many");
    wire_join(&wire, 1);
    bypeer_graph_counters(graph_of(1), &counters);
    cr_assert_geq(counters.records, 1500);
    cr_assert(bypeer_graph_status(graph_of(1)) & BYPEER_GRAPH_SYNCHRONIZED);
}

/* --- with a security provider --- */

/* What it thinks of application records by the second byte of their type. */
static enum bypeer_graph_verdict verdicts[4];

static enum bypeer_graph_verdict judge(void *context, struct bypeer_graph_time now, const struct bypeer_record *record,
                                       const char **ret_why)
{
    (void)context, (void)now;
    *ret_why = "the judge says so";
    return record->type.bytes[0] == 0x7a ? verdicts[record->type.bytes[1] % 4] : BYPEER_GRAPH_VALID;
}

static bool is_first(void *context, const struct bypeer_record *record)
{
    (void)context;
    return record->type.bytes[0] == 0x7a && record->type.bytes[1] == 3;
}

static const struct bypeer_graph_security provider = {.validate = judge, .first = is_first};

static void join_judging(unsigned number)
{
    struct bypeer_graph_settings settings;
    wire_settings(&wire, number, &settings);
    settings.security = &provider;
    wire_open(&wire, number, &settings);
    wire_connect(&wire, number, 0, BYPEER_GRAPH_NEIGHBOR);
}

Test(graph_replication, what_the_provider_refuses_is_not_taken)
{
    verdicts[1] = BYPEER_GRAPH_INVALID;
    struct bypeer_guid bad = wire_publish(&wire, 0, 1, "bad"), good = wire_publish(&wire, 0, 2, "good");
    join_judging(1);
    cr_assert_null(wire_payload(&wire, 1, &bad));
    cr_assert_str_eq(wire_payload(&wire, 1, &good), "good");
    cr_assert_str_eq(wire.nodes[1].refused, "the judge says so");
    wire_update(&wire, 0, &bad, "worse");
    wire_run(&wire);
    cr_assert_null(wire_payload(&wire, 1, &bad));
}

Test(graph_replication, what_waits_is_passed_on_when_it_counts)
{
    verdicts[1] = BYPEER_GRAPH_DEFERRED;
    join_judging(1);
    wire_listen(&wire, 1);
    wire_open(&wire, 2, NULL);
    wire_connect(&wire, 2, 1, BYPEER_GRAPH_NEIGHBOR);
    struct bypeer_guid id = wire_publish(&wire, 0, 1, "wait");
    wire_run(&wire);
    cr_assert_null(wire_payload(&wire, 1, &id));
    wire_update(&wire, 0, &id, "wait for me");
    wire_run(&wire);
    bypeer_graph_revalidate(graph_of(1), wire.now, true);
    wire_run(&wire);
    cr_assert_null(wire_payload(&wire, 2, &id));
    verdicts[1] = BYPEER_GRAPH_VALID;
    bypeer_graph_revalidate(graph_of(1), wire.now, true);
    wire_run(&wire);
    assert_all(3, &id, "wait for me");
}

static unsigned count_applications(unsigned number)
{
    unsigned count = 0;
    for (const struct bypeer_record *record = bypeer_graph_next(graph_of(number), NULL, NULL); record;
         record = bypeer_graph_next(graph_of(number), NULL, record))
        count += record->type.bytes[0] == 0x7a;
    return count;
}

Test(graph_replication, many_are_judged_again_by_and_by)
{
    verdicts[1] = verdicts[2] = BYPEER_GRAPH_VALID;
    join_judging(1);
    for (unsigned at = 0; at < 400; at++)
        wire_publish(&wire, 0, (uint8_t)(1 + at % 2), "fine");
    wire_run(&wire);
    cr_assert_eq(count_applications(1), 400);
    verdicts[1] = BYPEER_GRAPH_INVALID;
    unsigned calls = 1, before = 400;
    for (bool is_anew = true; !bypeer_graph_revalidate(graph_of(1), wire.now, is_anew); is_anew = false, calls++) {
        cr_assert_leq(before - count_applications(1), 128);
        before = count_applications(1);
    }
    cr_assert_geq(calls, 4);
    cr_assert_eq(count_applications(1), 200);
}

Test(graph_replication, what_is_invalid_now_goes_without_a_word)
{
    verdicts[1] = BYPEER_GRAPH_VALID;
    join_judging(1);
    struct bypeer_guid id = wire_publish(&wire, 0, 1, "fine"), other = wire_publish(&wire, 0, 2, "fine too");
    wire_run(&wire);
    assert_all(2, &id, "fine");
    verdicts[1] = BYPEER_GRAPH_INVALID;
    bypeer_graph_revalidate(graph_of(1), wire.now, true);
    wire_run(&wire);
    cr_assert_null(bypeer_graph_find(graph_of(1), &id));
    cr_assert_str_eq(wire_payload(&wire, 0, &id), "fine", "no tombstone went out");
    assert_all(2, &other, "fine too");
    cr_assert_eq(wire.nodes[1].removed, 1);
}

Test(graph_replication, what_goes_first_comes_first)
{
    struct bypeer_graph_settings settings;
    memset(verdicts, 0, sizeof(verdicts));
    wire_settings(&wire, 1, &settings);
    settings.security = &provider;
    settings.is_creator = true;
    wire_open(&wire, 1, &settings);
    wire_listen(&wire, 1);
    wire_publish(&wire, 1, 0, "common");
    wire_publish(&wire, 1, 3, "a revocation");
    wire_publish(&wire, 1, 1, "common");
    wire_open(&wire, 2, NULL);
    wire_connect(&wire, 2, 1, BYPEER_GRAPH_NEIGHBOR);
    cr_assert_eq(wire.nodes[2].order_count, 3);
    cr_assert_eq(wire.nodes[2].order[0].bytes[1], 3);
}

/* --- the graph as a whole --- */

Test(graph_replication, a_member_finds_more_neighbors)
{
    for (unsigned at = 1; at < 6; at++)
        wire_join(&wire, at);
    wire_pass(&wire, 700);
    for (unsigned at = 0; at < 6; at++)
        cr_assert_geq(wire_neighbors(&wire, at), 2, "node %u", at);
}

/* The smallest node ID is the signature; when its node goes, the next smallest is. */
Test(graph_replication, the_smallest_node_signs)
{
    uint64_t smallest = UINT64_MAX, told;
    unsigned holder = 0;
    for (unsigned at = 1; at < 4; at++)
        wire_join(&wire, at);
    wire_pass(&wire, 120);
    for (unsigned at = 0; at < 4; at++)
        if (bypeer_graph_node_id(graph_of(at)) < smallest) {
            smallest = bypeer_graph_node_id(graph_of(at));
            holder = at;
        }
    const struct bypeer_record *record = bypeer_graph_find(graph_of(0), &BYPEER_RECORD_SIGNATURE_ID);
    cr_assert_not_null(record);
    cr_assert_eq(bypeer_graph_signature_read(&told, record->payload, record->payload_bytes), 0);
    cr_assert_eq(told, smallest);
    wire_free(&wire, holder);
    wire_pass(&wire, 700);
    record = bypeer_graph_find(graph_of((holder + 1) % 4), &BYPEER_RECORD_SIGNATURE_ID);
    cr_assert_not_null(record);
    cr_assert_eq(bypeer_graph_signature_read(&told, record->payload, record->payload_bytes), 0);
    cr_assert_gt(told, smallest);
}

Test(graph_replication, the_profile_of_windows_works_the_same)
{
    end();
    begin_as(BYPEER_PROFILE_WINDOWS);
    struct bypeer_guid old = wire_publish(&wire, 0, 1, "old"), id;
    wire_join(&wire, 1);
    assert_all(2, &old, "old");
    wire_cut(&wire, 0, 1);
    id = wire_publish(&wire, 0, 1, "new");
    wire_update(&wire, 1, &old, "newer");
    wire_connect(&wire, 1, 0, BYPEER_GRAPH_NEIGHBOR);
    assert_all(2, &id, "new");
    assert_all(2, &old, "newer");
}
