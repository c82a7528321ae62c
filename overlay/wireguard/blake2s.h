/*
 * Mac() of WireGuard (whitepaper, 5.4): keyed BLAKE2s with 16 bytes of output (RFC 7693); and of Hash(), 32 bytes
 * without a key, what its users derive their keys by.
 *
 * BLAKE2s begins by hashing the key, as a block of its own. That block is hashed once and kept, so a MAC costs as much
 * as its message: two compressions for the 116 bytes of an initiation under MAC1. And eight messages of one length are
 * hashed side by side (blake2s_lanes.h), since what floods a node comes in bursts.
 *
 * Nothing allocates, fails, or branches on bytes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BYPEER_BLAKE2S_KEY_MAX 32
#define BYPEER_BLAKE2S_MAC     16
#define BYPEER_BLAKE2S_HASH    32
#define BYPEER_BLAKE2S_ONE     64 /* bytes that are one block */

/* A key, ready for use: as secret as that. */
struct bypeer_blake2s_key {
    uint32_t chain[8]; /* after the key's block */
};

/* Hash() of at most BYPEER_BLAKE2S_ONE bytes. */
void bypeer_blake2s_hash(const void *bytes, size_t length, uint8_t ret_hash[static BYPEER_BLAKE2S_HASH]);

/* key_bytes: 1 to 32. */
void bypeer_blake2s_key_init(struct bypeer_blake2s_key *ret_key, const uint8_t *key, size_t key_bytes);

/* length: at least 1. A MAC of nothing ends with the key's block, and there is none in WireGuard. */
void bypeer_blake2s_mac(const struct bypeer_blake2s_key *key, const void *bytes, size_t length,
                        uint8_t ret_mac[static BYPEER_BLAKE2S_MAC]);

/* The same of count messages, each of length bytes. */
void bypeer_blake2s_mac_burst(const struct bypeer_blake2s_key *key, const uint8_t *const messages[], size_t length,
                              unsigned count, uint8_t ret_macs[][BYPEER_BLAKE2S_MAC]);
