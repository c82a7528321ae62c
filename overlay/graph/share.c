/*
 * Who may have how much of what is bounded. Each may have half of what the others leave: alone that is half of all, and
 * it shrinks as others come, for whom there is always room.
 */
#include "overlay/graph/share.h"

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

#include "overlay/graph/state.h"

#define SHARES_LEAST  16
#define SHARE_RESERVE 16 /* one of so many parts of the database is for what goes first */

bool graph_is_within_share(uint64_t own, uint64_t others, uint64_t limit)
{
    return others < limit && own <= (limit - others + 1) / 2;
}

uint64_t graph_share_key(const struct graph_shares *shares, const char *peer_id)
{
    uint64_t key = XXH3_64bits_withSeed(peer_id, strlen(peer_id), shares->seed);
    return key ? key : 1;
}

/* The place of the first that is not before the key. */
static size_t shares_lower(const struct graph_shares *shares, uint64_t key)
{
    size_t low = 0, high = shares->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (shares->at[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct graph_share graph_share_of(const struct graph_shares *shares, const char *peer_id)
{
    uint64_t key = graph_share_key(shares, peer_id);
    size_t place = shares_lower(shares, key);
    bool is_there = place < shares->count && shares->at[place].key == key;
    return is_there ? shares->at[place] : (struct graph_share){.key = key};
}

int graph_shares_reserve(struct graph_shares *shares)
{
    if (shares->count < shares->room)
        return 0;
    size_t room = shares->room ? 2 * shares->room : SHARES_LEAST;
    struct graph_share *grown = realloc(shares->at, room * sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    shares->at = grown;
    shares->room = room;
    return 0;
}

void graph_shares_add(struct graph_shares *shares, const struct bypeer_record *record)
{
    uint64_t key = graph_share_key(shares, record->creator);
    size_t place = shares_lower(shares, key);
    if (place == shares->count || shares->at[place].key != key) {
        memmove(&shares->at[place + 1], &shares->at[place], (shares->count - place) * sizeof(shares->at[0]));
        shares->at[place] = (struct graph_share){.key = key};
        shares->count++;
    }
    shares->at[place].records++;
    shares->at[place].bytes += bypeer_record_memory(record);
}

void graph_shares_remove(struct graph_shares *shares, const struct bypeer_record *record)
{
    size_t place = shares_lower(shares, graph_share_key(shares, record->creator));
    shares->at[place].bytes -= bypeer_record_memory(record);
    if (--shares->at[place].records > 0)
        return;
    shares->count--;
    memmove(&shares->at[place], &shares->at[place + 1], (shares->count - place) * sizeof(shares->at[0]));
}

const char *graph_share_fault(const struct bypeer_graph *graph, const struct bypeer_record *record)
{
    const struct graph_database *database = &graph->database;
    const struct graph_entry *entry = graph_database_find(database, &record->id);
    const struct bypeer_record *old = entry ? entry->record : NULL;
    uint64_t bytes = bypeer_record_memory(record), old_bytes = old ? bypeer_record_memory(old) : 0;
    bool is_creators = old && strcmp(old->creator, record->creator) == 0;
    if (is_creators && bytes <= old_bytes)
        return NULL;
    bool is_first = graph->security.first && graph->security.first(graph->security.context, record);
    uint64_t records_max = graph->limits.records, bytes_max = graph->limits.bytes;
    if (!is_first) {
        records_max -= records_max / SHARE_RESERVE;
        bytes_max -= bytes_max / SHARE_RESERVE;
    }
    uint64_t all_records = database->by_id.count + !old, all_bytes = database->bytes + bytes - old_bytes;
    if ((!old && all_records > records_max) || all_bytes > bytes_max)
        return "the database is full";
    if (2 * all_records <= records_max && 2 * all_bytes <= bytes_max)
        return NULL; /* all of them have less than one may */
    if (is_creators && bypeer_record_is_deleted(record))
        return NULL; /* a tombstone is a few bytes larger than a record of none */
    struct graph_share share = graph_share_of(&database->shares, record->creator);
    uint64_t own_records = share.records + !is_creators;
    uint64_t own_bytes = share.bytes + bytes - (is_creators ? old_bytes : 0);
    if ((is_creators || graph_is_within_share(own_records, all_records - own_records, records_max)) &&
        graph_is_within_share(own_bytes, all_bytes - own_bytes, bytes_max))
        return NULL;
    return "its creator has half of what others leave of the database";
}
