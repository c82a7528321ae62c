/*
 * How many members a second the table writer inserts and removes, in process: what is left when neither SQLite nor the
 * API takes part.
 *
 * The table holds the given number of members. A batch removes members picked at random and inserts as many new ones;
 * after each one the writer asks for a grace period and reclaims what the one before has released, as bypeerd does.
 * What a grace period itself takes is `bypeer-bench grace`'s to say: here it has always passed one batch later.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "overlay/tables/tables.h"
#include "overlay/tables/writer.h"
#include "perf/bench.h"
#include "perf/bench_member.h"
#include "perf/bench_pages.h"
#include "perf/bench_turns.h"
#include "tests/random.h"

#define BATCH   1000
#define BATCHES 500 /* of a turn: a million updates */
#define TURNS   7

struct bench {
    uint32_t entries;
    struct bypeer_writer *writer;
    uint32_t *present; /* numbers of the members in the table */
    uint32_t next;     /* number of the next new one */
    uint64_t random;
    uint64_t token; /* grace period that the batch before asked for */
};

static int insert_next(struct bench *bench, uint32_t place)
{
    struct bypeer_destination destination = {.link = 1 + bench->next % 16, .group = 1, .prefix_bits = 128};
    bench_member_key(bench->next, destination.key);
    int result = bypeer_writer_put_destination(bench->writer, &destination);
    if (result != 1)
        return bench_fail("member %" PRIu32 " does not fit: %s", bench->next, strerror(-result));
    bench->present[place] = bench->next++;
    return 0;
}

static int run_batch(struct bench *bench)
{
    uint32_t places[BATCH];
    for (unsigned i = 0; i < BATCH; i++) {
        /* One of the i-th part of the table, so that no member is picked twice. */
        uint32_t part = bench->entries / BATCH;
        places[i] = i * part + random_next_below(&bench->random, part);
        uint8_t key[16];
        bench_member_key(bench->present[places[i]], key);
        int result = bypeer_writer_remove_destination(bench->writer, key);
        if (result != 0)
            return bench_fail("member %" PRIu32 " is lost: %s", bench->present[places[i]], strerror(-result));
    }
    for (unsigned i = 0; i < BATCH; i++)
        if (insert_next(bench, places[i]) != 0)
            return 1;
    bypeer_writer_reclaim(bench->writer, bench->token);
    bench->token = bypeer_writer_request(bench->writer);
    return 0;
}

static int prepare(struct bench *bench, bool *ret_huge)
{
    const struct bypeer_tables_size size = {
        .destinations = bench->entries + 4 * BATCH, .links = 1, .adjacencies = 1, .groups = 1, .prefixes = 1};
    const uint64_t bytes = bypeer_tables_bytes(&size);
    *ret_huge = bench_pages_borrow(bytes);
    void *region = bench_pages_map(bytes, *ret_huge);
    bench->present = calloc(bench->entries, sizeof(*bench->present));
    if (region == NULL || bench->present == NULL)
        return bench_fail("no memory for %" PRIu32 " entries", bench->entries);
    int error = bypeer_writer_create(&bench->writer, region, bytes, &size, BYPEER_LAYOUT_NEWEST, 1,
                                     UINT64_C(0x6279706565720001), 0);
    if (error < 0)
        return bench_fail("tables: %s", strerror(-error));
    bypeer_writer_publish(bench->writer);
    for (uint32_t place = 0; place < bench->entries; place++)
        if (insert_next(bench, place) != 0)
            return 1;
    return 0;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int measure(struct bench *bench, bool huge, bool json)
{
    double rates[TURNS];
    for (int turn = -1; turn < TURNS; turn++) { /* turn -1 warms up */
        double start = now_s();
        for (unsigned batch = 0; batch < BATCHES; batch++)
            if (run_batch(bench) != 0)
                return 1;
        if (turn >= 0)
            rates[turn] = 2.0 * BATCH * BATCHES / (now_s() - start);
    }
    const double median = bench_turns_median(rates, TURNS);
    if (json)
        printf("{\"entries\": %" PRIu32 ", \"writer_per_s\": %.0f, \"huge_pages\": %s}\n", bench->entries, median,
               huge ? "true" : "false");
    else
        printf("%" PRIu32 " entries, %s pages: %.2f million members inserted or removed a second "
               "(median of %d turns of %d; slowest %.2f, fastest %.2f)\n",
               bench->entries, huge ? "2 MiB" : "normal", median / 1e6, TURNS, 2 * BATCH * BATCHES, rates[0] / 1e6,
               rates[TURNS - 1] / 1e6);
    return 0;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        {"entries", required_argument, NULL, 'e'},
        {"json", no_argument, NULL, 'j'},
        {0},
    };
    struct bench bench = {.entries = 1000000};
    bool json = false, huge;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'e')
            bench.entries = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 'j')
            json = true;
        else
            return 2;
    }
    if (bench.entries < BATCH || bench.entries > 50000000)
        return bench_fail("--entries: give %d to 50000000", BATCH);
    int status = prepare(&bench, &huge);
    if (status == 0)
        status = measure(&bench, huge, json);
    free(bench.present);
    bypeer_writer_free(bench.writer);
    return status;
}

const struct bench_command bench_writer = {
    .name = "writer",
    .options = "[--entries N] [--json]",
    .summary = "members that the table writer inserts and removes a second",
    .run = run,
};
