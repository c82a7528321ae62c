/* BLAKE2s in lanes for processors with AVX2. */
#include "overlay/wireguard/blake2s_lanes.h"

void bypeer_blake2s_compress_avx2(blake2s_words chain[static 8], const uint8_t *const blocks[static BLAKE2S_LANES],
                                  uint64_t bytes, uint32_t last)
{
    blake2s_compress(chain, blocks, bytes, last);
}
