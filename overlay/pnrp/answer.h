/*
 * What to answer to a LOOKUP: the one rule of PNRP that must be fast ([MS-PNRP] 3.2.5.2, reference 4.7).
 *
 * The rule does not know how known IDs are kept: it walks outwards from the target by two functions, one ID at a time,
 * each way by ascending distance. The daemon and the simulator walk their cache (cache.h), a worker the index in the
 * shared tables (overlay/tables/names.h); the functions are inlined into each.
 *
 * Choice. The nearest ID wins, own or not; of other nodes' IDs one a little farther may be named instead, so that a
 * popular target does not always get the same answer: the nearest of up to BYPEER_ANSWER_CANDIDATES with probability
 * 7/8, the next with 7/64, and so on (reference, gap 16).
 */
#pragma once

#include "overlay/pnrp/id.h"
#include "overlay/pnrp/message.h"

#define BYPEER_ANSWER_CANDIDATES 3
/* IDs looked at each way: the whole flagged path may lie on either side, and one host may have several IDs. */
#define BYPEER_ANSWER_STEPS 32

/* A known ID, as a walk gives it. */
struct bypeer_known {
    const uint8_t *id;         /* 32 bytes; NULL: no more this way */
    const uint8_t *address;    /* the first */
    const uint8_t (*more)[16]; /* address_count - 1 further ones */
    uint8_t address_count;
    bool own;
    uint16_t port;
};

/* The next ID of a walk in one direction. */
typedef struct bypeer_known bypeer_known_step(void *walk);

struct bypeer_lookup_facts {
    bool validate_is_local; /* the Validate ID is registered here, or zero */
    bool own_in_path;       /* an address of this node is in the flagged path */
    uint32_t random;
};

/* Whether any address of the node is in the flagged path: it was asked already (3.2.5.2 compares addresses only). */
static inline bool bypeer_answer_is_flagged(const struct bypeer_pnrp_endpoints *path, const struct bypeer_known *known)
{
    if (bypeer_pnrp_endpoints_have(path, known->address))
        return true;
    for (unsigned i = 1; i < known->address_count; i++)
        if (bypeer_pnrp_endpoints_have(path, known->more[i - 1]))
            return true;
    return false;
}

/* Whether a known ID may be the answer: limit is how far the Validate ID is from the target. */
static inline bool bypeer_answer_qualifies(const struct bypeer_pnrp_lookup *lookup,
                                           const struct bypeer_lookup_facts *facts, const struct bypeer_known *known,
                                           bool nearer)
{
    if (known->own)
        return (nearer || !facts->validate_is_local) && !facts->own_in_path;
    return (nearer || lookup->any_distance) && !bypeer_answer_is_flagged(&lookup->path, known);
}

/*
 * Chooses the entry to answer with. Returns whether there is one; *ret_known is it. *ret_remote: another node's ID
 * qualified (if none did, and the target would be in a leaf set, the answer carries L).
 *
 * The rank is drawn first, so that the walk ends, in seven of eight cases, at the first ID that qualifies: each further
 * one is a line of memory.
 */
static inline __attribute__((always_inline)) bool bypeer_answer_choose(const struct bypeer_pnrp_lookup *lookup,
                                                                       const struct bypeer_lookup_facts *facts,
                                                                       bypeer_known_step *above,
                                                                       bypeer_known_step *below, void *walk,
                                                                       struct bypeer_known *ret_known, bool *ret_remote)
{
    const struct bypeer_id_number beyond = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    struct bypeer_id_number target = bypeer_id_load(lookup->target);
    struct bypeer_id_number limit = bypeer_id_distance(bypeer_id_load(lookup->validate), target);
    struct bypeer_known up = above(walk), down = below(walk);
    unsigned rank = 0;
    bool found = false;

    for (uint32_t random = facts->random; rank < BYPEER_ANSWER_CANDIDATES - 1 && (random & 7) == 0; random >>= 3)
        rank++;
    *ret_remote = false;
    for (unsigned step = 0; step < 2 * BYPEER_ANSWER_STEPS && (up.id != NULL || down.id != NULL); step++) {
        struct bypeer_id_number far_up = beyond, far_down = beyond;
        if (up.id != NULL)
            far_up = bypeer_id_distance(bypeer_id_load(up.id), target);
        if (down.id != NULL)
            far_down = bypeer_id_distance(bypeer_id_load(down.id), target);
        bool is_up = up.id != NULL && (down.id == NULL || bypeer_id_compare(far_up, far_down) <= 0);
        const struct bypeer_known known = is_up ? up : down;
        bool nearer = bypeer_id_compare(is_up ? far_up : far_down, limit) < 0;

        /* A node that is itself the candidate names only what is nearer; others' IDs may be farther if the sender says
         * so by A. Distances only grow from here, so what is not near enough ends the walk. */
        if (!nearer && !lookup->any_distance && facts->validate_is_local)
            break;
        if (bypeer_answer_qualifies(lookup, facts, &known, nearer)) {
            if (known.own && found) /* it is not the nearest, and nothing farther is an answer when it is not */
                break;
            *ret_known = known;
            found = true;
            *ret_remote = !known.own;
            if (known.own || rank-- == 0)
                break;
        }
        if (is_up)
            up = above(walk);
        else
            down = below(walk);
    }
    return found;
}
