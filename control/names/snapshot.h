/*
 * A copy of what clouds know, for a rebuild of the index on another thread: 60 bytes an ID.
 *
 * Threads: one at a time.
 */
#pragma once

#include "overlay/pnrp/cache.h"
#include "overlay/tables/names_build.h"

struct snapshot_entry {
    uint8_t id[32];
    uint8_t address[16];
    uint32_t extra; /* its further addresses: entry + 1; 0: none */
    uint16_t port;
    uint8_t cloud;
    uint8_t address_count;
    uint8_t flags; /* BYPEER_NAME_* */
};
_Static_assert(sizeof(struct snapshot_entry) == 60, "as small as can be");

struct bypeer_snapshot {
    struct snapshot_entry *entries;
    uint8_t (*extras)[BYPEER_NAME_ADDRESSES - 1][16];
    size_t count, room, extra_count, extra_room;
    size_t next; /* of bypeer_snapshot_next() */
};

/* What the index says of a cached entry: it keeps BYPEER_NAME_ADDRESSES of its addresses. */
void bypeer_snapshot_name(const struct bypeer_route *route, struct bypeer_name *ret_name);

/* Adds what a cloud knows, in the order in which the index has it; clouds by ascending number. Returns
 * 0 or -ENOMEM. */
int bypeer_snapshot_add(struct bypeer_snapshot *snapshot, uint8_t cloud, const struct bypeer_cache *cache);
/* Likewise, own IDs only. */
int bypeer_snapshot_add_own(struct bypeer_snapshot *snapshot, uint8_t cloud, const struct bypeer_cache *cache);
void bypeer_snapshot_free(struct bypeer_snapshot *snapshot);

/* As bypeer_names_next. context: the snapshot. */
int bypeer_snapshot_next(void *context, uint32_t *ret_cloud, struct bypeer_name *ret_name);
