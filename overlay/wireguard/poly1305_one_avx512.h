/*
 * Poly1305 of one text over its own blocks: a lane of 64 bits is every eighth block. A row is eight blocks, R is r^8:
 *
 *   h = h R^4 + row0 R^3 + row1 R^2 + row2 R + row3    a step of four rows; there are those of one and two as well
 *   tag = sum over the lanes l of h_l r^(8 - l)  +  s
 *
 * The last block of the last row is that of the lengths; the first row begins with blocks of nothing.
 *
 * Only for objects that are compiled for AVX-512 with IFMA and VBMI2.
 */
#pragma once

#include <stdbool.h>

#include "overlay/wireguard/poly1305_avx512.h"

#define POLY1305_ROW 128

struct poly1305_one {
    struct poly1305_power ends;      /* of lane l: r^(8 - l) */
    struct poly1305_power powers[4]; /* R, R^2, R^3, R^4; of fewer than three rows only R */
    __m512i s[2];
    uint32_t rows;
};

struct poly1305_rows {
    const uint8_t *at;     /* row 0, which may be before the text */
    int64_t from, to, end; /* bytes from there to the text, to its end, and to that of all rows */
    uint64_t bytes;
};

static inline __attribute__((always_inline)) void poly1305_spread(struct poly1305_power *ret_power,
                                                                  const struct poly1305_power *power, unsigned lane)
{
    const __m512i from = _mm512_set1_epi64(lane);
    for (unsigned i = 0; i < 3; i++)
        ret_power->limbs[i] = _mm512_permutexvar_epi64(from, power->limbs[i]);
    for (unsigned i = 0; i < 2; i++)
        ret_power->by20[i] = _mm512_permutexvar_epi64(from, power->by20[i]);
}

/* Of the lanes that mask names the other's. */
static inline __attribute__((always_inline)) void poly1305_blend(struct poly1305_power *power, __mmask8 mask,
                                                                 const struct poly1305_power *other)
{
    for (unsigned i = 0; i < 3; i++)
        power->limbs[i] = _mm512_mask_mov_epi64(power->limbs[i], mask, other->limbs[i]);
    for (unsigned i = 0; i < 2; i++)
        power->by20[i] = _mm512_mask_mov_epi64(power->by20[i], mask, other->by20[i]);
}

/* key: r before it is clamped, and s, in its first 32 bytes. */
static inline __attribute__((always_inline)) void poly1305_one_begin(struct poly1305_one *one, __m512i key,
                                                                     uint32_t bytes)
{
    struct poly1305_power *ends = &one->ends, *powers = one->powers, second, more;
    __m512i words[4];
    for (unsigned i = 0; i < 4; i++)
        words[i] = _mm512_permutexvar_epi64(_mm512_set1_epi64(i), key);
    one->s[0] = words[2];
    one->s[1] = words[3];
    one->rows = (uint32_t)((((uint64_t)bytes + 15) / 16 + 1 + 7) / 8);

    poly1305_fill_first(ends, words);
    poly1305_fill_power(&second, ends, ends);
    poly1305_blend(ends, 0x55, &second);       /* r^2 r^1 r^2 r^1 r^2 r^1 r^2 r^1 */
    poly1305_fill_power(&more, ends, &second); /* r^4 r^3 ... */
    poly1305_blend(ends, 0x33, &more);         /* r^4 r^3 r^2 r^1 r^4 r^3 r^2 r^1 */
    poly1305_spread(&more, &more, 0);          /* r^4 */
    poly1305_fill_power(&powers[0], ends, &more);
    poly1305_blend(ends, 0x0f, &powers[0]);
    poly1305_spread(&powers[0], &powers[0], 0); /* r^8 */
    if (one->rows > 2) {
        poly1305_fill_power(&powers[1], &powers[0], &powers[0]);
        poly1305_fill_power(&powers[2], &powers[1], &powers[0]);
        poly1305_fill_power(&powers[3], &powers[1], &powers[1]);
    }
}

static inline uint64_t poly1305_bits_below(int64_t count)
{
    return count <= 0 ? 0 : count >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1;
}

