/* The writer: random changes, grace periods, poison, growth, and the readers that come and die. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "overlay/tables/grace.h"
#include "overlay/tables/memory.h"
#include "overlay/tables/names_build.h"
#include "overlay/tables/passing.h"
#include "overlay/tables/status.h"
#include "overlay/tables/writer.h"
#include "overlay/tables/writer_state.h" /* which slots were freed */
#include "tests/torture/torture.h"

#define POISON      0xdd
#define BATCH       200 /* changes between two turns */
#define GROWTH_NS   UINT64_C(300000000)
#define PENDING_MAX 600 /* prefixes and names */
#define READERS_MAX (TORTURE_PROCESSES * 2)

struct writer_tables {
    struct bypeer_memory memory;
    struct bypeer_writer *writer;
    struct torture_oracle *oracle;
    uint64_t generation;
};

struct writer_reader {
    int socket; /* -1: no such reader */
    int pidfd;  /* -1: a thread of this process */
    struct bypeer_memory status;
    const struct bypeer_status_header *header; /* NULL before HELLO */
    uint64_t mapped;
    int number; /* in the registry */
};

struct torture_writer {
    struct torture_shared *shared;
    struct torture_place *place;
    uint64_t random;
    struct writer_tables present, old; /* old: readers have not all left it */
    uint64_t changed_ns;
    struct bypeer_grace grace;
    struct writer_reader readers[READERS_MAX];
    struct {
        uint32_t numbers[PENDING_MAX]; /* changed since the last commit of their kind */
        uint32_t count;
    } pending[TORTURE_KINDS]; /* of prefixes and names */
};

/* --- changes ------------------------------------------------------------------------------------------------------ */

static int apply(struct bypeer_writer *writer, enum torture_kind kind, uint32_t number, uint64_t version)
{
    bool put = version % 2 == 1;
    uint8_t key[16];
    uint32_t bits;
    switch (kind) {
    case TORTURE_DESTINATION: {
        struct bypeer_destination destination = torture_destination(number, version);
        return put ? bypeer_writer_put_destination(writer, &destination)
                   : bypeer_writer_remove_destination(writer, destination.key);
    }
    case TORTURE_LINK: {
        struct bypeer_link link = torture_link(number, version);
        return put ? bypeer_writer_put_link(writer, &link) : bypeer_writer_remove_link(writer, number + 1);
    }
    case TORTURE_ADJACENCY: {
        struct bypeer_adjacency adjacency = torture_adjacency(number, version);
        return put ? bypeer_writer_put_adjacency(writer, &adjacency)
                   : bypeer_writer_remove_adjacency(writer, number + 1);
    }
    case TORTURE_GROUP: {
        struct bypeer_group group = torture_group(number, version);
        return put ? bypeer_writer_put_group(writer, &group) : bypeer_writer_remove_group(writer, number + 1);
    }
    case TORTURE_PREFIX: {
        struct bypeer_destination route = torture_prefix(number, version);
        torture_prefix_key(number, key, &bits);
        return put ? bypeer_writer_put_prefix(writer, &route) : bypeer_writer_remove_prefix(writer, key, bits);
    }
    case TORTURE_NAME: {
        struct bypeer_name name = torture_name(number, version);
        return put ? bypeer_writer_put_name(writer, 1, &name) : bypeer_writer_remove_name(writer, 1, name.id);
    }
    default:
        return -EINVAL;
    }
}

static enum torture_kind draw_kind(struct torture_writer *torture)
{
    uint64_t drawn = torture_draw(&torture->random) % 100;
    return drawn < 80   ? TORTURE_DESTINATION
           : drawn < 90 ? TORTURE_LINK
           : drawn < 93 ? TORTURE_ADJACENCY
           : drawn < 96 ? TORTURE_GROUP
           : drawn < 98 ? TORTURE_PREFIX
                        : TORTURE_NAME;
}

static bool is_committed(enum torture_kind kind)
{
    return kind == TORTURE_PREFIX || kind == TORTURE_NAME;
}

