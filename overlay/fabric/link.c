#include "overlay/fabric/link.h"

#include <stdbool.h>

#include "overlay/fabric/gpe.h"
#include "overlay/ip/checksum.h"
#include "overlay/ip/ipv4.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/udp.h"

/* Multicast, broadcast and "this network" are no single node: RFC 1112, 4; RFC 1122, 3.2.1.3. */
static bool link_is_ipv4_node(const uint8_t mapped[static 16])
{
    uint8_t first = mapped[12];
    return first != 0 && first < 224;
}

/* A link-local underlay is fine: the adjacency names the port. */
static bool link_is_ipv6_node(const uint8_t address[static 16])
{
    bool is_link_local = address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
    return is_link_local || bypeer_ipv6_is_routable(address);
}

/* UDP and GPE headers behind the IP header, and the UDP sum to go on from. address_bytes of each lie at addresses. */
static void link_write_udp(uint8_t *udp, const struct bypeer_link *link, const uint8_t *addresses,
                           size_t addresses_bytes)
{
    bypeer_store16(udp + BYPEER_UDP_DESTINATION, link->udp_port);
    bypeer_gpe_write(udp + BYPEER_UDP_BYTES, link->vni);
    uint64_t sum = bypeer_checksum_sum(addresses, addresses_bytes);
    sum = bypeer_checksum_plus(sum, bypeer_checksum_field(BYPEER_NEXT_UDP));
    sum = bypeer_checksum_plus(sum, bypeer_checksum_sum(udp, BYPEER_UDP_BYTES + BYPEER_GPE_BYTES));
    bypeer_store16_raw(udp + BYPEER_UDP_CHECKSUM, bypeer_checksum_fold(sum));
}

static void link_prepare_ipv6(struct bypeer_link *link)
{
    uint8_t *ip = link->header;
    bypeer_ipv6_write(ip, &(struct bypeer_ipv6){
                              .source = link->local,
                              .destination = link->peer,
                              .next_header = BYPEER_NEXT_UDP,
                              .hop_limit = BYPEER_FABRIC_HOP_LIMIT,
                          });
    link_write_udp(ip + BYPEER_IPV6_BYTES, link, ip + BYPEER_IPV6_SOURCE, 32);
    link->underlay = 6;
    link->template_bytes = BYPEER_FABRIC_IPV6_TEMPLATE_BYTES;
}

static void link_prepare_ipv4(struct bypeer_link *link)
{
    uint8_t *ip = link->header;
    ip[0] = 0x45;
    bypeer_store16(ip + BYPEER_IPV4_FRAGMENT, BYPEER_IPV4_DONT_FRAGMENT);
    ip[BYPEER_IPV4_TTL] = BYPEER_FABRIC_HOP_LIMIT;
    ip[BYPEER_IPV4_PROTOCOL] = BYPEER_NEXT_UDP;
    memcpy(ip + BYPEER_IPV4_SOURCE, link->local + 12, 4);
    memcpy(ip + BYPEER_IPV4_DESTINATION, link->peer + 12, 4);
    bypeer_store16_raw(ip + BYPEER_IPV4_CHECKSUM, bypeer_checksum_fold(bypeer_checksum_sum(ip, BYPEER_IPV4_BYTES)));
    link_write_udp(ip + BYPEER_IPV4_BYTES, link, ip + BYPEER_IPV4_SOURCE, 8);
    link->underlay = 4;
    link->template_bytes = BYPEER_FABRIC_IPV4_TEMPLATE_BYTES;
}

int bypeer_fabric_link_prepare(struct bypeer_link *link)
{
    bool is_ipv4 = bypeer_ipv4_is_mapped(link->peer);
    if (is_ipv4 != bypeer_ipv4_is_mapped(link->local) || link->vni > BYPEER_GPE_VNI_MAX || link->udp_port == 0)
        return -EINVAL;
    bool (*is_node)(const uint8_t *) = is_ipv4 ? link_is_ipv4_node : link_is_ipv6_node;
    if (!is_node(link->peer) || !is_node(link->local))
        return -EINVAL;

    memset(link->header, 0, sizeof(link->header));
    if (is_ipv4)
        link_prepare_ipv4(link);
    else
        link_prepare_ipv6(link);
    return 0;
}
