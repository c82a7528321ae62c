#include "tests/wireguard_end.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/random.h"

static int end_random(void *context, void *ret_bytes, size_t length)
{
    struct wireguard_end *end = context;
    uint8_t *bytes = ret_bytes;
    if (end->random == 0)
        return bypeer_crypto_random(ret_bytes, length);
    for (size_t at = 0; at < length; at++)
        bytes[at] = (uint8_t)random_next(&end->random);
    return 0;
}

static struct wireguard_end_session *end_find(struct wireguard_end *end, uint32_t index)
{
    for (unsigned i = 0; i < WIREGUARD_END_SESSIONS; i++)
        if (end->sessions[i].is_taken && end->sessions[i].index == index)
            return &end->sessions[i];
    return NULL;
}

static int end_take_index(void *context, struct bypeer_peer *peer, uint32_t *ret_index)
{
    struct wireguard_end *end = context;
    (void)peer;
    for (unsigned i = 0; i < WIREGUARD_END_SESSIONS; i++) {
        struct wireguard_end_session *session = &end->sessions[i];
        if (session->is_taken)
            continue;
        uint32_t index = 0;
        while (index == 0 || end_find(end, index))
            if (end_random(end, &index, sizeof(index)) < 0)
                return -EIO;
        *session = (struct wireguard_end_session){.is_taken = true, .index = index};
        *ret_index = index;
        return 0;
    }
    return -ENOBUFS;
}

static void end_release_index(void *context, struct bypeer_peer *peer, uint32_t index)
{
    (void)peer;
    end_find(context, index)->is_taken = false;
}

static int end_publish(void *context, struct bypeer_peer *peer, const struct bypeer_wireguard_session *session)
{
    struct wireguard_end *end = context;
    (void)peer;
    if (end->wants_nothing_published)
        return -ENOBUFS;
    if (!bypeer_wireguard_session_is_whole(session))
        abort();
    end_find(end, session->local_index)->record = *session;
    return 0;
}

static void end_withdraw(void *context, struct bypeer_peer *peer, const struct bypeer_wireguard_session *session)
{
    struct wireguard_end *end = context;
    struct wireguard_end_session *found = end_find(end, session->local_index);
    (void)peer;
    if (end->preferred == found)
        end->preferred = NULL;
    bypeer_crypto_wipe(found, sizeof(*found));
    end->withdrawn++;
}

static void end_prefer(void *context, struct bypeer_peer *peer, const struct bypeer_wireguard_session *session)
{
    struct wireguard_end *end = context;
    (void)peer;
    end->preferred = end_find(end, session->local_index);
    end->prefers++;
}

static bool end_seal(struct wireguard_end *end, const uint8_t *packet, size_t length)
{
    struct wireguard_end_session *session = end->preferred;
    if (!session || !bypeer_wireguard_session_is_usable(&session->record, session->next_counter, end->now.ns))
        return false;
    uint64_t counter = session->next_counter++;
    size_t padded = bypeer_transport_padded(length, WIREGUARD_END_MTU);
    if (end->out_count < WIREGUARD_END_QUEUE) {
        uint8_t *datagram = end->out[end->out_count].bytes;
        if (length > 0)
            memcpy(datagram + BYPEER_WIREGUARD_DATA_HEADER, packet, length);
        if (bypeer_transport_seal(end->crypto, &session->record, counter, datagram, length, padded) < 0)
            abort();
        end->out[end->out_count++].length = padded + BYPEER_TRANSPORT_OVERHEAD;
    }
    bypeer_activity_sent(&end->activity, length > 0, end->now.ns);
    return true;
}

static void end_flush(struct wireguard_end *end)
{
    if (end->waiting_bytes > 0 && end_seal(end, end->waiting, end->waiting_bytes))
        end->waiting_bytes = 0;
}

