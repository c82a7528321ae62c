#include "perf/sim_nodes.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/profile/key.h"
#include "perf/sim_attack.h"
#include "perf/sim_random.h"
#include "perf/sim_signature.h"
#include "perf/sim_workload.h"

#define SEEDS_KNOWN 3 /* of all seeds, by a newcomer */
/* Slots beyond the nodes: of the dead whose signatures are still out, of attackers and victims. */
#define SLOTS_SPARE(nodes) (4096 + (nodes) / 16)

#define WARM_SPREAD_MS 15000 /* a warm cloud's nodes start within so long, lest all timers be one */

static const struct bypeer_pnrp_sink sink;

int sim_nodes_open(struct sim *sim)
{
    sim->slot_count = sim->options.nodes + SLOTS_SPARE(sim->options.nodes);
    sim->nodes = calloc(sim->slot_count, sizeof(*sim->nodes));
    sim->live = calloc(sim->slot_count, sizeof(*sim->live));
    sim->vacant = calloc(sim->slot_count, sizeof(*sim->vacant));
    if (sim->nodes == NULL || sim->live == NULL || sim->vacant == NULL)
        return -ENOMEM;
    for (uint32_t slot = sim->slot_count; slot-- > 0;)
        sim->vacant[sim->vacant_count++] = slot;
    for (unsigned i = 0; i < SIM_KEYS; i++) {
        int status = sim_signature_key(&sim->keys[i], sim->profile, i);
        if (status != 0)
            return status;
    }
    return 0;
}

/* Signatures that are out: in the queue, to be taken back before their nodes go. */
static void nodes_take_jobs_back(struct sim *sim)
{
    struct sim_event *event;
    for (uint32_t slot = 0; slot < sim->slot_count; slot++)
        sim->nodes[slot].is_leaving = true;
    for (bool is_busy = true; is_busy;) {
        is_busy = false;
        for (uint32_t slot = 0; slot < sim->slot_count && !is_busy; slot++)
            is_busy = sim->nodes[slot].jobs_out > 0;
        if (is_busy && (event = sim_queue_take(&sim->queue, sim->queue.now_ms + 1)) != NULL) {
            if (event->kind == SIM_EVENT_JOB)
                sim_node_event(sim, event);
            sim_queue_free(&sim->queue, event);
        }
    }
}

void sim_nodes_close(struct sim *sim)
{
    if (sim->nodes != NULL) {
        nodes_take_jobs_back(sim);
        for (uint32_t slot = 0; slot < sim->slot_count; slot++)
            if (sim->nodes[slot].pnrp != NULL)
                bypeer_pnrp_free(sim->nodes[slot].pnrp);
    }
    for (unsigned i = 0; i < SIM_KEYS; i++)
        bypeer_key_free(sim->keys[i]);
    free(sim->nodes);
    free(sim->live);
    free(sim->vacant);
}

static void endpoint_write(uint32_t network, uint32_t slot, uint32_t generation, uint16_t port,
                           struct bypeer_pnrp_endpoint *ret_endpoint)
{
    uint32_t words[4] = {htobe32(0x20010db8), htobe32(network), htobe32(slot), htobe32(generation)};
    memcpy(ret_endpoint->address, words, sizeof(words));
    ret_endpoint->port = port;
}

void sim_node_endpoint(const struct sim_node *node, struct bypeer_pnrp_endpoint *ret_endpoint)
{
    endpoint_write(node->network, (uint32_t)(node - node->sim->nodes), node->generation, node->sim->profile->pnrp_port,
                   ret_endpoint);
}

uint32_t sim_node_find(const struct sim *sim, const uint8_t address[static 16])
{
    uint32_t words[4];
    memcpy(words, address, sizeof(words));
    uint32_t slot = be32toh(words[2]);
    if (words[0] != htobe32(0x20010db8) || slot >= sim->slot_count)
        return UINT32_MAX;
    const struct sim_node *node = &sim->nodes[slot];
    bool is_there = node->role != SIM_VACANT && !node->is_leaving && be32toh(words[1]) == node->network &&
                    be32toh(words[3]) == node->generation;
    return is_there ? slot : UINT32_MAX;
}

void sim_node_name(const struct sim *sim, uint64_t serial, struct bypeer_peer_name *ret_name)
{
    *ret_name = (struct bypeer_peer_name){.secure = true};
    bypeer_key_authority(sim->keys[serial % SIM_KEYS], ret_name->authority);
    char text[24], why[160];
    snprintf(text, sizeof(text), "n%ju", (uintmax_t)serial);
    if (bypeer_classifier_read(ret_name, text, why) != 0)
        abort(); /* letters and digits are a classifier */
}

uint32_t sim_node_any(struct sim *sim)
{
    return sim->live[random_next_below(&sim->random, sim->live_count)];
}

