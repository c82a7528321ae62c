/*
 * bypeer-graph-sim: one graph of many members in one process and virtual time; perf/graph-sim starts it.
 *
 * Members join one after another, publish, are cut into parts, publish there, and are joined again. Said is when all
 * have what, how many bytes a member sent and holds for it, and how many records a second one core takes through the
 * whole of it: each member reads, judges, stores and passes on each record.
 */
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "perf/graph_net.h"
#include "tests/random.h"

#define STEP_MS 100

static const struct bypeer_guid note_type = {{0xf1, 0x0e, 0x5a, 0x11, 0x8e, 0x0d, 0x4c, 0x3b, 0x9a, 0x70, 0x21, 0x5d}};

/* Of each record: when it was published and came to the last member, and how many have it. */
struct note {
    uint64_t published_ms, last_ms;
    uint32_t members;
};

struct simulation {
    struct graph_net *net;
    uint32_t members, payload, records, parts, seconds;
    uint64_t seed, random;
    struct note *notes;
    uint32_t note_count, note_room;
    uint64_t deliveries;
};

static void on_record(void *context, uint32_t node, enum bypeer_record_change change,
                      const struct bypeer_record *record)
{
    struct simulation *simulation = context;
    uint32_t number;
    (void)node;
    if (change != BYPEER_RECORD_ADDED || !bypeer_guid_is_equal(&record->type, &note_type) ||
        record->payload_bytes < sizeof(number))
        return;
    memcpy(&number, record->payload, sizeof(number));
    struct note *note = &simulation->notes[number];
    note->members++;
    note->last_ms = graph_net_now_ms(simulation->net);
    simulation->deliveries++;
}

/* A record of a member; it is counted from within. */
static void simulation_publish(struct simulation *simulation, uint32_t node)
{
    uint8_t payload[4096] = {0};
    uint32_t number = simulation->note_count++;
    struct bypeer_graph *graph = graph_net_graph(simulation->net, node);
    struct bypeer_graph_time now = graph_net_time(simulation->net, node);
    struct bypeer_guid id;
    memcpy(payload, &number, sizeof(number));
    simulation->notes[number] = (struct note){.published_ms = graph_net_now_ms(simulation->net)};
    struct bypeer_record_draft draft = {
        .type = note_type,
        .payload = payload,
        .payload_bytes = simulation->payload,
        .expires = bypeer_graph_peer_time(graph, now) + 86400 * BYPEER_PEER_TIME_SECOND,
    };
    int result = bypeer_graph_publish(graph, now, &draft, &id);
    if (result != 0) {
        fprintf(stderr, "member %" PRIu32 " cannot publish: %s\n", node, strerror(-result));
        exit(EXIT_FAILURE);
    }
    graph_net_touched(simulation->net, node);
}

static void simulation_publish_some(struct simulation *simulation, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        simulation_publish(simulation, random_next_below(&simulation->random, simulation->members));
        graph_net_run(simulation->net, STEP_MS);
    }
}

/* Whether all members have the notes from first on. */
static bool simulation_has_all(const struct simulation *simulation, uint32_t first)
{
    for (uint32_t i = first; i < simulation->note_count; i++)
        if (simulation->notes[i].members < simulation->members)
            return false;
    return true;
}

/* Virtual ms until all members have all notes from first on; UINT64_MAX: not within the seconds. */
static uint64_t simulation_wait(struct simulation *simulation, uint32_t first, uint32_t seconds)
{
    uint64_t began = graph_net_now_ms(simulation->net);
    while (graph_net_now_ms(simulation->net) < began + seconds * UINT64_C(1000)) {
        if (simulation_has_all(simulation, first))
            return graph_net_now_ms(simulation->net) - began;
        graph_net_run(simulation->net, STEP_MS);
    }
    return UINT64_MAX;
}

static bool simulation_is_synchronised(const struct simulation *simulation)
{
    for (uint32_t i = 0; i < simulation->members; i++)
        if (!(bypeer_graph_status(graph_net_graph(simulation->net, i)) & BYPEER_GRAPH_SYNCHRONIZED))
            return false;
    return true;
}

