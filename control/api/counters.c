/*
 * counters: every counter of the data plane by name, and the packet sum (ARCHITECTURE, section 4).
 *
 * The workers count on while they are read, so a sum over several counters is exact only when nothing is on its way:
 * outputs are read before inputs, so that "in flight" is never negative.
 */
#include "control/api/hints.h"
#include "control/dataplane/channel.h"

static const struct bypeer_status_view *counters_view(const struct bypeer_node *node)
{
    const struct bypeer_dataplane_process *process = node->channel ? bypeer_channel_process(node->channel) : NULL;
    return process ? &process->view : NULL;
}

/* Copied once: what lies in the region may change. */
static uint32_t counters_class(const struct bypeer_status_view *view, uint32_t counter)
{
    uint32_t class = __atomic_load_n(&view->counters[counter].class, __ATOMIC_RELAXED);
    return class <= BYPEER_COUNTER_DROPPED ? class : BYPEER_COUNTER_OTHER;
}

static uint64_t counters_value(const struct bypeer_status_view *view, uint32_t counter)
{
    uint64_t sum = 0;
    for (uint32_t worker = 0; worker < view->size.workers; worker++)
        sum += bypeer_status_counter(view, worker, counter);
    return sum;
}

static bool counters_is_output(uint32_t class)
{
    return class >= BYPEER_COUNTER_SENT;
}

void hints_sum(const struct bypeer_node *node, struct hints_sums *ret_sums)
{
    *ret_sums = (struct hints_sums){0};
    const struct bypeer_status_view *view = counters_view(node);
    for (int outputs = 1; view && outputs >= 0; outputs--) {
        for (uint32_t counter = 0; counter < view->size.counters; counter++) {
            uint32_t class = counters_class(view, counter);
            if (counters_is_output(class) == (outputs == 1))
                ret_sums->classes[class] += counters_value(view, counter);
        }
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    }
}

/* received + injected + generated + copied */
static uint64_t hints_in(const struct hints_sums *sums)
{
    return sums->classes[BYPEER_COUNTER_RECEIVED] + sums->classes[BYPEER_COUNTER_INJECTED] +
           sums->classes[BYPEER_COUNTER_GENERATED] + sums->classes[BYPEER_COUNTER_COPIED];
}

/* sent + punted + consumed + dropped */
static uint64_t hints_out(const struct hints_sums *sums)
{
    return sums->classes[BYPEER_COUNTER_SENT] + sums->classes[BYPEER_COUNTER_PUNTED] +
           sums->classes[BYPEER_COUNTER_CONSUMED] + sums->classes[BYPEER_COUNTER_DROPPED];
}

json_t *hints_packets(const struct hints_sums *sums)
{
    const uint64_t *classes = sums->classes;
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "received", (json_int_t)classes[BYPEER_COUNTER_RECEIVED],
        "injected", (json_int_t)classes[BYPEER_COUNTER_INJECTED], "generated",
        (json_int_t)classes[BYPEER_COUNTER_GENERATED], "copied", (json_int_t)classes[BYPEER_COUNTER_COPIED], "sent",
        (json_int_t)classes[BYPEER_COUNTER_SENT], "punted", (json_int_t)classes[BYPEER_COUNTER_PUNTED], "consumed",
        (json_int_t)classes[BYPEER_COUNTER_CONSUMED], "dropped", (json_int_t)classes[BYPEER_COUNTER_DROPPED],
        "in_flight", (json_int_t)(hints_in(sums) - hints_out(sums)));
}

static json_t *counters_list(const struct bypeer_status_view *view)
{
    static const char *const classes[] = {"other",  "node", "received", "injected", "generated",
                                          "copied", "sent", "punted",   "consumed", "dropped"};
    json_t *list = json_array();
    for (uint32_t counter = 0; view && counter < view->size.counters; counter++) {
        const struct bypeer_counter_name *from = &view->counters[counter];
        char name[sizeof(from->name)], text[sizeof(from->text)];
        bypeer_status_text(name, from->name, sizeof(name));
        bypeer_status_text(text, from->text, sizeof(text));
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I}", "name", name, "class",
                                              classes[counters_class(view, counter)], "text", text, "value",
                                              (json_int_t)counters_value(view, counter)));
    }
    return list;
}

static json_t *counters_workers(const struct bypeer_status_view *view)
{
    json_t *workers = json_array();
    for (uint32_t worker = 0; view && worker < view->size.workers; worker++) {
        json_t *values = json_array();
        for (uint32_t counter = 0; counter < view->size.counters; counter++)
            json_array_append_new(values, json_integer((json_int_t)bypeer_status_counter(view, worker, counter)));
        json_array_append_new(workers, json_pack("{s:I, s:o}", "index", (json_int_t)worker, "values", values));
    }
    return workers;
}

int method_counters(struct call *call)
{
    const struct bypeer_status_view *view = counters_view(call->node);
    struct hints_sums sums;
    hints_sum(call->node, &sums);
    json_int_t in = (json_int_t)hints_in(&sums), out = (json_int_t)hints_out(&sums);
    call->result = json_pack("{s:o, s:{s:I, s:I, s:I}}", "counters", counters_list(view), "sum", "in", in, "out", out,
                             "difference", in - out);
    if (json_is_true(json_object_get(call->parameters, "per_worker")))
        json_object_set_new(call->result, "workers", counters_workers(view));
    return 0;
}