uint32_t sim_node_place(struct sim *sim, enum sim_role role)
{
    if (sim->vacant_count == 0)
        return UINT32_MAX;
    uint32_t slot = sim->vacant[--sim->vacant_count];
    struct sim_node *node = &sim->nodes[slot];
    uint32_t start_ms = sim->options.warm && !sim->is_grown ? random_next_below(&sim->random, WARM_SPREAD_MS) : 0;
    *node = (struct sim_node){
        .sim = sim,
        .timer_ms = UINT64_MAX,
        .joined_ms = sim->queue.now_ms + start_ms,
        .generation = node->generation,
        .network = slot,
        .live_at = UINT32_MAX,
        .role = (uint8_t)role,
    };
    sim_network_place(&sim->network, &node->place);
    return slot;
}

/* What the node is told of the cloud before it joins: some of the seeds, never itself. */
static unsigned node_seeds(struct sim *sim, uint32_t slot, struct bypeer_pnrp_endpoint *ret_seeds)
{
    unsigned count = 0;
    uint32_t start = random_next_below(&sim->random, sim->options.seeds);
    for (uint32_t i = 0; i < sim->options.seeds && count < SEEDS_KNOWN; i++) {
        uint32_t seed = (start + i) % sim->options.seeds;
        if (seed != slot)
            endpoint_write(seed, seed, 0, sim->profile->pnrp_port, &ret_seeds[count++]);
    }
    return count;
}

int sim_node_register(struct sim_node *node, uint64_t serial, uint8_t ret_id[static BYPEER_ID_BYTES])
{
    struct sim *sim = node->sim;
    struct bypeer_pnrp_endpoint self;
    struct bypeer_peer_name name;
    sim_node_endpoint(node, &self);
    sim_node_name(sim, serial, &name);
    struct bypeer_application application = {.port = 80, .protocol = 6};
    memcpy(application.address, self.address, sizeof(application.address));
    struct bypeer_pnrp_registration registration = {
        .name = &name,
        .key = sim->keys[serial % SIM_KEYS],
        .applications = &application,
        .application_count = 1,
    };
    uint64_t number;
    return bypeer_pnrp_register(node->pnrp, sim_time(sim), &registration, &number, ret_id);
}

uint32_t sim_node_join(struct sim *sim, enum sim_role role)
{
    return sim_node_join_as(sim, role, sim->next_serial++);
}

uint32_t sim_node_join_as(struct sim *sim, enum sim_role role, uint64_t serial)
{
    uint32_t slot = sim_node_place(sim, role);
    if (slot == UINT32_MAX)
        return UINT32_MAX;
    struct sim_node *node = &sim->nodes[slot];
    struct bypeer_pnrp_endpoint self;
    sim_node_endpoint(node, &self);
    node->serial = serial;
    struct bypeer_pnrp_endpoint seeds[SEEDS_KNOWN];
    bool is_full = role == SIM_SUPERNODE || (role == SIM_SEED && sim->options.supernodes > 0);
    struct bypeer_pnrp_settings settings = {
        .profile = sim->profile,
        .scope = BYPEER_SCOPE_GLOBAL,
        .sink = &sink,
        .sink_context = node,
        .cache_entries = is_full ? 2 * sim->options.nodes + 1024 : 0,
        .seeds = seeds,
        .seed_count = node_seeds(sim, slot, seeds),
    };
    for (unsigned i = 0; i < sizeof(settings.seed); i += sizeof(uint64_t)) {
        uint64_t random[2] = {random_next(&sim->random), random_next(&sim->random)};
        memcpy(settings.seed + i, &random[0], sizeof(random[0]));
        memcpy(settings.meter.secret + i, &random[1], sizeof(random[1]));
    }
    int status = bypeer_pnrp_create(&node->pnrp, &settings, sim_time(sim));
    if (status == 0)
        status = bypeer_pnrp_set_endpoints(node->pnrp, sim_time(sim), &self, 1);
    if (status == 0)
        status = sim_node_register(node, serial, node->id);
    if (status != 0) {
        fprintf(stderr, "cloud-sim: node %u cannot join: %s\n", slot, strerror(-status));
        bypeer_pnrp_free(node->pnrp);
        node->pnrp = NULL;
        node->role = SIM_VACANT;
        sim->vacant[sim->vacant_count++] = slot;
        return UINT32_MAX;
    }
    if (role != SIM_ATTACKER) {
        node->live_at = sim->live_count;
        sim->live[sim->live_count++] = slot;
    }
    sim_node_settle(node);
    return slot;
}

static void node_vacate(struct sim_node *node)
{
    struct sim *sim = node->sim;
    bypeer_pnrp_free(node->pnrp);
    node->pnrp = NULL;
    node->is_leaving = false;
    node->role = SIM_VACANT;
    node->generation++;
    sim->vacant[sim->vacant_count++] = (uint32_t)(node - sim->nodes);
}

