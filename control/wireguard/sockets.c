/*
 * Datagrams: a socket on each own address, what comes by them, and what leaves.
 *
 * The workers have judged what comes from a port (MACs, rate), but not what this host's own programs send, so MAC1 is
 * checked here again: one hash, where a handshake costs a hundred.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/wireguard/state.h"

#define RECEIVE_BYTES  (4u << 20) /* of a socket's buffer in the kernel, as far as it allows */
#define DATAGRAM_BYTES 65536      /* libuv's room for each of a batch */
#define BATCH          8

/* Handshakes that take more than half of the time: from then on only those who show that they receive where they say.
 */
#define LOAD_WINDOW_NS (BYPEER_WIREGUARD_S / 10)
#define LOAD_SPENT_NS  (LOAD_WINDOW_NS / 2)
#define LOAD_LASTS_NS  BYPEER_WIREGUARD_S

static bool sockets_is_ipv4(const uint8_t address[static 16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address, mapped, sizeof(mapped)) == 0;
}

static void sockets_address(struct sockaddr_storage *ret_address, const uint8_t address[static 16], uint16_t port)
{
    *ret_address = (struct sockaddr_storage){0};
    if (sockets_is_ipv4(address)) {
        struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&ipv4.sin_addr, address + 12, 4);
        memcpy(ret_address, &ipv4, sizeof(ipv4));
    } else {
        struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        memcpy(&ipv6.sin6_addr, address, 16);
        memcpy(ret_address, &ipv6, sizeof(ipv6));
    }
}

static bool sockets_read_address(const struct sockaddr *from, uint8_t ret_address[static 16], uint16_t *ret_port)
{
    if (from->sa_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, from, sizeof(ipv4));
        memset(ret_address, 0, 10);
        memset(ret_address + 10, 0xff, 2);
        memcpy(ret_address + 12, &ipv4.sin_addr, 4);
        *ret_port = ntohs(ipv4.sin_port);
        return true;
    }
    struct sockaddr_in6 ipv6;
    memcpy(&ipv6, from, sizeof(ipv6));
    memcpy(ret_address, &ipv6.sin6_addr, 16);
    *ret_port = ntohs(ipv6.sin6_port);
    return from->sa_family == AF_INET6;
}

bool wireguard_is_own(const struct bypeer_wireguard *engine, const uint8_t address[static 16])
{
    for (unsigned at = 0; at < engine->socket_count; at++)
        if (memcmp(engine->sockets[at]->address, address, 16) == 0)
            return true;
    return false;
}

/* --- what leaves --- */

static const struct wireguard_socket *sockets_find(const struct bypeer_wireguard *engine,
                                                   const uint8_t address[static 16])
{
    for (unsigned at = 0; at < engine->socket_count; at++)
        if (memcmp(engine->sockets[at]->address, address, 16) == 0)
            return engine->sockets[at];
    return NULL;
}

/* The address that the kernel would send from: connecting a UDP socket looks up the route, and sends nothing. */
static bool sockets_ask_kernel(const struct wireguard_endpoint *to, uint8_t ret_local[static 16])
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    uint16_t port;
    sockets_address(&address, to->remote, to->port);
    int probe = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool found = probe >= 0 && connect(probe, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
                 getsockname(probe, (struct sockaddr *)&address, &length) == 0 &&
                 sockets_read_address((const struct sockaddr *)&address, ret_local, &port);
    if (probe >= 0)
        close(probe);
    return found;
}

/*
 * The socket whose address the peer sends to. Before anything has come from him, the one that the kernel sends to him
 * from: by another address he would learn a way back to us that may lead nowhere.
 */
static const struct wireguard_socket *sockets_choose(const struct bypeer_wireguard *engine,
                                                     const struct wireguard_endpoint *to)
{
    uint8_t local[16];
    const struct wireguard_socket *chosen = sockets_find(engine, to->local);
    if (!chosen && sockets_ask_kernel(to, local))
        chosen = sockets_find(engine, local);
    for (unsigned at = 0; at < engine->socket_count && !chosen; at++)
        if (sockets_is_ipv4(engine->sockets[at]->address) == sockets_is_ipv4(to->remote))
            chosen = engine->sockets[at];
    return chosen;
}

