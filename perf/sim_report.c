#include "perf/sim_report.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "perf/sim_attack.h"
#include "perf/sim_nodes.h"
#include "perf/sim_trouble.h"
#include "perf/sim_workload.h"

/* One figure: its key in JSON, and what people read. */
struct figure {
    const char *key;
    double value;
    unsigned digits; /* after the point */
    const char *text;
};
#define FIGURES_MAX 64

static unsigned figures_add(struct figure *figures, unsigned count, const char *key, double value, unsigned digits,
                            const char *text)
{
    figures[count] = (struct figure){.key = key, .value = value, .digits = digits, .text = text};
    return count + 1;
}
#define ADD(key, value, digits, text) count = figures_add(figures, count, key, (double)(value), digits, text)

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static unsigned figures_cloud(struct sim *sim, struct figure *figures, unsigned count)
{
    const struct sim_options *options = &sim->options;
    ADD("nodes", options->nodes, 0, "nodes");
    ADD("loss", options->loss, 3, "share of datagrams lost");
    ADD("churn_per_hour", options->churn_per_hour, 3, "share of nodes replaced an hour");
    ADD("supernodes", options->supernodes, 0, "of the nodes with full caches");
    ADD("seed", options->seed, 0, "of everything random");
    ADD("warm", options->warm, 0, "caches filled by hand at the start (1) or nodes joined one after another (0)");
    ADD("measured_s", (double)(sim->tally.ended_ms - sim->tally.begun_ms) / 1000, 0, "virtual seconds measured");
    return count;
}

static unsigned figures_resolves(struct sim *sim, struct figure *figures, unsigned count)
{
    struct sim_tally *tally = &sim->tally;
    double sum = 0;
    unsigned max = 0;
    for (unsigned hops = 0; hops <= SIM_HOPS_MAX; hops++) {
        sum += (double)hops * tally->hops[hops];
        if (tally->hops[hops] > 0)
            max = hops;
    }
    ADD("resolves", tally->begun, 0, "resolves of live names");
    ADD("failed", tally->failed, 0, "of them without the right result in 30 s");
    ADD("void_of_churn", tally->void_of_churn, 0, "resolves not counted: the publisher or the resolver left");
    ADD("success", share(tally->resolved, tally->begun), 5, "share that succeeded");
    ADD("mean_hops", share(sum, tally->resolved), 2, "LOOKUPs answered on the way, mean");
    ADD("hops_goal", log10(sim->options.nodes) + 1.5, 2, "log10(nodes) + 1.5");
    ADD("p50_hops", sim_tally_hops(tally, 0.5), 0, "median");
    ADD("p99_hops", sim_tally_hops(tally, 0.99), 0, "of 99 in 100 at most");
    ADD("max_hops", max, 0, "most");
    ADD("p50_ms", sim_tally_took_ms(tally, 0.5), 0, "ms a resolve took, median");
    ADD("p99_ms", sim_tally_took_ms(tally, 0.99), 0, "of 99 in 100 at most");
    ADD("max_ms", sim_tally_took_ms(tally, 1), 0, "most");
    return count;
}

static unsigned figures_traffic(struct sim *sim, struct figure *figures, unsigned count)
{
    const struct sim_tally *tally = &sim->tally;
    double node_s = (double)(tally->ended_ms - tally->begun_ms) / 1000 * sim->options.nodes;
    uint64_t busiest = 0, busiest_seed = 0;
    for (uint32_t i = 0; i < sim->live_count; i++) {
        const struct sim_node *node = &sim->nodes[sim->live[i]];
        uint64_t *most = node->role == SIM_SEED ? &busiest_seed : &busiest;
        if (node->sent_bytes > *most)
            *most = node->sent_bytes;
    }
    double seconds = (double)(tally->ended_ms - tally->begun_ms) / 1000;
    ADD("messages_per_node_s", share((double)tally->datagrams, node_s), 3, "datagrams a node sent a second");
    ADD("bytes_per_node_s", share((double)tally->bytes, node_s), 1, "bytes of UDP payload a node sent a second");
    ADD("busiest_bytes_s", share((double)busiest, seconds), 0, "of the busiest node that is no seed");
    ADD("busiest_seed_bytes_s", share((double)busiest_seed, seconds), 0, "of the busiest seed");
    return count;
}

