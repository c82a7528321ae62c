/* A node that stood still for a while, as a machine that slept or a process that was stopped: what is its own stays. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/graph_wire.h"

static struct wire wire;
static struct bypeer_guid kept;

static void begin(void)
{
    struct bypeer_record_draft draft = {
        .type = {{0x7a}}, .payload = (const uint8_t *)"mine", .payload_bytes = 5, .is_autorefresh = true};
    wire_init(&wire, bypeer_profile(BYPEER_PROFILE_MODERN));
    wire_open(&wire, 0, NULL);
    wire_listen(&wire, 0);
    wire_pass(&wire, 2);
    draft.expires = wire.now.utc + 300 * BYPEER_PEER_TIME_SECOND;
    cr_assert_eq(bypeer_graph_publish(wire.nodes[0].graph, wire.now, &draft, &kept), 0);
}

static void end(void)
{
    wire_clear(&wire);
}

TestSuite(graph_pause, .init = begin, .fini = end);

static const struct bypeer_record *first_of(struct bypeer_guid type)
{
    return bypeer_graph_next(wire.nodes[0].graph, &type, NULL);
}

/* What the node keeps is there, and for a while yet. */
static void assert_all_is_there(void)
{
    const struct bypeer_record *own = bypeer_graph_find(wire.nodes[0].graph, &kept);
    const struct bypeer_record *info = bypeer_graph_find(wire.nodes[0].graph, &BYPEER_RECORD_GRAPH_INFO_ID);
    const struct bypeer_record *presence = first_of(BYPEER_RECORD_PRESENCE);
    cr_assert_not_null(own);
    cr_assert_gt(own->expires, wire.now.utc);
    cr_assert_not_null(info);
    cr_assert_gt(info->expires, wire.now.utc);
    cr_assert_not_null(presence);
    cr_assert_gt(presence->expires, wire.now.utc);
}

/* The timers' clock stands still in a machine that sleeps. */
Test(graph_pause, a_machine_that_slept_keeps_its_records)
{
    assert_all_is_there();
    wire.now.utc += 1000 * BYPEER_PEER_TIME_SECOND;
    wire_pass(&wire, 31);
    assert_all_is_there();
    cr_assert_eq(wire.nodes[0].expired, 0);
}

Test(graph_pause, a_process_that_was_stopped_keeps_its_records)
{
    wire.now.ms += 1000000;
    wire.now.utc += 1000 * BYPEER_PEER_TIME_SECOND;
    wire_pass(&wire, 1);
    assert_all_is_there();
    cr_assert_eq(wire.nodes[0].expired, 0);
}

/* Another had them expire, and tells it. */
Test(graph_pause, presence_and_info_come_back)
{
    struct bypeer_graph *graph = wire.nodes[0].graph;
    const struct bypeer_guid presence = first_of(BYPEER_RECORD_PRESENCE)->id;
    cr_assert_eq(bypeer_graph_delete(graph, wire.now, &presence, true), 0);
    cr_assert_eq(bypeer_graph_delete(graph, wire.now, &BYPEER_RECORD_GRAPH_INFO_ID, true), 0);
    wire_pass(&wire, 301);
    assert_all_is_there();
}
