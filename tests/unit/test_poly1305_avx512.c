/*
 * Poly1305 of eight lanes, which are texts or blocks of one text, at the edges of its limbs: keys and blocks of nothing
 * but zeros, ones, and what lies next to them, which no random message brings about; beside libcrypto, and RFC 8439,
 * appendix A.3.
 */
#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <string.h>

#include "overlay/wireguard/poly1305_one_avx512.h"
#include "tests/random.h"

#define STEPS_MOST 3
#define ROUNDS     20000
#define ONE_MOST   1700

static uint64_t random_state = 1305;

struct text {
    uint8_t key[32];
    uint8_t bytes[STEPS_MOST * 64];
};

static bool is_here(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vbmi2") &&
           __builtin_cpu_supports("avx512dq");
}

/* Tags of texts of whole steps. */
static void lanes_tags(const struct text texts[static 8], unsigned steps, uint8_t ret_tags[static 8][16])
{
    const __m512i bit = _mm512_set1_epi64(INT64_C(1) << 40), above[4] = {bit, bit, bit, bit};
    uint64_t words[4][8], tags[2][8];
    struct poly1305 poly;
    for (unsigned lane = 0; lane < 8; lane++)
        for (unsigned w = 0; w < 4; w++)
            memcpy(&words[w][lane], texts[lane].key + 8 * w, 8);
    const __m512i r[2] = {_mm512_loadu_si512(words[0]), _mm512_loadu_si512(words[1])};
    const __m512i s[2] = {_mm512_loadu_si512(words[2]), _mm512_loadu_si512(words[3])};
    poly1305_begin(&poly, r, s);
    for (unsigned step = 0; step < steps; step++) {
        __m512i lines[8], low[4], high[4], tag[2];
        for (unsigned lane = 0; lane < 8; lane++)
            lines[lane] = _mm512_loadu_si512(texts[lane].bytes + 64 * step);
        poly1305_transpose(lines, low, high);
        poly1305_step(&poly, low, high, above, NULL);
        poly1305_finish(poly.h, poly.s, tag);
        _mm512_storeu_si512(tags[0], tag[0]);
        _mm512_storeu_si512(tags[1], tag[1]);
    }
    for (unsigned lane = 0; lane < 8; lane++) {
        memcpy(ret_tags[lane], &tags[0][lane], 8);
        memcpy(ret_tags[lane] + 8, &tags[1][lane], 8);
    }
}

static void fill_extreme(uint8_t *bytes, size_t length)
{
    for (size_t at = 0; at < length; at += 8) {
        uint64_t word = random_next(&random_state);
        switch (random_next_below(&random_state, 6)) {
        case 0:
            word = 0;
            break;
        case 1:
            word = UINT64_MAX;
            break;
        case 2:
            word = UINT64_MAX - random_next_below(&random_state, 8);
            break;
        case 3:
            word = random_next_below(&random_state, 8);
            break;
        case 4:
            word = (UINT64_C(1) << random_next_below(&random_state, 64)) - 1;
            break;
        default:
            break;
        }
        memcpy(bytes + at, &word, 8);
    }
}

Test(poly1305_avx512, limbs_at_their_edges)
{
    if (!is_here())
        cr_skip_test("this processor has no AVX-512 with IFMA and VBMI2");
    EVP_MAC *method = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(method);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct text texts[8];
        uint8_t tags[8][16], expected[16];
        unsigned steps = 1 + random_next_below(&random_state, STEPS_MOST);
        for (unsigned lane = 0; lane < 8; lane++) {
            fill_extreme(texts[lane].key, sizeof(texts[lane].key));
            fill_extreme(texts[lane].bytes, sizeof(texts[lane].bytes));
        }
        lanes_tags(texts, steps, tags);
        for (unsigned lane = 0; lane < 8; lane++) {
            size_t bytes;
            cr_assert(EVP_MAC_init(context, texts[lane].key, 32, NULL));
            cr_assert(EVP_MAC_update(context, texts[lane].bytes, (size_t)steps * 64));
            cr_assert(EVP_MAC_final(context, expected, &bytes, sizeof(expected)));
            cr_assert_arr_eq(tags[lane], expected, 16, "round %u, lane %u", round, lane);
        }
    }
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(method);
}

