#include "overlay/tables/region.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What this release knows of a kind of region. */
struct region_shape {
    const char *name;
    uint32_t header_bytes;
    uint32_t sections_offset; /* of the array of struct bypeer_section */
    unsigned sections;
    uint32_t entry_bytes[BYPEER_REGION_SECTIONS_MAX];
};

static const struct region_shape region_tables = {
    .name = "tables",
    .header_bytes = sizeof(struct bypeer_tables_header),
    .sections_offset = offsetof(struct bypeer_tables_header, sections),
    .sections = BYPEER_TABLES_SECTIONS,
    .entry_bytes =
        {
            [BYPEER_DESTINATION_BUCKETS] = sizeof(struct bypeer_bucket),
            [BYPEER_DESTINATION_STASH] = sizeof(uint32_t),
            [BYPEER_DESTINATIONS] = sizeof(struct bypeer_destination),
            [BYPEER_INGRESS_BUCKETS] = sizeof(struct bypeer_bucket),
            [BYPEER_INGRESS_STASH] = sizeof(uint32_t),
            [BYPEER_INGRESSES] = sizeof(struct bypeer_destination),
            [BYPEER_LINK_INDEX] = sizeof(uint32_t),
            [BYPEER_LINKS] = sizeof(struct bypeer_link),
            [BYPEER_ADJACENCY_INDEX] = sizeof(uint32_t),
            [BYPEER_ADJACENCIES] = sizeof(struct bypeer_adjacency),
            [BYPEER_GROUP_INDEX] = sizeof(uint32_t),
            [BYPEER_GROUPS] = sizeof(struct bypeer_group),
            [BYPEER_GROUP_PARTS] = sizeof(struct bypeer_group_part),
            [BYPEER_PREFIX_NODES] = sizeof(struct bypeer_prefix_node),
            [BYPEER_PREFIX_VALUES] = sizeof(uint32_t),
            [BYPEER_PREFIX_ROUTES] = sizeof(struct bypeer_destination),
            [BYPEER_CLOUD_INDEX] = sizeof(uint32_t),
            [BYPEER_CLOUDS] = sizeof(struct bypeer_cloud_record),
            [BYPEER_NAME_PARTS] = sizeof(struct bypeer_name_part),
            [BYPEER_NAME_RECORDS] = sizeof(struct bypeer_name_record),
            [BYPEER_NAME_NODES] = sizeof(struct bypeer_name_node),
            [BYPEER_NAME_RUNS] = sizeof(struct bypeer_name_run),
            [BYPEER_NAME_EXTRAS] = sizeof(struct bypeer_name_extra),
            [BYPEER_NAME_OWNS] = sizeof(struct bypeer_name_own),
            [BYPEER_WIREGUARD_SESSIONS] = sizeof(struct bypeer_wireguard_session),
            [BYPEER_WIREGUARD_CONFIG] = sizeof(struct bypeer_wireguard_config),
            [BYPEER_RELAYS] = sizeof(struct bypeer_relay_record),
            [BYPEER_RELAY_PORTS] = sizeof(uint32_t),
            [BYPEER_LINK_LIMIT_INDEX] = sizeof(uint32_t),
            [BYPEER_LINK_LIMITS] = sizeof(struct bypeer_limit),
            [BYPEER_GROUP_LIMIT_INDEX] = sizeof(uint32_t),
            [BYPEER_GROUP_LIMITS] = sizeof(struct bypeer_limit),
        },
};

static const struct region_shape region_status = {
    .name = "status",
    .header_bytes = sizeof(struct bypeer_status_header),
    .sections_offset = offsetof(struct bypeer_status_header, sections),
    .sections = BYPEER_STATUS_SECTIONS,
    .entry_bytes =
        {
            [BYPEER_STATUS_COUNTERS] = sizeof(struct bypeer_counter_name),
            [BYPEER_STATUS_WORKERS] = sizeof(struct bypeer_status_worker),
            [BYPEER_STATUS_PORTS] = sizeof(struct bypeer_status_port),
            [BYPEER_STATUS_EVENTS] = sizeof(struct bypeer_event_ring),
        },
};

