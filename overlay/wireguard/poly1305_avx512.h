/*
 * Poly1305 (RFC 8439, 2.5) of eight texts side by side: a lane of 64 bits is a text.
 *
 * Numbers modulo 2^130 - 5 are three limbs of 44, 44 and 42 bits, so that a product of limbs is what VPMADD52 makes: 52
 * low bits and 52 high ones, the latter 2^8 below the next limb. Limb 3 is 2^132 = 4 * 2^130, that is, 20 of limb 0.
 *
 *   limbs that go in: below 2^46 (h + block) and 2^45 (powers of r), 20 r below 2^50
 *   a step's sums:    twelve products each: low below 2^56, high below 2^48 (shifted 2^56)
 *   reduced:          h0 below 2^44, h1 below 2^45, h2 below 2^42
 *
 * Only for objects that are compiled for AVX-512 with IFMA and VBMI2.
 */
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "overlay/wireguard/chacha20_avx512.h"

struct poly1305_power {
    __m512i limbs[3];
    __m512i by20[2]; /* 20 times the limbs 1 and 2 */
};

struct poly1305 {
    __m512i h[3];
    struct poly1305_power powers[4]; /* r, r^2, r^3, r^4 */
    __m512i s[2];
};

struct poly1305_sums {
    __m512i low[3], high[3];
};

static inline __attribute__((always_inline)) __m512i poly1305_bits(unsigned count)
{
    return _mm512_set1_epi64((long long)(UINT64_MAX >> (64 - count)));
}

/* A number of 128 bits, and one bit at 2^128 or none, to limbs. */
static inline __attribute__((always_inline)) void poly1305_split(__m512i low, __m512i high, __m512i above,
                                                                 __m512i ret_limbs[static 3])
{
    ret_limbs[0] = _mm512_and_si512(low, poly1305_bits(44));
    ret_limbs[1] = _mm512_and_si512(_mm512_shrdi_epi64(low, high, 44), poly1305_bits(44));
    ret_limbs[2] = _mm512_or_si512(_mm512_srli_epi64(high, 24), above);
}

/* Adds a times a power of r to the sums. */
static inline __attribute__((always_inline)) void
poly1305_multiply(const struct poly1305_power *power, const __m512i a[static 3], struct poly1305_sums *sums)
{
    const __m512i factors[3][3] = {
        {power->limbs[0], power->by20[1], power->by20[0]},
        {power->limbs[1], power->limbs[0], power->by20[1]},
        {power->limbs[2], power->limbs[1], power->limbs[0]},
    };
    for (unsigned limb = 0; limb < 3; limb++) {
        for (unsigned i = 0; i < 3; i++) {
            sums->low[limb] = _mm512_madd52lo_epu64(sums->low[limb], a[i], factors[limb][i]);
            sums->high[limb] = _mm512_madd52hi_epu64(sums->high[limb], a[i], factors[limb][i]);
        }
    }
}

static inline __attribute__((always_inline)) void poly1305_reduce(const struct poly1305_sums *sums,
                                                                  __m512i ret_limbs[static 3])
{
    __m512i t0 = sums->low[0];
    __m512i t1 = _mm512_add_epi64(_mm512_add_epi64(sums->low[1], _mm512_slli_epi64(sums->high[0], 8)),
                                  _mm512_srli_epi64(t0, 44));
    __m512i t2 = _mm512_add_epi64(_mm512_add_epi64(sums->low[2], _mm512_slli_epi64(sums->high[1], 8)),
                                  _mm512_srli_epi64(t1, 44));
    /* In units of 2^130, each of which is 5. */
    __m512i over = _mm512_add_epi64(_mm512_srli_epi64(t2, 42), _mm512_slli_epi64(sums->high[2], 10));
    t0 = _mm512_add_epi64(_mm512_and_si512(t0, poly1305_bits(44)), _mm512_add_epi64(over, _mm512_slli_epi64(over, 2)));
    ret_limbs[0] = _mm512_and_si512(t0, poly1305_bits(44));
    ret_limbs[1] = _mm512_add_epi64(_mm512_and_si512(t1, poly1305_bits(44)), _mm512_srli_epi64(t0, 44));
    ret_limbs[2] = _mm512_and_si512(t2, poly1305_bits(42));
}

