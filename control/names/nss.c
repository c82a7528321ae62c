#include "control/names/nss.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/names/nss_message.h"

#define CONNECTIONS_MAX 128
#define QUESTION_MS     1000
#define BACKLOG         128

struct client {
    struct bypeer_nss *nss;
    struct client *next, **link; /* of the server's list */
    uv_pipe_t pipe;
    uv_timer_t late; /* runs until the question is there */
    unsigned handles;
    struct bypeer_hosts_question *question; /* under way */
    bool asked;                             /* what comes now is not looked at any more */
    size_t used;
    char bytes[BYPEER_NSS_QUESTION_MAX];
};

struct bypeer_nss {
    uv_loop_t *loop;
    struct bypeer_hosts *hosts;
    uv_pipe_t listener;
    struct client *clients;
    unsigned count;
};

static void client_on_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    if (--client->handles == 0)
        free(client);
}

static void client_end(struct client *client)
{
    if (uv_is_closing((uv_handle_t *)&client->pipe))
        return;
    if (client->question)
        bypeer_hosts_cancel(client->question);
    client->question = NULL;
    *client->link = client->next;
    if (client->next)
        client->next->link = client->link;
    client->nss->count--;
    uv_close((uv_handle_t *)&client->pipe, client_on_closed);
    uv_close((uv_handle_t *)&client->late, client_on_closed);
}

static void client_on_late(uv_timer_t *timer)
{
    client_end(timer->data);
}

/* Nothing was sent before that could fill the socket. */
static bool client_say(struct client *client, const char *text, size_t length)
{
    uv_buf_t part = uv_buf_init((char *)text, (unsigned)length);
    return uv_try_write((uv_stream_t *)&client->pipe, &part, 1) == (int)length;
}

static void client_on_done(void *context, enum bypeer_hosts_outcome outcome, const uint8_t (*addresses)[16],
                           unsigned count)
{
    struct client *client = context;
    char text[BYPEER_NSS_ANSWER_MAX];
    client->question = NULL;
    if (outcome == BYPEER_HOSTS_FOUND)
        client_say(client, text, bypeer_nss_write(addresses, count, text));
    else
        client_say(client, BYPEER_NSS_NOT_FOUND, strlen(BYPEER_NSS_NOT_FOUND));
    client_end(client);
}

static void client_ask(struct client *client, const char *host)
{
    client->asked = true;
    uv_timer_stop(&client->late);
    enum bypeer_hosts_outcome outcome =
        bypeer_hosts_ask(client->nss->hosts, BYPEER_HOSTS_NSS, host, client_on_done, client, &client->question);
    if (outcome != BYPEER_HOSTS_LATER)
        client_on_done(client, outcome, NULL, 0);
    else if (!client_say(client, BYPEER_NSS_WAIT, strlen(BYPEER_NSS_WAIT)))
        client_end(client);
}

static void client_on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    static char ignored[256];
    struct client *client = handle->data;
    if (client->asked)
        *buffer = uv_buf_init(ignored, sizeof(ignored));
    else
        *buffer = uv_buf_init(client->bytes + client->used, (unsigned)(sizeof(client->bytes) - client->used));
}

static void client_on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    (void)buffer;
    struct client *client = stream->data;
    char host[BYPEER_HOST_NAME_MAX];
    if (length < 0) {
        client_end(client);
        return;
    }
    if (client->asked)
        return;
    client->used += (size_t)length;
    int result = bypeer_nss_read(client->bytes, client->used, host);
    if (result == 0)
        client_ask(client, host);
    else if (result != -EAGAIN)
        client_end(client);
}

static void nss_on_connection(uv_stream_t *stream, int status)
{
    struct bypeer_nss *nss = stream->data;
    struct client *client = status < 0 ? NULL : calloc(1, sizeof(*client));
    if (!client)
        return;
    client->nss = nss;
    uv_pipe_init(nss->loop, &client->pipe, 0);
    uv_timer_init(nss->loop, &client->late);
    client->pipe.data = client->late.data = client;
    client->handles = 2;
    client->next = nss->clients;
    client->link = &nss->clients;
    if (client->next)
        client->next->link = &client->next;
    nss->clients = client;
    nss->count++;
    if (uv_accept(stream, (uv_stream_t *)&client->pipe) < 0 || nss->count > CONNECTIONS_MAX ||
        uv_timer_start(&client->late, client_on_late, QUESTION_MS, 0) < 0 ||
        uv_read_start((uv_stream_t *)&client->pipe, client_on_room, client_on_read) < 0)
        client_end(client);
}

int bypeer_nss_open(struct bypeer_nss **ret_nss, uv_loop_t *loop, struct bypeer_hosts *hosts, const char *path,
                    struct bypeer_problem *problem)
{
    struct bypeer_nss *nss = calloc(1, sizeof(*nss));
    if (!nss)
        return bypeer_problem_no_memory(problem);
    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
        free(nss);
        return bypeer_problem_set(problem, -ENAMETOOLONG, "socket", "%s\nis too long for a socket\nshorten node.run",
                                  path);
    }
    nss->loop = loop;
    nss->hosts = hosts;
    uv_pipe_init(loop, &nss->listener, 0);
    nss->listener.data = nss;
    unlink(path);
    int result = uv_pipe_bind(&nss->listener, path);
    if (result == 0)
        result = uv_listen((uv_stream_t *)&nss->listener, BACKLOG, nss_on_connection);
    if (result == 0 && chmod(path, 0666) < 0)
        result = -errno;
    if (result < 0) {
        bypeer_nss_close(nss);
        return bypeer_problem_set(
            problem, result, "socket",
            "%s\ncannot be made: %s\ncheck that node.run is a directory that this user may write, "
            "with a path of at most 90 bytes",
            path, uv_strerror(result));
    }
    *ret_nss = nss;
    return 0;
}

static void nss_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void bypeer_nss_close(struct bypeer_nss *nss)
{
    if (!nss)
        return;
    while (nss->clients)
        client_end(nss->clients);
    uv_close((uv_handle_t *)&nss->listener, nss_on_closed);
}
