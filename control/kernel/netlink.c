#include "control/kernel/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* The kernel fills at most this many bytes a read of a dump (it looks at the reader's buffer, up to 32 KiB). */
#define NETLINK_BUFFER_BYTES 32768
/* Reads of the event socket per call of bypeer_netlink_ready(): then the loop gets its turn. */
#define NETLINK_READS_AT_ONCE 64
/* Room for events that wait: some 30,000 neighbour changes. */
#define NETLINK_EVENT_BYTES (8 << 20)
/* The kernel answers within the system call; this only ends a wait for an answer that was lost. */
#define NETLINK_ANSWER_SECONDS 5

struct bypeer_netlink {
    struct mnl_socket *requests;
    struct mnl_socket *events;
    uint32_t sequence;
    uint8_t buffer[NETLINK_BUFFER_BYTES];       /* of the request socket */
    uint8_t event_buffer[NETLINK_BUFFER_BYTES]; /* of its own: a call during an event may make requests */
};

static int netlink_socket(struct mnl_socket **ret_socket, unsigned groups, int flags)
{
    struct mnl_socket *made = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);
    if (made == NULL)
        return -errno;
    if (mnl_socket_bind(made, groups, MNL_SOCKET_AUTOPID) < 0) {
        int error = -errno;
        mnl_socket_close(made);
        return error;
    }
    *ret_socket = made;
    return 0;
}

