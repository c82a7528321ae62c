/* Timers of links: what the host thread sends and asks for when data has been, or has not been, for a while. */
#include <criterion/criterion.h>

#include "dataplane/link_timers.h"
#include "dataplane/wireguard.h"
#include "overlay/tables/events.h"
#include "tests/unit/walk_wireguard.h"

TestSuite(link_timers, .init = walk_wireguard_set_up, .fini = walk_tear_down, .timeout = 60);

static struct bypeer_link_timers timers;
static uint32_t links[BYPEER_LINK_TIMERS_BURST];

/* All links are looked at once, so much later. */
static unsigned look_after(uint64_t ms)
{
    walk.worker.now_ms += ms;
    timers.turned_ns = 0;
    return bypeer_link_timers_turn(&timers, &walk.tables, walk.worker.shared, walk.worker.events,
                                   walk.worker.now_ms * 1000000, links);
}

static struct bypeer_activity *activity(enum walk_peer peer)
{
    return &walk.worker.shared->peers[walk_peer_link_id(peer)].activity;
}

static void note_sent(enum walk_peer peer)
{
    bypeer_activity_sent(activity(peer), true, walk.worker.now_ms * 1000000);
}

static void note_received(enum walk_peer peer)
{
    bypeer_activity_received(activity(peer), true, walk.worker.now_ms * 1000000);
}

static void expect_want(enum walk_peer peer)
{
    uint64_t value = 0;
    cr_assert_eq(walk_event(&value), BYPEER_EVENT_WANT);
    cr_assert_eq(value, walk_peer_link_id(peer));
    cr_assert_eq(walk_event(&value), BYPEER_EVENT_NONE);
}

/* A session by which something was sent already. */
static struct walk_session start_used_session(enum walk_peer peer)
{
    struct walk_session session = walk_start_session(peer);
    walk.worker.shared->wireguard[session.slot].next_counter = (uint64_t)session.ours.use << 44 | 1;
    cr_assert_eq(look_after(0), 0);
    return session;
}

Test(link_timers, a_session_that_we_began_is_confirmed)
{
    cr_assert_eq(look_after(0), 0);
    struct walk_session six = walk_start_session(PEER_SIX);
    cr_assert_eq(look_after(0), 1);
    cr_assert_eq(links[0], walk_peer_link_id(PEER_SIX));
    walk.worker.shared->wireguard[six.slot].next_counter = (uint64_t)six.ours.use << 44 | 1;
    cr_assert_eq(look_after(0), 0);
    /* One that the peer began is its to confirm. */
    struct walk_session four = walk_make_session(PEER_FOUR, 0);
    walk_put_peer(PEER_FOUR, four.slot, 0);
    cr_assert_eq(look_after(0), 0);
}

Test(link_timers, who_only_receives_says_that_he_is_there)
{
    start_used_session(PEER_SIX);
    note_received(PEER_SIX);
    cr_assert_eq(look_after(9999), 0);
    cr_assert_eq(look_after(1), 1);
    cr_assert_eq(links[0], walk_peer_link_id(PEER_SIX));
    bypeer_activity_sent(activity(PEER_SIX), false, walk.worker.now_ms * 1000000);
    cr_assert_eq(look_after(20000), 0);
}

Test(link_timers, who_is_not_answered_wants_a_handshake_while_the_session_lasts)
{
    uint64_t value;
    start_used_session(PEER_SIX);
    note_sent(PEER_SIX);
    cr_assert_eq(look_after(14999), 0);
    cr_assert_eq(walk_event(&value), BYPEER_EVENT_NONE);
    look_after(1);
    expect_want(PEER_SIX);
    look_after(4999);
    cr_assert_eq(walk_event(&value), BYPEER_EVENT_NONE);
    look_after(1);
    expect_want(PEER_SIX);
    look_after(160000); /* 180 s: the session is over, and so is the waiting */
    cr_assert_eq(walk_event(&value), BYPEER_EVENT_NONE);
    walk_start_session(PEER_SIX);
    look_after(20000);
    cr_assert_eq(walk_event(&value), BYPEER_EVENT_NONE);
}

Test(link_timers, persistent_keepalives)
{
    struct walk_session six = start_used_session(PEER_SIX);
    struct bypeer_link link = walk_put_peer(PEER_SIX, six.slot, 0);
    link.wireguard.persistent_s = 25;
    cr_assert_geq(bypeer_writer_put_link(walk.writer, &link), 0);
    bypeer_activity_sent(activity(PEER_SIX), false, walk.worker.now_ms * 1000000);
    cr_assert_eq(look_after(24999), 0);
    cr_assert_eq(look_after(1), 1);
    bypeer_activity_sent(activity(PEER_SIX), false, walk.worker.now_ms * 1000000);
    cr_assert_eq(look_after(24999), 0);
}

