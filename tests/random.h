/*
 * Vigna's SplitMix64, for tests and benchmarks: the same numbers from the same seed on every machine, and the i-th of a
 * sequence without those before it.
 */
#pragma once

#include <stdint.h>

#define RANDOM_STEP UINT64_C(0x9e3779b97f4a7c15)

/* A bijection of 64-bit numbers whose results look random. */
static inline uint64_t random_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The next number of the sequence; *state begins as its seed. */
static inline uint64_t random_next(uint64_t *state)
{
    return random_mix(*state += RANDOM_STEP);
}

/* A number from 0 to limit - 1. */
static inline uint32_t random_next_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)(((random_next(state) >> 32) * limit) >> 32);
}
