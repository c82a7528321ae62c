/*
 * What sealing and opening of data messages costs, by each implementation of the AEAD that was considered:
 *
 *   portable   the node's, libcrypto one message after another
 *   avx512     the node's, lanes across messages (overlay/wireguard/aead_lanes.h)
 *   ipsec-mb   intel-ipsec-mb's burst API
 *
 * Each round draws fresh keys, counters and texts; the implementations take turns on them, in bursts, each message
 * under a key of its own, none aligned, as in frames. What one seals must be what the others do, byte for byte. The
 * messages of a turn lie in the second level of cache, put there before the clock starts: a frame that a worker opens
 * has just been received.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "overlay/wireguard/aead.h"
#include "perf/bench.h"
#include "perf/bench_ipsec_mb.h"
#include "perf/bench_turns.h"
#include "tests/random.h"

#define MESSAGES 512
#define REPEATS  4 /* of the messages in a turn */
#define ROUNDS   15
#define STRIDE   1536
#define OFFSET   14 /* of a text in its line: behind Ethernet, IPv6, UDP and a data message's header */
#define WAYS     3

enum way { PORTABLE, AVX512, IPSEC_MB };
static const char *const way_names[WAYS] = {"portable", "avx512", "ipsec-mb"};
static const uint32_t sizes[] = {64, 256, 512, 1024, 1420};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

struct bench {
    struct bypeer_aead *engines[WAYS]; /* NULL: not here */
    struct bench_ipsec_mb *ipsec_mb;
    uint32_t bytes;
    unsigned burst;
    uint64_t random;
    const char *error;
    struct bypeer_aead_job jobs[MESSAGES];
    uint8_t keys[MESSAGES][32];
    uint8_t plain[MESSAGES][STRIDE], sealed[MESSAGES][STRIDE], work[MESSAGES][STRIDE];
};

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* --- turns --- */

static void run(struct bench *bench, enum way way, bool seals, struct bypeer_aead_job jobs[], unsigned count)
{
    if (way == IPSEC_MB && seals)
        bench_ipsec_mb_seal(bench->ipsec_mb, jobs, count);
    else if (way == IPSEC_MB)
        bench_ipsec_mb_open(bench->ipsec_mb, jobs, count);
    else if (seals)
        bypeer_aead_seal(bench->engines[way], jobs, count);
    else
        bypeer_aead_open(bench->engines[way], jobs, count);
}

static bool is_here(const struct bench *bench, enum way way)
{
    return way == IPSEC_MB ? bench->ipsec_mb != NULL : bench->engines[way] != NULL;
}

static double take_turn(struct bench *bench, enum way way, bool seals)
{
    const size_t length = OFFSET + bench->bytes + BYPEER_AEAD_TAG;
    double took = 0;
    if (!is_here(bench, way))
        return NAN;
    for (unsigned repeat = 0; repeat < REPEATS; repeat++) {
        memcpy(bench->work, seals ? bench->plain : bench->sealed, sizeof(bench->work));
        double start = now_ns();
        for (unsigned i = 0; i < MESSAGES; i += bench->burst)
            run(bench, way, seals, bench->jobs + i, bench->burst < MESSAGES - i ? bench->burst : MESSAGES - i);
        took += now_ns() - start;
        for (unsigned i = 0; i < MESSAGES; i++) {
            const uint8_t *expected = seals ? bench->sealed[i] : bench->plain[i];
            if (!bench->jobs[i].is_good ||
                memcmp(bench->work[i], expected, seals ? length : OFFSET + bench->bytes) != 0)
                bench->error = way_names[way];
        }
    }
    return took / (REPEATS * MESSAGES);
}

static double seal_portable(void *bench)
{
    return take_turn(bench, PORTABLE, true);
}

static double seal_avx512(void *bench)
{
    return take_turn(bench, AVX512, true);
}

static double seal_ipsec_mb(void *bench)
{
    return take_turn(bench, IPSEC_MB, true);
}

static double open_portable(void *bench)
{
    return take_turn(bench, PORTABLE, false);
}

static double open_avx512(void *bench)
{
    return take_turn(bench, AVX512, false);
}

static double open_ipsec_mb(void *bench)
{
    return take_turn(bench, IPSEC_MB, false);
}

