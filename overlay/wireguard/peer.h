/*
 * One peer of ours: handshakes and their timers, the sessions that come of them (whitepaper, 6). Control's side: data
 * never passes here, and what data triggers (session.h, activity.h) arrives as a request.
 *
 *   bypeer_peer_request() -> initiation, again every 5 s and a little, for 90 s -> response -> publish, confirm
 *   initiation of his     -> publish, then the response                         -> heard on -> prefer
 *
 * A session is published before the response leaves, so a packet never comes to a node that does not know its index
 * yet. Both directions are apart: an initiation of ours stays valid while we answer one of his, so if both begin at
 * once both handshakes complete, and no retry is needed.
 *
 * An initiation that was recorded and is sent again is refused by its timestamp, which must be greater than any before.
 * The greatest is part of each session record, so a restart of control keeps it (bypeer_peer_adopt()).
 *
 * Keys are wiped as soon as nothing may use them: a session's at 180 s or when another takes its place, all that is
 * left at 540 s after the last session was made.
 *
 * What one peer can cost: a session more than three is never kept; 50 initiations a second are looked at.
 *
 * Thread: one per peer. The sink's functions are called from within the functions here, and must not call back into the
 * same peer.
 */
#pragma once

#include "overlay/wireguard/cookie.h"
#include "overlay/wireguard/keypair.h"
#include "overlay/wireguard/noise.h"

#define BYPEER_PEER_JITTER_NS      (BYPEER_WIREGUARD_S / 3) /* at most, on top of each 5 s */
#define BYPEER_PEER_ERASE_NS       (3 * BYPEER_WIREGUARD_REJECT_AFTER_NS)
#define BYPEER_PEER_INITIATIONS_NS (BYPEER_WIREGUARD_S / 50) /* between two of his that are looked at */

struct bypeer_peer;

struct bypeer_wireguard_time {
    uint64_t ns;      /* of a clock that never goes back, of all processes the same, never 0 */
    uint64_t unix_ns; /* for timestamps only */
};

struct bypeer_peer_sink {
    /* An index that nobody else receives under, never 0: random, so that it cannot be guessed. 0 or -ENOBUFS. */
    int (*take_index)(void *context, struct bypeer_peer *peer, uint32_t *ret_index);
    /* An index that no session came of. */
    void (*release_index)(void *context, struct bypeer_peer *peer, uint32_t index);
    /* Makes a session known to those who receive by it; it is finished (checksum). 0, or why not: then it is dropped.
     */
    int (*publish)(void *context, struct bypeer_peer *peer, const struct bypeer_wireguard_session *session);
    /* What is sent is to be sealed by this session from now on. */
    void (*prefer)(void *context, struct bypeer_peer *peer, const struct bypeer_wireguard_session *session);
    /* The peer does not know yet that this session, now preferred, exists: send what waits, or else a keepalive. */
    void (*confirm)(void *context, struct bypeer_peer *peer, const struct bypeer_wireguard_session *session);
    /* The session and its index are no more. */
    void (*withdraw)(void *context, struct bypeer_peer *peer, const struct bypeer_wireguard_session *session);
    /* A handshake message that came was authentic: its source is where the peer is. */
    void (*heard)(void *context, struct bypeer_peer *peer);
    void (*send)(void *context, struct bypeer_peer *peer, const uint8_t *datagram, size_t length);
    /* 90 s without a response: what waits is to be dropped. */
    void (*gave_up)(void *context, struct bypeer_peer *peer);
    /* Random bytes; NULL: bypeer_crypto_random(). 0 or -EIO. */
    int (*random)(void *context, void *ret_bytes, size_t length);
};

struct bypeer_peer_settings {
    struct bypeer_crypto *crypto;
    const struct bypeer_noise_identity *identity;
    const struct bypeer_peer_sink *sink;
    void *sink_context;
    uint32_t number;              /* the owner's; in session records */
    const uint8_t *public_key;    /* 32 bytes, copied */
    const uint8_t *preshared_key; /* 32 bytes, copied; NULL: none */
    uint64_t persistent_ns;       /* keepalive interval: such a peer always has a session; 0: on demand */
};

