/*
 * How a graph that fell apart is found out ([MS-PPGRH] 3.1.7.26, 3.1.7.28). The smallest node ID of a graph is its
 * signature; a few nodes, the contacts, tell which one they see, and where they are. Where a contact sees another one
 * than is seen here, there are two graphs, and a link to the contact makes them one.
 */
#include <math.h>

#include "overlay/graph/state.h"

#define CONTACT_TIMER_LEAST   (10 * GRAPH_SECOND)
#define CONTACT_TIMER_MOST    (180 * GRAPH_SECOND)
#define CONTACT_SPARE         5
#define PARTITION_TIMER_LEAST (5 * GRAPH_SECOND)
#define PARTITION_TIMER_MOST  (30 * GRAPH_SECOND)
#define SIGNATURE_SOON_MS     100
#define SIGNATURE_SPREAD_MS   29900.0

uint64_t graph_signature(const struct bypeer_graph *graph)
{
    uint64_t node_id;
    const struct bypeer_record *record = graph_live(graph, &BYPEER_RECORD_SIGNATURE_ID);
    if (record == NULL || bypeer_graph_signature_read(&node_id, record->payload, record->payload_bytes) < 0)
        return UINT64_MAX;
    return node_id;
}

bool graph_is_contact(const struct bypeer_graph *graph)
{
    return graph->has_contact;
}

/* The smaller the own ID, the sooner; only a node that others can reach speaks for the graph. */
void graph_weigh_signature(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    uint64_t signature = graph_signature(graph);
    if (!graph_is_listening(graph) || signature <= graph->node_id || graph->is_leaving) {
        graph->timers.signature = GRAPH_NEVER;
        return;
    }
    double top = (double)(graph->node_id >> 48);
    uint64_t delay = SIGNATURE_SOON_MS;
    if (signature == UINT64_MAX)
        delay += (uint64_t)(SIGNATURE_SPREAD_MS * (1 - exp(-top / 65536)));
    graph_hasten(&graph->timers.signature, now.ms + delay);
}

void graph_on_signature_timer(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    uint8_t payload[BYPEER_GRAPH_SIGNATURE_BYTES];
    graph->timers.signature = GRAPH_NEVER;
    if (!graph_is_listening(graph) || graph_signature(graph) <= graph->node_id)
        return;
    bypeer_graph_signature_write(graph->node_id, payload);
    graph_publish_internal(graph, now, &BYPEER_RECORD_SIGNATURE, &BYPEER_RECORD_SIGNATURE_ID, payload, sizeof(payload),
                           GRAPH_SIGNATURE_S, NULL);
}

/* The large graph has a small signature, about 2^64 over its nodes, and wants more contacts. */
static unsigned contact_least(uint64_t signature)
{
    unsigned bits = signature == 0 ? 0 : 63 - (unsigned)__builtin_clzll(signature);
    return bits >= 55 ? 5 : 60 - bits;
}

static unsigned contact_count(const struct bypeer_graph *graph)
{
    unsigned count = 0;
    const struct bypeer_guid type = BYPEER_RECORD_CONTACT;
    for (const struct bypeer_record *record = bypeer_graph_next(graph, &type, NULL); record;
         record = bypeer_graph_next(graph, &type, record))
        count += !bypeer_record_is_deleted(record);
    return count;
}

/* Whether this node is to become a contact, 1, or not to be one any more, -1. */
static int contact_wanted(const struct bypeer_graph *graph)
{
    unsigned count = contact_count(graph), least = contact_least(graph_signature(graph));
    if (!graph->has_contact)
        return graph_is_listening(graph) && graph->is_synchronised && count < least;
    return !graph_is_listening(graph) || count > least + CONTACT_SPARE ? -1 : 0;
}

void graph_weigh_contacts(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    if (graph->has_contact && !graph_live(graph, &graph->contact_id))
        graph->has_contact = false; /* expired, or an administrator took it out */
    if (graph->timers.contact == GRAPH_NEVER && !graph->is_leaving && contact_wanted(graph) != 0)
        graph->timers.contact = now.ms + graph_random_between(graph, CONTACT_TIMER_LEAST, CONTACT_TIMER_MOST);
}

void graph_renew_contact(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    if (graph->has_contact && !graph->is_leaving)
        graph_hasten(&graph->timers.contact, now.ms);
}

static void contact_publish(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    uint8_t payload[20 + 32 * BYPEER_GRAPH_LISTENING_MAX];
    struct bypeer_graph_contact contact = {.signature = graph_signature(graph), .node_id = graph->node_id};
    contact.address_count = (uint8_t)graph->listening_count;
    memcpy(contact.addresses, graph->listening, sizeof(contact.addresses));
    long bytes = bypeer_graph_contact_write(&contact, payload, sizeof(payload));
    if (bytes < 0)
        return;
    struct bypeer_guid id;
    graph->contact_signature = contact.signature;
    if (graph_publish_internal(graph, now, &BYPEER_RECORD_CONTACT, graph->has_contact ? &graph->contact_id : NULL,
                               payload, (size_t)bytes, GRAPH_CONTACT_S, &id) == 0) {
        graph->contact_id = id;
        graph->has_contact = true;
    }
}

void graph_on_contact_timer(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    graph->timers.contact = GRAPH_NEVER;
    int wanted = contact_wanted(graph);
    if (wanted > 0 || (wanted == 0 && graph->has_contact)) {
        contact_publish(graph, now);
    } else if (wanted < 0) {
        graph->has_contact = false;
        bypeer_graph_delete(graph, now, &graph->contact_id, false);
    }
}

/* A contact that sees another signature and is somewhere else; one of them at random. */
static bool contact_find_other(struct bypeer_graph *graph, struct bypeer_graph_address *ret_address)
{
    const struct bypeer_guid type = BYPEER_RECORD_CONTACT;
    uint64_t signature = graph_signature(graph), seen = 0;
    for (const struct bypeer_record *record = bypeer_graph_next(graph, &type, NULL); record && signature != UINT64_MAX;
         record = bypeer_graph_next(graph, &type, record)) {
        struct bypeer_graph_contact contact;
        if (bypeer_record_is_deleted(record) ||
            bypeer_graph_contact_read(&contact, record->payload, record->payload_bytes) < 0 ||
            contact.signature == signature || contact.address_count == 0 || contact.node_id == graph->node_id ||
            graph_has_address(graph, &contact.addresses[0]))
            continue;
        if (graph_random(graph) % ++seen == 0)
            *ret_address = contact.addresses[0];
    }
    return seen > 0;
}

void graph_weigh_partition(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    struct bypeer_graph_address address;
    if (graph->timers.partition == GRAPH_NEVER && !graph->is_leaving && contact_find_other(graph, &address))
        graph->timers.partition = now.ms + graph_random_between(graph, PARTITION_TIMER_LEAST, PARTITION_TIMER_MOST);
}

void graph_on_partition_timer(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    struct bypeer_graph_address address;
    struct graph_link *link;
    graph->timers.partition = GRAPH_NEVER;
    if (contact_find_other(graph, &address))
        graph_dial(graph, now, &address, NULL, BYPEER_GRAPH_NEIGHBOR, &link);
}
