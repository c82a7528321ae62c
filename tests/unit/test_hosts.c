/*
 * Names for programs: NSS and DNS on their sockets, over a resolver that the test plays. The NSS client is the module's
 * own, DNS messages are bytes.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/names/dns.h"
#include "control/names/dns_answer.h"
#include "control/names/nss.h"
#include "overlay/ip/wire.h"
#include "tools/nss/ask.h"

#define AUTHORITY ".p4562b4628ac54782dda52789038476237e7c7263.pnrp.net"

/* --- the resolver: what happens is in the name --- */

struct bypeer_names {
    uv_loop_t *loop;
    atomic_uint open; /* resolves under way */
};

struct bypeer_names_resolve {
    struct bypeer_names *names;
    uv_timer_t timer;
    const struct bypeer_names_callbacks *callbacks;
    void *context;
    char classifier[64];
};

static const struct bypeer_application good[] = {
    {.address = {[15] = 1}},                                       /* loopback */
    {.address = {0xfe, 0x80, [15] = 1}},                           /* link-local */
    {.address = {0xff, 2, [15] = 1}},                              /* multicast */
    {.address = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}}, /* loopback in disguise */
    {.address = {0x20, 1, 0xd, 0xb8, [15] = 1}, .port = 80},
    {.address = {0x20, 1, 0xd, 0xb8, [15] = 1}, .port = 443}, /* the same again */
    {.address = {0xfd, 0, [15] = 2}},
};

static void resolve_on_freed(uv_handle_t *handle)
{
    free(handle->data);
}

static void resolve_end(struct bypeer_names_resolve *resolve)
{
    resolve->names->open--;
    uv_close((uv_handle_t *)&resolve->timer, resolve_on_freed);
}

static void resolve_on_timer(uv_timer_t *timer)
{
    struct bypeer_names_resolve *resolve = timer->data;
    struct bypeer_pnrp_found found = {.applications = good, .application_count = 7};
    if (strcmp(resolve->classifier, "server") == 0) {
        resolve->callbacks->found(resolve->context, "global", &found);
        return; /* cancelled by whoever was called */
    }
    if (strcmp(resolve->classifier, "unfit") == 0) {
        found.application_count = 4;
        resolve->callbacks->found(resolve->context, "link", &found);
    }
    void *context = resolve->context;
    const struct bypeer_names_callbacks *callbacks = resolve->callbacks;
    int status = strcmp(resolve->classifier, "unfit") == 0   ? 0
                 : strcmp(resolve->classifier, "alone") == 0 ? -ENETUNREACH
                 : strcmp(resolve->classifier, "mute") == 0  ? -ETIMEDOUT
                 : strcmp(resolve->classifier, "full") == 0  ? -ENOSPC
                                                             : -ENOENT;
    resolve_end(resolve);
    callbacks->finished(context, status);
}

static int resolve_begin(struct bypeer_names *names, const struct bypeer_names_query *query,
                         const struct bypeer_names_callbacks *callbacks, void *context,
                         struct bypeer_names_resolve **ret_resolve, struct bypeer_problem *problem)
{
    (void)problem;
    struct bypeer_names_resolve *resolve = calloc(1, sizeof(*resolve));
    *resolve = (struct bypeer_names_resolve){.names = names, .callbacks = callbacks, .context = context};
    for (unsigned at = 0; at < query->name->classifier_length && at < 63; at++)
        resolve->classifier[at] = (char)query->name->classifier[at];
    uv_timer_init(names->loop, &resolve->timer);
    resolve->timer.data = resolve;
    if (strcmp(resolve->classifier, "slow") != 0)
        uv_timer_start(&resolve->timer, resolve_on_timer, 1, 0);
    names->open++;
    *ret_resolve = resolve;
    return 0;
}

/* --- the daemon's side, on a thread of its own --- */

