#include "overlay/wireguard/noise.h"

#include <errno.h>
#include <stdlib.h>

static const char construction[] = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
static const char identifier[] = "WireGuard v1 zx2c4 Jason@zx2c4.com";

struct bypeer_noise_identity {
    struct bypeer_crypto_pair *pair;
    uint8_t public_key[32];
    uint8_t chaining_key[32]; /* Hash(construction) */
    uint8_t hash[32];         /* Hash(chaining key || identifier) */
};

int bypeer_noise_identity_new(struct bypeer_noise_identity **ret_identity, struct bypeer_crypto *crypto,
                              const uint8_t private_key[static 32])
{
    struct bypeer_noise_identity *identity = calloc(1, sizeof(*identity));
    if (!identity)
        return -ENOMEM;
    int status = bypeer_crypto_pair_new(&identity->pair, private_key, identity->public_key);
    if (status == 0)
        status = bypeer_crypto_hash(crypto, construction, strlen(construction), NULL, 0, identity->chaining_key);
    if (status == 0)
        status = bypeer_crypto_hash(crypto, identity->chaining_key, 32, identifier, strlen(identifier), identity->hash);
    if (status < 0) {
        bypeer_noise_identity_free(identity);
        return status;
    }
    *ret_identity = identity;
    return 0;
}

void bypeer_noise_identity_free(struct bypeer_noise_identity *identity)
{
    if (!identity)
        return;
    bypeer_crypto_pair_free(identity->pair);
    free(identity);
}

const uint8_t *bypeer_noise_public(const struct bypeer_noise_identity *identity)
{
    return identity->public_key;
}

int bypeer_noise_remote_init(struct bypeer_noise_remote *ret_remote, const struct bypeer_noise_identity *identity,
                             const uint8_t public_key[static 32], const uint8_t *preshared_key)
{
    struct bypeer_noise_remote remote = {{0}};
    int status = bypeer_crypto_agree(identity->pair, public_key, remote.static_static);
    if (status < 0)
        return status;
    memcpy(remote.public_key, public_key, 32);
    if (preshared_key)
        memcpy(remote.preshared_key, preshared_key, 32);
    *ret_remote = remote;
    bypeer_crypto_wipe(&remote, sizeof(remote));
    return 0;
}

/* H := Hash(H || bytes) */
static int mix_hash(struct bypeer_noise_state *state, struct bypeer_crypto *crypto, const void *bytes, size_t length)
{
    return bypeer_crypto_hash(crypto, state->hash, 32, bytes, length, state->hash);
}

/* C := Kdf1(C, input) */
static int mix_key(struct bypeer_noise_state *state, struct bypeer_crypto *crypto, const uint8_t input[static 32])
{
    return bypeer_crypto_derive(crypto, state->chaining_key, input, 32, 1, (uint8_t *const[]){state->chaining_key});
}

/* (C, key) := Kdf2(C, input) */
static int mix_and_derive(struct bypeer_noise_state *state, struct bypeer_crypto *crypto,
                          const uint8_t input[static 32], uint8_t ret_key[static 32])
{
    return bypeer_crypto_derive(crypto, state->chaining_key, input, 32, 2,
                                (uint8_t *const[]){state->chaining_key, ret_key});
}

/* (C, t, key) := Kdf3(C, preshared key); H := Hash(H || t) */
static int mix_preshared(struct bypeer_noise_state *state, struct bypeer_crypto *crypto,
                         const struct bypeer_noise_remote *remote, uint8_t ret_key[static 32])
{
    uint8_t mixed[32];
    int status = bypeer_crypto_derive(crypto, state->chaining_key, remote->preshared_key, 32, 3,
                                      (uint8_t *const[]){state->chaining_key, mixed, ret_key});
    if (status == 0)
        status = mix_hash(state, crypto, mixed, sizeof(mixed));
    bypeer_crypto_wipe(mixed, sizeof(mixed));
    return status;
}

/* As mix_key() or, with ret_key, mix_and_derive(), of the agreement between a pair of ours and the other's key. */
static int mix_agreement(struct bypeer_noise_state *state, struct bypeer_crypto *crypto,
                         const struct bypeer_crypto_pair *pair, const uint8_t public_key[static 32], uint8_t *ret_key)
{
    uint8_t shared[32];
    int status = bypeer_crypto_agree(pair, public_key, shared);
    if (status == 0)
        status = ret_key ? mix_and_derive(state, crypto, shared, ret_key) : mix_key(state, crypto, shared);
    bypeer_crypto_wipe(shared, sizeof(shared));
    return status;
}

