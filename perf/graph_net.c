#include "perf/graph_net.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "perf/graph_events.h"
#include "tests/random.h"

#define FIRST_UTC  (BYPEER_PEER_TIME_1970 + UINT64_C(1767225600) * BYPEER_PEER_TIME_SECOND) /* 2026 */
#define FIRST_MS   1000000
#define PORT       3587
#define REFUSED_MS 3 /* until a connection to nobody fails */

/* One end of a stream. */
struct end {
    struct end *next;
    uint32_t link;
    uint32_t peer, peer_generation, peer_link;
    bool is_tied;   /* the other end is known */
    bool is_ending; /* the graph has closed it */
};

struct node {
    struct bypeer_graph *graph;
    struct end *ends;
    uint32_t generation, part;
    uint64_t tick_ms; /* of the earliest tick that is put; UINT64_MAX: none */
    int64_t skew_ms, delta;
    bool has_been, was_synchronised, is_seeking;
    struct bypeer_record **kept;
    size_t kept_count;
};

/* What a sink is called with. */
struct caller {
    struct graph_net *net;
    uint32_t node;
};

struct graph_net {
    struct graph_net_options options;
    uint64_t now_ms, random, bytes;
    struct graph_events events;
    struct node *nodes;
    struct caller *callers;
};

static void *need(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "no memory is left\n");
        exit(EXIT_FAILURE);
    }
    return memory;
}

/* --- ends of streams ---------------------------------------------------------------------------------------------- */

static struct end *end_find(const struct node *node, uint32_t link)
{
    struct end *end = node->ends;
    while (end != NULL && end->link != link)
        end = end->next;
    return end;
}

static struct end *end_add(struct node *node, uint32_t link)
{
    struct end *end = need(calloc(1, sizeof(*end)));
    end->link = link;
    end->next = node->ends;
    node->ends = end;
    return end;
}

static void end_remove(struct node *node, uint32_t link)
{
    for (struct end **at = &node->ends; *at != NULL; at = &(*at)->next)
        if ((*at)->link == link) {
            struct end *end = *at;
            *at = end->next;
            free(end);
            return;
        }
}

/* Of two nodes, the same in both directions, so that nothing is overtaken. */
static uint32_t latency(const struct graph_net *net, uint32_t a, uint32_t b)
{
    uint32_t least = net->options.latency_ms;
    uint64_t pair = a < b ? (uint64_t)a << 32 | b : (uint64_t)b << 32 | a;
    return least + (uint32_t)(random_mix(pair ^ net->options.seed) % (least + 1));
}

/* Tells the other end that the stream is gone, and forgets this one. */
static void end_cut(struct graph_net *net, uint32_t number, struct end *end)
{
    if (end->is_tied)
        graph_events_put(&net->events, (struct event){.at_ms = net->now_ms + latency(net, number, end->peer),
                                                      .kind = EVENT_CLOSED,
                                                      .node = end->peer,
                                                      .generation = end->peer_generation,
                                                      .link = end->peer_link});
    end_remove(&net->nodes[number], end->link);
}

/* --- what graphs want --------------------------------------------------------------------------------------------- */

static bool sink_send(void *context, uint32_t link, const uint8_t *bytes, size_t length)
{
    struct caller *caller = context;
    struct graph_net *net = caller->net;
    struct end *end = end_find(&net->nodes[caller->node], link);
    if (end == NULL || !end->is_tied)
        return true;
    uint8_t *copy = need(malloc(length));
    memcpy(copy, bytes, length);
    net->bytes += length;
    graph_events_put(&net->events, (struct event){.at_ms = net->now_ms + latency(net, caller->node, end->peer),
                                                  .kind = EVENT_BYTES,
                                                  .node = end->peer,
                                                  .generation = end->peer_generation,
                                                  .link = end->peer_link,
                                                  .bytes = copy,
                                                  .length = length});
    return true;
}

