/*
 * The route entry cache of a cloud: which IDs are known, and where their nodes are ([MS-PNRP] 3.2.1.1, 4.13 of the
 * reference).
 *
 *   chunks    [ up to 64 routes, by ID ] [ ... ] [ ... ]      one sorted ring, cut into chunks, so that a node with a
 *   levels    of every own ID: leaf set 5 below + 5 above,    hundred entries has two or three of them and a supernode
 *             then 10 + 10 in each tenfold larger span        with millions still inserts in the time of one memmove
 *
 * A small cache (the default) keeps, for every own ID, its leaf set and about 20 entries per level, and lets random
 * ones of a full level go, never one of a leaf set. A full cache (capacity given) keeps whatever it learns, up to that
 * many. Either kind has at most BYPEER_CACHE_PER_ADDRESS entries with one address and BYPEER_CACHE_PER_NET within one
 * /64, so that one host cannot fill it.
 *
 * Own IDs are in the cache too, flagged, so that one walk sees everything that is known around a point.
 *
 * Thread: one.
 */
#pragma once

#include "overlay/pnrp/id.h"
#include "overlay/pnrp/message.h"

#define BYPEER_LEAF_SET          5 /* each way, [MS-PNRP] 3.2.1 */
#define BYPEER_CACHE_PER_ADDRESS 8
#define BYPEER_CACHE_PER_NET     64

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
/* route is valid during the call; of LEAVES it is the own ID whose leaf set is another now. */
typedef void bypeer_cache_watch(void *context, enum bypeer_cache_change change, const struct bypeer_route *route);

/* capacity 0: a small cache. random: a stream of its own for evictions. 0 or -ENOMEM. */
int bypeer_cache_create(struct bypeer_cache **ret_cache, uint32_t capacity, uint64_t random, bypeer_cache_watch *watch,
                        void *context);
void bypeer_cache_free(struct bypeer_cache *cache);
uint32_t bypeer_cache_count(const struct bypeer_cache *cache); /* without own IDs */
size_t bypeer_cache_bytes(const struct bypeer_cache *cache);   /* of memory, all in all */

/*
 * Puts an entry that passed its validation (or takes its addresses and time, if the ID is known). 1: it is new; 0: it
 * was known; -ENOSPC: no room for it in its level, or too many of its address; -ENOMEM.
 */
int bypeer_cache_put(struct bypeer_cache *cache, const struct bypeer_pnrp_entry *entry, uint32_t now_s);
/* The ID was heard from. */
void bypeer_cache_touch(struct bypeer_cache *cache, const uint8_t id[static 32], uint32_t now_s);
bool bypeer_cache_remove(struct bypeer_cache *cache, const uint8_t id[static 32]); /* whether it was there */

/* Own IDs. Their entry is the node's own endpoints. -EEXIST, -ENOMEM. */
int bypeer_cache_add_own(struct bypeer_cache *cache, const struct bypeer_pnrp_entry *entry);
void bypeer_cache_remove_own(struct bypeer_cache *cache, const uint8_t id[static 32]);

const struct bypeer_route *bypeer_cache_find(const struct bypeer_cache *cache, const uint8_t id[static 32]);

/* Walks outwards from a target: above() gives ascending IDs from the target on (an equal one first), below() descending
 * ones from just below it; both wrap round the ring. NULL after every ID was given once. No change meanwhile. */
struct bypeer_cache_walk {
    const struct bypeer_cache *cache;
    uint32_t above_chunk, above_at, below_chunk, below_at;
    uint32_t left; /* not given yet */
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
