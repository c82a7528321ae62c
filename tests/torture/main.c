/*
 * torture SCENARIO [--seconds N] [--engine urcu|epoch]
 *
 *   steady    readers look, the writer changes and grows
 *   readers   a reader process is killed every now and then, in whatever it does, and another one comes
 *   writers   the writer is killed with frees pending, and a successor builds the next generation
 *   stall     a reader thread stops announcing quiescent states, then a whole process is stopped: alarm, back pressure,
 *             recovery
 *   threads   like steady, within one process, for ThreadSanitizer
 *   sabotage-writer, sabotage-broker
 *             one side does not wait for grace periods: the test must notice, or it is worth nothing
 *
 * BYPEER_TORTURE_SECONDS is the default of --seconds (3): set it to hours for a soak.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/torture/torture.h"

#define PROCESSES 2
#define THREADS   2
#define PATIENCE  20 /* seconds for what must happen in the end */

struct torture {
    struct torture_shared *shared;
    struct torture_place place;
    const struct torture_engine *engine;
    double seconds;
    pid_t writer;
    pid_t readers[PROCESSES];
    unsigned lives; /* of writers */
    unsigned kills;
    uint64_t random;
};

static void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}, NULL);
}

/* --- processes ---------------------------------------------------------------------------------------------------- */

static pid_t fork_child(void)
{
    fflush(NULL);
    pid_t parent = getpid(), child = fork();
    if (child)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    return 0;
}

static void start_writer(struct torture *torture)
{
    unsigned life = torture->lives++;
    torture->writer = fork_child();
    if (torture->writer)
        return;
    torture_writer_run(torture->shared, &torture->place, life);
    _exit(EXIT_SUCCESS);
}

static void start_reader(struct torture *torture, unsigned process)
{
    torture->readers[process] = fork_child();
    if (torture->readers[process])
        return;
    torture_reader_run(torture->shared, &torture->place, torture->engine, process, THREADS);
    _exit(EXIT_SUCCESS);
}

static void kill_child(struct torture *torture, pid_t child)
{
    int status;
    kill(child, SIGKILL);
    if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        torture_fail(torture->shared, "a process had ended before it was killed");
    torture->kills++;
}

/* A child that ended by itself has crashed: a reader left its region. */
static void check_children(struct torture *torture)
{
    int status;
    pid_t child;
    while ((child = waitpid(-1, &status, WNOHANG)) > 0)
        torture_fail(torture->shared, "process %d ended with status %#x", (int)child, (unsigned)status);
}

static void wait_for(struct torture *torture, pid_t child)
{
    int status;
    if (waitpid(child, &status, 0) == child && status != 0)
        torture_fail(torture->shared, "process %d ended with status %#x", (int)child, (unsigned)status);
}

static void stop_children(struct torture *torture)
{
    __atomic_store_n(&torture->shared->stop, true, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < PROCESSES; i++)
        wait_for(torture, torture->readers[i]);
    __atomic_store_n(&torture->shared->stop_writer, true, __ATOMIC_RELEASE);
    wait_for(torture, torture->writer);
}

/* --- waiting for what must happen --------------------------------------------------------------------------------- */

static uint64_t load(const uint64_t *count)
{
    return __atomic_load_n(count, __ATOMIC_RELAXED);
}

static void expect_more(struct torture *torture, const uint64_t *count, uint64_t than, const char *what)
{
    for (unsigned ms = 0; ms < PATIENCE * 1000; ms += 10) {
        if (load(count) > than)
            return;
        sleep_ms(10);
    }
    torture_fail(torture->shared, "%s did not happen within %d s", what, PATIENCE);
}

static bool time_is_left(const struct torture *torture, uint64_t begin_ns)
{
    return (double)(torture_now_ns() - begin_ns) < torture->seconds * 1e9 && torture->shared->failures == 0;
}

/* --- scenarios ---------------------------------------------------------------------------------------------------- */

static void run_steady(struct torture *torture)
{
    for (uint64_t begin = torture_now_ns(); time_is_left(torture, begin); sleep_ms(20))
        check_children(torture);
}

static void run_deaths(struct torture *torture, bool of_writer)
{
    for (uint64_t begin = torture_now_ns(); time_is_left(torture, begin);) {
        sleep_ms((unsigned)(torture_draw(&torture->random) % 120));
        check_children(torture);
        if (of_writer) {
            kill_child(torture, torture->writer);
            start_writer(torture);
        } else {
            unsigned process = (unsigned)(torture_draw(&torture->random) % PROCESSES);
            kill_child(torture, torture->readers[process]);
            start_reader(torture, process);
        }
        /* It must come to life again: looks must be had and changes be made. */
        if (torture->kills % 8 == 0) {
            expect_more(torture, &torture->shared->updates, load(&torture->shared->updates) + 1000,
                        "a thousand updates");
            expect_more(torture, &torture->shared->served, load(&torture->shared->served) + 1, "a grace period");
        }
    }
}