static uint32_t node_at(const struct graph_net *net, const struct bypeer_graph_address *address)
{
    uint32_t number = (uint32_t)address->address[12] << 24 | (uint32_t)address->address[13] << 16 |
                      (uint32_t)address->address[14] << 8 | address->address[15];
    return number < net->options.nodes && address->address[0] == 0xfd ? number : UINT32_MAX;
}

static struct bypeer_graph_address address_of(uint32_t number)
{
    return (struct bypeer_graph_address){.address = {0xfd, [12] = (uint8_t)(number >> 24), (uint8_t)(number >> 16),
                                                     (uint8_t)(number >> 8), (uint8_t)number},
                                         .port = PORT};
}

static void sink_connect(void *context, uint32_t link, const struct bypeer_graph_address *to)
{
    struct caller *caller = context;
    struct graph_net *net = caller->net;
    struct node *node = &net->nodes[caller->node];
    uint32_t target = node_at(net, to);
    end_add(node, link);
    struct event event = {.at_ms = net->now_ms + REFUSED_MS,
                          .kind = EVENT_CLOSED,
                          .node = caller->node,
                          .generation = node->generation,
                          .link = link};
    if (target != UINT32_MAX) {
        event = (struct event){.at_ms = net->now_ms + latency(net, caller->node, target),
                               .kind = EVENT_CONNECT,
                               .node = target,
                               .generation = net->nodes[target].generation,
                               .from = caller->node,
                               .from_generation = node->generation,
                               .from_link = link};
    }
    graph_events_put(&net->events, event);
}

static void sink_close(void *context, uint32_t link)
{
    struct caller *caller = context;
    struct graph_net *net = caller->net;
    struct node *node = &net->nodes[caller->node];
    struct end *end = end_find(node, link);
    if (end == NULL || end->is_ending)
        return;
    end->is_ending = true;
    graph_events_put(&net->events, (struct event){.at_ms = net->now_ms,
                                                  .kind = EVENT_CLOSED,
                                                  .node = caller->node,
                                                  .generation = node->generation,
                                                  .link = link});
}

static void sink_record(void *context, enum bypeer_record_change change, const struct bypeer_record *record)
{
    struct caller *caller = context;
    const struct graph_net_hooks *hooks = &caller->net->options.hooks;
    if (hooks->record != NULL)
        hooks->record(hooks->context, caller->node, change, record);
}

static void sink_refused(void *context, const struct bypeer_record *record, uint32_t link, const char *why)
{
    struct caller *caller = context;
    const struct graph_net_hooks *hooks = &caller->net->options.hooks;
    (void)link;
    if (hooks->refused != NULL)
        hooks->refused(hooks->context, caller->node, record, why);
}

static void sink_connection_required(void *context)
{
    struct caller *caller = context;
    struct node *node = &caller->net->nodes[caller->node];
    if (node->is_seeking)
        return;
    node->is_seeking = true;
    graph_events_put(&caller->net->events, (struct event){.at_ms = caller->net->now_ms + 50,
                                                          .kind = EVENT_SEEK,
                                                          .node = caller->node,
                                                          .generation = node->generation});
}

/* --- nodes -------------------------------------------------------------------------------------------------------- */

void graph_net_name(uint32_t node, char ret_name[static GRAPH_NET_NAME_BYTES])
{
    snprintf(ret_name, GRAPH_NET_NAME_BYTES, "member-%" PRIu32, node);
}

uint64_t graph_net_now_ms(const struct graph_net *net)
{
    return net->now_ms;
}

struct bypeer_graph_time graph_net_time(const struct graph_net *net, uint32_t node)
{
    uint64_t ms = net->now_ms - FIRST_MS;
    return (struct bypeer_graph_time){.ms = net->now_ms,
                                      .utc = FIRST_UTC + (ms + (uint64_t)net->nodes[node].skew_ms) *
                                                             (BYPEER_PEER_TIME_SECOND / 1000)};
}