void sim_node_kill(struct sim *sim, uint32_t slot)
{
    struct sim_node *node = &sim->nodes[slot];
    if (node->live_at != UINT32_MAX) {
        uint32_t last = sim->live[--sim->live_count];
        sim->live[node->live_at] = last;
        sim->nodes[last].live_at = node->live_at;
    }
    node->is_leaving = true;
    sim_workload_left(sim, slot);
    if (node->jobs_out == 0)
        node_vacate(node);
}

void sim_node_settle(struct sim_node *node)
{
    uint64_t deadline = bypeer_pnrp_deadline(node->pnrp);
    if (deadline < node->joined_ms)
        deadline = node->joined_ms;
    if (deadline >= node->timer_ms)
        return;
    struct sim_queue *queue = &node->sim->queue;
    struct sim_event *event = sim_queue_new(queue, SIM_EVENT_TIMER, 0);
    event->node = (uint32_t)(node - node->sim->nodes);
    event->generation = node->generation;
    sim_queue_put(queue, event, deadline);
    node->timer_ms = event->at_ms;
}

void sim_node_send(struct sim_node *node, const struct bypeer_pnrp_endpoint *to, const uint8_t *bytes, size_t length)
{
    struct sim *sim = node->sim;
    node->sent_bytes += length;
    sim->tally.datagrams += node->role != SIM_ATTACKER;
    sim->tally.bytes += node->role != SIM_ATTACKER ? length : 0;
    uint32_t slot = sim_node_find(sim, to->address);
    uint32_t delay = slot == UINT32_MAX ? 0 : sim_network_carry(&sim->network, &node->place, &sim->nodes[slot].place);
    if (delay == 0) {
        sim->tally.lost++;
        return;
    }
    struct sim_event *event = sim_queue_new(&sim->queue, SIM_EVENT_DATAGRAM, (uint16_t)length);
    event->node = slot;
    event->generation = sim->nodes[slot].generation;
    event->from = (uint32_t)(node - sim->nodes);
    event->from_generation = node->generation;
    event->from_net = node->network;
    memcpy(event->bytes, bytes, length);
    sim_queue_put(&sim->queue, event, sim->queue.now_ms + delay);
}

static void node_receive(struct sim_node *node, const struct sim_event *event)
{
    struct bypeer_pnrp_endpoint from;
    endpoint_write(event->from_net, event->from, event->from_generation, node->sim->profile->pnrp_port, &from);
    node->received_bytes += event->length;
    if (node->role == SIM_VICTIM || (node->role == SIM_ATTACKER && sim_attack_takes(node, &from, event)))
        return;
    bypeer_pnrp_receive(node->pnrp, sim_time(node->sim), 0, &from, event->bytes, event->length);
    sim_node_settle(node);
}

void sim_node_event(struct sim *sim, struct sim_event *event)
{
    struct sim_node *node = &sim->nodes[event->node];
    if (event->kind == SIM_EVENT_JOB) { /* the slot waits for it */
        sim_signature_run(event->job);
        bypeer_pnrp_job_done(node->pnrp, sim_time(sim), event->job);
        node->jobs_out--;
        if (!node->is_leaving)
            sim_node_settle(node);
        else if (node->jobs_out == 0)
            node_vacate(node);
        return;
    }
    if (node->role == SIM_VACANT || node->is_leaving || event->generation != node->generation)
        return;
    if (event->kind == SIM_EVENT_DATAGRAM) {
        node_receive(node, event);
    } else if (event->at_ms == node->timer_ms) { /* else a nearer deadline came in between */
        node->timer_ms = UINT64_MAX;
        if (bypeer_pnrp_deadline(node->pnrp) <= sim_time(sim).ms)
            bypeer_pnrp_tick(node->pnrp, sim_time(sim));
        sim_node_settle(node);
    }
}

static void sink_send(void *context, unsigned local, const struct bypeer_pnrp_endpoint *to, const uint8_t *bytes,
                      size_t length)
{
    struct sim_node *node = context;
    (void)local;
    if (!node->is_leaving)
        sim_node_send(node, to, bytes, length);
}

static bool sink_job(void *context, struct bypeer_pnrp_job *job)
{
    struct sim_node *node = context;
    struct sim_queue *queue = &node->sim->queue;
    struct sim_event *event = sim_queue_new(queue, SIM_EVENT_JOB, 0);
    event->node = (uint32_t)(node - node->sim->nodes);
    event->job = job;
    node->jobs_out++;
    sim_queue_put(queue, event, queue->now_ms + 1);
    return true;
}

static void sink_found(void *context, uint64_t resolve, const struct bypeer_pnrp_found *found)
{
    sim_workload_found(context, resolve, found);
}

static void sink_finished(void *context, uint64_t resolve, int status)
{
    sim_workload_finished(context, resolve, status);
}

static void sink_unregistered(void *context, uint64_t registration)
{
    (void)context;
    (void)registration;
}

static const struct bypeer_pnrp_sink sink = {
    .send = sink_send,
    .job = sink_job,
    .found = sink_found,
    .finished = sink_finished,
    .unregistered = sink_unregistered,
};
