/*
 * How long a grace period takes, and what it costs the worker, at bursts of 1 to 40 microseconds.
 *
 * Two processes as in a running node. The one stands for control: a thousand times a second it stores a token, tells
 * the broker over a socket, and waits until the token is complete. The other is the data plane: a broker, and a worker
 * on the other core that is busy for a burst, announces a quiescent state, and so on. Two engines take turns:
 *
 *   urcu    as built: the broker calls synchronize_rcu(); a worker that is late makes a futex call to wake it
 *   epoch   the alternative: the worker copies a changed token into its slot of the status page; no broker, no futex
 *
 * and each row stands beside the same loop without any grace period, where a quiescent state is a load and a compare.
 * All four take turns for five rounds; the median of each figure counts.
 */
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

/* Only functions of fewer than ten lines are inlined, as the LGPL permits any program. */
#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu-qsbr.h>

#include "overlay/tables/grace.h"
#include "perf/bench.h"

static const unsigned bursts_us[] = {1, 2, 5, 10, 20, 40};
#define BURSTS (sizeof(bursts_us) / sizeof(bursts_us[0]))

enum engine { ENGINE_URCU, ENGINE_EPOCH, ENGINES };
static const char *const engine_names[ENGINES] = {"urcu", "epoch"};

/* One bin a tick up to here, the rest in the last: more than a hundred microseconds on any machine of today. */
#define BINS (1u << 20)

struct histogram {
    uint64_t count, sum, most;
    uint32_t bins[BINS];
};

/* What both processes see. */
struct grace_memory {
    struct bypeer_tables_header tables;
    struct bypeer_status_header status;
    _Alignas(BYPEER_CACHE_LINE) uint64_t slot; /* engine epoch: the worker's */
    _Alignas(BYPEER_CACHE_LINE) uint64_t worker_ready;
    uint64_t stop;
    struct histogram quiescent, synchronize, round_trip;
};

struct setting {
    enum engine engine;
    bool asked; /* grace periods are asked for */
    uint64_t burst_ticks;
    unsigned milliseconds;
    int control_core, worker_core; /* -1: anywhere */
};

/* All of one measurement, so that a median over several can be taken of each. */
enum figure {
    GRACE_PERIODS,
    SYNCHRONIZE_MEDIAN_US,
    SYNCHRONIZE_P99_US,
    ROUND_TRIP_MEDIAN_US,
    ROUND_TRIP_P99_US,
    QUIESCENT_MEAN_TICKS,
    QUIESCENT_P999_TICKS,
    QUIESCENT_MOST_TICKS,
    FIGURES,
};
struct row {
    double figures[FIGURES];
};

/* --- numbers ------------------------------------------------------------------------------------------------------ */

static void histogram_add(struct histogram *histogram, uint64_t ticks)
{
    histogram->count++;
    histogram->sum += ticks;
    histogram->most = ticks > histogram->most ? ticks : histogram->most;
    histogram->bins[ticks < BINS ? ticks : BINS - 1]++;
}

static double histogram_at(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)((double)histogram->count * share), seen = 0;
    for (uint32_t i = 0; i < BINS; i++) {
        seen += histogram->bins[i];
        if (seen > wanted)
            return i == BINS - 1 ? (double)histogram->most : i;
    }
    return 0;
}

static double ticks_per_us(void)
{
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    uint64_t begin = __rdtsc();
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    uint64_t end = __rdtsc();
    clock_gettime(CLOCK_MONOTONIC, &to);
    double us = (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
    return (double)(end - begin) / us;
}

/* What reading the counter twice takes by itself. */
static uint64_t rdtsc_ticks(void)
{
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t begin = __rdtsc(), ticks = __rdtsc() - begin;
        least = ticks < least ? ticks : least;
    }
    return least;
}

