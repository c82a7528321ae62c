/*
 * Routes sorted by ID, on a ring: what the cache keeps them in.
 *
 *   chunks  | first word, routes, count | ...          a directory, sorted
 *              v
 *   routes  [ up to 512, by ID, in one piece of memory ]
 *
 * A node with a hundred entries has one chunk, whose memory grows by an eighth at a time: 7 KiB. With 16 million there
 * are about 45,000: an insertion moves half a chunk (16 KiB) and, once in a few hundred times, half of the directory.
 *
 * Pointers to routes are valid until the next insertion or removal. Thread: one.
 */
#pragma once

#include "overlay/pnrp/cache.h"

#define BYPEER_RING_CHUNK 512

struct bypeer_ring_chunk {
    uint64_t first; /* word of the first ID */
    struct bypeer_route *routes;
    uint16_t count, room;
};

struct bypeer_ring {
    struct bypeer_ring_chunk *chunks;
    uint32_t chunk_count, chunk_room;
    uint32_t count; /* of routes */
    size_t bytes;   /* of memory */
};

/* A place. With no route in the ring there is none that may be read. */
struct bypeer_ring_place {
    uint32_t chunk, at;
};

void bypeer_ring_free(struct bypeer_ring *ring);

/* The first route at or above id, round the ring. Whether it is that very ID. */
bool bypeer_ring_locate(const struct bypeer_ring *ring, const uint8_t id[static 32],
                        struct bypeer_ring_place *ret_place);
/* Puts a route whose ID is not there. 0 or -ENOMEM. */
int bypeer_ring_insert(struct bypeer_ring *ring, const struct bypeer_route *route);
void bypeer_ring_remove(struct bypeer_ring *ring, struct bypeer_ring_place place);

static inline struct bypeer_route *bypeer_ring_at(const struct bypeer_ring *ring, struct bypeer_ring_place place)
{
    return &ring->chunks[place.chunk].routes[place.at];
}

static inline void bypeer_ring_up(const struct bypeer_ring *ring, struct bypeer_ring_place *place)
{
    if (++place->at < ring->chunks[place->chunk].count)
        return;
    place->at = 0;
    if (++place->chunk == ring->chunk_count)
        place->chunk = 0;
}

static inline void bypeer_ring_down(const struct bypeer_ring *ring, struct bypeer_ring_place *place)
{
    if (place->at-- > 0)
        return;
    if (place->chunk-- == 0)
        place->chunk = ring->chunk_count - 1;
    place->at = ring->chunks[place->chunk].count - 1u;
}
