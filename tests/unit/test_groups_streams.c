/* TCP streams of members, over loopback. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/groups/streams.h"

#define WAIT_MS 20000
#define NUMBER  7

static uint8_t loopback[16] = {[15] = 1};

/* What came to one side. */
struct side {
    struct bypeer_streams *streams;
    uv_loop_t *loop;
    int answer; /* of begun() */
    unsigned begun, connected, writable, closed;
    int error;
    size_t received;
    uint8_t bytes[1 << 16];
};

static int on_begun(void *context, struct bypeer_stream *stream, const uint8_t *bytes, size_t length)
{
    struct side *side = context;
    side->begun++;
    if (length < 4)
        return -EAGAIN;
    cr_assert_eq(memcmp(bytes, "open", 4), 0);
    if (side->answer == 0)
        bypeer_stream_adopt(stream, side, NUMBER);
    return side->answer;
}

static void on_connected(void *owner, uint32_t number)
{
    struct side *side = owner;
    cr_assert_eq(number, NUMBER);
    side->connected++;
}

static void on_received(void *owner, uint32_t number, const uint8_t *bytes, size_t length)
{
    struct side *side = owner;
    cr_assert_eq(number, NUMBER);
    for (size_t at = 0; at < length && side->received + at < sizeof(side->bytes); at++)
        side->bytes[side->received + at] = bytes[at];
    side->received += length;
}

static void on_closed(void *owner, uint32_t number, int error)
{
    struct side *side = owner;
    cr_assert_eq(number, NUMBER);
    side->closed++;
    side->error = error;
}

static void on_writable(void *owner, uint32_t number)
{
    struct side *side = owner;
    cr_assert_eq(number, NUMBER);
    side->writable++;
}

static const struct bypeer_streams_hooks hooks = {.begun = on_begun,
                                                  .connected = on_connected,
                                                  .received = on_received,
                                                  .writable = on_writable,
                                                  .closed = on_closed};

static uv_loop_t loop;
static struct side here, there;
static uint16_t port;

/* A port that nobody has; taken again at once, so that no other test gets it in between. */
static uint16_t free_port(void)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    socklen_t length = sizeof(any);
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&any, &length), 0);
    close(fd);
    return ntohs(any.sin6_port);
}

static void open_both(void)
{
    struct bypeer_problem problem;
    uv_loop_init(&loop);
    here = (struct side){.loop = &loop};
    there = (struct side){.loop = &loop};
    cr_assert_eq(bypeer_streams_open(&here.streams, &loop, &hooks, &here), 0);
    cr_assert_eq(bypeer_streams_open(&there.streams, &loop, &hooks, &there), 0);
    for (unsigned try = 0; try < 20 && !bypeer_streams_is_listening(there.streams); try++) {
        port = free_port();
        bypeer_streams_listen(there.streams, (const uint8_t(*)[16])loopback, 1, port, &problem);
    }
    cr_assert(bypeer_streams_is_listening(there.streams), "%s", problem.value);
}

static void close_both(void)
{
    bypeer_streams_close(here.streams);
    bypeer_streams_close(there.streams);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0, "handles are left");
}

TestSuite(groups_streams, .init = open_both, .fini = close_both);

static void tick(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop until *value is at least so much. */
static void run_until(const unsigned *count, unsigned least, const size_t *bytes, size_t least_bytes)
{
    uv_timer_t timer;
    uint64_t end = uv_hrtime() + WAIT_MS * UINT64_C(1000000);
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, tick, 10, 10);
    while (((count && *count < least) || (bytes && *bytes < least_bytes)) && uv_hrtime() < end)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert(!count || *count >= least);
    cr_assert(!bytes || *bytes >= least_bytes);
}

static void say_open(uint8_t ret_bytes[static 4])
{
    const uint8_t word[] = {'o', 'p', 'e', 'n'};
    memcpy(ret_bytes, word, sizeof(word));
}

static void say(struct side *side, const char *text)
{
    bypeer_streams_send(side->streams, side, NUMBER, (const uint8_t *)text, strlen(text));
}

Test(groups_streams, bytes_come_in_order_both_ways_and_the_end_is_seen)
{
    cr_assert_eq(bypeer_streams_connect(here.streams, &here, NUMBER, loopback, port), 0);
    run_until(&here.connected, 1, NULL, 0);
    say(&here, "op");
    run_until(&there.begun, 1, NULL, 0);
    say(&here, "en sesame");
    run_until(NULL, 0, &there.received, 11);
    cr_assert_arr_eq(there.bytes, "open sesame", 11);
    say(&there, "welcome");
    run_until(NULL, 0, &here.received, 7);
    cr_assert_arr_eq(here.bytes, "welcome", 7);
    say(&there, ", and goodbye");
    bypeer_streams_end(there.streams, &there, NUMBER);
    run_until(&here.closed, 1, NULL, 0);
    cr_assert_eq(here.received, 20, "what was said before the end is lost");
    run_until(&there.closed, 1, NULL, 0);
    cr_assert_eq(here.error, 0);
}

Test(groups_streams, what_the_kernel_does_not_take_at_once_comes_all_the_same)
{
    static uint8_t much[6 << 20];
    cr_assert_eq(bypeer_streams_connect(here.streams, &here, NUMBER, loopback, port), 0);
    run_until(&here.connected, 1, NULL, 0);
    say_open(much);
    bypeer_streams_send(here.streams, &here, NUMBER, much, sizeof(much));
    bypeer_streams_end(here.streams, &here, NUMBER);
    run_until(NULL, 0, &there.received, sizeof(much));
    run_until(&there.closed, 1, NULL, 0);
    cr_assert_eq(there.received, sizeof(much));
}

