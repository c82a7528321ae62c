#include "perf/sim_trouble.h"

#include <stdlib.h>

#include "perf/sim_nodes.h"

/* How many of the regions are that share, at least one and not all. */
static uint8_t trouble_regions(double share)
{
    uint8_t regions = (uint8_t)(share * SIM_REGIONS + 0.5);
    if (regions < 1)
        return 1;
    return regions < SIM_REGIONS ? regions : SIM_REGIONS - 1;
}

static void trouble_cut(struct sim *sim, struct sim_event *event)
{
    (void)event;
    sim->network.is_cut = true;
    sim->network.cut_region = trouble_regions(sim->options.cut_share);
}

static void trouble_join(struct sim *sim, struct sim_event *event)
{
    (void)event;
    sim->network.is_cut = false;
}

static void trouble_fail(struct sim *sim, struct sim_event *event)
{
    (void)event;
    uint8_t regions = trouble_regions(sim->options.fail_share);
    for (uint32_t i = sim->live_count; i-- > 0;)
        if (sim->nodes[sim->live[i]].place.region < regions && sim->live_count > 1)
            sim_node_kill(sim, sim->live[i]);
}

void sim_trouble_plan(struct sim *sim)
{
    const struct sim_options *options = &sim->options;
    uint64_t now_ms = sim->queue.now_ms;
    if (options->cut_s > 0) {
        sim_call(sim, now_ms + options->cut_at_s * UINT64_C(1000), trouble_cut, 0);
        sim_call(sim, now_ms + (options->cut_at_s + options->cut_s) * UINT64_C(1000), trouble_join, 0);
    }
    if (options->fail_share > 0)
        sim_call(sim, now_ms + options->fail_at_s * UINT64_C(1000), trouble_fail, 0);
}

double sim_trouble_healed_s(const struct sim *sim, bool ring)
{
    const struct sim_options *options = &sim->options;
    if (options->cut_s == 0 && options->fail_share <= 0)
        return -1;
    uint32_t end_s = options->cut_s > 0 ? options->cut_at_s + options->cut_s : options->fail_at_s;
    uint32_t healed = sim->window_count;
    while (healed > 0) {
        const struct sim_window *window = &sim->windows[healed - 1];
        if (ring ? window->ring < SIM_HEALED : window->resolved < SIM_HEALED * window->begun)
            break;
        healed--;
    }
    if (healed >= sim->window_count)
        return -1;
    uint32_t healed_s = healed * SIM_WINDOW_S;
    return healed_s > end_s ? healed_s - end_s : 0;
}
