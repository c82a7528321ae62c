#include "dataplane/link_timers.h"

#include "dataplane/wireguard.h"

#define MS_NS        UINT64_C(1000000)
#define LINKS_PER_MS 1000
#define FULL_PASS_NS (BYPEER_LINK_TIMERS_MS * MS_NS)

/* Whether what is sealed now would find a way out. */
static bool timers_can_leave(const struct bypeer_tables *tables, const struct bypeer_link *link,
                             const struct bypeer_peer_state *peer)
{
    struct bypeer_seen seen;
    if (bypeer_seen_read(&peer->seen, link->serial, &seen))
        return true;
    return link->peer_port != 0 && bypeer_tables_adjacency(tables, link->adjacency)->valid;
}

/* This node began the session and its peer does not know yet that it is there. */
static bool timers_owe_confirmation(const struct bypeer_wireguard_sealer *sealer)
{
    uint64_t word = __atomic_load_n(&sealer->state->next_counter, __ATOMIC_RELAXED);
    return (sealer->session->flags & BYPEER_WIREGUARD_INITIATOR) != 0 &&
           word >> BYPEER_COUNTER_BITS < sealer->session->use;
}

/* Nodes listen whether the others live: between them counts how long this one was silent, whatever it hears. */
static bool timers_owe_sign_of_life(const struct bypeer_link *link, const struct bypeer_peer_state *peer,
                                    uint64_t now_ns)
{
    uint64_t interval_ns = link->wireguard.persistent_s * BYPEER_WIREGUARD_S;
    return link->group == BYPEER_GROUP_ANY && interval_ns != 0 &&
           now_ns >= __atomic_load_n(&peer->activity.sent_ns, __ATOMIC_RELAXED) + interval_ns;
}

/* Tells control of a move that it was not told of when it happened; unless it has the peer there by now. */
static void timers_tell_moved(struct bypeer_event_ring *events, const struct bypeer_link *link,
                              struct bypeer_peer_state *peer, uint64_t now_ns)
{
    struct bypeer_seen seen;
    if (__atomic_load_n(&peer->untold, __ATOMIC_RELAXED) == 0 || bypeer_wireguard_has_told(peer, now_ns))
        return;
    if (bypeer_seen_read(&peer->seen, link->serial, &seen) &&
        (seen.port != link->peer_port || memcmp(seen.remote, link->peer, 16) != 0 ||
         memcmp(seen.local, link->local, 16) != 0))
        bypeer_wireguard_tell_moved(events, peer, link->id, now_ns);
    else
        bypeer_activity_set(&peer->untold, 0);
}

/* Looks at one link; whether a keepalive is to be sent. */
static bool timers_look(const struct bypeer_tables *tables, const struct bypeer_sessions *sessions,
                        struct bypeer_event_ring *events, uint64_t now_ns, const struct bypeer_link *link)
{
    struct bypeer_peer_state *peer = bypeer_wireguard_peer(sessions, link);
    struct bypeer_wireguard_sealer sealer;
    if (peer == NULL)
        return false;
    timers_tell_moved(events, link, peer, now_ns);
    if (!bypeer_wireguard_find_sealer(tables, sessions, link, now_ns, &sealer)) {
        /* Nobody waits for an answer any more, and nobody is owed one: a peer that is away for good is let go. */
        bypeer_activity_set(&peer->activity.unanswered_ns, 0);
        bypeer_activity_set(&peer->activity.owed_ns, 0);
        return false;
    }
    unsigned due = bypeer_activity_due(&peer->activity, link->wireguard.persistent_s * BYPEER_WIREGUARD_S, now_ns);
    if ((due & BYPEER_ACTIVITY_HANDSHAKE) != 0)
        bypeer_event_put(events, BYPEER_EVENT_WANT, link->id);
    return ((due & BYPEER_ACTIVITY_KEEPALIVE) != 0 || timers_owe_confirmation(&sealer) ||
            timers_owe_sign_of_life(link, peer, now_ns)) &&
           timers_can_leave(tables, link, peer);
}

/* How many links' turn has come, and notes that it has. */
static uint32_t timers_come(struct bypeer_link_timers *timers, uint32_t count, uint64_t now_ns)
{
    uint64_t pass_ns = FULL_PASS_NS;
    if (count > BYPEER_LINK_TIMERS_MS * LINKS_PER_MS)
        pass_ns = count * MS_NS / LINKS_PER_MS;
    uint64_t elapsed_ns = now_ns - timers->turned_ns;
    if (timers->turned_ns == 0 || now_ns < timers->turned_ns || elapsed_ns > pass_ns)
        elapsed_ns = pass_ns;
    uint64_t come = elapsed_ns * count / pass_ns;
    if (come == 0)
        return 0;
    if (come > BYPEER_LINK_TIMERS_AT_ONCE)
        come = BYPEER_LINK_TIMERS_AT_ONCE;
    timers->turned_ns = now_ns;
    return (uint32_t)come;
}

unsigned bypeer_link_timers_turn(struct bypeer_link_timers *timers, const struct bypeer_tables *tables,
                                 const struct bypeer_sessions *sessions, struct bypeer_event_ring *events,
                                 uint64_t now_ns, uint32_t ret_links[static BYPEER_LINK_TIMERS_BURST])
{
    uint32_t count = tables->links.index_count;
    uint32_t left = timers_come(timers, count, now_ns);
    unsigned keepalives = 0;
    for (; left > 0 && keepalives < BYPEER_LINK_TIMERS_BURST; left--) {
        uint32_t id = timers->next < count ? timers->next : 0;
        timers->next = id + 1;
        const struct bypeer_link *link = bypeer_tables_link(tables, id);
        if (link->kind == BYPEER_LINK_WIREGUARD && timers_look(tables, sessions, events, now_ns, link))
            ret_links[keepalives++] = id;
    }
    return keepalives;
}
