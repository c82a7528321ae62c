#include <errno.h>

#include <criterion/criterion.h>

#include "overlay/tables/retire.h"

static struct bypeer_retire queue(uint64_t capacity)
{
    struct bypeer_retire retire;
    cr_assert_eq(bypeer_retire_init(&retire, capacity), 0);
    return retire;
}

Test(retire, waits_for_the_grace_period_after_the_one_asked_for)
{
    struct bypeer_retire retire = queue(4);
    struct bypeer_retired got;
    cr_assert_eq(bypeer_retire_request(&retire), 0, "nothing is retired: nothing to ask for");
    cr_assert_eq(bypeer_retire_push(&retire, 1, 10), 0);
    cr_assert_eq(bypeer_retire_request(&retire), 1);
    /* Retired while grace period 1 may be under way: it needs another. */
    cr_assert_eq(bypeer_retire_push(&retire, 2, 20), 0);
    cr_assert_not(bypeer_retire_pop(&retire, 0, &got));
    cr_assert(bypeer_retire_pop(&retire, 1, &got));
    cr_assert(got.kind == 1 && got.slot == 10);
    cr_assert_not(bypeer_retire_pop(&retire, 1, &got));
    cr_assert(bypeer_retire_waiting(&retire));
    cr_assert_eq(bypeer_retire_request(&retire), 2);
    cr_assert_not(bypeer_retire_waiting(&retire));
    cr_assert_eq(bypeer_retire_request(&retire), 2, "asked for already");
    cr_assert(bypeer_retire_pop(&retire, 2, &got));
    cr_assert(got.kind == 2 && got.slot == 20);
    cr_assert_not(bypeer_retire_pop(&retire, 2, &got));
    bypeer_retire_free(&retire);
}

Test(retire, is_bounded)
{
    struct bypeer_retire retire = queue(3);
    struct bypeer_retired got;
    for (uint32_t i = 0; i < 3; i++)
        cr_assert_eq(bypeer_retire_push(&retire, 0, i), 0);
    cr_assert(bypeer_retire_full(&retire));
    cr_assert_eq(bypeer_retire_push(&retire, 0, 3), -EAGAIN);
    cr_assert_eq(bypeer_retire_request(&retire), 1);
    cr_assert(bypeer_retire_pop(&retire, 1, &got));
    cr_assert_eq(bypeer_retire_push(&retire, 0, 3), 0);
    cr_assert_eq(bypeer_retire_init(&retire, 0), -EINVAL);
    bypeer_retire_free(&retire);
}

Test(retire, does_not_believe_a_token_that_was_never_asked_for)
{
    struct bypeer_retire retire = queue(4);
    struct bypeer_retired got;
    bypeer_retire_push(&retire, 0, 1);
    cr_assert_not(bypeer_retire_pop(&retire, UINT64_MAX, &got));
    bypeer_retire_request(&retire);
    bypeer_retire_push(&retire, 0, 2);
    cr_assert(bypeer_retire_pop(&retire, UINT64_MAX, &got));
    cr_assert_not(bypeer_retire_pop(&retire, UINT64_MAX, &got));
    bypeer_retire_free(&retire);
}

Test(retire, gives_back_in_order_over_many_turns)
{
    struct bypeer_retire retire = queue(100);
    struct bypeer_retired got;
    uint32_t pushed = 0, popped = 0;
    for (unsigned turn = 0; turn < 1000; turn++) {
        while (!bypeer_retire_full(&retire))
            cr_assert_eq(bypeer_retire_push(&retire, 7, pushed++), 0);
        uint64_t token = bypeer_retire_request(&retire);
        for (unsigned i = 0; i < 37 && bypeer_retire_pop(&retire, token, &got); i++)
            cr_assert_eq(got.slot, popped++);
    }
    cr_assert_gt(popped, 30000);
    bypeer_retire_free(&retire);
}
