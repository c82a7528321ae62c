#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/tables/writer_state.h"

int bypeer_prefix_writer_init(struct bypeer_prefix_writer *prefixes, struct bypeer_tables_header *header,
                              struct bypeer_destination *routes, uint32_t route_count, uint32_t capacity)
{
    *prefixes = (struct bypeer_prefix_writer){
        .sorted = calloc(capacity, sizeof(*prefixes->sorted)),
        .dropped = calloc(route_count, sizeof(*prefixes->dropped)),
        .capacity = capacity,
        .routes = routes,
    };
    if (!prefixes->sorted || !prefixes->dropped || bypeer_pool_init(&prefixes->pool, route_count) != 0 ||
        bypeer_pool_init(&prefixes->halves, 3) != 0) {
        bypeer_prefix_writer_free(prefixes);
        return -ENOMEM;
    }
    const struct bypeer_section *nodes = &header->sections[BYPEER_PREFIX_NODES];
    const struct bypeer_section *values = &header->sections[BYPEER_PREFIX_VALUES];
    uint8_t *base = (uint8_t *)header;
    bypeer_prefixes_init(&prefixes->tree, &header->prefix_root, (void *)(base + nodes->offset), nodes->count,
                         (void *)(base + values->offset), values->count);
    bypeer_pool_take(&prefixes->halves); /* the half that the empty root names */
    return 0;
}

void bypeer_prefix_writer_free(struct bypeer_prefix_writer *prefixes)
{
    bypeer_pool_free(&prefixes->halves);
    bypeer_pool_free(&prefixes->pool);
    free(prefixes->dropped);
    free(prefixes->sorted);
    *prefixes = (struct bypeer_prefix_writer){0};
}

static int prefix_compare(const struct bypeer_prefix *prefix, const uint8_t key[static 16], uint32_t bits)
{
    int order = memcmp(prefix->key, key, 16);
    return order != 0 ? order : (prefix->bits > bits) - (prefix->bits < bits);
}

/* The place of the first prefix that is not below (key, bits). */
static uint32_t prefixes_place(const struct bypeer_prefix_writer *prefixes, const uint8_t key[static 16], uint32_t bits)
{
    uint32_t low = 0, high = prefixes->used;
    /* Routes mostly come in order, from a database or another table. */
    if (high > 0 && prefix_compare(&prefixes->sorted[high - 1], key, bits) < 0)
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (prefix_compare(&prefixes->sorted[middle], key, bits) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool prefixes_has(const struct bypeer_prefix_writer *prefixes, uint32_t place, const uint8_t key[static 16],
                         uint32_t bits)
{
    return place < prefixes->used && prefix_compare(&prefixes->sorted[place], key, bits) == 0;
}

static bool prefix_is_proper(const uint8_t key[static 16], uint32_t bits)
{
    if (bits > 128)
        return false;
    for (uint32_t bit = bits; bit < 128; bit++) {
        if (key[bit / 8] & (0x80u >> (bit % 8)))
            return false;
    }
    return true;
}

int bypeer_writer_put_prefix(struct bypeer_writer *writer, const struct bypeer_destination *route)
{
    struct bypeer_prefix_writer *prefixes = &writer->prefixes;
    if (!prefix_is_proper(route->key, route->prefix_bits) || route->group == BYPEER_GROUP_ANY)
        return -EINVAL;
    uint32_t place = prefixes_place(prefixes, route->key, route->prefix_bits);
    bool replaces = prefixes_has(prefixes, place, route->key, route->prefix_bits);
    if (!replaces && prefixes->used == prefixes->capacity)
        return -ENOSPC;
    uint32_t slot = bypeer_pool_take(&prefixes->pool);
    if (slot == 0)
        return -EAGAIN;
    prefixes->routes[slot] = bypeer_writer_record(writer, route);
    struct bypeer_prefix *prefix = &prefixes->sorted[place];
    if (replaces) {
        prefixes->dropped[prefixes->dropped_count++] = prefix->slot;
        prefix->slot = slot;
        return 0;
    }
    memmove(prefix + 1, prefix, (prefixes->used - place) * sizeof(*prefix));
    *prefix = (struct bypeer_prefix){.bits = route->prefix_bits, .slot = slot};
    memcpy(prefix->key, route->key, sizeof(prefix->key));
    prefixes->used++;
    return 1;
}

int bypeer_writer_remove_prefix(struct bypeer_writer *writer, const uint8_t key[static 16], uint32_t bits)
{
    struct bypeer_prefix_writer *prefixes = &writer->prefixes;
    uint32_t place = prefixes_place(prefixes, key, bits);
    if (!prefixes_has(prefixes, place, key, bits))
        return -ENOENT;
    struct bypeer_prefix *prefix = &prefixes->sorted[place];
    prefixes->dropped[prefixes->dropped_count++] = prefix->slot;
    memmove(prefix, prefix + 1, (prefixes->used - place - 1) * sizeof(*prefix));
    prefixes->used--;
    return 0;
}

int bypeer_writer_commit_prefixes(struct bypeer_writer *writer)
{
    struct bypeer_prefix_writer *prefixes = &writer->prefixes;
    if (bypeer_pool_available(&prefixes->halves) == 0)
        return -EAGAIN;
    int left = bypeer_prefixes_rebuild(&prefixes->tree, prefixes->sorted, prefixes->used);
    if (left < 0)
        return left;
    bypeer_pool_take(&prefixes->halves); /* the only free one, which was built upon */
    bypeer_pool_retire(&prefixes->halves, (uint32_t)left + 1);
    while (prefixes->dropped_count > 0)
        bypeer_pool_retire(&prefixes->pool, prefixes->dropped[--prefixes->dropped_count]);
    return 0;
}