/* Seals under a key that is used once, with H as associated data, and mixes what came of it into H. */
static int seal_and_mix(struct bypeer_noise_state *state, struct bypeer_crypto *crypto, const uint8_t key[static 32],
                        const void *plaintext, size_t length, uint8_t *ret_ciphertext)
{
    int status = bypeer_crypto_seal(crypto, key, 0, state->hash, 32, plaintext, length, ret_ciphertext);
    return status < 0 ? status : mix_hash(state, crypto, ret_ciphertext, length + BYPEER_WIREGUARD_TAG);
}

static int open_and_mix(struct bypeer_noise_state *state, struct bypeer_crypto *crypto, const uint8_t key[static 32],
                        const uint8_t *ciphertext, size_t length, void *ret_plaintext)
{
    int status = bypeer_crypto_open(crypto, key, 0, state->hash, 32, ciphertext, length, ret_plaintext);
    return status < 0 ? status : mix_hash(state, crypto, ciphertext, length);
}

/* What every handshake begins with: C and H of the protocol, then the responder's static key. */
static int begin(struct bypeer_noise_state *ret_state, struct bypeer_crypto *crypto,
                 const struct bypeer_noise_identity *identity, const uint8_t responder[static 32])
{
    memcpy(ret_state->chaining_key, identity->chaining_key, 32);
    memcpy(ret_state->hash, identity->hash, 32);
    return mix_hash(ret_state, crypto, responder, 32);
}

/* C := Kdf1(C, ephemeral); H := Hash(H || ephemeral) */
static int mix_ephemeral(struct bypeer_noise_state *state, struct bypeer_crypto *crypto,
                         const uint8_t public_key[static 32])
{
    int status = mix_key(state, crypto, public_key);
    return status < 0 ? status : mix_hash(state, crypto, public_key, 32);
}

/* Each step of a handshake ends with this. */
static void forget(struct bypeer_crypto *crypto, uint8_t key[static 32], struct bypeer_noise_state *state)
{
    bypeer_crypto_wipe(key, 32);
    bypeer_crypto_wipe(state, sizeof(*state));
    bypeer_crypto_forget(crypto);
}

int bypeer_noise_initiate(struct bypeer_noise_state *ret_state, struct bypeer_wireguard_initiation *ret_initiation,
                          struct bypeer_crypto *crypto, const struct bypeer_noise_identity *identity,
                          const struct bypeer_noise_remote *remote, const uint8_t ephemeral[static 32],
                          uint32_t local_index, const uint8_t timestamp[static BYPEER_WIREGUARD_TIMESTAMP])
{
    struct bypeer_noise_state state = {{0}};
    struct bypeer_wireguard_initiation initiation = {.sender = local_index};
    struct bypeer_crypto_pair *pair = NULL;
    uint8_t key[32];
    int status = bypeer_crypto_pair_new(&pair, ephemeral, initiation.ephemeral);
    if (status < 0)
        return status;
    if ((status = begin(&state, crypto, identity, remote->public_key)) == 0 &&
        (status = mix_ephemeral(&state, crypto, initiation.ephemeral)) == 0 &&
        (status = mix_agreement(&state, crypto, pair, remote->public_key, key)) == 0 &&
        (status = seal_and_mix(&state, crypto, key, identity->public_key, 32, initiation.sealed_static)) == 0 &&
        (status = mix_and_derive(&state, crypto, remote->static_static, key)) == 0 &&
        (status = seal_and_mix(&state, crypto, key, timestamp, BYPEER_WIREGUARD_TIMESTAMP,
                               initiation.sealed_timestamp)) == 0) {
        memcpy(state.ephemeral, ephemeral, 32);
        *ret_state = state;
        *ret_initiation = initiation;
    }
    bypeer_crypto_pair_free(pair);
    forget(crypto, key, &state);
    return status;
}

int bypeer_noise_open(struct bypeer_noise_opened *ret_opened, struct bypeer_crypto *crypto,
                      const struct bypeer_noise_identity *identity,
                      const struct bypeer_wireguard_initiation *initiation)
{
    struct bypeer_noise_opened opened = {.sender = initiation->sender};
    uint8_t key[32];
    int status;
    if ((status = begin(&opened.state, crypto, identity, identity->public_key)) == 0 &&
        (status = mix_ephemeral(&opened.state, crypto, initiation->ephemeral)) == 0 &&
        (status = mix_agreement(&opened.state, crypto, identity->pair, initiation->ephemeral, key)) == 0 &&
        (status = open_and_mix(&opened.state, crypto, key, initiation->sealed_static, 48, opened.public_key)) == 0) {
        memcpy(opened.state.ephemeral, initiation->ephemeral, 32);
        memcpy(opened.sealed_timestamp, initiation->sealed_timestamp, sizeof(opened.sealed_timestamp));
        *ret_opened = opened;
    }
    forget(crypto, key, &opened.state);
    return status;
}

