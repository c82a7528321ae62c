/* MAC1 of bursts of handshakes: right and wrong ones, of both lengths. What a proof is worth: test_wireguard_peer.c. */
#include <criterion/criterion.h>
#include <string.h>

#include "overlay/wireguard/cookie.h"
#include "tests/random.h"

static const uint8_t public_key[32] = {1}, secret[32] = {2}, source[18] = {3};

Test(cookie, bursts_are_judged_as_one_by_one)
{
    static uint8_t rooms[BYPEER_COOKIE_BURST][BYPEER_WIREGUARD_INITIATION_BYTES];
    struct bypeer_cookie_checker checker;
    struct bypeer_cookie_jar jar;
    uint64_t random = 1;
    bypeer_cookie_checker_init(&checker, public_key, secret);
    bypeer_cookie_jar_init(&jar, public_key);
    for (unsigned count = 0; count <= BYPEER_COOKIE_BURST; count++) {
        const uint8_t *datagrams[BYPEER_COOKIE_BURST];
        size_t lengths[BYPEER_COOKIE_BURST];
        bool is_forged[BYPEER_COOKIE_BURST], is_right[BYPEER_COOKIE_BURST];
        for (unsigned i = 0; i < count; i++) {
            bool is_response = random_next_below(&random, 3) == 0;
            lengths[i] = is_response ? BYPEER_WIREGUARD_RESPONSE_BYTES : BYPEER_WIREGUARD_INITIATION_BYTES;
            datagrams[i] = rooms[i];
            memset(rooms[i], (int)random_next_below(&random, 256), sizeof(rooms[i]));
            bypeer_cookie_stamp(&jar, rooms[i], lengths[i], 1);
            is_forged[i] = random_next_below(&random, 2) == 0;
            if (is_forged[i]) /* any bit before MAC2 */
                rooms[i][random_next_below(&random, (uint32_t)lengths[i] - BYPEER_WIREGUARD_MAC)] ^=
                    (uint8_t)(1u << random_next_below(&random, 8));
        }
        bypeer_cookie_check_burst(&checker, datagrams, lengths, count, is_right);
        for (unsigned i = 0; i < count; i++) {
            cr_assert_neq(is_right[i], is_forged[i], "%u of %u, %zu bytes", i, count, lengths[i]);
            cr_assert_eq(bypeer_cookie_check(&checker, datagrams[i], lengths[i], source, sizeof(source), false, 1),
                         is_forged[i] ? BYPEER_COOKIE_BAD : BYPEER_COOKIE_UNPROVEN);
        }
    }
}
