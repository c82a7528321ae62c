/*
 * What the node must not forget: groups, links, members and routes that were added by API, the ids of all names, what
 * is published and where the nodes of each cloud were, in one SQLite database.
 *
 *   schema   (version)                            one row; an older version is brought to ours when it is opened, a
 *                                                 newer one is refused and never touched
 *   counters (name, value)                        start, link_serial: numbers that are never given out twice
 *   groups   (id, name, prefix, vni, address)
 *   links    (id, name, serial, group_id, peer, local, vni, udp_port, mtu, public_key, preshared_key, keepalive,
 *             endpoint, endpoint_port, address)   a link with a public key is a WireGuard peer
 *   members  (address, link)                      WITHOUT ROWID: a member is one b-tree cell of about 24 bytes
 *   routes   (prefix, bits, link)                 WITHOUT ROWID
 *   publications (name, clouds, prefix, comment, port, protocol, endpoints, payload_type, payload)
 *   locations    (name, cloud, location)          the lower half of a registration's PNRP ID
 *   nodes        (cloud, position, address, port) whom to ask first after a start
 *   relay_members, relay_pairs: relays.h
 *   limits, accounts: usage.h
 *   groups_joined, group_records, audit: groups.h
 *
 * Entries of the configuration file are not here, but the ids of their names are (a row whose definition is NULL):
 * members that were added by API refer to a link by id, and a link keeps its id and its traffic counts over a restart.
 *
 * Durable means: when bypeer_store_end() has returned 0, the change survives a power cut (WAL, synchronous=FULL).
 * One transaction per request of the API. Statements are prepared once. Every function that fails fills in its problem.
 *
 * Thread: one (control's loop).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/problem.h"
#include "overlay/pnrp/cpa.h"
#include "overlay/pnrp/name.h"

#define BYPEER_STORE_SCHEMA 6

struct bypeer_store;

struct bypeer_store_group {
    uint32_t id;
    char name[64];
    bool defined; /* by API; else only the id of the name is kept */
    bool has_address;
    uint8_t prefix[16];
    uint8_t address[16];
    uint32_t vni;
};

struct bypeer_store_link {
    uint32_t id;
    char name[64];
    uint32_t serial;
    bool defined;
    bool has_local;
    uint32_t group; /* id */
    uint8_t peer[16];
    uint8_t local[16];
    uint32_t vni; /* 0: the group's */
    uint16_t udp_port;
    uint16_t mtu;
    /* Of a WireGuard peer; .peer, .local, .vni and .udp_port are then unused. Of one that is not defined, since it is
     * the file's, the public key only: of whom the serial is. */
    bool wireguard;
    bool has_preshared;
    bool has_address;
    uint8_t public_key[32];
    uint8_t preshared_key[32];
    uint16_t persistent_s;  /* keepalive interval; 0: none */
    uint8_t endpoint[16];   /* where to begin; IPv4 as ::ffff:a.b.c.d */
    uint16_t endpoint_port; /* 0: it is the peer that begins */
    uint8_t address[16];    /* its own in the overlay; the member itself is a row of its own */
};

struct bypeer_store_route {
    uint8_t prefix[16];
    uint8_t bits;
    uint32_t link;
};

#define BYPEER_STORE_CLOUDS_TEXT 1024 /* names of clouds, each up to 63 bytes, one a line */

/* What was published under a name. */
struct bypeer_store_publication {
    char name[BYPEER_NAME_TEXT_MAX];
    char clouds[BYPEER_STORE_CLOUDS_TEXT]; /* one a line; "": all */
    bool has_prefix;
    uint8_t prefix[8];
    char comment[BYPEER_COMMENT_MAX + 1];
    bool follow; /* this node's own addresses, with .port and .protocol; else .applications */
    uint16_t port;
    uint16_t protocol;
    unsigned application_count;
    struct bypeer_application applications[BYPEER_CPA_APPLICATIONS_MAX];
    enum bypeer_payload_type payload_type;
    unsigned payload_bytes;
    uint8_t payload[BYPEER_PAYLOAD_MAX];
};

/* Opens or makes the database file (its directory must exist); ":memory:" keeps nothing, for tests. */
int bypeer_store_open(struct bypeer_store **ret_store, const char *file, struct bypeer_problem *problem);
void bypeer_store_close(struct bypeer_store *store); /* NULL is fine */

/* Every change below must be between begin and commit; what is not committed never was. */
int bypeer_store_begin(struct bypeer_store *store, struct bypeer_problem *problem);
/* Commits where result, of begin and the changes since, is 0; else takes all of them back and returns it. Should the
 * commit fail, they are taken back, too. */
