/* Control's end of the hand-over, against a data plane that the test plays over the socket. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "control/dataplane/channel.h"
#include "overlay/tables/passing.h"
#include "overlay/tables/sessions.h"
#include "overlay/tables/tables.h"

static uv_loop_t loop;
static struct bypeer_channel *channel;
static struct bypeer_generation *generation;
static char path[64];
static struct bypeer_problem problem;
static int attached; /* how often it was said, minus how often the end of it */
static unsigned ports_said;
static uint32_t layout_needed;
static unsigned adopted; /* how often */
static uint64_t adopted_region;

static const struct bypeer_tables_size small = {
    .destinations = 1000, .links = 8, .adjacencies = 8, .groups = 8, .prefixes = 8, .sessions = 8};

static struct bypeer_generation *make_generation(uint64_t number, uint32_t layout)
{
    struct bypeer_generation *made;
    cr_assert_eq(bypeer_generation_create(&made, number, layout, &small, false, &problem), 0);
    bypeer_writer_publish(made->writer);
    return made;
}

static void use_generation(uint64_t number, uint32_t layout)
{
    struct bypeer_generation *next = make_generation(number, layout);
    bypeer_channel_use(channel, next);
    bypeer_generation_free(generation);
    generation = next;
}

static void on_attached(void *context, bool is_attached)
{
    (void)context;
    attached += is_attached ? 1 : -1;
}

static void on_ports(void *context, const struct bypeer_handover *ports)
{
    (void)context;
    ports_said = ports->ports.count;
}

static void on_need_layout(void *context, uint32_t layout)
{
    (void)context;
    layout_needed = layout;
    use_generation(generation->number + 1, layout);
}

#define OLD_SLOT 5

static void on_adopt(void *context, const struct bypeer_tables *old)
{
    (void)context;
    const struct bypeer_wireguard_session *session = bypeer_tables_session_in(old, OLD_SLOT);
    adopted++;
    cr_assert_not_null(session);
    cr_assert_eq(bypeer_writer_adopt_session(generation->writer, OLD_SLOT, session), 0);
    adopted_region = session->region;
}

static void set_up(void)
{
    uv_loop_init(&loop);
    snprintf(path, sizeof(path), "/tmp/bypeer-channel-%ld.sock", (long)getpid());
    struct bypeer_channel_settings settings = {.path = path, .user = (uid_t)-1, .group = (gid_t)-1};
    struct bypeer_channel_hooks hooks = {
        .attached = on_attached, .ports = on_ports, .adopt = on_adopt, .need_layout = on_need_layout};
    cr_assert_eq(bypeer_channel_open(&channel, &loop, &settings, &hooks, &problem), 0, "%s", problem.value);
    generation = make_generation(7, BYPEER_LAYOUT_NEWEST);
    bypeer_channel_use(channel, generation);
}

static void tear_down(void)
{
    bypeer_channel_close(channel);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0, "nothing is left open");
    bypeer_generation_free(generation);
    unlink(path);
}

TestSuite(channel, .init = set_up, .fini = tear_down, .timeout = 60);

