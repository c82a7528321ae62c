#include "control/names/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/names/dns_answer.h"
#include "control/names/dns_tcp.h"

#define RECEIVE_BYTES 1232

/* A question that came by UDP and waits for its answer. */
struct asked {
    struct dns_listener *listener;
    struct asked *next, **link; /* of the listener's list */
    struct sockaddr_storage from;
    struct dns_question question;
};

struct dns_listener {
    struct bypeer_dns *dns;
    uv_udp_t udp;
    struct asked *asked;
    struct dns_tcp tcp;
};

struct bypeer_dns {
    struct bypeer_hosts *hosts;
    struct dns_rates rates;
    unsigned handles;
    unsigned count;
    struct dns_listener listeners[BYPEER_CONFIG_DNS_MAX];
};

static void asked_free(struct asked *asked)
{
    *asked->link = asked->next;
    if (asked->next)
        asked->next->link = asked->link;
    free(asked);
}

/* What the kernel does not take at once is lost, as datagrams are; the client asks again. */
static void listener_send(struct dns_listener *listener, const struct sockaddr *to, uint8_t *bytes, size_t length)
{
    uv_buf_t part = uv_buf_init((char *)bytes, (unsigned)length);
    if (length > 0)
        uv_udp_try_send(&listener->udp, &part, 1, to);
}

static void asked_on_answer(void *context, const struct bypeer_dns_answer *answer)
{
    struct asked *asked = context;
    const struct bypeer_dns_query *query = &asked->question.query;
    uint8_t bytes[BYPEER_DNS_UDP_BYTES];
    size_t length = bypeer_dns_write(bytes, query->answer_bytes, query, answer);
    listener_send(asked->listener, (const struct sockaddr *)&asked->from, bytes, length);
    asked_free(asked);
}

static void listener_ask(struct dns_listener *listener, const struct bypeer_dns_query *query,
                         const struct sockaddr *from)
{
    struct asked *asked = calloc(1, sizeof(*asked));
    if (!asked)
        return;
    asked->listener = listener;
    asked->next = listener->asked;
    asked->link = &listener->asked;
    if (asked->next)
        asked->next->link = &asked->next;
    listener->asked = asked;
    memcpy(&asked->from, from, from->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    struct bypeer_dns_answer answer;
    if (dns_question_ask(&asked->question, listener->dns->hosts, query, &answer, asked_on_answer, asked))
        asked_on_answer(asked, &answer);
}

static void listener_on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    static char bytes[RECEIVE_BYTES];
    *buffer = uv_buf_init(bytes, sizeof(bytes));
}

static void listener_on_datagram(uv_udp_t *udp, ssize_t length, const uv_buf_t *buffer, const struct sockaddr *from,
                                 unsigned flags)
{
    struct dns_listener *listener = udp->data;
    struct bypeer_dns_query query;
    if (length <= 0 || !from || flags & UV_UDP_PARTIAL ||
        bypeer_dns_read(&query, (const uint8_t *)buffer->base, (size_t)length) < 0)
        return;
    if (dns_rates_take(&listener->dns->rates, from, uv_now(udp->loop))) {
        listener_ask(listener, &query, from);
        return;
    }
    uint8_t bytes[BYPEER_DNS_UDP_BYTES];
    struct bypeer_dns_answer answer = {.truncated = true};
    listener_send(listener, from, bytes, bypeer_dns_write(bytes, query.answer_bytes, &query, &answer));
}

/* --- open and close --- */

static void dns_on_closed(void *context)
{
    struct bypeer_dns *dns = context;
    if (--dns->handles == 0)
        free(dns);
}

static void listener_on_closed(uv_handle_t *handle)
{
    struct dns_listener *listener = handle->data;
    dns_on_closed(listener->dns);
}

static socklen_t endpoint_address(const struct bypeer_config_endpoint *endpoint, struct sockaddr_storage *ret_address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(endpoint->address, mapped, sizeof(mapped)) == 0) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
        *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
        memcpy(&v4->sin_addr, endpoint->address + 12, 4);
        return sizeof(*v4);
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;
    *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};
    memcpy(&v6->sin6_addr, endpoint->address, 16);
    return sizeof(*v6);
}

/* Bound, also to an address that comes later: a port's, when the data plane is there. */
static int socket_bind(int type, const struct sockaddr_storage *address, socklen_t bytes)
{
    int on = 1;
    int fd = socket(address->ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    bool bound = setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) == 0;
    if (address->ss_family == AF_INET6)
        bound = bound && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0;
    if (type == SOCK_STREAM)
        bound = bound && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0;
    if (bound && bind(fd, (const struct sockaddr *)address, bytes) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

static int listener_open(struct dns_listener *listener, uv_loop_t *loop, const struct bypeer_config_endpoint *endpoint)
{
    struct bypeer_dns *dns = listener->dns;
    struct sockaddr_storage address;
    socklen_t bytes = endpoint_address(endpoint, &address);
    uv_udp_init(loop, &listener->udp);
    listener->udp.data = listener;
    dns_tcp_init(&listener->tcp, loop, dns->hosts, dns_on_closed, dns);
    dns->handles += 2;
    int fd = socket_bind(SOCK_DGRAM, &address, bytes);
    int result = fd < 0 ? fd : uv_udp_open(&listener->udp, fd);
    if (fd >= 0 && result < 0)
        close(fd);
    if (result == 0)
        result = uv_udp_recv_start(&listener->udp, listener_on_room, listener_on_datagram);
    if (result < 0)
        return result;
    fd = socket_bind(SOCK_STREAM, &address, bytes);
    return fd < 0 ? fd : dns_tcp_listen(&listener->tcp, fd);
}

int bypeer_dns_open(struct bypeer_dns **ret_dns, uv_loop_t *loop, struct bypeer_hosts *hosts,
                    const struct bypeer_config_endpoint *endpoints, unsigned count, struct bypeer_problem *problem)
{
    struct bypeer_dns *dns = calloc(1, sizeof(*dns));
    if (!dns || count == 0) {
        free(dns);
        return bypeer_problem_no_memory(problem);
    }
    dns->hosts = hosts;
    dns_rates_init(&dns->rates);
    for (unsigned at = 0; at < count; at++) {
        struct dns_listener *listener = &dns->listeners[dns->count++];
        listener->dns = dns;
        int result = listener_open(listener, loop, &endpoints[at]);
        if (result == 0)
            continue;
        char text[INET6_ADDRSTRLEN];
        inet_ntop(AF_INET6, endpoints[at].address, text, sizeof(text));
        bypeer_problem_set(
            problem, result, "dns",
            "names.dns: [%s]:%u\ncannot be listened on: %s\nchoose another port, or end who uses it; ports "
            "below 1024 need CAP_NET_BIND_SERVICE",
            text, endpoints[at].port, uv_strerror(result));
        bypeer_dns_close(dns);
        return result;
    }
    *ret_dns = dns;
    return 0;
}

void bypeer_dns_close(struct bypeer_dns *dns)
{
    if (!dns)
        return;
    for (unsigned at = 0; at < dns->count; at++) {
        struct dns_listener *listener = &dns->listeners[at];
        for (struct asked *asked = listener->asked, *next; asked; asked = next) {
            next = asked->next;
            dns_question_cancel(&asked->question);
            free(asked);
        }
        uv_close((uv_handle_t *)&listener->udp, listener_on_closed);
        dns_tcp_close(&listener->tcp);
    }
}
