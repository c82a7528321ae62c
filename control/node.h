/*
 * The node's state: configuration, database, model, and the present generation of tables; without sockets or a loop.
 *
 * The daemon (daemon.h) adds the loop, the data plane's channel, this host's devices, signals and the API's socket.
 *
 * Thread: one (control's loop).
 */
#pragma once

#include <stdint.h>

#include "config/config.h"
#include "config/diff.h"
#include "control/dataplane/generation.h"
#include "control/model/model.h"
#include "control/store/store.h"

struct bypeer_attach;
struct bypeer_channel;
struct bypeer_groups;
struct bypeer_identities;
struct bypeer_names;
struct bypeer_relays;
struct bypeer_policies;
struct bypeer_usage;
struct bypeer_wireguard;

/* What somebody else has to do on the node's behalf. Any may be NULL. */
struct bypeer_node_hooks {
    /* The entries of the model, as in model.h. */
    void (*group_changed)(void *context, const struct bypeer_model_group *group, bool gone);
    void (*link_changed)(void *context, const struct bypeer_model_link *link, bool gone);
    void (*route_changed)(void *context, const struct bypeer_model_route *route, const struct bypeer_model_group *group,
                          bool gone);
    /* Another generation has all that the present one has, and takes its place: let go of its writer. */
    void (*renewing)(void *context);
    /* Another generation is published: hand it over; the one before it is freed after the call. */
    void (*renewed)(void *context, struct bypeer_generation *generation);
    /* Readers may have passed a grace period: reclaim. Returns whether anything was. NULL: there are no readers. */
    bool (*reclaim)(void *context);
    /* The configuration is another one now. */
    void (*reconfigured)(void *context, const struct bypeer_config *before, const struct bypeer_config *after);
    void *context;
};

struct bypeer_node {
    struct uv_loop_s *loop; /* for slow work on its threads; NULL: that is done at once (tests) */
    struct bypeer_config *config;
    struct bypeer_store *store;
    struct bypeer_model *model;
    struct bypeer_relays *relays;
    struct bypeer_usage *usage;
    struct bypeer_identities *identities;
    struct bypeer_policies *policies;
    struct bypeer_generation *generation;
    uint64_t next_generation; /* number */
    struct bypeer_node_hooks hooks;
    struct bypeer_channel *channel;     /* NULL: no data plane can attach (tests) */
    struct bypeer_names *names;         /* NULL: it is in no cloud (tests) */
    struct bypeer_groups *groups;       /* NULL: it is in none (tests) */
    struct bypeer_attach *attach;       /* NULL: the model does not follow them (tests) */
    struct bypeer_wireguard *wireguard; /* NULL: it does no handshakes (tests) */
    uint64_t started_ns;                /* CLOCK_MONOTONIC */
};

/*
 * Opens the database (":memory:" for tests), makes the first generation and fills it, but does not publish it: next
 * hops may still be missing. config is taken over when 0 is returned.
 */
int bypeer_node_open(struct bypeer_node *node, struct bypeer_config *config, const char *database,
                     const struct bypeer_node_hooks *hooks, struct bypeer_problem *problem);
void bypeer_node_close(struct bypeer_node *node);

/* Makes the next generation, of another size or layout, fills it from the present one and hands it over. */
int bypeer_node_renew(struct bypeer_node *node, const struct bypeer_tables_size *size, uint32_t layout,
                      struct bypeer_problem *problem);

/* The next generation has room for at least so many WireGuard sessions; nothing happens if the present one has.
 * -ENOSPC: there cannot be so many. */
int bypeer_node_need_sessions(struct bypeer_node *node, uint32_t sessions, struct bypeer_problem *problem);

/* Makes room for changes that the writer refused with error, as make_room of model.h: the writer may be another one
 * then. */
int bypeer_node_make_room(struct bypeer_node *node, int error, const struct bypeer_tables_size *need,
                          struct bypeer_problem *problem);

/* Asks for a grace period and reclaims what has passed one. Returns whether anything was. */
bool bypeer_node_reclaim(struct bypeer_node *node);

/* What a reload did. */
struct bypeer_node_reload {
    unsigned changed;        /* entries */
    struct bypeer_diff diff; /* .settings: what needs a restart; valid until bypeer_node_reload_free() */
    struct bypeer_config *before;
};

/*
 * Loads the configuration file again and follows it; refuses it whole, with every message in *ret_errors, if anything
 * in it is wrong or conflicts with what the API had added.
 */
int bypeer_node_reload(struct bypeer_node *node, struct bypeer_node_reload *ret_reload,
                       struct bypeer_config_errors *ret_errors);
void bypeer_node_reload_free(struct bypeer_node_reload *reload);
