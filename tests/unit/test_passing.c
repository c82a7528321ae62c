#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "overlay/tables/passing.h"

static int ends[2];

static void connect_ends(void)
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

/* What bypeer_passing_send() would never send. */
static void send_raw(const void *bytes, size_t length, unsigned fd_count)
{
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(16 * sizeof(int))];
    } control;
    memset(&control, 0, sizeof(control));
    struct iovec piece = {.iov_base = (void *)bytes, .iov_len = length};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
    if (fd_count) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        control.header = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(fd_count * sizeof(int))};
        memset(CMSG_DATA(&control.header), 0, fd_count * sizeof(int)); /* standard input, again and again */
    }
    cr_assert_eq(sendmsg(ends[0], &header, 0), (ssize_t)length);
}

Test(passing, message_and_descriptor_arrive, .init = connect_ends)
{
    struct bypeer_handover sent = {.type = BYPEER_HANDOVER_TABLES, .tables = {.generation = 7, .bytes = 4096}}, got;
    int pipe_ends[2], fds[BYPEER_HANDOVER_FDS];
    cr_assert_eq(pipe(pipe_ends), 0);
    cr_assert_eq(bypeer_passing_receive(ends[1], &got, fds), -EAGAIN);
    cr_assert_eq(bypeer_passing_send(ends[0], &sent, &pipe_ends[1], 1), 0);
    cr_assert_eq(bypeer_passing_receive(ends[1], &got, fds), 1);
    cr_assert_eq(got.tables.generation, 7);
    cr_assert(fcntl(fds[0], F_GETFD) & FD_CLOEXEC, "no child inherits it");
    char byte = 0;
    cr_assert_eq(write(fds[0], "x", 1), 1);
    cr_assert_eq(read(pipe_ends[0], &byte, 1), 1);
    cr_assert_eq(byte, 'x');
}

Test(passing, end_of_the_connection_is_told, .init = connect_ends)
{
    struct bypeer_handover message = {.type = BYPEER_HANDOVER_GRACE};
    int fds[BYPEER_HANDOVER_FDS];
    close(ends[0]);
    cr_assert_eq(bypeer_passing_receive(ends[1], &message, fds), 0);
    cr_assert_eq(bypeer_passing_send(ends[1], &message, NULL, 0), -EPIPE);
}

Test(passing, a_full_socket_is_not_waited_for, .init = connect_ends)
{
    struct bypeer_handover message = {.type = BYPEER_HANDOVER_GRACE};
    int error = 0;
    for (unsigned i = 0; i < 100000 && error == 0; i++)
        error = bypeer_passing_send(ends[0], &message, NULL, 0);
    cr_assert_eq(error, -EAGAIN);
}

Test(passing, number_of_descriptors_must_be_the_messages, .init = connect_ends)
{
    struct bypeer_handover message = {.type = BYPEER_HANDOVER_TABLES};
    int fd = 0;
    cr_assert_eq(bypeer_passing_send(ends[0], &message, NULL, 0), -EINVAL);
    message.type = BYPEER_HANDOVER_GRACE;
    cr_assert_eq(bypeer_passing_send(ends[0], &message, &fd, 1), -EINVAL);
    message.type = (enum bypeer_handover_type)99;
    cr_assert_eq(bypeer_passing_send(ends[0], &message, NULL, 0), -EINVAL);
}

Test(passing, no_descriptor_leaks_from_a_message_that_fails, .init = connect_ends)
{
    uint8_t bytes[BYPEER_HANDOVER_MAX + 1] = {0};
    struct bypeer_handover message = {.type = BYPEER_HANDOVER_GRACE}, got;
    int fds[BYPEER_HANDOVER_FDS];
    size_t length = bypeer_handover_write(&message, bytes);
    unsigned before = open_descriptors();

    send_raw(bytes, length, 1);
    cr_assert_eq(bypeer_passing_receive(ends[1], &got, fds), -EBADMSG, "has one that it should not have");
    send_raw(bytes, length, 16);
    cr_assert_eq(bypeer_passing_receive(ends[1], &got, fds), -EBADMSG, "has far too many");
    send_raw(bytes, length - 1, 2);
    cr_assert_eq(bypeer_passing_receive(ends[1], &got, fds), -EBADMSG, "is malformed");
    send_raw(bytes, sizeof(bytes), 2);
    cr_assert_eq(bypeer_passing_receive(ends[1], &got, fds), -EBADMSG, "is too long");
    uint32_t unknown[2] = {4711, 0};
    send_raw(unknown, sizeof(unknown), 3);
    cr_assert_eq(bypeer_passing_receive(ends[1], &got, fds), -ENOMSG, "is of another release");
    cr_assert_eq(open_descriptors(), before);

    cr_assert_eq(bypeer_passing_send(ends[0], &message, NULL, 0), 0);
    cr_assert_eq(bypeer_passing_receive(ends[1], &got, fds), 1, "and the next message arrives");
}
