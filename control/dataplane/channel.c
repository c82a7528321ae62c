/*
 * Connections of data planes and what is said on them.
 */
#include "control/dataplane/channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/dataplane/connection.h"
#include "control/log.h"
#include "control/notify.h"
#include "overlay/tables/passing.h"

#define SESSIONS_NAME      "sessions" /* in systemd's descriptor store */
#define SESSIONS_BYTES_MAX (UINT64_C(64) << 30)

/* --- grace periods --- */

static void channel_tell_all(struct bypeer_channel *channel, enum bypeer_handover_type type)
{
    struct bypeer_handover message = {.type = type};
    for (unsigned at = 0; at < CONNECTIONS_MAX; at++)
        if (channel->connections[at] && channel->connections[at]->reader >= 0)
            /* A full socket is no harm: the broker looks at the tables by itself, only later. */
            bypeer_passing_send(channel->connections[at]->socket, &message, NULL, 0);
}

static void channel_say_late(const struct bypeer_channel *channel, const struct bypeer_grace_turn *turn)
{
    for (unsigned at = 0; at < BYPEER_READERS_MAX; at++) {
        const struct bypeer_dataplane_process *process = &channel->readers.processes[at];
        if (!process->used || process->grace_reader != turn->reader)
            continue;
        double seconds = (double)turn->for_ns / 1e9;
        if (turn->event == BYPEER_GRACE_RECOVERED) {
            bypeer_log(BYPEER_LOG_NOTICE, "data plane %ld: passed a grace period again after %.1f s",
                       (long)process->pid, seconds);
            return;
        }
        int worker = bypeer_status_latest(&process->view);
        char name[48] = "";
        if (worker >= 0)
            snprintf(name, sizeof(name), ", worker %d is the latest", worker);
        bypeer_log(
            BYPEER_LOG_WARNING,
            "data plane %ld: has passed no grace period for %.1f s%s; what was removed is not freed until it does",
            (long)process->pid, seconds, name);
    }
}

static void channel_on_turn_timer(uv_timer_t *timer)
{
    bypeer_channel_turn(timer->data);
}

bool bypeer_channel_turn(struct bypeer_channel *channel)
{
    struct bypeer_generation *generation = channel->generation;
    if (!generation)
        return false;
    struct bypeer_writer_usage before, after;
    bypeer_writer_usage(generation->writer, &before);
    if (before.retired == 0 && !uv_is_active((uv_handle_t *)&channel->turn_timer))
        return false;
    uint64_t now = uv_hrtime();
    struct bypeer_grace_turn turn = bypeer_grace_turn(&generation->grace, before.retired > 0, now);
    bypeer_writer_reclaim(generation->writer, turn.completed);
    if (turn.ask && bypeer_grace_asked(&generation->grace, bypeer_writer_request(generation->writer), now)) {
        channel_tell_all(channel, BYPEER_HANDOVER_GRACE);
        bypeer_writer_reclaim(generation->writer, bypeer_grace_completed(&generation->grace)); /* no reader: at once */
    }
    if (turn.event != BYPEER_GRACE_QUIET)
        channel_say_late(channel, &turn);
    bypeer_writer_usage(generation->writer, &after);
    if (turn.next_ns == UINT64_MAX && after.retired == 0)
        uv_timer_stop(&channel->turn_timer);
    else {
        uint64_t wait_ms =
            turn.next_ns > now && turn.next_ns != UINT64_MAX ? (turn.next_ns - now + 999999) / 1000000 : 1;
        uv_timer_start(&channel->turn_timer, channel_on_turn_timer, wait_ms, 0);
    }
    return after.retired < before.retired;
}

static void channel_on_prepare(uv_prepare_t *prepare)
{
    struct bypeer_channel *channel = prepare->data;
    if (!uv_is_active((uv_handle_t *)&channel->turn_timer))
        bypeer_channel_turn(channel);
}

/* --- tables to a data plane --- */

void channel_send_tables(struct bypeer_channel *channel, struct connection *connection)
{
    const struct bypeer_generation *generation = channel->generation;
    if (!generation || connection->reader < 0 || connection->waits || connection->sent == generation->number)
        return;
    const struct bypeer_dataplane_process *process = &channel->readers.processes[connection->reader];
    if (generation->layout < process->layout_oldest || generation->layout > process->layout_newest)
        return; /* another generation is on its way */
    struct bypeer_handover message = {
        .type = BYPEER_HANDOVER_TABLES,
        .tables = {.generation = generation->number, .bytes = generation->memory.bytes},
    };
    int result = bypeer_passing_send(connection->socket, &message, &generation->memory.fd, 1);
    if (result == 0) {
        connection->sent = generation->number;
        connection->waits = true;
    } else { /* a full socket too: the data plane is back in 50 ms and is sent the newest then */
        channel_end_connection(channel, connection, strerror(-result));
    }
}

