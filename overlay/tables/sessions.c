#include "overlay/tables/sessions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static bool within(uint32_t count, uint32_t most)
{
    return count >= 1 && count <= most;
}

static bool size_allowed(const struct bypeer_sessions_size *size)
{
    return within(size->workers, BYPEER_SESSIONS_WORKERS_MAX) && within(size->links, BYPEER_SESSIONS_LINKS_MAX) &&
           within(size->slots, BYPEER_SESSIONS_SLOTS_MAX) && within(size->relays, BYPEER_SESSIONS_RELAYS_MAX) &&
           within(size->groups, BYPEER_SESSIONS_GROUPS_MAX);
}

static void section_counts(const struct bypeer_sessions_size *size,
                           uint64_t ret_counts[static BYPEER_SESSIONS_SECTIONS])
{
    ret_counts[BYPEER_SESSIONS_LINKS] = (uint64_t)size->workers * size->links;
    ret_counts[BYPEER_SESSIONS_PEERS] = size->links;
    ret_counts[BYPEER_SESSIONS_WIREGUARD] = size->slots;
    ret_counts[BYPEER_SESSIONS_WINDOWS] = size->slots;
    ret_counts[BYPEER_SESSIONS_RELAYS] = size->relays;
    ret_counts[BYPEER_SESSIONS_CLAIMS] = size->relays;
    ret_counts[BYPEER_SESSIONS_METERS] = size->links;
    ret_counts[BYPEER_SESSIONS_GROUPS] = size->groups;
}

uint64_t bypeer_sessions_bytes(const struct bypeer_sessions_size *size)
{
    if (!size_allowed(size))
        return 0;
    uint64_t counts[BYPEER_SESSIONS_SECTIONS];
    section_counts(size, counts);
    return bypeer_region_bytes(BYPEER_REGION_SESSIONS, counts);
}

int bypeer_sessions_init(struct bypeer_sessions *ret_sessions, void *base, uint64_t bytes,
                         const struct bypeer_sessions_size *size, uint64_t generation, uint64_t created_ns)
{
    if (!size_allowed(size))
        return -EINVAL;
    uint64_t counts[BYPEER_SESSIONS_SECTIONS];
    section_counts(size, counts);
    int error = bypeer_region_init(base, bytes, BYPEER_REGION_SESSIONS, 1, generation, created_ns, counts);
    if (error)
        return error;
    struct bypeer_sessions_header *header = base;
    header->workers = size->workers;
    header->links = size->links;
    header->slots = size->slots;
    header->relays = size->relays;
    header->groups = size->groups;
    bypeer_region_publish(base);
    char why[BYPEER_REGION_WHY_BYTES];
    return bypeer_sessions_attach(ret_sessions, base, bytes, why);
}

static int sessions_check(struct bypeer_region *ret_region, struct bypeer_sessions_size *ret_size, const void *base,
                          uint64_t bytes, char why[static BYPEER_REGION_WHY_BYTES])
{
    struct bypeer_region region;
    int error = bypeer_region_check(&region, BYPEER_REGION_SESSIONS, base, bytes, why);
    if (error)
        return error;
    const struct bypeer_sessions_header *header = base;
    const struct bypeer_sessions_size size = {
        .workers = __atomic_load_n(&header->workers, __ATOMIC_RELAXED),
        .links = __atomic_load_n(&header->links, __ATOMIC_RELAXED),
        .slots = __atomic_load_n(&header->slots, __ATOMIC_RELAXED),
        .relays = __atomic_load_n(&header->relays, __ATOMIC_RELAXED),
        .groups = __atomic_load_n(&header->groups, __ATOMIC_RELAXED),
    };
    uint64_t counts[BYPEER_SESSIONS_SECTIONS];
    section_counts(&size, counts);
    bool fits = size_allowed(&size);
    for (unsigned i = 0; i < BYPEER_SESSIONS_SECTIONS; i++)
        fits = fits && counts[i] == region.sections[i].count;
    if (!fits) {
        snprintf(why, BYPEER_REGION_WHY_BYTES,
                 "sessions of %" PRIu32 " workers, %" PRIu32 " links, %" PRIu32 " slots, %" PRIu32
                 " ends of relay links and %" PRIu32 " groups do not fill their sections",
                 size.workers, size.links, size.slots, size.relays, size.groups);
        return -EPROTO;
    }
    *ret_region = region;
    *ret_size = size;
    return 0;
}

