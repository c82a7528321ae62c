/* A reader process: threads that look up and check, and a broker, as in the data plane. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "overlay/tables/grace.h"
#include "overlay/tables/memory.h"
#include "overlay/tables/passing.h"
#include "overlay/tables/status.h"
#include "tests/torture/torture.h"

#define BURST     32
#define SEEN_MAX  (BURST * 2 + 13)
#define BYTES_MAX (UINT64_C(1) << 30)

/* A generation, private to this process. */
struct reader_tables {
    struct bypeer_tables tables;
    struct torture_oracle *oracle;
    struct bypeer_memory memory;
};

struct reader_process {
    struct torture_shared *shared;
    struct torture_place *place;
    const struct torture_engine *engine;
    unsigned number;
    struct bypeer_memory status_memory;
    struct bypeer_status status;
    int socket;
    struct reader_tables *current; /* RCU-protected */
};

struct reader_thread {
    struct reader_process *process;
    unsigned number; /* over all processes */
    uint64_t random;
    struct torture_counts *counts;
    /* What this walk found: it must be the same when the walk ends. */
    unsigned seen_count;
    struct {
        const void *record;
        size_t bytes;
        uint8_t copy[sizeof(struct bypeer_link)];
    } seen[SEEN_MAX];
};

/* --- one look-up and its check ------------------------------------------------------------------------------------ */

static uint64_t oracle_now(struct torture_oracle *oracle, enum torture_kind kind, uint32_t number)
{
    return __atomic_load_n(&torture_version(oracle, kind, number)->now, __ATOMIC_ACQUIRE);
}

static uint64_t oracle_next(struct torture_oracle *oracle, enum torture_kind kind, uint32_t number)
{
    return __atomic_load_n(&torture_version(oracle, kind, number)->next, __ATOMIC_ACQUIRE);
}

static bool may_be_absent(enum torture_kind kind, uint32_t number, uint64_t low, uint64_t high)
{
    return !torture_stays(kind, number) && !(low == high && low % 2 == 1);
}

static void remember(struct reader_thread *thread, const void *record, size_t bytes)
{
    if (thread->seen_count == SEEN_MAX)
        return;
    thread->seen[thread->seen_count].record = record;
    thread->seen[thread->seen_count].bytes = bytes;
    memcpy(thread->seen[thread->seen_count].copy, record, bytes);
    thread->seen_count++;
}

/* found is what was seen, expected what that version of the entry is. */
static void check_record(struct reader_thread *thread, enum torture_kind kind, uint32_t number, const void *found,
                         const void *expected, size_t bytes, uint64_t version, uint64_t low, uint64_t high)
{
    remember(thread, found, bytes);
    const void *copy = thread->seen[thread->seen_count - 1].copy;
    if (version % 2 == 0 || memcmp(copy, expected, bytes) != 0)
        torture_fail(thread->process->shared, "kind %d entry %u: record of version %lu is not whole", kind, number,
                     (unsigned long)version);
    else if (version < low || version > high)
        torture_fail(thread->process->shared, "kind %d entry %u: found version %lu, valid were %lu to %lu", kind,
                     number, (unsigned long)version, (unsigned long)low, (unsigned long)high);
}

static void check_absence(struct reader_thread *thread, enum torture_kind kind, uint32_t number, uint64_t low,
                          uint64_t high)
{
    if (!may_be_absent(kind, number, low, high))
        torture_fail(thread->process->shared, "kind %d entry %u: missed, valid were %lu to %lu", kind, number,
                     (unsigned long)low, (unsigned long)high);
}

