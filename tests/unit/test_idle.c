/* When an idle worker sleeps: at once enough to cost little, never so long that a packet waits. */
#include <criterion/criterion.h>

#include "dataplane/idle.h"

#define TSC_HZ UINT64_C(1000000000) /* a tick a nanosecond */

static struct bypeer_idle idle;
static uint64_t now;

static void begin(enum bypeer_idle_mode mode, uint32_t max_us)
{
    now = 12345;
    bypeer_idle_init(&idle, mode, max_us, TSC_HZ);
    uint32_t us;
    cr_assert_eq(bypeer_idle_next(&idle, true, now, &us), BYPEER_IDLE_STEP_WALK);
}

/* Empty walks, a microsecond each, until it wants to sleep. */
static enum bypeer_idle_step until_sleep(uint32_t *ret_us, unsigned *ret_walks)
{
    for (*ret_walks = 0;; ++*ret_walks) {
        now += 1000;
        enum bypeer_idle_step step = bypeer_idle_next(&idle, false, now, ret_us);
        if (step != BYPEER_IDLE_STEP_WALK || *ret_walks > 1000)
            return step;
    }
}

Test(idle, naps_grow_to_the_longest_and_stay_there)
{
    uint32_t us, total = 0, last = 0;
    unsigned walks;
    begin(BYPEER_IDLE_SLEEP, 1500);
    for (unsigned i = 0; i < 20; i++) {
        cr_assert_eq(until_sleep(&us, &walks), BYPEER_IDLE_STEP_NAP);
        cr_assert_leq(us, 1500);
        cr_assert_geq(us, last);
        last = us;
        total += i < 9 ? us : 0;
        now += us * UINT64_C(1000);
    }
    cr_assert_eq(last, 1500, "an idle node wakes up as seldom as it may");
    cr_assert_lt(total, 8000, "and is there within milliseconds");
}

Test(idle, walks_on_for_a_while_after_a_packet)
{
    uint32_t us;
    unsigned walks;
    begin(BYPEER_IDLE_SLEEP, 1500);
    until_sleep(&us, &walks);
    cr_assert_geq(walks, BYPEER_IDLE_WALK_US - 1);
    cr_assert_eq(us, BYPEER_IDLE_NAP_US);
}

Test(idle, a_packet_ends_the_series)
{
    uint32_t us;
    unsigned walks;
    begin(BYPEER_IDLE_SLEEP, 1500);
    for (unsigned i = 0; i < 12; i++)
        until_sleep(&us, &walks);
    cr_assert_eq(us, 1500);
    cr_assert_eq(bypeer_idle_next(&idle, true, now, &us), BYPEER_IDLE_STEP_WALK);
    until_sleep(&us, &walks);
    cr_assert_eq(us, BYPEER_IDLE_NAP_US);
}

Test(idle, naps_obey_a_small_limit)
{
    uint32_t us;
    unsigned walks;
    begin(BYPEER_IDLE_SLEEP, 10);
    for (unsigned i = 0; i < 5; i++) {
        cr_assert_eq(until_sleep(&us, &walks), BYPEER_IDLE_STEP_NAP);
        cr_assert_eq(us, 10);
    }
}

Test(idle, busy_never_sleeps)
{
    uint32_t us;
    begin(BYPEER_IDLE_BUSY, 1500);
    for (unsigned i = 0; i < 100000; i++) {
        now += 1000;
        cr_assert_eq(bypeer_idle_next(&idle, false, now, &us), BYPEER_IDLE_STEP_WALK);
    }
}

Test(idle, interrupt_waits_at_once_and_goes_on_waiting)
{
    uint32_t us;
    unsigned walks;
    begin(BYPEER_IDLE_INTERRUPT, 1500);
    for (unsigned i = 0; i < 5; i++) {
        cr_assert_eq(until_sleep(&us, &walks), BYPEER_IDLE_STEP_WAIT);
        cr_assert_eq(walks, 0, "a packet that comes now and then costs one look more, and one interrupt");
    }
    cr_assert_eq(bypeer_idle_next(&idle, true, now, &us), BYPEER_IDLE_STEP_WALK);
    cr_assert_eq(until_sleep(&us, &walks), BYPEER_IDLE_STEP_WAIT);
}
