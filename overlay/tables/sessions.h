/*
 * The sessions region: what changes per packet and outlives the data plane (layout.h).
 *
 * A data plane makes it when control has none parked; control keeps the descriptor, and gives it to the next data
 * plane, which goes on where the last one was. It is made at BYPEER_SESSIONS_LARGEST, and pages of it are allocated
 * when they are touched (memory.h); so it never has to grow, and nothing in it is ever copied.
 *
 *   | header | worker 0: link 0, 1, ... | worker 1: ... | peers, by link | WireGuard, by slot | windows, by slot |
 *   | ends of relay links | their claims | meters, by link | meters, by group |
 *
 *   entry             bytes                written by     a million of them in use
 *   link and worker   64                   that worker    64 MB a worker
 *   peer              128                  all workers    128 MB
 *   WireGuard slot    128 + 1664           all workers    1.8 GB
 *   end of a relay    64 + 64              all workers    128 MB
 *   limited link      64                   all workers    64 MB
 *   limited group     192                  all workers    192 MB
 *
 * An entry belongs to the link, session or pair whose serial (or use) it bears. A worker that finds another serial
 * there than its link has starts the entry anew (bypeer_session_begin(), bypeer_peer_begin()); a reader of sums leaves
 * it out.
 *
 * Nonces must never begin anew. A WireGuard session therefore names the region that they are in by its generation, a
 * random number: control names the one that it has parked. When another one had to be made though tables live on (none
 * was parked, or another data plane still has it), sessions of the one before end there (bypeer_sessions_has_nonces()),
 * and handshakes make others; and a data plane that hung, with tables that live on, seals by none of these.
 */
#pragma once

#include "overlay/tables/region.h"

#define BYPEER_SESSIONS_WORKERS_MAX 64
#define BYPEER_SESSIONS_LINKS_MAX   (1u << 20)
#define BYPEER_SESSIONS_SLOTS_MAX   (1u << BYPEER_SESSION_SLOT_BITS)
#define BYPEER_SESSIONS_RELAYS_MAX  (1u << 21)
#define BYPEER_SESSIONS_GROUPS_MAX  (1u << 20)

struct bypeer_sessions_size {
    uint32_t workers; /* 1 to BYPEER_SESSIONS_WORKERS_MAX, and so on */
    uint32_t links;   /* per worker, and of peers and meters; a bypeer_link.session from here on has no entry */
    uint32_t slots;
    uint32_t relays;
    uint32_t groups;
};

#define BYPEER_SESSIONS_LARGEST                                                                                       \
    ((struct bypeer_sessions_size){BYPEER_SESSIONS_WORKERS_MAX, BYPEER_SESSIONS_LINKS_MAX, BYPEER_SESSIONS_SLOTS_MAX, \
                                   BYPEER_SESSIONS_RELAYS_MAX, BYPEER_SESSIONS_GROUPS_MAX})

/* A data plane's, writable. */
struct bypeer_sessions {
    struct bypeer_sessions_header *header;
    struct bypeer_session *entries; /* [worker * size.links + link session] */
    struct bypeer_peer_state *peers;
    struct bypeer_wireguard_state *wireguard;
    struct bypeer_window *windows; /* as many */
    struct bypeer_relay_state *relays;
    struct bypeer_relay_claims *claims; /* as many */
    struct bypeer_link_meter *meters;
    struct bypeer_group_meter *groups;
    struct bypeer_sessions_size size;
    uint64_t generation;
};

/* Control's, read-only. */
struct bypeer_sessions_view {
    const struct bypeer_sessions_header *header;
    const struct bypeer_session *entries;
    const struct bypeer_peer_state *peers;
    const struct bypeer_wireguard_state *wireguard;
    const struct bypeer_relay_state *relays;
    const struct bypeer_relay_claims *claims;
    struct bypeer_sessions_size size;
    uint64_t generation;
};

/* Bytes of a region of this size; 0: outside the limits. */
uint64_t bypeer_sessions_bytes(const struct bypeer_sessions_size *size);

/* Makes and publishes a region in bytes of zeroed memory at base. generation: random, not 0. 0 or -EINVAL. */
int bypeer_sessions_init(struct bypeer_sessions *ret_sessions, void *base, uint64_t bytes,
                         const struct bypeer_sessions_size *size, uint64_t generation, uint64_t created_ns);

/* Checks a region that somebody else made. Errors as of bypeer_region_check(); -EPROTO also if the sections do not have
 * the sizes that the header says. */
int bypeer_sessions_attach(struct bypeer_sessions *ret_sessions, void *base, uint64_t bytes,
                           char why[static BYPEER_REGION_WHY_BYTES]);
int bypeer_sessions_view(struct bypeer_sessions_view *ret_view, const void *base, uint64_t bytes,
                         char why[static BYPEER_REGION_WHY_BYTES]);

/* Says that so many workers will count here, before they do. -ENOSPC: there are not so many rows. */
int bypeer_sessions_use_rows(const struct bypeer_sessions *sessions, uint32_t workers);

/* Whether the nonces and the window of a WireGuard session are in this region. If not, it must neither seal (nonces
 * would be used twice) nor open (replays would pass). */
static inline bool bypeer_sessions_has_nonces(const struct bypeer_sessions *sessions,
                                              const struct bypeer_wireguard_session *session)
{
    return session->region == sessions->generation;
}

/* Sum over all workers of what belongs to the link with this serial; .last_received_ns is the latest. */
void bypeer_sessions_sum(const struct bypeer_sessions_view *view, uint32_t session, uint64_t link_serial,
                         struct bypeer_session *ret_sum);

/* The worker's entry for a link, started anew if it is another link's. Call before the first count of a burst. */
static inline void bypeer_session_begin(struct bypeer_session *entry, uint64_t link_serial)
{
    if (__builtin_expect(entry->link_serial == link_serial, 1))
        return;
    /* Serial 0 belongs to no link: a reader never adds old counts under the new serial. */
    __atomic_store_n(&entry->link_serial, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&entry->received_packets, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->received_bytes, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->sent_packets, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->sent_bytes, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->last_received_ns, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->link_serial, link_serial, __ATOMIC_RELEASE);
}

/* The same for a peer's entry, which all workers share: two that start it anew at once lose some times, no more. */
static inline void bypeer_peer_begin(struct bypeer_peer_state *peer, uint64_t link_serial)
{
    if (__builtin_expect(__atomic_load_n(&peer->link_serial, __ATOMIC_ACQUIRE) == link_serial, 1))
        return;
    __atomic_store_n(&peer->activity.sent_ns, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&peer->activity.received_ns, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&peer->activity.unanswered_ns, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&peer->activity.owed_ns, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&peer->activity.asked_ns, 0, __ATOMIC_RELAXED);
    bypeer_seen_clear(&peer->seen); /* its check would refuse another link's anyway */
    __atomic_store_n(&peer->link_serial, link_serial, __ATOMIC_RELEASE);
}
