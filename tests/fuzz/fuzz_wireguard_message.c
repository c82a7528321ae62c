/* Datagrams as any of the messages: what is read is written again as the same bytes, but for both MACs. */
#include <stdlib.h>
#include <string.h>

#include "overlay/wireguard/message.h"
#include "overlay/wireguard/transport.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(const uint8_t *written, const uint8_t *data, size_t length)
{
    if (memcmp(written, data, length) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bypeer_wireguard_initiation initiation;
    struct bypeer_wireguard_response response;
    struct bypeer_wireguard_cookie cookie;
    uint8_t written[BYPEER_WIREGUARD_INITIATION_BYTES];
    unsigned read = 0;
    if (bypeer_wireguard_read_initiation(&initiation, data, size) == 0) {
        bypeer_wireguard_write_initiation(&initiation, written);
        expect(written, data, BYPEER_WIREGUARD_INITIATION_BYTES - BYPEER_WIREGUARD_MACS);
        read |= 1u << BYPEER_WIREGUARD_INITIATION;
    }
    if (bypeer_wireguard_read_response(&response, data, size) == 0) {
        bypeer_wireguard_write_response(&response, written);
        expect(written, data, BYPEER_WIREGUARD_RESPONSE_BYTES - BYPEER_WIREGUARD_MACS);
        read |= 1u << BYPEER_WIREGUARD_RESPONSE;
    }
    if (bypeer_wireguard_read_cookie(&cookie, data, size) == 0) {
        bypeer_wireguard_write_cookie(&cookie, written);
        expect(written, data, BYPEER_WIREGUARD_COOKIE_BYTES);
        read |= 1u << BYPEER_WIREGUARD_COOKIE;
    }
    enum bypeer_wireguard_type type = bypeer_wireguard_type(data, size);
    if (type == BYPEER_WIREGUARD_DATA) {
        bypeer_wireguard_write_data_header(written, bypeer_wireguard_data_receiver(data),
                                           bypeer_wireguard_data_counter(data));
        expect(written, data, BYPEER_WIREGUARD_DATA_HEADER);
        read |= 1u << BYPEER_WIREGUARD_DATA;
    }
    if (read != (type == BYPEER_WIREGUARD_NONE ? 0 : 1u << type))
        abort();
    int inner = bypeer_transport_inner_bytes(data, size);
    if (inner >= 0 && (size_t)inner > size)
        abort();
    return 0;
}
