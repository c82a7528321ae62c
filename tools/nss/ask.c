#include "tools/nss/ask.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DOMAIN        ".pnrp.net"
#define HOST_MAX      253 /* RFC 1035, 2.3.4, as text */
#define FIRST_BYTE_MS 100
#define ALL_MS        3000

bool ask_is_ours(const char *host)
{
    size_t length = strlen(host);
    if (length > 0 && host[length - 1] == '.')
        length--;
    size_t domain = strlen(DOMAIN);
    return length > domain && strncasecmp(host + length - domain, DOMAIN, domain) == 0;
}

/* The question as a line; false: no host name has such characters, or so many. */
static bool write_question(const char *host, char ret_line[static HOST_MAX + 3])
{
    size_t length = strlen(host);
    if (length > HOST_MAX + 1 ||
        strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.") != length)
        return false;
    memcpy(ret_line, host, length);
    ret_line[length] = '\n';
    ret_line[length + 1] = '\0';
    return true;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Whether the socket became readable before the time was up. */
static bool wait_until(int fd, int64_t deadline)
{
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int64_t left = deadline - now_ms();
        int count = poll(&ready, 1, left > 0 ? (int)left : 0);
        if (count > 0)
            return true;
        if (count == 0 || errno != EINTR)
            return false;
    }
}

/* The environment counts only for programs that gain no rights by being run. */
static int connect_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = secure_getenv("BYPEER_NAMES_SOCKET");
    if (!path)
        path = BYPEER_NAMES_SOCKET;
    if (strlen(path) >= sizeof(address.sun_path))
        return -1;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int receive_answer(int fd, uint8_t (*ret_addresses)[16])
{
    char bytes[ANSWER_BYTES];
    size_t length = 0;
    int64_t began = now_ms();
    while (length < sizeof(bytes) && wait_until(fd, began + (length ? ALL_MS : FIRST_BYTE_MS))) {
        ssize_t got = recv(fd, bytes + length, sizeof(bytes) - length, 0);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return -1;
        length += (size_t)got;
        int result = answer_read(bytes, length, ret_addresses);
        if (result != -EAGAIN)
            return result;
    }
    return -1;
}

unsigned ask_addresses(const char *host, uint8_t (*ret_addresses)[16])
{
    char line[HOST_MAX + 3];
    if (!write_question(host, line))
        return 0;
    int fd = connect_socket();
    if (fd < 0)
        return 0;
    int count = -1;
    if (send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line))
        count = receive_answer(fd, ret_addresses);
    close(fd);
    return count > 0 ? (unsigned)count : 0;
}
