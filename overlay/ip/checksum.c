#include "overlay/ip/checksum.h"

#if defined(__x86_64__)
/* 64 bytes at a time, and what is left in one masked load. Halves of words as below. */
__attribute__((target("avx512f,avx512bw,bmi2"))) static uint64_t checksum_long_avx512(const uint8_t *data,
                                                                                      size_t length)
{
    const __m512i half = _mm512_set1_epi64(UINT32_MAX);
    __m512i low[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()}, high[2] = {low[0], low[0]};
    for (; length >= 128; data += 128, length -= 128) {
        for (unsigned part = 0; part < 2; part++) {
            __m512i words = _mm512_loadu_si512(data + (size_t)64 * part);
            low[part] = _mm512_add_epi64(low[part], _mm512_and_si512(words, half));
            high[part] = _mm512_add_epi64(high[part], _mm512_srli_epi64(words, 32));
        }
    }
    for (unsigned part = 0; part < 2; part++) {
        unsigned here = length < 64 ? (unsigned)length : 64;
        __m512i words = _mm512_maskz_loadu_epi8(_bzhi_u64(~UINT64_C(0), here), data);
        low[part] = _mm512_add_epi64(low[part], _mm512_and_si512(words, half));
        high[part] = _mm512_add_epi64(high[part], _mm512_srli_epi64(words, 32));
        data += here;
        length -= here;
    }
    return (uint64_t)_mm512_reduce_add_epi64(
        _mm512_add_epi64(_mm512_add_epi64(low[0], low[1]), _mm512_add_epi64(high[0], high[1])));
}
#endif

uint64_t bypeer_checksum_long(const uint8_t *data, size_t length)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2"))
        return checksum_long_avx512(data, length);
#endif
    /* Halves of words in sums of their own need no carries (2^32 words before they overflow), so that the compiler is
     * free to add several words at once; four pairs hide the latency of an addition. */
    uint64_t low[4] = {0}, high[4] = {0};
    for (; length >= 32; data += 32, length -= 32) {
        for (unsigned lane = 0; lane < 4; lane++) {
            uint64_t words = bypeer_load64_raw(data + (size_t)8 * lane);
            low[lane] += (uint32_t)words;
            high[lane] += words >> 32;
        }
    }
    uint64_t sum = 0;
    for (unsigned lane = 0; lane < 4; lane++) {
        sum = bypeer_checksum_plus(sum, low[lane]);
        sum = bypeer_checksum_plus(sum, high[lane]);
    }
    /* Less than 32 bytes are left. */
    return bypeer_checksum_plus(sum, bypeer_checksum_sum(data, length));
}
