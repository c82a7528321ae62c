/*
 * Records behind ids: the write side. The read side is bypeer_slots_find() (tables.h).
 *
 *   id --> index[id] --> slot --> records[slot]
 *
 * Others refer to a record by its id, which stays; its record is replaced by writing another slot and publishing it
 * with one store into the index. The old slot is retired (pool.h). So a link that changes its next hop costs two lines,
 * however many destinations lead to it.
 *
 * Thread: the writer.
 */
#pragma once

#include "overlay/tables/pool.h"

struct bypeer_slots_writer {
    uint32_t *index; /* of capacity + 1 entries */
    uint8_t *records;
    uint32_t record_bytes;
    uint32_t capacity; /* ids are 1 to capacity */
    uint32_t used;
    struct bypeer_pool pool;
};

/* An empty table on zeroed memory of capacity + 1 index entries and record_count records. 0 or -ENOMEM. */
int bypeer_slots_writer_init(struct bypeer_slots_writer *writer, uint32_t *index, void *records, uint32_t record_count,
                             uint32_t record_bytes, uint32_t capacity);
void bypeer_slots_writer_free(struct bypeer_slots_writer *writer);

/* 1: new; 0: replaced; -EINVAL: id is 0 or beyond capacity; -EAGAIN: no slot is free before a grace period. */
int bypeer_slots_writer_put(struct bypeer_slots_writer *writer, uint32_t id, const void *record);

/* 0 or -ENOENT. */
int bypeer_slots_writer_remove(struct bypeer_slots_writer *writer, uint32_t id);

/* The present record or NULL; valid until the next change. */
const void *bypeer_slots_writer_find(const struct bypeer_slots_writer *writer, uint32_t id);

/* Puts every record of from under its id. 0, -ENOSPC: an id is beyond capacity, or the error of the put that failed. */
int bypeer_slots_writer_copy(struct bypeer_slots_writer *to, const struct bypeer_slots_writer *from);
