/*
 * Control's side of WireGuard links, by what the other end of a link and a worker would notice.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_fixture.h"
#include "overlay/wireguard/counter.h"

static struct engine_fixture fixture;

static void setup(void)
{
    engine_fixture_begin(&fixture, false);
    engine_fixture_start(&fixture);
}

static void teardown(void)
{
    engine_fixture_end(&fixture);
}

TestSuite(wireguard_engine, .init = setup, .fini = teardown, .timeout = 60);

/* The session that a worker would open the end's packets by. */
static struct bypeer_wireguard_session session_of(uint32_t index)
{
    uint32_t slot = index & BYPEER_SESSIONS_MAX;
    return engine_fixture_session(&fixture, slot);
}

static uint32_t peers_index(void)
{
    return fixture.end.preferred->record.remote_index;
}

static void expect_same_keys(const struct bypeer_wireguard_session *session)
{
    const struct bypeer_wireguard_session *theirs = &fixture.end.preferred->record;
    cr_assert(bypeer_wireguard_session_is_whole(session));
    cr_assert_eq(session->local_index, theirs->remote_index);
    cr_assert_eq(session->remote_index, theirs->local_index);
    cr_assert_eq(session->serial, theirs->serial);
    cr_assert_eq(session->region, fixture.sessions.generation);
    cr_assert_eq(session->peer, engine_fixture_link(&fixture)->id);
    cr_assert_arr_eq(session->send_key, theirs->receive_key, 32);
    cr_assert_arr_eq(session->receive_key, theirs->send_key, 32);
}

/* --- handshakes --- */

Test(wireguard_engine, answers_and_publishes_before_the_response_leaves)
{
    engine_fixture_handshake(&fixture); /* the loop has not run since the response left */
    struct bypeer_wireguard_session session = session_of(peers_index());
    expect_same_keys(&session);
    struct bypeer_link record = engine_fixture_record(&fixture);
    cr_assert_eq(record.kind, BYPEER_LINK_WIREGUARD);
    cr_assert_eq(record.wireguard.current, 0u);
    cr_assert_eq(record.wireguard.next, peers_index() & BYPEER_SESSIONS_MAX);
    cr_assert_eq(record.peer_port, fixture.end_port);
}

Test(wireguard_engine, sends_by_it_once_something_was_heard)
{
    engine_fixture_handshake(&fixture);
    const uint32_t slot = peers_index() & BYPEER_SESSIONS_MAX;
    engine_fixture_hear(&fixture, slot);
    struct bypeer_link record = engine_fixture_record(&fixture);
    cr_assert_eq(record.wireguard.current, slot);
    cr_assert_eq(record.wireguard.next, 0u);
}

Test(wireguard_engine, keeps_the_session_before_for_what_is_on_its_way)
{
    engine_fixture_handshake(&fixture);
    const uint32_t first = peers_index();
    engine_fixture_hear(&fixture, first & BYPEER_SESSIONS_MAX);
    engine_fixture_handshake(&fixture);
    const uint32_t second = peers_index();
    engine_fixture_hear(&fixture, second & BYPEER_SESSIONS_MAX);
    cr_assert_eq(session_of(first).local_index, first);
    cr_assert_eq(session_of(second).local_index, second);
    engine_fixture_handshake(&fixture);
    engine_fixture_hear(&fixture, peers_index() & BYPEER_SESSIONS_MAX);
    cr_assert_eq(session_of(first).local_index, 0u, "a third session leaves no place for the first");
    cr_assert_eq(session_of(second).local_index, second);
}

