/*
 * Synchronisation by hashes ([MS-PPGRH] 3.1.5.3.3): the initiator tells the hash of each ten of its records, in order
 * of their last modification; the responder lists what it has wherever that differs; the initiator asks for what it
 * lacks, gets it, and sends what the responder lacks.
 */
#include <stdlib.h>

#include "overlay/graph/state.h"
#include "overlay/ip/wire.h"

#define HASHED_ABSTRACT (BYPEER_GRAPH_ABSTRACT_BYTES + 8) /* of the modern profile: with what tells versions apart */

/* The hash of records from one place to another in the order of keys. */
static void hash_range(const struct bypeer_graph *graph, size_t from, size_t to, uint8_t ret_hash[static 16])
{
    uint8_t bytes[HASHED_ABSTRACT * GRAPH_RANGE];
    struct bypeer_buffer more = {0};
    uint8_t *start = bytes, *place = bytes;
    if (to - from > GRAPH_RANGE) {
        start = place = bypeer_buffer_reserve(&more, HASHED_ABSTRACT * (to - from));
        if (start == NULL) { /* a hash that differs: the range is listed */
            memset(ret_hash, 0, 16);
            return;
        }
    }
    for (size_t at = from; at < to; at++) {
        const struct graph_entry *entry = graph->database.by_key.at[at];
        const struct bypeer_graph_abstract abstract = {entry->record->id, entry->record->version};
        bypeer_graph_abstract_put(place, &abstract);
        place += BYPEER_GRAPH_ABSTRACT_BYTES;
        if (graph->profile->id != BYPEER_PROFILE_WINDOWS) {
            bypeer_store64(place, entry->digest);
            place += 8;
        }
    }
    const struct bypeer_piece piece = {start, (size_t)(place - start)};
    bypeer_graph_hash(graph->profile, &piece, 1, ret_hash);
    bypeer_buffer_clear(&more);
}

static struct bypeer_graph_key hash_key_of(const struct bypeer_record *record)
{
    return (struct bypeer_graph_key){record->modified, record->id};
}

/* The place of the first record behind a key. */
static size_t hash_behind(const struct bypeer_graph *graph, const struct bypeer_graph_key *key)
{
    const struct graph_index *index = &graph->database.by_key;
    const struct bypeer_record record = {.id = key->id, .modified = key->modified};
    size_t place = graph_index_lower(index, graph_order_key, &record);
    while (place < index->count && graph_order_key(index->at[place]->record, &record) == 0)
        place++;
    return place;
}

void graph_ask_hashes(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    const struct graph_index *index = &graph->database.by_key;
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_SOLICIT_HASH};
    struct bypeer_buffer hashes = {0};
    link->sync = SYNC_HASH;
    link->is_asked = false;
    link->has_list = false;
    link->to_send.length = 0;
    for (size_t from = 0; from < index->count; from += GRAPH_RANGE) {
        size_t to = index->count - from < GRAPH_RANGE ? index->count : from + GRAPH_RANGE;
        struct bypeer_graph_range range = {.last = hash_key_of(index->at[to - 1]->record)};
        uint8_t *place = bypeer_buffer_reserve(&hashes, BYPEER_GRAPH_HASH_BYTES);
        if (place == NULL) {
            bypeer_buffer_clear(&hashes);
            graph_link_close(graph, now, link, "no memory");
            return;
        }
        hash_range(graph, from, to, range.hash);
        bypeer_graph_range_put(place, &range);
        hashes.length += BYPEER_GRAPH_HASH_BYTES;
        message.solicit.hash_count++;
    }
    message.solicit.hashes = hashes.bytes;
    graph_send(graph, now, link, &message);
    bypeer_buffer_clear(&hashes);
}

/* What a responder lists. */
struct hash_list {
    struct bypeer_buffer boundaries, abstracts;
    uint32_t boundary_count, abstract_count;
};

