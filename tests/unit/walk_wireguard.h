/*
 * Peers of WireGuard behind the worker in a test (walk.h), their sessions, and what they send and receive.
 *
 *   PEER_SIX    [2001:db8::36]:40000, port 0             our own: [2001:db8::1]:51820, 192.0.2.1:51820
 *   PEER_FOUR   192.0.2.54:40000, port 1
 *   PEER_HIDDEN has not been heard of: no endpoint
 *   PEER_LOST   [2001:db8::37]:40000, next hop not resolved
 *
 * All are members of group 1. What they send is sealed by libcrypto, one message after another, and so is what they
 * receive opened: the node's own way with bursts is never its own witness.
 */
#pragma once

#include "overlay/wireguard/transport.h"
#include "tests/unit/walk.h"

enum walk_peer { PEER_SIX = 1, PEER_FOUR, PEER_HIDDEN, PEER_LOST, PEERS };

#define WALK_PEER_MTU    1408 /* not a multiple of 16 less than a packet's: 1408 = 88 * 16 */
#define WALK_WIREGUARD   51820
#define WALK_PEER_PORT   40000
#define WALK_SESSION_MAX 1500

/* Both ends' records of a session. */
struct walk_session {
    struct bypeer_wireguard_session ours, theirs;
    uint32_t slot;
    uint64_t counter; /* of the next message that the peer sends */
};

/* Criterion's .init, in place of walk_set_up(); or, in a test of another suite, the peers alone. */
void walk_wireguard_set_up(void);
void walk_wireguard_put(void);

extern const uint8_t walk_public_key[32]; /* ours, as the tables have it */
/* Workers ask for MAC2 beyond so many messages a second: another generation would bring it. */
void walk_set_load(uint32_t per_s);

const uint8_t *walk_peer_address(enum walk_peer peer);
uint32_t walk_peer_link_id(enum walk_peer peer);
uint16_t walk_peer_wire(enum walk_peer peer); /* number of its port */
/* The peer's link record, with these sessions (slots; 0: none), is put. */
struct bypeer_link walk_put_peer(enum walk_peer peer, uint32_t current, uint32_t next);

/* A session, made now: its record is put; whether it is used is the link record's to say. flags:
 * BYPEER_WIREGUARD_INITIATOR or 0, of ours. */
struct walk_session walk_make_session(enum walk_peer peer, uint32_t flags);
/* One that is also the peer's current one. */
struct walk_session walk_start_session(enum walk_peer peer);

/* A frame from the peer with a datagram; its checksum is right. Returns its length. */
size_t walk_peer_frame(uint8_t *frame, enum walk_peer peer, const uint8_t *payload, size_t length);
/* The same with an inner packet, zeros up to padded bytes, under a counter. */
size_t walk_peer_packet(uint8_t *frame, enum walk_peer peer, const struct walk_session *session, uint64_t counter,
                        const uint8_t *inner, size_t bytes, size_t padded);
/* Lengths and checksums once more, after a change. */
void walk_peer_seal(uint8_t *frame, size_t length);

/* Opens a frame that was sent to a peer. Returns the bytes in it, padding included, which lie at *ret_inner within the
 * frame, and its counter; -1: not for this session, or not authentic. */
int walk_peer_open(uint8_t *frame, size_t length, const struct walk_session *session, const uint8_t **ret_inner,
                   uint64_t *ret_counter);

/* The next event for control, oldest first; BYPEER_EVENT_NONE: there is none. */
enum bypeer_event walk_event(uint64_t *ret_value);

/* The inner packet that was sent last, the frame that it arrived in, and what left: of the functions below. */
extern uint8_t walk_inner[WALK_FRAME_MAX], walk_in[WALK_FRAME_MAX], walk_out[WALK_FRAME_MAX];

/* The peer sends a packet of so many bytes to a member; or a keepalive. */
void walk_peer_sends(enum walk_peer peer, struct walk_session *session, const uint8_t *to, size_t bytes);
void walk_peer_keeps_alive(enum walk_peer peer, struct walk_session *session);
/* This host sends the peer a packet. */
void walk_send_here(enum walk_peer peer);
/* What left for the peer is the inner packet, with its hop limit less by hops; returns its counter. */
uint64_t walk_expect_sealed(enum walk_peer peer, const struct walk_session *session, size_t bytes, uint8_t hops);
/* The next event is this one, with this value. */
void walk_expect_event(enum bypeer_event type, uint64_t value);
