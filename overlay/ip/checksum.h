/*
 * The Internet checksum: RFC 1071, updated in place as RFC 1624.
 *
 * A sum here is 64 bits wide and made of words as they lie in memory, whatever the host's byte order: a ones'
 * complement sum of swapped words is the swapped sum (RFC 1071, 2 (B)). Eight bytes are added at once, and a carry out
 * of the top comes in again at the bottom. Sums of parts add up, provided that each part begins at an even offset of
 * the whole; subtracting is adding the complement.
 *
 * bypeer_checksum_fold() makes 16 bits of it: the value of a checksum field is the complement of the folded sum, stored
 * raw (wire.h). A part whose checksum is right, field included, folds to 0xffff.
 */
#pragma once

#include <stddef.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "overlay/ip/wire.h"

/* sum + more, with end-around carry. */
static inline uint64_t bypeer_checksum_plus(uint64_t sum, uint64_t more)
{
    uint64_t total;
    uint64_t carry = __builtin_add_overflow(sum, more, &total);
    return total + carry;
}

/* sum + 32 bytes. One chain of carries, which neither compiler makes of the portable form. */
static inline uint64_t bypeer_checksum_plus32(uint64_t sum, const uint8_t data[static 32])
{
#if defined(__x86_64__)
    unsigned long long total = sum;
    unsigned char carry = _addcarry_u64(0, total, bypeer_load64_raw(data), &total);
    carry = _addcarry_u64(carry, total, bypeer_load64_raw(data + 8), &total);
    carry = _addcarry_u64(carry, total, bypeer_load64_raw(data + 16), &total);
    carry = _addcarry_u64(carry, total, bypeer_load64_raw(data + 24), &total);
    _addcarry_u64(carry, total, 0, &total);
    return total;
#else
    for (unsigned word = 0; word < 4; word++)
        sum = bypeer_checksum_plus(sum, bypeer_load64_raw(data + (size_t)8 * word));
    return sum;
#endif
}

static inline uint16_t bypeer_checksum_fold(uint64_t sum)
{
    uint32_t low = (uint32_t)sum, high = (uint32_t)(sum >> 32);
    uint32_t word;
    word = low + high;
    word += word < low;
    uint32_t folded = (word & 0xffff) + (word >> 16);
    return (uint16_t)(folded + (folded >> 16));
}

/* A field of 16 bits in host order, as a part of a sum. */
static inline uint64_t bypeer_checksum_field(uint16_t value)
{
    return htobe16(value);
}

/* The sum of length bytes; an odd one at the end counts as if a zero followed. For more than a few hundred bytes. */
uint64_t bypeer_checksum_long(const uint8_t *data, size_t length);

/* From this length on the call of bypeer_checksum_long() pays. */
#define BYPEER_CHECKSUM_LONG 256

/* The sum of length bytes, inline for the short packets that are most in number. */
static inline uint64_t bypeer_checksum_sum(const uint8_t *data, size_t length)
{
    if (length >= BYPEER_CHECKSUM_LONG)
        return bypeer_checksum_long(data, length);
    uint64_t sum = 0;
    for (; length >= 32; data += 32, length -= 32)
        sum = bypeer_checksum_plus32(sum, data);
    for (; length >= 8; data += 8, length -= 8)
        sum = bypeer_checksum_plus(sum, bypeer_load64_raw(data));
    /* The rest fits a word without a carry. Not by memcpy() of a length, which would be a call and a stalled load. */
    uint64_t rest = 0;
    if (length & 4) {
        rest = bypeer_load32_raw(data);
        data += 4;
    }
    if (length & 2) {
        rest += bypeer_load16_raw(data);
        data += 2;
    }
    if (length & 1)
        rest += bypeer_checksum_field((uint16_t)(*data << 8));
    return bypeer_checksum_plus(sum, rest);
}
