#include "perf/sim_attack.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "perf/sim_nodes.h"
#include "perf/sim_random.h"

#define ATTACK_SERIALS  (UINT64_C(1) << 40) /* attackers' names begin here */
#define ATTACK_SETTLE_S 60                  /* for an eclipse to be in place before its victim joins, and after */
#define TARGETED_OF     10                  /* one resolve of so many is for the victim: it must not become popular */
#define RETRY_MS        1000                /* [MS-PNRP] 3.1.1: an unanswered message is sent once more after that */

struct sim_attack {
    uint32_t victim;
    uint32_t *slots; /* the attackers'; of an eclipse with its defence one, with all names */
    uint32_t count;
    uint8_t (*ids)[BYPEER_ID_BYTES]; /* of an eclipse */
    uint32_t id_count;
    uint64_t victim_serial; /* of an eclipse: its name, and its ID's upper half */
    uint8_t victim_p2p_id[BYPEER_P2P_ID_BYTES];
};

int sim_attack_open(struct sim *sim)
{
    struct sim_attack *attack = calloc(1, sizeof(*attack));
    if (attack == NULL)
        return -ENOMEM;
    sim->attack = attack;
    attack->victim = UINT32_MAX;
    attack->slots = calloc(sim->options.attackers, sizeof(*attack->slots));
    attack->ids = calloc(sim->options.attackers, sizeof(*attack->ids));
    return attack->slots == NULL || attack->ids == NULL ? -ENOMEM : 0;
}

void sim_attack_close(struct sim *sim)
{
    if (sim->attack == NULL)
        return;
    free(sim->attack->slots);
    free(sim->attack->ids);
    free(sim->attack);
}

static uint64_t eclipse_place(const struct sim *sim, uint64_t serial, uint8_t ret_p2p_id[static BYPEER_P2P_ID_BYTES])
{
    struct bypeer_peer_name name;
    uint64_t place;
    sim_node_name(sim, serial, &name);
    bypeer_name_p2p_id(sim->profile, &name, ret_p2p_id);
    memcpy(&place, ret_p2p_id, sizeof(place));
    return be64toh(place);
}

/* The next serial whose name falls within `within` of the victim's place, by the first 64 bits. */
static uint64_t eclipse_search(const struct sim *sim, uint64_t serial, uint64_t victim, uint64_t within)
{
    for (;; serial++) {
        uint8_t p2p_id[BYPEER_P2P_ID_BYTES];
        uint64_t above = eclipse_place(sim, serial, p2p_id) - victim;
        if (above < within || -above < within)
            return serial;
    }
}

/* IDs nearer to the victim's name than honest ones are, half a mean spacing each way; then the victim joins. */
static void eclipse_begin(struct sim *sim)
{
    struct sim_attack *attack = sim->attack;
    attack->victim_serial = sim->next_serial++;
    uint64_t victim = eclipse_place(sim, attack->victim_serial, attack->victim_p2p_id);
    uint64_t within = UINT64_MAX / sim->options.nodes / 2;
    uint64_t serial = ATTACK_SERIALS;
    while (attack->id_count < sim->options.attackers) {
        serial = eclipse_search(sim, serial, victim, within);
        uint8_t *ret_id = attack->ids[attack->id_count];
        bool is_new = sim->options.undefended || attack->count == 0;
        if (is_new) {
            uint32_t slot = sim_node_join_as(sim, SIM_ATTACKER, serial);
            if (slot == UINT32_MAX)
                exit(1);
            attack->slots[attack->count++] = slot;
            memcpy(ret_id, sim->nodes[slot].id, BYPEER_ID_BYTES);
        } else if (sim_node_register(&sim->nodes[attack->slots[0]], serial, ret_id) != 0) {
            fprintf(stderr, "cloud-sim: one node cannot register %u names; give fewer --attackers\n",
                    attack->id_count + 1);
            exit(1);
        }
        attack->id_count++;
        serial++;
    }
    sim_pass(sim, sim->queue.now_ms + ATTACK_SETTLE_S * 1000);
    attack->victim = sim_node_join_as(sim, SIM_ORDINARY, attack->victim_serial);
}

