#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "dataplane/counters.h"
#include "dataplane/report.h"

uint64_t bypeer_report_start_ticks(void)
{
    char line[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    if (file == NULL)
        return 0;
    size_t length = fread(line, 1, sizeof(line) - 1, file);
    fclose(file);
    line[length] = '\0';
    /* The name in parentheses may hold spaces; field 3 follows the last parenthesis. */
    const char *at = strrchr(line, ')');
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtoull(at, NULL, 10) : 0;
}

static uint64_t report_realtime_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void report_fill_in(const struct bypeer_status *status, const struct bypeer_ports *ports)
{
    status->header->pid = (uint64_t)getpid();
    status->header->start_ticks = bypeer_report_start_ticks();
    status->header->tsc_hz = rte_get_tsc_hz();
    snprintf(status->header->release, sizeof(status->header->release), "%s", BYPEER_RELEASE);
    memcpy(status->counters, bypeer_counter_names, sizeof(bypeer_counter_names));
    for (uint16_t i = 0; i < ports->count; i++) {
        const struct bypeer_port_device *device = &ports->devices[i];
        struct bypeer_status_port *row = &status->ports[i];
        snprintf(row->name, sizeof(row->name), "%s", device->config->name);
        snprintf(row->driver, sizeof(row->driver), "%s", device->driver);
        memcpy(row->mac, device->mac, sizeof(row->mac));
        row->mtu = device->config->mtu;
        row->queues = device->receive_queues;
    }
}

int bypeer_report_create(struct bypeer_report *ret_report, const struct bypeer_config *config,
                         const struct bypeer_ports *ports)
{
    struct bypeer_status_size size = {
        .counters = BYPEER_COUNTERS_USED, .workers = config->dataplane.workers + 1u, .ports = ports->count};
    uint64_t now_ns = report_realtime_ns();
    memset(ret_report, 0, sizeof(*ret_report));
    int status = bypeer_memory_create(&ret_report->memory, BYPEER_MEMORY_STATUS, "bypeer-status",
                                      bypeer_status_bytes(&size), false);
    if (status < 0)
        return status;
    status = bypeer_status_init(&ret_report->status, ret_report->memory.base, ret_report->memory.bytes, &size, now_ns,
                                now_ns);
    if (status < 0) {
        bypeer_memory_free(&ret_report->memory);
        return status;
    }
    report_fill_in(&ret_report->status, ports);
    bypeer_ports_report(ports, ret_report->status.ports);
    bypeer_region_publish(ret_report->memory.base);
    return 0;
}

void bypeer_report_free(struct bypeer_report *report)
{
    bypeer_memory_free(&report->memory);
}

void bypeer_report_beat(struct bypeer_report *report, const struct bypeer_ports *ports)
{
    struct bypeer_status_header *header = report->status.header;
    __atomic_store_n(&header->heartbeat, header->heartbeat + 1, __ATOMIC_RELAXED);
    uint64_t tsc = rte_rdtsc();
    if (tsc - report->ports_tsc < rte_get_tsc_hz())
        return;
    report->ports_tsc = tsc;
    bypeer_ports_report(ports, report->status.ports);
}
