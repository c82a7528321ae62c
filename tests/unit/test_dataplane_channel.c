/*
 * The data plane's end of the channel, with this test as control: what it says, what it takes over, what it refuses,
 * and that nothing which control does or fails to do takes away the tables in use. The broker is the real one.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <urcu-qsbr.h>

#include "dataplane/channel.h"
#include "overlay/tables/passing.h"
#include "overlay/tables/writer.h"

static char directory[] = "/tmp/bypeer-test-XXXXXX";
static struct bypeer_config config = {.dataplane.workers = 2};
static struct bypeer_ports ports;
static struct bypeer_workers workers;
static struct bypeer_report report;
static struct bypeer_tracing tracing;
static struct bypeer_broker broker;
static struct bypeer_channel channel;
static int listener = -1, control = -1;

static void listen_as_control(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/dataplane.sock", directory);
    unlink(address.sun_path);
    listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(listener, 1), 0);
}

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(directory));
    cr_assert_eq(bypeer_report_create(&report, &config, &ports), 0);
    bypeer_tracing_init(&tracing, &workers);
    cr_assert_eq(bypeer_channel_create(&channel, directory, &ports, &report, &broker, &tracing, 2), 0);
    cr_assert_eq(bypeer_broker_start(&broker, report.status.header), 0);
    listen_as_control();
}

static void tear_down(void)
{
    bypeer_broker_stop(&broker);
    bypeer_channel_destroy(&channel);
    bypeer_report_free(&report);
    close(listener);
    if (control >= 0)
        close(control);
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    cr_assert_eq(system(command), 0);
}

TestSuite(dataplane_channel, .init = set_up, .fini = tear_down, .timeout = 30);

/* One turn of the main thread's loop. */
static void turn(void)
{
    bypeer_channel_connect(&channel);
    struct pollfd polls[] = {
        {.fd = broker.done, .events = POLLIN},
        {.fd = bypeer_channel_listens(&channel) ? channel.fd : -1, .events = POLLIN},
    };
    poll(polls, 2, 1);
    bypeer_channel_changed(&channel);
    bypeer_channel_read(&channel);
}

/* Turns the loop until the data plane has said something: its message, with the descriptors in fds. */
static struct bypeer_handover hear(int fds[BYPEER_HANDOVER_FDS])
{
    struct bypeer_handover message;
    int status;
    do {
        turn();
        if (control < 0)
            control = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        status = control < 0 ? -EAGAIN : bypeer_passing_receive(control, &message, fds);
    } while (status == -EAGAIN);
    cr_assert_eq(status, 1);
    return message;
}

static struct bypeer_handover hear_type(enum bypeer_handover_type type, int fds[BYPEER_HANDOVER_FDS])
{
    struct bypeer_handover message = hear(fds);
    cr_assert_eq(message.type, type, "heard %d instead of %d", (int)message.type, (int)type);
    return message;
}

static void greet(void)
{
    int fds[BYPEER_HANDOVER_FDS];
    struct bypeer_handover hello = hear_type(BYPEER_HANDOVER_HELLO, fds);
    for (unsigned i = 0; i < bypeer_handover_fds(&hello); i++)
        close(fds[i]);
    hear_type(BYPEER_HANDOVER_PORTS, fds);
}

static void say(struct bypeer_handover message, int fd)
{
    cr_assert_eq(bypeer_passing_send(control, &message, &fd, fd >= 0), 0);
}

/* A region of tables as control makes it. */
static struct bypeer_memory make_tables(uint64_t generation)
{
    const struct bypeer_tables_size size = {
        .destinations = 1000, .links = 10, .adjacencies = 10, .groups = 10, .prefixes = 10};
    struct bypeer_memory memory;
    struct bypeer_writer *writer;
    cr_assert_eq(bypeer_memory_create(&memory, BYPEER_MEMORY_TABLES, "test", bypeer_tables_bytes(&size), false), 0);
    cr_assert_eq(
        bypeer_writer_create(&writer, memory.base, memory.bytes, &size, BYPEER_LAYOUT_NEWEST, generation, 1, 1), 0);
    bypeer_writer_publish(writer);
    bypeer_writer_free(writer);
    return memory;
}

