/*
 * A relay address tells by itself which end of which pair it is of, so that a worker begins to fetch all that hangs on
 * it at once, where a hash table would cost it a line more and two waits.
 *
 *   prefix of the configuration, up to 80 bits | random, 27 bits at least | end, 21 bits, veiled
 *
 * The end is 2 * number of the pair + side, 0 or 1. It is veiled by a hash of the 27 bits before it and of a secret of
 * this node, so nobody can tell one address from another, and who guesses has no better odds than with all bits random.
 * The hash is quick, no cipher: who broke it would know ends, and have the random bits still to guess. Whether an
 * address exists at all, the record of its end says (overlay/tables/relays.h).
 *
 * Inline: it runs for every packet.
 */
#pragma once

#include <stdint.h>

#include "overlay/ip/wire.h"

#define BYPEER_RELAY_END_BITS    21
#define BYPEER_RELAY_RANDOM_BITS 27

static inline uint32_t bypeer_relay_address_veil(uint64_t secret, uint64_t low)
{
    const uint64_t random = low >> BYPEER_RELAY_END_BITS & ((UINT64_C(1) << BYPEER_RELAY_RANDOM_BITS) - 1);
    uint64_t hash = (random ^ secret) * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ hash >> 32 ^ secret >> 17) * UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(hash >> (64 - BYPEER_RELAY_END_BITS));
}

/* The end that an address is of, if it is anybody's. */
static inline uint32_t bypeer_relay_address_end(uint64_t secret, const uint8_t address[static 16])
{
    const uint64_t low = bypeer_load64(address + 8);
    return ((uint32_t)low ^ bypeer_relay_address_veil(secret, low)) & ((UINT32_C(1) << BYPEER_RELAY_END_BITS) - 1);
}

/* Writes an end into the last bits of an address whose others are there. */
static inline void bypeer_relay_address_set_end(uint64_t secret, uint32_t end, uint8_t address[static 16])
{
    const uint64_t low = bypeer_load64(address + 8), mask = (UINT64_C(1) << BYPEER_RELAY_END_BITS) - 1;
    bypeer_store64(address + 8, (low & ~mask) | ((end ^ bypeer_relay_address_veil(secret, low)) & mask));
}
