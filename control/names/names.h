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
#include "control/store/store.h"
#include "overlay/pnrp/cloud.h"

struct bypeer_names;
struct bypeer_cloud;
struct bypeer_node;

#define BYPEER_PUBLICATIONS_MAX 1024 /* names; beyond: -ENOSPC */

/* Opens the clouds of the node's configuration and what was published in them. node must outlive it. */
int bypeer_names_open(struct bypeer_names **ret_names, uv_loop_t *loop, struct bypeer_node *node,
                      struct bypeer_problem *problem);
/* What is published stays so, in the database and for whoever has heard of it. Resolves end without a word. Freed when
 * the loop has closed its handles; run the loop until then. NULL is fine. */
void bypeer_names_close(struct bypeer_names *names);
/* Follows the node's present configuration. A cloud that is there no more revokes what is published in it. */
void bypeer_names_reconfigure(struct bypeer_names *names);

/* The node makes another generation of tables: before, and after. NULL is fine. */
void bypeer_names_renewing(struct bypeer_names *names);
void bypeer_names_renewed(struct bypeer_names *names);

/* Clouds, in the order of the configuration. NULL: there is none (of that name). Valid until the next turn of the loop.
 */
struct bypeer_cloud *bypeer_names_first_cloud(const struct bypeer_names *names);
struct bypeer_cloud *bypeer_names_next_cloud(const struct bypeer_cloud *cloud);
struct bypeer_cloud *bypeer_names_find_cloud(const struct bypeer_names *names, const char *name);

/* --- publishing --- */

/*
 * Publishes a name, in all clouds of its profile or those of .clouds; durable when it returns 0. A secure name must be
 * of this node's default identity in one of the profiles. -EEXIST: it is published already; -EINVAL, -ENOENT, -ENOSPC,
 * and the errors of the database. Nothing is half done.
 */
int bypeer_names_publish(struct bypeer_names *names, const struct bypeer_store_publication *publication,
                         struct bypeer_problem *problem);
/* Everything but name and clouds. -ENOENT, -EINVAL. */
int bypeer_names_update(struct bypeer_names *names, const struct bypeer_store_publication *publication,
                        struct bypeer_problem *problem);
/* From these clouds, or all (count 0); revoked there. Returns in how many, or -ENOENT, or the errors of the database.
 */
int bypeer_names_unpublish(struct bypeer_names *names, const char *name, const char *const clouds[], unsigned count,
                           struct bypeer_problem *problem);
/* Each registration: one of a publication in one cloud. id NULL: not yet, or not any more, for want of an address or a
 * key. */
void bypeer_names_each(const struct bypeer_names *names,
                       void (*visit)(void *context, const struct bypeer_store_publication *publication,
                                     const struct bypeer_cloud *cloud, const uint8_t *id),
                       void *context);
/* The authority of this node's default identity, which is made if there is none. */
int bypeer_names_authority(struct bypeer_names *names, const struct bypeer_profile *profile,
                           uint8_t ret_authority[static 20], struct bypeer_problem *problem);

/* --- registrations of other parts of this daemon --- */

/* A name that a certificate chain delegates; not in the database, so its owner registers it again after a restart. */
struct bypeer_names_delegated {
    const struct bypeer_peer_name *name;
    const struct bypeer_profile *profile; /* of the clouds */
    const struct bypeer_key *key;         /* that the chain's last certificate is for */
    const uint8_t *chain;
    size_t chain_bytes;
    const struct bypeer_application
        *applications; /* none: this node's own addresses in each cloud, with .port of TCP */
    unsigned application_count;
    uint16_t port;
};

struct bypeer_names_delegation; /* one, until bypeer_names_withdraw() or the end of names */

/* In all clouds of the profile, now and later; everything is copied. */
int bypeer_names_delegate(struct bypeer_names *names, const struct bypeer_names_delegated *delegated,
                          struct bypeer_names_delegation **ret_delegation, struct bypeer_problem *problem);
void bypeer_names_withdraw(struct bypeer_names *names, struct bypeer_names_delegation *delegation);

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

/* Asks all clouds at once. -ENOENT: no such cloud, or none at all; -ENOSPC: too many at once. */
int bypeer_names_resolve(struct bypeer_names *names, const struct bypeer_names_query *query,
                         const struct bypeer_names_callbacks *callbacks, void *context,
                         struct bypeer_names_resolve **ret_resolve, struct bypeer_problem *problem);
/* No callback comes any more. */
void bypeer_names_cancel(struct bypeer_names_resolve *resolve);
