#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_telemetry.h>

#include "dataplane/counters.h"
#include "dataplane/node_times.h"
#include "dataplane/telemetry.h"

/* DPDK gives a callback no context of its own. */
static struct {
    pthread_mutex_t mutex; /* held by a callback while it looks, so that stop waits for it */
    const struct bypeer_report *report;
    struct bypeer_tracing *tracing;
} telemetry = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static uint64_t telemetry_sum(const struct bypeer_status *status, uint32_t counter)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < status->size.workers; i++)
        sum += __atomic_load_n(&status->workers[i].counters[counter], __ATOMIC_RELAXED);
    return sum;
}

static void telemetry_status(const struct bypeer_status *status, struct rte_tel_data *data)
{
    int64_t in_flight = 0;
    rte_tel_data_start_dict(data);
    rte_tel_data_add_dict_string(data, "release", BYPEER_RELEASE);
    rte_tel_data_add_dict_u64(data, "pid", status->header->pid);
    rte_tel_data_add_dict_u64(data, "tables_generation",
                              __atomic_load_n(&status->header->tables_generation, __ATOMIC_RELAXED));
    rte_tel_data_add_dict_u64(data, "grace_completed",
                              __atomic_load_n(&status->header->grace_completed, __ATOMIC_RELAXED));
    for (uint32_t counter = 0; counter < BYPEER_COUNTERS_USED; counter++) {
        int64_t sum = (int64_t)telemetry_sum(status, counter);
        switch (bypeer_counter_names[counter].class) {
        case BYPEER_COUNTER_RECEIVED:
        case BYPEER_COUNTER_INJECTED:
        case BYPEER_COUNTER_GENERATED:
        case BYPEER_COUNTER_COPIED:
            in_flight += sum;
            break;
        case BYPEER_COUNTER_SENT:
        case BYPEER_COUNTER_PUNTED:
        case BYPEER_COUNTER_CONSUMED:
        case BYPEER_COUNTER_DROPPED:
            in_flight -= sum;
            break;
        default:
            break;
        }
    }
    rte_tel_data_add_dict_int(data, "in_flight", (int)in_flight);
}

static void telemetry_counters(const struct bypeer_status *status, struct rte_tel_data *data)
{
    rte_tel_data_start_dict(data);
    for (uint32_t counter = 0; counter < BYPEER_COUNTERS_USED; counter++)
        rte_tel_data_add_dict_u64(data, bypeer_counter_names[counter].name, telemetry_sum(status, counter));
}

static void telemetry_worker(const struct bypeer_status_worker *worker, struct rte_tel_data *data)
{
    static const char *const states[] = {"starting", "running", "sleeping", "host thread"};
    uint32_t state = __atomic_load_n(&worker->state, __ATOMIC_RELAXED);
    rte_tel_data_start_dict(data);
    rte_tel_data_add_dict_u64(data, "lcore", worker->lcore);
    rte_tel_data_add_dict_string(data, "state", state < RTE_DIM(states) ? states[state] : "unknown");
    rte_tel_data_add_dict_u64(data, "walks", __atomic_load_n(&worker->walks, __ATOMIC_RELAXED));
    rte_tel_data_add_dict_u64(data, "busy_us",
                              __atomic_load_n(&worker->busy_tsc, __ATOMIC_RELAXED) / (rte_get_tsc_hz() / 1000000));
    rte_tel_data_add_dict_u64(data, "sleep_us",
                              __atomic_load_n(&worker->sleep_tsc, __ATOMIC_RELAXED) / (rte_get_tsc_hz() / 1000000));
}

static void telemetry_port(const struct bypeer_status_port *port, struct rte_tel_data *data)
{
    rte_tel_data_start_dict(data);
    rte_tel_data_add_dict_string(data, "driver", port->driver);
    rte_tel_data_add_dict_u64(data, "mtu", port->mtu);
    rte_tel_data_add_dict_u64(data, "link_up", port->link_up);
    rte_tel_data_add_dict_u64(data, "missed", port->missed);
    rte_tel_data_add_dict_u64(data, "errors", port->errors);
}