/* A datagram that the kernel has no room or no way for is lost like any other on the way. */
static void sockets_send(const struct bypeer_wireguard *engine, const struct wireguard_endpoint *to,
                         const uint8_t *bytes, size_t length)
{
    const struct wireguard_socket *socket = to->port != 0 ? sockets_choose(engine, to) : NULL;
    struct sockaddr_storage address;
    if (!socket)
        return;
    sockets_address(&address, to->remote, to->port);
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)length);
    uv_udp_try_send((uv_udp_t *)(uintptr_t)&socket->handle, &buffer, 1, (const struct sockaddr *)&address);
}

void wireguard_send(struct bypeer_wireguard *engine, const struct wireguard_endpoint *to, const uint8_t *bytes,
                    size_t length)
{
    if (engine->is_live) {
        sockets_send(engine, to, bytes, length);
        return;
    }
    if (engine->outbox_count == WIREGUARD_OUTBOX || length > sizeof(engine->outbox[0].bytes))
        return;
    engine->outbox[engine->outbox_count].to = *to;
    engine->outbox[engine->outbox_count].length = length;
    memcpy(engine->outbox[engine->outbox_count++].bytes, bytes, length);
}

void wireguard_flush(struct bypeer_wireguard *engine)
{
    for (unsigned at = 0; at < engine->outbox_count; at++)
        sockets_send(engine, &engine->outbox[at].to, engine->outbox[at].bytes, engine->outbox[at].length);
    engine->outbox_count = 0;
}

/* --- what comes --- */

static void sockets_note_load(struct bypeer_wireguard *engine, uint64_t began_ns, uint64_t ended_ns)
{
    if (ended_ns - engine->window_ns >= LOAD_WINDOW_NS) {
        engine->window_ns = began_ns;
        engine->spent_ns = 0;
    }
    engine->spent_ns += ended_ns - began_ns;
    if (engine->spent_ns >= LOAD_SPENT_NS)
        engine->loaded_until_ns = ended_ns + LOAD_LASTS_NS;
}

static void sockets_take(struct bypeer_wireguard *engine, const struct wireguard_endpoint *source, const uint8_t *bytes,
                         size_t length)
{
    uint8_t reply[BYPEER_WIREGUARD_COOKIE_BYTES], place[BYPEER_COOKIE_SOURCE_MAX];
    struct bypeer_wireguard_time now = wireguard_now();
    size_t skipped = sockets_is_ipv4(source->remote) ? 12 : 0;
    const uint16_t port = htons(source->port);
    memcpy(place, source->remote + skipped, 16 - skipped);
    memcpy(place + 16 - skipped, &port, sizeof(port));

    engine->source = source;
    engine->found = NULL;
    enum bypeer_wireguard_verdict verdict = bypeer_wireguard_receive(
        &engine->device, bytes, length, place, 16 - skipped + sizeof(port),
        now.ns < engine->loaded_until_ns ? BYPEER_WIREGUARD_LOADED : BYPEER_WIREGUARD_QUIET, &now, reply);
    engine->source = NULL;
    if (verdict == BYPEER_WIREGUARD_UNPROVEN)
        sockets_send(engine, source, reply, sizeof(reply));
    if (engine->found && engine->found->peer)
        wireguard_touched(engine->found, now.ns);
    engine->found = NULL;
    sockets_note_load(engine, now.ns, wireguard_now().ns);
}

static void sockets_on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    /* One loop reads one socket at a time, and nothing is kept of a datagram. */
    static _Thread_local char room[BATCH * DATAGRAM_BYTES];
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(room, sizeof(room));
}

static bool sockets_is_in(const uint8_t address[static 16], const uint8_t prefix[static 16], unsigned bits)
{
    const unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(address, prefix, whole) == 0 && (rest == 0 || (address[whole] ^ prefix[whole]) >> (8 - rest) == 0);
}

