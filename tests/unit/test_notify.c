/* What systemd is told, and what it hands back: the test plays systemd on a datagram socket. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/notify.h"

static int systemd;
static char path[64];

static void set_up(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(path, sizeof(path), "/tmp/bypeer-notify-%ld", (long)getpid());
    strcpy(address.sun_path, path);
    systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(systemd, (struct sockaddr *)&address, sizeof(address)), 0);
    setenv("NOTIFY_SOCKET", path, 1);
}

static void tear_down(void)
{
    close(systemd);
    unlink(path);
}

TestSuite(notify, .init = set_up, .fini = tear_down);

/* The next message, and how many descriptors came with it. */
static const char *hear(unsigned *ret_fds)
{
    static char text[512];
    char control[CMSG_SPACE(4 * sizeof(int))];
    struct iovec data = {.iov_base = text, .iov_len = sizeof(text) - 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    ssize_t length = recvmsg(systemd, &message, 0);
    cr_assert_gt(length, 0);
    text[length] = '\0';
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    *ret_fds = rights ? (unsigned)((rights->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
    return text;
}

Test(notify, state_is_told)
{
    unsigned fds;
    cr_assert_eq(bypeer_notify("READY=1\nSTATUS=%d members", 7), 0);
    cr_assert_str_eq(hear(&fds), "READY=1\nSTATUS=7 members");
    cr_assert_eq(fds, 0);
}

Test(notify, nobody_listens)
{
    unsetenv("NOTIFY_SOCKET");
    cr_assert_eq(bypeer_notify("READY=1"), 0);
    setenv("NOTIFY_SOCKET", "/tmp/bypeer-there-is-none", 1);
    cr_assert_lt(bypeer_notify("READY=1"), 0);
}

Test(notify, a_descriptor_takes_the_place_of_the_one_before)
{
    unsigned fds;
    cr_assert_eq(bypeer_notify_park("sessions", systemd), 0);
    cr_assert_str_eq(hear(&fds), "FDSTOREREMOVE=1\nFDNAME=sessions");
    cr_assert_eq(fds, 0);
    cr_assert_str_eq(hear(&fds), "FDSTORE=1\nFDNAME=sessions");
    cr_assert_eq(fds, 1);
}

Test(notify, parked_descriptors_are_found_by_name)
{
    char pid[16];
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_FDNAMES", "other:sessions", 1);
    int kept = dup2(systemd, 4);
    cr_assert_eq(kept, 4);
    cr_assert_eq(bypeer_notify_parked("sessions"), 4);
    cr_assert(fcntl(4, F_GETFD) & FD_CLOEXEC);
    cr_assert_eq(bypeer_notify_parked("session"), -1);
    setenv("LISTEN_FDS", "1", 1);
    cr_assert_eq(bypeer_notify_parked("sessions"), -1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_PID", "1", 1);
    cr_assert_eq(bypeer_notify_parked("sessions"), -1, "meant for another process");
}

Test(notify, the_watchdog_is_fed_twice_as_often_as_it_asks)
{
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    cr_assert_eq(bypeer_notify_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "3000000", 1);
    cr_assert_eq(bypeer_notify_watchdog_ms(), 1500);
    setenv("WATCHDOG_PID", "1", 1);
    cr_assert_eq(bypeer_notify_watchdog_ms(), 0);
}
