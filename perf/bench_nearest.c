/*
 * What it costs to find the nearest known PNRP ID, beside binary search and beside what the memory allows.
 *
 * Four ways to get from random 256-bit targets to the 64-byte record of the first ID that is not below, in bursts of
 * 64, over the same records and the same kind of pages:
 *
 *   ours    bypeer_names_locate() and the first step of the walk; IDs in the half and, --delta, in the delta
 *   binary  binary search in a sorted array of nothing but IDs, each four native words, compared word by word; then
 *           the record of the same number
 *   memcmp  the same over 32-byte IDs as they are on the wire, compared by memcmp()
 *   limit   no search at all: a random node of our tree's last layer, of which one word leads to the record; both
 *           prefetched. Whoever keeps what he searches apart from the records waits for these two lines.
 *
 * --run N: every name has N registrations, IDs with equal first 128 bits, and each target is in a name's run.
 *
 * Each round draws fresh targets, and the four take turns on them in rotating order; the medians of the rounds count.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "overlay/pnrp/id.h"
#include "overlay/tables/names_build.h"
#include "overlay/tables/names_search.h"
#include "overlay/tables/writer.h"
#include "perf/bench.h"
#include "perf/bench_pages.h"
#include "perf/bench_turns.h"
#include "tests/random.h"

#define BURST         BYPEER_NAMES_BURST
#define LOOKUPS       (UINT32_C(1) << 18) /* of one turn */
#define ROUNDS        11
#define WAYS          4
#define ENTRIES_LEAST 1000
#define DELTA         (BYPEER_NAMES_DELTA / 2) /* as full as it is on average */

struct bench {
    uint32_t entries, delta, run;
    bool huge;
    struct bypeer_names_variant variant;
    struct bypeer_writer *writer;
    struct bypeer_tables tables;
    struct bypeer_id_number *sorted; /* all IDs: the rivals' arrays */
    uint8_t (*sorted_bytes)[32];
    struct bypeer_name_record *records;
    uint8_t (*targets)[32];
    uint32_t *lines; /* of a query of the limit: a record in the half */
    uint64_t random;
    uint64_t ours_checksum, binary_checksum, memcmp_checksum; /* of what was read: they are equal */
};

/* Of this thread's own time: what other programs do in between counts for none of the four. */
static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* --- the four, one turn each: ns a target --------------------------------------------------------------------------
 */

/* The whole line but for what depends on the array that the record lies in. */
static inline uint64_t read_record(const struct bypeer_name_record *record)
{
    const uint64_t *words = (const uint64_t *)(const void *)record;
    return words[0] + words[1] + words[2] + words[3] + words[4] + words[5] + record->port;
}

/* Fetches a target of the next burst: those of packets at hand are in the cache, too. */
static inline void fetch_target(const struct bench *bench, uint32_t number)
{
    __builtin_prefetch(bench->targets[number + BURST < LOOKUPS ? number + BURST : number]);
}

static double turn_ours(void *of)
{
    struct bench *bench = of;
    static const uint8_t clouds[BURST] = {[0 ... BURST - 1] = 1};
    uint64_t sum = 0;
    double start = now_ns();
    for (uint32_t i = 0; i < LOOKUPS; i += BURST) {
        const uint8_t *targets[BURST];
        struct bypeer_names_walk walks[BURST];
        for (unsigned k = 0; k < BURST; k++) {
            targets[k] = bench->targets[i + k];
            fetch_target(bench, i + k);
        }
        bench->variant.locate(&bench->tables, clouds, targets, BURST, BYPEER_NAMES_FETCH_ABOVE, walks);
        for (unsigned k = 0; k < BURST; k++)
            sum += read_record(bypeer_names_above(&walks[k]));
    }
    bench->ours_checksum += sum;
    return (now_ns() - start) / LOOKUPS;
}