/* Nobody else's: as an endpoint, workers would send to this node itself. */
static bool sockets_is_ours(const struct bypeer_config *config, const uint8_t address[static 16])
{
    if (config->relay.bits > 0 && sockets_is_in(address, config->relay.prefix, config->relay.bits))
        return true;
    for (uint32_t number = 0; number < config->port_count; number++)
        for (uint32_t at = 0; at < config->ports[number].address_count; at++)
            if (memcmp(config->ports[number].addresses[at].address, address, 16) == 0)
                return true;
    return false;
}

static void sockets_on_datagram(uv_udp_t *handle, ssize_t length, const uv_buf_t *buffer, const struct sockaddr *from,
                                unsigned flags)
{
    const struct wireguard_socket *socket = handle->data;
    struct wireguard_endpoint source = {0};
    if (length < 0 || !from || (flags & UV_UDP_PARTIAL) != 0 || !socket->engine || !socket->engine->is_live ||
        !sockets_read_address(from, source.remote, &source.port) ||
        sockets_is_ours(socket->engine->node->config, source.remote))
        return;
    memcpy(source.local, socket->address, 16);
    sockets_take(socket->engine, &source, (const uint8_t *)buffer->base, (size_t)length);
}

void wireguard_read(struct bypeer_wireguard *engine, bool reads)
{
    for (unsigned at = 0; at < engine->socket_count; at++) {
        struct wireguard_socket *socket = engine->sockets[at];
        if (socket->is_reading == reads)
            continue;
        socket->is_reading = reads;
        if (reads)
            uv_udp_recv_start(&socket->handle, sockets_on_room, sockets_on_datagram);
        else
            uv_udp_recv_stop(&socket->handle);
    }
}

/* --- sockets --- */

static void sockets_on_closed(uv_handle_t *handle)
{
    struct wireguard_socket *socket = handle->data;
    struct bypeer_wireguard *engine = socket->owner;
    free(socket);
    wireguard_let_go(engine);
}

static void sockets_close(struct wireguard_socket *socket)
{
    socket->engine = NULL;
    uv_close((uv_handle_t *)&socket->handle, sockets_on_closed);
}

/* Bound also while the kernel still makes sure that nobody else has the address. */
static int sockets_bind(struct wireguard_socket *socket, uint16_t port)
{
    const bool is_ipv4 = sockets_is_ipv4(socket->address);
    struct sockaddr_storage address;
    int fd = -1, one = 1, bytes = RECEIVE_BYTES;
    uv_fileno((const uv_handle_t *)&socket->handle, &fd);
    setsockopt(fd, is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6, is_ipv4 ? IP_FREEBIND : IPV6_FREEBIND, &one, sizeof(one));
    sockets_address(&address, socket->address, port);
    int result = uv_udp_bind(&socket->handle, (const struct sockaddr *)&address, is_ipv4 ? 0 : UV_UDP_IPV6ONLY);
    if (result == 0)
        uv_recv_buffer_size((uv_handle_t *)&socket->handle, &bytes);
    return result;
}

static int sockets_open(struct bypeer_wireguard *engine, const uint8_t address[static 16], uint16_t port,
                        struct wireguard_socket **ret_socket)
{
    struct wireguard_socket *socket = calloc(1, sizeof(*socket));
    if (!socket)
        return UV_ENOMEM;
    int result = uv_udp_init_ex(engine->loop, &socket->handle,
                                (sockets_is_ipv4(address) ? AF_INET : AF_INET6) | UV_UDP_RECVMMSG);
    if (result < 0) {
        free(socket);
        return result;
    }
    socket->engine = socket->owner = engine;
    socket->handle.data = socket;
    memcpy(socket->address, address, 16);
    engine->handles++;
    result = sockets_bind(socket, port);
    if (result < 0) {
        sockets_close(socket);
        return result;
    }
    *ret_socket = socket;
    return 0;
}

