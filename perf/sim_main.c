/* bypeer-cloud-sim: the command line of the simulator; perf/cloud-sim starts it. */
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "perf/sim.h"
#include "perf/sim_report.h"

static const char *const attack_names[SIM_ATTACKS] = {"none", "eclipse", "pollution", "flood"};

enum option_kind { OPTION_COUNT, OPTION_NUMBER, OPTION_SHARE, OPTION_SWITCH, OPTION_ATTACK, OPTION_SEED };

/* An option that goes straight into struct sim_options. */
struct option_row {
    const char *name;
    enum option_kind kind;
    size_t at;
    double least, most;
    const char *text;
};
#define AT(field) offsetof(struct sim_options, field)

static const struct option_row rows[] = {
    {"nodes", OPTION_COUNT, AT(nodes), 10, 4e6, "nodes in the cloud (1000)"},
    {"loss", OPTION_SHARE, AT(loss), 0, 0.9, "share of datagrams that is lost (0)"},
    {"churn-per-hour", OPTION_NUMBER, AT(churn_per_hour), 0, 100, "share of the nodes that is replaced an hour (0)"},
    {"resolves", OPTION_COUNT, AT(resolves), 1, 1e8, "resolves while measuring (10000)"},
    {"measure", OPTION_COUNT, AT(measure_s), SIM_WINDOW_S, 1e6, "virtual seconds that are measured (300)"},
    {"settle", OPTION_COUNT, AT(settle_s), 0, 1e6, "virtual seconds between the last join and measuring (120)"},
    {"growth", OPTION_NUMBER, AT(growth_per_s), 0.0001, 10, "share by which the cloud grows a second at first (0.02)"},
    {"warm", OPTION_SWITCH, AT(warm), 0, 0, "fill caches by hand at the start, instead of growing"},
    {"seeds", OPTION_COUNT, AT(seeds), 2, 1e5, "nodes that newcomers know, and that stay (8)"},
    {"supernodes", OPTION_COUNT, AT(supernodes), 0, 1e6,
     "of the nodes with full caches; then seeds have them, too (0)"},
    {"cut", OPTION_COUNT, AT(cut_s), 1, 1e6, "seconds for which the cloud is cut in two (no cut)"},
    {"cut-at", OPTION_COUNT, AT(cut_at_s), 0, 1e6, "second of measuring at which it is (60)"},
    {"cut-share", OPTION_SHARE, AT(cut_share), 0, 1, "share of the smaller part, by regions of a tenth (0.5)"},
    {"fail", OPTION_SHARE, AT(fail_share), 0, 1, "share of the nodes that fails at once, by regions of a tenth (0)"},
    {"fail-at", OPTION_COUNT, AT(fail_at_s), 0, 1e6, "second of measuring at which it does (60)"},
    {"attack", OPTION_ATTACK, AT(attack), 0, 0, "eclipse, pollution or flood (none)"},
    {"attackers", OPTION_COUNT, AT(attackers), 1, 4000, "attacking nodes, of an eclipse IDs (10)"},
    {"attack-rate", OPTION_NUMBER, AT(attack_rate), 0.001, 1e5, "false entries that each sends a second (100)"},
    {"undefended", OPTION_SWITCH, AT(undefended), 0, 0, "the attack as it were without its defence"},
    {"seed", OPTION_SEED, AT(seed), 0, 0, "of all random numbers (1)"},
    {"progress", OPTION_SWITCH, AT(progress), 0, 0, "say on stderr how far it is"},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void print_usage(FILE *stream)
{
    fputs("usage: cloud-sim [OPTION...]\n\nSimulates a cloud of PNRP nodes in virtual time.\n\n", stream);
    for (unsigned i = 0; i < ROWS; i++)
        fprintf(stream, "  --%-16s %s\n", rows[i].name, rows[i].text);
    fputs("  --json             print one JSON object\n"
          "  --plot PREFIX      write PREFIX.dat, .gnuplot, .svg and .png\n",
          stream);
}

static bool option_refuse(const struct option_row *row, const char *text)
{
    fprintf(stderr, "cloud-sim: --%s %s: give ", row->name, text);
    if (row->kind == OPTION_ATTACK)
        fputs("eclipse, pollution or flood\n", stderr);
    else if (row->kind == OPTION_SEED)
        fputs("a number\n", stderr);
    else
        fprintf(stderr, "a %snumber from %g to %g\n", row->kind == OPTION_COUNT ? "whole " : "", row->least, row->most);
    return false;
}

static bool option_take(struct sim_options *options, const struct option_row *row, const char *text)
{
    void *field = (char *)options + row->at;
    char *end;
    if (row->kind == OPTION_SWITCH) {
        *(bool *)field = true;
        return true;
    }
    if (row->kind == OPTION_ATTACK) {
        for (unsigned i = 0; i < SIM_ATTACKS; i++) {
            if (strcmp(text, attack_names[i]) == 0) {
                *(enum sim_attack_kind *)field = (enum sim_attack_kind)i;
                return true;
            }
        }
        return option_refuse(row, text);
    }
    if (row->kind == OPTION_SEED) {
        uint64_t seed = strtoull(text, &end, 10);
        if (end == text || *end != '\0')
            return option_refuse(row, text);
        *(uint64_t *)field = seed;
        return true;
    }
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !(number >= row->least && number <= row->most))
        return option_refuse(row, text);
    if (row->kind != OPTION_COUNT) {
        *(double *)field = number;
        return true;
    }
    if (number != (double)(uint32_t)number)
        return option_refuse(row, text);
    *(uint32_t *)field = (uint32_t)number;
    return true;
}

