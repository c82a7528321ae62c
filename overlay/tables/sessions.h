/*
 * The sessions region: what changes per packet and outlives the data plane (layout.h).
 *
 * A data plane makes it when control has none parked, or when the one that it has is too small; control keeps the
 * descriptor, and gives it to the next data plane, which goes on where the last one was. One row a worker, one entry a
 * link, one writer an entry:
 *
 *   | header | worker 0: session 0, 1, ... links - 1 | worker 1: ... |
 *
 * 64 bytes an entry: a million links and 4 workers take 244 MiB.
 *
 * An entry belongs to the link whose serial it bears. A worker that finds another serial there than its link has starts
 * the entry anew (bypeer_session_begin()); a reader of sums leaves it out.
 */
#pragma once

#include "overlay/tables/region.h"

#define BYPEER_SESSIONS_WORKERS_MAX 1024
#define BYPEER_SESSIONS_LINKS_MAX   (1u << 20)

/* A data plane's, writable. */
struct bypeer_sessions {
    struct bypeer_session *entries; /* [worker * links + session] */
    uint32_t workers;
    uint32_t links; /* per worker; a bypeer_link.session from here on has no entry */
    uint64_t generation;
};

/* Control's, read-only. */
struct bypeer_sessions_view {
    const struct bypeer_session *entries;
    uint32_t workers;
    uint32_t links;
    uint64_t generation;
};

/* Bytes of a region for so many workers and links; 0: outside the limits. */
uint64_t bypeer_sessions_bytes(uint32_t workers, uint32_t links);

/* Makes and publishes a region in bytes of zeroed memory at base. 0 or -EINVAL. */
int bypeer_sessions_init(struct bypeer_sessions *ret_sessions, void *base, uint64_t bytes, uint32_t workers,
                         uint32_t links, uint64_t generation, uint64_t created_ns);

/* Checks a region that somebody else made. Errors as of bypeer_region_check(); -EPROTO also if rows do not fit. */
int bypeer_sessions_attach(struct bypeer_sessions *ret_sessions, void *base, uint64_t bytes,
                           char why[static BYPEER_REGION_WHY_BYTES]);
int bypeer_sessions_view(struct bypeer_sessions_view *ret_view, const void *base, uint64_t bytes,
                         char why[static BYPEER_REGION_WHY_BYTES]);

/*
 * Takes over what another region counted, before any worker writes to this one: worker w's row is added to row
 * w % workers. Links beyond this region's are left out.
 */
void bypeer_sessions_copy(const struct bypeer_sessions *to, const struct bypeer_sessions *from);

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
