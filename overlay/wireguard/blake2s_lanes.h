/*
 * The compression function of BLAKE2s (RFC 7693, 3.2) for eight messages side by side: a vector holds one word of each.
 *
 * One message is a chain of 240 operations that wait for each other, whatever the processor; eight of them in lanes
 * cost hardly more. The vectors are the compiler's own, so each object that includes this has the instructions that it
 * is compiled for (blake2s.c, blake2s_avx2.c, blake2s_avx512.c).
 */
#pragma once

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define BLAKE2S_LANES       8
#define BLAKE2S_BLOCK_BYTES 64
#define BLAKE2S_ROUNDS      10

_Static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "words are taken as they lie in memory");

typedef uint32_t blake2s_words __attribute__((vector_size(4 * BLAKE2S_LANES)));

/* Word i of the chaining values of all lanes is chain[i]. bytes: of each message hashed so far, these blocks included.
 * last: all ones for the last blocks, else 0. */
typedef void blake2s_compress_function(blake2s_words chain[static 8], const uint8_t *const blocks[static BLAKE2S_LANES],
                                       uint64_t bytes, uint32_t last);

blake2s_compress_function bypeer_blake2s_compress_generic;
blake2s_compress_function bypeer_blake2s_compress_avx2;
blake2s_compress_function bypeer_blake2s_compress_avx512;

/* RFC 7693, 2.6 */
static const uint32_t blake2s_initial[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* RFC 7693, 2.7: which words of the message a round mixes in. */
static const uint8_t blake2s_schedule[BLAKE2S_ROUNDS][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

/* Vectors are never passed as values: how depends on what an object is compiled for. */
static inline __attribute__((always_inline)) void blake2s_rotate(blake2s_words *words, unsigned bits)
{
    *words = *words >> bits | *words << (32 - bits);
}

static inline __attribute__((always_inline)) void blake2s_mix(blake2s_words v[static 16], unsigned a, unsigned b,
                                                              unsigned c, unsigned d, const blake2s_words *x,
                                                              const blake2s_words *y)
{
    v[a] += v[b] + *x;
    v[d] ^= v[a];
    blake2s_rotate(&v[d], 16);
    v[c] += v[d];
    v[b] ^= v[c];
    blake2s_rotate(&v[b], 12);
    v[a] += v[b] + *y;
    v[d] ^= v[a];
    blake2s_rotate(&v[d], 8);
    v[c] += v[d];
    v[b] ^= v[c];
    blake2s_rotate(&v[b], 7);
}

/* Eight words of eight messages, transposed. */
static inline __attribute__((always_inline)) void blake2s_transpose(const blake2s_words rows[static 8],
                                                                    blake2s_words ret_words[static 8])
{
    blake2s_words low[4], high[4], quarters[2][4];
    for (unsigned i = 0; i < 4; i++) {
        low[i] = __builtin_shufflevector(rows[2 * i], rows[2 * i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        high[i] = __builtin_shufflevector(rows[2 * i], rows[2 * i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (unsigned i = 0; i < 2; i++) { /* words 0 and 4, 1 and 5, ... of four messages */
        quarters[i][0] = __builtin_shufflevector(low[2 * i], low[2 * i + 1], 0, 1, 8, 9, 4, 5, 12, 13);
        quarters[i][1] = __builtin_shufflevector(low[2 * i], low[2 * i + 1], 2, 3, 10, 11, 6, 7, 14, 15);
        quarters[i][2] = __builtin_shufflevector(high[2 * i], high[2 * i + 1], 0, 1, 8, 9, 4, 5, 12, 13);
        quarters[i][3] = __builtin_shufflevector(high[2 * i], high[2 * i + 1], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    for (unsigned i = 0; i < 4; i++) {
        ret_words[i] = __builtin_shufflevector(quarters[0][i], quarters[1][i], 0, 1, 2, 3, 8, 9, 10, 11);
        ret_words[4 + i] = __builtin_shufflevector(quarters[0][i], quarters[1][i], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

static inline __attribute__((always_inline)) void blake2s_compress(blake2s_words chain[static 8],
                                                                   const uint8_t *const blocks[static BLAKE2S_LANES],
                                                                   uint64_t bytes, uint32_t last)
{
    blake2s_words v[16], m[16], rows[BLAKE2S_LANES];
    for (unsigned half = 0; half < 2; half++) {
        for (unsigned lane = 0; lane < BLAKE2S_LANES; lane++)
            memcpy(&rows[lane], blocks[lane] + half * sizeof(rows[lane]), sizeof(rows[lane]));
        blake2s_transpose(rows, &m[8 * half]);
    }
    for (unsigned i = 0; i < 8; i++) {
        v[i] = chain[i];
        v[8 + i] = (blake2s_words){0} + blake2s_initial[i];
    }
    v[12] ^= (uint32_t)bytes;
    v[13] ^= (uint32_t)(bytes >> 32);
    v[14] ^= last;
#pragma GCC unroll 10 /* so that the schedule becomes constants */
    for (unsigned round = 0; round < BLAKE2S_ROUNDS; round++) {
        const uint8_t *s = blake2s_schedule[round];
        blake2s_mix(v, 0, 4, 8, 12, &m[s[0]], &m[s[1]]);
        blake2s_mix(v, 1, 5, 9, 13, &m[s[2]], &m[s[3]]);
        blake2s_mix(v, 2, 6, 10, 14, &m[s[4]], &m[s[5]]);
        blake2s_mix(v, 3, 7, 11, 15, &m[s[6]], &m[s[7]]);
        blake2s_mix(v, 0, 5, 10, 15, &m[s[8]], &m[s[9]]);
        blake2s_mix(v, 1, 6, 11, 12, &m[s[10]], &m[s[11]]);
        blake2s_mix(v, 2, 7, 8, 13, &m[s[12]], &m[s[13]]);
        blake2s_mix(v, 3, 4, 9, 14, &m[s[14]], &m[s[15]]);
    }
    for (unsigned i = 0; i < 8; i++)
        chain[i] ^= v[i] ^ v[8 + i];
}
