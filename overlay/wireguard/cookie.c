#include "overlay/wireguard/cookie.h"

#include <errno.h>
#include <string.h>

#define LABEL_BYTES 8

static void derive_key(const char label[static LABEL_BYTES], const uint8_t public_key[static 32],
                       uint8_t ret_key[static BYPEER_BLAKE2S_HASH])
{
    uint8_t text[LABEL_BYTES + 32];
    memcpy(text, label, LABEL_BYTES);
    memcpy(text + LABEL_BYTES, public_key, 32);
    bypeer_blake2s_hash(text, sizeof(text), ret_key);
}

static void derive_keys(struct bypeer_cookie_keys *ret_keys, const uint8_t public_key[static 32])
{
    uint8_t mac1[BYPEER_BLAKE2S_HASH];
    derive_key("mac1----", public_key, mac1);
    bypeer_blake2s_key_init(&ret_keys->mac1, mac1, sizeof(mac1));
    derive_key("cookie--", public_key, ret_keys->cookie);
}

void bypeer_cookie_checker_init(struct bypeer_cookie_checker *ret_checker, const uint8_t public_key[static 32],
                                const uint8_t secret[static 32])
{
    struct bypeer_cookie_checker checker = {.period = UINT64_MAX};
    derive_keys(&checker.keys, public_key);
    bypeer_blake2s_key_init(&checker.secret, secret, 32);
    *ret_checker = checker;
    bypeer_crypto_wipe(&checker, sizeof(checker));
}

static void checker_derive(const struct bypeer_cookie_checker *checker, uint64_t period,
                           struct bypeer_blake2s_key *ret_secret)
{
    uint8_t secret[BYPEER_BLAKE2S_MAC];
    period = htole64(period);
    bypeer_blake2s_mac(&checker->secret, &period, sizeof(period), secret);
    bypeer_blake2s_key_init(ret_secret, secret, sizeof(secret));
}

static void checker_turn(struct bypeer_cookie_checker *checker, uint64_t now_ns)
{
    uint64_t period = now_ns / BYPEER_COOKIE_PERIOD_NS;
    if (checker->period == period)
        return;
    checker_derive(checker, period, &checker->secrets[0]);
    checker_derive(checker, period - 1, &checker->secrets[1]);
    checker->period = period;
}

/* MAC2: over everything before it, MAC1 included. */
static void write_mac2(const uint8_t cookie[static BYPEER_BLAKE2S_MAC], const uint8_t *datagram, size_t length,
                       uint8_t ret_mac[static BYPEER_BLAKE2S_MAC])
{
    struct bypeer_blake2s_key key;
    bypeer_blake2s_key_init(&key, cookie, BYPEER_BLAKE2S_MAC);
    bypeer_blake2s_mac(&key, datagram, length - BYPEER_WIREGUARD_MAC, ret_mac);
}

bool bypeer_cookie_is_proven(struct bypeer_cookie_checker *checker, const uint8_t *datagram, size_t length,
                             const uint8_t *source, size_t source_bytes, uint64_t now_ns)
{
    static const uint8_t none[BYPEER_WIREGUARD_MAC];
    const uint8_t *mac2 = datagram + length - BYPEER_WIREGUARD_MAC;
    if (memcmp(mac2, none, sizeof(none)) == 0)
        return false;
    checker_turn(checker, now_ns);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t cookie[BYPEER_BLAKE2S_MAC], mac[BYPEER_BLAKE2S_MAC];
        bypeer_blake2s_mac(&checker->secrets[i], source, source_bytes, cookie);
        write_mac2(cookie, datagram, length, mac);
        if (bypeer_crypto_is_same(mac, mac2, sizeof(mac)))
            return true;
    }
    return false;
}

/* Those of one length at once. */
static void check_length(const struct bypeer_cookie_checker *checker, const uint8_t *const datagrams[],
                         const size_t lengths[], unsigned count, size_t length, bool ret_right[])
{
    const uint8_t *messages[BYPEER_COOKIE_BURST];
    uint8_t macs[BYPEER_COOKIE_BURST][BYPEER_BLAKE2S_MAC];
    unsigned places[BYPEER_COOKIE_BURST], found = 0;
    size_t covered = length - BYPEER_WIREGUARD_MACS;
    for (unsigned i = 0; i < count; i++) {
        if (lengths[i] != length)
            continue;
        messages[found] = datagrams[i];
        places[found++] = i;
    }
    if (found == 0)
        return;
    bypeer_blake2s_mac_burst(&checker->keys.mac1, messages, covered, found, macs);
    for (unsigned i = 0; i < found; i++)
        ret_right[places[i]] = bypeer_crypto_is_same(macs[i], messages[i] + covered, sizeof(macs[i]));
}

