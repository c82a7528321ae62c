#include "perf/sim_workload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "perf/sim_attack.h"
#include "perf/sim_nodes.h"
#include "perf/sim_random.h"

#define RING_SAMPLE 500
#define DRAIN_S     (SIM_TIMEOUT_S + 2)
#define TRIES       64 /* to find a node that is old enough */

struct sim_resolve {
    struct sim_resolve *next, *previous;
    uint64_t number; /* 0: the call has not returned yet */
    uint64_t begun_ms;
    uint32_t at, target;
    bool is_found;
};

int sim_workload_open(struct sim *sim)
{
    sim->window_count = (sim->options.measure_s + SIM_WINDOW_S - 1) / SIM_WINDOW_S;
    sim->windows = calloc(sim->window_count, sizeof(*sim->windows));
    sim->tally.took_ms = calloc(sim->options.resolves + 1, sizeof(*sim->tally.took_ms));
    return sim->windows == NULL || sim->tally.took_ms == NULL ? -ENOMEM : 0;
}

static void resolve_remove(struct sim *sim, struct sim_resolve *resolve)
{
    if (resolve->previous != NULL)
        resolve->previous->next = resolve->next;
    else
        sim->resolves = resolve->next;
    if (resolve->next != NULL)
        resolve->next->previous = resolve->previous;
    free(resolve);
}

void sim_workload_close(struct sim *sim)
{
    for (struct sim_resolve *resolve = sim->resolves, *next; resolve != NULL; resolve = next) {
        next = resolve->next;
        free(resolve);
    }
    free(sim->windows);
    free(sim->tally.took_ms);
}

static struct sim_window *tally_window(struct sim *sim, uint64_t at_ms)
{
    uint64_t window = (at_ms - sim->tally.begun_ms) / (SIM_WINDOW_S * 1000);
    return &sim->windows[window < sim->window_count ? window : sim->window_count - 1];
}

static struct sim_resolve *resolve_find(struct sim *sim, uint32_t at, uint64_t number)
{
    for (struct sim_resolve *resolve = sim->resolves; resolve != NULL; resolve = resolve->next)
        if (resolve->at == at && (resolve->number == number || resolve->number == 0))
            return resolve;
    return NULL;
}

static void resolve_end(struct sim *sim, struct sim_resolve *resolve, unsigned hops)
{
    struct sim_tally *tally = &sim->tally;
    struct sim_window *window = tally_window(sim, resolve->begun_ms);
    bool is_attacked = resolve->target == sim_attack_victim(sim);
    tally->begun++;
    tally->target_begun += is_attacked;
    tally->target_resolved += is_attacked && resolve->is_found;
    window->begun++;
    if (resolve->is_found) {
        tally->took_ms[tally->resolved++] = (uint32_t)(sim->queue.now_ms - resolve->begun_ms);
        tally->hops[hops < SIM_HOPS_MAX ? hops : SIM_HOPS_MAX]++;
        window->resolved++;
    } else {
        tally->failed++;
    }
    resolve_remove(sim, resolve);
}

void sim_workload_found(void *context, uint64_t number, const struct bypeer_pnrp_found *found)
{
    struct sim_node *node = context;
    struct sim *sim = node->sim;
    struct sim_resolve *resolve = resolve_find(sim, (uint32_t)(node - sim->nodes), number);
    if (resolve == NULL)
        return;
    resolve->is_found = memcmp(found->id, sim->nodes[resolve->target].id, BYPEER_ID_BYTES) == 0;
    resolve_end(sim, resolve, found->hops);
}

void sim_workload_finished(void *context, uint64_t number, int status)
{
    struct sim_node *node = context;
    struct sim *sim = node->sim;
    struct sim_resolve *resolve = resolve_find(sim, (uint32_t)(node - sim->nodes), number);
    (void)status; /* a result has ended it before */
    if (resolve != NULL)
        resolve_end(sim, resolve, 0);
}

