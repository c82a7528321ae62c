/*
 * The traffic of a link, counted in the sessions region.
 *
 * Threads: worker, into its own row.
 */
#pragma once

#include <rte_prefetch.h>

#include "dataplane/worker.h"
#include "overlay/tables/sessions.h"

/* The entry of a link; NULL: no sessions region, or no room in it. */
static inline struct bypeer_session *bypeer_session_of(const struct bypeer_worker *worker,
                                                       const struct bypeer_link *link)
{
    if (unlikely(link->session >= worker->session_count))
        return NULL;
    struct bypeer_session *session = &worker->sessions[link->session];
    bypeer_session_begin(session, link->serial);
    return session;
}

/* Starts to fetch the entry of a link, for who will count there later. */
static inline void bypeer_session_prefetch(const struct bypeer_worker *worker, const struct bypeer_link *link)
{
    if (likely(link->session < worker->session_count))
        rte_prefetch0_write(&worker->sessions[link->session]);
}

/* One writer, so a plain add. */
static inline void bypeer_session_add(uint64_t *count, uint64_t by)
{
    __atomic_store_n(count, *count + by, __ATOMIC_RELAXED);
}

static inline void bypeer_session_received(const struct bypeer_worker *worker, const struct bypeer_link *link,
                                           uint64_t now_ns, uint16_t bytes)
{
    struct bypeer_session *session = bypeer_session_of(worker, link);
    if (unlikely(session == NULL))
        return;
    bypeer_session_add(&session->received_packets, 1);
    bypeer_session_add(&session->received_bytes, bytes);
    if (unlikely(session->last_received_ns != now_ns))
        __atomic_store_n(&session->last_received_ns, now_ns, __ATOMIC_RELAXED);
}

static inline void bypeer_session_sent(const struct bypeer_worker *worker, const struct bypeer_link *link,
                                       uint16_t bytes)
{
    struct bypeer_session *session = bypeer_session_of(worker, link);
    if (unlikely(session == NULL))
        return;
    bypeer_session_add(&session->sent_packets, 1);
    bypeer_session_add(&session->sent_bytes, bytes);
}