/* Lets control do what it has to. */
static void turn(void)
{
    for (unsigned round = 0; round < 10; round++) {
        uv_run(&loop, UV_RUN_NOWAIT);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

/* --- the data plane that the test plays --- */

struct player {
    int socket;
    struct bypeer_memory memory;
    struct bypeer_status status;
};

static void player_make(struct player *player)
{
    struct bypeer_status_size size = {.counters = 1, .workers = 1, .ports = 1};
    cr_assert_eq(
        bypeer_memory_create(&player->memory, BYPEER_MEMORY_STATUS, "status", bypeer_status_bytes(&size), false), 0);
    cr_assert_eq(bypeer_status_init(&player->status, player->memory.base, player->memory.bytes, &size, 1, 1), 0);
    player->status.header->pid = (uint64_t)getpid();
    player->status.header->start_ticks = bypeer_process_start_ticks(getpid());
    bypeer_region_publish(player->memory.base);
}

static void player_connect(struct player *player)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    player->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
    cr_assert_eq(connect(player->socket, (struct sockaddr *)&address, sizeof(address)), 0);
}

static struct bypeer_handover hello(const struct player *player)
{
    return (struct bypeer_handover){
        .type = BYPEER_HANDOVER_HELLO,
        .hello = {.pid = player->status.header->pid,
                  .start_ticks = player->status.header->start_ticks,
                  .layout_oldest = BYPEER_LAYOUT_OLDEST,
                  .layout_newest = BYPEER_LAYOUT_NEWEST,
                  .release = "0.0.1-test"},
    };
}

static void player_say(struct player *player, const struct bypeer_handover *message, const int *fds, unsigned count)
{
    cr_assert_eq(bypeer_passing_send(player->socket, message, fds, count), 0);
    turn();
}

static void player_say_hello(struct player *player)
{
    struct bypeer_handover message = hello(player);
    player_say(player, &message, &player->memory.fd, 1);
}

/* The next message, which must be of this type; its descriptor, or -1. */
static int player_hear(struct player *player, enum bypeer_handover_type type, struct bypeer_handover *ret_message)
{
    int fds[BYPEER_HANDOVER_FDS];
    cr_assert_eq(bypeer_passing_receive(player->socket, ret_message, fds), 1);
    cr_assert_eq(ret_message->type, type, "%d instead of %d", ret_message->type, type);
    return bypeer_handover_fds(ret_message) > 0 ? fds[0] : -1;
}

static void player_hears_nothing(struct player *player)
{
    struct bypeer_handover message;
    int fds[BYPEER_HANDOVER_FDS];
    cr_assert_eq(bypeer_passing_receive(player->socket, &message, fds), -EAGAIN);
}

static void player_is_cut_off(struct player *player)
{
    struct bypeer_handover message;
    int fds[BYPEER_HANDOVER_FDS];
    int result;
    while ((result = bypeer_passing_receive(player->socket, &message, fds)) == 1)
        ;
    cr_assert(result == 0 || result == -ECONNRESET, "%d", result);
}

static void player_maps(struct player *player, uint64_t number)
{
    bypeer_grace_use(player->status.header, number);
    struct bypeer_handover mapped = {.type = BYPEER_HANDOVER_MAPPED, .tables = {.generation = number}};
    player_say(player, &mapped, NULL, 0);
}

static void player_end(struct player *player)
{
    close(player->socket);
    bypeer_memory_free(&player->memory);
}

/* --- tests --- */

Test(channel, a_data_plane_gets_sessions_and_tables)
{
    struct player player;
    struct bypeer_handover message;
    player_make(&player);
    player_connect(&player);
    player_say_hello(&player);
    cr_assert_eq(player_hear(&player, BYPEER_HANDOVER_SESSIONS, &message), -1, "none is parked: it is to make one");

    struct bypeer_memory memory;
    struct bypeer_tables tables;
    char why[BYPEER_REGION_WHY_BYTES];
    int fd = player_hear(&player, BYPEER_HANDOVER_TABLES, &message);
    cr_assert_eq(message.tables.generation, 7);
    cr_assert_eq(bypeer_memory_receive(&memory, BYPEER_MEMORY_TABLES, fd, 1 << 30, false, why), 0, "%s", why);
    cr_assert_eq(bypeer_tables_attach(&tables, memory.base, memory.bytes, why), 0, "%s", why);
    bypeer_memory_free(&memory);

    cr_assert_eq(attached, 1);
    const struct bypeer_dataplane_process *process = bypeer_channel_process(channel);
    cr_assert_eq(process->pid, getpid());
    cr_assert_str_eq(process->release, "0.0.1-test");
    cr_assert_eq(bypeer_channel_mapped(channel), 0);
    player_maps(&player, 7);
    cr_assert_eq(bypeer_channel_mapped(channel), 7);

    close(player.socket);
    turn();
    cr_assert_eq(attached, 0);
    cr_assert_null(bypeer_channel_process(channel));
    bypeer_memory_free(&player.memory);
}

Test(channel, sessions_are_parked_for_the_next_one)
{
    struct player player;
    struct bypeer_handover message;
    player_make(&player);
    player_connect(&player);
    player_say_hello(&player);
    player_hear(&player, BYPEER_HANDOVER_SESSIONS, &message);

    struct bypeer_memory memory;
    struct bypeer_sessions sessions;
    const struct bypeer_sessions_size size = {1, 9, 4, 4, 4};
    cr_assert_eq(bypeer_memory_create(&memory, BYPEER_MEMORY_SESSIONS, "sessions", bypeer_sessions_bytes(&size), false),
                 0);
    cr_assert_eq(bypeer_sessions_init(&sessions, memory.base, memory.bytes, &size, 1, 1), 0);
    cr_assert_eq(bypeer_sessions_use_rows(&sessions, 1), 0);
    sessions.entries[3] = (struct bypeer_session){.sent_packets = 11, .link_serial = 5};
    struct bypeer_handover made = {.type = BYPEER_HANDOVER_SESSIONS_MADE};
    player_say(&player, &made, &memory.fd, 1);

    struct bypeer_session sum;
    const struct bypeer_sessions_view *view = bypeer_channel_sessions(channel);
    cr_assert_not_null(view->entries);
    bypeer_sessions_sum(view, 3, 5, &sum);
    cr_assert_eq(sum.sent_packets, 11);

    /* The same process comes back without sessions: they are given to it. */
    close(player.socket);
    turn();
    player_connect(&player);
    player_say_hello(&player);
    int fd = player_hear(&player, BYPEER_HANDOVER_SESSIONS, &message);
    cr_assert_geq(fd, 0);
    char why[BYPEER_REGION_WHY_BYTES];
    struct bypeer_memory again;
    cr_assert_eq(bypeer_memory_receive(&again, BYPEER_MEMORY_SESSIONS, fd, 1 << 30, true, why), 0, "%s", why);
    cr_assert_eq(((struct bypeer_sessions_header *)again.base)->region.magic, BYPEER_REGION_MAGIC);
    bypeer_memory_free(&again);
    bypeer_memory_free(&memory);
    player_end(&player);
}

/* Tables of another life of control, with one session, as a data plane that lives on has them. */
static struct bypeer_generation *make_old(uint64_t number)
{
    struct bypeer_generation *old = make_generation(number, BYPEER_LAYOUT_NEWEST);
    const struct bypeer_wireguard_session session = {.local_index = 0xfff00000 | OLD_SLOT, .region = number};
    cr_assert_eq(bypeer_writer_adopt_session(old->writer, OLD_SLOT, &session), 0);
    return old;
}

static void player_says_hello_with(struct player *player, int tables)
{
    struct bypeer_handover message = hello(player), heard;
    message.hello.has_tables = 1;
    player_connect(player);
    player_say(player, &message, (int[]){player->memory.fd, tables}, 2);
    player_hear(player, BYPEER_HANDOVER_SESSIONS, &heard);
    close(player_hear(player, BYPEER_HANDOVER_TABLES, &heard));
}

Test(channel, sessions_of_a_control_that_died_are_taken_over_before_new_tables_leave)
{
    struct player player;
    struct bypeer_generation *old = make_old(6), *older = make_old(5);
    player_make(&player);

    player_says_hello_with(&player, old->memory.fd);
    cr_assert_eq(adopted, 1);
    cr_assert_eq(adopted_region, 6);
    cr_assert_eq(bypeer_writer_find_session(generation->writer, OLD_SLOT)->region, 6);
    close(player.socket);
    turn();
    player_says_hello_with(&player, older->memory.fd);
    cr_assert_eq(adopted, 1, "once is all");
    bypeer_generation_free(old);
    bypeer_generation_free(older);
    player_end(&player);
}

Test(channel, nothing_is_taken_over_from_tables_of_our_own_or_of_nobodys)
{
    struct player player;
    struct bypeer_generation *ours = make_old(7);
    struct bypeer_memory junk;
    player_make(&player);
    cr_assert_eq(bypeer_memory_create(&junk, BYPEER_MEMORY_TABLES, "junk", 8192, false), 0);
    const int fds[] = {ours->memory.fd, junk.fd, player.memory.fd};
    for (unsigned i = 0; i < 3; i++) {
        player_says_hello_with(&player, fds[i]);
        cr_assert_eq(adopted, 0);
        close(player.socket);
        turn();
    }
    bypeer_memory_free(&junk);
    bypeer_generation_free(ours);
    bypeer_memory_free(&player.memory);
}

Test(channel, a_new_generation_is_sent_once_the_one_before_is_answered)
{
    struct player player;
    struct bypeer_handover message;
    player_make(&player);
    player_connect(&player);
    player_say_hello(&player);
    player_hear(&player, BYPEER_HANDOVER_SESSIONS, &message);
    close(player_hear(&player, BYPEER_HANDOVER_TABLES, &message));
    use_generation(8, BYPEER_LAYOUT_NEWEST);
    use_generation(9, BYPEER_LAYOUT_NEWEST);
    turn();
    player_hears_nothing(&player);
    player_maps(&player, 7);
    close(player_hear(&player, BYPEER_HANDOVER_TABLES, &message));
    cr_assert_eq(message.tables.generation, 9, "the newest, not the one between");
    struct bypeer_handover refused = {.type = BYPEER_HANDOVER_REFUSED,
                                      .refused = {.generation = 9, .error = -ENOMEM, .text = "no memory"}};
    player_say(&player, &refused, NULL, 0);
    cr_assert_str_eq(bypeer_channel_refusal(channel), "no memory");
    player_hears_nothing(&player);
    player_end(&player);
}

static void retire_one(void)
{
    struct bypeer_destination member = {.key = {0xfd, 9}, .link = 1, .group = 1, .prefix_bits = 128};
    cr_assert_eq(bypeer_writer_put_destination(generation->writer, &member), 1);
    cr_assert_eq(bypeer_writer_remove_destination(generation->writer, member.key), 0);
}

static uint64_t retired(void)
{
    struct bypeer_writer_usage usage;
    bypeer_writer_usage(generation->writer, &usage);
    return usage.retired;
}

Test(channel, what_is_retired_waits_for_the_data_plane)
{
    struct player player;
    struct bypeer_handover message;
    retire_one();
    turn();
    cr_assert_eq(retired(), 0, "without a reader it waits for nobody");

    player_make(&player);
    player_connect(&player);
    player_say_hello(&player);
    player_hear(&player, BYPEER_HANDOVER_SESSIONS, &message);
    close(player_hear(&player, BYPEER_HANDOVER_TABLES, &message));
    player_maps(&player, 7);
    retire_one();
    turn();
    cr_assert_gt(retired(), 0);
    player_hear(&player, BYPEER_HANDOVER_GRACE, &message);

    /* A token that was never asked for counts for nothing. */
    player.status.header->grace_completed = UINT64_MAX;
    turn();
    cr_assert_gt(retired(), 0);
    struct bypeer_tables_header *header = generation->memory.base;
    player.status.header->grace_completed = header->grace_request;
    turn();
    cr_assert_eq(retired(), 0);
    player_end(&player);
}

Test(channel, the_connection_may_end_without_the_process)
{
    struct player player;
    struct bypeer_handover message;
    player_make(&player);
    cr_assert_not(bypeer_channel_was_attached(channel));
    player_connect(&player);
    player_say_hello(&player);
    cr_assert(bypeer_channel_was_attached(channel));
    cr_assert_not(bypeer_channel_is_used_alone(channel, 7), "it may read other tables yet");
    player_maps(&player, 7);
    cr_assert(bypeer_channel_is_used_alone(channel, 7));
    close(player.socket);
    turn();
    cr_assert_not(bypeer_channel_is_used_alone(channel, 8), "it goes on with 7");
    retire_one();
    turn();
    cr_assert_gt(retired(), 0, "its workers still read the tables");
    player_connect(&player);
    player_say_hello(&player);
    player_hear(&player, BYPEER_HANDOVER_SESSIONS, &message);
    player_end(&player);
}

Test(channel, a_process_that_dies_holds_nothing_back)
{
    pid_t child = fork();
    if (child == 0) {
        struct player player;
        player_make(&player);
        player_connect(&player);
        struct bypeer_handover message = hello(&player);
        bypeer_passing_send(player.socket, &message, &player.memory.fd, 1);
        pause();
    }
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    turn();
    cr_assert_eq(attached, 1);
    retire_one();
    turn();
    cr_assert_gt(retired(), 0);
    cr_assert_not(bypeer_channel_is_used_alone(channel, 7));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    turn();
    cr_assert_eq(attached, 0);
    cr_assert(bypeer_channel_is_used_alone(channel, 7));
    cr_assert_eq(retired(), 0);
}

Test(channel, liars_and_strangers_are_cut_off)
{
    struct player player;
    player_make(&player);

    player_connect(&player);
    struct bypeer_handover wrong = hello(&player);
    wrong.hello.start_ticks++;
    player_say(&player, &wrong, &player.memory.fd, 1);
    player_is_cut_off(&player);
    close(player.socket);

    player_connect(&player);
    struct bypeer_handover early = {.type = BYPEER_HANDOVER_PORTS, .ports = {.count = 1}};
    player_say(&player, &early, NULL, 0);
    player_is_cut_off(&player);
    close(player.socket);

    player_connect(&player);
    cr_assert_eq(send(player.socket, "nonsense", 8, 0), 8);
    turn();
    player_is_cut_off(&player);
    close(player.socket);

    player_connect(&player);
    struct bypeer_handover old = hello(&player);
    old.hello.layout_oldest = old.hello.layout_newest = BYPEER_LAYOUT_NEWEST + 1;
    player_say(&player, &old, &player.memory.fd, 1);
    player_is_cut_off(&player);
    close(player.socket);

    /* Its status is no status. */
    player_connect(&player);
    struct bypeer_handover message = hello(&player);
    player_say(&player, &message, &generation->memory.fd, 1);
    player_is_cut_off(&player);
    close(player.socket);

    player_connect(&player);
    player_say_hello(&player);
    struct bypeer_handover ours = {.type = BYPEER_HANDOVER_GRACE};
    player_say(&player, &ours, NULL, 0);
    player_is_cut_off(&player);
    cr_assert_eq(attached, 0);
    player_end(&player);
}

Test(channel, a_data_plane_of_the_release_before_gets_its_layout)
{
    struct player player;
    struct bypeer_handover message;
    use_generation(8, BYPEER_LAYOUT_NEWEST);
    player_make(&player);
    player_connect(&player);
    message = hello(&player);
    message.hello.layout_newest = BYPEER_LAYOUT_OLDEST;
    player_say(&player, &message, &player.memory.fd, 1);
    player_hear(&player, BYPEER_HANDOVER_SESSIONS, &message);
    close(player_hear(&player, BYPEER_HANDOVER_TABLES, &message));
    cr_assert_eq(generation->layout, BYPEER_LAYOUT_OLDEST);
    cr_assert_eq(message.tables.generation, generation->number);
    cr_assert_eq(layout_needed, BYPEER_LAYOUT_NEWEST == BYPEER_LAYOUT_OLDEST ? 0 : BYPEER_LAYOUT_OLDEST);
    player_end(&player);
}

/* --- trace --- */

static unsigned steps, ends, completes;

static void on_step(void *context, const struct bypeer_handover *traced, uint64_t tsc_hz)
{
    (void)context;
    (void)tsc_hz;
    cr_assert_str_eq(traced->traced.node, "receive");
    steps++;
}

static void on_end(void *context, bool complete)
{
    (void)context;
    ends++;
    completes += complete ? 1 : 0;
}

Test(channel, a_trace_ends_once_whatever_happens)
{
    struct bypeer_channel_trace trace = {.step = on_step, .end = on_end};
    cr_assert_eq(bypeer_channel_trace(channel, 1, 1000, &trace, &problem), -ENOTCONN);
    struct player player;
    struct bypeer_handover message;
    player_make(&player);
    player_connect(&player);
    player_say_hello(&player);
    player_hear(&player, BYPEER_HANDOVER_SESSIONS, &message);
    close(player_hear(&player, BYPEER_HANDOVER_TABLES, &message));

    struct bypeer_handover step = {.type = BYPEER_HANDOVER_TRACED, .traced = {.node = "receive", .next = "classify"}};
    struct bypeer_handover end = {.type = BYPEER_HANDOVER_TRACE_END};
    player_say(&player, &step, NULL, 0);
    cr_assert_eq(steps, 0, "nobody had asked");

    cr_assert_eq(bypeer_channel_trace(channel, 1, 1000, &trace, &problem), 0);
    cr_assert_eq(bypeer_channel_trace(channel, 1, 1000, &trace, &problem), -EBUSY);
    player_hear(&player, BYPEER_HANDOVER_TRACE, &message);
    cr_assert_eq(message.trace.packets, 1);
    player_say(&player, &step, NULL, 0);
    player_say(&player, &end, NULL, 0);
    player_say(&player, &end, NULL, 0);
    cr_assert_eq(steps, 1);
    cr_assert_eq(ends, 1);
    cr_assert_eq(completes, 1);

    cr_assert_eq(bypeer_channel_trace(channel, 1, 1, &trace, &problem), 0);
    turn();
    cr_assert_eq(ends, 2, "time was up");
    cr_assert_eq(bypeer_channel_trace(channel, 1, 1000, &trace, &problem), 0);
    player_end(&player);
    turn();
    cr_assert_eq(ends, 3, "the data plane is gone");
    cr_assert_eq(completes, 1);
}
