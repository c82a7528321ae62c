#include "control/groups/streams.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "config/value.h"
#include "control/log.h"
#include "overlay/graph/source.h"
#include "overlay/graph/tokens.h"

#define BACKLOG         64
#define SOURCES         256 /* of strangers, whose tokens are known */
#define LISTENERS_MAX   4
#define READ_BYTES      65536
#define STRANGER_MS     10000 /* to say what for */
#define AUTHENTICATE_MS 30000 /* to prove who one is */
#define ROOM_AGAIN      (BYPEER_STREAMS_FULL / 4)
#define FLUSH_MS        5000  /* for what waits to be sent when a stream ends */
#define KEEPALIVE_S     10    /* of silence, after which the kernel asks whether the peer lives */
#define USER_TIMEOUT_MS 30000 /* that sent bytes may stay unacknowledged */

struct bypeer_stream {
    struct bypeer_streams *streams;
    struct bypeer_stream *next, **link; /* of all */
    void *owner;                        /* NULL: a stranger, or abandoned */
    uint32_t number;
    uv_tcp_t tcp;
    uv_timer_t timer; /* of a stranger, and while it is flushed */
    uv_connect_t connecting;
    uv_shutdown_t shutdown;
    unsigned handles;
    bool stranger, ending, full;
    int error;
    uint8_t address[16];
    uint16_t port;
    size_t used; /* of begin, a stranger's */
    uint8_t begin[BYPEER_STREAMS_BEGIN_MAX];
};

struct bypeer_streams {
    uv_loop_t *loop;
    const struct bypeer_streams_hooks *hooks;
    void *context;
    uv_tcp_t *listeners[LISTENERS_MAX];
    unsigned listener_count, handles;
    bool closing;
    struct bypeer_stream *streams;
    unsigned stranger_count;
    struct bypeer_tokens_source sources[SOURCES]; /* of strangers */
    struct bypeer_log_limit log_limit;
    char bytes[READ_BYTES]; /* what was read, within one turn */
};

/* --- the end --- */

static void streams_let_go(struct bypeer_streams *streams)
{
    if (streams->handles == 0 && streams->closing)
        free(streams);
}

static void stream_on_closed(uv_handle_t *handle)
{
    struct bypeer_stream *stream = handle->data;
    struct bypeer_streams *streams = stream->streams;
    if (--stream->handles > 0)
        return;
    *stream->link = stream->next;
    if (stream->next)
        stream->next->link = stream->link;
    if (stream->stranger)
        streams->stranger_count--;
    if (stream->owner)
        streams->hooks->closed(stream->owner, stream->number, stream->error);
    free(stream);
    streams->handles--;
    streams_let_go(streams);
}

static void stream_close(struct bypeer_stream *stream, int error)
{
    if (uv_is_closing((uv_handle_t *)&stream->tcp))
        return;
    stream->ending = true;
    stream->error = error;
    uv_close((uv_handle_t *)&stream->tcp, stream_on_closed);
    uv_close((uv_handle_t *)&stream->timer, stream_on_closed);
}

static void stream_on_timer(uv_timer_t *timer)
{
    stream_close(timer->data, -ETIMEDOUT);
}

static void stream_on_shutdown(uv_shutdown_t *request, int status)
{
    (void)status;
    stream_close(request->data, 0);
}

/* --- bytes in --- */

/* A stranger says whose he is: his bytes are kept until that is known. */
static void stream_begin(struct bypeer_stream *stream, const uint8_t *bytes, size_t length)
{
    struct bypeer_streams *streams = stream->streams;
    const size_t room = sizeof(stream->begin) - stream->used, taken = length < room ? length : room;
    memcpy(stream->begin + stream->used, bytes, taken);
    stream->used += taken;
    int result = streams->hooks->begun(streams->context, stream, stream->begin, stream->used);
    if (result == -EAGAIN && stream->used < sizeof(stream->begin))
        return;
    if (result < 0 || !stream->owner) {
        stream_close(stream, -ECONNABORTED);
        return;
    }
    uv_timer_start(&stream->timer, stream_on_timer, AUTHENTICATE_MS, 0);
    streams->hooks->received(stream->owner, stream->number, stream->begin, stream->used);
    if (!stream->ending && stream->owner && taken < length)
        streams->hooks->received(stream->owner, stream->number, bytes + taken, length - taken);
}

static void stream_on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct bypeer_stream *stream = handle->data;
    *buffer = uv_buf_init(stream->streams->bytes, READ_BYTES);
}

