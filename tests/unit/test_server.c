/* The API's socket: many lines at once, lines in pieces, lines without end, clients that do not read. */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/api/server.h"
#include "node_fixture.h"

static struct node_fixture fixture;
static uv_loop_t loop;
static uv_async_t stop;
static struct bypeer_server *server;
static char path[96];
static pthread_t thread;

static void on_stop(uv_async_t *async)
{
    bypeer_server_close(server);
    uv_close((uv_handle_t *)async, NULL);
}

static void *run_loop(void *context)
{
    (void)context;
    uv_run(&loop, UV_RUN_DEFAULT);
    return NULL;
}

static void set_up(void)
{
    struct bypeer_problem problem;
    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    node_fixture_begin(&fixture, node_fixture_sample);
    node_fixture_open(&fixture, NULL);
    uv_loop_init(&loop);
    snprintf(path, sizeof(path), "%s/control.sock", fixture.directory);
    cr_assert_eq(bypeer_server_open(&server, &loop, &fixture.node, path, (gid_t)-1, &problem), 0);
    uv_async_init(&loop, &stop, on_stop);
    cr_assert_eq(pthread_create(&thread, NULL, run_loop, NULL), 0);
}

static void tear_down(void)
{
    uv_async_send(&stop);
    pthread_join(thread, NULL);
    cr_assert_eq(uv_loop_close(&loop), 0, "nothing is left open");
    unlink(path);
    node_fixture_end(&fixture);
}

TestSuite(server, .init = set_up, .fini = tear_down, .timeout = 60);

static int connect_to(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    return client;
}

static void send_all(int client, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(client, text, length, MSG_NOSIGNAL);
        cr_assert_gt(sent, 0);
        text += sent;
        length -= (size_t)sent;
    }
}

static const char version[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n";

Test(server, the_socket_is_the_owners_alone)
{
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 0777, 0600);
}

Test(server, lines_come_in_pieces_and_in_heaps)
{
    int client = connect_to();
    for (size_t at = 0; at < strlen(version); at++)
        send_all(client, version + at, 1);
    FILE *answers = fdopen(client, "r");
    char line[4096];
    cr_assert_not_null(fgets(line, sizeof(line), answers));
    cr_assert(strstr(line, "\"api\":1"));

    char *heap = malloc(1000 * 64), *at = heap;
    for (unsigned id = 0; id < 1000; id++)
        at += sprintf(at, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"version\"}\n", id);
    send_all(client, heap, (size_t)(at - heap));
    for (unsigned id = 0; id < 1000; id++) {
        char expected[32];
        snprintf(expected, sizeof(expected), "\"id\":%u,", id);
        cr_assert_not_null(fgets(line, sizeof(line), answers));
        cr_assert(strstr(line, expected), "in the order of the requests: %s", line);
    }
    free(heap);
    fclose(answers);
}

Test(server, a_heap_of_notifications_is_taken)
{
    int client = connect_to();
    static const char notification[] = "{\"jsonrpc\":\"2.0\",\"method\":\"version\"}\n";
    for (unsigned count = 0; count < 20000; count++)
        send_all(client, notification, strlen(notification));
    send_all(client, version, strlen(version));
    char line[256];
    FILE *answers = fdopen(client, "r");
    cr_assert_not_null(fgets(line, sizeof(line), answers));
    cr_assert(strstr(line, "\"id\":1"));
    fclose(answers);
}

Test(server, a_line_without_end_is_refused)
{
    int client = connect_to();
    char *long_line = malloc(8 << 20);
    memset(long_line, ' ', 8 << 20);
    size_t sent = 0;
    while (sent < (size_t)8 << 20) {
        ssize_t length = send(client, long_line + sent, ((size_t)8 << 20) - sent, MSG_NOSIGNAL);
        if (length <= 0)
            break; /* cut off */
        sent += (size_t)length;
    }
    cr_assert_lt(sent, (size_t)8 << 20);
    free(long_line);
    close(client);
}

Test(server, who_does_not_read_makes_nobody_wait)
{
    int greedy = connect_to();
    /* Asks for much more than the socket holds, and reads nothing of it. */
    static const char show[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"config.show\"}\n";
    for (;;) {
        if (send(greedy, show, strlen(show), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break; /* control reads no more from it */
    }
    cr_assert_eq(errno, EAGAIN);
    int other = connect_to();
    send_all(other, version, strlen(version));
    char line[256];
    FILE *answers = fdopen(other, "r");
    cr_assert_not_null(fgets(line, sizeof(line), answers));
    fclose(answers);
    close(greedy);
}

Test(server, connections_are_bounded)
{
    int clients[80];
    unsigned refused = 0;
    for (unsigned at = 0; at < 80; at++)
        clients[at] = connect_to();
    for (unsigned at = 0; at < 80; at++) {
        char line[4096] = "";
        send(clients[at], version, strlen(version), MSG_NOSIGNAL);
        ssize_t length = recv(clients[at], line, sizeof(line) - 1, 0);
        refused += length <= 0 || strstr(line, "too many connections") ? 1 : 0;
        if (length > 0 && !strstr(line, "too many"))
            cr_assert(strstr(line, "\"api\":1"));
    }
    cr_assert_eq(refused, 16);
    for (unsigned at = 0; at < 80; at++)
        close(clients[at]);
    usleep(100000);
    int client = connect_to();
    send_all(client, version, strlen(version));
    char line[256] = "";
    cr_assert_gt(recv(client, line, sizeof(line) - 1, 0), 0);
    cr_assert(strstr(line, "\"api\":1"), "there is room again");
    close(client);
}

Test(server, strangers_are_refused)
{
    if (getuid() != 0)
        cr_skip_test("needs root, to become another user");
    chmod(fixture.directory, 0755);
    chmod(path, 0666); /* even if somebody opens the socket to all */
    pid_t child = fork();
    if (child == 0) {
        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(2);
        int client = connect_to();
        char line[4096] = "";
        _exit(recv(client, line, sizeof(line) - 1, 0) > 0 && strstr(line, "may not use the API") ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    cr_assert_eq(WEXITSTATUS(status), 0);
}
