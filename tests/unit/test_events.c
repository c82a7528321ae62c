#include <pthread.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "overlay/tables/events.h"

static struct bypeer_event_ring ring;

static void expect(uint64_t *tail, enum bypeer_event type, uint64_t value)
{
    enum bypeer_event found;
    uint64_t found_value;
    bool lost = false;
    cr_assert(bypeer_event_take(&ring, tail, &found, &found_value, &lost));
    cr_assert_not(lost);
    cr_assert_eq(found, type);
    cr_assert_eq(found_value, value);
}

static bool take(uint64_t *tail, bool *ret_lost)
{
    enum bypeer_event type;
    uint64_t value;
    return bypeer_event_take(&ring, tail, &type, &value, ret_lost);
}

Test(events, come_in_the_order_in_which_they_were_put)
{
    uint64_t tail = 0;
    bool lost = false;
    cr_assert_not(take(&tail, &lost));
    bypeer_event_put(&ring, BYPEER_EVENT_WANT, 7);
    bypeer_event_put(&ring, BYPEER_EVENT_HEARD, (UINT64_C(1) << 56) - 1);
    expect(&tail, BYPEER_EVENT_WANT, 7);
    bypeer_event_put(&ring, BYPEER_EVENT_MOVED, 9);
    expect(&tail, BYPEER_EVENT_HEARD, (UINT64_C(1) << 56) - 1);
    expect(&tail, BYPEER_EVENT_MOVED, 9);
    cr_assert_not(take(&tail, &lost));
    cr_assert_not(lost);
}

Test(events, all_but_one_that_the_ring_holds_can_be_late)
{
    uint64_t tail = 0;
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < BYPEER_EVENTS - 1; i++)
            bypeer_event_put(&ring, BYPEER_EVENT_WANT, round * BYPEER_EVENTS + i);
        for (uint64_t i = 0; i < BYPEER_EVENTS - 1; i++)
            expect(&tail, BYPEER_EVENT_WANT, round * BYPEER_EVENTS + i);
    }
}

Test(events, who_is_too_late_learns_that_some_are_lost)
{
    uint64_t tail = 0;
    bool lost = false;
    for (unsigned i = 0; i <= BYPEER_EVENTS; i++)
        bypeer_event_put(&ring, BYPEER_EVENT_WANT, i);
    cr_assert_not(take(&tail, &lost));
    cr_assert(lost);
    bypeer_event_put(&ring, BYPEER_EVENT_HEARD, 3);
    expect(&tail, BYPEER_EVENT_HEARD, 3);

    ring.head -= 100; /* a producer that lies: neither a loop nor silence */
    lost = false;
    cr_assert_not(take(&tail, &lost));
    cr_assert(lost);
}

Test(events, what_the_producer_may_be_overwriting_is_lost)
{
    uint64_t tail = 0;
    bool lost = false;
    for (unsigned i = 0; i < BYPEER_EVENTS; i++)
        bypeer_event_put(&ring, BYPEER_EVENT_WANT, i);
    ring.events[0] = UINT64_C(2) << BYPEER_EVENT_VALUE_BITS | BYPEER_EVENTS; /* its number is not there yet */
    cr_assert_not(take(&tail, &lost));
    cr_assert(lost);
}

#define MANY UINT64_C(3000000)

static void *put_many(void *argument)
{
    for (uint64_t i = 0; i < MANY; i++)
        bypeer_event_put(&ring, BYPEER_EVENT_WANT, i);
    return argument;
}

/* However the two threads are scheduled: an event is the one that is due, or lost. */
Test(events, none_is_taken_for_another, .timeout = 60)
{
    pthread_t producer;
    uint64_t tail = 0, due = 0;
    cr_assert_eq(pthread_create(&producer, NULL, put_many, NULL), 0);
    while (tail < MANY) {
        enum bypeer_event type;
        uint64_t value;
        bool lost = false;
        if (bypeer_event_take(&ring, &tail, &type, &value, &lost))
            cr_assert_eq(value, due, "%lu for %lu", value, due);
        due = tail;
    }
    pthread_join(producer, NULL);
}