void bypeer_channel_use(struct bypeer_channel *channel, struct bypeer_generation *generation)
{
    channel->generation = generation;
    if (!generation)
        return;
    if (channel->first_generation == 0)
        channel->first_generation = generation->number;
    bypeer_readers_move(&channel->readers, generation);
    for (unsigned at = 0; at < CONNECTIONS_MAX; at++)
        if (channel->connections[at])
            channel_send_tables(channel, channel->connections[at]);
}

/* --- sessions --- */

bool channel_park_sessions(struct bypeer_channel *channel, int fd)
{
    struct bypeer_memory memory = BYPEER_MEMORY_NONE;
    struct bypeer_sessions_view view;
    char why[BYPEER_REGION_WHY_BYTES] = "";
    int result = bypeer_memory_receive(&memory, BYPEER_MEMORY_SESSIONS, fd, SESSIONS_BYTES_MAX, false, why);
    if (result < 0)
        close(fd);
    if (result == 0)
        result = bypeer_sessions_view(&view, memory.base, memory.bytes, why);
    if (result < 0) {
        bypeer_memory_free(&memory);
        bypeer_log_limited(&channel->log_limit, BYPEER_LOG_WARNING, "sessions region: refused: %s", why);
        return false;
    }
    bypeer_memory_free(&channel->sessions);
    channel->sessions = memory;
    channel->sessions_view = view;
    bypeer_notify_park(SESSIONS_NAME, memory.fd);
    return true;
}

/* --- trace --- */

static void channel_end_trace(struct bypeer_channel *channel, bool complete)
{
    if (!channel->tracing)
        return;
    channel->tracing = false;
    uv_timer_stop(&channel->trace_timer);
    if (channel->trace.end)
        channel->trace.end(channel->trace.context, complete);
}

static void channel_on_trace_timer(uv_timer_t *timer)
{
    channel_end_trace(timer->data, false);
}

int bypeer_channel_trace(struct bypeer_channel *channel, uint32_t packets, uint32_t timeout_ms,
                         const struct bypeer_channel_trace *trace, struct bypeer_problem *problem)
{
    if (channel && channel->tracing)
        return bypeer_problem_set(problem, -EBUSY, "busy",
                                  "trace\nanother one is under way\ntry again when it has ended");
    struct connection *connection = channel ? channel->newest : NULL;
    struct bypeer_handover message = {.type = BYPEER_HANDOVER_TRACE, .trace = {.packets = packets}};
    if (!connection || connection->reader < 0 || bypeer_passing_send(connection->socket, &message, NULL, 0) < 0)
        return bypeer_problem_set(problem, -ENOTCONN, "no_data_plane",
                                  "trace\nno data plane is attached\nstart bypeer-dataplane");
    channel->tracing = true;
    channel->trace = *trace;
    channel->trace_from = connection;
    uv_timer_start(&channel->trace_timer, channel_on_trace_timer, timeout_ms, 0);
    return 0;
}

void *bypeer_channel_forget_trace(struct bypeer_channel *channel, const void *owner)
{
    if (!channel->tracing || channel->trace.owner != owner)
        return NULL;
    void *context = channel->trace.context;
    channel->trace = (struct bypeer_channel_trace){0}; /* what still comes of it is skipped */
    return context;
}

void channel_take_trace(struct bypeer_channel *channel, struct connection *connection,
                        const struct bypeer_handover *message)
{
    if (!channel->tracing || channel->trace_from != connection)
        return;
    if (message->type == BYPEER_HANDOVER_TRACE_END) {
        channel_end_trace(channel, true);
        return;
    }
    const struct bypeer_dataplane_process *process = &channel->readers.processes[connection->reader];
    if (channel->trace.step)
        channel->trace.step(channel->trace.context, message, process->view.header->tsc_hz);
}

/* --- what is known --- */

const struct bypeer_dataplane_process *bypeer_channel_process(const struct bypeer_channel *channel)
{
    if (!channel->newest || channel->newest->reader < 0)
        return NULL;
    return &channel->readers.processes[channel->newest->reader];
}

uint64_t bypeer_channel_mapped(const struct bypeer_channel *channel)
{
    const struct bypeer_dataplane_process *process = bypeer_channel_process(channel);
    return process ? __atomic_load_n(&process->view.header->tables_generation, __ATOMIC_ACQUIRE) : 0;
}

bool bypeer_channel_was_attached(const struct bypeer_channel *channel)
{
    return channel->was_attached;
}