static void walk_destinations(struct reader_thread *thread, struct reader_tables *use)
{
    uint32_t numbers[BURST];
    uint64_t low[BURST];
    uint8_t keys[BURST][16];
    const uint8_t *key_pointers[BURST];
    const struct bypeer_destination *found[BURST];
    for (unsigned i = 0; i < BURST; i++) {
        numbers[i] = (uint32_t)(torture_draw(&thread->random) % TORTURE_DESTINATIONS);
        torture_destination_key(numbers[i], keys[i]);
        key_pointers[i] = keys[i];
        low[i] = oracle_now(use->oracle, TORTURE_DESTINATION, numbers[i]);
    }
    bypeer_destinations_lookup(&use->tables, key_pointers, BURST, found);
    for (unsigned i = 0; i < BURST; i++) {
        uint64_t high = oracle_next(use->oracle, TORTURE_DESTINATION, numbers[i]);
        if (!found[i]) {
            check_absence(thread, TORTURE_DESTINATION, numbers[i], low[i], high);
            continue;
        }
        struct bypeer_destination expected = torture_destination(numbers[i], found[i]->serial);
        check_record(thread, TORTURE_DESTINATION, numbers[i], found[i], &expected, sizeof(expected), expected.serial,
                     low[i], high);
    }
}

/* The longest of a /64, the /48 around it and the /16 around all that is there. */
static void walk_prefix(struct reader_thread *thread, struct reader_tables *use)
{
    uint32_t number = (uint32_t)(torture_draw(&thread->random) % TORTURE_PREFIXES);
    uint32_t chain[3] = {number, number & ~1u, 0};
    uint64_t low[3];
    uint8_t address[16];
    uint32_t bits;
    torture_prefix_key(number, address, &bits);
    address[15] = (uint8_t)torture_draw(&thread->random);
    for (unsigned i = 0; i < 3; i++)
        low[i] = oracle_now(use->oracle, TORTURE_PREFIX, chain[i]);
    const struct bypeer_destination *found = bypeer_prefixes_lookup(&use->tables, address);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t high = oracle_next(use->oracle, TORTURE_PREFIX, chain[i]);
        struct bypeer_destination expected = torture_prefix(chain[i], found ? found->serial : 0);
        if (found && found->prefix_bits == expected.prefix_bits) {
            check_record(thread, TORTURE_PREFIX, chain[i], found, &expected, sizeof(expected), expected.serial, low[i],
                         high);
            return;
        }
        check_absence(thread, TORTURE_PREFIX, chain[i], low[i], high);
    }
    torture_fail(thread->process->shared, "prefix %u: found something else", number);
}

/* By its id, and by the way in that belongs to it. */
static void walk_link(struct reader_thread *thread, struct reader_tables *use)
{
    uint32_t number = (uint32_t)(torture_draw(&thread->random) % TORTURE_LINKS);
    uint64_t low = oracle_now(use->oracle, TORTURE_LINK, number);
    const struct bypeer_link *link = bypeer_tables_link(&use->tables, number + 1);
    uint8_t peer[16], key[16];
    const uint8_t *keys[1] = {key};
    const struct bypeer_destination *ingress;
    torture_link_peer(number, low, peer);
    bypeer_ingress_key(use->tables.ingresses.seed, peer, number, key);
    bypeer_ingresses_lookup(&use->tables, keys, 1, &ingress);
    uint64_t high = oracle_next(use->oracle, TORTURE_LINK, number);

    if (link->kind == BYPEER_LINK_NONE) {
        check_absence(thread, TORTURE_LINK, number, low, high);
    } else {
        struct bypeer_link expected = torture_link(number, link->serial);
        check_record(thread, TORTURE_LINK, number, link, &expected, sizeof(expected), link->serial, low, high);
    }
    if (ingress) {
        remember(thread, ingress, sizeof(*ingress));
        if (ingress->link != number + 1)
            torture_fail(thread->process->shared, "link %u: its peer leads to link %u", number + 1, ingress->link);
    } else if (low == high && low % 2 == 1) {
        torture_fail(thread->process->shared, "link %u: its peer is not known", number + 1);
    }
}

static void walk_adjacency(struct reader_thread *thread, struct reader_tables *use)
{
    uint32_t number = (uint32_t)(torture_draw(&thread->random) % TORTURE_ADJACENCIES);
    uint64_t low = oracle_now(use->oracle, TORTURE_ADJACENCY, number), version;
    const struct bypeer_adjacency *adjacency = bypeer_tables_adjacency(&use->tables, number + 1);
    uint64_t high = oracle_next(use->oracle, TORTURE_ADJACENCY, number);
    if (!adjacency->valid) {
        check_absence(thread, TORTURE_ADJACENCY, number, low, high);
        return;
    }
    memcpy(&version, adjacency->reserved1, sizeof(version));
    struct bypeer_adjacency expected = torture_adjacency(number, version);
    check_record(thread, TORTURE_ADJACENCY, number, adjacency, &expected, sizeof(expected), version, low, high);
}

