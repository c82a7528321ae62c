/*
 * What the node knows: groups, links, members and routes, from the configuration file and from the API, and what of it
 * is in the tables.
 *
 *   bypeer.yaml ---- bypeer_model_load(), _reload() ----+
 *                                                       +--> model --> bypeer_writer (writer.h) --> data plane
 *   API -- add, remove --> SQLite (store.h), committed -+
 *
 * Origin. An entry of the file belongs to the file: the API may not change it. An entry that was added by API is in the
 * database before the call returns. Where both name the same thing, a reload is refused and says so; at a start (when
 * the file was changed while the daemon was down, and refusing would stop all forwarding) the file wins and the other
 * entry is *kept*: it stays in the database, is not in the tables, and becomes live when what is in its way is gone.
 *
 * Members are not in private memory, however many there are: the table has the 64-byte record that a look-up needs
 * anyway, the database has the durable row, and the model only counts them per link (and has 24 bytes for each member
 * of the file). A million members cost nothing here; listing them walks the database in order of address.
 *
 * Every change is checked first, then made durable, then made in the tables; a refusal leaves everything as it was.
 *
 * Thread: one (control's loop). Hooks must not call back into the model, but for bypeer_model_use_writer() from
 * make_room.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/diff.h"
#include "config/wireguard_key.h"
#include "control/kernel/adjacencies.h"
#include "control/problem.h"
#include "control/store/store.h"
#include "overlay/tables/writer.h"

struct bypeer_model;

struct bypeer_model_group {
    uint32_t id;
    uint32_t line; /* of the configuration file; 0: added by API */
    bool live;     /* in the tables; else only kept */
    bool stored;   /* the database has a definition */
    bool followed; /* it comes from the records of a group: followed.h */
    bool has_address;
    uint8_t prefix[16];
    uint8_t address[16]; /* this node's own */
    uint32_t vni;
    uint32_t local_link; /* id of the link to this host; 0: there is none */
    uint32_t links;      /* live ones to peers */
    uint32_t kept;       /* links of the store that are not live */
    char name[64];
};

struct bypeer_model_link {
    uint32_t id;
    uint32_t serial;
    uint32_t line;
    bool live;
    bool stored;
    bool followed; /* likewise */
    bool local;    /* to this host itself; its name is "@" and the group's */
    bool has_local;
    uint32_t group; /* id; BYPEER_GROUP_ANY: of several, a trunk between nodes */
    uint8_t peer[16];
    uint8_t local_address[16]; /* that was asked for; of WireGuard: that the peer sends to */
    uint32_t vni;              /* 0: the group's */
    uint16_t udp_port;         /* of WireGuard: ours */
    uint16_t mtu;              /* that was asked for; 0: what the path carries */
    /* Of WireGuard. */
    bool wireguard;
    bool has_preshared;
    bool has_address;
    uint8_t public_key[32];
    uint8_t preshared_key[32];
    char key_text[BYPEER_WIREGUARD_KEY_TEXT]; /* of the public key */
    uint16_t persistent_s;                    /* keepalive interval; 0: none */
    uint8_t endpoint[16];                     /* where to begin */
    uint16_t endpoint_port;                   /* 0: it is the peer that begins */
    uint8_t address[16];                      /* its own in the overlay, by which it is a member */
    /* What the engine of handshakes says. */
    uint16_t peer_port;     /* with .peer: where the peer is; 0: that is not known */
    uint32_t current, next; /* slots of the sessions that packets are sent by; 0: none */
    /* What the kernel says. */
    uint32_t adjacency;
    uint8_t path_local[16];
    uint16_t path_mtu;
    char *why_down; /* NULL: it is up */
    /* Who uses it. */
    uint32_t members; /* in the tables */
    uint32_t routes;
    uint32_t kept; /* members and routes of the store that are not live */
    char name[64];
};

struct bypeer_model_route {
    uint8_t prefix[16];
    uint8_t bits;
    uint32_t link; /* id */
    uint32_t line;
};

/* Largest numbers of the configuration; what is beyond is refused with its name. */
struct bypeer_model_limits {
    uint32_t members_max;
    uint32_t links;
    uint32_t groups;
    uint32_t routes;
    uint16_t port_mtu;       /* smallest of the ports: what a link's MTU comes from while its path is not known */
    uint16_t wireguard_port; /* ours, for all peers */
};

