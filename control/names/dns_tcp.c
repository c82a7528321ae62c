#include "control/names/dns_tcp.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "overlay/ip/wire.h"

#define CONNECTIONS_MAX 32
#define SILENCE_MS      5000 /* without a whole query; single bytes do not keep a connection open */
#define BACKLOG         32
#define QUERY_MAX       1232 /* bytes; a longer one ends the connection */

struct dns_connection {
    struct dns_tcp *tcp;
    struct dns_connection *next, **link; /* of the listener's list */
    uv_tcp_t stream;
    uv_timer_t silence;
    unsigned handles;
    bool asking; /* question is under way, and nothing is read */
    struct dns_question question;
    size_t used;
    uint8_t bytes[2 + QUERY_MAX];
};

static void tcp_on_closed(struct dns_tcp *tcp)
{
    if (--tcp->handles == 0)
        tcp->closed(tcp->context);
}

static void listener_on_closed(uv_handle_t *handle)
{
    tcp_on_closed(handle->data);
}

static void connection_on_closed(uv_handle_t *handle)
{
    struct dns_connection *connection = handle->data;
    struct dns_tcp *tcp = connection->tcp;
    if (--connection->handles > 0)
        return;
    free(connection);
    tcp_on_closed(tcp);
}

static void connection_end(struct dns_connection *connection)
{
    if (uv_is_closing((uv_handle_t *)&connection->stream))
        return;
    if (connection->asking)
        dns_question_cancel(&connection->question);
    connection->asking = false;
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    connection->tcp->count--;
    uv_close((uv_handle_t *)&connection->stream, connection_on_closed);
    uv_close((uv_handle_t *)&connection->silence, connection_on_closed);
}

static void connection_on_silence(uv_timer_t *timer)
{
    connection_end(timer->data);
}

/* A client that does not take its answers is not waited for. */
static bool connection_say(struct dns_connection *connection, const struct bypeer_dns_answer *answer)
{
    uint8_t bytes[2 + BYPEER_DNS_UDP_BYTES];
    size_t length = bypeer_dns_write(bytes + 2, BYPEER_DNS_UDP_BYTES, &connection->question.query, answer);
    bypeer_store16(bytes, (uint16_t)length);
    uv_buf_t part = uv_buf_init((char *)bytes, (unsigned)(2 + length));
    return uv_try_write((uv_stream_t *)&connection->stream, &part, 1) == (int)(2 + length);
}

static void connection_go_on(struct dns_connection *connection);

static void connection_on_answer(void *context, const struct bypeer_dns_answer *answer)
{
    struct dns_connection *connection = context;
    connection->asking = false;
    if (connection_say(connection, answer))
        connection_go_on(connection);
    else
        connection_end(connection);
}

/* Takes the next whole query. Returns whether there is more to do. */
static bool connection_take(struct dns_connection *connection)
{
    struct bypeer_dns_query query;
    struct bypeer_dns_answer answer;
    size_t length = connection->used >= 2 ? bypeer_load16(connection->bytes) : 0;
    if (connection->used < 2 || (length <= QUERY_MAX && connection->used < 2 + length))
        return false;
    bool good = length <= QUERY_MAX && bypeer_dns_read(&query, connection->bytes + 2, length) == 0;
    if (good && !dns_question_ask(&connection->question, connection->tcp->hosts, &query, &answer, connection_on_answer,
                                  connection))
        connection->asking = true;
    else if (!good || !connection_say(connection, &answer)) {
        connection_end(connection);
        return false;
    }
    uv_timer_start(&connection->silence, connection_on_silence, SILENCE_MS, 0);
    connection->used -= 2 + length;
    memmove(connection->bytes, connection->bytes + 2 + length, connection->used);
    return !connection->asking;
}

static void connection_on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct dns_connection *connection = handle->data;
    *buffer = uv_buf_init((char *)connection->bytes + connection->used,
                          (unsigned)(sizeof(connection->bytes) - connection->used));
}

static void connection_on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    (void)buffer;
    struct dns_connection *connection = stream->data;
    if (length < 0) {
        connection_end(connection);
        return;
    }
    connection->used += (size_t)length;
    connection_go_on(connection);
}

static void connection_go_on(struct dns_connection *connection)
{
    while (connection_take(connection))
        ;
    if (uv_is_closing((uv_handle_t *)&connection->stream))
        return;
    uv_read_stop((uv_stream_t *)&connection->stream);
    if (!connection->asking)
        uv_read_start((uv_stream_t *)&connection->stream, connection_on_room, connection_on_read);
}

static void tcp_on_connection(uv_stream_t *stream, int status)
{
    struct dns_tcp *tcp = stream->data;
    struct dns_connection *connection = status < 0 ? NULL : calloc(1, sizeof(*connection));
    if (!connection)
        return;
    connection->tcp = tcp;
    uv_tcp_init(stream->loop, &connection->stream);
    uv_timer_init(stream->loop, &connection->silence);
    connection->stream.data = connection->silence.data = connection;
    connection->handles = 2;
    connection->next = tcp->connections;
    connection->link = &tcp->connections;
    if (connection->next)
        connection->next->link = &connection->next;
    tcp->connections = connection;
    tcp->count++;
    tcp->handles++;
    if (uv_accept(stream, (uv_stream_t *)&connection->stream) < 0 || tcp->count > CONNECTIONS_MAX) {
        connection_end(connection);
    } else {
        uv_timer_start(&connection->silence, connection_on_silence, SILENCE_MS, 0);
        connection_go_on(connection);
    }
}

void dns_tcp_init(struct dns_tcp *tcp, uv_loop_t *loop, struct bypeer_hosts *hosts, void (*closed)(void *context),
                  void *context)
{
    *tcp = (struct dns_tcp){.hosts = hosts, .handles = 1, .closed = closed, .context = context};
    uv_tcp_init(loop, &tcp->listener);
    tcp->listener.data = tcp;
}

int dns_tcp_listen(struct dns_tcp *tcp, int fd)
{
    int result = uv_tcp_open(&tcp->listener, fd);
    if (result < 0) {
        close(fd);
        return result;
    }
    return uv_listen((uv_stream_t *)&tcp->listener, BACKLOG, tcp_on_connection);
}

void dns_tcp_close(struct dns_tcp *tcp)
{
    while (tcp->connections)
        connection_end(tcp->connections);
    uv_close((uv_handle_t *)&tcp->listener, listener_on_closed);
}
