/*
 * Sessions by slot. A slot is found by what it is, not given out by the pool, when a session is adopted or copied; so
 * such a slot may lie ahead of what the pool hands out for the first time, and is passed over when the pool gets there.
 */
#include <errno.h>
#include <stdlib.h>

#include "overlay/tables/writer_state.h"

int bypeer_sessions_writer_init(struct bypeer_sessions_writer *sessions, struct bypeer_wireguard_session *records,
                                uint32_t slots)
{
    *sessions = (struct bypeer_sessions_writer){
        .records = records, .stages = calloc(slots, sizeof(*sessions->stages)), .slots = slots};
    if (sessions->stages && bypeer_pool_init(&sessions->pool, slots) == 0)
        return 0;
    bypeer_sessions_writer_free(sessions);
    return -ENOMEM;
}

void bypeer_sessions_writer_free(struct bypeer_sessions_writer *sessions)
{
    bypeer_pool_free(&sessions->pool);
    free(sessions->stages);
    *sessions = (struct bypeer_sessions_writer){0};
}

static bool sessions_is_at(const struct bypeer_sessions_writer *sessions, uint32_t slot,
                           enum bypeer_session_stage stage)
{
    return slot != 0 && slot < sessions->slots && sessions->stages[slot] == stage;
}

static uint32_t sessions_take(struct bypeer_sessions_writer *sessions)
{
    for (;;) {
        uint32_t fresh = sessions->pool.fresh;
        uint32_t slot = bypeer_pool_take(&sessions->pool);
        bool is_used_again = sessions->pool.fresh == fresh;
        if (slot == 0 || is_used_again || sessions->stages[slot] == BYPEER_SESSION_FRESH)
            return slot;
    }
}

int bypeer_writer_take_session(struct bypeer_writer *writer, uint32_t *ret_slot)
{
    struct bypeer_sessions_writer *sessions = &writer->sessions;
    uint32_t slot = sessions_take(sessions);
    if (slot == 0)
        return bypeer_pool_retired(&sessions->pool) ? -EAGAIN : -ENOSPC;
    sessions->stages[slot] = BYPEER_SESSION_TAKEN;
    sessions->used++;
    *ret_slot = slot;
    return 0;
}

/* The record is all zero: it was never used, or has been wiped. */
static void sessions_publish(struct bypeer_sessions_writer *sessions, uint32_t slot,
                             const struct bypeer_wireguard_session *session)
{
    struct bypeer_wireguard_session *record = &sessions->records[slot];
    memcpy((uint8_t *)record + sizeof(record->local_index), (const uint8_t *)session + sizeof(record->local_index),
           sizeof(*record) - sizeof(record->local_index));
    /* The index last: who finds it finds all of the session. Pairs with the acquire in bypeer_tables_session(). */
    __atomic_store_n(&record->local_index, session->local_index, __ATOMIC_RELEASE);
    sessions->stages[slot] = BYPEER_SESSION_PUT;
}

void bypeer_writer_put_session(struct bypeer_writer *writer, uint32_t slot,
                               const struct bypeer_wireguard_session *session)
{
    if (sessions_is_at(&writer->sessions, slot, BYPEER_SESSION_TAKEN))
        sessions_publish(&writer->sessions, slot, session);
}

static void sessions_retire(struct bypeer_sessions_writer *sessions, uint32_t slot)
{
    sessions->stages[slot] = BYPEER_SESSION_RETIRED;
    sessions->used--;
    bypeer_pool_retire(&sessions->pool, slot);
}

void bypeer_writer_give_session(struct bypeer_writer *writer, uint32_t slot)
{
    if (sessions_is_at(&writer->sessions, slot, BYPEER_SESSION_TAKEN))
        sessions_retire(&writer->sessions, slot);
}

void bypeer_writer_remove_session(struct bypeer_writer *writer, uint32_t slot)
{
    if (!sessions_is_at(&writer->sessions, slot, BYPEER_SESSION_PUT))
        return;
    __atomic_store_n(&writer->sessions.records[slot].local_index, 0, __ATOMIC_RELEASE);
    sessions_retire(&writer->sessions, slot);
}

int bypeer_writer_adopt_session(struct bypeer_writer *writer, uint32_t slot,
                                const struct bypeer_wireguard_session *session)
{
    struct bypeer_sessions_writer *sessions = &writer->sessions;
    if (slot == 0 || slot >= sessions->slots || (session->local_index & BYPEER_SESSIONS_MAX) != slot)
        return -EINVAL;
    if (sessions->stages[slot] != BYPEER_SESSION_FRESH)
        return -EEXIST;
    sessions_publish(sessions, slot, session);
    sessions->used++;
    return 0;
}

void bypeer_writer_block_session(struct bypeer_writer *writer, uint32_t slot)
{
    struct bypeer_sessions_writer *sessions = &writer->sessions;
    if (!sessions_is_at(sessions, slot, BYPEER_SESSION_FRESH))
        return;
    sessions->stages[slot] = BYPEER_SESSION_BLOCKED;
    sessions->used++;
}

const struct bypeer_wireguard_session *bypeer_writer_find_session(const struct bypeer_writer *writer, uint32_t slot)
{
    return sessions_is_at(&writer->sessions, slot, BYPEER_SESSION_PUT) ? &writer->sessions.records[slot] : NULL;
}

void bypeer_sessions_writer_reclaim(struct bypeer_sessions_writer *sessions, uint64_t completed)
{
    uint64_t free_before = sessions->pool.ready;
    bypeer_pool_reclaim(&sessions->pool, completed);
    for (uint64_t i = free_before; i < sessions->pool.ready; i++) {
        uint32_t slot = sessions->pool.ring[i % sessions->pool.slots];
        explicit_bzero(&sessions->records[slot], sizeof(sessions->records[slot]));
        sessions->stages[slot] = BYPEER_SESSION_FREE;
    }
}

int bypeer_sessions_writer_copy(struct bypeer_sessions_writer *to, const struct bypeer_sessions_writer *from)
{
    for (uint32_t slot = 1; slot < from->slots; slot++) {
        enum bypeer_session_stage stage = from->stages[slot];
        if (stage != BYPEER_SESSION_TAKEN && stage != BYPEER_SESSION_PUT)
            continue;
        if (slot >= to->slots)
            return -ENOSPC;
        if (stage == BYPEER_SESSION_PUT)
            sessions_publish(to, slot, &from->records[slot]);
        else
            to->stages[slot] = BYPEER_SESSION_TAKEN;
        to->used++;
    }
    return 0;
}