bool bypeer_channel_is_used_alone(const struct bypeer_channel *channel, uint64_t generation)
{
    for (unsigned number = 0; number < BYPEER_READERS_MAX; number++) {
        const struct bypeer_dataplane_process *process = &channel->readers.processes[number];
        if (process->used && __atomic_load_n(&process->view.header->tables_generation, __ATOMIC_ACQUIRE) != generation)
            return false;
    }
    return true;
}

const char *bypeer_channel_refusal(const struct bypeer_channel *channel)
{
    return channel->newest ? channel->newest->refusal : "";
}

const struct bypeer_sessions_view *bypeer_channel_sessions(const struct bypeer_channel *channel)
{
    return &channel->sessions_view;
}

/* --- opening and closing --- */

static int channel_listen(struct bypeer_channel *channel, const struct bypeer_channel_settings *settings,
                          struct bypeer_problem *problem)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(settings->path) >= sizeof(address.sun_path))
        return bypeer_problem_set(problem, -ENAMETOOLONG, "socket", "%s\nis too long for a socket\nshorten node.run",
                                  settings->path);
    memcpy(address.sun_path, settings->path, strlen(settings->path));
    channel->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (channel->listener < 0)
        return bypeer_problem_set(problem, -errno, "socket", "%s\nsocket: %s\n", settings->path, strerror(errno));
    unlink(settings->path);
    mode_t mask = umask(0177);
    int bound = bind(channel->listener, (const struct sockaddr *)&address, sizeof(address));
    int error = errno;
    umask(mask);
    /* The mode first: once it is another user's, we may have no right to change it. */
    bool has_group = settings->group != (gid_t)-1;
    if (bound == 0 && ((has_group && chmod(settings->path, 0660) < 0) ||
                       chown(settings->path, settings->user, settings->group) < 0)) {
        bound = -1;
        error = errno;
    }
    if (bound < 0 || listen(channel->listener, 8) < 0)
        return bypeer_problem_set(problem, bound < 0 ? -error : -errno, "socket",
                                  "%s\ncannot be made: %s\ncheck that node.run is a directory that this user may write",
                                  settings->path, strerror(bound < 0 ? error : errno));
    return 0;
}

int bypeer_channel_open(struct bypeer_channel **ret_channel, uv_loop_t *loop,
                        const struct bypeer_channel_settings *settings, const struct bypeer_channel_hooks *hooks,
                        struct bypeer_problem *problem)
{
    struct bypeer_channel *channel = calloc(1, sizeof(*channel));
    if (!channel)
        return bypeer_problem_set(problem, -ENOMEM, "memory", "data plane's socket\nno memory left\n");
    channel->loop = loop;
    channel->hooks = *hooks;
    channel->user = settings->user;
    channel->sessions = (struct bypeer_memory)BYPEER_MEMORY_NONE;
    channel->listener = -1;
    bypeer_readers_init(&channel->readers);
    int result = channel_listen(channel, settings, problem);
    if (result < 0) {
        if (channel->listener >= 0)
            close(channel->listener);
        free(channel);
        return result;
    }
    uv_poll_init(loop, &channel->accept_poll, channel->listener);
    uv_timer_init(loop, &channel->turn_timer);
    uv_timer_init(loop, &channel->trace_timer);
    uv_prepare_init(loop, &channel->prepare);
    channel->accept_poll.data = channel->turn_timer.data = channel->trace_timer.data = channel->prepare.data = channel;
    channel->handles = 4;
    uv_poll_start(&channel->accept_poll, UV_READABLE, channel_on_accept);
    uv_prepare_start(&channel->prepare, channel_on_prepare);

    int parked = bypeer_notify_parked(SESSIONS_NAME);
    if (parked >= 0)
        channel_park_sessions(channel, parked);
    *ret_channel = channel;
    return 0;
}

void channel_on_handle_closed(uv_handle_t *handle)
{
    struct bypeer_channel *channel = handle->data;
    if (--channel->handles > 0)
        return;
    bypeer_readers_free(&channel->readers);
    bypeer_memory_free(&channel->sessions);
    close(channel->listener);
    free(channel);
}

void bypeer_channel_close(struct bypeer_channel *channel)
{
    if (!channel)
        return;
    channel->closing = true;
    channel_end_trace(channel, false);
    for (unsigned at = 0; at < CONNECTIONS_MAX; at++)
        if (channel->connections[at])
            channel_end_connection(channel, channel->connections[at], NULL);
    for (unsigned at = 0; at < BYPEER_READERS_MAX; at++)
        channel_forget_death(channel, at);
    uv_close((uv_handle_t *)&channel->accept_poll, channel_on_handle_closed);
    uv_close((uv_handle_t *)&channel->turn_timer, channel_on_handle_closed);
    uv_close((uv_handle_t *)&channel->trace_timer, channel_on_handle_closed);
    uv_close((uv_handle_t *)&channel->prepare, channel_on_handle_closed);
}