void graph_net_touched(struct graph_net *net, uint32_t number)
{
    struct node *node = &net->nodes[number];
    if (node->graph == NULL)
        return;
    const struct graph_net_hooks *hooks = &net->options.hooks;
    if (hooks->turn != NULL)
        hooks->turn(hooks->context, number, graph_net_time(net, number));
    uint64_t deadline = bypeer_graph_deadline(node->graph);
    if (deadline == UINT64_MAX || deadline >= node->tick_ms)
        return;
    node->tick_ms = deadline > net->now_ms ? deadline : net->now_ms;
    graph_events_put(
        &net->events,
        (struct event){.at_ms = node->tick_ms, .kind = EVENT_TICK, .node = number, .generation = node->generation});
}

static void node_open(struct graph_net *net, uint32_t number)
{
    struct node *node = &net->nodes[number];
    const struct graph_net_hooks *hooks = &net->options.hooks;
    char name[GRAPH_NET_NAME_BYTES];
    graph_net_name(number, name);
    struct bypeer_graph_settings settings = {
        .profile = net->options.profile,
        .graph_id = "simulated",
        .peer_id = name,
        .friendly_name = name,
        .scope = BYPEER_GRAPH_GLOBAL,
        .sink = {.send = sink_send,
                 .connect = sink_connect,
                 .close = sink_close,
                 .record = sink_record,
                 .connection_required = sink_connection_required,
                 .refused = sink_refused},
        .sink_context = &net->callers[number],
        .security = hooks->security != NULL ? hooks->security(hooks->context, number) : NULL,
        .is_creator = number == 0 && !node->has_been,
        .info = {.presence_max = net->options.presence_max},
        .peer_time_delta = node->delta,
        .was_synchronised = node->was_synchronised,
    };
    for (unsigned i = 0; i < 2; i++) {
        uint64_t word = random_next(&net->random);
        memcpy(settings.seed + 8 * i, &word, sizeof(word));
    }
    if (hooks->settings != NULL)
        hooks->settings(hooks->context, number, &settings);
    if (bypeer_graph_open(&node->graph, &settings, graph_net_time(net, number)) != 0)
        need(NULL);
}

/* What is not taken yet, for want of what it depends on, stays in the store. */
static void node_restore(struct graph_net *net, uint32_t number)
{
    struct node *node = &net->nodes[number];
    size_t waiting = 0;
    for (size_t i = 0; i < node->kept_count; i++) {
        if (bypeer_graph_restore(node->graph, graph_net_time(net, number), node->kept[i]) == -EAGAIN)
            node->kept[waiting++] = node->kept[i];
        else
            free(node->kept[i]);
    }
    node->kept_count = waiting;
}

void graph_net_start(struct graph_net *net, uint32_t number)
{
    struct node *node = &net->nodes[number];
    const struct graph_net_hooks *hooks = &net->options.hooks;
    struct bypeer_graph_address own = address_of(number);
    if (node->graph != NULL)
        return;
    node->generation++;
    node->tick_ms = UINT64_MAX;
    node->is_seeking = false;
    node_open(net, number);
    if (hooks->opened != NULL)
        hooks->opened(hooks->context, number, node->graph);
    node_restore(net, number);
    node->has_been = true;
    bypeer_graph_listen(node->graph, graph_net_time(net, number), &own, 1);
    sink_connection_required(&net->callers[number]);
    graph_net_touched(net, number);
}

/* What its store would have. */
static void node_keep(struct node *node)
{
    size_t waiting = 0;
    for (size_t i = 0; i < node->kept_count; i++) {
        if (bypeer_graph_find(node->graph, &node->kept[i]->id) == NULL)
            node->kept[waiting++] = node->kept[i];
        else
            free(node->kept[i]);
    }
    node->kept_count = waiting;
    for (const struct bypeer_record *record = bypeer_graph_next(node->graph, NULL, NULL); record != NULL;
         record = bypeer_graph_next(node->graph, NULL, record)) {
        node->kept = need(realloc(node->kept, (node->kept_count + 1) * sizeof(node->kept[0])));
        node->kept[node->kept_count++] = need(bypeer_record_copy(record));
    }
    node->was_synchronised = node->was_synchronised || bypeer_graph_status(node->graph) & BYPEER_GRAPH_SYNCHRONIZED;
    node->delta = bypeer_graph_time_delta(node->graph);
}

