/*
 * What workers tell: a ring for each of them in the status region (overlay/tables/events.h). All of it are hints. When
 * one was overtaken, events were lost: then the sessions region says of every link what they would have said. That a
 * handshake is wanted is said again after 5 s.
 */
#include <stdlib.h>
#include <string.h>

#include "control/wireguard/state.h"
#include "overlay/tables/events.h"
#include "overlay/wireguard/seen.h"

static void events_heard(struct bypeer_wireguard *engine, uint32_t number, const struct bypeer_wireguard_time *now)
{
    const struct wireguard_slot *slot = number < engine->slot_room ? &engine->slots[number] : NULL;
    struct wireguard_link *link = slot && slot->is_public ? wireguard_find(engine, slot->link) : NULL;
    if (!link || !link->peer)
        return;
    bypeer_peer_confirm(link->peer, slot->index, now);
    wireguard_choose_sessions(link);
    wireguard_touched(link, now->ns);
}

/* Where a worker heard the peer last, if that is not where the model has it. */
static void events_moved(struct wireguard_link *link)
{
    const struct bypeer_wireguard *engine = link->engine;
    const struct bypeer_sessions_view *view = engine->dataplane.sessions(engine->dataplane.context);
    struct bypeer_seen seen;
    struct wireguard_endpoint endpoint = {0};
    if (!view || link->id >= view->size.links || !bypeer_seen_read(&view->peers[link->id].seen, link->serial, &seen))
        return;
    memcpy(endpoint.remote, seen.remote, 16);
    memcpy(endpoint.local, seen.local, 16);
    endpoint.port = seen.port;
    if (wireguard_is_own(engine, endpoint.local) && !wireguard_is_own(engine, endpoint.remote))
        wireguard_move(link, &endpoint);
}

static void events_act(struct bypeer_wireguard *engine, enum bypeer_event type, uint64_t value,
                       const struct bypeer_wireguard_time *now)
{
    struct wireguard_link *link = value <= UINT32_MAX ? wireguard_find(engine, (uint32_t)value) : NULL;
    if (type == BYPEER_EVENT_HEARD && value <= BYPEER_SESSIONS_MAX)
        events_heard(engine, (uint32_t)value, now);
    if (type == BYPEER_EVENT_WANT && link)
        wireguard_request(link, now);
    if (type == BYPEER_EVENT_MOVED && link)
        events_moved(link);
}

void wireguard_look(struct bypeer_wireguard *engine)
{
    const struct bypeer_wireguard_time now = wireguard_now();
    for (uint32_t id = 0; id < engine->link_room; id++) {
        struct wireguard_link *link = engine->links[id];
        if (!link)
            continue;
        events_moved(link);
        if (link->next_slot != 0 && wireguard_was_heard(engine, link->next_slot, engine->slots[link->next_slot].use))
            events_heard(engine, link->next_slot, &now);
    }
}

/* The rings of the present status region, from their beginning; those of a data plane that is older than this control
 * from where they are: a handshake that was wanted a minute ago has long been made. Either way some were never read:
 * what a data plane said last before it died, too, went with its region. */
static bool events_follow(struct bypeer_wireguard *engine, const struct bypeer_status_view *view, bool *ret_lost)
{
    if (engine->status_generation == view->generation && engine->tail_count == view->size.workers)
        return true;
    uint64_t *tails = calloc(view->size.workers, sizeof(*tails));
    if (!tails)
        return false;
    for (uint32_t worker = 0; engine->is_heir && worker < view->size.workers; worker++)
        tails[worker] = __atomic_load_n(&view->events[worker].head, __ATOMIC_ACQUIRE);
    *ret_lost = true;
    engine->is_heir = false;
    free(engine->tails);
    engine->tails = tails;
    engine->tail_count = view->size.workers;
    engine->status_generation = view->generation;
    return true;
}

bool wireguard_take_events(struct bypeer_wireguard *engine)
{
    const struct bypeer_status_view *view = engine->dataplane.status(engine->dataplane.context);
    const struct bypeer_wireguard_time now = wireguard_now();
    enum bypeer_event type;
    uint64_t value;
    bool any = false, lost = false;
    if (!view || !events_follow(engine, view, &lost))
        return false;
    for (uint32_t worker = 0; worker < engine->tail_count; worker++)
        for (unsigned count = 0; count < BYPEER_EVENTS; count++) {
            if (!bypeer_event_take(&view->events[worker], &engine->tails[worker], &type, &value, &lost))
                break;
            events_act(engine, type, value, &now);
            any = true;
        }
    if (lost)
        wireguard_look(engine);
    return any || lost;
}