static void stream_on_read(uv_stream_t *tcp, ssize_t length, const uv_buf_t *buffer)
{
    struct bypeer_stream *stream = tcp->data;
    const uint8_t *bytes = (const uint8_t *)buffer->base;
    if (length < 0)
        stream_close(stream, length == UV_EOF ? 0 : (int)length);
    else if (length > 0 && !stream->ending && stream->owner)
        stream->streams->hooks->received(stream->owner, stream->number, bytes, (size_t)length);
    else if (length > 0 && !stream->ending)
        stream_begin(stream, bytes, (size_t)length);
}

/* --- bytes out --- */

struct streams_write {
    uv_write_t request;
    char bytes[];
};

static size_t stream_waiting(const struct bypeer_stream *stream)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&stream->tcp);
}

static void stream_on_written(uv_write_t *request, int status)
{
    struct bypeer_stream *stream = request->handle->data;
    free(request->data);
    if (status < 0) {
        stream_close(stream, status);
        return;
    }
    if (!stream->full || stream_waiting(stream) > ROOM_AGAIN)
        return;
    stream->full = false;
    if (stream->owner && !stream->ending)
        stream->streams->hooks->writable(stream->owner, stream->number);
}

static int stream_queue(struct bypeer_stream *stream, const uint8_t *bytes, size_t length)
{
    if (stream_waiting(stream) + length > BYPEER_STREAMS_QUEUE_MAX)
        return -ENOBUFS;
    struct streams_write *write = malloc(sizeof(*write) + length);
    if (!write)
        return -ENOMEM;
    memcpy(write->bytes, bytes, length);
    write->request.data = write;
    uv_buf_t part = uv_buf_init(write->bytes, (unsigned)length);
    int result = uv_write(&write->request, (uv_stream_t *)&stream->tcp, &part, 1, stream_on_written);
    if (result < 0)
        free(write);
    return result;
}

static struct bypeer_stream *streams_find(const struct bypeer_streams *streams, const void *owner, uint32_t number)
{
    struct bypeer_stream *stream = streams->streams;
    while (stream && (stream->owner != owner || stream->number != number))
        stream = stream->next;
    return stream;
}

bool bypeer_streams_send(struct bypeer_streams *streams, void *owner, uint32_t number, const uint8_t *bytes,
                         size_t length)
{
    struct bypeer_stream *stream = streams_find(streams, owner, number);
    if (!stream || stream->ending)
        return true;
    uv_buf_t part = uv_buf_init((char *)bytes, (unsigned)length);
    int written = uv_try_write((uv_stream_t *)&stream->tcp, &part, 1);
    if (written == (int)length)
        return true;
    size_t sent = written > 0 ? (size_t)written : 0;
    int result = written < 0 && written != UV_EAGAIN ? written : stream_queue(stream, bytes + sent, length - sent);
    if (result < 0)
        stream_close(stream, result);
    stream->full = stream->full || stream_waiting(stream) > BYPEER_STREAMS_FULL;
    return !stream->full;
}

void bypeer_streams_end(struct bypeer_streams *streams, void *owner, uint32_t number)
{
    struct bypeer_stream *stream = streams_find(streams, owner, number);
    if (!stream || stream->ending)
        return;
    stream->ending = true;
    stream->shutdown.data = stream;
    if (stream_waiting(stream) == 0 ||
        uv_shutdown(&stream->shutdown, (uv_stream_t *)&stream->tcp, stream_on_shutdown) < 0)
        stream_close(stream, 0);
    else
        uv_timer_start(&stream->timer, stream_on_timer, FLUSH_MS, 0);
}

void bypeer_streams_abandon(struct bypeer_streams *streams, void *owner)
{
    for (struct bypeer_stream *stream = streams->streams, *next; stream; stream = next) {
        next = stream->next;
        if (stream->owner != owner)
            continue;
        bypeer_streams_end(streams, owner, stream->number);
        stream->owner = NULL;
    }
}

/* --- connections --- */

static struct bypeer_stream *streams_make(struct bypeer_streams *streams)
{
    struct bypeer_stream *stream = calloc(1, sizeof(*stream));
    if (!stream)
        return NULL;
    stream->streams = streams;
    uv_tcp_init(streams->loop, &stream->tcp);
    uv_timer_init(streams->loop, &stream->timer);
    stream->tcp.data = stream->timer.data = stream->connecting.data = stream;
    stream->handles = 2;
    stream->next = streams->streams;
    stream->link = &streams->streams;
    if (stream->next)
        stream->next->link = &stream->next;
    streams->streams = stream;
    streams->handles++;
    return stream;
}

