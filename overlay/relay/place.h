/*
 * A place where a user may be, and the endpoint words that keep it in a state (state.h).
 *
 * An endpoint holds a credit, too: how many bytes may still be sent to it while nothing proves that its user is there.
 * It lies in the word of the check, so that whoever spends of it knows by one compare-and-swap that the place is still
 * the one that he read.
 *
 * Threads: any number.
 */
#pragma once

#include <stdbool.h>

#include "overlay/relay/state.h"

struct bypeer_relay_place {
    uint64_t address[2];   /* as on the wire; IPv4 as ::ffff:a.b.c.d */
    uint64_t port_and_mac; /* bypeer_relay_port_and_mac() */
    uint8_t device;        /* number of this node's port in the configuration */
};

/* How many bytes may be sent to what is not confirmed for each that came from there, and how many are kept at most. */
#define BYPEER_RELAY_CREDIT_TIMES 3
#define BYPEER_RELAY_CREDIT_MAX   UINT64_C(0xffff)

#define BYPEER_RELAY_CREDIT_MASK UINT64_C(0xffffff)

static inline uint64_t bypeer_relay_port_and_mac(uint16_t port, const uint8_t mac[static 6])
{
    uint64_t word = port;
    for (unsigned i = 0; i < 6; i++)
        word = word << 8 | mac[i];
    return word;
}

static inline uint16_t bypeer_relay_port(const struct bypeer_relay_place *place)
{
    return (uint16_t)(place->port_and_mac >> 48);
}

static inline bool bypeer_relay_is_same_place(const struct bypeer_relay_place *a, const struct bypeer_relay_place *b)
{
    return ((a->address[0] ^ b->address[0]) | (a->address[1] ^ b->address[1]) | (a->port_and_mac ^ b->port_and_mac) |
            (uint64_t)(a->device ^ b->device)) == 0;
}

/* Tells whole endpoints from torn ones; it keeps no attacker away, and need not: whoever can have a place stored can
 * have it stored whole. Multilinear hashing with odd digits of pi. */
static inline uint32_t bypeer_relay_check(uint64_t serial, const struct bypeer_relay_place *place)
{
    uint64_t sum = place->address[0] * UINT64_C(0x243f6a8885a308d3) + place->address[1] * UINT64_C(0x13198a2e03707345) +
                   place->port_and_mac * UINT64_C(0xa4093822299f31d1) +
                   (serial << 8 ^ place->device) * UINT64_C(0x082efa98ec4e6c89);
    return (uint32_t)(sum >> 32) ^ (uint32_t)sum;
}

/* Whether the endpoint is whole and of this pair. *ret_seal is what bypeer_relay_spend() wants. */
static inline bool bypeer_relay_load(const struct bypeer_relay_endpoint *endpoint, uint64_t serial,
                                     struct bypeer_relay_place *ret_place, uint64_t *ret_seal)
{
    uint64_t seal = __atomic_load_n(&endpoint->seal, __ATOMIC_RELAXED);
    struct bypeer_relay_place place = {
        .address = {__atomic_load_n(&endpoint->address[0], __ATOMIC_RELAXED),
                    __atomic_load_n(&endpoint->address[1], __ATOMIC_RELAXED)},
        .port_and_mac = __atomic_load_n(&endpoint->port_and_mac, __ATOMIC_RELAXED),
        .device = (uint8_t)(seal >> 24),
    };
    *ret_place = place;
    *ret_seal = seal;
    return place.port_and_mac != 0 && bypeer_relay_check(serial, &place) == seal >> 32;
}

static inline void bypeer_relay_store(struct bypeer_relay_endpoint *endpoint, uint64_t serial,
                                      const struct bypeer_relay_place *place, uint64_t credit)
{
    uint64_t seal = (uint64_t)bypeer_relay_check(serial, place) << 32 | (uint64_t)place->device << 24 | credit;
    __atomic_store_n(&endpoint->address[0], place->address[0], __ATOMIC_RELAXED);
    __atomic_store_n(&endpoint->address[1], place->address[1], __ATOMIC_RELAXED);
    __atomic_store_n(&endpoint->port_and_mac, place->port_and_mac, __ATOMIC_RELAXED);
    __atomic_store_n(&endpoint->seal, seal, __ATOMIC_RELAXED);
}

static inline void bypeer_relay_forget(struct bypeer_relay_endpoint *endpoint)
{
    __atomic_store_n(&endpoint->port_and_mac, 0, __ATOMIC_RELAXED);
}

/* What so many bytes from a place are worth. */
static inline uint64_t bypeer_relay_credit(uint32_t bytes)
{
    uint64_t credit = (uint64_t)bytes * BYPEER_RELAY_CREDIT_TIMES;
    return credit < BYPEER_RELAY_CREDIT_MAX ? credit : BYPEER_RELAY_CREDIT_MAX;
}

/* Adds to the credit of the place whose seal was read; none if another one has taken its place. */
static inline void bypeer_relay_earn(struct bypeer_relay_endpoint *endpoint, uint64_t seal, uint32_t bytes)
{
    uint64_t place = seal & ~BYPEER_RELAY_CREDIT_MASK, raised;
    do {
        if ((seal & ~BYPEER_RELAY_CREDIT_MASK) != place)
            return;
        uint64_t credit = (seal & BYPEER_RELAY_CREDIT_MASK) + bypeer_relay_credit(bytes);
        raised = place | (credit < BYPEER_RELAY_CREDIT_MAX ? credit : BYPEER_RELAY_CREDIT_MAX);
    } while (!__atomic_compare_exchange_n(&endpoint->seal, &seal, raised, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

/* Takes bytes of the credit of the place whose seal was read. False: it has not so much, or another has its place. */
static inline bool bypeer_relay_spend(struct bypeer_relay_endpoint *endpoint, uint64_t seal, uint32_t bytes)
{
    const uint64_t place = seal & ~BYPEER_RELAY_CREDIT_MASK;
    do {
        if ((seal & ~BYPEER_RELAY_CREDIT_MASK) != place || (seal & BYPEER_RELAY_CREDIT_MASK) < bytes)
            return false;
    } while (
        !__atomic_compare_exchange_n(&endpoint->seal, &seal, seal - bytes, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return true;
}
