/*
 * What the node must not forget: groups, links, members and routes that were added by API, and the ids of all names,
 * in one SQLite database.
 *
 *   schema   (version)                            one row; a newer version than ours is refused, never touched
 *   counters (name, value)                        start, link_serial: numbers that are never given out twice
 *   groups   (id, name, prefix, vni, address)
 *   links    (id, name, serial, group_id, peer, local, vni, udp_port, mtu)
 *   members  (address, link)                      WITHOUT ROWID: a member is one b-tree cell of about 24 bytes
 *   routes   (prefix, bits, link)                 WITHOUT ROWID
 *
 * Entries of the configuration file are not here, but the ids of their names are (a row whose definition is NULL):
 * members that were added by API refer to a link by id, and a link keeps its id and its traffic counts over a restart.
 *
 * Durable means: when bypeer_store_commit() has returned 0, the change survives a power cut (WAL, synchronous=FULL).
 * One transaction per request of the API. Statements are prepared once. Every function that fails fills in its problem.
 *
 * Thread: one (control's loop).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/problem.h"

#define BYPEER_STORE_SCHEMA 1

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
};

struct bypeer_store_route {
    uint8_t prefix[16];
    uint8_t bits;
    uint32_t link;
};

/* Opens or makes the database file (its directory must exist); ":memory:" keeps nothing, for tests. */
int bypeer_store_open(struct bypeer_store **ret_store, const char *file, struct bypeer_problem *problem);
void bypeer_store_close(struct bypeer_store *store); /* NULL is fine */

/* Every change below must be between begin and commit; what is not committed never was. */
int bypeer_store_begin(struct bypeer_store *store, struct bypeer_problem *problem);
int bypeer_store_commit(struct bypeer_store *store, struct bypeer_problem *problem);
void bypeer_store_rollback(struct bypeer_store *store);
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