/* The addresses that the configuration names, or else those of the ports. Returns how many. */
static unsigned sockets_wanted(const struct bypeer_config *config, uint8_t ret_addresses[WIREGUARD_SOCKETS_MAX][16])
{
    unsigned count = 0;
    for (uint32_t at = 0; at < config->wireguard.address_count && count < WIREGUARD_SOCKETS_MAX; at++)
        memcpy(ret_addresses[count++], config->wireguard.addresses[at], 16);
    if (count > 0)
        return count;
    for (uint32_t number = 0; number < config->port_count; number++)
        for (uint32_t at = 0; at < config->ports[number].address_count && count < WIREGUARD_SOCKETS_MAX; at++)
            memcpy(ret_addresses[count++], config->ports[number].addresses[at].address, 16);
    return count;
}

/* What workers take for WireGuard's. Tried again by each upkeep until it is in the tables. */
static void sockets_enter(struct bypeer_wireguard *engine, struct wireguard_socket *socket)
{
    int result = bypeer_writer_put_endpoint(wireguard_writer(engine), socket->address, socket->port);
    socket->is_entered = result >= 0;
    if (result == -EEXIST)
        bypeer_log_limited(
            &engine->log_limit, BYPEER_LOG_WARNING,
            "WireGuard: no packets are taken on one of its addresses: a link or a cloud has port %u there; "
            "give one of them another port",
            socket->port);
}

static void sockets_leave(struct bypeer_wireguard *engine, struct wireguard_socket *socket)
{
    if (socket->is_entered)
        bypeer_writer_remove_endpoint(wireguard_writer(engine), socket->address, socket->port);
    sockets_close(socket);
}

static struct wireguard_socket *sockets_take_over(struct wireguard_socket *sockets[], unsigned count,
                                                  const uint8_t address[static 16], uint16_t port)
{
    for (unsigned at = 0; at < count; at++) {
        struct wireguard_socket *socket = sockets[at];
        if (!socket || socket->port != port || memcmp(socket->address, address, 16) != 0)
            continue;
        sockets[at] = NULL;
        return socket;
    }
    return NULL;
}

static struct wireguard_socket *sockets_make(struct bypeer_wireguard *engine, const uint8_t address[static 16],
                                             uint16_t port)
{
    struct wireguard_socket *socket;
    int result = sockets_open(engine, address, port, &socket);
    if (result < 0) {
        bypeer_log_limited(&engine->log_limit, BYPEER_LOG_WARNING,
                           "WireGuard: UDP port %u cannot be had on one of its addresses: %s; tried again every 5 s",
                           port, uv_strerror(result));
        return NULL;
    }
    socket->port = port;
    return socket;
}

void wireguard_follow_addresses(struct bypeer_wireguard *engine)
{
    uint8_t addresses[WIREGUARD_SOCKETS_MAX][16];
    struct wireguard_socket *before[WIREGUARD_SOCKETS_MAX];
    const struct bypeer_config *config = engine->node->config;
    unsigned wanted = sockets_wanted(config, addresses), before_count = engine->socket_count;
    memcpy(before, engine->sockets, sizeof(before));
    memset(engine->sockets, 0, sizeof(engine->sockets));
    engine->socket_count = 0;
    for (unsigned at = 0; at < wanted; at++) {
        struct wireguard_socket *socket =
            sockets_take_over(before, before_count, addresses[at], config->wireguard.port);
        if (!socket && !wireguard_is_own(engine, addresses[at]))
            socket = sockets_make(engine, addresses[at], config->wireguard.port);
        if (!socket)
            continue;
        engine->sockets[engine->socket_count++] = socket;
    }
    for (unsigned at = 0; at < before_count; at++)
        if (before[at])
            sockets_leave(engine, before[at]);
    for (unsigned at = 0; at < engine->socket_count; at++)
        if (!engine->sockets[at]->is_entered)
            sockets_enter(engine, engine->sockets[at]);
    wireguard_read(engine, engine->is_live);
}

void wireguard_close_sockets(struct bypeer_wireguard *engine)
{
    for (unsigned at = 0; at < engine->socket_count; at++)
        sockets_close(engine->sockets[at]);
    engine->socket_count = 0;
}