/* The row that begins at offset, in limbs. */
static inline __attribute__((always_inline)) void poly1305_one_row(const struct poly1305_rows *rows, int64_t offset,
                                                                   __m512i ret_limbs[static 3])
{
    const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), bit = _mm512_set1_epi64(INT64_C(1) << 40);
    const __m512i odd = _mm512_add_epi64(even, _mm512_set1_epi64(1));
    const uint8_t *at = rows->at + offset;
    bool is_last = offset + POLY1305_ROW == rows->end;
    __m512i half[2], above = bit;
    if (offset > 0 && !is_last) {
        half[0] = _mm512_loadu_si512(at);
        half[1] = _mm512_loadu_si512(at + 64);
    } else {
        int64_t from = rows->from - offset, to = rows->to - offset;
        for (unsigned i = 0; i < 2; i++, from -= 64, to -= 64)
            half[i] = _mm512_maskz_loadu_epi8(poly1305_bits_below(to) & ~poly1305_bits_below(from), at + 64 * i);
        above = _mm512_maskz_mov_epi64((__mmask8)~poly1305_bits_below((rows->from - offset) / 16), bit);
    }
    __m512i low = _mm512_permutex2var_epi64(half[0], even, half[1]);
    __m512i high = _mm512_permutex2var_epi64(half[0], odd, half[1]);
    if (is_last)
        high = _mm512_mask_set1_epi64(high, 0x80, (long long)rows->bytes);
    poly1305_split(low, high, above, ret_limbs);
}

/* count rows from offset on. */
static inline __attribute__((always_inline)) void poly1305_one_step(const struct poly1305_one *one,
                                                                    const struct poly1305_rows *rows, int64_t offset,
                                                                    unsigned count, __m512i h[static 3],
                                                                    struct poly1305_checksum *checksum)
{
    struct poly1305_sums sums = {0};
    __m512i limbs[3];
    for (unsigned row = 0; row < count - 1; row++, offset += POLY1305_ROW) {
        poly1305_one_row(rows, offset, limbs);
        poly1305_checksum_add(checksum, limbs);
        poly1305_multiply(&one->powers[count - 2 - row], limbs, &sums);
    }
    poly1305_one_row(rows, offset, limbs);
    poly1305_checksum_add(checksum, limbs);
    if (offset >= (int64_t)count * POLY1305_ROW)
        poly1305_multiply(&one->powers[count - 1], h, &sums);
    poly1305_reduce(&sums, h);
    for (unsigned i = 0; i < 3; i++)
        h[i] = _mm512_add_epi64(h[i], limbs[i]);
}

static inline __attribute__((always_inline)) __m512i poly1305_sum_lanes(__m512i lanes)
{
    return _mm512_set1_epi64(_mm512_reduce_add_epi64(lanes));
}

/* Of the text that it was begun for: the tag's halves, in every lane. checksum: may be NULL. */
static inline __attribute__((always_inline)) void poly1305_one_run(const struct poly1305_one *one, const uint8_t *text,
                                                                   uint32_t bytes, __m512i ret_tag[static 2],
                                                                   struct poly1305_checksum *checksum)
{
    struct poly1305_rows rows = {.end = (int64_t)one->rows * POLY1305_ROW, .bytes = bytes};
    rows.from = rows.end - 16 - ((int64_t)bytes + 15) / 16 * 16;
    rows.to = rows.from + bytes;
    rows.at = text - rows.from;
    __m512i h[3] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    int64_t offset = 0;
    if (one->rows & 1) {
        poly1305_one_step(one, &rows, offset, 1, h, checksum);
        offset += POLY1305_ROW;
    }
    if (one->rows & 2) {
        poly1305_one_step(one, &rows, offset, 2, h, checksum);
        offset += (int64_t)2 * POLY1305_ROW;
    }
    for (; offset < rows.end; offset += (int64_t)4 * POLY1305_ROW)
        poly1305_one_step(one, &rows, offset, 4, h, checksum);

    struct poly1305_sums sums = {0};
    poly1305_multiply(&one->ends, h, &sums);
    for (unsigned i = 0; i < 3; i++) {
        sums.low[i] = poly1305_sum_lanes(sums.low[i]);
        sums.high[i] = poly1305_sum_lanes(sums.high[i]);
    }
    poly1305_reduce(&sums, h);
    poly1305_finish(h, one->s, ret_tag);
}
