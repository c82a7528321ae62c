#include "control/api/work.h"

#include <stdlib.h>
#include <string.h>

struct call_work *call_work_new(struct call *call, const struct call_work_kind *kind)
{
    struct call_work *work = calloc(1, kind->bytes);
    if (!work) {
        bypeer_problem_no_memory(&call->problem);
        return NULL;
    }
    work->kind = kind;
    work->call = call;
    /* The thread only reads it. */
    work->parameters = json_incref(call->parameters);
    work->work.data = work;
    return work;
}

void call_work_free(struct call_work *work)
{
    size_t bytes = work->kind->bytes;
    if (work->kind->release)
        work->kind->release(work);
    json_decref(work->parameters);
    explicit_bzero(work, bytes);
    free(work);
}

const char *call_work_string(const struct call_work *work, const char *name)
{
    return json_string_value(json_object_get(work->parameters, name));
}

static int work_finish(struct call *call, struct call_work *work)
{
    if (work->result == 0)
        return work->kind->finish(call, work);
    call->problem = work->problem;
    return work->result;
}

static void work_on_thread(uv_work_t *request)
{
    struct call_work *work = request->data;
    work->result = work->kind->run(work);
}

static void work_on_done(uv_work_t *request, int status)
{
    struct call_work *work = request->data;
    struct call *call = work->call;
    if (call) {
        call->cancelled = NULL;
        if (status < 0)
            work->result = bypeer_problem_no_memory(&work->problem);
        int outcome = work_finish(call, work);
        if (outcome != CALL_LATER)
            call_end(call, outcome);
    }
    call_work_free(work);
}

static void work_cancel(struct call *call)
{
    struct call_work *work = call->later;
    work->call = NULL;
    /* What no thread has begun ends at once: it would keep those of others waiting, and the daemon from stopping. */
    uv_cancel((uv_req_t *)&work->work);
}

int call_work_begin(struct call_work *work)
{
    struct call *call = work->call;
    if (call->node->loop && uv_queue_work(call->node->loop, &work->work, work_on_thread, work_on_done) == 0) {
        call->later = work;
        call->cancelled = work_cancel;
        return CALL_LATER;
    }
    work_on_thread(&work->work);
    int outcome = work_finish(call, work);
    call_work_free(work);
    return outcome;
}