int bypeer_sessions_view(struct bypeer_sessions_view *ret_view, const void *base, uint64_t bytes,
                         char why[static BYPEER_REGION_WHY_BYTES])
{
    struct bypeer_region region;
    struct bypeer_sessions_size size;
    int error = sessions_check(&region, &size, base, bytes, why);
    if (error)
        return error;
    *ret_view = (struct bypeer_sessions_view){
        .header = base,
        .entries = bypeer_region_section(&region, base, BYPEER_SESSIONS_LINKS),
        .peers = bypeer_region_section(&region, base, BYPEER_SESSIONS_PEERS),
        .wireguard = bypeer_region_section(&region, base, BYPEER_SESSIONS_WIREGUARD),
        .relays = bypeer_region_section(&region, base, BYPEER_SESSIONS_RELAYS),
        .claims = bypeer_region_section(&region, base, BYPEER_SESSIONS_CLAIMS),
        .size = size,
        .generation = region.generation,
    };
    return 0;
}

int bypeer_sessions_attach(struct bypeer_sessions *ret_sessions, void *base, uint64_t bytes,
                           char why[static BYPEER_REGION_WHY_BYTES])
{
    struct bypeer_region region;
    struct bypeer_sessions_size size;
    int error = sessions_check(&region, &size, base, bytes, why);
    if (error)
        return error;
    uint8_t *start = base;
    *ret_sessions = (struct bypeer_sessions){
        .header = base,
        .entries = (void *)(start + region.sections[BYPEER_SESSIONS_LINKS].offset),
        .peers = (void *)(start + region.sections[BYPEER_SESSIONS_PEERS].offset),
        .wireguard = (void *)(start + region.sections[BYPEER_SESSIONS_WIREGUARD].offset),
        .windows = (void *)(start + region.sections[BYPEER_SESSIONS_WINDOWS].offset),
        .relays = (void *)(start + region.sections[BYPEER_SESSIONS_RELAYS].offset),
        .claims = (void *)(start + region.sections[BYPEER_SESSIONS_CLAIMS].offset),
        .meters = (void *)(start + region.sections[BYPEER_SESSIONS_METERS].offset),
        .groups = (void *)(start + region.sections[BYPEER_SESSIONS_GROUPS].offset),
        .size = size,
        .generation = region.generation,
    };
    return 0;
}

int bypeer_sessions_use_rows(const struct bypeer_sessions *sessions, uint32_t workers)
{
    if (workers > sessions->size.workers)
        return -ENOSPC;
    if (__atomic_load_n(&sessions->header->rows, __ATOMIC_RELAXED) < workers)
        __atomic_store_n(&sessions->header->rows, workers, __ATOMIC_RELAXED);
    return 0;
}

void bypeer_sessions_sum(const struct bypeer_sessions_view *view, uint32_t session, uint64_t link_serial,
                         struct bypeer_session *ret_sum)
{
    *ret_sum = (struct bypeer_session){.link_serial = link_serial};
    if (session >= view->size.links || link_serial == 0)
        return;
    /* To read a row that nobody uses would allocate it. */
    uint32_t rows = __atomic_load_n(&view->header->rows, __ATOMIC_RELAXED);
    rows = rows < view->size.workers ? rows : view->size.workers;
    for (uint32_t worker = 0; worker < rows; worker++) {
        const struct bypeer_session *entry = &view->entries[(uint64_t)worker * view->size.links + session];
        /* Pairs with the release in bypeer_session_begin(); an entry that is being started anew counts nothing. */
        if (__atomic_load_n(&entry->link_serial, __ATOMIC_ACQUIRE) != link_serial)
            continue;
        ret_sum->received_packets += __atomic_load_n(&entry->received_packets, __ATOMIC_RELAXED);
        ret_sum->received_bytes += __atomic_load_n(&entry->received_bytes, __ATOMIC_RELAXED);
        ret_sum->sent_packets += __atomic_load_n(&entry->sent_packets, __ATOMIC_RELAXED);
        ret_sum->sent_bytes += __atomic_load_n(&entry->sent_bytes, __ATOMIC_RELAXED);
        uint64_t last = __atomic_load_n(&entry->last_received_ns, __ATOMIC_RELAXED);
        if (last > ret_sum->last_received_ns)
            ret_sum->last_received_ns = last;
    }
}
