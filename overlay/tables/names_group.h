/*
 * The groups of an array's records: how nearly every look-up is done, by one line and without a search.
 *
 *   group g   [ count | 29 keys of 16 bits | first ]     the records whose IDs begin with the bits of g
 *
 *   target    [ bits of g | key 16 | ... ]               place = first + how many keys of group g are less
 *
 * There are as many groups as give each 8 to 16 records: IDs are hashes, so that hardly any has more than 29 (one in a
 * thousand at most). Of two random IDs in a group, the 16 bits of a key are the same once in 65,536: where a target's
 * key is that of records, these are compared whole. A group that has no room for its records, because somebody has
 * crowded IDs together, or because many are registrations of one name, tells where its longest run
 * begins; for all else the tree leads on (names_tree.h).
 *
 * Keys also tell, mostly, on which side the nearest record is, so that the other need not be fetched: both neighbours
 * and the target are known to within 2^-16 of the group, and where a neighbour is in another group it is farther than
 * the group's end.
 */
#pragma once

#include "overlay/tables/names.h"

/* By how many bits records are grouped. */
static inline unsigned bypeer_names_group_bits(uint32_t records)
{
    return records < 16 ? 0 : 31u - (unsigned)__builtin_clz(records) - 3;
}

static inline uint32_t bypeer_names_group_count(uint32_t records)
{
    return UINT32_C(1) << bypeer_names_group_bits(records);
}

/* The group of a first word, and the key in it, which is the upper bits of what is behind. */
static inline uint64_t bypeer_names_group_of(uint64_t word, unsigned bits)
{
    return word >> 1 >> (63 - bits);
}

static inline uint64_t bypeer_names_group_rest(uint64_t word, unsigned bits)
{
    return word << bits;
}

static inline uint16_t bypeer_names_group_key(uint64_t rest)
{
    return (uint16_t)(rest >> 48);
}

/*
 * Which neighbour of a place in the group is certainly nearer; 0: that is to be compared. In units of keys, with a the
 * key above, b the one below and t the target:
 *
 *   above is within a + 1 - t, below beyond t - (b + 1): above is nearer if a + b + 2 <= 2 t, and so on
 */
static inline uint8_t bypeer_names_nearer(const struct bypeer_name_group *group, uint32_t less, uint64_t rest)
{
    const uint32_t count = group->count, last = BYPEER_NAME_GROUP_KEYS - 1;
    const bool is_told = (count <= BYPEER_NAME_GROUP_KEYS) & (less <= count);
    const bool has_above = is_told & (less < count), has_below = is_told & (less != 0);
    const uint32_t key_above = group->keys[less <= last ? less : last];
    const uint32_t key_below = group->keys[less - 1 <= last ? less - 1 : last];
    const uint32_t above = has_above ? key_above : UINT32_C(1) << 16, behind_below = has_below ? key_below + 1 : 0;
    const uint32_t twice = (uint32_t)(rest >> 47), sum = above + behind_below;
    return (uint8_t)((has_above & (sum < twice)) * BYPEER_NAMES_NEARER_ABOVE |
                     (has_below & (twice + 1 < sum)) * BYPEER_NAMES_NEARER_BELOW);
}

/* How many keys of a group are less than key, and how many equal to it. */
struct bypeer_names_compared {
    uint32_t less, equal;
};
typedef struct bypeer_names_compared bypeer_names_compare_function(const struct bypeer_name_group *group, uint16_t key);

#define BYPEER_NAMES_RANK_CROWDED 255 /* instead of .equal: the group has no keys */
