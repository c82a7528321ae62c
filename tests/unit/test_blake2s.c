/* WireGuard's Mac() against published figures and beside libcrypto. */
#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <string.h>

#include "overlay/wireguard/blake2s.h"
#include "tests/random.h"
#include "tests/unit/pnrp_bytes.h"

#define LONGEST 300

static void mac_of(const uint8_t *key, size_t key_bytes, const void *bytes, size_t length,
                   uint8_t ret_mac[static BYPEER_BLAKE2S_MAC])
{
    struct bypeer_blake2s_key ready;
    bypeer_blake2s_key_init(&ready, key, key_bytes);
    bypeer_blake2s_mac(&ready, bytes, length, ret_mac);
}

/* Expected: Python's hashlib. */
Test(blake2s, mac_is_keyed_blake2s)
{
    uint8_t sequence[100], mac[BYPEER_BLAKE2S_MAC];
    for (unsigned i = 0; i < sizeof(sequence); i++)
        sequence[i] = (uint8_t)i;
    mac_of(sequence, 32, sequence, 100, mac);
    bytes_expect(mac, sizeof(mac), "0b67d33f8b859c3157fbabd9e6e47ed0", "of 100 bytes");
    mac_of(sequence, 16, "WireGuard", 9, mac);
    bytes_expect(mac, sizeof(mac), "d1e1bb5b57bb4d87292940c814de9239", "under a short key");
}

Test(blake2s, any_key_and_length_as_libcrypto_has_it)
{
    size_t mac_bytes = BYPEER_BLAKE2S_MAC;
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &mac_bytes), OSSL_PARAM_END};
    EVP_MAC *method = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(method);
    uint64_t random = 7693;
    cr_assert(EVP_MAC_CTX_set_params(context, parameters));
    for (size_t length = 1; length <= LONGEST; length++) {
        for (size_t key_bytes = 1; key_bytes <= BYPEER_BLAKE2S_KEY_MAX; key_bytes++) {
            uint8_t text[LONGEST], key[BYPEER_BLAKE2S_KEY_MAX], expected[BYPEER_BLAKE2S_MAC], mac[BYPEER_BLAKE2S_MAC];
            for (size_t i = 0; i < length; i++)
                text[i] = (uint8_t)random_next(&random);
            for (size_t i = 0; i < key_bytes; i++)
                key[i] = (uint8_t)random_next(&random);
            cr_assert(EVP_MAC_init(context, key, key_bytes, NULL));
            cr_assert(EVP_MAC_update(context, text, length));
            cr_assert(EVP_MAC_final(context, expected, &mac_bytes, sizeof(expected)));
            uint8_t *exact = bytes_copy(text, length);
            mac_of(key, key_bytes, exact, length, mac);
            free(exact);
            cr_assert_arr_eq(mac, expected, sizeof(mac), "%zu bytes under a key of %zu", length, key_bytes);
        }
    }
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(method);
}
