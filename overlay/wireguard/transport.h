/*
 * Sealing and opening one data message with libcrypto: the portable path, and what faster ones are compared with.
 *
 *   0        16                        16 + inner    16 + padded     32 + padded
 *   | header | inner packet (IPv4, IPv6) | zeros      | tag           |
 *              nothing: a keepalive
 *
 * Both work in place. Counters are the caller's: each value of a session seals one packet, ever; and a counter goes to
 * the window (window.h) only after its packet was opened here.
 *
 * Thread: that of the bypeer_crypto.
 */
#pragma once

#include "overlay/wireguard/crypto.h"
#include "overlay/wireguard/message.h"
#include "overlay/wireguard/session.h"

#define BYPEER_TRANSPORT_OVERHEAD BYPEER_WIREGUARD_DATA_MIN

/* Bytes of an inner packet with its padding (whitepaper, 5.4.6): to a multiple of 16, but not beyond the inner MTU. */
static inline size_t bypeer_transport_padded(size_t inner_bytes, size_t mtu)
{
    size_t padded = (inner_bytes + 15) & ~(size_t)15;
    if (padded <= mtu)
        return padded;
    return inner_bytes > mtu ? inner_bytes : mtu;
}

/*
 * Makes a datagram of the inner packet that lies at datagram + BYPEER_WIREGUARD_DATA_HEADER; there is room for padded
 * bytes, at least inner_bytes, and the overhead. Its length is padded + BYPEER_TRANSPORT_OVERHEAD. 0 or -EIO: then the
 * datagram must not be sent, and its counter is spent all the same.
 */
int bypeer_transport_seal(struct bypeer_crypto *crypto, const struct bypeer_wireguard_session *session,
                          uint64_t counter, uint8_t *datagram, size_t inner_bytes, size_t padded);

/*
 * Opens a datagram of type BYPEER_WIREGUARD_DATA, whose receiver index was the session's. What was in it, padding
 * included, lies at datagram + BYPEER_WIREGUARD_DATA_HEADER; returns its bytes, 0 for a keepalive. -EBADMSG: not
 * authentic, and the contents are wiped.
 */
int bypeer_transport_open(struct bypeer_crypto *crypto, const struct bypeer_wireguard_session *session,
                          uint8_t *datagram, size_t length);

/* Bytes of the inner packet as its own IP header says, without padding. -EBADMSG: neither IPv4 nor IPv6, or more than
 * was there. */
int bypeer_transport_inner_bytes(const uint8_t *inner, size_t length);
