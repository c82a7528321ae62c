/*
 * The traffic of a link, counted in the sessions region.
 *
 * Packets of one link mostly come in a row, so a node adds up in a tally and stores when the link changes and at the
 * end of its burst.
 *
 * Threads: worker, into its own row.
 */
#pragma once

#include "dataplane/worker.h"
#include "overlay/tables/sessions.h"

struct bypeer_tally {
    const struct bypeer_link *link; /* NULL: nothing added yet */
    uint64_t packets, bytes;
};

/* The entry of a link; NULL: no sessions region, or no room in it. */
static inline struct bypeer_session *bypeer_session_of(const struct bypeer_worker *worker,
                                                       const struct bypeer_link *link)
{
    if (link->session >= worker->session_count)
        return NULL;
    struct bypeer_session *session = &worker->sessions[link->session];
    bypeer_session_begin(session, link->serial);
    return session;
}

static inline void bypeer_session_add(uint64_t *count, uint64_t by)
{
    __atomic_store_n(count, *count + by, __ATOMIC_RELAXED);
}

static inline void bypeer_tally_received(struct bypeer_worker *worker, const struct bypeer_tally *tally)
{
    struct bypeer_session *session = tally->link == NULL ? NULL : bypeer_session_of(worker, tally->link);
    if (session == NULL)
        return;
    bypeer_session_add(&session->received_packets, tally->packets);
    bypeer_session_add(&session->received_bytes, tally->bytes);
    uint64_t now_ns = worker->now_realtime_s * UINT64_C(1000000000);
    if (session->last_received_ns != now_ns)
        __atomic_store_n(&session->last_received_ns, now_ns, __ATOMIC_RELAXED);
}

static inline void bypeer_tally_sent(struct bypeer_worker *worker, const struct bypeer_tally *tally)
{
    struct bypeer_session *session = tally->link == NULL ? NULL : bypeer_session_of(worker, tally->link);
    if (session == NULL)
        return;
    bypeer_session_add(&session->sent_packets, tally->packets);
    bypeer_session_add(&session->sent_bytes, tally->bytes);
}