static const struct region_shape region_sessions = {
    .name = "sessions",
    .header_bytes = sizeof(struct bypeer_sessions_header),
    .sections_offset = offsetof(struct bypeer_sessions_header, sections),
    .sections = BYPEER_SESSIONS_SECTIONS,
    .entry_bytes =
        {
            [BYPEER_SESSIONS_LINKS] = sizeof(struct bypeer_session),
            [BYPEER_SESSIONS_PEERS] = sizeof(struct bypeer_peer_state),
            [BYPEER_SESSIONS_WIREGUARD] = sizeof(struct bypeer_wireguard_state),
            [BYPEER_SESSIONS_WINDOWS] = sizeof(struct bypeer_window),
            [BYPEER_SESSIONS_RELAYS] = sizeof(struct bypeer_relay_state),
            [BYPEER_SESSIONS_CLAIMS] = sizeof(struct bypeer_relay_claims),
            [BYPEER_SESSIONS_METERS] = sizeof(struct bypeer_link_meter),
            [BYPEER_SESSIONS_GROUPS] = sizeof(struct bypeer_group_meter),
        },
};

static const struct region_shape *region_shape(enum bypeer_region_kind kind)
{
    switch (kind) {
    case BYPEER_REGION_TABLES:
        return &region_tables;
    case BYPEER_REGION_STATUS:
        return &region_status;
    case BYPEER_REGION_SESSIONS:
        return &region_sessions;
    }
    return NULL;
}

static uint64_t round_to_line(uint64_t bytes)
{
    return (bytes + BYPEER_CACHE_LINE - 1) & ~(uint64_t)(BYPEER_CACHE_LINE - 1);
}

/* Counts of 32 bits and entries of at most 64 KiB: a section has less than 2^48 bytes, and no sum here overflows. */
uint64_t bypeer_region_bytes(enum bypeer_region_kind kind, const uint64_t counts[])
{
    const struct region_shape *shape = region_shape(kind);
    if (!shape)
        return 0;
    uint64_t bytes = shape->header_bytes;
    for (unsigned i = 0; i < shape->sections; i++) {
        if (counts[i] > UINT32_MAX)
            return 0;
        bytes = round_to_line(bytes + counts[i] * shape->entry_bytes[i]);
    }
    return bytes;
}

int bypeer_region_init(void *base, uint64_t bytes, enum bypeer_region_kind kind, uint32_t layout, uint64_t generation,
                       uint64_t created_ns, const uint64_t counts[])
{
    const struct region_shape *shape = region_shape(kind);
    uint64_t needed = bypeer_region_bytes(kind, counts);
    uint64_t hash = bypeer_layout_hash(kind, layout);
    if (!shape || !needed || needed > bytes || !hash || !generation)
        return -EINVAL;

    struct bypeer_section *sections = (void *)((uint8_t *)base + shape->sections_offset);
    uint64_t offset = shape->header_bytes;
    for (unsigned i = 0; i < shape->sections; i++) {
        sections[i] =
            (struct bypeer_section){.offset = offset, .count = counts[i], .entry_bytes = shape->entry_bytes[i]};
        offset = round_to_line(offset + counts[i] * shape->entry_bytes[i]);
    }
    *(struct bypeer_region_header *)base = (struct bypeer_region_header){
        .magic = BYPEER_REGION_MAGIC,
        .kind = kind,
        .layout = layout,
        .layout_hash = hash,
        .bytes = needed,
        .generation = generation,
        .created_ns = created_ns,
    };
    return 0;
}

void bypeer_region_publish(void *base)
{
    struct bypeer_region_header *header = base;
    /* Orders all that was written into the region before the mark; pairs with the acquire in bypeer_region_check(). */
    __atomic_store_n(&header->published, header->generation, __ATOMIC_RELEASE);
}

static int refuse(char why[static BYPEER_REGION_WHY_BYTES], int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int refuse(char why[static BYPEER_REGION_WHY_BYTES], int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, BYPEER_REGION_WHY_BYTES, format, arguments);
    va_end(arguments);
    return error;
}

