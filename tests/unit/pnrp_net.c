#include "tests/unit/pnrp_net.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/random.h"

static void net_send(void *context, unsigned local, const struct bypeer_pnrp_endpoint *to, const uint8_t *bytes,
                     size_t length)
{
    struct net_node *node = context;
    struct net *net = node->net;
    struct bypeer_pnrp_message message;
    cr_assert_eq(local, 0u);
    cr_assert_leq(length, (size_t)BYPEER_PNRP_DATAGRAM_MAX);
    /* Whatever a node sends is as specified. */
    cr_assert_eq(bypeer_pnrp_read(&message, net->profile, bytes, length), 0);
    net->sent[message.type % NET_TYPES]++;
    struct net_datagram *datagram = malloc(sizeof(*datagram) + length);
    *datagram = (struct net_datagram){
        .at_ms = net->now.ms + net->latency_ms, .from = node->endpoint, .to = *to, .length = length};
    memcpy(datagram->bytes, bytes, length);
    if (random_next_below(&net->random, 1000) < net->loss || (net->pass && !net->pass(net, datagram, &message))) {
        free(datagram);
        return;
    }
    struct net_datagram **at = &net->queue;
    while (*at && (*at)->at_ms <= datagram->at_ms)
        at = &(*at)->next;
    datagram->next = *at;
    *at = datagram;
}

static bool net_job(void *context, struct bypeer_pnrp_job *job)
{
    struct net_node *node = context;
    job->owner = node;
    cr_assert_lt(node->net->job_count, 1024u);
    node->net->jobs[node->net->job_count++] = job;
    return true;
}

static void net_found(void *context, uint64_t resolve, const struct bypeer_pnrp_found *found)
{
    struct net_node *node = context;
    cr_assert_lt(node->result_count, (unsigned)NET_RESULTS);
    struct net_result *result = &node->results[node->result_count++];
    *result = (struct net_result){.resolve = resolve, .at_ms = node->net->now.ms};
    memcpy(result->id, found->id, 32);
    bypeer_name_write(found->name, result->name);
    cr_assert_lt(strlen(found->comment), sizeof(result->comment));
    memcpy(result->comment, found->comment, strlen(found->comment) + 1);
    result->application_count = found->application_count;
    for (unsigned i = 0; i < found->application_count; i++)
        result->applications[i] = found->applications[i];
    result->service_count = found->service_count;
    result->payload_type = found->payload_type;
    result->payload_bytes = found->payload_bytes;
    if (found->payload_bytes)
        memcpy(result->payload, found->payload, found->payload_bytes);
}

static void net_finished(void *context, uint64_t resolve, int status)
{
    struct net_node *node = context;
    node->finished = resolve;
    node->status = status;
    node->finished_ms = node->net->now.ms;
}

static void net_hop(void *context, uint64_t resolve, const struct bypeer_pnrp_hop *hop)
{
    struct net_node *node = context;
    (void)resolve;
    cr_assert_geq(hop->endpoint.port, BYPEER_PNRP_PORT_MIN);
    node->hop = *hop;
}

static void net_unregistered(void *context, uint64_t registration)
{
    struct net_node *node = context;
    (void)registration;
    node->unregistered++;
}

static void net_discover(void *context, enum bypeer_pnrp_discovery what)
{
    struct net_node *node = context;
    if (what != BYPEER_DISCOVER_SSDP)
        node->advertises = what == BYPEER_ADVERTISE_START;
}

static const struct bypeer_pnrp_sink net_sink = {.send = net_send,
                                                 .job = net_job,
                                                 .found = net_found,
                                                 .finished = net_finished,
                                                 .hop = net_hop,
                                                 .unregistered = net_unregistered,
                                                 .discover = net_discover};

void net_begin(struct net *net, enum bypeer_profile_id profile)
{
    static struct bypeer_key *keys[BYPEER_PROFILES];
    *net = (struct net){
        .profile = bypeer_profile(profile), .now = {.ms = 1000, .unix_s = 1800000000}, .random = 1, .latency_ms = 10};
    if (!keys[profile])
        cr_assert_eq(bypeer_key_generate(&keys[profile], net->profile), 0);
    net->key = keys[profile];
}

