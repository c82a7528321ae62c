/* What a device's string says by itself, and what follows from the rest of the configuration. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_ether.h>

#include "dataplane/ports.h"

/* A slot of net_af_packet: before the frame lie struct tpacket2_hdr, struct sockaddr_ll and 14 bytes, so aligned that
 * the IP header is on a multiple of 16; the driver reckons with 32 bytes, and wants an mbuf that holds the rest. */
#define AF_PACKET_FRAME_OFFSET 66
#define AF_PACKET_SLOT_BESIDE  32
#define AF_PACKET_BLOCK        65536u
#define AF_PACKET_SLOTS        2048

/*
 * An mbuf of net_af_xdp is a chunk of the memory that the kernel writes to. The kernel leaves 256 bytes free before
 * each frame (XDP_PACKET_HEADROOM) and takes no chunk larger than a page: mempool header, mbuf, headroom, and this.
 */
#define AF_XDP_HEADROOM  256
#define AF_XDP_ROOM_MOST 3776
#define AF_XDP_MTU_MOST  (AF_XDP_ROOM_MOST - AF_XDP_HEADROOM - RTE_ETHER_HDR_LEN)

/* Is it "<driver><number>" or "<driver><number>,..."? */
static bool device_is(const char *device, const char *driver)
{
    size_t length = strlen(driver);
    return strncmp(device, driver, length) == 0 &&
           (device[length] == '\0' || device[length] == ',' || (device[length] >= '0' && device[length] <= '9'));
}

/* Longest frame of an MTU: Ethernet header and two VLAN tags more. */
static uint32_t device_frame_bytes(uint16_t mtu)
{
    return mtu + (uint32_t)RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN;
}

/* The driver takes slots to lie one after the other without gaps between blocks: a power of two. */
static uint32_t device_af_packet_slot(uint16_t mtu)
{
    return rte_align32pow2(device_frame_bytes(mtu) + AF_PACKET_FRAME_OFFSET);
}

uint16_t bypeer_ports_frame_room(const char *device, uint16_t mtu)
{
    uint32_t room = device_frame_bytes(mtu);
    if (device_is(device, "net_af_packet"))
        room = device_af_packet_slot(mtu) - AF_PACKET_SLOT_BESIDE;
    else if (device_is(device, "net_af_xdp"))
        room = RTE_MIN(room + AF_XDP_HEADROOM, (uint32_t)AF_XDP_ROOM_MOST);
    /* 2048 is what many devices take for granted. */
    return (uint16_t)RTE_ALIGN_CEIL(RTE_MAX(room, 2048u), RTE_CACHE_LINE_SIZE);
}

uint16_t bypeer_ports_mtu_most(const char *device, uint16_t reported)
{
    return device_is(device, "net_af_xdp") && reported > AF_XDP_MTU_MOST ? AF_XDP_MTU_MOST : reported;
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
    size_t length = strlen(device);
    if (length >= room)
        return -ENOSPC;
    memcpy(text, device, length + 1);
    int status = 0;
    if (device_is(device, "net_af_xdp")) {
        if (queues > 1)
            status = device_add(text, room, "queue_count", queues);
        /* Else each look at an empty queue is a system call, by which the kernel polls the interface for us: it does
         * that anyway when a packet comes. */
        if (status == 0)
            status = device_add(text, room, "busy_budget", 0);
    } else if (device_is(device, "net_af_packet")) {
        /* The driver's own size cuts longer frames short without a word. */
        uint32_t slot = device_af_packet_slot(mtu);
        if (queues > 1)
            status = device_add(text, room, "qpairs", queues);
        if (status == 0)
            status = device_add(text, room, "framesz", slot);
        if (status == 0)
            status = device_add(text, room, "blocksz", RTE_MAX(slot, AF_PACKET_BLOCK));
        if (status == 0)
            status = device_add(text, room, "framecnt", AF_PACKET_SLOTS);
    } else if (device_is(device, "net_memif")) {
        status = device_add(text, room, "bsize", bypeer_ports_frame_room(device, mtu));
    }
    return status;
}
