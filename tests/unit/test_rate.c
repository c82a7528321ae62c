#include <pthread.h>

#include <criterion/criterion.h>

#include "overlay/meter/rate.h"

#define MS UINT64_C(1000000)

static uint64_t word;

/* Bytes that pass in so many ms, of packets offered as fast as can be, the clock going in steps of 1 ms. */
static uint64_t passed(uint64_t bits_s, uint64_t burst, uint32_t bytes, uint64_t from_ms, uint64_t ms)
{
    const uint64_t cost = bypeer_rate_cost(bits_s), ahead = bypeer_rate_ahead(bits_s, burst);
    uint64_t sum = 0;
    for (uint64_t now = from_ms; now < from_ms + ms; now++)
        while (bypeer_rate_take(&word, cost, ahead, bytes, now * MS))
            sum += bytes;
    return sum;
}

static void expect_rate(uint64_t bits_s, uint64_t burst, uint32_t bytes, uint64_t ms)
{
    word = 0;
    uint64_t sum = passed(bits_s, burst, bytes, 1000000, ms), fair = bits_s / 8 * ms / 1000 + burst;
    cr_assert_leq(sum, fair + fair / 1000 + bytes, "%lu bits/s: %lu of %lu", bits_s, sum, fair);
    cr_assert_geq(sum + sum / 1000 + 2 * bytes, fair - bits_s / 8 / 1000, "%lu bits/s: %lu of %lu", bits_s, sum, fair);
}

Test(rate, gives_the_burst_and_then_the_rate)
{
    expect_rate(10000000, 100000, 1400, 10000);
    expect_rate(1000000000, 1 << 20, 64, 1000);
    expect_rate(UINT64_C(100000000000), 1 << 28, 9000, 100);
    expect_rate(BYPEER_RATE_MAX, BYPEER_RATE_BURST_MAX, 65535, 20);
    expect_rate(BYPEER_RATE_MIN, BYPEER_RATE_BURST_MIN, 1400, 500000);
}

Test(rate, an_idle_bucket_holds_one_burst_and_no_more)
{
    uint64_t first = passed(10000000, 100000, 1000, 5, 1);
    cr_assert_geq(first, 99000);
    cr_assert_leq(first, 100000);
    cr_assert_eq(passed(10000000, 100000, 1000, 3600000, 1), first, "after an hour");
}

Test(rate, another_limit_counts_from_the_next_packet_on)
{
    passed(10000000, 100000, 1000, 1000, 1000);
    uint64_t faster = passed(100000000, 100000, 1000, 2000, 1000);
    cr_assert_geq(faster, UINT64_C(11400000), "the old debt is paid at the old price: 80 ms");
    uint64_t slower = passed(1000000, 100000, 1000, 3000, 10000);
    cr_assert_leq(slower, UINT64_C(1400000));
}

/* A lower limit with a great burst, or whoever had the word before, may have left days of debt. */
Test(rate, debts_of_a_greater_burst_are_not_waited_for)
{
    const uint64_t days_ns = bypeer_rate_ahead(BYPEER_RATE_MIN, BYPEER_RATE_BURST_MAX) >> BYPEER_RATE_TIME_BITS;
    cr_assert_gt(days_ns, UINT64_C(86400000000000));
    word = (1000 * MS + days_ns) << BYPEER_RATE_TIME_BITS;
    cr_assert_eq(passed(10000000, 100000, 1000, 1000, 1), 0, "a full burst of the new limit is owed");
    uint64_t sum = passed(10000000, 100000, 1000, 1001, 1000);
    cr_assert_geq(sum, 1240000);
    cr_assert_leq(sum, 1260000);
}

Test(rate, workers_whose_clocks_differ_share_one_bucket)
{
    uint64_t sum = 0;
    for (unsigned turn = 0; turn < 1000; turn++)
        sum += passed(10000000, 100000, 1000, 1000 + 50 * (turn % 2), 1);
    cr_assert_leq(sum, 100000 + 10000000 / 8 / 20, "the burst and 50 ms: %lu", sum);
}

Test(rate, a_packet_larger_than_what_is_left_leaves_it_for_smaller_ones)
{
    const uint64_t cost = bypeer_rate_cost(1000000), ahead = bypeer_rate_ahead(1000000, 20000);
    cr_assert(bypeer_rate_take(&word, cost, ahead, 19000, 7 * MS));
    cr_assert_not(bypeer_rate_take(&word, cost, ahead, 9000, 7 * MS));
    cr_assert(bypeer_rate_take(&word, cost, ahead, 900, 7 * MS));
}

static uint64_t taken;

static void *take_all(void *argument)
{
    (void)argument;
    const uint64_t cost = bypeer_rate_cost(1000000000), ahead = bypeer_rate_ahead(1000000000, 100000000);
    uint64_t sum = 0;
    while (bypeer_rate_take(&word, cost, ahead, 100, 7 * MS))
        sum += 100;
    __atomic_fetch_add(&taken, sum, __ATOMIC_RELAXED);
    return NULL;
}

Test(rate, workers_share_one_bucket)
{
    pthread_t threads[4];
    for (unsigned i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, take_all, NULL);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(taken, 100000000, "all of the burst, and each byte once: %lu", taken);
}
