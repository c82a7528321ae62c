#include "overlay/tables/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/tables/region.h"
#include "overlay/tables/writer_state.h"

#define WRITER_PAGE   4096
#define WRITER_CLOUDS 64 /* records: each cloud may be replaced seven times within one grace period */

/* --- sizes ----------------------------------------------------------------------------------------------------------
 */

/*
 * Records beyond the usable ones, for what is retired: a sixteenth, so that a table that is full can still replace so
 * many records within one grace period. 2 million changes a second and a grace period of 10 ms keep 20,000 busy.
 */
static uint32_t records_for(uint32_t capacity)
{
    uint32_t spare = capacity / 16;
    spare = spare < 256 ? 256 : spare;
    spare = spare > 262144 ? 262144 : spare;
    return 1 + capacity + spare; /* record 0 is none */
}

/* Of each fabric link its (peer, VNI) and its endpoint, of each cloud its endpoints, and while one link or cloud
 * changes, those of its old and new state; and WireGuard's endpoints. */
static uint32_t ingresses_for(uint32_t links)
{
    return 2 * links + 2 + (BYPEER_CLOUDS_MAX + 1) * BYPEER_CLOUD_ADDRESSES + BYPEER_ENDPOINTS_MAX;
}

static int within(uint32_t count, uint32_t least, uint32_t most)
{
    return count >= least && count <= most;
}

static int size_is_valid(const struct bypeer_tables_size *size)
{
    return within(size->destinations, BYPEER_DESTINATIONS_MIN, BYPEER_DESTINATIONS_MAX) &&
           within(size->links, 1, BYPEER_TABLES_IDS_MAX) && within(size->adjacencies, 1, BYPEER_TABLES_IDS_MAX) &&
           within(size->groups, 1, BYPEER_TABLES_IDS_MAX) && within(size->prefixes, 1, BYPEER_TABLES_IDS_MAX) &&
           size->names <= BYPEER_NAMES_MAX && size->sessions <= BYPEER_SESSIONS_MAX &&
           size->relays <= BYPEER_RELAYS_MAX && size->group_parts <= BYPEER_GROUP_PARTS_MAX;
}

static void section_counts(const struct bypeer_tables_size *size, uint64_t counts[static BYPEER_TABLES_SECTIONS])
{
    counts[BYPEER_DESTINATION_BUCKETS] = bypeer_exact_buckets_for(size->destinations);
    counts[BYPEER_DESTINATION_STASH] = BYPEER_EXACT_STASH;
    counts[BYPEER_DESTINATIONS] = records_for(size->destinations);
    counts[BYPEER_INGRESS_BUCKETS] = bypeer_exact_buckets_for(ingresses_for(size->links));
    counts[BYPEER_INGRESS_STASH] = BYPEER_EXACT_STASH;
    counts[BYPEER_INGRESSES] = records_for(ingresses_for(size->links));
    counts[BYPEER_LINK_INDEX] = (uint64_t)size->links + 1;
    counts[BYPEER_LINKS] = records_for(size->links);
    counts[BYPEER_ADJACENCY_INDEX] = (uint64_t)size->adjacencies + 1;
    counts[BYPEER_ADJACENCIES] = records_for(size->adjacencies);
    counts[BYPEER_GROUP_INDEX] = (uint64_t)size->groups + 1;
    counts[BYPEER_GROUPS] = records_for(size->groups);
    counts[BYPEER_GROUP_PARTS] = records_for(size->group_parts);
    counts[BYPEER_PREFIX_NODES] = bypeer_prefixes_nodes(size->prefixes);
    counts[BYPEER_PREFIX_VALUES] = bypeer_prefixes_values(size->prefixes);
    counts[BYPEER_PREFIX_ROUTES] = records_for(size->prefixes);
    counts[BYPEER_CLOUD_INDEX] = BYPEER_CLOUDS_MAX + 1;
    counts[BYPEER_CLOUDS] = WRITER_CLOUDS;
    bypeer_names_section_counts(size->names, counts);
    counts[BYPEER_WIREGUARD_SESSIONS] = (uint64_t)size->sessions + 1;
    counts[BYPEER_WIREGUARD_CONFIG] = 1;
    counts[BYPEER_RELAYS] = (uint64_t)size->relays + 1;
    counts[BYPEER_RELAY_PORTS] = size->relays > 0 ? UINT16_MAX + 1 : 0;
    counts[BYPEER_LINK_LIMIT_INDEX] = (uint64_t)size->links + 1;
    counts[BYPEER_LINK_LIMITS] = records_for(size->links);
    counts[BYPEER_GROUP_LIMIT_INDEX] = (uint64_t)size->groups + 1;
    counts[BYPEER_GROUP_LIMITS] = records_for(size->groups);
}

