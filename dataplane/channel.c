#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/channel.h"
#include "dataplane/log.h"
#include "overlay/tables/passing.h"
#include "overlay/wireguard/crypto.h"

/* A generation of 100 million members takes about 9 GiB. */
#define TABLES_BYTES_MAX (UINT64_C(1) << 40)

static void channel_disconnect(struct bypeer_channel *channel, const char *why)
{
    bypeer_log(BYPEER_LOG_INFO, "control is gone (%s); forwarding goes on with %s", why,
               channel->view->tables.header != NULL ? "the tables that it left" : "no tables");
    close(channel->fd);
    channel->fd = -1;
    if (channel->traces)
        bypeer_tracing_start(channel->tracing, 0);
    channel->traces = false;
}

static bool channel_send(struct bypeer_channel *channel, const struct bypeer_handover *message, const int *fds,
                         unsigned fd_count)
{
    if (channel->fd < 0)
        return false;
    int status = bypeer_passing_send(channel->fd, message, fds, fd_count);
    if (status < 0)
        channel_disconnect(channel, strerror(-status));
    return status == 0;
}

/* --- changing the view -------------------------------------------------------------------------------------------- */

static void channel_change(struct bypeer_channel *channel, struct bypeer_view *next, enum bypeer_handover_type answers)
{
    channel->changes = answers;
    channel->view = next;
    bypeer_broker_change(channel->broker, next);
}

void bypeer_channel_changed(struct bypeer_channel *channel)
{
    struct bypeer_view *old = bypeer_broker_take_old(channel->broker);
    if (old == NULL)
        return;
    /* What both views share belongs to the new one. */
    if (old->tables_memory.base != channel->view->tables_memory.base)
        bypeer_memory_free(&old->tables_memory);
    if (old->sessions_memory.base != channel->view->sessions_memory.base)
        bypeer_memory_free(&old->sessions_memory);
    free(old);
    struct bypeer_handover message = {.type = channel->changes};
    channel->changes = 0;
    if (message.type == BYPEER_HANDOVER_MAPPED) {
        message.tables.generation = channel->view->tables.generation;
        message.tables.bytes = channel->view->tables.bytes;
        bypeer_log(BYPEER_LOG_INFO, "tables of generation %lu are in use, %lu MB",
                   (unsigned long)message.tables.generation, (unsigned long)(message.tables.bytes >> 20));
        channel_send(channel, &message, NULL, 0);
    } else if (message.type == BYPEER_HANDOVER_SESSIONS_MADE) {
        channel_send(channel, &message, &channel->view->sessions_memory.fd, 1);
    }
}

static void channel_refuse(struct bypeer_channel *channel, uint64_t generation, int error, const char *text)
{
    struct bypeer_handover message = {.type = BYPEER_HANDOVER_REFUSED,
                                      .refused = {.generation = generation, .error = error}};
    snprintf(message.refused.text, sizeof(message.refused.text), "%s", text);
    bypeer_log(BYPEER_LOG_ERROR, "refused tables of generation %lu: %s", (unsigned long)generation, text);
    channel_send(channel, &message, NULL, 0);
}

/* Has ready what workers will touch of the sessions, as far as these tables can refer to it. */
static void channel_gather(const struct bypeer_channel *channel, const struct bypeer_view *next)
{
    const struct bypeer_tables *tables = &next->tables;
    const struct bypeer_sessions *sessions = &next->sessions;
    const struct bypeer_memory *memory = &next->sessions_memory;
    if (tables->header == NULL || sessions->entries == NULL)
        return;
    uint32_t links = RTE_MIN(tables->links.record_count, sessions->size.links);
    uint32_t slots = RTE_MIN(tables->session_count, sessions->size.slots);
    uint32_t relays = RTE_MIN(2 * tables->relay_count, sessions->size.relays);
    for (uint32_t worker = 0; worker < channel->workers; worker++)
        bypeer_memory_gather(memory, sessions->entries + (size_t)worker * sessions->size.links,
                             links * sizeof(sessions->entries[0]));
    bypeer_memory_gather(memory, sessions->peers, links * sizeof(sessions->peers[0]));
    bypeer_memory_gather(memory, sessions->wireguard, slots * sizeof(sessions->wireguard[0]));
    bypeer_memory_gather(memory, sessions->windows, slots * sizeof(sessions->windows[0]));
    bypeer_memory_gather(memory, sessions->relays, relays * sizeof(sessions->relays[0]));
    bypeer_memory_gather(memory, sessions->claims, relays * sizeof(sessions->claims[0]));
}