static bool options_fit(const struct sim_options *options)
{
    if (options->seeds < options->nodes)
        return true;
    fprintf(stderr, "cloud-sim: --seeds %u: give fewer than --nodes, %u\n", options->seeds, options->nodes);
    return false;
}

int main(int argc, char **argv)
{
    enum { CHOICE_JSON = ROWS + 1, CHOICE_PLOT, CHOICE_HELP }; /* after the rows, which count from 1 */
    struct option long_options[ROWS + 4] = {0};
    for (unsigned i = 0; i < ROWS; i++)
        long_options[i] = (struct option){rows[i].name, rows[i].kind == OPTION_SWITCH ? no_argument : required_argument,
                                          NULL, (int)i + 1};
    long_options[ROWS] = (struct option){"json", no_argument, NULL, CHOICE_JSON};
    long_options[ROWS + 1] = (struct option){"plot", required_argument, NULL, CHOICE_PLOT};
    long_options[ROWS + 2] = (struct option){"help", no_argument, NULL, CHOICE_HELP};

    struct sim_options options = sim_options_default;
    bool json = false;
    const char *plot = NULL;
    for (int choice; (choice = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (choice == CHOICE_JSON) {
            json = true;
        } else if (choice == CHOICE_PLOT) {
            plot = optarg;
        } else if (choice == CHOICE_HELP) {
            print_usage(stdout);
            return 0;
        } else if (choice == '?' || !option_take(&options, &rows[choice - 1], optarg)) {
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "cloud-sim: %s: there are options only, see --help\n", argv[optind]);
        return 2;
    }
    if (!options_fit(&options))
        return 2;
    struct sim *sim;
    int status = sim_open(&sim, &options);
    if (status != 0) {
        fprintf(stderr, "cloud-sim: %u nodes: %s\n", options.nodes, strerror(-status));
        return 1;
    }
    sim_run(sim);
    if (json)
        sim_report_json(sim, stdout);
    else
        sim_report_text(sim, stdout);
    status = plot == NULL ? 0 : sim_report_plot(sim, plot);
    sim_close(sim);
    return status == 0 ? 0 : 1;
}
