#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "overlay/wireguard/counter.h"

static uint64_t word;
static uint64_t edge; /* the greatest */
static struct bypeer_window window;

static uint64_t take(uint32_t use, uint32_t count)
{
    uint64_t first = UINT64_MAX;
    cr_assert(bypeer_counter_take(&word, use, count, &first));
    return first;
}

static void refuse(uint32_t use)
{
    uint64_t first = 4711;
    cr_assert_not(bypeer_counter_take(&word, use, 1, &first));
    cr_assert_eq(first, 4711, "left alone");
}

Test(counter, each_use_begins_at_zero_and_goes_on_without_a_gap)
{
    cr_assert_eq(take(1, 1), 0);
    cr_assert_eq(take(1, 32), 1);
    cr_assert_eq(take(1, 5), 33);
    cr_assert_eq(take(2, 7), 0);
    cr_assert_eq(take(2, 1), 7);
    cr_assert_eq(take(77, 3), 0);
    cr_assert_eq(take(77, 1), 3);
}

Test(counter, an_old_session_gets_none_and_does_no_harm)
{
    take(3, 10);
    take(4, 10);
    refuse(3);
    refuse(1);
    cr_assert_geq(take(4, 1), 10);
}

Test(counter, a_session_ends_before_its_counters_do)
{
    word = bypeer_counter_of(5, BYPEER_COUNTER_LIMIT - 10);
    cr_assert_eq(take(5, 10), BYPEER_COUNTER_LIMIT - 10, "the last ones");
    refuse(5);
    word = bypeer_counter_of(5, BYPEER_COUNTER_LIMIT - 10);
    uint64_t first;
    cr_assert_not(bypeer_counter_take(&word, 5, 11, &first));
    refuse(5);
    uint32_t next = bypeer_counter_next_use(5, &word, &edge);
    cr_assert_gt(next, 6, "use 6 has begun by the carry");
    cr_assert_eq(take(next, 1), 0);
}

Test(counter, the_next_use_is_greater_than_any_trace_of_one)
{
    cr_assert_eq(bypeer_counter_next_use(0, &word, &edge), 1);
    cr_assert_eq(bypeer_counter_next_use(9, &word, &edge), 10);
    take(20, 1);
    cr_assert_eq(bypeer_counter_next_use(9, &word, &edge), 21);
    bypeer_window_accept(&edge, &window, bypeer_counter_of(30, 5));
    cr_assert_eq(bypeer_counter_next_use(9, &word, &edge), 31, "it had only received");
    word = UINT64_MAX;
    cr_assert_geq(bypeer_counter_next_use(9, &word, &edge), BYPEER_COUNTER_USES, "the slot is used up");
}

/* A slot that is used again: what the session before has received does not get in the way of the new one's counters,
 * and its own packets are too old from the first one on. */
Test(counter, windows_go_on_from_use_to_use)
{
    static const uint64_t ends[] = {0, 1, 8191, 8192, 100000, 15930000};
    uint32_t use = 1;
    for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++, use++) {
        uint64_t from = ends[i] > 20000 ? ends[i] - 20000 : 0;
        for (uint64_t counter = from; counter <= ends[i]; counter++)
            cr_assert_eq(bypeer_window_accept(&edge, &window, bypeer_counter_of(use, counter)), BYPEER_WINDOW_FRESH,
                         "counter %lu of use %u", counter, use);
        cr_assert_eq(bypeer_window_check(&edge, &window, bypeer_counter_of(use, ends[i])), BYPEER_WINDOW_REPLAY);
        if (use > 1)
            cr_assert_eq(bypeer_window_check(&edge, &window, bypeer_counter_of(use - 1, ends[i - 1] + 1)),
                         BYPEER_WINDOW_OLD);
    }
}

/* As long as a slot lives: no use of it finds what another one left in the way of its first packets. */
Test(counter, every_use_of_a_slot_begins_with_an_empty_window)
{
    for (uint32_t use = 1; use < BYPEER_COUNTER_USES; use++)
        for (uint64_t counter = 0; counter < 4; counter++)
            cr_assert_eq(bypeer_window_accept(&edge, &window, bypeer_counter_of(use, counter)), BYPEER_WINDOW_FRESH,
                         "counter %lu of use %u", counter, use);
}