static int compare_numbers(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void report_reach(const struct simulation *simulation, uint32_t count, json_t *report)
{
    uint64_t *times = calloc(count, sizeof(*times));
    if (times == NULL)
        exit(EXIT_FAILURE);
    for (uint32_t i = 0; i < count; i++)
        times[i] = simulation->notes[i].last_ms - simulation->notes[i].published_ms;
    qsort(times, count, sizeof(*times), compare_numbers);
    json_object_set_new(report, "reach_median_ms", json_integer((json_int_t)times[count / 2]));
    json_object_set_new(report, "reach_max_ms", json_integer((json_int_t)times[count - 1]));
    free(times);
}

static void report_links(const struct simulation *simulation, json_t *report)
{
    uint64_t memory = 0, neighbors = 0, most = 0;
    for (uint32_t i = 0; i < simulation->members; i++) {
        struct bypeer_graph_counters counters;
        const struct bypeer_graph *graph = graph_net_graph(simulation->net, i);
        bypeer_graph_counters(graph, &counters);
        memory += bypeer_graph_memory(graph);
        neighbors += counters.neighbors;
        most = counters.neighbors > most ? counters.neighbors : most;
    }
    json_object_set_new(report, "memory_per_member", json_integer((json_int_t)((double)memory / simulation->members)));
    json_object_set_new(report, "neighbors_mean", json_real((double)neighbors / simulation->members));
    json_object_set_new(report, "neighbors_max", json_integer((json_int_t)most));
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static json_t *ms_or_null(uint64_t ms)
{
    return ms == UINT64_MAX ? json_null() : json_integer((json_int_t)ms);
}

static void simulate_growth(struct simulation *simulation, json_t *report)
{
    for (uint32_t i = 0; i < simulation->members; i++) {
        graph_net_start(simulation->net, i);
        graph_net_run(simulation->net, STEP_MS);
    }
    uint64_t last = graph_net_now_ms(simulation->net);
    while (!simulation_is_synchronised(simulation) && graph_net_now_ms(simulation->net) < last + 3600000)
        graph_net_run(simulation->net, STEP_MS);
    json_object_set_new(
        report, "synchronised_after_last_join_ms",
        ms_or_null(simulation_is_synchronised(simulation) ? graph_net_now_ms(simulation->net) - last : UINT64_MAX));
    graph_net_run(simulation->net, simulation->seconds * UINT64_C(1000));
}

static void simulate_flood(struct simulation *simulation, json_t *report)
{
    uint64_t bytes = graph_net_bytes(simulation->net), deliveries = simulation->deliveries;
    double began = cpu_seconds();
    simulation_publish_some(simulation, simulation->records);
    uint64_t waited = simulation_wait(simulation, 0, 600);
    double seconds = cpu_seconds() - began;
    bytes = graph_net_bytes(simulation->net) - bytes;
    json_object_set_new(report, "all_have_all", json_boolean(waited != UINT64_MAX));
    json_object_set_new(report, "bytes_per_member_and_record",
                        json_real((double)bytes / simulation->members / simulation->records));
    json_object_set_new(report, "records_per_s", json_real((double)(simulation->deliveries - deliveries) / seconds));
    report_reach(simulation, simulation->records, report);
    report_links(simulation, report);
}

static void simulate_cut(struct simulation *simulation, json_t *report)
{
    uint32_t first = simulation->note_count;
    for (uint32_t i = 0; i < simulation->members; i++)
        graph_net_part(simulation->net, i, i % simulation->parts);
    graph_net_run(simulation->net, simulation->seconds * UINT64_C(1000));
    simulation_publish_some(simulation, simulation->parts * 5);
    graph_net_run(simulation->net, 60000);
    json_object_set_new(report, "parts", json_integer(simulation->parts));
    json_object_set_new(report, "cut_s", json_integer(simulation->seconds + 60));
    for (uint32_t i = 0; i < simulation->members; i++)
        graph_net_part(simulation->net, i, 0);
    uint64_t healed = simulation_wait(simulation, first, 7200);
    json_object_set_new(report, "heal_ms", ms_or_null(healed));
    json_object_set_new(report, "is_one", json_boolean(graph_net_is_one(simulation->net)));
}

static int usage(FILE *stream, int status)
{
    fputs("usage: graph-sim [OPTION...]\n\nSimulates one graph in virtual time.\n\n"
          "  --members N   members of the graph (100)\n"
          "  --records N   records that are published while measuring (100)\n"
          "  --payload N   bytes of each, 4 to 4096 (200)\n"
          "  --parts N     parts that it is cut into; 1: it is not (3)\n"
          "  --settle N    virtual seconds after the last join, and of a cut (120)\n"
          "  --latency N   ms from member to member, up to twice that (20)\n"
          "  --seed N      of all random numbers (1)\n"
          "  --help        show this help and exit\n",
          stream);
    return status;
}

/* A number from least to most, or the program ends. */
static uint32_t number_of(const char *name, const char *text, uint32_t least, uint32_t most)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text == '\0' || *text == '-' || *end != '\0' || value < least || value > most) {
        fprintf(stderr, "--%s: \"%s\" is out of range; use %" PRIu32 " to %" PRIu32 "\n", name, text, least, most);
        exit(EXIT_FAILURE);
    }
    return (uint32_t)value;
}