static bool hash_list_range(const struct bypeer_graph *graph, struct hash_list *list, size_t from, size_t to,
                            const struct bypeer_graph_key *low, const struct bypeer_graph_key *high)
{
    const struct bypeer_graph_boundary boundary = {*low, *high, (uint32_t)(to - from)};
    uint8_t *place = bypeer_buffer_reserve(&list->boundaries, BYPEER_GRAPH_BOUNDARY_BYTES);
    if (place == NULL)
        return false;
    bypeer_graph_boundary_put(place, &boundary);
    list->boundaries.length += BYPEER_GRAPH_BOUNDARY_BYTES;
    list->boundary_count++;
    for (size_t at = from; at < to; at++) {
        const struct bypeer_record *record = graph->database.by_key.at[at]->record;
        const struct bypeer_graph_abstract abstract = {record->id, record->version};
        place = bypeer_buffer_reserve(&list->abstracts, BYPEER_GRAPH_ABSTRACT_BYTES);
        if (place == NULL)
            return false;
        bypeer_graph_abstract_put(place, &abstract);
        list->abstracts.length += BYPEER_GRAPH_ABSTRACT_BYTES;
        list->abstract_count++;
    }
    return true;
}

/* Keys that do not grow make empty ranges: whoever sends them gets what it asked for. */
static bool hash_compare(const struct bypeer_graph *graph, const struct bypeer_graph_solicit *solicit,
                         struct hash_list *list)
{
    const size_t count = graph->database.by_key.count;
    struct bypeer_graph_key low = {0};
    size_t from = 0;
    for (uint32_t at = 0; at < solicit->hash_count; at++) {
        struct bypeer_graph_range range;
        uint8_t own[16];
        bypeer_graph_range_at(solicit->hashes, at, &range);
        size_t to = hash_behind(graph, &range.last);
        if (to < from)
            to = from;
        hash_range(graph, from, to, own);
        if (memcmp(own, range.hash, sizeof(own)) != 0 && !hash_list_range(graph, list, from, to, &low, &range.last))
            return false;
        low = range.last;
        from = to;
    }
    struct bypeer_graph_key last = {.modified = UINT64_MAX};
    memset(last.id.bytes, 0xff, sizeof(last.id.bytes));
    return from == count || hash_list_range(graph, list, from, count, &low, &last);
}

void graph_answer_hashes(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                         const struct bypeer_graph_solicit *solicit)
{
    struct hash_list list = {0};
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_ADVERTISE};
    link->is_asked = true;
    if (hash_compare(graph, solicit, &list)) {
        message.advertise = (struct bypeer_graph_advertise){list.boundaries.bytes, list.boundary_count,
                                                            list.abstracts.bytes, list.abstract_count};
        graph_send(graph, now, link, &message);
    } else {
        graph_link_close(graph, now, link, "no memory");
    }
    bypeer_buffer_clear(&list.boundaries);
    bypeer_buffer_clear(&list.abstracts);
}

/* Notes in own records that the peer lists them in a range, so that both lists are gone over once. */
static void hash_mark_listed(struct bypeer_graph *graph, const struct bypeer_graph_advertise *advertise, uint32_t from,
                             uint32_t count)
{
    graph->database.listings += graph->database.listings == UINT32_MAX ? 2 : 1;
    for (uint32_t at = 0; at < count; at++) {
        struct bypeer_graph_abstract abstract;
        bypeer_graph_abstract_at(advertise->abstracts, from + at, &abstract);
        struct graph_entry *own = graph_database_find(&graph->database, &abstract.id);
        if (own) {
            own->listed_in = graph->database.listings;
            own->listed_version = abstract.version;
        }
    }
}

/*
 * What the peer lacks of a range. In the modern profile also what it has in the same version, since that may be another
 * one: the ranges' hashes tell, abstracts do not. Ranges ascend; what lies before *next was dealt with, so that a peer
 * whose ranges overlap gets no record twice.
 */
