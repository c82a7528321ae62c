#include "control/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_FDS_START 3 /* sd_listen_fds(3) */

static int notify_send(const char *text, int fd)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path)
        return 0;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length < 2 || length >= sizeof(address.sun_path))
        return -EINVAL;
    memcpy(address.sun_path, path, length);
    if (address.sun_path[0] == '@') /* an abstract socket */
        address.sun_path[0] = '\0';

    int notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify < 0)
        return -errno;
    struct iovec data = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_name = &address,
        .msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length),
        .msg_iov = &data,
        .msg_iovlen = 1,
    };
    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
    }
    int result = sendmsg(notify, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
    close(notify);
    return result;
}

int bypeer_notify(const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return notify_send(text, -1);
}

int bypeer_notify_park(const char *name, int fd)
{
    char text[128];
    snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
    notify_send(text, -1);
    snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
    return notify_send(text, fd);
}

int bypeer_notify_parked(const char *name)
{
    const char *pid = getenv("LISTEN_PID");
    const char *count = getenv("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");
    if (!pid || !count || !names || strtol(pid, NULL, 10) != (long)getpid())
        return -1;
    int fds = (int)strtol(count, NULL, 10);
    for (int at = 0; at < fds && at < 1024; at++) {
        size_t length = strcspn(names, ":");
        if (length == strlen(name) && memcmp(names, name, length) == 0) {
            int fd = LISTEN_FDS_START + at;
            return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1 : fd;
        }
        if (names[length] == '\0')
            break;
        names += length + 1;
    }
    return -1;
}

uint64_t bypeer_notify_watchdog_ms(void)
{
    const char *pid = getenv("WATCHDOG_PID");
    const char *microseconds = getenv("WATCHDOG_USEC");
    if (!microseconds || (pid && strtol(pid, NULL, 10) != (long)getpid()))
        return 0;
    /* Half of the time that is allowed, as sd_watchdog_enabled(3) recommends. */
    return strtoull(microseconds, NULL, 10) / 2000;
}
