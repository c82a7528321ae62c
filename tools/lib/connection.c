#include "tools/lib/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tools/lib/call.h"

#define LINE_MAX_BYTES ((size_t)64 << 20)
#define READ_BYTES     ((size_t)64 << 10)
#define TIMEOUT_MS     30000

int bypeer_attach(struct bypeer **ret_node, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    struct bypeer *node = calloc(1, sizeof(*node));
    json_t *answers = json_object();
    json_t *notices = json_array();
    if (!node || !answers || !notices) {
        free(node);
        json_decref(answers);
        json_decref(notices);
        return -ENOMEM;
    }
    *node = (struct bypeer){.fd = fd, .timeout_ms = TIMEOUT_MS, .answers = answers, .notices = notices};
    *ret_node = node;
    return 0;
}

int bypeer_connect(struct bypeer **ret_node, const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = socket_path;
    if (!path)
        path = getenv("BYPEER_SOCKET");
    if (!path || !path[0])
        path = BYPEER_SOCKET;
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    if (!error)
        error = bypeer_attach(ret_node, fd);
    if (error)
        close(fd);
    return error;
}

void bypeer_close(struct bypeer *node)
{
    if (!node)
        return;
    close(node->fd);
    free(node->in);
    free(node->text);
    json_decref(node->data);
    json_decref(node->answers);
    json_decref(node->notices);
    resolves_free(node);
    watches_free(node);
    free(node);
}

void bypeer_set_timeout(struct bypeer *node, int milliseconds)
{
    node->timeout_ms = milliseconds < 0 ? -1 : milliseconds;
}

int bypeer_fd(const struct bypeer *node)
{
    return node->fd;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t connection_deadline(const struct bypeer *node)
{
    return node->timeout_ms < 0 ? INT64_MAX : now_ms() + node->timeout_ms;
}

void connection_forget_error(struct bypeer *node)
{
    free(node->text);
    json_decref(node->data);
    node->text = NULL;
    node->data = NULL;
    node->code = 0;
}

int connection_fail(struct bypeer *node, int error, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    connection_forget_error(node);
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    node->text = text;
    return error;
}

static int connection_lost(struct bypeer *node, int error)
{
    if (error == -EPIPE || error == -ECONNRESET || error == 0)
        return connection_fail(node, -ECONNRESET, "the connection was closed by bypeerd; is it running still?");
    return connection_fail(node, error, "the connection failed: %s", strerror(-error));
}

/* Waits until the socket is ready for one of events; returns those, or -ETIMEDOUT. */
static int connection_wait(struct bypeer *node, short events, int64_t deadline)
{
    for (;;) {
        struct pollfd ready = {.fd = node->fd, .events = events};
        int64_t left = deadline == INT64_MAX ? -1 : deadline - now_ms();
        if (deadline != INT64_MAX && left < 0)
            left = 0;
        int count = poll(&ready, 1, left > 60000 ? 60000 : (int)left);
        if (count > 0)
            return ready.revents;
        if (count < 0 && errno != EINTR)
            return connection_lost(node, -errno);
        if (count == 0 && deadline != INT64_MAX && now_ms() >= deadline)
            return connection_fail(node, -ETIMEDOUT, "bypeerd gave no answer within %d ms; see its log",
                                   node->timeout_ms);
    }
}

/* Reads what is there. Returns 1, 0 at the end of the stream, -EAGAIN, or another negative errno. */
static int connection_read(struct bypeer *node)
{
    if (node->in_room - node->in_used < READ_BYTES) {
        size_t room = node->in_room ? node->in_room * 2 : READ_BYTES * 2;
        if (node->in_used > LINE_MAX_BYTES)
            return connection_fail(node, -EBADMSG, "an answer is longer than %zu bytes; ask for less at once",
                                   LINE_MAX_BYTES);
        char *in = realloc(node->in, room);
        if (!in)
            return connection_fail(node, -ENOMEM, "out of memory");
        node->in = in;
        node->in_room = room;
    }
    ssize_t got = recv(node->fd, node->in + node->in_used, node->in_room - node->in_used, 0);
    if (got > 0) {
        node->in_used += (size_t)got;
        return 1;
    }
    if (got == 0)
        return 0;
    return errno == EAGAIN || errno == EINTR ? -EAGAIN : connection_lost(node, -errno);
}

int connection_send(struct bypeer *node, const char *line, size_t length, int64_t deadline)
{
    size_t sent = 0;
    while (sent <= length) {
        struct iovec rest[2] = {{(void *)(line + sent), length - sent}, {(void *)"\n", 1}};
        struct msghdr message = {.msg_iov = rest, .msg_iovlen = 2};
        ssize_t now = sendmsg(node->fd, &message, MSG_NOSIGNAL);
        if (now >= 0) {
            sent += (size_t)now;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return connection_lost(node, -errno);
        int ready = connection_wait(node, POLLOUT | POLLIN, deadline);
        if (ready < 0)
            return ready;
        if (ready & POLLIN) {
            int error = connection_read(node);
            if (error == 0)
                return connection_lost(node, 0);
            if (error < 0 && error != -EAGAIN)
                return error;
        }
    }
    return 0;
}

int connection_receive(struct bypeer *node, const char **ret_line, size_t *ret_length, bool wait, int64_t deadline)
{
    for (;;) {
        const char *end = node->in_used > node->in_scanned
                              ? memchr(node->in + node->in_scanned, '\n', node->in_used - node->in_scanned)
                              : NULL;
        if (end) {
            *ret_line = node->in;
            *ret_length = (size_t)(end - node->in);
            return 0;
        }
        node->in_scanned = node->in_used;
        int error = connection_read(node);
        if (error == 0)
            return connection_lost(node, 0);
        if (error == -EAGAIN && !wait)
            return -EAGAIN;
        if (error == -EAGAIN)
            error = connection_wait(node, POLLIN, deadline);
        if (error < 0)
            return error;
    }
}

void connection_drop_line(struct bypeer *node, size_t length)
{
    node->in_used -= length + 1;
    memmove(node->in, node->in + length + 1, node->in_used);
    node->in_scanned = 0;
}
