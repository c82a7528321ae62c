/*
 * ICMPv6 errors about what the relay sent, made into errors about what its sender sent (RFC 4443, 3; RFC 8201).
 *
 *   bob -------- from b to P ------> node -------- from K to a -------> router --X
 *   bob <-- error from P to b ------ node <------- error to K --------- router
 *            about "from b to P"                 about "from K to a"
 *
 * K is alice's relay address for bob, P his for her: P is what bob's kernel keeps a path MTU for. Both packets have the
 * same length, so the MTU of a Packet Too Big is right for both. What the error quotes gets its former addresses, ports
 * and UDP checksum back: kernels and NATs look there for the flow that it is about.
 *
 * Bytes are those of IPv6 packets from their header on, of the length that this says.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "overlay/relay/place.h"

struct bypeer_relay_error {
    uint64_t address[2];  /* where the quoted packet was sent to, as on the wire */
    uint16_t port;        /* likewise; 0: it is a later fragment */
    uint16_t source_port; /* 0 likewise */
    uint16_t udp_at;      /* of its UDP header within the error; 0 likewise */
    bool is_refusal;      /* the host there has nobody on that port */
};

/*
 * Reads an error of length bytes. False: it is none, its checksum is wrong, it is longer than errors are (RFC 4443,
 * 2.4 c), says an MTU below IPv6's minimum (RFC 8201, 4), or it quotes no UDP packet from the very address that it came
 * to.
 */
bool bypeer_relay_error_read(struct bypeer_relay_error *ret_error, const uint8_t *ip, size_t length);

/* Makes of the error one to place, whose hop limit is one less, about his packet to source and port. */
void bypeer_relay_error_turn(uint8_t *ip, size_t length, const struct bypeer_relay_error *error,
                             const uint8_t source[static 16], uint16_t port, const struct bypeer_relay_place *place);
