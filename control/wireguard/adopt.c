/*
 * Taking over from a control that died: the sessions of its tables, which the data plane goes on using meanwhile.
 *
 * A record is believed if it is whole, of a link that is still there, made with the keys that both sides still have,
 * and young enough. It keeps its slot, index and use, so the workers find under it what they found before, and go on
 * counting where they are. Slots of all others are left alone by this generation: a worker may still seal by them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/wireguard/state.h"

struct adopted {
    struct bypeer_wireguard_session session;
    uint32_t slot;
};

static int adopt_compare(const void *one, const void *other)
{
    const struct adopted *left = one, *right = other;
    if (left->session.created_ns != right->session.created_ns)
        return left->session.created_ns < right->session.created_ns ? -1 : 1;
    return left->slot < right->slot ? -1 : left->slot > right->slot ? 1 : 0;
}

static bool adopt_is_ours(const struct bypeer_wireguard *engine, const struct bypeer_tables *old,
                          const struct bypeer_wireguard_session *session, uint32_t slot, uint64_t now_ns)
{
    const struct wireguard_link *link = wireguard_find(engine, session->peer);
    uint64_t pair;
    return bypeer_wireguard_session_is_whole(session) && (session->local_index & BYPEER_SESSIONS_MAX) == slot && link &&
           bypeer_tables_link(old, session->peer)->serial == link->serial && wireguard_pair(link, &pair) == 0 &&
           pair == session->pair && bypeer_wireguard_session_is_usable(session, 0, now_ns);
}

static bool adopt_one(struct bypeer_wireguard *engine, const struct adopted *one)
{
    struct wireguard_link *link = wireguard_find(engine, one->session.peer);
    struct wireguard_slot *slot = wireguard_slot(engine, one->slot);
    if (!link || !slot || !wireguard_need_peer(link) ||
        bypeer_writer_adopt_session(wireguard_writer(engine), one->slot, &one->session) < 0)
        return false;
    *slot = (struct wireguard_slot){
        .index = one->session.local_index, .link = link->id, .use = one->session.use, .is_public = true};
    bypeer_peer_adopt(link->peer, &one->session, wireguard_was_heard(engine, one->slot, one->session.use));
    return true;
}

/* Where the peer was when its sessions were made, or has moved to since. */
static void adopt_endpoint(struct wireguard_link *link, const struct bypeer_tables *old)
{
    const struct bypeer_link *record = bypeer_tables_link(old, link->id);
    struct wireguard_endpoint endpoint = {.port = record->peer_port};
    if (record->kind != BYPEER_LINK_WIREGUARD || record->serial != link->serial)
        return;
    memcpy(endpoint.remote, record->peer, 16);
    memcpy(endpoint.local, record->local, 16);
    wireguard_move(link, &endpoint);
}

static size_t adopt_count(const struct bypeer_tables *old)
{
    size_t count = 0;
    for (uint32_t slot = 1; slot < old->session_count; slot++)
        count += bypeer_tables_session_in(old, slot) ? 1 : 0;
    return count;
}

/* Collects what can be adopted into all, oldest first, and blocks the slots of what cannot; returns how many. */
static size_t adopt_collect(struct bypeer_wireguard *engine, const struct bypeer_tables *old, uint64_t now_ns,
                            struct adopted *all, size_t room)
{
    size_t count = 0;
    for (uint32_t slot = 1; slot < old->session_count; slot++) {
        const struct bypeer_wireguard_session *found = bypeer_tables_session_in(old, slot);
        if (!found)
            continue;
        struct bypeer_wireguard_session session = *found;
        if (count < room && adopt_is_ours(engine, old, &session, slot, now_ns))
            all[count++] = (struct adopted){.session = session, .slot = slot};
        else
            bypeer_writer_block_session(wireguard_writer(engine), slot);
        bypeer_crypto_wipe(&session, sizeof(session));
    }
    if (count > 0)
        qsort(all, count, sizeof(*all), adopt_compare);
    return count;
}

static void adopt_make_room(struct bypeer_wireguard *engine, uint32_t slots)
{
    struct bypeer_problem problem;
    char text[BYPEER_PROBLEM_TEXT];
    if (bypeer_node_need_sessions(engine->node, slots - 1, &problem) < 0)
        bypeer_log(BYPEER_LOG_ERROR, "%s", bypeer_problem_text(&problem, text));
}

void bypeer_wireguard_adopt(struct bypeer_wireguard *engine, const struct bypeer_tables *old)
{
    const struct bypeer_wireguard_time now = wireguard_now();
    const size_t room = adopt_count(old);
    struct adopted *all = room > 0 ? calloc(room, sizeof(*all)) : NULL;
    if (room > 0)
        adopt_make_room(engine, old->session_count);
    size_t count = adopt_collect(engine, old, now.ns, all, all ? room : 0), adopted = 0;
    for (size_t at = 0; all && at < count; at++) {
        if (adopt_one(engine, &all[at]))
            adopted++;
        else
            bypeer_writer_block_session(wireguard_writer(engine), all[at].slot);
    }
    for (size_t at = 0; all && at < count; at++) {
        struct wireguard_link *link = wireguard_find(engine, all[at].session.peer);
        const uint64_t age_s = bypeer_wireguard_session_age(&all[at].session, now.ns) / BYPEER_WIREGUARD_S;
        if (!link || !link->peer)
            continue;
        link->handshake_unix_s = now.unix_ns / BYPEER_WIREGUARD_S - age_s;
        adopt_endpoint(link, old);
        wireguard_choose_sessions(link);
        wireguard_touched(link, now.ns);
    }
    if (all)
        bypeer_crypto_wipe(all, room * sizeof(*all));
    free(all);
    for (uint32_t id = 0; id < engine->link_room; id++)
        if (engine->links[id] && engine->links[id]->endpoint.port == 0)
            adopt_endpoint(engine->links[id], old);
    wireguard_look(engine); /* who has moved since is known there */
    engine->is_heir = true;
    if (adopted > 0)
        bypeer_log(BYPEER_LOG_INFO, "WireGuard: %zu sessions go on, %zu are at their end", adopted, count - adopted);
}
