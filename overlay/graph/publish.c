/* Records of this node: made, changed, deleted and refreshed ([MS-PPGRH] 3.1.4.2). */
#include <errno.h>
#include <stdlib.h>

#include "overlay/graph/state.h"
#include "overlay/graph/text.h"

/* Signs a record that is complete otherwise, and stores a copy of it. */
static int publish_finish(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_record *draft)
{
    struct bypeer_record record = *draft;
    uint8_t security[GRAPH_SECURITY_MAX];
    uint32_t largest = graph->info.record_max ? graph->info.record_max : BYPEER_RECORD_BYTES_MAX;
    if (graph->is_leaving && !bypeer_record_is_deleted(draft))
        return -ESHUTDOWN;
    if (graph->security.secure) {
        size_t bytes = sizeof(security);
        int result = graph->security.secure(graph->security.context, now, draft, security, &bytes);
        if (result < 0)
            return result;
        record.security = security;
        record.security_bytes = bytes;
    }
    if (bypeer_record_bytes(&record) == 0)
        return -EINVAL;
    if (record.payload_bytes + (record.attributes ? 2 * bypeer_text_units(record.attributes) : 0) > largest)
        return -EMSGSIZE;
    struct bypeer_record *copy = bypeer_record_copy(&record);
    if (copy == NULL)
        return -ENOMEM;
    if (record.flags & BYPEER_RECORD_AUTOREFRESH)
        graph_hasten(&graph->timers.refresh, now.ms + GRAPH_REFRESH_LEAST_MS);
    return graph_store(graph, now, copy, NULL);
}

static int publish_check_attributes(const char *attributes)
{
    struct bypeer_attributes *read;
    char why[BYPEER_ATTRIBUTE_WHY];
    int result = attributes ? bypeer_attributes_read(&read, attributes, why) : 0;
    if (attributes && result == 0)
        free(read);
    return result;
}

static void publish_make_id(struct bypeer_graph *graph, const char *creator, struct bypeer_guid *ret_id)
{
    uint64_t random[2] = {graph_random(graph), graph_random(graph)};
    uint8_t bytes[16];
    memcpy(bytes, random, sizeof(bytes));
    bypeer_record_make_id(graph->profile, creator, bytes, ret_id);
}

int bypeer_graph_publish(struct bypeer_graph *graph, struct bypeer_graph_time now,
                         const struct bypeer_record_draft *draft, struct bypeer_guid *ret_id)
{
    uint64_t peer_now = bypeer_graph_peer_time(graph, now);
    struct bypeer_record record = {
        .type = draft->type,
        .version = 1,
        .flags = draft->is_autorefresh ? BYPEER_RECORD_AUTOREFRESH : 0,
        .protocol = bypeer_record_protocol(graph->profile),
        .creator = draft->creator ? draft->creator : graph->peer_id,
        .created = peer_now,
        .modified = peer_now,
        .expires = draft->expires,
        .graph = graph->graph_id,
        .attributes = draft->attributes,
        .payload = draft->payload,
        .payload_bytes = draft->payload_bytes,
    };
    if (draft->expires <= peer_now || (bypeer_record_is_reserved(&draft->type) && !draft->is_internal))
        return -EINVAL;
    int result = publish_check_attributes(draft->attributes);
    if (result < 0)
        return result;
    if (draft->id)
        record.id = *draft->id;
    else
        publish_make_id(graph, record.creator, &record.id);
    if (graph_database_find(&graph->database, &record.id))
        return -EEXIST;
    result = publish_finish(graph, now, &record);
    if (result == 0 && ret_id)
        *ret_id = record.id;
    return result;
}

/* The next version of a record: its fields point into the one that there is, and to modifier. */
static void publish_next_version(const struct bypeer_record *old, const char *modifier, uint64_t peer_now,
                                 struct bypeer_record *ret_record)
{
    *ret_record = *old;
    ret_record->version++;
    ret_record->modifier = modifier;
    ret_record->modified = peer_now > old->modified ? peer_now : old->modified + 1;
}

/* What a record that there is points to goes when it is replaced: the next version is made from a copy. */
static struct bypeer_record *publish_copy(const struct bypeer_graph *graph, const struct bypeer_guid *id,
                                          int *ret_result)
{
    const struct graph_entry *entry = graph_database_find(&graph->database, id);
    struct bypeer_record *copy = NULL;
    if (entry == NULL)
        *ret_result = -ENOENT;
    else if (bypeer_record_is_deleted(entry->record))
        *ret_result = -ESTALE;
    else if (entry->record->version == UINT32_MAX)
        *ret_result = -EOVERFLOW;
    else if ((copy = bypeer_record_copy(entry->record)) == NULL)
        *ret_result = -ENOMEM;
    return copy;
}

