#include "overlay/ip/checksum.h"

uint64_t bypeer_checksum_long(const uint8_t *data, size_t length)
{
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