static double turn_binary(void *of)
{
    struct bench *bench = of;
    const struct bypeer_id_number *sorted = bench->sorted;
    uint64_t sum = 0;
    double start = now_ns();
    for (uint32_t i = 0; i < LOOKUPS; i++) {
        struct bypeer_id_number target = bypeer_id_load(bench->targets[i]);
        fetch_target(bench, i);
        uint32_t low = 0, high = bench->entries;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (bypeer_id_compare(sorted[middle], target) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        sum += read_record(&bench->records[low == bench->entries ? 0 : low]);
    }
    bench->binary_checksum += sum;
    return (now_ns() - start) / LOOKUPS;
}

static double turn_memcmp(void *of)
{
    struct bench *bench = of;
    uint8_t(*const sorted)[32] = bench->sorted_bytes;
    uint64_t sum = 0;
    double start = now_ns();
    for (uint32_t i = 0; i < LOOKUPS; i++) {
        const uint8_t *target = bench->targets[i];
        fetch_target(bench, i);
        uint32_t low = 0, high = bench->entries;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (memcmp(sorted[middle], target, 32) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        sum += read_record(&bench->records[low == bench->entries ? 0 : low]);
    }
    bench->memcmp_checksum += sum;
    return (now_ns() - start) / LOOKUPS;
}

static double turn_limit(void *of)
{
    struct bench *bench = of;
    struct bypeer_names_place place;
    bypeer_names_place(&bench->tables.names, bypeer_names_root_read(bench->tables.header).half, 1, &place);
    const struct bypeer_name_node *leaves = place.leaves;
    const struct bypeer_name_record *records = place.records;
    uint64_t sum = 0;
    double start = now_ns();
    for (uint32_t i = 0; i < LOOKUPS; i += BURST) {
        const struct bypeer_name_record *found[BURST];
        for (unsigned k = 0; k < BURST; k++)
            __builtin_prefetch(&leaves[bench->lines[i + k] / BYPEER_NAME_NODE_KEYS]);
        for (unsigned k = 0; k < BURST; k++) {
            uint32_t line = bench->lines[i + k];
            uint64_t key = leaves[line / BYPEER_NAME_NODE_KEYS].keys[line % BYPEER_NAME_NODE_KEYS];
            /* Always the same record, which the processor does not know before the key is there. */
            found[k] = &records[line + (key == UINT64_MAX)];
            __builtin_prefetch(found[k]);
        }
        for (unsigned k = 0; k < BURST; k++)
            sum += read_record(found[k]);
    }
    __asm__ volatile("" : : "r"(sum));
    return (now_ns() - start) / LOOKUPS;
}

/* --- preparation ----------------------------------------------------------------------------------------------------
 */

/* ID number of all; the names' halves are in no order, the instances of one name neither. */
static struct bypeer_id_number id_of(const struct bench *bench, uint32_t number)
{
    uint64_t name = bench->run ? number / bench->run : number;
    uint64_t seed = random_mix(name * 4 + 1) * 7, own = random_mix(number + (UINT64_C(1) << 40));
    struct bypeer_id_number id = {
        {random_mix(seed), random_mix(seed + 1), bench->run ? own : random_mix(seed + 2), random_mix(own)}};
    return id;
}

static int compare_ids(const void *a, const void *b)
{
    return bypeer_id_compare(*(const struct bypeer_id_number *)a, *(const struct bypeer_id_number *)b);
}

static struct bypeer_name name_of(const struct bench *bench, uint32_t number)
{
    struct bypeer_name name = {.port = 3541, .address_count = 1};
    bypeer_id_store(name.id, bench->sorted[number]);
    memcpy(name.addresses[0], name.id + 16, 16);
    return name;
}

/* Every stride-th ID comes later and is in the delta. */
static bool is_of_delta(const struct bench *bench, uint32_t number)
{
    uint32_t stride = bench->delta ? bench->entries / bench->delta : 0;
    return stride != 0 && number % stride == 0 && number / stride < bench->delta;
}

struct fill {
    const struct bench *bench;
    uint32_t next;
};

static int fill_next(void *context, uint32_t *ret_cloud, struct bypeer_name *ret_name)
{
    struct fill *fill = context;
    while (fill->next < fill->bench->entries && is_of_delta(fill->bench, fill->next))
        fill->next++;
    if (fill->next == fill->bench->entries)
        return 0;
    *ret_cloud = 1;
    *ret_name = name_of(fill->bench, fill->next++);
    return 1;
}

static bool fill_index(struct bench *bench)
{
    const struct bypeer_cloud_record cloud = {
        .number = 1, .port = 3541, .version_major = 5, .address_count = 1, .flags = BYPEER_CLOUD_ANSWERS};
    struct fill fill = {.bench = bench};
    const struct bypeer_names_source source = {.next = fill_next, .context = &fill};
    struct bypeer_names_build *build;
    int error = bypeer_writer_put_cloud(bench->writer, &cloud);
    if (error >= 0)
        error = bypeer_writer_begin_names(bench->writer, &source, &build);
    if (error >= 0)
        error = bypeer_names_build(build);
    if (error >= 0)
        error = bypeer_writer_swap_names(bench->writer);
    for (uint32_t i = 0; i < bench->entries && error >= 0; i++) {
        if (is_of_delta(bench, i)) {
            struct bypeer_name name = name_of(bench, i);
            error = bypeer_writer_put_name(bench->writer, 1, &name);
        }
    }
    if (error >= 0)
        error = bypeer_writer_commit_names(bench->writer);
    if (error < 0)
        bench_fail("the index: %s", strerror(-error));
    return error >= 0;
}

static void fill_rival(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->entries; i++)
        bench->sorted[i] = id_of(bench, i);
    qsort(bench->sorted, bench->entries, sizeof(bench->sorted[0]), compare_ids);
    for (uint32_t i = 0; i < bench->entries; i++) {
        struct bypeer_name name = name_of(bench, i);
        struct bypeer_name_record *record = &bench->records[i];
        memcpy(bench->sorted_bytes[i], name.id, sizeof(name.id));
        memcpy(record->id, name.id, sizeof(record->id));
        memcpy(record->address, name.addresses[0], sizeof(record->address));
        record->port = name.port;
    }
}

static bool prepare(struct bench *bench)
{
    const struct bypeer_tables_size size = {.destinations = BYPEER_DESTINATIONS_MIN,
                                            .links = 1,
                                            .adjacencies = 1,
                                            .groups = 1,
                                            .prefixes = 1,
                                            .names = bench->entries};
    const uint64_t ours = bypeer_tables_bytes(&size);
    const uint64_t rival =
        bench->entries * (uint64_t)(sizeof(*bench->sorted) + sizeof(*bench->sorted_bytes) + sizeof(*bench->records));
    const uint64_t queries = LOOKUPS * (uint64_t)(sizeof(*bench->targets) + sizeof(*bench->lines));
    const uint64_t total = ours + rival + queries;
    if (total > bench_pages_memory_available()) {
        bench_fail("%" PRIu32 " entries take %.1f GiB, of which %.1f are available: give a smaller --entries",
                   bench->entries, (double)total / (1 << 30), (double)bench_pages_memory_available() / (1 << 30));
        return false;
    }
    bench->huge = bench_pages_borrow(total + (UINT64_C(16) << 20));
    if (!bench->huge)
        fputs("bypeer-bench: not enough huge pages, and not the right to make more: all on normal pages\n", stderr);
    void *region = bench_pages_map(ours, bench->huge);
    bench->sorted = bench_pages_map(rival, bench->huge);
    bench->targets = bench_pages_map(queries, bench->huge);
    if (!region || !bench->sorted || !bench->targets) {
        bench_fail("no memory for %" PRIu32 " entries", bench->entries);
        return false;
    }
    bench->records = (struct bypeer_name_record *)(void *)(bench->sorted + bench->entries);
    bench->sorted_bytes = (uint8_t(*)[32])(void *)(bench->records + bench->entries);
    bench->lines = (uint32_t *)(void *)(bench->targets + LOOKUPS);

    char why[160];
    int error = bypeer_writer_create(&bench->writer, region, ours, &size, BYPEER_LAYOUT_NEWEST, 1, 1, 0);
    if (error) {
        bench_fail("tables: %s", strerror(-error));
        return false;
    }
    bypeer_writer_publish(bench->writer);
    error = bypeer_tables_attach(&bench->tables, region, ours, why);
    if (error) {
        bench_fail("tables: %s", why);
        return false;
    }
    fill_rival(bench);
    return fill_index(bench);
}

static void draw_queries(void *of)
{
    struct bench *bench = of;
    for (uint32_t i = 0; i < LOOKUPS; i++) {
        struct bypeer_id_number target = {{random_next(&bench->random), random_next(&bench->random),
                                           random_next(&bench->random), random_next(&bench->random)}};
        if (bench->run) {
            struct bypeer_id_number known = id_of(bench, random_next_below(&bench->random, bench->entries));
            target.words[0] = known.words[0];
            target.words[1] = known.words[1];
        }
        bypeer_id_store(bench->targets[i], target);
        bench->lines[i] = random_next_below(&bench->random, bench->entries - bench->delta);
    }
}

/* --- the run --------------------------------------------------------------------------------------------------------
 */

static int measure(struct bench *bench, bool json)
{
    bench_turn *const ways[WAYS] = {turn_ours, turn_binary, turn_memcmp, turn_limit};
    double ns[WAYS];
    bench_turns_take(ROUNDS, draw_queries, ways, WAYS, bench, ns);
    if (bench->ours_checksum != bench->binary_checksum || bench->ours_checksum != bench->memcmp_checksum)
        return bench_fail("ours and binary search found different records");

    double ours = ns[0], binary = ns[1], bytes = ns[2], limit = ns[3];
    if (json)
        printf(
            "{\"entries\": %" PRIu32 ", \"delta\": %" PRIu32 ", \"run\": %" PRIu32
            ", \"ours_ns\": %.2f, \"binary_ns\": %.2f, \"memcmp_ns\": %.2f, \"limit_ns\": %.2f, \"variant\": \"%s\", "
            "\"huge_pages\": %s}\n",
            bench->entries, bench->delta, bench->run, ours, binary, bytes, limit, bench->variant.name,
            bench->huge ? "true" : "false");
    else
        printf("%" PRIu32 " entries, %" PRIu32 " of them in the delta, %s pages, bursts of %d, ns a target (median of "
               "%d turns of %u)\n"
               "  ours (%s)%*s %7.2f\n"
               "  binary search     %7.2f  %.2f times ours\n"
               "  by memcmp         %7.2f  %.2f times ours\n"
               "  bare limit        %7.2f  ours is %.2f times that\n",
               bench->entries, bench->delta, bench->huge ? "2 MiB" : "normal", BURST, ROUNDS, LOOKUPS,
               bench->variant.name, (int)(10 - strlen(bench->variant.name)), "", ours, binary, binary / ours, bytes,
               bytes / ours, limit, ours / limit);
    return 0;
}

static int choose_variant(struct bench *bench, const char *name)
{
    struct bypeer_names_variant variants[BYPEER_NAMES_VARIANTS];
    bypeer_names_variants(variants);
    for (unsigned i = 0; i < BYPEER_NAMES_VARIANTS; i++) {
        if (!variants[i].locate || (name && strcmp(name, variants[i].name) != 0))
            continue;
        bench->variant = variants[i]; /* the last is the fastest */
    }
    return bench->variant.locate ? 0 : bench_fail("--variant %s: this processor or build has no such variant", name);
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        {"entries", required_argument, NULL, 'e'}, {"delta", required_argument, NULL, 'd'},
        {"run", required_argument, NULL, 'r'},     {"variant", required_argument, NULL, 'v'},
        {"json", no_argument, NULL, 'j'},          {0},
    };
    struct bench bench = {.entries = 1000000, .delta = DELTA};
    const char *variant = NULL;
    bool json = false;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'e')
            bench.entries = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 'd')
            bench.delta = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 'r')
            bench.run = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 'v')
            variant = optarg;
        else if (option == 'j')
            json = true;
        else
            return 2;
    }
    if (bench.entries < ENTRIES_LEAST || bench.entries > BYPEER_NAMES_MAX)
        return bench_fail("--entries: give %d to %d", ENTRIES_LEAST, BYPEER_NAMES_MAX);
    if (bench.delta > BYPEER_NAMES_DELTA || bench.delta > bench.entries / 2)
        return bench_fail("--delta: give at most %d, and at most half of --entries", BYPEER_NAMES_DELTA);
    int status = choose_variant(&bench, variant);
    if (status == 0 && !prepare(&bench))
        status = 1;
    if (status == 0)
        status = measure(&bench, json);
    return status;
}

const struct bench_command bench_nearest = {
    .name = "nearest",
    .options = "[--entries N] [--delta N] [--run N] [--variant NAME] [--json]",
    .summary = "the nearest known PNRP ID beside binary search and beside the bare limit of the memory",
    .run = run,
};