uint64_t bypeer_tables_bytes(const struct bypeer_tables_size *size)
{
    if (!size_is_valid(size))
        return 0;
    uint64_t counts[BYPEER_TABLES_SECTIONS];
    section_counts(size, counts);
    uint64_t bytes = bypeer_region_bytes(BYPEER_REGION_TABLES, counts);
    return (bytes + WRITER_PAGE - 1) / WRITER_PAGE * WRITER_PAGE;
}

/* --- life -----------------------------------------------------------------------------------------------------------
 */

static void *writer_section(const struct bypeer_writer *writer, unsigned section)
{
    return (uint8_t *)writer->header + writer->header->sections[section].offset;
}

static uint32_t writer_count(const struct bypeer_writer *writer, unsigned section)
{
    return (uint32_t)writer->header->sections[section].count;
}

static int writer_init_exact(struct bypeer_writer *writer, struct bypeer_exact_writer *exact, unsigned buckets,
                             uint32_t capacity)
{
    struct bypeer_exact view = {
        .buckets = writer_section(writer, buckets),
        .stash = writer_section(writer, buckets + 1),
        .records = writer_section(writer, buckets + 2),
        .seed = writer->header->hash_seed,
        .bucket_count = writer_count(writer, buckets),
        .stash_count = writer_count(writer, buckets + 1),
        .record_count = writer_count(writer, buckets + 2),
    };
    return bypeer_exact_writer_init(exact, &view, capacity);
}

static int writer_init_slots(struct bypeer_writer *writer, struct bypeer_slots_writer *slots, unsigned index,
                             uint32_t capacity)
{
    return bypeer_slots_writer_init(slots, writer_section(writer, index), writer_section(writer, index + 1),
                                    writer_count(writer, index + 1), writer->header->sections[index + 1].entry_bytes,
                                    capacity);
}

static int writer_init(struct bypeer_writer *writer)
{
    const struct bypeer_tables_size *size = &writer->size;
    int error = writer_init_exact(writer, &writer->destinations, BYPEER_DESTINATION_BUCKETS, size->destinations);
    if (!error)
        error = writer_init_exact(writer, &writer->ingresses, BYPEER_INGRESS_BUCKETS, ingresses_for(size->links));
    if (!error)
        error = writer_init_slots(writer, &writer->links, BYPEER_LINK_INDEX, size->links);
    if (!error)
        error = writer_init_slots(writer, &writer->adjacencies, BYPEER_ADJACENCY_INDEX, size->adjacencies);
    if (!error)
        error = writer_init_slots(writer, &writer->groups, BYPEER_GROUP_INDEX, size->groups);
    if (!error)
        error = bypeer_group_parts_writer_init(&writer->group_parts, writer_section(writer, BYPEER_GROUP_PARTS),
                                               writer_count(writer, BYPEER_GROUP_PARTS), size->group_parts);
    if (!error)
        error =
            bypeer_prefix_writer_init(&writer->prefixes, writer->header, writer_section(writer, BYPEER_PREFIX_ROUTES),
                                      writer_count(writer, BYPEER_PREFIX_ROUTES), size->prefixes);
    if (!error)
        error = writer_init_slots(writer, &writer->clouds, BYPEER_CLOUD_INDEX, BYPEER_CLOUDS_MAX);
    if (!error)
        error = bypeer_names_writer_init(&writer->names, writer->header, size->names);
    if (!error)
        error = bypeer_sessions_writer_init(&writer->sessions, writer_section(writer, BYPEER_WIREGUARD_SESSIONS),
                                            writer_count(writer, BYPEER_WIREGUARD_SESSIONS));
    if (!error)
        error = bypeer_relays_writer_init(&writer->relays, writer_section(writer, BYPEER_RELAYS),
                                          writer_section(writer, BYPEER_RELAY_PORTS), size->relays);
    if (!error)
        error = writer_init_slots(writer, &writer->link_limits, BYPEER_LINK_LIMIT_INDEX, size->links);
    if (!error)
        error = writer_init_slots(writer, &writer->group_limits, BYPEER_GROUP_LIMIT_INDEX, size->groups);
    return error;
}