void graph_net_stop(struct graph_net *net, uint32_t number, bool leave)
{
    struct node *node = &net->nodes[number];
    if (node->graph == NULL)
        return;
    node_keep(node);
    if (leave)
        bypeer_graph_leave(node->graph, graph_net_time(net, number));
    while (node->ends != NULL)
        end_cut(net, number, node->ends);
    if (net->options.hooks.closing != NULL)
        net->options.hooks.closing(net->options.hooks.context, number);
    bypeer_graph_free(node->graph);
    node->graph = NULL;
}

bool graph_net_is_up(const struct graph_net *net, uint32_t node)
{
    return net->nodes[node].graph != NULL;
}

struct bypeer_graph *graph_net_graph(const struct graph_net *net, uint32_t node)
{
    return net->nodes[node].graph;
}

void graph_net_part(struct graph_net *net, uint32_t number, uint32_t part)
{
    struct node *node = &net->nodes[number];
    node->part = part;
    for (struct end *end = node->ends, *next; end != NULL; end = next) {
        next = end->next;
        if (!end->is_tied || net->nodes[end->peer].part == part)
            continue;
        graph_events_put(&net->events, (struct event){.at_ms = net->now_ms,
                                                      .kind = EVENT_CLOSED,
                                                      .node = number,
                                                      .generation = node->generation,
                                                      .link = end->link});
    }
}

void graph_net_skew(struct graph_net *net, uint32_t node, int64_t ms)
{
    net->nodes[node].skew_ms = ms;
}

uint64_t graph_net_bytes(const struct graph_net *net)
{
    return net->bytes;
}

/* --- what happens ------------------------------------------------------------------------------------------------- */

/* Somebody who is up and reached: as a name that all members publish gives one of them. */
static void event_seek(struct graph_net *net, uint32_t number)
{
    struct node *node = &net->nodes[number];
    uint32_t nodes = net->options.nodes, start = random_next_below(&net->random, nodes), link;
    node->is_seeking = false;
    for (uint32_t i = 0; i < nodes; i++) {
        uint32_t other = (start + i) % nodes;
        if (other == number || net->nodes[other].graph == NULL || net->nodes[other].part != node->part ||
            !(bypeer_graph_status(net->nodes[other].graph) & BYPEER_GRAPH_LISTENING))
            continue;
        struct bypeer_graph_address to = address_of(other);
        bypeer_graph_connect(node->graph, graph_net_time(net, number), &to, NULL, BYPEER_GRAPH_NEIGHBOR, &link);
        return;
    }
}

static void event_connect(struct graph_net *net, const struct event *event)
{
    struct node *node = &net->nodes[event->node], *from = &net->nodes[event->from];
    struct bypeer_graph_address address = address_of(event->from);
    uint32_t link;
    struct event answer = {.at_ms = net->now_ms + latency(net, event->node, event->from),
                           .kind = EVENT_CLOSED,
                           .node = event->from,
                           .generation = event->from_generation,
                           .link = event->from_link};
    struct end *there = from->generation == event->from_generation ? end_find(from, event->from_link) : NULL;
    if (there == NULL)
        return;
    if (node->graph != NULL && node->part == from->part && bypeer_graph_status(node->graph) & BYPEER_GRAPH_LISTENING &&
        bypeer_graph_accept(node->graph, graph_net_time(net, event->node), &address, &link) == 0) {
        struct end *here = end_add(node, link);
        here->is_tied = there->is_tied = true;
        here->peer = event->from;
        here->peer_generation = event->from_generation;
        here->peer_link = event->from_link;
        there->peer = event->node;
        there->peer_generation = node->generation;
        there->peer_link = link;
        answer.kind = EVENT_CONNECTED;
    }
    graph_events_put(&net->events, answer);
}

