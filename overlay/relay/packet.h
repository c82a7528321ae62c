/*
 * From a frame to what the relay's rules look at: where it came from, which relay address it is for, and its message.
 *
 *   frame   | Ethernet | IPv6 [fragment header] or IPv4 | UDP | WireGuard ...
 *
 * The IP packet is a whole datagram, or, over IPv6, a fragment of one: a kernel that has learnt a path MTU makes such,
 * and the relay carries each by itself. A first one has ports and the message's head, later ones have neither.
 *
 * The caller has seen that the frame has an IP header of its underlay (IPv4: without options, no fragment, UDP) and
 * that the packet, as long as that says, lies within the frame. Inline: it runs for every packet.
 */
#pragma once

#include "overlay/ip/checksum.h"
#include "overlay/ip/ethernet.h"
#include "overlay/ip/ipv4.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/udp.h"
#include "overlay/relay/message.h"
#include "overlay/relay/place.h"

#define BYPEER_RELAY_IP_AT          BYPEER_ETHERNET_BYTES
#define BYPEER_RELAY_FRAGMENT_BYTES 8 /* RFC 8200, 4.5 */

struct bypeer_relay_packet {
    struct bypeer_relay_place place; /* where it came from; port 0: a later fragment. The caller sets .device */
    struct bypeer_relay_message message;
    uint8_t key[16]; /* of the relay record: destination address, or bypeer_relay_port_key() */
    uint8_t underlay;
    uint8_t udp_at; /* of the UDP header in the frame; 0: a later fragment */
};

/* Why a packet is not the relay's. */
enum bypeer_relay_refusal {
    BYPEER_RELAY_TAKEN = 0,
    BYPEER_RELAY_MESSAGE,   /* no message of WireGuard, or not to the relay's port */
    BYPEER_RELAY_SOURCE,    /* an IPv6 source that stands for an IPv4 one */
    BYPEER_RELAY_HOP_LIMIT, /* used up */
    BYPEER_RELAY_CHECKSUM,  /* of the IPv4 header */
    BYPEER_RELAY_REFUSALS,
};

/*
 * IPv4 members have no relay addresses, but a port of an own IPv4 address for each partner. The key of such a port: no
 * IPv6 address that anything is sent to has this form.
 */
static inline void bypeer_relay_port_key(uint8_t ret_key[static 16], const uint8_t ipv4[static 4], uint16_t port)
{
    memset(ret_key, 0, 8);
    bypeer_store16(ret_key + 8, port);
    memset(ret_key + 10, 0xff, 2);
    memcpy(ret_key + 12, ipv4, 4);
}

static inline uint16_t bypeer_relay_key_port(const uint8_t key[static 16])
{
    return bypeer_load16(key + 8);
}

/* The UDP header and the message behind it; the IP packet ends at end, and the datagram has udp_bytes. */
static inline enum bypeer_relay_refusal bypeer_relay_read_udp(struct bypeer_relay_packet *packet, const uint8_t *frame,
                                                              size_t udp_at, size_t end, size_t udp_bytes,
                                                              uint16_t ip_bytes)
{
    const uint8_t *udp = frame + udp_at;
    if (udp_at + BYPEER_UDP_BYTES + BYPEER_RELAY_MESSAGE_HEAD > end || udp_bytes < BYPEER_UDP_BYTES)
        return BYPEER_RELAY_MESSAGE;
    packet->udp_at = (uint8_t)udp_at;
    packet->place.port_and_mac =
        bypeer_relay_port_and_mac(bypeer_load16(udp + BYPEER_UDP_SOURCE), frame + BYPEER_ETHERNET_SOURCE);
    return bypeer_relay_message_read(&packet->message, udp + BYPEER_UDP_BYTES, udp_bytes - BYPEER_UDP_BYTES, ip_bytes)
               ? BYPEER_RELAY_TAKEN
               : BYPEER_RELAY_MESSAGE;
}

/* What is neither UDP nor refused by its header: fragments of data, whose ends are checked by who puts it together. */
enum bypeer_relay_refusal bypeer_relay_read_fragment(struct bypeer_relay_packet *packet, const uint8_t *frame,
                                                     uint16_t relay_port);

/* A datagram over IPv6 that is not longer or shorter than the packet, to this port, with a checksum (RFC 8200, 8.1). */
static inline enum bypeer_relay_refusal bypeer_relay_read_ipv6(struct bypeer_relay_packet *packet, const uint8_t *frame,
                                                               uint16_t relay_port)
{
    const uint8_t *ip = frame + BYPEER_RELAY_IP_AT, *udp = ip + BYPEER_IPV6_BYTES;
    uint16_t payload = bypeer_load16(ip + BYPEER_IPV6_LENGTH);
    size_t udp_at = BYPEER_RELAY_IP_AT + BYPEER_IPV6_BYTES;
    packet->underlay = 6;
    packet->place.address[0] = bypeer_load64_raw(ip + BYPEER_IPV6_SOURCE);
    packet->place.address[1] = bypeer_load64_raw(ip + BYPEER_IPV6_SOURCE + 8);
    memcpy(packet->key, ip + BYPEER_IPV6_DESTINATION, 16);
    if (__builtin_expect(ip[BYPEER_IPV6_HOP_LIMIT] <= 1, 0))
        return BYPEER_RELAY_HOP_LIMIT;
    if (__builtin_expect(bypeer_ipv4_is_mapped(ip + BYPEER_IPV6_SOURCE), 0))
        return BYPEER_RELAY_SOURCE;
    if (__builtin_expect(ip[BYPEER_IPV6_NEXT_HEADER] != BYPEER_NEXT_UDP, 0))
        return bypeer_relay_read_fragment(packet, frame, relay_port);
    if (payload < BYPEER_UDP_BYTES || bypeer_load16(udp + BYPEER_UDP_LENGTH) != payload ||
        bypeer_load16(udp + BYPEER_UDP_DESTINATION) != relay_port || bypeer_load16_raw(udp + BYPEER_UDP_CHECKSUM) == 0)
        return BYPEER_RELAY_MESSAGE;
    return bypeer_relay_read_udp(packet, frame, udp_at, udp_at + payload, payload,
                                 (uint16_t)(BYPEER_IPV6_BYTES + payload));
}

/* The same over IPv4, where the port is one of many and a part of the key. */
enum bypeer_relay_refusal bypeer_relay_read_ipv4(struct bypeer_relay_packet *packet, const uint8_t *frame);
