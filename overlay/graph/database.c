#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

#include "overlay/graph/state.h"
#include "overlay/ip/wire.h"

#define INDEX_LEAST 32

int graph_order_type(const struct bypeer_record *a, const struct bypeer_record *b)
{
    int order = bypeer_guid_compare(&a->type, &b->type);
    return order != 0 ? order : bypeer_guid_compare(&a->id, &b->id);
}

int graph_order_id(const struct bypeer_record *a, const struct bypeer_record *b)
{
    return bypeer_guid_compare(&a->id, &b->id);
}

int graph_order_key(const struct bypeer_record *a, const struct bypeer_record *b)
{
    if (a->modified != b->modified)
        return a->modified < b->modified ? -1 : 1;
    return bypeer_guid_compare(&a->id, &b->id);
}

size_t graph_index_lower(const struct graph_index *index, graph_order *order, const struct bypeer_record *key)
{
    size_t low = 0, high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order(index->at[middle]->record, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int graph_index_reserve(struct graph_index *index)
{
    if (index->count < index->room)
        return 0;
    size_t room = index->room ? 2 * index->room : INDEX_LEAST;
    struct graph_entry **grown = realloc(index->at, room * sizeof(struct graph_entry *));
    if (grown == NULL)
        return -ENOMEM;
    index->at = grown;
    index->room = room;
    return 0;
}

void graph_index_insert(struct graph_index *index, graph_order *order, struct graph_entry *entry)
{
    size_t place = graph_index_lower(index, order, entry->record);
    memmove(&index->at[place + 1], &index->at[place], (index->count - place) * sizeof(struct graph_entry *));
    index->at[place] = entry;
    index->count++;
}

void graph_index_remove(struct graph_index *index, graph_order *order, const struct bypeer_record *record)
{
    size_t place = graph_index_lower(index, order, record);
    index->count--;
    memmove(&index->at[place], &index->at[place + 1], (index->count - place) * sizeof(struct graph_entry *));
}

struct graph_entry *graph_database_find(const struct graph_database *database, const struct bypeer_guid *id)
{
    const struct bypeer_record key = {.id = *id};
    size_t place = graph_index_lower(&database->by_id, graph_order_id, &key);
    if (place == database->by_id.count || !bypeer_guid_is_equal(&database->by_id.at[place]->record->id, id))
        return NULL;
    return database->by_id.at[place];
}

static uint64_t database_digest_text(uint64_t digest, const char *text)
{
    return text ? XXH3_64bits_withSeed(text, strlen(text) + 1, digest) : digest;
}

/* Two versions of one record that no number tells apart, as both sides of a partition make them, differ in this. */
static uint64_t database_digest(const struct bypeer_record *record)
{
    uint8_t numbers[20];
    bypeer_store64(numbers, record->modified);
    bypeer_store64(numbers + 8, record->expires);
    bypeer_store32(numbers + 16, record->flags & BYPEER_RECORD_DELETED);
    uint64_t digest = XXH3_64bits(numbers, sizeof(numbers));
    digest = database_digest_text(digest, record->modifier);
    digest = XXH3_64bits_withSeed(record->security, record->security_bytes, digest);
    digest = XXH3_64bits_withSeed(record->payload, record->payload_bytes, digest);
    return database_digest_text(digest, record->attributes);
}

static void database_remove_entry(struct graph_database *database, const struct bypeer_record *record)
{
    graph_index_remove(&database->by_type, graph_order_type, record);
    graph_index_remove(&database->by_id, graph_order_id, record);
    graph_index_remove(&database->by_key, graph_order_key, record);
    graph_shares_remove(&database->shares, record);
    database->bytes -= bypeer_record_memory(record);
}

int graph_database_put(struct graph_database *database, struct bypeer_record *record)
{
    struct graph_entry *entry = graph_database_find(database, &record->id);
    if (graph_shares_reserve(&database->shares) < 0)
        return -ENOMEM;
    if (entry) {
        database_remove_entry(database, entry->record);
        free(entry->record);
    } else {
        entry = malloc(sizeof(*entry));
        if (entry == NULL || graph_index_reserve(&database->by_type) < 0 || graph_index_reserve(&database->by_id) < 0 ||
            graph_index_reserve(&database->by_key) < 0) {
            free(entry);
            return -ENOMEM;
        }
    }
    *entry = (struct graph_entry){.record = record, .digest = database_digest(record)};
    graph_index_insert(&database->by_type, graph_order_type, entry);
    graph_index_insert(&database->by_id, graph_order_id, entry);
    graph_index_insert(&database->by_key, graph_order_key, entry);
    graph_shares_add(&database->shares, record);
    database->bytes += bypeer_record_memory(record);
    return 0;
}

struct bypeer_record *graph_database_take(struct graph_database *database, const struct bypeer_guid *id)
{
    struct graph_entry *entry = graph_database_find(database, id);
    if (entry == NULL)
        return NULL;
    struct bypeer_record *record = entry->record;
    database_remove_entry(database, record);
    free(entry);
    return record;
}

void graph_database_clear(struct graph_database *database)
{
    for (size_t at = 0; at < database->by_id.count; at++) {
        free(database->by_id.at[at]->record);
        free(database->by_id.at[at]);
    }
    free(database->by_type.at);
    free(database->by_id.at);
    free(database->by_key.at);
    free(database->shares.at);
}

const struct bypeer_record *graph_live(const struct bypeer_graph *graph, const struct bypeer_guid *id)
{
    const struct graph_entry *entry = graph_database_find(&graph->database, id);
    return entry && !bypeer_record_is_deleted(entry->record) ? entry->record : NULL;
}
