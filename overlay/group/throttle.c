#include "overlay/group/throttle.h"

#include <stddef.h>
#include <string.h>

static bool bucket_has(const struct throttle_bucket *bucket, uint64_t runs, uint64_t every, uint64_t now_ms)
{
    return bucket->full_at <= now_ms + (runs - 1) * every;
}

static void bucket_take(struct throttle_bucket *bucket, uint64_t every, uint64_t now_ms)
{
    bucket->full_at = (bucket->full_at > now_ms ? bucket->full_at : now_ms) + every;
}

bool throttle_take(struct throttle *throttle, const uint8_t source[static 16], uint64_t now_ms)
{
    size_t place = 0;
    for (size_t at = 0; at < THROTTLE_SOURCES; at++) {
        if (memcmp(throttle->sources[at].source, source, 16) == 0) {
            place = at;
            break;
        }
        if (throttle->sources[at].bucket.full_at < throttle->sources[place].bucket.full_at)
            place = at;
    }
    struct throttle_bucket *bucket = &throttle->sources[place].bucket;
    if (memcmp(throttle->sources[place].source, source, 16) != 0) {
        memcpy(throttle->sources[place].source, source, 16);
        bucket->full_at = 0;
    }
    if (!bucket_has(bucket, THROTTLE_SOURCE_RUNS, THROTTLE_SOURCE_EVERY, now_ms) ||
        !bucket_has(&throttle->group, THROTTLE_GROUP_RUNS, THROTTLE_GROUP_EVERY, now_ms))
        return false;
    bucket_take(bucket, THROTTLE_SOURCE_EVERY, now_ms);
    bucket_take(&throttle->group, THROTTLE_GROUP_EVERY, now_ms);
    return true;
}
