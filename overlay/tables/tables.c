#include "overlay/tables/tables.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "overlay/tables/exact.h"
#include "overlay/tables/region.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(BYPEER_REGION_WHY_BYTES == 160, "attach passes its caller's text on");

static int attach_refuse(char why[static 160], const char *section, uint64_t count, const char *expected)
{
    snprintf(why, 160, "tables: section %s has %llu entries, expected %s", section, (unsigned long long)count,
             expected);
    return -EPROTO;
}

/* A table's three sections: lookups count on at least one bucket and on record 0. */
static int attach_exact(struct bypeer_exact *ret_exact, const struct bypeer_region *region, const void *base,
                        unsigned buckets, const char *name, char why[static 160])
{
    const unsigned stash = buckets + 1, records = buckets + 2;
    if (region->sections[buckets].count < 1 || region->sections[buckets].count > UINT32_MAX)
        return attach_refuse(why, name, region->sections[buckets].count, "1 to 4294967295 buckets");
    if (region->sections[stash].count > BYPEER_EXACT_STASH_MAX)
        return attach_refuse(why, name, region->sections[stash].count, "a stash of at most 256");
    if (region->sections[records].count < 1 || region->sections[records].count > UINT32_MAX)
        return attach_refuse(why, name, region->sections[records].count, "1 to 4294967295 records");
    *ret_exact = (struct bypeer_exact){
        .buckets = bypeer_region_section(region, base, buckets),
        .stash = bypeer_region_section(region, base, stash),
        .records = bypeer_region_section(region, base, records),
        .seed = ((const struct bypeer_tables_header *)base)->hash_seed,
        .bucket_count = (uint32_t)region->sections[buckets].count,
        .stash_count = (uint32_t)region->sections[stash].count,
        .record_count = (uint32_t)region->sections[records].count,
    };
    return 0;
}

static int attach_slots(struct bypeer_slots *ret_slots, const struct bypeer_region *region, const void *base,
                        unsigned index, const char *name, char why[static 160])
{
    const unsigned records = index + 1;
    if (region->sections[index].count > UINT32_MAX)
        return attach_refuse(why, name, region->sections[index].count, "at most 4294967295 ids");
    if (region->sections[records].count < 1 || region->sections[records].count > UINT32_MAX)
        return attach_refuse(why, name, region->sections[records].count, "1 to 4294967295 records");
    *ret_slots = (struct bypeer_slots){
        .index = bypeer_region_section(region, base, index),
        .records = bypeer_region_section(region, base, records),
        .index_count = (uint32_t)region->sections[index].count,
        .record_count = (uint32_t)region->sections[records].count,
    };
    return 0;
}

static int attach_prefixes(struct bypeer_tables *tables, const struct bypeer_region *region, const void *base,
                           char why[static 160])
{
    const struct bypeer_section *sections = region->sections;
    if (sections[BYPEER_PREFIX_NODES].count > UINT32_MAX)
        return attach_refuse(why, "prefix nodes", sections[BYPEER_PREFIX_NODES].count, "at most 4294967295");
    if (sections[BYPEER_PREFIX_VALUES].count > UINT32_MAX)
        return attach_refuse(why, "prefix values", sections[BYPEER_PREFIX_VALUES].count, "at most 4294967295");
    if (sections[BYPEER_PREFIX_ROUTES].count < 1 || sections[BYPEER_PREFIX_ROUTES].count > UINT32_MAX)
        return attach_refuse(why, "prefix routes", sections[BYPEER_PREFIX_ROUTES].count, "1 to 4294967295");
    tables->prefix_nodes = bypeer_region_section(region, base, BYPEER_PREFIX_NODES);
    tables->prefix_node_count = (uint32_t)sections[BYPEER_PREFIX_NODES].count;
    tables->prefix_values = bypeer_region_section(region, base, BYPEER_PREFIX_VALUES);
    tables->prefix_value_count = (uint32_t)sections[BYPEER_PREFIX_VALUES].count;
    tables->prefix_routes.records = bypeer_region_section(region, base, BYPEER_PREFIX_ROUTES);
    tables->prefix_routes.record_count = (uint32_t)sections[BYPEER_PREFIX_ROUTES].count;
    return 0;
}

static int attach_group_parts(struct bypeer_tables *tables, const struct bypeer_region *region, const void *base,
                              char why[static 160])
{
    const struct bypeer_section *parts = &region->sections[BYPEER_GROUP_PARTS];
    if (parts->count < 1 || parts->count > UINT32_MAX)
        return attach_refuse(why, "group parts", parts->count, "1 to 4294967295 parts");
    tables->group_parts = bypeer_region_section(region, base, BYPEER_GROUP_PARTS);
    tables->group_part_count = (uint32_t)parts->count;
    return 0;
}

/* Every number in these is checked where it is used: any counts will do. */
static void attach_names(struct bypeer_tables *tables, const struct bypeer_region *region, const void *base)
{
    const struct bypeer_section *sections = region->sections;
    tables->names = (struct bypeer_names_view){
        .parts = bypeer_region_section(region, base, BYPEER_NAME_PARTS),
        .records = bypeer_region_section(region, base, BYPEER_NAME_RECORDS),
        .nodes = bypeer_region_section(region, base, BYPEER_NAME_NODES),
        .runs = bypeer_region_section(region, base, BYPEER_NAME_RUNS),
        .extras = bypeer_region_section(region, base, BYPEER_NAME_EXTRAS),
        .owns = bypeer_region_section(region, base, BYPEER_NAME_OWNS),
        .part_count = (uint32_t)sections[BYPEER_NAME_PARTS].count,
        .record_count = (uint32_t)sections[BYPEER_NAME_RECORDS].count,
        .node_count = (uint32_t)sections[BYPEER_NAME_NODES].count,
        .run_count = (uint32_t)sections[BYPEER_NAME_RUNS].count,
        .extra_count = (uint32_t)sections[BYPEER_NAME_EXTRAS].count,
        .own_count = (uint32_t)sections[BYPEER_NAME_OWNS].count,
    };
}

