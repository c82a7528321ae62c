/*
 * The nearest-ID index with a writer, a builder and two readers, a thread each, for every ordering bug that shows
 * between threads: run it under ThreadSanitizer as well (b_sanitize=thread).
 *
 *   IDs in order:   | stays | pair  pair | stays | stays | pair  pair | ...
 *
 * The two IDs of a pair are put, replaced and removed in one batch, so every walk must meet both, of one serial, or
 * neither; it must miss no ID that stays, and every record must be whole: all of it follows from ID and serial.
 *
 * Grace periods are played as in test_exact_threads.c. A plain program, since Criterion does not start under
 * ThreadSanitizer.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/tables/names_build.h"
#include "overlay/tables/writer.h"
#include "tests/random.h"

#define READERS  2
#define PLACES   3000 /* each an ID that stays, and a pair behind it that comes and goes */
#define CAPACITY (3 * PLACES)
#define BATCH    16 /* pairs changed by one commit */
#define STEPS    12
#define BURST    8
#define BATCHES  2000

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SLOWER 4
#else
#define SLOWER 1
#endif

static struct {
    struct bypeer_writer *writer;
    struct bypeer_tables tables;
    uint64_t request; /* newest grace period asked for */
    int stop;
    struct bypeer_names_build *build; /* for the builder; NULL: nothing to do */
} shared;

struct reader {
    pthread_t thread;
    unsigned number;
    uint64_t walks;
    const char *wrong;                              /* what was seen that must not be */
    _Alignas(BYPEER_CACHE_LINE) uint64_t quiescent; /* token */
};
static struct reader readers[READERS];

static uint8_t places[PLACES][32];

/* What must not happen on the writer's side ends the program at once. */
static void require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

/* Some places share words, so that there are runs of every level. */
static void make_places(void)
{
    uint64_t random = 5;
    for (unsigned i = 0; i < PLACES; i++) {
        uint64_t words[4] = {random_next(&random), random_next(&random), random_next(&random), random_next(&random)};
        for (unsigned word = 0; word < i % 4; word++)
            words[word] = random_mix(word + 1);
        memcpy(places[i], words, 32);
        places[i][31] = 0x40;
    }
    qsort(places, PLACES, 32, compare);
}

/* which: 0 stays, 1 and 2 the pair. */
static struct bypeer_name name_of(unsigned place, unsigned which, uint16_t serial)
{
    struct bypeer_name name = {.port = serial, .address_count = (uint8_t)(1 + serial % 4)};
    memcpy(name.id, places[place], 32);
    name.id[31] = (uint8_t)(0x40 + which);
    for (unsigned i = 0; i < name.address_count; i++)
        memset(name.addresses[i], (int)(serial + i + which), 16);
    return name;
}

/* --- readers --------------------------------------------------------------------------------------------------------
 */

static bool is_whole(const struct bypeer_name_record *record, unsigned place, unsigned which)
{
    struct bypeer_name name = name_of(place, which, record->port);
    const uint8_t(*more)[16];
    unsigned count = bypeer_names_addresses(&shared.tables, record, &more);
    return memcmp(record->id, name.id, 32) == 0 && memcmp(record->address, name.addresses[0], 16) == 0 &&
           (count == 1 || (count == name.address_count && memcmp(more, name.addresses[1], (count - 1) * 16u) == 0));
}

/* From an ID that stays upwards. */
static const char *check_walk(struct bypeer_names_walk *walk, unsigned place)
{
    unsigned which = 0;
    uint16_t pair = 0;
    for (unsigned step = 0; step < STEPS; step++) {
        const struct bypeer_name_record *record = bypeer_names_above(walk);
        if (walk->dead_above == BYPEER_NAMES_WALK_DEAD) /* behind so many removed ones IDs may be missed */
            return NULL;
        if (!record)
            return "a walk ended";
        unsigned seen = record->id[31] - 0x40u;
        if (which == 1 && seen != 1) { /* no pair here */
            place = (place + 1) % PLACES;
            which = 0;
        }
        if (seen != which)
            return seen == 0 || which == 0 ? "an ID that stays was missed" : "half of a pair was missed";
        if (!is_whole(record, place, which))
            return "a record is not whole";
        if (which == 2 && record->port != pair)
            return "the two of a pair are of different commits";
        pair = record->port;
        place = which == 2 ? (place + 1) % PLACES : place;
        which = (which + 1) % 3;
    }
    return NULL;
}

