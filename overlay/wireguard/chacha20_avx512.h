/*
 * Blocks of ChaCha20 (RFC 8439, 2.3) side by side: sixteen of any packets, where a vector holds one word of the state
 * for all of them, or eight of one packet, where a vector holds four words for four of them. The eight take a little
 * more than half the time of the sixteen.
 *
 * Only for objects that are compiled for AVX-512.
 */
#pragma once

#include <immintrin.h>
#include <stdint.h>

/* Keys and nonces of up to sixteen packets: vector w holds word w of each. */
struct chacha20 {
    __m512i key[8];
    __m512i nonce[2];
};

static inline __attribute__((always_inline)) void chacha20_quarter(__m512i x[], unsigned a, unsigned b, unsigned c,
                                                                   unsigned d)
{
    x[a] = _mm512_add_epi32(x[a], x[b]);
    x[d] = _mm512_rol_epi32(_mm512_xor_si512(x[d], x[a]), 16);
    x[c] = _mm512_add_epi32(x[c], x[d]);
    x[b] = _mm512_rol_epi32(_mm512_xor_si512(x[b], x[c]), 12);
    x[a] = _mm512_add_epi32(x[a], x[b]);
    x[d] = _mm512_rol_epi32(_mm512_xor_si512(x[d], x[a]), 8);
    x[c] = _mm512_add_epi32(x[c], x[d]);
    x[b] = _mm512_rol_epi32(_mm512_xor_si512(x[b], x[c]), 7);
}

static const uint32_t chacha20_constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}; /* "expand 32-byte k" */

/* Words of sixteen states to words of their blocks. */
static inline __attribute__((always_inline)) void chacha20_run(const __m512i start[static 16],
                                                               __m512i ret_words[static 16])
{
    __m512i x[16];
    for (unsigned w = 0; w < 16; w++)
        x[w] = start[w];
    for (unsigned i = 0; i < 10; i++) {
        chacha20_quarter(x, 0, 4, 8, 12);
        chacha20_quarter(x, 1, 5, 9, 13);
        chacha20_quarter(x, 2, 6, 10, 14);
        chacha20_quarter(x, 3, 7, 11, 15);
        chacha20_quarter(x, 0, 5, 10, 15);
        chacha20_quarter(x, 1, 6, 11, 12);
        chacha20_quarter(x, 2, 7, 8, 13);
        chacha20_quarter(x, 3, 4, 9, 14);
    }
    for (unsigned w = 0; w < 16; w++)
        ret_words[w] = _mm512_add_epi32(x[w], start[w]);
}

/*
 * Key stream of sixteen blocks. Lane l is block number block[l] of packet packet[l], which is a lane of packets; word w
 * of all blocks comes into ret_words[w].
 */
static inline __attribute__((always_inline)) void chacha20_blocks(const struct chacha20 *packets, __m512i packet,
                                                                  __m512i block, __m512i ret_words[static 16])
{
    __m512i start[16];
    for (unsigned w = 0; w < 4; w++)
        start[w] = _mm512_set1_epi32((int)chacha20_constants[w]);
    for (unsigned w = 0; w < 8; w++)
        start[4 + w] = _mm512_permutexvar_epi32(packet, packets->key[w]);
    start[12] = block;
    start[13] = _mm512_setzero_si512(); /* the first four bytes of the nonce */
    for (unsigned w = 0; w < 2; w++)
        start[14 + w] = _mm512_permutexvar_epi32(packet, packets->nonce[w]);
    chacha20_run(start, ret_words);
}

/* 4 x 4 parts of 128 bits, transposed. */
static inline __attribute__((always_inline)) void transpose_parts(const __m512i in[static 4], __m512i out[static 4])
{
    __m512i a = _mm512_shuffle_i64x2(in[0], in[1], 0x44), b = _mm512_shuffle_i64x2(in[2], in[3], 0x44);
    __m512i c = _mm512_shuffle_i64x2(in[0], in[1], 0xee), d = _mm512_shuffle_i64x2(in[2], in[3], 0xee);
    out[0] = _mm512_shuffle_i64x2(a, b, 0x88);
    out[1] = _mm512_shuffle_i64x2(a, b, 0xdd);
    out[2] = _mm512_shuffle_i64x2(c, d, 0x88);
    out[3] = _mm512_shuffle_i64x2(c, d, 0xdd);
}

/* In each part of 128 bits: 4 x 4 words, transposed. */
static inline __attribute__((always_inline)) void transpose_words(const __m512i in[static 4], __m512i out[static 4])
{
    __m512i a = _mm512_unpacklo_epi32(in[0], in[1]), b = _mm512_unpacklo_epi32(in[2], in[3]);
    __m512i c = _mm512_unpackhi_epi32(in[0], in[1]), d = _mm512_unpackhi_epi32(in[2], in[3]);
    out[0] = _mm512_unpacklo_epi64(a, b);
    out[1] = _mm512_unpackhi_epi64(a, b);
    out[2] = _mm512_unpacklo_epi64(c, d);
    out[3] = _mm512_unpackhi_epi64(c, d);
}

