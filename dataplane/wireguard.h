/*
 * What a link of WireGuard is sent by, and how control is asked for a handshake: what the nodes of WireGuard and the
 * host thread, which sees to the timers, have in common.
 *
 * The tables say who a peer is and by which sessions it is sent to, and never change per packet; the sessions region
 * has what does (layout.h). Both may have been written by other releases and other lives, so each index is bounded.
 *
 * Threads: worker, host thread.
 */
#pragma once

#include "overlay/tables/events.h"
#include "overlay/tables/sessions.h"
#include "overlay/tables/tables.h"
#include "overlay/wireguard/counter.h"

/* The peer behind a link; NULL: no sessions region, or no room in it. */
static inline struct bypeer_peer_state *bypeer_wireguard_peer(const struct bypeer_sessions *sessions,
                                                              const struct bypeer_link *link)
{
    if (sessions == NULL || link->session >= sessions->size.links)
        return NULL;
    struct bypeer_peer_state *peer = &sessions->peers[link->session];
    bypeer_peer_begin(peer, link->serial);
    return peer;
}

/* Nonces and window of a slot; NULL: none. */
static inline struct bypeer_wireguard_state *bypeer_wireguard_state_in(const struct bypeer_sessions *sessions,
                                                                       uint32_t slot)
{
    return sessions != NULL && slot < sessions->size.slots ? &sessions->wireguard[slot] : NULL;
}

/* A session to seal by, and where its nonces come from. */
struct bypeer_wireguard_sealer {
    const struct bypeer_wireguard_session *session;
    struct bypeer_wireguard_state *state;
};

/* Whether the link's session in this slot may seal now. */
static inline bool bypeer_wireguard_slot_seals(const struct bypeer_tables *tables,
                                               const struct bypeer_sessions *sessions, const struct bypeer_link *link,
                                               uint32_t slot, uint64_t now_ns,
                                               struct bypeer_wireguard_sealer *ret_sealer)
{
    const struct bypeer_wireguard_session *session = bypeer_tables_session_in(tables, slot);
    struct bypeer_wireguard_state *state = bypeer_wireguard_state_in(sessions, slot);
    if (session == NULL || state == NULL || session->peer != link->id ||
        !bypeer_sessions_has_nonces(sessions, session) || !bypeer_wireguard_session_is_usable(session, 0, now_ns))
        return false;
    *ret_sealer = (struct bypeer_wireguard_sealer){session, state};
    return true;
}

/* The session that a link is sent by now: its next one as soon as something came by that, since its peer made it and
 * may not know yet that we did too; else its current one. false: there is none. */
static inline bool bypeer_wireguard_find_sealer(const struct bypeer_tables *tables,
                                                const struct bypeer_sessions *sessions, const struct bypeer_link *link,
                                                uint64_t now_ns, struct bypeer_wireguard_sealer *ret_sealer)
{
    struct bypeer_wireguard_sealer next;
    if (link->wireguard.next != 0 &&
        bypeer_wireguard_slot_seals(tables, sessions, link, link->wireguard.next, now_ns, &next) &&
        __atomic_load_n(&next.state->heard, __ATOMIC_RELAXED) == next.session->use) {
        *ret_sealer = next;
        return true;
    }
    return bypeer_wireguard_slot_seals(tables, sessions, link, link->wireguard.current, now_ns, ret_sealer);
}

/* Tells control that the link wants a session: at most once in 5 s, since control goes on for longer by itself. */
static inline void bypeer_wireguard_want(struct bypeer_event_ring *events, struct bypeer_peer_state *peer,
                                         uint32_t link, uint64_t now_ns)
{
    uint64_t asked = __atomic_load_n(&peer->activity.asked_ns, __ATOMIC_RELAXED);
    if (asked != 0 && now_ns < asked + BYPEER_WIREGUARD_REKEY_TIMEOUT_NS)
        return;
    bypeer_activity_set(&peer->activity.asked_ns, now_ns);
    bypeer_event_put(events, BYPEER_EVENT_WANT, link);
}

/* Between events about moves of one peer: one that sends from two places in turn moves with every packet. */
#define BYPEER_WIREGUARD_MOVED_NS UINT64_C(100000000)

/* Whether control was told of a move of this peer within BYPEER_WIREGUARD_MOVED_NS. */
static inline bool bypeer_wireguard_has_told(const struct bypeer_peer_state *peer, uint64_t now_ns)
{
    uint64_t moved = __atomic_load_n(&peer->moved_ns, __ATOMIC_RELAXED);
    return moved != 0 && now_ns < moved + BYPEER_WIREGUARD_MOVED_NS;
}

/* Tells control that the peer is where .seen says; if it was told of another place just now, the host thread does it
 * later (link_timers.h). */
static inline void bypeer_wireguard_tell_moved(struct bypeer_event_ring *events, struct bypeer_peer_state *peer,
                                               uint32_t link, uint64_t now_ns)
{
    bool is_later = bypeer_wireguard_has_told(peer, now_ns);
    bypeer_activity_set(&peer->untold, is_later);
    if (is_later)
        return;
    bypeer_activity_set(&peer->moved_ns, now_ns);
    bypeer_event_put(events, BYPEER_EVENT_MOVED, link);
}
