#include "control/names/discovery.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "control/log.h"
#include "control/names/ssdp.h"

#define RESPONDERS_MAX 5  /* [MS-PNRP] 3.1.5.1: conversations begun after one search */
#define ANSWERS_S      10 /* a second */

struct bypeer_discovery {
    uv_loop_t *loop;
    enum bypeer_pnrp_scope scope;
    char target[BYPEER_SSDP_TARGET_MAX];
    uint8_t group[16];
    void (*responder)(void *context, const struct bypeer_pnrp_endpoint *node);
    void *context;
    bool has_endpoint, advertises;
    struct bypeer_pnrp_endpoint endpoint;
    uint32_t interface;
    /* Searches go out from a port of their own, to which the answers come; searches of others come to the group's. */
    struct discovery_socket *searcher, *listener;
    unsigned responders; /* of the last search */
    uint64_t second;
    unsigned answers; /* in it */
    struct bypeer_log_limit log_limit;
};

struct discovery_socket {
    struct bypeer_discovery *discovery;
    uv_udp_t handle;
};

static void discovery_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void discovery_drop(struct discovery_socket **socket)
{
    if (*socket)
        uv_close((uv_handle_t *)&(*socket)->handle, discovery_on_closed);
    *socket = NULL;
}

/* --- datagrams --- */

static void discovery_send(struct discovery_socket *socket, const struct sockaddr_in6 *to, const char *text,
                           size_t length)
{
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)text, (unsigned)length);
    int result = uv_udp_try_send(&socket->handle, &buffer, 1, (const struct sockaddr *)to);
    if (result < 0)
        bypeer_log_limited(&socket->discovery->log_limit, BYPEER_LOG_DEBUG, "SSDP: cannot send: %s",
                           uv_strerror(result));
}

static void discovery_on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static _Thread_local char room[BYPEER_SSDP_MESSAGE_MAX + 1];
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(room, sizeof(room));
}

/* A search of another node: it is answered to where it came from. */
static void discovery_on_search(uv_udp_t *handle, ssize_t length, const uv_buf_t *buffer, const struct sockaddr *from,
                                unsigned flags)
{
    struct discovery_socket *socket = handle->data;
    struct bypeer_discovery *discovery = socket->discovery;
    if (length <= 0 || !from || from->sa_family != AF_INET6 || (flags & UV_UDP_PARTIAL) != 0 ||
        !discovery->has_endpoint || !bypeer_ssdp_is_search(buffer->base, (size_t)length, discovery->target))
        return;
    uint64_t second = uv_now(discovery->loop) / 1000;
    if (discovery->second != second) {
        discovery->second = second;
        discovery->answers = 0;
    }
    if (++discovery->answers > ANSWERS_S)
        return;
    char text[BYPEER_SSDP_MESSAGE_MAX];
    struct sockaddr_in6 to;
    memcpy(&to, from, sizeof(to));
    discovery_send(socket, &to, text, bypeer_ssdp_write_answer(discovery->target, &discovery->endpoint, text));
}

static void discovery_on_answer(uv_udp_t *handle, ssize_t length, const uv_buf_t *buffer, const struct sockaddr *from,
                                unsigned flags)
{
    struct discovery_socket *socket = handle->data;
    struct bypeer_discovery *discovery = socket->discovery;
    struct bypeer_pnrp_endpoint node;
    if (length <= 0 || !from || (flags & UV_UDP_PARTIAL) != 0 || !discovery->has_endpoint ||
        discovery->responders >= RESPONDERS_MAX ||
        !bypeer_ssdp_is_answer(buffer->base, (size_t)length, discovery->target, &node))
        return;
    if (memcmp(node.address, discovery->endpoint.address, 16) == 0 && node.port == discovery->endpoint.port)
        return; /* this node itself */
    discovery->responders++;
    discovery->responder(discovery->context, &node);
}

/* --- sockets --- */

