/*
 * What a lookup of an overlay address costs, beside the rival and beside what the memory allows.
 *
 * Three ways to get from random keys to the 64-byte records, in bursts of 64, on the same records and the same kind of
 * pages:
 *
 *   ours      bypeer_exact_lookup()
 *   rte_hash  rte_hash_lookup_bulk_data() (CRC hash, lock-free flag), data being the record, then prefetched
 *   limit     no search at all: a random line of our buckets, of which one word names the record; both prefetched.
 *             Whoever stores (key, place of record) apart from the record waits for these two lines.
 *
 * Each round draws fresh keys, and the three take turns on them in rotating order; the medians of the rounds count.
 */
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>

#include "overlay/tables/exact.h"
#include "overlay/tables/tables.h"
#include "overlay/tables/writer.h"
#include "perf/bench.h"
#include "perf/bench_member.h"
#include "perf/bench_pages.h"
#include "perf/bench_turns.h"
#include "tests/random.h"

#define BURST   64
#define LOOKUPS (UINT32_C(1) << 21) /* of one turn */
#define ROUNDS  15
#define WAYS    3

struct query {
    uint8_t key[16];
};

struct bench {
    uint32_t entries;
    bool huge;
    bypeer_exact_lookup_function *lookup;
    const char *lookup_name;
    struct bypeer_writer *writer;
    struct bypeer_tables tables;
    struct rte_hash *rival;
    struct query *queries;
    uint32_t *lines; /* of a query of the limit: bucket * 16 + way */
    uint64_t random;
    uint64_t checksum; /* of what was read, so that nothing is optimised away */
};

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* --- the three, one turn each: ns a lookup ---------------------------------------------------------------------------
 */

static inline uint64_t read_record(const struct bypeer_destination *record)
{
    const uint64_t *words = (const uint64_t *)(const void *)record;
    return (words[0] + words[1]) + (words[2] + words[3]) + (words[4] + words[5]) + (words[6] + words[7]);
}

static double turn_ours(void *of)
{
    struct bench *bench = of;
    uint64_t sum = 0;
    double start = now_ns();
    for (uint32_t i = 0; i < LOOKUPS; i += BURST) {
        const uint8_t *keys[BURST];
        const struct bypeer_destination *found[BURST];
        for (unsigned k = 0; k < BURST; k++)
            keys[k] = bench->queries[i + k].key;
        bench->lookup(&bench->tables.destinations, keys, BURST, found);
        for (unsigned k = 0; k < BURST; k++)
            sum += read_record(found[k]);
    }
    bench->checksum += sum;
    return (now_ns() - start) / LOOKUPS;
}

static double turn_rival(void *of)
{
    struct bench *bench = of;
    uint64_t sum = 0;
    double start = now_ns();
    for (uint32_t i = 0; i < LOOKUPS; i += BURST) {
        const void *keys[BURST];
        void *found[BURST];
        uint64_t hits;
        for (unsigned k = 0; k < BURST; k++)
            keys[k] = bench->queries[i + k].key;
        rte_hash_lookup_bulk_data(bench->rival, keys, BURST, &hits, found);
        for (unsigned k = 0; k < BURST; k++)
            __builtin_prefetch(found[k]);
        for (unsigned k = 0; k < BURST; k++)
            sum += read_record(found[k]);
    }
    bench->checksum -= sum;
    return (now_ns() - start) / LOOKUPS;
}

static double turn_limit(void *of)
{
    struct bench *bench = of;
    const struct bypeer_bucket *buckets = bench->tables.destinations.buckets;
    const struct bypeer_destination *records = bench->tables.destinations.records;
    uint64_t sum = 0;
    double start = now_ns();
    for (uint32_t i = 0; i < LOOKUPS; i += BURST) {
        const struct bypeer_destination *found[BURST];
        for (unsigned k = 0; k < BURST; k++)
            __builtin_prefetch(&buckets[bench->lines[i + k] / 16]);
        for (unsigned k = 0; k < BURST; k++) {
            uint32_t line = bench->lines[i + k];
            found[k] = &records[buckets[line / 16].slots[line % 16]];
            __builtin_prefetch(found[k]);
        }
        for (unsigned k = 0; k < BURST; k++)
            sum += read_record(found[k]);
    }
    __asm__ volatile("" : : "r"(sum));
    return (now_ns() - start) / LOOKUPS;
}