/* What the model asks of its daemon. Any may be NULL. */
struct bypeer_model_hooks {
    /*
     * The tables have no room for what is to be put: error is -ENOSPC (full: need says how much there must be room for)
     * or -EAGAIN (all that is free waits for a grace period). 0: there is room now, in the writer or in another one.
     */
    int (*make_room)(void *context, int error, const struct bypeer_tables_size *need, struct bypeer_problem *problem);
    /* The rules that a group has, as soon as it is in the tables; how many. */
    uint32_t (*rules)(void *context, const char *group, const struct bypeer_policy_rule **ret_rules);
    void *context; /* of these two */
    /* An entry is live now, or changed, or (gone) is no more; it is valid during the call. */
    void (*group_changed)(void *context, const struct bypeer_model_group *group, bool gone);
    void (*link_changed)(void *context, const struct bypeer_model_link *link, bool gone);
    void (*route_changed)(void *context, const struct bypeer_model_route *route, const struct bypeer_model_group *group,
                          bool gone);
    /* The name is nobody's any more, and what was kept under it is over. link: the id that it had; 0: a group had it.
     */
    void (*name_dropped)(void *context, const char *name, uint32_t link);
    void *entries_context; /* of the last four */
};

int bypeer_model_create(struct bypeer_model **ret_model, struct bypeer_store *store,
                        const struct bypeer_model_hooks *hooks);
void bypeer_model_free(struct bypeer_model *model); /* NULL is fine; the store stays the caller's */

/* The writer that changes go to from now on; it holds already what the one before held (bypeer_writer_copy()). */
void bypeer_model_use_writer(struct bypeer_model *model, struct bypeer_writer *writer);

/* How large the first tables should be for this configuration and what the store has. */
int bypeer_model_first_size(struct bypeer_store *store, const struct bypeer_config *config,
                            struct bypeer_tables_size *ret_size, struct bypeer_problem *problem);
void bypeer_model_limits(const struct bypeer_config *config, struct bypeer_model_limits *ret_limits);

/*
 * Fills the model and the empty tables of its writer from the file and the store. Conflicts are settled as above; each
 * gives a line to warn.
 */
int bypeer_model_load(struct bypeer_model *model, const struct bypeer_config *config,
                      void (*warn)(void *context, const char *line), void *context, struct bypeer_problem *problem);

/*
 * Makes the model follow another configuration; diff is what has changed (its entries). All is checked before anything
 * is changed: returns 0, or -EINVAL with every conflict in *ret_errors (bypeer_config_errors_free()), or another
 * negative errno with one message there.
 */
int bypeer_model_reload(struct bypeer_model *model, const struct bypeer_config *next, const struct bypeer_diff *diff,
                        struct bypeer_config_errors *ret_errors);

/* --- what the API does: durable and in the tables when 0 (or more) is returned --- */

int bypeer_model_add_group(struct bypeer_model *model, const struct bypeer_store_group *definition,
                           struct bypeer_problem *problem);
int bypeer_model_remove_group(struct bypeer_model *model, const char *name, struct bypeer_problem *problem);
/* Of a fabric link. definition->group is ignored, group names it. */
int bypeer_model_add_link(struct bypeer_model *model, const struct bypeer_store_link *definition, const char *group,
                          struct bypeer_problem *problem);
/* Of either kind; with a peer goes the member that it is itself. */
int bypeer_model_remove_link(struct bypeer_model *model, const char *name, struct bypeer_problem *problem);

/* A WireGuard peer to be added; .link.group is ignored. */
struct bypeer_model_peer {
    struct bypeer_store_link link;
    char group[64];
};
/* All of them, in one transaction, or none: problem names the one that cannot be. */
int bypeer_model_add_peers(struct bypeer_model *model, const struct bypeer_model_peer *peers, size_t count,
                           struct bypeer_problem *problem);
/* The group's prefix and 80 bits of a hash of it and the key: the same on every node, and nobody else's by chance. */
void bypeer_model_default_address(const struct bypeer_model_group *group, const uint8_t public_key[static 32],
                                  uint8_t ret_address[static 16]);
/* Another key for a peer that was added by API: a session by the old one ends at once. */
int bypeer_model_set_peer_key(struct bypeer_model *model, const char *name, const uint8_t public_key[static 32],
                              struct bypeer_problem *problem);
/* Returns 1 if the route is new, 0 if it took the place of one that was added by API. */
int bypeer_model_add_route(struct bypeer_model *model, const uint8_t prefix[static 16], uint8_t bits, const char *link,
                           struct bypeer_problem *problem);
int bypeer_model_remove_route(struct bypeer_model *model, const uint8_t prefix[static 16], uint8_t bits,
                              struct bypeer_problem *problem);
