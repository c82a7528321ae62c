/* Slow work of calls on threads: who is gone has nothing done for him that was not begun. */
#include <criterion/criterion.h>
#include <semaphore.h>
#include <stdlib.h>

#include "control/api/work.h"
#include "control/node.h"

#define CALLS 20

static sem_t begun, may_end;
static unsigned runs, finishes, releases;

static int work_run(struct call_work *work)
{
    (void)work;
    sem_post(&begun);
    sem_wait(&may_end);
    __atomic_fetch_add(&runs, 1, __ATOMIC_RELAXED);
    return 0;
}

static int work_end(struct call *call, struct call_work *work)
{
    (void)call;
    (void)work;
    finishes++;
    return CALL_LATER;
}

static void work_release(struct call_work *work)
{
    (void)work;
    releases++;
}

static const struct call_work_kind kind = {
    .bytes = sizeof(struct call_work), .run = work_run, .finish = work_end, .release = work_release};

static uv_loop_t loop;
static struct bypeer_node node;
static struct call calls[CALLS];

static void set_up(void)
{
    setenv("UV_THREADPOOL_SIZE", "1", 1);
    cr_assert_eq(uv_loop_init(&loop), 0);
    cr_assert_eq(sem_init(&begun, 0, 0), 0);
    cr_assert_eq(sem_init(&may_end, 0, 0), 0);
    node.loop = &loop;
    for (unsigned i = 0; i < CALLS; i++) {
        calls[i] = (struct call){.node = &node, .parameters = json_object()};
        cr_assert_eq(call_work_begin(call_work_new(&calls[i], &kind)), CALL_LATER);
    }
    sem_wait(&begun);
}

static void finish(void)
{
    for (unsigned i = 0; i < CALLS; i++)
        sem_post(&may_end);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(releases, CALLS, "whatever was begun is let go of");
    for (unsigned i = 0; i < CALLS; i++)
        json_decref(calls[i].parameters);
    cr_assert_eq(uv_loop_close(&loop), 0);
}

TestSuite(work, .init = set_up);

Test(work, what_waits_for_a_thread_is_not_done_for_who_is_gone)
{
    for (unsigned i = 0; i < CALLS; i++)
        calls[i].cancelled(&calls[i]);
    finish();
    cr_assert_eq(runs, 1, "%u were done", runs);
    cr_assert_eq(finishes, 0);
}

Test(work, who_stays_has_his_done)
{
    for (unsigned i = 0; i < CALLS; i += 2)
        calls[i].cancelled(&calls[i]);
    finish();
    cr_assert_eq(runs, 1 + CALLS / 2, "%u were done", runs);
    cr_assert_eq(finishes, CALLS / 2);
}
