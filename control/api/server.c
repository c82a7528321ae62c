#include "control/api/server.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/log.h"

#define CONNECTIONS_MAX  64
#define READ_BYTES       65536
#define GROUPS_MAX       65536 /* a user is in no more (NGROUPS_MAX) */
#define STALLED_AFTER_MS 30000
#define BACKLOG          64
#define EXCHANGES_MAX    64

/* A line that is being answered. */
struct line {
    struct client *client;
    struct line *next, **link;        /* of the client's list */
    struct bypeer_exchange *exchange; /* NULL: it is being taken, and its answer may come meanwhile */
};

struct client {
    struct bypeer_server *server;
    struct client *next, **link; /* of the server's list */
    uv_pipe_t pipe;
    uv_timer_t stalled; /* runs while an answer is not taken */
    unsigned handles;
    bool ended, reading;
    struct line *lines; /* under way */
    unsigned line_count;
    /* What came in: lines begin at start, no newline lies between start and scanned. */
    char *buffer;
    size_t start, scanned, used, room;
};

struct bypeer_server {
    uv_loop_t *loop;
    struct bypeer_node *node;
    uv_pipe_t listener;
    char path[108];
    gid_t group;
    struct client *clients;
    unsigned count;
    struct bypeer_log_limit log_limit;
};

static void client_go_on(struct client *client);
static void client_set_reading(struct client *client, bool reading);

/* --- the end --- */

static void client_on_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    if (--client->handles > 0)
        return;
    free(client->buffer);
    free(client);
}

/* Takes it out of the list. */
static void client_drop_line(struct line *line)
{
    *line->link = line->next;
    if (line->next)
        line->next->link = line->link;
    line->client->line_count--;
}

static void client_end(struct client *client)
{
    if (client->ended)
        return;
    client->ended = true;
    for (struct line *line = client->lines, *next; line; line = next) {
        next = line->next;
        client_drop_line(line);
        if (line->exchange) {
            bypeer_api_cancel(line->exchange);
            free(line);
        }
    }
    bypeer_api_gone(client->server->node, client);
    *client->link = client->next;
    if (client->next)
        client->next->link = client->link;
    client->server->count--;
    uv_close((uv_handle_t *)&client->pipe, client_on_closed);
    uv_close((uv_handle_t *)&client->stalled, client_on_closed);
}

static void client_on_stalled(uv_timer_t *timer)
{
    client_end(timer->data);
}

/* --- answers --- */

struct answer {
    uv_write_t request;
    struct client *client;
    bool last;
    char *text;
};

static void client_on_written(uv_write_t *request, int status)
{
    struct answer *answer = request->data;
    struct client *client = answer->client;
    bool last = answer->last;
    free(answer->text);
    free(answer);
    if (client->ended)
        return;
    if (status < 0 || last) {
        client_end(client);
        return;
    }
    if (uv_stream_get_write_queue_size((uv_stream_t *)&client->pipe) > 0)
        uv_timer_start(&client->stalled, client_on_stalled, STALLED_AFTER_MS, 0);
    else
        uv_timer_stop(&client->stalled);
    client_go_on(client);
}

/* Sends a line; text is taken over. last: the connection ends after it. */
static void client_send(struct client *client, char *text, size_t length, bool last)
{
    static char newline[] = "\n";
    struct answer *answer = malloc(sizeof(*answer));
    if (!answer || !text) {
        free(answer);
        free(text);
        client_end(client);
        return;
    }
    *answer = (struct answer){.client = client, .last = last, .text = text};
    answer->request.data = answer;
    uv_buf_t parts[2] = {uv_buf_init(text, (unsigned)length), uv_buf_init(newline, 1)};
    if (!uv_is_active((uv_handle_t *)&client->stalled))
        uv_timer_start(&client->stalled, client_on_stalled, STALLED_AFTER_MS, 0);
    if (uv_write(&answer->request, (uv_stream_t *)&client->pipe, parts, 2, client_on_written) < 0) {
        free(text);
        free(answer);
        client_end(client);
    }
}

static void client_on_notice(void *context, char *text, size_t length)
{
    const struct line *line = context;
    if (line->client->ended)
        free(text);
    else
        client_send(line->client, text, length, false);
}

