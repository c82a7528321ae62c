/*
 * The handshake Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s (whitepaper, 5.4.2, 5.4.3): two messages, then a session.
 *
 *   initiator                                              responder
 *   _noise_initiate()   -- initiation (e, es, s, ss, t) --> _noise_open()      who is it? one agreement
 *                                                           _noise_continue()  is it he? no agreement: ss is known
 *   _noise_complete()   <-- response (e, ee, se, psk) ----- _noise_respond()
 *
 * All of this is arithmetic: whether a message was worth it (MACs), is no replay (timestamp) and may be answered now is
 * judged by cookie.h and peer.h. Every function leaves what it was given untouched on failure, and wipes what it no
 * longer needs. Private ephemeral keys come from the caller, fresh for each message, and are the caller's to wipe.
 *
 * Errors: -EBADMSG, the message is not authentic for these keys; -EINVAL, a public key is a point of low order; -ENOMEM
 * and -EIO, libcrypto's.
 */
#pragma once

#include "overlay/wireguard/crypto.h"
#include "overlay/wireguard/message.h"
#include "overlay/wireguard/session.h"

/* Who we are: a static key pair, and what follows from it for every handshake. Immutable: any number of threads. */
struct bypeer_noise_identity;
int bypeer_noise_identity_new(struct bypeer_noise_identity **ret_identity, struct bypeer_crypto *crypto,
                              const uint8_t private_key[static 32]);
void bypeer_noise_identity_free(struct bypeer_noise_identity *identity); /* NULL is fine; wipes it */
const uint8_t *bypeer_noise_public(const struct bypeer_noise_identity *identity);

/* Who the other is. Wiped by the owner. */
struct bypeer_noise_remote {
    uint8_t public_key[32];
    uint8_t preshared_key[32]; /* zero: none */
    uint8_t static_static[32]; /* agreement of both static keys */
};
/* preshared_key: NULL for none. */
int bypeer_noise_remote_init(struct bypeer_noise_remote *ret_remote, const struct bypeer_noise_identity *identity,
                             const uint8_t public_key[static 32], const uint8_t *preshared_key);

/* A handshake on its way: of the initiator until the response comes, of the responder while it answers. */
struct bypeer_noise_state {
    uint8_t chaining_key[32];
    uint8_t hash[32];
    uint8_t ephemeral[32]; /* initiator: our private key; responder: the other's public one */
};

/* An initiation whose sender's static key was read, which proves nothing yet. */
struct bypeer_noise_opened {
    struct bypeer_noise_state state;
    uint32_t sender;
    uint8_t public_key[32];
    uint8_t sealed_timestamp[BYPEER_WIREGUARD_TIMESTAMP + BYPEER_WIREGUARD_TAG];
};

int bypeer_noise_initiate(struct bypeer_noise_state *ret_state, struct bypeer_wireguard_initiation *ret_initiation,
                          struct bypeer_crypto *crypto, const struct bypeer_noise_identity *identity,
                          const struct bypeer_noise_remote *remote, const uint8_t ephemeral[static 32],
                          uint32_t local_index, const uint8_t timestamp[static BYPEER_WIREGUARD_TIMESTAMP]);

int bypeer_noise_open(struct bypeer_noise_opened *ret_opened, struct bypeer_crypto *crypto,
                      const struct bypeer_noise_identity *identity,
                      const struct bypeer_wireguard_initiation *initiation);
/* remote is who bears opened->public_key. From here on the initiation is known to be that remote's. */
int bypeer_noise_continue(struct bypeer_noise_opened *opened, struct bypeer_crypto *crypto,
                          const struct bypeer_noise_remote *remote,
                          uint8_t ret_timestamp[static BYPEER_WIREGUARD_TIMESTAMP]);

/* Both give a session with indexes, serial, flags and keys; peer, created_ns, timestamp and checksum are the caller's.
 */
int bypeer_noise_respond(struct bypeer_wireguard_session *ret_session, struct bypeer_wireguard_response *ret_response,
                         struct bypeer_crypto *crypto, const struct bypeer_noise_opened *opened,
                         const struct bypeer_noise_remote *remote, const uint8_t ephemeral[static 32],
                         uint32_t local_index);
int bypeer_noise_complete(struct bypeer_wireguard_session *ret_session, struct bypeer_crypto *crypto,
                          const struct bypeer_noise_state *waiting, const struct bypeer_noise_identity *identity,
                          const struct bypeer_noise_remote *remote, const struct bypeer_wireguard_response *response);
