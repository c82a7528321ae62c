/*
 * Relay links of the worker in a test (walk.h): prefix 2001:db8:5::/64, port 51820.
 *
 *   ALICE   [2001:db8:a::1]:41001, port 0   and   BOB    [2001:db8:b::2]:41002, port 1     pair 500
 *   CAROL   198.51.100.3:41003, port 0      and   DAVE   198.51.100.4:41004, port 1        pair 501, by ports of
 * 192.0.2.1 ERIN    as ALICE, with another port     and   FRANK  [2001:db8:f::6]:41006, port 1     pair 502
 *
 * This node's own addresses are those of walk_link(LINK_A), and 2001:db8::77.
 */
#pragma once

#include "overlay/relay/rules.h"
#include "tests/unit/walk.h"

#define WALK_RELAY_PORT 51820

enum walk_user { USER_ALICE = 2, USER_BOB, USER_CAROL, USER_DAVE, USER_ERIN, USER_FRANK, USERS };

/* Criterion's .init, in place of walk_set_up(). Or, in a test of a suite without relay links, the links alone. */
void walk_relay_set_up(void);
void walk_relay_put(void);

/* The other one of the pair. */
enum walk_user walk_partner(enum walk_user user);
/* Where a user is, the port of this node that he is behind, and what he sends to: relay address or key of a port. */
struct bypeer_relay_place walk_place(enum walk_user user);
uint16_t walk_user_port(enum walk_user user);
const uint8_t *walk_relay_key(enum walk_user user);
struct bypeer_relay_state *walk_relay_state(enum walk_user user);
struct bypeer_relay_claims *walk_relay_claims(enum walk_user user);
/* Of his pair, whose number is user / 2: each user is the end of his number. */
struct bypeer_relay_record walk_relay_record(enum walk_user user);
uint64_t walk_relay_serial(enum walk_user user);

/* A message of WireGuard; returns its length. bytes: of data, all of it. */
size_t walk_message(uint8_t *message, enum bypeer_wireguard_type type, uint32_t sender, uint32_t receiver,
                    uint64_t counter, size_t bytes);

/* The frame in which somebody at a place sends a datagram to a user's relay address; returns its length. */
size_t walk_relay_frame(uint8_t *frame, enum walk_user user, const struct bypeer_relay_place *from,
                        const uint8_t *message, size_t bytes);

/* A handshake of a user with his partner, by the node: both are confirmed. Indexes: 1000 + receiving user. */
void walk_relay_meet(enum walk_user user);