static struct discovery_socket *discovery_make(struct bypeer_discovery *discovery, uint16_t port,
                                               uv_udp_recv_cb receive)
{
    struct discovery_socket *socket = calloc(1, sizeof(*socket));
    const struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (!socket || uv_udp_init_ex(discovery->loop, &socket->handle, AF_INET6) < 0) {
        free(socket);
        return NULL;
    }
    socket->discovery = discovery;
    socket->handle.data = socket;
    int result = uv_udp_bind(&socket->handle, (const struct sockaddr *)&any, UV_UDP_IPV6ONLY | UV_UDP_REUSEADDR);
    uv_os_fd_t fd;
    if (result == 0)
        result = uv_fileno((uv_handle_t *)&socket->handle, &fd);
    if (result == 0 && discovery->interface > 0 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &discovery->interface, sizeof(discovery->interface)) < 0)
        result = -errno;
    if (result == 0)
        result = uv_udp_recv_start(&socket->handle, discovery_on_room, receive);
    if (result < 0) {
        bypeer_log_limited(&discovery->log_limit, BYPEER_LOG_WARNING, "SSDP: no socket: %s", uv_strerror(result));
        discovery_drop(&socket);
    }
    return socket;
}

/* The group is listened to while there is an endpoint to tell of. */
static void discovery_adjust(struct bypeer_discovery *discovery)
{
    discovery_drop(&discovery->listener);
    if (!discovery->advertises || !discovery->has_endpoint)
        return;
    struct ipv6_mreq member = {.ipv6mr_interface = discovery->interface};
    memcpy(&member.ipv6mr_multiaddr, discovery->group, 16);
    discovery->listener = discovery_make(discovery, BYPEER_SSDP_PORT, discovery_on_search);
    uv_os_fd_t fd;
    if (discovery->listener && uv_fileno((uv_handle_t *)&discovery->listener->handle, &fd) == 0 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &member, sizeof(member)) < 0)
        bypeer_log_limited(&discovery->log_limit, BYPEER_LOG_WARNING, "SSDP: the group cannot be joined: %s",
                           strerror(errno));
}

void bypeer_discovery_set_endpoint(struct bypeer_discovery *discovery, const struct bypeer_pnrp_endpoint *endpoint,
                                   uint32_t interface)
{
    discovery->has_endpoint = endpoint != NULL;
    if (endpoint)
        discovery->endpoint = *endpoint;
    discovery->interface = interface;
    discovery_drop(&discovery->searcher);
    discovery_adjust(discovery);
}

void bypeer_discovery_advertise(struct bypeer_discovery *discovery, bool advertise)
{
    discovery->advertises = advertise;
    discovery_adjust(discovery);
}

void bypeer_discovery_search(struct bypeer_discovery *discovery)
{
    if (!discovery->has_endpoint)
        return;
    if (!discovery->searcher)
        discovery->searcher = discovery_make(discovery, 0, discovery_on_answer);
    if (!discovery->searcher)
        return;
    discovery->responders = 0;
    char text[BYPEER_SSDP_MESSAGE_MAX];
    struct sockaddr_in6 to = {
        .sin6_family = AF_INET6, .sin6_port = htons(BYPEER_SSDP_PORT), .sin6_scope_id = discovery->interface};
    memcpy(&to.sin6_addr, discovery->group, 16);
    discovery_send(discovery->searcher, &to, text, bypeer_ssdp_write_search(discovery->target, discovery->scope, text));
}

struct bypeer_discovery *
bypeer_discovery_open(uv_loop_t *loop, const struct bypeer_profile *profile, enum bypeer_pnrp_scope scope,
                      void (*responder)(void *context, const struct bypeer_pnrp_endpoint *node), void *context)
{
    struct bypeer_discovery *discovery = calloc(1, sizeof(*discovery));
    if (!discovery)
        return NULL;
    *discovery = (struct bypeer_discovery){.loop = loop, .scope = scope, .responder = responder, .context = context};
    bypeer_ssdp_target(profile, scope, discovery->target);
    bypeer_ssdp_group(scope, discovery->group);
    return discovery;
}

void bypeer_discovery_close(struct bypeer_discovery *discovery)
{
    if (!discovery)
        return;
    discovery_drop(&discovery->searcher);
    discovery_drop(&discovery->listener);
    free(discovery);
}