void bypeer_cookie_check_burst(const struct bypeer_cookie_checker *checker, const uint8_t *const datagrams[],
                               const size_t lengths[], unsigned count, bool ret_right[])
{
    memset(ret_right, 0, count * sizeof(ret_right[0]));
    check_length(checker, datagrams, lengths, count, BYPEER_WIREGUARD_INITIATION_BYTES, ret_right);
    check_length(checker, datagrams, lengths, count, BYPEER_WIREGUARD_RESPONSE_BYTES, ret_right);
}

enum bypeer_cookie_verdict bypeer_cookie_check(struct bypeer_cookie_checker *checker, const uint8_t *datagram,
                                               size_t length, const uint8_t *source, size_t source_bytes,
                                               bool wants_proof, uint64_t now_ns)
{
    bool is_right;
    bypeer_cookie_check_burst(checker, &datagram, &length, 1, &is_right);
    if (!is_right)
        return BYPEER_COOKIE_BAD;
    if (!wants_proof || !bypeer_cookie_is_proven(checker, datagram, length, source, source_bytes, now_ns))
        return BYPEER_COOKIE_UNPROVEN;
    return BYPEER_COOKIE_PROVEN;
}

int bypeer_cookie_reply(struct bypeer_cookie_checker *checker, const uint8_t *datagram, size_t length,
                        const uint8_t *source, size_t source_bytes, const uint8_t nonce[static 24], uint64_t now_ns,
                        uint8_t ret_reply[static BYPEER_WIREGUARD_COOKIE_BYTES])
{
    struct bypeer_wireguard_cookie reply = {.receiver = bypeer_wireguard_load32(datagram + 4)}; /* its sender index */
    uint8_t cookie[BYPEER_BLAKE2S_MAC];
    memcpy(reply.nonce, nonce, sizeof(reply.nonce));
    checker_turn(checker, now_ns);
    bypeer_blake2s_mac(&checker->secrets[0], source, source_bytes, cookie);
    int status = bypeer_crypto_seal_cookie(checker->keys.cookie, nonce, datagram + length - BYPEER_WIREGUARD_MACS,
                                           cookie, reply.sealed_cookie);
    if (status == 0)
        bypeer_wireguard_write_cookie(&reply, ret_reply);
    return status;
}

void bypeer_cookie_jar_init(struct bypeer_cookie_jar *ret_jar, const uint8_t public_key[static 32])
{
    struct bypeer_cookie_jar jar = {.is_waiting = false};
    derive_keys(&jar.keys, public_key);
    *ret_jar = jar;
}

void bypeer_cookie_stamp(struct bypeer_cookie_jar *jar, uint8_t *datagram, size_t length, uint64_t now_ns)
{
    size_t covered = length - BYPEER_WIREGUARD_MACS;
    uint8_t *mac1 = datagram + covered, *mac2 = mac1 + BYPEER_WIREGUARD_MAC;
    bypeer_blake2s_mac(&jar->keys.mac1, datagram, covered, mac1);
    if (jar->has_cookie && now_ns - jar->received_ns >= BYPEER_COOKIE_PERIOD_NS)
        jar->has_cookie = false;
    if (jar->has_cookie)
        write_mac2(jar->cookie, datagram, length, mac2);
    else
        memset(mac2, 0, BYPEER_WIREGUARD_MAC);
    memcpy(jar->mac1, mac1, sizeof(jar->mac1));
    jar->is_waiting = true;
}

int bypeer_cookie_take(struct bypeer_cookie_jar *jar, const struct bypeer_wireguard_cookie *reply, uint64_t now_ns)
{
    if (!jar->is_waiting ||
        bypeer_crypto_open_cookie(jar->keys.cookie, reply->nonce, jar->mac1, reply->sealed_cookie, jar->cookie) < 0)
        return -EBADMSG;
    jar->is_waiting = false;
    jar->has_cookie = true;
    jar->received_ns = now_ns;
    return 0;
}