Test(wireguard_engine, begins_once_for_any_number_of_wants)
{
    const uint8_t loopback[16] = {[15] = 1};
    const uint32_t id = engine_fixture_link(&fixture)->id;
    engine_fixture_event(&fixture, BYPEER_EVENT_WANT, id);
    cr_assert_not(engine_fixture_exchange(&fixture, 100), "nobody knows where the end is");
    cr_assert_geq(bypeer_model_set_endpoint(fixture.node.node.model, id, loopback, fixture.end_port, NULL), 0);
    for (unsigned times = 0; times < 5; times++)
        engine_fixture_event(&fixture, BYPEER_EVENT_WANT, id);
    cr_assert(engine_fixture_exchange(&fixture, 5000), "no initiation came");
    cr_assert_eq(fixture.end.responses, 1u);
    cr_assert_not(engine_fixture_exchange(&fixture, 100));
    struct bypeer_link record = engine_fixture_record(&fixture);
    cr_assert_neq(record.wireguard.current, 0u);
    struct bypeer_wireguard_session session = engine_fixture_session(&fixture, record.wireguard.current);
    cr_assert(session.flags & BYPEER_WIREGUARD_INITIATOR);
    cr_assert_eq(session.peer, id);
}

/* Each has answered the other's initiation before its own was answered: two sessions, and both send by the same. */
Test(wireguard_engine, sends_by_the_same_session_when_both_began_at_once)
{
    const uint8_t loopback[16] = {[15] = 1};
    const uint32_t id = engine_fixture_link(&fixture)->id;
    cr_assert_geq(bypeer_model_set_endpoint(fixture.node.node.model, id, loopback, fixture.end_port, NULL), 0);
    bypeer_peer_request(&fixture.end.peer, &fixture.end.now);
    engine_fixture_event(&fixture, BYPEER_EVENT_WANT, id); /* ours is on its way before his is sent */
    while (engine_fixture_exchange(&fixture, 200))
        continue;
    cr_assert_eq(fixture.end.initiations, 1u);
    cr_assert_eq(fixture.end.responses, 1u);
    struct bypeer_link record = engine_fixture_record(&fixture);
    cr_assert_neq(record.wireguard.current, 0u);
    cr_assert_neq(record.wireguard.next, 0u);
    engine_fixture_hear(&fixture, record.wireguard.next);
    bypeer_peer_confirm(&fixture.end.peer, fixture.end.peer.keypairs.next.local_index, &fixture.end.now);
    record = engine_fixture_record(&fixture);
    cr_assert_eq(record.wireguard.next, 0u);
    cr_assert_eq(engine_fixture_session(&fixture, record.wireguard.current).serial,
                 fixture.end.peer.keypairs.current.serial);
}

Test(wireguard_engine, tells_how_a_peer_is)
{
    struct bypeer_wireguard_status status;
    const uint32_t id = engine_fixture_link(&fixture)->id;
    cr_assert_eq(bypeer_wireguard_peer_status(fixture.engine, id, &status), 0);
    cr_assert_eq(status.last_handshake_unix_s, 0u);
    cr_assert_not(status.has_session);
    cr_assert_eq(status.port, 0);
    engine_fixture_handshake(&fixture);
    engine_fixture_hear(&fixture, peers_index() & BYPEER_SESSIONS_MAX);
    cr_assert_eq(bypeer_wireguard_peer_status(fixture.engine, id, &status), 0);
    cr_assert_gt(status.last_handshake_unix_s, UINT64_C(1700000000));
    cr_assert(status.has_session);
    cr_assert_eq(status.port, fixture.end_port);
    cr_assert_eq(bypeer_wireguard_peer_status(fixture.engine, id + 1000, &status), -ENOENT);
}

/* --- who else sends --- */

Test(wireguard_engine, strangers_get_no_answer)
{
    uint8_t other[32], key[32];
    struct bypeer_crypto_pair *pair;
    cr_assert_eq(bypeer_crypto_random(other, sizeof(other)), 0);
    cr_assert_eq(bypeer_crypto_pair_new(&pair, fixture.private_key, key), 0);
    bypeer_crypto_pair_free(pair);
    wireguard_end_free(&fixture.end);
    wireguard_end_init(&fixture.end, other, key, NULL, 0, 0, fixture.end.now);
    bypeer_peer_request(&fixture.end.peer, &fixture.end.now);
    cr_assert_eq(fixture.end.out_count, 1u);
    cr_assert_not(engine_fixture_exchange(&fixture, 200));
}