static const char *check_burst(uint64_t *random)
{
    uint8_t clouds[BURST];
    const uint8_t *targets[BURST];
    unsigned numbers[BURST];
    struct bypeer_names_walk walks[BURST];
    for (unsigned i = 0; i < BURST; i++) {
        clouds[i] = 1;
        numbers[i] = random_next_below(random, PLACES);
        targets[i] = places[numbers[i]];
    }
    bypeer_names_locate(&shared.tables, clouds, targets, BURST, BYPEER_NAMES_FETCH_ABOVE, walks);
    const char *wrong = NULL;
    for (unsigned i = 0; i < BURST && !wrong; i++)
        wrong = check_walk(&walks[i], numbers[i]);
    if (!wrong && !bypeer_names_is_own(&shared.tables, 1, places[7]))
        wrong = "an own ID is missed";
    return wrong;
}

static void *read_on(void *context)
{
    struct reader *reader = context;
    uint64_t random = reader->number;
    while (!__atomic_load_n(&shared.stop, __ATOMIC_RELAXED) && !reader->wrong) {
        /* A quiescent state: test_exact_threads.c. */
        uint64_t token = __atomic_load_n(&shared.request, __ATOMIC_ACQUIRE);
        __atomic_store_n(&reader->quiescent, token, __ATOMIC_RELEASE);
        for (unsigned i = 0; i < 4 && !reader->wrong; i++)
            reader->wrong = check_burst(&random);
        reader->walks++;
    }
    __atomic_store_n(&reader->quiescent, UINT64_MAX, __ATOMIC_RELEASE); /* offline */
    return NULL;
}

/* --- builder --------------------------------------------------------------------------------------------------------
 */

static void *build_on(void *context)
{
    (void)context;
    while (!__atomic_load_n(&shared.stop, __ATOMIC_RELAXED)) {
        struct bypeer_names_build *build = __atomic_load_n(&shared.build, __ATOMIC_ACQUIRE);
        if (!build) {
            sched_yield();
            continue;
        }
        require(bypeer_names_build(build) == 0, "a build failed");
        __atomic_store_n(&shared.build, NULL, __ATOMIC_RELEASE);
    }
    return NULL;
}

/* --- writer ---------------------------------------------------------------------------------------------------------
 */

static void reclaim(void)
{
    uint64_t completed = bypeer_writer_request(shared.writer);
    __atomic_store_n(&shared.request, completed, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < READERS; i++) {
        uint64_t quiescent = __atomic_load_n(&readers[i].quiescent, __ATOMIC_ACQUIRE);
        completed = quiescent < completed ? quiescent : completed;
    }
    bypeer_writer_reclaim(shared.writer, completed);
}

/* Waits for readers until the call has what it needs. */
#define PATIENTLY(call)                         \
    ({                                          \
        int patient;                            \
        while ((patient = (call)) == -EAGAIN) { \
            reclaim();                          \
            sched_yield();                      \
        }                                       \
        patient;                                \
    })

static void change_pair(unsigned place, uint16_t serial)
{
    for (unsigned which = 1; which <= 2; which++) {
        struct bypeer_name name = name_of(place, which, serial);
        int result = serial % 3 == 0 ? bypeer_writer_remove_name(shared.writer, 1, name.id)
                                     : bypeer_writer_put_name(shared.writer, 1, &name);
        require(result >= 0 || (serial % 3 == 0 && result == -ENOENT), "a change was refused");
    }
}

