/*
 * One connection of a data plane, from accept to end; and the end of its process.
 */
#include "control/dataplane/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "overlay/tables/passing.h"
#include "overlay/tables/region.h"

/* Messages read from one connection before the others have their turn. */
#define MESSAGES_AT_ONCE 64

/* As much as any control hands over: a generation of 100 million members takes about 9 GiB. */
#define TABLES_BYTES_MAX (UINT64_C(1) << 40)

static void connection_on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    uv_handle_t of_channel = {.data = connection->channel};
    close(connection->socket);
    free(connection);
    channel_on_handle_closed(&of_channel);
}

static void connection_find_newest(struct bypeer_channel *channel)
{
    channel->newest = NULL;
    for (unsigned at = 0; at < CONNECTIONS_MAX; at++)
        if (channel->connections[at] && channel->connections[at]->reader >= 0)
            channel->newest = channel->connections[at];
}

void channel_end_connection(struct bypeer_channel *channel, struct connection *connection, const char *why)
{
    if (connection->ended)
        return;
    connection->ended = true;
    if (why && !channel->closing)
        bypeer_log_limited(&channel->log_limit, BYPEER_LOG_WARNING, "data plane %ld: connection ended: %s",
                           (long)connection->pid, why);
    for (unsigned at = 0; at < CONNECTIONS_MAX; at++)
        if (channel->connections[at] == connection)
            channel->connections[at] = NULL;
    if (channel->tracing && channel->trace_from == connection) {
        uv_timer_stop(&channel->trace_timer);
        channel->tracing = false;
        if (channel->trace.end)
            channel->trace.end(channel->trace.context, false);
    }
    if (channel->newest == connection) {
        connection_find_newest(channel);
        if (!channel->newest && !channel->closing && channel->hooks.attached)
            channel->hooks.attached(channel->hooks.context, false);
    }
    uv_close((uv_handle_t *)&connection->poll, connection_on_closed);
}

/* --- the end of a process --- */

static void death_on_closed(uv_handle_t *handle)
{
    struct death *death = handle->data;
    uv_handle_t of_channel = {.data = death->channel};
    free(death);
    channel_on_handle_closed(&of_channel);
}

void channel_forget_death(struct bypeer_channel *channel, unsigned reader)
{
    struct death *death = channel->deaths[reader];
    channel->deaths[reader] = NULL;
    if (death)
        uv_close((uv_handle_t *)&death->poll, death_on_closed);
}

static void channel_remove_reader(struct bypeer_channel *channel, unsigned reader)
{
    for (unsigned at = 0; at < CONNECTIONS_MAX; at++) {
        struct connection *connection = channel->connections[at];
        if (connection && connection->reader == (int)reader)
            channel_end_connection(channel, connection, NULL);
    }
    bypeer_log(BYPEER_LOG_NOTICE, "data plane %ld: has ended", (long)channel->readers.processes[reader].pid);
    channel_forget_death(channel, reader);
    bypeer_readers_remove(&channel->readers, channel->generation, reader);
}

static void death_on_event(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct death *death = poll->data;
    channel_remove_reader(death->channel, death->reader);
}

/* Those that have ended, but whose event has not come up yet. */
static void channel_sweep_dead(struct bypeer_channel *channel)
{
    for (unsigned at = 0; at < BYPEER_READERS_MAX; at++)
        if (channel->readers.processes[at].used && bypeer_readers_is_dead(&channel->readers, at))
            channel_remove_reader(channel, at);
}

static int channel_await_death(struct bypeer_channel *channel, unsigned reader)
{
    if (channel->deaths[reader])
        return 0;
    struct death *death = calloc(1, sizeof(*death));
    if (!death)
        return -ENOMEM;
    *death = (struct death){.channel = channel, .reader = reader};
    uv_poll_init(channel->loop, &death->poll, channel->readers.processes[reader].pidfd);
    death->poll.data = death;
    uv_poll_start(&death->poll, UV_READABLE, death_on_event);
    channel->deaths[reader] = death;
    channel->handles++;
    return 0;
}

/* --- messages --- */