static uv_loop_t loop;
static uv_async_t stop, settle;
static pthread_t thread;
static sem_t settled;
static char directory[] = "/tmp/bypeer-hosts-XXXXXX", path[64];
static struct bypeer_names names = {.loop = &loop};
static struct bypeer_hosts hosts = {.resolver = {&names, resolve_begin, resolve_end}};
static struct bypeer_nss *nss;
static struct bypeer_dns *dns;
static struct bypeer_config_endpoint endpoints[2] = {{.address = {[15] = 1}},
                                                     {.address = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}}};

static void on_stop(uv_async_t *handle)
{
    bypeer_nss_close(nss);
    bypeer_dns_close(dns);
    uv_close((uv_handle_t *)&settle, NULL);
    uv_close((uv_handle_t *)handle, NULL);
}

static void on_settle(uv_async_t *handle)
{
    (void)handle;
    sem_post(&settled);
}

static void *run_loop(void *unused)
{
    (void)unused;
    uv_run(&loop, UV_RUN_DEFAULT);
    return NULL;
}

/* A port that is free on ::1 for both protocols; who takes it meanwhile makes the test fail. */
static uint16_t free_port(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, length), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin6_port);
}

static void set_up(void)
{
    struct bypeer_problem problem;
    char text[BYPEER_PROBLEM_TEXT];
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/names.sock", directory);
    endpoints[0].port = endpoints[1].port = free_port();
    sem_init(&settled, 0, 0);
    uv_loop_init(&loop);
    uv_async_init(&loop, &stop, on_stop);
    uv_async_init(&loop, &settle, on_settle);
    cr_assert_eq(bypeer_nss_open(&nss, &loop, &hosts, path, &problem), 0);
    cr_assert_eq(bypeer_dns_open(&dns, &loop, &hosts, endpoints, 2, &problem), 0, "%s",
                 bypeer_problem_text(&problem, text));
    cr_assert_eq(pthread_create(&thread, NULL, run_loop, NULL), 0);
    setenv("BYPEER_NAMES_SOCKET", path, 1);
}

static void tear_down(void)
{
    uv_async_send(&stop);
    pthread_join(thread, NULL);
    cr_assert_eq(uv_loop_close(&loop), 0, "nothing is left open");
    cr_assert_eq(names.open, 0, "no resolve is left");
    cr_assert_eq(hosts.questions, 0);
    unlink(path);
    rmdir(directory);
}

TestSuite(hosts, .init = set_up, .fini = tear_down, .timeout = 60);

/* Lets the loop do what has reached it. */
static void settle_loop(void)
{
    for (unsigned turn = 0; turn < 2; turn++) {
        uv_async_send(&settle);
        sem_wait(&settled);
    }
}

/* --- NSS --- */

Test(hosts, a_secure_name_has_the_addresses_that_are_fit)
{
    uint8_t addresses[ANSWER_ADDRESSES][16];
    cr_assert_eq(ask_addresses("server" AUTHORITY, addresses), 2);
    cr_expect_arr_eq(addresses[0], good[4].address, 16);
    cr_expect_arr_eq(addresses[1], good[6].address, 16);
    cr_expect_eq(ask_addresses("SERVER" AUTHORITY ".", addresses), 2, "host names have no case");
}

Test(hosts, what_is_not_there_or_not_fit_is_not_found)
{
    uint8_t addresses[ANSWER_ADDRESSES][16];
    cr_expect_eq(ask_addresses("nobody" AUTHORITY, addresses), 0);
    cr_expect_eq(ask_addresses("unfit" AUTHORITY, addresses), 0);
    cr_expect_eq(ask_addresses("alone" AUTHORITY, addresses), 0);
    cr_expect_eq(ask_addresses("mute" AUTHORITY, addresses), 0);
    cr_expect_eq(ask_addresses("two.labels" AUTHORITY, addresses), 0);
    cr_expect_eq(ask_addresses("www.example.net", addresses), 0);
}