/* To be called when .limbs are there. */
static inline __attribute__((always_inline)) void poly1305_fill_by20(struct poly1305_power *power)
{
    for (unsigned i = 0; i < 2; i++) {
        __m512i four = _mm512_slli_epi64(power->limbs[1 + i], 2);
        power->by20[i] = _mm512_add_epi64(four, _mm512_slli_epi64(four, 2));
    }
}

static inline __attribute__((always_inline)) void poly1305_fill_power(struct poly1305_power *ret_power,
                                                                      const struct poly1305_power *left,
                                                                      const struct poly1305_power *right)
{
    struct poly1305_sums sums = {0};
    poly1305_multiply(right, left->limbs, &sums);
    poly1305_reduce(&sums, ret_power->limbs);
    poly1305_fill_by20(ret_power);
}

/* r before it is clamped: its low and high half. */
static inline __attribute__((always_inline)) void poly1305_fill_first(struct poly1305_power *ret_power,
                                                                      const __m512i r[static 2])
{
    __m512i low = _mm512_and_si512(r[0], _mm512_set1_epi64(INT64_C(0x0ffffffc0fffffff)));
    __m512i high = _mm512_and_si512(r[1], _mm512_set1_epi64(INT64_C(0x0ffffffc0ffffffc)));
    poly1305_split(low, high, _mm512_setzero_si512(), ret_power->limbs);
    poly1305_fill_by20(ret_power);
}

/* r before it is clamped, and s: low and high half of each. */
static inline __attribute__((always_inline)) void poly1305_begin(struct poly1305 *poly, const __m512i r[static 2],
                                                                 const __m512i s[static 2])
{
    struct poly1305_power *powers = poly->powers;
    poly1305_fill_first(&powers[0], r);
    poly1305_fill_power(&powers[1], &powers[0], &powers[0]);
    poly1305_fill_power(&powers[2], &powers[1], &powers[0]);
    poly1305_fill_power(&powers[3], &powers[1], &powers[1]);
    for (unsigned i = 0; i < 3; i++)
        poly->h[i] = _mm512_setzero_si512();
    poly->s[0] = s[0];
    poly->s[1] = s[1];
}

/* Four blocks of each of eight texts, as 64 bytes a text, to their low and high halves: [block], a lane a text. */
static inline __attribute__((always_inline)) void
poly1305_transpose(const __m512i texts[static 8], __m512i ret_low[static 4], __m512i ret_high[static 4])
{
    __m512i low[4], high[4];
    for (unsigned i = 0; i < 4; i++) {
        low[i] = _mm512_unpacklo_epi64(texts[2 * i], texts[2 * i + 1]);
        high[i] = _mm512_unpackhi_epi64(texts[2 * i], texts[2 * i + 1]);
    }
    transpose_parts(low, ret_low);
    transpose_parts(high, ret_high);
}

/*
 * The Internet checksum of texts comes of their limbs: modulo 2^16 - 1, limb 1 is 2^12 times what it says, limb 2 is
 * 2^8 times, and the bit above a block is 1. Up to 2^16 blocks a lane.
 */
struct poly1305_checksum {
    __m512i limbs[3];
};

/* checksum: NULL where nobody wants it. */
static inline __attribute__((always_inline)) void poly1305_checksum_add(struct poly1305_checksum *checksum,
                                                                        const __m512i limbs[static 3])
{
    if (!checksum)
        return;
    for (unsigned i = 0; i < 3; i++)
        checksum->limbs[i] = _mm512_add_epi64(checksum->limbs[i], limbs[i]);
}

