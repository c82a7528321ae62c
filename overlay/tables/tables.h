/*
 * Tables as a reader sees them: attach once, then look up.
 *
 * bypeer_tables_attach() checks a mapped region once and copies every offset and count into private memory. From then
 * on the reader trusts nothing in the region but cache lines of plain data: each index found there is bounded by a
 * private count, each loop by a constant. Random bytes in a mapped region can therefore make a lookup answer nonsense,
 * never make it leave the region or loop for ever.
 *
 * What a lookup returns points into the region. It stays valid, whole and unchanged, until the calling worker's next
 * quiescent state: copy what must live longer.
 *
 * Threads: any number of readers, each with its own view or a shared const one. The region's writer is one other
 * process (writer.h).
 */
#pragma once

#include <stdbool.h>

#include "overlay/tables/layout.h"

/* At most this many keys in one call of a burst lookup. */
#define BYPEER_LOOKUP_BURST 128

/* An exact-match table within a region, as checked at attach: exact.h. */
struct bypeer_exact {
    const struct bypeer_bucket *buckets;
    const uint32_t *stash;
    const struct bypeer_destination *records;
    uint64_t seed;
    uint32_t bucket_count;
    uint32_t stash_count;
    uint32_t record_count;
};

/* A record array behind an index array: slots.h. */
struct bypeer_slots {
    const uint32_t *index;
    const void *records;
    uint32_t index_count;
    uint32_t record_count;
};

/* Private to the reader; about two cache lines are touched per packet burst. */
struct bypeer_tables {
    const struct bypeer_tables_header *header;
    uint64_t generation;
    uint64_t bytes;
    struct bypeer_exact destinations;
    struct bypeer_exact ingresses;
    struct bypeer_slots links;
    struct bypeer_slots adjacencies;
    struct bypeer_slots groups;
    const struct bypeer_group_part *group_parts;
    uint32_t group_part_count;
    struct bypeer_exact prefix_routes; /* .records and .record_count only */
    const struct bypeer_prefix_node *prefix_nodes;
    const uint32_t *prefix_values;
    uint32_t prefix_node_count;
    uint32_t prefix_value_count;
    struct bypeer_slots clouds;
    struct bypeer_names_view {
        const struct bypeer_name_part *parts;
        const struct bypeer_name_record *records;
        const struct bypeer_name_node *nodes;
        const struct bypeer_name_run *runs;
        const struct bypeer_name_extra *extras;
        const struct bypeer_name_own *owns;
        uint32_t part_count, record_count, node_count, run_count, extra_count, own_count;
    } names; /* names.h */
    const struct bypeer_wireguard_session *sessions;
    uint32_t session_count;
    const struct bypeer_wireguard_config *wireguard;
    const struct bypeer_relay_record *relays; /* relays.h */
    const uint32_t *relay_ports;
    uint32_t relay_count, relay_port_count;
    struct bypeer_slots link_limits, group_limits;
    struct bypeer_relay_prefix relay_prefix; /* as it was at attach: .bits at most 128 */
};

/*
 * Checks the tables region of bytes bytes at base (readable, aligned to a page) and fills in *ret_tables.
 * Returns 0; -EPROTO: not a tables region, or one whose sections do not fit in it; -ENOTSUP: a layout that this release
 * does not read; -EAGAIN: not published yet. On failure *ret_tables is untouched and why, if not NULL, holds one line
 * that names what was found and what was expected.
 */
int bypeer_tables_attach(struct bypeer_tables *ret_tables, const void *base, uint64_t bytes, char why[static 160]);

/*
 * Looks up count (at most BYPEER_LOOKUP_BURST) overlay addresses at once: both buckets of all keys are prefetched, then
 * all records, so the misses of a burst overlap. found[i] is the record whose key is keys[i], or NULL. Each key is 16
 * bytes at any alignment.
 */
void bypeer_destinations_lookup(const struct bypeer_tables *tables, const uint8_t *const keys[], unsigned count,
                                const struct bypeer_destination *found[]);

/* The same for ingress keys (bypeer_ingress_key()). */
void bypeer_ingresses_lookup(const struct bypeer_tables *tables, const uint8_t *const keys[], unsigned count,
                             const struct bypeer_destination *found[]);

/* Longest prefix match for one address; NULL: no prefix holds it. Meant for what the exact match missed. */
const struct bypeer_destination *bypeer_prefixes_lookup(const struct bypeer_tables *tables,
                                                        const uint8_t address[static 16]);

/*
 * The key of (outer peer address, VNI) in the ingress table: 128 bits of XXH3 under the generation's seed. A hash only
 * finds the link: the caller compares peer and VNI of the link record, which makes the match exact.
 */
void bypeer_ingress_key(uint64_t seed, const uint8_t peer[static 16], uint32_t vni, uint8_t ret_key[static 16]);

