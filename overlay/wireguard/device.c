#include "overlay/wireguard/device.h"

#include <errno.h>

static enum bypeer_wireguard_verdict verdict_of(int status)
{
    switch (status) {
    case 0:
        return BYPEER_WIREGUARD_TAKEN;
    case -EBADMSG:
    case -EINVAL:
        return BYPEER_WIREGUARD_FORGED;
    case -EALREADY:
        return BYPEER_WIREGUARD_REPLAYED;
    case -EAGAIN:
        return BYPEER_WIREGUARD_TOO_SOON;
    default:
        return BYPEER_WIREGUARD_NO_ROOM;
    }
}

static enum bypeer_wireguard_verdict device_initiation(struct bypeer_wireguard_device *device, const uint8_t *datagram,
                                                       size_t length, const struct bypeer_wireguard_time *now)
{
    struct bypeer_wireguard_initiation initiation;
    struct bypeer_noise_opened opened;
    int status = bypeer_wireguard_read_initiation(&initiation, datagram, length);
    if (status == 0)
        status = bypeer_noise_open(&opened, device->crypto, device->identity, &initiation);
    if (status < 0)
        return verdict_of(status);
    struct bypeer_peer *peer = device->find_key(device->context, opened.public_key);
    enum bypeer_wireguard_verdict verdict =
        peer ? verdict_of(bypeer_peer_take_initiation(peer, &opened, now)) : BYPEER_WIREGUARD_STRANGER;
    bypeer_crypto_wipe(&opened, sizeof(opened));
    return verdict;
}

static enum bypeer_wireguard_verdict device_response(struct bypeer_wireguard_device *device, const uint8_t *datagram,
                                                     size_t length, const struct bypeer_wireguard_time *now)
{
    struct bypeer_wireguard_response response;
    if (bypeer_wireguard_read_response(&response, datagram, length) < 0)
        return BYPEER_WIREGUARD_MALFORMED;
    struct bypeer_peer *peer = device->find_index(device->context, response.receiver);
    return peer ? verdict_of(bypeer_peer_take_response(peer, &response, now)) : BYPEER_WIREGUARD_STRANGER;
}

static enum bypeer_wireguard_verdict device_cookie(struct bypeer_wireguard_device *device, const uint8_t *datagram,
                                                   size_t length, const struct bypeer_wireguard_time *now)
{
    struct bypeer_wireguard_cookie cookie;
    if (bypeer_wireguard_read_cookie(&cookie, datagram, length) < 0)
        return BYPEER_WIREGUARD_MALFORMED;
    struct bypeer_peer *peer = device->find_index(device->context, cookie.receiver);
    return peer ? verdict_of(bypeer_peer_take_cookie(peer, &cookie, now)) : BYPEER_WIREGUARD_STRANGER;
}

/* Whether the message may cost an agreement. */
static enum bypeer_wireguard_verdict device_doubt(struct bypeer_wireguard_device *device, const uint8_t *datagram,
                                                  size_t length, const uint8_t *source, size_t source_bytes,
                                                  bool is_loaded, const struct bypeer_wireguard_time *now,
                                                  uint8_t ret_reply[static BYPEER_WIREGUARD_COOKIE_BYTES])
{
    uint8_t nonce[24];
    enum bypeer_cookie_verdict verdict =
        bypeer_cookie_check(&device->checker, datagram, length, source, source_bytes, is_loaded, now->ns);
    if (verdict == BYPEER_COOKIE_BAD)
        return BYPEER_WIREGUARD_BAD_MAC;
    if (verdict == BYPEER_COOKIE_PROVEN || !is_loaded)
        return BYPEER_WIREGUARD_TAKEN;
    int status = device->random ? device->random(device->context, nonce, sizeof(nonce))
                                : bypeer_crypto_random(nonce, sizeof(nonce));
    if (status < 0 ||
        bypeer_cookie_reply(&device->checker, datagram, length, source, source_bytes, nonce, now->ns, ret_reply) < 0)
        return BYPEER_WIREGUARD_NO_ROOM;
    return BYPEER_WIREGUARD_UNPROVEN;
}

enum bypeer_wireguard_verdict bypeer_wireguard_receive(struct bypeer_wireguard_device *device, const uint8_t *datagram,
                                                       size_t length, const uint8_t *source, size_t source_bytes,
                                                       enum bypeer_wireguard_doubt doubt,
                                                       const struct bypeer_wireguard_time *now,
                                                       uint8_t ret_reply[static BYPEER_WIREGUARD_COOKIE_BYTES])
{
    enum bypeer_wireguard_type type = bypeer_wireguard_type(datagram, length);
    if (type == BYPEER_WIREGUARD_NONE)
        return BYPEER_WIREGUARD_MALFORMED;
    if (type == BYPEER_WIREGUARD_DATA)
        return BYPEER_WIREGUARD_IS_DATA;
    if (type == BYPEER_WIREGUARD_COOKIE)
        return device_cookie(device, datagram, length, now);
    if (doubt != BYPEER_WIREGUARD_CHECKED) {
        enum bypeer_wireguard_verdict verdict = device_doubt(device, datagram, length, source, source_bytes,
                                                             doubt == BYPEER_WIREGUARD_LOADED, now, ret_reply);
        if (verdict != BYPEER_WIREGUARD_TAKEN)
            return verdict;
    }
    return type == BYPEER_WIREGUARD_INITIATION ? device_initiation(device, datagram, length, now)
                                               : device_response(device, datagram, length, now);
}