/* If what is heard counted, the first of two nodes to speak would silence the other, who then seems dead. */
Test(link_timers, a_trunk_is_never_silent_for_longer_than_its_interval)
{
    struct walk_session six = start_used_session(PEER_SIX);
    struct bypeer_link link = walk_put_peer(PEER_SIX, six.slot, 0);
    link.group = BYPEER_GROUP_ANY;
    link.wireguard.persistent_s = 1;
    cr_assert_geq(bypeer_writer_put_link(walk.writer, &link), 0);
    bypeer_activity_sent(activity(PEER_SIX), false, walk.worker.now_ms * 1000000);
    look_after(500);
    bypeer_activity_received(activity(PEER_SIX), false, walk.worker.now_ms * 1000000);
    cr_assert_eq(look_after(499), 0);
    cr_assert_eq(look_after(1), 1);
    cr_assert_eq(links[0], walk_peer_link_id(PEER_SIX));
}

Test(link_timers, nothing_is_sent_that_could_not_leave)
{
    walk_start_session(PEER_LOST);
    walk_start_session(PEER_HIDDEN);
    cr_assert_eq(look_after(0), 0);
    const struct bypeer_seen seen = {.remote = {0x20, 0x01, [15] = 1}, .port = 1};
    bypeer_seen_write(&walk.worker.shared->peers[walk_peer_link_id(PEER_HIDDEN)].seen,
                      walk_put_peer(PEER_HIDDEN, 2, 0).serial, &seen);
    cr_assert_eq(look_after(0), 1);
    cr_assert_eq(links[0], walk_peer_link_id(PEER_HIDDEN));
}

Test(link_timers, control_is_told_later_of_moves_right_after_another)
{
    struct walk_session six = start_used_session(PEER_SIX);
    struct bypeer_link link = walk_put_peer(PEER_SIX, six.slot, 0);
    struct bypeer_peer_state *peer = &walk.worker.shared->peers[link.session];
    struct bypeer_seen seen = {.remote = {0x20, 0x01, [15] = 1}, .port = 1};
    uint64_t value;
    for (unsigned times = 0; times < 2; times++) {
        bypeer_wireguard_tell_moved(walk.worker.events, peer, link.id, walk.worker.now_ms * 1000000);
        cr_assert_eq(walk_event(&value), times == 0 ? BYPEER_EVENT_MOVED : BYPEER_EVENT_NONE);
    }
    bypeer_seen_write(&peer->seen, link.serial, &seen);
    look_after(99);
    cr_assert_eq(walk_event(&value), BYPEER_EVENT_NONE);
    look_after(1);
    cr_assert_eq(walk_event(&value), BYPEER_EVENT_MOVED);
    cr_assert_eq(value, link.id);
    /* Once: where control has a peer may be newer than where workers heard it. */
    look_after(1000);
    cr_assert_eq(walk_event(&value), BYPEER_EVENT_NONE);
}

Test(link_timers, a_move_that_control_knows_of_is_not_told)
{
    struct walk_session six = start_used_session(PEER_SIX);
    struct bypeer_link link = walk_put_peer(PEER_SIX, six.slot, 0);
    struct bypeer_peer_state *peer = &walk.worker.shared->peers[link.session];
    struct bypeer_seen seen = {.port = link.peer_port};
    uint64_t value;
    memcpy(seen.remote, link.peer, 16);
    memcpy(seen.local, link.local, 16);
    peer->moved_ns = walk.worker.now_ms * 1000000;
    bypeer_wireguard_tell_moved(walk.worker.events, peer, link.id, walk.worker.now_ms * 1000000);
    bypeer_seen_write(&peer->seen, link.serial, &seen);
    look_after(1000);
    cr_assert_eq(walk_event(&value), BYPEER_EVENT_NONE);
}

/* How many links a turn of so many nanoseconds looks at: as far as .next goes. */
static uint32_t links_of_turn(uint64_t *now_ns, uint64_t ns)
{
    uint32_t before = timers.next;
    *now_ns += ns;
    bypeer_link_timers_turn(&timers, &walk.tables, walk.worker.shared, walk.worker.events, *now_ns, links);
    uint32_t count = walk.tables.links.index_count;
    return (timers.next + count - before) % count;
}

Test(link_timers, each_link_is_looked_at_ten_times_a_second)
{
    uint64_t now_ns = 1000000000;
    uint32_t count = walk.tables.links.index_count, seen = 0;
    links_of_turn(&now_ns, 0);
    for (unsigned ms = 0; ms < 1000; ms++)
        seen += links_of_turn(&now_ns, 1000000);
    cr_assert_geq(seen, 10 * count - 10);
    cr_assert_leq(seen, 10 * count + 10);
    /* After a long sleep all of them once, not more. */
    timers.next = 0;
    links_of_turn(&now_ns, UINT64_C(5000000000));
    cr_assert_eq(timers.next, count);
    cr_assert_eq(links_of_turn(&now_ns, 1), 0);
}
