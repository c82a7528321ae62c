#include "control/wireguard/timers.h"

#include <errno.h>
#include <stdlib.h>

static void timers_place(struct wireguard_timers *timers, struct wireguard_timer *timer, size_t place)
{
    timers->heap[place] = timer;
    timer->place = place;
}

static void timers_up(struct wireguard_timers *timers, struct wireguard_timer *timer)
{
    size_t place = timer->place;
    for (; place > 1 && timers->heap[place / 2]->due_ns > timer->due_ns; place /= 2)
        timers_place(timers, timers->heap[place / 2], place);
    timers_place(timers, timer, place);
}

static void timers_down(struct wireguard_timers *timers, struct wireguard_timer *timer)
{
    size_t place = timer->place;
    for (size_t below = 2 * place; below <= timers->count; below = 2 * place) {
        if (below < timers->count && timers->heap[below + 1]->due_ns < timers->heap[below]->due_ns)
            below++;
        if (timers->heap[below]->due_ns >= timer->due_ns)
            break;
        timers_place(timers, timers->heap[below], place);
        place = below;
    }
    timers_place(timers, timer, place);
}

static int timers_add(struct wireguard_timers *timers, struct wireguard_timer *timer)
{
    if (timers->count + 1 >= timers->room) {
        size_t room = timers->room ? 2 * timers->room : 64;
        struct wireguard_timer **heap = reallocarray(timers->heap, room, sizeof(struct wireguard_timer *));
        if (!heap)
            return -ENOMEM;
        timers->heap = heap;
        timers->room = room;
    }
    timers_place(timers, timer, ++timers->count);
    return 0;
}

static void timers_remove(struct wireguard_timers *timers, struct wireguard_timer *timer)
{
    struct wireguard_timer *last = timers->heap[timers->count--];
    size_t place = timer->place;
    timer->place = 0;
    if (last == timer)
        return;
    timers_place(timers, last, place);
    timers_up(timers, last);
    timers_down(timers, last);
}

int wireguard_timers_set(struct wireguard_timers *timers, struct wireguard_timer *timer, uint64_t due_ns)
{
    if (due_ns == UINT64_MAX) {
        if (timer->place != 0)
            timers_remove(timers, timer);
        return 0;
    }
    if (timer->place == 0 && timers_add(timers, timer) < 0)
        return -ENOMEM;
    timer->due_ns = due_ns;
    timers_up(timers, timer);
    timers_down(timers, timer);
    return 0;
}

struct wireguard_timer *wireguard_timers_due(const struct wireguard_timers *timers, uint64_t now_ns)
{
    return timers->count > 0 && timers->heap[1]->due_ns <= now_ns ? timers->heap[1] : NULL;
}

void wireguard_timers_free(struct wireguard_timers *timers)
{
    free(timers->heap);
    *timers = (struct wireguard_timers){0};
}
