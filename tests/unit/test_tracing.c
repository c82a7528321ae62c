/* A trace shows the packets that were asked for, whole, in their order, and ends by itself. */
#include <string.h>

#include <criterion/criterion.h>

#include "dataplane/tracing.h"
#include "tests/unit/walk.h"

static struct bypeer_status_worker row;
static struct bypeer_worker_thread thread = {.status = &row};
static struct bypeer_workers workers = {.count = 1, .threads = &thread};
static struct bypeer_tracing tracing;
static struct bypeer_trace_step taken[BYPEER_TRACE_STEPS];
static unsigned taken_count, takes_left;

static void set_up(void)
{
    walk_set_up();
    walk.worker.trace->numbers = &workers.trace_numbers;
    thread.worker = walk.worker;
    bypeer_tracing_init(&tracing, &workers);
    takes_left = RTE_DIM(taken);
}

TestSuite(tracing, .init = set_up, .fini = walk_tear_down, .timeout = 60);

static bool take(void *context, uint16_t worker, const struct bypeer_trace_step *step)
{
    (void)context;
    cr_assert_eq(worker, 0);
    if (takes_left == 0)
        return false;
    takes_left--;
    taken[taken_count++] = *step;
    return true;
}

static bool drain(void)
{
    return bypeer_tracing_drain(&tracing, take, NULL);
}

/* So many packets from member A to member B go through. */
static void forward(unsigned packets)
{
    static uint8_t inner[WALK_FRAME_MAX], frame[WALK_FRAME_MAX];
    for (unsigned i = 0; i < packets; i++) {
        walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), 100 + i);
        walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, 100 + i));
    }
    walk_once();
    row.walks++;
}

Test(tracing, follows_the_next_packets_and_no_more)
{
    forward(4);
    bypeer_tracing_start(&tracing, 3);
    cr_assert_not(drain(), "nothing came yet");
    forward(2);
    cr_assert_not(drain());
    cr_assert(tracing.runs);
    forward(2);
    cr_assert_not(drain(), "the last steps of a walk may still be on their way");
    forward(1);
    cr_assert(drain());
    cr_assert_not(tracing.runs);
    unsigned complete = taken_count;
    forward(3);
    drain();
    cr_assert_eq(taken_count, complete, "it is over");

    unsigned first[3] = {0}, last[3] = {0};
    for (unsigned i = 0; i < taken_count; i++) {
        cr_assert_lt(taken[i].packet, 3);
        first[taken[i].packet] += strncmp(taken[i].node, "receive", 7) == 0;
        last[taken[i].packet] += strcmp(taken[i].node, "transmit") == 0;
        if (strncmp(taken[i].node, "receive", 7) == 0)
            cr_assert_eq(taken[i].frame_bytes, 70 + 100 + (taken[i].packet == 1));
    }
    for (unsigned i = 0; i < 3; i++)
        cr_assert(first[i] == 1 && last[i] == 1, "packet %u is shown from receive to transmit", i);
}

Test(tracing, keeps_what_the_reader_has_no_room_for)
{
    bypeer_tracing_start(&tracing, 2);
    forward(2);
    takes_left = 3;
    cr_assert_not(drain());
    forward(1);
    cr_assert_not(drain());
    cr_assert_eq(taken_count, 3);
    takes_left = 100;
    cr_assert(drain());
    cr_assert_gt(taken_count, 10);
    for (unsigned i = 1; i < taken_count; i++)
        cr_assert_geq(taken[i].tsc, taken[i - 1].tsc, "each step once, in order");
}

Test(tracing, a_new_trace_ends_the_one_before)
{
    bypeer_tracing_start(&tracing, 200);
    forward(5);
    bypeer_tracing_start(&tracing, 1);
    forward(1);
    drain();
    forward(1);
    cr_assert(drain());
    for (unsigned i = 0; i < taken_count; i++)
        cr_assert_eq(taken[i].packet, 0);
    bypeer_tracing_start(&tracing, 0);
    drain();
    forward(1);
    cr_assert(drain(), "0 packets: only ends what runs");
}

Test(tracing, the_longest_trace_fits)
{
    bypeer_tracing_start(&tracing, BYPEER_TRACE_PACKETS_MAX);
    for (unsigned i = 0; i < 6; i++)
        forward(50);
    forward(1);
    while (!drain())
        forward(1);
    unsigned ends = 0;
    for (unsigned i = 0; i < taken_count; i++)
        ends += strcmp(taken[i].node, "transmit") == 0;
    cr_assert_eq(ends, BYPEER_TRACE_PACKETS_MAX);
    cr_assert_eq(walk.worker.trace->lost, 0);
}

/* As the channel does when the connection ends in the middle. */
static bool take_and_end(void *context, uint16_t worker, const struct bypeer_trace_step *step)
{
    take(context, worker, step);
    bypeer_tracing_start(&tracing, 0);
    return true;
}

Test(tracing, may_be_ended_while_it_is_drained)
{
    bypeer_tracing_start(&tracing, 3);
    forward(3);
    bypeer_tracing_drain(&tracing, take_and_end, NULL);
    cr_assert_eq(taken_count, 1, "nothing of the ended trace comes later");
    cr_assert_eq(walk.worker.trace->tail, walk.worker.trace->head);
}