/* --- preparation
 * ------------------------------------------------------------------------------------------------------ */

static uint64_t power_of_two(uint64_t least)
{
    uint64_t power = 1;
    while (power < least)
        power *= 2;
    return power;
}

/* Bytes that rte_hash takes: 32 a key, buckets of 64 bytes for 8 of the next power of two, a ring of free places. */
static uint64_t rival_bytes(uint32_t entries)
{
    return entries * UINT64_C(32) + power_of_two(entries) * 8 + power_of_two(entries + UINT64_C(1)) * 4 +
           (UINT64_C(64) << 20);
}

static int start_eal(bool huge, uint64_t rival)
{
    char core[16], megabytes[16];
    snprintf(core, sizeof(core), "%d", sched_getcpu());
    snprintf(megabytes, sizeof(megabytes), "%" PRIu64, (rival >> 20) + 64);
    /* Normal pages exclude --in-memory. */
    char *arguments[] = {"bypeer-bench",
                         "--no-pci",
                         "--no-telemetry",
                         "--no-shconf",
                         "--log-level=*:error",
                         "-l",
                         core,
                         "-m",
                         megabytes,
                         huge ? "--in-memory" : "--no-huge"};
    return rte_eal_init((int)(sizeof(arguments) / sizeof(arguments[0])), arguments);
}

static struct rte_hash *rival_create(uint32_t entries)
{
    const struct rte_hash_parameters parameters = {
        .name = "rival",
        .entries = entries,
        .key_len = 16,
        .hash_func = rte_hash_crc,
        .socket_id = SOCKET_ID_ANY,
        .extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
    };
    return rte_hash_create(&parameters);
}

static int fill(struct bench *bench)
{
    for (uint32_t member = 0; member < bench->entries; member++) {
        struct bypeer_destination destination = {.link = 1 + member % 1000, .group = 1, .prefix_bits = 128};
        bench_member_key(member, destination.key);
        int result = bypeer_writer_put_destination(bench->writer, &destination);
        if (result != 1)
            return bench_fail("member %" PRIu32 " does not fit in our table: %s", member, strerror(-result));
        const struct bypeer_destination *record = bypeer_writer_find_destination(bench->writer, destination.key);
        result = rte_hash_add_key_data(bench->rival, destination.key, (void *)(uintptr_t)record);
        if (result != 0)
            return bench_fail("member %" PRIu32 " does not fit in rte_hash: %s", member, strerror(-result));
    }
    return 0;
}

static int prepare(struct bench *bench)
{
    const struct bypeer_tables_size size = {
        .destinations = bench->entries, .links = 1, .adjacencies = 1, .groups = 1, .prefixes = 1};
    const uint64_t ours = bypeer_tables_bytes(&size), rival = rival_bytes(bench->entries);
    const uint64_t queries = LOOKUPS * (uint64_t)(sizeof(struct query) + sizeof(uint32_t));
    const uint64_t total = ours + rival + queries;
    if (total > bench_pages_memory_available())
        return bench_fail(
            "%" PRIu32 " entries take %.1f GiB in both tables, of which %.1f are available: give a smaller "
            "--entries",
            bench->entries, (double)total / (1 << 30), (double)bench_pages_memory_available() / (1 << 30));

    bench->huge = bench_pages_borrow(total + (UINT64_C(128) << 20));
    if (!bench->huge)
        fputs("bypeer-bench: not enough huge pages, and not the right to make more: all on normal pages\n", stderr);
    if (start_eal(bench->huge, rival) < 0)
        return bench_fail("DPDK does not start: %s", rte_strerror(rte_errno));

    void *region = bench_pages_map(ours, bench->huge);
    bench->queries = bench_pages_map(queries, bench->huge);
    bench->rival = rival_create(bench->entries);
    if (!region || !bench->queries || !bench->rival)
        return bench_fail("no memory for %" PRIu32 " entries", bench->entries);
    bench->lines = (uint32_t *)(void *)(bench->queries + LOOKUPS);

    char why[160];
    int error = bypeer_writer_create(&bench->writer, region, ours, &size, BYPEER_LAYOUT_NEWEST, 1,
                                     UINT64_C(0x6279706565720001), 0);
    if (error)
        return bench_fail("tables: %s", strerror(-error));
    bypeer_writer_publish(bench->writer);
    error = bypeer_tables_attach(&bench->tables, region, ours, why);
    if (error)
        return bench_fail("tables: %s", why);
    return fill(bench);
}