static bool is_pending(const struct torture_writer *torture, enum torture_kind kind, uint32_t number)
{
    for (uint32_t i = 0; i < torture->pending[kind].count; i++)
        if (torture->pending[kind].numbers[i] == number)
            return true;
    return false;
}

/* Hides a session, or puts one where the writer wants it. */
static int change_session(struct torture_writer *torture)
{
    uint32_t slot = 1 + (uint32_t)(torture_draw(&torture->random) % TORTURE_SESSIONS);
    if (bypeer_writer_find_session(torture->present.writer, slot)) {
        bypeer_writer_remove_session(torture->present.writer, slot);
        return 0;
    }
    int result = bypeer_writer_take_session(torture->present.writer, &slot);
    if (result < 0)
        return result;
    struct bypeer_wireguard_session session = torture_session(slot, torture_draw(&torture->random));
    bypeer_writer_put_session(torture->present.writer, slot, &session);
    torture->shared->updates++;
    return 0;
}

/* One change of one entry. Returns -EAGAIN when readers must look away first. */
static int change(struct torture_writer *torture)
{
    if (torture_draw(&torture->random) % 8 == 0)
        return change_session(torture);
    enum torture_kind kind = draw_kind(torture);
    uint32_t number = (uint32_t)(torture_draw(&torture->random) % torture_count(kind));
    struct torture_version *version = torture_version(torture->present.oracle, kind, number);
    uint64_t now = version->now, next;
    if (is_pending(torture, kind, number))
        return 0;
    if (now % 2 == 0)
        next = now + 1;
    else
        next = now + (torture_stays(kind, number) || torture_draw(&torture->random) % 2 ? 2 : 1);

    __atomic_store_n(&version->next, next, __ATOMIC_RELEASE);
    int result = apply(torture->present.writer, kind, number, next);
    if (result < 0) {
        __atomic_store_n(&version->next, now, __ATOMIC_RELEASE);
        if (result != -EAGAIN && result != -ENOSPC)
            torture_fail(torture->shared, "kind %d entry %u: change to version %lu failed: %d", kind, number,
                         (unsigned long)next, result);
        return result;
    }
    torture->shared->updates++;
    if (is_committed(kind))
        torture->pending[kind].numbers[torture->pending[kind].count++] = number;
    else
        __atomic_store_n(&version->now, next, __ATOMIC_RELEASE);
    return 0;
}

static void committed(struct torture_writer *torture, enum torture_kind kind)
{
    while (torture->pending[kind].count) {
        uint32_t number = torture->pending[kind].numbers[--torture->pending[kind].count];
        struct torture_version *version = torture_version(torture->present.oracle, kind, number);
        __atomic_store_n(&version->now, version->next, __ATOMIC_RELEASE);
    }
}

/* Now and then names are committed by a rebuild, if readers have left the spare half. */
static int commit_names(struct torture_writer *torture)
{
    struct bypeer_writer *writer = torture->present.writer;
    struct bypeer_names_build *build;
    if (torture_draw(&torture->random) % 4 || bypeer_writer_begin_names(writer, NULL, &build))
        return bypeer_writer_commit_names(writer);
    if (bypeer_names_build(build))
        torture_fail(torture->shared, "cannot build names");
    return bypeer_writer_swap_names(writer);
}

static void commit(struct torture_writer *torture)
{
    if (torture->pending[TORTURE_PREFIX].count && bypeer_writer_commit_prefixes(torture->present.writer) == 0)
        committed(torture, TORTURE_PREFIX);
    if (torture->pending[TORTURE_NAME].count && commit_names(torture) == 0)
        committed(torture, TORTURE_NAME);
}

/* --- reclaiming --------------------------------------------------------------------------------------------------- */

static void poison_pool(const struct bypeer_pool *pool, uint64_t from, void *records, uint64_t record_bytes)
{
    for (uint64_t i = from; i < pool->ready; i++)
        memset((uint8_t *)records + pool->ring[i % pool->slots] * record_bytes, POISON, record_bytes);
}

