#include "overlay/tables/exact.h"

#include "overlay/tables/exact_bucket.h"
#include "overlay/tables/exact_burst.h"
#include "overlay/tables/exact_hash.h"
#include "overlay/tables/exact_vector.h"

uint32_t bypeer_exact_buckets_for(uint32_t capacity)
{
    uint32_t buckets = capacity / BYPEER_EXACT_BUCKET_LOAD + (capacity % BYPEER_EXACT_BUCKET_LOAD != 0);
    return buckets < BYPEER_EXACT_BUCKETS_MIN ? BYPEER_EXACT_BUCKETS_MIN : buckets;
}

/* The record of a slot if the key is its key. A slot beyond the table, which only a wrong writer leaves, is record 0.
 */
static const struct bypeer_destination *exact_check(const struct bypeer_exact *exact, uint32_t slot, const uint8_t *key)
{
    slot = slot < exact->record_count ? slot : 0;
    const struct bypeer_destination *record = &exact->records[slot];
    return slot != 0 && bypeer_exact_same_key(record->key, key) ? record : NULL;
}

static const struct bypeer_destination *exact_find_in_bucket(const struct bypeer_exact *exact,
                                                             const struct bypeer_bucket *bucket, uint16_t tag,
                                                             const uint8_t *key)
{
    for (uint64_t ways = bypeer_bucket_match(bucket, tag); ways != 0; ways &= ways - 1) {
        uint32_t slot = bypeer_bucket_slot(bucket, bypeer_bucket_way(ways));
        const struct bypeer_destination *record = exact_check(exact, slot, key);
        if (record)
            return record;
    }
    return NULL;
}

static const struct bypeer_destination *exact_find_in_stash(const struct bypeer_exact *exact, const uint8_t *key)
{
    for (uint32_t i = 0; i < exact->stash_count; i++) {
        uint32_t slot = __atomic_load_n(&exact->stash[i], __ATOMIC_ACQUIRE);
        const struct bypeer_destination *record = exact_check(exact, slot, key);
        if (record)
            return record;
    }
    return NULL;
}

const struct bypeer_destination *bypeer_exact_find(const struct bypeer_exact *exact, const uint8_t key[static 16])
{
    struct bypeer_exact_place place = bypeer_exact_place(key, exact->seed, exact->bucket_count);
    const struct bypeer_bucket *second = &exact->buckets[place.second];
    /* First bucket before second: an entry moves only this way (exact.h). */
    const struct bypeer_destination *record = exact_find_in_bucket(exact, &exact->buckets[place.first], place.tag, key);
    if (!record)
        record = exact_find_in_bucket(exact, second, place.tag, key);
    if (!record && bypeer_bucket_is_stashed(second))
        record = exact_find_in_stash(exact, key);
    return record;
}

/* The slot of one way with this tag, 0: none. */
static inline uint32_t exact_generic_match(const struct bypeer_bucket *bucket, uint16_t tag)
{
    uint64_t ways = bypeer_bucket_match(bucket, tag);
    unsigned way = bypeer_bucket_way(ways | BYPEER_BUCKET_LAST_WAY); /* no ways would name no bit */
    return bypeer_exact_if(ways != 0, bypeer_bucket_slot(bucket, way));
}

static void exact_lookup_generic(const struct bypeer_exact *exact, const uint8_t *const keys[], unsigned count,
                                 const struct bypeer_destination *found[])
{
    bypeer_exact_burst(exact, keys, count, found, exact_generic_match);
}

#if defined(__x86_64__)
#endif

void bypeer_exact_variants(struct bypeer_exact_variant ret_variants[static BYPEER_EXACT_VARIANTS])
{
    ret_variants[0] = (struct bypeer_exact_variant){"generic", exact_lookup_generic};
    ret_variants[1] = (struct bypeer_exact_variant){"avx2", NULL};
    ret_variants[2] = (struct bypeer_exact_variant){"avx512", NULL};
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        ret_variants[1].lookup = bypeer_exact_lookup_avx2;
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2"))
        ret_variants[2].lookup = bypeer_exact_lookup_avx512;
#endif
}

/* Vector loads are no atomic ones, and ThreadSanitizer knows only these. */
#if defined(__SANITIZE_THREAD__)
#define EXACT_ATOMICS_ONLY 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define EXACT_ATOMICS_ONLY 1
#endif
#endif

/* Chosen once, before main(), and never changed. */
static bypeer_exact_lookup_function *exact_lookup = exact_lookup_generic;

#if !defined(EXACT_ATOMICS_ONLY)
__attribute__((constructor)) static void exact_choose(void)
{
    struct bypeer_exact_variant variants[BYPEER_EXACT_VARIANTS];
    bypeer_exact_variants(variants);
    for (unsigned i = 0; i < BYPEER_EXACT_VARIANTS; i++) {
        if (variants[i].lookup)
            exact_lookup = variants[i].lookup;
    }
}
#endif

void bypeer_exact_lookup(const struct bypeer_exact *exact, const uint8_t *const keys[], unsigned count,
                         const struct bypeer_destination *found[])
{
    exact_lookup(exact, keys, count, found);
}
