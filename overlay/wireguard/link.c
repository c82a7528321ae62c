#include "overlay/wireguard/link.h"

#include <errno.h>
#include <string.h>

int bypeer_wireguard_link_prepare(struct bypeer_link *link)
{
    if (link->udp_port == 0 || link->peer_port == 0)
        return -EINVAL;
    uint8_t header[BYPEER_OUTER_IPV6_BYTES] = {0};
    int bytes = bypeer_outer_prepare(header, &(struct bypeer_outer){
                                                 .local = link->local,
                                                 .peer = link->peer,
                                                 .local_port = link->udp_port,
                                                 .peer_port = link->peer_port,
                                             });
    if (bytes < 0)
        return bytes;
    memcpy(link->wireguard.header, header, sizeof(header));
    link->underlay = bytes == BYPEER_OUTER_IPV4_BYTES ? 4 : 6;
    link->template_bytes = (uint8_t)bytes;
    return 0;
}