static void say_tables(uint64_t generation, const struct bypeer_memory *memory)
{
    say((struct bypeer_handover){.type = BYPEER_HANDOVER_TABLES, .tables = {generation, memory->bytes}}, memory->fd);
}

static uint64_t generation_in_use(void)
{
    return bypeer_view_now->tables.header != NULL ? bypeer_view_now->tables.generation : 0;
}

static void hand_over(uint64_t generation)
{
    int fds[BYPEER_HANDOVER_FDS];
    struct bypeer_memory memory = make_tables(generation);
    say_tables(generation, &memory);
    cr_assert_eq(hear_type(BYPEER_HANDOVER_MAPPED, fds).tables.generation, generation);
    bypeer_memory_free(&memory); /* the data plane has its own mapping */
    cr_assert_eq(generation_in_use(), generation);
    cr_assert_eq(report.status.header->tables_generation, generation);
}

static void expect_refused(uint64_t generation, const struct bypeer_memory *memory)
{
    int fds[BYPEER_HANDOVER_FDS];
    uint64_t before = generation_in_use();
    say_tables(generation, memory);
    struct bypeer_handover refused = hear_type(BYPEER_HANDOVER_REFUSED, fds);
    cr_assert_eq(refused.refused.generation, generation);
    cr_assert_lt(refused.refused.error, 0);
    cr_assert_gt(strlen(refused.refused.text), 10, "a reason for people");
    cr_assert_eq(generation_in_use(), before);
}

Test(dataplane_channel, says_who_it_is)
{
    int fds[BYPEER_HANDOVER_FDS];
    struct bypeer_handover hello = hear_type(BYPEER_HANDOVER_HELLO, fds);
    cr_assert_eq(hello.hello.pid, (uint64_t)getpid());
    cr_assert_eq(hello.hello.start_ticks, bypeer_report_start_ticks());
    cr_assert_neq(hello.hello.start_ticks, 0);
    cr_assert_eq(hello.hello.layout_oldest, BYPEER_LAYOUT_OLDEST);
    cr_assert_eq(hello.hello.layout_newest, BYPEER_LAYOUT_NEWEST);
    cr_assert_str_eq(hello.hello.release, BYPEER_RELEASE);
    cr_assert_not(hello.hello.has_sessions || hello.hello.has_tables);

    char why[BYPEER_REGION_WHY_BYTES];
    struct bypeer_memory memory;
    struct bypeer_status_view view;
    cr_assert_eq(bypeer_memory_receive(&memory, BYPEER_MEMORY_STATUS, fds[0], BYPEER_STATUS_BYTES_MAX, false, why), 0);
    cr_assert_eq(bypeer_status_attach(&view, memory.base, memory.bytes, why), 0);
    cr_assert_eq(view.size.workers, 3, "two workers and the host thread");
    cr_assert_str_eq(view.counters[BYPEER_DROP_NO_ROUTE].name, "drop.no_route");
    bypeer_memory_free(&memory);
    hear_type(BYPEER_HANDOVER_PORTS, fds);
}

Test(dataplane_channel, uses_what_it_is_handed_and_the_next_after_that)
{
    greet();
    for (uint64_t generation = 1; generation <= 5; generation++)
        hand_over(generation);
}

Test(dataplane_channel, refuses_what_it_cannot_trust_and_keeps_what_it_has)
{
    greet();
    hand_over(7);
    struct bypeer_memory memory = make_tables(8);
    expect_refused(9, &memory); /* says one generation, is another */
    bypeer_memory_free(&memory);

    cr_assert_eq(bypeer_memory_create(&memory, BYPEER_MEMORY_TABLES, "test", 1 << 20, false), 0);
    expect_refused(8, &memory); /* sealed, but no tables */
    memset(memory.base, 0xa5, memory.bytes);
    expect_refused(8, &memory);
    bypeer_memory_free(&memory);

    memory.fd = memfd_create("test", MFD_ALLOW_SEALING);
    memory.bytes = 1 << 20;
    cr_assert_eq(ftruncate(memory.fd, 1 << 20), 0);
    expect_refused(8, &memory); /* could be cut short under the workers */
    close(memory.fd);
    memory.fd = listener;
    expect_refused(8, &memory); /* no memory at all */
    hand_over(8);
}