Test(wireguard_engine, a_replayed_initiation_moves_nobody)
{
    bypeer_peer_request(&fixture.end.peer, &fixture.end.now);
    uint8_t initiation[BYPEER_WIREGUARD_INITIATION_BYTES];
    memcpy(initiation, fixture.end.out[0].bytes, sizeof(initiation));
    cr_assert(engine_fixture_exchange(&fixture, 5000));
    const uint16_t port = fixture.end_port;
    engine_fixture_move(&fixture);
    memcpy(fixture.end.out[0].bytes, initiation, sizeof(initiation));
    fixture.end.out[0].length = sizeof(initiation);
    fixture.end.out_count = 1;
    cr_assert_not(engine_fixture_exchange(&fixture, 200));
    cr_assert_eq(engine_fixture_record(&fixture).peer_port, port);
}

Test(wireguard_engine, noise_costs_nothing)
{
    for (unsigned times = 0; times < 8; times++) {
        fixture.end.out[times].length = 8 + 20 * times;
        cr_assert_eq(bypeer_crypto_random(fixture.end.out[times].bytes, fixture.end.out[times].length), 0);
    }
    fixture.end.out_count = 8;
    cr_assert_not(engine_fixture_exchange(&fixture, 100));
    engine_fixture_handshake(&fixture);
}

/* Somebody sends one initiation over and over: soon most of the time goes into it, and whoever wants a handshake has to
 * show that he receives where he sends from. */
Test(wireguard_engine, asks_for_a_cookie_under_load)
{
    uint8_t initiation[BYPEER_WIREGUARD_INITIATION_BYTES];
    bypeer_peer_request(&fixture.end.peer, &fixture.end.now);
    memcpy(initiation, fixture.end.out[0].bytes, sizeof(initiation));
    cr_assert(engine_fixture_exchange(&fixture, 5000));
    for (unsigned batch = 0; batch < 1000 && !fixture.end.peer.jar.has_cookie; batch++) {
        for (unsigned copy = 0; copy < 150; copy++) {
            memcpy(fixture.end.out[0].bytes, initiation, sizeof(initiation));
            fixture.end.out[0].length = sizeof(initiation);
            fixture.end.out_count = 1;
            engine_fixture_flush(&fixture);
        }
        for (unsigned turn = 0; turn < 4; turn++)
            uv_run(&fixture.loop, UV_RUN_NOWAIT);
        if (batch % 32 == 31)
            engine_fixture_exchange(&fixture, 2);
    }
    cr_assert(fixture.end.peer.jar.has_cookie, "no cookie came");
    while (engine_fixture_exchange(&fixture, 20))
        continue;
    engine_fixture_handshake_after(&fixture, 6); /* and with it, there is an answer */
}

/* --- where peers are --- */

Test(wireguard_engine, a_handshake_from_elsewhere_moves_the_peer)
{
    engine_fixture_handshake(&fixture);
    engine_fixture_move(&fixture);
    engine_fixture_handshake(&fixture);
    cr_assert_eq(engine_fixture_record(&fixture).peer_port, fixture.end_port);
}

static void see(uint16_t port)
{
    const struct bypeer_model_link *link = engine_fixture_link(&fixture);
    struct bypeer_seen seen = {.remote = {[15] = 1}, .local = {[15] = 1}, .port = port};
    seen.remote[0] = 0xfd;
    bypeer_seen_write(&fixture.sessions.peers[link->id].seen, link->serial, &seen);
}

Test(wireguard_engine, a_packet_from_elsewhere_moves_the_peer)
{
    see(4242);
    engine_fixture_event(&fixture, BYPEER_EVENT_MOVED, engine_fixture_link(&fixture)->id);
    struct bypeer_link record = engine_fixture_record(&fixture);
    cr_assert_eq(record.peer_port, 4242);
    cr_assert_eq(record.peer[0], 0xfd);
}

Test(wireguard_engine, looks_at_all_when_events_were_lost)
{
    engine_fixture_handshake(&fixture);
    const uint32_t slot = peers_index() & BYPEER_SESSIONS_MAX;
    see(4243);
    fixture.sessions.wireguard[slot].heard = engine_fixture_session(&fixture, slot).use;
    for (unsigned count = 0; count < BYPEER_EVENTS + 1; count++)
        bypeer_event_put(&fixture.status.events[1], BYPEER_EVENT_NONE, 0);
    engine_fixture_run(&fixture, 60);
    struct bypeer_link record = engine_fixture_record(&fixture);
    cr_assert_eq(record.peer_port, 4243);
    cr_assert_eq(record.wireguard.current, slot);
}