static void walk_group(struct reader_thread *thread, struct reader_tables *use)
{
    uint32_t number = (uint32_t)(torture_draw(&thread->random) % TORTURE_GROUPS);
    uint64_t low = oracle_now(use->oracle, TORTURE_GROUP, number), version;
    const struct bypeer_group *group = bypeer_tables_group(&use->tables, number + 1);
    uint64_t high = oracle_next(use->oracle, TORTURE_GROUP, number);
    if (group->id == 0) {
        check_absence(thread, TORTURE_GROUP, number, low, high);
        return;
    }
    memcpy(&version, group->prefix, sizeof(version));
    struct bypeer_group expected = torture_group(number, version);
    check_record(thread, TORTURE_GROUP, number, group, &expected, sizeof(expected), version, low, high);
}

/* From the ID itself, first upwards, then downwards: its neighbours there must be whole, too. */
static void walk_name(struct reader_thread *thread, struct reader_tables *use)
{
    const size_t bytes = offsetof(struct bypeer_name_record, extra); /* behind it is what depends on the array */
    uint32_t number = (uint32_t)(torture_draw(&thread->random) % TORTURE_NAMES);
    uint8_t id[32];
    const uint8_t cloud = 1, *target = id;
    struct bypeer_names_walk walk;
    torture_name_id(number, id);
    uint64_t low = oracle_now(use->oracle, TORTURE_NAME, number), version;
    bypeer_names_locate(&use->tables, &cloud, &target, 1, BYPEER_NAMES_FETCH_ABOVE, &walk);
    const struct bypeer_name_record *found = bypeer_names_above(&walk), *below = bypeer_names_below(&walk);
    uint64_t high = oracle_next(use->oracle, TORTURE_NAME, number);
    if (!found || !below) {
        torture_fail(thread->process->shared, "name %u: has no neighbours", number);
        return;
    }
    remember(thread, below, bytes);
    if (memcmp(found->id, id, sizeof(id)) != 0) {
        remember(thread, found, bytes);
        check_absence(thread, TORTURE_NAME, number, low, high);
        return;
    }
    memcpy(&version, found->address, sizeof(version));
    struct bypeer_name name = torture_name(number, version);
    struct bypeer_name_record expected = {.port = name.port, .address_count = 1};
    memcpy(expected.id, name.id, sizeof(expected.id));
    memcpy(expected.address, name.addresses[0], sizeof(expected.address));
    check_record(thread, TORTURE_NAME, number, found, &expected, bytes, version, low, high);
}

static void walk_session(struct reader_thread *thread, struct reader_tables *use)
{
    const size_t index_bytes = sizeof(uint32_t); /* goes to 0 when the session is removed */
    uint32_t slot = 1 + (uint32_t)(torture_draw(&thread->random) % TORTURE_SESSIONS);
    const struct bypeer_wireguard_session *found = bypeer_tables_session_in(&use->tables, slot);
    if (!found)
        return;
    struct bypeer_wireguard_session expected = torture_session(slot, found->region);
    remember(thread, (const uint8_t *)found + index_bytes, sizeof(*found) - index_bytes);
    const void *copy = thread->seen[thread->seen_count - 1].copy;
    if (memcmp(copy, (const uint8_t *)&expected + index_bytes, sizeof(*found) - index_bytes) != 0)
        torture_fail(thread->process->shared, "session %u is not whole", slot);
}

/* --- a thread ----------------------------------------------------------------------------------------------------- */

static void nap_us(uint64_t us)
{
    nanosleep(&(struct timespec){.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000}, NULL);
}