int bypeer_noise_continue(struct bypeer_noise_opened *opened, struct bypeer_crypto *crypto,
                          const struct bypeer_noise_remote *remote,
                          uint8_t ret_timestamp[static BYPEER_WIREGUARD_TIMESTAMP])
{
    struct bypeer_noise_state state = opened->state;
    uint8_t key[32], timestamp[BYPEER_WIREGUARD_TIMESTAMP];
    int status;
    if ((status = mix_and_derive(&state, crypto, remote->static_static, key)) == 0 &&
        (status = open_and_mix(&state, crypto, key, opened->sealed_timestamp, sizeof(opened->sealed_timestamp),
                               timestamp)) == 0) {
        opened->state = state;
        memcpy(ret_timestamp, timestamp, sizeof(timestamp));
    }
    forget(crypto, key, &state);
    return status;
}

/* Transport keys from C, and a serial from H, which is public, the same at both ends, and of no other handshake. */
static int finish(struct bypeer_wireguard_session *ret_session, const struct bypeer_noise_state *state,
                  struct bypeer_crypto *crypto, uint32_t flags, uint32_t local_index, uint32_t remote_index)
{
    struct bypeer_wireguard_session session = {
        .local_index = local_index, .remote_index = remote_index, .flags = flags};
    bool is_initiator = flags & BYPEER_WIREGUARD_INITIATOR;
    uint8_t *const keys[] = {is_initiator ? session.send_key : session.receive_key,
                             is_initiator ? session.receive_key : session.send_key};
    int status = bypeer_crypto_derive(crypto, state->chaining_key, NULL, 0, 2, keys);
    if (status == 0) {
        memcpy(&session.serial, state->hash, sizeof(session.serial));
        *ret_session = session;
    }
    bypeer_crypto_wipe(&session, sizeof(session));
    return status;
}

int bypeer_noise_respond(struct bypeer_wireguard_session *ret_session, struct bypeer_wireguard_response *ret_response,
                         struct bypeer_crypto *crypto, const struct bypeer_noise_opened *opened,
                         const struct bypeer_noise_remote *remote, const uint8_t ephemeral[static 32],
                         uint32_t local_index)
{
    struct bypeer_noise_state state = opened->state;
    struct bypeer_wireguard_response response = {.sender = local_index, .receiver = opened->sender};
    struct bypeer_crypto_pair *pair = NULL;
    uint8_t key[32];
    int status = bypeer_crypto_pair_new(&pair, ephemeral, response.ephemeral);
    if (status == 0 && (status = mix_ephemeral(&state, crypto, response.ephemeral)) == 0 &&
        (status = mix_agreement(&state, crypto, pair, state.ephemeral, NULL)) == 0 &&
        (status = mix_agreement(&state, crypto, pair, remote->public_key, NULL)) == 0 &&
        (status = mix_preshared(&state, crypto, remote, key)) == 0 &&
        (status = seal_and_mix(&state, crypto, key, NULL, 0, response.sealed_none)) == 0 &&
        (status = finish(ret_session, &state, crypto, 0, local_index, opened->sender)) == 0)
        *ret_response = response;
    bypeer_crypto_pair_free(pair);
    forget(crypto, key, &state);
    return status;
}

int bypeer_noise_complete(struct bypeer_wireguard_session *ret_session, struct bypeer_crypto *crypto,
                          const struct bypeer_noise_state *waiting, const struct bypeer_noise_identity *identity,
                          const struct bypeer_noise_remote *remote, const struct bypeer_wireguard_response *response)
{
    struct bypeer_noise_state state = *waiting;
    struct bypeer_crypto_pair *pair = NULL;
    uint8_t key[32], public_key[32], none[1];
    int status = bypeer_crypto_pair_new(&pair, state.ephemeral, public_key);
    if (status == 0 && (status = mix_ephemeral(&state, crypto, response->ephemeral)) == 0 &&
        (status = mix_agreement(&state, crypto, pair, response->ephemeral, NULL)) == 0 &&
        (status = mix_agreement(&state, crypto, identity->pair, response->ephemeral, NULL)) == 0 &&
        (status = mix_preshared(&state, crypto, remote, key)) == 0 &&
        (status = open_and_mix(&state, crypto, key, response->sealed_none, BYPEER_WIREGUARD_TAG, none)) == 0)
        status = finish(ret_session, &state, crypto, BYPEER_WIREGUARD_INITIATOR, response->receiver, response->sender);
    bypeer_crypto_pair_free(pair);
    forget(crypto, key, &state);
    return status;
}
