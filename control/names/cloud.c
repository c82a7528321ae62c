#include "control/names/cloud.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "control/names/addresses.h"
#include "control/names/discovery.h"

#define RECEIVE_BYTES  (4u << 20) /* of a socket's buffer in the kernel, as far as it allows */
#define DATAGRAM_BYTES 65536      /* libuv's room for each of a batch */
#define BATCH          8

struct bypeer_cloud_socket {
    struct bypeer_cloud *cloud; /* NULL: closing */
    struct bypeer_cloud *owner;
    uv_udp_t handle;
    uint8_t address[16];
    unsigned local; /* its place among the own endpoints */
};

struct bypeer_pnrp_time bypeer_cloud_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct bypeer_pnrp_time){.ms = uv_hrtime() / 1000000, .unix_s = (uint64_t)now.tv_sec};
}

const struct bypeer_profile *bypeer_cloud_profile(const struct bypeer_config_cloud *config)
{
    return bypeer_profile(config->profile == BYPEER_CLOUD_WINDOWS ? BYPEER_PROFILE_WINDOWS : BYPEER_PROFILE_MODERN);
}

/* --- the end --- */

static void cloud_let_go(struct bypeer_cloud *cloud)
{
    if (--cloud->handles > 0)
        return;
    bypeer_pnrp_free(cloud->pnrp);
    cloud->pnrp = NULL;
    cloud->hooks->closed(cloud);
    free(cloud);
}

static void cloud_on_timer_closed(uv_handle_t *handle)
{
    cloud_let_go(handle->data);
}

static void cloud_on_socket_closed(uv_handle_t *handle)
{
    struct bypeer_cloud_socket *socket = handle->data;
    struct bypeer_cloud *cloud = socket->owner;
    free(socket);
    cloud_let_go(cloud);
}

static void cloud_close_socket(struct bypeer_cloud_socket *socket)
{
    socket->cloud = NULL;
    uv_close((uv_handle_t *)&socket->handle, cloud_on_socket_closed);
}

void bypeer_cloud_close(struct bypeer_cloud *cloud)
{
    if (cloud->closing)
        return;
    cloud->closing = true;
    for (unsigned at = 0; at < BYPEER_CONFIG_CLOUD_ADDRESSES; at++)
        if (cloud->sockets[at])
            cloud_close_socket(cloud->sockets[at]);
    memset(cloud->sockets, 0, sizeof(cloud->sockets));
    bypeer_discovery_close(cloud->discovery);
    cloud->discovery = NULL;
    uv_close((uv_handle_t *)&cloud->timer, cloud_on_timer_closed);
}

/* --- what the protocol asks for --- */

static void cloud_address(struct sockaddr_in6 *ret_address, const struct bypeer_cloud *cloud,
                          const uint8_t address[static 16], uint16_t port)
{
    *ret_address = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&ret_address->sin6_addr, address, 16);
    if (IN6_IS_ADDR_LINKLOCAL(&ret_address->sin6_addr))
        ret_address->sin6_scope_id = cloud->interface;
}

/* A datagram that the kernel has no room for is lost like any other on the way. */
static void cloud_on_send(void *context, unsigned local, const struct bypeer_pnrp_endpoint *to, const uint8_t *bytes,
                          size_t length)
{
    struct bypeer_cloud *cloud = context;
    struct sockaddr_in6 address;
    if (local >= BYPEER_CONFIG_CLOUD_ADDRESSES || !cloud->sockets[local]) {
        cloud->unsent++;
        return;
    }
    cloud_address(&address, cloud, to->address, to->port);
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)length);
    if (uv_udp_try_send(&cloud->sockets[local]->handle, &buffer, 1, (const struct sockaddr *)&address) < 0)
        cloud->unsent++;
}

static void cloud_run_job(uv_work_t *work)
{
    const struct bypeer_cloud_job *job = work->data;
    bypeer_pnrp_job_run(job->job);
}

static void cloud_on_job(uv_work_t *work, int status)
{
    (void)status;
    struct bypeer_cloud_job *job = work->data;
    struct bypeer_cloud *cloud = job->cloud;
    struct bypeer_pnrp_job *done = job->job;
    job->job = NULL;
    bypeer_pnrp_job_done(cloud->pnrp, bypeer_cloud_now(), done);
    bypeer_cloud_touched(cloud);
    cloud_let_go(cloud);
}