/* What a node without a bound sends for each entry: an INQUIRE for a CPA, and again, since nobody answers. */
static void test_send(struct sim *sim, uint32_t slot, const uint8_t *id)
{
    static const uint8_t nonce[16];
    struct bypeer_pnrp_message message = {
        .type = BYPEER_PNRP_INQUIRE,
        .id = (uint32_t)random_next(&sim->random),
        .inquire = {.flags = BYPEER_INQUIRE_CPA | BYPEER_INQUIRE_CHAIN, .validate = id, .nonce = nonce},
    };
    uint8_t bytes[BYPEER_PNRP_DATAGRAM_MAX];
    struct bypeer_pnrp_endpoint victim;
    sim_node_endpoint(&sim->nodes[sim->attack->victim], &victim);
    sim_node_send(&sim->nodes[slot], &victim, bytes, bypeer_pnrp_write(&message, sim->profile, bytes, sizeof(bytes)));
}

static void test_again(struct sim *sim, struct sim_event *event)
{
    if (sim->nodes[event->node].pnrp != NULL)
        test_send(sim, event->node, event->bytes);
}

static void test_unbounded(struct sim *sim, uint32_t slot, const uint8_t *id)
{
    test_send(sim, slot, id);
    struct sim_event *event = sim_call(sim, sim->queue.now_ms + RETRY_MS, test_again, BYPEER_ID_BYTES);
    event->node = slot;
    memcpy(event->bytes, id, BYPEER_ID_BYTES);
}

/* A FLOOD that wants no ACK, of an entry that is not what it says. */
static void falsehood_send(struct sim *sim, struct sim_node *attacker, uint32_t to, const uint8_t *id,
                           const uint8_t *address)
{
    static const uint8_t nobody[BYPEER_ID_BYTES];
    struct bypeer_pnrp_endpoint endpoint;
    struct bypeer_pnrp_message message = {
        .type = BYPEER_PNRP_FLOOD,
        .id = (uint32_t)random_next(&sim->random),
        .flood = {.no_ack = true,
                  .validate = nobody,
                  .entry = {.id = id, .addresses = address, .address_count = 1, .port = sim->profile->pnrp_port}},
    };
    uint8_t bytes[BYPEER_PNRP_DATAGRAM_MAX];
    sim_node_endpoint(&sim->nodes[to], &endpoint);
    sim_node_send(attacker, &endpoint, bytes, bypeer_pnrp_write(&message, sim->profile, bytes, sizeof(bytes)));
    if (!sim->options.undefended)
        return;
    if (sim->options.attack == SIM_ATTACK_FLOOD)
        test_unbounded(sim, to, id);
    else if (bypeer_pnrp_preload(sim->nodes[to].pnrp, sim_time(sim), &message.flood.entry) >= 0)
        sim_node_settle(&sim->nodes[to]);
}

static void falsehood_next(struct sim *sim, struct sim_event *event)
{
    struct sim_node *attacker = &sim->nodes[event->node];
    uint32_t to = sim_node_any(sim);
    uint64_t words[BYPEER_ID_BYTES / sizeof(uint64_t)];
    uint8_t id[BYPEER_ID_BYTES];
    for (unsigned i = 0; i < BYPEER_ID_BYTES / sizeof(uint64_t); i++)
        words[i] = random_next(&sim->random);
    memcpy(id, words, sizeof(id));
    struct bypeer_pnrp_endpoint address;
    sim_node_endpoint(&sim->nodes[sim->attack->victim], &address);
    if (sim->options.attack == SIM_ATTACK_FLOOD)
        memcpy(id, sim->nodes[to].id, 8); /* the rest is random: next to it, and new each time */
    else if (id[0] & 1)
        memset(address.address + 4, 0xff, 8); /* a slot that there is not */
    falsehood_send(sim, attacker, to, id, address.address);

    double wait_ms = sim_random_exponential(&sim->random, 1000.0 / sim->options.attack_rate);
    sim_call(sim, sim->queue.now_ms + (uint64_t)(wait_ms + sim_random_unit(&sim->random)), falsehood_next, 0)->node =
        event->node;
}

static void falsehood_begin(struct sim *sim)
{
    struct sim_attack *attack = sim->attack;
    attack->victim = sim_node_place(sim, SIM_VICTIM);
    while (attack->victim != UINT32_MAX && attack->count < sim->options.attackers) {
        uint32_t slot = sim_node_place(sim, SIM_ATTACKER);
        if (slot == UINT32_MAX)
            break;
        attack->slots[attack->count++] = slot;
        sim_call(sim, sim->queue.now_ms + 1, falsehood_next, 0)->node = slot;
    }
}