Test(wireguard_engine, looks_at_all_when_another_data_plane_came)
{
    engine_fixture_handshake(&fixture);
    const uint32_t slot = peers_index() & BYPEER_SESSIONS_MAX;
    see(4244);
    fixture.sessions.wireguard[slot].heard = engine_fixture_session(&fixture, slot).use;
    fixture.status_view.generation++; /* the rings where the one before said so are gone with it */
    engine_fixture_run(&fixture, 60);
    struct bypeer_link record = engine_fixture_record(&fixture);
    cr_assert_eq(record.peer_port, 4244);
    cr_assert_eq(record.wireguard.current, slot);
}

Test(wireguard_engine, believes_no_event_blindly)
{
    const uint64_t values[] = {0, 1, 7, ENGINE_LINKS, BYPEER_SESSIONS_MAX, UINT32_MAX, UINT64_MAX >> 8};
    for (unsigned type = 0; type < 256; type++)
        for (unsigned at = 0; at < sizeof(values) / sizeof(values[0]); at++)
            bypeer_event_put(&fixture.status.events[0], (enum bypeer_event)type, values[at]);
    engine_fixture_run(&fixture, 60);
    engine_fixture_handshake(&fixture);
}

/* --- slots --- */

Test(wireguard_engine, a_slot_that_was_used_gets_a_new_use)
{
    for (uint32_t slot = 1; slot < ENGINE_SLOTS; slot++) {
        fixture.sessions.wireguard[slot].next_counter = bypeer_counter_of(slot % 2 ? 6 : 4, 99);
        fixture.sessions.wireguard[slot].greatest = bypeer_counter_of(slot % 2 ? 4 : 6, 12345);
    }
    engine_fixture_handshake(&fixture);
    cr_assert_eq(session_of(peers_index()).use, 7u);
}

Test(wireguard_engine, no_use_of_a_slot_comes_twice)
{
    uint32_t last[ENGINE_SLOTS] = {0};
    for (unsigned times = 0; times < 100; times++) {
        engine_fixture_handshake(&fixture);
        const uint32_t slot = peers_index() & BYPEER_SESSIONS_MAX;
        const uint32_t use = session_of(peers_index()).use;
        cr_assert_lt(slot, ENGINE_SLOTS);
        cr_assert_gt(use, last[slot]);
        last[slot] = use;
        engine_fixture_hear(&fixture, slot);
        bypeer_node_reclaim(&fixture.node.node);
    }
}

Test(wireguard_engine, a_slot_whose_uses_are_spent_is_left)
{
    fixture.sessions.wireguard[1].next_counter = bypeer_counter_of(BYPEER_COUNTER_USES - 1, 0);
    for (unsigned times = 0; times < 4; times++) {
        engine_fixture_handshake(&fixture);
        cr_assert_neq(peers_index() & BYPEER_SESSIONS_MAX, 1u);
    }
}

/* --- generations --- */

static void renew(void)
{
    struct bypeer_problem problem;
    struct bypeer_node *node = &fixture.node.node;
    cr_assert_eq(bypeer_node_renew(node, &node->generation->size, node->generation->layout, &problem), 0);
}

Test(wireguard_engine, sessions_go_into_the_next_generation)
{
    engine_fixture_handshake(&fixture);
    struct bypeer_wireguard_session before = session_of(peers_index());
    renew();
    struct bypeer_wireguard_session after = session_of(peers_index());
    cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0);
    engine_fixture_hear(&fixture, peers_index() & BYPEER_SESSIONS_MAX);
    cr_assert_eq(engine_fixture_record(&fixture).wireguard.current, peers_index() & BYPEER_SESSIONS_MAX);
}

