/* Relay addresses: each tells its end to who has the secret, and nothing to anybody else. */
#include <criterion/criterion.h>
#include <string.h>

#include "overlay/relay/address.h"
#include "tests/random.h"

#define ENDS (UINT32_C(1) << BYPEER_RELAY_END_BITS)

static void fill(uint64_t *random, uint8_t address[static 16])
{
    for (unsigned i = 0; i < 16; i++)
        address[i] = (uint8_t)random_next_below(random, 256);
}

Test(relay_address, tells_its_end)
{
    const uint64_t secrets[] = {0, 1, UINT64_MAX, UINT64_C(0x123456789abcdef0)};
    uint64_t random = 1;
    for (uint32_t end = 0; end < ENDS; end = end < 100 || end > ENDS - 100 ? end + 1 : end + 97) {
        uint8_t drawn[16], address[16];
        fill(&random, drawn);
        memcpy(address, drawn, 16);
        bypeer_relay_address_set_end(secrets[end % 4], end, address);
        cr_assert_eq(bypeer_relay_address_end(secrets[end % 4], address), end);
        /* Whatever the prefix is, of up to 80 bits, and all bits but the last 21 are as they were drawn. */
        cr_assert_arr_eq(address, drawn, 13);
        cr_assert_eq(address[13] >> 5, drawn[13] >> 5);
        memset(address, 0x5a, 10);
        cr_assert_eq(bypeer_relay_address_end(secrets[end % 4], address), end);
    }
}

/* With any other secret, and for any other random bits, it seems to be of any end: each bit is as often right as not.
 */
Test(relay_address, tells_nothing_without_the_secret)
{
    enum { ADDRESSES = 20000 };
    unsigned same[2][BYPEER_RELAY_END_BITS] = {{0}};
    uint64_t random = 2;
    for (unsigned i = 0; i < ADDRESSES; i++) {
        const uint64_t secret = random_next(&random);
        const uint32_t end = (uint32_t)random_next_below(&random, ENDS);
        uint8_t address[16];
        fill(&random, address);
        bypeer_relay_address_set_end(secret, end, address);
        uint32_t seen[2] = {bypeer_relay_address_end(secret ^ UINT64_C(1) << i % 64, address)};
        address[10] ^= (uint8_t)(1 << i % 8);
        seen[1] = bypeer_relay_address_end(secret, address);
        for (unsigned which = 0; which < 2; which++)
            for (unsigned bit = 0; bit < BYPEER_RELAY_END_BITS; bit++)
                same[which][bit] += ((seen[which] ^ end) >> bit & 1) == 0;
    }
    for (unsigned which = 0; which < 2; which++)
        for (unsigned bit = 0; bit < BYPEER_RELAY_END_BITS; bit++) /* within six standard deviations of a half */
            cr_expect(same[which][bit] > ADDRESSES / 2 - 425 && same[which][bit] < ADDRESSES / 2 + 425,
                      "%u, bit %u: %u of %u", which, bit, same[which][bit], ADDRESSES);
}
