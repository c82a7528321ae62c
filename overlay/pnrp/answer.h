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

#include "overlay/ip/wire.h"
#include "overlay/pnrp/id.h"
#include "overlay/pnrp/message.h"

#define BYPEER_ANSWER_CANDIDATES 3
/* IDs looked at each way: the whole flagged path may lie on either side, and one host may have several IDs. */
#define BYPEER_ANSWER_STEPS  32
#define BYPEER_ANSWER_BEHIND 8

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
                                                                       bypeer_known_step *above,
                                                                       bypeer_known_step *below, void *walk,
                                                                       struct bypeer_known *ret_known, bool *ret_remote)
{
    const struct bypeer_id_number beyond = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    struct bypeer_id_number target = bypeer_id_load(lookup->target), validate = bypeer_id_load(lookup->validate);
    bool is_anybody = (validate.words[0] | validate.words[1] | validate.words[2] | validate.words[3]) == 0;
    struct bypeer_id_number limit = is_anybody ? beyond : bypeer_id_distance(validate, target);
    struct bypeer_known up = above(walk), down = below(walk);
    unsigned rank = 0, steps = 2 * BYPEER_ANSWER_STEPS;
    bool found = false, found_own = false;

    for (uint32_t random = facts->random; rank < BYPEER_ANSWER_CANDIDATES - 1 && (random & 7) == 0; random >>= 3)
        rank++;
    *ret_remote = false;
    for (; steps > 0 && (up.id != NULL || down.id != NULL); steps--) {
        struct bypeer_id_number far_up = beyond, far_down = beyond;
        if (up.id != NULL)
            far_up = bypeer_id_distance(bypeer_id_load(up.id), target);
        if (down.id != NULL)
            far_down = bypeer_id_distance(bypeer_id_load(down.id), target);
        bool is_up = up.id != NULL && (down.id == NULL || bypeer_id_compare(far_up, far_down) <= 0);
        const struct bypeer_known known = is_up ? up : down;
        bool nearer = bypeer_id_compare(is_up ? far_up : far_down, limit) < 0;

        /* From here on no other node's ID qualifies, since distances only grow; nor an own one, if that has to be
         * nearer too, may not be named, or would not be the nearest. */
        if (!nearer && !lookup->any_distance && (facts->validate_is_local || facts->own_in_path || found))
            break;
        if (bypeer_answer_qualifies(lookup, facts, &known, nearer)) {
            *ret_remote |= !known.own;
            if (known.own ? found && !found_own : found_own)
                break;
            if (!found_own) {
                *ret_known = known;
                found = true;
                found_own = known.own;
                if (found_own)
                    steps = steps <= BYPEER_ANSWER_BEHIND ? steps : BYPEER_ANSWER_BEHIND + 1;
                else if (rank-- == 0)
                    break;
            }
        }
        if (is_up)
            up = above(walk);
        else
            down = below(walk);
    }
    return found;
}
