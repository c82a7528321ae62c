/*
 * What the relay's nodes share: the relay's prefix and port as a worker sees them, and which addresses are no member's.
 *
 *   classify --> relay --> transmit          a WireGuard message, from a member to where the other one is
 *                  |-----> relay_icmp        an ICMPv6 error about what was relayed, or a packet too big to be
 *                  |-----> relay_neighbour   who has this relay address?
 *                  '-----> drop
 *
 * An IPv4 member has no relay addresses, but a port of this node's own address for each partner: the keys of such a
 * pair are bypeer_relay_port_key(), and its .links their hub links; only the address where his has him may use the
 * port.
 *
 * Control says which addresses are this node's by endpoints with port 0 (bypeer_writer_put_endpoint()).
 */
#pragma once

#include "dataplane/nodes/dispatch.h"
#include "overlay/ip/ethernet.h"
#include "overlay/ip/ipv4.h"
#include "overlay/ip/ipv6.h"
#include "overlay/relay/neighbour.h"
#include "overlay/relay/packet.h"
#include "overlay/relay/state.h"
#include "overlay/tables/relays.h"

struct relay_scope {
    uint64_t prefix[2], mask[2]; /* as on the wire; a mask of zeros and a prefix of ones: no relay */
    uint16_t port;
    uint16_t port_low, port_high; /* 0: no IPv4 members */
    bool on_link;
};

static inline struct relay_scope relay_scope(const struct bypeer_tables *tables)
{
    static const struct relay_scope none = {.prefix = {1, 1}};
    if (tables == NULL || tables->relay_prefix.bits == 0)
        return none;
    const struct bypeer_relay_prefix *prefix = &tables->relay_prefix;
    unsigned high = RTE_MIN(prefix->bits, 64u), low = prefix->bits - high;
    return (struct relay_scope){
        .prefix = {bypeer_load64_raw(prefix->prefix), bypeer_load64_raw(prefix->prefix + 8)},
        .mask = {htobe64(~UINT64_C(0) << (64 - high)), low == 0 ? 0 : htobe64(~UINT64_C(0) << (64 - low))},
        .port = prefix->port,
        .port_low = prefix->port_low,
        .port_high = prefix->port_high,
        .on_link = (prefix->flags & BYPEER_RELAY_ON_LINK) != 0,
    };
}

static inline bool relay_has_words(const struct relay_scope *scope, uint64_t high, uint64_t low)
{
    return (((high & scope->mask[0]) ^ scope->prefix[0]) | ((low & scope->mask[1]) ^ scope->prefix[1])) == 0;
}

/* Whether an address is of the relay's prefix. */
static inline bool relay_has(const struct relay_scope *scope, const uint8_t address[static 16])
{
    return relay_has_words(scope, bypeer_load64_raw(address), bypeer_load64_raw(address + 8));
}

/* Whether a datagram to this port of an own IPv4 address may be the relay's. */
static inline bool relay_has_port(const struct relay_scope *scope, uint16_t port)
{
    return scope->port_low != 0 && port >= scope->port_low && port <= scope->port_high;
}

/* Whether the frame of length bytes, not to this port's own MAC address, asks for an address of the prefix. */
static inline bool relay_is_asked(const struct relay_scope *scope, const uint8_t *frame, size_t length)
{
    const uint8_t *ip = frame + BYPEER_ETHERNET_BYTES;
    return scope->on_link && length > BYPEER_ETHERNET_BYTES &&
           bypeer_load16(frame + BYPEER_ETHERNET_TYPE) == BYPEER_ETHERTYPE_IPV6 &&
           bypeer_relay_may_solicit(ip, length - BYPEER_ETHERNET_BYTES) &&
           relay_has(scope, ip + BYPEER_RELAY_SOLICITATION_TARGET);
}

/* What is known of an end; NULLs: the region has none of this number. */
static inline struct bypeer_relay_end relay_end(const struct bypeer_worker *worker, uint32_t number)
{
    const struct bypeer_sessions *shared = worker->shared;
    if (unlikely(shared == NULL || number >= shared->size.relays))
        return (struct bypeer_relay_end){NULL, NULL};
    return (struct bypeer_relay_end){&shared->relays[number], &shared->claims[number]};
}

/*
 * Whether a member may be at a place: an address of one host, not of this node and not of the relay; a port; a MAC
 * address that is one card's, and not ours. Else the relay would send to itself, or to many.
 */
bool bypeer_relay_may_be_at(const struct bypeer_worker *worker, const struct relay_scope *scope,
                            const struct bypeer_relay_place *place);
