#include "overlay/wireguard/message.h"

#include <errno.h>

#include "overlay/ip/wire.h"

/* TAI64's label of 1970-01-01 00:00:00 UTC, when TAI was 10 s ahead. Leap seconds since are nobody's business here. */
#define TAI64_OF_1970 UINT64_C(0x400000000000000a)
#define WHITENED_NS   (UINT64_C(1) << 24)

enum bypeer_wireguard_type bypeer_wireguard_type(const uint8_t *datagram, size_t length)
{
    if (length < 4)
        return BYPEER_WIREGUARD_NONE;
    uint32_t type = bypeer_wireguard_load32(datagram);
    switch (type) {
    case BYPEER_WIREGUARD_INITIATION:
        return length == BYPEER_WIREGUARD_INITIATION_BYTES ? BYPEER_WIREGUARD_INITIATION : BYPEER_WIREGUARD_NONE;
    case BYPEER_WIREGUARD_RESPONSE:
        return length == BYPEER_WIREGUARD_RESPONSE_BYTES ? BYPEER_WIREGUARD_RESPONSE : BYPEER_WIREGUARD_NONE;
    case BYPEER_WIREGUARD_COOKIE:
        return length == BYPEER_WIREGUARD_COOKIE_BYTES ? BYPEER_WIREGUARD_COOKIE : BYPEER_WIREGUARD_NONE;
    case BYPEER_WIREGUARD_DATA:
        return length >= BYPEER_WIREGUARD_DATA_MIN ? BYPEER_WIREGUARD_DATA : BYPEER_WIREGUARD_NONE;
    default:
        return BYPEER_WIREGUARD_NONE;
    }
}

static void store32(uint8_t bytes[static 4], uint32_t value)
{
    value = htole32(value);
    memcpy(bytes, &value, sizeof(value));
}

int bypeer_wireguard_read_initiation(struct bypeer_wireguard_initiation *ret_initiation, const uint8_t *datagram,
                                     size_t length)
{
    if (bypeer_wireguard_type(datagram, length) != BYPEER_WIREGUARD_INITIATION)
        return -EBADMSG;
    ret_initiation->sender = bypeer_wireguard_load32(datagram + 4);
    memcpy(ret_initiation->ephemeral, datagram + 8, 32);
    memcpy(ret_initiation->sealed_static, datagram + 40, 48);
    memcpy(ret_initiation->sealed_timestamp, datagram + 88, 28);
    return 0;
}

void bypeer_wireguard_write_initiation(const struct bypeer_wireguard_initiation *initiation,
                                       uint8_t ret_datagram[static BYPEER_WIREGUARD_INITIATION_BYTES])
{
    store32(ret_datagram, BYPEER_WIREGUARD_INITIATION);
    store32(ret_datagram + 4, initiation->sender);
    memcpy(ret_datagram + 8, initiation->ephemeral, 32);
    memcpy(ret_datagram + 40, initiation->sealed_static, 48);
    memcpy(ret_datagram + 88, initiation->sealed_timestamp, 28);
    memset(ret_datagram + 116, 0, BYPEER_WIREGUARD_MACS);
}

int bypeer_wireguard_read_response(struct bypeer_wireguard_response *ret_response, const uint8_t *datagram,
                                   size_t length)
{
    if (bypeer_wireguard_type(datagram, length) != BYPEER_WIREGUARD_RESPONSE)
        return -EBADMSG;
    ret_response->sender = bypeer_wireguard_load32(datagram + 4);
    ret_response->receiver = bypeer_wireguard_load32(datagram + 8);
    memcpy(ret_response->ephemeral, datagram + 12, 32);
    memcpy(ret_response->sealed_none, datagram + 44, 16);
    return 0;
}

void bypeer_wireguard_write_response(const struct bypeer_wireguard_response *response,
                                     uint8_t ret_datagram[static BYPEER_WIREGUARD_RESPONSE_BYTES])
{
    store32(ret_datagram, BYPEER_WIREGUARD_RESPONSE);
    store32(ret_datagram + 4, response->sender);
    store32(ret_datagram + 8, response->receiver);
    memcpy(ret_datagram + 12, response->ephemeral, 32);
    memcpy(ret_datagram + 44, response->sealed_none, 16);
    memset(ret_datagram + 60, 0, BYPEER_WIREGUARD_MACS);
}

int bypeer_wireguard_read_cookie(struct bypeer_wireguard_cookie *ret_cookie, const uint8_t *datagram, size_t length)
{
    if (bypeer_wireguard_type(datagram, length) != BYPEER_WIREGUARD_COOKIE)
        return -EBADMSG;
    ret_cookie->receiver = bypeer_wireguard_load32(datagram + 4);
    memcpy(ret_cookie->nonce, datagram + 8, 24);
    memcpy(ret_cookie->sealed_cookie, datagram + 32, 32);
    return 0;
}

void bypeer_wireguard_write_cookie(const struct bypeer_wireguard_cookie *cookie,
                                   uint8_t ret_datagram[static BYPEER_WIREGUARD_COOKIE_BYTES])
{
    store32(ret_datagram, BYPEER_WIREGUARD_COOKIE);
    store32(ret_datagram + 4, cookie->receiver);
    memcpy(ret_datagram + 8, cookie->nonce, 24);
    memcpy(ret_datagram + 32, cookie->sealed_cookie, 32);
}

void bypeer_wireguard_write_timestamp(uint8_t ret_timestamp[static BYPEER_WIREGUARD_TIMESTAMP], uint64_t unix_ns)
{
    bypeer_store64(ret_timestamp, TAI64_OF_1970 + unix_ns / 1000000000);
    bypeer_store32(ret_timestamp + 8, (uint32_t)((unix_ns % 1000000000) & ~(WHITENED_NS - 1)));
}