/* Look-ups count on slot 0, which is nobody's, and on the one configuration. */
static int attach_wireguard(struct bypeer_tables *tables, const struct bypeer_region *region, const void *base,
                            char why[static 160])
{
    const struct bypeer_section *sections = region->sections;
    if (sections[BYPEER_WIREGUARD_SESSIONS].count < 1 ||
        sections[BYPEER_WIREGUARD_SESSIONS].count > BYPEER_SESSIONS_MAX + UINT64_C(1))
        return attach_refuse(why, "sessions", sections[BYPEER_WIREGUARD_SESSIONS].count, "1 to 1048576");
    if (sections[BYPEER_WIREGUARD_CONFIG].count != 1)
        return attach_refuse(why, "WireGuard", sections[BYPEER_WIREGUARD_CONFIG].count, "1");
    tables->sessions = bypeer_region_section(region, base, BYPEER_WIREGUARD_SESSIONS);
    tables->session_count = (uint32_t)sections[BYPEER_WIREGUARD_SESSIONS].count;
    tables->wireguard = bypeer_region_section(region, base, BYPEER_WIREGUARD_CONFIG);
    return 0;
}

static int attach_relays(struct bypeer_tables *tables, const struct bypeer_region *region, const void *base,
                         char why[static 160])
{
    const struct bypeer_section *sections = region->sections;
    const struct bypeer_tables_header *header = base;
    if (sections[BYPEER_RELAYS].count < 1 || sections[BYPEER_RELAYS].count > UINT32_MAX)
        return attach_refuse(why, "relays", sections[BYPEER_RELAYS].count, "1 to 4294967295");
    if (sections[BYPEER_RELAY_PORTS].count > UINT16_MAX + 1)
        return attach_refuse(why, "ports of relays", sections[BYPEER_RELAY_PORTS].count, "at most 65536");
    tables->relays = bypeer_region_section(region, base, BYPEER_RELAYS);
    tables->relay_count = (uint32_t)sections[BYPEER_RELAYS].count;
    tables->relay_ports = bypeer_region_section(region, base, BYPEER_RELAY_PORTS);
    tables->relay_port_count = (uint32_t)sections[BYPEER_RELAY_PORTS].count;
    tables->relay_prefix = header->relay_prefix;
    if (tables->relay_prefix.bits > 128)
        return attach_refuse(why, "relays", tables->relay_prefix.bits, "a prefix of at most 128 bits");
    return 0;
}

int bypeer_tables_attach(struct bypeer_tables *ret_tables, const void *base, uint64_t bytes, char why[static 160])
{
    struct bypeer_region region;
    int error = bypeer_region_check(&region, BYPEER_REGION_TABLES, base, bytes, why);
    if (error)
        return error;

    struct bypeer_tables tables = {.header = base, .generation = region.generation, .bytes = region.bytes};
    error = attach_exact(&tables.destinations, &region, base, BYPEER_DESTINATION_BUCKETS, "destinations", why);
    if (!error)
        error = attach_exact(&tables.ingresses, &region, base, BYPEER_INGRESS_BUCKETS, "ingresses", why);
    if (!error)
        error = attach_slots(&tables.links, &region, base, BYPEER_LINK_INDEX, "links", why);
    if (!error)
        error = attach_slots(&tables.adjacencies, &region, base, BYPEER_ADJACENCY_INDEX, "adjacencies", why);
    if (!error)
        error = attach_slots(&tables.groups, &region, base, BYPEER_GROUP_INDEX, "groups", why);
    if (!error)
        error = attach_group_parts(&tables, &region, base, why);
    if (!error)
        error = attach_prefixes(&tables, &region, base, why);
    if (!error)
        error = attach_slots(&tables.clouds, &region, base, BYPEER_CLOUD_INDEX, "clouds", why);
    if (!error)
        error = attach_wireguard(&tables, &region, base, why);
    if (!error)
        error = attach_relays(&tables, &region, base, why);
    if (!error)
        error = attach_slots(&tables.link_limits, &region, base, BYPEER_LINK_LIMIT_INDEX, "link limits", why);
    if (!error)
        error = attach_slots(&tables.group_limits, &region, base, BYPEER_GROUP_LIMIT_INDEX, "group limits", why);
    if (error)
        return error;
    attach_names(&tables, &region, base);
    *ret_tables = tables;
    return 0;
}

void bypeer_destinations_lookup(const struct bypeer_tables *tables, const uint8_t *const keys[], unsigned count,
                                const struct bypeer_destination *found[])
{
    bypeer_exact_lookup(&tables->destinations, keys, count, found);
}

void bypeer_ingresses_lookup(const struct bypeer_tables *tables, const uint8_t *const keys[], unsigned count,
                             const struct bypeer_destination *found[])
{
    bypeer_exact_lookup(&tables->ingresses, keys, count, found);
}

void bypeer_ingress_key(uint64_t seed, const uint8_t peer[static 16], uint32_t vni, uint8_t ret_key[static 16])
{
    uint8_t bytes[20];
    memcpy(bytes, peer, 16);
    memcpy(bytes + 16, &vni, sizeof(vni));
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(bytes, sizeof(bytes), seed));
    memcpy(ret_key, canonical.digest, 16);
}