static unsigned figures_memory(struct sim *sim, struct figure *figures, unsigned count)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double mean = sim_workload_state(sim);
    ADD("state_bytes", sim->state_max_bytes, 0, "bytes of state, the most that a node with a small cache had");
    ADD("state_mean_bytes", mean, 0, "mean of them");
    ADD("process_bytes_per_node", (double)usage.ru_maxrss * 1024 / sim->options.nodes, 0,
        "of this process at its largest, events and all");
    ADD("cpu_s", (double)clock() / CLOCKS_PER_SEC, 1, "seconds of a core that the simulation took");
    return count;
}

static unsigned figures_trouble(struct sim *sim, struct figure *figures, unsigned count)
{
    const struct sim_window *last = &sim->windows[sim->window_count - 1];
    ADD("stale", sim_workload_stale(sim), 4, "share of cached entries at whose address nobody is, at the end");
    ADD("ring", last->ring, 4, "share of nodes that know their neighbours in the ring, at the end");
    if (sim->options.cut_s > 0 || sim->options.fail_share > 0) {
        ADD("heal_s", sim_trouble_healed_s(sim, false), 0,
            "seconds until 99 in 100 resolves succeed again; -1: not yet");
        ADD("heal_ring_s", sim_trouble_healed_s(sim, true), 0, "until 99 in 100 know their neighbours; -1: not yet");
    }
    if (sim->options.attack != SIM_ATTACK_NONE) {
        double attack_s = (double)(sim->queue.now_ms - sim->tally.begun_ms) / 1000;
        ADD("attack_sent_bytes_s", (double)sim_attack_sent_bytes(sim) / attack_s, 0,
            "bytes that the attackers sent a second");
        ADD("victim_received_bytes_s", (double)sim_attack_victim_bytes(sim) / attack_s, 0,
            "bytes that reached their victim a second");
    }
    if (sim->tally.target_begun > 0)
        ADD("target_success", share(sim->tally.target_resolved, sim->tally.target_begun), 4,
            "share of resolves of the name under attack that succeeded");
    return count;
}

/* What the engine counted, of all nodes that are there now. */
static unsigned figures_counters(struct sim *sim, struct figure *figures, unsigned count)
{
    struct bypeer_pnrp_counters sums = {0};
    for (uint32_t i = 0; i < sim->live_count; i++) {
        const struct bypeer_pnrp_counters *counters = bypeer_pnrp_counters(sim->nodes[sim->live[i]].pnrp);
#define SUM(name, text) sums.name += counters->name;
        BYPEER_PNRP_COUNTERS(SUM)
#undef SUM
    }
#define COUNTER(name, text) ADD(#name, sums.name, 0, text);
    BYPEER_PNRP_COUNTERS(COUNTER)
#undef COUNTER
    return count;
}

static unsigned figures_all(struct sim *sim, struct figure *figures)
{
    unsigned count = figures_cloud(sim, figures, 0);
    count = figures_resolves(sim, figures, count);
    count = figures_traffic(sim, figures, count);
    count = figures_memory(sim, figures, count);
    return figures_trouble(sim, figures, count);
}

void sim_report_text(struct sim *sim, FILE *stream)
{
    struct figure figures[FIGURES_MAX];
    unsigned count = figures_all(sim, figures);
    for (unsigned i = 0; i < count; i++)
        fprintf(stream, "%14.*f  %s\n", (int)figures[i].digits, figures[i].value, figures[i].text);
    count = figures_counters(sim, figures, 0);
    fputs("\nOf all nodes that are there at the end, since they joined:\n", stream);
    for (unsigned i = 0; i < count; i++)
        fprintf(stream, "%14.0f  %s\n", figures[i].value, figures[i].text);
}

static void json_add_figures(json_t *object, const struct figure *figures, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        json_object_set_new(object, figures[i].key,
                            figures[i].digits == 0 ? json_integer((json_int_t)figures[i].value)
                                                   : json_real(figures[i].value));
}

void sim_report_json(struct sim *sim, FILE *stream)
{
    struct figure figures[FIGURES_MAX];
    json_t *object = json_object(), *counters = json_object();
    json_add_figures(object, figures, figures_all(sim, figures));
    json_add_figures(counters, figures, figures_counters(sim, figures, 0));
    json_object_set_new(object, "counters", counters);
    json_dumpf(object, stream, JSON_REAL_PRECISION(6));
    fputc('\n', stream);
    json_decref(object);
}

