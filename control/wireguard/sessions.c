/*
 * Session slots, and what a peer's rules do to them: the sink of every bypeer_peer.
 *
 *   take_index   a slot of the tables, and an index whose lower bits are its number; nothing is visible yet
 *   publish      the session is in its slot; if the peer may send by it first, the link names it as next: both before
 *                the response leaves
 *   prefer       the link names it as current
 *   withdraw     the link names it no more, then it is hidden, and wiped after its grace period
 *
 * A slot that is used again gets the next *use*, counted from what control and the data plane remember of it, so that
 * no counter of it is ever given out twice (overlay/wireguard/counter.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/wireguard/state.h"
#include "overlay/wireguard/counter.h"

#define TRIES_MAX     16
#define ROOM_PERCENT  75 /* of the slots: then it is time for more */
#define ROOM_RETRY_NS (5 * BYPEER_WIREGUARD_S)

struct wireguard_slot *wireguard_slot(struct bypeer_wireguard *engine, uint32_t slot)
{
    if (slot == 0 || slot > BYPEER_SESSIONS_MAX)
        return NULL;
    if (slot >= engine->slot_room) {
        uint32_t room = engine->slot_room ? engine->slot_room : 64;
        while (room <= slot)
            room *= 2;
        struct wireguard_slot *slots = reallocarray(engine->slots, room, sizeof(*slots));
        if (!slots)
            return NULL;
        memset(slots + engine->slot_room, 0, (room - engine->slot_room) * sizeof(*slots));
        engine->slots = slots;
        engine->slot_room = room;
    }
    return &engine->slots[slot];
}

static struct wireguard_slot *sessions_find(const struct bypeer_wireguard *engine, uint32_t index)
{
    uint32_t slot = index & BYPEER_SESSIONS_MAX;
    return index != 0 && slot < engine->slot_room && engine->slots[slot].index == index ? &engine->slots[slot] : NULL;
}

struct bypeer_peer *wireguard_find_index(void *context, uint32_t index)
{
    struct bypeer_wireguard *engine = context;
    const struct wireguard_slot *slot = sessions_find(engine, index);
    engine->found = slot ? wireguard_find(engine, slot->link) : NULL;
    return engine->found ? engine->found->peer : NULL;
}

bool wireguard_was_heard(const struct bypeer_wireguard *engine, uint32_t slot, uint32_t use)
{
    const struct bypeer_sessions_view *view = engine->dataplane.sessions(engine->dataplane.context);
    return view && slot < view->size.slots && __atomic_load_n(&view->wireguard[slot].heard, __ATOMIC_RELAXED) == use;
}

/* --- what links send by --- */

void wireguard_say_sessions(struct wireguard_link *link)
{
    struct bypeer_wireguard *engine = link->engine;
    link->is_unsaid = bypeer_model_set_sessions(engine->node->model, link->id, link->current, link->next_slot) < 0;
    engine->is_unsaid = engine->is_unsaid || link->is_unsaid;
}

void wireguard_choose_sessions(struct wireguard_link *link)
{
    const struct bypeer_wireguard *engine = link->engine;
    uint32_t current = link->peer->keypairs.current.local_index & BYPEER_SESSIONS_MAX;
    uint32_t next = link->peer->keypairs.next.local_index & BYPEER_SESSIONS_MAX;
    /* Heard, and still not preferred: both sides began at once, and the other session is the one that both send by. */
    if (next != 0 && wireguard_was_heard(engine, next, engine->slots[next].use))
        next = 0;
    if (current == link->current && next == link->next_slot && !link->is_unsaid)
        return;
    link->current = current;
    link->next_slot = next;
    wireguard_say_sessions(link);
}

/* --- the sink --- */

/* Which use of the slot comes next, by all that is known of those before. */
static uint32_t sessions_next_use(const struct bypeer_wireguard *engine, uint32_t slot, uint32_t last)
{
    const struct bypeer_sessions_view *view = engine->dataplane.sessions(engine->dataplane.context);
    return view && slot < view->size.slots
               ? bypeer_counter_next_use(last, &view->wireguard[slot].next_counter, &view->wireguard[slot].greatest)
               : last + 1;
}

/* A slot is used up after a million sessions: it stays taken. */
static int sessions_take_slot(struct bypeer_wireguard *engine, uint32_t *ret_slot, uint32_t *ret_use)
{
    for (unsigned attempt = 0; attempt < TRIES_MAX; attempt++) {
        uint32_t slot;
        int result = bypeer_writer_take_session(wireguard_writer(engine), &slot);
        if (result < 0)
            return result;
        struct wireguard_slot *entry = wireguard_slot(engine, slot);
        if (!entry) {
            bypeer_writer_give_session(wireguard_writer(engine), slot);
            return -ENOMEM;
        }
        *ret_use = sessions_next_use(engine, slot, entry->use);
        if (*ret_use >= BYPEER_COUNTER_USES)
            continue;
        *ret_slot = slot;
        return 0;
    }
    return -ENOSPC;
}

static int sink_take_index(void *context, struct bypeer_peer *peer, uint32_t *ret_index)
{
    struct wireguard_link *link = context;
    struct bypeer_wireguard *engine = link->engine;
    uint32_t high, slot, use;
    (void)peer;
    if (bypeer_crypto_random(&high, sizeof(high)) < 0)
        return -EIO;
    int result = sessions_take_slot(engine, &slot, &use);
    if (result < 0) {
        engine->wants_room = engine->wants_room || result == -ENOSPC;
        return -ENOBUFS;
    }
    engine->slots[slot] =
        (struct wireguard_slot){.index = high << BYPEER_SESSION_SLOT_BITS | slot, .link = link->id, .use = use};
    *ret_index = engine->slots[slot].index;
    return 0;
}

