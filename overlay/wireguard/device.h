/*
 * What comes to a WireGuard port, in the order that makes floods cheap (whitepaper, 5.4; DESIGN D11):
 *
 *   type and length -> MAC1, one hash -> under load MAC2, else a cookie reply -> the static key, one agreement
 *                   -> which peer? -> the peer's own judgement
 *
 * Before MAC1, and MAC2 under load, are right, nothing is remembered and nothing is looked up. Data is not judged here:
 * its owner has the session table.
 *
 * Thread: one; it owns the peers that it finds.
 */
#pragma once

#include "overlay/wireguard/peer.h"

struct bypeer_wireguard_device {
    struct bypeer_crypto *crypto;
    const struct bypeer_noise_identity *identity;
    struct bypeer_cookie_checker checker;
    void *context;
    /* The peer with this static key, or NULL. */
    struct bypeer_peer *(*find_key)(void *context, const uint8_t public_key[static 32]);
    /* The peer that this index was taken for, or NULL. */
    struct bypeer_peer *(*find_index)(void *context, uint32_t index);
    /* Random bytes; NULL: bypeer_crypto_random(). 0 or -EIO. */
    int (*random)(void *context, void *ret_bytes, size_t length);
};

/* How sure the caller is of a datagram. */
enum bypeer_wireguard_doubt {
    BYPEER_WIREGUARD_CHECKED, /* a worker has judged its MACs */
    BYPEER_WIREGUARD_QUIET,   /* nobody has, and there is time */
    BYPEER_WIREGUARD_LOADED,  /* nobody has, and there is not: only sources that have shown to be there */
};

enum bypeer_wireguard_verdict {
    BYPEER_WIREGUARD_TAKEN,
    BYPEER_WIREGUARD_IS_DATA,   /* not judged */
    BYPEER_WIREGUARD_MALFORMED, /* no message */
    BYPEER_WIREGUARD_BAD_MAC,
    BYPEER_WIREGUARD_UNPROVEN, /* a cookie reply is to be sent */
    BYPEER_WIREGUARD_STRANGER, /* no such peer, or nobody waits under this index */
    BYPEER_WIREGUARD_FORGED,   /* not authentic */
    BYPEER_WIREGUARD_REPLAYED,
    BYPEER_WIREGUARD_TOO_SOON,
    BYPEER_WIREGUARD_NO_ROOM, /* no index, no memory, or not published */
};

/* source: as bypeer_cookie_check() takes it. *ret_reply, BYPEER_WIREGUARD_COOKIE_BYTES, is written for _UNPROVEN only;
 * all else that is to be sent goes to the sink of the peer. */
enum bypeer_wireguard_verdict bypeer_wireguard_receive(struct bypeer_wireguard_device *device, const uint8_t *datagram,
                                                       size_t length, const uint8_t *source, size_t source_bytes,
                                                       enum bypeer_wireguard_doubt doubt,
                                                       const struct bypeer_wireguard_time *now,
                                                       uint8_t ret_reply[static BYPEER_WIREGUARD_COOKIE_BYTES]);
