#include "overlay/tables/exact_writer.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "overlay/tables/exact_bucket.h"
#include "overlay/tables/exact_hash.h"

/*
 * A key goes to its first bucket while that has fewer entries than this, or no more than its second. High: most keys
 * are found in their first bucket, but more moves. At 7 entries a bucket 9 leaves 5 % of the keys of a fresh table in
 * their second bucket and 19 % after a long life, 8 leaves 8 % and 29 %.
 */
#define EXACT_FIRST_FILL 9

/* Where an entry is: a way of a bucket, or a place in the stash. */
struct exact_entry {
    struct bypeer_bucket *bucket; /* NULL: in the stash */
    unsigned way;
    uint32_t *stash;
    uint32_t slot; /* 0: there is no such entry */
};

int bypeer_exact_writer_init(struct bypeer_exact_writer *writer, const struct bypeer_exact *view, uint32_t capacity)
{
    struct bypeer_pool pool;
    int error = bypeer_pool_init(&pool, view->record_count);
    if (error)
        return error;
    /* The view is const for readers; this is the one writer, whose mapping is writable. */
    *writer = (struct bypeer_exact_writer){.view = *view,
                                           .buckets = (struct bypeer_bucket *)(uintptr_t)view->buckets,
                                           .stash = (uint32_t *)(uintptr_t)view->stash,
                                           .records = (struct bypeer_destination *)(uintptr_t)view->records,
                                           .capacity = capacity,
                                           .pool = pool};
    return 0;
}

void bypeer_exact_writer_free(struct bypeer_exact_writer *writer)
{
    bypeer_pool_free(&writer->pool);
}

static struct bypeer_exact_place exact_writer_place(const struct bypeer_exact_writer *writer, const uint8_t *key)
{
    return bypeer_exact_place(key, writer->view.seed, writer->view.bucket_count);
}

void bypeer_exact_writer_prefetch(const struct bypeer_exact_writer *writer, const uint8_t key[static 16])
{
    struct bypeer_exact_place place = exact_writer_place(writer, key);
    __builtin_prefetch(&writer->buckets[place.first], 1);
    __builtin_prefetch(&writer->buckets[place.second], 1);
}

/* --- finding ------------------------------------------------------------------------------------------------------ */

static bool exact_entry_in_bucket(const struct bypeer_exact_writer *writer, struct bypeer_bucket *bucket, uint16_t tag,
                                  const uint8_t *key, struct exact_entry *ret_entry)
{
    for (uint64_t ways = bypeer_bucket_match(bucket, tag); ways != 0; ways &= ways - 1) {
        unsigned way = bypeer_bucket_way(ways);
        uint32_t slot = bucket->slots[way];
        if (bypeer_exact_same_key(writer->records[slot].key, key)) {
            *ret_entry = (struct exact_entry){.bucket = bucket, .way = way, .slot = slot};
            return true;
        }
    }
    return false;
}

static struct exact_entry exact_entry_of(const struct bypeer_exact_writer *writer, struct bypeer_exact_place place,
                                         const uint8_t *key)
{
    struct exact_entry entry;
    if (exact_entry_in_bucket(writer, &writer->buckets[place.first], place.tag, key, &entry) ||
        exact_entry_in_bucket(writer, &writer->buckets[place.second], place.tag, key, &entry))
        return entry;
    for (uint32_t i = 0; writer->stashed > 0 && i < writer->view.stash_count; i++) {
        uint32_t slot = writer->stash[i];
        if (slot != 0 && bypeer_exact_same_key(writer->records[slot].key, key))
            return (struct exact_entry){.stash = &writer->stash[i], .slot = slot};
    }
    return (struct exact_entry){.slot = 0};
}

const struct bypeer_destination *bypeer_exact_writer_find(const struct bypeer_exact_writer *writer,
                                                          const uint8_t key[static 16])
{
    struct exact_entry entry = exact_entry_of(writer, exact_writer_place(writer, key), key);
    return entry.slot != 0 ? &writer->records[entry.slot] : NULL;
}

/* --- publishing: each of these is seen by readers at once -----------------------------------------------------------
 */

static void bucket_touch(struct bypeer_bucket *bucket)
{
    __atomic_store_n(&bucket->version, (uint16_t)(bucket->version + 1), __ATOMIC_RELAXED);
}

/* Slot before tag: a reader that sees the tag sees the slot, and whoever sees the slot sees the record, filled in
 * before. Pairs with the acquire loads in exact_bucket.h. */
