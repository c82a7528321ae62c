#include "overlay/wireguard/cookie.h"

#include <errno.h>

#define LABEL_BYTES 8

static int derive_keys(struct bypeer_cookie_keys *ret_keys, struct bypeer_crypto *crypto,
                       const uint8_t public_key[static 32])
{
    int status = bypeer_crypto_hash(crypto, "mac1----", LABEL_BYTES, public_key, 32, ret_keys->mac1);
    return status < 0 ? status : bypeer_crypto_hash(crypto, "cookie--", LABEL_BYTES, public_key, 32, ret_keys->cookie);
}

int bypeer_cookie_checker_init(struct bypeer_cookie_checker *ret_checker, struct bypeer_crypto *crypto,
                               const uint8_t public_key[static 32], const uint8_t secret[static 32])
{
    struct bypeer_cookie_checker checker = {.period = UINT64_MAX};
    int status = derive_keys(&checker.keys, crypto, public_key);
    if (status < 0)
        return status;
    memcpy(checker.secret, secret, sizeof(checker.secret));
    *ret_checker = checker;
    bypeer_crypto_wipe(&checker, sizeof(checker));
    return 0;
}

static int checker_derive(struct bypeer_cookie_checker *checker, struct bypeer_crypto *crypto, uint64_t period,
                          uint8_t ret_secret[static BYPEER_CRYPTO_MAC])
{
    period = htole64(period);
    return bypeer_crypto_mac(crypto, checker->secret, sizeof(checker->secret), &period, sizeof(period), ret_secret);
}

static int checker_turn(struct bypeer_cookie_checker *checker, struct bypeer_crypto *crypto, uint64_t now_ns)
{
    uint64_t period = now_ns / BYPEER_COOKIE_PERIOD_NS;
    if (checker->period == period)
        return 0;
    if (checker_derive(checker, crypto, period, checker->secrets[0]) < 0 ||
        checker_derive(checker, crypto, period - 1, checker->secrets[1]) < 0)
        return -EIO;
    checker->period = period;
    return 0;
}

/* MAC2 is over everything before it, MAC1 included. */
static bool is_proven(struct bypeer_cookie_checker *checker, struct bypeer_crypto *crypto, const uint8_t *datagram,
                      size_t length, const uint8_t *source, size_t source_bytes, uint64_t now_ns)
{
    static const uint8_t none[BYPEER_WIREGUARD_MAC];
    const uint8_t *mac2 = datagram + length - BYPEER_WIREGUARD_MAC;
    if (memcmp(mac2, none, sizeof(none)) == 0 || checker_turn(checker, crypto, now_ns) < 0)
        return false;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t cookie[BYPEER_CRYPTO_MAC], mac[BYPEER_CRYPTO_MAC];
        if (bypeer_crypto_mac(crypto, checker->secrets[i], sizeof(checker->secrets[i]), source, source_bytes, cookie) <
                0 ||
            bypeer_crypto_mac(crypto, cookie, sizeof(cookie), datagram, length - BYPEER_WIREGUARD_MAC, mac) < 0)
            return false;
        if (bypeer_crypto_is_same(mac, mac2, sizeof(mac)))
            return true;
    }
    return false;
}

enum bypeer_cookie_verdict bypeer_cookie_check(struct bypeer_cookie_checker *checker, struct bypeer_crypto *crypto,
                                               const uint8_t *datagram, size_t length, const uint8_t *source,
                                               size_t source_bytes, bool wants_proof, uint64_t now_ns)
{
    size_t covered = length - BYPEER_WIREGUARD_MACS;
    uint8_t mac[BYPEER_CRYPTO_MAC];
    if (bypeer_crypto_mac(crypto, checker->keys.mac1, 32, datagram, covered, mac) < 0 ||
        !bypeer_crypto_is_same(mac, datagram + covered, sizeof(mac)))
        return BYPEER_COOKIE_BAD;
    if (!wants_proof || !is_proven(checker, crypto, datagram, length, source, source_bytes, now_ns))
        return BYPEER_COOKIE_UNPROVEN;
    return BYPEER_COOKIE_PROVEN;
}

int bypeer_cookie_reply(struct bypeer_cookie_checker *checker, struct bypeer_crypto *crypto, const uint8_t *datagram,
                        size_t length, const uint8_t *source, size_t source_bytes, const uint8_t nonce[static 24],
                        uint64_t now_ns, uint8_t ret_reply[static BYPEER_WIREGUARD_COOKIE_BYTES])
{
    struct bypeer_wireguard_cookie reply = {.receiver = bypeer_wireguard_load32(datagram + 4)}; /* its sender index */
    uint8_t cookie[BYPEER_CRYPTO_MAC];
    memcpy(reply.nonce, nonce, sizeof(reply.nonce));
    if (checker_turn(checker, crypto, now_ns) < 0 ||
        bypeer_crypto_mac(crypto, checker->secrets[0], sizeof(checker->secrets[0]), source, source_bytes, cookie) < 0 ||
        bypeer_crypto_seal_cookie(checker->keys.cookie, nonce, datagram + length - BYPEER_WIREGUARD_MACS, cookie,
                                  reply.sealed_cookie) < 0)
        return -EIO;
    bypeer_wireguard_write_cookie(&reply, ret_reply);
    return 0;
}

int bypeer_cookie_jar_init(struct bypeer_cookie_jar *ret_jar, struct bypeer_crypto *crypto,
                           const uint8_t public_key[static 32])
{
    struct bypeer_cookie_jar jar = {.is_waiting = false};
    int status = derive_keys(&jar.keys, crypto, public_key);
    if (status == 0)
        *ret_jar = jar;
    return status;
}

int bypeer_cookie_stamp(struct bypeer_cookie_jar *jar, struct bypeer_crypto *crypto, uint8_t *datagram, size_t length,
                        uint64_t now_ns)
{
    size_t covered = length - BYPEER_WIREGUARD_MACS;
    uint8_t *mac1 = datagram + covered, *mac2 = mac1 + BYPEER_WIREGUARD_MAC;
    if (bypeer_crypto_mac(crypto, jar->keys.mac1, 32, datagram, covered, mac1) < 0)
        return -EIO;
    if (jar->has_cookie && now_ns - jar->received_ns >= BYPEER_COOKIE_PERIOD_NS)
        jar->has_cookie = false;
    memset(mac2, 0, BYPEER_WIREGUARD_MAC);
    if (jar->has_cookie &&
        bypeer_crypto_mac(crypto, jar->cookie, sizeof(jar->cookie), datagram, covered + BYPEER_WIREGUARD_MAC, mac2) < 0)
        return -EIO;
    memcpy(jar->mac1, mac1, sizeof(jar->mac1));
    jar->is_waiting = true;
    return 0;
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