/* Words of sixteen blocks to sixteen blocks, as they lie in memory. */
static inline __attribute__((always_inline)) void chacha20_transpose(const __m512i words[static 16],
                                                                     __m512i ret_blocks[static 16])
{
    __m512i rows[4][4]; /* [word / 4][lane % 4]: four words of the lanes k, k + 4, k + 8, k + 12 */
    for (unsigned i = 0; i < 4; i++)
        transpose_words(&words[4 * i], rows[i]);
    for (unsigned k = 0; k < 4; k++) {
        __m512i parts[4] = {rows[0][k], rows[1][k], rows[2][k], rows[3][k]}, blocks[4];
        transpose_parts(parts, blocks);
        for (unsigned j = 0; j < 4; j++)
            ret_blocks[4 * j + k] = blocks[j];
    }
}

/* Keys of sixteen packets and their counters, word by word. */
static inline __attribute__((always_inline)) void
chacha20_load(struct chacha20 *ret_packets, const uint8_t *const keys[static 16], const uint64_t counters[static 16])
{
    for (unsigned half = 0; half < 2; half++) {
        __m512i rows[4]; /* of the packets k, k + 4, k + 8, k + 12 */
        for (unsigned k = 0; k < 4; k++) {
            __m128i parts[4];
            for (unsigned j = 0; j < 4; j++)
                parts[j] = _mm_loadu_si128((const __m128i *)(const void *)(keys[4 * j + k] + 16 * half));
            rows[k] = _mm512_inserti32x4(_mm512_castsi128_si512(parts[0]), parts[1], 1);
            rows[k] = _mm512_inserti32x4(rows[k], parts[2], 2);
            rows[k] = _mm512_inserti32x4(rows[k], parts[3], 3);
        }
        transpose_words(rows, &ret_packets->key[4 * half]);
    }
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i first = _mm512_loadu_si512(counters), second = _mm512_loadu_si512(counters + 8);
    ret_packets->nonce[0] = _mm512_permutex2var_epi32(first, even, second);
    ret_packets->nonce[1] = _mm512_permutex2var_epi32(first, _mm512_add_epi32(even, _mm512_set1_epi32(1)), second);
}

/* The state of one packet's block, four words a vector, four times over: constants, key, key, block number and nonce.
 */
static inline __attribute__((always_inline)) void chacha20_load_one(const uint8_t key[static 32], uint64_t counter,
                                                                    uint32_t block, __m512i ret_state[static 4])
{
    ret_state[0] = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)chacha20_constants));
    ret_state[1] = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)key));
    ret_state[2] = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)(key + 16)));
    ret_state[3] = _mm512_broadcast_i32x4(_mm_set_epi64x((long long)counter, block));
}

/* Sixteen blocks from one on, as they lie in memory. */
static inline __attribute__((always_inline)) void chacha20_sixteen(const uint8_t key[static 32], uint64_t counter,
                                                                   uint32_t block, __m512i ret_blocks[static 16])
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i state[4], start[16], words[16];
    chacha20_load_one(key, counter, block, state);
    for (unsigned i = 0; i < 4; i++) {
        start[4 * i + 0] = _mm512_shuffle_epi32(state[i], _MM_PERM_AAAA);
        start[4 * i + 1] = _mm512_shuffle_epi32(state[i], _MM_PERM_BBBB);
        start[4 * i + 2] = _mm512_shuffle_epi32(state[i], _MM_PERM_CCCC);
        start[4 * i + 3] = _mm512_shuffle_epi32(state[i], _MM_PERM_DDDD);
    }
    start[12] = _mm512_add_epi32(start[12], lanes);
    chacha20_run(start, words);
    chacha20_transpose(words, ret_blocks);
}

/* Eight blocks from one on, as they lie in memory. */
static inline __attribute__((always_inline)) void chacha20_eight(const uint8_t key[static 32], uint64_t counter,
                                                                 uint32_t block, __m512i ret_blocks[static 8])
{
    __m512i start[8], x[8]; /* the first four blocks, the second four */
    chacha20_load_one(key, counter, block, start);
    start[3] = _mm512_add_epi32(start[3], _mm512_setr_epi32(0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0));
    for (unsigned i = 0; i < 4; i++)
        start[4 + i] = start[i];
    start[7] = _mm512_add_epi32(start[7], _mm512_setr_epi32(4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0));
    for (unsigned i = 0; i < 8; i++)
        x[i] = start[i];
    for (unsigned i = 0; i < 10; i++) {
        chacha20_quarter(x, 0, 1, 2, 3);
        chacha20_quarter(x, 4, 5, 6, 7);
        for (unsigned four = 0; four < 8; four += 4) { /* columns to diagonals */
            x[four + 1] = _mm512_shuffle_epi32(x[four + 1], _MM_PERM_ADCB);
            x[four + 2] = _mm512_shuffle_epi32(x[four + 2], _MM_PERM_BADC);
            x[four + 3] = _mm512_shuffle_epi32(x[four + 3], _MM_PERM_CBAD);
        }
        chacha20_quarter(x, 0, 1, 2, 3);
        chacha20_quarter(x, 4, 5, 6, 7);
        for (unsigned four = 0; four < 8; four += 4) { /* and back */
            x[four + 1] = _mm512_shuffle_epi32(x[four + 1], _MM_PERM_CBAD);
            x[four + 2] = _mm512_shuffle_epi32(x[four + 2], _MM_PERM_BADC);
            x[four + 3] = _mm512_shuffle_epi32(x[four + 3], _MM_PERM_ADCB);
        }
    }
    for (unsigned i = 0; i < 8; i++)
        x[i] = _mm512_add_epi32(x[i], start[i]);
    transpose_parts(x, ret_blocks);
    transpose_parts(x + 4, ret_blocks + 4);
}