static bool hash_note_rest(struct bypeer_graph *graph, struct graph_link *link,
                           const struct bypeer_graph_advertise *advertise, uint32_t first,
                           const struct bypeer_graph_boundary *boundary, size_t *next)
{
    const struct graph_index *index = &graph->database.by_key;
    bool is_windows = graph->profile->id == BYPEER_PROFILE_WINDOWS;
    size_t from = boundary->low.modified == 0 ? 0 : hash_behind(graph, &boundary->low);
    size_t to = hash_behind(graph, &boundary->high);
    if (from < *next)
        from = *next;
    if (to > *next)
        *next = to;
    hash_mark_listed(graph, advertise, first, boundary->count);
    for (size_t at = from; at < to; at++) {
        const struct graph_entry *own = index->at[at];
        const struct bypeer_record *record = own->record;
        if (own->listed_in == graph->database.listings &&
            (own->listed_version > record->version || (own->listed_version == record->version && is_windows)))
            continue;
        if (bypeer_buffer_append(&link->to_send, record->id.bytes, sizeof(record->id.bytes)) < 0)
            return false;
    }
    return true;
}

void graph_on_advertise(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                        const struct bypeer_graph_advertise *advertise)
{
    struct bypeer_graph_message message = {.type = BYPEER_GRAPH_REQUEST};
    struct bypeer_buffer wanted = {0};
    size_t next = 0;
    bool has_memory = true;
    uint32_t first = 0;
    if (link->sync != SYNC_HASH || !link->is_initiator || link->has_list) {
        graph_link_close(graph, now, link, "it lists records that were not asked for");
        return;
    }
    link->has_list = true;
    for (uint32_t at = 0; at < advertise->boundary_count && has_memory; at++) {
        struct bypeer_graph_boundary boundary;
        bypeer_graph_boundary_at(advertise->boundaries, at, &boundary);
        has_memory = hash_note_rest(graph, link, advertise, first, &boundary, &next);
        first += boundary.count;
    }
    for (uint32_t at = 0; at < advertise->abstract_count && has_memory; at++) {
        struct bypeer_graph_abstract abstract;
        bypeer_graph_abstract_at(advertise->abstracts, at, &abstract);
        const struct graph_entry *own = graph_database_find(&graph->database, &abstract.id);
        if (own && own->record->version >= abstract.version)
            continue;
        uint8_t *place = bypeer_buffer_reserve(&wanted, BYPEER_GRAPH_ABSTRACT_BYTES);
        has_memory = place != NULL;
        if (has_memory) {
            bypeer_graph_abstract_put(place, &abstract);
            wanted.length += BYPEER_GRAPH_ABSTRACT_BYTES;
        }
    }
    message.request.bytes = wanted.bytes;
    message.request.count = (uint32_t)(wanted.length / BYPEER_GRAPH_ABSTRACT_BYTES);
    if (has_memory)
        graph_send(graph, now, link, &message);
    else
        graph_link_close(graph, now, link, "no memory");
    bypeer_buffer_clear(&wanted);
}

void graph_on_request(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                      const struct bypeer_graph_abstracts *request)
{
    if (!link->is_asked) {
        graph_link_close(graph, now, link, "it asks for records that were not listed");
        return;
    }
    link->is_asked = false;
    for (uint32_t at = 0; at < request->count; at++) {
        struct bypeer_graph_abstract abstract;
        bypeer_graph_abstract_at(request->bytes, at, &abstract);
        if (graph_database_find(&graph->database, &abstract.id) && !graph_queue_record(graph, now, link, &abstract.id))
            return;
    }
    graph_end_answer(link);
    graph_send_queue(graph, now, link);
}

void graph_send_rest(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    int result = bypeer_buffer_append(&link->queue, link->to_send.bytes, link->to_send.length);
    bypeer_buffer_clear(&link->to_send);
    if (result < 0)
        graph_link_close(graph, now, link, "no memory");
    else
        graph_send_queue(graph, now, link);
}
