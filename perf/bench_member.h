/* The members of a benchmark's tables: a number each, and an overlay address that looks random. */
#pragma once

#include <string.h>

#include "tests/random.h"

/* A /48 and 80 bits. */
static inline void bench_member_key(uint32_t member, uint8_t ret_key[static 16])
{
    static const uint8_t prefix[6] = {0xfd, 0x12, 0x34, 0x56, 0x78, 0x9a};
    uint64_t low = random_mix(member), high = random_mix(~(uint64_t)member);
    memcpy(ret_key, prefix, 6);
    memcpy(ret_key + 6, &high, 2);
    memcpy(ret_key + 8, &low, 8);
}