static void channel_take_tables(struct bypeer_channel *channel, uint64_t generation, int fd)
{
    char why[BYPEER_REGION_WHY_BYTES] = "out of memory";
    struct bypeer_memory memory = BYPEER_MEMORY_NONE;
    struct bypeer_tables tables;
    struct bypeer_view *next = malloc(sizeof(*next));
    int status = next != NULL ? 0 : -ENOMEM;
    if (status == 0)
        status = bypeer_memory_receive(&memory, BYPEER_MEMORY_TABLES, fd, TABLES_BYTES_MAX, false, why);
    if (status < 0) {
        close(fd);
    } else {
        status = bypeer_tables_attach(&tables, memory.base, memory.bytes, why);
        if (status == 0 && tables.generation != generation) {
            snprintf(why, sizeof(why), "the message says generation %lu, the tables %lu", (unsigned long)generation,
                     (unsigned long)tables.generation);
            status = -EPROTO;
        }
    }
    if (status < 0) {
        bypeer_memory_free(&memory);
        free(next);
        channel_refuse(channel, generation, status, why);
        /* Memory may be there later; control offers a generation once a connection, so ask by another one. */
        if (status == -ENOMEM && channel->fd >= 0)
            channel_disconnect(channel, "its tables are asked for again");
        return;
    }
    *next = *channel->view;
    next->tables = tables;
    next->tables_memory = memory;
    channel_gather(channel, next);
    channel_change(channel, next, BYPEER_HANDOVER_MAPPED);
}

/* --- sessions ----------------------------------------------------------------------------------------------------- */

/* A region that control had parked: goes on as it is, if it has a row for each worker. */
static int channel_adopt_sessions(const struct bypeer_channel *channel, struct bypeer_view *next, int fd)
{
    char why[BYPEER_REGION_WHY_BYTES] = "it has too few rows";
    const struct bypeer_sessions_size largest = BYPEER_SESSIONS_LARGEST;
    struct bypeer_memory memory;
    struct bypeer_sessions sessions;
    int status = bypeer_memory_receive(&memory, BYPEER_MEMORY_SESSIONS, fd, bypeer_sessions_bytes(&largest) + (1 << 12),
                                       true, why);
    if (status < 0) {
        close(fd);
    } else {
        status = bypeer_sessions_attach(&sessions, memory.base, memory.bytes, why);
        if (status == 0)
            status = bypeer_sessions_use_rows(&sessions, channel->workers);
        if (status < 0)
            bypeer_memory_free(&memory);
    }
    if (status < 0) {
        bypeer_log(BYPEER_LOG_WARNING, "parked sessions cannot be used, new ones are made: %s", why);
        return status;
    }
    next->sessions = sessions;
    next->sessions_memory = memory;
    return 0;
}