Test(wireguard_engine, a_generation_in_the_middle_of_a_handshake_harms_nothing)
{
    const uint8_t loopback[16] = {[15] = 1};
    const uint32_t id = engine_fixture_link(&fixture)->id;
    cr_assert_geq(bypeer_model_set_endpoint(fixture.node.node.model, id, loopback, fixture.end_port, NULL), 0);
    engine_fixture_event(&fixture, BYPEER_EVENT_WANT, id);
    cr_assert(engine_fixture_exchange(&fixture, 5000)); /* the end has the initiation, and its response is not sent */
    renew();
    engine_fixture_flush(&fixture);
    engine_fixture_run(&fixture, 100);
    struct bypeer_link record = engine_fixture_record(&fixture);
    cr_assert_neq(record.wireguard.current, 0u);
    struct bypeer_wireguard_session session = engine_fixture_session(&fixture, record.wireguard.current);
    cr_assert(bypeer_wireguard_session_is_whole(&session));
}

Test(wireguard_engine, answers_wait_until_workers_see_the_generation)
{
    fixture.is_behind = true;
    renew();
    bypeer_peer_request(&fixture.end.peer, &fixture.end.now);
    cr_assert_not(engine_fixture_exchange(&fixture, 200));
    fixture.is_behind = false;
    cr_assert(engine_fixture_exchange(&fixture, 5000), "what came meanwhile is answered");
    cr_assert_eq(fixture.end.prefers, 1u);
}

Test(wireguard_engine, nobody_is_answered_without_a_data_plane)
{
    fixture.is_attached = false;
    engine_fixture_run(&fixture, 60);
    bypeer_peer_request(&fixture.end.peer, &fixture.end.now);
    cr_assert_not(engine_fixture_exchange(&fixture, 200));
}

Test(wireguard_engine, makes_room_for_more_sessions)
{
    uint32_t slot;
    const uint64_t before = fixture.node.node.generation->number;
    const uint32_t room = fixture.node.node.generation->size.sessions;
    engine_fixture_handshake(&fixture);
    while (bypeer_writer_take_session(fixture.node.node.generation->writer, &slot) == 0)
        continue;
    fixture.is_behind = true;
    engine_fixture_run(&fixture, 60);
    cr_assert_gt(fixture.node.node.generation->number, before);
    cr_assert_geq(fixture.node.node.generation->size.sessions, 2 * room - 1);
    fixture.is_behind = false;
    engine_fixture_run(&fixture, 60);
    engine_fixture_handshake(&fixture);
}

/* --- changes of the configuration --- */

Test(wireguard_engine, a_peer_that_is_removed_is_cut_off_at_once)
{
    char yaml[512];
    engine_fixture_handshake(&fixture);
    const uint32_t slot = peers_index() & BYPEER_SESSIONS_MAX;
    snprintf(yaml, sizeof(yaml),
             "node: { name: alpha, state: %s }\n"
             "tables: { members: 1000, members-max: 4000, links: 8, prefixes: 16 }\n"
             "groups:\n"
             "  - { name: lab, prefix: \"fd12:3456:789a::/48\", vni: 7, address: \"fd12:3456:789a::1\" }\n",
             fixture.node.directory);
    node_fixture_must_reload(&fixture.node, yaml);
    cr_assert_eq(engine_fixture_session(&fixture, slot).local_index, 0u);
    fixture.end_ahead_ns += 130 * BYPEER_WIREGUARD_S;
    fixture.end.now.ns += 130 * BYPEER_WIREGUARD_S;
    fixture.end.now.unix_ns += 130 * BYPEER_WIREGUARD_S;
    bypeer_peer_request(&fixture.end.peer, &fixture.end.now);
    cr_assert_not(engine_fixture_exchange(&fixture, 200));
}

Test(wireguard_engine, a_source_in_the_relay_prefix_is_nobody)
{
    fixture.node.node.config->relay.bits = 66; /* the end's ::1 is in it */
    bypeer_peer_request(&fixture.end.peer, &fixture.end.now);
    cr_assert_not(engine_fixture_exchange(&fixture, 200));
    cr_assert_eq(engine_fixture_record(&fixture).peer_port, 0);
}
