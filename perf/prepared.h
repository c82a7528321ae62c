/*
 * Who is who in perf/wireguard's measurement of the data plane alone: sessions that nobody negotiated, and pairs of
 * members who never met. What stands in for bypeerd (prepared.c) and what writes their frames (prepared_frames.c) make
 * them out of numbers, so they agree.
 *
 *   hub    peer i, from 1 on: link i, session in slot i, overlay address prepared_member(i), at prepared_host(i)
 *   relay  user u, from 0 on, whose partner is u ^ 1: told relay address prepared_relay(u), at prepared_host(u + 1)
 */
#pragma once

#include <stdint.h>
#include <string.h>

#include "overlay/ip/wire.h"
#include "overlay/relay/address.h"
#include "tests/random.h"

#define PREPARED_PORT      51820 /* of this node, and of all ends */
#define PREPARED_MTU       1420  /* of inner packets */
#define PREPARED_PEERS_MAX 1000000
#define PREPARED_PAIRS_MAX 1000000
#define PREPARED_SECRET    UINT64_C(0x5eed0fa11ada55e5) /* of relay addresses */

static const uint8_t prepared_node[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 1};
static const uint8_t prepared_relay_prefix[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 5}; /* a /64 */
static const uint8_t prepared_next_hop[6] = {0x02, 0, 0, 0, 1, 0};               /* the MAC that all frames come from */

static inline void prepared_host(uint32_t number, uint8_t ret_address[static 16])
{
    static const uint8_t prefix[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 6};
    memcpy(ret_address, prefix, 16);
    bypeer_store32(ret_address + 12, number);
}

/* fd12:3456:789a::/48 and 80 bits that look random. */
static inline void prepared_member(uint32_t peer, uint8_t ret_address[static 16])
{
    static const uint8_t prefix[6] = {0xfd, 0x12, 0x34, 0x56, 0x78, 0x9a};
    uint64_t high = random_mix(~(uint64_t)peer), low = random_mix(peer);
    memcpy(ret_address, prefix, 6);
    memcpy(ret_address + 6, &high, 2);
    memcpy(ret_address + 8, &low, 8);
}

/* The key that the peer seals with, and we open with. Ours for him is another. */
static inline void prepared_key(uint32_t peer, int is_ours, uint8_t ret_key[static 32])
{
    for (unsigned i = 0; i < 4; i++) {
        uint64_t word = random_mix((uint64_t)peer * 8 + (is_ours ? 4 : 0) + i);
        memcpy(ret_key + 8 * i, &word, 8);
    }
}

/* The receiver index of a slot: random bits over it (overlay/tables/layout.h). */
static inline uint32_t prepared_index(uint32_t slot)
{
    return (uint32_t)(random_mix(slot) << 20) | slot;
}

/* The number of a user's end: pairs are numbered from 1 on. */
static inline uint32_t prepared_end(uint32_t user)
{
    return 2 + user;
}

static inline void prepared_relay(uint32_t user, uint8_t ret_address[static 16])
{
    uint64_t low = random_mix(user + (UINT64_C(1) << 40));
    memcpy(ret_address, prepared_relay_prefix, 8);
    memcpy(ret_address + 8, &low, 8);
    bypeer_relay_address_set_end(PREPARED_SECRET, prepared_end(user), ret_address);
}

/* The index that a user receives under, and one of a handshake that came to nothing. */
static inline uint32_t prepared_relay_index(uint32_t user)
{
    return (uint32_t)random_mix(user) | 1;
}