int bypeer_store_end(struct bypeer_store *store, int result, struct bypeer_problem *problem);
bool bypeer_store_in_transaction(const struct bypeer_store *store);

int bypeer_store_put_group(struct bypeer_store *store, const struct bypeer_store_group *group,
                           struct bypeer_problem *problem);
int bypeer_store_put_link(struct bypeer_store *store, const struct bypeer_store_link *link,
                          struct bypeer_problem *problem);
int bypeer_store_put_member(struct bypeer_store *store, const uint8_t address[static 16], uint32_t link,
                            struct bypeer_problem *problem);
int bypeer_store_put_route(struct bypeer_store *store, const struct bypeer_store_route *route,
                           struct bypeer_problem *problem);
/* What is not there is removed already: 0. */
int bypeer_store_remove_group(struct bypeer_store *store, uint32_t id, struct bypeer_problem *problem);
int bypeer_store_remove_link(struct bypeer_store *store, uint32_t id, struct bypeer_problem *problem);
int bypeer_store_remove_member(struct bypeer_store *store, const uint8_t address[static 16],
                               struct bypeer_problem *problem);
int bypeer_store_remove_route(struct bypeer_store *store, const uint8_t prefix[static 16], uint8_t bits,
                              struct bypeer_problem *problem);

/* The next value of a counter ("start", "link_serial"), from 1, durable with the transaction. */
int bypeer_store_count_up(struct bypeer_store *store, const char *counter, uint64_t *ret_value,
                          struct bypeer_problem *problem);
/* What was stored under this name first: "relay_secret". Before, it is first. */
int bypeer_store_constant(struct bypeer_store *store, const char *name, uint64_t first, uint64_t *ret_value,
                          struct bypeer_problem *problem);

/*
 * Calls visit for each row, by ascending id or key; visit returns 0 to go on, anything else ends the walk and is
 * returned. Visit must not change the store.
 */
int bypeer_store_each_group(struct bypeer_store *store,
                            int (*visit)(void *context, const struct bypeer_store_group *group), void *context,
                            struct bypeer_problem *problem);
int bypeer_store_each_link(struct bypeer_store *store,
                           int (*visit)(void *context, const struct bypeer_store_link *link), void *context,
                           struct bypeer_problem *problem);
int bypeer_store_each_route(struct bypeer_store *store,
                            int (*visit)(void *context, const struct bypeer_store_route *route), void *context,
                            struct bypeer_problem *problem);
/* The same for members whose address is from first on (NULL: all). */
int bypeer_store_each_member(struct bypeer_store *store, const uint8_t *first,
                             int (*visit)(void *context, const uint8_t address[static 16], uint32_t link),
                             void *context, struct bypeer_problem *problem);

/* 1 and *ret_link, or 0: no such member. */
int bypeer_store_find_member(struct bypeer_store *store, const uint8_t address[static 16], uint32_t *ret_link,
                             struct bypeer_problem *problem);
int bypeer_store_find_route(struct bypeer_store *store, const uint8_t prefix[static 16], uint8_t bits,
                            uint32_t *ret_link, struct bypeer_problem *problem);
int bypeer_store_count_members(struct bypeer_store *store, uint64_t *ret_count, struct bypeer_problem *problem);

int bypeer_store_put_publication(struct bypeer_store *store, const struct bypeer_store_publication *publication,
                                 struct bypeer_problem *problem);
/* With the locations of its registrations. */
int bypeer_store_remove_publication(struct bypeer_store *store, const char *name, struct bypeer_problem *problem);
/* In the order in which they were published; those that cannot be right (a damaged file) are left out. */
int bypeer_store_each_publication(struct bypeer_store *store,
                                  int (*visit)(void *context, const struct bypeer_store_publication *publication),
                                  void *context, struct bypeer_problem *problem);
int bypeer_store_put_location(struct bypeer_store *store, const char *name, const char *cloud,
                              const uint8_t location[static 16], struct bypeer_problem *problem);
/* 1 and ret_location, or 0: there is none. */
int bypeer_store_find_location(struct bypeer_store *store, const char *name, const char *cloud,
                               uint8_t ret_location[static 16], struct bypeer_problem *problem);

/* Instead of those that there are. */
int bypeer_store_put_nodes(struct bypeer_store *store, const char *cloud, const struct bypeer_pnrp_endpoint *nodes,
                           unsigned count, struct bypeer_problem *problem);
/* Returns how many, at most room. */
int bypeer_store_nodes(struct bypeer_store *store, const char *cloud, struct bypeer_pnrp_endpoint *ret_nodes,
                       unsigned room, struct bypeer_problem *problem);