/*
 * The ingress table also says what is ours at all: as long as any fabric link has this local address and UDP port,
 * there is a record under bypeer_ingress_key(seed, local, BYPEER_INGRESS_ENDPOINT | udp_port). A datagram to any other
 * address or port is the kernel's. A VNI has 24 bits, so the two kinds of key never meet. The record's link is of no
 * meaning. The endpoints of PNRP clouds have such records too, flagged BYPEER_DESTINATION_CLOUD, whose .link is the
 * number of the cloud (names.h), and so have those of WireGuard, flagged BYPEER_DESTINATION_WIREGUARD. One with port 0
 * says no more than that the address is this node's: the relay sends nothing to such.
 */
#define BYPEER_INGRESS_ENDPOINT UINT32_C(0x80000000)

/* The record of an id, never NULL: one out of range or unused gives record 0, all zero (kind NONE, valid 0). */
static inline const void *bypeer_slots_find(const struct bypeer_slots *slots, uint32_t id, uint32_t record_bytes)
{
    uint32_t slot = 0;
    if (id < slots->index_count)
        slot = __atomic_load_n(&slots->index[id], __ATOMIC_ACQUIRE);
    slot = slot < slots->record_count ? slot : 0;
    return (const uint8_t *)slots->records + (uint64_t)slot * record_bytes;
}

static inline const struct bypeer_link *bypeer_tables_link(const struct bypeer_tables *tables, uint32_t id)
{
    return bypeer_slots_find(&tables->links, id, sizeof(struct bypeer_link));
}

/* Both lines of a link. */
static inline void bypeer_tables_prefetch_link(const struct bypeer_tables *tables, uint32_t id)
{
    const struct bypeer_link *link = bypeer_tables_link(tables, id);
    __builtin_prefetch(link);
    __builtin_prefetch(link->header);
}

static inline const struct bypeer_adjacency *bypeer_tables_adjacency(const struct bypeer_tables *tables, uint32_t id)
{
    return bypeer_slots_find(&tables->adjacencies, id, sizeof(struct bypeer_adjacency));
}

static inline const struct bypeer_group *bypeer_tables_group(const struct bypeer_tables *tables, uint32_t id)
{
    return bypeer_slots_find(&tables->groups, id, sizeof(struct bypeer_group));
}

/* Whether any group has rules or any link is a trunk. */
static inline bool bypeer_tables_has_judged(const struct bypeer_tables *tables)
{
    return __atomic_load_n(&tables->header->judged, __ATOMIC_ACQUIRE) != 0;
}

/* A part of a chain of rules or links, never NULL: slot 0, and one out of range, is an empty part without a next one.
 * Who walks a chain counts the entries down from the group's, at most the limits of layout.h. */
static inline const struct bypeer_group_part *bypeer_tables_group_part(const struct bypeer_tables *tables,
                                                                       uint32_t slot)
{
    return &tables->group_parts[slot < tables->group_part_count ? slot : 0];
}

/* Whether any link or group has a limit. */
static inline bool bypeer_tables_has_limits(const struct bypeer_tables *tables)
{
    return __atomic_load_n(&tables->header->limits, __ATOMIC_RELAXED) != 0;
}

/* The limit of a link, never NULL: .id is 0 if it has none. */
static inline const struct bypeer_limit *bypeer_tables_link_limit(const struct bypeer_tables *tables, uint32_t id)
{
    return bypeer_slots_find(&tables->link_limits, id, sizeof(struct bypeer_limit));
}

static inline const struct bypeer_limit *bypeer_tables_group_limit(const struct bypeer_tables *tables, uint32_t id)
{
    return bypeer_slots_find(&tables->group_limits, id, sizeof(struct bypeer_limit));
}

/* The session in a slot, or NULL: there is none. */
static inline const struct bypeer_wireguard_session *bypeer_tables_session_in(const struct bypeer_tables *tables,
                                                                              uint32_t slot)
{
    if (slot == 0 || slot >= tables->session_count)
        return NULL;
    const struct bypeer_wireguard_session *session = &tables->sessions[slot];
    /* The index is stored last: pairs with the release in bypeer_writer_put_session(). */
    return __atomic_load_n(&session->local_index, __ATOMIC_ACQUIRE) != 0 ? session : NULL;
}

/* The session of a receiver index, or NULL. */
static inline const struct bypeer_wireguard_session *bypeer_tables_session(const struct bypeer_tables *tables,
                                                                           uint32_t index)
{
    uint32_t slot = index & BYPEER_SESSIONS_MAX;
    const struct bypeer_wireguard_session *session = &tables->sessions[slot < tables->session_count ? slot : 0];
    return __atomic_load_n(&session->local_index, __ATOMIC_ACQUIRE) == index && index != 0 ? session : NULL;
}

/* Starts to fetch of the session in a slot what sealing looks at: session.h. */
static inline void bypeer_tables_prefetch_sealing(const struct bypeer_tables *tables, uint32_t slot)
{
    __builtin_prefetch(&tables->sessions[slot < tables->session_count ? slot : 0]);
}

/* Starts to fetch what opening looks at of the record that bypeer_tables_session() finds. */
static inline void bypeer_tables_prefetch_session(const struct bypeer_tables *tables, uint32_t index)
{
    uint32_t slot = index & BYPEER_SESSIONS_MAX;
    bypeer_tables_prefetch_sealing(tables, slot);
    __builtin_prefetch(tables->sessions[slot < tables->session_count ? slot : 0].receive_key);
}
