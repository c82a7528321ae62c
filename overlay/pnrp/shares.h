/*
 * How many entries of a full cache have one address, and how many lie in one /64.
 *
 *   bucket   [ 16 words: mark 20 bits | count 12 bits ]   one line; a key is in one of two buckets
 *
 * A key is known by its keyed hash alone, so that two of them share a count once in a million: what is refused by
 * mistake then is one of millions of entries. Ten bytes for every entry that the cache may hold, touched as it fills.
 *
 * Thread: one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bypeer_shares {
    uint32_t (*buckets)[16]; /* NULL: nothing is counted */
    uint32_t bucket_count;
    uint64_t seed;
};

/* For entries entries, each with an address and a /64. 0 or -ENOMEM. */
int bypeer_shares_init(struct bypeer_shares *shares, uint32_t entries, uint64_t seed);
void bypeer_shares_free(struct bypeer_shares *shares);
size_t bypeer_shares_bytes(const struct bypeer_shares *shares);

/* length: 16, or 8 for the /64. */
uint32_t bypeer_shares_of(const struct bypeer_shares *shares, const uint8_t *address, size_t length);
bool bypeer_shares_add(struct bypeer_shares *shares, const uint8_t *address, size_t length); /* false: no room */
void bypeer_shares_drop(struct bypeer_shares *shares, const uint8_t *address, size_t length);