/* Below 2^62. */
static inline __attribute__((always_inline)) __m512i poly1305_checksum_finish(const struct poly1305_checksum *checksum)
{
    static const unsigned shifts[3] = {0, 12, 8};
    __m512i sum = _mm512_setzero_si512();
    for (unsigned i = 0; i < 3; i++) {
        __m512i folded = _mm512_add_epi64(_mm512_and_si512(checksum->limbs[i], poly1305_bits(48)),
                                          _mm512_srli_epi64(checksum->limbs[i], 48));
        sum = _mm512_add_epi64(sum, _mm512_slli_epi64(folded, shifts[i]));
    }
    return sum;
}

/* above: the bit above each block, 0 where there is no block. checksum: may be NULL. */
static inline __attribute__((always_inline)) void poly1305_step(struct poly1305 *poly, const __m512i low[static 4],
                                                                const __m512i high[static 4],
                                                                const __m512i above[static 4],
                                                                struct poly1305_checksum *checksum)
{
    struct poly1305_sums sums = {0};
    __m512i limbs[3];
    for (unsigned block = 1; block < 4; block++) {
        poly1305_split(low[block], high[block], above[block], limbs);
        poly1305_checksum_add(checksum, limbs);
        poly1305_multiply(&poly->powers[3 - block], limbs, &sums);
    }
    /* Last, since it waits for the step before. */
    poly1305_split(low[0], high[0], above[0], limbs);
    poly1305_checksum_add(checksum, limbs);
    for (unsigned i = 0; i < 3; i++)
        limbs[i] = _mm512_add_epi64(limbs[i], poly->h[i]);
    poly1305_multiply(&poly->powers[3], limbs, &sums);
    poly1305_reduce(&sums, poly->h);
}

/* h + s: the tags' halves. */
static inline __attribute__((always_inline)) void poly1305_finish(const __m512i h[static 3], const __m512i s[static 2],
                                                                  __m512i ret_tag[static 2])
{
    const __m512i limb = poly1305_bits(44), top = poly1305_bits(42), five = _mm512_set1_epi64(5);
    __m512i h0 = h[0], h1 = h[1], h2 = h[2];
    /* Twice around: if the first lap carries out of the top, then h2 is 0, and the second does not. */
    for (unsigned i = 0; i < 2; i++) {
        h1 = _mm512_add_epi64(h1, _mm512_srli_epi64(h0, 44));
        h0 = _mm512_and_si512(h0, limb);
        h2 = _mm512_add_epi64(h2, _mm512_srli_epi64(h1, 44));
        h1 = _mm512_and_si512(h1, limb);
        __m512i over = _mm512_srli_epi64(h2, 42);
        h2 = _mm512_and_si512(h2, top);
        h0 = _mm512_add_epi64(h0, _mm512_add_epi64(over, _mm512_slli_epi64(over, 2)));
    }
    /* h - (2^130 - 5), if that is not negative. */
    __m512i g0 = _mm512_add_epi64(h0, five);
    __m512i g1 = _mm512_add_epi64(h1, _mm512_srli_epi64(g0, 44));
    __m512i g2 = _mm512_add_epi64(h2, _mm512_srli_epi64(g1, 44));
    __mmask8 over = _mm512_cmpgt_epu64_mask(g2, top);
    h0 = _mm512_mask_and_epi64(h0, over, g0, limb);
    h1 = _mm512_mask_and_epi64(h1, over, g1, limb);
    h2 = _mm512_mask_and_epi64(h2, over, g2, top);

    __m512i low = _mm512_or_si512(h0, _mm512_slli_epi64(h1, 44));
    __m512i high = _mm512_or_si512(_mm512_srli_epi64(h1, 20), _mm512_slli_epi64(h2, 24));
    ret_tag[0] = _mm512_add_epi64(low, s[0]);
    __mmask8 carry = _mm512_cmplt_epu64_mask(ret_tag[0], low);
    high = _mm512_add_epi64(high, s[1]);
    ret_tag[1] = _mm512_mask_add_epi64(high, carry, high, _mm512_set1_epi64(1));
}