static void end_confirm(void *context, struct bypeer_peer *peer, const struct bypeer_wireguard_session *session)
{
    struct wireguard_end *end = context;
    (void)peer;
    (void)session;
    if (end->waiting_bytes > 0)
        end_flush(end);
    else
        end_seal(end, NULL, 0);
}

static void end_heard(void *context, struct bypeer_peer *peer)
{
    struct wireguard_end *end = context;
    (void)peer;
    end->heard++;
}

static void end_send_datagram(void *context, struct bypeer_peer *peer, const uint8_t *datagram, size_t length)
{
    struct wireguard_end *end = context;
    (void)peer;
    if (length == BYPEER_WIREGUARD_INITIATION_BYTES)
        end->initiations++;
    else
        end->responses++;
    if (end->out_count == WIREGUARD_END_QUEUE)
        return;
    memcpy(end->out[end->out_count].bytes, datagram, length);
    end->out[end->out_count++].length = length;
}

static void end_gave_up(void *context, struct bypeer_peer *peer)
{
    struct wireguard_end *end = context;
    (void)peer;
    end->gave_ups++;
    end->waiting_bytes = 0;
    end->activity.unanswered_ns = 0;
}

static const struct bypeer_peer_sink sink = {
    .take_index = end_take_index,
    .release_index = end_release_index,
    .publish = end_publish,
    .prefer = end_prefer,
    .confirm = end_confirm,
    .withdraw = end_withdraw,
    .heard = end_heard,
    .send = end_send_datagram,
    .gave_up = end_gave_up,
    .random = end_random,
};

static struct bypeer_peer *end_find_key(void *context, const uint8_t public_key[static 32])
{
    struct wireguard_end *end = context;
    return memcmp(end->peer.remote.public_key, public_key, 32) == 0 ? &end->peer : NULL;
}

static struct bypeer_peer *end_find_index(void *context, uint32_t index)
{
    struct wireguard_end *end = context;
    return end_find(end, index) ? &end->peer : NULL;
}

static void require(int status, const char *what)
{
    if (status == 0)
        return;
    fprintf(stderr, "%s: %s\n", what, strerror(-status));
    exit(EXIT_FAILURE);
}

void wireguard_end_init(struct wireguard_end *end, const uint8_t private_key[static 32],
                        const uint8_t peer_key[static 32], const uint8_t *preshared_key, unsigned persistent_s,
                        uint64_t random, struct bypeer_wireguard_time now)
{
    uint8_t secret[32];
    *end = (struct wireguard_end){.now = now, .random = random, .persistent_ns = persistent_s * BYPEER_WIREGUARD_S};
    require(bypeer_crypto_new(&end->crypto), "crypto");
    require(bypeer_noise_identity_new(&end->identity, end->crypto, private_key), "identity");
    require(end_random(end, secret, sizeof(secret)), "random numbers");
    end->device = (struct bypeer_wireguard_device){.crypto = end->crypto,
                                                   .identity = end->identity,
                                                   .context = end,
                                                   .find_key = end_find_key,
                                                   .find_index = end_find_index,
                                                   .random = end_random};
    bypeer_cookie_checker_init(&end->device.checker, bypeer_noise_public(end->identity), secret);
    const struct bypeer_peer_settings settings = {.crypto = end->crypto,
                                                  .identity = end->identity,
                                                  .sink = &sink,
                                                  .sink_context = end,
                                                  .number = 1,
                                                  .public_key = peer_key,
                                                  .preshared_key = preshared_key,
                                                  .persistent_ns = end->persistent_ns};
    require(bypeer_peer_init(&end->peer, &settings), "peer");
}

void wireguard_end_free(struct wireguard_end *end)
{
    bypeer_peer_end(&end->peer);
    bypeer_noise_identity_free(end->identity);
    bypeer_crypto_free(end->crypto);
}

