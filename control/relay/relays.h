/*
 * Relay links of this node: WireGuard from one member to another, end to end, which the node carries without a key.
 *
 *   member   a name with a public key and an overlay address, in a group of this node; he may be a WireGuard peer of
 *            it, too, by the same key, and is no member any more when that peer is gone
 *   pair     two members of one group, and for each a random address of the relay prefix that only he is told
 *
 *        alice                          node                              bob
 *          |---- to her address for bob --->|---- from bob's address for her --->|
 *          |<--- from her address for bob --|<--- to bob's address for her ------|
 *
 * Who has both public keys gains nothing by them; who has an address can make the node send to one member, within the
 * limits of an unconfirmed endpoint. So a member is revoked by taking his addresses away: bypeer_relays_remove()
 * returns when the workers no longer find them.
 *
 *   API --> bypeer_relays_join() --> SQLite, committed --> bypeer_writer --> data plane
 *
 * Every change is checked first, then made durable, then made in the tables; a refusal leaves everything as it was. A
 * pair is forwarded while its group exists and it has not expired. Addresses are the prefix of the configuration over
 * bits that stay, so another prefix changes nothing else in members' files.
 *
 * Members who have only IPv4 get no addresses but ports of this node's own IPv4 address (relay.ipv4-ports). A port can
 * be guessed, so it is only for who is a WireGuard peer of the node, too, and only from the address where his hub link
 * has shown him to be.
 *
 * A pair has a number, from which come the numbers of its two ends (under which workers keep where each member is, in
 * the sessions region): 2 * number and 2 * number + 1. It keeps them over restarts, since addresses tell them; when it
 * is removed, nobody gets them before a grace period has passed. Its serial is never another pair's, so a worker begins
 * such an end anew.
 *
 * Memory: 80 bytes a pair and at most 32 in the index; a million pairs take about 100 MB.
 *
 * Thread: one (control's loop). No function calls back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/problem.h"

struct bypeer_node;
struct bypeer_relays;

#define BYPEER_RELAY_PAIRS_MAX ((1u << 20) - 1) /* two ends each, of the 2^21 of the sessions region */

struct bypeer_relay_member {
    uint32_t id;
    uint32_t pairs;
    uint32_t first_pair; /* 0: none */
    char name[64];
    char group[64];
    uint8_t public_key[32];
    uint8_t address[16]; /* in the overlay */
    bool of_peer;        /* he is the WireGuard peer of this name, and goes with it */
};

/* Everything of an end is at its side, 0 or 1. */
struct bypeer_relay_pair {
    uint32_t number;
    uint32_t members[2];
    uint32_t next[2];         /* pair of that member; 0: no more */
    bool live;                /* in the tables */
    uint16_t ports[2];        /* over IPv4: of this node, that that member sends to; 0: over IPv6 */
    uint8_t addresses[2][16]; /* what that member sends to; of a port, its key (overlay/relay/packet.h) */
    uint64_t serial;
    uint64_t expires_s; /* CLOCK_REALTIME; 0: never */
};

/* Loads what the database has; nothing is in tables yet. node must outlive it. */
int bypeer_relays_open(struct bypeer_relays **ret_relays, struct bypeer_node *node, struct bypeer_problem *problem);
void bypeer_relays_close(struct bypeer_relays *relays); /* NULL is fine */

/* How many pairs the first tables should have room for. */
uint32_t bypeer_relays_first_size(const struct bypeer_relays *relays);
/* Puts the prefix and all that is to be forwarded into the node's present tables, which are fresh. */
int bypeer_relays_start(struct bypeer_relays *relays, struct bypeer_problem *problem);

/* --- changes: durable and in the tables when 0 is returned --- */

/* A member as somebody names him: he may be there already, and is then found by the name alone. */
struct bypeer_relay_entry {
    const char *name;
    const uint8_t *public_key; /* 32 bytes; NULL: he is there, or a WireGuard peer of that name is */
    const uint8_t *address;    /* 16 bytes; NULL: as he has it; of a new one, from group prefix and key */
};

struct bypeer_relay_joining {
    const char *group; /* of new members; NULL: there must be none */
    const struct bypeer_relay_entry *entries;
    size_t entry_count;
    const uint32_t (*pairs)[2]; /* numbers of entries; NULL: each with each */
    size_t pair_count;
    bool ipv4;          /* new pairs are of ports; both members must be WireGuard peers */
    bool has_expiry;    /* else pairs that are there already keep theirs */
    uint64_t expires_s; /* of the pairs; 0: never */
};

struct bypeer_relay_joined {
    size_t members, pairs; /* that are new */
    uint64_t serial;       /* new pairs have this or a greater one */
};

/*
 * Makes members and pairs, in one transaction. Who is there must be as the entry says. -EINVAL, -ENOENT (a name or
 * group), -EEXIST (name, key or address is another's), -ENOSPC, -EAGAIN (numbers wait for a grace period), and the
 * errors of the database.
 */
int bypeer_relays_join(struct bypeer_relays *relays, const struct bypeer_relay_joining *joining,
                       struct bypeer_relay_joined *ret_joined, struct bypeer_problem *problem);

/* Removes a member with all his pairs; or with: only the pair with that one. *ret_pairs: how many. -ENOENT. */
int bypeer_relays_remove(struct bypeer_relays *relays, const char *name, const char *with, size_t *ret_pairs,
                         struct bypeer_problem *problem);

/* --- time, and what others do --- */

/* Removes the pairs that have expired, and has the next turn try again what failed; to be called twice a second.
 * Returns when the next one does, UINT64_MAX: none ever. */
uint64_t bypeer_relays_expire(struct bypeer_relays *relays, uint64_t now_s);
/* A group of the model is live now, or (gone) no more: with it go its pairs, until it is back. */
void bypeer_relays_group_changed(struct bypeer_relays *relays, const char *group, bool gone);
/* Tells workers this node's own addresses, as the present configuration has them. */
void bypeer_relays_follow_addresses(struct bypeer_relays *relays);
/* A WireGuard peer is there, or is another one, or (gone) no more. */
void bypeer_relays_peer_changed(struct bypeer_relays *relays, const char *name, bool gone);
/* Finishes what had to wait; to be called once a turn of the loop. */
void bypeer_relays_turn(struct bypeer_relays *relays);

/* --- what there is; valid until the next change --- */

uint32_t bypeer_relays_count_members(const struct bypeer_relays *relays);
uint32_t bypeer_relays_count_pairs(const struct bypeer_relays *relays);
const struct bypeer_relay_member *bypeer_relays_find_member(const struct bypeer_relays *relays, const char *name);
const struct bypeer_relay_member *bypeer_relays_member(const struct bypeer_relays *relays, uint32_t id); /* or NULL */
/* The one after id (0: the first), or NULL. */
const struct bypeer_relay_member *bypeer_relays_next_member(const struct bypeer_relays *relays, uint32_t id);
const struct bypeer_relay_pair *bypeer_relays_next_pair(const struct bypeer_relays *relays, uint32_t number);
/* The member's pair after this one (NULL: his first), or NULL; *ret_side is his. */
const struct bypeer_relay_pair *bypeer_relays_next_of_member(const struct bypeer_relays *relays,
                                                             const struct bypeer_relay_member *member,
                                                             const struct bypeer_relay_pair *pair, unsigned *ret_side);

/* The node's address that ports of pairs over IPv4 are of. */
const uint8_t *bypeer_relays_ipv4(const struct bypeer_relays *relays);

static inline uint32_t bypeer_relay_end_number(const struct bypeer_relay_pair *pair, unsigned side)
{
    return 2 * pair->number + side;
}
