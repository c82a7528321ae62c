/*
 * This host's kernel, on behalf of the node: the TAP of each port, the TUN of the host's own overlay traffic, and the
 * next hops of the links.
 *
 *   configuration, data plane's PORTS -> TAPs: MAC, MTU, addresses
 *   model's groups and routes         -> TUN: own addresses, routes of the overlay
 *   model's links                     -> next hops (kernel/adjacencies.h) -> model
 *
 * What the kernel refuses (no CAP_NET_ADMIN, a device of another program) is logged and tried no more until the next
 * start; the daemon goes on, since all else still works, and a link says why it is down.
 *
 * Thread: one (the loop's).
 */
#pragma once

#include <uv.h>

#include "config/config.h"
#include "control/model/model.h"
#include "overlay/tables/handover.h"

struct bypeer_host;

/* Makes or adopts the devices. user, group: who may attach to them, (uid_t)-1, (gid_t)-1: only who may anyway. */
int bypeer_host_open(struct bypeer_host **ret_host, uv_loop_t *loop, const struct bypeer_config *config, uid_t user,
                     gid_t group, struct bypeer_problem *problem);
/* The devices stay. The host is freed when the loop has closed its handles; run the loop until then. */
void bypeer_host_close(struct bypeer_host *host);

/* Where next hops are reported to. NULL: nowhere. */
void bypeer_host_use_model(struct bypeer_host *host, struct bypeer_model *model);

/* As the hooks of the model; context is the host. */
void bypeer_host_group_changed(void *host, const struct bypeer_model_group *group, bool gone);
void bypeer_host_link_changed(void *host, const struct bypeer_model_link *link, bool gone);
void bypeer_host_route_changed(void *host, const struct bypeer_model_route *route,
                               const struct bypeer_model_group *group, bool gone);

/* Reports every next hop that the kernel can tell now. The loop does it by itself after events. */
void bypeer_host_settle(struct bypeer_host *host);

/* A data plane says what it drives; it is attached, or the last one is gone. */
void bypeer_host_ports(struct bypeer_host *host, const struct bypeer_handover *ports);
void bypeer_host_attached(struct bypeer_host *host, bool attached);

/* Addresses of the ports follow another configuration. before is still valid, after will stay so. */
void bypeer_host_reconfigure(struct bypeer_host *host, const struct bypeer_config *before,
                             const struct bypeer_config *after);