static void poison_halves(struct bypeer_prefix_writer *prefixes, uint64_t from)
{
    for (uint64_t i = from; i < prefixes->halves.ready; i++) {
        uint64_t half = prefixes->halves.ring[i % prefixes->halves.slots] - 1;
        memset(prefixes->tree.nodes + half * prefixes->tree.half_nodes, POISON,
               prefixes->tree.half_nodes * sizeof(*prefixes->tree.nodes));
        memset(prefixes->tree.values + half * prefixes->tree.half_values, POISON,
               prefixes->tree.half_values * sizeof(*prefixes->tree.values));
    }
}

/* Arrays of the pool's slots, the first of which is array number first. */
static void poison_arrays(const struct bypeer_names_writer *names, const struct bypeer_pool *pool, uint64_t from,
                          uint32_t first)
{
    for (uint64_t i = from; i < pool->ready; i++) {
        struct bypeer_names_array array;
        bypeer_names_array_begin(&array, &names->view, names->capacity, first + pool->ring[i % pool->slots] - 1);
        memset((void *)(uintptr_t)&names->view.records[array.first.records], POISON,
               array.room.records * sizeof(*names->view.records));
        memset((void *)(uintptr_t)&names->view.nodes[array.first.nodes], POISON,
               array.room.nodes * sizeof(*names->view.nodes));
        memset((void *)(uintptr_t)&names->view.runs[array.first.runs], POISON,
               array.room.runs * sizeof(*names->view.runs));
    }
}

/* What is freed is made useless at once: a reader that still looks at it will notice. */
static void reclaim(struct torture_writer *torture, uint64_t completed)
{
    struct bypeer_writer *writer = torture->present.writer;
    struct {
        struct bypeer_pool *pool;
        void *records;
        uint64_t bytes, from;
    } pools[] = {
        {&writer->destinations.pool, writer->destinations.records, sizeof(struct bypeer_destination), 0},
        {&writer->ingresses.pool, writer->ingresses.records, sizeof(struct bypeer_destination), 0},
        {&writer->links.pool, writer->links.records, writer->links.record_bytes, 0},
        {&writer->adjacencies.pool, writer->adjacencies.records, writer->adjacencies.record_bytes, 0},
        {&writer->groups.pool, writer->groups.records, writer->groups.record_bytes, 0},
        {&writer->prefixes.pool, writer->prefixes.routes, sizeof(struct bypeer_destination), 0},
    };
    const unsigned count = sizeof(pools) / sizeof(pools[0]);
    for (unsigned i = 0; i < count; i++)
        pools[i].from = pools[i].pool->ready;
    uint64_t halves = writer->prefixes.halves.ready;
    uint64_t name_halves = writer->names.halves.ready, name_deltas = writer->names.deltas.ready;
    bypeer_writer_reclaim(writer, completed);
    for (unsigned i = 0; i < count; i++)
        poison_pool(pools[i].pool, pools[i].from, pools[i].records, pools[i].bytes);
    poison_halves(&writer->prefixes, halves);
    poison_arrays(&writer->names, &writer->names.halves, name_halves, 0);
    poison_arrays(&writer->names, &writer->names.deltas, name_deltas, BYPEER_NAMES_HALVES);
}

static void send_to_all(struct torture_writer *torture, const struct bypeer_handover *message, const int *fd)
{
    for (unsigned i = 0; i < READERS_MAX; i++)
        if (torture->readers[i].header)
            bypeer_passing_send(torture->readers[i].socket, message, fd, fd ? 1 : 0);
}

static void turn(struct torture_writer *torture)
{
    struct torture_shared *shared = torture->shared;
    struct bypeer_writer_usage usage;
    uint64_t now = torture_now_ns();
    bypeer_writer_usage(torture->present.writer, &usage);
    struct bypeer_grace_turn turn = bypeer_grace_turn(&torture->grace, usage.retired != 0, now);
    shared->alarms += turn.event == BYPEER_GRACE_LATE;
    shared->recoveries += turn.event == BYPEER_GRACE_RECOVERED;
    if (turn.ask || shared->sabotage & TORTURE_SABOTAGE_WRITER) {
        uint64_t token = bypeer_writer_request(torture->present.writer);
        if (bypeer_grace_asked(&torture->grace, token, now)) {
            send_to_all(torture, &(struct bypeer_handover){.type = BYPEER_HANDOVER_GRACE}, NULL);
            shared->requests++;
        }
    }
    reclaim(torture, shared->sabotage & TORTURE_SABOTAGE_WRITER ? torture->grace.requested : turn.completed);
}

