/*
 * Private to overlay/graph: who has how much of the database. See share.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "overlay/graph/record.h"

struct bypeer_graph;

/* What a creator has. */
struct graph_share {
    uint64_t key; /* of its peer ID */
    uint64_t records, bytes;
};

/* All zero but for the seed: nobody has anything. */
struct graph_shares {
    struct graph_share *at; /* by key */
    size_t count, room;
    uint64_t seed; /* nobody else knows it, so that nobody finds an ID with another's key */
};

/* Whether somebody may have so much, if the others have that much of what is bounded by limit. */
bool graph_is_within_share(uint64_t own, uint64_t others, uint64_t limit);
/* Stands for a peer; never 0. */
uint64_t graph_share_key(const struct graph_shares *shares, const char *peer_id);
struct graph_share graph_share_of(const struct graph_shares *shares, const char *peer_id);
int graph_shares_reserve(struct graph_shares *shares); /* for one more. 0 or -ENOMEM */
void graph_shares_add(struct graph_shares *shares, const struct bypeer_record *record);
void graph_shares_remove(struct graph_shares *shares, const struct bypeer_record *record);
/*
 * Why there is no room for a record; NULL: there is. What takes no more than the version before always has room, and
 * what the security provider calls first has a part of the database that is for nothing else.
 */
const char *graph_share_fault(const struct bypeer_graph *graph, const struct bypeer_record *record);