void net_do_jobs(struct net *net)
{
    while (net->job_count > 0) {
        struct bypeer_pnrp_job *job = net->jobs[--net->job_count];
        struct net_node *node = job->owner;
        bypeer_pnrp_job_run(job);
        bypeer_pnrp_job_done(node->pnrp, net->now, job);
    }
}

void net_kill(struct net_node *node)
{
    net_do_jobs(node->net);
    bypeer_pnrp_free(node->pnrp);
    node->pnrp = NULL;
}

void net_end(struct net *net)
{
    for (unsigned i = 0; i < net->node_count; i++)
        net_kill(&net->nodes[i]);
    while (net->queue) {
        struct net_datagram *datagram = net->queue;
        net->queue = datagram->next;
        free(datagram);
    }
}

static void net_endpoint(const struct net *net, unsigned host, struct bypeer_pnrp_endpoint *ret_endpoint)
{
    *ret_endpoint = (struct bypeer_pnrp_endpoint){.address = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, (uint8_t)host},
                                                  .port = net->profile->pnrp_port};
    ret_endpoint->address[15] = 1;
}

struct net_node *net_add_with(struct net *net, const struct bypeer_pnrp_settings *given)
{
    cr_assert_lt(net->node_count, (unsigned)NET_NODES);
    struct bypeer_pnrp_settings settings = *given;
    struct net_node *node = &net->nodes[net->node_count];
    *node = (struct net_node){.net = net, .at = net->node_count++};
    net_endpoint(net, node->at + 1, &node->endpoint);
    settings.profile = net->profile;
    settings.scope = BYPEER_SCOPE_GLOBAL;
    settings.sink = &net_sink;
    settings.sink_context = node;
    settings.seed[0] = (uint8_t)(node->at + 1);
    settings.meter.secret[0] = (uint8_t)(node->at + 1);
    cr_assert_eq(bypeer_pnrp_create(&node->pnrp, &settings, net->now), 0);
    cr_assert_eq(bypeer_pnrp_set_endpoints(node->pnrp, net->now, &node->endpoint, 1), 0);
    return node;
}

struct net_node *net_add(struct net *net, const struct net_node *seed, bool answers)
{
    const struct bypeer_pnrp_settings settings = {
        .answers = answers, .seeds = seed ? &seed->endpoint : NULL, .seed_count = seed ? 1 : 0};
    return net_add_with(net, &settings);
}

void net_move(struct net_node *node, uint8_t host)
{
    net_endpoint(node->net, host, &node->endpoint);
    cr_assert_eq(bypeer_pnrp_set_endpoints(node->pnrp, node->net->now, &node->endpoint, 1), 0);
}

static struct net_node *net_at(struct net *net, const struct bypeer_pnrp_endpoint *endpoint)
{
    for (unsigned i = 0; i < net->node_count; i++)
        if (net->nodes[i].pnrp && net->nodes[i].endpoint.port == endpoint->port &&
            memcmp(net->nodes[i].endpoint.address, endpoint->address, 16) == 0)
            return &net->nodes[i];
    return NULL;
}

static void net_deliver(struct net *net)
{
    struct net_datagram *datagram = net->queue;
    struct net_node *to = net_at(net, &datagram->to), *from = net_at(net, &datagram->from);
    net->queue = datagram->next;
    bool is_apart = net->is_cut && from && to && from->side != to->side;
    if (to && !is_apart)
        bypeer_pnrp_receive(to->pnrp, net->now, 0, &datagram->from, datagram->bytes, datagram->length);
    free(datagram);
}

static void net_step_to(struct net *net, uint64_t ms)
{
    if (ms <= net->now.ms)
        return;
    net->now.unix_s += (ms / 1000) - (net->now.ms / 1000);
    net->now.ms = ms;
}

/* The earliest event. */
static uint64_t net_next(const struct net *net)
{
    uint64_t next = net->queue ? net->queue->at_ms : UINT64_MAX;
    for (unsigned i = 0; i < net->node_count; i++) {
        uint64_t due = net->nodes[i].pnrp ? bypeer_pnrp_deadline(net->nodes[i].pnrp) : UINT64_MAX;
        next = due < next ? due : next;
    }
    return next;
}

