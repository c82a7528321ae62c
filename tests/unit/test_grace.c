#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "overlay/tables/grace.h"

#define MS UINT64_C(1000000)

static struct bypeer_tables_header tables;
static struct bypeer_status_header status[2];
static struct bypeer_grace grace;
static unsigned synchronized;
static uint64_t now = 1000 * MS;

static void synchronize(void *context)
{
    (void)context;
    synchronized++;
}

/* What control does when something was retired. */
static void ask(uint64_t token)
{
    tables.grace_request = token;
    bypeer_grace_asked(&grace, token, now);
}

static void serve(unsigned reader)
{
    bypeer_grace_serve(&status[reader], &tables, synchronize, NULL);
}

static void start(void)
{
    memset(&tables, 0, sizeof(tables));
    memset(status, 0, sizeof(status));
    bypeer_grace_init(&grace, 7);
}

/* A reader process that was handed generation 7 and uses it. */
static unsigned attach(unsigned reader)
{
    int number = bypeer_grace_add(&grace, &status[reader]);
    cr_assert_geq(number, 0);
    bypeer_grace_use(&status[reader], 7);
    return (unsigned)number;
}

TestSuite(grace, .init = start);

Test(grace, without_readers_a_token_is_complete_at_once)
{
    ask(1);
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 1);
}

Test(grace, waits_for_every_reader)
{
    attach(0);
    attach(1);
    ask(1);
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 0);
    serve(0);
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 0);
    serve(1);
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 1);
    cr_assert_eq(synchronized, 2);
}

Test(grace, broker_synchronizes_only_when_asked)
{
    attach(0);
    cr_assert_not(bypeer_grace_serve(&status[0], &tables, synchronize, NULL));
    ask(3);
    cr_assert(bypeer_grace_serve(&status[0], &tables, synchronize, NULL));
    cr_assert_not(bypeer_grace_serve(&status[0], &tables, synchronize, NULL));
    cr_assert_eq(synchronized, 1, "one grace period serves all requests before it");
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 3);
}

static void ask_again(void *context)
{
    (void)context;
    tables.grace_request = 2;
}

Test(grace, a_request_that_comes_during_a_grace_period_needs_another)
{
    attach(0);
    ask(1);
    bypeer_grace_serve(&status[0], &tables, ask_again, NULL);
    bypeer_grace_asked(&grace, 2, now);
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 1);
    serve(0);
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 2);
}

Test(grace, a_dead_reader_holds_nothing_back)
{
    unsigned dead = attach(0);
    attach(1);
    ask(1);
    serve(1);
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 0);
    bypeer_grace_remove(&grace, dead);
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 1);
    bypeer_grace_remove(&grace, 4711);
}

Test(grace, a_reader_counts_from_its_registration_on)
{
    ask(5);
    bypeer_grace_add(&grace, &status[0]);
    /* It may have mapped the tables by now, but has not said that it uses them. */
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 0);
    status[0].grace_completed = 5;
    status[0].tables_generation = 6;
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 0, "tokens of another generation do not count");
    bypeer_grace_use(&status[0], 7);
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 0, "nor does one from before the change");
    serve(0);
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 5);
}

Test(grace, a_reader_is_not_late_for_what_was_asked_before_it_came)
{
    ask(5);
    now += 3600 * 1000 * MS;
    bypeer_grace_add(&grace, &status[0]);
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).event, BYPEER_GRACE_QUIET);
    now += BYPEER_GRACE_LATE_NS - MS;
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).event, BYPEER_GRACE_QUIET);
    now += MS;
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).event, BYPEER_GRACE_LATE, "but its own time counts");
}

Test(grace, a_lying_reader_is_not_believed)
{
    attach(0);
    ask(2);
    status[0].grace_completed = 3;
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 0, "nobody asked for 3");
    status[0].grace_completed = UINT64_MAX;
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 0);
    status[0].grace_completed = 2;
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 2);
    status[0].grace_completed = 1;
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).completed, 2, "it does not go back");
}

