#include "overlay/wireguard/peer.h"

#include <errno.h>

int bypeer_peer_init(struct bypeer_peer *ret_peer, const struct bypeer_peer_settings *settings)
{
    struct bypeer_peer peer = {.crypto = settings->crypto,
                               .identity = settings->identity,
                               .sink = settings->sink,
                               .sink_context = settings->sink_context,
                               .number = settings->number,
                               .persistent_ns = settings->persistent_ns};
    int status =
        bypeer_noise_remote_init(&peer.remote, settings->identity, settings->public_key, settings->preshared_key);
    bypeer_cookie_jar_init(&peer.jar, settings->public_key);
    if (status == 0)
        *ret_peer = peer;
    bypeer_crypto_wipe(&peer, sizeof(peer));
    return status;
}

static int peer_random(const struct bypeer_peer *peer, void *ret_bytes, size_t length)
{
    return peer->sink->random ? peer->sink->random(peer->sink_context, ret_bytes, length)
                              : bypeer_crypto_random(ret_bytes, length);
}

static void peer_withdraw(struct bypeer_peer *peer, struct bypeer_wireguard_session *session)
{
    if (session->local_index != 0)
        peer->sink->withdraw(peer->sink_context, peer, session);
    bypeer_crypto_wipe(session, sizeof(*session));
}

static void peer_expire(struct bypeer_peer *peer, uint64_t now_ns, bool all)
{
    struct bypeer_wireguard_session dropped;
    while (bypeer_keypairs_expire(&peer->keypairs, now_ns, all, &dropped))
        peer_withdraw(peer, &dropped);
}

/* No response is waited for any more. */
static void peer_forget_initiation(struct bypeer_peer *peer)
{
    uint32_t index = peer->waiting_index;
    bypeer_crypto_wipe(&peer->waiting, sizeof(peer->waiting));
    peer->waiting_index = 0;
    peer->is_attempting = false;
    if (index != 0)
        peer->sink->release_index(peer->sink_context, peer, index);
}

void bypeer_peer_end(struct bypeer_peer *peer)
{
    peer_forget_initiation(peer);
    peer_expire(peer, 0, true);
    bypeer_crypto_wipe(peer, sizeof(*peer));
}

static void peer_note_timestamp(struct bypeer_peer *peer, const uint8_t timestamp[static BYPEER_WIREGUARD_TIMESTAMP])
{
    if (memcmp(timestamp, peer->received_timestamp, BYPEER_WIREGUARD_TIMESTAMP) > 0)
        memcpy(peer->received_timestamp, timestamp, BYPEER_WIREGUARD_TIMESTAMP);
}

int bypeer_peer_adopt(struct bypeer_peer *peer, const struct bypeer_wireguard_session *session, bool is_heard)
{
    struct bypeer_wireguard_session dropped;
    if (!bypeer_wireguard_session_is_whole(session) || session->peer != peer->number)
        return -EINVAL;
    peer_note_timestamp(peer, session->timestamp);
    bypeer_keypairs_add(&peer->keypairs, session, &dropped);
    peer_withdraw(peer, &dropped);
    if (is_heard && bypeer_keypairs_confirm(&peer->keypairs, session->local_index, &dropped))
        peer_withdraw(peer, &dropped);
    if (peer->erase_ns < session->created_ns + BYPEER_PEER_ERASE_NS)
        peer->erase_ns = session->created_ns + BYPEER_PEER_ERASE_NS;
    return 0;
}

void bypeer_peer_set_persistent(struct bypeer_peer *peer, uint64_t persistent_ns)
{
    peer->persistent_ns = persistent_ns;
}

/* The present time as TAI64N, or the last one and a bit: the other side takes only what is greater. */
static void peer_next_timestamp(struct bypeer_peer *peer, uint64_t unix_ns)
{
    uint8_t timestamp[BYPEER_WIREGUARD_TIMESTAMP];
    bypeer_wireguard_write_timestamp(timestamp, unix_ns);
    if (memcmp(timestamp, peer->sent_timestamp, sizeof(timestamp)) > 0) {
        memcpy(peer->sent_timestamp, timestamp, sizeof(timestamp));
        return;
    }
    for (unsigned i = BYPEER_WIREGUARD_TIMESTAMP; i-- > 0;)
        if (++peer->sent_timestamp[i] != 0)
            return;
}

/* Makes an initiation under index, and what its response will need. */
static int peer_initiate(struct bypeer_peer *peer, uint32_t index, const struct bypeer_wireguard_time *now,
                         struct bypeer_wireguard_initiation *ret_initiation)
{
    uint8_t ephemeral[32];
    int status = peer_random(peer, ephemeral, sizeof(ephemeral));
    if (status < 0)
        return status;
    peer_next_timestamp(peer, now->unix_ns);
    status = bypeer_noise_initiate(&peer->waiting, ret_initiation, peer->crypto, peer->identity, &peer->remote,
                                   ephemeral, index, peer->sent_timestamp);
    bypeer_crypto_wipe(ephemeral, sizeof(ephemeral));
    return status;
}