static void sessions_let_go(struct bypeer_wireguard *engine, struct wireguard_slot *slot)
{
    uint32_t number = slot->index & BYPEER_SESSIONS_MAX;
    if (slot->is_public)
        bypeer_writer_remove_session(wireguard_writer(engine), number);
    else
        bypeer_writer_give_session(wireguard_writer(engine), number);
    slot->index = 0;
    slot->link = 0;
    slot->is_public = false;
}

static void sink_release_index(void *context, struct bypeer_peer *peer, uint32_t index)
{
    const struct wireguard_link *link = context;
    struct wireguard_slot *slot = sessions_find(link->engine, index);
    (void)peer;
    if (slot)
        sessions_let_go(link->engine, slot);
}

static int sink_publish(void *context, struct bypeer_peer *peer, const struct bypeer_wireguard_session *session)
{
    struct wireguard_link *link = context;
    struct bypeer_wireguard *engine = link->engine;
    struct wireguard_slot *slot = sessions_find(engine, session->local_index);
    const struct bypeer_sessions_view *view = engine->dataplane.sessions(engine->dataplane.context);
    struct bypeer_wireguard_session record = *session;
    (void)peer;
    if (!slot || !view || !view->entries)
        return -ENOBUFS;
    int result = wireguard_pair(link, &record.pair);
    if (result == 0) {
        record.use = slot->use;
        record.region = view->generation;
        bypeer_wireguard_session_finish(&record);
        bypeer_writer_put_session(wireguard_writer(engine), session->local_index & BYPEER_SESSIONS_MAX, &record);
        slot->is_public = true;
    }
    bypeer_crypto_wipe(&record, sizeof(record));
    if (result < 0 || (session->flags & BYPEER_WIREGUARD_INITIATOR))
        return result; /* what we began is sent by once it is preferred */
    uint32_t before = link->next_slot;
    link->next_slot = session->local_index & BYPEER_SESSIONS_MAX;
    wireguard_say_sessions(link);
    if (!link->is_unsaid)
        return 0;
    link->next_slot = before;
    return -ENOBUFS;
}

static void sink_prefer(void *context, struct bypeer_peer *peer, const struct bypeer_wireguard_session *session)
{
    struct wireguard_link *link = context;
    (void)peer;
    (void)session;
    link->attempts = 0;
    wireguard_choose_sessions(link);
}

/* Whoever sends data by it confirms it; where nothing is sent, the data plane sends a keepalive. */
static void sink_confirm(void *context, struct bypeer_peer *peer, const struct bypeer_wireguard_session *session)
{
    (void)context;
    (void)peer;
    (void)session;
}

static void sink_withdraw(void *context, struct bypeer_peer *peer, const struct bypeer_wireguard_session *session)
{
    struct wireguard_link *link = context;
    uint32_t number = session->local_index & BYPEER_SESSIONS_MAX;
    struct wireguard_slot *slot = sessions_find(link->engine, session->local_index);
    (void)peer;
    if (link->current == number || link->next_slot == number) {
        link->current = link->current == number ? 0 : link->current;
        link->next_slot = link->next_slot == number ? 0 : link->next_slot;
        if (!link->is_gone)
            wireguard_say_sessions(link);
    }
    if (slot)
        sessions_let_go(link->engine, slot);
}

static void sink_heard(void *context, struct bypeer_peer *peer)
{
    struct wireguard_link *link = context;
    (void)peer;
    link->handshake_unix_s = wireguard_now().unix_ns / BYPEER_WIREGUARD_S;
    if (link->engine->source)
        wireguard_move(link, link->engine->source);
}

static void sink_send(void *context, struct bypeer_peer *peer, const uint8_t *datagram, size_t length)
{
    struct wireguard_link *link = context;
    (void)peer;
    if (length == BYPEER_WIREGUARD_INITIATION_BYTES)
        link->attempts++;
    wireguard_send(link->engine, &link->endpoint, datagram, length);
}

/* Workers keep no packets that wait for a session. */
static void sink_gave_up(void *context, struct bypeer_peer *peer)
{
    (void)context;
    (void)peer;
}

const struct bypeer_peer_sink wireguard_sink = {
    .take_index = sink_take_index,
    .release_index = sink_release_index,
    .publish = sink_publish,
    .prefer = sink_prefer,
    .confirm = sink_confirm,
    .withdraw = sink_withdraw,
    .heard = sink_heard,
    .send = sink_send,
    .gave_up = sink_gave_up,
};

/* --- room --- */

void wireguard_make_room(struct bypeer_wireguard *engine)
{
    struct bypeer_problem problem;
    struct bypeer_writer_usage usage;
    char text[BYPEER_PROBLEM_TEXT];
    const uint64_t now_ns = wireguard_now().ns;
    if (now_ns < engine->room_ns)
        return;
    bypeer_writer_usage(wireguard_writer(engine), &usage);
    const uint64_t used = usage.used.sessions, capacity = usage.capacity.sessions;
    bool is_full = engine->wants_room || used * 100 >= capacity * ROOM_PERCENT;
    if (!is_full || (capacity >= BYPEER_SESSIONS_MAX && !engine->wants_room))
        return;
    engine->wants_room = false;
    uint64_t wanted =
        capacity < BYPEER_SESSIONS_MAX && 2 * capacity > BYPEER_SESSIONS_MAX ? BYPEER_SESSIONS_MAX : 2 * capacity;
    if (bypeer_node_need_sessions(engine->node, (uint32_t)wanted, &problem) >= 0)
        return;
    engine->room_ns = now_ns + ROOM_RETRY_NS; /* each attempt copies the tables */
    bypeer_log_limited(&engine->log_limit, BYPEER_LOG_ERROR, "%s", bypeer_problem_text(&problem, text));
}
