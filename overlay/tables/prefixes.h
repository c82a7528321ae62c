/*
 * Longest prefix match as a search among boundaries.
 *
 * Prefixes cut the 128-bit address space into intervals in which the longest match is the same. So many prefixes N make
 * at most 2N boundaries, and a look-up is: how many boundaries are not above this address? They lie in a static search
 * tree of four a node, one cache line, children found by counting and not by pointer:
 *
 *   node k:        | b0 | b1 | b2 | b3 |           values[4k]: interval before b0, if the search ends here
 *                 /    |    |    |      \          values[4k + i]: of the interval that begins at b(i-1)
 *        5k+1   5k+2  5k+3  5k+4       5k+5
 *
 * The answer is the value at the last boundary passed on the way down, so there is one more array of a word per
 * boundary: values[0] for an address below all boundaries and values[4 k + i + 1] for boundary i of node k. Up to three
 * places are left over; they have the boundary ff..ff and the value of the last interval.
 *
 * A node number grows at least five-fold with each level, so a search over nodes < 2^32 ends after 15 levels whatever
 * the nodes hold.
 *
 * The two sections have twice the room of one tree: while readers search one half, the writer builds the other and
 * swaps by storing the root word, which says half and number of nodes at once:
 *
 *   63     62 ... 32      31 ... 0
 *   | half | count of builds | nodes |
 *
 * The half left behind may be built upon after a grace period.
 *
 * 64 bytes a node of four and 4 a value: 160 bytes a prefix in both halves at most, and 6 dependent lines for 4096
 * prefixes. 1 GiB would hold about 6 million.
 */
#pragma once

#include <stdint.h>

#include "overlay/tables/layout.h"

/* One prefix for the builder; bits beyond its length are zero. */
struct bypeer_prefix {
    uint8_t key[16];
    uint32_t bits;
    uint32_t slot; /* of its route, not 0 */
};

/* The writer's handle of the two halves. */
struct bypeer_prefixes {
    uint64_t *root; /* bypeer_tables_header.prefix_root */
    struct bypeer_prefix_node *nodes;
    uint32_t *values;
    uint32_t half_nodes;
    uint32_t half_values;
    uint64_t current; /* as last stored in root */
};

/* Entries that the sections BYPEER_PREFIX_NODES and _VALUES need for so many prefixes. */
uint64_t bypeer_prefixes_nodes(uint32_t prefixes);
uint64_t bypeer_prefixes_values(uint32_t prefixes);

/* A handle of zeroed sections: every look-up finds nothing. */
void bypeer_prefixes_init(struct bypeer_prefixes *ret_prefixes, uint64_t *root, struct bypeer_prefix_node *nodes,
                          uint64_t node_count, uint32_t *values, uint64_t value_count);

/* The half that readers do not use: the next build goes there, once its grace period is over. 0 or 1. */
unsigned bypeer_prefixes_spare(const struct bypeer_prefixes *prefixes);

/*
 * Builds the tree of count prefixes into the spare half and swaps. sorted: ascending by key, then by bits, each
 * (key, bits) once. Returns the half that went out of use (retire it), or -ENOSPC, or -EINVAL if they are not sorted;
 * on failure readers see what they saw. Thread: the writer's; takes some 50 ns a prefix, allocates nothing.
 */
int bypeer_prefixes_rebuild(struct bypeer_prefixes *prefixes, const struct bypeer_prefix sorted[], uint32_t count);
