/*
 * The status region: what a data plane says about itself (layout.h).
 *
 * The data plane makes one at start, before it says HELLO, and writes into it for as long as it lives: a worker its own
 * 32 lines and its ring of events, the broker line 2 of the header. It is also the process's reader slot (grace.h).
 *
 * Control maps it read-only and believes nothing: it copies offsets and counts once (bypeer_status_attach()), loads
 * numbers as they come, and copies text through bypeer_status_text().
 *
 *   | header | counter names | workers, then the host thread | ports | events, of the same workers |
 *
 * With 248 counters, 64 workers and 16 ports: 256 + 248 * 128 + 65 * 2048 + 16 * 128 + 65 * 32832 = 2,301,248 bytes.
 */
#pragma once

#include "overlay/tables/region.h"

struct bypeer_status_size {
    uint32_t counters; /* at most BYPEER_COUNTERS_MAX */
    uint32_t workers;  /* entries, that of the host thread included; 1 to BYPEER_STATUS_WORKERS_MAX */
    uint32_t ports;    /* at most BYPEER_STATUS_PORTS_MAX */
};

#define BYPEER_STATUS_WORKERS_MAX 1024
#define BYPEER_STATUS_PORTS_MAX   1024

/* No status region is larger: a limit for bypeer_memory_receive(). Rounded up to huge pages. */
#define BYPEER_STATUS_BYTES_MAX (UINT64_C(36) << 20)

/* The maker's own. */
struct bypeer_status {
    struct bypeer_status_header *header;
    struct bypeer_counter_name *counters;
    struct bypeer_status_worker *workers;
    struct bypeer_status_port *ports;
    struct bypeer_event_ring *events; /* one a worker */
    struct bypeer_status_size size;
};

/* The other side's: private pointers and counts into memory that may change at any time. */
struct bypeer_status_view {
    const struct bypeer_status_header *header;
    const struct bypeer_counter_name *counters;
    const struct bypeer_status_worker *workers;
    const struct bypeer_status_port *ports;
    const struct bypeer_event_ring *events; /* one a worker: events.h */
    struct bypeer_status_size size;
    uint64_t generation;
};

/* Bytes of a region of this size; 0: a count is outside its limits. */
uint64_t bypeer_status_bytes(const struct bypeer_status_size *size);

/*
 * Lays an empty status region out in bytes of zeroed memory at base. generation tells one life of a data plane from the
 * next (its start time will do). Fill in names, ports and line 1, then bypeer_region_publish(base). 0 or -EINVAL.
 */
int bypeer_status_init(struct bypeer_status *ret_status, void *base, uint64_t bytes,
                       const struct bypeer_status_size *size, uint64_t generation, uint64_t created_ns);

/* Checks a mapped status region. Errors as of bypeer_region_check(), -EPROTO also for counts outside the limits. */
int bypeer_status_attach(struct bypeer_status_view *ret_view, const void *base, uint64_t bytes,
                         char why[static BYPEER_REGION_WHY_BYTES]);

/* Value of a counter of a worker; 0 for one that the region does not have. */
uint64_t bypeer_status_counter(const struct bypeer_status_view *view, uint32_t worker, uint32_t counter);

/*
 * The running worker that has announced no quiescent state for the longest time: the one to name in an alarm. Its
 * number, or -ENOENT when none is running.
 */
int bypeer_status_latest(const struct bypeer_status_view *view);

/*
 * Copies a text field of bytes (of a view) into ret_text of at least bytes: NUL-terminated, with '?' for every byte
 * that is not printable ASCII.
 */
void bypeer_status_text(char *ret_text, const char *field, size_t bytes);
