/* WireGuard's Mac() against published figures and beside libcrypto. */
#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <string.h>

#include "overlay/wireguard/blake2s.h"
#include "overlay/wireguard/blake2s_lanes.h"
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

Test(blake2s, a_hash_of_one_block_as_libcrypto_has_it)
{
    uint64_t random = 7693;
    for (size_t length = 0; length <= BYPEER_BLAKE2S_ONE; length++) {
        uint8_t text[BYPEER_BLAKE2S_ONE], expected[BYPEER_BLAKE2S_HASH], hash[BYPEER_BLAKE2S_HASH];
        for (size_t i = 0; i < length; i++)
            text[i] = (uint8_t)random_next(&random);
        cr_assert(EVP_Digest(text, length, expected, NULL, EVP_blake2s256(), NULL));
        bypeer_blake2s_hash(text, length, hash);
        cr_assert_arr_eq(hash, expected, sizeof(hash), "%zu bytes", length);
    }
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

Test(blake2s, bursts_of_any_count)
{
    enum { MOST = 70, LENGTH = 116 };
    static uint8_t messages[MOST][LENGTH];
    const uint8_t *pointers[MOST];
    uint8_t macs[MOST + 1][BYPEER_BLAKE2S_MAC], expected[BYPEER_BLAKE2S_MAC], after[BYPEER_BLAKE2S_MAC];
    struct bypeer_blake2s_key key;
    uint64_t random = 1;
    bypeer_blake2s_key_init(&key, (const uint8_t *)"a key", 5);
    for (unsigned i = 0; i < MOST; i++) {
        for (unsigned at = 0; at < LENGTH; at++)
            messages[i][at] = (uint8_t)random_next(&random);
        pointers[i] = messages[i];
    }
    for (unsigned count = 0; count <= MOST; count++) {
        memset(macs, 0xa5, sizeof(macs));
        memset(after, 0xa5, sizeof(after));
        bypeer_blake2s_mac_burst(&key, pointers, LENGTH, count, macs);
        for (unsigned i = 0; i < count; i++) {
            bypeer_blake2s_mac(&key, messages[i], LENGTH, expected);
            cr_assert_arr_eq(macs[i], expected, sizeof(expected), "message %u of %u", i, count);
        }
        cr_assert_arr_eq(macs[count], after, sizeof(after), "wrote more than %u", count);
    }
}

static void fill(void *bytes, size_t length, uint64_t *random)
{
    uint8_t *at = bytes;
    for (size_t i = 0; i < length; i++)
        at[i] = (uint8_t)random_next(random);
}

Test(blake2s, all_variants_agree)
{
#if defined(__x86_64__)
    uint64_t random = 2;
    __builtin_cpu_init();
    for (unsigned round = 0; round < 1000; round++) {
        uint8_t room[BLAKE2S_LANES][BLAKE2S_BLOCK_BYTES];
        const uint8_t *blocks[BLAKE2S_LANES];
        blake2s_words generic[8], avx2[8], avx512[8];
        uint64_t bytes = random_next(&random);
        uint32_t last = round % 2 ? UINT32_MAX : 0;
        fill(room, sizeof(room), &random);
        fill(generic, sizeof(generic), &random);
        memcpy(avx2, generic, sizeof(avx2));
        memcpy(avx512, generic, sizeof(avx512));
        for (unsigned lane = 0; lane < BLAKE2S_LANES; lane++)
            blocks[lane] = room[lane];
        bypeer_blake2s_compress_generic(generic, blocks, bytes, last);
        if (__builtin_cpu_supports("avx2")) {
            bypeer_blake2s_compress_avx2(avx2, blocks, bytes, last);
            cr_assert_arr_eq((uint8_t *)avx2, (uint8_t *)generic, sizeof(generic), "avx2");
        }
        if (__builtin_cpu_supports("avx512vl")) {
            bypeer_blake2s_compress_avx512(avx512, blocks, bytes, last);
            cr_assert_arr_eq((uint8_t *)avx512, (uint8_t *)generic, sizeof(generic), "avx512");
        }
    }
#endif
}
