/*
 * Nonces between workers: run it under ThreadSanitizer as well (b_sanitize=thread).
 *
 * Threads take counters of one slot in bursts, while the slot goes to session after session; a thread may learn of a
 * new session late, and then goes on with the old one. Of each session every counter must have been given out at most
 * once, and the newest session must get some. Each thread marks what it got in a map of the session's.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/wireguard/counter.h"

#define THREADS  4
#define SESSIONS 3000
#define COUNTERS 4096 /* of one session that are watched; a session takes fewer */
#define STRIDE   3    /* uses are not always in a row */

static uint64_t word;
static uint32_t now = 1; /* number of the present session */
static uint8_t given[SESSIONS + 1][COUNTERS];
static uint64_t taken, refused;

static void require(int condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "counter: %s\n", what);
    exit(EXIT_FAILURE);
}

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void *run(void *argument)
{
    uint64_t state = (uint64_t)(uintptr_t)argument * UINT64_C(0x9e3779b97f4a7c15) + 1, got = 0, missed = 0;
    for (;;) {
        uint32_t session = __atomic_load_n(&now, __ATOMIC_RELAXED);
        if (session > SESSIONS)
            break;
        /* This thread's view of the tables: it holds the session for some bursts. */
        for (uint64_t bursts = draw(&state) % 8; bursts > 0; bursts--) {
            uint32_t count = 1 + (uint32_t)(draw(&state) % 8);
            uint64_t first;
            if (!bypeer_counter_take(&word, session * STRIDE, count, &first)) {
                missed++;
                continue;
            }
            got += count;
            for (uint64_t counter = first; counter < first + count && counter < COUNTERS; counter++)
                require(__atomic_fetch_add(&given[session][counter], 1, __ATOMIC_RELAXED) == 0, "a nonce came twice");
        }
        if (draw(&state) % 16 == 0)
            __atomic_compare_exchange_n(&now, &session, session + 1, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
    __atomic_fetch_add(&taken, got, __ATOMIC_RELAXED);
    __atomic_fetch_add(&refused, missed, __ATOMIC_RELAXED);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        require(pthread_create(&threads[i], NULL, run, (void *)(i + 1)) == 0, "no thread");
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    uint64_t begun = 0;
    for (unsigned session = 1; session <= SESSIONS; session++)
        begun += given[session][0];
    require(taken > SESSIONS, "hardly a counter was given out");
    require(begun > SESSIONS / 2, "sessions that got nothing");
    printf("%lu counters of %u sessions, %lu bursts of old sessions refused\n", (unsigned long)taken, SESSIONS,
           (unsigned long)refused);
    return EXIT_SUCCESS;
}
