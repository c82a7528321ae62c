#include <string.h>

#include <rte_cycles.h>

#include "dataplane/trace.h"

void bypeer_trace_begin(struct bypeer_worker *worker, struct rte_mbuf *mbuf)
{
    struct bypeer_trace_numbers *numbers = worker->trace->numbers;
    struct bypeer_packet *packet = bypeer_packet(mbuf);
    uint32_t wanted = __atomic_load_n(&numbers->wanted, __ATOMIC_RELAXED);
    packet->trace = 0;
    /* The look first keeps the shared line clean once all numbers are given out. */
    if (__atomic_load_n(&numbers->next, __ATOMIC_RELAXED) >= wanted)
        return;
    uint32_t number = __atomic_fetch_add(&numbers->next, 1, __ATOMIC_RELAXED);
    if (number < wanted)
        packet->trace = (uint8_t)(number + 1);
}

void bypeer_trace_step(struct bypeer_worker *worker, const struct rte_mbuf *mbuf, const char *node, const char *next)
{
    struct bypeer_trace *trace = worker->trace;
    uint8_t number = bypeer_packet((struct rte_mbuf *)(uintptr_t)mbuf)->trace;
    if (number == 0)
        return;
    uint32_t tail = __atomic_load_n(&trace->tail, __ATOMIC_ACQUIRE);
    if (trace->head - tail == BYPEER_TRACE_STEPS) {
        __atomic_store_n(&trace->lost, trace->lost + 1, __ATOMIC_RELAXED);
        return;
    }
    struct bypeer_trace_step *step = &trace->steps[trace->head % BYPEER_TRACE_STEPS];
    step->tsc = rte_rdtsc();
    step->packet = number - 1u;
    step->node = node;
    step->next = next;
    step->frame_bytes = (uint16_t)RTE_MIN(mbuf->pkt_len, (uint32_t)UINT16_MAX);
    step->head_bytes = (uint16_t)RTE_MIN(mbuf->data_len, (uint16_t)BYPEER_TRACE_HEAD);
    memcpy(step->head, rte_pktmbuf_mtod(mbuf, const void *), step->head_bytes);
    /* The step before the head that shows it; pairs with the load in tracing_drain(). */
    __atomic_store_n(&trace->head, trace->head + 1, __ATOMIC_RELEASE);
}