int main(int argc, char **argv)
{
    struct simulation simulation = {
        .members = 100, .records = 100, .payload = 200, .parts = 3, .seconds = 120, .seed = 1};
    uint32_t latency = 20, seed = 1;
    const struct {
        const char *name;
        uint32_t *value;
        uint32_t least, most;
    } rows[] = {
        {"members", &simulation.members, 2, 10000},
        {"records", &simulation.records, 1, 100000},
        {"payload", &simulation.payload, 4, 4096},
        {"parts", &simulation.parts, 1, 16},
        {"settle", &simulation.seconds, 1, 100000},
        {"latency", &latency, 0, 1000},
        {"seed", &seed, 0, UINT32_MAX},
    };
    const struct option options[] = {
        {"members", required_argument, NULL, 0},
        {"records", required_argument, NULL, 1},
        {"payload", required_argument, NULL, 2},
        {"parts", required_argument, NULL, 3},
        {"settle", required_argument, NULL, 4},
        {"latency", required_argument, NULL, 5},
        {"seed", required_argument, NULL, 6},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h')
            return usage(stdout, EXIT_SUCCESS);
        if (option == '?')
            return usage(stderr, EXIT_FAILURE);
        *rows[option].value = number_of(rows[option].name, optarg, rows[option].least, rows[option].most);
    }
    simulation.seed = simulation.random = seed;
    simulation.note_room = simulation.records + 5 * simulation.parts;
    simulation.notes = calloc(simulation.note_room, sizeof(simulation.notes[0]));
    simulation.net = graph_net_open(&(struct graph_net_options){
        .nodes = simulation.members,
        .seed = seed,
        .latency_ms = latency,
        .profile = bypeer_profile(BYPEER_PROFILE_MODERN),
        .hooks = {.record = on_record, .context = &simulation},
        .presence_max = simulation.members < 100 ? UINT32_MAX : 100,
    });
    if (simulation.notes == NULL)
        return EXIT_FAILURE;

    json_t *report = json_pack("{s:i,s:i,s:i,s:i}", "members", (int)simulation.members, "records",
                               (int)simulation.records, "payload_bytes", (int)simulation.payload, "seed", (int)seed);
    simulate_growth(&simulation, report);
    simulate_flood(&simulation, report);
    if (simulation.parts > 1)
        simulate_cut(&simulation, report);
    json_dumpf(report, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(report);
    graph_net_close(simulation.net);
    free(simulation.notes);
    return EXIT_SUCCESS;
}