static void stream_set_options(struct bypeer_stream *stream)
{
    uv_os_fd_t socket;
    const unsigned timeout = USER_TIMEOUT_MS;
    uv_tcp_nodelay(&stream->tcp, 1);
    uv_tcp_keepalive(&stream->tcp, 1, KEEPALIVE_S);
    if (uv_fileno((uv_handle_t *)&stream->tcp, &socket) == 0)
        setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
}

static struct sockaddr_in6 streams_address(const uint8_t address[static 16], uint16_t port)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&to.sin6_addr, address, 16);
    return to;
}

static void stream_on_connected(uv_connect_t *request, int status)
{
    struct bypeer_stream *stream = request->data;
    if (status == 0 && !stream->ending)
        status = uv_read_start((uv_stream_t *)&stream->tcp, stream_on_room, stream_on_read);
    if (status < 0) {
        stream_close(stream, status);
        return;
    }
    if (stream->ending || !stream->owner)
        return;
    stream_set_options(stream);
    stream->streams->hooks->connected(stream->owner, stream->number);
}

int bypeer_streams_connect(struct bypeer_streams *streams, void *owner, uint32_t number,
                           const uint8_t address[static 16], uint16_t port)
{
    struct sockaddr_in6 to = streams_address(address, port);
    struct bypeer_stream *stream = streams_make(streams);
    if (!stream)
        return -ENOMEM;
    stream->owner = owner;
    stream->number = number;
    memcpy(stream->address, address, sizeof(stream->address));
    stream->port = port;
    int result = uv_tcp_connect(&stream->connecting, &stream->tcp, (const struct sockaddr *)&to, stream_on_connected);
    if (result < 0)
        stream_close(stream, result);
    return 0;
}

void bypeer_streams_trust(struct bypeer_streams *streams, const void *owner, uint32_t number)
{
    struct bypeer_stream *stream = streams_find(streams, owner, number);
    if (!stream || !stream->stranger || stream->ending)
        return;
    stream->stranger = false;
    streams->stranger_count--;
    uv_timer_stop(&stream->timer);
}

void bypeer_stream_adopt(struct bypeer_stream *stream, void *owner, uint32_t number)
{
    stream->owner = owner;
    stream->number = number;
}

void bypeer_stream_from(const struct bypeer_stream *stream, uint8_t ret_address[static 16], uint16_t *ret_port)
{
    memcpy(ret_address, stream->address, sizeof(stream->address));
    *ret_port = stream->port;
}

static bool streams_is_stranger(const struct bypeer_stream *stream)
{
    return stream->stranger && !stream->ending;
}

static unsigned streams_count_of(const struct bypeer_streams *streams, const struct bypeer_stream *like)
{
    unsigned count = 0;
    for (const struct bypeer_stream *stream = streams->streams; stream; stream = stream->next)
        count += streams_is_stranger(stream) && bypeer_graph_is_same_source(stream->address, like->address) ? 1 : 0;
    return count;
}

/* Who comes next has a place, unless he is of the source that has most of them. The newest are first in the list. */
static int streams_make_room(struct bypeer_streams *streams, const struct bypeer_stream *newcomer)
{
    struct bypeer_stream *chosen = NULL;
    unsigned most = streams_count_of(streams, newcomer);
    if (most > BYPEER_STREAMS_OF_SOURCE)
        return -ENOSPC;
    if (streams->stranger_count <= BYPEER_STREAMS_STRANGERS)
        return 0;
    for (struct bypeer_stream *stream = streams->streams; stream; stream = stream->next) {
        unsigned count = streams_is_stranger(stream) && stream != newcomer ? streams_count_of(streams, stream) : 0;
        if (count < most || count == 0)
            continue;
        most = count;
        chosen = stream;
    }
    if (!chosen)
        return -ENOSPC;
    stream_close(chosen, -ENOSPC);
    return 0;
}

static bool streams_may_begin(struct bypeer_streams *streams, const uint8_t address[static 16])
{
    static const struct bypeer_tokens_rate rate = {.burst = 32, .every_ms = 250};
    uint64_t now_ms = uv_hrtime() / 1000000;
    struct bypeer_tokens *tokens = bypeer_tokens_of(streams->sources, SOURCES, address);
    bool may_begin = bypeer_tokens_are_left(tokens, &rate, now_ms);
    if (may_begin)
        bypeer_tokens_take(tokens, &rate, now_ms);
    return may_begin;
}