/* The tag is over the text, filled with zeros to a whole block, and the block of lengths. */
Test(poly1305_avx512, one_text_with_limbs_at_their_edges)
{
    if (!is_here())
        cr_skip_test("this processor has no AVX-512 with IFMA and VBMI2");
    EVP_MAC *method = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(method);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint8_t key[64] = {0}, text[ONE_MOST + 40], expected[16];
        uint32_t bytes = random_next_below(&random_state, round % 2 ? 300 : ONE_MOST + 1),
                 padded = (bytes + 15) / 16 * 16;
        uint64_t halves[2][8];
        struct poly1305_one one;
        __m512i tag[2];
        size_t tag_bytes;
        fill_extreme(key, 32);
        fill_extreme(text, sizeof(text) / 8 * 8);
        poly1305_one_begin(&one, _mm512_loadu_si512(key), bytes);
        poly1305_one_run(&one, text, bytes, tag, NULL);
        memset(text + bytes, 0, padded - bytes + 8);
        memcpy(text + padded + 8, &(uint64_t){bytes}, 8);
        cr_assert(EVP_MAC_init(context, key, 32, NULL));
        cr_assert(EVP_MAC_update(context, text, padded + 16));
        cr_assert(EVP_MAC_final(context, expected, &tag_bytes, sizeof(expected)));
        for (unsigned i = 0; i < 2; i++) {
            _mm512_storeu_si512(halves[i], tag[i]);
            cr_assert_arr_eq(&halves[i][0], expected + 8 * i, 8, "round %u, %u bytes", round, bytes);
        }
    }
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(method);
}

/* Vectors 7, 9 and 10 of appendix A.3, each behind as many blocks without a bit above as fill its step: they count for
 * nothing, and that is how texts of unlike size end together. */
Test(poly1305_avx512, vectors_of_rfc_8439_behind_blocks_of_nothing)
{
    static const struct {
        uint64_t r[2];
        uint64_t blocks[4][2];
        unsigned count;
        uint64_t tag[2];
    } vectors[] = {
        {{2, 0}, {{UINT64_MAX, UINT64_MAX}}, 1, {3, 0}},
        {{2, 0}, {{UINT64_MAX - 2, UINT64_MAX}}, 1, {UINT64_MAX - 5, UINT64_MAX}},
        {{1, 4},
         {{UINT64_C(0xb9435e50d79435e3), 0}, {UINT64_C(0xcd79435e50d79433), 1}, {0, 0}, {1, 0}},
         4,
         {0x14, 0x55}},
        {{1, 4}, {{UINT64_C(0xb9435e50d79435e3), 0}, {UINT64_C(0xcd79435e50d79433), 1}, {0, 0}}, 3, {0x13, 0}},
    };
    if (!is_here())
        cr_skip_test("this processor has no AVX-512 with IFMA and VBMI2");
    for (unsigned v = 0; v < sizeof(vectors) / sizeof(vectors[0]); v++) {
        __m512i low[4], high[4], above[4], tag[2];
        struct poly1305 poly;
        const __m512i r[2] = {_mm512_set1_epi64((int64_t)vectors[v].r[0]), _mm512_set1_epi64((int64_t)vectors[v].r[1])};
        const __m512i s[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        for (unsigned block = 0; block < 4; block++) {
            unsigned nothing = 4 - vectors[v].count;
            bool present = block >= nothing;
            const uint64_t *words = vectors[v].blocks[present ? block - nothing : 0];
            low[block] = _mm512_set1_epi64(present ? (int64_t)words[0] : 0);
            high[block] = _mm512_set1_epi64(present ? (int64_t)words[1] : 0);
            above[block] = _mm512_set1_epi64(present ? INT64_C(1) << 40 : 0);
        }
        poly1305_begin(&poly, r, s);
        poly1305_step(&poly, low, high, above, NULL);
        poly1305_finish(poly.h, poly.s, tag);
        uint64_t halves[2][8];
        _mm512_storeu_si512(halves[0], tag[0]);
        _mm512_storeu_si512(halves[1], tag[1]);
        for (unsigned lane = 0; lane < 8; lane++) {
            cr_assert_eq(halves[0][lane], vectors[v].tag[0], "vector %u", v);
            cr_assert_eq(halves[1][lane], vectors[v].tag[1], "vector %u", v);
        }
    }
}
