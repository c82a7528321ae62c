/*
 * The status region of this process: made once, filled in for as long as it lives.
 *
 * The workers and the host thread write their own rows. The main thread writes the rest: names of counters, ports, and
 * the heartbeat. Control maps the region read-only, and keeps its last numbers when this process has died.
 *
 * Thread: main.
 */
#pragma once

#include "config/config.h"
#include "dataplane/ports.h"
#include "overlay/tables/memory.h"
#include "overlay/tables/status.h"

struct bypeer_report {
    struct bypeer_memory memory;
    struct bypeer_status status; /* .workers: one row a worker, then the host thread's */
    uint64_t ports_tsc;          /* when the ports were asked last */
};

/* Makes and publishes the region. Ports are started. Returns 0 or negative errno. */
int bypeer_report_create(struct bypeer_report *ret_report, const struct bypeer_config *config,
                         const struct bypeer_ports *ports);
void bypeer_report_free(struct bypeer_report *report);

/* A heartbeat, and once a second the state of the ports. Call at least 4 times a second. */
void bypeer_report_beat(struct bypeer_report *report, const struct bypeer_ports *ports);

/* Field 22 of /proc/self/stat: when this process started, which tells it from another one of the same pid. 0: unknown.
 */
uint64_t bypeer_report_start_ticks(void);
