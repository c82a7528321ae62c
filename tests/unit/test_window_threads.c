/*
 * The window of WireGuard's counters between workers: run it under ThreadSanitizer as well (b_sanitize=thread).
 *
 * Each round gives every thread the same counters, in an order of its own, all within one window of each other. Of all
 * threads exactly one must find each counter fresh. Rounds overlap: a thread may be a good part of a window behind, so
 * words change hands while others mark bits in them; then a counter may be too old for all, but never fresh twice.
 *
 * A plain program, since Criterion does not start under ThreadSanitizer.
 */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "overlay/wireguard/window.h"
#include "tests/random.h"

#define THREADS 4

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define COUNTERS 400000u
#else
#define COUNTERS 2000000u
#endif

static uint64_t edge; /* the greatest */
static struct bypeer_window window;
static uint8_t fresh[COUNTERS]; /* how often each counter was found fresh */
static uint32_t reached[THREADS];

struct worker {
    pthread_t thread;
    unsigned number;
    uint32_t spread; /* how far a thread goes ahead of the slowest, and back */
    uint64_t found[3];
};

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s\n", what);
    exit(EXIT_FAILURE);
}

static uint32_t slowest(void)
{
    uint32_t least = UINT32_MAX;
    for (unsigned i = 0; i < THREADS; i++) {
        uint32_t at = __atomic_load_n(&reached[i], __ATOMIC_RELAXED);
        least = at < least ? at : least;
    }
    return least;
}

/* All counters in pieces of 64, each piece in an order of this thread's own. */
static void *work_on(void *context)
{
    struct worker *worker = context;
    uint64_t random = worker->number + 1;
    for (uint32_t piece = 0; piece < COUNTERS; piece += 64) {
        uint32_t twist = random_next_below(&random, 64);
        for (uint32_t i = 0; i < 64; i++) {
            uint32_t counter = piece + (i ^ twist);
            if (counter >= COUNTERS)
                continue;
            enum bypeer_window_verdict verdict = bypeer_window_accept(&edge, &window, counter);
            worker->found[verdict]++;
            if (verdict == BYPEER_WINDOW_FRESH)
                __atomic_fetch_add(&fresh[counter], 1, __ATOMIC_RELAXED);
        }
        __atomic_store_n(&reached[worker->number], piece, __ATOMIC_RELAXED);
        while (piece > slowest() + worker->spread)
            sched_yield();
    }
    __atomic_store_n(&reached[worker->number], UINT32_MAX, __ATOMIC_RELAXED);
    return NULL;
}

/* Returns how many counters nobody found fresh. */
static uint64_t run(uint32_t spread)
{
    struct worker workers[THREADS];
    uint64_t total = 0, missed = 0;
    edge = 0;
    window = (struct bypeer_window){0};
    for (uint32_t i = 0; i < COUNTERS; i++)
        fresh[i] = 0;
    for (unsigned i = 0; i < THREADS; i++)
        reached[i] = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.number = i, .spread = spread};
        require(pthread_create(&workers[i].thread, NULL, work_on, &workers[i]) == 0, "no thread");
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        for (unsigned verdict = 0; verdict < 3; verdict++)
            total += workers[i].found[verdict];
        printf("spread %u, worker %u: %llu fresh, %llu replays, %llu old\n", spread, i,
               (unsigned long long)workers[i].found[BYPEER_WINDOW_FRESH],
               (unsigned long long)workers[i].found[BYPEER_WINDOW_REPLAY],
               (unsigned long long)workers[i].found[BYPEER_WINDOW_OLD]);
    }
    require(total == (uint64_t)THREADS * COUNTERS, "calls were lost");
    for (uint32_t i = 0; i < COUNTERS; i++) {
        require(fresh[i] <= 1, "a counter was found fresh twice");
        missed += fresh[i] == 0;
    }
    return missed;
}

int main(void)
{
    /* Nobody is ever a window behind: nothing may be refused. */
    require(run(4096) == 0, "a counter in the window was never found fresh");
    /* More than a lap of the ring: words are taken over under those who are late, who are told that they are too old.
     */
    require(run(3 * BYPEER_WINDOW_WORDS * BYPEER_WINDOW_BLOCK) == 0, "a counter was never found fresh");
    return 0;
}