static bool cloud_on_wanted_job(void *context, struct bypeer_pnrp_job *wanted)
{
    struct bypeer_cloud *cloud = context;
    unsigned at = 0;
    while (at < BYPEER_CLOUD_JOBS && cloud->jobs[at].job)
        at++;
    if (at == BYPEER_CLOUD_JOBS)
        return false;
    struct bypeer_cloud_job *job = &cloud->jobs[at];
    job->cloud = cloud;
    job->job = wanted;
    job->work.data = job;
    if (uv_queue_work(cloud->loop, &job->work, cloud_run_job, cloud_on_job) < 0) {
        job->job = NULL;
        return false;
    }
    cloud->handles++;
    return true;
}

static void cloud_on_found(void *context, uint64_t resolve, const struct bypeer_pnrp_found *found)
{
    struct bypeer_cloud *cloud = context;
    cloud->hooks->found(cloud, resolve, found);
}

static void cloud_on_hop(void *context, uint64_t resolve, const struct bypeer_pnrp_hop *hop)
{
    struct bypeer_cloud *cloud = context;
    cloud->hooks->hop(cloud, resolve, hop);
}

static void cloud_on_finished(void *context, uint64_t resolve, int status)
{
    struct bypeer_cloud *cloud = context;
    cloud->hooks->finished(cloud, resolve, status);
}

static void cloud_on_unregistered(void *context, uint64_t registration)
{
    struct bypeer_cloud *cloud = context;
    cloud->hooks->unregistered(cloud, registration);
}

static void cloud_on_known(void *context, enum bypeer_cache_change change, const struct bypeer_route *route)
{
    struct bypeer_cloud *cloud = context;
    cloud->hooks->known(cloud, change, route);
}

static void cloud_on_discover(void *context, enum bypeer_pnrp_discovery what)
{
    struct bypeer_cloud *cloud = context;
    if (!cloud->discovery)
        return;
    if (what == BYPEER_DISCOVER_SSDP)
        bypeer_discovery_search(cloud->discovery);
    else
        bypeer_discovery_advertise(cloud->discovery, what == BYPEER_ADVERTISE_START);
}

static void cloud_on_state(void *context, enum bypeer_pnrp_state state)
{
    static const char *const states[] = {"virtual",  "synchronizing", "active", "dead",
                                         "disabled", "no network",    "alone"};
    struct bypeer_cloud *cloud = context;
    bypeer_log_limited(&cloud->log_limit, BYPEER_LOG_INFO, "cloud %s: %s", cloud->config.name, states[state]);
}

static const struct bypeer_pnrp_sink cloud_sink = {
    .send = cloud_on_send,
    .job = cloud_on_wanted_job,
    .found = cloud_on_found,
    .hop = cloud_on_hop,
    .finished = cloud_on_finished,
    .unregistered = cloud_on_unregistered,
    .known = cloud_on_known,
    .discover = cloud_on_discover,
    .state = cloud_on_state,
};

/* --- datagrams --- */

static void cloud_on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    /* One loop reads one socket at a time, and the protocol keeps nothing of a datagram. */
    static _Thread_local char room[BATCH * DATAGRAM_BYTES];
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(room, sizeof(room));
}

static void cloud_on_datagram(uv_udp_t *handle, ssize_t length, const uv_buf_t *buffer, const struct sockaddr *from,
                              unsigned flags)
{
    struct bypeer_cloud_socket *socket = handle->data;
    struct bypeer_cloud *cloud = socket->cloud;
    if (length < 0 || !from || from->sa_family != AF_INET6 || (flags & UV_UDP_PARTIAL) != 0 || !cloud)
        return;
    struct sockaddr_in6 source;
    struct bypeer_pnrp_endpoint endpoint;
    memcpy(&source, from, sizeof(source));
    memcpy(endpoint.address, &source.sin6_addr, 16);
    endpoint.port = ntohs(source.sin6_port);
    bypeer_pnrp_receive(cloud->pnrp, bypeer_cloud_now(), socket->local, &endpoint, (const uint8_t *)buffer->base,
                        (size_t)length);
    bypeer_cloud_touched(cloud);
}

/* A socket bound to an own address; *ret_error says why there is none. */
static struct bypeer_cloud_socket *cloud_open_socket(struct bypeer_cloud *cloud, const uint8_t address[static 16],
                                                     int *ret_error)
{
    struct bypeer_cloud_socket *socket = calloc(1, sizeof(*socket));
    if (!socket) {
        *ret_error = UV_ENOMEM;
        return NULL;
    }
    int result = uv_udp_init_ex(cloud->loop, &socket->handle, AF_INET6 | UV_UDP_RECVMMSG);
    if (result < 0) {
        free(socket);
        *ret_error = result;
        return NULL;
    }
    socket->cloud = socket->owner = cloud;
    socket->handle.data = socket;
    memcpy(socket->address, address, 16);
    cloud->handles++;
    struct sockaddr_in6 bound;
    cloud_address(&bound, cloud, address, cloud->config.port);
    result = uv_udp_bind(&socket->handle, (const struct sockaddr *)&bound, UV_UDP_IPV6ONLY);
    if (result == 0)
        result = uv_udp_recv_start(&socket->handle, cloud_on_room, cloud_on_datagram);
    if (result < 0) {
        *ret_error = result;
        cloud_close_socket(socket);
        return NULL;
    }
    int bytes = RECEIVE_BYTES;
    uv_recv_buffer_size((uv_handle_t *)&socket->handle, &bytes);
    return socket;
}

