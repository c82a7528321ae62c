#include <string.h>

#include <netinet/in.h>

#include <rte_hash_crc.h>

#include "dataplane/flow.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd

/* Addresses, and what may be ports: the first four bytes behind the IP header. */
static uint32_t flow_hash(const uint8_t *addresses, uint32_t bytes, uint8_t protocol, const uint8_t *ports)
{
    uint64_t key[5] = {0}; /* aligned, as the hash reads whole words */
    memcpy(key, addresses, bytes);
    if (ports != NULL)
        memcpy((uint8_t *)key + bytes, ports, 4);
    return rte_hash_crc(key, sizeof(key), protocol);
}

static int flow_has_ports(uint8_t protocol)
{
    return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

static uint32_t flow_hash_ipv6(const uint8_t *packet, size_t length)
{
    if (length < 40)
        return 0;
    /* Extension headers, fragments' among them, are taken for a protocol without ports. */
    int has_ports = flow_has_ports(packet[6]) && length >= 44;
    return flow_hash(packet + 8, 32, packet[6], has_ports ? packet + 40 : NULL);
}

static uint32_t flow_hash_ipv4(const uint8_t *packet, size_t length)
{
    if (length < 20)
        return 0;
    size_t header = (packet[0] & 0x0fu) * 4u;
    int fragment = (packet[6] & 0x3f) != 0 || packet[7] != 0; /* more fragments, or an offset */
    int has_ports = flow_has_ports(packet[9]) && !fragment && header >= 20 && length >= header + 4;
    return flow_hash(packet + 12, 8, packet[9], has_ports ? packet + header : NULL);
}

uint32_t bypeer_flow_hash(const uint8_t *frame, size_t length, int ethernet)
{
    unsigned type;
    if (ethernet) {
        if (length < 14)
            return 0;
        type = (unsigned)frame[12] << 8 | frame[13];
        frame += 14;
        length -= 14;
    } else {
        if (length < 1)
            return 0;
        type = frame[0] >> 4 == 6 ? ETHERTYPE_IPV6 : frame[0] >> 4 == 4 ? ETHERTYPE_IPV4 : 0;
    }
    if (type == ETHERTYPE_IPV6)
        return flow_hash_ipv6(frame, length);
    if (type == ETHERTYPE_IPV4)
        return flow_hash_ipv4(frame, length);
    return 0;
}