static void bucket_set(struct bypeer_bucket *bucket, unsigned way, uint16_t tag, uint32_t slot)
{
    __atomic_store_n(&bucket->slots[way], slot, __ATOMIC_RELEASE);
    __atomic_store_n(&bucket->tags[way], tag, __ATOMIC_RELEASE);
    bucket_touch(bucket);
}

static void bucket_clear(struct bypeer_bucket *bucket, unsigned way)
{
    __atomic_store_n(&bucket->tags[way], 0, __ATOMIC_RELEASE);
    bucket_touch(bucket);
}

static void bucket_set_flags(struct bypeer_bucket *bucket, uint16_t flags)
{
    __atomic_store_n(&bucket->flags, flags, __ATOMIC_RELEASE);
    bucket_touch(bucket);
}

/* --- making room ----------------------------------------------------------------------------------------------------
 */

static unsigned bucket_room(const struct bypeer_bucket *bucket)
{
    return (unsigned)__builtin_popcountll(bypeer_bucket_match(bucket, 0));
}

/* Moves one entry of a full bucket, whose first it is, to the second bucket that has most room. */
static bool exact_move_downhill(struct bypeer_exact_writer *writer, struct bypeer_bucket *bucket)
{
    struct bypeer_bucket *best = NULL;
    unsigned best_way = 0, best_room = 0;
    uint16_t best_tag = 0;
    for (unsigned way = 0; way < BYPEER_BUCKET_WAYS; way++)
        __builtin_prefetch(&writer->records[bucket->slots[way]]);
    for (unsigned way = 0; way < BYPEER_BUCKET_WAYS; way++) {
        struct bypeer_exact_place place = exact_writer_place(writer, writer->records[bucket->slots[way]].key);
        struct bypeer_bucket *second = &writer->buckets[place.second];
        if (&writer->buckets[place.first] != bucket || second == bucket)
            continue;
        unsigned room = bucket_room(second);
        if (room > best_room) {
            best = second;
            best_way = way;
            best_tag = place.tag;
            best_room = room;
        }
    }
    if (!best)
        return false;
    /* The copy first, so that the entry is always in one of the places, in the order in which readers look. */
    bucket_set(best, bypeer_bucket_way(bypeer_bucket_match(best, 0)), best_tag, bucket->slots[best_way]);
    bucket_clear(bucket, best_way);
    return true;
}

/* The bucket where a new entry goes, with a free way; NULL: there is none. */
static struct bypeer_bucket *exact_make_room(struct bypeer_exact_writer *writer, struct bypeer_exact_place place)
{
    struct bypeer_bucket *first = &writer->buckets[place.first];
    struct bypeer_bucket *second = &writer->buckets[place.second];
    unsigned room_first = bucket_room(first);
    if (room_first > BYPEER_BUCKET_WAYS - EXACT_FIRST_FILL)
        return first;
    unsigned room_second = bucket_room(second);
    if (room_first > 0 && room_first >= room_second)
        return first;
    if (room_second > 0)
        return second;
    if (exact_move_downhill(writer, first))
        return first;
    if (exact_move_downhill(writer, second))
        return second;
    return NULL;
}

static uint32_t *exact_stash_room(struct bypeer_exact_writer *writer)
{
    for (uint32_t i = 0; i < writer->view.stash_count; i++) {
        if (writer->stash[i] == 0)
            return &writer->stash[i];
    }
    return NULL;
}

/* --- changes --------------------------------------------------------------------------------------------------------
 */

static void exact_unstash(struct bypeer_exact_writer *writer, struct exact_entry entry, uint32_t second)
{
    __atomic_store_n(entry.stash, 0, __ATOMIC_RELEASE);
    writer->stashed--;
    for (uint32_t i = 0; i < writer->view.stash_count; i++) {
        uint32_t slot = writer->stash[i];
        if (slot != 0 && exact_writer_place(writer, writer->records[slot].key).second == second)
            return;
    }
    struct bypeer_bucket *bucket = &writer->buckets[second];
    bucket_set_flags(bucket, (uint16_t)(bucket->flags & ~BYPEER_BUCKET_STASHED));
}

static int exact_replace(struct bypeer_exact_writer *writer, struct exact_entry entry,
                         const struct bypeer_destination *record)
{
    uint32_t slot = bypeer_pool_take(&writer->pool);
    if (slot == 0)
        return -EAGAIN;
    writer->records[slot] = *record;
    if (entry.bucket) {
        __atomic_store_n(&entry.bucket->slots[entry.way], slot, __ATOMIC_RELEASE);
        bucket_touch(entry.bucket);
    } else {
        __atomic_store_n(entry.stash, slot, __ATOMIC_RELEASE);
    }
    bypeer_pool_retire(&writer->pool, entry.slot);
    return 0;
}