static void net_turn(struct net *net)
{
    while (net->queue && net->queue->at_ms <= net->now.ms)
        net_deliver(net);
    if (!net->is_slow)
        net_do_jobs(net);
    for (unsigned i = 0; i < net->node_count; i++)
        if (net->nodes[i].pnrp && bypeer_pnrp_deadline(net->nodes[i].pnrp) <= net->now.ms)
            bypeer_pnrp_tick(net->nodes[i].pnrp, net->now);
    if (!net->is_slow)
        net_do_jobs(net);
}

void net_run(struct net *net, uint32_t ms)
{
    uint64_t until = net->now.ms + ms;
    unsigned idle = 0;
    for (uint64_t next; (next = net_next(net)) <= until;) {
        /* A node that is never content would stop the clock. */
        idle = next <= net->now.ms ? idle + 1 : 0;
        cr_assert_lt(idle, 10000u);
        net_step_to(net, next);
        net_turn(net);
    }
    net_step_to(net, until);
}

void net_inject(struct net *net, const struct bypeer_pnrp_endpoint *from, const struct net_node *to,
                const uint8_t *bytes, size_t length)
{
    bypeer_pnrp_receive(to->pnrp, net->now, 0, from, bytes, length);
}

void net_inject_message(struct net *net, const struct bypeer_pnrp_endpoint *from, const struct net_node *to,
                        const struct bypeer_pnrp_message *message)
{
    uint8_t bytes[BYPEER_PNRP_DATAGRAM_MAX];
    size_t length = bypeer_pnrp_write(message, net->profile, bytes, sizeof(bytes));
    cr_assert_gt(length, 0u);
    net_inject(net, from, to, bytes, length);
}

void net_secure_name(const struct net *net, const char *classifier, char ret_name[static BYPEER_NAME_TEXT_MAX])
{
    struct bypeer_peer_name name = {.secure = true};
    char why[160];
    bypeer_key_authority(net->key, name.authority);
    cr_assert_eq(bypeer_classifier_read(&name, classifier, why), 0);
    bypeer_name_write(&name, ret_name);
}

uint64_t net_publish(struct net_node *node, const char *text, uint8_t *ret_id)
{
    struct bypeer_peer_name name;
    struct bypeer_application application = {.port = 80, .protocol = 6};
    uint8_t id[32];
    uint64_t registration = 0;
    char why[160];
    cr_assert_eq(bypeer_name_read(&name, text, why), 0);
    const struct bypeer_pnrp_registration given = {.name = &name,
                                                   .key = node->net->key,
                                                   .comment = "of a test",
                                                   .applications = &application,
                                                   .application_count = 1,
                                                   .follow_addresses = true};
    cr_assert_eq(bypeer_pnrp_register(node->pnrp, node->net->now, &given, &registration, id), 0);
    if (ret_id)
        memcpy(ret_id, id, sizeof(id));
    return registration;
}

uint64_t net_resolve(struct net_node *node, const char *text, unsigned results)
{
    struct bypeer_peer_name name;
    uint64_t resolve = 0;
    char why[160];
    cr_assert_eq(bypeer_name_read(&name, text, why), 0);
    const struct bypeer_pnrp_query query = {.name = &name, .criterion = BYPEER_PNRP_ANY, .results_max = results};
    cr_assert_eq(bypeer_pnrp_resolve(node->pnrp, node->net->now, &query, &resolve), 0);
    return resolve;
}

unsigned net_find(struct net_node *node, const char *name, uint32_t ms, struct net_result *ret_result)
{
    node->result_count = 0;
    uint64_t resolve = net_resolve(node, name, 1);
    uint64_t until = node->net->now.ms + ms;
    while (node->finished != resolve && node->net->now.ms < until)
        net_run(node->net, 10);
    if (node->finished != resolve)
        bypeer_pnrp_cancel(node->pnrp, node->net->now, resolve);
    if (node->result_count > 0 && ret_result)
        *ret_result = node->results[node->result_count - 1];
    return node->result_count;
}

bool net_knows(const struct net_node *node, const uint8_t id[static 32])
{
    return bypeer_cache_find(bypeer_pnrp_cache(node->pnrp), id) != NULL;
}