/* While the other side does not run nothing is read. */
Test(groups_streams, who_sends_hears_that_it_is_full_and_when_there_is_room)
{
    static uint8_t some[65536];
    size_t sent = 0;
    cr_assert_eq(bypeer_streams_connect(here.streams, &here, NUMBER, loopback, port), 0);
    run_until(&here.connected, 1, NULL, 0);
    say_open(some);
    bool has_room = true;
    while (has_room && sent < BYPEER_STREAMS_QUEUE_MAX) {
        has_room = bypeer_streams_send(here.streams, &here, NUMBER, some, sizeof(some));
        sent += sizeof(some);
    }
    cr_assert(!has_room);
    cr_assert_eq(here.writable, 0);
    run_until(&here.writable, 1, NULL, 0);
    run_until(NULL, 0, &there.received, sent);
    cr_assert(bypeer_streams_send(here.streams, &here, NUMBER, some, 1));
    cr_assert_eq(here.writable, 1);
}

Test(groups_streams, who_takes_nothing_is_cut_off)
{
    static uint8_t much[BYPEER_STREAMS_QUEUE_MAX / 4];
    cr_assert_eq(bypeer_streams_connect(here.streams, &here, NUMBER, loopback, port), 0);
    run_until(&here.connected, 1, NULL, 0);
    say_open(much);
    /* The other side does not run meanwhile: nothing is read. */
    for (unsigned at = 0; at < 8; at++)
        bypeer_streams_send(here.streams, &here, NUMBER, much, sizeof(much));
    run_until(&here.closed, 1, NULL, 0);
    cr_assert_eq(here.error, -ENOBUFS);
}

Test(groups_streams, a_stranger_that_is_refused_is_closed)
{
    there.answer = -ENOENT;
    cr_assert_eq(bypeer_streams_connect(here.streams, &here, NUMBER, loopback, port), 0);
    run_until(&here.connected, 1, NULL, 0);
    say(&here, "open");
    run_until(&here.closed, 1, NULL, 0);
    cr_assert_eq(there.received, 0);
    cr_assert_eq(there.closed, 0, "it had no owner");
}

Test(groups_streams, a_stranger_may_not_talk_on_without_saying_what_for)
{
    static uint8_t much[BYPEER_STREAMS_BEGIN_MAX * 2];
    say_open(much);
    there.answer = -EAGAIN;
    cr_assert_eq(bypeer_streams_connect(here.streams, &here, NUMBER, loopback, port), 0);
    run_until(&here.connected, 1, NULL, 0);
    bypeer_streams_send(here.streams, &here, NUMBER, much, sizeof(much));
    run_until(&here.closed, 1, NULL, 0);
    cr_assert_eq(there.received, 0);
}

/* Connects so many times, says what for if told to, and counts what is closed again. */
static unsigned count_closed(int *sockets, unsigned count, bool says)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback, .sin6_port = htons(port)};
    unsigned closed = 0;
    for (unsigned at = 0; at < count; at++) {
        sockets[at] = socket(AF_INET6, SOCK_STREAM, 0);
        cr_assert_eq(connect(sockets[at], (struct sockaddr *)&to, sizeof(to)), 0);
        if (says)
            cr_assert_eq(send(sockets[at], "open", 4, 0), 4);
    }
    for (unsigned turn = 0; turn < 50; turn++) {
        uv_run(&loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    for (unsigned at = 0; at < count; at++) {
        char byte;
        ssize_t got = recv(sockets[at], &byte, 1, MSG_DONTWAIT);
        closed += got == 0 || (got < 0 && errno == ECONNRESET) ? 1 : 0;
    }
    return closed;
}

static void close_all(const int *sockets, unsigned count)
{
    for (unsigned at = 0; at < count; at++)
        close(sockets[at]);
}

Test(groups_streams, few_strangers_of_one_source_are_let_in_at_once)
{
    int sockets[BYPEER_STREAMS_OF_SOURCE + 1];
    cr_assert_eq(count_closed(sockets, BYPEER_STREAMS_OF_SOURCE + 1, false), 1);
    close_all(sockets, BYPEER_STREAMS_OF_SOURCE + 1);
}

/* To say what for proves nothing yet. */
Test(groups_streams, who_has_an_owner_is_a_stranger_until_he_is_trusted)
{
    int sockets[BYPEER_STREAMS_OF_SOURCE + 2];
    cr_assert_eq(count_closed(sockets, BYPEER_STREAMS_OF_SOURCE + 1, true), 1);
    cr_assert_eq(there.begun, BYPEER_STREAMS_OF_SOURCE);
    bypeer_streams_trust(there.streams, &there, NUMBER);
    cr_assert_eq(count_closed(sockets + BYPEER_STREAMS_OF_SOURCE + 1, 1, true), 0);
    close_all(sockets, BYPEER_STREAMS_OF_SOURCE + 2);
}

Test(groups_streams, nobody_there_is_told)
{
    cr_assert_eq(bypeer_streams_connect(here.streams, &here, NUMBER, loopback, (uint16_t)(port == 1 ? 2 : 1)), 0);
    run_until(&here.closed, 1, NULL, 0);
    cr_assert_eq(here.error, -ECONNREFUSED);
    cr_assert_eq(here.connected, 0);
}

Test(groups_streams, an_abandoned_owner_hears_nothing_more)
{
    cr_assert_eq(bypeer_streams_connect(here.streams, &here, NUMBER, loopback, port), 0);
    run_until(&here.connected, 1, NULL, 0);
    say(&here, "open");
    run_until(NULL, 0, &there.received, 4);
    bypeer_streams_abandon(there.streams, &there);
    run_until(&here.closed, 1, NULL, 0);
    cr_assert_eq(there.closed, 0);
}
