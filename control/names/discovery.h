/*
 * Finding nodes of a cloud on the same link, or site, by SSDP ([MS-PNRP] 3.1.4.2.2, 3.1.5.1): one socket in the group
 * of the scope, UDP port 1900.
 *
 *   search     M-SEARCH for the cloud's name to the group; who answers is told, five a search at most
 *   advertise  answers such searches of others with this node's endpoint, ten a second at most
 *
 * Thread: one (the loop's).
 */
#pragma once

#include <uv.h>

#include "overlay/pnrp/cloud.h"

struct bypeer_discovery;

/* NULL: no memory. responder: a node that says it is in the cloud. */
struct bypeer_discovery *
bypeer_discovery_open(uv_loop_t *loop, const struct bypeer_profile *profile, enum bypeer_pnrp_scope scope,
                      void (*responder)(void *context, const struct bypeer_pnrp_endpoint *node), void *context);
/* NULL is fine. Freed when the loop has closed its handles; nobody is told any more. */
void bypeer_discovery_close(struct bypeer_discovery *discovery);

/* This node's first endpoint, and the interface of a cloud of one link (else 0); NULL: there is none any more. */
void bypeer_discovery_set_endpoint(struct bypeer_discovery *discovery, const struct bypeer_pnrp_endpoint *endpoint,
                                   uint32_t interface);
void bypeer_discovery_search(struct bypeer_discovery *discovery);
void bypeer_discovery_advertise(struct bypeer_discovery *discovery, bool advertise);