Test(dataplane_channel, keeps_its_tables_and_sessions_when_control_dies)
{
    int fds[BYPEER_HANDOVER_FDS];
    greet();
    say((struct bypeer_handover){.type = BYPEER_HANDOVER_SESSIONS}, -1);
    hear_type(BYPEER_HANDOVER_SESSIONS_MADE, fds);
    close(fds[0]);
    hand_over(3);
    close(control);
    control = -1;
    turn();
    cr_assert_eq(generation_in_use(), 3);

    struct bypeer_handover hello = hear_type(BYPEER_HANDOVER_HELLO, fds);
    cr_assert(hello.hello.has_sessions && hello.hello.has_tables);
    char why[BYPEER_REGION_WHY_BYTES];
    struct bypeer_memory memory;
    struct bypeer_tables tables;
    cr_assert_eq(bypeer_memory_receive(&memory, BYPEER_MEMORY_TABLES, fds[2], 1 << 30, false, why), 0);
    cr_assert_eq(bypeer_tables_attach(&tables, memory.base, memory.bytes, why), 0);
    cr_assert_eq(tables.generation, 3);
    bypeer_memory_free(&memory);
    close(fds[0]);
    close(fds[1]);
    hear_type(BYPEER_HANDOVER_PORTS, fds);
    hand_over(4);
}

static struct bypeer_memory make_sessions(const struct bypeer_sessions_size *size, struct bypeer_sessions *ret_sessions)
{
    struct bypeer_memory memory;
    cr_assert_eq(bypeer_memory_create(&memory, BYPEER_MEMORY_SESSIONS, "test", bypeer_sessions_bytes(size), false), 0);
    cr_assert_eq(bypeer_sessions_init(ret_sessions, memory.base, memory.bytes, size, 1, 1), 0);
    return memory;
}

static void say_parked(const struct bypeer_memory *memory)
{
    say((struct bypeer_handover){.type = BYPEER_HANDOVER_SESSIONS, .sessions = {.has_fd = 1}}, memory->fd);
}

Test(dataplane_channel, goes_on_counting_in_parked_sessions)
{
    greet();
    struct bypeer_sessions sessions;
    struct bypeer_memory parked = make_sessions(&(struct bypeer_sessions_size){2, 50, 4, 4, 4}, &sessions);
    bypeer_session_begin(&sessions.entries[50 + 3], 9);
    sessions.entries[50 + 3].sent_packets = 1234;
    say_parked(&parked);
    hand_over(1);
    cr_assert_eq(bypeer_view_now->sessions.size.links, 50);
    cr_assert_eq(bypeer_view_now->sessions.entries[50 + 3].sent_packets, 1234);
    bypeer_view_now->sessions.entries[50 + 3].sent_packets++;
    cr_assert_eq(sessions.entries[50 + 3].sent_packets, 1235, "it is the same memory");
    cr_assert_eq(sessions.header->rows, 2, "control is told of the rows that are in use");
    const struct bypeer_wireguard_session session = {.region = sessions.generation};
    cr_assert(bypeer_sessions_has_nonces(&bypeer_view_now->sessions, &session), "and sessions go on in it");

    /* Asked again, it stays with what it counts in. */
    say((struct bypeer_handover){.type = BYPEER_HANDOVER_SESSIONS}, -1);
    hand_over(2);
    bypeer_view_now->sessions.entries[50 + 3].sent_packets++;
    cr_assert_eq(sessions.entries[50 + 3].sent_packets, 1236);
    bypeer_memory_free(&parked);
}