/* --- generations -------------------------------------------------------------------------------------------------- */

static bool is_looked_at(const struct torture_shared *shared, uint64_t generation)
{
    for (unsigned process = 0; process < TORTURE_PROCESSES; process++)
        for (unsigned i = 0; i < 2; i++) {
            uint64_t other = __atomic_load_n(&shared->looked_at[process][i], __ATOMIC_SEQ_CST);
            if (other != 0 && other % TORTURE_ORACLES == generation % TORTURE_ORACLES)
                return true;
        }
    return false;
}

/* The next one with an oracle of its own: where writers die young, readers may be many generations behind. */
static uint64_t next_generation(struct torture_shared *shared)
{
    for (uint64_t generation = shared->generation + 1;; generation++) {
        struct torture_oracle *oracle = &shared->oracles[generation % TORTURE_ORACLES];
        if (generation % TORTURE_ORACLES == shared->generation % TORTURE_ORACLES)
            continue;
        uint64_t before = oracle->generation;
        __atomic_store_n(&oracle->generation, 0, __ATOMIC_SEQ_CST); /* whoever looks from now on goes away again */
        if (!is_looked_at(shared, generation))
            return generation;
        __atomic_store_n(&oracle->generation, before, __ATOMIC_SEQ_CST);
    }
}

static int make_tables(struct torture_writer *torture, struct writer_tables *ret_tables, bool larger)
{
    struct bypeer_tables_size size = {TORTURE_DESTINATIONS, TORTURE_LINKS, TORTURE_ADJACENCIES, TORTURE_GROUPS,
                                      TORTURE_PREFIXES,     TORTURE_NAMES, TORTURE_SESSIONS,    0};
    if (larger)
        size.destinations += size.destinations / 4;
    struct writer_tables tables = {.generation = next_generation(torture->shared)};
    __atomic_store_n(&torture->shared->generation, tables.generation, __ATOMIC_SEQ_CST);
    uint32_t layout =
        BYPEER_LAYOUT_OLDEST + (uint32_t)(tables.generation % (BYPEER_LAYOUT_NEWEST - BYPEER_LAYOUT_OLDEST + 1));
    int error =
        bypeer_memory_create(&tables.memory, BYPEER_MEMORY_TABLES, "torture-tables", bypeer_tables_bytes(&size), false);
    if (!error)
        error = bypeer_writer_create(&tables.writer, tables.memory.base, tables.memory.bytes, &size, layout,
                                     tables.generation, torture_draw(&torture->random), 0);
    if (error) {
        torture_fail(torture->shared, "cannot make tables: %d", error);
        return error;
    }
    tables.oracle = &torture->shared->oracles[tables.generation % TORTURE_ORACLES];
    *ret_tables = tables;
    return 0;
}

