/*
 * How often passwords may be tried: so many runs a minute of each source, and of all sources together, since a source
 * costs an attacker little. A run is counted when it begins; one that succeeds is not given back.
 *
 * When all places are taken, the source that was quiet longest loses its. Thread: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define THROTTLE_SOURCES      64
#define THROTTLE_SOURCE_RUNS  5  /* at once; then one a minute */
#define THROTTLE_GROUP_RUNS   30 /* at once; then one in 10 s */
#define THROTTLE_SOURCE_EVERY 60000
#define THROTTLE_GROUP_EVERY  10000

struct throttle_bucket {
    uint64_t full_at; /* ms when all runs are there again; one run is one "every" of it */
};

struct throttle {
    struct throttle_bucket group;
    struct {
        uint8_t source[16];
        struct throttle_bucket bucket;
    } sources[THROTTLE_SOURCES];
};

/* Counts a run of this source, if it may: then true. */
bool throttle_take(struct throttle *throttle, const uint8_t source[static 16], uint64_t now_ms);