int bypeer_writer_create(struct bypeer_writer **ret_writer, void *base, uint64_t bytes,
                         const struct bypeer_tables_size *size, uint32_t layout, uint64_t generation,
                         uint64_t hash_seed, uint64_t created_ns)
{
    uint64_t needed = bypeer_tables_bytes(size);
    if (needed == 0 || bytes < needed)
        return -EINVAL;
    uint64_t counts[BYPEER_TABLES_SECTIONS];
    section_counts(size, counts);
    int error = bypeer_region_init(base, needed, BYPEER_REGION_TABLES, layout, generation, created_ns, counts);
    if (error)
        return error;

    struct bypeer_writer *writer = calloc(1, sizeof(*writer));
    if (!writer)
        return -ENOMEM;
    writer->header = base;
    writer->header->hash_seed = hash_seed;
    writer->bytes = needed;
    writer->layout = layout;
    writer->size = *size;
    error = writer_init(writer);
    if (error) {
        bypeer_writer_free(writer);
        return error;
    }
    *ret_writer = writer;
    return 0;
}

void bypeer_writer_publish(struct bypeer_writer *writer)
{
    bypeer_region_publish(writer->header);
}

void bypeer_writer_free(struct bypeer_writer *writer)
{
    if (!writer)
        return;
    bypeer_slots_writer_free(&writer->group_limits);
    bypeer_slots_writer_free(&writer->link_limits);
    bypeer_relays_writer_free(&writer->relays);
    bypeer_sessions_writer_free(&writer->sessions);
    bypeer_names_writer_free(&writer->names);
    bypeer_slots_writer_free(&writer->clouds);
    bypeer_prefix_writer_free(&writer->prefixes);
    bypeer_group_parts_writer_free(&writer->group_parts);
    bypeer_slots_writer_free(&writer->groups);
    bypeer_slots_writer_free(&writer->adjacencies);
    bypeer_slots_writer_free(&writer->links);
    bypeer_exact_writer_free(&writer->ingresses);
    bypeer_exact_writer_free(&writer->destinations);
    free(writer);
}

/* --- destinations ---------------------------------------------------------------------------------------------------
 */

int bypeer_writer_put_destination(struct bypeer_writer *writer, const struct bypeer_destination *destination)
{
    if (destination->group == BYPEER_GROUP_ANY)
        return -EINVAL;
    const struct bypeer_destination written = bypeer_writer_record(writer, destination);
    return bypeer_exact_writer_put(&writer->destinations, &written);
}

int bypeer_writer_remove_destination(struct bypeer_writer *writer, const uint8_t key[static 16])
{
    return bypeer_exact_writer_remove(&writer->destinations, key);
}

const struct bypeer_destination *bypeer_writer_find_destination(const struct bypeer_writer *writer,
                                                                const uint8_t key[static 16])
{
    return bypeer_exact_writer_find(&writer->destinations, key);
}

void bypeer_writer_prefetch_destination(const struct bypeer_writer *writer, const uint8_t key[static 16])
{
    bypeer_exact_writer_prefetch(&writer->destinations, key);
}

void bypeer_writer_set_relay_prefix(struct bypeer_writer *writer, const struct bypeer_relay_prefix *prefix)
{
    writer->header->relay_prefix = *prefix;
}

/* --- WireGuard -------------------------------------------------------------------------------------------------------
 */

static struct bypeer_wireguard_config *writer_wireguard(const struct bypeer_writer *writer)
{
    return writer_section(writer, BYPEER_WIREGUARD_CONFIG);
}

void bypeer_writer_set_wireguard(struct bypeer_writer *writer, const struct bypeer_wireguard_config *config)
{
    *writer_wireguard(writer) = *config;
}

