#include "overlay/fabric/link.h"

#include <errno.h>
#include <string.h>

#include "overlay/fabric/gpe.h"
#include "overlay/ip/outer.h"
#include "overlay/ip/udp.h"

int bypeer_fabric_link_prepare(struct bypeer_link *link)
{
    if (link->vni > BYPEER_GPE_VNI_MAX || link->udp_port == 0)
        return -EINVAL;
    uint8_t header[BYPEER_LINK_TEMPLATE_BYTES] = {0};
    int bytes = bypeer_outer_prepare(header, &(struct bypeer_outer){
                                                 .local = link->local,
                                                 .peer = link->peer,
                                                 .peer_port = link->udp_port,
                                             });
    if (bytes < 0)
        return bytes;
    uint8_t *gpe = header + bytes;
    bypeer_gpe_write(gpe, link->vni);
    bypeer_outer_add(gpe - BYPEER_UDP_BYTES, gpe, BYPEER_GPE_BYTES);
    memcpy(link->header, header, sizeof(link->header));
    link->underlay = bytes == BYPEER_OUTER_IPV4_BYTES ? 4 : 6;
    link->template_bytes = (uint8_t)(bytes + BYPEER_GPE_BYTES);
    return 0;
}
