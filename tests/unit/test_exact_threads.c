/*
 * One writer and two readers of an exact-match table and of records behind ids, in one process, for every ordering bug
 * that shows between threads: run it under ThreadSanitizer as well (b_sanitize=thread), which sees a missing barrier
 * even where x86 forgives it. The table is 90 % full, so that entries move all the time.
 *
 * What must hold of every single look-up while the writer inserts, replaces, removes and moves:
 * - a key that stays is found, whatever happens around it;
 * - what is found is whole: every field of the record agrees with its serial;
 * - a key's serial never goes back, for a reader looks at one present after another;
 * - a link is found by its id whole, and its present adjacency is one that it was given.
 *
 * Grace periods are played by the readers themselves: each copies the newest token that was asked for into its own word
 * between bursts, which is what a quiescent state is.
 *
 * A plain program, since Criterion does not start under ThreadSanitizer.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/tables/exact_writer.h"
#include "overlay/tables/slots.h"
#include "tests/random.h"

#define READERS    2
#define BUCKETS    800
#define CAPACITY   7200 /* of 8000 ways */
#define STAYING    4000 /* keys that are there all the time */
#define CHANGING   8000 /* keys that come and go; the table is full when 3200 are there */
#define RETIRED    1000 /* so many may wait for a grace period */
#define LINKS      20
#define OPERATIONS 1000000

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SLOWER 3
#else
#define SLOWER 1
#endif

static struct {
    struct bypeer_exact exact; /* as readers see it */
    struct bypeer_exact_writer exact_writer;
    struct bypeer_slots links;
    struct bypeer_slots_writer links_writer;
    uint64_t request; /* newest grace period asked for */
    int stop;
} shared;

struct reader {
    pthread_t thread;
    unsigned number;
    uint64_t walks;
    const char *wrong;                              /* what was seen that must not be */
    _Alignas(BYPEER_CACHE_LINE) uint64_t quiescent; /* token */
};
static struct reader readers[READERS];

/* What must not happen on the writer's side ends the program at once. */
static void require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static struct bypeer_destination destination_of(uint32_t number, uint64_t serial)
{
    struct bypeer_destination destination = {.link = (uint32_t)serial * 3,
                                             .group = (uint32_t)serial ^ number,
                                             .flags = (uint32_t)~serial,
                                             .prefix_bits = 128,
                                             .serial = serial};
    uint64_t spread = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(destination.key + 4, &spread, sizeof(spread));
    return destination;
}

static struct bypeer_link link_of(uint32_t id, uint32_t serial)
{
    struct bypeer_link link = {.id = id, .kind = BYPEER_LINK_FABRIC, .vni = id, .serial = serial};
    memset(link.header, (int)(serial & 0xff), sizeof(link.header));
    link.adjacency = serial * 7;
    return link;
}

/* --- readers --------------------------------------------------------------------------------------------------------
 */

static const char *check_destinations(uint64_t *random, uint64_t newest[static STAYING + CHANGING])
{
    uint8_t bytes[BYPEER_LOOKUP_BURST][16];
    const uint8_t *keys[BYPEER_LOOKUP_BURST];
    uint32_t numbers[BYPEER_LOOKUP_BURST];
    const struct bypeer_destination *found[BYPEER_LOOKUP_BURST];
    unsigned count = 1 + random_next_below(random, BYPEER_LOOKUP_BURST);
    for (unsigned i = 0; i < count; i++) {
        numbers[i] = random_next_below(random, STAYING + CHANGING);
        keys[i] = memcpy(bytes[i], destination_of(numbers[i], 0).key, 16);
    }
    bypeer_exact_lookup(&shared.exact, keys, count, found);
    for (unsigned i = 0; i < count; i++) {
        uint32_t number = numbers[i];
        if (!found[i] && number < STAYING)
            return "a key that stays was missed";
        if (!found[i])
            continue;
        struct bypeer_destination whole = destination_of(number, found[i]->serial);
        if (memcmp(found[i], &whole, sizeof(whole)) != 0)
            return "a record is not whole";
        if (found[i]->serial < newest[number])
            return "a record older than one seen before";
        newest[number] = found[i]->serial;
    }
    return NULL;
}

static const char *check_link(uint64_t *random)
{
    uint32_t id = 1 + random_next_below(random, LINKS);
    const struct bypeer_link *link = bypeer_slots_find(&shared.links, id, sizeof(*link));
    struct bypeer_link whole = link_of(id, link->serial);
    return memcmp(link, &whole, sizeof(whole)) == 0 ? NULL : "a link is not whole";
}

static void *read_on(void *context)
{
    struct reader *reader = context;
    uint64_t random = reader->number;
    uint64_t *newest = calloc(STAYING + CHANGING, sizeof(*newest));
    while (!__atomic_load_n(&shared.stop, __ATOMIC_RELAXED) && !reader->wrong) {
        /* A quiescent state: nothing found before is looked at again. The release orders those looks before the
         * writer's reuse; the acquire orders the writer's changes before the looks to come. */
        uint64_t token = __atomic_load_n(&shared.request, __ATOMIC_ACQUIRE);
        __atomic_store_n(&reader->quiescent, token, __ATOMIC_RELEASE);
        for (unsigned i = 0; i < 4 && !reader->wrong; i++)
            reader->wrong = check_destinations(&random, newest);
        if (!reader->wrong)
            reader->wrong = check_link(&random);
        reader->walks++;
    }
    /* Offline. */
    __atomic_store_n(&reader->quiescent, UINT64_MAX, __ATOMIC_RELEASE);
    free(newest);
    return NULL;
}

