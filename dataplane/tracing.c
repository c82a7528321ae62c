#include <stdio.h>
#include <string.h>

#include "dataplane/log.h"
#include "dataplane/tracing.h"

void bypeer_tracing_init(struct bypeer_tracing *ret_tracing, struct bypeer_workers *workers)
{
    memset(ret_tracing, 0, sizeof(*ret_tracing));
    ret_tracing->workers = workers;
    pthread_mutex_init(&ret_tracing->mutex, NULL);
}

static void tracing_switch(struct bypeer_tracing *tracing, uint32_t on)
{
    for (uint16_t i = 0; i < tracing->workers->count; i++)
        /* The numbers before the flag; pairs with the load in bypeer_trace_runs(). */
        __atomic_store_n(&tracing->workers->threads[i].worker.trace->left, on, __ATOMIC_RELEASE);
}

void bypeer_tracing_start(struct bypeer_tracing *tracing, uint32_t packets)
{
    struct bypeer_trace_numbers *numbers = &tracing->workers->trace_numbers;
    packets = RTE_MIN(packets, (uint32_t)BYPEER_TRACE_PACKETS_MAX);
    tracing_switch(tracing, 0);
    for (uint16_t i = 0; i < tracing->workers->count; i++) { /* what is left of the trace before */
        struct bypeer_trace *trace = tracing->workers->threads[i].worker.trace;
        __atomic_store_n(&trace->tail, __atomic_load_n(&trace->head, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
    }
    __atomic_store_n(&numbers->wanted, packets, __ATOMIC_RELAXED);
    __atomic_store_n(&numbers->next, 0, __ATOMIC_RELAXED);
    tracing->numbered = false;
    tracing->runs = true;
    pthread_mutex_lock(&tracing->mutex);
    tracing->kept_count = 0;
    pthread_mutex_unlock(&tracing->mutex);
    tracing_switch(tracing, packets);
}

static void tracing_keep(struct bypeer_tracing *tracing, uint16_t worker, const struct bypeer_trace_step *step)
{
    pthread_mutex_lock(&tracing->mutex);
    if (tracing->kept_count < BYPEER_TRACING_KEPT) {
        char *line = tracing->kept[tracing->kept_count++];
        snprintf(line, sizeof(tracing->kept[0]), "packet %u worker %u tsc %lu %s -> %s %u bytes", step->packet, worker,
                 (unsigned long)step->tsc, step->node, step->next != NULL ? step->next : "end", step->frame_bytes);
    }
    pthread_mutex_unlock(&tracing->mutex);
}

/* Have all workers finished a walk since every packet had its number? */
static bool tracing_is_over(struct bypeer_tracing *tracing)
{
    const struct bypeer_trace_numbers *numbers = &tracing->workers->trace_numbers;
    bool over = tracing->numbered;
    if (!over &&
        __atomic_load_n(&numbers->next, __ATOMIC_RELAXED) < __atomic_load_n(&numbers->wanted, __ATOMIC_RELAXED))
        return false;
    for (uint16_t i = 0; i < tracing->workers->count; i++) {
        const struct bypeer_worker_thread *thread = &tracing->workers->threads[i];
        uint64_t walks = __atomic_load_n(&thread->status->walks, __ATOMIC_ACQUIRE);
        if (!tracing->numbered)
            tracing->walks[i] = walks;
        else if (walks == tracing->walks[i] && !bypeer_wakeup_sleeps(&thread->wakeup))
            over = false;
    }
    tracing->numbered = true;
    return over;
}

static void tracing_report_lost(const struct bypeer_tracing *tracing)
{
    for (uint16_t i = 0; i < tracing->workers->count; i++) {
        struct bypeer_trace *trace = tracing->workers->threads[i].worker.trace;
        uint32_t lost = __atomic_exchange_n(&trace->lost, 0, __ATOMIC_RELAXED);
        if (lost > 0)
            bypeer_log(BYPEER_LOG_WARNING, "trace: worker %u had no room for %u steps; trace fewer packets", i, lost);
    }
}

bool bypeer_tracing_drain(struct bypeer_tracing *tracing,
                          bool (*take)(void *context, uint16_t worker, const struct bypeer_trace_step *step),
                          void *context)
{
    bool over = tracing_is_over(tracing); /* before the rings are emptied for the last time */
    for (uint16_t i = 0; i < tracing->workers->count; i++) {
        struct bypeer_trace *trace = tracing->workers->threads[i].worker.trace;
        /* Pairs with the store in bypeer_trace_step(). */
        uint32_t head = __atomic_load_n(&trace->head, __ATOMIC_ACQUIRE);
        for (; trace->tail != head; __atomic_store_n(&trace->tail, trace->tail + 1, __ATOMIC_RELEASE)) {
            uint32_t tail = trace->tail;
            const struct bypeer_trace_step *step = &trace->steps[tail % BYPEER_TRACE_STEPS];
            /* take() may have ended the trace, which skips all that is left of it. */
            if (!take(context, i, step) || trace->tail != tail)
                return false;
            tracing_keep(tracing, i, step);
        }
    }
    if (over) {
        tracing_switch(tracing, 0);
        tracing->runs = false;
        tracing_report_lost(tracing);
    }
    return over;
}
