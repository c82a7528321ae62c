/* Who is here: each node's own presence record, and what the host hears of others ([MS-PPGRH] 3.1.7.27). */
#include <errno.h>
#include <stdlib.h>

#include "overlay/graph/state.h"

#define PRESENCE_TIMER_LEAST (30 * GRAPH_SECOND)
#define PRESENCE_TIMER_MOST  (180 * GRAPH_SECOND)
#define PRESENCE_SPARE       10

static unsigned presence_count(const struct bypeer_graph *graph)
{
    unsigned count = 0;
    const struct bypeer_guid type = BYPEER_RECORD_PRESENCE;
    for (const struct bypeer_record *record = bypeer_graph_next(graph, &type, NULL); record;
         record = bypeer_graph_next(graph, &type, record))
        count += !bypeer_record_is_deleted(record);
    return count;
}

static void presence_publish(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    struct bypeer_graph_presence presence = {.node_id = graph->node_id, .attributes = graph->attributes};
    struct bypeer_buffer payload = {0};
    uint32_t lifetime_s = graph->info.presence_s ? graph->info.presence_s : BYPEER_GRAPH_PRESENCE_S;
    presence.address_count = (uint8_t)graph->listening_count;
    memcpy(presence.addresses, graph->listening, sizeof(presence.addresses));
    size_t room = 64 + 32 * BYPEER_GRAPH_LISTENING_MAX + (graph->attributes ? 2 * strlen(graph->attributes) : 0);
    uint8_t *place = bypeer_buffer_reserve(&payload, room);
    long bytes = place ? bypeer_graph_presence_write(&presence, place, room) : -ENOMEM;
    struct bypeer_guid id;
    if (bytes > 0 && graph_publish_internal(graph, now, &BYPEER_RECORD_PRESENCE,
                                            graph->has_presence_record ? &graph->presence_id : NULL, place,
                                            (size_t)bytes, lifetime_s, &id) == 0) {
        graph->presence_id = id;
        graph->has_presence_record = true;
    }
    bypeer_buffer_clear(&payload);
}

static void presence_delete(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    graph->has_presence_record = false;
    bypeer_graph_delete(graph, now, &graph->presence_id, false);
}

/* 1: publish; -1: delete; 0: as it is. */
static int presence_wanted(const struct bypeer_graph *graph)
{
    uint32_t most = graph->info.presence_max;
    if (!graph_is_listening(graph) || graph->is_leaving)
        return graph->has_presence_record ? -1 : 0;
    if (graph->has_presence || most == UINT32_MAX)
        return graph->has_presence_record ? 0 : 1;
    if (most == 0)
        return graph->has_presence_record ? -1 : 0;
    unsigned count = presence_count(graph);
    if (graph->has_presence_record)
        return count > most + PRESENCE_SPARE ? -1 : 0;
    return count < most ? 1 : 0;
}

void graph_weigh_presence(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    if (graph->has_presence_record && !graph_live(graph, &graph->presence_id))
        graph->has_presence_record = false;
    int wanted = presence_wanted(graph);
    if (wanted == 0)
        return;
    bool is_shared = !graph->has_presence && graph->info.presence_max != UINT32_MAX && graph->info.presence_max != 0;
    if (is_shared && graph->timers.presence != GRAPH_NEVER)
        return;
    graph_hasten(&graph->timers.presence,
                 now.ms + (is_shared ? graph_random_between(graph, PRESENCE_TIMER_LEAST, PRESENCE_TIMER_MOST) : 0));
}

void graph_on_presence_timer(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    graph->timers.presence = GRAPH_NEVER;
    int wanted = presence_wanted(graph);
    if (wanted > 0)
        presence_publish(graph, now);
    else if (wanted < 0)
        presence_delete(graph, now);
}

void graph_renew_presence(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    if (graph->has_presence_record && graph_is_listening(graph))
        presence_publish(graph, now);
}

void graph_tell_presence(struct bypeer_graph *graph, enum bypeer_record_change change,
                         const struct bypeer_record *record)
{
    static const enum bypeer_graph_node_change changes[] = {
        [BYPEER_RECORD_ADDED] = BYPEER_GRAPH_NODE_PRESENT,
        [BYPEER_RECORD_UPDATED] = BYPEER_GRAPH_NODE_CHANGED,
        [BYPEER_RECORD_REMOVED] = BYPEER_GRAPH_NODE_GONE,
        [BYPEER_RECORD_EXPIRED] = BYPEER_GRAPH_NODE_GONE,
    };
    struct bypeer_graph_presence presence = {0};
    if (graph->sink.node == NULL || (!bypeer_record_is_deleted(record) &&
                                     bypeer_graph_presence_read(&presence, record->payload, record->payload_bytes) < 0))
        return;
    const struct bypeer_graph_node node = {
        .node_id = presence.node_id,
        .peer_id = record->creator,
        .attributes = presence.attributes,
        .addresses = presence.addresses,
        .address_count = presence.address_count,
    };
    graph->sink.node(graph->sink_context, changes[change], &node);
    bypeer_graph_presence_clear(&presence);
}

void bypeer_graph_set_presence(struct bypeer_graph *graph, struct bypeer_graph_time now, bool is_on)
{
    graph->has_presence = is_on;
    graph_weigh_presence(graph, now);
}

int bypeer_graph_set_attributes(struct bypeer_graph *graph, struct bypeer_graph_time now, const char *attributes)
{
    struct bypeer_attributes *read = NULL;
    char why[BYPEER_ATTRIBUTE_WHY];
    int result = attributes ? bypeer_attributes_read(&read, attributes, why) : 0;
    if (result < 0)
        return result;
    free(read);
    char *copy = attributes ? strdup(attributes) : NULL;
    if (attributes && copy == NULL)
        return -ENOMEM;
    free(graph->attributes);
    graph->attributes = copy;
    graph_renew_presence(graph, now);
    return 0;
}
