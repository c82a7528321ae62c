#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "overlay/tables/status.h"

static char why[BYPEER_REGION_WHY_BYTES];
static const struct bypeer_status_size size = {.counters = 5, .workers = 3, .ports = 2};
static struct bypeer_status status;
static struct bypeer_status_view view;
static uint64_t bytes;

static void start(void)
{
    bytes = bypeer_status_bytes(&size);
    void *base = aligned_alloc(BYPEER_CACHE_LINE, bytes);
    memset(base, 0, bytes);
    cr_assert_eq(bypeer_status_init(&status, base, bytes, &size, 7, 99), 0);
    cr_assert_eq(bypeer_status_attach(&view, base, bytes, why), -EAGAIN, "not filled in yet");
    strcpy(status.counters[4].name, "drop.hop_limit");
    bypeer_region_publish(base);
    cr_assert_eq(bypeer_status_attach(&view, base, bytes, why), 0, "%s", why);
}

TestSuite(status, .init = start);

Test(status, control_sees_what_the_data_plane_counts)
{
    char name[40];
    cr_assert_eq(view.size.counters, 5);
    cr_assert_eq(view.size.workers, 3);
    cr_assert_eq(view.size.ports, 2);
    cr_assert_eq(view.generation, 7);
    bypeer_status_text(name, view.counters[4].name, sizeof(name));
    cr_assert_str_eq(name, "drop.hop_limit");
    status.workers[2].counters[4] = 11;
    cr_assert_eq(bypeer_status_counter(&view, 2, 4), 11);
    cr_assert_eq(bypeer_status_counter(&view, 1, 4), 0);
    cr_assert_eq(bypeer_status_counter(&view, 3, 0), 0, "no such worker");
    cr_assert_eq(bypeer_status_counter(&view, 0, 5), 0, "no such counter");
}

Test(status, names_the_worker_that_is_late)
{
    cr_assert_eq(bypeer_status_latest(&view), -ENOENT, "none runs");
    status.workers[0] = (struct bypeer_status_worker){.state = BYPEER_WORKER_RUNNING, .quiescent_tsc = 50};
    status.workers[1] = (struct bypeer_status_worker){.state = BYPEER_WORKER_RUNNING, .quiescent_tsc = 40};
    status.workers[2] = (struct bypeer_status_worker){.state = BYPEER_WORKER_SLEEPING, .quiescent_tsc = 10};
    cr_assert_eq(bypeer_status_latest(&view), 1);
}

Test(status, text_that_is_none_cannot_do_harm)
{
    char field[8] = {'a', '\x1b', '[', '\n', '\xff', 'b', 'c', 'd'}, text[9];
    text[8] = 'x';
    bypeer_status_text(text, field, sizeof(field));
    cr_assert_str_eq(text, "a?[??bc");
    cr_assert_eq(text[8], 'x');
}

Test(status, sizes_have_limits)
{
    struct bypeer_status_size wrong = size;
    wrong.counters = BYPEER_COUNTERS_MAX + 1;
    cr_assert_eq(bypeer_status_bytes(&wrong), 0);
    wrong = size, wrong.workers = 0;
    cr_assert_eq(bypeer_status_bytes(&wrong), 0);
    wrong = size, wrong.ports = UINT32_MAX;
    cr_assert_eq(bypeer_status_bytes(&wrong), 0);
    cr_assert_eq(bypeer_status_init(&status, status.header, bytes, &wrong, 7, 0), -EINVAL);
    struct bypeer_status_size most = {BYPEER_COUNTERS_MAX, BYPEER_STATUS_WORKERS_MAX, BYPEER_STATUS_PORTS_MAX};
    cr_assert_leq(bypeer_status_bytes(&most), BYPEER_STATUS_BYTES_MAX);
}

Test(status, each_worker_has_events)
{
    struct bypeer_status_header *header = status.header;
    header->sections[BYPEER_STATUS_EVENTS].count--;
    cr_assert_eq(bypeer_status_attach(&view, header, bytes, why), -EPROTO);
    cr_assert(strstr(why, "events"), "%s", why);
}

Test(status, more_than_the_limits_is_refused)
{
    /* Enough room for it, so only the limit says no. */
    uint64_t counts[] = {BYPEER_COUNTERS_MAX + 1, 1, 1, 1};
    uint64_t large = bypeer_region_bytes(BYPEER_REGION_STATUS, counts);
    void *base = aligned_alloc(BYPEER_CACHE_LINE, large);
    memset(base, 0, large);
    cr_assert_eq(bypeer_region_init(base, large, BYPEER_REGION_STATUS, 1, 7, 0, counts), 0);
    bypeer_region_publish(base);
    cr_assert_eq(bypeer_status_attach(&view, base, large, why), -EPROTO);
    cr_assert(strstr(why, "249"), "%s", why);
    free(base);
}
