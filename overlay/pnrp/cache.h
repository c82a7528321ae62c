/*
 * The route entry cache of a cloud: which IDs are known, and where their nodes are ([MS-PNRP] 3.2.1.1, 4.13 of the
 * reference).
 *
 *   ring      all IDs that are known, sorted (ring.h)
 *   levels    of every own ID: leaf set 5 below + 5 above, then 10 + 10 in each tenfold larger span, up to half the
 *             ring each way; an ID belongs to the nearest own one
 *
 * A small cache (the default) keeps, for every own ID, its leaf set and 10 entries a side of each level: about
 * 10 + 20 (log10(n) - 1) in a cloud of n nodes, 64 bytes each. Searches need a level's entries evenly spread, and an
 * attacker must not be able to push out what is there: an ID that comes to a full level takes the place of the entry
 * that is missed least (whose neighbours are nearest to each other) only where the gap that it fills is more than
 * twice as wide, or if that entry has not proved itself for BYPEER_CACHE_STALE_S. A node without own IDs keeps
 * BYPEER_CACHE_SPREAD entries, spread evenly over the ring. Leaf sets are always kept.
 *
 * A full cache (capacity given) keeps whatever it learns, up to that many; then an ID takes the place of one of a few
 * random ones if that is stale.
 *
 * Either kind has at most BYPEER_CACHE_PER_ADDRESS entries with one address (the first one, which is why that must be
 * the one that answered) and, leaf sets aside, BYPEER_CACHE_PER_NET within one /64, so that one host cannot fill it.
 * All nodes of a link share fe80::/64, and all of a test ::1: those do not count.
 *
 * Own IDs are in the cache too, flagged, so that one walk sees everything that is known around a point. They are in
 * no leaf set and no level.
 *
 * Pointers to routes are valid until the next change.
 *
 * Thread: one.
 */
#pragma once

#include "overlay/pnrp/id.h"
#include "overlay/pnrp/message.h"

#define BYPEER_LEAF_SET          5 /* each way, [MS-PNRP] 3.2.1 */
#define BYPEER_CACHE_PER_ADDRESS 8
#define BYPEER_CACHE_PER_NET     64
#define BYPEER_CACHE_LEVEL       10  /* of a level, each way */
#define BYPEER_CACHE_SPREAD      40  /* without own IDs */
#define BYPEER_CACHE_STALE_S     900 /* well beyond the time in which maintenance tests every entry again */

#define BYPEER_ROUTE_OWN  1u
#define BYPEER_ROUTE_LEAF 2u /* in the leaf set of an own ID */

/* One known ID. */
struct bypeer_route {
    uint8_t id[32];
    uint8_t address[16]; /* the first one */
    uint16_t port;
    uint8_t address_count; /* 1 to 20 */
    uint8_t flags;         /* BYPEER_ROUTE_* */
    uint32_t verified_s;   /* when it last proved to be there, seconds of the cloud's clock */
    uint8_t (*more)[16];   /* address_count - 1 further ones, owned by the cache; NULL: none */
};
_Static_assert(sizeof(struct bypeer_route) == 64, "one line");

struct bypeer_cache;

/* What became of an ID: for the data plane's index and for leaf sets' flooding. */
enum bypeer_cache_change { BYPEER_CACHE_ADDED, BYPEER_CACHE_UPDATED, BYPEER_CACHE_REMOVED, BYPEER_CACHE_LEAVES };
/* route is valid during the call; of LEAVES it is the own ID whose leaf set is another now. The cache must not be
 * changed meanwhile. */
typedef void bypeer_cache_watch(void *context, enum bypeer_cache_change change, const struct bypeer_route *route);

/* capacity 0: a small cache. random: a secret number, for evictions and hashes. 0 or -ENOMEM. */
int bypeer_cache_create(struct bypeer_cache **ret_cache, uint32_t capacity, uint64_t random, bypeer_cache_watch *watch,
                        void *context);
void bypeer_cache_free(struct bypeer_cache *cache);
uint32_t bypeer_cache_count(const struct bypeer_cache *cache); /* without own IDs */
bool bypeer_cache_keeps_all(const struct bypeer_cache *cache); /* a full one */
size_t bypeer_cache_bytes(const struct bypeer_cache *cache);   /* of memory, all in all */

/*
 * Puts an entry that passed its validation (or takes its addresses and time, if the ID is known). 1: it is new; 0: it
 * was known; -ENOSPC: no room for it in its level, or too many of its address; -EEXIST: an own ID; -ENOMEM.
 */
int bypeer_cache_put(struct bypeer_cache *cache, const struct bypeer_pnrp_entry *entry, uint32_t now_s);
/* The ID was heard from. */
void bypeer_cache_touch(struct bypeer_cache *cache, const uint8_t id[static 32], uint32_t now_s);
bool bypeer_cache_remove(struct bypeer_cache *cache, const uint8_t id[static 32]); /* whether it was there */

/* Own IDs. Their entry is the node's own endpoints; it takes the place of another node's of that ID. 0, -EEXIST (it is
 * own already), -ENOMEM. */
int bypeer_cache_add_own(struct bypeer_cache *cache, const struct bypeer_pnrp_entry *entry);
/* Other endpoints of an own ID. 0, -ENOENT, -ENOMEM. */
int bypeer_cache_move_own(struct bypeer_cache *cache, const struct bypeer_pnrp_entry *entry);
void bypeer_cache_remove_own(struct bypeer_cache *cache, const uint8_t id[static 32]);
uint32_t bypeer_cache_own_count(const struct bypeer_cache *cache);
const uint8_t *bypeer_cache_own(const struct bypeer_cache *cache, uint32_t number); /* 0 to count - 1, ascending */

const struct bypeer_route *bypeer_cache_find(const struct bypeer_cache *cache, const uint8_t id[static 32]);

/* Walks outwards from a target: above() gives ascending IDs from the target on (an equal one first), below() descending
 * ones from just below it; both wrap round the ring. NULL after every ID was given once. No change meanwhile. */
struct bypeer_cache_walk {
    const struct bypeer_cache *cache;
    uint32_t above_chunk, above_at, below_chunk, below_at; /* places on the ring */
    uint32_t left;                                         /* not given yet */
};
void bypeer_cache_walk(const struct bypeer_cache *cache, struct bypeer_id_number target,
                       struct bypeer_cache_walk *ret_walk);
const struct bypeer_route *bypeer_cache_above(struct bypeer_cache_walk *walk);
const struct bypeer_route *bypeer_cache_below(struct bypeer_cache_walk *walk);

/* The known ID nearest to target that is not own (unless own says so), or NULL. */
const struct bypeer_route *bypeer_cache_nearest(const struct bypeer_cache *cache, struct bypeer_id_number target,
                                                bool own);

/* The leaf set of an own ID, nearest first: up to BYPEER_LEAF_SET each way. Returns how many. */
unsigned bypeer_cache_leaves(const struct bypeer_cache *cache, const uint8_t own[static 32], bool above,
                             const struct bypeer_route *ret_leaves[static BYPEER_LEAF_SET]);
/* Whether an ID would be in (is in) the leaf set of an own ID; *ret_own, if not NULL, that own ID. 3.2.5.2. */
bool bypeer_cache_is_leaf(const struct bypeer_cache *cache, const uint8_t id[static 32], const uint8_t **ret_own);

/* The entry as messages carry it: addresses must have room for 20. */
void bypeer_route_entry(const struct bypeer_route *route, uint8_t addresses[static 20 * 16],
                        struct bypeer_pnrp_entry *ret_entry);
