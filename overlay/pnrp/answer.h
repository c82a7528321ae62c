/*
 * What to answer to a LOOKUP: the one rule of PNRP that must be fast ([MS-PNRP] 3.2.5.2, reference 4.7).
 *
 * The rule does not know how known IDs are kept: it walks outwards from the target by a function that gives one ID at a
 * time, by ascending distance. The daemon and the simulator walk their cache (answer_cache.h), a worker the index in
 * the shared tables (overlay/tables/names.h), which mostly need not look at what is farther; the function is inlined
 * into each.
 *
 * Choice. The nearest ID wins, own or not; of other nodes' IDs one a little farther may be named instead, so that a
 * popular target does not always get the same answer: the nearest of up to BYPEER_ANSWER_CANDIDATES with probability
 * 7/8, the next with 7/64, and so on (reference, gap 16).
 */
#pragma once

#include "overlay/ip/wire.h"
#include "overlay/pnrp/id.h"
#include "overlay/pnrp/message.h"

#define BYPEER_ANSWER_CANDIDATES 3
/* IDs looked at each way: the whole flagged path may lie on either side, and one host may have several IDs. */
#define BYPEER_ANSWER_STEPS  32
#define BYPEER_ANSWER_BEHIND 8

/* A known ID, as a walk gives it. */
struct bypeer_known {
    const uint8_t *id;         /* 32 bytes; NULL: no more */
    const uint8_t *address;    /* the first */
    const uint8_t (*more)[16]; /* address_count - 1 further ones */
    uint8_t address_count;
    bool own;
    uint16_t port;
};

/* The next ID of a walk, by ascending distance from the target; of two that are equally far the one above it. */
typedef struct bypeer_known bypeer_known_step(void *walk);

struct bypeer_lookup_facts {
    bool validate_is_local; /* the Validate ID is registered here */
    bool own_in_path;       /* an address of this node is in the flagged path */
    uint32_t random;
};

/* Whether any address of the node is in the flagged path: it was asked already (3.2.5.2 compares addresses only). */
static inline bool bypeer_answer_is_flagged(const struct bypeer_pnrp_endpoints *path, const struct bypeer_known *known)
{
    const uint8_t *address = known->address;
    for (unsigned i = 0;; address = known->more[i++]) {
        uint64_t upper = bypeer_load64_raw(address), lower = bypeer_load64_raw(address + 8);
        const uint8_t *flagged = path->bytes + 2; /* after the port */
        for (unsigned at = 0; at < path->count; at++, flagged += 18)
            if (((bypeer_load64_raw(flagged) ^ upper) | (bypeer_load64_raw(flagged + 8) ^ lower)) == 0)
                return true;
        if (i + 1u >= known->address_count)
            return false;
    }
}

/* Whether a known ID may be the answer. nearer: than the Validate ID. */
static inline bool bypeer_answer_qualifies(const struct bypeer_pnrp_lookup *lookup,
                                           const struct bypeer_lookup_facts *facts, const struct bypeer_known *known,
                                           bool nearer)
{
    if (known->own)
        return (nearer || !facts->validate_is_local) && !facts->own_in_path;
    return (nearer || lookup->any_distance) && !bypeer_answer_is_flagged(&lookup->path, known);
}

/* Where a choice stands. */
struct bypeer_answer_search {
    struct bypeer_known known;
    unsigned rank;  /* how many that qualify are passed over */
    unsigned steps; /* how many further IDs may be looked at */
    bool found, found_own, found_remote;
};

/* Looks at the next ID, by ascending distance. Whether the choice is made. */
static inline __attribute__((always_inline)) bool
bypeer_answer_consider(struct bypeer_answer_search *search, const struct bypeer_pnrp_lookup *lookup,
                       const struct bypeer_lookup_facts *facts, bool is_anybody, const struct bypeer_known known)
{
    bool nearer = is_anybody || bypeer_id_compare_distances(lookup->target, known.id, lookup->validate) < 0;
    /* From here on no other node's ID qualifies, since distances only grow; nor an own one, if that has to be nearer
     * too, may not be named, or would not be the nearest. */
    if (!nearer && !lookup->any_distance && (facts->validate_is_local || facts->own_in_path || search->found))
        return true;
    if (!bypeer_answer_qualifies(lookup, facts, &known, nearer))
        return false;
    search->found_remote |= !known.own;
    if (known.own ? search->found && !search->found_own : search->found_own)
        return true;
    if (search->found_own)
        return false;
    search->known = known;
    search->found = true;
    search->found_own = known.own;
    if (!known.own)
        return search->rank-- == 0;
    search->steps = search->steps <= BYPEER_ANSWER_BEHIND ? search->steps : BYPEER_ANSWER_BEHIND + 1;
    return false;
}

/* How many IDs that qualify are passed over. */
static inline unsigned bypeer_answer_rank(uint32_t random)
{
    unsigned rank = 0;
    for (; rank < BYPEER_ANSWER_CANDIDATES - 1 && (random & 7) == 0; random >>= 3)
        rank++;
    return rank;
}

/*
 * Chooses the entry to answer with. Returns whether there is one; *ret_known is it. *ret_remote: another node's ID
 * qualified (if none did, and the target would be in a leaf set, the answer carries L); behind an own ID that is the
 * answer, only BYPEER_ANSWER_BEHIND further IDs are looked at for that.
 *
 * A Validate ID of zero says that the sender does not know whom he asks: everything is nearer than that.
 *
 * The rank is drawn first, so that the walk ends, in seven of eight cases, at the first ID that qualifies: each further
 * one is a line of memory.
 */
static inline __attribute__((always_inline)) bool bypeer_answer_choose(const struct bypeer_pnrp_lookup *lookup,
                                                                       const struct bypeer_lookup_facts *facts,
                                                                       bypeer_known_step *nearest, void *walk,
                                                                       struct bypeer_known *ret_known, bool *ret_remote)
{
    bool is_anybody = bypeer_id_is_zero(lookup->validate);
    struct bypeer_answer_search search = {.rank = bypeer_answer_rank(facts->random), .steps = 2 * BYPEER_ANSWER_STEPS};

    for (; search.steps > 0; search.steps--) {
        struct bypeer_known known = nearest(walk);
        if (known.id == NULL || bypeer_answer_consider(&search, lookup, facts, is_anybody, known))
            break;
    }
    *ret_remote = search.found_remote;
    if (search.found)
        *ret_known = search.known;
    return search.found;
}
