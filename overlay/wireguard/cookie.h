/*
 * MAC1, MAC2 and cookies (whitepaper, 5.3, 5.4.4, 5.4.7): what a message must show before it is worth an agreement.
 *
 *   MAC1  the sender knows our public key; costs two compressions of BLAKE2s to check
 *   MAC2  the sender receives at its source address: it got a cookie there; asked for only under load
 *
 * A cookie is a MAC of the source under a secret that changes every 120 s. The secret of a period follows from one
 * secret and the period's number, so all workers, control, and a process that takes over know each other's cookies, and
 * nothing is remembered about anybody. Cookies of the period before are good, too: an initiator uses one for up to
 * 120 s, and never finds it refused before.
 *
 *   flood:  bad MAC1 -> nothing     good MAC1, no load -> handshake
 *           good MAC1, load, no good MAC2 -> a cookie reply of 64 bytes, for 148 or 92 that came
 *
 * Times are in ns of one clock that all who share the secret read.
 */
#pragma once

#include <stdbool.h>

#include "overlay/wireguard/blake2s.h"
#include "overlay/wireguard/crypto.h"
#include "overlay/wireguard/message.h"

#define BYPEER_COOKIE_PERIOD_NS  UINT64_C(120000000000)
#define BYPEER_COOKIE_BURST      64
#define BYPEER_COOKIE_SOURCE_MAX 18 /* an IPv4 or IPv6 address and a UDP port, as on the wire */

/* Keys that follow from a public key. */
struct bypeer_cookie_keys {
    struct bypeer_blake2s_key mac1;
    uint8_t cookie[32];
};

/* --- of who receives --- */

/* One a thread. To check and to reply allocates nothing. */
struct bypeer_cookie_checker {
    struct bypeer_cookie_keys keys;
    struct bypeer_blake2s_key secret;
    uint64_t period;                      /* the one that .secrets are for */
    struct bypeer_blake2s_key secrets[2]; /* of that and the one before */
};

enum bypeer_cookie_verdict {
    BYPEER_COOKIE_BAD,      /* MAC1 is wrong: no answer */
    BYPEER_COOKIE_UNPROVEN, /* MAC1 is right, MAC2 is not */
    BYPEER_COOKIE_PROVEN,   /* both are */
};

/* public_key: ours. secret: random, the same for all checkers of the node. */
void bypeer_cookie_checker_init(struct bypeer_cookie_checker *ret_checker, const uint8_t public_key[static 32],
                                const uint8_t secret[static 32]);

/* Judges an initiation or a response (bypeer_wireguard_type()). source_bytes: up to BYPEER_COOKIE_SOURCE_MAX. MAC2 is
 * looked at only if proof is wanted; without, a good MAC1 is all that is found. */
enum bypeer_cookie_verdict bypeer_cookie_check(struct bypeer_cookie_checker *checker, const uint8_t *datagram,
                                               size_t length, const uint8_t *source, size_t source_bytes,
                                               bool wants_proof, uint64_t now_ns);

/*
 * The two halves of that, for who has a burst. MAC1 of count messages, as many as _BURST: eight cost little more than
 * one. Then, under load, MAC2 of a message whose MAC1 was right.
 */
void bypeer_cookie_check_burst(const struct bypeer_cookie_checker *checker, const uint8_t *const datagrams[],
                               const size_t lengths[], unsigned count, bool ret_right[]);
bool bypeer_cookie_is_proven(struct bypeer_cookie_checker *checker, const uint8_t *datagram, size_t length,
                             const uint8_t *source, size_t source_bytes, uint64_t now_ns);

/* The cookie reply to a message that was unproven. nonce: random, never the same twice. 0 or -EIO. */
int bypeer_cookie_reply(struct bypeer_cookie_checker *checker, const uint8_t *datagram, size_t length,
                        const uint8_t *source, size_t source_bytes, const uint8_t nonce[static 24], uint64_t now_ns,
                        uint8_t ret_reply[static BYPEER_WIREGUARD_COOKIE_BYTES]);

/* --- of who sends --- */

/* What one remote has asked of us. One thread at a time. */
struct bypeer_cookie_jar {
    struct bypeer_cookie_keys keys; /* of the remote's public key */
    uint8_t mac1[16];               /* of the last message: a cookie reply is for that one */
    uint8_t cookie[16];
    uint64_t received_ns;
    bool is_waiting; /* a message went out that no cookie came for yet */
    bool has_cookie;
};

void bypeer_cookie_jar_init(struct bypeer_cookie_jar *ret_jar, const uint8_t public_key[static 32]);
/* Writes the MACs of an initiation or response, whose other bytes are complete. */
void bypeer_cookie_stamp(struct bypeer_cookie_jar *jar, uint8_t *datagram, size_t length, uint64_t now_ns);
/* Takes the cookie in: the next message will bear it. At most one for a message that was stamped. 0 or -EBADMSG. */
int bypeer_cookie_take(struct bypeer_cookie_jar *jar, const struct bypeer_wireguard_cookie *reply, uint64_t now_ns);