static void change_on(void)
{
    uint64_t random = 99;
    uint16_t serial = 0;
    bool building = false;
    unsigned rebuilds = 0;
    for (unsigned batch = 0; batch < BATCHES / SLOWER; batch++) {
        if (building && !__atomic_load_n(&shared.build, __ATOMIC_ACQUIRE)) {
            require(PATIENTLY(bypeer_writer_swap_names(shared.writer)) == 0, "a swap was refused");
            building = false;
            rebuilds++;
        }
        if (!building && (bypeer_writer_names_crowded(shared.writer) ||
                          bypeer_writer_names_room(shared.writer) < BYPEER_NAMES_DELTA - 200)) {
            struct bypeer_names_build *build;
            require(PATIENTLY(bypeer_writer_begin_names(shared.writer, NULL, &build)) == 0, "a rebuild was refused");
            __atomic_store_n(&shared.build, build, __ATOMIC_RELEASE);
            building = true;
        }
        if (building && bypeer_writer_names_room(shared.writer) < 2 * BATCH) {
            sched_yield();
            continue;
        }
        for (unsigned i = 0; i < BATCH; i++)
            change_pair(random_next_below(&random, PLACES), ++serial);
        require(PATIENTLY(bypeer_writer_commit_names(shared.writer)) == 0, "a commit was refused");
    }
    while (__atomic_load_n(&shared.build, __ATOMIC_ACQUIRE))
        sched_yield();
    require(rebuilds > 0, "nothing was rebuilt");
}

static void *make_tables(void)
{
    const struct bypeer_tables_size size = {.destinations = BYPEER_DESTINATIONS_MIN,
                                            .links = 1,
                                            .adjacencies = 1,
                                            .groups = 1,
                                            .prefixes = 1,
                                            .names = CAPACITY};
    const struct bypeer_cloud_record cloud = {.number = 1, .port = 3541, .address_count = 1};
    uint64_t bytes = bypeer_tables_bytes(&size);
    void *memory = aligned_alloc(4096, bytes);
    char why[160];
    require(memory != NULL, "no memory");
    memset(memory, 0, bytes);
    require(bypeer_writer_create(&shared.writer, memory, bytes, &size, BYPEER_LAYOUT_NEWEST, 1, 1, 0) == 0 &&
                bypeer_writer_put_cloud(shared.writer, &cloud) == 1,
            "no tables");
    bypeer_writer_publish(shared.writer);
    require(bypeer_tables_attach(&shared.tables, memory, bytes, why) == 0, why);
    struct bypeer_name_own own = {.id = {0}};
    memcpy(own.id, places[7], 32);
    require(bypeer_writer_set_own(shared.writer, 1, &own, 1) == 0, "own");
    for (unsigned place = 0; place < PLACES; place++) {
        struct bypeer_name name = name_of(place, 0, 1000);
        require(bypeer_writer_put_name(shared.writer, 1, &name) == 1, "an ID was refused");
    }
    require(bypeer_writer_commit_names(shared.writer) == 0, "a commit was refused");
    return memory;
}

int main(void)
{
    pthread_t builder;
    make_places();
    void *memory = make_tables();
    for (unsigned i = 0; i < READERS; i++) {
        readers[i].number = i;
        require(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]) == 0, "no thread");
    }
    require(pthread_create(&builder, NULL, build_on, NULL) == 0, "no thread");
    change_on();
    __atomic_store_n(&shared.stop, 1, __ATOMIC_RELAXED);
    pthread_join(builder, NULL);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        printf("reader %u: %llu walks: %s\n", i, (unsigned long long)readers[i].walks,
               readers[i].wrong ? readers[i].wrong : "all was well");
    }
    for (unsigned i = 0; i < READERS; i++)
        require(!readers[i].wrong && readers[i].walks > 0, "a reader saw what was never published");
    bypeer_writer_free(shared.writer);
    free(memory);
    return 0;
}