Test(hosts, unsecured_names_only_when_allowed)
{
    uint8_t addresses[ANSWER_ADDRESSES][16];
    cr_expect_eq(ask_addresses("server.pnrp.net", addresses), 0);
    hosts.unsecured = true;
    cr_expect_eq(ask_addresses("server.pnrp.net", addresses), 2);
}

static int nss_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void expect_said(int fd, const char *text)
{
    char said[128] = "";
    cr_expect_eq(recv(fd, said, strlen(text), MSG_WAITALL), (ssize_t)strlen(text));
    cr_expect_str_eq(said, text);
}

Test(hosts, who_has_to_wait_hears_so_at_once)
{
    int fd = nss_connect();
    send(fd, "slow" AUTHORITY "\n", strlen("slow" AUTHORITY "\n"), MSG_NOSIGNAL);
    expect_said(fd, "WAIT\n");
    settle_loop();
    cr_expect_eq(names.open, 1);
    close(fd);
    settle_loop();
    cr_expect_eq(names.open, 0, "nobody waits any more, so nobody is asked any more");
}

Test(hosts, a_question_may_come_in_pieces)
{
    static const char question[] = "server" AUTHORITY "\n";
    int fd = nss_connect();
    for (size_t at = 0; at < strlen(question); at++)
        send(fd, question + at, 1, MSG_NOSIGNAL);
    expect_said(fd, "WAIT\nOK 2\n2001:db8::1\nfd00::2\n");
    char more;
    cr_expect_eq(recv(fd, &more, 1, 0), 0, "one question a connection");
    close(fd);
}

Test(hosts, what_is_no_question_ends_the_connection)
{
    char line[300], more;
    memset(line, 'a', sizeof(line));
    int fd = nss_connect();
    send(fd, line, sizeof(line), MSG_NOSIGNAL);
    cr_expect_leq(recv(fd, &more, 1, 0), 0);
    close(fd);
    fd = nss_connect();
    send(fd, "a b\n", 4, MSG_NOSIGNAL);
    cr_expect_leq(recv(fd, &more, 1, 0), 0);
    close(fd);
}

Test(hosts, everybody_may_ask)
{
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    cr_expect_eq(status.st_mode & 0777, 0666);
}

Test(hosts, connections_are_bounded)
{
    int fds[140];
    for (unsigned at = 0; at < 140; at++)
        fds[at] = nss_connect();
    settle_loop();
    unsigned ended = 0;
    for (unsigned at = 0; at < 140; at++) {
        struct pollfd ready = {.fd = fds[at], .events = POLLIN};
        ended += poll(&ready, 1, 0) > 0;
    }
    cr_expect_eq(ended, 12);
    for (unsigned at = 0; at < 140; at++)
        close(fds[at]);
    settle_loop();
    uint8_t addresses[ANSWER_ADDRESSES][16];
    cr_expect_eq(ask_addresses("server" AUTHORITY, addresses), 2, "there is room again");
}

/* --- DNS --- */

struct reply {
    uint8_t bytes[2048];
    size_t length;
};

/* A query for name, as a stub resolver writes it. */
static size_t make_query(uint8_t *bytes, const char *name, uint16_t type, uint16_t id)
{
    static const uint8_t header[10] = {1, 0, 0, 1};
    bypeer_store16(bytes, id);
    memcpy(bytes + 2, header, sizeof(header));
    uint8_t *at = bytes + 12;
    while (*name) {
        size_t label = strcspn(name, ".");
        *at++ = (uint8_t)label;
        memcpy(at, name, label);
        at += label;
        name += label + (name[label] == '.');
    }
    *at++ = 0;
    bypeer_store16(at, type);
    bypeer_store16(at + 2, 1);
    return (size_t)(at + 4 - bytes);
}

static int dns_connect(int type, int family)
{
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback, .sin6_port = htons(endpoints[0].port)};
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(endpoints[1].port)};
    int fd = socket(family, type, 0);
    cr_assert_eq(family == AF_INET ? connect(fd, (struct sockaddr *)&v4, sizeof(v4))
                                   : connect(fd, (struct sockaddr *)&v6, sizeof(v6)),
                 0);
    return fd;
}

