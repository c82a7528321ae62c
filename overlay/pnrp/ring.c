#include "overlay/pnrp/ring.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t first_word(const uint8_t *id)
{
    uint64_t word;
    memcpy(&word, id, sizeof(word));
    return be64toh(word);
}

void bypeer_ring_free(struct bypeer_ring *ring)
{
    for (uint32_t chunk = 0; chunk < ring->chunk_count; chunk++)
        free(ring->chunks[chunk].routes);
    free(ring->chunks);
    *ring = (struct bypeer_ring){0};
}

/* The last chunk whose first ID is not above id, or the first chunk. */
static uint32_t ring_find_chunk(const struct bypeer_ring *ring, const uint8_t *id)
{
    uint64_t word = first_word(id);
    uint32_t low = 0, high = ring->chunk_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        const struct bypeer_ring_chunk *chunk = &ring->chunks[middle];
        bool is_above = chunk->first != word ? chunk->first > word : memcmp(chunk->routes[0].id, id, 32) > 0;
        if (is_above)
            high = middle;
        else
            low = middle;
    }
    return low;
}

/* How many routes of the chunk have an ID below id. */
static uint32_t chunk_find(const struct bypeer_ring_chunk *chunk, const uint8_t *id)
{
    uint32_t low = 0, high = chunk->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(chunk->routes[middle].id, id, 32) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool bypeer_ring_locate(const struct bypeer_ring *ring, const uint8_t id[static 32],
                        struct bypeer_ring_place *ret_place)
{
    *ret_place = (struct bypeer_ring_place){0, 0};
    if (ring->count == 0)
        return false;
    struct bypeer_ring_place place = {.chunk = ring_find_chunk(ring, id)};
    place.at = chunk_find(&ring->chunks[place.chunk], id);
    if (place.at == ring->chunks[place.chunk].count) {
        place.at = 0;
        if (++place.chunk == ring->chunk_count)
            place.chunk = 0;
    }
    *ret_place = place;
    return memcmp(bypeer_ring_at(ring, place)->id, id, 32) == 0;
}

/* Memory for at least so many routes. */
static int chunk_resize(struct bypeer_ring *ring, struct bypeer_ring_chunk *chunk, uint32_t count)
{
    uint32_t room = count + count / 8 + 4;
    if (room > BYPEER_RING_CHUNK)
        room = BYPEER_RING_CHUNK;
    struct bypeer_route *routes = realloc(chunk->routes, room * sizeof(*routes));
    if (!routes)
        return -ENOMEM;
    ring->bytes += room * sizeof(*routes);
    ring->bytes -= chunk->room * sizeof(*routes);
    chunk->routes = routes;
    chunk->room = (uint16_t)room;
    return 0;
}

/* An empty chunk with memory for count routes, as number at of the directory. */
static int ring_add_chunk(struct bypeer_ring *ring, uint32_t at, uint32_t count)
{
    if (ring->chunk_count == ring->chunk_room) {
        uint32_t room = ring->chunk_room + ring->chunk_room / 2 + 1;
        struct bypeer_ring_chunk *chunks = realloc(ring->chunks, room * sizeof(*chunks));
        if (!chunks)
            return -ENOMEM;
        ring->bytes += (room - ring->chunk_room) * sizeof(*chunks);
        ring->chunks = chunks;
        ring->chunk_room = room;
    }
    struct bypeer_ring_chunk fresh = {0};
    if (chunk_resize(ring, &fresh, count) < 0)
        return -ENOMEM;
    memmove(&ring->chunks[at + 1], &ring->chunks[at], (ring->chunk_count - at) * sizeof(fresh));
    ring->chunks[at] = fresh;
    ring->chunk_count++;
    return 0;
}

static int ring_split(struct bypeer_ring *ring, uint32_t at)
{
    const uint32_t moved = BYPEER_RING_CHUNK / 2;
    if (ring_add_chunk(ring, at + 1, moved) < 0)
        return -ENOMEM;
    struct bypeer_ring_chunk *lower = &ring->chunks[at], *upper = lower + 1;
    lower->count = (uint16_t)(lower->count - moved);
    upper->count = moved;
    memcpy(upper->routes, &lower->routes[lower->count], moved * sizeof(*upper->routes));
    upper->first = first_word(upper->routes[0].id);
    (void)chunk_resize(ring, lower, lower->count); /* to give memory back: it may fail */
    return 0;
}

int bypeer_ring_insert(struct bypeer_ring *ring, const struct bypeer_route *route)
{
    if (ring->chunk_count == 0 && ring_add_chunk(ring, 0, 1) < 0)
        return -ENOMEM;
    uint32_t number = ring_find_chunk(ring, route->id);
    if (ring->chunks[number].count == BYPEER_RING_CHUNK) {
        if (ring_split(ring, number) < 0)
            return -ENOMEM;
        number = ring_find_chunk(ring, route->id);
    }
    struct bypeer_ring_chunk *chunk = &ring->chunks[number];
    if (chunk->count == chunk->room && chunk_resize(ring, chunk, chunk->count + 1u) < 0)
        return -ENOMEM;
    uint32_t at = chunk_find(chunk, route->id);
    memmove(&chunk->routes[at + 1], &chunk->routes[at], (chunk->count - at) * sizeof(*route));
    chunk->routes[at] = *route;
    chunk->count++;
    chunk->first = first_word(chunk->routes[0].id);
    ring->count++;
    return 0;
}

static void ring_drop_chunk(struct bypeer_ring *ring, uint32_t at)
{
    struct bypeer_ring_chunk *chunk = &ring->chunks[at];
    ring->bytes -= chunk->room * sizeof(*chunk->routes);
    free(chunk->routes);
    ring->chunk_count--;
    memmove(chunk, chunk + 1, (ring->chunk_count - at) * sizeof(*chunk));
}

/* Moves a small chunk's routes into the one before it, so that removals leave no long directory behind. */
static void ring_merge(struct bypeer_ring *ring, uint32_t at)
{
    if (at == 0)
        return;
    struct bypeer_ring_chunk *upper = &ring->chunks[at], *lower = upper - 1;
    uint32_t count = (uint32_t)lower->count + upper->count;
    if (count > BYPEER_RING_CHUNK / 2)
        return;
    if (count > lower->room && chunk_resize(ring, lower, count) < 0)
        return;
    memcpy(&lower->routes[lower->count], upper->routes, upper->count * sizeof(*upper->routes));
    lower->count = (uint16_t)count;
    ring_drop_chunk(ring, at);
}

void bypeer_ring_remove(struct bypeer_ring *ring, struct bypeer_ring_place place)
{
    struct bypeer_ring_chunk *chunk = &ring->chunks[place.chunk];
    ring->count--;
    chunk->count--;
    if (chunk->count == 0) {
        ring_drop_chunk(ring, place.chunk);
        return;
    }
    memmove(&chunk->routes[place.at], &chunk->routes[place.at + 1], (chunk->count - place.at) * sizeof(*chunk->routes));
    chunk->first = first_word(chunk->routes[0].id);
    if (chunk->room > chunk->count + chunk->count / 2 + 16)
        (void)chunk_resize(ring, chunk, chunk->count); /* to give memory back: it may fail */
    if (chunk->count < BYPEER_RING_CHUNK / 8)
        ring_merge(ring, place.chunk);
}
