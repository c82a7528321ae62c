#include "overlay/wireguard/transport.h"

#include <errno.h>

#include "overlay/ip/wire.h"

#define IPV4_BYTES 20
#define IPV6_BYTES 40

int bypeer_transport_seal(struct bypeer_crypto *crypto, const struct bypeer_wireguard_session *session,
                          uint64_t counter, uint8_t *datagram, size_t inner_bytes, size_t padded)
{
    uint8_t *inner = datagram + BYPEER_WIREGUARD_DATA_HEADER;
    bypeer_wireguard_write_data_header(datagram, session->remote_index, counter);
    memset(inner + inner_bytes, 0, padded - inner_bytes);
    return bypeer_crypto_seal(crypto, session->send_key, counter, NULL, 0, inner, padded, inner);
}

int bypeer_transport_open(struct bypeer_crypto *crypto, const struct bypeer_wireguard_session *session,
                          uint8_t *datagram, size_t length)
{
    uint8_t *inner = datagram + BYPEER_WIREGUARD_DATA_HEADER;
    uint64_t counter = bypeer_wireguard_data_counter(datagram);
    int status = bypeer_crypto_open(crypto, session->receive_key, counter, NULL, 0, inner,
                                    length - BYPEER_WIREGUARD_DATA_HEADER, inner);
    return status < 0 ? status : (int)(length - BYPEER_TRANSPORT_OVERHEAD);
}

int bypeer_transport_inner_bytes(const uint8_t *inner, size_t length)
{
    size_t bytes, least;
    if (length < IPV4_BYTES)
        return -EBADMSG;
    switch (inner[0] >> 4) {
    case 4:
        least = IPV4_BYTES;
        bytes = bypeer_load16(inner + 2);
        break;
    case 6:
        least = IPV6_BYTES;
        bytes = (size_t)IPV6_BYTES + bypeer_load16(inner + 4);
        break;
    default:
        return -EBADMSG;
    }
    return bytes >= least && bytes <= length ? (int)bytes : -EBADMSG;
}