static void client_on_answer(void *context, char *text, size_t length)
{
    struct line *line = context;
    struct client *client = line->client;
    bool later = line->exchange != NULL;
    if (client->ended) {
        free(text);
        return; /* client_end() has dropped the line */
    }
    if (later) {
        client_drop_line(line);
        free(line);
    }
    if (text)
        client_send(client, text, length, false);
    if (later)
        client_go_on(client);
}

static const void *client_who(void *context)
{
    return ((const struct line *)context)->client;
}

static const struct bypeer_api_client client_calls = {
    .answer = client_on_answer, .notify = client_on_notice, .who = client_who};

/* --- requests --- */

static void client_refuse(struct client *client, int code, const char *message)
{
    size_t length;
    char *text = bypeer_api_refuse(code, message, &length);
    client_set_reading(client, false);
    client_send(client, text, length, true);
}

static void client_on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct client *client = handle->data;
    if (client->start > 0) {
        memmove(client->buffer, client->buffer + client->start, client->used - client->start);
        client->used -= client->start;
        client->scanned -= client->start;
        client->start = 0;
    }
    if (client->room - client->used < READ_BYTES) {
        size_t room = client->room ? client->room * 2 : READ_BYTES * 2;
        char *longer = realloc(client->buffer, room);
        if (!longer) {
            *buffer = uv_buf_init(NULL, 0);
            return;
        }
        client->buffer = longer;
        client->room = room;
    }
    *buffer = uv_buf_init(client->buffer + client->used, (unsigned)(client->room - client->used));
}

static void client_on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    (void)buffer;
    struct client *client = stream->data;
    if (length < 0) {
        client_end(client);
        return;
    }
    client->used += (size_t)length;
    client_go_on(client);
}

/* Takes the next whole line, if there is one. */
static bool client_take_line(struct client *client)
{
    char *from = client->buffer + client->scanned;
    char *end = client->used > client->scanned ? memchr(from, '\n', client->used - client->scanned) : NULL;
    if (!end) {
        client->scanned = client->used;
        return false;
    }
    const char *text = client->buffer + client->start;
    client->start = client->scanned = (size_t)(end - client->buffer) + 1;
    struct line *taken = calloc(1, sizeof(*taken));
    if (!taken) {
        client_end(client);
        return false;
    }
    *taken = (struct line){.client = client, .next = client->lines, .link = &client->lines};
    if (taken->next)
        taken->next->link = &taken->next;
    client->lines = taken;
    client->line_count++;
    /* The text is read whole before this returns, and nothing is read into the buffer. */
    taken->exchange = bypeer_api_take(client->server->node, text, (size_t)(end - text), &client_calls, taken);
    if (client->ended)
        bypeer_api_gone(client->server->node, client); /* what the rest of the line has opened */
    if (taken->exchange && client->ended) {
        bypeer_api_cancel(taken->exchange);
        free(taken);
    } else if (!taken->exchange) {
        if (!client->ended)
            client_drop_line(taken);
        free(taken);
    }
    return true;
}

static void client_set_reading(struct client *client, bool reading)
{
    if (reading && !client->reading)
        uv_read_start((uv_stream_t *)&client->pipe, client_on_room, client_on_read);
    else if (!reading && client->reading)
        uv_read_stop((uv_stream_t *)&client->pipe);
    client->reading = reading;
}

/* Takes the lines that are there, one after the other, as long as answers come at once and are taken. */
static void client_go_on(struct client *client)
{
    bool waits = false;
    while (!client->ended) {
        waits = client->line_count >= EXCHANGES_MAX || uv_stream_get_write_queue_size((uv_stream_t *)&client->pipe) > 0;
        if (waits || !client_take_line(client))
            break;
    }
    if (client->ended)
        return;
    if (!waits && client->used - client->start > BYPEER_API_REQUEST_MAX)
        client_refuse(client, BYPEER_API_NO_REQUEST, "the request is too long; a line has at most 4194304 bytes");
    else
        client_set_reading(client, !waits || (client->lines && client->used - client->start < READ_BYTES));
}

/* --- connections --- */