static void plot_write_data(const struct sim *sim, FILE *stream)
{
    fputs("# seconds, resolves, succeeded, datagrams and bytes per node and second, ring\n", stream);
    for (uint32_t i = 0; i < sim->window_count; i++) {
        const struct sim_window *window = &sim->windows[i];
        double node_s = (double)sim->options.nodes * SIM_WINDOW_S;
        fprintf(stream, "%u %u %.5f %.3f %.1f %.4f\n", i * SIM_WINDOW_S, window->begun,
                window->begun > 0 ? share(window->resolved, window->begun) : 1, (double)window->datagrams / node_s,
                (double)window->bytes / node_s, window->ring);
    }
    fputs("\n\n# hops, share of resolves\n", stream);
    for (unsigned hops = 0; hops <= SIM_HOPS_MAX; hops++)
        if (sim->tally.hops[hops] > 0)
            fprintf(stream, "%u %.5f\n", hops, share(sim->tally.hops[hops], sim->tally.resolved));
}

static void plot_write_script(const struct sim *sim, const char *prefix, FILE *stream)
{
    fprintf(stream,
            "prefix = '%s'\n"
            "data = prefix . '.dat'\n"
            "do for [kind in 'svg png'] {\n"
            "    if (kind eq 'svg') { set terminal svg size 900,900 } else { set terminal png size 900,900 }\n"
            "    set output prefix . '.' . kind\n"
            "    set multiplot layout 3,1 title '%u nodes, loss %g, churn %g an hour'\n"
            "    set grid\n"
            "    set key bottom right\n"
            "    set xlabel 'seconds'\n"
            "    set ylabel 'share'\n"
            "    set yrange [0:1.05]\n"
            "    plot data index 0 using 1:3 with linespoints title 'resolves that succeed', \\\n"
            "         data index 0 using 1:6 with lines title 'nodes that know their neighbours'\n"
            "    set yrange [0:*]\n"
            "    set ylabel 'bytes a second'\n"
            "    plot data index 0 using 1:5 with lines title 'sent by a node'\n"
            "    set xlabel 'LOOKUPs answered on the way'\n"
            "    set ylabel 'share of resolves'\n"
            "    plot data index 1 using 1:2 with boxes fill solid 0.5 title 'resolves'\n"
            "    unset multiplot\n"
            "    set output\n"
            "}\n",
            prefix, sim->options.nodes, sim->options.loss, sim->options.churn_per_hour);
}

static int plot_run(const char *script)
{
    char *arguments[] = {(char[]){"gnuplot"}, strdup(script), NULL};
    char *environment[] = {NULL};
    pid_t child;
    int status = arguments[1] == NULL ? ENOMEM : posix_spawnp(&child, "gnuplot", NULL, NULL, arguments, environment);
    free(arguments[1]);
    if (status != 0) {
        fprintf(stderr, "cloud-sim: gnuplot: %s; install gnuplot-nox, then: gnuplot %s\n", strerror(status), script);
        return -status;
    }
    int end;
    if (waitpid(child, &end, 0) != child || !WIFEXITED(end) || WEXITSTATUS(end) != 0) {
        fprintf(stderr, "cloud-sim: gnuplot %s failed\n", script);
        return -EIO;
    }
    return 0;
}

int sim_report_plot(struct sim *sim, const char *prefix)
{
    char *data_path = NULL, *script_path = NULL;
    if (asprintf(&data_path, "%s.dat", prefix) < 0)
        return -ENOMEM;
    if (asprintf(&script_path, "%s.gnuplot", prefix) < 0) {
        free(data_path);
        return -ENOMEM;
    }
    int status = 0;
    FILE *data = fopen(data_path, "we");
    FILE *script = data == NULL ? NULL : fopen(script_path, "we");
    if (data == NULL || script == NULL) {
        status = -errno;
        fprintf(stderr, "cloud-sim: %s: %s\n", data == NULL ? data_path : script_path, strerror(errno));
    }
    if (data != NULL)
        plot_write_data(sim, data);
    if (script != NULL)
        plot_write_script(sim, prefix, script);
    if (data != NULL)
        fclose(data);
    if (script != NULL)
        fclose(script);
    if (status == 0)
        status = plot_run(script_path);
    free(data_path);
    free(script_path);
    return status;
}
