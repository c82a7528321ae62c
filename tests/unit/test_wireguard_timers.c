/*
 * Timers of many peers: whatever is set, moved and taken out, the one that is due first comes first.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "control/wireguard/timers.h"
#include "tests/random.h"

#define PEERS   100000u
#define CHANGES 400000u

static struct wireguard_timer *peers;
static struct wireguard_timers timers;

static void setup(void)
{
    peers = calloc(PEERS, sizeof(*peers));
    cr_assert_not_null(peers);
}

static void teardown(void)
{
    wireguard_timers_free(&timers);
    free(peers);
}

TestSuite(wireguard_timers, .init = setup, .fini = teardown);

static struct wireguard_timer *take_due(uint64_t now)
{
    struct wireguard_timer *timer = wireguard_timers_due(&timers, now);
    if (timer)
        cr_assert_eq(wireguard_timers_set(&timers, timer, UINT64_MAX), 0);
    return timer;
}

Test(wireguard_timers, nothing_is_due_of_none)
{
    cr_assert_null(wireguard_timers_due(&timers, UINT64_MAX));
    cr_assert_eq(wireguard_timers_set(&timers, &peers[0], UINT64_MAX), 0);
    cr_assert_null(wireguard_timers_due(&timers, UINT64_MAX));
}

Test(wireguard_timers, is_due_at_its_time_and_not_before)
{
    cr_assert_eq(wireguard_timers_set(&timers, &peers[0], 1000), 0);
    cr_assert_null(wireguard_timers_due(&timers, 999));
    cr_assert_eq(wireguard_timers_due(&timers, 1000), &peers[0]);
    cr_assert_eq(wireguard_timers_set(&timers, &peers[0], 2000), 0);
    cr_assert_null(wireguard_timers_due(&timers, 1999));
}

Test(wireguard_timers, a_hundred_thousand_come_in_order)
{
    uint64_t random = 1, last = 0;
    for (uint32_t at = 0; at < PEERS; at++)
        cr_assert_eq(wireguard_timers_set(&timers, &peers[at], random_next(&random) % 1000000), 0);
    for (uint32_t change = 0; change < CHANGES; change++) {
        struct wireguard_timer *peer = &peers[random_next(&random) % PEERS];
        uint64_t due = random_next(&random) % 1000000;
        cr_assert_eq(wireguard_timers_set(&timers, peer, due % 8 == 0 ? UINT64_MAX : due), 0);
    }
    uint32_t set = 0, taken = 0;
    for (uint32_t at = 0; at < PEERS; at++)
        set += peers[at].place != 0 ? 1 : 0;
    for (struct wireguard_timer *timer; (timer = take_due(UINT64_MAX - 1)); taken++) {
        cr_assert_geq(timer->due_ns, last);
        last = timer->due_ns;
    }
    cr_assert_eq(taken, set);
    cr_assert_gt(taken, PEERS / 2);
}
