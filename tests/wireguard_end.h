/*
 * One end of a WireGuard link, out of overlay/wireguard: handshakes, sessions and data of one peer, without sockets or
 * clocks. What a node's two processes do together is done here in one place and plainly, for unit tests with a time of
 * their own, for the fuzzer, and for a program that talks to another implementation.
 */
#pragma once

#include "overlay/wireguard/activity.h"
#include "overlay/wireguard/device.h"
#include "overlay/wireguard/transport.h"
#include "overlay/wireguard/window.h"

#define WIREGUARD_END_SESSIONS 4
#define WIREGUARD_END_QUEUE    16
#define WIREGUARD_END_MTU      1420
#define WIREGUARD_END_DATAGRAM (WIREGUARD_END_MTU + BYPEER_TRANSPORT_OVERHEAD)

/* What a worker would have of a session. */
struct wireguard_end_session {
    bool is_taken; /* the index is */
    uint32_t index;
    struct bypeer_wireguard_session record; /* .local_index 0: not published yet */
    uint64_t greatest;                      /* counter: overlay/wireguard/window.h */
    struct bypeer_window window;
    uint64_t next_counter;
    bool is_heard;
};

struct wireguard_end {
    struct bypeer_wireguard_time now; /* the owner's to set before every call */
    struct bypeer_crypto *crypto;
    struct bypeer_noise_identity *identity;
    struct bypeer_wireguard_device device;
    struct bypeer_peer peer;
    struct bypeer_activity activity;
    uint64_t persistent_ns;
    uint64_t random; /* seed; 0: the operating system's */

    struct wireguard_end_session sessions[WIREGUARD_END_SESSIONS];
    struct wireguard_end_session *preferred;
    bool wants_nothing_published; /* as if the tables were full */

    /* Datagrams to send, oldest first; those beyond are lost. */
    struct {
        uint8_t bytes[WIREGUARD_END_DATAGRAM];
        size_t length;
    } out[WIREGUARD_END_QUEUE];
    unsigned out_count;

    uint8_t waiting[WIREGUARD_END_MTU]; /* an inner packet without a session */
    size_t waiting_bytes;

    uint8_t packet[WIREGUARD_END_DATAGRAM]; /* the last inner packet that came */
    size_t packet_bytes;

    unsigned packets, keepalives, replays, bad; /* data messages that came */
    unsigned initiations, responses, prefers, withdrawn, gave_ups, heard;
};

/* persistent_s: 0 for none. preshared_key: NULL for none. What libcrypto cannot do ends the program. */
void wireguard_end_init(struct wireguard_end *end, const uint8_t private_key[static 32],
                        const uint8_t peer_key[static 32], const uint8_t *preshared_key, unsigned persistent_s,
                        uint64_t random, struct bypeer_wireguard_time now);
void wireguard_end_free(struct wireguard_end *end);

/* The datagram is opened in place. */
enum bypeer_wireguard_verdict wireguard_end_receive(struct wireguard_end *end, uint8_t *datagram, size_t length,
                                                    const uint8_t *source, size_t source_bytes,
                                                    enum bypeer_wireguard_doubt doubt);
/* Seals an inner packet of up to WIREGUARD_END_MTU bytes, or keeps it until there is a session. Whether it left. */
bool wireguard_end_send(struct wireguard_end *end, const uint8_t *packet, size_t length);
void wireguard_end_keepalive(struct wireguard_end *end);
void wireguard_end_tick(struct wireguard_end *end);
uint64_t wireguard_end_due(const struct wireguard_end *end);