static struct bypeer_cloud_socket *cloud_take_socket(struct bypeer_cloud_socket *sockets[], const uint8_t address[16])
{
    for (unsigned at = 0; at < BYPEER_CONFIG_CLOUD_ADDRESSES; at++) {
        struct bypeer_cloud_socket *socket = sockets[at];
        if (!socket || memcmp(socket->address, address, 16) != 0)
            continue;
        sockets[at] = NULL;
        return socket;
    }
    return NULL;
}

static void cloud_tell_endpoints(struct bypeer_cloud *cloud, const struct bypeer_pnrp_endpoint *endpoints,
                                 unsigned count)
{
    if (count == cloud->endpoint_count && memcmp(endpoints, cloud->endpoints, count * sizeof(*endpoints)) == 0)
        return;
    memcpy(cloud->endpoints, endpoints, count * sizeof(*endpoints));
    cloud->endpoint_count = count;
    bypeer_pnrp_set_endpoints(cloud->pnrp, bypeer_cloud_now(), endpoints, count);
    bypeer_cloud_touched(cloud);
    if (cloud->discovery)
        bypeer_discovery_set_endpoint(cloud->discovery, count > 0 ? &endpoints[0] : NULL, cloud->interface);
    cloud->hooks->endpoints(cloud);
}

void bypeer_cloud_follow_addresses(struct bypeer_cloud *cloud, const struct bypeer_config *config)
{
    uint8_t addresses[BYPEER_CONFIG_CLOUD_ADDRESSES][16];
    struct bypeer_pnrp_endpoint endpoints[BYPEER_CONFIG_CLOUD_ADDRESSES] = {0};
    struct bypeer_cloud_socket *before[BYPEER_CONFIG_CLOUD_ADDRESSES];
    unsigned wanted = cloud->config.address_count, count = 0;
    if (cloud->closing)
        return;
    if (cloud->config.interface[0] != '\0')
        cloud->interface = if_nametoindex(cloud->config.interface);
    if (wanted > 0)
        memcpy(addresses, cloud->config.addresses, sizeof(addresses));
    else
        wanted = bypeer_addresses_find(config, &cloud->config, addresses);
    memcpy(before, cloud->sockets, sizeof(before));
    memset(cloud->sockets, 0, sizeof(cloud->sockets));
    for (unsigned at = 0; at < wanted; at++) {
        int error = 0;
        struct bypeer_cloud_socket *socket = cloud_take_socket(before, addresses[at]);
        if (!socket)
            socket = cloud_open_socket(cloud, addresses[at], &error);
        if (!socket) {
            bypeer_log_limited(&cloud->log_limit, BYPEER_LOG_WARNING,
                               "cloud %s: UDP port %u cannot be had on one of its addresses: %s; tried again when "
                               "addresses change",
                               cloud->config.name, cloud->config.port, uv_strerror(error));
            continue;
        }
        socket->local = count;
        memcpy(endpoints[count].address, addresses[at], 16);
        endpoints[count].port = cloud->config.port;
        cloud->sockets[count++] = socket;
    }
    for (unsigned at = 0; at < BYPEER_CONFIG_CLOUD_ADDRESSES; at++)
        if (before[at])
            cloud_close_socket(before[at]);
    cloud_tell_endpoints(cloud, endpoints, count);
}

/* --- time --- */

static void cloud_on_timer(uv_timer_t *timer)
{
    struct bypeer_cloud *cloud = timer->data;
    cloud->timer_due = 0;
    bypeer_pnrp_tick(cloud->pnrp, bypeer_cloud_now());
    bypeer_cloud_touched(cloud);
}

void bypeer_cloud_settle(struct bypeer_cloud *cloud)
{
    if (!cloud->dirty || cloud->closing)
        return;
    cloud->dirty = false;
    uint64_t due = bypeer_pnrp_deadline(cloud->pnrp);
    if (due == cloud->timer_due)
        return;
    cloud->timer_due = due;
    if (due == UINT64_MAX) {
        uv_timer_stop(&cloud->timer);
        return;
    }
    uint64_t now = bypeer_cloud_now().ms;
    uv_update_time(cloud->loop);
    uv_timer_start(&cloud->timer, cloud_on_timer, due > now ? due - now : 0, 0);
}

