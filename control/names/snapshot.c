#include "control/names/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more in a growing array. */
static void *snapshot_grow(void *array, size_t count, size_t *room, size_t bytes)
{
    if (count < *room)
        return array;
    size_t larger = *room > 0 ? *room * 2 : 1024;
    void *grown = realloc(array, larger * bytes);
    if (grown)
        *room = larger;
    return grown;
}

void bypeer_snapshot_name(const struct bypeer_route *route, struct bypeer_name *ret_name)
{
    const unsigned count = route->address_count < BYPEER_NAME_ADDRESSES ? route->address_count : BYPEER_NAME_ADDRESSES;
    struct bypeer_name name = {
        .port = route->port,
        .address_count = (uint8_t)count,
        .flags = route->flags & BYPEER_ROUTE_OWN ? BYPEER_NAME_OWN : 0,
    };
    memcpy(name.id, route->id, sizeof(name.id));
    memcpy(name.addresses[0], route->address, 16);
    if (count > 1)
        memcpy(name.addresses[1], route->more, 16 * (count - 1));
    *ret_name = name;
}

static int snapshot_add_extras(struct bypeer_snapshot *snapshot, const struct bypeer_name *name)
{
    void *extras =
        snapshot_grow(snapshot->extras, snapshot->extra_count, &snapshot->extra_room, sizeof(*snapshot->extras));
    if (!extras)
        return -ENOMEM;
    snapshot->extras = extras;
    memcpy(snapshot->extras[snapshot->extra_count++], name->addresses[1], sizeof(*snapshot->extras));
    return 0;
}

static int snapshot_add_route(struct bypeer_snapshot *snapshot, uint8_t cloud, const struct bypeer_route *route)
{
    struct bypeer_name name;
    bypeer_snapshot_name(route, &name);
    struct snapshot_entry entry = {
        .port = name.port, .cloud = cloud, .flags = name.flags, .address_count = name.address_count};
    memcpy(entry.id, name.id, sizeof(entry.id));
    memcpy(entry.address, name.addresses[0], sizeof(entry.address));
    void *entries = snapshot_grow(snapshot->entries, snapshot->count, &snapshot->room, sizeof(*snapshot->entries));
    if (!entries)
        return -ENOMEM;
    snapshot->entries = entries;
    if (name.address_count > 1) {
        if (snapshot_add_extras(snapshot, &name) < 0)
            return -ENOMEM;
        entry.extra = (uint32_t)snapshot->extra_count;
    }
    snapshot->entries[snapshot->count++] = entry;
    return 0;
}

int bypeer_snapshot_add(struct bypeer_snapshot *snapshot, uint8_t cloud, const struct bypeer_cache *cache)
{
    struct bypeer_cache_walk walk;
    const struct bypeer_route *route;
    int result = 0;
    bypeer_cache_walk(cache, (struct bypeer_id_number){{0}}, &walk);
    while (result == 0 && (route = bypeer_cache_above(&walk)) != NULL)
        result = snapshot_add_route(snapshot, cloud, route);
    return result;
}

int bypeer_snapshot_add_own(struct bypeer_snapshot *snapshot, uint8_t cloud, const struct bypeer_cache *cache)
{
    int result = 0;
    for (uint32_t number = 0; result == 0 && number < bypeer_cache_own_count(cache); number++)
        result = snapshot_add_route(snapshot, cloud, bypeer_cache_find(cache, bypeer_cache_own(cache, number)));
    return result;
}

void bypeer_snapshot_free(struct bypeer_snapshot *snapshot)
{
    free(snapshot->entries);
    free(snapshot->extras);
    *snapshot = (struct bypeer_snapshot){0};
}

int bypeer_snapshot_next(void *context, uint32_t *ret_cloud, struct bypeer_name *ret_name)
{
    struct bypeer_snapshot *snapshot = context;
    if (snapshot->next == snapshot->count)
        return 0;
    const struct snapshot_entry *entry = &snapshot->entries[snapshot->next++];
    *ret_cloud = entry->cloud;
    *ret_name = (struct bypeer_name){.port = entry->port, .address_count = entry->address_count, .flags = entry->flags};
    memcpy(ret_name->id, entry->id, sizeof(entry->id));
    memcpy(ret_name->addresses[0], entry->address, 16);
    if (entry->extra > 0)
        memcpy(ret_name->addresses[1], snapshot->extras[entry->extra - 1], sizeof(snapshot->extras[0]));
    return 1;
}
