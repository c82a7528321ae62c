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

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

/* a - b modulo 2^256: how far above b on the ring a is. One chain of borrows, which no compiler makes of the portable
 * form. */
static inline struct bypeer_id_number bypeer_id_above(struct bypeer_id_number a, struct bypeer_id_number b)
{
    struct bypeer_id_number difference;
#if defined(__x86_64__)
    unsigned long long parts[4];
    unsigned char borrow = _subborrow_u64(0, a.words[3], b.words[3], &parts[3]);
    borrow = _subborrow_u64(borrow, a.words[2], b.words[2], &parts[2]);
    borrow = _subborrow_u64(borrow, a.words[1], b.words[1], &parts[1]);
    _subborrow_u64(borrow, a.words[0], b.words[0], &parts[0]);
    for (unsigned i = 0; i < 4; i++)
        difference.words[i] = parts[i];
#else
    unsigned borrow = 0;
    for (unsigned i = 4; i-- > 0;) {
        unsigned long long part;
        unsigned first = __builtin_usubll_overflow(a.words[i], b.words[i], &part);
        unsigned second = __builtin_usubll_overflow(part, borrow, &part);
        difference.words[i] = part;
        borrow = first | second;
    }
#endif
    return difference;
}

/* The shorter way round between a and b: of a difference above half the ring, the rest of the ring. */
static inline struct bypeer_id_number bypeer_id_distance(struct bypeer_id_number a, struct bypeer_id_number b)
{
    const struct bypeer_id_number none = {{0}};
    struct bypeer_id_number up = bypeer_id_above(a, b);
    return up.words[0] >> 63 ? bypeer_id_above(none, up) : up;
}

/* Whether a is strictly nearer to target than b. */
static inline bool bypeer_id_is_nearer(struct bypeer_id_number target, struct bypeer_id_number a,
                                       struct bypeer_id_number b)
{
    return bypeer_id_compare(bypeer_id_distance(a, target), bypeer_id_distance(b, target)) < 0;
}

/* How far apart two first words are on a ring of 64 bits. The first word of two IDs' distance is this, or one less. */
static inline uint64_t bypeer_id_rough_distance(const uint8_t a[static BYPEER_ID_BYTES],
                                                const uint8_t b[static BYPEER_ID_BYTES])
{
    uint64_t first, second;
    memcpy(&first, a, sizeof(first));
    memcpy(&second, b, sizeof(second));
    uint64_t up = be64toh(first) - be64toh(second);
    return up < -up ? up : -up;
}

/* Negative: a is nearer to target than b; positive: b is; 0: they are equally far. IDs as on the wire; their first
 * words decide nearly always. */
static inline int bypeer_id_compare_distances(const uint8_t target[static BYPEER_ID_BYTES],
                                              const uint8_t a[static BYPEER_ID_BYTES],
                                              const uint8_t b[static BYPEER_ID_BYTES])
{
    uint64_t rough_a = bypeer_id_rough_distance(a, target), rough_b = bypeer_id_rough_distance(b, target);
    if (rough_a + 1 < rough_b)
        return -1;
    if (rough_b + 1 < rough_a)
        return 1;
    struct bypeer_id_number number = bypeer_id_load(target);
    return bypeer_id_compare(bypeer_id_distance(bypeer_id_load(a), number),
                             bypeer_id_distance(bypeer_id_load(b), number));
}

/* Whether it is no ID at all: all zero. */
static inline bool bypeer_id_is_zero(const uint8_t id[static BYPEER_ID_BYTES])
{
    struct bypeer_id_number number;
    memcpy(&number, id, sizeof(number));
    return (number.words[0] | number.words[1] | number.words[2] | number.words[3]) == 0;
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
