/* The Internet checksum against the definition of RFC 1071, word by word. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "overlay/ip/checksum.h"

/* RFC 1071, 4.1, on bytes: no word order, no tricks. */
static uint16_t reference_sum(const uint8_t *data, size_t length)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static uint16_t our_sum(const uint8_t *data, size_t length)
{
    return be16toh(bypeer_checksum_fold(bypeer_checksum_sum(data, length)));
}

static void fill(uint8_t *data, size_t length, unsigned seed)
{
    srandom(seed);
    for (size_t i = 0; i < length; i++)
        data[i] = (uint8_t)random();
}

Test(checksum, example_of_rfc_1071)
{
    /* RFC 1071, 3: the sum is ddf2, the checksum its complement. */
    const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    cr_assert_eq(our_sum(data, sizeof(data)), 0xddf2);
}

Test(checksum, every_length_at_every_alignment)
{
    uint8_t data[1600];
    fill(data, sizeof(data), 1);
    for (size_t start = 0; start < 9; start++)
        for (size_t length = 0; length < 1550; length++)
            cr_assert_eq(our_sum(data + start, length), reference_sum(data + start, length), "start %zu length %zu",
                         start, length);
}

Test(checksum, extreme_bytes)
{
    static uint8_t data[9216];
    for (unsigned byte = 0; byte < 256; byte += 255) {
        memset(data, (int)byte, sizeof(data));
        for (size_t length = 0; length < sizeof(data); length += 31)
            cr_assert_eq(our_sum(data, length), reference_sum(data, length), "byte %u length %zu", byte, length);
    }
}

Test(checksum, sums_of_parts_add_up)
{
    uint8_t data[600];
    fill(data, sizeof(data), 2);
    for (size_t cut = 0; cut <= sizeof(data); cut += 2) {
        uint64_t sum =
            bypeer_checksum_plus(bypeer_checksum_sum(data, cut), bypeer_checksum_sum(data + cut, sizeof(data) - cut));
        cr_assert_eq(be16toh(bypeer_checksum_fold(sum)), reference_sum(data, sizeof(data)), "cut at %zu", cut);
    }
}

Test(checksum, carries_survive_folding)
{
    /* Sums at the edges of each half: the fold of x is x modulo 0xffff, and 0 only for 0. */
    const uint64_t sums[] = {0,
                             1,
                             0xffff,
                             0x10000,
                             0x1fffe,
                             UINT64_C(0xffffffff),
                             UINT64_C(0x100000000),
                             UINT64_C(0xffffffff00000000),
                             UINT64_C(0xfffffffffffffffe),
                             UINT64_MAX};
    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
        uint64_t folded = bypeer_checksum_fold(sums[i]);
        cr_assert_eq(folded % 0xffff, sums[i] % 0xffff, "sum %zu", i);
        cr_assert_eq(folded == 0, sums[i] == 0, "sum %zu", i);
    }
}