/* .waiting_index stands for a .waiting that was really made: with one of zeros, anybody could complete a handshake. */
static int peer_write_initiation(struct bypeer_peer *peer, const struct bypeer_wireguard_time *now,
                                 uint8_t ret_datagram[static BYPEER_WIREGUARD_INITIATION_BYTES])
{
    struct bypeer_wireguard_initiation initiation;
    uint32_t index = peer->waiting_index;
    int status = index != 0 ? 0 : peer->sink->take_index(peer->sink_context, peer, &index);
    if (status < 0)
        return status;
    status = peer_initiate(peer, index, now, &initiation);
    if (status < 0) {
        if (peer->waiting_index == 0)
            peer->sink->release_index(peer->sink_context, peer, index);
        return status;
    }
    peer->waiting_index = index;
    bypeer_wireguard_write_initiation(&initiation, ret_datagram);
    bypeer_cookie_stamp(&peer->jar, ret_datagram, BYPEER_WIREGUARD_INITIATION_BYTES, now->ns);
    return 0;
}

/* If it cannot be made now, the next retry may. */
static void peer_send_initiation(struct bypeer_peer *peer, const struct bypeer_wireguard_time *now)
{
    uint8_t datagram[BYPEER_WIREGUARD_INITIATION_BYTES];
    uint32_t jitter = 0;
    int status = peer_random(peer, &jitter, sizeof(jitter));
    if (status == 0)
        status = peer_write_initiation(peer, now, datagram);
    peer->initiation_ns = now->ns;
    peer->retry_ns = now->ns + BYPEER_WIREGUARD_REKEY_TIMEOUT_NS + jitter % (BYPEER_PEER_JITTER_NS + 1);
    if (status == 0)
        peer->sink->send(peer->sink_context, peer, datagram, sizeof(datagram));
}

void bypeer_peer_request(struct bypeer_peer *peer, const struct bypeer_wireguard_time *now)
{
    const struct bypeer_wireguard_session *current = bypeer_peer_sendable(peer, now->ns);
    /* Asked for by somebody who does not know the newest session yet. */
    if (current && bypeer_wireguard_session_age(current, now->ns) < BYPEER_WIREGUARD_REKEY_TIMEOUT_NS)
        return;
    peer->attempt_ns = now->ns;
    if (peer->is_attempting)
        return;
    peer->is_attempting = true;
    uint64_t allowed = peer->initiation_ns + BYPEER_WIREGUARD_REKEY_TIMEOUT_NS;
    if (peer->initiation_ns != 0 && now->ns < allowed)
        peer->retry_ns = allowed;
    else
        peer_send_initiation(peer, now);
}

static void peer_give_up(struct bypeer_peer *peer, uint64_t now_ns)
{
    peer_forget_initiation(peer);
    peer->rest_ns = now_ns + peer->persistent_ns;
    if (peer->erase_ns == 0)
        peer->erase_ns = now_ns + BYPEER_PEER_ERASE_NS;
    peer->sink->gave_up(peer->sink_context, peer);
}

/* A session has both ends: attempts are over. */
static void peer_settle(struct bypeer_peer *peer, const struct bypeer_wireguard_session *session)
{
    peer_forget_initiation(peer);
    peer->sink->prefer(peer->sink_context, peer, session);
}

void bypeer_peer_confirm(struct bypeer_peer *peer, uint32_t local_index, const struct bypeer_wireguard_time *now)
{
    struct bypeer_wireguard_session dropped;
    if (!bypeer_keypairs_confirm(&peer->keypairs, local_index, &dropped))
        return;
    peer->rest_ns = now->ns;
    peer_settle(peer, &peer->keypairs.current);
    peer_withdraw(peer, &dropped);
}

/* Completes a record and makes it known. On failure it is as if it had never been. */
static int peer_publish(struct bypeer_peer *peer, struct bypeer_wireguard_session *session,
                        const uint8_t timestamp[static BYPEER_WIREGUARD_TIMESTAMP], uint64_t now_ns)
{
    struct bypeer_wireguard_session dropped;
    session->peer = peer->number;
    session->created_ns = now_ns;
    memcpy(session->timestamp, timestamp, sizeof(session->timestamp));
    bypeer_wireguard_session_finish(session);
    int status = peer->sink->publish(peer->sink_context, peer, session);
    if (status < 0)
        return status;
    bypeer_keypairs_add(&peer->keypairs, session, &dropped);
    peer_withdraw(peer, &dropped);
    peer->erase_ns = now_ns + BYPEER_PEER_ERASE_NS;
    return 0;
}