static struct bypeer_destination writer_endpoint(const struct bypeer_writer *writer, const uint8_t address[static 16],
                                                 uint16_t port)
{
    struct bypeer_destination endpoint = {.flags = BYPEER_DESTINATION_WIREGUARD, .prefix_bits = 128};
    bypeer_ingress_key(writer->header->hash_seed, address, BYPEER_INGRESS_ENDPOINT | port, endpoint.key);
    return endpoint;
}

int bypeer_writer_put_endpoint(struct bypeer_writer *writer, const uint8_t address[static 16], uint16_t port)
{
    const struct bypeer_destination endpoint = writer_endpoint(writer, address, port);
    if (bypeer_exact_writer_find(&writer->ingresses, endpoint.key))
        return -EEXIST;
    if (writer->endpoint_count == BYPEER_ENDPOINTS_MAX)
        return -ENOSPC;
    int error = bypeer_exact_writer_put(&writer->ingresses, &endpoint);
    if (error < 0)
        return error;
    memcpy(writer->endpoints[writer->endpoint_count].address, address, 16);
    writer->endpoints[writer->endpoint_count++].port = port;
    return 0;
}

int bypeer_writer_remove_endpoint(struct bypeer_writer *writer, const uint8_t address[static 16], uint16_t port)
{
    for (uint32_t i = 0; i < writer->endpoint_count; i++) {
        if (writer->endpoints[i].port != port || memcmp(writer->endpoints[i].address, address, 16) != 0)
            continue;
        const struct bypeer_destination endpoint = writer_endpoint(writer, address, port);
        writer->endpoints[i] = writer->endpoints[--writer->endpoint_count];
        return bypeer_exact_writer_remove(&writer->ingresses, endpoint.key);
    }
    return -ENOENT;
}

/* --- growth ---------------------------------------------------------------------------------------------------------
 */

static int writer_copy_links(struct bypeer_writer *to, const struct bypeer_writer *from)
{
    for (uint32_t id = 1; id <= from->links.capacity; id++) {
        const struct bypeer_link *link = bypeer_slots_writer_find(&from->links, id);
        if (!link)
            continue;
        if (id > to->links.capacity)
            return -ENOSPC;
        /* Anew, since the ingress key depends on the seed. */
        int error = bypeer_writer_put_link(to, link);
        if (error < 0)
            return error;
    }
    return 0;
}

static int writer_copy_clouds(struct bypeer_writer *to, const struct bypeer_writer *from)
{
    for (uint32_t number = 1; number <= BYPEER_CLOUDS_MAX; number++) {
        const struct bypeer_cloud_record *cloud = bypeer_slots_writer_find(&from->clouds, number);
        int error = cloud ? bypeer_writer_put_cloud(to, cloud) : 0;
        if (error < 0)
            return error;
    }
    return bypeer_names_writer_copy(&to->names, &from->names);
}

static int writer_copy_prefixes(struct bypeer_writer *to, const struct bypeer_writer *from)
{
    for (uint32_t i = 0; i < from->prefixes.used; i++) {
        int error = bypeer_writer_put_prefix(to, &from->prefixes.routes[from->prefixes.sorted[i].slot]);
        if (error < 0)
            return error;
    }
    return bypeer_writer_commit_prefixes(to);
}

static int writer_copy_wireguard(struct bypeer_writer *to, const struct bypeer_writer *from)
{
    to->header->relay_prefix = from->header->relay_prefix;
    *writer_wireguard(to) = *writer_wireguard(from);
    for (uint32_t i = 0; i < from->endpoint_count; i++) {
        int error = bypeer_writer_put_endpoint(to, from->endpoints[i].address, from->endpoints[i].port);
        if (error < 0)
            return error;
    }
    return bypeer_sessions_writer_copy(&to->sessions, &from->sessions);
}

int bypeer_writer_copy(struct bypeer_writer *to, const struct bypeer_writer *from)
{
    int error = bypeer_writer_copy_groups(to, from);
    if (!error)
        error = bypeer_slots_writer_copy(&to->adjacencies, &from->adjacencies);
    if (!error)
        error = writer_copy_links(to, from);
    if (!error)
        error = writer_copy_clouds(to, from);
    if (!error)
        error = writer_copy_prefixes(to, from);
    if (!error)
        error = writer_copy_wireguard(to, from);
    if (!error)
        error = bypeer_writer_copy_relays(to, from);
    if (!error)
        error = bypeer_writer_copy_limits(to, from);
    if (!error)
        error = bypeer_exact_writer_copy(&to->destinations, &from->destinations);
    return error;
}

