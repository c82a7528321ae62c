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

/*
 * Chooses the entry to answer with. Returns whether there is one; *ret_known is it. *ret_remote: another node's ID
 * qualified (if none did, and the target would be in a leaf set, the answer carries L).
 */
static inline __attribute__((always_inline)) bool bypeer_answer_choose(const struct bypeer_pnrp_lookup *lookup,
                                                                       const struct bypeer_lookup_facts *facts,
                                                                       bypeer_known_step *above,
                                                                       bypeer_known_step *below, void *walk,
                                                                       struct bypeer_known *ret_known, bool *ret_remote)
{
    struct bypeer_id_number target = bypeer_id_load(lookup->target);
    struct bypeer_id_number validate = bypeer_id_load(lookup->validate);
    struct bypeer_id_number limit = bypeer_id_distance(validate, target);
    struct bypeer_known candidates[BYPEER_ANSWER_CANDIDATES];
    unsigned count = 0;
    struct bypeer_known up = above(walk), down = below(walk);

    for (unsigned step = 0; step < 2 * BYPEER_ANSWER_STEPS && count < BYPEER_ANSWER_CANDIDATES; step++) {
        if (up.id == NULL && down.id == NULL)
            break;
        struct bypeer_id_number far_up = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}}, far_down = far_up;
        if (up.id != NULL)
            far_up = bypeer_id_distance(bypeer_id_load(up.id), target);
        if (down.id != NULL)
            far_down = bypeer_id_distance(bypeer_id_load(down.id), target);
        bool is_up = up.id != NULL && (down.id == NULL || bypeer_id_compare(far_up, far_down) <= 0);
        struct bypeer_known known = is_up ? up : down;
        bool nearer = bypeer_id_compare(is_up ? far_up : far_down, limit) < 0;
        if (is_up)
            up = above(walk);
        else
            down = below(walk);

        /* A node that is itself the candidate names only what is nearer; others' IDs may be farther if the sender says
         * so by A. Distances only grow from here, so what is not near enough ends the walk. */
        if (!nearer && !lookup->any_distance && facts->validate_is_local)
            break;
        if (!nearer && (known.own ? facts->validate_is_local : !lookup->any_distance))
            continue;
        if (known.own ? facts->own_in_path : bypeer_answer_is_flagged(&lookup->path, &known))
            continue;
        candidates[count++] = known;
        if (known.own) /* nothing farther is an answer when this is not */
            break;
    }
    *ret_remote = count > 0 && !candidates[0].own;
    if (count == 0)
        return false;
    /* Rank r with 7/8 (1/8)^r; an own ID behind remote ones is never the nearest, so it is no candidate then. */
    unsigned last = count > 1 && candidates[count - 1].own ? count - 2 : count - 1;
    unsigned rank = 0;
    for (uint32_t random = facts->random; rank < last && (random & 7) == 0; random >>= 3)
        rank++;
    *ret_known = candidates[rank];
    return true;
}