static int channel_make_sessions(const struct bypeer_channel *channel, struct bypeer_view *next)
{
    const struct bypeer_sessions_size size = BYPEER_SESSIONS_LARGEST;
    struct bypeer_memory memory;
    struct bypeer_sessions sessions;
    struct timespec now;
    uint64_t generation;
    int status = bypeer_crypto_random(&generation, sizeof(generation));
    if (status < 0)
        return status;
    status =
        bypeer_memory_create(&memory, BYPEER_MEMORY_SESSIONS, "bypeer-sessions", bypeer_sessions_bytes(&size), false);
    if (status < 0)
        return status;
    clock_gettime(CLOCK_REALTIME, &now);
    status = bypeer_sessions_init(&sessions, memory.base, memory.bytes, &size, generation >> 1 | 1,
                                  (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
    if (status == 0)
        status = bypeer_sessions_use_rows(&sessions, channel->workers);
    if (status < 0) {
        bypeer_memory_free(&memory);
        return status;
    }
    next->sessions = sessions;
    next->sessions_memory = memory;
    return 0;
}

static void channel_take_sessions(struct bypeer_channel *channel, int fd)
{
    /* What this process counts in already is newer than what control has parked. */
    struct bypeer_view *next = channel->view->sessions.entries == NULL ? malloc(sizeof(*next)) : NULL;
    if (next == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    *next = *channel->view;
    if (fd >= 0 && channel_adopt_sessions(channel, next, fd) == 0) {
        channel_gather(channel, next);
        channel_change(channel, next, BYPEER_HANDOVER_SESSIONS);
        return;
    }
    int status = channel_make_sessions(channel, next);
    if (status < 0) {
        bypeer_log(BYPEER_LOG_ERROR, "no memory for sessions: %s; nothing is counted, and no WireGuard packet sealed",
                   strerror(-status));
        free(next);
        return;
    }
    channel_gather(channel, next);
    channel_change(channel, next, BYPEER_HANDOVER_SESSIONS_MADE);
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

static bool channel_say_hello(struct bypeer_channel *channel)
{
    const struct bypeer_status_header *status = channel->report->status.header;
    struct bypeer_handover message = {.type = BYPEER_HANDOVER_HELLO,
                                      .hello = {.pid = status->pid,
                                                .start_ticks = status->start_ticks,
                                                .layout_oldest = BYPEER_LAYOUT_OLDEST,
                                                .layout_newest = BYPEER_LAYOUT_NEWEST,
                                                .has_sessions = channel->view->sessions.entries != NULL,
                                                .has_tables = channel->view->tables.header != NULL}};
    snprintf(message.hello.release, sizeof(message.hello.release), "%s", BYPEER_RELEASE);
    int fds[BYPEER_HANDOVER_FDS];
    unsigned count = 0;
    fds[count++] = channel->report->memory.fd;
    if (message.hello.has_sessions)
        fds[count++] = channel->view->sessions_memory.fd;
    if (message.hello.has_tables)
        fds[count++] = channel->view->tables_memory.fd;
    return channel_send(channel, &message, fds, count);
}

static bool channel_say_ports(struct bypeer_channel *channel)
{
    struct bypeer_handover message = {.type = BYPEER_HANDOVER_PORTS, .ports.count = channel->ports->count};
    for (uint16_t i = 0; i < channel->ports->count; i++) {
        const struct bypeer_port_device *device = &channel->ports->devices[i];
        struct bypeer_handover_port *port = &message.ports.port[i];
        memcpy(port->name, device->config->name, sizeof(port->name));
        memcpy(port->mac, device->mac, sizeof(port->mac));
        port->mtu = device->config->mtu;
    }
    return channel_send(channel, &message, NULL, 0);
}

void bypeer_channel_connect(struct bypeer_channel *channel)
{
    if (channel->fd >= 0 || channel->changes != 0)
        return;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", channel->path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        if (!channel->said_absent)
            bypeer_log(BYPEER_LOG_INFO, "control is not there (%s: %s); waiting for it", channel->path,
                       strerror(errno));
        channel->said_absent = true;
        close(fd);
        return;
    }
    channel->fd = fd;
    channel->said_absent = true;
    if (channel_say_hello(channel) && channel_say_ports(channel))
        bypeer_log(BYPEER_LOG_INFO, "connected to control");
}

bool bypeer_channel_listens(const struct bypeer_channel *channel)
{
    return channel->fd >= 0 && channel->changes == 0;
}

static void channel_answer(struct bypeer_channel *channel, const struct bypeer_handover *message, const int *fds)
{
    switch (message->type) {
    case BYPEER_HANDOVER_SESSIONS:
        channel_take_sessions(channel, message->sessions.has_fd ? fds[0] : -1);
        break;
    case BYPEER_HANDOVER_TABLES:
        channel_take_tables(channel, message->tables.generation, fds[0]);
        break;
    case BYPEER_HANDOVER_GRACE:
        bypeer_broker_wake(channel->broker);
        break;
    case BYPEER_HANDOVER_TRACE:
        bypeer_tracing_start(channel->tracing, message->trace.packets);
        channel->traces = true;
        break;
    default: /* what only we send */
        for (unsigned i = 0; i < bypeer_handover_fds(message); i++)
            close(fds[i]);
        channel_disconnect(channel, "it sent a message that only a data plane sends");
    }
}

void bypeer_channel_read(struct bypeer_channel *channel)
{
    while (bypeer_channel_listens(channel)) {
        struct bypeer_handover message;
        int fds[BYPEER_HANDOVER_FDS];
        int status = bypeer_passing_receive(channel->fd, &message, fds);
        if (status == 1)
            channel_answer(channel, &message, fds);
        else if (status == -EAGAIN)
            return;
        else if (status == 0)
            channel_disconnect(channel, "it closed the connection");
        else if (status != -ENOMSG && status != -EINTR)
            channel_disconnect(channel, strerror(-status));
    }
}

/* Returns false to be given the same step again: the socket is full. */
static bool channel_send_step(void *context, uint16_t worker, const struct bypeer_trace_step *step)
{
    struct bypeer_channel *channel = context;
    if (!channel->traces)
        return true;
    struct bypeer_handover message = {.type = BYPEER_HANDOVER_TRACED,
                                      .traced = {.packet = step->packet,
                                                 .worker = worker,
                                                 .tsc = step->tsc,
                                                 .frame_bytes = step->frame_bytes,
                                                 .head_bytes = step->head_bytes}};
    snprintf(message.traced.node, sizeof(message.traced.node), "%s", step->node);
    snprintf(message.traced.next, sizeof(message.traced.next), "%s", step->next != NULL ? step->next : "");
    memcpy(message.traced.head, step->head, step->head_bytes);
    int status = bypeer_passing_send(channel->fd, &message, NULL, 0);
    if (status < 0 && status != -EAGAIN)
        channel_disconnect(channel, strerror(-status));
    return status != -EAGAIN;
}

void bypeer_channel_trace(struct bypeer_channel *channel)
{
    if (!bypeer_tracing_drain(channel->tracing, channel_send_step, channel) || !channel->traces)
        return;
    channel->traces = false;
    channel_send(channel, &(struct bypeer_handover){.type = BYPEER_HANDOVER_TRACE_END}, NULL, 0);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

int bypeer_channel_create(struct bypeer_channel *ret_channel, const char *run, const struct bypeer_ports *ports,
                          struct bypeer_report *report, struct bypeer_broker *broker, struct bypeer_tracing *tracing,
                          uint16_t workers)
{
    struct bypeer_channel *channel = ret_channel;
    *channel = (struct bypeer_channel){
        .ports = ports, .report = report, .broker = broker, .tracing = tracing, .workers = workers, .fd = -1};
    int length = snprintf(channel->path, sizeof(channel->path), "%s/dataplane.sock", run);
    if (length < 0 || (size_t)length >= sizeof(channel->path))
        return -ENAMETOOLONG;
    channel->view = calloc(1, sizeof(*channel->view));
    if (channel->view == NULL)
        return -ENOMEM;
    channel->view->tables_memory.fd = channel->view->sessions_memory.fd = -1;
    bypeer_view_swap(channel->view);
    return 0;
}

void bypeer_channel_destroy(struct bypeer_channel *channel)
{
    if (channel->view == NULL)
        return;
    bypeer_channel_changed(channel); /* a change that had just been made */
    if (channel->fd >= 0)
        close(channel->fd);
    bypeer_memory_free(&channel->view->tables_memory);
    bypeer_memory_free(&channel->view->sessions_memory);
    free(channel->view);
    channel->view = NULL;
}
