#include "overlay/wireguard/blake2s.h"

#include "overlay/wireguard/blake2s_lanes.h"

void bypeer_blake2s_compress_generic(blake2s_words chain[static 8], const uint8_t *const blocks[static BLAKE2S_LANES],
                                     uint64_t bytes, uint32_t last)
{
    blake2s_compress(chain, blocks, bytes, last);
}

/* Chosen once, before main(), and never changed. */
static blake2s_compress_function *compress = bypeer_blake2s_compress_generic;

#if defined(__x86_64__)
__attribute__((constructor)) static void choose(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2"))
        compress = bypeer_blake2s_compress_avx2;
    if (__builtin_cpu_supports("avx512vl"))
        compress = bypeer_blake2s_compress_avx512;
}
#endif

/* The first block of a hash, padded with zeros. parameters: RFC 7693, 2.5. counted, last: as the compression has them.
 */
static void hash_first(uint32_t parameters, const void *bytes, size_t length, uint64_t counted, uint32_t last,
                       uint32_t ret_chain[static 8])
{
    uint8_t block[BLAKE2S_BLOCK_BYTES] = {0};
    const uint8_t *const blocks[BLAKE2S_LANES] = {block, block, block, block, block, block, block, block};
    blake2s_words chain[8];
    memcpy(block, bytes, length);
    for (unsigned i = 0; i < 8; i++)
        chain[i] = (blake2s_words){0} + blake2s_initial[i];
    chain[0] ^= UINT32_C(0x01010000) | parameters;
    compress(chain, blocks, counted, last);
    for (unsigned i = 0; i < 8; i++)
        ret_chain[i] = chain[i][0];
    explicit_bzero(block, sizeof(block));
    explicit_bzero(chain, sizeof(chain));
}

void bypeer_blake2s_hash(const void *bytes, size_t length, uint8_t ret_hash[static BYPEER_BLAKE2S_HASH])
{
    uint32_t chain[8];
    hash_first(BYPEER_BLAKE2S_HASH, bytes, length, length, UINT32_MAX, chain);
    memcpy(ret_hash, chain, sizeof(chain));
}

void bypeer_blake2s_key_init(struct bypeer_blake2s_key *ret_key, const uint8_t *key, size_t key_bytes)
{
    hash_first((uint32_t)key_bytes << 8 | BYPEER_BLAKE2S_MAC, key, key_bytes, BLAKE2S_BLOCK_BYTES, 0, ret_key->chain);
}

/* count: at most BLAKE2S_LANES. The lanes that are left hash the first message again. */
static void mac_lanes(const struct bypeer_blake2s_key *key, const uint8_t *const messages[], size_t length,
                      unsigned count, uint8_t ret_macs[][BYPEER_BLAKE2S_MAC])
{
    uint8_t ends[BLAKE2S_LANES][BLAKE2S_BLOCK_BYTES];
    const uint8_t *blocks[BLAKE2S_LANES];
    blake2s_words chain[8];
    uint64_t done = BLAKE2S_BLOCK_BYTES; /* the key's */
    for (unsigned lane = 0; lane < BLAKE2S_LANES; lane++)
        blocks[lane] = messages[lane < count ? lane : 0];
    for (unsigned i = 0; i < 8; i++)
        chain[i] = (blake2s_words){0} + key->chain[i];
    for (; length > BLAKE2S_BLOCK_BYTES; length -= BLAKE2S_BLOCK_BYTES) {
        compress(chain, blocks, done += BLAKE2S_BLOCK_BYTES, 0);
        for (unsigned lane = 0; lane < BLAKE2S_LANES; lane++)
            blocks[lane] += BLAKE2S_BLOCK_BYTES;
    }
    for (unsigned lane = 0; lane < BLAKE2S_LANES; lane++) {
        memset(ends[lane], 0, sizeof(ends[lane]));
        memcpy(ends[lane], blocks[lane], length);
        blocks[lane] = ends[lane];
    }
    compress(chain, blocks, done + length, UINT32_MAX);
    for (unsigned lane = 0; lane < count; lane++) {
        const uint32_t mac[BYPEER_BLAKE2S_MAC / 4] = {chain[0][lane], chain[1][lane], chain[2][lane], chain[3][lane]};
        memcpy(ret_macs[lane], mac, sizeof(mac));
    }
}

void bypeer_blake2s_mac(const struct bypeer_blake2s_key *key, const void *bytes, size_t length,
                        uint8_t ret_mac[static BYPEER_BLAKE2S_MAC])
{
    uint8_t macs[1][BYPEER_BLAKE2S_MAC];
    mac_lanes(key, (const uint8_t *const[]){bytes}, length, 1, macs);
    memcpy(ret_mac, macs[0], sizeof(macs[0]));
}

void bypeer_blake2s_mac_burst(const struct bypeer_blake2s_key *key, const uint8_t *const messages[], size_t length,
                              unsigned count, uint8_t ret_macs[][BYPEER_BLAKE2S_MAC])
{
    for (unsigned done = 0; done < count; done += BLAKE2S_LANES) {
        unsigned here = count - done < BLAKE2S_LANES ? count - done : BLAKE2S_LANES;
        mac_lanes(key, messages + done, length, here, ret_macs + done);
    }
}