static int exact_insert(struct bypeer_exact_writer *writer, struct bypeer_exact_place place,
                        const struct bypeer_destination *record)
{
    if (writer->used == writer->capacity)
        return -ENOSPC;
    if (bypeer_pool_available(&writer->pool) == 0)
        return -EAGAIN;
    struct bypeer_bucket *bucket = exact_make_room(writer, place);
    uint32_t *stash = bucket ? NULL : exact_stash_room(writer);
    if (!bucket && !stash)
        return -ENOSPC;

    uint32_t slot = bypeer_pool_take(&writer->pool);
    writer->records[slot] = *record;
    if (bucket) {
        bucket_set(bucket, bypeer_bucket_way(bypeer_bucket_match(bucket, 0)), place.tag, slot);
    } else {
        struct bypeer_bucket *second = &writer->buckets[place.second];
        __atomic_store_n(stash, slot, __ATOMIC_RELEASE);
        bucket_set_flags(second, second->flags | BYPEER_BUCKET_STASHED);
        writer->stashed++;
    }
    writer->used++;
    return 1;
}

int bypeer_exact_writer_put(struct bypeer_exact_writer *writer, const struct bypeer_destination *record)
{
    struct bypeer_exact_place place = exact_writer_place(writer, record->key);
    struct exact_entry entry = exact_entry_of(writer, place, record->key);
    return entry.slot != 0 ? exact_replace(writer, entry, record) : exact_insert(writer, place, record);
}

int bypeer_exact_writer_remove(struct bypeer_exact_writer *writer, const uint8_t key[static 16])
{
    struct bypeer_exact_place place = exact_writer_place(writer, key);
    struct exact_entry entry = exact_entry_of(writer, place, key);
    if (entry.slot == 0)
        return -ENOENT;
    if (entry.bucket)
        bucket_clear(entry.bucket, entry.way);
    else
        exact_unstash(writer, entry, place.second);
    bypeer_pool_retire(&writer->pool, entry.slot);
    writer->used--;
    return 0;
}

/* --- growth ---------------------------------------------------------------------------------------------------------
 */

/* How many buckets ahead of the one that is copied its records, and the buckets that they go to, are fetched: otherwise
 * each record waits three times for memory, one after the other (at 10 million 1100 ns in place of 120). */
#define COPY_RECORDS_AHEAD 8
#define COPY_BUCKETS_AHEAD 4

static bool copy_has(const struct bypeer_exact_writer *from, uint32_t bucket, unsigned way)
{
    return bucket < from->view.bucket_count && from->buckets[bucket].tags[way] != 0;
}

static const struct bypeer_destination *copy_record(const struct bypeer_exact_writer *from, uint32_t bucket,
                                                    unsigned way)
{
    return &from->records[from->buckets[bucket].slots[way]];
}

static void copy_prefetch(const struct bypeer_exact_writer *to, const struct bypeer_exact_writer *from, uint32_t bucket)
{
    for (unsigned way = 0; way < BYPEER_BUCKET_WAYS; way++) {
        if (copy_has(from, bucket + COPY_RECORDS_AHEAD, way))
            __builtin_prefetch(copy_record(from, bucket + COPY_RECORDS_AHEAD, way));
        if (!copy_has(from, bucket + COPY_BUCKETS_AHEAD, way))
            continue;
        struct bypeer_exact_place place =
            exact_writer_place(to, copy_record(from, bucket + COPY_BUCKETS_AHEAD, way)->key);
        __builtin_prefetch(&to->buckets[place.first], 1);
        __builtin_prefetch(&to->buckets[place.second], 1);
    }
}

int bypeer_exact_writer_copy(struct bypeer_exact_writer *to, const struct bypeer_exact_writer *from)
{
    for (uint32_t bucket = 0; bucket < from->view.bucket_count; bucket++) {
        copy_prefetch(to, from, bucket);
        for (unsigned way = 0; way < BYPEER_BUCKET_WAYS; way++) {
            if (!copy_has(from, bucket, way))
                continue;
            int result = bypeer_exact_writer_put(to, copy_record(from, bucket, way));
            if (result < 0)
                return result;
        }
    }
    for (uint32_t i = 0; i < from->view.stash_count; i++) {
        if (from->stash[i] == 0)
            continue;
        int result = bypeer_exact_writer_put(to, &from->records[from->stash[i]]);
        if (result < 0)
            return result;
    }
    return 0;
}