static void end_receive_data(struct wireguard_end *end, uint8_t *datagram, size_t length)
{
    uint64_t counter = bypeer_wireguard_data_counter(datagram);
    struct wireguard_end_session *session = end_find(end, bypeer_wireguard_data_receiver(datagram));
    end->bad++;
    if (!session || session->record.local_index == 0 ||
        !bypeer_wireguard_session_is_usable(&session->record, counter, end->now.ns))
        return;
    int bytes = bypeer_transport_open(end->crypto, &session->record, datagram, length);
    if (bytes < 0)
        return;
    end->bad--;
    if (bypeer_window_accept(&session->greatest, &session->window, counter) != BYPEER_WINDOW_FRESH) {
        end->replays++;
        return;
    }
    bypeer_activity_received(&end->activity, bytes > 0, end->now.ns);
    if (!session->is_heard) {
        session->is_heard = true;
        bypeer_peer_confirm(&end->peer, session->index, &end->now);
        end_flush(end);
    }
    if (bypeer_wireguard_session_is_stale_to_receive(&session->record, end->now.ns))
        bypeer_peer_request(&end->peer, &end->now);
    if (bytes == 0) {
        end->keepalives++;
        return;
    }
    bytes = bypeer_transport_inner_bytes(datagram + BYPEER_WIREGUARD_DATA_HEADER, (size_t)bytes);
    if (bytes < 0 || (size_t)bytes > sizeof(end->packet))
        return;
    memcpy(end->packet, datagram + BYPEER_WIREGUARD_DATA_HEADER, (size_t)bytes);
    end->packet_bytes = (size_t)bytes;
    end->packets++;
}

enum bypeer_wireguard_verdict wireguard_end_receive(struct wireguard_end *end, uint8_t *datagram, size_t length,
                                                    const uint8_t *source, size_t source_bytes,
                                                    enum bypeer_wireguard_doubt doubt)
{
    uint8_t reply[BYPEER_WIREGUARD_COOKIE_BYTES];
    enum bypeer_wireguard_verdict verdict =
        bypeer_wireguard_receive(&end->device, datagram, length, source, source_bytes, doubt, &end->now, reply);
    if (verdict == BYPEER_WIREGUARD_IS_DATA)
        end_receive_data(end, datagram, length);
    if (verdict == BYPEER_WIREGUARD_UNPROVEN && end->out_count < WIREGUARD_END_QUEUE) {
        memcpy(end->out[end->out_count].bytes, reply, sizeof(reply));
        end->out[end->out_count++].length = sizeof(reply);
    }
    return verdict;
}

bool wireguard_end_send(struct wireguard_end *end, const uint8_t *packet, size_t length)
{
    bool left = end_seal(end, packet, length);
    if (!left) {
        memcpy(end->waiting, packet, length);
        end->waiting_bytes = length;
    }
    if (!left || bypeer_wireguard_session_is_stale_to_send(&end->preferred->record, end->preferred->next_counter - 1,
                                                           end->now.ns))
        bypeer_peer_request(&end->peer, &end->now);
    return left;
}

void wireguard_end_keepalive(struct wireguard_end *end)
{
    if (!end_seal(end, NULL, 0))
        bypeer_peer_request(&end->peer, &end->now);
}

void wireguard_end_tick(struct wireguard_end *end)
{
    bypeer_peer_tick(&end->peer, &end->now);
    unsigned due = bypeer_activity_due(&end->activity, end->preferred ? end->persistent_ns : 0, end->now.ns);
    if (due & BYPEER_ACTIVITY_KEEPALIVE)
        end_seal(end, NULL, 0);
    if (due & BYPEER_ACTIVITY_HANDSHAKE)
        bypeer_peer_request(&end->peer, &end->now);
}

uint64_t wireguard_end_due(const struct wireguard_end *end)
{
    uint64_t peer = bypeer_peer_due(&end->peer, end->now.ns);
    uint64_t activity = bypeer_activity_next(&end->activity, end->preferred ? end->persistent_ns : 0);
    return peer < activity ? peer : activity;
}
