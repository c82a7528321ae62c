#include "overlay/tables/passing.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for more descriptors than any message has, so that too many are seen as such and closed by us. */
#define PASSING_FDS_ROOM (BYPEER_HANDOVER_FDS + 1)

union passing_control {
    struct cmsghdr header; /* for its alignment */
    uint8_t bytes[CMSG_SPACE(PASSING_FDS_ROOM * sizeof(int))];
};

int bypeer_passing_send(int socket, const struct bypeer_handover *message, const int *fds, unsigned fd_count)
{
    uint8_t buffer[BYPEER_HANDOVER_MAX];
    size_t length = bypeer_handover_write(message, buffer);
    if (length == 0 || fd_count != bypeer_handover_fds(message))
        return -EINVAL;

    struct iovec bytes = {.iov_base = buffer, .iov_len = length};
    union passing_control control;
    struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (fd_count) {
        memset(&control, 0, sizeof(control));
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(rights), fds, fd_count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/* Takes the descriptors out of a received message, all of them. */
static unsigned passing_fds(struct msghdr *header, int ret_fds[static PASSING_FDS_ROOM])
{
    unsigned count = 0;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item; item = CMSG_NXTHDR(header, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS)
            continue;
        size_t bytes = item->cmsg_len - CMSG_LEN(0);
        for (size_t at = 0; at + sizeof(int) <= bytes && count < PASSING_FDS_ROOM; at += sizeof(int))
            memcpy(&ret_fds[count++], CMSG_DATA(item) + at, sizeof(int));
    }
    return count;
}

int bypeer_passing_receive(int socket, struct bypeer_handover *ret_message, int ret_fds[static BYPEER_HANDOVER_FDS])
{
    uint8_t buffer[BYPEER_HANDOVER_MAX];
    struct iovec bytes = {.iov_base = buffer, .iov_len = sizeof(buffer)};
    union passing_control control;
    struct msghdr header = {
        .msg_iov = &bytes,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    ssize_t length;
    do
        length = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return -errno;

    int fds[PASSING_FDS_ROOM];
    unsigned fd_count = passing_fds(&header, fds);
    if (length == 0 && fd_count == 0)
        return 0;
    struct bypeer_handover message;
    int error =
        header.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EBADMSG : bypeer_handover_read(&message, buffer, (size_t)length);
    if (error == 0 && fd_count != bypeer_handover_fds(&message))
        error = -EBADMSG;
    if (error) {
        while (fd_count)
            close(fds[--fd_count]);
        return error;
    }
    memcpy(ret_fds, fds, fd_count * sizeof(int));
    *ret_message = message;
    return 1;
}
