/*
 * What the node must not forget of relay links: their members and pairs.
 *
 *   relay_members (id, name, group_name, public_key, address, of_peer)
 *   relay_pairs   (number, serial, one, other, secret_one, secret_other, expires, port_one, port_other)
 *
 * A group goes by its name, since the id of one that is no more may become another's. Conventions are those of store.h.
 */
#pragma once

#include "control/store/store.h"

struct bypeer_store_relay_member {
    uint32_t id;
    char name[64];
    char group[64];
    uint8_t public_key[32];
    uint8_t address[16]; /* in the overlay */
    bool of_peer;        /* he is the WireGuard peer of this name */
};

struct bypeer_store_relay_pair {
    uint32_t number;
    uint64_t serial;
    uint32_t members[2];
    uint8_t secrets[2][16]; /* the random bits of each member's address for the other; the prefix lies over the first */
    uint64_t expires_s;     /* CLOCK_REALTIME; 0: never */
    uint16_t ports[2];      /* over IPv4: of this node, instead of an address; 0: over IPv6 */
};

int bypeer_store_put_relay_member(struct bypeer_store *store, const struct bypeer_store_relay_member *member,
                                  struct bypeer_problem *problem);
int bypeer_store_put_relay_pair(struct bypeer_store *store, const struct bypeer_store_relay_pair *pair,
                                struct bypeer_problem *problem);
int bypeer_store_expire_relay_pair(struct bypeer_store *store, uint32_t number, uint64_t expires_s,
                                   struct bypeer_problem *problem);
/* What is not there is removed already: 0. */
int bypeer_store_remove_relay_member(struct bypeer_store *store, uint32_t id, struct bypeer_problem *problem);
int bypeer_store_remove_relay_pair(struct bypeer_store *store, uint32_t number, struct bypeer_problem *problem);

/* Rows by ascending id or number; those that cannot be right (a damaged file) are left out. */
int bypeer_store_each_relay_member(struct bypeer_store *store,
                                   int (*visit)(void *context, const struct bypeer_store_relay_member *member),
                                   void *context, struct bypeer_problem *problem);
int bypeer_store_each_relay_pair(struct bypeer_store *store,
                                 int (*visit)(void *context, const struct bypeer_store_relay_pair *pair), void *context,
                                 struct bypeer_problem *problem);