/* The parked sessions go to a data plane that has none, and only while no other process writes to them. */
static void channel_send_sessions(struct bypeer_channel *channel, struct connection *connection, bool has_sessions)
{
    bool alone = !has_sessions;
    for (unsigned at = 0; at < BYPEER_READERS_MAX; at++)
        if (channel->readers.processes[at].used && (int)at != connection->reader)
            alone = false;
    bool give = alone && channel->sessions.base;
    struct bypeer_handover message = {
        .type = BYPEER_HANDOVER_SESSIONS,
        .sessions = {.has_fd = give},
    };
    int result = bypeer_passing_send(connection->socket, &message, &channel->sessions.fd, give ? 1 : 0);
    if (result < 0)
        channel_end_connection(channel, connection, strerror(-result));
}

/* Makes the process behind a HELLO a reader of the present generation, or ends its connection. Takes status_fd over. */
static bool connection_register(struct bypeer_channel *channel, struct connection *connection,
                                const struct bypeer_handover *hello, int status_fd)
{
    if (!channel->generation || connection->reader >= 0) {
        close(status_fd);
        channel_end_connection(channel, connection, connection->reader >= 0 ? "a second HELLO" : NULL);
        return false;
    }
    if (bypeer_layout_common(hello->hello.layout_oldest, hello->hello.layout_newest) == 0) {
        close(status_fd);
        bypeer_log_limited(
            &channel->log_limit, BYPEER_LOG_ERROR,
            "data plane %ld: reads table layouts %u to %u, this bypeerd writes %u to %u: upgrade the older",
            (long)connection->pid, hello->hello.layout_oldest, hello->hello.layout_newest, BYPEER_LAYOUT_OLDEST,
            BYPEER_LAYOUT_NEWEST);
        channel_end_connection(channel, connection, NULL);
        return false;
    }
    channel_sweep_dead(channel);
    if (connection->ended) {
        close(status_fd);
        return false;
    }
    struct bypeer_problem problem;
    int reader =
        bypeer_readers_add(&channel->readers, channel->generation, connection->pid, hello, status_fd, &problem);
    if (reader < 0) {
        char text[BYPEER_PROBLEM_TEXT];
        channel_end_connection(channel, connection, bypeer_problem_text(&problem, text));
        return false;
    }
    connection->reader = reader;
    channel->was_attached = true;
    if (channel_await_death(channel, (unsigned)reader) < 0) {
        channel_remove_reader(channel, (unsigned)reader);
        return false;
    }
    return true;
}

/* Tables that a data plane holds: taken up only if they are those of a control before this one. Takes fd over. */
static void channel_adopt_tables(struct bypeer_channel *channel, struct connection *connection, int fd)
{
    char why[BYPEER_REGION_WHY_BYTES] = "";
    struct bypeer_memory memory = BYPEER_MEMORY_NONE;
    struct bypeer_tables tables;
    bool wanted = channel->hooks.adopt && !channel->adopted;
    int result =
        wanted ? bypeer_memory_receive(&memory, BYPEER_MEMORY_TABLES, fd, TABLES_BYTES_MAX, false, why) : -ENOENT;
    if (result < 0)
        close(fd);
    if (result == 0)
        result = bypeer_tables_attach(&tables, memory.base, memory.bytes, why);
    if (result == 0 && tables.generation < channel->first_generation) {
        channel->adopted = true;
        connection->waits = true; /* a larger generation that is made for it is not sent before it is complete */
        channel->hooks.adopt(channel->hooks.context, &tables);
        connection->waits = false;
    } else if (wanted && result < 0) {
        bypeer_log_limited(&channel->log_limit, BYPEER_LOG_WARNING,
                           "tables that the data plane holds: nothing is taken over from them: %s", why);
    }
    bypeer_memory_free(&memory);
}

static void connection_take_hello(struct bypeer_channel *channel, struct connection *connection,
                                  const struct bypeer_handover *hello, int *fds)
{
    unsigned next = 1;
    if (hello->hello.has_sessions)
        channel_park_sessions(channel, fds[next++]);
    int tables = hello->hello.has_tables ? fds[next] : -1;
    if (!connection_register(channel, connection, hello, fds[0])) {
        if (tables >= 0)
            close(tables);
        return;
    }
    bool first = !channel->newest;
    channel->newest = connection;
    bypeer_log(BYPEER_LOG_NOTICE, "data plane %ld: attached, release %s", (long)connection->pid,
               channel->readers.processes[connection->reader].release);
    if (tables >= 0)
        channel_adopt_tables(channel, connection, tables);
    channel_send_sessions(channel, connection, hello->hello.has_sessions);
    uint32_t layout = bypeer_readers_layout(&channel->readers);
    if (layout != 0 && layout != channel->generation->layout && channel->hooks.need_layout)
        channel->hooks.need_layout(channel->hooks.context, layout);
    if (!connection->ended)
        channel_send_tables(channel, connection);
    if (first && channel->hooks.attached)
        channel->hooks.attached(channel->hooks.context, true);
}