void sim_workload_left(struct sim *sim, uint32_t slot)
{
    for (struct sim_resolve *resolve = sim->resolves, *next; resolve != NULL; resolve = next) {
        next = resolve->next;
        if (resolve->at == slot || resolve->target == slot) {
            sim->tally.void_of_churn++;
            resolve_remove(sim, resolve);
        }
    }
}

static bool workload_is_old(const struct sim *sim, uint32_t slot)
{
    return sim->nodes[slot].joined_ms + SIM_NAME_AGE_S * 1000 <= sim->queue.now_ms;
}

static void workload_resolve(struct sim *sim)
{
    uint32_t at = sim_node_any(sim), target = sim_attack_target(sim);
    for (unsigned i = 0; i < TRIES && (target == UINT32_MAX || target == at || !workload_is_old(sim, target)); i++)
        target = sim_node_any(sim);
    for (unsigned i = 0; i < TRIES && (target == at || !workload_is_old(sim, at)); i++)
        at = sim_node_any(sim);
    sim->tally.started++;
    struct sim_resolve *resolve = calloc(1, sizeof(*resolve));
    if (resolve == NULL || at == target)
        exit(1);
    *resolve = (struct sim_resolve){.next = sim->resolves, .at = at, .target = target, .begun_ms = sim->queue.now_ms};
    if (sim->resolves != NULL)
        sim->resolves->previous = resolve;
    sim->resolves = resolve;

    struct bypeer_peer_name name;
    sim_node_name(sim, sim->nodes[target].serial, &name);
    struct bypeer_pnrp_query query = {.name = &name, .criterion = BYPEER_PNRP_ANY};
    uint64_t number = 0;
    int status = bypeer_pnrp_resolve(sim->nodes[at].pnrp, sim_time(sim), &query, &number);
    resolve = resolve_find(sim, at, 0); /* unless it has ended already */
    if (resolve != NULL && status != 0)
        resolve_end(sim, resolve, 0);
    else if (resolve != NULL)
        resolve->number = number;
    sim_node_settle(&sim->nodes[at]);
}

static void workload_next(struct sim *sim, struct sim_event *event)
{
    (void)event;
    double mean_ms = sim->options.measure_s * 1000.0 / sim->options.resolves;
    uint64_t next_ms = sim->queue.now_ms + (uint64_t)(sim_random_exponential(&sim->random, mean_ms) + 0.5);
    if (sim->tally.started >= sim->options.resolves || !sim->is_measuring)
        return;
    workload_resolve(sim);
    sim_call(sim, next_ms, workload_next, 0);
}

static int ring_compare(const void *a, const void *b, void *context)
{
    const struct sim *sim = context;
    const uint32_t *first = a, *second = b;
    return memcmp(sim->nodes[*first].id, sim->nodes[*second].id, BYPEER_ID_BYTES);
}

double sim_workload_ring(struct sim *sim, uint32_t sample)
{
    uint32_t count = sim->live_count, good = 0;
    uint32_t *ring = malloc(count * sizeof(*ring));
    if (ring == NULL || count < 3) {
        free(ring);
        return 0;
    }
    memcpy(ring, sim->live, count * sizeof(*ring));
    qsort_r(ring, count, sizeof(*ring), ring_compare, sim);
    uint64_t random = sim->queue.now_ms; /* looking must not change what happens */
    for (uint32_t i = 0; i < sample; i++) {
        uint32_t at = random_next_below(&random, count);
        const struct bypeer_cache *cache = bypeer_pnrp_cache(sim->nodes[ring[at]].pnrp);
        good += bypeer_cache_find(cache, sim->nodes[ring[(at + 1) % count]].id) != NULL &&
                bypeer_cache_find(cache, sim->nodes[ring[(at + count - 1) % count]].id) != NULL;
    }
    free(ring);
    return (double)good / sample;
}

static bool workload_is_small(const struct sim *sim, const struct sim_node *node)
{
    return node->role == SIM_ORDINARY || (node->role == SIM_SEED && sim->options.supernodes == 0);
}