static bool server_is_in_group(int socket, gid_t primary, gid_t wanted)
{
    if (wanted == (gid_t)-1)
        return false;
    if (primary == wanted)
        return true;
    gid_t *groups = calloc(GROUPS_MAX, sizeof(*groups));
    socklen_t length = GROUPS_MAX * sizeof(*groups);
    bool found = false;
    if (groups && getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &length) == 0)
        for (size_t at = 0; at < length / sizeof(*groups) && !found; at++)
            found = groups[at] == wanted;
    free(groups);
    return found;
}

static bool server_may_connect(struct bypeer_server *server, struct client *client)
{
    uv_os_fd_t socket;
    struct ucred peer;
    socklen_t length = sizeof(peer);
    if (uv_fileno((uv_handle_t *)&client->pipe, &socket) < 0 ||
        getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return false;
    if (peer.uid == 0 || peer.uid == geteuid() || server_is_in_group(socket, peer.gid, server->group))
        return true;
    bypeer_log_limited(&server->log_limit, BYPEER_LOG_WARNING,
                       "API: user %ld may not connect; members of the group tables.api-group may", (long)peer.uid);
    return false;
}

static void server_on_connection(uv_stream_t *stream, int status)
{
    struct bypeer_server *server = stream->data;
    struct client *client = status < 0 ? NULL : calloc(1, sizeof(*client));
    if (!client)
        return;
    client->server = server;
    uv_pipe_init(server->loop, &client->pipe, 0);
    uv_timer_init(server->loop, &client->stalled);
    client->pipe.data = client->stalled.data = client;
    client->handles = 2;
    client->next = server->clients;
    client->link = &server->clients;
    if (client->next)
        client->next->link = &client->next;
    server->clients = client;
    server->count++;
    if (uv_accept(stream, (uv_stream_t *)&client->pipe) < 0)
        client_end(client);
    else if (!server_may_connect(server, client))
        client_refuse(client, BYPEER_API_REFUSED, "you may not use the API; be root or a member of tables.api-group");
    else if (server->count > CONNECTIONS_MAX)
        client_refuse(client, BYPEER_API_REFUSED, "too many connections; close one");
    else
        client_go_on(client);
}

void bypeer_server_set_group(struct bypeer_server *server, gid_t group)
{
    server->group = group;
    if (chown(server->path, (uid_t)-1, group == (gid_t)-1 ? getegid() : group) < 0 ||
        chmod(server->path, group == (gid_t)-1 ? 0600 : 0660) < 0)
        bypeer_log(BYPEER_LOG_WARNING, "%s: its group cannot be set: %s", server->path, strerror(errno));
}

int bypeer_server_open(struct bypeer_server **ret_server, uv_loop_t *loop, struct bypeer_node *node, const char *path,
                       gid_t group, struct bypeer_problem *problem)
{
    struct bypeer_server *server = calloc(1, sizeof(*server));
    if (!server)
        return bypeer_problem_no_memory(problem);
    if (strlen(path) >= sizeof(server->path)) {
        free(server);
        return bypeer_problem_set(problem, -ENAMETOOLONG, "socket", "%s\nis too long for a socket\nshorten node.run",
                                  path);
    }
    server->loop = loop;
    server->node = node;
    memcpy(server->path, path, strlen(path) + 1);
    uv_pipe_init(loop, &server->listener, 0);
    server->listener.data = server;
    unlink(path);
    mode_t mask = umask(0177);
    int result = uv_pipe_bind(&server->listener, path);
    umask(mask);
    if (result == 0)
        result = uv_listen((uv_stream_t *)&server->listener, BACKLOG, server_on_connection);
    if (result < 0) {
        bypeer_server_close(server);
        return bypeer_problem_set(problem, result, "socket",
                                  "%s\ncannot be made: %s\ncheck that node.run is a directory that this user may write",
                                  path, uv_strerror(result));
    }
    bypeer_server_set_group(server, group);
    *ret_server = server;
    return 0;
}

static void server_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void bypeer_server_close(struct bypeer_server *server)
{
    if (!server)
        return;
    while (server->clients)
        client_end(server->clients);
    uv_close((uv_handle_t *)&server->listener, server_on_closed);
}