/* The oracle of a new generation begins with what the last one was about to say. */
static void begin_oracle(struct torture_oracle *oracle, struct torture_oracle *before, uint64_t generation)
{
    for (size_t i = 0; i < sizeof(oracle->entries) / sizeof(oracle->entries[0]); i++) {
        uint64_t version = before ? before->entries[i].next : 0;
        __atomic_store_n(&oracle->entries[i].now, version, __ATOMIC_RELAXED);
        __atomic_store_n(&oracle->entries[i].next, version, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&oracle->generation, generation, __ATOMIC_RELEASE);
}

/* Fills empty tables with all that the oracle says; what it has never heard of appears for the first time. */
static void fill_tables(struct torture_writer *torture, struct writer_tables *tables)
{
    const struct bypeer_cloud_record cloud = {.number = 1, .port = 3541, .address_count = 1};
    if (bypeer_writer_put_cloud(tables->writer, &cloud) < 0)
        torture_fail(torture->shared, "no cloud");
    for (unsigned kind = 0; kind < TORTURE_KINDS; kind++)
        for (uint32_t number = 0; number < torture_count(kind); number++) {
            struct torture_version *version = torture_version(tables->oracle, kind, number);
            if (version->now == 0 && torture_stays(kind, number))
                version->now = version->next = 1;
            if (version->now % 2 == 0)
                continue;
            int result = apply(tables->writer, kind, number, version->now);
            if (result < 0)
                torture_fail(torture->shared, "kind %u entry %u does not fit: %d", kind, number, result);
        }
    if (bypeer_writer_commit_prefixes(tables->writer) || bypeer_writer_commit_names(tables->writer))
        torture_fail(torture->shared, "cannot commit the first prefixes and names");
}

static void hand_to(struct torture_writer *torture, struct writer_reader *reader)
{
    reader->number = bypeer_grace_add(&torture->grace, reader->header);
    struct bypeer_handover message = {
        .type = BYPEER_HANDOVER_TABLES,
        .tables = {.generation = torture->present.generation, .bytes = torture->present.memory.bytes},
    };
    int error = bypeer_passing_send(reader->socket, &message, &torture->present.memory.fd, 1);
    /* It may have died meanwhile: its pidfd will say so. */
    if (reader->number < 0 || (error && error != -EPIPE && error != -ECONNRESET))
        torture_fail(torture->shared, "cannot hand tables to a reader: %d", error);
}

static void start_generation(struct torture_writer *torture, struct writer_tables tables)
{
    bypeer_writer_publish(tables.writer);
    torture->present = tables;
    torture->changed_ns = torture_now_ns();
    torture->shared->generations++;
    bypeer_grace_init(&torture->grace, tables.generation);
    __atomic_store_n(&torture->place->tables, tables.memory.base, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < READERS_MAX; i++)
        if (torture->readers[i].header)
            hand_to(torture, &torture->readers[i]);
}

static void free_tables(struct writer_tables *tables)
{
    /* No reader may look at it any more; who does sees this. */
    if (tables->memory.base)
        memset(tables->memory.base, POISON, tables->memory.bytes);
    bypeer_writer_free(tables->writer);
    bypeer_memory_free(&tables->memory);
    *tables = (struct writer_tables){.memory = BYPEER_MEMORY_NONE};
}

static bool all_mapped(const struct torture_writer *torture)
{
    for (unsigned i = 0; i < READERS_MAX; i++)
        if (torture->readers[i].header && torture->readers[i].mapped != torture->present.generation)
            return false;
    return true;
}

static void grow(struct torture_writer *torture)
{
    if (!all_mapped(torture))
        return;
    if (torture->old.writer)
        free_tables(&torture->old);
    if (!torture->shared->growth || torture_now_ns() - torture->changed_ns < GROWTH_NS)
        return;
    struct writer_tables next;
    if (make_tables(torture, &next, torture->shared->generation % 2 == 0))
        return;
    begin_oracle(next.oracle, torture->present.oracle, next.generation);
    int error = bypeer_writer_copy(next.writer, torture->present.writer);
    if (error)
        torture_fail(torture->shared, "cannot copy generation %lu: %d", (unsigned long)torture->present.generation,
                     error);
    torture->pending[TORTURE_PREFIX].count = torture->pending[TORTURE_NAME].count = 0; /* the copy committed them */
    torture->old = torture->present;
    start_generation(torture, next);
}

/* --- readers ------------------------------------------------------------------------------------------------------ */

static void accept_readers(struct torture_writer *torture)
{
    for (unsigned i = 0; i < READERS_MAX; i++) {
        if (torture->readers[i].socket >= 0)
            continue;
        int fd = accept4(torture->place->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        torture->readers[i] =
            (struct writer_reader){.socket = fd, .pidfd = -1, .status = BYPEER_MEMORY_NONE, .number = -1};
    }
}

static void drop_reader(struct torture_writer *torture, struct writer_reader *reader)
{
    if (reader->number >= 0)
        bypeer_grace_remove(&torture->grace, (unsigned)reader->number);
    bypeer_memory_free(&reader->status);
    close(reader->socket);
    if (reader->pidfd >= 0)
        close(reader->pidfd);
    *reader = (struct writer_reader){.socket = -1, .pidfd = -1, .status = BYPEER_MEMORY_NONE, .number = -1};
}

static void greet(struct torture_writer *torture, struct writer_reader *reader, int fd)
{
    char why[BYPEER_REGION_WHY_BYTES];
    struct bypeer_status_view view;
    struct ucred peer;
    socklen_t length = sizeof(peer);
    int error = bypeer_memory_receive(&reader->status, BYPEER_MEMORY_STATUS, fd, BYPEER_STATUS_BYTES_MAX, false, why);
    if (!error)
        error = bypeer_status_attach(&view, reader->status.base, reader->status.bytes, why);
    if (error || getsockopt(reader->socket, SOL_SOCKET, SO_PEERCRED, &peer, &length)) {
        torture_fail(torture->shared, "cannot use a reader's status: %s", why);
        return;
    }
    if (peer.pid != getpid())
        reader->pidfd = (int)syscall(SYS_pidfd_open, peer.pid, 0);
    if (peer.pid != getpid() && reader->pidfd < 0)
        return; /* dead already: it has never been given tables */
    reader->header = torture->place->threads ? torture->place->status : view.header;
    hand_to(torture, reader);
}

/* A reader whose socket ends may go on looking: only its death frees what it holds back. */
static bool is_dead(const struct writer_reader *reader)
{
    struct pollfd wait = {.fd = reader->pidfd, .events = POLLIN};
    return reader->pidfd >= 0 && poll(&wait, 1, 0) > 0;
}

static void attend(struct torture_writer *torture, struct writer_reader *reader)
{
    struct bypeer_handover message;
    int fds[BYPEER_HANDOVER_FDS];
    int got;
    while ((got = bypeer_passing_receive(reader->socket, &message, fds)) > 0) {
        if (message.type == BYPEER_HANDOVER_HELLO)
            greet(torture, reader, fds[0]);
        else if (message.type == BYPEER_HANDOVER_MAPPED)
            reader->mapped = message.tables.generation;
    }
    if (is_dead(reader) || (got != -EAGAIN && !reader->header)) {
        torture->shared->deaths += reader->header != NULL;
        drop_reader(torture, reader);
    }
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

void torture_writer_run(struct torture_shared *shared, struct torture_place *place, unsigned life)
{
    struct torture_writer *torture = calloc(1, sizeof(*torture));
    torture->shared = shared;
    torture->place = place;
    torture->random = UINT64_C(0xda942042e4dd58b5) * (life + 1);
    torture->old.memory = (struct bypeer_memory)BYPEER_MEMORY_NONE;
    for (unsigned i = 0; i < READERS_MAX; i++)
        torture->readers[i] =
            (struct writer_reader){.socket = -1, .pidfd = -1, .status = BYPEER_MEMORY_NONE, .number = -1};

    struct writer_tables first;
    struct torture_oracle *before = life ? &shared->oracles[shared->generation % TORTURE_ORACLES] : NULL;
    if (make_tables(torture, &first, false))
        return;
    begin_oracle(first.oracle, before, first.generation);
    fill_tables(torture, &first);
    start_generation(torture, first);

    while (!__atomic_load_n(&shared->stop_writer, __ATOMIC_ACQUIRE)) {
        accept_readers(torture);
        for (unsigned i = 0; i < READERS_MAX; i++)
            if (torture->readers[i].socket >= 0)
                attend(torture, &torture->readers[i]);
        int result = 0;
        for (unsigned i = 0; i < BATCH && result != -EAGAIN; i++)
            result = change(torture);
        commit(torture);
        turn(torture);
        grow(torture);
        if (result != -EAGAIN)
            continue;
        shared->refused++;
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    free_tables(&torture->old);
    free_tables(&torture->present);
    free(torture);
}
