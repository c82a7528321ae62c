#include "perf/sim.h"

#include <errno.h>
#include <stdlib.h>

#include "perf/sim_attack.h"
#include "perf/sim_growth.h"
#include "perf/sim_nodes.h"
#include "perf/sim_trouble.h"
#include "perf/sim_workload.h"

#define UNIX_ORIGIN_S UINT64_C(1767225600) /* any date does: 2026-01-01 */

const struct sim_options sim_options_default = {
    .nodes = 1000,
    .seeds = 8,
    .settle_s = 120,
    .measure_s = 300,
    .resolves = 10000,
    .growth_per_s = 0.02,
    .seed = 1,
    .cut_at_s = 60,
    .cut_share = 0.5,
    .fail_at_s = 60,
    .attackers = 10,
    .attack_rate = 100,
};

int sim_open(struct sim **ret_sim, const struct sim_options *options)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    if (sim == NULL)
        return -ENOMEM;
    sim->options = *options;
    sim->profile = bypeer_profile(BYPEER_PROFILE_MODERN);
    sim->random = options->seed;
    sim->network = (struct sim_network){.loss = options->loss, .random = ~options->seed};
    sim_queue_open(&sim->queue);
    int status = sim_nodes_open(sim);
    if (status == 0)
        status = sim_workload_open(sim);
    if (status == 0)
        status = sim_attack_open(sim);
    if (status != 0) {
        sim_close(sim);
        return status;
    }
    *ret_sim = sim;
    return 0;
}

void sim_close(struct sim *sim)
{
    sim_attack_close(sim);
    sim_workload_close(sim);
    sim_nodes_close(sim);
    sim_queue_close(&sim->queue);
    free(sim);
}

void sim_run(struct sim *sim)
{
    sim_growth_run(sim);
    sim_growth_start_churn(sim);
    sim_attack_start(sim);
    sim_trouble_plan(sim);
    sim_workload_run(sim);
}

struct bypeer_pnrp_time sim_time(const struct sim *sim)
{
    return (struct bypeer_pnrp_time){.ms = sim->queue.now_ms, .unix_s = UNIX_ORIGIN_S + sim->queue.now_ms / 1000};
}

void sim_pass(struct sim *sim, uint64_t end_ms)
{
    struct sim_event *event;
    while ((event = sim_queue_take(&sim->queue, end_ms)) != NULL) {
        if (event->kind == SIM_EVENT_CALL)
            event->call(sim, event);
        else
            sim_node_event(sim, event);
        sim_queue_free(&sim->queue, event);
    }
}

struct sim_event *sim_call(struct sim *sim, uint64_t at_ms, void (*call)(struct sim *sim, struct sim_event *event),
                           uint16_t bytes)
{
    struct sim_event *event = sim_queue_new(&sim->queue, SIM_EVENT_CALL, bytes);
    event->call = call;
    sim_queue_put(&sim->queue, event, at_ms);
    return event;
}
