/*
 * PNRP IDs: 256-bit numbers on a ring, most significant byte first ([MS-PNRP] 1.3.3).
 *
 *   0                 16                32
 *   | P2P ID          | service location |      P2P ID: hash of the peer name (name.h)
 *
 * 2^256 - 1 is next to 0, so "nearer" means the smaller of the two ways round.
 */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BYPEER_ID_BYTES     32
#define BYPEER_P2P_ID_BYTES 16

/* An ID as a number: words[0] is the most significant. */
struct bypeer_id_number {
    uint64_t words[4];
};

static inline struct bypeer_id_number bypeer_id_load(const uint8_t id[static BYPEER_ID_BYTES])
{
    struct bypeer_id_number number;
    memcpy(&number, id, sizeof(number));
    for (unsigned i = 0; i < 4; i++)
        number.words[i] = be64toh(number.words[i]);
    return number;
}

static inline void bypeer_id_store(uint8_t ret_id[static BYPEER_ID_BYTES], struct bypeer_id_number number)
{
    for (unsigned i = 0; i < 4; i++)
        number.words[i] = htobe64(number.words[i]);
    memcpy(ret_id, &number, sizeof(number));
}

/* Negative, 0 or positive. */
static inline int bypeer_id_compare(struct bypeer_id_number a, struct bypeer_id_number b)
{
    for (unsigned i = 0; i < 4; i++)
        if (a.words[i] != b.words[i])
            return a.words[i] < b.words[i] ? -1 : 1;
    return 0;
}

/* a - b modulo 2^256: how far above b on the ring a is. */
static inline struct bypeer_id_number bypeer_id_above(struct bypeer_id_number a, struct bypeer_id_number b)
{
    struct bypeer_id_number difference;
    unsigned borrow = 0;
    for (unsigned i = 4; i-- > 0;) {
        unsigned long long part;
        unsigned first = __builtin_usubll_overflow(a.words[i], b.words[i], &part);
        unsigned second = __builtin_usubll_overflow(part, borrow, &part);
        difference.words[i] = part;
        borrow = first | second;
    }
    return difference;
}

/* The shorter way round between a and b. */
static inline struct bypeer_id_number bypeer_id_distance(struct bypeer_id_number a, struct bypeer_id_number b)
{
    struct bypeer_id_number up = bypeer_id_above(a, b);
    struct bypeer_id_number down = bypeer_id_above(b, a);
    return bypeer_id_compare(up, down) <= 0 ? up : down;
}

/* Whether a is strictly nearer to target than b. */
static inline bool bypeer_id_is_nearer(struct bypeer_id_number target, struct bypeer_id_number a,
                                       struct bypeer_id_number b)
{
    return bypeer_id_compare(bypeer_id_distance(a, target), bypeer_id_distance(b, target)) < 0;
}

/* a + b modulo 2^256. */
static inline struct bypeer_id_number bypeer_id_add(struct bypeer_id_number a, struct bypeer_id_number b)
{
    struct bypeer_id_number none = {{0}};
    return bypeer_id_above(a, bypeer_id_above(none, b));
}

/* How many leading bits are equal: 0 to 256. */
static inline unsigned bypeer_id_common_bits(struct bypeer_id_number a, struct bypeer_id_number b)
{
    for (unsigned i = 0; i < 4; i++)
        if (a.words[i] != b.words[i])
            return 64 * i + (unsigned)__builtin_clzll(a.words[i] ^ b.words[i]);
    return 256;
}

/* As a fraction of the ring, rounded: for spans and densities. */
static inline double bypeer_id_fraction(struct bypeer_id_number number)
{
    double value = 0;
    for (unsigned i = 4; i-- > 0;)
        value = (value + (double)number.words[i]) * 0x1p-64;
    return value;
}