void sim_attack_start(struct sim *sim)
{
    if (sim->options.attack == SIM_ATTACK_ECLIPSE)
        eclipse_begin(sim);
    else if (sim->options.attack != SIM_ATTACK_NONE)
        falsehood_begin(sim);
    if (sim->options.attack != SIM_ATTACK_NONE)
        sim_pass(sim, sim->queue.now_ms + ATTACK_SETTLE_S * 1000);
}

/* Another attacker's ID that was not asked yet, so that the search goes on and on; else none, a dead end. */
static bool eclipse_detour(struct sim *sim, const struct bypeer_pnrp_lookup *lookup,
                           struct bypeer_pnrp_endpoint *ret_at, const uint8_t **ret_id)
{
    struct sim_attack *attack = sim->attack;
    uint32_t start = random_next_below(&sim->random, attack->id_count);
    for (uint32_t i = 0; i < attack->id_count; i++) {
        uint32_t at = (start + i) % attack->id_count;
        sim_node_endpoint(&sim->nodes[attack->slots[at % attack->count]], ret_at);
        *ret_id = attack->ids[at];
        if (!bypeer_pnrp_endpoints_have(&lookup->path, ret_at->address) && memcmp(*ret_id, lookup->validate, 32) != 0)
            return true;
    }
    return false;
}

/* A question for the victim's name, of others or of the victim that wants to know its neighbours; or news of it. */
static bool eclipse_concerns_victim(const struct sim *sim, const struct bypeer_pnrp_message *message)
{
    const uint8_t *victim = sim->attack->victim_p2p_id;
    if (message->type == BYPEER_PNRP_LOOKUP)
        return memcmp(message->lookup.target, victim, BYPEER_P2P_ID_BYTES) == 0;
    return message->type == BYPEER_PNRP_FLOOD && message->flood.entry.id != NULL &&
           memcmp(message->flood.entry.id, victim, BYPEER_P2P_ID_BYTES) == 0;
}

bool sim_attack_takes(struct sim_node *node, const struct bypeer_pnrp_endpoint *from, const struct sim_event *event)
{
    struct sim *sim = node->sim;
    struct bypeer_pnrp_message message;
    if (node->pnrp == NULL)
        return true;
    if (bypeer_pnrp_read(&message, sim->profile, event->bytes, event->length) != 0 ||
        !eclipse_concerns_victim(sim, &message))
        return false;
    if (message.type != BYPEER_PNRP_LOOKUP) /* the victim's coming, of which nobody shall hear */
        return true;
    struct bypeer_pnrp_endpoint at;
    const uint8_t *id;
    struct bypeer_pnrp_answer answer = {0};
    if (eclipse_detour(sim, &message.lookup, &at, &id))
        answer.entry =
            (struct bypeer_pnrp_entry){.id = id, .addresses = at.address, .address_count = 1, .port = at.port};
    uint8_t buffer[BYPEER_PNRP_SLICE_BYTES], bytes[BYPEER_PNRP_DATAGRAM_MAX];
    size_t size = bypeer_pnrp_answer_write(&answer, sim->profile, buffer, sizeof(buffer));
    struct bypeer_pnrp_message reply = {
        .type = BYPEER_PNRP_AUTHORITY,
        .id = (uint32_t)random_next(&sim->random),
        .authority = {.acked = message.id, .size = (uint16_t)size, .slice = buffer, .slice_bytes = (uint16_t)size},
    };
    sim_node_send(node, from, bytes, bypeer_pnrp_write(&reply, sim->profile, bytes, sizeof(bytes)));
    return true;
}

uint32_t sim_attack_target(struct sim *sim)
{
    bool is_attacked = sim->options.attack == SIM_ATTACK_ECLIPSE && random_next_below(&sim->random, TARGETED_OF) == 0;
    return is_attacked ? sim->attack->victim : UINT32_MAX;
}

uint32_t sim_attack_victim(const struct sim *sim)
{
    return sim->attack->victim;
}

uint64_t sim_attack_sent_bytes(const struct sim *sim)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < sim->attack->count; i++)
        bytes += sim->nodes[sim->attack->slots[i]].sent_bytes;
    return bytes;
}

uint64_t sim_attack_victim_bytes(const struct sim *sim)
{
    return sim->attack->victim == UINT32_MAX ? 0 : sim->nodes[sim->attack->victim].received_bytes;
}
