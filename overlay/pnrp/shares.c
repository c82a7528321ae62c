#include "overlay/pnrp/shares.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define BUCKET_WORDS 16
#define COUNT_MAX    0xfffu

int bypeer_shares_init(struct bypeer_shares *shares, uint32_t entries, uint64_t seed)
{
    /* Two keys an entry at most; two buckets to choose from fill to nine tenths before one overflows. */
    uint32_t bucket_count = (uint32_t)((uint64_t)entries * 2 * 4 / 3 / BUCKET_WORDS) + 2;
    void *buckets = aligned_alloc(64, (size_t)bucket_count * sizeof(*shares->buckets));
    if (!buckets)
        return -ENOMEM;
    memset(buckets, 0, (size_t)bucket_count * sizeof(*shares->buckets));
    *shares = (struct bypeer_shares){.buckets = buckets, .bucket_count = bucket_count, .seed = seed};
    return 0;
}

void bypeer_shares_free(struct bypeer_shares *shares)
{
    free(shares->buckets);
    *shares = (struct bypeer_shares){0};
}

size_t bypeer_shares_bytes(const struct bypeer_shares *shares)
{
    return shares->bucket_count * sizeof(*shares->buckets);
}

struct share_key {
    uint32_t *buckets[2];
    uint32_t mark; /* in the upper 20 bits */
};

static struct share_key share_key(const struct bypeer_shares *shares, const uint8_t *address, size_t length)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(address, length, shares->seed);
    uint64_t first = (hash.low64 >> 32) * shares->bucket_count >> 32;
    uint64_t second = (hash.low64 & UINT32_MAX) * shares->bucket_count >> 32;
    return (struct share_key){.buckets = {shares->buckets[first], shares->buckets[second]},
                              .mark = (uint32_t)hash.high64 & ~COUNT_MAX};
}

static uint32_t *share_find(const struct share_key *key)
{
    for (unsigned choice = 0; choice < 2; choice++)
        for (unsigned at = 0; at < BUCKET_WORDS; at++) {
            uint32_t *word = &key->buckets[choice][at];
            if (*word != 0 && (*word & ~COUNT_MAX) == key->mark)
                return word;
        }
    return NULL;
}

uint32_t bypeer_shares_of(const struct bypeer_shares *shares, const uint8_t *address, size_t length)
{
    struct share_key key = share_key(shares, address, length);
    const uint32_t *word = share_find(&key);
    return word ? *word & COUNT_MAX : 0;
}

static unsigned bucket_used(const uint32_t *bucket)
{
    unsigned used = 0;
    for (unsigned at = 0; at < BUCKET_WORDS; at++)
        used += bucket[at] != 0;
    return used;
}

bool bypeer_shares_add(struct bypeer_shares *shares, const uint8_t *address, size_t length)
{
    struct share_key key = share_key(shares, address, length);
    uint32_t *word = share_find(&key);
    if (word) {
        if ((*word & COUNT_MAX) == COUNT_MAX)
            return false;
        ++*word;
        return true;
    }
    uint32_t *bucket = key.buckets[bucket_used(key.buckets[1]) < bucket_used(key.buckets[0])];
    for (unsigned at = 0; at < BUCKET_WORDS; at++)
        if (bucket[at] == 0) {
            bucket[at] = key.mark | 1;
            return true;
        }
    return false;
}

void bypeer_shares_drop(struct bypeer_shares *shares, const uint8_t *address, size_t length)
{
    struct share_key key = share_key(shares, address, length);
    uint32_t *word = share_find(&key);
    if (word && (--*word & COUNT_MAX) == 0)
        *word = 0;
}