static void walk(struct reader_thread *thread, struct reader_tables *use)
{
    thread->seen_count = 0;
    walk_destinations(thread, use);
    walk_prefix(thread, use);
    walk_link(thread, use);
    walk_adjacency(thread, use);
    walk_group(thread, use);
    walk_name(thread, use);
    walk_session(thread, use);
    if (torture_draw(&thread->random) % 64 == 0)
        nap_us(torture_draw(&thread->random) % 300); /* a long walk */
    for (unsigned i = 0; i < thread->seen_count; i++)
        if (memcmp(thread->seen[i].record, thread->seen[i].copy, thread->seen[i].bytes) != 0)
            torture_fail(thread->process->shared, "a record changed before the walk that found it had ended");
    __atomic_fetch_add(&thread->counts->lookups, BURST + 7, __ATOMIC_RELAXED);
    __atomic_fetch_add(&thread->counts->walks, 1, __ATOMIC_RELAXED);
}

static bool stalled(const struct reader_thread *thread)
{
    return __atomic_load_n(&thread->process->shared->stalled, __ATOMIC_RELAXED) == thread->number + 1;
}

static bool stopped(const struct torture_shared *shared)
{
    return __atomic_load_n(&shared->stop, __ATOMIC_RELAXED);
}

static void *thread_run(void *argument)
{
    struct reader_thread *thread = argument;
    struct reader_process *process = thread->process;
    const struct torture_engine *engine = process->engine;
    engine->begin(thread->number);
    while (!stopped(process->shared)) {
        struct reader_tables *use = __atomic_load_n(&process->current, __ATOMIC_ACQUIRE);
        if (use)
            walk(thread, use);
        while (stalled(thread) && !stopped(process->shared))
            nap_us(1000);
        engine->quiescent();
        if (!use || torture_draw(&thread->random) % 50 == 0) {
            engine->offline();
            nap_us(torture_draw(&thread->random) % 500);
            engine->online();
        }
    }
    engine->end();
    return NULL;
}

/* --- the broker ----------------------------------------------------------------------------------------------------*/

static bool make_status(struct reader_process *process, unsigned threads)
{
    struct bypeer_status_size size = {.counters = 1, .workers = threads, .ports = 0};
    if (bypeer_memory_create(&process->status_memory, BYPEER_MEMORY_STATUS, "torture-status",
                             bypeer_status_bytes(&size), false) ||
        bypeer_status_init(&process->status, process->status_memory.base, process->status_memory.bytes, &size,
                           torture_now_ns(), 0))
        return false;
    process->status.header->pid = (uint64_t)getpid();
    process->place->status = process->status.header;
    bypeer_region_publish(process->status.header);
    return true;
}

static void say_hello(struct reader_process *process)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path + 1, process->place->socket_name, sizeof(address.sun_path) - 2);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(process->place->socket_name));
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct bypeer_handover hello = {
        .type = BYPEER_HANDOVER_HELLO,
        .hello = {.pid = (uint64_t)getpid(),
                  .layout_oldest = BYPEER_LAYOUT_OLDEST,
                  .layout_newest = BYPEER_LAYOUT_NEWEST},
    };
    if (connect(fd, (struct sockaddr *)&address, length) ||
        bypeer_passing_send(fd, &hello, &process->status_memory.fd, 1)) {
        close(fd);
        nap_us(2000);
        return;
    }
    process->socket = fd;
}

static struct torture_oracle *oracle_of(struct torture_shared *shared, uint64_t generation)
{
    struct torture_oracle *oracle = &shared->oracles[generation % TORTURE_ORACLES];
    return __atomic_load_n(&oracle->generation, __ATOMIC_SEQ_CST) == generation ? oracle : NULL;
}

/* Maps tables and finds their oracle: NULL, where others follow; or that has failed. */
static struct reader_tables *map_tables(struct reader_process *process, int fd, uint64_t generation)
{
    char why[BYPEER_REGION_WHY_BYTES] = "is another one";
    struct reader_tables *tables = calloc(1, sizeof(*tables));
    if (!tables)
        abort();
    tables->memory = (struct bypeer_memory)BYPEER_MEMORY_NONE;
    bool is_good =
        bypeer_memory_receive(&tables->memory, BYPEER_MEMORY_TABLES, fd, BYTES_MAX, false, why) == 0 &&
        bypeer_tables_attach(&tables->tables,
                             process->place->threads ? __atomic_load_n(&process->place->tables, __ATOMIC_ACQUIRE)
                                                     : tables->memory.base,
                             tables->memory.bytes, why) == 0 &&
        tables->tables.generation == generation;
    tables->oracle = oracle_of(process->shared, generation);
    if (is_good && tables->oracle)
        return tables;
    if (!is_good)
        torture_fail(process->shared, "cannot use generation %lu: %s", (unsigned long)generation, why);
    else if (generation == __atomic_load_n(&process->shared->generation, __ATOMIC_SEQ_CST))
        torture_fail(process->shared, "the newest generation, %lu, has no oracle", (unsigned long)generation);
    bypeer_memory_free(&tables->memory);
    free(tables);
    return NULL;
}