/* --- writer ---------------------------------------------------------------------------------------------------------
 */

static void reclaim(void)
{
    uint64_t token = shared.request + 1, completed = token;
    bypeer_pool_request(&shared.exact_writer.pool, token);
    bypeer_pool_request(&shared.links_writer.pool, token);
    __atomic_store_n(&shared.request, token, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < READERS; i++) {
        uint64_t quiescent = __atomic_load_n(&readers[i].quiescent, __ATOMIC_ACQUIRE);
        completed = quiescent < completed ? quiescent : completed;
    }
    bypeer_pool_reclaim(&shared.exact_writer.pool, completed);
    bypeer_pool_reclaim(&shared.links_writer.pool, completed);
}

static void put_destination(uint32_t number, uint64_t serial)
{
    struct bypeer_destination destination = destination_of(number, serial);
    int result;
    while ((result = bypeer_exact_writer_put(&shared.exact_writer, &destination)) == -EAGAIN) {
        reclaim();
        sched_yield();
    }
    require(result >= 0 || result == -ENOSPC, "a destination was refused");
}

static void put_link(uint32_t id, uint32_t serial)
{
    struct bypeer_link link = link_of(id, serial);
    int result;
    while ((result = bypeer_slots_writer_put(&shared.links_writer, id, &link)) == -EAGAIN) {
        reclaim();
        sched_yield();
    }
    require(result >= 0, "a link was refused");
}

static void change_on(void)
{
    uint64_t random = 99;
    for (uint64_t serial = 2; serial < OPERATIONS / SLOWER; serial++) {
        uint32_t what = random_next_below(&random, 100);
        if (what < 20)
            put_destination(random_next_below(&random, STAYING), serial);
        else if (what < 50)
            put_destination(STAYING + random_next_below(&random, CHANGING), serial);
        else if (what < 95)
            bypeer_exact_writer_remove(&shared.exact_writer,
                                       destination_of(STAYING + random_next_below(&random, CHANGING), 0).key);
        else
            put_link(1 + random_next_below(&random, LINKS), (uint32_t)serial);
        if (serial % 64 == 0)
            reclaim();
    }
}

static void *zeroed(size_t bytes)
{
    void *memory = aligned_alloc(BYPEER_CACHE_LINE, bytes);
    require(memory != NULL, "no memory");
    return memset(memory, 0, bytes);
}

static void make_tables(void)
{
    const uint32_t link_slots = LINKS + 1 + RETIRED;
    uint32_t *index = zeroed(BYPEER_CACHE_LINE * LINKS);
    struct bypeer_link *links = zeroed(link_slots * sizeof(*links));
    shared.exact = (struct bypeer_exact){
        .buckets = zeroed(BUCKETS * sizeof(struct bypeer_bucket)),
        .stash = zeroed(BYPEER_EXACT_STASH * sizeof(uint32_t)),
        .records = zeroed((CAPACITY + 1 + RETIRED) * sizeof(struct bypeer_destination)),
        .seed = 7,
        .bucket_count = BUCKETS,
        .stash_count = BYPEER_EXACT_STASH,
        .record_count = CAPACITY + 1 + RETIRED,
    };
    shared.links =
        (struct bypeer_slots){.index = index, .records = links, .index_count = LINKS + 1, .record_count = link_slots};
    require(bypeer_exact_writer_init(&shared.exact_writer, &shared.exact, CAPACITY) == 0, "no memory");
    require(bypeer_slots_writer_init(&shared.links_writer, index, links, link_slots, sizeof(*links), LINKS) == 0,
            "no memory");
}

static void free_tables(void)
{
    bypeer_exact_writer_free(&shared.exact_writer);
    bypeer_slots_writer_free(&shared.links_writer);
    free((void *)(uintptr_t)shared.exact.buckets);
    free((void *)(uintptr_t)shared.exact.stash);
    free((void *)(uintptr_t)shared.exact.records);
    free((void *)(uintptr_t)shared.links.index);
    free((void *)(uintptr_t)shared.links.records);
}

int main(void)
{
    make_tables();
    for (uint32_t number = 0; number < STAYING; number++)
        put_destination(number, 1);
    for (uint32_t id = 1; id <= LINKS; id++)
        put_link(id, 1);

    for (unsigned i = 0; i < READERS; i++) {
        readers[i].number = i;
        require(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]) == 0, "no thread");
    }
    change_on();
    __atomic_store_n(&shared.stop, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        printf("reader %u: %llu walks: %s\n", i, (unsigned long long)readers[i].walks,
               readers[i].wrong ? readers[i].wrong : "all was well");
    }
    free_tables();
    for (unsigned i = 0; i < READERS; i++)
        require(!readers[i].wrong && readers[i].walks > 0, "a reader saw what was never published");
    return 0;
}