/* --- start and change --- */

static bool cloud_is_on_this_host(const struct bypeer_config_cloud *config)
{
    return config->address_count > 0 && memcmp(config->addresses[0], &in6addr_loopback, 16) == 0;
}

static unsigned cloud_seeds(const struct bypeer_config_cloud *config,
                            struct bypeer_pnrp_endpoint ret_seeds[static BYPEER_CONFIG_CLOUD_SEEDS])
{
    for (uint32_t at = 0; at < config->seed_count; at++) {
        memcpy(ret_seeds[at].address, config->seeds[at].address, 16);
        ret_seeds[at].port = config->seeds[at].port;
    }
    return config->seed_count;
}

static void cloud_on_responder(void *context, const struct bypeer_pnrp_endpoint *node)
{
    struct bypeer_cloud *cloud = context;
    bypeer_pnrp_contact(cloud->pnrp, bypeer_cloud_now(), node);
    bypeer_cloud_touched(cloud);
}

int bypeer_cloud_open(struct bypeer_cloud **ret_cloud, uv_loop_t *loop, const struct bypeer_config_cloud *config,
                      uint8_t number, const struct bypeer_meter_settings *meter,
                      const struct bypeer_pnrp_endpoint *nodes, unsigned node_count,
                      const struct bypeer_cloud_hooks *hooks, void *owner, struct bypeer_problem *problem)
{
    struct bypeer_pnrp_endpoint seeds[BYPEER_CONFIG_CLOUD_SEEDS];
    struct bypeer_cloud *cloud = calloc(1, sizeof(*cloud));
    if (!cloud)
        return bypeer_problem_no_memory(problem);
    *cloud = (struct bypeer_cloud){
        .owner = owner, .hooks = hooks, .number = number, .config = *config, .meter = *meter, .loop = loop};
    struct bypeer_pnrp_settings settings = {
        .profile = bypeer_cloud_profile(config),
        .scope = config->scope == BYPEER_CLOUD_LINK ? BYPEER_SCOPE_LINK : BYPEER_SCOPE_GLOBAL,
        .sink = &cloud_sink,
        .sink_context = cloud,
        .cache_entries = config->cache,
        .answers = config->answers,
        .any_address = cloud_is_on_this_host(config),
        .jobs_max = BYPEER_CLOUD_JOBS,
        .meter = *meter,
        .seeds = seeds,
        .seed_count = cloud_seeds(config, seeds),
        .remembered = nodes,
        .remembered_count = node_count,
    };
    int result = getrandom(settings.seed, sizeof(settings.seed), 0) == (ssize_t)sizeof(settings.seed) ? 0 : -EIO;
    if (result == 0)
        result = bypeer_pnrp_create(&cloud->pnrp, &settings, bypeer_cloud_now());
    if (result < 0) {
        free(cloud);
        return bypeer_problem_set(problem, result, "cloud", "cloud %s\ncannot be opened: %s\nsee the log", config->name,
                                  strerror(-result));
    }
    if (config->ssdp == BYPEER_SWITCH_ON)
        cloud->discovery = bypeer_discovery_open(loop, settings.profile, settings.scope, cloud_on_responder, cloud);
    uv_timer_init(loop, &cloud->timer);
    cloud->timer.data = cloud;
    cloud->handles = 1;
    bypeer_cloud_touched(cloud);
    *ret_cloud = cloud;
    return 0;
}

/* What the protocol is told once, when it begins. */
static bool cloud_is_same(const struct bypeer_config_cloud *one, const struct bypeer_config_cloud *other)
{
    return one->profile == other->profile && one->scope == other->scope && one->port == other->port &&
           one->ssdp == other->ssdp && one->cache == other->cache && one->answers == other->answers &&
           strcmp(one->interface, other->interface) == 0 && cloud_is_on_this_host(one) == cloud_is_on_this_host(other);
}

bool bypeer_cloud_reconfigure(struct bypeer_cloud *cloud, const struct bypeer_config *config,
                              const struct bypeer_config_cloud *next)
{
    if (!cloud_is_same(&cloud->config, next))
        return false;
    struct bypeer_pnrp_endpoint seeds[BYPEER_CONFIG_CLOUD_SEEDS];
    cloud->config = *next;
    bypeer_pnrp_set_seeds(cloud->pnrp, seeds, cloud_seeds(next, seeds));
    bypeer_cloud_touched(cloud);
    bypeer_cloud_follow_addresses(cloud, config);
    return true;
}