static void connection_take(struct bypeer_channel *channel, struct connection *connection,
                            const struct bypeer_handover *message, int *fds)
{
    if (connection->reader < 0 && message->type != BYPEER_HANDOVER_HELLO) {
        for (unsigned at = 0; at < bypeer_handover_fds(message); at++)
            close(fds[at]);
        channel_end_connection(channel, connection, "it did not say HELLO first");
        return;
    }
    switch (message->type) {
    case BYPEER_HANDOVER_HELLO:
        connection_take_hello(channel, connection, message, fds);
        break;
    case BYPEER_HANDOVER_PORTS:
        if (channel->hooks.ports)
            channel->hooks.ports(channel->hooks.context, message);
        break;
    case BYPEER_HANDOVER_SESSIONS_MADE:
        channel_park_sessions(channel, fds[0]);
        break;
    case BYPEER_HANDOVER_MAPPED:
        connection->waits = false;
        connection->refusal[0] = '\0';
        bypeer_log(BYPEER_LOG_INFO, "data plane %ld: uses generation %llu", (long)connection->pid,
                   (unsigned long long)message->tables.generation);
        channel_send_tables(channel, connection);
        break;
    case BYPEER_HANDOVER_REFUSED:
        connection->waits = false;
        bypeer_status_text(connection->refusal, message->refused.text, sizeof(connection->refusal));
        bypeer_log_limited(&channel->log_limit, BYPEER_LOG_ERROR, "data plane %ld: refused generation %llu: %s",
                           (long)connection->pid, (unsigned long long)message->refused.generation, connection->refusal);
        channel_send_tables(channel, connection);
        break;
    case BYPEER_HANDOVER_TRACED:
    case BYPEER_HANDOVER_TRACE_END:
        channel_take_trace(channel, connection, message);
        break;
    default: /* what only control sends */
        for (unsigned at = 0; at < bypeer_handover_fds(message); at++)
            close(fds[at]);
        channel_end_connection(channel, connection, "it sent a message that is not its to send");
        break;
    }
}

static void connection_on_readable(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct connection *connection = poll->data;
    struct bypeer_channel *channel = connection->channel;
    if (status < 0) {
        channel_end_connection(channel, connection, NULL);
        return;
    }
    for (unsigned count = 0; count < MESSAGES_AT_ONCE && !connection->ended; count++) {
        struct bypeer_handover message;
        int fds[BYPEER_HANDOVER_FDS];
        int result = bypeer_passing_receive(connection->socket, &message, fds);
        if (result == -EAGAIN)
            return;
        if (result == -ENOMSG)
            continue;
        if (result <= 0) {
            channel_end_connection(channel, connection, result == -EBADMSG ? "a malformed message" : NULL);
            return;
        }
        connection_take(channel, connection, &message, fds);
    }
}

void channel_on_accept(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct bypeer_channel *channel = poll->data;
    if (status < 0)
        return;
    int socket = accept4(channel->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket < 0)
        return;
    struct ucred peer;
    socklen_t length = sizeof(peer);
    bool known = getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0;
    if (!known || (peer.uid != 0 && peer.uid != geteuid() && peer.uid != channel->user)) {
        bypeer_log_limited(&channel->log_limit, BYPEER_LOG_WARNING,
                           "data plane's socket: user %ld may not connect; set dataplane.user",
                           known ? (long)peer.uid : -1L);
        close(socket);
        return;
    }
    unsigned at = 0;
    while (at < CONNECTIONS_MAX && channel->connections[at])
        at++;
    struct connection *connection = at < CONNECTIONS_MAX ? calloc(1, sizeof(*connection)) : NULL;
    if (!connection) {
        close(socket);
        return;
    }
    *connection = (struct connection){.channel = channel, .socket = socket, .pid = peer.pid, .reader = -1};
    uv_poll_init(channel->loop, &connection->poll, socket);
    connection->poll.data = connection;
    uv_poll_start(&connection->poll, UV_READABLE, connection_on_readable);
    channel->connections[at] = connection;
    channel->handles++;
}
