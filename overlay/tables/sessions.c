#include "overlay/tables/sessions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static bool size_allowed(uint32_t workers, uint32_t links)
{
    return workers >= 1 && workers <= BYPEER_SESSIONS_WORKERS_MAX && links >= 1 && links <= BYPEER_SESSIONS_LINKS_MAX;
}

uint64_t bypeer_sessions_bytes(uint32_t workers, uint32_t links)
{
    if (!size_allowed(workers, links))
        return 0;
    uint64_t count = (uint64_t)workers * links;
    return bypeer_region_bytes(BYPEER_REGION_SESSIONS, &count);
}

int bypeer_sessions_init(struct bypeer_sessions *ret_sessions, void *base, uint64_t bytes, uint32_t workers,
                         uint32_t links, uint64_t generation, uint64_t created_ns)
{
    if (!size_allowed(workers, links))
        return -EINVAL;
    uint64_t count = (uint64_t)workers * links;
    int error = bypeer_region_init(base, bytes, BYPEER_REGION_SESSIONS, 1, generation, created_ns, &count);
    if (error)
        return error;
    struct bypeer_sessions_header *header = base;
    header->workers = workers;
    header->links = links;
    bypeer_region_publish(base);
    *ret_sessions = (struct bypeer_sessions){
        .entries = (void *)((uint8_t *)base + header->sections[0].offset),
        .workers = workers,
        .links = links,
        .generation = generation,
    };
    return 0;
}

int bypeer_sessions_view(struct bypeer_sessions_view *ret_view, const void *base, uint64_t bytes,
                         char why[static BYPEER_REGION_WHY_BYTES])
{
    struct bypeer_region region;
    int error = bypeer_region_check(&region, BYPEER_REGION_SESSIONS, base, bytes, why);
    if (error)
        return error;
    const struct bypeer_sessions_header *header = base;
    uint32_t workers = __atomic_load_n(&header->workers, __ATOMIC_RELAXED);
    uint32_t links = __atomic_load_n(&header->links, __ATOMIC_RELAXED);
    if (!size_allowed(workers, links) || (uint64_t)workers * links != region.sections[0].count) {
        snprintf(why, BYPEER_REGION_WHY_BYTES,
                 "sessions of %" PRIu32 " workers and %" PRIu32 " links do not fill %" PRIu64 " entries", workers,
                 links, region.sections[0].count);
        return -EPROTO;
    }
    *ret_view = (struct bypeer_sessions_view){
        .entries = bypeer_region_section(&region, base, 0),
        .workers = workers,
        .links = links,
        .generation = region.generation,
    };
    return 0;
}

int bypeer_sessions_attach(struct bypeer_sessions *ret_sessions, void *base, uint64_t bytes,
                           char why[static BYPEER_REGION_WHY_BYTES])
{
    struct bypeer_sessions_view view;
    int error = bypeer_sessions_view(&view, base, bytes, why);
    if (error)
        return error;
    *ret_sessions = (struct bypeer_sessions){
        .entries = (struct bypeer_session *)view.entries,
        .workers = view.workers,
        .links = view.links,
        .generation = view.generation,
    };
    return 0;
}

/* Adds what was counted for the same link; of two links with different serials the newer one stays. */
static void session_add(struct bypeer_session *to, const struct bypeer_session *from)
{
    if (from->link_serial == 0 || from->link_serial < to->link_serial)
        return;
    bypeer_session_begin(to, from->link_serial);
    to->received_packets += from->received_packets;
    to->received_bytes += from->received_bytes;
    to->sent_packets += from->sent_packets;
    to->sent_bytes += from->sent_bytes;
    if (to->last_received_ns < from->last_received_ns)
        to->last_received_ns = from->last_received_ns;
}

void bypeer_sessions_copy(const struct bypeer_sessions *to, const struct bypeer_sessions *from)
{
    uint32_t links = to->links < from->links ? to->links : from->links;
    for (uint32_t worker = 0; worker < from->workers; worker++)
        for (uint32_t i = 0; i < links; i++)
            session_add(&to->entries[(uint64_t)(worker % to->workers) * to->links + i],
                        &from->entries[(uint64_t)worker * from->links + i]);
}

void bypeer_sessions_sum(const struct bypeer_sessions_view *view, uint32_t session, uint64_t link_serial,
                         struct bypeer_session *ret_sum)
{
    *ret_sum = (struct bypeer_session){.link_serial = link_serial};
    if (session >= view->links || link_serial == 0)
        return;
    for (uint32_t worker = 0; worker < view->workers; worker++) {
        const struct bypeer_session *entry = &view->entries[(uint64_t)worker * view->links + session];
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
