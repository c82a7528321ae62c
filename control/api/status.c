/*
 * version and status: what the node is and how it does. Everything of the data plane is its own account of itself,
 * copied with care from its status region.
 */
#include <string.h>
#include <uv.h>

#include "control/api/call.h"
#include "control/api/hints.h"
#include "control/dataplane/channel.h"

int method_version(struct call *call)
{
    call->result = json_pack("{s:s, s:i, s:I}", "release", BYPEER_RELEASE, "api", BYPEER_API_VERSION, "layout",
                             (json_int_t)call->node->generation->layout);
    return 0;
}

static json_t *status_workers(const struct bypeer_status_view *view)
{
    static const char *const states[] = {"starting", "running", "sleeping", "host"};
    json_t *workers = json_array();
    for (uint32_t at = 0; at < view->size.workers; at++) {
        const struct bypeer_status_worker *worker = &view->workers[at];
        uint32_t state = __atomic_load_n(&worker->state, __ATOMIC_RELAXED);
        double busy = (double)__atomic_load_n(&worker->busy_tsc, __ATOMIC_RELAXED);
        double asleep = (double)__atomic_load_n(&worker->sleep_tsc, __ATOMIC_RELAXED);
        if (state == BYPEER_WORKER_HOST_THREAD)
            continue;
        json_array_append_new(workers,
                              json_pack("{s:I, s:I, s:s, s:f}", "index", (json_int_t)at, "lcore",
                                        (json_int_t)worker->lcore, "state", state < 4 ? states[state] : "unknown",
                                        "busy_share", busy + asleep > 0 ? busy / (busy + asleep) : 0.0));
    }
    return workers;
}

static json_t *status_ports(const struct bypeer_status_view *view)
{
    json_t *ports = json_array();
    for (uint32_t at = 0; at < view->size.ports; at++) {
        const struct bypeer_status_port *port = &view->ports[at];
        char name[sizeof(port->name)], driver[sizeof(port->driver)];
        uint8_t mac[6];
        bypeer_status_text(name, port->name, sizeof(name));
        bypeer_status_text(driver, port->driver, sizeof(driver));
        memcpy(mac, port->mac, sizeof(mac));
        json_array_append_new(ports, json_pack("{s:s, s:s, s:o, s:i, s:i, s:b, s:I, s:I}", "name", name, "driver",
                                               driver, "mac", call_mac_text(mac), "mtu", port->mtu, "queues",
                                               port->queues, "link_up", port->link_up != 0, "missed",
                                               (json_int_t)__atomic_load_n(&port->missed, __ATOMIC_RELAXED), "errors",
                                               (json_int_t)__atomic_load_n(&port->errors, __ATOMIC_RELAXED)));
    }
    return ports;
}

static json_t *status_dataplane(const struct bypeer_node *node)
{
    const struct bypeer_dataplane_process *process = node->channel ? bypeer_channel_process(node->channel) : NULL;
    if (!process)
        return json_pack("{s:s}", "state", "absent");
    json_t *status =
        json_pack("{s:s, s:I, s:s, s:I, s:o, s:o}", "state", "attached", "pid", (json_int_t)process->pid, "release",
                  process->release, "generation", (json_int_t)bypeer_channel_mapped(node->channel), "workers",
                  status_workers(&process->view), "ports", status_ports(&process->view));
    const char *refusal = bypeer_channel_refusal(node->channel);
    if (refusal[0] != '\0')
        json_object_set_new(status, "refused", json_string(refusal));
    return status;
}

static json_t *status_sizes(const struct bypeer_tables_size *size, uint64_t members)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "members", (json_int_t)members, "links", (json_int_t)size->links,
                     "adjacencies", (json_int_t)size->adjacencies, "groups", (json_int_t)size->groups, "prefixes",
                     (json_int_t)size->prefixes);
}

static json_t *status_tables(const struct bypeer_node *node)
{
    const struct bypeer_generation *generation = node->generation;
    struct bypeer_writer_usage usage;
    bypeer_writer_usage(generation->writer, &usage);
    return json_pack("{s:I, s:I, s:I, s:o, s:o, s:I}", "generation", (json_int_t)generation->number, "layout",
                     (json_int_t)generation->layout, "bytes", (json_int_t)generation->memory.bytes, "capacity",
                     status_sizes(&usage.capacity, usage.capacity.destinations), "used",
                     status_sizes(&usage.used, bypeer_model_count_members(node->model)), "retired",
                     (json_int_t)usage.retired);
}

static json_t *status_links(const struct bypeer_model *model)
{
    json_int_t total = 0, up = 0;
    for (const struct bypeer_model_link *link = bypeer_model_next_link(model, 0); link;
         link = bypeer_model_next_link(model, link->id)) {
        total += link->live && !link->local ? 1 : 0;
        up += bypeer_model_link_why_down(model, link) == NULL ? 1 : 0;
    }
    return json_pack("{s:I, s:I}", "total", total, "up", up);
}

int method_status(struct call *call)
{
    const struct bypeer_node *node = call->node;
    struct hints_sums sums;
    hints_sum(node, &sums);
    double uptime = (double)(uv_hrtime() - node->started_ns) / 1e9;
    call->result = json_pack("{s:s, s:s, s:f, s:o, s:o, s:o, s:o, s:o}", "node", node->config->node.name, "release",
                             BYPEER_RELEASE, "uptime_s", uptime, "dataplane", status_dataplane(node), "tables",
                             status_tables(node), "links", status_links(node->model), "packets", hints_packets(&sums),
                             "clouds", call_clouds_list(node));
    return 0;
}