static void telemetry_rows(const struct bypeer_status *status, struct rte_tel_data *data, bool ports)
{
    rte_tel_data_start_dict(data);
    for (uint32_t i = 0; i < (ports ? status->size.ports : status->size.workers); i++) {
        char name[48];
        struct rte_tel_data *row = rte_tel_data_alloc();
        if (row == NULL)
            return;
        if (ports) {
            snprintf(name, sizeof(name), "%s", status->ports[i].name);
            telemetry_port(&status->ports[i], row);
        } else {
            snprintf(name, sizeof(name), "%u", i);
            telemetry_worker(&status->workers[i], row);
        }
        rte_tel_data_add_dict_container(data, name, row, 0);
    }
}

static int telemetry_trace(struct bypeer_tracing *tracing, const char *packets, struct rte_tel_data *data)
{
    pthread_mutex_lock(&tracing->mutex);
    int status = 0;
    if (packets != NULL) {
        unsigned long wanted = strtoul(packets, NULL, 10);
        tracing->asked = (uint32_t)RTE_MIN(wanted, (unsigned long)BYPEER_TRACE_PACKETS_MAX);
        rte_tel_data_string(data, wanted > 0 ? "started" : "use /bypeer/trace,N to trace the next N packets");
    } else {
        rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
        for (uint32_t i = 0; i < tracing->kept_count; i++)
            rte_tel_data_add_array_string(data, tracing->kept[i]);
    }
    pthread_mutex_unlock(&tracing->mutex);
    return status;
}

static int telemetry_answer(const char *command, const char *parameters, struct rte_tel_data *data)
{
    int status = 0;
    pthread_mutex_lock(&telemetry.mutex);
    if (telemetry.report == NULL)
        status = -ENODEV;
    else if (strcmp(command, "/bypeer/status") == 0)
        telemetry_status(&telemetry.report->status, data);
    else if (strcmp(command, "/bypeer/counters") == 0)
        telemetry_counters(&telemetry.report->status, data);
    else if (strcmp(command, "/bypeer/workers") == 0)
        telemetry_rows(&telemetry.report->status, data, false);
    else if (strcmp(command, "/bypeer/nodes") == 0)
        status = bypeer_node_times_answer(data);
    else if (strcmp(command, "/bypeer/ports") == 0)
        telemetry_rows(&telemetry.report->status, data, true);
    else
        status = telemetry_trace(telemetry.tracing, parameters, data);
    pthread_mutex_unlock(&telemetry.mutex);
    return status;
}

int bypeer_telemetry_start(const struct bypeer_report *report, struct bypeer_tracing *tracing)
{
    static const char *const commands[][2] = {
        {"/bypeer/status", "Release, tables and packets in flight. Takes no parameters"},
        {"/bypeer/counters", "Every counter, summed over all threads. Takes no parameters"},
        {"/bypeer/workers", "State and time of each worker; the last one is the host thread. Takes no parameters"},
        {"/bypeer/nodes", "Calls, packets and cycles of each node of the graphs. Takes no parameters"},
        {"/bypeer/ports", "Link and losses of each port. Takes no parameters"},
        {"/bypeer/trace", "Traces the next packets (parameter: how many), or shows the last trace (no parameter)"},
    };
    pthread_mutex_lock(&telemetry.mutex);
    telemetry.report = report;
    telemetry.tracing = tracing;
    pthread_mutex_unlock(&telemetry.mutex);
    for (unsigned i = 0; i < RTE_DIM(commands); i++) {
        int status = rte_telemetry_register_cmd(commands[i][0], telemetry_answer, commands[i][1]);
        if (status < 0)
            return status;
    }
    return 0;
}

void bypeer_telemetry_stop(void)
{
    pthread_mutex_lock(&telemetry.mutex);
    telemetry.report = NULL;
    pthread_mutex_unlock(&telemetry.mutex);
}
