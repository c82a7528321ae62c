/*
 * Private to relay links: what there is, and the steps that the files share.
 */
#pragma once

#include "control/node.h"
#include "control/relay/index.h"
#include "control/relay/relays.h"
#include "control/store/relays.h"

/* Numbers of pairs: never used, free, or waiting for a grace period. The database counts blocks of those that were ever
 * used: a pair that is removed leaves no row, and the next daemon must not take its number for a fresh one. */
struct relay_numbers {
    uint32_t fresh;  /* the lowest that was never used */
    uint32_t blocks; /* as many are in the database */
    uint32_t *ready, *waiting;
    uint32_t ready_count, ready_room, waiting_count, waiting_room;
};

#define RELAY_OWN_MAX 64

struct bypeer_relays {
    struct bypeer_node *node;
    struct bypeer_relay_member **members; /* by id; NULL: no such member */
    uint32_t member_room, member_count;
    uint32_t member_hint;            /* no id below is free */
    struct bypeer_relay_pair *pairs; /* by number; .number 0: no such pair */
    uint32_t pair_room, pair_count;
    struct relay_numbers numbers;
    uint32_t first_own;                              /* pairs of a lower number may be of a control before this one */
    struct relay_index names, keys, addresses, ends; /* of members by three things, of pairs by their members */
    uint64_t next_expiry_s;                          /* no pair expires before; UINT64_MAX: none ever */
    uint64_t secret;                                 /* of addresses: overlay/relay/address.h */
    uint8_t own[RELAY_OWN_MAX][16];                  /* addresses of this node that the tables have as such */
    unsigned own_count;
    uint8_t ipv4[4];          /* that ports of pairs over IPv4 are of; 0.0.0.0: there is none */
    uint8_t ports[65536 / 8]; /* bits of those that pairs have */
    bool started;
    bool peers_changed; /* members may have lost their peer */
    bool wanting;       /* pairs may be put into the tables that are not there */
    bool failed;        /* what of these two did not work is tried again by the timer */
};

/* --- numbers.c --- */

uint32_t relay_numbers_take(struct relay_numbers *numbers); /* 0: none */
/* Makes durable, in the present transaction, that this number is used. *blocks: as many as the database has then. */
int relay_numbers_use(struct bypeer_store *store, uint32_t number, uint32_t *blocks, struct bypeer_problem *problem);
/* What of them the database says. */
int relay_numbers_load(struct relay_numbers *numbers, struct bypeer_store *store, struct bypeer_problem *problem);
/* waits: workers may still see it. Without memory it stays out of use until the next start. */
void relay_numbers_give(struct relay_numbers *numbers, uint32_t number, bool waits);
/* Of what waits, numbers from this one on have passed a grace period. */
void relay_numbers_ripen(struct relay_numbers *numbers, uint32_t from);
void relay_numbers_free(struct relay_numbers *numbers);

/* --- entries.c: members and pairs in memory --- */

struct bypeer_relay_member *relays_find_key(const struct bypeer_relays *relays, const char *group,
                                            const uint8_t public_key[static 32]);
struct bypeer_relay_member *relays_find_address(const struct bypeer_relays *relays, const uint8_t address[static 16]);
struct bypeer_relay_pair *relays_find_pair(const struct bypeer_relays *relays, uint32_t one, uint32_t other);
/* id 0: the lowest free one. NULL: no memory. */
struct bypeer_relay_member *relays_new_member(struct bypeer_relays *relays, const struct bypeer_store_relay_member *as);
/* He has no pairs. */
void relays_drop_member(struct bypeer_relays *relays, struct bypeer_relay_member *member);
/* Room for a pair of this number. 0 or -ENOMEM. */
int relays_new_pair(struct bypeer_relays *relays, const struct bypeer_relay_pair *as);
void relays_drop_pair(struct bypeer_relays *relays, struct bypeer_relay_pair *pair);
/* Whether he was a peer that is no more, or is somebody else now. */
bool relays_is_orphan(const struct bypeer_relays *relays, const struct bypeer_relay_member *member);
/* The prefix of the configuration over random bits. */
void relays_make_address(const struct bypeer_relays *relays, const uint8_t secret[static 16],
                         uint8_t ret_address[static 16]);

/* The key of a port of this node. */
void relays_make_port_key(const struct bypeer_relays *relays, uint16_t port, uint8_t ret_key[static 16]);
/* A port that no pair has, and that is not this one; 0: there is none. */
uint16_t relays_draw_port(const struct bypeer_relays *relays, uint16_t other, uint32_t random);

/* --- records.c: into the tables, and out of them --- */

/* Room for all numbers that were ever used, growing the tables if need be. */
int relays_reserve(struct bypeer_relays *relays, struct bypeer_problem *problem);
/* Puts a pair that is to be forwarded now, else does nothing. */
int relays_put(struct bypeer_relays *relays, struct bypeer_relay_pair *pair, struct bypeer_problem *problem);
void relays_withdraw(struct bypeer_relays *relays, struct bypeer_relay_pair *pair);
/* The lowest number of pairs that no worker can see any more once they are withdrawn; UINT32_MAX: there is none. */
uint32_t relays_seen_no_more(const struct bypeer_relays *relays);