/* New tables: map, check, publish to the threads, wait until none uses the old ones, say so, let them go. */
static void use_tables(struct reader_process *process, int fd, uint64_t generation)
{
    uint64_t *looked_at = process->shared->looked_at[process->number];
    __atomic_store_n(&looked_at[1], generation, __ATOMIC_SEQ_CST);
    struct reader_tables *next = map_tables(process, fd, generation);
    if (!next)
        return;
    struct reader_tables *old = process->current;
    __atomic_store_n(&process->current, next, __ATOMIC_RELEASE);
    process->engine->synchronize(NULL);
    __atomic_store_n(&looked_at[0], generation, __ATOMIC_SEQ_CST);
    bypeer_grace_use(process->status.header, generation);
    if (old)
        bypeer_memory_free(&old->memory);
    free(old);
    struct bypeer_handover mapped = {.type = BYPEER_HANDOVER_MAPPED, .tables = {.generation = generation}};
    bypeer_passing_send(process->socket, &mapped, NULL, 0);
}

static void listen_to_writer(struct reader_process *process)
{
    struct bypeer_handover message;
    int fds[BYPEER_HANDOVER_FDS];
    int got;
    while ((got = bypeer_passing_receive(process->socket, &message, fds)) > 0)
        if (message.type == BYPEER_HANDOVER_TABLES)
            use_tables(process, fds[0], message.tables.generation);
    if (got == -EAGAIN)
        return;
    close(process->socket);
    process->socket = -1;
}

static void synchronize_nothing(void *unused)
{
    (void)unused;
}

static void serve(struct reader_process *process)
{
    if (!process->current)
        return;
    bool sabotage = process->shared->sabotage & TORTURE_SABOTAGE_BROKER;
    if (bypeer_grace_serve(process->status.header, process->current->tables.header,
                           sabotage ? synchronize_nothing : process->engine->synchronize, NULL))
        __atomic_fetch_add(&process->shared->served, 1, __ATOMIC_RELAXED);
}

void torture_reader_run(struct torture_shared *shared, struct torture_place *place, const struct torture_engine *engine,
                        unsigned number, unsigned threads)
{
    struct reader_process process = {
        .shared = shared, .place = place, .engine = engine, .number = number, .socket = -1};
    struct reader_thread thread[TORTURE_THREADS];
    pthread_t handles[TORTURE_THREADS];
    if (!make_status(&process, threads)) {
        torture_fail(shared, "cannot make a status region");
        return;
    }
    for (unsigned i = 0; i < threads; i++) {
        unsigned all = number * TORTURE_THREADS + i;
        thread[i] = (struct reader_thread){
            .process = &process,
            .number = all,
            .random = UINT64_C(0x9e3779b97f4a7c15) * (all + 1),
            .counts = &shared->counts[all],
        };
        pthread_create(&handles[i], NULL, thread_run, &thread[i]);
    }
    while (!stopped(shared)) {
        if (process.socket < 0)
            say_hello(&process);
        if (process.socket >= 0) {
            struct pollfd wait = {.fd = process.socket, .events = POLLIN};
            poll(&wait, 1, 1);
            listen_to_writer(&process);
        }
        serve(&process);
    }
    for (unsigned i = 0; i < threads; i++)
        pthread_join(handles[i], NULL);
    if (process.current)
        bypeer_memory_free(&process.current->memory);
    free(process.current);
    if (!place->threads) /* the writer's thread may still be looking */
        bypeer_memory_free(&process.status_memory);
    if (process.socket >= 0)
        close(process.socket);
}
