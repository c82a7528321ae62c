/* What a device's string says by itself, and what follows from the rest of the configuration. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_ether.h>

#include "dataplane/ports.h"

uint16_t bypeer_ports_frame_room(uint16_t mtu)
{
    /* Ethernet header and two VLAN tags; 2048 is what many devices take for granted. */
    uint32_t frame = mtu + (uint32_t)RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN;
    return (uint16_t)RTE_ALIGN_CEIL(RTE_MAX(frame, 2048u), RTE_CACHE_LINE_SIZE);
}

/* Is it "<driver><number>" or "<driver><number>,..."? */
static bool device_is(const char *device, const char *driver)
{
    size_t length = strlen(driver);
    return strncmp(device, driver, length) == 0 &&
           (device[length] == '\0' || device[length] == ',' || (device[length] >= '0' && device[length] <= '9'));
}

static bool device_sets(const char *device, const char *key)
{
    size_t length = strlen(key);
    for (const char *at = strchr(device, ','); at != NULL; at = strchr(at + 1, ','))
        if (strncmp(at + 1, key, length) == 0 && at[1 + length] == '=')
            return true;
    return false;
}

static int device_add(char *text, size_t room, const char *key, uint32_t value)
{
    if (device_sets(text, key))
        return 0;
    size_t used = strlen(text);
    int length = snprintf(text + used, room - used, ",%s=%u", key, value);
    return length < 0 || (size_t)length >= room - used ? -ENOSPC : 0;
}

int bypeer_ports_device_string(char *text, size_t room, const char *device, uint16_t mtu, uint16_t queues)
{
    if (strlen(device) >= room)
        return -ENOSPC;
    strcpy(text, device);
    int status = 0;
    if (device_is(device, "net_af_xdp")) {
        if (queues > 1)
            status = device_add(text, room, "queue_count", queues);
    } else if (device_is(device, "net_af_packet")) {
        /* A frame slot holds 128 bytes of headers too, and is a power of two within a block. The driver's own size cuts
         * longer frames short without a word. */
        uint32_t slot = rte_align32pow2(bypeer_ports_frame_room(mtu) + 128u);
        if (queues > 1)
            status = device_add(text, room, "qpairs", queues);
        if (status == 0)
            status = device_add(text, room, "framesz", slot);
        if (status == 0)
            status = device_add(text, room, "blocksz", RTE_MAX(slot, 65536u));
        if (status == 0)
            status = device_add(text, room, "framecnt", 2048);
    } else if (device_is(device, "net_memif")) {
        status = device_add(text, room, "bsize", bypeer_ports_frame_room(mtu));
    }
    return status;
}