int bypeer_graph_update(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_guid *id,
                        const struct bypeer_record_draft *draft)
{
    struct bypeer_record record;
    int result = publish_check_attributes(draft->attributes);
    if (result < 0)
        return result;
    struct bypeer_record *old = publish_copy(graph, id, &result);
    if (old == NULL)
        return result;
    uint64_t peer_now = bypeer_graph_peer_time(graph, now);
    publish_next_version(old, draft->creator ? draft->creator : graph->peer_id, peer_now, &record);
    record.flags = draft->is_autorefresh ? BYPEER_RECORD_AUTOREFRESH : 0;
    record.attributes = draft->attributes;
    record.payload = draft->payload;
    record.payload_bytes = draft->payload_bytes;
    if (draft->expires != 0)
        record.expires = draft->expires;
    if (record.expires < old->expires || record.expires <= record.modified ||
        (bypeer_record_is_reserved(&record.type) && !draft->is_internal))
        result = -EINVAL;
    else
        result = publish_finish(graph, now, &record);
    free(old);
    return result;
}

int bypeer_graph_delete(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_guid *id,
                        bool is_local)
{
    struct bypeer_record record;
    int result = 0;
    if (is_local) {
        if (graph_database_find(&graph->database, id) == NULL)
            return -ENOENT;
        graph_remove(graph, now, id, BYPEER_RECORD_REMOVED);
        return 0;
    }
    struct bypeer_record *old = publish_copy(graph, id, &result);
    if (old == NULL)
        return result;
    publish_next_version(old, graph->peer_id, bypeer_graph_peer_time(graph, now), &record);
    record.flags = BYPEER_RECORD_DELETED;
    record.attributes = NULL;
    record.payload = NULL;
    record.payload_bytes = 0;
    if (record.expires <= record.modified)
        record.expires = record.modified + 1;
    result = publish_finish(graph, now, &record);
    free(old);
    return result;
}

/*
 * One of graphing's own records. One that is this node's already goes on in its next version. The signature is one
 * record for all: it goes on as a record of this node's own, with a version that wins, so that no provider has to let a
 * peer modify another's.
 */
int graph_publish_internal(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_guid *type,
                           const struct bypeer_guid *id, const uint8_t *payload, size_t payload_bytes,
                           uint32_t lifetime_s, struct bypeer_guid *ret_id)
{
    uint64_t peer_now = bypeer_graph_peer_time(graph, now);
    struct bypeer_record record = {
        .type = *type,
        .version = 1,
        .flags = BYPEER_RECORD_AUTOREFRESH,
        .protocol = bypeer_record_protocol(graph->profile),
        .creator = graph->peer_id,
        .created = peer_now,
        .modified = peer_now,
        .expires = peer_now + lifetime_s * BYPEER_PEER_TIME_SECOND,
        .graph = graph->graph_id,
        .payload = payload,
        .payload_bytes = payload_bytes,
    };
    const struct graph_entry *entry = id ? graph_database_find(&graph->database, id) : NULL;
    if (entry && entry->record->version == UINT32_MAX)
        return -EOVERFLOW; /* somebody has put an end to it, until it expires */
    if (id)
        record.id = *id;
    else
        publish_make_id(graph, graph->peer_id, &record.id);
    if (entry) {
        const struct bypeer_record *old = entry->record;
        record.version = old->version + 1;
        if (strcmp(old->creator, graph->peer_id) == 0 && old->created < peer_now) {
            record.created = old->created;
            record.modifier = graph->peer_id;
            record.security = old->security;
            record.security_bytes = old->security_bytes;
        }
    }
    int result = publish_finish(graph, now, &record);
    if (result == 0 && ret_id)
        *ret_id = record.id;
    return result;
}

void graph_refresh(struct bypeer_graph *graph, struct bypeer_graph_time now, const struct bypeer_guid *id)
{
    struct bypeer_record record;
    int result = 0;
    struct bypeer_record *old = publish_copy(graph, id, &result);
    if (old == NULL)
        return;
    uint64_t peer_now = bypeer_graph_peer_time(graph, now), life = old->expires - old->modified;
    publish_next_version(old, graph->peer_id, peer_now, &record);
    record.expires = record.modified + life;
    publish_finish(graph, now, &record);
    free(old);
}

int graph_publish_info(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    uint8_t payload[BYPEER_GRAPH_INFO_MAX];
    long bytes = bypeer_graph_info_write(&graph->info, payload, sizeof(payload));
    if (bytes < 0)
        return (int)bytes;
    return graph_publish_internal(graph, now, &BYPEER_RECORD_GRAPH_INFO, &BYPEER_RECORD_GRAPH_INFO_ID, payload,
                                  (size_t)bytes, GRAPH_INFO_S, NULL);
}

void graph_weigh_info(struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    if (graph->is_creator && graph_is_listening(graph) && !graph_live(graph, &BYPEER_RECORD_GRAPH_INFO_ID))
        graph_publish_info(graph, now);
}
