/*
 * Names on this node: the clouds of the configuration, what is published in them, and resolving for local clients.
 *
 *   configuration --- clouds are opened, changed and closed (cloud.h)
 *   database -------- publications, which come back under the same PNRP IDs after a restart; nodes to begin with
 *   API, NSS, DNS --> bypeer_names_resolve(), bypeer_names_publish(), ...
 *   tables <--------- what each cloud knows, for the data plane (feed.h)
 *
 * No callback comes from within a function of this module, only from the loop: whoever is called may call anything
 * here.
 *
 * Thread: one (control's loop).
 */
#pragma once

#include <uv.h>

#include "config/config.h"
#include "control/problem.h"
#include "overlay/pnrp/cloud.h"

struct bypeer_names;
struct bypeer_node;
struct bypeer_generation;

/* Opens the clouds of the node's configuration and what was published in them. node must outlive it. */
int bypeer_names_open(struct bypeer_names **ret_names, uv_loop_t *loop, struct bypeer_node *node,
                      struct bypeer_problem *problem);
/* What is published stays so, in the database and for whoever has heard of it. Resolves end without a word. Freed when
 * the loop has closed its handles; run the loop until then. */
void bypeer_names_close(struct bypeer_names *names);
/* Follows another configuration; before is valid during the call only. */
void bypeer_names_reconfigure(struct bypeer_names *names, const struct bypeer_config *before,
                              const struct bypeer_config *after);

/* --- resolving --- */

struct bypeer_names_query {
    const struct bypeer_peer_name *name;
    const char *const *clouds;            /* by name */
    unsigned cloud_count;                 /* 0: all */
    enum bypeer_pnrp_criterion criterion; /* ANY, NEAREST or NEAREST_64 */
    bool has_prefix;                      /* nearest to this; else to an own address */
    uint8_t prefix[8];
    unsigned results_max; /* from all clouds together; 0: 1 */
    uint32_t timeout_ms;  /* 0: 30 s; at most 600 s */
    bool own;             /* this node's own publications count */
};

/* Any may be NULL. What is pointed to is valid during the call. */
struct bypeer_names_callbacks {
    void (*found)(void *context, const char *cloud, const struct bypeer_pnrp_found *found);
    void (*hop)(void *context, const char *cloud, const struct bypeer_pnrp_hop *hop);
    /* It is over, and the resolve is gone: 0 (something was found), -ENOENT, -ETIMEDOUT, -ENETUNREACH (no cloud has a
     * network). */
    void (*finished)(void *context, int status);
};

struct bypeer_names_resolve; /* one, until finished() or bypeer_names_cancel() */

/* Asks all clouds at once, those of the name's profile and any other. -ENOENT: no such cloud, or none at all;
 * -ENOSPC: too many at once. */
int bypeer_names_resolve(struct bypeer_names *names, const struct bypeer_names_query *query,
                         const struct bypeer_names_callbacks *callbacks, void *context,
                         struct bypeer_names_resolve **ret_resolve, struct bypeer_problem *problem);
/* No callback comes any more. */
void bypeer_names_cancel(struct bypeer_names_resolve *resolve);
