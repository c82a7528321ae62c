#include "overlay/wireguard/blake2s.h"

#include <endian.h>
#include <string.h>

#define BLOCK_BYTES 64
#define ROUNDS      10

static const uint32_t initial[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* RFC 7693, 2.7: which words of the message a round mixes in. */
static const uint8_t schedule[ROUNDS][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static inline uint32_t rotate(uint32_t word, unsigned bits)
{
    return word >> bits | word << (32 - bits);
}

static inline __attribute__((always_inline)) void mix(uint32_t v[static 16], unsigned a, unsigned b, unsigned c,
                                                      unsigned d, uint32_t x, uint32_t y)
{
    v[a] += v[b] + x;
    v[d] = rotate(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 12);
    v[a] += v[b] + y;
    v[d] = rotate(v[d] ^ v[a], 8);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 7);
}

/* RFC 7693, 3.2. bytes: hashed so far, this block included. */
static void compress(uint32_t chain[static 8], const uint8_t block[static BLOCK_BYTES], uint64_t bytes, uint32_t last)
{
    uint32_t v[16], m[16];
    memcpy(m, block, sizeof(m));
    for (unsigned i = 0; i < 16; i++)
        m[i] = le32toh(m[i]);
    for (unsigned i = 0; i < 8; i++) {
        v[i] = chain[i];
        v[8 + i] = initial[i];
    }
    v[12] ^= (uint32_t)bytes;
    v[13] ^= (uint32_t)(bytes >> 32);
    v[14] ^= last;
#pragma GCC unroll 10 /* so that the schedule becomes constants */
    for (unsigned round = 0; round < ROUNDS; round++) {
        const uint8_t *s = schedule[round];
        mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
        mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
        mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
        mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
        mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
        mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
        mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
        mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (unsigned i = 0; i < 8; i++)
        chain[i] ^= v[i] ^ v[8 + i];
}

void bypeer_blake2s_key_init(struct bypeer_blake2s_key *ret_key, const uint8_t *key, size_t key_bytes)
{
    uint8_t block[BLOCK_BYTES] = {0};
    memcpy(block, key, key_bytes);
    memcpy(ret_key->chain, initial, sizeof(initial));
    ret_key->chain[0] ^= UINT32_C(0x01010000) | (uint32_t)key_bytes << 8 | BYPEER_BLAKE2S_MAC; /* RFC 7693, 2.5 */
    compress(ret_key->chain, block, BLOCK_BYTES, 0);
    explicit_bzero(block, sizeof(block));
}

void bypeer_blake2s_mac(const struct bypeer_blake2s_key *key, const void *bytes, size_t length,
                        uint8_t ret_mac[static BYPEER_BLAKE2S_MAC])
{
    const uint8_t *at = bytes;
    uint8_t end[BLOCK_BYTES] = {0};
    uint64_t done = BLOCK_BYTES; /* the key's */
    uint32_t chain[8];
    memcpy(chain, key->chain, sizeof(chain));
    for (; length > BLOCK_BYTES; length -= BLOCK_BYTES, at += BLOCK_BYTES)
        compress(chain, at, done += BLOCK_BYTES, 0);
    memcpy(end, at, length);
    compress(chain, end, done + length, UINT32_MAX);
    for (unsigned i = 0; i < BYPEER_BLAKE2S_MAC / 4; i++)
        chain[i] = htole32(chain[i]);
    memcpy(ret_mac, chain, BYPEER_BLAKE2S_MAC);
}
