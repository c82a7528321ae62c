/*
 * trace: the next packets' way through the data plane, as it tells it step by step.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/api/call.h"
#include "control/dataplane/channel.h"
#include "overlay/tables/status.h"

#define TIMEOUT_MS 5000
#define STEPS_MAX  64000 /* 1000 packets and 64 nodes: more than any honest data plane sends */

struct trace {
    struct call *call;
    json_t *steps;
    uint64_t first_tsc;
};

static void trace_on_step(void *context, const struct bypeer_handover *message, uint64_t tsc_hz)
{
    struct trace *trace = context;
    const size_t count = json_array_size(trace->steps);
    if (count >= STEPS_MAX)
        return;
    if (count == 0)
        trace->first_tsc = message->traced.tsc;
    double ticks = (double)(int64_t)(message->traced.tsc - trace->first_tsc);
    char node[sizeof(message->traced.node)], next[sizeof(message->traced.next)];
    char head[2 * sizeof(message->traced.head) + 1] = "";
    bypeer_status_text(node, message->traced.node, sizeof(node));
    bypeer_status_text(next, message->traced.next, sizeof(next));
    for (unsigned at = 0; at < message->traced.head_bytes && at < sizeof(message->traced.head); at++)
        snprintf(head + 2 * at, 3, "%02x", message->traced.head[at]);
    json_array_append_new(trace->steps,
                          json_pack("{s:I, s:I, s:I, s:s, s:s, s:I, s:s}", "packet", (json_int_t)message->traced.packet,
                                    "worker", (json_int_t)message->traced.worker, "ns",
                                    tsc_hz > 0 ? (json_int_t)(ticks * 1e9 / (double)tsc_hz) : 0, "node", node, "next",
                                    next, "frame_bytes", (json_int_t)message->traced.frame_bytes, "head", head));
}

static void trace_on_end(void *context, bool complete)
{
    struct trace *trace = context;
    struct call *call = trace->call;
    call->result = json_pack("{s:o, s:b}", "steps", trace->steps, "complete", complete);
    call->cancelled = NULL;
    free(trace);
    call_end(call, 0);
}

static void trace_cancel(struct call *call)
{
    struct trace *trace = bypeer_channel_forget_trace(call->node->channel, call);
    if (trace)
        json_decref(trace->steps);
    free(trace);
}

int method_trace(struct call *call)
{
    struct trace *trace = calloc(1, sizeof(*trace));
    if (!trace)
        return bypeer_problem_no_memory(&call->problem);
    *trace = (struct trace){.call = call, .steps = json_array()};
    struct bypeer_channel_trace wanted = {.step = trace_on_step, .end = trace_on_end, .context = trace, .owner = call};
    int result = bypeer_channel_trace(call->node->channel, (uint32_t)call_integer(call, "packets", 1),
                                      (uint32_t)call_integer(call, "timeout_ms", TIMEOUT_MS), &wanted, &call->problem);
    if (result < 0) {
        json_decref(trace->steps);
        free(trace);
        return result;
    }
    call->cancelled = trace_cancel;
    return CALL_LATER;
}