static void run_stall(struct torture *torture)
{
    struct torture_shared *shared = torture->shared;
    for (uint64_t begin = torture_now_ns(), round = 0; round < 2 || time_is_left(torture, begin); round++) {
        expect_more(torture, &shared->updates, load(&shared->updates) + 1000, "a thousand updates");
        uint64_t alarms = load(&shared->alarms), refused = load(&shared->refused),
                 recovered = load(&shared->recoveries);
        if (round % 2 == 0)
            __atomic_store_n(&shared->stalled, 1, __ATOMIC_RELAXED);
        else
            kill(torture->readers[0], SIGSTOP);
        expect_more(torture, &shared->refused, refused, "-EAGAIN");
        expect_more(torture, &shared->alarms, alarms + 1, "two alarms");
        __atomic_store_n(&shared->stalled, 0, __ATOMIC_RELAXED);
        kill(torture->readers[0], SIGCONT);
        expect_more(torture, &shared->recoveries, recovered, "recovery");
        check_children(torture);
    }
    expect_more(torture, &shared->updates, load(&shared->updates) + 1000, "a thousand updates");
}

struct thread_reader {
    struct torture *torture;
    unsigned process;
};

static void *run_reader_thread(void *argument)
{
    struct thread_reader *reader = argument;
    torture_reader_run(reader->torture->shared, &reader->torture->place, reader->torture->engine, reader->process,
                       THREADS);
    return NULL;
}

static void *run_writer_thread(void *argument)
{
    struct torture *torture = argument;
    torture_writer_run(torture->shared, &torture->place, 0);
    return NULL;
}

/* Two brokers with one engine would wait for each other's threads too: one reader with all threads is enough. */
static void run_threads(struct torture *torture)
{
    pthread_t writer, reader_thread;
    struct thread_reader reader = {torture, 0};
    torture->place.threads = true;
    pthread_create(&writer, NULL, run_writer_thread, torture);
    pthread_create(&reader_thread, NULL, run_reader_thread, &reader);
    run_steady(torture);
    __atomic_store_n(&torture->shared->stop, true, __ATOMIC_RELAXED);
    pthread_join(reader_thread, NULL);
    __atomic_store_n(&torture->shared->stop_writer, true, __ATOMIC_RELEASE);
    pthread_join(writer, NULL);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static int listen_for_readers(char name[static 64])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(name, 64, "bypeer-torture-%d", (int)getpid());
    memcpy(address.sun_path + 1, name, strlen(name));
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) || listen(fd, 16)) {
        perror("torture: socket");
        exit(EXIT_FAILURE);
    }
    return fd;
}

static uint64_t sum_of_lookups(const struct torture_shared *shared)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < TORTURE_PROCESSES * TORTURE_THREADS; i++)
        sum += load(&shared->counts[i].lookups);
    return sum;
}

static void run(struct torture *torture, const char *scenario)
{
    struct torture_shared *shared = torture->shared;
    bool deaths_of_writer = strcmp(scenario, "writers") == 0;
    bool stall = strcmp(scenario, "stall") == 0;
    shared->growth = !deaths_of_writer && !stall;
    if (strcmp(scenario, "threads") == 0) {
        run_threads(torture);
        return;
    }
    start_writer(torture);
    for (unsigned i = 0; i < PROCESSES; i++)
        start_reader(torture, i);
    if (stall)
        run_stall(torture);
    else if (deaths_of_writer || strcmp(scenario, "readers") == 0)
        run_deaths(torture, deaths_of_writer);
    else
        run_steady(torture);
    stop_children(torture);
}

static int usage(void)
{
    fputs("usage: torture steady|readers|writers|stall|threads|sabotage-writer|sabotage-broker\n"
          "               [--seconds N] [--engine urcu|epoch]\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    const char *seconds = getenv("BYPEER_TORTURE_SECONDS");
    struct torture torture = {.engine = &torture_engine_urcu,
                              .seconds = seconds ? strtod(seconds, NULL) : 3,
                              .random = UINT64_C(88172645463325252)};
    if (argc < 2)
        return usage();
    const char *scenario = argv[1];
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0)
            torture.seconds = strtod(argv[i + 1], NULL);
        else if (strcmp(argv[i], "--engine") == 0)
            torture.engine = strcmp(argv[i + 1], "epoch") == 0 ? &torture_engine_epoch : &torture_engine_urcu;
        else
            return usage();
    }
    struct torture_shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return EXIT_FAILURE;
    char name[64];
    torture.shared = shared;
    torture.place.listener = listen_for_readers(name);
    torture.place.socket_name = name;
    bool sabotage = strncmp(scenario, "sabotage-", 9) == 0;
    if (sabotage)
        shared->sabotage = strcmp(scenario, "sabotage-writer") == 0 ? TORTURE_SABOTAGE_WRITER : TORTURE_SABOTAGE_BROKER;
    if (sabotage)
        torture.seconds = torture.seconds > 30 ? torture.seconds : 30; /* ends with the first failure */

    run(&torture, scenario);

    uint64_t lookups = sum_of_lookups(shared);
    printf("%s, %s: %lu lookups, %lu updates (%lu times -EAGAIN), %lu generations, %lu grace periods asked for, "
           "%lu served, %lu alarms, %lu recoveries, %u killed, %lu failures\n",
           scenario, torture.engine->name, (unsigned long)lookups, (unsigned long)shared->updates,
           (unsigned long)shared->refused, (unsigned long)shared->generations, (unsigned long)shared->requests,
           (unsigned long)shared->served, (unsigned long)shared->alarms, (unsigned long)shared->recoveries,
           torture.kills, (unsigned long)shared->failures);
    if (sabotage)
        return shared->failures ? EXIT_SUCCESS : EXIT_FAILURE;
    bool worked = lookups && shared->updates && shared->served;
    return shared->failures == 0 && worked ? EXIT_SUCCESS : EXIT_FAILURE;
}