static struct reply ask_udp_at(int fd, const char *name, uint16_t type)
{
    struct reply reply;
    uint8_t query[512];
    size_t length = make_query(query, name, type, 7);
    cr_assert_eq(send(fd, query, length, 0), (ssize_t)length);
    ssize_t got = recv(fd, reply.bytes, sizeof(reply.bytes), 0);
    cr_assert_geq(got, 12);
    reply.length = (size_t)got;
    cr_expect_eq(bypeer_load16(reply.bytes), 7);
    return reply;
}

static struct reply ask_udp(const char *name, uint16_t type)
{
    int fd = dns_connect(SOCK_DGRAM, AF_INET6);
    struct reply reply = ask_udp_at(fd, name, type);
    close(fd);
    return reply;
}

#define EXPECT_REPLY(reply, code, answer_count, authority_count)         \
    do {                                                                 \
        cr_expect_eq((reply).bytes[3] & 0xf, code);                      \
        cr_expect_eq(bypeer_load16((reply).bytes + 6), answer_count);    \
        cr_expect_eq(bypeer_load16((reply).bytes + 8), authority_count); \
    } while (0)

Test(hosts, dns_answers_aaaa)
{
    struct reply reply = ask_udp("server" AUTHORITY, 28);
    EXPECT_REPLY(reply, 0, 2, 0);
    cr_expect_arr_eq(reply.bytes + reply.length - 16, good[6].address, 16);
    cr_expect_arr_eq(reply.bytes + reply.length - 16 - 28, good[4].address, 16);
    cr_expect_eq(bypeer_load32(reply.bytes + reply.length - 22), 30, "seconds to live");
    int fd = dns_connect(SOCK_DGRAM, AF_INET);
    reply = ask_udp_at(fd, "server" AUTHORITY, 28);
    EXPECT_REPLY(reply, 0, 2, 0);
    close(fd);
}

Test(hosts, dns_says_no_in_the_right_way)
{
    EXPECT_REPLY(ask_udp("server" AUTHORITY, 1), 0, 0, 1);
    EXPECT_REPLY(ask_udp("unfit" AUTHORITY, 28), 0, 0, 1);
    EXPECT_REPLY(ask_udp("nobody" AUTHORITY, 28), 3, 0, 1);
    EXPECT_REPLY(ask_udp("nobody" AUTHORITY, 1), 3, 0, 1);
    EXPECT_REPLY(ask_udp("alone" AUTHORITY, 28), 2, 0, 0);
    EXPECT_REPLY(ask_udp("mute" AUTHORITY, 28), 2, 0, 0);
    EXPECT_REPLY(ask_udp("full" AUTHORITY, 28), 2, 0, 0);
    EXPECT_REPLY(ask_udp("server.pnrp.net", 28), 3, 0, 1);
    EXPECT_REPLY(ask_udp("www.example.net", 28), 5, 0, 0);
    EXPECT_REPLY(ask_udp("net", 28), 5, 0, 0);
    EXPECT_REPLY(ask_udp("", 28), 5, 0, 0);
    EXPECT_REPLY(ask_udp("pnrp.net", 6), 0, 1, 0);
    EXPECT_REPLY(ask_udp("pnrp.net", 28), 0, 0, 1);
    EXPECT_REPLY(ask_udp(&AUTHORITY[1], 28), 0, 0, 1);
}