/* --- how full -------------------------------------------------------------------------------------------------------
 */

void bypeer_writer_usage(const struct bypeer_writer *writer, struct bypeer_writer_usage *ret_usage)
{
    *ret_usage = (struct bypeer_writer_usage){
        .capacity = writer->size,
        .used = {.destinations = writer->destinations.used,
                 .links = writer->links.used,
                 .adjacencies = writer->adjacencies.used,
                 .groups = writer->groups.used,
                 .prefixes = writer->prefixes.used,
                 .names = bypeer_names_writer_used(&writer->names),
                 .sessions = writer->sessions.used,
                 .relays = writer->relays.used,
                 .group_parts = writer->group_parts.used},
        .retired = bypeer_pool_retired(&writer->destinations.pool) + bypeer_pool_retired(&writer->ingresses.pool) +
                   bypeer_pool_retired(&writer->links.pool) + bypeer_pool_retired(&writer->adjacencies.pool) +
                   bypeer_pool_retired(&writer->groups.pool) + bypeer_pool_retired(&writer->prefixes.pool) +
                   bypeer_pool_retired(&writer->prefixes.halves) + bypeer_pool_retired(&writer->clouds.pool) +
                   bypeer_pool_retired(&writer->names.halves) + bypeer_pool_retired(&writer->names.deltas) +
                   bypeer_pool_retired(&writer->sessions.pool) + bypeer_pool_retired(&writer->relays.pool) +
                   bypeer_pool_retired(&writer->link_limits.pool) + bypeer_pool_retired(&writer->group_limits.pool) +
                   bypeer_pool_retired(&writer->group_parts.pool),
        .bytes = writer->bytes,
    };
}

/* --- grace periods
 * ---------------------------------------------------------------------------------------------------- */

#define WRITER_POOLS 15

static void writer_pools(struct bypeer_writer *writer, struct bypeer_pool *pools[static WRITER_POOLS])
{
    pools[0] = &writer->destinations.pool;
    pools[1] = &writer->ingresses.pool;
    pools[2] = &writer->links.pool;
    pools[3] = &writer->adjacencies.pool;
    pools[4] = &writer->groups.pool;
    pools[5] = &writer->prefixes.pool;
    pools[6] = &writer->prefixes.halves;
    pools[7] = &writer->clouds.pool;
    pools[8] = &writer->names.halves;
    pools[9] = &writer->names.deltas;
    pools[10] = &writer->link_limits.pool;
    pools[11] = &writer->group_limits.pool;
    pools[12] = &writer->group_parts.pool;
    pools[13] = &writer->relays.pool; /* this and the next: reclaimed in ways of their own */
    pools[14] = &writer->sessions.pool;
}

uint64_t bypeer_writer_request(struct bypeer_writer *writer)
{
    struct bypeer_pool *pools[WRITER_POOLS];
    writer_pools(writer, pools);
    int dirty = 0;
    for (unsigned i = 0; i < WRITER_POOLS; i++)
        dirty |= bypeer_pool_is_dirty(pools[i]);
    if (!dirty)
        return writer->token;
    writer->token++;
    for (unsigned i = 0; i < WRITER_POOLS; i++)
        bypeer_pool_request(pools[i], writer->token);
    /* After the stores that took the retired slots out of use; pairs with the broker's acquire load (grace.h). */
    __atomic_store_n(&writer->header->grace_request, writer->token, __ATOMIC_RELEASE);
    return writer->token;
}

void bypeer_writer_reclaim(struct bypeer_writer *writer, uint64_t completed)
{
    struct bypeer_pool *pools[WRITER_POOLS];
    writer_pools(writer, pools);
    for (unsigned i = 0; i < WRITER_POOLS - 2; i++)
        bypeer_pool_reclaim(pools[i], completed);
    bypeer_relays_writer_reclaim(&writer->relays, completed);
    bypeer_sessions_writer_reclaim(&writer->sessions, completed);
}