/* About 1 KiB. Nothing in it is for others to read. */
struct bypeer_peer {
    struct bypeer_crypto *crypto;
    const struct bypeer_noise_identity *identity;
    const struct bypeer_peer_sink *sink;
    void *sink_context;
    uint32_t number;
    struct bypeer_noise_remote remote;
    struct bypeer_cookie_jar jar;
    struct bypeer_keypairs keypairs;

    struct bypeer_noise_state waiting; /* our initiation, while .waiting_index is not 0 */
    uint32_t waiting_index;
    bool is_attempting;
    uint64_t attempt_ns;    /* when this attempt began, or was asked for again */
    uint64_t retry_ns;      /* when its next initiation leaves */
    uint64_t initiation_ns; /* when the last one left; 0: never */
    uint64_t persistent_ns;
    uint64_t rest_ns;  /* no attempt for the persistent keepalive before */
    uint64_t erase_ns; /* 0: there is nothing to erase */
    uint64_t taken_ns; /* when the last initiation of his was taken; 0: never */
    uint8_t sent_timestamp[BYPEER_WIREGUARD_TIMESTAMP];
    uint8_t received_timestamp[BYPEER_WIREGUARD_TIMESTAMP];
};

/* 0; -EINVAL: no such public key; -ENOMEM, -EIO. */
int bypeer_peer_init(struct bypeer_peer *ret_peer, const struct bypeer_peer_settings *settings);
/* Withdraws its sessions and wipes it. */
void bypeer_peer_end(struct bypeer_peer *peer);

/*
 * A session of before a restart, by its record, oldest first; is_heard: something was received by it. It is neither
 * published nor preferred again: whoever adopts has it published. -EINVAL: not whole, or not this peer's.
 */
int bypeer_peer_adopt(struct bypeer_peer *peer, const struct bypeer_wireguard_session *session, bool is_heard);

/* Another keepalive interval; 0: a session on demand. */
void bypeer_peer_set_persistent(struct bypeer_peer *peer, uint64_t persistent_ns);

/* A session is wanted: data waits for one, or the present one is stale or silent. Any number of times. */
void bypeer_peer_request(struct bypeer_peer *peer, const struct bypeer_wireguard_time *now);

/* A packet was opened under this local index: for the first packet of each session, at least. */
void bypeer_peer_confirm(struct bypeer_peer *peer, uint32_t local_index, const struct bypeer_wireguard_time *now);

/* His messages. 0; -EBADMSG: not authentic; -EALREADY: a replay; -EAGAIN: too soon after the last; -ENOBUFS and others
 * of the sink. Whatever it is, a message that was not taken has changed nothing. */
int bypeer_peer_take_initiation(struct bypeer_peer *peer, struct bypeer_noise_opened *opened,
                                const struct bypeer_wireguard_time *now);
int bypeer_peer_take_response(struct bypeer_peer *peer, const struct bypeer_wireguard_response *response,
                              const struct bypeer_wireguard_time *now);
int bypeer_peer_take_cookie(struct bypeer_peer *peer, const struct bypeer_wireguard_cookie *cookie,
                            const struct bypeer_wireguard_time *now);

/* When bypeer_peer_tick() is to be called, at the latest; UINT64_MAX: no need. Earlier calls do nothing. */
uint64_t bypeer_peer_due(const struct bypeer_peer *peer, uint64_t now_ns);
void bypeer_peer_tick(struct bypeer_peer *peer, const struct bypeer_wireguard_time *now);

static inline const struct bypeer_wireguard_session *bypeer_peer_sendable(const struct bypeer_peer *peer,
                                                                          uint64_t now_ns)
{
    return bypeer_keypairs_sendable(&peer->keypairs, now_ns);
}
