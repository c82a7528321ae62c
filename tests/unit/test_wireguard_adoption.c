/*
 * Control dies and comes back while a data plane forwards: what goes on, and what must not.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "engine_fixture.h"

static struct engine_fixture fixture;
static void *old_memory;
static struct bypeer_tables old;

static void setup(void)
{
    engine_fixture_begin(&fixture, true);
    engine_fixture_start(&fixture);
}

static void teardown(void)
{
    engine_fixture_end(&fixture);
    free(old_memory);
}

TestSuite(wireguard_adoption, .init = setup, .fini = teardown, .timeout = 60);

/* Keeps the tables, as a data plane does, and ends control. */
static void die(void)
{
    char why[160];
    const struct bypeer_memory *memory = &fixture.node.node.generation->memory;
    old_memory = aligned_alloc(4096, memory->bytes);
    cr_assert_not_null(old_memory);
    memcpy(old_memory, memory->base, memory->bytes);
    cr_assert_eq(bypeer_tables_attach(&old, old_memory, memory->bytes, why), 0, "%s", why);
    engine_fixture_stop(&fixture);
}

static void revive(void)
{
    engine_fixture_start(&fixture);
    bypeer_wireguard_adopt(fixture.engine, &old);
}

static struct bypeer_wireguard_session *old_session(uint32_t slot)
{
    return (struct bypeer_wireguard_session *)(uintptr_t)&old.sessions[slot];
}

static uint32_t slot_of_end(void)
{
    return fixture.end.preferred->record.remote_index & BYPEER_SESSIONS_MAX;
}

static uint32_t make_session(void)
{
    engine_fixture_handshake(&fixture);
    const uint32_t slot = slot_of_end();
    engine_fixture_hear(&fixture, slot);
    cr_assert_eq(engine_fixture_record(&fixture).wireguard.current, slot);
    return slot;
}

Test(wireguard_adoption, sessions_go_on_under_their_indexes)
{
    const uint32_t slot = make_session();
    struct bypeer_wireguard_session before = engine_fixture_session(&fixture, slot);
    die();
    revive();
    struct bypeer_wireguard_session after = engine_fixture_session(&fixture, slot);
    cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0);
    struct bypeer_link record = engine_fixture_record(&fixture);
    cr_assert_eq(record.wireguard.current, slot);
    cr_assert_eq(record.peer_port, fixture.end_port);
}

Test(wireguard_adoption, the_peer_rekeys_and_old_initiations_are_refused)
{
    uint8_t initiation[BYPEER_WIREGUARD_INITIATION_BYTES];
    bypeer_peer_request(&fixture.end.peer, &fixture.end.now);
    memcpy(initiation, fixture.end.out[0].bytes, sizeof(initiation));
    cr_assert(engine_fixture_exchange(&fixture, 5000));
    const uint32_t slot = slot_of_end();
    engine_fixture_hear(&fixture, slot);
    die();
    revive();
    memcpy(fixture.end.out[0].bytes, initiation, sizeof(initiation));
    fixture.end.out[0].length = sizeof(initiation);
    fixture.end.out_count = 1;
    cr_assert_not(engine_fixture_exchange(&fixture, 200), "a replay");
    engine_fixture_handshake(&fixture);
    engine_fixture_hear(&fixture, slot_of_end());
    cr_assert_neq(slot_of_end(), slot);
    cr_assert_eq(engine_fixture_record(&fixture).wireguard.current, slot_of_end());
    cr_assert_neq(engine_fixture_session(&fixture, slot).local_index, 0u, "for what is on its way");
}

Test(wireguard_adoption, we_rekey)
{
    make_session();
    die();
    revive();
    fixture.end_ahead_ns += 130 * BYPEER_WIREGUARD_S;
    engine_fixture_run(&fixture, 5200); /* a session of less than 5 s is new enough */
    engine_fixture_event(&fixture, BYPEER_EVENT_WANT, engine_fixture_link(&fixture)->id);
    cr_assert(engine_fixture_exchange(&fixture, 2000), "no initiation came");
    cr_assert_eq(fixture.end.responses, 1u);
}

Test(wireguard_adoption, what_the_one_before_was_asked_for_is_not_done_again)
{
    const uint32_t slot = make_session();
    const uint32_t link = engine_fixture_link(&fixture)->id;
    die();
    old_session(slot)->created_ns -= 30 * BYPEER_WIREGUARD_S;
    bypeer_wireguard_session_finish(old_session(slot));
    bypeer_event_put(&fixture.status.events[0], BYPEER_EVENT_WANT, link);
    revive();
    cr_assert_not(engine_fixture_exchange(&fixture, 200));
    engine_fixture_event(&fixture, BYPEER_EVENT_WANT, link);
    cr_assert(engine_fixture_exchange(&fixture, 2000), "what this one is asked for is done");
}