Test(grace, at_most_a_thousand_requests_a_second)
{
    attach(0);
    uint64_t token = 0, asked = 0, end = now + 1000 * MS;
    for (; now < end; now += MS / 10) {
        struct bypeer_grace_turn turn = bypeer_grace_turn(&grace, true, now);
        cr_assert_leq(turn.next_ns, now + MS);
        if (turn.ask) {
            ask(++token);
            asked++;
        }
        serve(0);
    }
    cr_assert_geq(asked, 990);
    cr_assert_leq(asked, 1000);
    cr_assert_not(bypeer_grace_turn(&grace, false, now).ask, "nothing waits");
}

Test(grace, rests_when_nothing_waits)
{
    attach(0);
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).next_ns, UINT64_MAX);
    ask(1);
    cr_assert_neq(bypeer_grace_turn(&grace, false, now).next_ns, UINT64_MAX);
    serve(0);
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).next_ns, UINT64_MAX);
    cr_assert_not(bypeer_grace_asked(&grace, 1, now), "token 1 is not new");
}

Test(grace, a_late_reader_raises_alarms_at_doubling_intervals_and_recovers)
{
    attach(0);
    unsigned late = attach(1);
    ask(1);
    serve(0);
    uint64_t begin = now, alarms[8];
    unsigned count = 0;
    for (; now < begin + 10000 * MS; now += MS) {
        struct bypeer_grace_turn turn = bypeer_grace_turn(&grace, true, now);
        if (turn.ask)
            ask(grace.requested + 1); /* more is retired all the time; that is no progress */
        serve(0);
        if (turn.event == BYPEER_GRACE_QUIET)
            continue;
        cr_assert_eq(turn.event, BYPEER_GRACE_LATE);
        cr_assert_eq(turn.reader, late);
        cr_assert_lt(count, 8);
        alarms[count++] = turn.for_ns;
    }
    const uint64_t expected[] = {500 * MS, 1000 * MS, 2000 * MS, 4000 * MS, 8000 * MS};
    cr_assert_eq(count, 5);
    cr_assert_arr_eq(alarms, expected, sizeof(expected));

    serve(1);
    struct bypeer_grace_turn turn = bypeer_grace_turn(&grace, false, now);
    cr_assert_eq(turn.event, BYPEER_GRACE_RECOVERED);
    cr_assert_eq(turn.reader, late);
    cr_assert_eq(turn.for_ns, 10000 * MS);
    cr_assert_eq(turn.completed, grace.requested);
    cr_assert_eq(bypeer_grace_turn(&grace, false, now).event, BYPEER_GRACE_QUIET);
}

Test(grace, a_reader_that_makes_progress_is_not_late)
{
    attach(0);
    for (unsigned i = 0; i < 5000; i++, now += MS) {
        /* Always one behind. */
        ask(grace.requested + 1);
        cr_assert_eq(bypeer_grace_turn(&grace, true, now).event, BYPEER_GRACE_QUIET);
        serve(0);
    }
}

Test(grace, two_late_readers_are_both_named)
{
    attach(0);
    attach(1);
    ask(1);
    now += 600 * MS;
    struct bypeer_grace_turn first = bypeer_grace_turn(&grace, false, now);
    struct bypeer_grace_turn second = bypeer_grace_turn(&grace, false, now + MS);
    cr_assert_eq(first.event, BYPEER_GRACE_LATE);
    cr_assert_eq(second.event, BYPEER_GRACE_LATE);
    cr_assert_neq(first.reader, second.reader);
    serve(0);
    serve(1);
    first = bypeer_grace_turn(&grace, false, now);
    second = bypeer_grace_turn(&grace, false, now + MS);
    cr_assert_eq(first.event, BYPEER_GRACE_RECOVERED);
    cr_assert_eq(second.event, BYPEER_GRACE_RECOVERED);
}

Test(grace, slots_are_bounded_and_used_again)
{
    for (unsigned i = 0; i < BYPEER_READERS_MAX; i++)
        cr_assert_eq(bypeer_grace_add(&grace, &status[0]), (int)i);
    cr_assert_eq(bypeer_grace_add(&grace, &status[0]), -ENOSPC);
    bypeer_grace_remove(&grace, 3);
    cr_assert_eq(bypeer_grace_add(&grace, &status[1]), 3);
}