static void draw(void *context)
{
    struct bench *bench = context;
    for (unsigned i = 0; i < MESSAGES; i++) {
        for (unsigned at = 0; at < 32; at += 8)
            memcpy(bench->keys[i] + at, &(uint64_t){random_next(&bench->random)}, 8);
        for (unsigned at = 0; at < STRIDE; at += 8)
            memcpy(bench->plain[i] + at, &(uint64_t){random_next(&bench->random)}, 8);
        memcpy(bench->sealed[i], bench->plain[i], STRIDE);
        bench->jobs[i] = (struct bypeer_aead_job){.key = bench->keys[i],
                                                  .counter = random_next(&bench->random),
                                                  .text = bench->sealed[i] + OFFSET,
                                                  .bytes = bench->bytes};
    }
    for (unsigned i = 0; i < MESSAGES; i += BYPEER_AEAD_BURST)
        bypeer_aead_seal(bench->engines[PORTABLE], bench->jobs + i, BYPEER_AEAD_BURST);
    for (unsigned i = 0; i < MESSAGES; i++)
        bench->jobs[i].text = bench->work[i] + OFFSET;
}

/* --- the run --- */

static void print(const struct bench *bench, const double ns[2 * WAYS], bool json, bool first)
{
    if (!json && first)
        printf("bursts of %u, median of %d turns; Mpps, Gb/s of text\n"
               "  bytes  implementation       seal                open\n",
               bench->burst, ROUNDS);
    for (enum way way = 0; way < WAYS; way++) {
        if (!is_here(bench, way))
            continue;
        double seal = 1000 / ns[way], open = 1000 / ns[WAYS + way], bits = bench->bytes * 8 / 1000.0;
        if (json)
            printf("%s{\"bytes\": %u, \"implementation\": \"%s\", \"seal_mpps\": %.3f, \"seal_gbps\": %.2f, "
                   "\"open_mpps\": %.3f, \"open_gbps\": %.2f}",
                   first && way == 0 ? "" : ", ", bench->bytes, way_names[way], seal, seal * bits, open, open * bits);
        else
            printf("  %5u  %-14s %8.2f %8.1f   %8.2f %8.1f\n", bench->bytes, way_names[way], seal, seal * bits, open,
                   open * bits);
    }
}

static int measure(struct bench *bench, bool json)
{
    bench_turn *const ways[2 * WAYS] = {seal_portable, seal_avx512, seal_ipsec_mb,
                                        open_portable, open_avx512, open_ipsec_mb};
    double ns[2 * WAYS];
    if (json)
        printf("{\"burst\": %u, \"sizes\": [", bench->burst);
    for (unsigned size = 0; size < SIZES; size++) {
        bench->bytes = sizes[size];
        bench_turns_take(ROUNDS, draw, ways, 2 * WAYS, bench, ns);
        if (bench->error)
            return bench_fail("%s does not agree with the others at %u bytes", bench->error, bench->bytes);
        print(bench, ns, json, size == 0);
    }
    if (json)
        puts("]}");
    return 0;
}

static int run_command(int argc, char **argv)
{
    static const struct option options[] = {
        {"burst", required_argument, NULL, 'b'},
        {"json", no_argument, NULL, 'j'},
        {0},
    };
    struct bench *bench = aligned_alloc(64, (sizeof(*bench) + 63) & ~(size_t)63);
    bool json = false;
    int option, status;
    if (!bench)
        return bench_fail("no memory");
    memset(bench, 0, sizeof(*bench));
    bench->burst = BYPEER_AEAD_BURST;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'b')
            bench->burst = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'j')
            json = true;
        else
            return 2;
    }
    if (bench->burst < 1 || bench->burst > BYPEER_AEAD_BURST)
        return bench_fail("--burst: give 1 to %d", BYPEER_AEAD_BURST);
    if (bypeer_aead_new(&bench->engines[PORTABLE], BYPEER_AEAD_PORTABLE) < 0)
        return bench_fail("libcrypto has no ChaCha20-Poly1305");
    bypeer_aead_new(&bench->engines[AVX512], BYPEER_AEAD_AVX512); /* or it stays NULL */
    bench->ipsec_mb = bench_ipsec_mb_new();
    status = measure(bench, json);
    bench_ipsec_mb_free(bench->ipsec_mb);
    bypeer_aead_free(bench->engines[AVX512]);
    bypeer_aead_free(bench->engines[PORTABLE]);
    free(bench);
    return status;
}

const struct bench_command bench_aead = {
    .name = "aead",
    .options = "[--burst N] [--json]",
    .summary = "data messages sealed and opened, by each implementation at each size",
    .run = run_command,
};