static void pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (core < 0)
        return;
    CPU_SET((unsigned)core, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

/* --- the data plane ----------------------------------------------------------------------------------------------- */

struct plane {
    struct grace_memory *memory;
    const struct setting *setting;
    uint64_t began; /* of a grace period */
};

static inline void worker_quiescent(struct grace_memory *memory, enum engine engine, uint64_t *seen)
{
    if (engine == ENGINE_URCU) {
        rcu_quiescent_state();
        return;
    }
    uint64_t token = __atomic_load_n(&memory->tables.grace_request, __ATOMIC_ACQUIRE);
    if (token != *seen) {
        *seen = token;
        /* All that this thread read is read before control sees the slot. */
        __atomic_store_n(&memory->slot, token, __ATOMIC_RELEASE);
    }
}

static void *worker_run(void *argument)
{
    struct plane *plane = argument;
    struct grace_memory *memory = plane->memory;
    const struct setting setting = *plane->setting;
    uint64_t seen = 0;
    uint64_t overhead = rdtsc_ticks();
    pin(setting.worker_core);
    rcu_register_thread();
    __atomic_store_n(&memory->worker_ready, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&memory->stop, __ATOMIC_RELAXED)) {
        uint64_t end = __rdtsc() + setting.burst_ticks, begin;
        do
            begin = __rdtsc();
        while (begin < end);
        begin = __rdtsc();
        worker_quiescent(memory, setting.engine, &seen);
        uint64_t ticks = __rdtsc() - begin;
        histogram_add(&memory->quiescent, ticks > overhead ? ticks - overhead : 0);
    }
    rcu_unregister_thread();
    return NULL;
}

static void broker_synchronize(void *context)
{
    struct plane *plane = context;
    uint64_t begin = __rdtsc();
    synchronize_rcu();
    histogram_add(&plane->memory->synchronize, __rdtsc() - begin);
}

static void run_plane(struct grace_memory *memory, const struct setting *setting, int socket)
{
    struct plane plane = {.memory = memory, .setting = setting};
    struct pollfd wait = {.fd = socket, .events = POLLIN};
    pthread_t worker;
    char messages[64];
    if (pthread_create(&worker, NULL, worker_run, &plane))
        _exit(EXIT_FAILURE);
    pin(setting->control_core);
    while (!__atomic_load_n(&memory->stop, __ATOMIC_RELAXED)) {
        if (poll(&wait, 1, 1) > 0 && read(socket, messages, sizeof(messages)) <= 0)
            break;
        if (setting->engine == ENGINE_URCU)
            bypeer_grace_serve(&memory->status, &memory->tables, broker_synchronize, &plane);
    }
    pthread_join(worker, NULL);
    _exit(EXIT_SUCCESS);
}

/* --- control ------------------------------------------------------------------------------------------------------ */

static bool is_complete(const struct grace_memory *memory, enum engine engine, uint64_t token)
{
    const uint64_t *word = engine == ENGINE_URCU ? &memory->status.grace_completed : &memory->slot;
    return __atomic_load_n(word, __ATOMIC_ACQUIRE) >= token;
}

static void ask(struct grace_memory *memory, const struct setting *setting, int socket, uint64_t token)
{
    uint64_t begin = __rdtsc();
    __atomic_store_n(&memory->tables.grace_request, token, __ATOMIC_RELEASE);
    if (setting->engine == ENGINE_URCU && write(socket, "", 1) != 1)
        return;
    while (!is_complete(memory, setting->engine, token))
        sched_yield();
    histogram_add(&memory->round_trip, __rdtsc() - begin);
}