/*
 * Makes all addresses members behind a link, in one transaction. addresses are sorted by this call, and doubles count
 * once. *ret_added were no members before, *ret_replaced were.
 */
int bypeer_model_load_members(struct bypeer_model *model, const char *link, uint8_t (*addresses)[16], size_t count,
                              size_t *ret_added, size_t *ret_replaced, struct bypeer_problem *problem);
/* Those that are no members are no error. */
int bypeer_model_unload_members(struct bypeer_model *model, uint8_t (*addresses)[16], size_t count, size_t *ret_removed,
                                struct bypeer_problem *problem);

/* Letters, digits, dots, hyphens and underscores, at most 63 of them. kind: "link", for the message. 0 or -EINVAL. */
int bypeer_model_check_name(const char *kind, const char *name, struct bypeer_problem *problem);

/* --- what there is --- */

/* The live peer with that public key, as text, or NULL. */
const struct bypeer_model_link *bypeer_model_find_peer(const struct bypeer_model *model, const char *key_text);

/* The entry after id (0: the first), or NULL. Kept entries are among them. */
const struct bypeer_model_group *bypeer_model_next_group(const struct bypeer_model *model, uint32_t id);
const struct bypeer_model_link *bypeer_model_next_link(const struct bypeer_model *model, uint32_t id);
const struct bypeer_model_group *bypeer_model_find_group(const struct bypeer_model *model, const char *name);
const struct bypeer_model_link *bypeer_model_find_link(const struct bypeer_model *model, const char *name);
const struct bypeer_model_group *bypeer_model_group(const struct bypeer_model *model, uint32_t id); /* or NULL */
const struct bypeer_model_link *bypeer_model_link(const struct bypeer_model *model, uint32_t id);
const struct bypeer_model_route *bypeer_model_routes(const struct bypeer_model *model, size_t *ret_count); /* sorted */

/* The link as one that multicast goes to. */
struct bypeer_multicast_receiver bypeer_model_receiver(const struct bypeer_model *model,
                                                       const struct bypeer_model_link *link);

/* NULL: the link goes to a peer, and packets can leave by it. Else why not, for people. */
const char *bypeer_model_link_why_down(const struct bypeer_model *model, const struct bypeer_model_link *link);
/* The next hop of that id, or NULL. */
const struct bypeer_adjacency *bypeer_model_adjacency(const struct bypeer_model *model, uint32_t id);
/* Its own, or its group's. */
uint32_t bypeer_model_link_vni(const struct bypeer_model *model, const struct bypeer_model_link *link);
/* Largest inner packet that the link carries now. */
uint16_t bypeer_model_link_mtu(const struct bypeer_model *model, const struct bypeer_model_link *link);
/* The smallest of all live links to peers; 0: there are none. */
uint16_t bypeer_model_smallest_mtu(const struct bypeer_model *model);

/* Members in the tables, this node's own addresses not among them. */
uint64_t bypeer_model_count_members(const struct bypeer_model *model);

struct bypeer_model_member {
    uint8_t address[16];
    uint32_t link;
    uint32_t group;
    uint32_t line;
};
/*
 * Live members by ascending address, after an address (NULL: from the first): only those of a group or link if that is
 * not 0. Returns how many of ret_members (room for limit) were filled, or negative errno. *ret_more: there may be more
 * after *ret_last, which is set even when filtering left nothing: one call looks at a bounded number of rows.
 */
long bypeer_model_list_members(struct bypeer_model *model, const uint8_t *after, uint32_t group, uint32_t link,
                               struct bypeer_model_member *ret_members, size_t limit, uint8_t ret_last[static 16],
                               bool *ret_more, struct bypeer_problem *problem);

/* --- what the engine of handshakes says; both publish a new link record. -ENOENT: no live peer has this id --- */

/* Where the peer is, and which of our addresses it sends to (NULL: the kernel's choice). Its path follows. */
int bypeer_model_set_endpoint(struct bypeer_model *model, uint32_t link, const uint8_t address[static 16],
                              uint16_t port, const uint8_t *local);
int bypeer_model_set_sessions(struct bypeer_model *model, uint32_t link, uint32_t current, uint32_t next);

/* --- what the kernel says --- */

int bypeer_model_set_adjacency(struct bypeer_model *model, const struct bypeer_adjacency *adjacency);
int bypeer_model_remove_adjacency(struct bypeer_model *model, uint32_t id);
int bypeer_model_set_path(struct bypeer_model *model, const struct bypeer_link_path *path);

/* Finishes what had to wait for a grace period; to be called after bypeer_writer_reclaim(). */
void bypeer_model_continue(struct bypeer_model *model);