Test(dataplane_channel, parked_sessions_that_lack_rows_are_not_used)
{
    int fds[BYPEER_HANDOVER_FDS];
    greet();
    struct bypeer_sessions sessions;
    struct bypeer_memory parked = make_sessions(&(struct bypeer_sessions_size){1, 50, 4, 4, 4}, &sessions);
    const struct bypeer_wireguard_session session = {.region = sessions.generation};
    say_parked(&parked);
    hear_type(BYPEER_HANDOVER_SESSIONS_MADE, fds);
    close(fds[0]);
    cr_assert_eq(bypeer_view_now->sessions.size.workers, BYPEER_SESSIONS_WORKERS_MAX);
    cr_assert(!bypeer_sessions_has_nonces(&bypeer_view_now->sessions, &session),
              "older sessions have theirs elsewhere");
    bypeer_memory_free(&parked);
}

static uint32_t reader_state; /* 1: it looks at the view; 2: let it go */

static void *reader_run(void *argument)
{
    (void)argument;
    rcu_register_thread();
    const struct bypeer_view *view = rcu_dereference(bypeer_view_now);
    uint64_t generation = view->tables.generation;
    __atomic_store_n(&reader_state, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&reader_state, __ATOMIC_ACQUIRE) == 1)
        if (view->tables.header->region.generation != generation) /* unmapped memory would end the test here */
            abort();
    rcu_quiescent_state();
    rcu_unregister_thread();
    return NULL;
}

Test(dataplane_channel, unmaps_nothing_that_a_worker_looks_at)
{
    greet();
    hand_over(1);
    pthread_t reader;
    cr_assert_eq(pthread_create(&reader, NULL, reader_run, NULL), 0);
    while (__atomic_load_n(&reader_state, __ATOMIC_ACQUIRE) != 1)
        usleep(100);

    struct bypeer_memory memory = make_tables(2);
    say_tables(2, &memory);
    for (unsigned i = 0; i < 100; i++) {
        struct bypeer_handover message;
        int fds[BYPEER_HANDOVER_FDS];
        turn();
        cr_assert_eq(bypeer_passing_receive(control, &message, fds), -EAGAIN, "not before the worker is through");
    }
    cr_assert_eq(report.status.header->tables_generation, 1);
    __atomic_store_n(&reader_state, 2, __ATOMIC_RELEASE);
    int fds[BYPEER_HANDOVER_FDS];
    hear_type(BYPEER_HANDOVER_MAPPED, fds);
    cr_assert_eq(report.status.header->tables_generation, 2);
    pthread_join(reader, NULL);
    bypeer_memory_free(&memory);
}

Test(dataplane_channel, completes_a_grace_period_when_asked)
{
    greet();
    struct bypeer_memory memory = make_tables(1);
    int fds[BYPEER_HANDOVER_FDS];
    say_tables(1, &memory);
    hear_type(BYPEER_HANDOVER_MAPPED, fds);
    struct bypeer_tables_header *header = memory.base;
    for (uint64_t token = 1; token <= 10; token++) {
        __atomic_store_n(&header->grace_request, token, __ATOMIC_RELEASE);
        say((struct bypeer_handover){.type = BYPEER_HANDOVER_GRACE}, -1);
        while (__atomic_load_n(&report.status.header->grace_completed, __ATOMIC_ACQUIRE) != token)
            turn();
    }
    bypeer_memory_free(&memory);
}

Test(dataplane_channel, leaves_one_who_talks_nonsense_and_comes_back)
{
    int fds[BYPEER_HANDOVER_FDS];
    greet();
    hand_over(1);
    say((struct bypeer_handover){.type = BYPEER_HANDOVER_TRACE_END}, -1);
    while (channel.fd >= 0) {
        bypeer_channel_changed(&channel);
        bypeer_channel_read(&channel);
    }
    close(control);
    control = -1;
    cr_assert_eq(hear_type(BYPEER_HANDOVER_HELLO, fds).hello.has_tables, 1);
    close(fds[0]);
    close(fds[1]);
    hear_type(BYPEER_HANDOVER_PORTS, fds);
    cr_assert_eq(write(control, "\xff\xff\xff", 3), 3);
    while (channel.fd >= 0)
        bypeer_channel_read(&channel);
    cr_assert_eq(generation_in_use(), 1);
}