static void streams_tell_refused(struct bypeer_streams *streams, const struct bypeer_stream *stream)
{
    char text[BYPEER_VALUE_ADDRESS];
    bypeer_value_write_address(text, stream->address);
    bypeer_log_limited(&streams->log_limit, BYPEER_LOG_WARNING,
                       "groups: too many connections that have not said who they are; one from %s is closed", text);
}

static void streams_on_connection(uv_stream_t *listener, int status)
{
    struct bypeer_streams *streams = listener->data;
    struct bypeer_stream *stream = status < 0 ? NULL : streams_make(streams);
    struct sockaddr_in6 from = {0};
    int length = sizeof(from);
    if (!stream)
        return;
    int result = uv_accept(listener, (uv_stream_t *)&stream->tcp);
    if (result == 0)
        result = uv_tcp_getpeername(&stream->tcp, (struct sockaddr *)&from, &length);
    memcpy(stream->address, &from.sin6_addr, sizeof(stream->address));
    stream->port = ntohs(from.sin6_port);
    stream->stranger = true;
    streams->stranger_count++;
    if (result == 0) {
        result = streams_may_begin(streams, stream->address) ? streams_make_room(streams, stream) : -ENOSPC;
        if (result < 0)
            streams_tell_refused(streams, stream);
    }
    if (result == 0)
        result = uv_read_start((uv_stream_t *)&stream->tcp, stream_on_room, stream_on_read);
    if (result < 0) {
        stream_close(stream, result);
        return;
    }
    stream_set_options(stream);
    uv_timer_start(&stream->timer, stream_on_timer, STRANGER_MS, 0);
}

/* --- start and end --- */

static void streams_on_listener_closed(uv_handle_t *handle)
{
    struct bypeer_streams *streams = handle->data;
    free(handle);
    streams->handles--;
    streams_let_go(streams);
}

static void streams_stop_listening(struct bypeer_streams *streams)
{
    while (streams->listener_count > 0)
        uv_close((uv_handle_t *)streams->listeners[--streams->listener_count], streams_on_listener_closed);
}

static int streams_listen_on(struct bypeer_streams *streams, const uint8_t address[static 16], uint16_t port)
{
    uv_tcp_t *listener = calloc(1, sizeof(*listener));
    struct sockaddr_in6 at = streams_address(address, port);
    uv_os_fd_t socket;
    const int on = 1;
    int result = listener ? uv_tcp_init_ex(streams->loop, listener, AF_INET6) : -ENOMEM;
    if (result < 0) {
        free(listener);
        return result;
    }
    listener->data = streams;
    streams->listeners[streams->listener_count++] = listener;
    streams->handles++;
    /* An address that comes later, or comes back, needs nothing to be done. */
    if (uv_fileno((uv_handle_t *)listener, &socket) == 0)
        setsockopt(socket, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
    result = uv_tcp_bind(listener, (const struct sockaddr *)&at, 0);
    return result < 0 ? result : uv_listen((uv_stream_t *)listener, BACKLOG, streams_on_connection);
}

int bypeer_streams_listen(struct bypeer_streams *streams, const uint8_t (*addresses)[16], unsigned count, uint16_t port,
                          struct bypeer_problem *problem)
{
    static const uint8_t any[1][16];
    if (streams->listener_count > 0)
        return 0;
    if (count == 0) {
        addresses = any;
        count = 1;
    }
    for (unsigned at = 0; at < count && at < LISTENERS_MAX; at++) {
        int result = streams_listen_on(streams, addresses[at], port);
        if (result == 0)
            continue;
        streams_stop_listening(streams);
        return bypeer_problem_set(
            problem, result, "listen",
            "TCP port %u\ncannot be listened on: %s\nset another grouping.port, or end the program "
            "that has it",
            port, uv_strerror(result));
    }
    return 0;
}

bool bypeer_streams_is_listening(const struct bypeer_streams *streams)
{
    return streams->listener_count > 0;
}

int bypeer_streams_open(struct bypeer_streams **ret_streams, uv_loop_t *loop, const struct bypeer_streams_hooks *hooks,
                        void *context)
{
    struct bypeer_streams *streams = calloc(1, sizeof(*streams));
    if (!streams)
        return -ENOMEM;
    streams->loop = loop;
    streams->hooks = hooks;
    streams->context = context;
    *ret_streams = streams;
    return 0;
}

void bypeer_streams_close(struct bypeer_streams *streams)
{
    if (!streams)
        return;
    streams->closing = true;
    streams_stop_listening(streams);
    for (struct bypeer_stream *stream = streams->streams, *next; stream; stream = next) {
        next = stream->next;
        stream->owner = NULL;
        stream_close(stream, 0);
    }
    streams_let_go(streams);
}
