#include "overlay/tables/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static bool size_allowed(uint64_t counters, uint64_t workers, uint64_t ports)
{
    return counters <= BYPEER_COUNTERS_MAX && workers >= 1 && workers <= BYPEER_STATUS_WORKERS_MAX &&
           ports <= BYPEER_STATUS_PORTS_MAX;
}

static void section_counts(const struct bypeer_status_size *size, uint64_t ret_counts[static BYPEER_STATUS_SECTIONS])
{
    ret_counts[BYPEER_STATUS_COUNTERS] = size->counters;
    ret_counts[BYPEER_STATUS_WORKERS] = size->workers;
    ret_counts[BYPEER_STATUS_PORTS] = size->ports;
    ret_counts[BYPEER_STATUS_EVENTS] = size->workers;
}

uint64_t bypeer_status_bytes(const struct bypeer_status_size *size)
{
    if (!size_allowed(size->counters, size->workers, size->ports))
        return 0;
    uint64_t counts[BYPEER_STATUS_SECTIONS];
    section_counts(size, counts);
    return bypeer_region_bytes(BYPEER_REGION_STATUS, counts);
}

int bypeer_status_init(struct bypeer_status *ret_status, void *base, uint64_t bytes,
                       const struct bypeer_status_size *size, uint64_t generation, uint64_t created_ns)
{
    if (!bypeer_status_bytes(size))
        return -EINVAL;
    uint64_t counts[BYPEER_STATUS_SECTIONS];
    section_counts(size, counts);
    int error = bypeer_region_init(base, bytes, BYPEER_REGION_STATUS, 1, generation, created_ns, counts);
    if (error)
        return error;

    struct bypeer_status_header *header = base;
    uint8_t *start = base;
    *ret_status = (struct bypeer_status){
        .header = header,
        .counters = (void *)(start + header->sections[BYPEER_STATUS_COUNTERS].offset),
        .workers = (void *)(start + header->sections[BYPEER_STATUS_WORKERS].offset),
        .ports = (void *)(start + header->sections[BYPEER_STATUS_PORTS].offset),
        .events = (void *)(start + header->sections[BYPEER_STATUS_EVENTS].offset),
        .size = *size,
    };
    return 0;
}

int bypeer_status_attach(struct bypeer_status_view *ret_view, const void *base, uint64_t bytes,
                         char why[static BYPEER_REGION_WHY_BYTES])
{
    struct bypeer_region region;
    int error = bypeer_region_check(&region, BYPEER_REGION_STATUS, base, bytes, why);
    if (error)
        return error;
    uint64_t counters = region.sections[BYPEER_STATUS_COUNTERS].count;
    uint64_t workers = region.sections[BYPEER_STATUS_WORKERS].count;
    uint64_t ports = region.sections[BYPEER_STATUS_PORTS].count;
    if (!size_allowed(counters, workers, ports)) {
        snprintf(why, BYPEER_REGION_WHY_BYTES,
                 "status of %" PRIu64 " counters, %" PRIu64 " workers, %" PRIu64 " ports; at most %d, 1 to %d, %d",
                 counters, workers, ports, BYPEER_COUNTERS_MAX, BYPEER_STATUS_WORKERS_MAX, BYPEER_STATUS_PORTS_MAX);
        return -EPROTO;
    }
    if (region.sections[BYPEER_STATUS_EVENTS].count != workers) {
        snprintf(why, BYPEER_REGION_WHY_BYTES, "status of %" PRIu64 " workers has events of %" PRIu64, workers,
                 region.sections[BYPEER_STATUS_EVENTS].count);
        return -EPROTO;
    }
    *ret_view = (struct bypeer_status_view){
        .header = base,
        .counters = bypeer_region_section(&region, base, BYPEER_STATUS_COUNTERS),
        .workers = bypeer_region_section(&region, base, BYPEER_STATUS_WORKERS),
        .ports = bypeer_region_section(&region, base, BYPEER_STATUS_PORTS),
        .events = bypeer_region_section(&region, base, BYPEER_STATUS_EVENTS),
        .size = {.counters = (uint32_t)counters, .workers = (uint32_t)workers, .ports = (uint32_t)ports},
        .generation = region.generation,
    };
    return 0;
}

uint64_t bypeer_status_counter(const struct bypeer_status_view *view, uint32_t worker, uint32_t counter)
{
    if (worker >= view->size.workers || counter >= view->size.counters)
        return 0;
    return __atomic_load_n(&view->workers[worker].counters[counter], __ATOMIC_RELAXED);
}

int bypeer_status_latest(const struct bypeer_status_view *view)
{
    int latest = -ENOENT;
    uint64_t latest_tsc = UINT64_MAX;
    for (uint32_t i = 0; i < view->size.workers; i++) {
        uint64_t tsc = __atomic_load_n(&view->workers[i].quiescent_tsc, __ATOMIC_RELAXED);
        if (__atomic_load_n(&view->workers[i].state, __ATOMIC_RELAXED) != BYPEER_WORKER_RUNNING || tsc >= latest_tsc)
            continue;
        latest = (int)i;
        latest_tsc = tsc;
    }
    return latest;
}

void bypeer_status_text(char *ret_text, const char *field, size_t bytes)
{
    size_t i = 0;
    for (; i + 1 < bytes; i++) {
        /* Loaded once: the other side may be writing here. */
        char c = __atomic_load_n(&field[i], __ATOMIC_RELAXED);
        if (c == '\0')
            break;
        ret_text[i] = c >= ' ' && c <= '~' ? c : '?';
    }
    if (bytes)
        ret_text[i] = '\0';
}