static int check_header(const struct region_shape *shape, enum bypeer_region_kind kind,
                        const struct bypeer_region_header *header, uint64_t bytes,
                        char why[static BYPEER_REGION_WHY_BYTES])
{
    if (header->magic != BYPEER_REGION_MAGIC)
        return refuse(why, -EPROTO, "not a region: magic %#" PRIx64 " instead of %#" PRIx64, header->magic,
                      BYPEER_REGION_MAGIC);
    if (header->kind != (uint32_t)kind)
        return refuse(why, -EPROTO, "region is of kind %" PRIu32 ", not %s (%d)", header->kind, shape->name, (int)kind);
    uint64_t hash = bypeer_layout_hash(kind, header->layout);
    if (!hash)
        return refuse(why, -ENOTSUP, "%s layout %" PRIu32 " is not one of those that this release reads, %u to %u",
                      shape->name, header->layout, kind == BYPEER_REGION_TABLES ? BYPEER_LAYOUT_OLDEST : 1,
                      kind == BYPEER_REGION_TABLES ? BYPEER_LAYOUT_NEWEST : 1);
    if (header->layout_hash != hash)
        return refuse(why, -ENOTSUP,
                      "%s layout %" PRIu32 " has hash %#" PRIx64 " there and %#" PRIx64 " here: different builds",
                      shape->name, header->layout, header->layout_hash, hash);
    if (header->bytes > bytes || header->bytes < shape->header_bytes)
        return refuse(why, -EPROTO,
                      "%s region says %" PRIu64 " bytes; %" PRIu64 " are mapped, its header takes %" PRIu32,
                      shape->name, header->bytes, bytes, shape->header_bytes);
    if (header->generation == 0)
        return refuse(why, -EPROTO, "%s region has no generation", shape->name);
    if (header->published == 0)
        return refuse(why, -EAGAIN, "%s generation %" PRIu64 " is not published yet", shape->name, header->generation);
    if (header->published != header->generation)
        return refuse(why, -EPROTO, "%s region has generation %" PRIu64 " but says that %" PRIu64 " is published",
                      shape->name, header->generation, header->published);
    return 0;
}

static int check_section(const struct region_shape *shape, const struct bypeer_section *section, unsigned number,
                         uint64_t region_bytes, char why[static BYPEER_REGION_WHY_BYTES])
{
    uint32_t entry_bytes = shape->entry_bytes[number];
    if (section->entry_bytes != entry_bytes)
        return refuse(why, -EPROTO, "%s section %u has entries of %" PRIu32 " bytes, not %" PRIu32, shape->name, number,
                      section->entry_bytes, entry_bytes);
    if (section->count > UINT32_MAX)
        return refuse(why, -EPROTO, "%s section %u has %" PRIu64 " entries, more than 32 bits count", shape->name,
                      number, section->count);
    if (section->offset % BYPEER_CACHE_LINE || section->offset < shape->header_bytes)
        return refuse(why, -EPROTO, "%s section %u begins at %" PRIu64 ", not on a cache line behind the header",
                      shape->name, number, section->offset);
    if (section->offset > region_bytes || section->count * entry_bytes > region_bytes - section->offset)
        return refuse(why, -EPROTO,
                      "%s section %u of %" PRIu64 " entries at %" PRIu64 " does not fit in %" PRIu64 " bytes",
                      shape->name, number, section->count, section->offset, region_bytes);
    return 0;
}

static bool sections_overlap(const struct bypeer_section *a, const struct bypeer_section *b)
{
    return a->count && b->count && a->offset < b->offset + b->count * b->entry_bytes &&
           b->offset < a->offset + a->count * a->entry_bytes;
}

int bypeer_region_check(struct bypeer_region *ret_region, enum bypeer_region_kind kind, const void *base,
                        uint64_t bytes, char why[static BYPEER_REGION_WHY_BYTES])
{
    const struct region_shape *shape = region_shape(kind);
    if (!shape)
        return refuse(why, -EPROTO, "there is no region of kind %d", (int)kind);
    if (bytes < shape->header_bytes)
        return refuse(why, -EPROTO, "%s region of %" PRIu64 " bytes has no room for its header of %" PRIu32,
                      shape->name, bytes, shape->header_bytes);

    /* Everything is copied once and only the copy is looked at. Pairs with the release in bypeer_region_publish(). */
    struct bypeer_region_header header;
    uint64_t published = __atomic_load_n(&((const struct bypeer_region_header *)base)->published, __ATOMIC_ACQUIRE);
    memcpy(&header, base, sizeof(header));
    header.published = published;
    int error = check_header(shape, kind, &header, bytes, why);
    if (error)
        return error;

    struct bypeer_region region = {.bytes = header.bytes, .generation = header.generation, .layout = header.layout};
    memcpy(region.sections, (const uint8_t *)base + shape->sections_offset,
           shape->sections * sizeof(struct bypeer_section));
    for (unsigned i = 0; i < shape->sections; i++) {
        error = check_section(shape, &region.sections[i], i, region.bytes, why);
        if (error)
            return error;
        for (unsigned j = 0; j < i; j++)
            if (sections_overlap(&region.sections[i], &region.sections[j]))
                return refuse(why, -EPROTO, "%s sections %u and %u overlap", shape->name, j, i);
    }
    *ret_region = region;
    return 0;
}
