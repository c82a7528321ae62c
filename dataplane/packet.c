#include "dataplane/packet.h"

#include <errno.h>
#include <stdalign.h>

#include <rte_errno.h>

size_t bypeer_packet_offset;

int bypeer_packet_register(void)
{
    static const struct rte_mbuf_dynfield field = {
        .name = "bypeer_packet",
        .size = sizeof(struct bypeer_packet),
        .align = alignof(struct bypeer_packet),
    };
    int offset = rte_mbuf_dynfield_register(&field);
    if (offset < 0)
        return rte_errno > 0 ? -rte_errno : -ENOMEM;
    bypeer_packet_offset = (size_t)offset;
    return 0;
}
