/*
 * The write side of an exact-match table: exact.h has the essay. Thread: the writer.
 *
 * Bounds: put, remove and find look at two buckets and, rarely, the stash; a put that finds both buckets full looks at
 * up to 20 records and their second buckets to move one entry downhill.
 */
#pragma once

#include "overlay/tables/exact.h"
#include "overlay/tables/pool.h"

struct bypeer_exact_writer {
    struct bypeer_exact view; /* the same memory as readers see it */
    struct bypeer_bucket *buckets;
    uint32_t *stash;
    struct bypeer_destination *records;
    uint32_t capacity, used;
    uint32_t stashed; /* of used, those in the stash */
    struct bypeer_pool pool;
};

/* An empty table for capacity entries on the zeroed memory that view describes. 0 or -ENOMEM. */
int bypeer_exact_writer_init(struct bypeer_exact_writer *writer, const struct bypeer_exact *view, uint32_t capacity);
void bypeer_exact_writer_free(struct bypeer_exact_writer *writer);

/* 1: new; 0: replaced the record of the same key; -ENOSPC: full; -EAGAIN: no slot is free before a grace period. */
int bypeer_exact_writer_put(struct bypeer_exact_writer *writer, const struct bypeer_destination *record);

/* 0 or -ENOENT. */
int bypeer_exact_writer_remove(struct bypeer_exact_writer *writer, const uint8_t key[static 16]);

/* The present record or NULL; valid until the next change. */
const struct bypeer_destination *bypeer_exact_writer_find(const struct bypeer_exact_writer *writer,
                                                          const uint8_t key[static 16]);

/* Starts to fetch what a put, remove or find of this key will look at first. */
void bypeer_exact_writer_prefetch(const struct bypeer_exact_writer *writer, const uint8_t key[static 16]);

/* Puts every record of from. 0 or the error of the put that failed. */
int bypeer_exact_writer_copy(struct bypeer_exact_writer *to, const struct bypeer_exact_writer *from);