static void event_closed(struct graph_net *net, const struct event *event)
{
    struct node *node = &net->nodes[event->node];
    struct end *end = end_find(node, event->link);
    if (end == NULL)
        return;
    end_cut(net, event->node, end);
    bypeer_graph_closed(node->graph, graph_net_time(net, event->node), event->link, 0);
}

static void event_happen(struct graph_net *net, const struct event *event)
{
    struct node *node = &net->nodes[event->node];
    struct bypeer_graph_time now = graph_net_time(net, event->node);
    if (event->kind == EVENT_CONNECT) {
        event_connect(net, event);
    } else if (node->graph == NULL || node->generation != event->generation) {
        return;
    } else if (event->kind == EVENT_TICK) {
        if (event->at_ms != node->tick_ms)
            return; /* an earlier one took its place */
        node->tick_ms = UINT64_MAX;
        bypeer_graph_tick(node->graph, now);
    } else if (event->kind == EVENT_CONNECTED) {
        if (end_find(node, event->link) != NULL)
            bypeer_graph_connected(node->graph, now, event->link);
    } else if (event->kind == EVENT_BYTES) {
        if (end_find(node, event->link) != NULL)
            bypeer_graph_receive(node->graph, now, event->link, event->bytes, event->length);
    } else if (event->kind == EVENT_CLOSED) {
        event_closed(net, event);
    } else {
        event_seek(net, event->node);
    }
    graph_net_touched(net, event->node);
}

void graph_net_run(struct graph_net *net, uint64_t ms)
{
    uint64_t end_ms = net->now_ms + ms;
    struct event event;
    while (graph_events_take(&net->events, end_ms, &event)) {
        net->now_ms = event.at_ms;
        event_happen(net, &event);
        free(event.bytes);
    }
    net->now_ms = end_ms;
}

bool graph_net_is_one(const struct graph_net *net)
{
    uint32_t nodes = net->options.nodes, *queue = need(calloc(nodes, sizeof(*queue))), count = 0, up = 0, first = nodes;
    bool *seen = need(calloc(nodes, sizeof(*seen)));
    for (uint32_t i = 0; i < nodes; i++) {
        up += net->nodes[i].graph != NULL;
        if (first == nodes && net->nodes[i].graph != NULL)
            first = i;
    }
    if (first < nodes) {
        seen[first] = true;
        queue[count++] = first;
    }
    for (uint32_t at = 0; at < count; at++) {
        const struct node *node = &net->nodes[queue[at]];
        struct bypeer_graph_link_event link = {.link = 0};
        while (bypeer_graph_next_link(node->graph, link.link, &link)) {
            const struct end *end = end_find(node, link.link);
            if (link.change != BYPEER_GRAPH_LINK_CONNECTED || end == NULL || !end->is_tied || seen[end->peer])
                continue;
            seen[end->peer] = true;
            queue[count++] = end->peer;
        }
    }
    free(seen);
    free(queue);
    return count == up;
}

struct graph_net *graph_net_open(const struct graph_net_options *options)
{
    struct graph_net *net = need(calloc(1, sizeof(*net)));
    net->options = *options;
    net->now_ms = FIRST_MS;
    net->random = options->seed;
    net->nodes = need(calloc(options->nodes, sizeof(net->nodes[0])));
    net->callers = need(calloc(options->nodes, sizeof(net->callers[0])));
    for (uint32_t i = 0; i < options->nodes; i++)
        net->callers[i] = (struct caller){net, i};
    return net;
}

void graph_net_close(struct graph_net *net)
{
    for (uint32_t i = 0; i < net->options.nodes; i++) {
        struct node *node = &net->nodes[i];
        graph_net_stop(net, i, false);
        for (size_t at = 0; at < node->kept_count; at++)
            free(node->kept[at]);
        free(node->kept);
    }
    graph_events_clear(&net->events);
    free(net->nodes);
    free(net->callers);
    free(net);
}