static void draw_queries(void *of)
{
    struct bench *bench = of;
    const struct bypeer_exact *exact = &bench->tables.destinations;
    for (uint32_t i = 0; i < LOOKUPS; i++) {
        bench_member_key(random_next_below(&bench->random, bench->entries), bench->queries[i].key);
        uint32_t bucket, way;
        do {
            bucket = random_next_below(&bench->random, exact->bucket_count);
            way = random_next_below(&bench->random, BYPEER_BUCKET_WAYS);
        } while (exact->buckets[bucket].tags[way] == 0);
        bench->lines[i] = bucket * 16 + way;
    }
}

/* --- the run --------------------------------------------------------------------------------------------------------
 */

static int measure(struct bench *bench, bool json)
{
    bench_turn *const ways[WAYS] = {turn_ours, turn_rival, turn_limit};
    double ns[WAYS];
    bench_turns_take(ROUNDS, draw_queries, ways, WAYS, bench, ns);
    if (bench->checksum != 0)
        return bench_fail("ours and rte_hash found different records");

    double ours = ns[0], rival = ns[1], limit = ns[2];
    if (json)
        printf("{\"entries\": %" PRIu32 ", \"ours_ns\": %.2f, \"rte_hash_ns\": %.2f, \"limit_ns\": %.2f, "
               "\"variant\": \"%s\", \"huge_pages\": %s}\n",
               bench->entries, ours, rival, limit, bench->lookup_name, bench->huge ? "true" : "false");
    else
        printf("%" PRIu32 " entries, %s pages, bursts of %d, ns a lookup (median of %d turns of %u lookups)\n"
               "  ours (%s)%*s %6.2f\n"
               "  rte_hash          %6.2f  %.2f times ours\n"
               "  bare limit        %6.2f  ours is %.2f times that\n",
               bench->entries, bench->huge ? "2 MiB" : "normal", BURST, ROUNDS, LOOKUPS, bench->lookup_name,
               (int)(10 - strlen(bench->lookup_name)), "", ours, rival, rival / ours, limit, ours / limit);
    return 0;
}

static int choose_variant(struct bench *bench, const char *name)
{
    struct bypeer_exact_variant variants[BYPEER_EXACT_VARIANTS];
    bypeer_exact_variants(variants);
    for (unsigned i = 0; i < BYPEER_EXACT_VARIANTS; i++) {
        if (!variants[i].lookup || (name && strcmp(name, variants[i].name) != 0))
            continue;
        bench->lookup = variants[i].lookup; /* the last is the fastest */
        bench->lookup_name = variants[i].name;
    }
    return bench->lookup ? 0 : bench_fail("--variant %s: this processor or build has no such variant", name);
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        {"entries", required_argument, NULL, 'e'},
        {"variant", required_argument, NULL, 'v'},
        {"json", no_argument, NULL, 'j'},
        {0},
    };
    struct bench bench = {.entries = 1000000};
    const char *variant = NULL;
    bool json = false;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'e')
            bench.entries = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 'v')
            variant = optarg;
        else if (option == 'j')
            json = true;
        else
            return 2;
    }
    if (bench.entries < BYPEER_DESTINATIONS_MIN || bench.entries > BYPEER_DESTINATIONS_MAX)
        return bench_fail("--entries: give %d to %d", BYPEER_DESTINATIONS_MIN, BYPEER_DESTINATIONS_MAX);
    int status = choose_variant(&bench, variant);
    if (status == 0)
        status = prepare(&bench);
    if (status == 0)
        status = measure(&bench, json);
    return status;
}

const struct bench_command bench_destinations = {
    .name = "destinations",
    .options = "[--entries N] [--variant NAME] [--json]",
    .summary = "a lookup of an overlay address beside rte_hash and beside the bare limit of the memory",
    .run = run,
};