double sim_workload_stale(const struct sim *sim)
{
    struct bypeer_id_number anywhere = {{0}};
    uint64_t stale = 0, all = 0;
    for (uint32_t i = 0; i < sim->live_count; i++) {
        const struct sim_node *node = &sim->nodes[sim->live[i]];
        if (!workload_is_small(sim, node))
            continue;
        struct bypeer_cache_walk walk;
        const struct bypeer_route *route;
        bypeer_cache_walk(bypeer_pnrp_cache(node->pnrp), anywhere, &walk);
        while ((route = bypeer_cache_above(&walk)) != NULL) {
            uint32_t slot = sim_node_find(sim, route->address);
            stale += slot == UINT32_MAX || sim->nodes[slot].role == SIM_VICTIM;
            all++;
        }
    }
    return all > 0 ? (double)stale / (double)all : 0;
}

double sim_workload_state(struct sim *sim)
{
    double sum = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < sim->live_count; i++) {
        const struct sim_node *node = &sim->nodes[sim->live[i]];
        if (!workload_is_small(sim, node))
            continue;
        size_t bytes = bypeer_pnrp_bytes(node->pnrp);
        sum += (double)bytes;
        count++;
        if (bytes > sim->state_max_bytes)
            sim->state_max_bytes = bytes;
    }
    return count > 0 ? sum / count : 0;
}

void sim_workload_run(struct sim *sim)
{
    for (uint32_t slot = 0; slot < sim->slot_count; slot++)
        sim->nodes[slot].sent_bytes = sim->nodes[slot].received_bytes = 0;
    struct sim_tally *tally = &sim->tally;
    tally->datagrams = tally->bytes = tally->lost = 0;
    tally->begun_ms = sim->queue.now_ms;
    sim->is_measuring = true;
    sim_call(sim, sim->queue.now_ms + 1, workload_next, 0);
    for (uint32_t i = 0; i < sim->window_count; i++) {
        uint64_t datagrams = tally->datagrams, bytes = tally->bytes;
        sim_pass(sim, sim->queue.now_ms + SIM_WINDOW_S * 1000);
        sim->windows[i].datagrams = tally->datagrams - datagrams;
        sim->windows[i].bytes = tally->bytes - bytes;
        sim->windows[i].ring = sim_workload_ring(sim, RING_SAMPLE);
        sim_workload_state(sim);
        if (sim->options.progress)
            fprintf(stderr, "cloud-sim: %6.0f s, %u resolves, %u failed, ring %.3f\n", (double)sim->queue.now_ms / 1000,
                    tally->begun, tally->failed, sim->windows[i].ring);
    }
    tally->ended_ms = sim->queue.now_ms;
    sim->is_measuring = false;
    uint64_t datagrams = tally->datagrams, bytes = tally->bytes, lost = tally->lost;
    sim_pass(sim, sim->queue.now_ms + DRAIN_S * 1000);
    tally->datagrams = datagrams;
    tally->bytes = bytes;
    tally->lost = lost;
}

uint32_t sim_tally_hops(const struct sim_tally *tally, double share)
{
    uint32_t passed = 0;
    for (uint32_t hops = 0; hops <= SIM_HOPS_MAX; hops++) {
        passed += tally->hops[hops];
        if (passed >= share * tally->resolved)
            return hops;
    }
    return SIM_HOPS_MAX;
}

static int took_compare(const void *a, const void *b)
{
    const uint32_t *first = a, *second = b;
    return (*first > *second) - (*first < *second);
}

uint32_t sim_tally_took_ms(struct sim_tally *tally, double share)
{
    if (tally->resolved == 0)
        return 0;
    qsort(tally->took_ms, tally->resolved, sizeof(*tally->took_ms), took_compare);
    uint32_t at = (uint32_t)(share * tally->resolved);
    return tally->took_ms[at < tally->resolved ? at : tally->resolved - 1];
}