Test(wireguard_adoption, what_was_not_heard_yet_waits_on)
{
    engine_fixture_handshake(&fixture);
    const uint32_t slot = slot_of_end();
    die();
    revive();
    cr_assert_eq(engine_fixture_record(&fixture).wireguard.current, 0u);
    cr_assert_eq(engine_fixture_record(&fixture).wireguard.next, slot);
    engine_fixture_hear(&fixture, slot);
    cr_assert_eq(engine_fixture_record(&fixture).wireguard.current, slot);
}

Test(wireguard_adoption, what_was_heard_while_control_was_away_is_sent_by)
{
    engine_fixture_handshake(&fixture);
    const uint32_t slot = slot_of_end();
    die();
    fixture.sessions.wireguard[slot].heard = old.sessions[slot].use;
    revive();
    cr_assert_eq(engine_fixture_record(&fixture).wireguard.current, slot);
}

Test(wireguard_adoption, who_moved_while_control_was_away_is_found)
{
    make_session();
    const struct bypeer_model_link *link = engine_fixture_link(&fixture);
    const struct bypeer_seen seen = {.remote = {0xfd, [15] = 9}, .local = {[15] = 1}, .port = 999};
    bypeer_seen_write(&fixture.sessions.peers[link->id].seen, link->serial, &seen);
    die();
    revive();
    cr_assert_eq(engine_fixture_record(&fixture).peer_port, 999);
}

static void expect_not_adopted(uint32_t slot)
{
    cr_assert_eq(engine_fixture_session(&fixture, slot).local_index, 0u);
    cr_assert_eq(engine_fixture_record(&fixture).wireguard.current, 0u);
    for (unsigned times = 0; times < 3; times++) {
        engine_fixture_handshake(&fixture);
        cr_assert_neq(slot_of_end(), slot, "a worker may still seal by what was in it");
    }
}

Test(wireguard_adoption, half_written_records_are_left)
{
    const uint32_t slot = make_session();
    die();
    old_session(slot)->send_key[5] ^= 1;
    revive();
    expect_not_adopted(slot);
}

Test(wireguard_adoption, records_in_the_wrong_slot_are_left)
{
    const uint32_t slot = make_session();
    die();
    *old_session(slot + 1) = *old_session(slot);
    revive();
    cr_assert_eq(engine_fixture_session(&fixture, slot + 1).local_index, 0u);
    cr_assert_eq(engine_fixture_record(&fixture).wireguard.current, slot);
}

Test(wireguard_adoption, sessions_of_another_link_are_left)
{
    const uint32_t slot = make_session();
    die();
    old_session(slot)->peer++;
    bypeer_wireguard_session_finish(old_session(slot));
    revive();
    expect_not_adopted(slot);
}

Test(wireguard_adoption, sessions_of_another_secret_are_left)
{
    const uint32_t slot = make_session();
    die();
    old_session(slot)->pair ^= 1; /* as if the file with the preshared key had changed meanwhile */
    bypeer_wireguard_session_finish(old_session(slot));
    revive();
    expect_not_adopted(slot);
}

Test(wireguard_adoption, sessions_that_are_over_are_left)
{
    const uint32_t slot = make_session();
    die();
    old_session(slot)->created_ns -= 181 * BYPEER_WIREGUARD_S;
    bypeer_wireguard_session_finish(old_session(slot));
    revive();
    expect_not_adopted(slot);
}

Test(wireguard_adoption, a_slow_start_takes_no_slots_of_the_data_plane)
{
    const uint32_t slot = make_session();
    die();
    fixture.is_attached = false;
    engine_fixture_start(&fixture);
    struct bypeer_model_link link = *engine_fixture_link(&fixture);
    link.peer[15] = 1;
    link.peer_port = link.endpoint_port = fixture.end_port;
    link.persistent_s = 25;
    bypeer_wireguard_link_changed(fixture.engine, &link, false);
    engine_fixture_run(&fixture, 1100); /* turns without a data plane come each 500 ms */
    bypeer_wireguard_adopt(fixture.engine, &old);
    cr_assert_neq(engine_fixture_session(&fixture, slot).local_index, 0u);
}
