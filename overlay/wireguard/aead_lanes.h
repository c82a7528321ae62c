/*
 * The AEAD across packets, and of one packet by itself: what aead.c asks of a vector variant.
 *
 * A library that seals one packet computes sixteen blocks of key stream at once, of which a small packet needs two: the
 * block that gives Poly1305's key, and one of text. Here a lane is a block of any packet of the group:
 *
 *   pass 0   | packet 0, block 0 | packet 1, block 0 | ...                    | packet 15, block 0 |  Poly1305's keys
 *   pass 1   | packet 0, block 1 | packet 0, block 2 | packet 1, block 1 | ...                     |  text
 *   pass 2   | packet 3, block 2 | ...                                                             |
 *
 * so sixteen packets of 64 bytes cost two passes, and sixteen of 1424 bytes 24, none of them with an idle lane. For
 * Poly1305 a lane is a packet, eight at a time, and each step takes four of its blocks:
 *
 *   h = (h + m0) r^4 + m1 r^3 + m2 r^2 + m3 r
 *
 * The steps of all eight end together: a shorter packet begins later, with blocks of nothing (not even the bit above a
 * block), which leave its h at zero. So a group costs what its longest packet does: aead.c puts packets of like size
 * together. A group has at most sixteen jobs; behind them in the array lie as many as come after it, whose texts are
 * fetched meanwhile.
 *
 * A packet alone would leave most lanes of either idle. Where there are few, each is taken by itself: its block 0 and
 * its text in one run of the key stream, sixteen blocks or eight at once, and Poly1305 over eight of its blocks side by
 * side (poly1305_one_avx512.h). It costs the same in any company.
 */
#pragma once

#include <stddef.h>

#include "overlay/ip/checksum.h"
#include "overlay/wireguard/aead.h"

#define BYPEER_AEAD_LANES 16

typedef void bypeer_aead_lanes_function(struct bypeer_aead_job *const jobs[], unsigned count, unsigned after);

bypeer_aead_lanes_function bypeer_aead_avx512_seal;
bypeer_aead_lanes_function bypeer_aead_avx512_open;

/* One by itself, as those do where it is sooner done. */
void bypeer_aead_avx512_seal_one(struct bypeer_aead_job *job);
void bypeer_aead_avx512_open_one(struct bypeer_aead_job *job);

/* Of what was sealed. blocks: sum of all that Poly1305 took: the text's blocks, that of its lengths, and 2^128 for
 * each, which counts as 1. A tag behind an odd byte has its own bytes swapped. */
static inline uint64_t bypeer_aead_sum(const struct bypeer_aead_job *job, uint64_t blocks, const uint64_t tag[static 2])
{
    uint64_t beside = ((uint64_t)job->bytes + 15) / 16 + 1 + job->bytes;
    uint64_t last = bypeer_checksum_plus(tag[0], tag[1]);
    if (job->bytes % 2 != 0)
        last = last << 8 | last >> 56;
    return bypeer_checksum_plus(bypeer_checksum_plus(blocks, ~beside), last);
}

/* Steps of Poly1305 that a text takes: its blocks of 16 bytes and the block of lengths, four a step. */
static inline uint32_t bypeer_aead_steps(uint32_t bytes)
{
    return (uint32_t)(((uint64_t)bytes + 15) / 16 + 1 + 3) / 4;
}