int bypeer_netlink_open(struct bypeer_netlink **ret_netlink)
{
    const unsigned groups =
        RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    struct bypeer_netlink *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    int error = netlink_socket(&made->requests, 0, 0);
    if (error == 0)
        error = netlink_socket(&made->events, groups, SOCK_NONBLOCK);
    if (error < 0) {
        bypeer_netlink_close(made);
        return error;
    }
    struct timeval wait = {.tv_sec = NETLINK_ANSWER_SECONDS};
    int on = 1, bytes = NETLINK_EVENT_BYTES;
    setsockopt(mnl_socket_get_fd(made->requests), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    /* Strict dumps honour the interface filter; a kernel without it (before 4.20) only sends more than was asked. */
    mnl_socket_setsockopt(made->requests, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
    setsockopt(mnl_socket_get_fd(made->events), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
    *ret_netlink = made;
    return 0;
}

void bypeer_netlink_close(struct bypeer_netlink *netlink)
{
    if (netlink == NULL)
        return;
    if (netlink->requests != NULL)
        mnl_socket_close(netlink->requests);
    if (netlink->events != NULL)
        mnl_socket_close(netlink->events);
    free(netlink);
}

int bypeer_netlink_event_fd(const struct bypeer_netlink *netlink)
{
    return mnl_socket_get_fd(netlink->events);
}

static void netlink_overrun(bypeer_netlink_call *call, void *data)
{
    struct bypeer_kernel_message message = {.kind = BYPEER_KERNEL_OVERRUN};
    call(data, &message);
}

/* A datagram of events; one that cannot be read stands for events that were lost. */
static void netlink_events(const uint8_t *at, size_t left, bypeer_netlink_call *call, void *data)
{
    struct bypeer_kernel_message message;
    while (left > 0) {
        long took = bypeer_kernel_message_read(&message, at, left);
        if (took < 0) {
            netlink_overrun(call, data);
            return;
        }
        if (message.kind != BYPEER_KERNEL_OTHER)
            call(data, &message);
        at += took;
        left -= (size_t)took;
    }
}

int bypeer_netlink_ready(struct bypeer_netlink *netlink, bypeer_netlink_call *call, void *data)
{
    for (int i = 0; i < NETLINK_READS_AT_ONCE; i++) {
        ssize_t got = mnl_socket_recvfrom(netlink->events, netlink->event_buffer, sizeof(netlink->event_buffer));
        if (got >= 0)
            netlink_events(netlink->event_buffer, (size_t)got, call, data);
        else if (errno == EAGAIN)
            return 0;
        else if (errno == ENOBUFS || errno == ENOSPC) /* lost some, or a datagram that did not fit */
            netlink_overrun(call, data);
        else if (errno != EINTR)
            return -errno;
    }
    return 0;
}

/*
 * Sends a request and reads until its answer: an ANSWER, a DONE, or, when a single message is asked for (ret_one), that
 * message. Messages of a dump go to call.
 */
static int netlink_ask(struct bypeer_netlink *netlink, const uint8_t *request, size_t bytes, bypeer_netlink_call *call,
                       void *data, struct bypeer_kernel_message *ret_one)
{
    if (mnl_socket_sendto(netlink->requests, request, bytes) < 0)
        return -errno;
    for (;;) {
        ssize_t got = mnl_socket_recvfrom(netlink->requests, netlink->buffer, sizeof(netlink->buffer));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        struct bypeer_kernel_message message;
        for (size_t at = 0; at < (size_t)got;) {
            long took = bypeer_kernel_message_read(&message, netlink->buffer + at, (size_t)got - at);
            if (took < 0)
                return (int)took;
            at += (size_t)took;
            if (message.sequence != netlink->sequence) /* of a request whose answer came too late */
                continue;
            if (message.kind == BYPEER_KERNEL_ANSWER || message.kind == BYPEER_KERNEL_DONE)
                return message.error;
            if (ret_one != NULL) {
                *ret_one = message;
                return 0;
            }
            if (call != NULL && message.kind != BYPEER_KERNEL_OTHER)
                call(data, &message);
        }
    }
}

int bypeer_netlink_dump(struct bypeer_netlink *netlink, enum bypeer_kernel_kind kind, uint32_t index,
                        bypeer_netlink_call *call, void *data)
{
    uint8_t request[BYPEER_KERNEL_REQUEST_MAX];
    size_t bytes = bypeer_kernel_write_dump(request, ++netlink->sequence, kind, index);
    return netlink_ask(netlink, request, bytes, call, data, NULL);
}

int bypeer_netlink_change_link(struct bypeer_netlink *netlink, uint32_t index,
                               const struct bypeer_kernel_link_change *change)
{
    uint8_t request[BYPEER_KERNEL_REQUEST_MAX];
    size_t bytes = bypeer_kernel_write_link(request, ++netlink->sequence, index, change);
    return netlink_ask(netlink, request, bytes, NULL, NULL, NULL);
}

int bypeer_netlink_set_address(struct bypeer_netlink *netlink, bool add, uint32_t index,
                               const uint8_t address[static 16], uint8_t bits)
{
    uint8_t request[BYPEER_KERNEL_REQUEST_MAX];
    struct bypeer_kernel_address change = {.index = index, .bits = bits};
    memcpy(change.address, address, sizeof(change.address));
    size_t bytes = bypeer_kernel_write_address(request, ++netlink->sequence, add, &change);
    int error = netlink_ask(netlink, request, bytes, NULL, NULL, NULL);
    if ((add && error == -EEXIST) || (!add && error == -EADDRNOTAVAIL))
        return 0;
    return error;
}

int bypeer_netlink_set_route(struct bypeer_netlink *netlink, bool add, uint32_t index, const uint8_t prefix[static 16],
                             uint8_t bits, const uint8_t *source)
{
    uint8_t request[BYPEER_KERNEL_REQUEST_MAX];
    size_t bytes = bypeer_kernel_write_route(request, ++netlink->sequence, add, index, prefix, bits, source);
    int error = netlink_ask(netlink, request, bytes, NULL, NULL, NULL);
    return !add && error == -ESRCH ? 0 : error;
}

int bypeer_netlink_find_route(struct bypeer_netlink *netlink, const uint8_t destination[static 16],
                              const uint8_t *source, struct bypeer_kernel_route *ret_route)
{
    uint8_t request[BYPEER_KERNEL_REQUEST_MAX];
    struct bypeer_kernel_message message = {.kind = BYPEER_KERNEL_OTHER};
    size_t bytes = bypeer_kernel_write_route_question(request, ++netlink->sequence, destination, source);
    int error = netlink_ask(netlink, request, bytes, NULL, NULL, &message);
    if (error < 0)
        return error;
    if (message.kind != BYPEER_KERNEL_ROUTE)
        return -ENETUNREACH;
    *ret_route = message.route;
    return 0;
}

int bypeer_netlink_want_neighbour(struct bypeer_netlink *netlink, bool want, uint32_t index,
                                  const uint8_t address[static 16])
{
    uint8_t request[BYPEER_KERNEL_REQUEST_MAX];
    size_t bytes = bypeer_kernel_write_neighbour(request, ++netlink->sequence, want, index, address);
    int error = netlink_ask(netlink, request, bytes, NULL, NULL, NULL);
    return !want && error == -ENOENT ? 0 : error;
}
