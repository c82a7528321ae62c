/* A cloud of a few hundred nodes in virtual time: what its users would notice. The simulator is perf/sim.h. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "perf/sim.h"
#include "perf/sim_queue.h"
#include "perf/sim_trouble.h"
#include "perf/sim_workload.h"

static struct sim *run(struct sim_options options)
{
    struct sim *sim;
    cr_assert_eq(sim_open(&sim, &options), 0);
    sim_run(sim);
    return sim;
}

static double mean_hops(const struct sim *sim)
{
    double sum = 0;
    for (unsigned hops = 0; hops <= SIM_HOPS_MAX; hops++)
        sum += hops * (double)sim->tally.hops[hops];
    return sum / sim->tally.resolved;
}

static struct sim_options options_of(uint32_t nodes)
{
    struct sim_options options = sim_options_default;
    options.nodes = nodes;
    options.growth_per_s = 0.1;
    options.settle_s = 60;
    options.measure_s = 120;
    options.resolves = 1000;
    return options;
}

Test(simulation, names_are_found_on_a_good_network)
{
    struct sim *sim = run(options_of(200));
    cr_assert_geq(sim->tally.begun, 900);
    cr_assert_eq(sim->tally.failed, 0);
    cr_assert_leq(mean_hops(sim), log10(200) + 1.5);
    sim_close(sim);
}

/* The aim of DESIGN, at a few hundred nodes: 5 % loss, a node replaced every 36 s. */
Test(simulation, names_are_found_while_nodes_come_and_go)
{
    struct sim_options options = options_of(300);
    options.loss = 0.05;
    options.churn_per_hour = 0.33;
    struct sim *sim = run(options);
    cr_assert_geq(sim->tally.resolved, 0.999 * sim->tally.begun);
    cr_assert_leq(mean_hops(sim), log10(300) + 1.5);
    cr_assert_leq(sim->state_max_bytes, 16384);
    sim_close(sim);
}

Test(simulation, a_cloud_that_was_cut_in_two_heals)
{
    struct sim_options options = options_of(200);
    options.cut_at_s = 30;
    options.cut_s = 120;
    options.measure_s = 600;
    options.resolves = 3000;
    struct sim *sim = run(options);
    cr_assert_geq(sim_trouble_healed_s(sim, false), 0, "it never did");
    sim_close(sim);
}

Test(simulation, the_rest_of_a_cloud_survives_a_regional_failure)
{
    struct sim_options options = options_of(200);
    options.fail_share = 0.3;
    options.fail_at_s = 30;
    options.measure_s = 600;
    options.resolves = 3000;
    struct sim *sim = run(options);
    cr_assert_geq(sim_trouble_healed_s(sim, false), 0, "it never did");
    sim_close(sim);
}

/* Twenty genuine IDs around a name, all at one host; and, to show that they would do harm, each in a network of its
 * own. */
Test(simulation, one_host_does_not_hide_a_name)
{
    struct sim_options options = options_of(200);
    options.attack = SIM_ATTACK_ECLIPSE;
    options.attackers = 20;
    struct sim *sim = run(options);
    cr_assert_gt(sim->tally.target_begun, 0);
    cr_assert_eq(sim->tally.target_resolved, sim->tally.target_begun);
    sim_close(sim);
    options.undefended = true;
    sim = run(options);
    cr_assert_lt(sim->tally.target_resolved, sim->tally.target_begun);
    sim_close(sim);
}

Test(simulation, false_entries_do_not_stay_in_caches)
{
    struct sim_options options = options_of(200);
    options.attack = SIM_ATTACK_POLLUTION;
    struct sim *sim = run(options);
    cr_assert_eq(sim->tally.failed, 0);
    cr_assert_eq(sim_workload_stale(sim), 0);
    sim_close(sim);
}

Test(simulation, a_run_is_repeated_by_its_seed)
{
    struct sim_options options = options_of(50);
    options.loss = 0.1;
    struct sim *first = run(options), *second = run(options);
    cr_assert_eq(first->tally.bytes, second->tally.bytes);
    cr_assert_eq(first->tally.datagrams, second->tally.datagrams);
    sim_close(first);
    sim_close(second);
}

static void queue_put(struct sim_queue *queue, uint32_t number, uint64_t at_ms)
{
    struct sim_event *event = sim_queue_new(queue, SIM_EVENT_TIMER, 0);
    event->node = number;
    sim_queue_put(queue, event, at_ms);
}

static void queue_expect(struct sim_queue *queue, uint32_t number, uint64_t at_ms)
{
    struct sim_event *event = sim_queue_take(queue, UINT64_MAX);
    cr_assert_not_null(event);
    cr_assert_eq(event->node, number);
    cr_assert_eq(queue->now_ms, at_ms);
    sim_queue_free(queue, event);
}

Test(simulation, events_come_by_time_and_then_by_order)
{
    struct sim_queue *queue = calloc(1, sizeof(*queue));
    sim_queue_open(queue);
    queue_put(queue, 1, 5);
    queue_put(queue, 2, 5 + SIM_QUEUE_SLOTS); /* the same slot, a round later */
    queue_put(queue, 3, 5);
    queue_put(queue, 4, 0);
    queue_put(queue, 5, 3 * SIM_QUEUE_SLOTS - 1);
    queue_expect(queue, 4, 0);
    queue_expect(queue, 1, 5);
    queue_put(queue, 6, 2); /* past: now */
    queue_expect(queue, 3, 5);
    queue_expect(queue, 6, 5);
    queue_expect(queue, 2, 5 + SIM_QUEUE_SLOTS);
    queue_expect(queue, 5, 3 * SIM_QUEUE_SLOTS - 1);
    cr_assert_null(sim_queue_take(queue, 4 * SIM_QUEUE_SLOTS));
    cr_assert_eq(queue->now_ms, 4 * SIM_QUEUE_SLOTS);
    sim_queue_close(queue);
    free(queue);
}