static void run_control(struct grace_memory *memory, const struct setting *setting, int socket)
{
    struct timespec next;
    while (!__atomic_load_n(&memory->worker_ready, __ATOMIC_ACQUIRE))
        sched_yield();
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (uint64_t token = 1; token <= setting->milliseconds; token++) {
        if (setting->asked)
            ask(memory, setting, socket, token);
        next.tv_nsec += (long)BYPEER_GRACE_INTERVAL_NS;
        if (next.tv_nsec >= 1000000000) {
            next.tv_nsec -= 1000000000;
            next.tv_sec++;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    __atomic_store_n(&memory->stop, 1, __ATOMIC_RELAXED);
}

static int measure(const struct setting *setting, double per_us, struct row *ret_row)
{
    struct grace_memory *memory =
        mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    int ends[2];
    if (memory == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return bench_fail("grace: no memory or socket");
    pid_t plane = fork();
    if (plane < 0)
        return bench_fail("grace: cannot start a process");
    if (plane == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        run_plane(memory, setting, ends[1]);
    }
    close(ends[1]);
    run_control(memory, setting, ends[0]);
    int status;
    waitpid(plane, &status, 0);
    close(ends[0]);

    const struct histogram *quiescent = &memory->quiescent;
    *ret_row = (struct row){{
        [GRACE_PERIODS] = (double)memory->round_trip.count,
        [SYNCHRONIZE_MEDIAN_US] = histogram_at(&memory->synchronize, 0.5) / per_us,
        [SYNCHRONIZE_P99_US] = histogram_at(&memory->synchronize, 0.99) / per_us,
        [ROUND_TRIP_MEDIAN_US] = histogram_at(&memory->round_trip, 0.5) / per_us,
        [ROUND_TRIP_P99_US] = histogram_at(&memory->round_trip, 0.99) / per_us,
        [QUIESCENT_MEAN_TICKS] = (double)quiescent->sum / (double)(quiescent->count ? quiescent->count : 1),
        [QUIESCENT_P999_TICKS] = histogram_at(quiescent, 0.999),
        [QUIESCENT_MOST_TICKS] = (double)quiescent->most,
    }};
    munmap(memory, sizeof(*memory));
    return status == 0 ? 0 : bench_fail("grace: the data plane's process failed");
}

/* --- rounds ------------------------------------------------------------------------------------------------------- */

#define ROUNDS 5

static int compare_figures(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Each figure's median: one round that another process disturbed does not count. */
static struct row median_of(const struct row rows[static ROUNDS])
{
    struct row median;
    for (unsigned figure = 0; figure < FIGURES; figure++) {
        double sorted[ROUNDS];
        for (unsigned i = 0; i < ROUNDS; i++)
            sorted[i] = rows[i].figures[figure];
        qsort(sorted, ROUNDS, sizeof(sorted[0]), compare_figures);
        median.figures[figure] = sorted[ROUNDS / 2];
    }
    return median;
}

struct result {
    struct row idle, busy;
};

/* Both engines, with and without grace periods, in turns. */
static int measure_burst(struct setting setting, unsigned burst_us, double per_us,
                         struct result ret_results[static ENGINES])
{
    struct row idle[ENGINES][ROUNDS], busy[ENGINES][ROUNDS];
    setting.burst_ticks = (uint64_t)(burst_us * per_us);
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned engine = 0; engine < ENGINES; engine++) {
            setting.engine = (enum engine)engine;
            setting.asked = false;
            int status = measure(&setting, per_us, &idle[engine][round]);
            setting.asked = true;
            if (!status)
                status = measure(&setting, per_us, &busy[engine][round]);
            if (status)
                return status;
        }
    for (unsigned engine = 0; engine < ENGINES; engine++)
        ret_results[engine] = (struct result){.idle = median_of(idle[engine]), .busy = median_of(busy[engine])};
    return 0;
}

/* --- what is printed ---------------------------------------------------------------------------------------------- */

static void print_json(enum engine engine, unsigned burst_us, const struct result *result, double lost)
{
    const double *busy = result->busy.figures;
    printf("{\"engine\":\"%s\",\"burst_us\":%u,\"grace_periods\":%.0f", engine_names[engine], burst_us,
           busy[GRACE_PERIODS]);
    if (engine == ENGINE_URCU)
        printf(",\"synchronize_us\":{\"median\":%.1f,\"p99\":%.1f}", busy[SYNCHRONIZE_MEDIAN_US],
               busy[SYNCHRONIZE_P99_US]);
    printf(",\"round_trip_us\":{\"median\":%.1f,\"p99\":%.1f},\"quiescent_ticks\":{\"unasked_mean\":%.1f,"
           "\"mean\":%.1f,\"p999\":%.0f,\"most\":%.0f},\"worker_lost_percent\":%.3f}",
           busy[ROUND_TRIP_MEDIAN_US], busy[ROUND_TRIP_P99_US], result->idle.figures[QUIESCENT_MEAN_TICKS],
           busy[QUIESCENT_MEAN_TICKS], busy[QUIESCENT_P999_TICKS], busy[QUIESCENT_MOST_TICKS], lost);
}

static void print_table_row(enum engine engine, unsigned burst_us, const struct result *result, double lost)
{
    const double *busy = result->busy.figures;
    char synchronize[32] = "       -       -";
    if (engine == ENGINE_URCU)
        snprintf(synchronize, sizeof(synchronize), "%8.1f%8.1f", busy[SYNCHRONIZE_MEDIAN_US], busy[SYNCHRONIZE_P99_US]);
    printf("%-6s%4u%s %8.1f%8.1f  %8.1f%8.1f%10.0f%10.0f%11.3f\n", engine_names[engine], burst_us, synchronize,
           busy[ROUND_TRIP_MEDIAN_US], busy[ROUND_TRIP_P99_US], result->idle.figures[QUIESCENT_MEAN_TICKS],
           busy[QUIESCENT_MEAN_TICKS], busy[QUIESCENT_P999_TICKS], busy[QUIESCENT_MOST_TICKS], lost);
}

static void print_results(unsigned burst, const struct result results[static ENGINES], double per_us, bool json)
{
    if (!json && burst == 0)
        printf("           synchronize, us   round trip, us    quiescent state, ticks                      worker\n"
               "engine  us  median     p99   median     p99   unasked    mean     p99.9      most    loses, %%\n");
    for (unsigned engine = 0; engine < ENGINES; engine++) {
        double more =
            results[engine].busy.figures[QUIESCENT_MEAN_TICKS] - results[engine].idle.figures[QUIESCENT_MEAN_TICKS];
        double lost = 100 * more / (bursts_us[burst] * per_us);
        if (json && (burst || engine))
            putchar(',');
        (json ? print_json : print_table_row)((enum engine)engine, bursts_us[burst], &results[engine], lost);
    }
    fflush(stdout);
}

static void choose_cores(struct setting *setting)
{
    cpu_set_t set;
    setting->control_core = setting->worker_core = -1;
    if (sched_getaffinity(0, sizeof(set), &set) || CPU_COUNT(&set) < 2) {
        fputs("bypeer-bench: one core only: worker and broker wait for each other's time slices\n", stderr);
        return;
    }
    for (int core = 0; core < CPU_SETSIZE; core++) {
        if (!CPU_ISSET((unsigned)core, &set))
            continue;
        if (setting->control_core < 0)
            setting->control_core = core;
        else if (setting->worker_core < 0)
            setting->worker_core = core;
    }
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"milliseconds", required_argument, NULL, 'm'},
        {0},
    };
    struct setting setting = {.milliseconds = 200};
    bool json = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'j')
            json = true;
        else if (option == 'm')
            setting.milliseconds = (unsigned)strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    if (setting.milliseconds == 0 || optind != argc)
        return bench_fail("grace: --milliseconds of each of 120 measurements, at least 1");
    choose_cores(&setting);
    pin(setting.control_core);
    double per_us = ticks_per_us();
    if (json)
        printf("{\"ticks_per_us\":%.1f,\"grace_periods_per_s\":1000,\"rows\":[", per_us);
    for (unsigned burst = 0; burst < BURSTS; burst++) {
        struct result results[ENGINES];
        if (measure_burst(setting, bursts_us[burst], per_us, results))
            return 1;
        print_results(burst, results, per_us, json);
    }
    if (json)
        puts("]}");
    return 0;
}

const struct bench_command bench_grace = {
    .name = "grace",
    .options = "[--milliseconds N] [--json]",
    .summary = "latency of a grace period and the worker's cost at bursts of 1 to 40 us, beside epoch slots",
    .run = run,
};