Test(hosts, dns_over_tcp_answers_one_after_the_other)
{
    uint8_t queries[1024];
    size_t used = 0;
    for (uint16_t id = 0; id < 3; id++) {
        size_t length = make_query(queries + used + 2, id == 1 ? "www.example.net" : "server" AUTHORITY, 28, id);
        bypeer_store16(queries + used, (uint16_t)length);
        used += 2 + length;
    }
    int fd = dns_connect(SOCK_STREAM, AF_INET6);
    cr_assert_eq(send(fd, queries, 1, 0), 1);
    settle_loop();
    cr_assert_eq(send(fd, queries + 1, used - 1, 0), (ssize_t)(used - 1));
    for (uint16_t id = 0; id < 3; id++) {
        struct reply reply;
        uint8_t prefix[2];
        cr_assert_eq(recv(fd, prefix, 2, MSG_WAITALL), 2);
        reply.length = bypeer_load16(prefix);
        cr_assert_eq(recv(fd, reply.bytes, reply.length, MSG_WAITALL), (ssize_t)reply.length);
        cr_expect_eq(bypeer_load16(reply.bytes), id);
        EXPECT_REPLY(reply, id == 1 ? 5 : 0, id == 1 ? 0 : 2, 0);
    }
    static const uint8_t longer[2] = {0xff, 0xff};
    cr_assert_eq(send(fd, longer, 2, 0), 2);
    cr_expect_leq(recv(fd, queries, 1, 0), 0, "nobody asks so much");
    close(fd);
}

Test(hosts, dns_lets_no_source_make_it_talk_more_than_it_hears)
{
    int fd = dns_connect(SOCK_DGRAM, AF_INET6);
    struct reply reply;
    do
        reply = ask_udp_at(fd, "server" AUTHORITY, 28);
    while (!(reply.bytes[2] & 2));
    EXPECT_REPLY(reply, 0, 0, 0);
    cr_expect_eq(reply.length, 12 + 1 + strlen("server" AUTHORITY) + 1 + 4, "as long as the question");
    close(fd);
}

Test(hosts, a_source_gets_its_answers_a_second)
{
    struct dns_rates rates;
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr.s6_addr = {0x20, 1, 0xd, 0xb8}};
    dns_rates_init(&rates);
    for (unsigned at = 0; at < DNS_RATE_ANSWERS; at++) {
        v6.sin6_addr.s6_addr[15] = (uint8_t)at; /* one /64 is one source */
        v6.sin6_port = htons((uint16_t)at);
        cr_assert(dns_rates_take(&rates, (struct sockaddr *)&v6, 5000 + at));
    }
    cr_expect_not(dns_rates_take(&rates, (struct sockaddr *)&v6, 5999));
    cr_expect(dns_rates_take(&rates, (struct sockaddr *)&v6, 6000));
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(0xc0000201)}};
    for (unsigned at = 0; at < DNS_RATE_ANSWERS; at++)
        cr_assert(dns_rates_take(&rates, (struct sockaddr *)&v4, 7000));
    cr_expect_not(dns_rates_take(&rates, (struct sockaddr *)&v4, 7000));
}

Test(hosts, dns_questions_are_bounded)
{
    uint8_t query[512];
    size_t length = make_query(query, "slow" AUTHORITY, 28, 1);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(endpoints[1].port)};
    for (unsigned at = 0; at < BYPEER_HOSTS_DNS_MAX + 50; at++) {
        /* From many sources, so that none gets too much. */
        struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f000101 + at % 200)}};
        int sender = socket(AF_INET, SOCK_DGRAM, 0);
        cr_assert_eq(bind(sender, (struct sockaddr *)&from, sizeof(from)), 0);
        cr_assert_eq(sendto(sender, query, length, 0, (struct sockaddr *)&to, sizeof(to)), (ssize_t)length);
        close(sender);
        if (at % 50 == 49)
            settle_loop(); /* so that the kernel's queue holds them all */
    }
    settle_loop();
    cr_expect_eq(names.open, BYPEER_HOSTS_DNS_MAX);
    EXPECT_REPLY(ask_udp("server" AUTHORITY, 28), 2, 0, 0);
    uint8_t addresses[ANSWER_ADDRESSES][16];
    cr_expect_eq(ask_addresses("server" AUTHORITY, addresses), 2, "programs of this host are answered all the same");
}
