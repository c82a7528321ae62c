#include "perf/sim_growth.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "perf/sim_attack.h"
#include "perf/sim_nodes.h"
#include "perf/sim_random.h"

#define GROWTH_STEP_MS  100
#define WARM_PER_LEVEL  20 /* about what a small cache keeps of a level */
#define PROGRESS_STEP_S 60

static enum sim_role growth_role(struct sim *sim)
{
    const struct sim_options *options = &sim->options;
    bool is_super = sim_random_unit(&sim->random) * options->nodes < options->supernodes;
    return is_super ? SIM_SUPERNODE : SIM_ORDINARY;
}

static void growth_join_seeds(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->options.seeds; i++)
        sim_node_join(sim, SIM_SEED);
}

static void growth_progress(const struct sim *sim)
{
    if (sim->options.progress && sim->queue.now_ms % (PROGRESS_STEP_S * 1000) == 0)
        fprintf(stderr, "cloud-sim: %6.0f s, %u nodes, %ju events ahead\n", (double)sim->queue.now_ms / 1000,
                sim->live_count, (uintmax_t)sim->queue.count);
}

static void growth_join_all(struct sim *sim)
{
    const struct sim_options *options = &sim->options;
    double due = options->seeds;
    while (sim->live_count < options->nodes) {
        due += fmax(0.2, due * options->growth_per_s * GROWTH_STEP_MS / 1000);
        while (sim->live_count < options->nodes && sim->live_count < due)
            if (sim_node_join(sim, growth_role(sim)) == UINT32_MAX)
                exit(1);
        sim_pass(sim, sim->queue.now_ms + GROWTH_STEP_MS);
        growth_progress(sim);
    }
}

static int warm_compare(const void *a, const void *b, void *context)
{
    const struct sim *sim = context;
    const uint32_t *first = a, *second = b;
    return memcmp(sim->nodes[*first].id, sim->nodes[*second].id, BYPEER_ID_BYTES);
}

static void warm_tell(struct sim *sim, struct sim_node *node, const struct sim_node *other)
{
    struct bypeer_pnrp_endpoint endpoint;
    sim_node_endpoint(other, &endpoint);
    struct bypeer_pnrp_entry entry = {
        .id = other->id, .addresses = endpoint.address, .address_count = 1, .port = endpoint.port};
    bypeer_pnrp_preload(node->pnrp, sim_time(sim), &entry);
}

/* Leaf set and levels of the node at a place of the ring. */
static void warm_fill(struct sim *sim, const uint32_t *ring, uint32_t at)
{
    uint32_t count = sim->live_count;
    struct sim_node *node = &sim->nodes[ring[at]];
    for (uint32_t step = 1; step <= BYPEER_LEAF_SET && step < count; step++) {
        warm_tell(sim, node, &sim->nodes[ring[(at + step) % count]]);
        warm_tell(sim, node, &sim->nodes[ring[(at + count - step) % count]]);
    }
    uint32_t inner = BYPEER_LEAF_SET;
    while (inner < count / 2) {
        uint32_t outer = inner * 10 < count / 2 ? inner * 10 : count / 2;
        for (unsigned i = 0; i < WARM_PER_LEVEL; i++) {
            uint32_t step = inner + random_next_below(&sim->random, outer - inner);
            uint32_t other = i % 2 == 0 ? at + step : at + count - step;
            warm_tell(sim, node, &sim->nodes[ring[other % count]]);
        }
        inner = outer;
    }
}

static void growth_join_warm(struct sim *sim)
{
    while (sim->live_count < sim->options.nodes)
        if (sim_node_join(sim, growth_role(sim)) == UINT32_MAX)
            exit(1);
    uint32_t *ring = malloc(sim->live_count * sizeof(*ring));
    if (ring == NULL)
        exit(1);
    memcpy(ring, sim->live, sim->live_count * sizeof(*ring));
    qsort_r(ring, sim->live_count, sizeof(*ring), warm_compare, sim);
    for (uint32_t at = 0; at < sim->live_count; at++)
        warm_fill(sim, ring, at);
    free(ring);
}

void sim_growth_run(struct sim *sim)
{
    growth_join_seeds(sim);
    if (sim->options.warm)
        growth_join_warm(sim);
    else
        growth_join_all(sim);
    sim->is_grown = true;
    uint64_t end_ms = sim->queue.now_ms + sim->options.settle_s * UINT64_C(1000);
    while (sim->queue.now_ms < end_ms) {
        sim_pass(sim, sim->queue.now_ms + GROWTH_STEP_MS);
        growth_progress(sim);
    }
}

static void churn_next(struct sim *sim, struct sim_event *event);

static void churn_schedule(struct sim *sim)
{
    double mean_ms = 3600e3 / (sim->options.nodes * sim->options.churn_per_hour);
    double wait_ms = sim_random_exponential(&sim->random, mean_ms);
    sim_call(sim, sim->queue.now_ms + (uint64_t)(wait_ms + sim_random_unit(&sim->random)), churn_next, 0);
}

static void churn_next(struct sim *sim, struct sim_event *event)
{
    (void)event;
    uint32_t slot = sim_node_any(sim);
    if (sim->nodes[slot].role != SIM_SEED && slot != sim_attack_victim(sim)) {
        enum sim_role role = (enum sim_role)sim->nodes[slot].role;
        sim_node_kill(sim, slot);
        sim_node_join(sim, role);
    }
    churn_schedule(sim);
}

void sim_growth_start_churn(struct sim *sim)
{
    if (sim->options.churn_per_hour > 0)
        churn_schedule(sim);
}