/* The response to an initiation that is authentic and new, under an index that was taken for it. */
static int peer_respond(struct bypeer_peer *peer, const struct bypeer_noise_opened *opened, uint32_t index,
                        const uint8_t timestamp[static BYPEER_WIREGUARD_TIMESTAMP],
                        const struct bypeer_wireguard_time *now,
                        uint8_t ret_datagram[static BYPEER_WIREGUARD_RESPONSE_BYTES])
{
    struct bypeer_wireguard_session session;
    struct bypeer_wireguard_response response;
    uint8_t ephemeral[32];
    int status = peer_random(peer, ephemeral, sizeof(ephemeral));
    if (status == 0)
        status = bypeer_noise_respond(&session, &response, peer->crypto, opened, &peer->remote, ephemeral, index);
    bypeer_crypto_wipe(ephemeral, sizeof(ephemeral));
    if (status < 0)
        return status;
    bypeer_wireguard_write_response(&response, ret_datagram);
    bypeer_cookie_stamp(&peer->jar, ret_datagram, BYPEER_WIREGUARD_RESPONSE_BYTES, now->ns);
    status = peer_publish(peer, &session, timestamp, now->ns);
    bypeer_crypto_wipe(&session, sizeof(session));
    return status;
}

int bypeer_peer_take_initiation(struct bypeer_peer *peer, struct bypeer_noise_opened *opened,
                                const struct bypeer_wireguard_time *now)
{
    uint8_t timestamp[BYPEER_WIREGUARD_TIMESTAMP], datagram[BYPEER_WIREGUARD_RESPONSE_BYTES];
    uint32_t index;
    int status = bypeer_noise_continue(opened, peer->crypto, &peer->remote, timestamp);
    if (status < 0)
        return status;
    if (memcmp(timestamp, peer->received_timestamp, sizeof(timestamp)) <= 0)
        return -EALREADY;
    if (peer->taken_ns != 0 && now->ns < peer->taken_ns + BYPEER_PEER_INITIATIONS_NS)
        return -EAGAIN;
    status = peer->sink->take_index(peer->sink_context, peer, &index);
    if (status < 0)
        return status;
    status = peer_respond(peer, opened, index, timestamp, now, datagram);
    if (status < 0) {
        peer->sink->release_index(peer->sink_context, peer, index);
        return status;
    }
    peer_note_timestamp(peer, timestamp);
    peer->taken_ns = now->ns;
    peer->sink->heard(peer->sink_context, peer);
    peer->sink->send(peer->sink_context, peer, datagram, sizeof(datagram));
    return 0;
}

int bypeer_peer_take_response(struct bypeer_peer *peer, const struct bypeer_wireguard_response *response,
                              const struct bypeer_wireguard_time *now)
{
    struct bypeer_wireguard_session session;
    if (peer->waiting_index == 0 || response->receiver != peer->waiting_index)
        return -EBADMSG;
    int status = bypeer_noise_complete(&session, peer->crypto, &peer->waiting, peer->identity, &peer->remote, response);
    if (status == 0)
        status = peer_publish(peer, &session, peer->received_timestamp, now->ns);
    bypeer_crypto_wipe(&session, sizeof(session));
    if (status < 0)
        return status;
    peer->waiting_index = 0; /* the session's from now on */
    peer->sink->heard(peer->sink_context, peer);
    peer_settle(peer, &peer->keypairs.current);
    peer->sink->confirm(peer->sink_context, peer, &peer->keypairs.current);
    return 0;
}

int bypeer_peer_take_cookie(struct bypeer_peer *peer, const struct bypeer_wireguard_cookie *cookie,
                            const struct bypeer_wireguard_time *now)
{
    return bypeer_cookie_take(&peer->jar, cookie, now->ns);
}

/* Whether it must have a session, has none, and does nothing about it. */
static bool peer_is_idle(const struct bypeer_peer *peer, uint64_t now_ns)
{
    return peer->persistent_ns != 0 && !peer->is_attempting && !bypeer_peer_sendable(peer, now_ns);
}

static uint64_t earlier(uint64_t left, uint64_t right)
{
    return left < right ? left : right;
}

uint64_t bypeer_peer_due(const struct bypeer_peer *peer, uint64_t now_ns)
{
    uint64_t due = bypeer_keypairs_due(&peer->keypairs);
    if (peer->is_attempting)
        due = earlier(due, peer->retry_ns);
    if (peer->erase_ns != 0)
        due = earlier(due, peer->erase_ns);
    if (peer_is_idle(peer, now_ns))
        due = earlier(due, peer->rest_ns);
    return due;
}

void bypeer_peer_tick(struct bypeer_peer *peer, const struct bypeer_wireguard_time *now)
{
    peer_expire(peer, now->ns, false);
    if (peer->erase_ns != 0 && now->ns >= peer->erase_ns) {
        peer_expire(peer, now->ns, true);
        peer->jar.has_cookie = false;
        bypeer_crypto_wipe(peer->jar.cookie, sizeof(peer->jar.cookie));
        peer->erase_ns = 0;
    }
    if (peer->is_attempting && now->ns >= peer->retry_ns) {
        if (now->ns - peer->attempt_ns >= BYPEER_WIREGUARD_REKEY_ATTEMPT_NS)
            peer_give_up(peer, now->ns);
        else
            peer_send_initiation(peer, now);
    }
    if (peer_is_idle(peer, now->ns) && now->ns >= peer->rest_ns)
        bypeer_peer_request(peer, now);
}
