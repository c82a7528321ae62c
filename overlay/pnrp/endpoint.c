#include "overlay/ip/ipv6.h"
#include "overlay/ip/wire.h"
#include "overlay/pnrp/message.h"

#define ENDPOINT_BYTES 18 /* [MS-PNRP] 2.2.3.6: port, address */

void bypeer_pnrp_endpoint_at(const struct bypeer_pnrp_endpoints *endpoints, unsigned at,
                             struct bypeer_pnrp_endpoint *ret_endpoint)
{
    const uint8_t *bytes = endpoints->bytes + (size_t)at * ENDPOINT_BYTES;
    ret_endpoint->port = bypeer_load16(bytes);
    memcpy(ret_endpoint->address, bytes + 2, sizeof(ret_endpoint->address));
}

void bypeer_pnrp_endpoint_put(uint8_t ret_bytes[static ENDPOINT_BYTES], const struct bypeer_pnrp_endpoint *endpoint)
{
    bypeer_store16(ret_bytes, endpoint->port);
    memcpy(ret_bytes + 2, endpoint->address, sizeof(endpoint->address));
}

bool bypeer_pnrp_endpoints_have(const struct bypeer_pnrp_endpoints *endpoints, const uint8_t address[static 16])
{
    for (unsigned at = 0; at < endpoints->count; at++)
        if (bypeer_ipv6_is_same(endpoints->bytes + (size_t)at * ENDPOINT_BYTES + 2, address))
            return true;
    return false;
}
